//! When to try again: longer and longer, never at the same moment as everybody else, never never.

use std::time::Duration;

use rand::RngExt as _;

/// A growing, jittered pause. Pure: chance comes in as an argument.
#[derive(Clone, Copy, Debug)]
pub struct Backoff {
    base: Duration,
    cap: Duration,
    last: Duration,
}

impl Backoff {
    /// Pauses from `base` up to `cap`.
    pub const fn new(base: Duration, cap: Duration) -> Self {
        Self { base, cap, last: base }
    }

    /// The next pause, with decorrelated jitter: uniform between the base and three times the pause
    /// before, at most the cap (M. Brooker, "Exponential Backoff And Jitter", 2015).
    pub fn next(&mut self, rng: &mut impl rand::Rng) -> Duration {
        let top = self.last.saturating_mul(3).min(self.cap).max(self.base);
        self.last = between(self.base, top, rng);
        self.last
    }

    /// Starts over, after a success.
    pub const fn reset(&mut self) {
        self.last = self.base;
    }
}

fn between(low: Duration, high: Duration, rng: &mut impl rand::Rng) -> Duration {
    let (low, high) = (low.as_micros(), high.as_micros());
    let micros = rng.random_range(low..=high.max(low));
    Duration::from_micros(u64::try_from(micros).unwrap_or(u64::MAX))
}
