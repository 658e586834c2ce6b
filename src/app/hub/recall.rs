//! Lines from before, for who asks: out of memory where that has them, else off the disk. One who asks for more
//! before there is an answer gets the answers in the order of asking.

use crate::{
    app::{
        Action, LinkId, Now,
        history::{page_frames, past_line},
        limits::{MAX_HISTORY, MAX_RECALLS},
    },
    store::{LinesQuery, Stored},
    wire::{ErrorCode, Record, RoomId},
};

use super::{Hub, Recall};

impl Hub {
    pub(super) fn recall(&mut self, link: LinkId, mut recall: Recall, now: Now) {
        let Some(session) = self.links.get_mut(&link) else { return };
        if !session.rooms.contains(&recall.room) {
            return self.refuse(link, ErrorCode::Forbidden, "that room");
        }
        if session.recalls.len() >= MAX_RECALLS {
            return self.refuse(link, ErrorCode::Other, "so many lines from before at once");
        }
        recall.count = if self.config.history { recall.count.min(MAX_HISTORY) } else { 0 };
        session.recalls.push_back(recall);
        if !session.recalling {
            self.answer_recalls(link, now);
        }
    }

    /// The first of its questions was answered by the disk.
    pub(super) fn handle_lines(&mut self, link: LinkId, lines: &[Stored], now: Now) {
        let Some(session) = self.links.get_mut(&link) else { return };
        session.recalling = false;
        if let Some(Recall { room: id, count, cut, before }) = session.recalls.pop_front() {
            let room = self.rooms.get(&id).map(|room| &room.room);
            let held = room.map(|room| room.last_lines(usize::from(count), cut, before)).unwrap_or_default();
            // What was said just now is not on disk yet.
            let last = lines.last().map(|line| line.record.id());
            let newer = held.into_iter().skip_while(|record| last.is_some_and(|last| record.id() != last));
            let newer = newer.skip(usize::from(last.is_some()));
            let all: Vec<Record> = lines.iter().map(|line| &line.record).chain(newer).cloned().collect();
            let surplus = all.len().saturating_sub(usize::from(count));
            self.send_lines(link, &id, all.iter().skip(surplus));
        }
        self.answer_recalls(link, now);
    }

    fn answer_recalls(&mut self, link: LinkId, now: Now) {
        while let Some(recall) = self.links.get(&link).and_then(|session| session.recalls.front()).cloned() {
            let Recall { room: id, count, cut, before } = recall;
            let room = self.rooms.get(&id).map(|room| &room.room);
            let lines = room.map(|room| room.last_lines(usize::from(count), cut, before)).unwrap_or_default();
            let has_older = room.is_some_and(crate::app::room::Room::has_older);
            let session = self.links.get_mut(&link);
            if has_older && lines.len() < usize::from(count) {
                session.into_iter().for_each(|session| session.recalling = true);
                let query = LinesQuery { room: id, count, cut_ms: now.unix_ms_of(cut), before };
                return self.actions.push_back(Action::Recall { link: Some(link), query });
            }
            session.map(|session| session.recalls.pop_front());
            let lines: Vec<Record> = lines.into_iter().cloned().collect();
            self.send_lines(link, &id, lines.iter());
        }
    }

    /// To who is in the room still.
    fn send_lines<'a>(&mut self, link: LinkId, id: &RoomId, lines: impl Iterator<Item = &'a Record>) {
        if !self.links.get(&link).is_some_and(|session| session.rooms.contains(id)) {
            return;
        }
        let lines = lines.filter_map(|record| past_line(record.clone(), &self.known)).collect();
        for frame in page_frames(id, lines) {
            self.send(link, frame);
        }
    }
}
