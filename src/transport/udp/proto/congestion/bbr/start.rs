//! Startup: how it ends, and when it was not the end.

use std::time::Duration;

use super::{Bbr, Phase, path::Signs, round::Report};

/// Growth of the rate in a round without which the path is thought full (`FullBWThresh` of BBR).
const FULL_GROWTH: f64 = 1.25;

/// Rounds without such growth after which it is (`FullBWCount`).
const FULL_ROUNDS: u8 = 3;

/// Rounds in which a queue stands after which it is.
const QUEUE_ROUNDS: u8 = 2;

impl Bbr {
    pub(super) fn start_up(&mut self, report: &Report, signs: Signs, best: f64, stale: u8, queued: u8) {
        self.path.bandwidth.on_growth(report);
        let grew = report.rate >= FULL_GROWTH * best;
        if signs.empty && grew {
            self.path.on_quiet_round(report);
        }
        let stale = if grew || report.app_limited { 0 } else { stale.saturating_add(1) };
        let has_queue = signs.queue > self.path.queue_limit(4, Duration::from_millis(5));
        let is_long = signs.queue > self.path.queue_limit(2, Duration::from_millis(10));
        let queued = if has_queue { queued.saturating_add(1 + u8::from(is_long)) } else { 0 };
        let overflows = has_queue && self.path.is_exceeded(report);
        // One packet that overtook others makes a rate no path has, if there was nothing else to send.
        let best = if grew && !report.app_limited { report.rate } else { best };
        self.phase = Phase::Startup { best, stale, queued };
        // It starts again for a file. Chat that has nothing more to say would stay there until the next queue.
        let is_idle = self.started_at > 0.0 && report.app_limited;
        if stale >= FULL_ROUNDS || queued >= QUEUE_ROUNDS || overflows || is_idle {
            let at_queue = queued >= QUEUE_ROUNDS && !overflows && !report.app_limited;
            self.again = at_queue && self.path.bandwidth.get() >= FULL_GROWTH * self.started_at;
            self.drain();
        }
    }

    /// The queue at which Startup ended is gone. Where latencies can be trusted it starts once more.
    pub(super) fn starts_again(&mut self, signs: Signs) -> bool {
        let again = self.again && self.rival.is_none() && signs.empty && self.path.is_steady();
        if again {
            self.again = false;
            let rate = self.path.bandwidth.get();
            (self.started_at, self.window) = (rate, self.path.product());
            self.phase = Phase::Startup { best: rate, stale: 0, queued: 0 };
        }
        again
    }
}
