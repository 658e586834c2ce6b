//! Lines from before: out of memory, off the disk, else from who is in the room and has them.

use std::time::Instant;

use crate::{
    app::{Action, LinkId, Now, history::page_frames, limits::MAX_HISTORY, trouble},
    store::{LinesQuery, Stored},
    wire::{Frame, PastLine, Record, RecordId, RoomId},
};

use super::{Mesh, state::Recall};

impl Mesh {
    /// Shows the last lines of the current room.
    pub(super) fn show_history(&mut self, count: usize, now: Instant) {
        let Some(id) = self.current.clone().map(RoomId::Public) else {
            return self.trouble(trouble::no_room());
        };
        let Some(room) = self.rooms.get(&id) else { return };
        let lines = room.room.last_lines(count.min(usize::from(MAX_HISTORY)), now, None);
        let lines: Vec<Record> = lines.into_iter().cloned().collect();
        self.show_before(&id, &lines);
    }

    /// Shows lines of the current room from before those that are shown.
    pub(super) fn show_older(&mut self, count: usize, now: Now) {
        let Some(id) = self.current.clone().map(RoomId::Public) else {
            return self.trouble(trouble::no_room());
        };
        let Some(room) = self.rooms.get(&id) else { return };
        let count = u16::try_from(count).unwrap_or(u16::MAX).min(MAX_HISTORY);
        let lines = room.room.last_lines(usize::from(count), now.instant, room.oldest);
        let lines: Vec<Record> = lines.into_iter().cloned().collect();
        if lines.len() < usize::from(count) && room.room.has_older() && self.keeping.is_on() {
            let query = LinesQuery { room: id, count, cut_ms: now.unix_ms, before: room.oldest };
            return self.actions.push_back(Action::Recall { link: None, query });
        }
        if lines.is_empty() { self.ask_for_older(&id, count) } else { self.show_before(&id, &lines) }
    }

    /// The disk has answered.
    pub(super) fn handle_lines(&mut self, query: &LinesQuery, lines: Vec<Stored>) {
        if !self.inside(&query.room) {
            return;
        }
        let lines: Vec<Record> = lines.into_iter().map(|line| line.record).collect();
        if lines.is_empty() {
            self.ask_for_older(&query.room, query.count);
        } else {
            self.show_before(&query.room, &lines);
        }
    }

    fn ask_for_older(&mut self, id: &RoomId, limit: u16) {
        let Some(room) = self.rooms.get_mut(id) else { return };
        room.recall = Recall { limit, before: room.oldest, is_urgent: true, ..Recall::default() };
        self.recall(id);
    }

    /// From now on it is shown from the first of these lines on.
    fn show_before(&mut self, id: &RoomId, lines: &[Record]) {
        if let (Some(first), Some(room)) = (lines.first(), self.rooms.get_mut(id)) {
            room.oldest = Some(first.id());
        }
        lines.iter().for_each(|record| self.show(record, true, None));
    }

    /// Asks somebody who is in a room, one at a time, for lines from before.
    pub(super) fn recall(&mut self, id: &RoomId) {
        let audience = self.audience(id);
        let Some(room) = self.rooms.get_mut(id) else { return };
        if room.recall.limit == 0 || !room.inside || room.recall.pending.is_some() {
            return;
        }
        let node = |link: &LinkId| self.links.get(link).map(|neighbour| neighbour.node);
        let unasked = audience.into_iter().filter_map(|link| Some((link, node(&link)?)));
        let next = unasked.into_iter().find(|(_, node)| !room.recall.asked.contains(node));
        if let Some((link, node)) = next {
            room.recall.asked.insert(node);
            room.recall.pending = Some(link);
            let (limit, before) = (room.recall.limit, room.recall.before);
            self.send(link, Frame::History { room: id.clone(), limit, before });
        } else if room.recall.is_urgent {
            room.recall = Recall::default();
            self.trouble(trouble::nothing_older());
        }
    }

    pub(super) fn handle_history(&mut self, link: LinkId, id: &RoomId, limit: u16, before: Option<RecordId>) {
        let cut = self.links.get(&link).and_then(|neighbour| neighbour.rooms.get(id).copied());
        let (Some(room), Some(cut)) = (self.rooms.get(id).filter(|room| room.inside), cut) else { return };
        let count = if self.config.history == 0 { 0 } else { limit.min(MAX_HISTORY) };
        let lines = room.room.last_lines(usize::from(count), cut, before);
        let lines: Vec<_> = lines.into_iter().cloned().collect();
        let lines: Vec<PastLine> = lines.into_iter().filter_map(|record| self.past_line(record)).collect();
        for frame in page_frames(id, lines) {
            self.send(link, frame);
        }
    }

    pub(super) fn handle_page(&mut self, link: LinkId, id: &RoomId, lines: Vec<PastLine>, last: bool) {
        if self.rooms.get(id).is_none_or(|room| room.recall.pending != Some(link)) {
            return;
        }
        let lines: Vec<Record> = lines.into_iter().filter_map(|line| self.is_past(id, line)).collect();
        let Some(room) = self.rooms.get_mut(id) else { return };
        if last {
            room.recall.pending = None;
        }
        if let Some(first) = lines.first() {
            // Of an answer in parts the first begins.
            if room.recall.limit > 0 {
                room.oldest = Some(first.id());
            }
            room.recall.limit = 0;
            let places = usize::from(MAX_HISTORY).saturating_sub(room.shown_past.len());
            room.shown_past.extend(lines.iter().take(places).map(Record::id));
        }
        lines.iter().for_each(|record| self.show(record, true, None));
        self.recall(id);
    }

    /// The record of a line from before that its author has said, and that will not come live.
    fn is_past(&mut self, id: &RoomId, line: PastLine) -> Option<Record> {
        let log = self.rooms.get(id).and_then(|room| room.room.log(line.record.author, line.record.epoch));
        let comes_live = log.is_some_and(|log| line.record.seq >= log.origin());
        let is_past = line.record.room == *id && !comes_live && self.is_true(&line);
        is_past.then_some(line.record)
    }
}
