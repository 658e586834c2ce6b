//! A seed as a network and what two applications say over it.

use std::{collections::VecDeque, fmt::Write as _, time::Duration};

use rand::{RngExt as _, SeedableRng as _, rngs::ChaCha8Rng};

use crate::transport::{Class, Lane};

/// The lane, in each class, of the messages that are too short to say what they are.
pub(super) const SHORT_LANE: u32 = u32::MAX;

/// Bytes from which on a message says its lane and number.
pub(super) const LABEL: usize = 8;

/// Packets that every queue holds.
const QUEUED_PACKETS: f64 = 6.0;

/// What there is to say at a time.
#[derive(Clone, Debug)]
pub(super) struct Said {
    pub(super) at: Duration,
    pub(super) lane: Lane,
    pub(super) len: usize,
}

/// What one application does. Times count from when both sides are connected.
#[derive(Clone, Debug)]
pub(super) struct Script {
    /// In order of time.
    pub(super) lines: VecDeque<Said>,
    /// From when to when it takes nothing.
    pub(super) pauses: Vec<(Duration, Duration)>,
    /// After how many messages taken it says so.
    pub(super) confirms_every: u64,
}

/// One direction of the network.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Way {
    delay_ms: f64,
    jitter_ms: f64,
    keeps_order: bool,
    pub(super) loss_percent: f64,
    burst_ms: f64,
    reorder_percent: f64,
    reorder_ms: f64,
    duplicate_percent: f64,
    corrupt_percent: f64,
    truncate_percent: f64,
    rate_mbit: f64,
    queue_ms: f64,
    mtu: u32,
    /// When the blackout begins, in ms from the beginning, and how long it is.
    blackout_ms: Option<(u64, u64)>,
    rebind_every_ms: u64,
}

/// Everything that a seed says.
#[derive(Clone, Debug)]
pub(super) struct Scenario {
    pub(super) seed: u64,
    /// Of what host 0 sends, and of what host 1 does.
    pub(super) ways: [Way; 2],
    /// When nothing goes wrong any more, if ever, from when both sides are connected.
    pub(super) heals_at: Option<Duration>,
    /// Whether what is sent to a port that host 0 no longer has is lost, as a translator does it.
    pub(super) forgets_ports: bool,
    pub(super) scripts: [Script; 2],
}

impl Scenario {
    pub(super) fn new(seed: u64) -> Self {
        let chance = &mut ChaCha8Rng::seed_from_u64(seed);
        let forth = Way::new(chance);
        let back =
            if chance.random_bool(0.6) { Way { rebind_every_ms: 0, ..forth } } else { Way::new(chance) };
        let longest = [8_000, 3_000, 500][chance.random_range(0..3)];
        let span = Duration::from_millis(chance.random_range(100..longest));
        Self {
            seed,
            forgets_ports: back.rebind_every_ms == 0 && forth.rebind_every_ms >= 2_000,
            heals_at: chance.random_bool(0.5).then(|| span.mul_f64(chance.random_range(0.2..2.0))),
            ways: [forth, back],
            scripts: [Script::new(chance, span), Script::new(chance, span)],
        }
    }

    /// The network as a profile.
    pub(super) fn profile(&self) -> String {
        profile(self.ways)
    }

    /// The same network when nothing goes wrong: as far, as fast, as narrow.
    pub(super) fn healed(&self) -> String {
        profile(self.ways.map(Way::healed))
    }

    /// The longest that a datagram and its answer are under way.
    pub(super) fn round_trip(&self) -> Duration {
        let ms: f64 = self.ways.iter().map(Way::longest_ms).sum();
        Duration::from_secs_f64(ms / 1e3)
    }

    /// When the blackouts are over, from the beginning.
    pub(super) fn dark_until(&self) -> Duration {
        let ends = self.ways.iter().filter_map(|way| way.blackout_ms.map(|(first, length)| first + length));
        Duration::from_millis(ends.max().unwrap_or(0))
    }

    /// How often a side gets another port.
    pub(super) fn rebinds_every(&self) -> Option<Duration> {
        let every = self.ways.iter().map(|way| way.rebind_every_ms).filter(|every| *every > 0);
        every.min().map(Duration::from_millis)
    }

    /// Bits per second that a direction passes.
    pub(super) fn rate(&self, from: usize) -> Option<f64> {
        self.ways.get(from).map(|way| way.rate_mbit * 1e6).filter(|rate| *rate > 0.0)
    }
}

impl Way {
    fn new(chance: &mut ChaCha8Rng) -> Self {
        let delay_ms = log_uniform(chance, 1.0, 250.0);
        let mut sometimes = |share: f64, most: f64| {
            let happens = chance.random_bool(share);
            let value = chance.random_range(0.0..most);
            if happens { value } else { 0.0 }
        };
        let loss_percent = sometimes(0.4, 30.0) + sometimes(0.4, 3.0);
        let way = Self {
            delay_ms,
            jitter_ms: sometimes(0.5, delay_ms * 0.8),
            loss_percent: loss_percent.min(30.0),
            burst_ms: sometimes(0.3, 100.0),
            reorder_percent: sometimes(0.4, 25.0),
            reorder_ms: sometimes(0.9, delay_ms),
            duplicate_percent: sometimes(0.5, 5.0),
            corrupt_percent: sometimes(0.5, 1.0),
            truncate_percent: sometimes(0.3, 1.0),
            queue_ms: 20.0 + sometimes(0.8, 400.0),
            ..Self::default()
        };
        let rate_mbit = if chance.random_bool(0.4) { log_uniform(chance, 0.25, 50.0) } else { 0.0 };
        // Whoever sells a line gives it a queue of some packets.
        let least_queue_ms = if rate_mbit > 0.0 { QUEUED_PACKETS * 12.0 / rate_mbit } else { 0.0 };
        Self {
            keeps_order: chance.random_bool(0.5),
            rate_mbit,
            queue_ms: way.queue_ms.max(least_queue_ms),
            mtu: if chance.random_bool(0.5) { chance.random_range(1200..=1500) } else { 65_507 },
            blackout_ms: chance.random_bool(0.15).then(|| {
                let longest = if chance.random_bool(0.5) { 10_000 } else { 2_000 };
                (chance.random_range(500..6_000), chance.random_range(100..=longest))
            }),
            rebind_every_ms: if chance.random_bool(0.2) { chance.random_range(300..10_000) } else { 0 },
            ..way
        }
    }

    fn healed(self) -> Self {
        let Self { delay_ms, rate_mbit, queue_ms, mtu, .. } = self;
        Self { delay_ms, rate_mbit, queue_ms, mtu, ..Self::default() }
    }

    /// In the queue, its last packet being a long one, and on the way.
    fn longest_ms(&self) -> f64 {
        let queued = if self.rate_mbit > 0.0 { self.queue_ms + 12.0 / self.rate_mbit } else { 0.0 };
        self.delay_ms + self.jitter_ms + queued
    }

    fn fields(&self) -> String {
        let order = if self.keeps_order { "keep" } else { "reorder" };
        let (first, length) = self.blackout_ms.unwrap_or((0, 0));
        let mut fields = format!(r#""jitter_order": "{order}", "mtu": {}, "#, self.mtu);
        for (name, value) in [
            ("delay_ms", self.delay_ms),
            ("jitter_ms", self.jitter_ms),
            ("loss_percent", self.loss_percent),
            ("burst_ms", self.burst_ms),
            ("reorder_percent", self.reorder_percent),
            ("reorder_ms", self.reorder_ms),
            ("duplicate_percent", self.duplicate_percent),
            ("corrupt_percent", self.corrupt_percent),
            ("truncate_percent", self.truncate_percent),
            ("rate_mbit", self.rate_mbit),
            ("queue_ms", self.queue_ms),
            ("rebind_every_ms", self.rebind_every_ms as f64),
        ] {
            write!(fields, r#""{name}": {value}, "#).unwrap();
        }
        // Once: the next would come after a day.
        let blackout = format!(r#"{{"every_ms": 86400000, "length_ms": {length}, "first_ms": {first}}}"#);
        fields + r#""blackouts": "# + &blackout
    }
}

fn profile([forth, back]: [Way; 2]) -> String {
    format!(r#"{{{}, "back": {{{}}}}}"#, forth.fields(), back.fields())
}

impl Script {
    fn new(chance: &mut ChaCha8Rng, span: Duration) -> Self {
        let many = [0, 1, 10, 40, 100][chance.random_range(0..5)];
        let lanes = lanes(chance);
        let mut lines: Vec<Said> = Vec::new();
        for _ in 0..many {
            let at = span.mul_f64(chance.random());
            let lane = lanes[chance.random_range(0..lanes.len())];
            let crowd = if chance.random_bool(0.03) { chance.random_range(2..60) } else { 1 };
            for _ in 0..crowd {
                let len =
                    if crowd > 1 { chance.random_range(LABEL..300) } else { length(chance, lane.class) };
                let lane = if len < LABEL { Lane { id: SHORT_LANE, ..lane } } else { lane };
                lines.push(Said { at, lane, len });
            }
        }
        lines.sort_by_key(|line| line.at);
        let pauses = if chance.random_bool(0.3) { chance.random_range(1..3) } else { 0 };
        let pauses = (0..pauses).map(|_| {
            let from = span.mul_f64(chance.random());
            (from, from + Duration::from_millis(chance.random_range(100..4_000)))
        });
        Self { pauses: pauses.collect(), lines: lines.into(), confirms_every: chance.random_range(1..50) }
    }
}

fn lanes(chance: &mut ChaCha8Rng) -> Vec<Lane> {
    let mut lanes = vec![Lane::CONTROL];
    lanes.extend((1..chance.random_range(2..12)).map(Lane::thin));
    lanes.extend((1..chance.random_range(2..5)).map(Lane::bulk));
    lanes
}

fn length(chance: &mut ChaCha8Rng, class: Class) -> usize {
    let rarely_long = if class == Class::Bulk { 100 } else { 94 };
    match chance.random_range(0..rarely_long) {
        0..6 => chance.random_range(0..LABEL),
        6..60 => chance.random_range(LABEL..300),
        60..86 => chance.random_range(300..3_000),
        86..94 => chance.random_range(3_000..40_000),
        94..99 => chance.random_range(40_000..200_000),
        _ => chance.random_range(200_000..1 << 20),
    }
}

fn log_uniform(chance: &mut ChaCha8Rng, least: f64, most: f64) -> f64 {
    least * (most / least).powf(chance.random())
}
