//! Datagrams that are broken, made up, doubled, late or replayed, and frames that make no sense.

use std::{cell::RefCell, net::SocketAddr, rc::Rc, time::Duration};

use rand::{RngExt as _, SeedableRng as _, rngs::ChaCha8Rng};

use super::{Siege, World, fate};
use crate::transport::{
    Class, Lane,
    impair::Profile,
    udp::proto::{
        End, Event, PlainHandshaker, Side, Space,
        cid::ConnectionId,
        connection::Shape,
        endpoint::ConnectionKey,
        frame,
        packet::{self, Outer, VERSION_PLAIN, read_outer},
        seal::Handshaker as _,
        varint::{MAX_VARINT, put_varint},
    },
};

type Wire = Rc<RefCell<Vec<(usize, Vec<u8>)>>>;

/// Two hosts between which nothing goes by itself: what they send is put aside.
fn severed() -> (World, Wire) {
    let mut world = World::new(&Profile::parse("{}").unwrap(), 1);
    let wire = Wire::default();
    let aside = wire.clone();
    world.tamper = Some(Box::new(move |from, _, datagram| {
        aside.borrow_mut().push((from, datagram.clone()));
        false
    }));
    (world, wire)
}

fn carry(world: &mut World, from: usize, mut datagram: Vec<u8>) {
    let (source, to) = (world.hosts[from].addr, world.hosts[1 - from].addr);
    world.arrive(source, to, None, &mut datagram);
}

/// What a host counted of what it would not take.
fn rejected(world: &World, host: usize) -> u64 {
    let host = &world.hosts[host];
    let stats = host.connections.values().map(|connection| connection.stats());
    let here: u64 = stats.map(|stats| stats.forged + stats.malformed + stats.duplicates).sum();
    here + host.dropped.values().sum::<u64>()
}

/// A hello, an answer, and goodbye, every datagram of it first in the versions that `broken` makes.
fn talk_amid(broken: impl Fn(&[u8]) -> Vec<Vec<u8>>) {
    let (mut world, wire) = severed();
    let key = world.connect();
    let (mut asked, mut answered, mut copies) = (false, false, 0);
    for _ in 0..40 {
        let datagrams = std::mem::take(&mut *wire.borrow_mut());
        for (from, datagram) in &datagrams {
            // A long one that claims another version is told which ones there are.
            let is_short = matches!(read_outer(datagram), Ok(Outer::Short { .. })) && datagram.len() < 1200;
            // Whoever can change a word about versions is believed: nothing protects it (RFC 8999 §6).
            let bare = matches!(read_outer(datagram), Ok(Outer::VersionNegotiation { .. }));
            for copy in if bare { Vec::new() } else { broken(datagram) } {
                let before = rejected(&world, 1 - from);
                carry(&mut world, *from, copy);
                copies += 1;
                if is_short {
                    let (after, kind) = (rejected(&world, 1 - from), datagram.len());
                    assert_eq!(
                        after,
                        before + 1,
                        "each is counted: {kind} bytes from {from} {:?}",
                        world.hosts[1 - from].connections.values().map(|c| c.stats()).collect::<Vec<_>>()
                    );
                }
            }
            carry(&mut world, *from, datagram.clone());
        }
        if !asked && world.hosts[0].connections[&key].is_established() {
            world.send(0, key, Lane::thin(1), "hello?");
            asked = true;
        }
        if !answered && !world.hosts[1].inbox.is_empty() {
            let there = world.hosts[1].accepted[0];
            world.send(1, there, Lane::thin(1), "hello!");
            answered = true;
        }
        if datagrams.is_empty() {
            world.step();
        }
    }
    assert!(copies > 1000, "{copies}");
    assert_eq!(world.hosts[1].accepted.len(), 1, "one connection begins");
    for host in &world.hosts {
        assert_eq!(host.connections.len(), 1, "and stays");
        assert_eq!(host.inbox.len(), 1, "each line arrives once");
        assert!(host.events.iter().all(|(_, event)| *event == Event::Connected), "{:?}", host.events);
    }
}

#[test]
fn does_a_datagram_cut_short_anywhere_change_nothing() {
    talk_amid(|datagram| (0..datagram.len()).map(|len| datagram[..len].to_vec()).collect());
}

#[test]
fn does_a_datagram_with_any_bit_flipped_change_nothing() {
    talk_amid(|datagram| {
        let flipped = |bit: usize| {
            let mut copy = datagram.to_vec();
            copy[bit / 8] ^= 1 << (bit % 8);
            copy
        };
        (0..datagram.len() * 8).map(flipped).collect()
    });
}

#[test]
fn is_noise_from_nowhere_dropped_and_counted() {
    let mut siege = Siege::begin();
    let mut chance = ChaCha8Rng::seed_from_u64(2);
    let before = (rejected(&siege.world, 1), siege.world.hosts[1].sent);
    for _ in 0..2000 {
        let mut noise = vec![0; chance.random_range(0..1100)];
        chance.fill(&mut noise[..]);
        carry(&mut siege.world, 0, noise);
    }
    assert_eq!((rejected(&siege.world, 1), siege.world.hosts[1].sent), (before.0 + 2000, before.1));
    assert_eq!(siege.end(), None);
    siege.spares_the_others();
}

/// Some frame, the numbers in it small, near a power of two, or the largest there are.
fn any_frame(chance: &mut ChaCha8Rng) -> Vec<u8> {
    let mut number = || match chance.random_range(0..4) {
        0 => chance.random_range(0..8),
        1 => chance.random_range(0..3000),
        2 => (1_u64 << chance.random_range(0..62)).wrapping_sub(chance.random_range(0..2)),
        _ => MAX_VARINT - chance.random_range(0..2),
    };
    let mut out = Vec::new();
    let kind =
        [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0x0a, 0x0b, 0x0c, 0x0d, 0x20, 0x21, 0x22, 0x23, 0x4000, number()];
    let kind = kind[number() as usize % kind.len()];
    let bytes = |len: u64| vec![len as u8; len as usize % 40];
    put_varint(kind, &mut out);
    match kind {
        2 | 3 => (0..4 + 3 * (kind - 2)).for_each(|_| put_varint(number() % 2000, &mut out)),
        4 | 9 | 0x0d => (0..2).for_each(|_| put_varint(number(), &mut out)),
        6 | 7 => {
            out.push((number() % 4) as u8);
            put_varint(number(), &mut out);
        }
        0x0a | 0x0b => out.extend_from_slice(&number().to_be_bytes()),
        0x0c => {
            let seq = number();
            put_varint(seq, &mut out);
            put_varint(seq.min(number()), &mut out);
            out.extend_from_slice(&[seq as u8; 24]);
        }
        0x20 | 0x21 => frame::put_message(&mut out, number() % 64, number(), None, &bytes(number()), false),
        0x22 | 0x23 => {
            let part = Some((number(), number()));
            frame::put_message(&mut out, number() % 64, number(), part, &bytes(number()), false);
        }
        _ => {
            let text = bytes(number());
            put_varint(text.len() as u64, &mut out);
            out.extend_from_slice(&text);
        }
    }
    out
}

#[test]
fn do_frames_at_random_under_the_right_keys_harm_nobody_but_their_own_connection() {
    let mut chance = ChaCha8Rng::seed_from_u64(3);
    let mut ends = 0;
    for _ in 0..40 {
        let mut siege = Siege::begin();
        for _ in 0..60 {
            let frames: Vec<u8> =
                (0..chance.random_range(1..4)).flat_map(|_| any_frame(&mut chance)).collect();
            siege.say(&frames);
            if siege.end().is_some() {
                ends += 1;
                break;
            }
            siege.world.run(Duration::from_millis(chance.random_range(0..30)));
        }
        let kept = siege.footprint();
        assert!(kept.buffered < 1 << 20 && kept.packets < 1000 && kept.words < 100, "{kept:?}");
        siege.spares_the_others();
    }
    assert!(ends >= 20, "too tame: {ends}");
}

#[test]
fn is_every_frame_that_cannot_be_read_a_violation() {
    let huge = [0xff; 8];
    let cases: Vec<(&str, Vec<u8>)> = vec![
        ("a type in two bytes that fits one", vec![0x40, 0x01]),
        ("a type in eight bytes that fits one", vec![0xc0, 0, 0, 0, 0, 0, 0, 1]),
        ("a field in two bytes that fits one", vec![0x0d, 0x40, 0x00]),
        ("a message longer than its packet", vec![0x21, 1, 0, 40, 7, 7]),
        ("a text of 2^62 bytes", [&[0x0f, 0][..], &huge].concat()),
        ("handshake bytes that end beyond 2^62", [&[0x04][..], &huge, &[1, 7]].concat()),
        ("a first range larger than the largest number", vec![0x02, 3, 0, 0, 4]),
        ("a first range of 2^62", [&[0x02, 3, 0, 0][..], &huge].concat()),
        ("a second range below 0", vec![0x02, 9, 0, 1, 3, 5, 0]),
        ("a second range that ends below 0", vec![0x02, 9, 0, 1, 3, 2, 3]),
        ("a gap of 2^62", [&[0x02, 9, 0, 1, 3][..], &huge, &[0]].concat()),
        ("2^62 ranges", [&[0x02, 9, 0][..], &huge, &[0]].concat()),
        ("marks cut off", vec![0x03, 0, 0, 0, 0, 1]),
        ("a fragment that ends beyond its message", vec![0x23, 1, 0, 4, 3, 2, 7, 7]),
        ("a fragment at 2^62", [&[0x23, 1, 0, 4][..], &huge, &[1, 7]].concat()),
        ("a message of 2^62 bytes", [&[0x23, 1, 0][..], &huge, &[0, 1, 7]].concat()),
        ("a class that does not exist", vec![0x06, 3, 0]),
        ("a lane of a class that does not exist", vec![0x21, 3, 0, 1, 7]),
        (
            "a lane of 2^62",
            [&[0x21][..], &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe], &[0, 1, 7]].concat(),
        ),
        ("a flag that is neither yes nor no", vec![0x09, 0, 2]),
        ("an id that retires itself", [&[0x0c, 1, 2][..], &[7; 24]].concat()),
        ("a challenge cut off", vec![0x0a, 1, 2, 3]),
    ];
    for (what, frames) in cases {
        assert!(fate(&frames).is_some(), "{what}");
    }
    assert_eq!(fate(&[]), Some("a packet without frames"));
}

#[test]
fn is_a_frame_of_another_version_skipped_only_from_0x4000_on() {
    for kind in [0x10, 0x1f, 0x24, 0x3f, 0x40, 0x3fff] {
        let mut frames = Vec::new();
        put_varint(kind, &mut frames);
        frames.extend_from_slice(&[2, 7, 7]);
        assert_eq!(fate(&frames), Some("a frame of unknown type"), "{kind:x}");
    }
    for kind in [0x4000, 0x4001, MAX_VARINT] {
        let mut frames = Vec::new();
        put_varint(kind, &mut frames);
        frames.extend_from_slice(&[2, 7, 7]);
        frame::put_message(&mut frames, 1, 0, None, b"behind it", false);
        let mut siege = Siege::begin();
        siege.say(&frames);
        assert_eq!((siege.end(), siege.taken()), (None, vec![&b"behind it"[..]]), "{kind:x}");
    }
}

#[test]
fn are_reserved_bits_a_violation_under_the_right_keys_and_noise_without() {
    for bit in [0x04, 0x08, 0x20] {
        let mut siege = Siege::begin();
        let mut packet = siege.peer.connection.by_hand(1000, &[1], Shape::default());
        packet[0] |= bit;
        carry(&mut siege.world, 0, packet);
        assert_eq!(siege.end(), None, "{bit:x}");
        siege.peer.say_as(&mut siege.world, 1000, &[1], Shape { first: bit, ..Shape::default() });
        assert_eq!(siege.violation(), Some("reserved bits are set"), "{bit:x}");
        siege.spares_the_others();
    }
}

/// Host 1's only connection, begun by a hello that anybody could have written.
fn half_open() -> (World, Wire, ConnectionKey, ConnectionId) {
    let (mut world, wire) = severed();
    world.connect();
    let hello = wire.borrow_mut().remove(0).1;
    let Ok(Outer::Initial { dst, .. }) = read_outer(&hello) else { panic!("a hello comes first") };
    carry(&mut world, 0, hello);
    let key = world.hosts[1].accepted[0];
    (world, wire, key, dst)
}

#[test]
fn may_only_the_handshake_be_in_its_packets() {
    let mut message = Vec::new();
    frame::put_message(&mut message, 1, 0, None, b"too early", false);
    let mut credit = Vec::new();
    frame::put_credit(&mut credit, Class::Thin, 1 << 20);
    let refused = Event::Closed(End::Violation("a frame in a packet that may not hold it"));
    for frames in [message, credit, vec![0x0e], [&[0x0a][..], &[7; 8]].concat()] {
        // Under keys that anybody can derive.
        let (mut world, _, key, dst) = half_open();
        let keys = PlainHandshaker.initial_keys(&dst, Side::Dialer);
        let mut hello = Vec::new();
        let src = world.hosts[0].connections.values().next().unwrap().local_cids().next().unwrap();
        let header = packet::write_initial(&mut hello, VERSION_PLAIN, dst, src, &[], 9, None);
        hello.extend_from_slice(&frames);
        assert!(header.seal(&mut hello, keys.local.header.as_ref(), keys.local.packet.as_ref()));
        carry(&mut world, 0, hello);
        assert_eq!(world.hosts[1].events, [(key, refused.clone())]);
        assert!(world.hosts[1].inbox.is_empty());

        // Under those of the handshake.
        let (mut world, wire, key, _) = half_open();
        let flight = std::mem::take(&mut *wire.borrow_mut());
        for (from, datagram) in flight {
            carry(&mut world, from, datagram);
        }
        let dialer = world.hosts[0].connections.values_mut().next().unwrap();
        let packet = dialer.by_hand_in(Space::Handshake, 9, &frames);
        carry(&mut world, 0, packet);
        assert_eq!(world.hosts[1].events, [(key, refused.clone())]);
        assert!(world.hosts[1].inbox.is_empty());
    }
}

/// A line from host 0 to host 1 as a datagram that did not get through, in a world that is quiet.
fn captured(world: &mut World, key: ConnectionKey, line: &'static str) -> Vec<u8> {
    let caught = Rc::new(RefCell::new(Vec::new()));
    let net = caught.clone();
    world.tamper = Some(Box::new(move |from, _, datagram| {
        if from == 0 {
            net.borrow_mut().push(datagram.clone());
        }
        from != 0
    }));
    world.send(0, key, Lane::thin(1), line);
    world.tamper = None;
    caught.take().remove(0)
}

#[test]
fn does_a_thousandfold_datagram_arrive_once_and_move_nobody() {
    let mut world = World::new(&Profile::parse(r#"{"delay_ms": 10}"#).unwrap(), 1);
    let [key, there] = world.connected();
    world.run(Duration::from_secs(1));
    let datagram = captured(&mut world, key, "once");
    let elsewhere: SocketAddr = ([10, 9, 9, 9], 9).into();
    let (home, to) = (world.hosts[0].addr, world.hosts[1].addr);
    carry(&mut world, 0, datagram.clone());
    let (sent, stats) = (world.hosts[1].sent, world.connection(1, there).stats());
    for copy in 0..1000 {
        let from = if copy % 2 == 0 { home } else { elsewhere };
        world.arrive(from, to, None, &mut datagram.clone());
    }
    assert_eq!(world.hosts[1].sent, sent, "copies are not acknowledged");
    assert_eq!(world.connection(1, there).remote(), home);
    let after = world.connection(1, there).stats();
    assert_eq!((after.duplicates, after.migrations), (stats.duplicates + 1000, 0));
    world.run(Duration::from_secs(1));
    assert_eq!(world.hosts[1].inbox.len(), 1);
}

#[test]
fn is_a_replay_dropped_however_old_it_is() {
    let mut world = World::new(&Profile::parse(r#"{"delay_ms": 1}"#).unwrap(), 1);
    let [key, there] = world.connected();
    world.run(Duration::from_secs(1));
    let seen = Rc::new(RefCell::new(Vec::new()));
    let log = seen.clone();
    world.tamper = Some(Box::new(move |from, _, datagram| {
        if from == 0 {
            log.borrow_mut().push(datagram.clone());
        }
        true
    }));
    for line in 0..5200_u32 {
        world.send(0, key, Lane::thin(1), line.to_be_bytes().to_vec());
        world.run(Duration::from_micros(500));
    }
    world.run(Duration::from_secs(1));
    world.tamper = None;
    assert_eq!(world.hosts[1].inbox.len(), 5200);
    let before = world.connection(1, there).stats().duplicates;
    let seen = seen.take();
    for back in [1, 100, 4000, 4095, 4096, 4097, 5000, 5200] {
        carry(&mut world, 0, seen[seen.len() - back].clone());
    }
    world.run(Duration::from_secs(1));
    assert_eq!(world.connection(1, there).stats().duplicates, before + 8);
    assert_eq!(world.hosts[1].inbox.len(), 5200);
}

#[test]
fn does_a_path_that_shuffles_thousands_of_packets_keep_nine_tenths_of_them_useful() {
    // Files at 1 Gbit/s: the jitter of 19 ms either way spans some four thousand packets.
    let profile = r#"{"delay_ms": 60, "jitter_ms": 19, "rate_mbit": 1000}"#;
    let mut world = World::new(&Profile::parse(profile).unwrap(), 1);
    let [key, there] = world.connected();
    let message = vec![7; 4 << 20];
    let warm_up = 6;
    let mut before = 0;
    for file in 0..8 {
        if file == warm_up {
            before = world.hosts[0].sent.1;
        }
        let has_room = |world: &World| world.hosts[0].connections[&key].has_room(Class::Bulk, message.len());
        assert!(world.run_until(Duration::from_secs(1), has_room));
        world.send(0, key, Lane::bulk(file), message.clone());
        let done = |world: &World| world.hosts[1].inbox.len() == file as usize + 1;
        assert!(world.run_until(Duration::from_secs(20), done));
    }
    let useful = 2.0 * message.len() as f64 / (world.hosts[0].sent.1 - before) as f64;
    let stats = world.connection(1, there).stats();
    assert_eq!(stats.duplicates, 0, "nothing is too old to be told from a replay");
    assert!(useful >= 0.9, "{useful} {:?}", world.connection(0, key).stats());
}
