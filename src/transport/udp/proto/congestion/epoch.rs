//! How a CUBIC window grows between two reductions: the formulas of RFC 9438 §4.2 to §4.5, in bytes.

use std::time::{Duration, Instant};

use super::AckSample;

/// How steep the curve is, in packets per cubic second (RFC 9438 §4.1).
const C: f64 = 0.4;

/// What a reduction leaves of the window (RFC 9438 §4.6).
pub(super) const BETA: f64 = 0.7;

/// Packets that Reno's estimate gains a round trip, so that reducing to [`BETA`] averages to what Reno
/// gets with one packet and a half (RFC 9438 §4.3).
const RENO_ALPHA: f64 = 3.0 * (1.0 - BETA) / (1.0 + BETA);

/// The most a window may grow within a round trip, as a multiple of itself (RFC 9438 §4.2).
const MAX_GROWTH: f64 = 1.5;

/// One stage of congestion avoidance.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Epoch {
    /// `W_max`: the window at which the curve is flat, in bytes.
    plateau: f64,
    /// `K`: when the curve gets there, in seconds.
    climb: f64,
    /// `t`: for how long the window has been growing. Time in which nothing filled the window does not
    /// count (RFC 9438 §5.8).
    elapsed: Duration,
    /// When the last acknowledgement came.
    seen: Option<Instant>,
    /// `W_est`: the window that Reno would have, in bytes.
    reno: f64,
    /// `cwnd_prior`: the window before the reduction, in bytes.
    prior: f64,
}

impl Epoch {
    /// The stage after a reduction from `prior` to `window`, to climb back to `plateau`. All in bytes.
    pub(super) fn after_reduction(plateau: f64, prior: f64, window: f64, mtu: f64) -> Self {
        let climb = ((plateau - window).max(0.0) / (C * mtu)).cbrt();
        Self { plateau, climb, elapsed: Duration::ZERO, seen: None, reno: window, prior }
    }

    /// The stage after a slow start that ended at `window` bytes without a loss, or that followed a
    /// timeout (RFC 9438 §4.8 and §4.10).
    pub(super) fn from_slow_start(window: f64) -> Self {
        let elapsed = Duration::ZERO;
        Self { plateau: window, climb: 0.0, elapsed, seen: None, reno: window, prior: window }
    }

    /// The window of `window` bytes after one more acknowledgement.
    pub(super) fn grow(&mut self, window: f64, mtu: f64, ack: &AckSample) -> f64 {
        self.advance(ack);
        let share = ack.bytes as f64 / window;
        self.reno += self.reno_alpha() * mtu * share;
        if self.curve(self.elapsed, mtu) < self.reno {
            return window.max(self.reno);
        }
        let ahead = self.elapsed.saturating_add(ack.rtt.smoothed);
        let target = self.curve(ahead, mtu).max(window).min(MAX_GROWTH * window);
        window + (target - window) * share
    }

    /// Lets the time since the last acknowledgement pass without growth.
    pub(super) fn pause(&mut self, now: Instant) {
        self.seen = Some(now);
    }

    /// Counts the time since the last acknowledgement, at most a round trip of it: a longer gap is one in
    /// which nothing was sent.
    fn advance(&mut self, ack: &AckSample) {
        let gap = self.seen.map_or(Duration::ZERO, |seen| ack.now.saturating_duration_since(seen));
        let round_trip = ack.rtt.smoothed.max(ack.rtt.latest);
        self.elapsed = self.elapsed.saturating_add(gap.min(round_trip));
        self.seen = Some(ack.now);
    }

    /// Packets that Reno's estimate gains a round trip: those of real Reno once it is past the window
    /// before the reduction (RFC 9438 §4.3).
    fn reno_alpha(&self) -> f64 {
        if self.reno < self.prior { RENO_ALPHA } else { 1.0 }
    }

    /// `W_cubic(t)` in bytes (RFC 9438 §4.2).
    fn curve(&self, t: Duration, mtu: f64) -> f64 {
        C * mtu * (t.as_secs_f64() - self.climb).powi(3) + self.plateau
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "a starting point for virtual time")]
mod tests {
    use super::{super::RttView, *};

    const MTU: f64 = 1200.0;

    fn packets(n: f64) -> f64 {
        n * MTU
    }

    fn close(a: f64, b: f64) -> bool {
        (a - b).abs() < 1e-3
    }

    fn ack(now: Instant, rtt_ms: u64) -> AckSample {
        let rtt = Duration::from_millis(rtt_ms);
        let rtt = RttView { latest: rtt, min: rtt, smoothed: rtt };
        AckSample { now, bytes: 1200, sent: now, rtt, latency: None, app_limited: false, in_flight: 0 }
    }

    #[test]
    fn the_curve_is_that_of_the_rfc() {
        // K = cbrt((W_max - cwnd_epoch) / C) = cbrt(30 / 0.4) = 4.217163 s.
        let epoch = Epoch::after_reduction(packets(100.0), packets(100.0), packets(70.0), MTU);
        assert!(close(epoch.climb, 4.217_163));
        let at = |t| epoch.curve(Duration::from_secs_f64(t), MTU) / MTU;
        assert!(close(at(0.0), 70.0), "begins at the reduced window");
        assert!(close(at(2.0), 95.639_7), "0.4 (2 - K)^3 + 100");
        assert!(close(at(4.217_163), 100.0), "flat at W_max after K");
        assert!(close(at(6.0), 102.266_5), "0.4 (6 - K)^3 + 100, convex");
    }

    #[test]
    fn a_window_aims_one_round_trip_ahead() {
        let mut epoch = Epoch::after_reduction(packets(1000.0), packets(1000.0), packets(700.0), MTU);
        epoch.elapsed = Duration::from_secs(1);
        let grown = epoch.grow(packets(700.0), MTU, &ack(Instant::now(), 100));
        let target = epoch.curve(Duration::from_millis(1100), MTU);
        assert!(close(grown, packets(700.0) + (target - packets(700.0)) / 700.0));
    }

    #[test]
    fn a_window_never_aims_beyond_half_as_much_again() {
        let mut epoch = Epoch::from_slow_start(packets(10.0));
        epoch.elapsed = Duration::from_secs(100);
        assert!(close(epoch.grow(packets(10.0), MTU, &ack(Instant::now(), 100)), packets(10.5)));
    }

    #[test]
    fn a_small_window_grows_as_renos_would() {
        // At 10 packets and 10 ms the curve takes seconds; Reno gains 9/17 packet a round trip.
        let mut epoch = Epoch::after_reduction(packets(10.0), packets(10.0), packets(7.0), MTU);
        let mut window = packets(7.0);
        let mut now = Instant::now();
        for _ in 0..7 {
            now += Duration::from_micros(1400);
            window = epoch.grow(window, MTU, &ack(now, 10));
        }
        let gain = window / MTU - 7.0;
        assert!((gain - 9.0 / 17.0).abs() < 0.03, "gained {gain} packets");
    }

    #[test]
    fn renos_estimate_is_real_reno_beyond_the_old_window() {
        let mut epoch = Epoch::after_reduction(packets(10.0), packets(10.0), packets(7.0), MTU);
        assert_eq!(epoch.reno_alpha(), RENO_ALPHA);
        epoch.reno = packets(10.0);
        assert_eq!(epoch.reno_alpha(), 1.0);
        assert_eq!(Epoch::from_slow_start(packets(10.0)).reno_alpha(), 1.0);
    }

    #[test]
    fn time_without_data_does_not_count() {
        let mut epoch = Epoch::from_slow_start(packets(100.0));
        let start = Instant::now();
        epoch.grow(packets(100.0), MTU, &ack(start, 100));
        epoch.grow(packets(100.0), MTU, &ack(start + Duration::from_millis(30), 100));
        assert_eq!(epoch.elapsed, Duration::from_millis(30));
        epoch.grow(packets(100.0), MTU, &ack(start + Duration::from_secs(3600), 100));
        assert_eq!(epoch.elapsed, Duration::from_millis(130), "a silence counts one round trip");
        epoch.pause(start + Duration::from_secs(3700));
        epoch.grow(packets(100.0), MTU, &ack(start + Duration::from_secs(3700), 100));
        assert_eq!(epoch.elapsed, Duration::from_millis(130));
        epoch.grow(packets(100.0), MTU, &ack(start, 100));
        assert_eq!(epoch.elapsed, Duration::from_millis(130), "nor does time that runs backwards");
    }
}
