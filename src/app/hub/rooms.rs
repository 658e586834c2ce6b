//! Rooms: who is in them, what is said there, and who is to hear it.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use crate::{
    app::{
        LinkId, Now,
        history::past_line,
        limits::{
            AGE_SLACK, ENTRIES_PER_FRAME, KEEP_BYTES_TOTAL, MAX_MEMBERS, MAX_PAIRS, MAX_PAIRS_PER_NODE,
            MAX_ROOMS_PER_NODE,
        },
        log::Inserted,
        room::{Keep, Room},
    },
    wire::{AckLevel, ErrorCode, Frame, Kind, LogKey, Member, Notice, Record, RoomId, Seq, Vector},
};

use super::{Hub, HubRoom, Recall, waiting};

impl HubRoom {
    fn new(id: RoomId, durable: bool, now: Instant) -> Self {
        let room = if durable { Room::durable(id, Keep::ALL) } else { Room::new(id, Keep::ALL) };
        Self { room, members: BTreeMap::new(), active_at: now, waiting: BTreeMap::new() }
    }

    /// Everybody who hears what is said here, but not the one who says it.
    pub(super) fn audience(&self, except: Option<LinkId>) -> Vec<LinkId> {
        self.members.values().copied().filter(|&link| Some(link) != except).collect()
    }
}

impl Hub {
    #[expect(clippy::too_many_arguments, reason = "the fields of one frame")]
    pub(super) fn gather_subscription(
        &mut self,
        link: LinkId,
        id: RoomId,
        part: Vector,
        more: bool,
        age: Duration,
        history: u16,
        now: Now,
    ) {
        let Some(session) = self.links.get_mut(&link) else { return };
        // The parts of one vector follow each other: one at a time is enough.
        let before = session.partial.take().filter(|(room, _)| *room == id);
        let mut have = before.map(|(_, have)| have).unwrap_or_default();
        have.extend(part);
        if more && have.len() <= crate::app::limits::MAX_AUTHORS * crate::app::limits::MAX_EPOCHS {
            session.partial = Some((id, have));
            return;
        }
        match self.may_join(link, &id, now.instant) {
            Ok(()) => self.subscribe(link, &id, &have, age, history, now),
            Err((code, detail)) => self.send(link, Frame::Error { code, room: Some(id), detail }),
        }
    }

    fn may_join(&mut self, link: LinkId, id: &RoomId, now: Instant) -> Result<(), (ErrorCode, String)> {
        let Some(session) = self.links.get(&link) else { return Err((ErrorCode::Forbidden, String::new())) };
        let node = session.node;
        if id.pair().is_some_and(|pair| pair.other(node).is_none()) {
            return Err((ErrorCode::Forbidden, "that room".into()));
        }
        let public = session.rooms.iter().filter(|id| id.public().is_some()).count();
        if id.public().is_some() && !session.rooms.contains(id) && public >= MAX_ROOMS_PER_NODE {
            return Err((ErrorCode::RoomLimit, format!("{MAX_ROOMS_PER_NODE} rooms at a time")));
        }
        let pairs = || self.rooms.keys().filter_map(RoomId::pair).filter(|pair| pair.other(node).is_some());
        if id.pair().is_some() && !self.rooms.contains_key(id) && pairs().count() >= MAX_PAIRS_PER_NODE {
            return Err((ErrorCode::RoomLimit, format!("{MAX_PAIRS_PER_NODE} people at a time")));
        }
        if let Some(room) = self.rooms.get(id) {
            let full = room.members.len() >= MAX_MEMBERS && !room.members.contains_key(&node);
            return if full { Err((ErrorCode::RoomFull, MAX_MEMBERS.to_string())) } else { Ok(()) };
        }
        if !self.make_way_for_room(id) {
            let (max, kind) = self.room_limit(id);
            return Err((ErrorCode::RoomLimit, format!("{max} {kind} on this server")));
        }
        self.rooms.insert(id.clone(), HubRoom::new(id.clone(), self.keeping.is_on(), now));
        Ok(())
    }

    /// Whether there is, or can be made, a place for another room: of those where nobody is, the one
    /// that was silent longest goes.
    fn make_way_for_room(&mut self, id: &RoomId) -> bool {
        let is_pair = id.pair().is_some();
        let of_kind = || self.rooms.iter().filter(move |(id, _)| id.pair().is_some() == is_pair);
        if of_kind().count() < self.room_limit(id).0 {
            return true;
        }
        // What is on disk is not let go of: its logs would begin again.
        let may_go =
            |room: &HubRoom| room.members.is_empty() && (!self.keeping.is_on() || room.room.is_empty());
        let empty = of_kind().filter(|(_, room)| may_go(room));
        let oldest = empty.min_by_key(|(_, room)| room.active_at).map(|(id, _)| id.clone());
        oldest.is_some_and(|id| self.drop_room(&id))
    }

    /// How many of a kind there may be, and what they are called.
    const fn room_limit(&self, id: &RoomId) -> (usize, &'static str) {
        if id.pair().is_some() {
            (MAX_PAIRS, "private rooms")
        } else {
            (self.config.limits.max_rooms, "rooms")
        }
    }

    fn drop_room(&mut self, id: &RoomId) -> bool {
        let Some(room) = self.rooms.remove(id) else { return false };
        self.kept_bytes -= room.room.kept_bytes();
        true
    }

    fn subscribe(&mut self, link: LinkId, id: &RoomId, have: &Vector, age: Duration, history: u16, now: Now) {
        let (Some(session), Some(room)) = (self.links.get_mut(&link), self.rooms.get_mut(id)) else { return };
        let (node, epoch) = (session.node, session.epoch);
        let is_new = session.rooms.insert(id.clone());
        room.members.insert(node, link);
        // What came while its words took their time, waits in a private room.
        let slack = if age.is_zero() || id.pair().is_some() { Duration::ZERO } else { AGE_SLACK };
        let cut = now.instant.checked_sub(age + slack).or(self.started).unwrap_or(now.instant);
        let cut = room.reaches_back(node, cut, now.instant);
        let next = room.room.log(node, epoch).map_or(Seq(0), crate::app::log::Log::next);
        let since_ms = now.unix_ms_of(cut);
        for log in room.room.owed(have, cut, self.started.unwrap_or(cut)) {
            let key = room.room.key(log.author, log.epoch);
            if log.author == node {
                continue;
            }
            if have.get(log.author, log.epoch).is_none() {
                self.feed.owe_from_start(link, key, log.start, since_ms);
            } else if log.start < log.next {
                self.feed.owe(link, key, log.start);
            }
        }
        self.say_stored(link, id, node, epoch);
        self.send_joined(link, id, next);
        if history > 0 {
            self.recall(link, Recall { room: id.clone(), count: history, cut, before: None }, now);
        }
        if is_new {
            self.tell_room(link, id, Notice::Join);
        }
        self.hear_say(id, node, have, cut, now.instant);
        self.feed(link);
    }

    pub(super) fn send_joined(&mut self, link: LinkId, id: &RoomId, next: Seq) {
        let Some(room) = self.rooms.get(id) else { return };
        let member = |node| Some(Member { node, nick: self.known.get(&node)?.clone() });
        let members: Vec<Member> = room.members.keys().copied().filter_map(member).collect();
        let topic = room.room.topic().and_then(|record| past_line(record.clone(), &self.known));
        let parts = members.chunks(ENTRIES_PER_FRAME).count();
        for (i, part) in members.chunks(ENTRIES_PER_FRAME).enumerate() {
            let more = i + 1 < parts;
            self.send(link, Frame::Joined { room: id.clone(), next, members: part.to_vec(), more });
        }
        if let Some(line) = topic {
            self.send(link, Frame::Topic { line });
        }
    }

    pub(super) fn handle_unsubscribe(&mut self, link: LinkId, id: &RoomId) {
        self.tell_room_if_member(link, id);
        let Some(session) = self.links.get_mut(&link) else { return };
        let node = session.node;
        session.rooms.remove(id);
        self.remove_member(id, node, link);
        self.feed.forget_room(link, id);
        self.send(link, Frame::Unsubscribe { room: id.clone() });
    }

    fn tell_room_if_member(&mut self, link: LinkId, id: &RoomId) {
        if self.links.get(&link).is_some_and(|session| session.rooms.contains(id)) {
            self.tell_room(link, id, Notice::Leave);
        }
    }

    pub(super) fn remove_member(&mut self, id: &RoomId, node: crate::wire::NodeId, link: LinkId) {
        let Some(room) = self.rooms.get_mut(id) else { return };
        if room.members.get(&node) == Some(&link) {
            room.members.remove(&node);
        }
        if room.members.is_empty() && room.room.is_empty() {
            self.drop_room(id);
        }
    }

    pub(super) fn handle_record(&mut self, link: LinkId, record: Record, now: Now) {
        let log = record.log();
        let Some(expected) = self.expected(link, &record) else {
            return self.refuse_record(link, &record, ErrorCode::Forbidden, String::new());
        };
        if record.seq < expected {
            self.keep_again(&record, now);
            return self.send(link, Frame::Ack { log, next: expected, level: AckLevel::Accepted });
        }
        if record.seq > expected {
            return self.refuse_record(link, &record, ErrorCode::BadSeq, expected.to_string());
        }
        let max = self.config.limits.max_message_bytes;
        if record.body.len() > max {
            return self.refuse_record(link, &record, ErrorCode::MessageTooLong, max.to_string());
        }
        if !self.may_wait(&record) {
            return self.refuse_record(link, &record, ErrorCode::Other, waiting::too_many());
        }
        if let Some(session) = self.links.get_mut(&link) {
            session.skipping.remove(&log);
        }
        self.accept(link, record, now);
    }

    /// The seq that comes next in the log of a record, if this link may write to it.
    fn expected(&self, link: LinkId, record: &Record) -> Option<Seq> {
        let session = self.links.get(&link)?;
        let own = record.author == session.node && record.epoch <= session.epoch;
        let room = self.rooms.get(&record.room).filter(|_| own && session.rooms.contains(&record.room))?;
        Some(room.room.log(record.author, record.epoch).map_or(Seq(0), crate::app::log::Log::next))
    }

    /// After a refusal the records already under way behind it do not fit: they are skipped without a
    /// word until that place is filled, and sent again by their author.
    fn refuse_record(&mut self, link: LinkId, record: &Record, code: ErrorCode, detail: String) {
        let Some(session) = self.links.get_mut(&link) else { return };
        let log = record.log();
        let first = session.skipping.insert(log.clone());
        if session.skipping.len() > MAX_ROOMS_PER_NODE * 2 {
            session.skipping.clear();
        }
        if first || code != ErrorCode::BadSeq {
            let Record { seq, lamport, .. } = *record;
            self.send(link, Frame::Refused { log, seq, lamport, code, detail });
        }
    }

    fn accept(&mut self, link: LinkId, record: Record, now: Now) {
        let Some(room) = self.rooms.get_mut(&record.room) else { return };
        room.active_at = now.instant;
        let before = room.room.kept_bytes();
        match room.room.insert(record.clone(), now.instant) {
            Ok(Inserted::Next(_)) => {}
            Ok(_) => return,
            Err(_) => {
                return self.refuse_record(link, &record, ErrorCode::RoomFull, "its authors".into());
            }
        }
        self.kept_bytes = self.kept_bytes + room.room.kept_bytes() - before;
        let audience = room.audience(Some(link));
        self.note_waiting(&record, now);
        self.keep(&record, now);
        let (log, next) = (record.log(), record.seq.next());
        self.fan_out(audience, &record);
        self.tell_followers(link, &record);
        self.wake_pair(&record);
        self.send(link, Frame::Ack { log, next, level: AckLevel::Accepted });
        self.shrink();
    }

    fn fan_out(&mut self, audience: Vec<LinkId>, record: &Record) {
        let direct = self.feed.direct(audience, record);
        self.send_all(direct, Frame::Record(record.clone()));
    }

    /// A line goes to those who follow a word in it but are not in the room.
    fn tell_followers(&mut self, author: LinkId, record: &Record) {
        if self.followers.is_empty() || record.kind != Kind::TEXT || record.room.public().is_none() {
            return;
        }
        let Some(line) = past_line(record.clone(), &self.known) else { return };
        let text = record.text();
        let wanting = self.followers.iter().filter(|&&link| link != author).filter_map(|&link| {
            let session = self.links.get(&link).filter(|session| !session.rooms.contains(&record.room))?;
            let term = session.terms.iter().find(|term| term.matches(line.nick.as_str(), &text))?;
            Some((link, term.to_string()))
        });
        for (link, term) in wanting.collect::<Vec<_>>() {
            self.send(link, Frame::Followed { line: line.clone(), term });
        }
    }

    pub(super) fn shrink(&mut self) {
        while self.kept_bytes > KEEP_BYTES_TOTAL {
            let Some(fattest) = self.rooms.values_mut().max_by_key(|room| room.room.kept_bytes()) else {
                return;
            };
            let before = fattest.room.kept_bytes();
            fattest.room.forget_oldest();
            self.kept_bytes -= before - fattest.room.kept_bytes();
            if before == fattest.room.kept_bytes() {
                return;
            }
        }
    }

    /// An author names where its log begins, because this server does not have what was before.
    pub(super) fn handle_start(&mut self, link: LinkId, log: &LogKey, seq: Seq, now: Now) {
        let member =
            |session: &super::Session| session.node == log.author && session.rooms.contains(&log.room);
        if self.links.get(&link).is_some_and(member)
            && let Some(room) = self.rooms.get_mut(&log.room)
        {
            room.room.start_at(log.author, log.epoch, seq, now.instant);
        }
    }

    pub(super) fn handle_want(&mut self, link: LinkId, log: LogKey, from: Seq, upto: Seq) {
        if self.links.get(&link).is_some_and(|session| session.rooms.contains(&log.room)) {
            self.feed.owe_part(link, log, from, upto);
            self.feed(link);
        }
    }
}
