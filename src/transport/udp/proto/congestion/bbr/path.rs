//! All that is known of the path, and what a round says of the queue in it.

use std::time::{Duration, Instant};

use super::{
    super::{AckSample, sane_mtu},
    cohorts::Cohorts,
    model::{Bandwidth, Baseline, Floor, Spread},
    round::{Report, Round},
};

/// How much slower at most while a queue stands: what arrives in a round is a little more or less by chance,
/// and even the average of a few is sometimes too much.
const MAX_RELIEF: f64 = 0.25;

/// The longest queue that is left alone.
const MAX_SLACK: Duration = Duration::from_millis(3);

/// What may stand in a queue without being one: as long as programs take to get their turn. On a short way they
/// are most of it, and a window that knows only the way has next to nothing on it while they wait.
const TURN: Duration = Duration::from_millis(2);

/// Packets of it, at most, that socket buffers of any size hold.
const TURN_PACKETS: f64 = 64.0;

/// The share that a steady path loses at most.
const STEADY_LOSS: f64 = 0.005;

/// What is known of the path.
#[derive(Debug)]
pub(super) struct Path {
    mtu: u16,
    pub(super) bandwidth: Bandwidth,
    floor: Floor,
    cohorts: Cohorts,
    spread: Spread,
    baseline: Baseline,
}

/// What a round says of the queue.
#[derive(Clone, Copy, Debug)]
pub(super) struct Signs {
    /// For how long packets waited in it.
    pub(super) queue: Duration,
    /// None stands to speak of.
    pub(super) quiet: bool,
    /// Nor even begins to.
    pub(super) empty: bool,
    /// It overflows.
    pub(super) overflows: bool,
}

impl Path {
    pub(super) fn new(mtu: u16) -> Self {
        Self {
            mtu: sane_mtu(mtu),
            bandwidth: Bandwidth::default(),
            floor: Floor::default(),
            cohorts: Cohorts::default(),
            spread: Spread::default(),
            baseline: Baseline::default(),
        }
    }

    pub(super) fn mtu(&self) -> u16 {
        self.mtu
    }

    pub(super) fn set_mtu(&mut self, mtu: u16) {
        self.mtu = sane_mtu(mtu);
    }

    pub(super) fn begin_round(&mut self, now: Instant) -> Round {
        self.cohorts.begin(now);
        Round::new(now)
    }

    /// A packet took `latency` from when it was `sent`.
    pub(super) fn on_sample(&mut self, sent: Instant, latency: Duration) {
        self.spread.on_sample(latency);
        self.cohorts.on_sample(sent, latency);
    }

    /// Takes an acknowledgement into a round, and hands out the report when that is over.
    pub(super) fn on_ack(&mut self, ack: &AckSample, round: &mut Round) -> Option<Report> {
        if let Some(latency) = ack.latency {
            self.on_sample(ack.sent, latency);
        }
        let (floor, deviation) = (self.floor(), self.spread.deviation());
        let least = floor.saturating_add((4 * deviation).min(floor));
        let report = round.on_ack(ack, least, deviation)?;
        self.cohorts.begin(ack.now);
        Some(report)
    }

    /// A round is over. With `hold` the floor is not forgotten.
    pub(super) fn on_round(&mut self, report: &Report, hold: bool) -> Signs {
        self.floor.on_round(report);
        self.spread.on_round();
        let longest = self.spread.longest();
        while let Some(average) = self.cohorts.take(report.now, longest) {
            self.floor.on_average(average, self.spread.deviation(), report.now, hold);
        }
        let queue = report.latency.saturating_sub(self.floor().saturating_add(report.error));
        let is_long = queue > self.queue_limit(6, Duration::from_millis(3));
        let overflows = is_long && self.baseline.is_above(report, f64::from(self.mtu));
        self.baseline.on_round(report, f64::from(self.mtu));
        Signs {
            queue,
            quiet: queue <= self.queue_limit(10, Duration::ZERO) + Duration::from_millis(2),
            empty: queue <= self.queue_limit(20, Duration::ZERO) + Duration::from_millis(1),
            overflows,
        }
    }

    /// A round in which this side cannot have been the reason for losses.
    pub(super) fn on_quiet_round(&mut self, report: &Report) {
        self.baseline.on_quiet_round(report, f64::from(self.mtu));
    }

    /// Whether a round lost more than the path does anyway.
    pub(super) fn is_exceeded(&self, report: &Report) -> bool {
        self.baseline.is_exceeded(report, f64::from(self.mtu))
    }

    /// The share that the path loses anyway.
    pub(super) fn loss(&self) -> f64 {
        self.baseline.get()
    }

    /// Bytes in flight that fill the path and no queue, losses on the way counted.
    pub(super) fn product(&self) -> f64 {
        self.product_at(self.bandwidth.get())
    }

    /// Bytes in flight that bridge the turns of others.
    pub(super) fn turn(&self) -> f64 {
        (self.bandwidth.get() * TURN.as_secs_f64()).min(TURN_PACKETS * f64::from(self.mtu))
    }

    pub(super) fn product_at(&self, rate: f64) -> f64 {
        rate * self.floor().as_secs_f64() / (1.0 - self.loss())
    }

    /// A queue of a share of the floor, or of `least`.
    pub(super) fn queue_limit(&self, share: u32, least: Duration) -> Duration {
        (self.floor() / share).max(least)
    }

    /// Whether latencies are alike and nothing is lost by the way: then what a round says of the queue is so.
    pub(super) fn is_steady(&self) -> bool {
        let limit = self.queue_limit(16, Duration::from_millis(1));
        self.loss() < STEADY_LOSS && self.spread.deviation() <= limit
    }

    /// How much less to send while a queue stands, as a share: in a round as much as waits there.
    pub(super) fn relief(&self, queue: Duration) -> f64 {
        // Less is nobody's delay where single packets differ by more.
        let slack = self.queue_limit(16, Duration::ZERO).min(MAX_SLACK) + Duration::from_millis(1);
        let excess = queue.saturating_sub(slack + self.spread.deviation() / 4);
        (excess.as_secs_f64() / self.floor().as_secs_f64().max(0.001)).min(MAX_RELIEF)
    }

    /// The latency without a queue.
    fn floor(&self) -> Duration {
        self.floor.get().unwrap_or_default()
    }
}
