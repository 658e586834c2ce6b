//! What if large datagrams vanish, on the way or in one direction?

use std::{cell::Cell, rc::Rc};

use super::*;
use crate::transport::Lane;

/// A path whose largest datagrams change, from each side.
fn limited(world: &mut World) -> Rc<Cell<[usize; 2]>> {
    let limits = Rc::new(Cell::new([usize::MAX; 2]));
    let seen = limits.clone();
    world.tamper = Some(Box::new(move |from, _, datagram| datagram.len() <= seen.get()[from]));
    limits
}

/// The probe timeout without backoff, its jitter at the largest.
fn probe_timeout(world: &mut World, key: ConnectionKey) -> Duration {
    let stats = world.connection(0, key).stats();
    (stats.rtt + (stats.rtt_var * 4).max(MS) + 25 * MS) * 11 / 10
}

#[test]
fn is_a_black_hole_found_in_less_than_three_probe_timeouts() {
    for (hole, seed) in [1400, 1280, 1200].into_iter().flat_map(|hole| (0..4).map(move |seed| (hole, seed))) {
        let profile = Profile::parse(r#"{"delay_ms": 50, "rate_mbit": 50, "queue_ms": 100}"#).unwrap();
        let mut world = World::new(&profile, seed);
        let [here, _] = world.connected();
        let limits = limited(&mut world);
        world.run(SECOND);
        world.send(0, here, Lane::bulk(1), vec![1; 3 << 20]);
        world.run(300 * MS + 7 * MS * seed as u32);
        assert_eq!(world.connection(0, here).stats().mtu, 1472);
        let timeout = probe_timeout(&mut world, here);
        limits.set([hole; 2]);
        // What passed the hole before still arrives, and is acknowledged for a round trip.
        let limit = timeout * 3 + world.connection(0, here).stats().rtt;
        let found = world.run_until(limit, |world| world.hosts[0].connections[&here].stats().mtu == 1200);
        assert!(found, "{hole}: {:?}", world.connection(0, here).stats());
        assert!(world.run_until(SECOND * 20, |world| !world.hosts[1].inbox.is_empty()), "{hole}");
    }
}

#[test]
fn does_a_path_that_narrows_twice_and_widens_again_carry_everything() {
    let mut world = clean(1);
    let [here, _] = world.connected();
    let limits = limited(&mut world);
    for (number, limit) in [1472, 1400, 1280, 1200, 1472].into_iter().enumerate() {
        limits.set([limit; 2]);
        world.send(0, here, Lane::bulk(1), vec![number as u8; 1 << 20]);
        assert!(world.run_until(SECOND * 15, |world| world.hosts[1].inbox.len() > number), "{limit}");
        world.run(SECOND * 62);
        let mtu = usize::from(world.connection(0, here).stats().mtu);
        assert!(mtu <= limit.max(1200), "{mtu} over {limit}");
    }
}

#[test]
fn is_a_link_of_short_lines_spared_all_probes() {
    let mut world = clean(1);
    let [here, _] = world.connected();
    let largest = Rc::new(Cell::new(0));
    let seen = largest.clone();
    world.tamper = Some(Box::new(move |_, _, datagram| {
        seen.set(seen.get().max(datagram.len()));
        true
    }));
    for _ in 0..50 {
        world.send(0, here, Lane::thin(1), vec![7; 200]);
        world.run(100 * MS);
    }
    assert!(largest.get() < 400, "{}", largest.get());
    world.send(0, here, Lane::thin(1), vec![7; 1500]);
    world.run(SECOND);
    assert_eq!((largest.get(), world.connection(0, here).stats().mtu), (1472, 1472));
}

#[test]
fn does_chat_not_notice_a_black_hole() {
    let mut world = clean(1);
    let [here, _] = world.connected();
    let limits = limited(&mut world);
    world.send(0, here, Lane::bulk(1), vec![7; 10_000]);
    world.run(SECOND);
    assert_eq!(world.connection(0, here).stats().mtu, 1472);
    limits.set([1200; 2]);
    for line in 1..51 {
        let at = world.now;
        world.send(0, here, Lane::thin(1), vec![7; 200]);
        assert!(world.run_until(SECOND, |world| world.hosts[1].inbox.len() > line));
        assert_eq!(world.now - at, 50 * MS);
        world.run(30 * MS);
    }
}

#[test]
fn does_each_direction_find_its_own_size() {
    let mut world = clean(1);
    let limits = limited(&mut world);
    limits.set([1400, 1250]);
    let [here, there] = world.connected();
    world.send(0, here, Lane::bulk(1), vec![1; 1 << 20]);
    world.send(1, there, Lane::bulk(1), vec![2; 1 << 20]);
    world.run(SECOND * 20);
    let found = [world.connection(0, here).stats().mtu, world.connection(1, there).stats().mtu];
    assert!((1392..=1400).contains(&found[0]) && (1242..=1250).contains(&found[1]), "{found:?}");
    assert!(world.hosts.iter().all(|host| host.inbox.len() == 1));
}
