mod undo;

use std::time::{Duration, Instant};

use super::*;

const MTU: u64 = 1200;
const RTT: Duration = Duration::from_millis(100);

/// A controller, and a clock that stands unless it is moved.
struct Bench {
    cubic: Cubic,
    now: Instant,
}

impl Bench {
    fn new() -> Self {
        let mut bench = Self { cubic: Cubic::new(1200), now: Instant::now() };
        bench.cubic.on_sent(bench.now, MTU);
        bench
    }

    /// A controller in congestion avoidance, past its recovery, with a window of `packets`.
    fn reduced_to(packets: u64) -> Self {
        let mut bench = Self::new();
        bench.cubic.state.window = (packets * MTU) as f64 / BETA;
        bench.lose(bench.now, 1);
        bench.wait(2 * RTT);
        assert_eq!(bench.cubic.window(), packets * MTU);
        bench
    }

    fn wait(&mut self, time: Duration) {
        self.now += time;
    }

    fn ack_with(&mut self, sent: Instant, app_limited: bool) {
        let rtt = RttView { latest: RTT, min: RTT, smoothed: RTT };
        let (now, bytes, in_flight) = (self.now, MTU, 0);
        self.cubic.on_ack(&AckSample { now, bytes, sent, rtt, latency: None, app_limited, in_flight });
    }

    /// Acknowledges a packet sent a moment ago.
    fn ack(&mut self) {
        self.ack_with(self.now, false);
    }

    fn lose(&mut self, sent: Instant, packets: u64) {
        let loss = LossSample { now: self.now, bytes: packets * MTU, sent, persistent: false };
        self.cubic.on_loss(&loss);
    }

    fn window(&self) -> u64 {
        self.cubic.window()
    }
}

#[test]
fn slow_start_doubles_the_window_each_round_trip() {
    let mut bench = Bench::new();
    assert!(bench.cubic.in_slow_start());
    for _ in 0..10 {
        bench.ack();
    }
    assert_eq!(bench.window(), 24_000);
}

#[test]
fn slow_start_that_hystart_ends_goes_on_with_a_flat_curve() {
    let mut bench = Bench::new();
    bench.cubic.state.threshold = bench.cubic.state.window;
    bench.ack();
    assert!(!bench.cubic.in_slow_start());
    assert_eq!(bench.cubic.state.w_max, 12_000.0);
    assert_eq!(bench.window(), 12_120, "Reno's packet per window");
}

#[test]
fn a_loss_leaves_seven_tenths() {
    let mut bench = Bench::new();
    bench.lose(bench.now, 1);
    assert_eq!(bench.window(), 8_400);
    assert!(!bench.cubic.in_slow_start());
    assert_eq!(bench.cubic.state.w_max, 12_000.0);
}

#[test]
fn a_round_trip_reduces_once() {
    let mut bench = Bench::new();
    let sent = bench.now;
    bench.wait(RTT);
    bench.lose(sent, 1);
    let (window, reduced) = (bench.window(), bench.now);
    bench.wait(RTT / 2);
    bench.lose(sent, 3);
    bench.lose(reduced, 1);
    bench.cubic.on_ecn(bench.now, reduced);
    bench.ack_with(reduced, false);
    assert_eq!(bench.window(), window, "all sent before the reduction");
    bench.lose(reduced + Duration::from_nanos(1), 1);
    assert!(bench.window() < window);
}

#[test]
fn a_flow_that_lost_ground_gives_up_more() {
    let mut bench = Bench::reduced_to(70);
    let w_max = bench.cubic.state.w_max;
    bench.lose(bench.now, 1);
    assert_eq!(bench.window(), 49 * MTU);
    assert_eq!(w_max.round(), 120_000.0);
    assert_eq!(bench.cubic.state.w_max.round(), 71_400.0, "70 packets x (1 + 0.7) / 2");
}

#[test]
fn a_window_returns_to_its_old_size_after_k() {
    // K = cbrt(0.3 x 1000 / 0.4) = 9.0856 s.
    let mut bench = Bench::reduced_to(700);
    let mut pass = |seconds: f64| {
        let end = bench.now + Duration::from_secs_f64(seconds);
        while bench.now < end {
            // A full window a round trip.
            bench.wait(RTT * 1200 / u32::try_from(bench.window()).unwrap());
            bench.ack();
        }
        bench.window() as f64 / MTU as f64
    };
    // 0.4 (4.5 - K)^3 + 1000 = 961.5, less what the window lags behind its target.
    let halfway = pass(4.5);
    assert!((955.0..=966.0).contains(&halfway), "{halfway}");
    let returned = pass(4.6);
    assert!((998.0..=1_001.0).contains(&returned), "{returned}");
    // 0.4 (13.1 - K)^3 + 1000 = 1025.9: beyond, it accelerates.
    let probing = pass(4.0);
    assert!((1_020.0..=1_032.0).contains(&probing), "{probing}");
}

#[test]
fn an_application_that_sends_little_gains_nothing() {
    for mut bench in [Bench::new(), Bench::reduced_to(70)] {
        let before = bench.window();
        for _ in 0..10_000 {
            bench.wait(RTT);
            bench.cubic.on_sent(bench.now, MTU);
            bench.ack_with(bench.now, true);
        }
        assert_eq!(bench.window(), before);
        bench.ack();
        assert!(bench.window() <= before + MTU, "nor all at once afterwards");
    }
}

#[test]
fn a_window_never_falls_below_four_packets() {
    let mut bench = Bench::new();
    for _ in 0..100 {
        bench.wait(RTT);
        bench.lose(bench.now, 1);
        bench.cubic.on_ecn(bench.now, bench.now);
        assert!(bench.window() >= 4 * MTU);
    }
    assert_eq!(bench.window(), 4 * MTU);
    bench.cubic.on_mtu(1472);
    assert_eq!(bench.window(), 4 * 1472);
    bench.cubic.on_mtu(0);
    assert_eq!(bench.window(), 4 * 1472);
}

#[test]
fn persistent_congestion_starts_over_slowly() {
    let mut bench = Bench::reduced_to(70);
    let loss = LossSample { now: bench.now, bytes: 50 * MTU, sent: bench.now, persistent: true };
    bench.cubic.on_loss(&loss);
    assert_eq!(bench.window(), 4 * MTU);
    assert!(bench.cubic.in_slow_start());
    bench.wait(RTT);
    for _ in 0..45 {
        bench.ack();
    }
    assert_eq!(bench.window(), 49 * MTU, "up to seven tenths of what was");
    assert!(!bench.cubic.in_slow_start());
    bench.ack();
    assert_eq!(bench.cubic.state.w_max.round(), 58_800.0, "a curve of its own");
}

#[test]
fn a_new_path_starts_from_nothing() {
    let bench = Bench::reduced_to(700);
    let fresh = bench.cubic.boxed_reset();
    assert_eq!((fresh.window(), fresh.in_slow_start()), (12_000, true));
}

#[test]
fn no_input_overflows() {
    let mut bench = Bench::new();
    let start = bench.now;
    let longest = Duration::MAX;
    for rtt in [Duration::ZERO, RTT, longest] {
        for bytes in [0, 1, u64::MAX] {
            for now in [start + Duration::from_secs(1 << 32), start] {
                let rtt = RttView { latest: rtt, min: rtt, smoothed: rtt };
                let ack = AckSample {
                    now,
                    bytes,
                    sent: now,
                    rtt,
                    latency: None,
                    app_limited: false,
                    in_flight: bytes,
                };
                bench.cubic.on_sent(now, bytes);
                bench.cubic.on_ack(&ack);
                bench.cubic.on_loss(&LossSample { now, bytes, sent: start, persistent: false });
                bench.cubic.on_loss(&LossSample { now, bytes, sent: now, persistent: true });
                bench.cubic.on_ack(&AckSample { sent: now + Duration::from_secs(1), ..ack });
                bench.cubic.on_spurious(now, now);
                let _ = bench.cubic.pacing_rate(rtt);
                assert!((4 * MTU..=1 << 30).contains(&bench.window()));
            }
        }
    }
}
