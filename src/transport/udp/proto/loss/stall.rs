//! Telling a radio that was suspended from one that lost packets: a station that scans or sleeps holds
//! everything back for a while, then all of it arrives at once (picoquic issues 1484 and 1578).

use std::time::{Duration, Instant};

use crate::transport::udp::proto::rtt::RttEstimator;

/// Within this time acknowledgements belong to one burst.
const BURST: Duration = Duration::from_millis(1);

/// A burst of more packets than this did not come by chance.
const BURST_PACKETS: usize = 4;

/// Round trips of silence that make a stall.
const SILENT_ROUNDS: u32 = 2;

/// Looks for bursts of acknowledgements after silence.
#[derive(Debug, Default)]
pub(super) struct StallDetector {
    /// Since when something has been in flight without word of it.
    waiting_since: Option<Instant>,
    /// The burst after silence that is under way: its begin, and the packets acknowledged in it.
    burst: Option<(Instant, usize)>,
}

impl StallDetector {
    /// Notes that a packet was sent at `now` while nothing was in flight.
    pub(super) fn on_busy(&mut self, now: Instant) {
        self.waiting_since = Some(now);
    }

    /// Notes that `packets` were acknowledged, and returns whether that makes a stall: once a burst.
    pub(super) fn on_acked(&mut self, packets: usize, now: Instant, rtt: &RttEstimator) -> bool {
        let since = self.waiting_since.replace(now).unwrap_or(now);
        let silence = now.saturating_duration_since(since);
        if rtt.first_sample_at().is_some() && silence > rtt.smoothed().saturating_mul(SILENT_ROUNDS) {
            self.burst = Some((now, 0));
        }
        let Some((begin, count)) = &mut self.burst else {
            return false;
        };
        if now.saturating_duration_since(*begin) > BURST {
            self.burst = None;
            return false;
        }
        *count = count.saturating_add(packets);
        let is_stall = *count > BURST_PACKETS;
        if is_stall {
            self.burst = None;
        }
        is_stall
    }
}
