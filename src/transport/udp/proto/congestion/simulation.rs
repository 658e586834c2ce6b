//! Several flows that always have something to send, through one bottleneck with a queue that drops its
//! tail, after a stretch that loses packets by chance.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, VecDeque},
    time::{Duration, Instant},
};

use rand::{RngExt as _, SeedableRng as _, rngs::ChaCha8Rng};

use super::{AckSample, Algorithm, Controller, LossSample, RttView, controller};
use crate::transport::udp::proto::pacing::Pacer;

const MTU: u16 = 1472;

/// What a path is like.
#[derive(Clone, Copy, Debug)]
pub(super) struct Path {
    /// Bytes a second.
    pub(super) rate: f64,
    /// The round trip with an empty queue.
    pub(super) round_trip: Duration,
    /// Bytes that the queue holds.
    pub(super) queue: f64,
    /// The share that is lost before the queue.
    pub(super) loss: f64,
    /// The chance that the packet after a lost one is lost; as `loss` where there are no bursts.
    pub(super) again: f64,
    /// How much later than others a packet may come.
    pub(super) jitter: Duration,
    /// From when on somebody else fills the queue before the acknowledgements, and to how much: it takes as
    /// long to empty again.
    pub(super) behind: Option<(Duration, Duration)>,
}

impl Path {
    /// A path of so many Mbit/s and milliseconds, with a queue of so many of their products.
    pub(super) fn new(mbit: f64, millis: u64, products: f64) -> Self {
        let rate = mbit * 125_000.0;
        let round_trip = Duration::from_millis(millis);
        let queue = rate * round_trip.as_secs_f64() * products;
        Self { rate, round_trip, queue, loss: 0.0, again: 0.0, jitter: Duration::ZERO, behind: None }
    }

    pub(super) fn losing(self, loss: f64) -> Self {
        Self { loss, again: loss, ..self }
    }

    pub(super) fn in_bursts(self, again: f64) -> Self {
        Self { again, ..self }
    }

    pub(super) fn behind(self, from: u64, millis: u64) -> Self {
        Self { behind: Some((Duration::from_millis(from), Duration::from_millis(millis))), ..self }
    }

    /// How long an acknowledgement waits so long after the beginning.
    fn wait_of_ack(&self, at: Duration) -> Duration {
        let Some((from, most)) = self.behind else { return Duration::ZERO };
        let since = at.saturating_sub(from);
        since.min(most).min((2 * most).saturating_sub(since))
    }

    pub(super) fn jittery(self, millis: u64) -> Self {
        Self { jitter: Duration::from_millis(millis), ..self }
    }
}

#[derive(Clone, Copy, Debug)]
struct Packet {
    pn: u64,
    sent: Instant,
    known: bool,
}

pub(super) struct Flow {
    pub(super) controller: Box<dyn Controller>,
    pacer: Pacer,
    from: Instant,
    packets: VecDeque<Packet>,
    next: u64,
    in_flight: u64,
    rtt: RttView,
    wakes: Option<Instant>,
    heard: Instant,
    pub(super) delivered: u64,
    pub(super) sent: u64,
    /// How long each packet waited in the queue.
    pub(super) waits: Vec<Duration>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Happening {
    Ack(usize, u64),
    Wake(usize),
}

pub(super) struct Bottleneck {
    path: Path,
    pub(super) flows: Vec<Flow>,
    events: BinaryHeap<Reverse<(Instant, u64, Happening)>>,
    count: u64,
    began: Instant,
    pub(super) now: Instant,
    free_at: Instant,
    lost_last: bool,
    chance: ChaCha8Rng,
}

impl Bottleneck {
    pub(super) fn new(path: Path, seed: u64) -> Self {
        let now = Instant::now();
        let chance = ChaCha8Rng::seed_from_u64(seed);
        let events = BinaryHeap::new();
        let flows = Vec::new();
        Self { path, flows, events, count: 0, began: now, now, free_at: now, lost_last: false, chance }
    }

    /// One more flow, which begins so much later.
    pub(super) fn add(&mut self, algorithm: Algorithm, after: Duration) {
        let rtt =
            RttView { latest: Duration::ZERO, min: Duration::ZERO, smoothed: Duration::from_millis(100) };
        let from = self.now + after;
        self.flows.push(Flow {
            controller: controller(algorithm, MTU),
            pacer: Pacer::new(),
            from,
            packets: VecDeque::new(),
            next: 0,
            in_flight: 0,
            rtt,
            wakes: None,
            heard: from,
            delivered: 0,
            sent: 0,
            waits: Vec::new(),
        });
        self.push(from, Happening::Wake(self.flows.len() - 1));
    }

    /// Runs for `span` and returns the share of the path's rate that each flow got.
    pub(super) fn run(&mut self, span: Duration) -> Vec<f64> {
        let end = self.now + span;
        let before: Vec<u64> = self.flows.iter().map(|flow| flow.delivered).collect();
        for flow in &mut self.flows {
            flow.waits.clear();
        }
        while let Some(&Reverse((at, _, what))) = self.events.peek().filter(|next| next.0.0 <= end) {
            self.events.pop();
            self.now = at;
            match what {
                Happening::Ack(flow, pn) => self.acknowledge(flow, pn),
                Happening::Wake(flow) => self.wake(flow),
            }
        }
        self.now = end;
        let bytes = self.path.rate * span.as_secs_f64();
        self.flows.iter().zip(before).map(|(flow, before)| (flow.delivered - before) as f64 / bytes).collect()
    }

    fn push(&mut self, at: Instant, what: Happening) {
        self.count += 1;
        self.events.push(Reverse((at, self.count, what)));
    }

    fn wake(&mut self, index: usize) {
        let now = self.now;
        let flow = &mut self.flows[index];
        if flow.wakes.is_some_and(|at| at > now) {
            return;
        }
        flow.wakes = None;
        let patience = 3 * flow.rtt.smoothed + 2 * self.path.jitter + Duration::from_millis(50);
        if flow.in_flight > 0 && now >= flow.heard + patience {
            flow.heard = now;
            flow.lose(now, |_| true);
        }
        self.send(index);
    }

    fn send(&mut self, index: usize) {
        let now = self.now;
        if now < self.flows[index].from {
            return;
        }
        loop {
            let flow = &mut self.flows[index];
            let window = flow.controller.window();
            if flow.in_flight + u64::from(MTU) > window {
                break;
            }
            let rate = flow.controller.pacing_rate(flow.rtt);
            if let Some(at) = flow.pacer.delay(now, rate, window, MTU) {
                flow.wakes = Some(at);
                self.push(at, Happening::Wake(index));
                return;
            }
            flow.pacer.on_sent(now, MTU);
            flow.controller.on_sent(now, u64::from(MTU));
            let pn = flow.next;
            flow.next += 1;
            flow.in_flight += u64::from(MTU);
            flow.sent += u64::from(MTU);
            flow.packets.push_back(Packet { pn, sent: now, known: false });
            self.forward(index, pn);
        }
        let flow = &mut self.flows[index];
        let at = now + 3 * flow.rtt.smoothed + 2 * self.path.jitter + Duration::from_millis(50);
        if flow.wakes.is_none() {
            flow.wakes = Some(at);
            self.push(at, Happening::Wake(index));
        }
    }

    fn forward(&mut self, index: usize, pn: u64) {
        let Path { loss, again, rate, queue, jitter, round_trip, .. } = self.path;
        // Such that `loss` is the share in the long run.
        let enter = if loss < 1.0 { loss * (1.0 - again) / (1.0 - loss) } else { 1.0 };
        self.lost_last = self.chance.random_bool(if self.lost_last { again } else { enter });
        let backlog = self.free_at.saturating_duration_since(self.now);
        if self.lost_last || backlog.as_secs_f64() * rate + f64::from(MTU) > queue {
            return;
        }
        let late = self.chance.random_range(0.0..=1.0) * jitter.as_secs_f64();
        self.flows[index].waits.push(backlog);
        self.free_at = self.free_at.max(self.now) + Duration::from_secs_f64(f64::from(MTU + 42) / rate);
        let heard = self.free_at + round_trip + Duration::from_secs_f64(late);
        let wait = self.path.wait_of_ack(heard - self.began);
        self.push(heard + wait, Happening::Ack(index, pn));
    }

    fn acknowledge(&mut self, index: usize, pn: u64) {
        let (now, jitter) = (self.now, self.path.jitter);
        let flow = &mut self.flows[index];
        flow.delivered += u64::from(MTU);
        flow.heard = now;
        let at = flow.packets.partition_point(|packet| packet.pn < pn);
        if let Some(packet) = flow.packets.get_mut(at).filter(|packet| packet.pn == pn && !packet.known) {
            packet.known = true;
            let sent = packet.sent;
            flow.measure(now - sent);
            flow.in_flight -= u64::from(MTU);
            let least = flow.rtt.smoothed.max(flow.rtt.latest) + flow.rtt.min / 8 + jitter;
            flow.lose(now, |packet| match jitter.is_zero() {
                true => packet.pn + 3 <= pn,
                false => packet.pn < pn && now - packet.sent > least,
            });
            let (rtt, in_flight) = (flow.rtt, flow.in_flight);
            let bytes = u64::from(MTU);
            flow.controller.on_ack(&AckSample {
                now,
                bytes,
                sent,
                rtt,
                latency: Some(rtt.latest),
                app_limited: false,
                in_flight,
            });
        }
        self.send(index);
    }
}

impl Flow {
    fn measure(&mut self, latest: Duration) {
        let is_first = self.rtt.latest.is_zero();
        self.rtt.min = if is_first { latest } else { self.rtt.min.min(latest) };
        self.rtt.smoothed = if is_first { latest } else { (7 * self.rtt.smoothed + latest) / 8 };
        self.rtt.latest = latest;
    }

    fn lose(&mut self, now: Instant, is_lost: impl Fn(&Packet) -> bool) {
        let (mut bytes, mut newest) = (0, None);
        for packet in self.packets.iter_mut().filter(|packet| !packet.known).take_while(|p| is_lost(p)) {
            packet.known = true;
            bytes += u64::from(MTU);
            newest = Some(packet.sent);
        }
        while self.packets.front().is_some_and(|packet| packet.known) {
            self.packets.pop_front();
        }
        if let Some(sent) = newest {
            self.in_flight -= bytes;
            self.controller.on_loss(&LossSample { now, bytes, sent, persistent: false });
        }
    }

    pub(super) fn wait(&mut self, share: f64) -> f64 {
        self.waits.sort();
        self.waits
            .get(((self.waits.len().max(1) - 1) as f64 * share) as usize)
            .map_or(0.0, Duration::as_secs_f64)
            * 1e3
    }
}

/// What a flow alone gets of a path, and its 99th percentile of waiting, ms.
fn alone(path: Path, algorithm: Algorithm) -> (f64, f64) {
    let mut link = Bottleneck::new(path, 1);
    link.add(algorithm, Duration::ZERO);
    link.run(Duration::from_secs(5));
    let share = link.run(Duration::from_secs(20));
    (share[0], link.flows[0].wait(0.99))
}

/// What two flows get of a path, the second of which begins `later`.
fn beside(path: Path, first: Algorithm, second: Algorithm, later: Duration) -> [f64; 2] {
    let mut link = Bottleneck::new(path, 1);
    link.add(first, Duration::ZERO);
    link.add(second, later);
    link.run(Duration::from_secs(15));
    let share = link.run(Duration::from_secs(60));
    [share[0], share[1]]
}

/// The same on average, and the least of each: where in the other's cycle it begins, the second meets another
/// queue.
fn beside_at_any_time(path: Path, first: Algorithm, second: Algorithm) -> [(f64, f64); 2] {
    let starts = [5000, 5137, 5411, 5822, 6233].map(Duration::from_millis);
    let shares = starts.map(|later| beside(path, first, second, later));
    [0, 1].map(|at| {
        let of = shares.map(|share| share[at]);
        (of.iter().sum::<f64>() / of.len() as f64, of.into_iter().fold(1.0, f64::min))
    })
}

#[test]
fn does_random_loss_leave_the_rate_as_it_is() {
    for (loss, millis) in [(0.0, 10), (0.01, 40), (0.05, 40), (0.1, 100), (0.2, 100), (0.3, 200)] {
        let (share, wait) = alone(Path::new(50.0, millis, 1.0).losing(loss), Algorithm::Bbr);
        assert!(share >= 0.9, "{share} at {loss}");
        assert!(wait <= millis as f64 * 0.4 + 5.0, "{wait} ms of queue at {loss}");
    }
    let (share, _) = alone(Path::new(50.0, 40, 1.0).losing(0.0625).in_bursts(0.7), Algorithm::Bbr);
    assert!(share >= 0.9, "{share} in bursts");
    let (share, _) = alone(Path::new(50.0, 20, 1.0).losing(0.01).jittery(40), Algorithm::Bbr);
    assert!(share >= 0.85, "{share} with jitter");
}

#[test]
fn does_a_start_find_the_rate_while_acknowledgements_wait_behind_somebody() {
    for (from, most) in [20, 40, 60, 80, 100, 120].into_iter().flat_map(|at| [10, 20, 40].map(|m| (at, m))) {
        for mbit in [25.0, 100.0] {
            let mut link = Bottleneck::new(Path::new(mbit, 20, 2.0).behind(from, most), 1);
            link.add(Algorithm::Bbr, Duration::ZERO);
            link.run(Duration::from_millis(500));
            let share = link.run(Duration::from_millis(500))[0];
            assert!(share >= 0.8, "{share} of {mbit} Mbit/s where {most} ms come after {from}");
        }
    }
}

#[test]
fn is_a_deep_queue_left_empty() {
    let (share, wait) = alone(Path::new(5.0, 40, 25.0), Algorithm::Bbr);
    assert!(share >= 0.9 && wait <= 20.0, "{share}, {wait} ms");
}

#[test]
fn does_cubic_keep_its_share_beside_bbr() {
    for (mbit, millis) in [(50.0, 40), (20.0, 100)] {
        for products in [1.0, 2.0, 4.0] {
            let path = Path::new(mbit, millis, products);
            for [cubic, bbr] in [
                beside_at_any_time(path, Algorithm::Cubic, Algorithm::Bbr),
                [1, 0].map(|at| beside_at_any_time(path, Algorithm::Bbr, Algorithm::Cubic)[at]),
            ] {
                let told =
                    format!("{cubic:?} and {bbr:?} of {mbit} Mbit/s, {millis} ms, {products} products");
                for (average, least) in [cubic, bbr] {
                    assert!((0.25..=0.75).contains(&average) && least >= 0.25, "{told}");
                }
            }
        }
    }
}

#[test]
fn do_two_of_a_kind_share() {
    for products in [1.0, 2.0, 4.0] {
        let path = Path::new(50.0, 40, products);
        let [first, second] = beside(path, Algorithm::Bbr, Algorithm::Bbr, Duration::from_secs(5));
        assert!(first >= 0.25 && second >= 0.25, "{first} and {second}, {products} products");
    }
}
