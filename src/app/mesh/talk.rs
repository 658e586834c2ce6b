//! What is said: signing and sending, verifying and showing, and who has what.

use std::time::Instant;

use bytes::Bytes;

use crate::{
    app::{
        Event, LinkId, Now, Place, Said, SentState, Term,
        limits::ACK_DELAY,
        log::{Inserted, Log},
        trouble,
    },
    wire::{
        AckLevel, ByeReason, Frame, Kind, LogKey, Nick, NodeId, PastLine, PublicKey, Record, RoomId, Seq,
        is_signed_by,
    },
};

use super::Mesh;

/// Logs of which a fork was told.
const MAX_FORKED: usize = 1_024;

impl Mesh {
    pub(super) fn handle_frame(&mut self, link: LinkId, frame: Frame, now: Now) {
        if self.links.get(&link).is_none_or(|neighbour| neighbour.closing && !neighbour.draining) {
            return;
        }
        match frame {
            Frame::Record(record) => self.handle_record(link, record, now),
            Frame::Ack { log, next, .. } => self.handle_ack(link, &log, next),
            Frame::Subscribe { room, have, age_ms, more, .. } => {
                let age = std::time::Duration::from_millis(age_ms);
                self.handle_subscribe(link, room, have, age, more, now);
            }
            Frame::Unsubscribe { room } => self.handle_unsubscribe(link, &room),
            Frame::Have { room, logs } => self.handle_have(link, &room, &logs, now),
            Frame::Want { log, from, upto } => self.handle_want(link, log, from, upto),
            Frame::Gone { log, floor } => {
                self.wanted.remove(&log);
                self.miss(link, &log, floor, now.instant);
            }
            Frame::Digest { room, sum } => self.handle_digest(link, &room, sum, now),
            Frame::Author { node, nick, key: Some(key), .. } => self.handle_author(node, nick, key),
            Frame::History { room, limit } => self.handle_history(link, &room, limit),
            Frame::Page { room, lines, last } => self.handle_page(link, &room, lines, last),
            Frame::Topic { line } => self.handle_topic(line),
            Frame::Peers { peers } => self.handle_peers(peers),
            Frame::Nick { nick } => self.handle_nick(link, nick),
            Frame::Follow { terms } => self.handle_follow(link, &terms),
            Frame::Followed { line, term } => self.handle_followed(&line, &term),
            Frame::Bye { reason, .. } => {
                if let Some(neighbour) = self.links.get_mut(&link) {
                    (neighbour.bye, neighbour.surplus) = (true, reason == ByeReason::Duplicate);
                }
            }
            // Of a star, or for the session below: nothing for a peer.
            _ => {}
        }
    }

    /// Somebody else's word for a name counts only while its owner is not here.
    fn handle_author(&mut self, node: NodeId, nick: Nick, key: PublicKey) {
        if NodeId::of(&key) == node && node != self.me && self.link_of(node).is_none() {
            self.remember(node, nick, key);
        }
    }

    /// Says something in a room; `false` if this node is not in it.
    pub(super) fn append(&mut self, id: &RoomId, kind: Kind, text: String, now: Now) -> bool {
        let (me, epoch) = (self.me, self.config.epoch);
        let Some(room) = self.rooms.get_mut(id).filter(|room| room.inside) else { return false };
        let log = room.room.log(me, epoch);
        let mut record = Record {
            room: id.clone(),
            author: me,
            epoch,
            seq: log.map_or(Seq(0), Log::next),
            lamport: room.room.next_lamport(),
            sent_at_ms: now.unix_ms,
            kind,
            body: Bytes::from(text),
            signature: None,
        };
        let prev = log.and_then(Log::last_hash).unwrap_or_default();
        self.config.key.sign(&mut record, prev);
        if room.room.insert(record.clone(), now.instant).is_err() {
            return false;
        }
        self.shrink();
        self.spoken_at = Some(now.instant);
        self.hasten_digest(now.instant);
        self.fan_out(&record);
        self.tell_followers(&record);
        true
    }

    fn fan_out(&mut self, record: &Record) {
        let mut direct = self.audience(&record.room);
        let feed = &mut self.feed;
        direct.retain(|&link| {
            let behind = feed.is_behind(link);
            if behind {
                feed.owe(link, record.log(), record.seq);
            }
            !behind
        });
        if !direct.is_empty() {
            let frame = Frame::Record(record.clone());
            self.actions.push_back(crate::app::Action::Send { to: direct, frame });
        }
    }

    fn tell_followers(&mut self, record: &Record) {
        if record.kind != Kind::TEXT || record.room.public().is_none() {
            return;
        }
        let (author, text) = (self.nick.clone(), record.text());
        let wanting = self.links.iter().filter(|(_, n)| !n.closing && !n.rooms.contains_key(&record.room));
        let wanting = wanting.filter_map(|(&link, n)| {
            let term = n.terms.iter().find(|term| term.matches(author.as_str(), &text))?;
            Some((link, term.to_string()))
        });
        for (link, term) in wanting.collect::<Vec<_>>() {
            if let Some(line) = self.past_line(record.clone()) {
                self.send(link, Frame::Followed { line, term });
            }
        }
    }

    fn handle_record(&mut self, link: LinkId, record: Record, now: Now) {
        if (record.author, record.epoch) == (self.me, self.config.epoch) {
            return;
        }
        self.correct(link, &record);
        let Some(next) = self.expected(&record) else { return };
        if record.seq < next {
            return self.ack(record.log(), now.instant);
        }
        let Some(key) = self.key_of(record.author) else { return };
        if !is_signed_by(&record, &key) {
            return self.close(link, ByeReason::Violation, "a record that its author did not sign");
        }
        self.open_pair(&record, now.instant);
        self.take(link, record, now);
    }

    /// What an author says itself beats what others said about it.
    fn correct(&mut self, link: LinkId, record: &Record) {
        let by_author = |n: &super::Neighbour| n.node == record.author && n.epoch == record.epoch;
        if self.links.get(&link).is_some_and(by_author)
            && let Some(room) = self.rooms.get_mut(&record.room)
        {
            room.room.correct(record.author, record.epoch, record.seq);
        }
    }

    /// The seq that comes next in the log of a record, if this node is or may be in its room.
    fn expected(&self, record: &Record) -> Option<Seq> {
        let with_me = record.room.pair().is_some_and(|pair| pair.other(self.me) == Some(record.author));
        match self.rooms.get(&record.room) {
            Some(room) if room.inside => {
                Some(room.room.log(record.author, record.epoch).map_or(Seq(0), Log::next))
            }
            None if with_me => Some(Seq(0)),
            _ => None,
        }
    }

    fn key_of(&self, node: NodeId) -> Option<PublicKey> {
        if node == self.me {
            return Some(self.config.key.public());
        }
        self.people.get(&node).map(|person| person.key)
    }

    /// The first private line of somebody opens the room between the two.
    fn open_pair(&mut self, record: &Record, now: Instant) {
        let with_me = record.room.pair().is_some_and(|pair| pair.other(self.me) == Some(record.author));
        let max = crate::app::limits::MAX_PAIRS + crate::app::limits::MAX_ROOMS;
        if with_me && !self.rooms.contains_key(&record.room) && self.rooms.len() < max {
            let room = self.new_room(&record.room, now);
            self.rooms.insert(record.room.clone(), room);
        }
    }

    fn take(&mut self, link: LinkId, record: Record, now: Now) {
        let (log, author, epoch) = (record.log(), record.author, record.epoch);
        let Some(room) = self.rooms.get_mut(&record.room) else { return };
        let inserted = room.room.insert(record, now.instant);
        self.shrink();
        let Some(room) = self.rooms.get_mut(&log.room) else { return };
        let hole = room.room.log(author, epoch).and_then(Log::hole);
        match inserted {
            Ok(Inserted::Next(run)) => {
                self.spoken_at = Some(now.instant);
                self.hasten_digest(now.instant);
                let next = run.last().map_or(Seq(0), |last| last.seq.next());
                if self.missing.get(&log).is_some_and(|missing| missing.floor <= next) {
                    self.missing.remove(&log);
                }
                if self.wanted.get(&log).is_some_and(|wanted| wanted.upto <= next) {
                    self.wanted.remove(&log);
                }
                self.show_run(run);
                self.ack(log, now.instant);
            }
            Ok(Inserted::Held | Inserted::Overflow) => {
                if let Some((from, upto)) = hole {
                    self.want(link, log, from, upto, now.instant);
                }
            }
            Ok(Inserted::Fork) => self.tell_fork(log),
            Ok(Inserted::Duplicate) | Err(_) => {}
        }
    }

    /// An author signed two things for one place: its key was copied, or it lies. Told once a log.
    fn tell_fork(&mut self, log: LogKey) {
        let from = self.name_of(log.author);
        if self.forked.len() < MAX_FORKED && self.forked.insert(log) {
            self.trouble(trouble::fork(&from));
        }
    }

    /// All rooms together keep no more than one node may.
    fn shrink(&mut self) {
        let kept = |mesh: &Self| mesh.rooms.values().map(|room| room.room.kept_bytes()).sum::<usize>();
        while kept(self) > crate::app::limits::KEEP_BYTES_TOTAL {
            let fattest = self.rooms.values_mut().max_by_key(|room| room.room.kept_bytes());
            if !fattest.is_some_and(|room| room.room.forget_oldest()) {
                return;
            }
        }
    }

    pub(super) fn give_up(&mut self, log: &LogKey, floor: Seq, now: Instant) {
        let Some(room) = self.rooms.get_mut(&log.room).filter(|room| room.inside) else { return };
        let (hole, run) = room.room.skip_to(log.author, log.epoch, floor, now);
        self.wanted.remove(log);
        if let Some((first, last)) = hole {
            let (place, from) = (self.place_of(&log.room), self.name_of(log.author));
            self.notify(Event::Gap { place, from, first, last });
        }
        self.show_run(run);
    }

    /// A line was said: digests are compared soon, not only at the end of a quiet period.
    pub(super) fn hasten_digest(&mut self, now: Instant) {
        let soon = now + crate::app::limits::DIGEST_PERIOD;
        self.digest_at = self.digest_at.map(|at| at.min(soon));
    }

    fn ack(&mut self, log: LogKey, now: Instant) {
        self.acks_due.insert(log);
        self.ack_at.get_or_insert(now + ACK_DELAY);
    }

    pub(super) fn send_acks(&mut self) {
        self.ack_at = None;
        for log in std::mem::take(&mut self.acks_due) {
            let next = self
                .rooms
                .get(&log.room)
                .and_then(|room| room.room.log(log.author, log.epoch))
                .map(Log::next);
            if let (Some(link), Some(next)) = (self.link_of(log.author), next) {
                self.send(link, Frame::Ack { log, next, level: AckLevel::Delivered });
            }
        }
    }

    fn handle_ack(&mut self, link: LinkId, log: &LogKey, next: Seq) {
        let own = log.author == self.me && log.epoch == self.config.epoch;
        if !own || !self.rooms.contains_key(&log.room) {
            return;
        }
        let next = next.min(self.own_next(&log.room));
        if let Some(neighbour) = self.links.get_mut(&link) {
            let acked = neighbour.acked.entry(log.room.clone()).or_default();
            *acked = next.max(*acked);
        }
        self.report_delivered(&log.room);
    }

    pub(super) fn own_next(&self, id: &RoomId) -> Seq {
        let log = self.rooms.get(id).and_then(|room| room.room.log(self.me, self.config.epoch));
        log.map_or(Seq(0), Log::next)
    }

    /// How far everybody who hears a room has this node's log of it, and how many they are.
    pub(super) fn heard(&self, id: &RoomId) -> Option<(Seq, usize)> {
        let audience = self.audience(id);
        let acked = |link: &LinkId| self.links.get(link)?.acked.get(id).copied();
        let least = audience.iter().map(|link| acked(link).unwrap_or_default()).min()?;
        Some((least, audience.len()))
    }

    pub(super) fn report_delivered(&mut self, id: &RoomId) {
        let Some((heard, to)) = self.heard(id) else { return };
        let Some(room) = self.rooms.get_mut(id) else { return };
        let news = room.reported.0..heard.0;
        room.reported = room.reported.max(heard);
        let epoch = self.config.epoch;
        for seq in news {
            let place = self.place_of(id);
            self.notify(Event::Sent { place, epoch, seq: Seq(seq), state: SentState::Delivered { to } });
        }
    }

    pub(super) fn past_line(&self, record: Record) -> Option<PastLine> {
        let (nick, key) = if record.author == self.me {
            (self.nick.clone(), self.config.key.public())
        } else {
            let person = self.people.get(&record.author)?;
            (person.nick.clone(), person.key)
        };
        Some(PastLine { nick, key: Some(key), record })
    }

    /// Whether a line out of the past is its author's; remembers who that is.
    fn is_true(&mut self, line: &PastLine) -> bool {
        let Some(key) = line.key else { return false };
        let node = NodeId::of(&key);
        let is_true = is_signed_by(&line.record, &key);
        if is_true && node != self.me && !self.people.contains_key(&node) {
            self.remember(node, line.nick.clone(), PublicKey(key.0));
        }
        is_true
    }

    pub(super) fn show_past(&mut self, id: &RoomId, line: PastLine) {
        let log = self.rooms.get(id).and_then(|room| room.room.log(line.record.author, line.record.epoch));
        let comes_live = log.is_some_and(|log| line.record.seq >= log.origin());
        if line.record.room == *id && !comes_live && self.is_true(&line) {
            let key = (line.record.author, line.record.epoch, line.record.seq);
            if let Some(room) = self.rooms.get_mut(id) {
                room.shown_past.insert(key);
            }
            self.show(&line.record, true, None);
        }
    }

    fn handle_topic(&mut self, line: PastLine) {
        let id = line.record.room.clone();
        let Some(room) = id.public().cloned().filter(|_| self.inside(&id)) else { return };
        let order = |record: &Record| (record.lamport, record.author);
        let known = self.rooms.get(&id).and_then(|room| room.room.topic()).map(order);
        if line.record.kind == Kind::TOPIC
            && known.is_none_or(|known| known < order(&line.record))
            && self.is_true(&line)
        {
            let (from, text) = (self.name_of(line.record.author), line.record.text());
            if let Some(room) = self.rooms.get_mut(&id) {
                room.room.set_topic(line.record);
            }
            self.notify(Event::Topic { room, from, text, changed: false });
        }
    }

    fn handle_followed(&mut self, line: &PastLine, term: &str) {
        let Ok(term) = term.parse::<Term>() else { return };
        if self.terms.contains(&term) && !self.inside(&line.record.room) && self.is_true(line) {
            self.show(&line.record, false, Some(term));
        }
    }

    pub(super) fn show_run(&mut self, run: Vec<Record>) {
        for record in run {
            let key = (record.author, record.epoch, record.seq);
            let shown = self.rooms.get_mut(&record.room).is_some_and(|room| room.shown_past.remove(&key));
            if !shown {
                self.show(&record, false, None);
            }
        }
    }

    pub(super) fn show(&mut self, record: &Record, historic: bool, followed: Option<Term>) {
        // What this node said in an earlier run is kept for others, not told to itself.
        if record.author == self.me && !historic {
            return;
        }
        let from = self.name_of(record.author);
        match (&record.room, record.kind) {
            (RoomId::Public(room), Kind::TOPIC) => {
                self.notify(Event::Topic { room: room.clone(), from, text: record.text(), changed: true });
            }
            (id, Kind::TEXT) => {
                let place = match id {
                    RoomId::Public(room) => Place::Room(room.clone()),
                    RoomId::Pair(_) => Place::Person(self.name_of(self.me)),
                };
                let said = Said {
                    place,
                    from,
                    id: record.author,
                    epoch: record.epoch,
                    seq: record.seq,
                    sent_at_ms: record.sent_at_ms,
                    text: record.text(),
                    historic,
                    followed,
                };
                let private = id.public().is_none();
                self.notify(if private { Event::Private(said) } else { Event::Message(said) });
            }
            // A kind of a newer version: kept and passed on, not meant to be read.
            _ => {}
        }
    }
}
