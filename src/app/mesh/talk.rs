//! What is said here: which frame goes where, signing and sending, and who has what.

use std::time::Instant;

use bytes::Bytes;

use crate::{
    app::{Event, LinkId, Now, SentState, limits::ACK_DELAY, log::Log},
    wire::{AckLevel, ByeReason, Frame, Kind, LogKey, Nick, NodeId, PublicKey, Record, RoomId, Seq},
};

use super::Mesh;

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
            Frame::History { room, limit, before } => self.handle_history(link, &room, limit, before),
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
                if reason == ByeReason::Replaced {
                    self.tell_copied();
                }
            }
            // Files, or of a star, or for the session below.
            frame => self.handle_transfer(link, frame, now.instant),
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
        self.keep(&record);
        self.shrink();
        self.spoken_at = Some(now.instant);
        self.hasten_digest(now.instant);
        self.fan_out(&record);
        self.tell_followers(&record);
        true
    }

    fn fan_out(&mut self, record: &Record) {
        let audience = self.audience(&record.room);
        let direct = self.feed.direct(audience, record);
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

    /// A line was said: digests are compared soon, not only at the end of a quiet period.
    pub(super) fn hasten_digest(&mut self, now: Instant) {
        let soon = now + crate::app::limits::DIGEST_PERIOD;
        self.digest_at = self.digest_at.map(|at| at.min(soon));
    }

    pub(super) fn ack(&mut self, log: LogKey, now: Instant) {
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

    /// All rooms together keep no more than one node may.
    pub(super) fn shrink(&mut self) {
        let kept = |mesh: &Self| mesh.rooms.values().map(|room| room.room.kept_bytes()).sum::<usize>();
        while kept(self) > crate::app::limits::KEEP_BYTES_TOTAL {
            let fattest = self.rooms.values_mut().max_by_key(|room| room.room.kept_bytes());
            if !fattest.is_some_and(|room| room.room.forget_oldest()) {
                return;
            }
        }
    }
}
