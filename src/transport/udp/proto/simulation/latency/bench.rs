//! Lines said over a link, and when they were heard.

use std::time::{Duration, Instant};

use super::gilbert::Gilbert;
use crate::transport::{
    Lane,
    impair::Profile,
    udp::proto::{endpoint::ConnectionKey, simulation::World},
};

/// Bytes of a line.
const LINE: usize = 200;

/// Bytes on the wire of a line in one packet of IPv4: sealed, framed, with its headers.
const LINE_ON_WIRE: f64 = 261.0;

/// Bytes of IPv4 and UDP headers.
const HEADERS: u64 = 28;

/// A link and what is said over it.
#[derive(Clone, Debug)]
pub(super) struct Case {
    pub(super) name: String,
    pub(super) profile: Profile,
    /// Loss in bursts of packets, on top of the profile's.
    pub(super) gilbert: Option<Gilbert>,
    /// Connections beside each other, with one speaker each.
    pub(super) speakers: u32,
    /// Lines of each speaker.
    pub(super) per_second: u32,
}

/// What was measured.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    /// Milliseconds from saying to hearing, ascending.
    latencies: Vec<f64>,
    pub(super) spent: Spent,
}

/// What all lines together took.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Spent {
    lines: u64,
    /// Both ways, with all headers.
    bytes: u64,
    /// With lines in them, and whatever else the speakers sent.
    there: u64,
    /// With acknowledgements.
    back: u64,
    bytes_back: u64,
    pub(super) copies: u64,
    rounds: u64,
    probes: u64,
}

impl Case {
    /// Says so many lines in all, after a twentieth of as many from which the path is learned first: the
    /// figures are about chat, not about its first minute.
    pub(super) fn run(&self, lines: u32, seed: u64) -> Outcome {
        let mut talk = Talk::begin(self, seed);
        let warm_up = lines / 20;
        let pause = Duration::from_secs(1) / (self.per_second * self.speakers);
        let mut before = Spent::default();
        for line in 0..warm_up + lines {
            if line == warm_up {
                before = talk.spent();
            }
            talk.say(line);
            talk.world.run(pause);
        }
        talk.hear_all(seed);
        let latencies = talk.latencies(warm_up);
        Outcome { latencies, spent: talk.spent().since(before, lines) }
    }
}

struct Talk {
    world: World,
    speakers: Vec<ConnectionKey>,
    said: Vec<Instant>,
}

impl Talk {
    fn begin(case: &Case, seed: u64) -> Self {
        let mut world = World::new(&case.profile, seed);
        world.tamper = case.gilbert.map(|gilbert| gilbert.channel(seed));
        let speakers = (0..case.speakers).map(|_| world.connected()[0]).collect();
        Self { world, speakers, said: Vec::new() }
    }

    fn say(&mut self, line: u32) {
        self.said.push(self.world.now);
        let mut message = line.to_be_bytes().to_vec();
        message.resize(LINE, 7);
        let speaker = self.speakers[line as usize % self.speakers.len()];
        self.world.send(0, speaker, Lane::thin(1), message);
    }

    fn hear_all(&mut self, seed: u64) {
        let all = self.said.len();
        let heard = |world: &World| world.hosts[1].inbox.len() == all;
        assert!(self.world.run_until(Duration::from_secs(60), heard), "seed {seed}");
    }

    /// Of all lines but the first.
    fn latencies(&self, first: u32) -> Vec<f64> {
        let heard = self.world.hosts[1].inbox.iter().map(|message| {
            let line = u32::from_be_bytes(message.bytes[..4].try_into().unwrap());
            (line, (message.at - self.said[line as usize]).as_secs_f64() * 1e3)
        });
        let mut latencies: Vec<f64> =
            heard.filter(|(line, _)| *line >= first).map(|(_, latency)| latency).collect();
        latencies.sort_by(f64::total_cmp);
        latencies
    }

    fn spent(&self) -> Spent {
        let [here, there] = &self.world.hosts;
        let stats: Vec<_> = self.speakers.iter().map(|key| here.connections[key].stats()).collect();
        Spent {
            lines: 0,
            bytes: here.sent.1 + there.sent.1 + (here.sent.0 + there.sent.0) * HEADERS,
            there: here.sent.0,
            back: there.sent.0,
            bytes_back: there.sent.1 + there.sent.0 * HEADERS,
            copies: stats.iter().map(|stats| stats.copies).sum(),
            rounds: stats.iter().map(|stats| stats.retransmits).sum(),
            probes: stats.iter().map(|stats| stats.probe_timeouts).sum(),
        }
    }
}

impl Spent {
    fn since(self, before: Self, lines: u32) -> Self {
        Self {
            lines: lines.into(),
            bytes: self.bytes - before.bytes,
            there: self.there - before.there,
            back: self.back - before.back,
            bytes_back: self.bytes_back - before.bytes_back,
            copies: self.copies - before.copies,
            rounds: self.rounds - before.rounds,
            probes: self.probes - before.probes,
        }
    }

    fn add(&mut self, other: Self) {
        self.lines += other.lines;
        self.bytes += other.bytes;
        self.there += other.there;
        self.back += other.back;
        self.bytes_back += other.bytes_back;
        self.copies += other.copies;
        self.rounds += other.rounds;
        self.probes += other.probes;
    }
}

impl Outcome {
    pub(super) fn add(&mut self, other: Self) {
        self.latencies.extend(other.latencies);
        self.latencies.sort_by(f64::total_cmp);
        self.spent.add(other.spent);
    }

    /// The milliseconds that the share `x` of the lines do not exceed.
    pub(super) fn at(&self, x: f64) -> f64 {
        self.latencies[((self.latencies.len() - 1) as f64 * x).round() as usize]
    }

    /// Bytes both ways for each line, as a multiple of one packet.
    pub(super) fn price(&self) -> f64 {
        self.spent.bytes as f64 / self.spent.lines as f64 / LINE_ON_WIRE
    }

    /// For each line: datagrams there and back, bytes of one back; copies, repetitions, probe timeouts.
    pub(super) fn parts(&self) -> [f64; 6] {
        let Spent { lines, there, back, bytes_back, copies, rounds, probes, .. } = self.spent;
        let [there, back, copies, rounds, probes] =
            [there, back, copies, rounds, probes].map(|count| count as f64 / lines as f64);
        [there, back, bytes_back as f64 / self.spent.back as f64, copies, rounds, probes]
    }
}
