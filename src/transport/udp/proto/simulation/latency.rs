//! How long a line of chat takes on a link that loses, against what no protocol without copies can beat.
//!
//! `cargo test --release --lib latency_table -- --ignored --nocapture` prints the table of
//! `docs/latency.md`.

use std::time::{Duration, Instant};

use super::World;
use crate::transport::{Lane, impair::Profile};

/// Bytes of a line.
const LINE: usize = 200;

/// Bytes on the wire of a line in one packet of IPv4: sealed, framed, with its headers.
const LINE_ON_WIRE: f64 = 261.0;

/// Bytes of IPv4 and UDP headers.
const HEADERS: u64 = 28;

/// One row of the table.
#[derive(Clone, Copy, Debug)]
struct Case {
    loss_percent: f64,
    rtt: Duration,
    per_second: u32,
}

/// What was measured.
#[derive(Debug)]
struct Outcome {
    p50: f64,
    p99: f64,
    p999: f64,
    max: f64,
    copies: u64,
    /// Bytes both ways for each line, as a multiple of one packet.
    bytes: f64,
}

fn run(case: Case, lines: u32, seed: u64) -> Outcome {
    let one_way = case.rtt.as_millis() / 2;
    let text = format!(r#"{{"delay_ms": {one_way}, "loss_percent": {}}}"#, case.loss_percent);
    let mut world = World::new(&Profile::parse(&text).unwrap(), seed);
    let [key, _] = world.connected();
    // What the path is like is learned first; the table is about chat, not about the first minute.
    let warm_up = lines / 20;
    let pause = Duration::from_secs(1) / case.per_second;
    let mut said: Vec<Instant> = Vec::new();
    let mut before = (0, 0);
    for line in 0..warm_up + lines {
        if line == warm_up {
            before = (
                world.hosts[0].sent.1 + world.hosts[1].sent.1,
                world.hosts[0].sent.0 + world.hosts[1].sent.0,
            );
        }
        said.push(world.now);
        let mut message = line.to_be_bytes().to_vec();
        message.resize(LINE, 7);
        world.send(0, key, Lane::thin(1), message);
        world.run(pause);
    }
    let all = (warm_up + lines) as usize;
    assert!(
        world.run_until(Duration::from_secs(60), |world| world.hosts[1].inbox.len() == all),
        "seed {seed}"
    );
    let mut latencies: Vec<f64> = Vec::new();
    for (line, message) in world.hosts[1].inbox.iter().enumerate() {
        assert_eq!(message.bytes[..4], (line as u32).to_be_bytes());
        if line >= warm_up as usize {
            latencies.push((message.at - said[line]).as_secs_f64() * 1e3);
        }
    }
    latencies.sort_by(f64::total_cmp);
    let at = |share: f64| latencies[((latencies.len() - 1) as f64 * share).round() as usize];
    let bytes = world.hosts[0].sent.1 + world.hosts[1].sent.1 - before.0;
    let datagrams = world.hosts[0].sent.0 + world.hosts[1].sent.0 - before.1;
    Outcome {
        p50: at(0.5),
        p99: at(0.99),
        p999: at(0.999),
        max: at(1.0),
        copies: world.connection(0, key).stats().copies,
        bytes: (bytes + datagrams * HEADERS) as f64 / f64::from(lines) / LINE_ON_WIRE,
    }
}

/// The least that any protocol without copies needs for the share `x` of its lines: each loss costs a
/// round trip at least, and `n` transmissions are needed for `1 - p^n >= x`.
fn floor_without_copies(case: Case, x: f64) -> f64 {
    let d = case.rtt.as_secs_f64() * 500.0;
    let p = case.loss_percent / 100.0;
    let n = if p > 0.0 { ((1.0 - x).ln() / p.ln()).ceil().max(1.0) } else { 1.0 };
    d + (n - 1.0) * case.rtt.as_secs_f64() * 1e3
}

fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for loss_percent in [0.0, 1.0, 5.0, 10.0, 30.0] {
        for rtt in [50, 200] {
            for per_second in [2, 10] {
                cases.push(Case { loss_percent, rtt: Duration::from_millis(rtt), per_second });
            }
        }
    }
    cases
}

fn assert_aims(case: Case, outcome: &Outcome) {
    let rtt = case.rtt.as_secs_f64() * 1e3;
    let d = rtt / 2.0;
    assert!(outcome.p50 <= d + 1.0, "{case:?} {outcome:?}");
    match case.loss_percent {
        0.0 => assert_eq!(outcome.copies, 0, "{case:?} {outcome:?}"),
        10.0 => {
            assert!(outcome.p99 <= d + 15.0, "{case:?} {outcome:?}");
            assert!(outcome.p999 <= 1.5 * rtt + 15.0, "{case:?} {outcome:?}");
        }
        30.0 => assert!(outcome.p99 <= 1.5 * rtt + 15.0, "{case:?} {outcome:?}"),
        _ => {}
    }
}

#[test]
fn is_chat_on_time_on_links_that_lose_a_tenth_and_a_third() {
    for case in cases().into_iter().filter(|case| [0.0, 10.0, 30.0].contains(&case.loss_percent)) {
        assert_aims(case, &run(case, 4_000, 1));
    }
}

#[test]
#[ignore = "prints a table; takes a while"]
fn latency_table() {
    println!("| loss | RTT ms | lines/s | p50 | p99 | p99.9 | max | floor p99 | floor p99.9 | bytes |");
    println!("| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |");
    for case in cases() {
        let outcome = run(case, 20_000, 1);
        println!(
            "| {} % | {} | {} | {:.0} | {:.0} | {:.0} | {:.0} | {:.0} | {:.0} | {:.2}x |",
            case.loss_percent,
            case.rtt.as_millis(),
            case.per_second,
            outcome.p50,
            outcome.p99,
            outcome.p999,
            outcome.max,
            floor_without_copies(case, 0.99),
            floor_without_copies(case, 0.999),
            outcome.bytes,
        );
        assert_aims(case, &outcome);
    }
}
