//! Do copies give way where they would be the congestion?

use std::collections::BTreeMap;

use rand::{RngExt as _, SeedableRng as _, rngs::ChaCha8Rng};

use super::*;

/// People who share the link.
const PEOPLE: usize = 50;

/// A link of which 50 lines of 261 bytes a second are two fifths, if each goes once, and more than all
/// if each goes three times as the loss calls for.
const NARROW: &str = r#"{"delay_ms": 30, "loss_percent": 5, "rate_mbit": 0.256, "queue_ms": 1000}"#;

/// A link that bears all copies.
const WIDE: &str = r#"{"delay_ms": 30, "loss_percent": 5, "rate_mbit": 2.56, "queue_ms": 1000}"#;

/// Lines that each says, one in every second, at any time within it.
const LINES: u32 = 60;

#[derive(Debug)]
struct Outcome {
    copies: u64,
    /// Shares of the datagrams that the queue dropped.
    dropped: f64,
    /// How late the lines of the second half came, in the middle and at the end of the distribution.
    p50: Duration,
    p99: Duration,
}

/// Who says which line when, in order of time.
fn talk(seed: u64) -> Vec<(Duration, u32, u32)> {
    let mut chance = ChaCha8Rng::seed_from_u64(seed);
    let lines = (0..LINES).flat_map(|number| (0..PEOPLE as u32).map(move |lane| (lane, number)));
    let mut said: Vec<_> = lines
        .map(|(lane, number)| (millis(chance.random_range(0..1000)) + seconds(number.into()), lane, number))
        .collect();
    said.sort();
    said
}

fn chat(profile: &str, max_copies: u8, seed: u64) -> Outcome {
    let config = Config { max_copies, ..Config::default() };
    let mut world = World::with(&Profile::parse(profile).unwrap(), seed, [config.clone(), config]);
    let people: Vec<ConnectionKey> = (0..PEOPLE).map(|_| world.connected()[0]).collect();
    let said = talk(seed);
    let start = world.now;
    for &(at, lane, number) in &said {
        world.run((start + at).saturating_duration_since(world.now));
        world.say(0, people[lane as usize], lane, number);
    }
    let all = PEOPLE * LINES as usize;
    assert!(world.run_until(seconds(30), |world| world.hosts[1].inbox.len() == all));
    for lane in 0..PEOPLE as u32 {
        world.assert_heard(1, lane, LINES);
    }
    let late = world.lines(1).filter(|(_, (_, number))| *number >= LINES / 2);
    let said: BTreeMap<_, _> = said.iter().map(|&(at, lane, number)| ((lane, number), start + at)).collect();
    let mut waits: Vec<Duration> = late.map(|(message, line)| message.at - said[&line]).collect();
    waits.sort();
    let line = world.hosts[0].line.stats();
    Outcome {
        copies: people.iter().map(|key| world.hosts[0].connections[key].stats().copies).sum(),
        dropped: line.queue_full as f64 / line.sent as f64,
        p50: waits[waits.len() / 2],
        p99: waits[waits.len() * 99 / 100],
    }
}

#[test]
fn do_fifty_people_on_a_narrow_link_not_drown_each_other_in_copies() {
    for seed in 1..=2 {
        let (wide, without, with) = (chat(WIDE, 3, seed), chat(NARROW, 1, seed), chat(NARROW, 3, seed));
        let told = format!("seed {seed}: {wide:?} {without:?} {with:?}");
        assert!(with.copies * 2 < wide.copies, "not for want of loss: {told}");
        assert!(with.dropped <= without.dropped + 0.001, "{told}");
        assert!(with.p50 < without.p50 + millis(10) && with.p99 < without.p99 * 2, "{told}");
    }
}

#[test]
fn does_who_connects_later_expect_what_others_lost() {
    let copies = |loss: u32| {
        let profile = format!(r#"{{"delay_ms": 30, "loss_percent": {loss}}}"#);
        let mut world = World::new(&Profile::parse(&profile).unwrap(), 1);
        let [first, _] = world.connected();
        for number in 0..200 {
            world.say(0, first, 0, number);
            world.run(millis(20));
        }
        let [second, _] = world.connected();
        world.say(0, second, 1, 0);
        world.run(seconds(1));
        world.hosts[0].connections[&second].stats().copies
    };
    assert_eq!((copies(0), copies(2)), (0, 1));
}
