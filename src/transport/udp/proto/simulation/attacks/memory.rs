//! What a peer can make a host keep: bombs, crumbs, floods, and nothing at all for a day.

use std::time::Duration;

use rand::{RngExt as _, SeedableRng as _, rngs::ChaCha8Rng};

use super::{Siege, World, fate};
use crate::transport::{
    Class, Lane, MAX_MESSAGE_BYTES,
    impair::Profile,
    udp::proto::{
        ConnectionId, End, PlainHandshaker, Side,
        connection::{Connection, Shape},
        frame::{self, Frame},
        lanes::start_window,
        packet::{self, Outer, VERSION_PLAIN, read_outer},
        seal::Handshaker as _,
    },
};

const MAX: u64 = MAX_MESSAGE_BYTES as u64;

/// Bytes that one class may take: the window at the start, the one large message that room is kept for,
/// and a chunk.
const CLASS_CAP: usize = start_window(Class::Bulk) as usize + MAX_MESSAGE_BYTES + 64 + (64 << 10);

fn part(lane: u64, seq: u64, part: (u64, u64), data: &[u8]) -> Vec<u8> {
    let mut frames = Vec::new();
    frame::put_message(&mut frames, lane, seq, Some(part), data, false);
    frames
}

#[test]
fn do_the_ends_of_ten_thousand_long_messages_stay_within_the_cap() {
    for class in Class::ALL {
        let mut siege = Siege::begin();
        let lane = class.index() as u64;
        let mut most = siege.footprint();
        for seq in 0..10_000 {
            siege.say(&[part(lane, seq, (MAX, 0), &[1]), part(lane, seq, (MAX, MAX - 1), &[1])].concat());
            let kept = siege.footprint();
            most.buffered = most.buffered.max(kept.buffered);
            most.held = most.held.max(kept.held);
        }
        assert!(most.buffered > 1 << 20, "it did go for it: {most:?}");
        assert!(most.buffered <= CLASS_CAP, "{most:?}");
        assert!(most.held <= CLASS_CAP / (64 << 10) + 1, "{most:?}");
        siege.spares_the_others();
    }
}

#[test]
fn is_what_there_was_no_room_for_taken_when_it_comes_again() {
    let mut siege = Siege::begin();
    // Room for a large message is kept; others take all of it.
    for seq in 0..3000 {
        siege.say(&part(2, seq, (MAX, 0), &[1]));
    }
    let (held, ranges) = (siege.footprint().held, siege.footprint().ranges);
    assert!(held < 3000);
    siege.peer.hear();
    // A line that shares a packet with what is refused is taken, but never confirmed.
    let pn = siege.peer.next;
    let mut line = part(2, 5000, (MAX, 0), &[1]);
    frame::put_message(&mut line, 1, 0, None, b"line", false);
    siege.say(&line);
    siege.world.run(Duration::from_secs(1));
    let acked = siege.peer.hear().iter().any(|heard| {
        heard
            .frames()
            .any(|frame| matches!(frame, Frame::Ack(ack) if ack.ranges().any(|range| range.contains(&pn))))
    });
    assert!(!acked, "what was not kept is not confirmed");
    assert_eq!(siege.taken(), [b"line"]);
    assert_eq!(siege.footprint().ranges, ranges);
    // Nor is a copy of that packet looked at.
    let before = siege.world.connection(1, siege.victim).stats();
    siege.peer.say_as(&mut siege.world, pn, &line, Shape::default());
    let after = siege.world.connection(1, siege.victim).stats();
    assert_eq!((after.duplicates, after.packets_received), (before.duplicates + 1, before.packets_received));
}

#[test]
fn do_crumbs_with_gaps_between_them_stay_within_the_cap_and_the_message_can_be_finished() {
    let mut siege = Siege::begin();
    let total = 20_000;
    for crumb in 0..total / 2 {
        siege.say(&part(1, 0, (total, crumb * 2), &[7]));
    }
    assert_eq!(siege.end(), None);
    let kept = siege.footprint();
    assert!((1000..=1024).contains(&kept.gaps), "{kept:?}");
    for offset in (0..total).step_by(1000) {
        siege.say(&part(1, 0, (total, offset), &[7; 1000]));
    }
    assert_eq!(siege.taken(), [vec![7; total as usize]]);
    assert_eq!(siege.footprint().gaps, 0);
    siege.spares_the_others();
}

#[test]
fn do_crumbs_of_many_messages_stay_within_the_cap_of_their_class() {
    let mut siege = Siege::begin();
    for crumb in 0..1500 {
        for seq in 0..8 {
            siege.say(&part(1, seq, (20_000, crumb * 2), &[7]));
        }
    }
    assert!(siege.footprint().gaps <= 4 * 1024 + 8, "{:?}", siege.footprint());
    siege.spares_the_others();
}

#[test]
fn do_a_million_lanes_take_only_as_many_as_the_wire_has() {
    let mut siege = Siege::begin();
    // All that the wire can name, in every class, several times over.
    for seq in 0..3 {
        for slot in 0..4096_u64 {
            let mut frames = Vec::new();
            (0..3)
                .for_each(|class| frame::put_message(&mut frames, slot << 2 | class, seq, None, b"", false));
            siege.say(&frames);
        }
        // Empty lanes cost what a number costs.
        assert_eq!((siege.footprint().lanes, siege.footprint().held), (3 * 4096, 0));
    }
    assert_eq!(siege.taken().len(), 3 * 3 * 4096);
    assert_eq!(siege.end(), None);
    let mut beyond = Vec::new();
    frame::put_message(&mut beyond, 4096 << 2, 0, None, b"", false);
    assert_eq!(fate(&beyond), Some("a lane that does not exist"));
}

#[test]
fn do_lanes_of_the_application_come_and_go_without_a_trace() {
    let mut world = World::new(&Profile::parse(r#"{"delay_ms": 1}"#).unwrap(), 1);
    let [key, there] = world.connected();
    for lane in 0..20_000_u32 {
        world.send(0, key, Lane::thin(lane), lane.to_be_bytes().to_vec());
        if lane % 20 == 0 {
            world.run(Duration::from_millis(20));
        }
    }
    world.run(Duration::from_secs(1));
    assert_eq!(world.hosts[1].inbox.len(), 20_000);
    assert!(world.connection(1, there).footprint().lanes <= 64, "slots are used again");
}

/// Says the same kind of thing for 20 s of virtual time, some thousand times a second, and acknowledges
/// nothing. What is kept of it.
fn flood(mut siege: Siege, mut frames: impl FnMut(u64) -> Vec<u8>) -> Siege {
    for n in 0..20_000 {
        siege.say(&frames(n));
        if n % 100 == 0 {
            siege.world.run(Duration::from_millis(100));
        }
        let kept = siege.footprint();
        assert!(
            kept.packets < 1200 && kept.words <= 32 && kept.ranges <= 64 && kept.buffered == 0,
            "{kept:?}"
        );
        if siege.end().is_some() {
            break;
        }
    }
    siege.spares_the_others();
    siege
}

#[test]
fn do_floods_of_questions_leave_nothing_behind() {
    let challenge = |n: u64| [&[0x0a][..], &n.to_be_bytes()].concat();
    assert_eq!(flood(Siege::begin(), challenge).end(), None);
    let five = |n: u64| (0..5).flat_map(|more| challenge(n * 5 + more)).collect();
    assert_eq!(flood(Siege::begin(), five).end(), None);
    assert_eq!(flood(Siege::begin(), |_| vec![0x01]).end(), None);
    assert_eq!(flood(Siege::begin(), |_| vec![0x05; 20]).end(), None);
    assert_eq!(flood(Siege::begin(), |_| vec![0x00; 500]).end(), None);
}

#[test]
fn does_a_flood_of_words_about_credit_leave_nothing_behind() {
    let blocked = |n: u64| vec![0x07, (n % 3) as u8, 0];
    assert_eq!(flood(Siege::begin(), blocked).end(), None);
    let credit = |n: u64| {
        let mut frames = Vec::new();
        frame::put_credit(&mut frames, Class::Bulk, n << 40);
        frames
    };
    assert_eq!(flood(Siege::begin(), credit).end(), None);
}

#[test]
fn is_a_flood_of_pings_answered_with_one_packet_for_each_at_most() {
    let mut siege = Siege::begin();
    let before = siege.world.hosts[1].sent;
    let mut brought = 0;
    for _ in 0..5000 {
        brought += siege.peer.connection.by_hand(1000, &[1], Shape::default()).len() as u64;
        siege.say(&[1]);
    }
    let sent = siege.world.hosts[1].sent;
    assert!(sent.0 - before.0 <= 5010 && sent.1 - before.1 <= brought * 2, "{before:?} {sent:?}");
}

#[test]
fn do_questions_from_thousands_of_addresses_move_nobody_and_fill_no_table() {
    let mut siege = Siege::begin();
    let before = siege.world.hosts[1].sent.1;
    let mut brought = 0;
    for n in 0..5000_u32 {
        let from = ([172, 16, (n >> 8) as u8, n as u8], 9).into();
        let frames = [&[0x0a][..], &u64::from(n).to_be_bytes()].concat();
        brought += siege.peer.connection.by_hand(1000, &frames, Shape::default()).len() as u64;
        siege.peer.say_from(&mut siege.world, from, &frames);
        let kept = siege.footprint();
        assert!(kept.packets < 1200 && kept.words <= 32, "{kept:?}");
    }
    let sent = siege.world.hosts[1].sent.1 - before;
    // Acknowledgements go to the address that is proven; the answers are padded to hide which they are.
    assert!(sent <= brought * 4, "{sent} for {brought}");
    let remote = siege.world.connection(1, siege.victim).remote();
    assert_eq!(remote, siege.world.hosts[0].addr, "questions move nobody");
    siege.spares_the_others();
}

#[test]
fn do_floods_of_connection_ids_end_or_stay_within_their_number() {
    let id = |seq: u64, prior: u64| {
        let cid = ConnectionId::new((seq ^ 0x5555).to_be_bytes());
        let mut frames = Vec::new();
        frame::put_new_cid(&mut frames, seq, prior, cid, [seq as u8; 16]);
        frames
    };
    // More than it may give out, after those that it gave out honestly.
    let ended = flood(Siege::begin(), |n| id(5 + n, 0));
    assert_eq!(ended.violation(), Some("too many connection ids"));
    // Each retires all before it, and nobody confirms the retirements.
    let ended = flood(Siege::begin(), |n| id(5 + n, 5 + n));
    assert_eq!(ended.violation(), Some("too many connection ids to retire"));
    // The same one over and over, and one that was retired long ago.
    assert_eq!(flood(Siege::begin(), |_| id(5, 0)).end(), None);
    let mut siege = Siege::begin();
    siege.say(&id(9, 9));
    assert_eq!(flood(siege, |_| (0..10).flat_map(|_| id(3, 0)).collect()).end(), None);
}

#[test]
fn do_floods_of_retirements_stay_within_their_number() {
    // As fast as new ones are given out, whether or not it can have heard of them.
    let retire = |n: u64| {
        let mut frames = Vec::new();
        frame::put_retire_cid(&mut frames, n.min(1 + n / 2));
        frames
    };
    let siege = flood(Siege::begin(), retire);
    assert_eq!(siege.end(), None);
    let ids = siege.world.hosts[1].connections[&siege.victim].local_cids().count();
    assert!((1..=4).contains(&ids), "{ids}");
    assert_eq!(fate(&[0x0d, 0x20]), Some("retires a connection id that was never given out"));
}

#[test]
fn does_a_flood_of_the_end_leave_nothing_behind() {
    let mut finish = Vec::new();
    frame::put_finish(&mut finish, 1, 5, "going");
    assert_eq!(flood(Siege::begin(), |_| finish.clone()).end(), None);
    assert_eq!(flood(Siege::begin(), |_| vec![0x09, 0, 0]).end(), None);
    assert_eq!(fate(&[0x09, 1, 0]), Some("more messages consumed than sent"));
    assert_eq!(fate(&[0x0e]), Some("the dialing side says that the handshake is done"));
    let mut other = finish.clone();
    frame::put_finish(&mut other, 1, 6, "going");
    assert_eq!(fate(&other), Some("a second finish differs from the first"));
}

#[test]
fn does_a_flood_of_handshake_bytes_after_the_handshake_leave_nothing_behind() {
    let crypto = |n: u64| {
        let mut frames = Vec::new();
        frame::put_crypto(&mut frames, n * 7, &[7; 1000]);
        frames
    };
    let siege = flood(Siege::begin(), crypto);
    assert_eq!((siege.end(), siege.footprint().handshake), (None, 0));
}

#[test]
fn does_a_stranger_with_overlapping_pieces_of_a_hello_stay_within_the_cap() {
    let mut world = World::new(&Profile::parse(r#"{"delay_ms": 10}"#).unwrap(), 1);
    let (dst, src) = (ConnectionId::new([1; 8]), ConnectionId::new([2; 8]));
    let keys = PlainHandshaker.initial_keys(&dst, Side::Dialer);
    let (from, to) = (world.hosts[0].addr, world.hosts[1].addr);
    for pn in 0..14_000_u64 {
        let mut hello = Vec::new();
        let header =
            packet::write_initial(&mut hello, VERSION_PLAIN, dst, src, &[], pn, Some(pn.saturating_sub(9)));
        frame::put_crypto(&mut hello, 1 + pn, &[7; 1000]);
        header.pad_to(&mut hello, 1200);
        assert!(header.seal(&mut hello, keys.local.header.as_ref(), keys.local.packet.as_ref()));
        assert!(matches!(read_outer(&hello), Ok(Outer::Initial { .. })));
        world.arrive(from, to, None, &mut hello);
    }
    assert_eq!(world.hosts[1].connections.len(), 1);
    let kept = world.hosts[1].connections.values().next().unwrap().footprint();
    assert!(kept.handshake > 10_000 && kept.handshake < 64 << 10, "{kept:?}");
    assert!(kept.packets < 100 && kept.words < 10, "{kept:?}");
    world.run(Duration::from_secs(15));
    assert!(world.hosts[1].connections.is_empty(), "it is not waited for");
}

#[test]
fn does_a_flood_of_packets_for_keys_to_come_stay_within_the_cap() {
    let mut world = World::new(&Profile::parse(r#"{"delay_ms": 10}"#).unwrap(), 1);
    let mut chance = ChaCha8Rng::seed_from_u64(4);
    let key = world.connect();
    let cid = world.connection(0, key).local_cids().next().unwrap();
    let (from, to) = (world.hosts[1].addr, world.hosts[0].addr);
    for _ in 0..5000 {
        let mut noise = vec![0; 1200];
        chance.fill(&mut noise[..]);
        noise[0] = 0x40 | noise[0] & 0x1f;
        noise[1..9].copy_from_slice(cid.as_bytes());
        world.arrive(from, to, None, &mut noise);
    }
    assert!(world.connection(0, key).footprint().handshake <= 4 * 1200);
    assert!(
        world.run_until(Duration::from_secs(1), |world| world.hosts[0].connections[&key].is_established())
    );
}

#[test]
fn do_idle_connections_cost_the_same_after_a_day_and_ping_as_regularly() {
    let mut world = World::new(&Profile::parse(r#"{"delay_ms": 20, "jitter_ms": 5}"#).unwrap(), 1);
    for _ in 0..5 {
        world.connected();
    }
    let hour = Duration::from_secs(3600);
    let mut last = None;
    for day_hour in 0..24 {
        let (sent, bytes) = world.hosts[0].sent;
        world.run(hour);
        let kept = world.hosts.iter().flat_map(|host| host.connections.values().map(|c| c.footprint()));
        let kept: Vec<_> = kept.collect();
        assert!(
            kept.iter().all(|kept| kept.packets < 80 && kept.ranges <= 16 && kept.words == 0),
            "{kept:?}"
        );
        let pings = world.hosts[0].sent.0 - sent;
        // Every 15 s and a round trip, five of them; probes of the MTU and key updates aside.
        let expected = 5 * 3600 / 15;
        assert!(pings.abs_diff(expected) <= expected / 20 + 5, "hour {day_hour}: {pings}");
        if day_hour > 0 {
            let size = (world.hosts[0].sent.1 - bytes) / pings;
            assert!(size.abs_diff(*last.get_or_insert(size)) <= 8, "hour {day_hour}: {size} bytes a ping");
        }
    }
    for host in &world.hosts {
        assert_eq!(host.connections.len(), 5, "nobody was lost: {:?}", host.events);
    }
    assert!(size_of::<Connection>() <= 5 << 10, "{}", size_of::<Connection>());
}

#[test]
fn do_hundreds_of_idle_connections_stay_and_never_ping_all_at_once() {
    let mut world = World::new(&Profile::parse(r#"{"delay_ms": 20}"#).unwrap(), 1);
    for _ in 0..250 {
        world.connected();
        world.run(Duration::from_millis(20));
    }
    let before = world.hosts[0].sent.0;
    let mut most = 0;
    for _ in 0..600 {
        let sent = world.hosts[0].sent.0;
        world.run(Duration::from_millis(100));
        most = most.max(world.hosts[0].sent.0 - sent);
    }
    let pings = world.hosts[0].sent.0 - before;
    assert!((750..=1500).contains(&pings), "{pings}");
    assert!(most <= 10, "{most} in a tenth of a second");
    assert!(world.hosts.iter().all(|host| host.connections.len() == 250));
    assert!(
        !world.hosts[0].events.iter().any(|(_, event)| matches!(event, super::Event::Closed(End::Silent(_))))
    );
}
