//! What the server says about rooms, and what this client says in them.

use std::time::Instant;

use crate::{
    app::{
        Change, Event, LinkId, Now, SentState,
        history::age_ms,
        limits::ENTRIES_PER_FRAME,
        log::Inserted,
        trouble::{self, refusal},
    },
    wire::{
        AckLevel, ErrorCode, Frame, Kind, LogKey, Member, Nick, NodeId, Notice, Pair, PastLine, Record,
        RoomId, Seq, Vector,
    },
};

use super::{Client, ClientRoom, MOST_SPACE_PAUSE, Recall, SPACE_PAUSE, Stay};

impl Client {
    /// Tells the server that this client is in a room and how much of it it has.
    pub(super) fn subscribe(&mut self, id: &RoomId, now: Instant) {
        if self.link().is_none() {
            return;
        }
        let Some(room) = self.rooms.get_mut(id).filter(|room| room.stay != Stay::Denied) else { return };
        room.pass_over_recalled(now);
        let age = now.saturating_duration_since(room.joined_at);
        let age_ms = age_ms(age);
        let history = if room.recalled { 0 } else { self.config.history };
        let me = self.me;
        let have: Vector = room.room.vector().iter().filter(|(author, ..)| *author != me).collect();
        let parts = have.parts(ENTRIES_PER_FRAME);
        let last = parts.len() - 1;
        if history > 0 {
            self.recalls.push_back(Recall { room: id.clone(), is_older: false, is_fresh: true });
        }
        for (i, have) in parts.into_iter().enumerate() {
            let (room, more) = (id.clone(), i < last);
            self.say(Frame::Subscribe { room, have, age_ms, history, more });
        }
    }

    pub(super) fn handle_room_frame(&mut self, frame: Frame, now: Now) {
        match frame {
            Frame::Record(record) => self.handle_record(record, now),
            Frame::Start { log, seq } => {
                let run = self
                    .rooms
                    .get_mut(&log.room)
                    .map(|room| room.room.start_at(log.author, log.epoch, seq, now.instant));
                self.hear(run.unwrap_or_default(), now);
            }
            Frame::Gone { log, floor } => self.handle_gone(&log, floor, now),
            Frame::Lost { log, upto } => self.handle_lost(&log, upto),
            Frame::Ack { log, next, level } => self.handle_ack(&log, next, level),
            Frame::Unstored { log, from } => self.handle_unstored(&log, from, now.instant),
            Frame::Refused { log, seq, lamport, code, detail } => {
                self.handle_refused(&log, (seq, lamport), code, &detail);
            }
            Frame::Joined { room, next, members, more } => self.handle_joined(&room, next, members, more),
            Frame::Presence { room, node, nick, notice } => self.handle_presence(&room, node, nick, notice),
            Frame::Author { node, nick, .. } => self.remember(node, nick),
            Frame::Page { room, lines, last } => self.handle_page(&room, lines, last, now),
            Frame::Topic { line } => self.handle_topic(line),
            Frame::Pairs { pairs } => self.handle_pairs(pairs, now),
            Frame::Found { nick, node, here } => self.handle_found(&nick, node, here, now),
            Frame::Followed { line, term } => self.handle_followed(line, &term),
            Frame::Nick { nick } => self.handle_renamed(nick),
            // Files, or of a mesh, or for the session below.
            frame => self.transfers.handle_frame(frame, now.instant),
        }
    }

    fn handle_pairs(&mut self, pairs: Vec<Pair>, now: Now) {
        for pair in pairs {
            let id = RoomId::Pair(pair);
            if pair.other(self.me).is_some() && !self.rooms.contains_key(&id) {
                self.enter(id, now);
            }
        }
    }

    fn handle_joined(&mut self, id: &RoomId, next: Seq, members: Vec<Member>, more: bool) {
        for member in &members {
            self.remember(member.node, member.nick.clone());
        }
        let Some(room) = self.rooms.get_mut(id) else { return };
        room.gathering.extend(members);
        if more {
            return;
        }
        room.members = room.gathering.drain(..).map(|member| (member.node, member.nick)).collect();
        if room.stay == Stay::Joining {
            room.stay = Stay::In;
        }
        let is_rewound = room.outgoing.is_rewound(next);
        room.start = room.outgoing.resume(next);
        if is_rewound {
            let room = id.public().map_or_else(|| "a private room".to_owned(), ToString::to_string);
            self.notify(Event::Error(trouble::history_rewound(&room)));
        }
        if let Some(name) = id.public() {
            let (room, name) = (name.clone(), self.nick.to_string());
            let users = self.users_of(id);
            self.notify(Event::Joined { room, name, users });
        }
        self.show_kept(id);
        self.handle_ack_of(id, next);
        self.say_what_was_lacking(id);
    }

    fn handle_record(&mut self, record: Record, now: Now) {
        if record.author == self.me {
            return;
        }
        let Some(room) = self.rooms.get_mut(&record.room) else { return };
        let (author, epoch, log) = (record.author, record.epoch, record.log());
        match room.room.insert(record, now.instant) {
            Ok(Inserted::Next(run)) => self.hear(run, now),
            Ok(Inserted::Held | Inserted::Overflow) => {
                let hole = room.room.log(author, epoch).and_then(crate::app::log::Log::hole);
                if let Some((from, upto)) = hole {
                    self.say(Frame::Want { log, from, upto });
                }
            }
            Ok(Inserted::Duplicate | Inserted::Fork) | Err(_) => {}
        }
    }

    fn handle_gone(&mut self, log: &LogKey, floor: Seq, now: Now) {
        let Some(room) = self.rooms.get_mut(&log.room) else { return };
        let (hole, run) = room.room.skip_to(log.author, log.epoch, floor, now.instant);
        if let Some((first, last)) = hole {
            let (place, from) = (self.place_of(&log.room), self.name_of(log.author));
            self.notify(Event::Gap { place, from, first, last });
        }
        self.hear(run, now);
    }

    fn handle_lost(&mut self, log: &LogKey, upto: Seq) {
        let Some(room) = self.rooms.get(&log.room) else { return };
        let first = room.room.log(log.author, log.epoch).map_or(Seq(0), crate::app::log::Log::next);
        if let Some(last) = upto.prev().filter(|&last| first <= last) {
            let (place, from) = (self.place_of(&log.room), self.name_of(log.author));
            self.notify(Event::Gap { place, from, first, last });
        }
    }

    fn handle_ack(&mut self, log: &LogKey, next: Seq, level: AckLevel) {
        if log.author == self.me && log.epoch != self.config.epoch {
            return self.handle_ack_before(log, next, level);
        }
        if self.rooms.get(&log.room).is_some_and(|room| room.outgoing.key() == log) {
            self.handle_ack_of(&log.room, next);
            if level == AckLevel::Stored {
                self.handle_stored(&log.room, next);
            }
        }
    }

    fn handle_stored(&mut self, id: &RoomId, next: Seq) {
        let Some(room) = self.rooms.get_mut(id) else { return };
        let epoch = self.config.epoch;
        let news = room.outgoing.store(next);
        room.outgoing.trim(self.durable);
        if !news.is_empty() {
            self.space_pause = SPACE_PAUSE;
        }
        for seq in news {
            let place = self.place_of(id);
            self.notify(Event::Sent { place, epoch, seq: Seq(seq), state: SentState::Stored });
        }
        self.pump(id);
    }

    /// The server's disk is full: what it could not store is said again later, and more often in vain.
    fn handle_unstored(&mut self, log: &LogKey, from: Seq, now: Instant) {
        let Some(room) = self.rooms.get_mut(&log.room).filter(|room| room.outgoing.key() == log) else {
            return;
        };
        room.outgoing.found_no_space(from);
        if self.say_again_at.is_none() {
            self.say_again_at = Some(now + self.space_pause);
            self.space_pause = self.space_pause.saturating_mul(2).min(MOST_SPACE_PAUSE);
            self.notify(Event::Error(trouble::store_full()));
        }
    }

    fn handle_ack_of(&mut self, id: &RoomId, next: Seq) {
        let Some(room) = self.rooms.get_mut(id) else { return };
        let epoch = self.config.epoch;
        let news = room.outgoing.accept(next);
        room.outgoing.trim(self.durable);
        for seq in news {
            let place = self.place_of(id);
            self.notify(Event::Sent { place, epoch, seq: Seq(seq), state: SentState::Accepted });
        }
        self.pump(id);
    }

    fn handle_refused(&mut self, log: &LogKey, (seq, lamport): (Seq, u64), code: ErrorCode, detail: &str) {
        if log.author == self.me && log.epoch != self.config.epoch {
            let expected = detail.parse().ok().filter(|_| code == ErrorCode::BadSeq);
            return self.refused_before(log, expected.map(Seq));
        }
        let Some(room) = self.rooms.get_mut(&log.room).filter(|room| room.outgoing.key() == log) else {
            return;
        };
        if code == ErrorCode::BadSeq {
            room.outgoing.rewind();
        } else if room.outgoing.refuse(seq, lamport).is_some() {
            self.notify(Event::Error(refusal(code, detail)));
        }
        self.pump(&log.room);
    }

    /// Sends what the window allows; leaves a room that was to be left when all is taken.
    pub(super) fn pump(&mut self, id: &RoomId) {
        let up = self.link().is_some();
        let owed = self.rooms.get(id).is_some_and(|room| self.owed(room) > 0);
        let Some(room) = self.rooms.get_mut(id).filter(|_| up) else { return };
        if !matches!(room.stay, Stay::In | Stay::Leaving) {
            return;
        }
        let leaves = room.stay == Stay::Leaving && !owed;
        if !self.is_full {
            let start = room.start.take();
            let start = start.map(|seq| Frame::Start { log: room.outgoing.key().clone(), seq });
            let due = room.outgoing.due().into_iter().map(Frame::Record);
            start.into_iter().chain(due).for_each(|frame| self.say(frame));
        }
        if leaves {
            self.say(Frame::Unsubscribe { room: id.clone() });
            self.rooms.remove(id);
        }
    }

    pub(super) fn pump_all(&mut self) {
        for id in self.rooms.keys().cloned().collect::<Vec<_>>() {
            self.pump(&id);
        }
    }

    /// Windows of long lines, or of many rooms, are more than the outbox takes. What it has is not said
    /// again, and what it has not is not tried again before there is room.
    pub(super) fn handle_full(&mut self, link: LinkId, refused: Vec<Frame>) {
        self.take_back_parts(link, &refused);
        let epoch = self.config.epoch;
        let mut before = Vec::new();
        for frame in refused {
            match frame {
                Frame::Record(record) if record.epoch == epoch => {
                    self.take_back(&record.room, |room| room.outgoing.take_back(record.seq));
                }
                Frame::Start { log, seq } if log.epoch == epoch => {
                    self.take_back(&log.room, |room| room.start = Some(seq));
                }
                frame => before.push(frame),
            }
        }
        self.take_back_before(link, before);
    }

    fn take_back(&mut self, id: &RoomId, take: impl FnOnce(&mut ClientRoom)) {
        self.is_full = true;
        if let Some(room) = self.rooms.get_mut(id) {
            take(room);
        }
    }

    fn handle_presence(&mut self, id: &RoomId, node: NodeId, nick: Nick, notice: Notice) {
        let (Some(name), Some(room)) = (id.public(), self.rooms.get_mut(id)) else { return };
        let change = match notice {
            Notice::Join => Change::Join,
            Notice::Leave => Change::Leave,
            Notice::Lost { reason } => Change::Lost { reason },
            Notice::Rename { .. } => Change::Rename { to: nick.to_string() },
        };
        let shown = match (&change, room.members.get(&node)) {
            (Change::Rename { .. }, Some(old)) => old.to_string(),
            _ => nick.to_string(),
        };
        if matches!(change, Change::Leave | Change::Lost { .. }) {
            room.members.remove(&node);
        } else {
            room.members.insert(node, nick.clone());
        }
        self.remember(node, nick);
        self.notify(Event::Presence { room: name.clone(), name: shown, change });
    }

    fn handle_topic(&mut self, line: PastLine) {
        let (id, author, text) = (line.record.room.clone(), line.record.author, line.record.text());
        let (Some(room), Some(entered)) = (id.public().cloned(), self.rooms.get_mut(&id)) else { return };
        entered.topic = Some((author, text.clone()));
        let from = line.nick.to_string();
        self.notify(Event::Topic { room, from, text, changed: false });
    }

    fn handle_followed(&mut self, line: PastLine, term: &str) {
        let Ok(term) = term.parse() else { return };
        self.remember(line.record.author, line.nick);
        self.show(&line.record, false, Some(term));
    }

    /// What is next of a log: kept, and shown.
    fn hear(&mut self, run: Vec<Record>, now: Now) {
        for record in run {
            self.keep(&record, now);
            self.show(&record, false, None);
        }
    }

    pub(super) fn show(&mut self, record: &Record, historic: bool, followed: Option<crate::app::Term>) {
        let from = self.name_of(record.author);
        match (&record.room, record.kind) {
            (RoomId::Public(room), Kind::TOPIC) => {
                let (room, text) = (room.clone(), record.text());
                if let Some(entered) = self.rooms.get_mut(&record.room) {
                    entered.topic = Some((record.author, text.clone()));
                }
                self.notify(Event::Topic { room, from, text, changed: true });
            }
            (_, Kind::TEXT) => {
                if let Some(entered) = self.rooms.get_mut(&record.room) {
                    entered.oldest.get_or_insert_with(|| record.id());
                }
                let me = self.nick.to_string();
                let door = self.people.get(&record.author).and_then(Nick::door);
                let said = Event::said(record, from, door, me, historic, followed);
                self.notify(said);
            }
            // A kind of a newer version: not meant to be read.
            _ => {}
        }
    }

    pub(super) fn users_of(&self, id: &RoomId) -> Vec<String> {
        let members = self.rooms.get(id).map(|room| room.members.values().collect::<Vec<_>>());
        let mut nicks = members.unwrap_or_default();
        nicks.sort();
        nicks.into_iter().map(Nick::to_string).collect()
    }
}
