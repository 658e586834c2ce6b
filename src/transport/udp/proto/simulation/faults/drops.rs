//! Does every packet that gets lost cost its own recovery and nothing else?

use std::collections::BTreeSet;

use rand::{RngExt as _, SeedableRng as _, rngs::ChaCha8Rng};

use super::*;

const DELAY: Duration = Duration::from_millis(25);

/// What one loss may cost: the first probe timeout of the handshake, 3 x 100 ms + 10 % of jitter, which
/// is longer than a round of chat (a round trip and its variation), than a probe timeout of data
/// (3 x 50 ms + 10 ms of delayed acknowledgement, + 10 %) and than a hole that later packets show; and a
/// round trip, for a loss makes the window smaller and the file may need one more.
const COST: Duration = Duration::from_millis(330 + 50);

/// Lines that each side says.
const LINES: u32 = 8;

/// A small file of the dialing side.
const FILE: usize = 12_000;

/// Two people greet, talk on two lanes, one sends a file, both finish. How long it took and how many
/// datagrams.
fn exchange(lost: &[u64]) -> (Duration, u64) {
    let mut world = world(r#"{"delay_ms": 25}"#, 1);
    let lost: BTreeSet<u64> = lost.iter().copied().collect();
    let mut count = 0;
    world.tamper = Some(Box::new(move |_, _, _| {
        count += 1;
        !lost.contains(&(count - 1))
    }));
    let [here, there] = world.connected();
    world.send(0, here, Lane::bulk(9), vec![9; FILE]);
    for number in 0..LINES {
        for lane in 0..2 {
            world.say(0, here, lane, number);
            world.say(1, there, lane, number);
        }
        world.run(millis(10));
    }
    finish(&mut world, [here, there]);
    for host in 0..2 {
        for lane in 0..2 {
            world.assert_heard(host, lane, LINES);
        }
    }
    let files: Vec<_> = world.hosts[1].inbox.iter().filter(|message| message.class == Class::Bulk).collect();
    assert!(files.len() == 1 && files[0].bytes == vec![9; FILE]);
    (world.now - world.start, world.hosts[0].sent.0 + world.hosts[1].sent.0)
}

/// Both say that they are done, and hear that the other is.
fn finish(world: &mut World, keys: [ConnectionKey; 2]) {
    for (host, key) in keys.into_iter().enumerate() {
        let now = world.now;
        world.connection(host, key).finish(0, "", now);
    }
    world.settle();
    for (host, key) in keys.into_iter().enumerate() {
        let finished = (key, Event::Finished { code: 0, text: String::new() });
        let heard = |world: &World| world.hosts[host].events.contains(&finished);
        assert!(world.run_until(seconds(20), heard), "host {host} never heard the other's finish");
        let (now, total) = (world.now, world.hosts[host].inbox.len() as u64);
        world.connection(host, key).consumed(total, true, now);
        world.settle();
    }
    let settled = |world: &World| {
        let mut both = keys.into_iter().enumerate();
        both.all(|(host, key)| world.hosts[host].connections[&key].is_settled())
    };
    assert!(world.run_until(seconds(20), settled), "not settled");
}

#[test]
fn does_any_one_lost_packet_cost_one_recovery_at_most() {
    let (clean, packets) = exchange(&[]);
    assert!(clean < DELAY * 16 && packets > 50, "{clean:?} {packets}");
    for lost in 0..packets {
        let (took, _) = exchange(&[lost]);
        assert!(took <= clean + COST, "packet {lost}: {took:?} instead of {clean:?}");
    }
}

#[test]
fn do_any_two_lost_packets_cost_two_recoveries_at_most() {
    let (clean, packets) = exchange(&[]);
    let mut chance = ChaCha8Rng::seed_from_u64(16);
    let neighbours = (1..packets).map(|second| [second - 1, second]);
    let others = (0..300).map(|_| [chance.random_range(0..packets), chance.random_range(0..packets)]);
    for lost in neighbours.chain(others.collect::<Vec<_>>()) {
        let (took, _) = exchange(&lost);
        assert!(took <= clean + COST * 2, "packets {lost:?}: {took:?} instead of {clean:?}");
    }
}
