//! Latencies by when packets were sent. What arrives in a round says less: where packets overtake each other
//! those that are early are among more and more as a flow grows, and the late ones count as lost at first.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

/// Rounds whose packets may still be under way.
const MAX_COHORTS: usize = 16;

/// Packets of which an average is worth something, where some take a quarter of the time that others take.
pub(super) const LEAST_SAMPLES: u32 = 8;

/// Packets sent in one round.
#[derive(Clone, Copy, Debug)]
struct Cohort {
    from: Instant,
    samples: u32,
    latency: Duration,
}

/// The average of a cohort of which no packet is under way any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Average {
    pub(super) latency: Duration,
    pub(super) samples: u32,
}

/// Of the latest rounds.
#[derive(Debug, Default)]
pub(super) struct Cohorts {
    waiting: VecDeque<Cohort>,
    /// Of rounds that had too few packets by themselves: how many, and the sum of their latencies.
    few: (u32, Duration),
}

impl Cohorts {
    /// What is sent from `now` on belongs to another one.
    pub(super) fn begin(&mut self, now: Instant) {
        if self.waiting.len() == MAX_COHORTS {
            self.waiting.pop_front();
        }
        self.waiting.push_back(Cohort { from: now, samples: 0, latency: Duration::ZERO });
    }

    /// A packet took `latency` from when it was `sent`.
    pub(super) fn on_sample(&mut self, sent: Instant, latency: Duration) {
        if let Some(cohort) = self.waiting.iter_mut().rev().find(|cohort| cohort.from <= sent) {
            cohort.samples = cohort.samples.saturating_add(1);
            cohort.latency = cohort.latency.saturating_add(latency);
        }
    }

    /// Takes the oldest whose last packet left `slowest` ago, the time in which all are there; or as many of
    /// them as have packets enough together. The least of many averages of few packets would be none of any.
    pub(super) fn take(&mut self, now: Instant, slowest: Duration) -> Option<Average> {
        loop {
            let next = self.waiting.get(1)?;
            if now.saturating_duration_since(next.from) < slowest {
                return None;
            }
            let cohort = self.waiting.pop_front()?;
            let (samples, latency) = self.few;
            let (samples, latency) =
                (samples.saturating_add(cohort.samples), latency.saturating_add(cohort.latency));
            if samples >= LEAST_SAMPLES {
                self.few = (0, Duration::ZERO);
                return Some(Average { latency: latency / samples, samples });
            }
            self.few = (samples, latency);
        }
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "a starting point for virtual time")]
mod tests {
    use super::*;

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    /// As many packets as make an average, each of which took `latency`.
    fn enough(cohorts: &mut Cohorts, sent: Instant, latency: Duration) {
        (0..LEAST_SAMPLES).for_each(|_| cohorts.on_sample(sent, latency));
    }

    const fn average(latency: Duration, samples: u32) -> Option<Average> {
        Some(Average { latency, samples })
    }

    #[test]
    fn is_a_late_packet_counted_with_those_it_left_with() {
        let (mut cohorts, start) = (Cohorts::default(), Instant::now());
        cohorts.begin(start);
        cohorts.begin(start + ms(10));
        cohorts.on_sample(start + ms(11), ms(5));
        enough(&mut cohorts, start + ms(9), ms(40));
        enough(&mut cohorts, start, ms(20));
        assert_eq!(cohorts.take(start + ms(49), ms(40)), None);
        assert_eq!(cohorts.take(start + ms(50), ms(40)), average(ms(30), 2 * LEAST_SAMPLES));
        assert_eq!(cohorts.take(start + ms(500), ms(40)), None, "more may be sent in it");
    }

    #[test]
    fn are_there_never_more_than_it_says() {
        let (mut cohorts, start) = (Cohorts::default(), Instant::now());
        for round in 0..=MAX_COHORTS as u64 {
            cohorts.begin(start + ms(round));
            enough(&mut cohorts, start + ms(round), ms(round));
        }
        assert_eq!(cohorts.waiting.len(), MAX_COHORTS);
        enough(&mut cohorts, start, ms(7));
        let first = cohorts.take(start + ms(1000), ms(40));
        assert_eq!(first, average(ms(1), LEAST_SAMPLES), "the oldest is forgotten");
    }

    #[test]
    fn are_rounds_of_few_packets_averaged_together() {
        for (each, rounds) in [(1, LEAST_SAMPLES), (LEAST_SAMPLES - 1, 2), (LEAST_SAMPLES, 1)] {
            let (mut cohorts, start) = (Cohorts::default(), Instant::now());
            for round in 0..=rounds {
                let from = start + ms(10 * u64::from(round));
                cohorts.begin(from);
                (0..each).for_each(|_| cohorts.on_sample(from, ms(30)));
                let taken = cohorts.take(from + ms(30), ms(30));
                let expected = if round < rounds { None } else { average(ms(30), each * rounds) };
                assert_eq!(taken, expected, "{each} packets, round {round} of {rounds}");
            }
        }
    }
}
