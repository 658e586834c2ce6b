//! What if the other side's address changes, or somebody wants it to look so?

use std::{cell::RefCell, rc::Rc};

use super::*;
use crate::transport::{Class, Lane};

pub(super) const HOME: &str = "10.0.0.1:4224";
pub(super) const OTHER_PORT: &str = "10.0.0.1:5000";
const ELSEWHERE: &str = "10.9.0.1:4224";

pub(super) fn addr(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

pub(super) fn lives_at(world: &mut World, addrs: &[&str]) {
    world.hosts[0].mappings = addrs.iter().map(|text| addr(text)).collect();
}

/// How long a file from host 1 takes while host 0 moves to `to` in the middle of it.
fn file_time(to: &str) -> (Duration, World) {
    let profile = Profile::parse(r#"{"delay_ms": 50, "rate_mbit": 40, "queue_ms": 100}"#).unwrap();
    let mut world = World::new(&profile, 1);
    let [_, there] = world.connected();
    lives_at(&mut world, &[HOME]);
    let start = world.now;
    world.send(1, there, Lane::bulk(1), vec![5; 3 << 20]);
    world.run(400 * MS);
    lives_at(&mut world, &[to]);
    assert!(world.run_until(SECOND * 30, |world| !world.hosts[0].inbox.is_empty()), "to {to}");
    assert_eq!(world.connection(1, there).remote(), addr(to));
    (world.now - start, world)
}

#[test]
fn does_a_file_go_on_after_a_translator_chose_another_port() {
    let ((undisturbed, _), (moved, world)) = (file_time(HOME), file_time(OTHER_PORT));
    // Half a second of silence is noticed, a word comes from the new port, and the old one is asked.
    assert!(moved < undisturbed + SECOND + 300 * MS, "{moved:?} instead of {undisturbed:?}");
    let stats = world.hosts[1].connections.values().next().unwrap().stats();
    assert_eq!(stats.migrations, 1);
}

#[test]
fn does_a_file_go_on_in_another_network_with_another_connection_id() {
    let (_, world) = file_time(ELSEWHERE);
    let stats = world.hosts[1].connections.values().next().unwrap().stats();
    assert_eq!(stats.migrations, 1);
}

#[test]
fn is_it_quiet_when_a_file_has_arrived() {
    let mut world = clean(1);
    let [here, there] = world.connected();
    world.send(1, there, Lane::bulk(1), vec![5; 100_000]);
    world.send(0, here, Lane::bulk(1), vec![5; 100_000]);
    world.run(SECOND * 3);
    let before = world.hosts[0].sent.0 + world.hosts[1].sent.0;
    world.run(SECOND * 10);
    assert_eq!(world.hosts[0].sent.0 + world.hosts[1].sent.0, before);
}

#[test]
fn does_a_line_arrive_in_half_a_round_trip_though_the_address_has_just_changed() {
    for to in [OTHER_PORT, ELSEWHERE] {
        let mut world = clean(1);
        let [here, there] = world.connected();
        lives_at(&mut world, &[HOME]);
        world.run(SECOND * 2);
        lives_at(&mut world, &[to]);
        world.send(0, here, Lane::thin(1), "where am I?");
        assert!(world.run_until(50 * MS, |world| world.hosts[1].inbox.len() == 1));
        world.send(1, there, Lane::thin(1), "here");
        assert!(world.run_until(50 * MS, |world| world.hosts[0].inbox.len() == 1), "{to}");
        world.run(SECOND);
        assert_eq!(world.connection(1, there).remote(), addr(to));
    }
}

#[test]
fn does_a_keep_alive_make_a_new_port_known_to_a_side_that_only_listens() {
    let mut world = clean(1);
    let [_, there] = world.connected();
    world.run(SECOND);
    lives_at(&mut world, &[OTHER_PORT]);
    world.run(SECOND * 16);
    assert_eq!(world.connection(1, there).remote(), addr(OTHER_PORT));
    world.send(1, there, Lane::thin(1), "still there?");
    world.run(51 * MS);
    assert_eq!(world.hosts[0].inbox.len(), 1);
}

#[test]
fn do_the_ids_on_two_networks_have_nothing_in_common() {
    let mut world = clean(1);
    let [here, there] = world.connected();
    lives_at(&mut world, &[HOME]);
    world.run(SECOND);
    let ids = Rc::new(RefCell::new(Vec::new()));
    let seen = ids.clone();
    world.tamper = Some(Box::new(move |from, _, datagram| {
        if from == 1 {
            seen.borrow_mut().push(datagram[1..9].to_vec());
        }
        true
    }));
    world.send(1, there, Lane::thin(1), "at home");
    world.run(SECOND);
    let at_home = ids.borrow()[0].clone();
    lives_at(&mut world, &[ELSEWHERE]);
    world.send(0, here, Lane::thin(1), "abroad");
    world.run(SECOND);
    ids.borrow_mut().clear();
    world.send(1, there, Lane::thin(1), "abroad");
    world.run(SECOND);
    assert!(!ids.borrow().is_empty() && !ids.borrow().contains(&at_home));
    // Wherever it goes, there is always another id to use.
    for network in 10..20 {
        ids.borrow_mut().clear();
        lives_at(&mut world, &[&format!("10.{network}.0.1:1")]);
        world.send(0, here, Lane::thin(1), "again");
        world.run(SECOND);
        ids.borrow_mut().clear();
        world.send(1, there, Lane::thin(1), "again");
        world.run(SECOND);
        let mut used = ids.borrow().clone();
        used.dedup();
        assert_eq!(used.len(), 1);
    }
    assert_eq!(world.connection(1, there).stats().migrations, 11);
}

#[test]
fn does_a_packet_for_an_id_that_is_given_up_not_end_the_connection() {
    let mut world = clean(1);
    let [here, there] = world.connected();
    // A dialer's first id has no reset token; that of the next network has one.
    lives_at(&mut world, &["10.8.0.1:1"]);
    world.send(0, here, Lane::thin(1), "moved");
    world.run(SECOND);
    let late = Rc::new(RefCell::new(Vec::new()));
    let kept = late.clone();
    world.tamper = Some(Box::new(move |from, _, datagram| {
        let keeps = from == 1 && kept.borrow().is_empty();
        if keeps {
            kept.borrow_mut().extend_from_slice(datagram);
        }
        !keeps
    }));
    world.send(1, there, Lane::thin(1), "late");
    lives_at(&mut world, &[ELSEWHERE]);
    world.send(0, here, Lane::thin(1), "moved");
    world.run(SECOND * 2);
    let resets = world.hosts[0].sent.0;
    world.arrive(server(), addr(ELSEWHERE), None, &mut late.borrow().clone());
    assert_eq!(world.hosts[0].sent.0, resets + 1, "it is answered with a reset");
    world.run(SECOND);
    assert!(is_up(&world, 1, there) && is_up(&world, 0, here));
}

#[test]
fn does_everything_flow_while_the_address_changes_with_every_datagram() {
    for pair in [[HOME, OTHER_PORT], [HOME, ELSEWHERE]] {
        let mut world = clean(1);
        let [here, there] = world.connected();
        lives_at(&mut world, &pair);
        let questions = Rc::new(RefCell::new(Vec::new()));
        let seen = questions.clone();
        world.tamper = Some(Box::new(move |from, at, datagram| {
            if from == 1 && datagram.len() == 1200 {
                seen.borrow_mut().push(at);
            }
            true
        }));
        for line in 0..300 {
            world.send(0, here, Lane::thin(1), vec![line as u8; 50]);
            world.send(1, there, Lane::thin(1), vec![line as u8; 50]);
            world.run(10 * MS);
        }
        world.run(SECOND);
        for host in &world.hosts {
            let lines: Vec<u8> = host.inbox.iter().map(|message| message.bytes[0]).collect();
            let expected: Vec<u8> = (0..300).map(|line| line as u8).collect();
            assert_eq!(lines, expected);
            assert!(host.inbox.iter().all(|message| message.class == Class::Thin));
        }
        let questions = questions.borrow();
        assert!(!questions.is_empty() && questions.len() <= 2 * 41 + 40, "{} questions", questions.len());
    }
}
