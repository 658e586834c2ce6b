//! `kill -9` at random moments, real processes and files: nothing that was called stored is lost, nothing is
//! doubled, everything is in order.
//!
//! `SAYAGAIN_ROUNDS=1000 cargo test --release --test crash` kills more often; a failure prints the seed, which
//! `SAYAGAIN_SEED=N` takes. The moments of a seed are the same, what the operating system makes of them is not.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "what a test cannot do fails it; what it counted, and how long it took, is shown"
)]

mod support;

use std::{
    env, thread,
    time::{Duration, Instant},
};

use rand::{RngExt as _, SeedableRng as _, rngs::ChaCha12Rng};

use support::{
    patience::eventually,
    peers::Peers,
    person::Person,
    process::Launch,
    reckoning::{Reckoning, are_alike},
    star::Star,
};

/// Rounds of each question, each of which kills somebody.
const ROUNDS: u64 = 50;

/// Those who talk, and are killed.
const TALKERS: usize = 3;

fn number(variable: &str) -> Option<u64> {
    env::var(variable).ok()?.parse().ok()
}

/// Kills in as many rounds as are asked for, then reckons.
fn in_rounds(what: &str, kill_and_reckon: impl FnOnce(&mut ChaCha12Rng, u64) -> String) {
    let seed = number("SAYAGAIN_SEED").unwrap_or_else(|| u64::from(std::process::id()));
    println!("SAYAGAIN_SEED={seed} replays the moments");
    let rounds = number("SAYAGAIN_ROUNDS").unwrap_or(ROUNDS);
    let start = Instant::now();
    let counted = kill_and_reckon(&mut ChaCha12Rng::seed_from_u64(seed), rounds);
    println!("{what}, {rounds} rounds in {} s: {counted}", start.elapsed().as_secs());
}

/// Those of them who are there say up to `most` lines, in any order.
fn talk(rng: &mut ChaCha12Rng, talkers: &mut [Person], most: usize) {
    for _ in 0..rng.random_range(1..most) {
        let who = rng.random_range(0..talkers.len());
        if talkers[who].is_there() {
            talkers[who].says_something();
        }
        thread::sleep(Duration::from_micros(rng.random_range(0..20_000)));
    }
}

fn say_the_last_words(listener: &mut Person, talkers: &mut [Person]) {
    for talker in &mut *talkers {
        talker.says_something();
    }
    for talker in talkers {
        eventually("everything of the last run is stored", || talker.has_nothing_unstored().then_some(()));
        let line = talker.last_line().to_owned();
        eventually("the listener hears the last line of everybody", || listener.heard(&line).then_some(()));
    }
}

/// A server, people who talk, one who listens and is never killed.
fn kill_server_and_clients(transport: &'static str, rng: &mut ChaCha12Rng, rounds: u64) -> String {
    let mut star = Star::over(transport, &[]);
    let store = star.folder.at("server/history.db");
    let mut listener = Person::new("listener", &star.folder);
    listener.comes(client(&star, &listener));
    eventually("the listener is there", || listener.has_joined().then_some(()));
    let mut talkers: Vec<Person> =
        (0..TALKERS).map(|n| Person::new(&format!("talker{n}"), &star.folder)).collect();
    talkers.iter_mut().for_each(|talker| talker.comes(client(&star, talker)));
    for _ in 0..rounds {
        talk(rng, &mut talkers, 20);
        let who = rng.random_range(0..TALKERS);
        let (dies, server_dies) = [(true, false), (false, true), (true, true)][rng.random_range(0..3)];
        if dies {
            talkers[who].is_killed();
        }
        if server_dies {
            star.server.murder();
            // Here and now: later its authors have said again what they find missing.
            holds_what_was_stored(&store, &mut talkers);
            star.serve_again("server");
        }
        if dies {
            let talker = &mut talkers[who];
            talker.comes(client(&star, talker));
        }
    }
    say_the_last_words(&mut listener, &mut talkers);
    star.server.murder();
    talkers.iter_mut().for_each(Person::is_killed);
    listener.is_killed();
    let mut reckoning = holds_what_was_stored(&store, &mut talkers);
    reckoning.is_what_was_heard(&listener);
    reckoning.counted()
}

/// A file has all that these people were told is stored.
fn holds_what_was_stored(store: &str, people: &mut [Person]) -> Reckoning {
    people.iter_mut().for_each(Person::listen);
    let mut reckoning = Reckoning::of(store);
    people.iter().for_each(|person| reckoning.holds_what_was_stored(person));
    reckoning
}

fn client(star: &Star, person: &Person) -> Launch {
    star.client(&person.name).with(&["--reconnect"])
}

/// Peers with a store each who talk, one who listens and is never killed.
fn kill_peers(transport: &'static str, rng: &mut ChaCha12Rng, rounds: u64) -> String {
    let mut peers = Peers::over(transport);
    let mut listener = peers.join("listener");
    let mut talkers: Vec<Person> = (0..TALKERS).map(|n| peers.join(&format!("talker{n}"))).collect();
    for _ in 0..rounds {
        talk(rng, &mut talkers, 20);
        let victims = rng.random_range(1..1 << TALKERS);
        let is_victim = |n: &usize| victims & 1 << n != 0;
        for n in (0..TALKERS).filter(is_victim) {
            talkers[n].is_killed();
            holds_what_was_stored(&peers.store_of(&talkers[n]), &mut talkers[n..=n]);
        }
        // Who is away meanwhile has to be told of it.
        talk(rng, &mut talkers, 5);
        (0..TALKERS).filter(is_victim).for_each(|n| peers.come_back(&mut talkers[n]));
    }
    say_the_last_words(&mut listener, &mut talkers);
    let stores: Vec<String> =
        [&listener].into_iter().chain(&talkers).map(|peer| peers.store_of(peer)).collect();
    eventually("every store holds the same", || are_alike(&stores).then_some(()));
    listener.is_killed();
    talkers.iter_mut().for_each(Person::is_killed);
    let mut counted = String::new();
    for store in &stores {
        let mut reckoning = holds_what_was_stored(store, &mut talkers);
        reckoning.is_what_was_heard(&listener);
        counted = reckoning.counted();
    }
    counted
}

#[test]
fn is_anything_stored_lost_or_doubled_when_server_and_clients_are_killed_over_tcp() {
    in_rounds("server and clients over tcp", |rng, rounds| kill_server_and_clients("tcp", rng, rounds));
}

#[test]
fn is_anything_stored_lost_or_doubled_when_server_and_clients_are_killed_over_udp() {
    in_rounds("server and clients over udp", |rng, rounds| kill_server_and_clients("udp", rng, rounds));
}

#[test]
fn is_anything_stored_lost_or_doubled_when_peers_with_a_store_are_killed_over_tcp() {
    in_rounds("peers over tcp", |rng, rounds| kill_peers("tcp", rng, rounds));
}

#[test]
fn is_anything_stored_lost_or_doubled_when_peers_with_a_store_are_killed_over_udp() {
    in_rounds("peers over udp", |rng, rounds| kill_peers("udp", rng, rounds));
}
