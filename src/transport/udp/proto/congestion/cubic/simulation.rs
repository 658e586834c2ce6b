//! One flow that always has something to send, through one bottleneck with a queue that drops its tail.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use super::{super::RttView, *};
use crate::transport::udp::proto::pacing::Pacer;

const MTU: u16 = 1200;

/// A path with a bottleneck.
struct Path {
    /// Bytes a second.
    rate: u64,
    /// The round trip with an empty queue.
    round_trip: Duration,
    /// Bytes that the queue holds.
    queue: u64,
    /// Loses one packet in so many at random; 0: none.
    one_lost_in: u64,
}

/// A packet in flight, or dropped without anybody knowing yet.
struct Packet {
    sent: Instant,
    /// When its acknowledgement arrives.
    acked: Option<Instant>,
}

struct Flow {
    path: Path,
    cubic: Cubic,
    pacer: Pacer,
    now: Instant,
    /// When the bottleneck has sent all that it holds.
    idle_at: Instant,
    packets: VecDeque<Packet>,
    rtt: RttView,
    delivered: u64,
    chance: u64,
}

impl Flow {
    fn new(path: Path) -> Self {
        let now = Instant::now();
        let rtt =
            RttView { latest: Duration::ZERO, min: Duration::ZERO, smoothed: Duration::from_millis(333) };
        let (cubic, pacer) = (Cubic::new(MTU), Pacer::new());
        let packets = VecDeque::new();
        Self { path, cubic, pacer, now, idle_at: now, packets, rtt, delivered: 0, chance: 1 }
    }

    /// Runs for `span` and returns the bytes a second that arrived in it.
    fn run(&mut self, span: Duration) -> f64 {
        let end = self.now + span;
        let before = self.delivered;
        while self.now < end {
            let paced = self.send();
            let acked = self.packets.iter().find_map(|packet| packet.acked);
            // All lost: a probe timeout later the sender finds out.
            let timeout = self.now + 3 * self.rtt.smoothed;
            self.now = paced.into_iter().chain([acked.unwrap_or(timeout)]).min().unwrap_or(timeout);
            self.take_in(acked.is_none() && paced.is_none());
        }
        (self.delivered - before) as f64 / span.as_secs_f64()
    }

    /// Sends all that may leave and returns when the pacer lets more go.
    fn send(&mut self) -> Option<Instant> {
        while (self.packets.len() as u64 + 1) * u64::from(MTU) <= self.cubic.window() {
            let (rate, window) = (self.cubic.pacing_rate(self.rtt), self.cubic.window());
            let paced = self.pacer.delay(self.now, rate, window, MTU);
            if paced.is_some() {
                return paced;
            }
            self.pacer.on_sent(self.now, MTU);
            self.cubic.on_sent(self.now, u64::from(MTU));
            let acked = self.forward();
            self.packets.push_back(Packet { sent: self.now, acked });
        }
        None
    }

    /// Hands a packet to the bottleneck and returns when its acknowledgement arrives.
    fn forward(&mut self) -> Option<Instant> {
        let backlog = self.idle_at.saturating_duration_since(self.now);
        let held = (backlog.as_secs_f64() * self.path.rate as f64) as u64;
        if held + u64::from(MTU) > self.path.queue || self.is_unlucky() {
            return None;
        }
        let service = Duration::from_secs_f64(f64::from(MTU) / self.path.rate as f64);
        self.idle_at = self.idle_at.max(self.now) + service;
        Some(self.idle_at + self.path.round_trip)
    }

    fn is_unlucky(&mut self) -> bool {
        self.chance ^= self.chance << 13;
        self.chance ^= self.chance >> 7;
        self.chance ^= self.chance << 17;
        self.path.one_lost_in > 0 && self.chance.is_multiple_of(self.path.one_lost_in)
    }

    /// Takes in the acknowledgement due and finds lost what was sent before its packet.
    fn take_in(&mut self, timeout: bool) {
        let known = self.packets.iter().position(|packet| packet.acked.is_some_and(|at| at <= self.now));
        let lost = known.unwrap_or(if timeout { self.packets.len() } else { 0 });
        let newest_lost = self.packets.drain(..lost).next_back();
        if let Some(Packet { sent, .. }) = newest_lost {
            let bytes = lost as u64 * u64::from(MTU);
            self.cubic.on_loss(&LossSample { now: self.now, bytes, sent, persistent: false });
        }
        if known.is_some()
            && let Some(packet) = self.packets.pop_front()
        {
            self.acknowledge(packet.sent);
        }
    }

    fn acknowledge(&mut self, sent: Instant) {
        let latest = self.now - sent;
        let is_first = self.rtt.latest.is_zero();
        self.rtt.min = if is_first { latest } else { self.rtt.min.min(latest) };
        self.rtt.smoothed = if is_first { latest } else { (7 * self.rtt.smoothed + latest) / 8 };
        self.rtt.latest = latest;
        self.delivered += u64::from(MTU);
        self.cubic.on_ack(&AckSample {
            now: self.now,
            bytes: u64::from(MTU),
            sent,
            rtt: self.rtt,
            latency: None,
            app_limited: false,
            in_flight: self.packets.len() as u64 * u64::from(MTU),
        });
    }
}

#[test]
fn a_queue_of_one_bdp_is_enough_to_fill_the_path() {
    for (rate, millis) in [(1_250_000, 50), (1_250_000, 200), (12_500_000, 20), (12_500_000, 100)] {
        let path = Path {
            rate,
            round_trip: Duration::from_millis(millis),
            queue: rate * millis / 1_000,
            one_lost_in: 0,
        };
        let mut flow = Flow::new(path);
        let used = flow.run(Duration::from_secs(60)) / rate as f64;
        assert!(used >= 0.9, "{:.1} % of {rate} B/s at {millis} ms", 100.0 * used);
        assert!(!flow.cubic.in_slow_start());
    }
}

#[test]
fn slow_start_ends_before_a_deep_queue_overflows() {
    // The queue shows in the round after it arose, and five conservative rounds triple the window.
    let round_trip = Duration::from_millis(100);
    let path = Path { rate: 1_250_000, round_trip, queue: 8 * 125_000, one_lost_in: 0 };
    let mut flow = Flow::new(path);
    while flow.cubic.in_slow_start() {
        flow.run(Duration::from_millis(10));
    }
    assert_eq!(flow.cubic.state.recovery_start, None, "no loss");
    assert!(flow.cubic.window() >= 125_000, "nor too early: {}", flow.cubic.window());
}

#[test]
fn random_loss_leaves_the_window_of_the_formula() {
    for (one_lost_in, millis) in [(100, 100), (20, 100), (1_000, 20)] {
        let round_trip = Duration::from_millis(millis);
        let mut flow = Flow::new(Path { rate: 125_000_000, round_trip, queue: 12_500_000, one_lost_in });
        flow.run(Duration::from_secs(10));
        let rate = flow.run(Duration::from_secs(3_000));
        let window = rate * round_trip.as_secs_f64() / f64::from(MTU);
        let p = 1.0 / one_lost_in as f64;
        let formula = (1.054 * (round_trip.as_secs_f64() / p).powf(0.75)).max(1.22 / p.sqrt());
        let ratio = window / formula;
        assert!((0.7..1.3).contains(&ratio), "{window:.1} of {formula:.1} packets at 1/{one_lost_in}");
    }
}
