//! A peer with a store: what it heard and said is on disk, and a restart is but a long break.

use std::time::{Duration, Instant};

use crate::{
    app::{
        Event, LinkId, Now, Restored, SentState,
        limits::HISTORY_ON_JOIN,
        room::{Keep, Room},
    },
    store::{Author, Page},
    wire::{LogKey, NodeId, Record, RoomId, Seq},
};

use super::{Mesh, state::Person};

/// How long what there was no space for is not offered again.
const SPACE_PAUSE: Duration = Duration::from_secs(5);

impl Mesh {
    /// Goes on where the store was left. Rooms are entered when they are joined.
    pub(super) fn restore(&mut self, restored: Restored, now: Now) {
        let at = |unix_ms: u64| now.moment_of(unix_ms);
        let people = restored.authors.into_iter();
        let people: Vec<_> =
            people.filter_map(|Author { node, nick, key }| Some((node, nick, key?))).collect();
        self.keeping.begin(people.iter().map(|(node, nick, _)| (*node, nick.clone())));
        self.people.extend(people.into_iter().map(|(node, nick, key)| (node, Person { nick, key })));
        for (stored, tail) in restored.rooms {
            let tail = tail.into_iter().map(|line| (line.record, at(line.arrived_ms))).collect();
            let mut room = self.new_room(&stored.id, now.instant);
            room.room = Room::restored(&stored, tail, Keep::ALL, at);
            room.inside = stored.id.pair().is_some();
            room.since = stored.member_since_ms.map(at);
            room.joined_at = room.since.unwrap_or(now.instant);
            self.rooms.insert(stored.id, room);
        }
    }

    /// Shows the end of what this node has of a room that it comes back to. `false` if that is nothing.
    pub(super) fn show_kept(&mut self, id: &RoomId, now: Instant) -> bool {
        let Some(room) = self.rooms.get(id).filter(|room| room.since.is_some()) else { return false };
        let count = self.config.history.min(HISTORY_ON_JOIN);
        let lines: Vec<Record> =
            room.room.last_lines(usize::from(count), now, None).into_iter().cloned().collect();
        lines.iter().for_each(|record| self.show(record, true, None));
        !lines.is_empty()
    }

    /// This node is in a room from now on, or no more.
    pub(super) fn keep_membership(&mut self, id: &RoomId, is_inside: bool) {
        self.actions.extend(self.keeping.member(id, is_inside.then_some(self.unix_ms)));
    }

    /// Puts a record on disk, and who its author is where that is news.
    pub(super) fn keep(&mut self, record: &Record) {
        if !self.keeping.is_on() {
            return;
        }
        let author = self.author_to_keep(record.author);
        self.actions.extend(self.keeping.record(record, author, self.unix_ms));
    }

    fn author_to_keep(&self, node: NodeId) -> Option<Author> {
        let (nick, key) = if node == self.me {
            (self.nick.clone(), self.config.key.public())
        } else {
            let person = self.people.get(&node)?;
            (person.nick.clone(), person.key)
        };
        Some(Author { node, nick, key: Some(key) })
    }

    pub(super) fn handle_stored(&mut self, logs: Vec<(LogKey, Seq)>) {
        for (log, next) in logs {
            let Some(room) = self.rooms.get_mut(&log.room) else { continue };
            let before = room.room.log(log.author, log.epoch).map_or(Seq(0), crate::app::log::Log::stored);
            let is_news = room.room.on_stored(log.author, log.epoch, next);
            if !is_news || (log.author, log.epoch) != (self.me, self.config.epoch) {
                continue;
            }
            for seq in before.0..next.0 {
                let (place, epoch) = (self.place_of(&log.room), log.epoch);
                self.notify(Event::Sent { place, epoch, seq: Seq(seq), state: SentState::Stored });
            }
        }
        self.shrink();
    }

    /// The disk here is full: the person is told, and what is in memory is offered again.
    pub(super) fn handle_unstored(&mut self, logs: Vec<(LogKey, Seq)>, now: Instant) {
        if self.keep_again_at.is_none() && !logs.is_empty() {
            self.trouble(crate::app::trouble::disk_full());
            self.keep_again_at = Some(now + SPACE_PAUSE);
        }
        for (log, from) in logs {
            let Some(room) = self.rooms.get_mut(&log.room) else { continue };
            room.room.on_unstored(log.author, log.epoch, from);
            self.unstored.insert(log);
        }
    }

    pub(super) fn keep_again(&mut self, now: Instant) {
        if self.keep_again_at.is_none_or(|at| at > now) {
            return;
        }
        self.keep_again_at = None;
        for log in std::mem::take(&mut self.unstored) {
            let room = self.rooms.get(&log.room);
            let Some(held) = room.and_then(|room| room.room.log(log.author, log.epoch)) else { continue };
            let Some(from) = held.unstored() else { continue };
            let records: Vec<Record> =
                held.read(from.max(held.in_memory())).map(|kept| kept.record.clone()).collect();
            records.iter().for_each(|record| self.keep(record));
        }
    }

    pub(super) fn handle_retained(&mut self, logs: &[(LogKey, Seq)]) {
        for (log, first) in logs {
            if let Some(room) = self.rooms.get_mut(&log.room) {
                room.room.on_retained(log.author, log.epoch, *first);
            }
        }
    }

    pub(super) fn handle_stored_page(&mut self, link: LinkId, page: Page) {
        let mut feed = std::mem::take(&mut self.feed);
        let frames = feed.turn_page(link, page, self);
        self.feed = feed;
        self.send_batch(link, frames);
    }
}
