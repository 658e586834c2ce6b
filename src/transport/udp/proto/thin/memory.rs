//! Whether a path loses packets at all, over longer than the window of the estimate.

use std::time::{Duration, Instant};

/// The packets after which 1/e of an outcome's weight is left.
const PACKETS: f64 = 2048.0;

/// The time after which 1/e of it is left.
const TIME: Duration = Duration::from_secs(300);

/// Packets assumed to have gone well before the first.
const PRIOR: f64 = 50.0;

/// The weight of what is expected of those behind a lost one, in packets.
const EXPECTED: f64 = 2.0;

/// Losses that must have been seen to end before nobody else is believed about how long that takes.
const ENDS: f64 = 5.0;

/// A path that loses more than this on average is a lossy one, however long nothing was lost by chance.
const LOSSY: f64 = 0.003;

/// Counts of packets that fade. A window of 256 packets is without loss one time in thirteen at 1 %, and
/// the next loss then costs a line a round trip: one line in a thousand.
#[derive(Debug, Default)]
pub(super) struct Memory {
    packets: f64,
    lost: f64,
    pub(super) soon: Followers,
    pub(super) close: Followers,
    at: Option<Instant>,
}

/// Packets behind a lost one.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Followers {
    all: f64,
    lost: f64,
    /// Seconds that the path stayed bad behind those they follow.
    bad: f64,
}

impl Followers {
    /// A packet that left `gap` after a lost one was lost or not.
    pub(super) fn note(&mut self, gap: Duration, lost: bool) {
        self.all += 1.0;
        self.lost += f64::from(u8::from(lost));
        // What ended did so somewhere in between.
        self.bad += gap.as_secs_f64() * if lost { 1.0 } else { 0.5 };
    }

    /// The share that was lost, as long as there are few of them pulled towards what is `expected`.
    pub(super) fn share(self, expected: f64) -> f64 {
        ((self.lost + EXPECTED * expected) / (self.all + EXPECTED)).clamp(0.0, 1.0)
    }

    /// Whether they are more than what is expected of them.
    pub(super) fn is_known(self) -> bool {
        self.all > 3.0 * EXPECTED
    }

    fn fade(&mut self, kept: f64) {
        self.all *= kept;
        self.lost *= kept;
        self.bad *= kept;
    }
}

impl Memory {
    /// A packet that left at `sent` was lost or not.
    pub(super) fn note(&mut self, sent: Instant, lost: bool) {
        let passed = self.at.map_or(Duration::ZERO, |at| sent.saturating_duration_since(at));
        self.at = self.at.max(Some(sent));
        let kept = (-1.0 / PACKETS - passed.as_secs_f64() / TIME.as_secs_f64()).exp();
        self.soon.fade(kept);
        self.close.fade(kept);
        self.packets = self.packets * kept + 1.0;
        self.lost = self.lost * kept + f64::from(u8::from(lost));
    }

    /// One of the losses was none.
    pub(super) fn forgive(&mut self) {
        self.lost = (self.lost - 1.0).max(0.0);
    }

    /// Whether the path loses more than one packet in 333.
    pub(super) fn is_lossy(&self) -> bool {
        self.lost > 0.5 && (self.lost + 1.0) / (self.packets + PRIOR) > LOSSY
    }

    /// The same with two lost at least, as one may still turn out to be late.
    pub(super) fn is_surely_lossy(&self) -> bool {
        self.is_lossy() && self.lost >= 1.5
    }

    /// Whether enough losses were seen to end to say how long they last.
    pub(super) fn has_seen_ends(&self) -> bool {
        self.soon.all - self.soon.lost >= ENDS
    }

    /// How long the path stays bad once it is, zero when losses come independently.
    ///
    /// The time that it was seen bad over how often that ended (the estimate of greatest likelihood for what ends
    /// with the same chance at any time), times the share of followers lost that chance does not explain.
    /// With loss probability `p` and `q` the probability that a loss is followed by another, that share is
    /// `(q - p) / (q (1 - p))` (the Gilbert model: `q = p + (1 - p) e` where `e` is the probability that the bad
    /// state lasts until the next packet). Without it 30 % of independent loss would look like bursts and
    /// drive the copies apart, which makes longer bursts.
    pub(super) fn burst(&self) -> Duration {
        let Followers { all, lost, bad } = self.soon;
        let (p, q) = (self.lost / self.packets.max(1.0), lost / all.max(1.0));
        if q <= p || p >= 1.0 {
            return Duration::ZERO;
        }
        let mean = bad / (all - lost).max(1.0);
        Duration::from_secs_f64(mean * ((q - p) / (q * (1.0 - p))).clamp(0.0, 1.0))
    }

    /// The share of packets lost; `None` as long as none was.
    pub(super) fn share(&self) -> Option<f64> {
        (self.lost > 0.5).then(|| (self.lost / self.packets.max(1.0)).min(1.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transport::udp::proto::thin::model::start;

    fn after(packets: u64, every: u64) -> Memory {
        let mut memory = Memory::default();
        (1..=packets).for_each(|n| memory.note(start() + Duration::from_millis(20 * n), n % every == 0));
        memory
    }

    #[test]
    fn one_percent_is_remembered_and_one_in_a_thousand_is_not_worth_it() {
        assert!(after(10_000, 100).is_lossy());
        assert!(after(10_050, 100).is_lossy());
        assert!(!after(10_000, 1000).is_lossy());
        assert!(!after(10_000, u64::MAX).is_lossy());
        assert!((0.009..0.011).contains(&after(10_000, 100).share().unwrap()));
    }

    #[test]
    fn a_loss_is_forgotten_after_some_hundred_packets_or_when_it_was_none() {
        let mut memory = after(100, 100);
        assert!(memory.is_lossy());
        (0..700_u64).for_each(|n| memory.note(start() + Duration::from_millis(2000 + 20 * n), false));
        assert!(!memory.is_lossy());
        let mut memory = after(100, 100);
        memory.forgive();
        assert!(!memory.is_lossy());
    }

    #[test]
    fn a_quarter_of_an_hour_makes_it_forget() {
        let mut memory = after(10_000, 100);
        memory.note(start() + Duration::from_secs(200 + 2000), false);
        assert!(!memory.is_lossy());
    }
}
