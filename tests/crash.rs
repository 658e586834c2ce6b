//! `kill -9` at random moments, real processes and files: nothing that was called stored is lost, nothing is
//! doubled, everything is in order.
//!
//! `SAYAGAIN_ROUNDS=1000 cargo test --release --test crash` kills more often; a failure prints the seed, which
//! `SAYAGAIN_SEED=N` takes. The moments of a seed are the same, what the operating system makes of them is not.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "what a test cannot do fails it; what it counted is shown"
)]

#[path = "crash/person.rs"]
mod person;
#[path = "crash/reckoning.rs"]
mod reckoning;
mod support;

use std::{env, thread, time::Duration};

use rand::{RngExt as _, SeedableRng as _, rngs::ChaCha12Rng};

use person::Person;
use reckoning::Reckoning;
use support::{patience::eventually, star::Star};

/// Rounds of each question, each of which kills somebody.
const ROUNDS: u64 = 25;

/// Those who talk, and are killed.
const TALKERS: usize = 3;

fn number(variable: &str) -> Option<u64> {
    env::var(variable).ok()?.parse().ok()
}

/// A server, people who talk, one who listens and is never killed.
fn kill_at_random(transport: &'static str) {
    let seed = number("SAYAGAIN_SEED").unwrap_or_else(|| u64::from(std::process::id()));
    println!("SAYAGAIN_SEED={seed} replays the moments");
    let mut rng = ChaCha12Rng::seed_from_u64(seed);
    let mut star = Star::over(transport, &[]);
    let mut listener = Person::new("listener");
    listener.comes(&star);
    eventually("the listener is there", || listener.has_joined().then_some(()));
    let mut talkers: Vec<Person> = (0..TALKERS).map(|n| Person::new(&format!("talker{n}"))).collect();
    talkers.iter_mut().for_each(|talker| talker.comes(&star));
    for _ in 0..number("SAYAGAIN_ROUNDS").unwrap_or(ROUNDS) {
        for _ in 0..rng.random_range(1..20) {
            let who = rng.random_range(0..TALKERS);
            talkers[who].says_something();
            thread::sleep(Duration::from_micros(rng.random_range(0..20_000)));
        }
        match rng.random_range(0..3) {
            0 => {
                let who = rng.random_range(0..TALKERS);
                talkers[who].is_killed();
                talkers[who].comes(&star);
            }
            1 => restart(&mut star),
            _ => {
                let who = rng.random_range(0..TALKERS);
                talkers[who].is_killed();
                restart(&mut star);
                talkers[who].comes(&star);
            }
        }
    }
    for talker in &mut talkers {
        talker.says_something();
        eventually("everything of the last run is stored", || talker.has_nothing_unstored().then_some(()));
    }
    reckon(&mut star, &mut listener, &mut talkers);
}

fn restart(star: &mut Star) {
    star.server.murder();
    star.serve_again("server");
}

fn reckon(star: &mut Star, listener: &mut Person, talkers: &mut [Person]) {
    let last = talkers.iter().map(|talker| talker.last_line().to_owned()).collect::<Vec<_>>();
    for line in last {
        eventually("the listener hears the last line of everybody", || listener.heard(&line).then_some(()));
    }
    star.server.murder();
    let mut reckoning = Reckoning::of(&star.folder.at("server/history.db"));
    for talker in talkers {
        talker.is_killed();
        reckoning.holds_what_was_stored(talker);
    }
    listener.is_killed();
    reckoning.is_what_was_heard(listener);
    reckoning.shown();
}

#[test]
fn is_anything_stored_lost_or_doubled_when_server_and_clients_are_killed_over_tcp() {
    kill_at_random("tcp");
}

#[test]
fn is_anything_stored_lost_or_doubled_when_server_and_clients_are_killed_over_udp() {
    kill_at_random("udp");
}
