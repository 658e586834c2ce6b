//! A client with a store: what it heard, so that after a restart it gets exactly what it lacks, and what it
//! said, so that a server that does not have it gets it then.

use std::{collections::BTreeMap, time::Instant};

use crate::{
    app::{
        Action, Event, LinkId, Now, Restored, SentState,
        feed::{Feed, Source},
        room::{Keep, Room},
        trouble,
    },
    store::{Author, Page},
    wire::{AckLevel, Frame, Kind, LogKey, NodeId, Record, RoomId, Seq},
};

use super::{Client, FULL_AGAIN};

/// What this node said in runs before this one.
#[derive(Debug, Default)]
pub(super) struct Before {
    /// How far the server has each log, as it says on joining.
    told: BTreeMap<LogKey, Seq>,
    /// Logs that it did not have to their end.
    lacking: BTreeMap<LogKey, Lacking>,
    feed: Feed,
}

#[derive(Clone, Copy, Debug)]
struct Lacking {
    accepted: Seq,
    stored: Seq,
    next: Seq,
}

/// A room as the store has it, until it is entered.
#[derive(Debug)]
pub(super) struct KeptRoom {
    room: Room,
    /// Since when this node is in it.
    since: Instant,
    /// The last lines of it.
    lines: Vec<Record>,
}

impl Client {
    pub(super) fn restore(&mut self, restored: Restored, now: Now) {
        let at = |unix_ms: u64| now.moment_of(unix_ms);
        let named = restored.authors.iter().map(|author| (author.node, author.nick.clone()));
        self.keeping.begin(named);
        for author in restored.authors {
            self.remember(author.node, author.nick);
        }
        let most = usize::from(self.config.history);
        for (stored, tail) in restored.rooms {
            let Some(since) = stored.member_since_ms.map(at) else { continue };
            let lines = tail.into_iter().map(|line| line.record).filter(|record| record.kind == Kind::TEXT);
            let lines: Vec<Record> = lines.collect();
            let lines = lines.get(lines.len().saturating_sub(most)..).unwrap_or_default().to_vec();
            let room = Room::restored(&stored, Vec::new(), Keep::NOTHING, at);
            self.kept_rooms.insert(stored.id, KeptRoom { room, since, lines });
        }
    }

    /// The room to enter: as it was left, where it is known from an earlier run, since when, and its last lines.
    pub(super) fn room_to_enter(&mut self, id: &RoomId) -> (Room, Option<Instant>, Vec<Record>) {
        match self.kept_rooms.remove(id) {
            Some(kept) => (kept.room, Some(kept.since), kept.lines),
            None if self.keeping.is_on() => (Room::durable(id.clone(), Keep::NOTHING), None, Vec::new()),
            None => (Room::new(id.clone(), Keep::NOTHING), None, Vec::new()),
        }
    }

    /// Pair rooms of earlier runs in which something was said here that may not have arrived.
    pub(super) fn pairs_kept(&self) -> Vec<RoomId> {
        let own = |kept: &KeptRoom| kept.room.vector().iter().any(|(author, ..)| author == self.me);
        let pairs = self.kept_rooms.iter().filter(|(id, kept)| id.pair().is_some() && own(kept));
        pairs.map(|(id, _)| id.clone()).collect()
    }

    /// This node is in a room from now on, or no more.
    pub(super) fn keep_membership(&mut self, id: &RoomId, since: Option<Now>) {
        self.actions.extend(self.keeping.member(id, since.map(|now| now.unix_ms)));
    }

    /// The past of a room is what this node has of it; the server's would overlap with what is missed.
    pub(super) fn show_kept(&mut self, id: &RoomId) {
        let lines = self.rooms.get_mut(id).map(|room| std::mem::take(&mut room.kept_lines));
        for record in lines.unwrap_or_default() {
            self.show(&record, true, None);
        }
    }

    pub(super) fn keep(&mut self, record: &Record, now: Now) {
        if !self.keeping.is_on() {
            return;
        }
        let node = record.author;
        let nick = if node == self.me { Some(&self.nick) } else { self.people.get(&node) };
        let author = nick.map(|nick| Author { node, nick: nick.clone(), key: None });
        self.actions.extend(self.keeping.record(record, author, now.unix_ms));
    }

    pub(super) fn handle_kept(&mut self, logs: Vec<(LogKey, Seq)>) {
        for (log, next) in logs {
            if let Some(room) = self.rooms.get_mut(&log.room) {
                room.room.on_stored(log.author, log.epoch, next);
            }
        }
    }

    /// There is no space here: what was heard is not missed, but will be asked for again after a restart.
    pub(super) fn handle_not_kept(&mut self, logs: &[(LogKey, Seq)], now: Now) {
        for (log, from) in logs {
            if let Some(room) = self.rooms.get_mut(&log.room) {
                room.room.on_unstored(log.author, log.epoch, *from);
            }
        }
        if self.full_until.is_none_or(|until| until <= now.instant) {
            self.full_until = Some(now.instant + FULL_AGAIN);
            self.notify(Event::Error(trouble::disk_full()));
        }
    }

    /// The server says how far it has a log of an earlier run.
    pub(super) fn handle_ack_before(&mut self, log: &LogKey, next: Seq, level: AckLevel) {
        if level == AckLevel::Accepted {
            self.before.told.insert(log.clone(), next);
        }
        let Some(lacking) = self.before.lacking.get_mut(log) else { return };
        let (reached, state) = match level {
            AckLevel::Stored => (&mut lacking.stored, SentState::Stored),
            AckLevel::Accepted | AckLevel::Delivered => (&mut lacking.accepted, SentState::Accepted),
        };
        let news = reached.0..next.0.max(reached.0);
        *reached = Seq(news.end);
        if lacking.stored >= lacking.next {
            self.before.lacking.remove(log);
        }
        for seq in news {
            let (place, epoch) = (self.place_of(&log.room), log.epoch);
            self.notify(Event::Sent { place, epoch, seq: Seq(seq), state });
        }
    }

    /// This client is in a room again: what it said there in earlier runs and the server does not have, it says.
    pub(super) fn say_what_was_lacking(&mut self, id: &RoomId) {
        let (Some(link), Some(room)) = (self.link().filter(|_| self.durable), self.rooms.get(id)) else {
            return;
        };
        for (author, epoch, next) in room.room.vector().iter().collect::<Vec<_>>() {
            let log = LogKey { room: id.clone(), author, epoch };
            let from = self.before.told.get(&log).copied().unwrap_or_default();
            if author == self.me && from < next {
                let lacking = Lacking { accepted: from, stored: from, next };
                self.before.lacking.insert(log.clone(), lacking);
                self.before.feed.owe(link, log, from);
            }
        }
        self.feed_before(link);
    }

    /// Whether something said in an earlier run is not yet as safe as the server can make it.
    pub(super) fn is_before_owed(&self) -> bool {
        !self.before.lacking.is_empty()
    }

    pub(super) fn refused_before(&mut self, log: &LogKey, expected: Option<Seq>) {
        match (expected, self.link()) {
            (Some(seq), Some(link)) => {
                self.before.feed.owe(link, log.clone(), seq);
                self.feed_before(link);
            }
            _ => _ = self.before.lacking.remove(log),
        }
    }

    pub(super) fn take_back_before(&mut self, link: LinkId, refused: Vec<Frame>) {
        self.before.feed.take_back(link, refused);
    }

    pub(super) fn feed_before(&mut self, link: LinkId) {
        let mut feed = std::mem::take(&mut self.before.feed);
        let batch = feed.next_batch(link, self);
        self.before.feed = feed;
        self.send_before(link, batch.frames);
        self.actions.extend(batch.query.map(|query| Action::Read { link, query }));
    }

    pub(super) fn handle_page_before(&mut self, link: LinkId, page: Page) {
        let mut feed = std::mem::take(&mut self.before.feed);
        let frames = feed.turn_page(link, page, self);
        self.before.feed = feed;
        self.send_before(link, frames);
    }

    fn send_before(&mut self, link: LinkId, frames: Vec<Frame>) {
        for frame in frames {
            match frame {
                // Retention took it: for the server the log goes on after it.
                Frame::Gone { log, floor } => self.send_to(link, Frame::Start { log, seq: floor }),
                frame => self.send_to(link, frame),
            }
        }
        if self.before.feed.is_behind(link) && !self.before.feed.is_reading(link) {
            self.actions.push_back(Action::AwaitRoom(link));
        }
    }

    pub(super) fn forget_link_before(&mut self, link: LinkId) {
        self.before.feed.forget_link(link);
        self.before.told.clear();
    }
}

impl Source for Client {
    fn room(&self, id: &RoomId) -> Option<&Room> {
        self.rooms.get(id).map(|room| &room.room)
    }

    fn author(&self, _: &RoomId, _: NodeId) -> Option<Frame> {
        None
    }
}
