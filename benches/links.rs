//! What a message costs over each transport, and what a handshake costs: both sides in this process, over
//! loopback, every transport in the same run and in turns, so that the figures can be compared.
//!
//! `burst`: 200 bytes, as fast as the sender can, on one chat lane or on 8. `ping`: one message there and
//! back at a time. `handshake`: dialed, accepted and left, one dial at a time or 32. CPU is user and
//! system time of both sides. Every figure is the median of the rounds, and the last column how far they
//! were apart.

#![expect(clippy::print_stdout, reason = "the figures are its output")]

#[path = "links/carrier.rs"]
mod carrier;
#[path = "links/pair.rs"]
mod pair;
#[path = "links/spent.rs"]
mod spent;

use std::env;

use carrier::CARRIERS;
use pair::Pair;
use spent::Spent;
use tokio::runtime::Runtime;

const ROUNDS: usize = 7;

/// What is done in a round, and how often.
#[derive(Clone, Copy)]
enum Workload {
    Burst { lanes: u32 },
    Ping,
    Handshake { at_once: usize },
}

const WORKLOADS: [(&str, Workload, u32); 5] = [
    ("burst, 1 lane", Workload::Burst { lanes: 1 }, 100_000),
    ("burst, 8 lanes", Workload::Burst { lanes: 8 }, 100_000),
    ("ping", Workload::Ping, 5_000),
    ("handshake", Workload::Handshake { at_once: 1 }, 300),
    ("handshake, 32 at once", Workload::Handshake { at_once: 32 }, 960),
];

fn main() {
    let runtime = Runtime::new().expect("a runtime");
    let only = env::args().skip(1).find(|word| !word.starts_with('-'));
    let mut pairs: Vec<Pair> = CARRIERS.iter().map(|carrier| runtime.block_on(Pair::new(carrier))).collect();
    println!(
        "{:<22} {:<13} {:>10} {:>13} {:>16} {:>8}",
        "workload", "transport", "a second", "p50 of each", "CPU s a million", "spread"
    );
    for (name, workload, times) in WORKLOADS {
        if only.as_ref().is_some_and(|only| !name.contains(only.as_str())) {
            continue;
        }
        let mut rounds: Vec<Vec<Spent>> = pairs.iter().map(|_| Vec::new()).collect();
        // The first round warms up.
        for round in 0..=ROUNDS {
            for (pair, rounds) in pairs.iter_mut().zip(&mut rounds) {
                let spent = runtime.block_on(run(pair, workload, times));
                if round > 0 {
                    rounds.push(spent);
                }
            }
        }
        for (carrier, rounds) in CARRIERS.iter().zip(rounds) {
            println!("{name:<22} {:<13} {}", carrier.name, spent::median(rounds));
        }
    }
}

async fn run(pair: &mut Pair, workload: Workload, times: u32) -> Spent {
    match workload {
        Workload::Burst { lanes } => pair.burst(lanes, times).await,
        Workload::Ping => pair.ping(times).await,
        Workload::Handshake { at_once } => pair.shake_hands(at_once, times).await,
    }
}
