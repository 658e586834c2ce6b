//! Disks that fail or are full under a real server: what it called stored is there, what it did not call so is
//! said again, and nobody is told otherwise. Needs `strace`, or the right to mount; says so and passes where they
//! are missing.
//!
//! Calls are a sample; `SAYAGAIN_FAULTS=50 cargo test --test faults` lets each of the first 50 fail. A failure
//! prints the seed of its sample, which `SAYAGAIN_SEED=N` takes.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "what a test cannot do fails it; what it counted is shown"
)]

#[path = "faults/birth.rs"]
mod birth;
#[path = "faults/failing.rs"]
mod failing;
#[path = "faults/full.rs"]
mod full;
#[path = "faults/hall.rs"]
mod hall;
#[path = "faults/own.rs"]
mod own;
#[path = "faults/peers.rs"]
mod peers;
mod support;
#[path = "faults/trace.rs"]
mod trace;

use std::env;

use rand::{RngExt as _, SeedableRng as _, rngs::ChaCha12Rng};

use trace::Fault;

/// The status of a node whose store failed.
const STORE_FAILED: i32 = 70;

/// Calls among which those are that fail.
const CALLS: u64 = 50;

/// One call of these that fails for each of so many lives.
fn failures(calls: &'static str, lives: u64) -> impl Iterator<Item = Fault> {
    sample(lives).into_iter().map(move |nth| {
        println!("call {nth} of {calls} fails");
        Fault { calls, error: "EIO", nth }
    })
}

/// Which of the first calls fail, one in each of so many lives, unless all are asked for.
fn sample(lives: u64) -> Vec<u64> {
    let number = |variable| env::var(variable).ok()?.parse::<u64>().ok();
    if let Some(all) = number("SAYAGAIN_FAULTS") {
        return (1..=all).collect();
    }
    let seed = number("SAYAGAIN_SEED").unwrap_or_else(|| u64::from(std::process::id()));
    println!("SAYAGAIN_SEED={seed} replays the sample");
    let mut rng = ChaCha12Rng::seed_from_u64(seed);
    // One of each stretch, so that early and late calls have their turn.
    (0..lives).map(|n| rng.random_range(CALLS * n / lives..CALLS * (n + 1) / lives) + 1).collect()
}
