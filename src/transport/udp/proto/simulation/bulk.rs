//! How much of a bad link a file gets, and what that does to chat beside it.

use std::time::{Duration, Instant};

use bytes::Bytes;

use super::World;
use crate::transport::{
    Class, Lane,
    impair::Profile,
    udp::proto::{Config, congestion::Algorithm},
};

/// Bytes of a message of the file.
const CHUNK: usize = 16 << 10;

/// Bytes of a line of chat.
const LINE: usize = 200;

/// Bytes that a packet takes on Ethernet beyond its UDP payload.
const HEADERS: u64 = 42;

#[derive(Debug)]
struct Outcome {
    /// Bits a second that arrived.
    goodput: f64,
    /// Bytes on the wire, both ways, for each that arrived.
    price: f64,
    /// How late lines of chat were: the middle one and the last of a hundred, ms.
    chat: [f64; 2],
}

/// How often a link stalls, and for how long: then nothing arrives, and afterwards all of it at once.
#[derive(Clone, Copy, Debug)]
struct Stalls {
    every: Duration,
    length: Duration,
}

const NO_STALLS: Stalls = Stalls { every: Duration::MAX, length: Duration::ZERO };

fn run(profile: &str, algorithm: Algorithm, stalls: Stalls, span: Duration, seed: u64) -> Outcome {
    let config = Config { congestion: algorithm, ..Config::default() };
    let mut world = World::with(&Profile::parse(profile).unwrap(), seed, [config.clone(), config]);
    let [key, _] = world.connected();
    let chunk = Bytes::from(vec![7; CHUNK]);
    let ramp = Duration::from_secs(3);
    let (start, mut next_line, mut line) = (world.now, world.now, 0_u32);
    let mut said: Vec<Instant> = Vec::new();
    let mut counted = None;
    let mut next_stall = start.checked_add(stalls.every);
    while world.now < start + ramp + span {
        while world.hosts[0].connections[&key].has_room(Class::Bulk, CHUNK) {
            let now = world.now;
            world.connection(0, key).send(Lane::bulk(0), chunk.clone(), now).unwrap();
        }
        if world.now >= next_line {
            let mut message = line.to_be_bytes().to_vec();
            message.resize(LINE, 7);
            said.push(next_line);
            let now = world.now;
            world.connection(0, key).send(Lane::thin(1), message.into(), now).unwrap();
            line += 1;
            next_line += Duration::from_millis(20);
        }
        if next_stall.is_some_and(|next| world.now >= next) {
            world.held_until = Some(world.now + stalls.length);
            next_stall = world.now.checked_add(stalls.every);
        }
        world.settle();
        if counted.is_none() && world.now >= start + ramp {
            counted = Some((bytes(&world), delivered(&world)));
        }
        let to = world.next().map_or(next_line, |next| next.min(next_line)).max(world.now);
        world.advance_to(to);
    }
    let (wire, before) = counted.unwrap();
    let delivered = delivered(&world) - before;
    let mut late: Vec<f64> = Vec::new();
    for message in world.hosts[1].inbox.iter().filter(|message| message.class == Class::Thin) {
        let line = u32::from_be_bytes(message.bytes[..4].try_into().unwrap()) as usize;
        if said[line] > start + ramp {
            late.push((message.at - said[line]).as_secs_f64() * 1e3);
        }
    }
    late.sort_by(f64::total_cmp);
    let at = |share: f64| late[((late.len() - 1) as f64 * share) as usize];
    Outcome {
        goodput: delivered as f64 * 8.0 / span.as_secs_f64(),
        price: (bytes(&world) - wire) as f64 / delivered as f64,
        chat: [at(0.5), at(0.99)],
    }
}

fn bytes(world: &World) -> u64 {
    world.hosts.iter().map(|host| host.sent.1 + host.sent.0 * HEADERS).sum()
}

fn delivered(world: &World) -> usize {
    world.hosts[1].inbox.iter().filter(|message| message.class == Class::Bulk).map(|m| m.bytes.len()).sum()
}

/// A link, Mbit/s, the share it loses, and what of the rest a file has to get.
type Link = (&'static str, f64, f64, f64);

const LINKS: [Link; 9] = [
    (r#"{"delay_ms": 5, "rate_mbit": 100}"#, 100.0, 0.0, 0.9),
    (r#"{"delay_ms": 20, "rate_mbit": 50, "loss_percent": 1}"#, 50.0, 0.01, 0.9),
    (r#"{"delay_ms": 20, "rate_mbit": 50, "loss_percent": 5}"#, 50.0, 0.05, 0.9),
    (r#"{"delay_ms": 50, "rate_mbit": 50, "loss_percent": 10}"#, 50.0, 0.1, 0.9),
    (r#"{"delay_ms": 50, "rate_mbit": 50, "loss_percent": 20}"#, 50.0, 0.2, 0.8),
    (r#"{"delay_ms": 100, "rate_mbit": 50, "loss_percent": 30}"#, 50.0, 0.3, 0.6),
    (r#"{"delay_ms": 20, "rate_mbit": 50, "loss_percent": 6.25, "burst_ms": 1}"#, 50.0, 0.0625, 0.7),
    (
        r#"{"delay_ms": 20, "jitter_ms": 10, "rate_mbit": 50, "loss_percent": 1, "reorder_percent": 25}"#,
        50.0,
        0.01,
        0.9,
    ),
    (r#"{"delay_ms": 30, "rate_mbit": 10, "loss_percent": 1, "queue_kbytes": 75}"#, 10.0, 0.01, 0.9),
];

/// What the goodput is of what Ethernet and the link's losses leave.
fn share((profile, rate, loss, _): Link, algorithm: Algorithm) -> (f64, Outcome) {
    let outcome = run(profile, algorithm, NO_STALLS, Duration::from_secs(8), 1);
    (share_of(rate, loss, outcome.goodput), outcome)
}

fn share_of(rate: f64, loss: f64, goodput: f64) -> f64 {
    goodput / (rate * 1e6 * 1448.0 / 1514.0 * (1.0 - loss))
}

#[test]
fn does_a_file_fill_a_link_that_loses_reorders_and_jitters() {
    for link in [LINKS[1], LINKS[3], LINKS[5], LINKS[7]] {
        let (share, outcome) = share(link, Algorithm::default());
        assert!(share >= link.3, "{link:?}: {share} {outcome:?}");
    }
}

#[test]
fn does_a_file_go_on_as_fast_as_the_link_when_that_stalled() {
    let (profile, rate, loss, _) = LINKS[1];
    let stalls = Stalls { every: Duration::from_secs(3), length: Duration::from_millis(100) };
    for seed in [5, 6] {
        let outcome = run(profile, Algorithm::default(), stalls, Duration::from_secs(8), seed);
        let share = share_of(rate, loss, outcome.goodput);
        assert!(share >= 0.9, "seed {seed}: {share} {outcome:?}");
    }
}

#[test]
#[ignore = "prints a table; takes a while"]
fn bulk_table() {
    println!("| link | controller | Mbit/s | of the ceiling | bytes on the wire | chat p50, p99 ms |");
    println!("| --- | --- | --- | --- | --- | --- |");
    for link in LINKS {
        for algorithm in [Algorithm::Cubic, Algorithm::Bbr] {
            let (share, Outcome { goodput, price, chat: [p50, p99] }) = share(link, algorithm);
            let mbit = goodput / 1e6;
            println!(
                "| {} | {algorithm:?} | {mbit:.1} | {share:.2} | {price:.2} | {p50:.1}, {p99:.1} |",
                link.0
            );
        }
    }
}

/// Where some packets take no time an average of few of them can be any latency, and the rest look queued: a flow
/// that believes it begins slowly and then sees a rival in every round.
#[test]
fn does_a_link_that_reorders_ever_look_like_one_with_a_rival() {
    let (profile, rate, loss, _) = LINKS[7];
    for seed in 1..=12 {
        let outcome = run(profile, Algorithm::default(), NO_STALLS, Duration::from_secs(8), seed);
        let share = share_of(rate, loss, outcome.goodput);
        assert!(share >= 0.7, "seed {seed}: {share} {outcome:?}");
    }
}
