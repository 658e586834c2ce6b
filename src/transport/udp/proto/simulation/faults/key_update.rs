//! Do keys change without anything being lost over it?

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use super::*;
use crate::transport::udp::proto::{
    DirectionKeys, Handshake, HandshakeError, Handshaker, KeySchedule, Keys, NewKeys, PacketKey, PacketKeys,
    PlainHandshaker, Side, cid::ConnectionId, config::Mutant,
};

/// Keys for data that wear out soon: so many packets may be sealed with one, and so many fail to open.
#[derive(Clone, Copy, Debug)]
struct Frail {
    sealed: u64,
    forged: u64,
}

struct FrailHandshake(Frail, Box<dyn Handshake>);

struct FrailSchedule(Frail, Box<dyn KeySchedule>);

struct FrailKey {
    limits: Frail,
    sealed: AtomicU64,
    key: Box<dyn PacketKey>,
}

impl Frail {
    fn key(self, key: Box<dyn PacketKey>) -> Box<dyn PacketKey> {
        Box::new(FrailKey { limits: self, sealed: AtomicU64::new(0), key })
    }

    fn direction(self, keys: DirectionKeys) -> DirectionKeys {
        DirectionKeys { packet: self.key(keys.packet), ..keys }
    }
}

impl Handshaker for Frail {
    fn version(&self) -> u32 {
        PlainHandshaker.version()
    }

    fn initial_keys(&self, dst: &ConnectionId, side: Side) -> Keys {
        PlainHandshaker.initial_keys(dst, side)
    }

    fn dial(&self, params: Vec<u8>) -> Result<Box<dyn Handshake>, HandshakeError> {
        Ok(Box::new(FrailHandshake(*self, PlainHandshaker.dial(params)?)))
    }

    fn accept(&self, params: Vec<u8>) -> Result<Box<dyn Handshake>, HandshakeError> {
        Ok(Box::new(FrailHandshake(*self, PlainHandshaker.accept(params)?)))
    }
}

impl Handshake for FrailHandshake {
    fn read(&mut self, bytes: &[u8]) -> Result<(), HandshakeError> {
        self.1.read(bytes)
    }

    fn write(&mut self, out: &mut Vec<u8>) -> Option<NewKeys> {
        Some(match self.1.write(out)? {
            NewKeys::Data(keys, schedule) => {
                let keys =
                    Keys { local: self.0.direction(keys.local), remote: self.0.direction(keys.remote) };
                NewKeys::Data(keys, Box::new(FrailSchedule(self.0, schedule)))
            }
            keys @ NewKeys::Handshake(_) => keys,
        })
    }

    fn is_handshaking(&self) -> bool {
        self.1.is_handshaking()
    }

    fn peer_params(&self) -> Option<&[u8]> {
        self.1.peer_params()
    }

    fn peer_key(&self) -> Option<&[u8]> {
        self.1.peer_key()
    }
}

impl KeySchedule for FrailSchedule {
    fn next(&mut self) -> PacketKeys {
        let PacketKeys { local, remote } = self.1.next();
        PacketKeys { local: self.0.key(local), remote: self.0.key(remote) }
    }

    fn peek(&self) -> PacketKeys {
        let PacketKeys { local, remote } = self.1.peek();
        PacketKeys { local: self.0.key(local), remote: self.0.key(remote) }
    }
}

impl PacketKey for FrailKey {
    fn seal(&self, packet_number: u64, header: &[u8], payload: &mut [u8]) -> Option<[u8; 16]> {
        let sealed = self.sealed.fetch_add(1, Ordering::Relaxed) + 1;
        assert!(sealed <= self.limits.sealed, "a key is used beyond its limit");
        self.key.seal(packet_number, header, payload)
    }

    fn open(&self, packet_number: u64, header: &[u8], payload: &mut [u8]) -> Option<usize> {
        self.key.open(packet_number, header, payload)
    }

    fn confidentiality_limit(&self) -> u64 {
        self.limits.sealed
    }

    fn integrity_limit(&self) -> u64 {
        self.limits.forged
    }
}

/// A key that lasts.
const STURDY: Frail = Frail { sealed: u64::MAX, forged: u64::MAX };

/// A connection over `profile` with such keys on either side, and this fault on the accepting one.
fn connect(
    profile: &str,
    seed: u64,
    limits: [Frail; 2],
    mutant: Option<Mutant>,
) -> (World, [ConnectionKey; 2]) {
    let configs = [Config::default(), Config { mutant, ..Config::default() }];
    let mut world = World::with(&Profile::parse(profile).unwrap(), seed, configs);
    for (host, limits) in limits.into_iter().enumerate() {
        world.hosts[host].handshaker = Arc::new(limits);
        world.restart(host);
    }
    let keys = world.connected();
    (world, keys)
}

fn forged(world: &mut World, keys: [ConnectionKey; 2]) -> [u64; 2] {
    [0, 1].map(|host| world.connection(host, keys[host]).stats().forged)
}

fn updates(world: &mut World, keys: [ConnectionKey; 2]) -> [u64; 2] {
    [0, 1].map(|host| world.connection(host, keys[host]).stats().key_updates)
}

/// Both sides chat, and the first sends a file, until all of it has arrived.
fn talk(world: &mut World, keys: [ConnectionKey; 2], lines: u32) {
    world.send(0, keys[0], Lane::bulk(9), vec![9; 200_000]);
    for number in 0..lines {
        for (host, key) in keys.into_iter().enumerate() {
            world.say(host, key, 0, number);
        }
        world.run(millis(20));
    }
    let done = |world: &World| {
        world.hosts[1].inbox.len() > lines as usize && world.hosts[0].inbox.len() == lines as usize
    };
    assert!(world.run_until(seconds(60), done), "{:?} {:?}", world.end(0), world.end(1));
    for host in 0..2 {
        world.assert_heard(host, 0, lines);
    }
}

#[test]
fn do_keys_change_under_loss_and_reordering_without_a_packet_that_does_not_open() {
    let soon = Frail { sealed: 400, ..STURDY };
    let profile =
        r#"{"delay_ms": 50, "jitter_ms": 5, "loss_percent": 10, "reorder_percent": 25, "reorder_ms": 20}"#;
    for (seed, limits) in [[soon, soon], [soon, STURDY], [STURDY, soon]].into_iter().enumerate() {
        let (mut world, keys) = connect(profile, seed as u64, limits, None);
        talk(&mut world, keys, 1000);
        let updates = updates(&mut world, keys);
        assert!(updates[0].abs_diff(updates[1]) <= 1 && updates[0] >= 5, "{updates:?}");
        assert_eq!(forged(&mut world, keys), [0, 0], "{updates:?}");
    }
}

#[test]
fn can_keys_change_again_as_soon_as_they_have_changed() {
    // Half of it is sealed in less than the three probe timeouts for which the phase before is kept.
    let at_once = Frail { sealed: 40, ..STURDY };
    let (mut world, keys) = connect(r#"{"delay_ms": 50}"#, 1, [at_once, STURDY], None);
    for number in 0..400 {
        world.say(0, keys[0], 0, number);
        world.run(millis(20));
    }
    world.run(seconds(1));
    world.assert_heard(1, 0, 400);
    let updates = updates(&mut world, keys);
    assert!(updates[0] == updates[1] && updates[0] >= 10, "{updates:?}");
    assert_eq!(forged(&mut world, keys), [0, 0], "{updates:?}");
}

#[test]
fn does_what_comes_much_later_than_the_change_still_open() {
    let (mut world, keys) = connect(r#"{"delay_ms": 50}"#, 1, [Frail { sealed: 60, ..STURDY }, STURDY], None);
    let mut said = 0;
    while updates(&mut world, keys)[0] == 0 {
        world.say(0, keys[0], 0, said);
        world.say(1, keys[1], 0, said);
        said += 1;
        world.run(millis(20));
    }
    // The other side does not know yet, and what it says is held back for many probe timeouts.
    assert_eq!(updates(&mut world, keys), [1, 0]);
    world.say(1, keys[1], 0, said);
    world.held_until = Some(world.now + seconds(5));
    world.run(seconds(7));
    world.assert_heard(0, 0, said + 1);
    assert_eq!(updates(&mut world, keys), [1, 1]);
    assert_eq!(forged(&mut world, keys), [0, 0]);
}

#[test]
fn is_a_peer_that_keeps_its_key_told_so() {
    let limits = [Frail { sealed: 60, ..STURDY }, STURDY];
    let (mut world, keys) = connect(r#"{"delay_ms": 50}"#, 1, limits, Some(Mutant::NoKeyUpdate));
    for number in 0..100 {
        if world.end(0).is_none() {
            world.say(0, keys[0], 0, number);
        }
        world.run(millis(20));
    }
    let why = "the other side does not change its key";
    assert_eq!(world.end(0), Some(&End::Violation(why)));
    assert_eq!(world.end(1), Some(&End::Closed { code: 4, text: why.to_owned() }));
}

#[test]
fn is_a_key_that_cannot_change_not_used_beyond_its_limit() {
    let limits = [Frail { sealed: 48, ..STURDY }, STURDY];
    let (mut world, keys) = connect(r#"{"delay_ms": 50}"#, 1, limits, None);
    // Nothing of ours arrives, so no change is confirmed; what comes has to be acknowledged for ever.
    world.black_out(&[0], world.now + seconds(1000));
    for number in 0..200 {
        if world.end(0).is_none() {
            world.say(1, keys[1], 0, number);
        }
        world.run(millis(20));
    }
    assert_eq!(world.end(0), Some(&End::WornOut));
}

/// Forges `count` packets to the dialing side, whose keys bear 10.
fn forge(count: usize) -> World {
    let (mut world, keys) = connect(r#"{"delay_ms": 50}"#, 1, [Frail { forged: 10, ..STURDY }, STURDY], None);
    world.run(seconds(1));
    let caught = std::rc::Rc::new(std::cell::RefCell::new(Vec::new()));
    let net = caught.clone();
    world.tamper = Some(Box::new(move |host, _, datagram| {
        if host == 1 && net.borrow().is_empty() {
            net.borrow_mut().extend_from_slice(datagram);
            return false;
        }
        true
    }));
    world.say(1, keys[1], 0, 0);
    let (from, to) = (world.hosts[1].addr, world.hosts[0].addr);
    for _ in 0..count {
        let mut datagram = caught.borrow().clone();
        let last = datagram.len() - 1;
        datagram[last] ^= 1;
        world.arrive(from, to, None, &mut datagram);
    }
    world.run(seconds(2));
    world
}

#[test]
fn is_a_key_given_up_when_more_packets_fail_to_open_than_it_bears() {
    let lives = forge(10);
    assert_eq!((lives.end(0), lives.end(1)), (None, None));
    lives.assert_heard(0, 0, 1);
    let worn_out = forge(11);
    assert_eq!(worn_out.end(0), Some(&End::WornOut));
    assert!(matches!(worn_out.end(1), Some(End::Closed { .. })), "{:?}", worn_out.end(1));
}
