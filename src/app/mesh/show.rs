//! What the person at this peer gets to see, live or out of the past.

use crate::{
    app::{Event, Term},
    wire::{Kind, NodeId, PastLine, PublicKey, Record, RoomId, is_signed_by},
};

use super::Mesh;

impl Mesh {
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
    pub(super) fn is_true(&mut self, line: &PastLine) -> bool {
        let Some(key) = line.key else { return false };
        let node = NodeId::of(&key);
        let is_true = is_signed_by(&line.record, &key);
        if is_true && node != self.me && !self.people.contains_key(&node) {
            self.remember(node, line.nick.clone(), PublicKey(key.0));
        }
        is_true
    }

    pub(super) fn handle_topic(&mut self, line: PastLine) {
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

    pub(super) fn handle_followed(&mut self, line: &PastLine, term: &str) {
        let Ok(term) = term.parse::<Term>() else { return };
        if self.terms.contains(&term) && !self.inside(&line.record.room) && self.is_true(line) {
            self.show(&line.record, false, Some(term));
        }
    }

    pub(super) fn show_run(&mut self, run: Vec<Record>) {
        for record in run {
            self.keep(&record);
            let room = self.rooms.get_mut(&record.room);
            let shown = room.is_some_and(|room| room.shown_past.remove(&record.id()));
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
            (_, Kind::TEXT) => {
                if let Some(room) = self.rooms.get_mut(&record.room) {
                    room.oldest.get_or_insert_with(|| record.id());
                }
                let me = self.name_of(self.me);
                self.notify(Event::said(record, from, None, me, historic, followed));
            }
            // A kind of a newer version: kept and passed on, not meant to be read.
            _ => {}
        }
    }
}
