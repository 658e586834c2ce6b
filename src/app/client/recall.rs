//! Lines from before, which the server has.

use std::time::Instant;

use crate::{
    app::{
        Event, Now,
        limits::{MAX_ASKED, MAX_HISTORY},
        trouble,
    },
    wire::{Frame, PastLine, RoomId},
};

use super::{Client, ClientRoom, Recall};

impl ClientRoom {
    fn note_recalled(&mut self, lines: &[PastLine], is_new: bool) {
        if is_new {
            self.recalled_upto.clear();
        }
        for PastLine { record, .. } in lines {
            let upto = self.recalled_upto.entry((record.author, record.epoch)).or_default();
            *upto = record.seq.next().max(*upto);
        }
    }

    /// The link broke between the answer and the word where a log begins for this client. As it joined about
    /// then, the server may count the last lines of the answer among those said since.
    pub(super) fn pass_over_recalled(&mut self, now: Instant) {
        for ((author, epoch), upto) in std::mem::take(&mut self.recalled_upto) {
            if self.room.log(author, epoch).is_none() {
                self.room.start_at(author, epoch, upto, now);
            }
        }
    }
}

impl Client {
    /// The last lines of the current room, or those before what is shown of it.
    pub(super) fn recall(&mut self, count: usize, is_older: bool) {
        let Some(room) = self.current.clone().map(RoomId::Public) else {
            return self.notify(Event::Error(trouble::no_room()));
        };
        if self.link().is_none() {
            return self.notify(Event::Error(trouble::not_connected()));
        }
        if self.recalls.len() >= MAX_ASKED {
            return self.notify(Event::Error(trouble::asked_too_much()));
        }
        let oldest = self.rooms.get(&room).and_then(|entered| entered.oldest);
        let before = oldest.filter(|_| is_older);
        let limit = u16::try_from(count).unwrap_or(u16::MAX).min(MAX_HISTORY);
        self.recalls.push_back(Recall { room: room.clone(), is_older, is_fresh: true });
        self.say(Frame::History { room, limit, before });
    }

    pub(super) fn handle_page(&mut self, id: &RoomId, lines: Vec<PastLine>, last: bool, now: Now) {
        let Some(room) = self.rooms.get_mut(id) else { return };
        room.recalled = true;
        let at = self.recalls.iter().position(|recall| recall.room == *id);
        let asked = at.and_then(|at| self.recalls.get_mut(at));
        let is_older = asked.as_ref().is_some_and(|recall| recall.is_older);
        let is_first = asked.is_some_and(|recall| std::mem::take(&mut recall.is_fresh));
        if let Some(at) = at.filter(|_| last) {
            self.recalls.remove(at);
        }
        if !is_older {
            room.note_recalled(&lines, is_first);
        }
        if let Some(first) = lines.first().filter(|_| is_first) {
            room.oldest = Some(first.record.id());
        } else if is_first && is_older && last {
            self.notify(Event::Error(trouble::nothing_older()));
        }
        for line in lines {
            if line.record.author != self.me && !self.people.contains_key(&line.record.author) {
                self.remember(line.record.author, line.nick.clone());
            }
            if !is_older {
                // After a restart what follows them is missed.
                self.keep(&line.record, now);
            }
            self.show(&line.record, true, None);
        }
    }
}
