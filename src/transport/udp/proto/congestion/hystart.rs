//! `HyStart++` (RFC 9406): leaves the first slow start when the round trip grows, before the queue that
//! makes it grow overflows.

use std::time::{Duration, Instant};

use super::AckSample;

/// The growth of the round trip that always means nothing (RFC 9406 §4.3, as are all below).
const MIN_RTT_THRESHOLD: Duration = Duration::from_millis(4);

/// The growth of the round trip that always means a queue.
const MAX_RTT_THRESHOLD: Duration = Duration::from_millis(16);

/// In between, a growth by this part of the round trip means a queue.
const MIN_RTT_DIVISOR: u32 = 8;

/// Samples of a round before it may be judged.
const SAMPLES: u32 = 8;

/// By how much a conservative slow start is slower.
pub(super) const CONSERVATIVE_DIVISOR: f64 = 4.0;

/// Rounds of conservative slow start after which the queue is believed.
const CONSERVATIVE_ROUNDS: u32 = 5;

/// How the window grows on an acknowledgement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Growth {
    /// By what was acknowledged.
    Standard,
    /// By a [`CONSERVATIVE_DIVISOR`]th of it.
    Conservative,
    /// No more: slow start is over.
    Ended,
}

/// Watches the round trips of the first slow start.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct HyStart {
    /// Set during conservative slow start.
    conservative: Option<Conservative>,
    /// When the first packet of this round was sent; its arrival ends the round.
    round_end: Option<Instant>,
    /// The shortest round trip of the round before.
    last_min: Option<Duration>,
    /// The shortest round trip of this round.
    min: Option<Duration>,
    /// Samples taken in this round.
    samples: u32,
    /// When the last sample was taken, and its value: one acknowledgement of many packets is one sample.
    sampled: Option<(Instant, Duration)>,
}

/// A slow start that saw the round trip grow and looks whether that lasts.
#[derive(Clone, Copy, Debug)]
struct Conservative {
    /// The round trip that gave reason to it. A shorter one shows that the reason was none.
    baseline: Duration,
    /// Rounds ended since.
    rounds: u32,
}

impl HyStart {
    /// A packet was sent.
    pub(super) fn on_sent(&mut self, now: Instant) {
        self.round_end.get_or_insert(now);
    }

    /// A packet was acknowledged that the window had to wait for.
    pub(super) fn on_ack(&mut self, ack: &AckSample) -> Growth {
        self.sample(ack);
        let growth = self.judge();
        let over = self.round_end.is_some_and(|end| ack.sent >= end);
        if over && self.end_round() { Growth::Ended } else { growth }
    }

    fn sample(&mut self, ack: &AckSample) {
        let sample = (ack.now, ack.rtt.latest);
        if self.sampled == Some(sample) {
            return;
        }
        self.sampled = Some(sample);
        self.samples = self.samples.saturating_add(1);
        self.min = Some(self.min.map_or(ack.rtt.latest, |min| min.min(ack.rtt.latest)));
    }

    /// Goes from one kind of slow start to the other when the samples say so (RFC 9406 §4.2).
    fn judge(&mut self) -> Growth {
        if let (SAMPLES.., Some(min)) = (self.samples, self.min) {
            self.conservative = match self.conservative {
                Some(stage) => (min >= stage.baseline).then_some(stage),
                None => self.has_queue(min).then_some(Conservative { baseline: min, rounds: 0 }),
            };
        }
        if self.conservative.is_some() { Growth::Conservative } else { Growth::Standard }
    }

    /// Whether a round trip of `min` is so much longer than that of the round before that a queue grows.
    fn has_queue(&self, min: Duration) -> bool {
        self.last_min.is_some_and(|last| {
            let threshold = (last / MIN_RTT_DIVISOR).clamp(MIN_RTT_THRESHOLD, MAX_RTT_THRESHOLD);
            min >= last.saturating_add(threshold)
        })
    }

    /// Begins the next round; `true` when slow start ends with this one.
    fn end_round(&mut self) -> bool {
        self.last_min = self.min.take();
        self.samples = 0;
        self.round_end = None;
        self.conservative.as_mut().is_some_and(|stage| {
            stage.rounds = stage.rounds.saturating_add(1);
            stage.rounds >= CONSERVATIVE_ROUNDS
        })
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "a starting point for virtual time")]
mod tests {
    use super::{super::RttView, *};

    /// A sender of one round after another.
    struct Rounds {
        hystart: HyStart,
        now: Instant,
    }

    impl Rounds {
        fn new() -> Self {
            let mut rounds = Self { hystart: HyStart::default(), now: Instant::now() };
            rounds.hystart.on_sent(rounds.now);
            rounds
        }

        /// Acknowledges `acks` packets sent just now, each after `rtt_ms`, and returns what each does.
        fn round(&mut self, acks: u64, rtt_ms: u64) -> Vec<Growth> {
            let sent = self.now;
            let rtt = Duration::from_millis(rtt_ms);
            let rtt = RttView { latest: rtt, min: rtt, smoothed: rtt };
            let acks = (0..acks).map(|i| {
                self.now = sent + rtt.latest + Duration::from_micros(i + 1);
                let sent = sent + Duration::from_micros(i);
                let ack = AckSample {
                    now: self.now,
                    bytes: 1200,
                    sent,
                    rtt,
                    latency: None,
                    app_limited: false,
                    in_flight: 0,
                };
                let growth = self.hystart.on_ack(&ack);
                self.hystart.on_sent(self.now);
                growth
            });
            acks.collect()
        }
    }

    #[test]
    fn a_steady_round_trip_never_ends_slow_start() {
        let mut rounds = Rounds::new();
        for _ in 0..20 {
            assert!(rounds.round(10, 50).iter().all(|growth| *growth == Growth::Standard));
        }
    }

    #[test]
    fn a_longer_round_trip_slows_down_at_the_eighth_sample() {
        let mut rounds = Rounds::new();
        rounds.round(10, 80);
        rounds.round(10, 80);
        let growth = rounds.round(10, 90);
        let slowed = growth.iter().position(|growth| *growth == Growth::Conservative);
        // The first acknowledgement ends the round before and is its last sample.
        assert_eq!(slowed, Some(8), "{growth:?}");
    }

    #[test]
    fn the_threshold_is_an_eighth_between_4_and_16_ms() {
        for (rtt, threshold) in [(8, 4), (80, 10), (400, 16)] {
            for (grown, slowed) in [(threshold - 1, false), (threshold, true)] {
                let mut rounds = Rounds::new();
                rounds.round(10, rtt);
                rounds.round(10, rtt);
                let growth = rounds.round(10, rtt + grown);
                assert_eq!(growth.last() == Some(&Growth::Conservative), slowed, "{rtt} + {grown} ms");
            }
        }
    }

    #[test]
    fn few_samples_and_one_big_acknowledgement_prove_nothing() {
        let mut rounds = Rounds::new();
        rounds.round(10, 50);
        assert!(rounds.round(7, 200).iter().all(|growth| *growth == Growth::Standard));

        let mut hystart = HyStart { last_min: Some(Duration::from_millis(50)), ..HyStart::default() };
        let now = Instant::now();
        let rtt = Duration::from_millis(200);
        let rtt = RttView { latest: rtt, min: rtt, smoothed: rtt };
        let ack =
            AckSample { now, bytes: 1200, sent: now, rtt, latency: None, app_limited: false, in_flight: 0 };
        for _ in 0..20 {
            assert_eq!(hystart.on_ack(&ack), Growth::Standard);
        }
        assert_eq!(hystart.samples, 1);
    }

    #[test]
    fn a_round_trip_that_shrinks_again_returns_to_standard() {
        let mut rounds = Rounds::new();
        rounds.round(10, 80);
        rounds.round(10, 80);
        assert_eq!(rounds.round(10, 100).last(), Some(&Growth::Conservative));
        assert_eq!(rounds.round(10, 80).last(), Some(&Growth::Standard));
        for _ in 0..10 {
            assert_eq!(rounds.round(10, 80).last(), Some(&Growth::Standard));
        }
    }

    #[test]
    fn five_rounds_that_stay_long_end_slow_start() {
        let mut rounds = Rounds::new();
        rounds.round(10, 80);
        rounds.round(10, 80);
        assert_eq!(rounds.round(10, 100).last(), Some(&Growth::Conservative));
        for _ in 0..4 {
            assert!(!rounds.round(10, 100).contains(&Growth::Ended));
        }
        assert_eq!(rounds.round(10, 100).first(), Some(&Growth::Ended));
    }
}
