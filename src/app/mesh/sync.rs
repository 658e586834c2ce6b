//! How members come to have the same logs: each says how far it has them and asks for the rest.

use std::time::{Duration, Instant};

use rand::{RngExt as _, seq::IndexedRandom as _};

use crate::{
    app::{
        Change, LinkId, Now,
        history::age_ms,
        limits::{
            AGE_SLACK, DIGEST_PERIOD, DIGEST_PERIOD_QUIET, ENTRIES_PER_FRAME, GAP_PATIENCE, MAX_AUTHORS,
            MAX_EPOCHS, MAX_PAIRS, MAX_ROOMS, WANT_PATIENCE,
        },
        log::Log,
    },
    wire::{Frame, HaveLog, LogKey, RoomId, Seq, Vector},
};

use super::{Mesh, Missing, Wanted};

/// Requests under way at a time.
pub(super) const MAX_WANTED: usize = 4_096;

/// How long after the last line digests are compared often.
const LIVELY: Duration = Duration::from_secs(10);

impl Mesh {
    /// Tells a neighbour that this node is in a room and how much of it it has.
    pub(super) fn subscribe(&mut self, link: LinkId, id: &RoomId, now: Instant) {
        let Some(room) = self.rooms.get(id) else { return };
        if let Some(neighbour) = self.links.get_mut(&link) {
            neighbour.brought.remove(id);
        }
        let age = now.saturating_duration_since(room.joined_at);
        let age_ms = age_ms(age);
        let parts = room.room.vector().parts(ENTRIES_PER_FRAME);
        let last = parts.len() - 1;
        for (i, have) in parts.into_iter().enumerate() {
            let (room, more) = (id.clone(), i < last);
            self.send(link, Frame::Subscribe { room, have, age_ms, history: 0, more });
        }
    }

    pub(super) fn handle_subscribe(
        &mut self,
        link: LinkId,
        id: RoomId,
        part: Vector,
        age: Duration,
        more: bool,
        now: Now,
    ) {
        let Some(neighbour) = self.links.get_mut(&link) else { return };
        if id.pair().is_some_and(|pair| pair.other(self.me) != Some(neighbour.node)) {
            return;
        }
        // The parts of one vector follow each other: one at a time is enough.
        let before = neighbour.partial.take().filter(|(room, _)| *room == id);
        let mut have = before.map(|(_, have)| have).unwrap_or_default();
        have.extend(part);
        if neighbour.rooms.len() >= MAX_ROOMS + MAX_PAIRS || have.len() > MAX_AUTHORS * MAX_EPOCHS {
            return;
        }
        if more {
            neighbour.partial = Some((id, have));
            return;
        }
        let slack = if age.is_zero() { Duration::ZERO } else { AGE_SLACK };
        let cut = now.instant.checked_sub(age + slack).or(self.started).unwrap_or(now.instant);
        self.welcome(link, &id, &have, cut, now.instant);
    }

    /// A neighbour is in a room now, or says again that it is.
    fn welcome(&mut self, link: LinkId, id: &RoomId, have: &Vector, cut: Instant, now: Instant) {
        let Some(node) = self.links.get(&link).map(|neighbour| neighbour.node) else { return };
        if id.pair().is_some() && !self.rooms.contains_key(id) && self.rooms.len() < MAX_ROOMS + MAX_PAIRS {
            let room = self.new_room(id, now);
            self.rooms.insert(id.clone(), room);
            self.subscribe(link, id, now);
        }
        let own =
            self.rooms.get(id).and_then(|room| Some((room, room.room.log(self.me, self.config.epoch)?)));
        let owed = own.map(|(room, log)| log.owed_from(cut, room.joined_at));
        let acked = have.get(self.me, self.config.epoch).or(owed);
        if let Some(neighbour) = self.links.get_mut(&link) {
            neighbour.rooms.insert(id.clone(), cut);
            neighbour.acked.insert(id.clone(), acked.unwrap_or_default());
        }
        self.report_delivered(id);
        if !self.inside(id) {
            return;
        }
        if self.rooms.get_mut(id).is_some_and(|room| room.present.insert(node)) {
            let name = self.name_of(node);
            self.tell_presence(id, name, Change::Join);
        }
        self.send_have(link, id, now);
        self.send_topic(link, id);
        self.recall(id);
    }

    fn send_have(&mut self, link: LinkId, id: &RoomId, now: Instant) {
        let (Some(neighbour), Some(room)) = (self.links.get_mut(&link), self.rooms.get(id)) else { return };
        let Some(&cut) = neighbour.rooms.get(id) else { return };
        neighbour.told.insert(id.clone(), now);
        let logs = room.room.owed(&Vector::default(), cut, room.joined_at);
        for logs in logs.chunks(ENTRIES_PER_FRAME) {
            self.send(link, Frame::Have { room: id.clone(), logs: logs.to_vec() });
        }
    }

    fn send_topic(&mut self, link: LinkId, id: &RoomId) {
        let topic = self.rooms.get(id).and_then(|room| room.room.topic().cloned());
        let line = topic.and_then(|record| self.past_line(record));
        if let Some(line) = line {
            self.send(link, Frame::Topic { line });
        }
    }

    pub(super) fn handle_have(&mut self, link: LinkId, id: &RoomId, logs: &[HaveLog], now: Now) {
        if !self.inside(id) {
            return;
        }
        let mut they_lack = false;
        for have in logs {
            let own = (have.author, have.epoch) == (self.me, self.config.epoch);
            they_lack |= if own { have.next < self.own_next(id) } else { self.compare(link, id, have, now) };
        }
        let told = self.links.get(&link).and_then(|neighbour| neighbour.told.get(id));
        if they_lack && told.is_none_or(|&told| now.instant.saturating_duration_since(told) >= DIGEST_PERIOD)
        {
            self.send_have(link, id, now.instant);
        }
    }

    /// Asks for what a neighbour has and this node has not; returns whether it is the other way round.
    fn compare(&mut self, link: LinkId, id: &RoomId, have: &HaveLog, now: Now) -> bool {
        let Some(room) = self.rooms.get_mut(id) else { return false };
        let author = self.links.get(&link).filter(|neighbour| neighbour.is(have.author, have.epoch));
        if author.is_some() {
            room.room.correct(have.author, have.epoch, have.next);
        }
        // What waits on a slow link would wait there twice.
        let is_coming = author
            .and_then(|author| author.brought.get(id))
            .is_some_and(|&at| now.instant.saturating_duration_since(at) < WANT_PATIENCE);
        let run = room.room.start_at(have.author, have.epoch, have.start, now.instant);
        let next = room.room.log(have.author, have.epoch).map_or(have.start, Log::next);
        self.show_run(run);
        let log = LogKey { room: id.clone(), author: have.author, epoch: have.epoch };
        if next < have.next && next < have.floor {
            self.miss(link, &log, have.floor, now.instant);
        } else if !is_coming {
            self.want(link, log, next, have.next, now.instant);
        }
        next > have.next
    }

    /// A neighbour no longer holds what comes next here. Only the word of the author is final, in the run
    /// that said it; others may still turn up who have it.
    pub(super) fn miss(&mut self, link: LinkId, log: &LogKey, floor: Seq, now: Instant) {
        if self.links.get(&link).is_some_and(|neighbour| neighbour.is(log.author, log.epoch)) {
            return self.give_up(log, floor, now);
        }
        if self.missing.len() < MAX_WANTED || self.missing.contains_key(log) {
            let missing = Missing { floor, link, until: now + GAP_PATIENCE };
            let known = self.missing.entry(log.clone()).or_insert(missing);
            if floor <= known.floor {
                (known.floor, known.link) = (floor, link);
            }
        }
    }

    /// Requests that came to nothing: whoever is asked next may have it.
    pub(super) fn forget_unanswered(&mut self, now: Instant) {
        let before = self.wanted.len();
        self.wanted.retain(|_, wanted| wanted.until > now);
        if self.wanted.len() < before {
            self.hasten_digest(now);
        }
    }

    pub(super) fn give_up_missing(&mut self, now: Instant) {
        let due = self.missing.iter().filter(|(_, missing)| missing.until <= now);
        for log in due.map(|(log, _)| log.clone()).collect::<Vec<_>>() {
            let Some(Missing { floor, link, .. }) = self.missing.remove(&log) else { continue };
            // While the author is here nobody else can say what it does not have.
            if self.links.values().any(|neighbour| !neighbour.closing && neighbour.is(log.author, log.epoch))
            {
                continue;
            }
            self.give_up(&log, floor, now);
            // Whoever holds what comes after is asked for it.
            if self.links.get(&link).is_some_and(|neighbour| !neighbour.closing) {
                self.subscribe(link, &log.room, now);
            } else {
                self.hasten_digest(now);
            }
        }
    }

    /// Asks a neighbour for records, unless they are on their way.
    pub(super) fn want(&mut self, link: LinkId, log: LogKey, from: Seq, upto: Seq, now: Instant) {
        let link = self.kept_instead_of(link);
        let under_way =
            self.wanted.get(&log).is_some_and(|wanted| wanted.upto >= upto && wanted.from <= from);
        if from >= upto || under_way || self.wanted.len() >= MAX_WANTED {
            return;
        }
        let wanted = Wanted { link, from, upto, until: now + WANT_PATIENCE };
        self.wanted.insert(log.clone(), wanted);
        self.send(link, Frame::Want { log, from, upto });
    }

    pub(super) fn handle_want(&mut self, link: LinkId, log: LogKey, from: Seq, upto: Seq) {
        let link = self.kept_instead_of(link);
        let allowed = self.links.get(&link).is_some_and(|neighbour| self.hears(neighbour, &log.room));
        if allowed && self.inside(&log.room) {
            self.feed.owe_part(link, log, from, upto);
            self.feed(link);
        }
    }

    pub(super) fn handle_digest(&mut self, link: LinkId, id: &RoomId, sum: u64, now: Now) {
        let differs =
            self.rooms.get(id).is_some_and(|room| room.inside && room.room.vector().digest() != sum);
        if differs {
            self.send_have(link, id, now.instant);
            self.hasten_digest(now.instant);
        }
    }

    pub(super) fn compare_digests(&mut self) {
        let inside = self.rooms.iter().filter(|(_, room)| room.inside);
        let sums: Vec<(RoomId, u64)> =
            inside.map(|(id, room)| (id.clone(), room.room.vector().digest())).collect();
        for (room, sum) in sums {
            let audience = self.audience(&room);
            if let Some(&link) = audience.choose(&mut self.rng) {
                self.send(link, Frame::Digest { room, sum });
            }
        }
    }

    pub(super) fn plan_digest(&mut self, now: Instant) {
        let lively = self.spoken_at.is_some_and(|at| now.saturating_duration_since(at) < LIVELY);
        if lively {
            self.book.hasten(now, &mut self.rng);
        }
        let period = if lively { DIGEST_PERIOD } else { DIGEST_PERIOD_QUIET };
        let jitter = self.rng.random_range(750..=1250);
        self.digest_at = Some(now + period * jitter / 1000);
    }
}
