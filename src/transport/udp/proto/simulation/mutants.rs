//! Are planted faults noticed? What the simulation would not notice in a mutant it would not notice in the
//! protocol either.

use std::{cell::RefCell, rc::Rc, time::Duration};

use super::{World, runs::outcome};
use crate::transport::{
    Lane,
    impair::Profile,
    udp::proto::{Config, End, Event, config::Mutant},
};

/// Seeds within which a fault has to show.
const SEEDS: u64 = 60;

/// A network and an attack on it: what broke, where host 0 or 1 has the mutant.
type Attack = fn(Option<Mutant>) -> Result<(), String>;

fn seeds(mutant: Mutant) -> Option<(u64, String)> {
    (0..SEEDS).find_map(|seed| outcome(seed, Some(mutant)).err().map(|why| (seed, why)))
}

fn assert_shows(mutant: Mutant, expected: &[&str]) {
    let (seed, why) = seeds(mutant).unwrap_or_else(|| panic!("{mutant:?} is not noticed in {SEEDS} seeds"));
    eprintln!("{mutant:?}: seed {seed}: {why}");
    assert!(expected.iter().any(|expected| why.contains(expected)), "{mutant:?}: seed {seed}: {why}");
}

fn assert_withstands(attack: Attack, mutant: Mutant) {
    assert_eq!(attack(None), Ok(()));
    let why = attack(Some(mutant)).expect_err("the attack has to succeed on the mutant");
    eprintln!("{mutant:?}: {why}");
}

#[test]
fn is_it_noticed_when_what_is_lost_is_not_sent_again() {
    assert_shows(Mutant::NoRetransmission, &["stalled", "Stalled", "Silent", "no connection"]);
}

#[test]
fn is_it_noticed_when_silence_is_not_probed() {
    assert_shows(Mutant::NoProbeTimeout, &["stalled", "Silent", "no connection"]);
}

#[test]
fn is_it_noticed_when_credit_is_not_renewed() {
    assert_shows(Mutant::NoCreditUpdates, &["stalled", "Stalled"]);
}

#[test]
fn is_it_noticed_when_damaged_packets_are_believed() {
    assert_shows(Mutant::NoAuthentication, &["altered", "Violation", "doubled", "out of order"]);
}

#[test]
fn is_it_noticed_when_lanes_do_not_keep_order() {
    assert_shows(Mutant::NoOrder, &["out of order"]);
}

#[test]
fn does_who_replays_old_packets_keep_a_dead_connection_alive() {
    assert_withstands(replays, Mutant::NoReplayWindow);
}

#[test]
fn does_who_acknowledges_what_was_not_sent_get_away_with_it() {
    assert_withstands(acknowledges_ahead, Mutant::AckOfUnsentAccepted);
}

#[test]
fn does_who_copies_a_packet_from_elsewhere_direct_a_file_at_a_third() {
    assert_withstands(redirects, Mutant::NoPathValidation);
}

fn world(delay_ms: u32, configs: [Config; 2]) -> World {
    World::with(&Profile::parse(&format!(r#"{{"delay_ms": {delay_ms}}}"#)).unwrap(), 1, configs)
}

/// Host 0 is gone, and somebody who heard it repeats its words for two idle timeouts.
fn replays(mutant: Option<Mutant>) -> Result<(), String> {
    let mut world = world(20, [Config::default(), Config { mutant, ..Config::default() }]);
    let [here, there] = world.connected();
    let tape = Rc::new(RefCell::new(Vec::new()));
    let recorder = Rc::clone(&tape);
    world.tamper = Some(Box::new(move |from, _, datagram| {
        if from == 0 {
            recorder.borrow_mut().push(datagram.clone());
        }
        true
    }));
    for line in 0..20_u32 {
        world.send(0, here, Lane::thin(line % 3), line.to_be_bytes().to_vec());
        world.run(Duration::from_millis(50));
    }
    world.tamper = Some(Box::new(|_, _, _| false));
    let (from, to) = (world.hosts[0].addr, world.hosts[1].addr);
    for _ in 0..Config::default().idle_timeout.as_secs() * 2 {
        for datagram in tape.borrow().iter() {
            world.arrive(from, to, None, &mut datagram.clone());
        }
        world.run(Duration::from_secs(1));
    }
    if world.hosts[1].inbox.len() != 20 {
        return Err(format!("{} of 20 messages", world.hosts[1].inbox.len()));
    }
    match world.hosts[1].connections.contains_key(&there) {
        true => Err("the connection lives on replays".to_owned()),
        false => Ok(()),
    }
}

/// Host 1 acknowledges a packet more than it got: who believes that thinks delivered what is lost.
fn acknowledges_ahead(mutant: Option<Mutant>) -> Result<(), String> {
    let liar = Config { mutant: Some(Mutant::AcksAhead), ..Config::default() };
    let mut world = world(20, [Config { mutant, ..Config::default() }, liar]);
    let [here, _] = world.connected();
    for line in 0..10_u32 {
        if let Some(connection) = world.hosts[0].connections.get_mut(&here) {
            let _ = connection.send(Lane::thin(1), line.to_be_bytes().to_vec().into(), world.now);
        }
        world.settle();
        world.run(Duration::from_millis(200));
    }
    let ends = world.hosts[0].events.iter().any(|(_, event)| {
        matches!(event, Event::Closed(End::Violation("a packet is acknowledged that was not sent yet")))
    });
    if ends { Ok(()) } else { Err("the lie is believed".to_owned()) }
}

/// Host 1 sends host 0 a file. Somebody takes one packet of host 0 and sends it on from the address of a
/// third, then stops the others for longer than it takes to miss an acknowledgement on a new path.
fn redirects(mutant: Option<Mutant>) -> Result<(), String> {
    let mut world = world(20, [Config::default(), Config { mutant, ..Config::default() }]);
    let [_, there] = world.connected();
    world.send(1, there, Lane::bulk(1), vec![7; 4 << 20]);
    world.run(Duration::from_millis(200));
    let taken = Rc::new(RefCell::new(None));
    let thief = Rc::clone(&taken);
    world.tamper = Some(Box::new(move |from, _, datagram| {
        if from == 0 {
            thief.borrow_mut().get_or_insert_with(|| datagram.clone());
        }
        from == 1
    }));
    assert!(world.run_until(Duration::from_secs(1), |_| taken.borrow().is_some()));
    let mut copy = taken.borrow().clone().unwrap();
    let (third, to) = (([10, 9, 9, 9], 9).into(), world.hosts[1].addr);
    let brought = copy.len() as u64;
    world.arrive(third, to, None, &mut copy);
    world.run(Duration::from_secs(3));
    world.tamper = None;
    let arrives = world.run_until(Duration::from_secs(20), |world| !world.hosts[0].inbox.is_empty());
    let flood = world.hosts[1].sent_to.get(&third).copied().unwrap_or(0);
    match flood > 3 * brought {
        true => Err(format!("{flood} bytes to a third for {brought}")),
        false if !arrives => Err("the file never arrives".to_owned()),
        false if flood == 0 => Err("the attack did not begin".to_owned()),
        false => Ok(()),
    }
}
