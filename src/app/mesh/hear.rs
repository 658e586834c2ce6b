//! What others said: verified, put in its place, and acknowledged.

use std::time::Instant;

use crate::{
    app::{
        Event, LinkId, Now,
        log::{Inserted, Log},
        trouble,
    },
    wire::{ByeReason, LogKey, NodeId, PublicKey, Record, Seq, is_signed_by},
};

use super::Mesh;

/// Logs of which a fork was told.
const MAX_FORKED: usize = 1_024;

impl Mesh {
    pub(super) fn handle_record(&mut self, link: LinkId, record: Record, now: Now) {
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
        if self.links.get(&link).is_some_and(|neighbour| neighbour.is(record.author, record.epoch))
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
                self.note_brought(link, &log, now.instant);
                self.ack(log.clone(), now.instant);
            }
            Ok(Inserted::Held | Inserted::Overflow) => {}
            Ok(Inserted::Fork) => return self.tell_fork(log),
            Ok(Inserted::Duplicate) | Err(_) => return,
        }
        if let Some((from, upto)) = hole {
            self.want(link, log, from, upto, now.instant);
        }
    }

    fn note_brought(&mut self, link: LinkId, log: &LogKey, now: Instant) {
        if let Some(author) = self.links.get_mut(&link).filter(|n| n.is(log.author, log.epoch)) {
            author.brought.insert(log.room.clone(), now);
        }
    }

    /// An author signed two things for one place: its key was copied, or it lies. Told once a log.
    fn tell_fork(&mut self, log: LogKey) {
        let from = self.name_of(log.author);
        if self.forked.len() < MAX_FORKED && self.forked.insert(log) {
            self.trouble(trouble::fork(&from));
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
}
