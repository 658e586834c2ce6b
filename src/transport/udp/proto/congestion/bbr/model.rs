//! What a path is like: how much it carries, how long it takes when no queue stands, and how much of what
//! it is sent it loses whatever the rate.

use std::time::{Duration, Instant};

use super::{
    cohorts::{Average, LEAST_SAMPLES},
    round::Report,
};

/// How long a latency counts as what the path takes at least: between this and twice as long (`MinRTTFilterLen`
/// of BBR is 10 s).
const FLOOR_WINDOW: Duration = Duration::from_secs(10);

/// The weight of a round in the average rate.
const NEW: f64 = 0.25;

/// Bytes of packets, at most, that the baseline of loss is averaged over.
const BASELINE_PACKETS: f64 = 2_000.0;

/// Packets of which the fate must be known before their loss is taken for the path's.
const BASELINE_LEAST: f64 = 100.0;

/// The most loss that is taken for the path's nature rather than for congestion.
const MAX_BASELINE: f64 = 0.35;

/// The loss that a round may have beyond the path's own (`LossThresh` of BBR).
const LOSS_THRESHOLD: f64 = 0.02;

/// Loss whose chance variation is always allowed for.
const MIN_SPREAD_LOSS: f64 = 0.005;

/// How much more loss varies than it would if each packet was lost by itself. Of bursts in which one loss follows
/// another with the chance `r`, and `p` of all are lost, it is about `(1 + r) / (1 - r)` where `p` is small.
const BURSTINESS: f64 = 8.0;

/// The most that arrived a second, in the cycle of probing before this one and in this one.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Bandwidth {
    before: f64,
    now: f64,
    /// In the round before.
    last: f64,
    /// In the last few.
    average: f64,
}

impl Bandwidth {
    /// Bytes a second.
    pub(super) fn get(&self) -> f64 {
        self.before.max(self.now)
    }

    /// A round of a flow that doubles in each.
    pub(super) fn on_growth(&mut self, report: &Report) {
        self.note(report.rate, report);
    }

    /// A round of a flow that looks for more: two are looked at together, as what comes a little early in one is
    /// missing in the next.
    pub(super) fn on_probe(&mut self, report: &Report) {
        let last = self.last;
        self.average(report);
        let rate = if last > 0.0 { f64::midpoint(last, report.rate) } else { report.rate };
        self.note(rate, report);
    }

    /// A round of a flow that is what it was. The average counts: the most of many rounds would be more than the
    /// path ever carries.
    pub(super) fn on_round(&mut self, report: &Report) {
        self.average(report);
        self.note(self.average, report);
    }

    /// What arrived while there was nothing to send tells only what the path carries at least.
    fn note(&mut self, rate: f64, report: &Report) {
        if !report.app_limited || rate > self.get() {
            self.now = self.now.max(rate);
        }
    }

    fn average(&mut self, report: &Report) {
        // Who has little to send would seem, as soon as there is more, to have a narrow path.
        if report.app_limited && report.rate < self.average {
            return;
        }
        let before = if self.average > 0.0 { self.average } else { report.rate };
        self.average = before + (report.rate - before) * NEW;
        self.last = report.rate;
    }

    /// A cycle is over.
    pub(super) fn advance(&mut self) {
        if self.now > 0.0 {
            self.before = std::mem::take(&mut self.now);
        }
    }

    /// What is known from now on is this.
    pub(super) fn set(&mut self, rate: f64) {
        *self = Self { before: 0.0, now: rate, last: 0.0, average: rate };
    }
}

/// The latency without a queue: the least average of late.
///
/// An average and not the least single packet, as BBR has it: on a path that reorders, some packets come
/// long before others, and what fills such a path is its rate times its average latency (Little's law).
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Floor {
    window: Option<(Instant, Duration)>,
    before: Option<Duration>,
    /// The least of what arrived in a round of packets enough, or in the best there was: all there is at first.
    provisional: Option<Average>,
}

impl Floor {
    /// `None` before the first average.
    pub(super) fn get(&self) -> Option<Duration> {
        let now = self.window.map(|(_, least)| least);
        now.into_iter().chain(self.before).min().or_else(|| self.provisional.map(|least| least.latency))
    }

    /// What arrived in a round.
    pub(super) fn on_round(&mut self, report: &Report) {
        let (latency, samples) = (report.latency.saturating_add(report.error), report.samples);
        let is_better = self.provisional.is_none_or(|least| {
            let are_few = least.samples.min(samples) < LEAST_SAMPLES;
            if are_few { samples > least.samples } else { latency < least.latency }
        });
        if is_better {
            self.provisional = Some(Average { latency, samples });
        }
    }

    /// Takes an average in, of packets that deviate so much by themselves. With `hold` nothing is forgotten.
    pub(super) fn on_average(&mut self, average: Average, deviation: Duration, now: Instant, hold: bool) {
        // Few packets that were all early by chance must not be the measure of those to come.
        let average = average.latency.saturating_add(standard_error(deviation, average.samples) * 2);
        match &mut self.window {
            Some((since, least)) if hold || now.saturating_duration_since(*since) < FLOOR_WINDOW => {
                *least = average.min(*least);
            }
            window => {
                self.before = window.map(|(_, least)| least);
                *window = Some((now, average));
            }
        }
    }
}

/// How far the average of so many samples may be off by chance.
pub(super) fn standard_error(deviation: Duration, samples: u32) -> Duration {
    deviation.mul_f64(1.0 / f64::from(samples.max(1)).sqrt())
}

/// How much single packets differ in latency: moving averages, as those of RFC 6298.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Spread {
    average: Option<Duration>,
    deviation: Duration,
    longest: Duration,
}

impl Spread {
    pub(super) fn deviation(&self) -> Duration {
        self.deviation
    }

    /// What hardly any packet takes longer than: the most of late. Averages would not do, as late packets are
    /// the last to be counted.
    pub(super) fn longest(&self) -> Duration {
        self.longest
    }

    pub(super) fn on_round(&mut self) {
        self.longest = self.longest * 15 / 16;
    }

    pub(super) fn on_sample(&mut self, latency: Duration) {
        self.longest = self.longest.max(latency);
        let Some(average) = self.average else {
            (self.average, self.deviation) = (Some(latency), latency / 2);
            return;
        };
        self.deviation = (self.deviation * 7 + average.abs_diff(latency)) / 8;
        self.average = Some((average * 7 + latency) / 8);
    }
}

/// The share that a path loses while no queue stands in it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Baseline {
    sent: f64,
    lost: f64,
}

impl Baseline {
    /// Between 0 and [`MAX_BASELINE`].
    pub(super) fn get(&self) -> f64 {
        if self.sent < BASELINE_LEAST { 0.0 } else { (self.lost / self.sent).min(MAX_BASELINE) }
    }

    /// A round in which we cannot have been the reason.
    pub(super) fn on_quiet_round(&mut self, report: &Report, mtu: f64) {
        self.sent += report.sent() as f64 / mtu;
        self.lost += report.lost as f64 / mtu;
        let excess = self.sent / BASELINE_PACKETS;
        if excess > 1.0 {
            self.sent /= excess;
            self.lost /= excess;
        }
    }

    /// Any round: whatever queue stood in it, a path loses no more by itself than it did then. What was thought
    /// before counts no more than this one round, where chance does not explain that.
    pub(super) fn on_round(&mut self, report: &Report, mtu: f64) {
        let (base, packets) = (self.get(), packets_of(report, mtu));
        if report.loss() + spread(base, packets) < base {
            (self.sent, self.lost) = (packets, base * packets);
            self.on_quiet_round(report, mtu);
        }
    }

    /// Whether a round lost anything that the path by itself would hardly have.
    pub(super) fn is_above(&self, report: &Report, mtu: f64) -> bool {
        let base = self.get();
        report.loss() > base + spread(base, packets_of(report, mtu))
    }

    /// Whether a round lost more than the path does anyway, chance and bursts considered.
    pub(super) fn is_exceeded(&self, report: &Report, mtu: f64) -> bool {
        let base = self.get();
        let spread = spread(base.max(MIN_SPREAD_LOSS), packets_of(report, mtu));
        report.loss() > base + LOSS_THRESHOLD + spread
    }
}

fn packets_of(report: &Report, mtu: f64) -> f64 {
    (report.sent() as f64 / mtu).max(1.0)
}

/// How far the loss of so many packets is from that of all by chance: three standard deviations.
fn spread(loss: f64, packets: f64) -> f64 {
    3.0 * (loss * (1.0 - loss) * BURSTINESS / packets).sqrt()
}
