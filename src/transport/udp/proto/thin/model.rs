//! [`Thin`] alone over a line that loses packets, to see what a message waits and what it costs.

mod peer;

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use super::{Conditions, LossEstimate, PieceRef, Thin};
use crate::transport::udp::proto::rtt::Mean;
use peer::{Flight, Peer};

/// Bytes of a packet with one message of 200 B, IP and UDP headers included.
pub(super) const MESSAGE_PACKET: u64 = 261;

/// Bytes of a packet that only acknowledges.
const ACK_PACKET: u64 = 61;

const JITTER: Duration = Duration::from_millis(1);

/// Acknowledgements repeat this many packet numbers.
const ACK_MEMORY: usize = 64;

/// A quiet path of 50 ms that loses so much.
pub(super) fn conditions(p: &LossEstimate) -> Conditions {
    Conditions {
        srtt: Duration::from_millis(50),
        prompt: Mean { smoothed: Duration::from_millis(50), var: Duration::from_millis(1) },
        jitter: Some(Duration::ZERO),
        lately: Duration::from_millis(50),
        settled: Some(Duration::from_millis(50)),
        most_lately: Duration::from_millis(50),
        min_rtt: Duration::from_millis(50),
        reo_wnd: Duration::from_millis(6),
        p: p.view(),
        bandwidth: None,
        marked: None,
    }
}

/// Some instant. Only differences count.
#[allow(
    clippy::disallowed_methods,
    reason = "there is no other way to an instant, and only differences count"
)]
pub(super) fn start() -> Instant {
    use std::sync::OnceLock;
    static START: OnceLock<Instant> = OnceLock::new();
    *START.get_or_init(Instant::now)
}

pub(super) fn message(seq: u64) -> PieceRef {
    PieceRef { lane: 1, seq, offset: 0, len: 200 }
}

/// A seeded coin (xorshift64*).
#[derive(Debug)]
pub(super) struct Chance(u64);

impl Chance {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// Between 0 and 1.
    fn draw(&mut self) -> f64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 11) as f64 / (1u64 << 53) as f64
    }

    pub(super) fn hits(&mut self, probability: f64) -> bool {
        self.draw() < probability
    }
}

/// What a run is about.
#[derive(Clone, Copy, Debug)]
pub(super) struct Setup {
    pub(super) rtt: Duration,
    /// Each way.
    pub(super) loss: f64,
    /// Between two messages of one connection.
    pub(super) every: Duration,
    pub(super) messages: u64,
    pub(super) connections: usize,
    pub(super) max_copies: u8,
    /// Bytes per second and bytes of queue of a bottleneck that the connections share on the way there.
    pub(super) bottleneck: Option<(u64, u64)>,
}

/// What came of it.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    /// From the first transmission to the first arrival, of each message.
    pub(super) latencies: Vec<Duration>,
    pub(super) packets: u64,
    pub(super) bytes: u64,
    pub(super) copies: u64,
    pub(super) rounds: u64,
    /// How long each packet waited in the bottleneck's queue.
    pub(super) queued: Vec<Duration>,
    pub(super) overflowed: u64,
}

impl Outcome {
    /// The latency that the share `x` of the messages does not exceed.
    pub(super) fn quantile(&mut self, x: f64) -> Duration {
        self.latencies.sort_unstable();
        let at = (self.latencies.len() as f64 * x).ceil() as usize;
        self.latencies[at.saturating_sub(1)]
    }

    /// How long a packet waited in the queue on average.
    pub(super) fn mean_queue(&self) -> Duration {
        self.queued.iter().sum::<Duration>() / u32::try_from(self.queued.len()).unwrap().max(1)
    }

    /// Bytes on the wire as a multiple of each message once.
    pub(super) fn cost(&self) -> f64 {
        self.bytes as f64 / (self.latencies.len() as f64 * MESSAGE_PACKET as f64)
    }
}

#[derive(Debug)]
enum Event {
    Push {
        seq: u64,
    },
    Arrival {
        pn: u64,
        seq: u64,
    },
    Ack {
        received: Vec<u64>,
    },
    /// Timers run after every event; this is one for them alone.
    Wake,
}

/// The line and everybody on it.
#[derive(Debug)]
struct Model {
    setup: Setup,
    chance: Chance,
    events: BTreeMap<(Instant, u64), (usize, Event)>,
    scheduled: u64,
    peers: Vec<Peer>,
    /// When the bottleneck has sent all it holds.
    idle_at: Instant,
    outcome: Outcome,
}

/// Runs `setup` to the end.
pub(super) fn run(setup: Setup, seed: u64) -> Outcome {
    let mut model = Model {
        setup,
        chance: Chance::new(seed),
        events: BTreeMap::new(),
        scheduled: 0,
        peers: (0..setup.connections)
            .map(|n| Peer::new(seed + n as u64, setup.rtt, setup.max_copies))
            .collect(),
        idle_at: start(),
        outcome: Outcome::default(),
    };
    for peer in 0..setup.connections {
        let offset = setup.every.mul_f64(peer as f64 / setup.connections as f64);
        model.schedule(start() + offset, peer, Event::Push { seq: 0 });
    }
    while let Some(((now, _), (peer, event))) = model.events.pop_first() {
        model.handle(now, peer, event);
    }
    for peer in &model.peers {
        assert_eq!(peer.thin.unacked(), 0);
        model.outcome.copies += peer.thin.copies();
        model.outcome.rounds += peer.thin.rounds();
    }
    model.outcome
}

impl Model {
    fn handle(&mut self, now: Instant, peer: usize, event: Event) {
        match event {
            Event::Push { seq } => self.push(now, peer, seq),
            Event::Arrival { pn, seq } => self.arrive(now, peer, pn, seq),
            Event::Ack { received } => self.peers[peer].on_ack(now, &received),
            // A wake that an earlier one overtook would breed more of its kind.
            Event::Wake => self.peers[peer].wake = self.peers[peer].wake.filter(|armed| *armed > now),
        }
        self.peers[peer].declare_lost(now);
        while let Some(r) = self.next_due(now, peer) {
            self.send(now, peer, r.seq);
        }
        self.arm(peer);
    }

    fn push(&mut self, now: Instant, peer: usize, seq: u64) {
        self.peers[peer].pushed.insert(seq, now);
        self.send(now, peer, seq);
        self.with_conditions(now, peer, |thin, conditions| {
            thin.on_sent(message(seq), 206, now, conditions);
        });
        if seq + 1 < self.setup.messages {
            self.schedule(now + self.setup.every, peer, Event::Push { seq: seq + 1 });
        }
    }

    fn next_due(&mut self, now: Instant, peer: usize) -> Option<PieceRef> {
        self.with_conditions(now, peer, |thin, conditions| thin.next(now, usize::MAX, conditions))
            .map(|(r, _)| r)
    }

    fn with_conditions<T>(
        &mut self,
        now: Instant,
        peer: usize,
        call: impl FnOnce(&mut Thin, &Conditions) -> T,
    ) -> T {
        let peer = &mut self.peers[peer];
        peer.estimate.age(now);
        let reo_wnd = peer.reo_wnd();
        let Peer { thin, estimate, srtt, rttvar, min_rtt, .. } = peer;
        let (srtt, rttvar, min_rtt) = (*srtt, *rttvar, *min_rtt);
        call(
            thin,
            &Conditions {
                srtt,
                prompt: Mean { smoothed: srtt, var: rttvar },
                jitter: Some(Duration::ZERO),
                lately: min_rtt,
                most_lately: Duration::ZERO,
                settled: None,
                min_rtt,
                reo_wnd,
                p: estimate.view(),
                bandwidth: None,
                marked: None,
            },
        )
    }

    fn send(&mut self, now: Instant, at: usize, seq: u64) {
        let peer = &mut self.peers[at];
        let pn = peer.next_pn;
        peer.next_pn += 1;
        peer.in_flight.insert(pn, Flight { sent: now, seq });
        self.outcome.packets += 1;
        self.outcome.bytes += MESSAGE_PACKET;
        let Some(queued) = self.enqueue(now) else { return };
        self.travel(now + queued, at, Event::Arrival { pn, seq });
    }

    /// How long a packet takes to get through the bottleneck; `None` when its queue is full.
    fn enqueue(&mut self, now: Instant) -> Option<Duration> {
        let Some((rate, depth)) = self.setup.bottleneck else { return Some(Duration::ZERO) };
        let transmission = |bytes: u64| Duration::from_secs_f64(bytes as f64 / rate as f64);
        let waits = self.idle_at.saturating_duration_since(now);
        if waits > transmission(depth) {
            self.outcome.overflowed += 1;
            return None;
        }
        self.outcome.queued.push(waits);
        self.idle_at = self.idle_at.max(now) + transmission(MESSAGE_PACKET);
        Some(self.idle_at - now)
    }

    fn arrive(&mut self, now: Instant, at: usize, pn: u64, seq: u64) {
        let peer = &mut self.peers[at];
        if let Some(pushed) = peer.pushed.remove(&seq) {
            self.outcome.latencies.push(now - pushed);
        }
        peer.received.insert(pn);
        if peer.received.len() > ACK_MEMORY {
            peer.received.pop_first();
        }
        let received = peer.received.iter().rev().copied().collect();
        self.outcome.bytes += ACK_PACKET;
        self.travel(now, at, Event::Ack { received });
    }

    fn travel(&mut self, now: Instant, peer: usize, event: Event) {
        if self.chance.hits(self.setup.loss) {
            return;
        }
        let delay = self.setup.rtt / 2 + JITTER.mul_f64(self.chance.draw());
        self.schedule(now + delay, peer, event);
    }

    fn arm(&mut self, at: usize) {
        let Some(wake) = self.peers[at].deadline() else { return };
        if self.peers[at].wake.is_none_or(|armed| wake < armed) {
            self.peers[at].wake = Some(wake);
            self.schedule(wake, at, Event::Wake);
        }
    }

    fn schedule(&mut self, at: Instant, peer: usize, event: Event) {
        self.scheduled += 1;
        self.events.insert((at, self.scheduled), (peer, event));
    }
}
