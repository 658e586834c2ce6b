//! One direction of an impaired network.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use rand::{RngExt as _, SeedableRng as _, rngs::ChaCha8Rng, seq::index};

use super::{
    loss::Loss,
    profile::{Figures, Profile},
};

/// Datagrams on their way on one line, those in the queue included. One more is dropped at the queue.
pub const MAX_QUEUED: usize = 16_384;

/// Bytes of those datagrams: 32 MiB. What would be more is dropped at the queue.
pub const MAX_QUEUED_BYTES: usize = 32 << 20;

/// Bits of a corrupted datagram that are flipped, at most.
const MAX_FLIPS: usize = 8;

/// Carries datagrams one way, as badly as a [`Profile`] says. `T` is whatever the caller wants back with
/// each, an address perhaps.
///
/// Everything that is random comes from the seed: equal seeds and equal calls have equal outcomes, on one
/// build of the program.
#[derive(Debug)]
pub struct Line<T> {
    figures: Figures,
    chance: ChaCha8Rng,
    loss: Loss,
    start: Instant,
    /// When the bottleneck has passed on all it has.
    free_at: Instant,
    /// When the last datagram in order arrives.
    last_due: Instant,
    /// By time of arrival, and in the order of sending where that is equal.
    underway: BTreeMap<(Instant, u64), (T, Vec<u8>)>,
    underway_bytes: usize,
    copies: u64,
    stats: LineStats,
}

/// What became of the datagrams of one line, since it began. Each that was sent is in one of `lost`,
/// `blacked_out`, `queue_full`, `too_big`, or it arrived, or it is on its way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LineStats {
    /// Handed to [`Line::send`].
    pub sent: u64,
    /// Handed out by [`Line::poll`], the second copies included.
    pub delivered: u64,
    /// Swallowed by the air.
    pub lost: u64,
    /// Sent into a blackout.
    pub blacked_out: u64,
    /// Dropped because the queue before the bottleneck was full, or the line itself.
    pub queue_full: u64,
    /// Longer than the MTU.
    pub too_big: u64,
    /// Sent on their way twice.
    pub duplicated: u64,
    /// Copies with bits flipped.
    pub corrupted: u64,
    /// Copies cut short.
    pub truncated: u64,
    /// Copies that overtook others.
    pub reordered: u64,
}

impl<T: Clone> Line<T> {
    /// A line that begins at `start`, which blackouts and rebindings count from. Of the profile it takes
    /// the way forth: hand it [`Profile::back`] for the other direction.
    pub fn new(profile: &Profile, seed: u64, start: Instant) -> Self {
        let figures = profile.figures();
        let mut chance = ChaCha8Rng::seed_from_u64(seed);
        Self {
            loss: Loss::new(figures.loss, figures.burst, start, &mut chance),
            figures,
            chance,
            start,
            free_at: start,
            last_due: start,
            underway: BTreeMap::new(),
            underway_bytes: 0,
            copies: 0,
            stats: LineStats::default(),
        }
    }

    /// Puts a datagram on the line. What becomes of it is settled here, and told by
    /// [`poll`](Self::poll) and [`stats`](Self::stats) only. `now` never runs backwards from call to
    /// call.
    pub fn send(&mut self, now: Instant, datagram: &[u8], tag: T) {
        self.stats.sent += 1;
        if datagram.len() > self.figures.mtu {
            self.stats.too_big += 1;
            return;
        }
        let Some(leaves) = self.pass_bottleneck(now, datagram.len()) else {
            self.stats.queue_full += 1;
            return;
        };
        if self.figures.blackouts.is_some_and(|blackouts| blackouts.cover(self.start, leaves)) {
            self.stats.blacked_out += 1;
            return;
        }
        if self.loss.takes(leaves, &mut self.chance) {
            self.stats.lost += 1;
            return;
        }
        let twice = self.chance.random_bool(self.figures.duplicate);
        if twice && self.has_room(2, datagram.len()) {
            self.stats.duplicated += 1;
            self.deliver_later(leaves, datagram.to_vec(), tag.clone());
        }
        self.deliver_later(leaves, datagram.to_vec(), tag);
    }

    /// The next datagram that is due by `now`, by time of arrival; call it until it is `None`.
    pub fn poll(&mut self, now: Instant) -> Option<(T, Vec<u8>)> {
        let first = self.underway.first_entry().filter(|first| first.key().0 <= now)?;
        let (tag, datagram) = first.remove();
        self.underway_bytes -= datagram.len();
        self.stats.delivered += 1;
        Some((tag, datagram))
    }

    /// When [`poll`](Self::poll) next has something; `None` while nothing is on its way.
    pub fn deadline(&self) -> Option<Instant> {
        self.underway.first_key_value().map(|((due, _), _)| *due)
    }

    /// How many times the NAT before the sender has given it another port by `now`. What the number
    /// means for source addresses is the caller's choice; datagrams are not changed by it.
    pub fn rebinds(&self, now: Instant) -> u32 {
        let passed = now.saturating_duration_since(self.start).as_nanos();
        let times = self.figures.rebind_every.and_then(|every| passed.checked_div(every.as_nanos()));
        times.map_or(0, |times| u32::try_from(times).unwrap_or(u32::MAX))
    }

    /// What became of the datagrams so far.
    pub fn stats(&self) -> LineStats {
        self.stats
    }

    /// When a datagram leaves the bottleneck; `None` if there is no room before it.
    fn pass_bottleneck(&mut self, now: Instant, len: usize) -> Option<Instant> {
        if !self.has_room(1, len) {
            return None;
        }
        let Some(bottleneck) = self.figures.bottleneck else { return Some(now) };
        if self.free_at.saturating_duration_since(now) > bottleneck.queue {
            return None;
        }
        self.free_at = self.free_at.max(now) + bottleneck.time_for(len as u64);
        Some(self.free_at)
    }

    /// Whether so many datagrams of this length stay within the bounds of a line.
    fn has_room(&self, datagrams: usize, len: usize) -> bool {
        self.underway.len() + datagrams <= MAX_QUEUED
            && self.underway_bytes + datagrams * len <= MAX_QUEUED_BYTES
    }

    fn deliver_later(&mut self, leaves: Instant, mut datagram: Vec<u8>, tag: T) {
        self.damage(&mut datagram);
        let due = self.due(leaves);
        self.underway_bytes += datagram.len();
        self.underway.insert((due, self.copies), (tag, datagram));
        self.copies += 1;
    }

    fn damage(&mut self, datagram: &mut Vec<u8>) {
        if self.chance.random_bool(self.figures.truncate) && !datagram.is_empty() {
            self.stats.truncated += 1;
            datagram.truncate(self.chance.random_range(0..datagram.len()));
        }
        if self.chance.random_bool(self.figures.corrupt) && !datagram.is_empty() {
            self.stats.corrupted += 1;
            let flips = self.chance.random_range(1..=MAX_FLIPS);
            for bit in index::sample(&mut self.chance, datagram.len() * 8, flips) {
                if let Some(byte) = datagram.get_mut(bit / 8) {
                    *byte ^= 1 << (bit % 8);
                }
            }
        }
    }

    /// When a copy arrives that left at `leaves`.
    fn due(&mut self, leaves: Instant) -> Instant {
        let Figures { delay, jitter, lead, .. } = self.figures;
        let jitter_ns = u64::try_from(jitter.as_nanos()).unwrap_or(u64::MAX);
        let offset = Duration::from_nanos(self.chance.random_range(0..=jitter_ns.saturating_mul(2)));
        let due = leaves + (delay + offset).saturating_sub(jitter);
        if self.chance.random_bool(self.figures.reorder) {
            self.stats.reordered += 1;
            return due.checked_sub(lead).map_or(leaves, |early| early.max(leaves));
        }
        if !self.figures.keeps_order {
            return due;
        }
        self.last_due = self.last_due.max(due);
        self.last_due
    }
}
