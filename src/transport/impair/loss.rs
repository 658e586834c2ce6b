//! Which datagrams the air swallows.

use std::time::{Duration, Instant};

use rand::{RngExt as _, rngs::ChaCha8Rng};

/// A source of loss with a given long-term share.
#[derive(Debug)]
pub(super) enum Loss {
    /// Each datagram by itself, with this probability.
    Independent(f64),
    /// In bursts.
    Bursts(Bursts),
}

/// The channel of Gilbert ("Capacity of a burst-noise channel", 1960), a case of Elliott's (1963): it is
/// good and loses nothing, or bad and loses everything. Theirs moves a step with each symbol; this one
/// moves with time, so that a burst is as long for a slow sender as for a fast one. Both states last
/// exponentially distributed times.
#[derive(Debug)]
pub(super) struct Bursts {
    share: f64,
    /// How fast the present state stops mattering: the time after which 1/e of its weight is left.
    memory: Duration,
    bad: bool,
    at: Instant,
}

impl Loss {
    /// Loses `share` (0 to 1) of the time, in bursts of `burst` on average; zero is no bursts.
    pub(super) fn new(share: f64, burst: Duration, start: Instant, chance: &mut ChaCha8Rng) -> Self {
        if burst.is_zero() || share <= 0.0 || share >= 1.0 {
            return Self::Independent(share);
        }
        // The rates of leaving the two states are 1 / burst and share / (1 - share) / burst; the memory
        // is one over their sum.
        let memory = burst.mul_f64(1.0 - share);
        Self::Bursts(Bursts { share, memory, bad: chance.random_bool(share), at: start })
    }

    /// Whether a datagram is lost that enters the air at `at`.
    pub(super) fn takes(&mut self, at: Instant, chance: &mut ChaCha8Rng) -> bool {
        match self {
            Self::Independent(share) => chance.random_bool(*share),
            Self::Bursts(bursts) => bursts.is_bad(at, chance),
        }
    }
}

impl Bursts {
    /// Moves the channel on to `at` in one draw, however long that is: the chance to be bad goes from
    /// what it was to the long-term share.
    fn is_bad(&mut self, at: Instant, chance: &mut ChaCha8Rng) -> bool {
        let passed = at.saturating_duration_since(self.at);
        let weight = (-passed.as_secs_f64() / self.memory.as_secs_f64()).exp();
        let present = if self.bad { 1.0 } else { 0.0 };
        let bad = self.share + (present - self.share) * weight;
        self.bad = chance.random_bool(bad.clamp(0.0, 1.0));
        self.at = self.at.max(at);
        self.bad
    }
}
