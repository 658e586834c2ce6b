//! What if somebody copies packets and sends them from an address of their own?

use std::{cell::RefCell, rc::Rc};

use super::{
    migration::{HOME, OTHER_PORT, addr, lives_at},
    *,
};
use crate::transport::Lane;

const FORWARDER: &str = "66.6.6.6:666";

/// Copies of whatever leaves host 0 from now on. What `passes`, by the host it is from, also arrives.
fn copied(world: &mut World, passes: fn(usize) -> bool) -> Rc<RefCell<Vec<Vec<u8>>>> {
    let copies = Rc::new(RefCell::new(Vec::new()));
    let seen = copies.clone();
    world.tamper = Some(Box::new(move |from, _, datagram| {
        if from == 0 {
            seen.borrow_mut().push(datagram.clone());
        }
        passes(from)
    }));
    copies
}

/// Somebody who sends copies of whatever leaves host 0 from an address of their own, without delay, and,
/// if `relays`, passes on what comes back.
fn forward(relays: bool) {
    let mut world = clean(1);
    let [here, there] = world.connected();
    lives_at(&mut world, &[HOME]);
    world.run(SECOND);
    let copies = copied(&mut world, |_| true);
    let (forwarder, mut given, mut got) = (addr(FORWARDER), 0, 0);
    world.send(1, there, Lane::bulk(9), vec![9; 1 << 20]);
    let end = world.now + SECOND * 6;
    let mut lines = 0;
    while world.now < end {
        if world.now >= end - SECOND * 6 + 20 * MS * lines && lines < 200 {
            world.send(0, here, Lane::thin(1), vec![1; 40]);
            world.send(1, there, Lane::thin(1), vec![1; 40]);
            lines += 1;
        }
        let next = world.next().unwrap().min(world.now + 20 * MS);
        world.advance_to(next);
        let taken: Vec<Vec<u8>> = copies.borrow_mut().drain(..).collect();
        for mut copy in taken {
            given += copy.len();
            world.arrive(forwarder, server(), None, &mut copy);
        }
        for (_, to, mut datagram) in std::mem::take(&mut world.astray) {
            assert_eq!(to, forwarder);
            got += datagram.len();
            assert!(got <= 3 * given, "{got} bytes for {given}");
            if relays {
                world.arrive(forwarder, addr(HOME), None, &mut datagram);
            }
        }
    }
    assert_eq!(world.connection(1, there).remote(), addr(HOME), "the original path");
    assert_eq!(world.connection(1, there).stats().migrations, 0);
    assert_eq!(world.hosts[1].inbox.len(), 200);
    assert_eq!(world.hosts[0].inbox.len(), 201, "the file too");
    let stats = world.connection(1, there).stats();
    assert!(stats.window >= 12_000 && stats.packets_lost < 10, "{stats:?}");
}

#[test]
fn does_the_path_stay_where_it_is_when_copies_come_faster_from_elsewhere() {
    forward(false);
}

#[test]
fn does_the_path_stay_where_it_is_when_the_copier_passes_on_the_answers_too() {
    forward(true);
}

#[test]
fn does_one_copy_of_the_last_word_from_elsewhere_move_nothing() {
    let mut world = clean(1);
    let [here, there] = world.connected();
    lives_at(&mut world, &[HOME]);
    world.run(SECOND);
    let copied = Rc::new(RefCell::new(Vec::new()));
    let seen = copied.clone();
    world.tamper = Some(Box::new(move |from, _, datagram| {
        if from == 0 && seen.borrow().is_empty() {
            seen.borrow_mut().extend_from_slice(datagram);
            return false;
        }
        true
    }));
    world.send(0, here, Lane::thin(1), "caught");
    let mut copy = copied.borrow().clone();
    world.arrive(addr(FORWARDER), server(), None, &mut copy);
    world.run(SECOND * 10);
    assert_eq!(world.connection(1, there).remote(), addr(HOME));
    let bytes: usize = world.astray.iter().map(|(_, _, datagram)| datagram.len()).sum();
    assert!(bytes <= 3 * copied.borrow().len(), "{bytes}");
    assert!(bytes > 0, "it was asked");
}

#[test]
fn does_nothing_happen_when_old_packets_are_replayed_from_elsewhere() {
    let mut world = clean(1);
    let [here, there] = world.connected();
    lives_at(&mut world, &[HOME]);
    let copies = copied(&mut world, |_| true);
    for _ in 0..20 {
        world.send(0, here, Lane::thin(1), "line");
        world.run(100 * MS);
    }
    world.run(SECOND);
    for mut copy in copies.take() {
        world.arrive(addr(FORWARDER), server(), None, &mut copy);
    }
    world.run(SECOND);
    assert!(world.astray.is_empty(), "not even a question");
    assert_eq!((world.connection(1, there).remote(), world.hosts[1].inbox.len()), (addr(HOME), 20));
}

#[test]
fn does_everything_flow_where_answers_do_not_reach_the_address_that_packets_come_from() {
    let mut world = clean(1);
    let [here, there] = world.connected();
    lives_at(&mut world, &[HOME]);
    world.run(SECOND);
    let caught = copied(&mut world, |from| from == 1);
    world.send(1, there, Lane::bulk(9), vec![9; 1 << 20]);
    for _ in 0..100 {
        world.send(0, here, Lane::thin(1), "can you hear me?");
        world.run(50 * MS);
        for mut datagram in caught.take() {
            world.arrive(addr(OTHER_PORT), server(), None, &mut datagram);
        }
    }
    world.run(SECOND);
    assert_eq!((world.hosts[1].inbox.len(), world.hosts[0].inbox.len()), (100, 1));
    assert_eq!(world.connection(1, there).remote(), addr(HOME), "where it is reached");
    assert!(!world.astray.is_empty(), "the other is asked");
}
