//! Who reads slowly, not at all, or sends more than there is room for.

use std::{cell::Cell, rc::Rc, time::Duration};

use super::{Siege, World, fate};
use crate::transport::{
    Class, Lane, MAX_MESSAGE_BYTES,
    impair::Profile,
    udp::proto::{
        Config, End, Event, SendError,
        endpoint::ConnectionKey,
        frame::{self, Frame, Frames},
        lanes::start_window,
        packet::{Outer, read_outer},
        seal::TAG_BYTES,
    },
};

/// Bytes that a receiver grants at first in each class.
const WINDOW: usize = 64 << 10;

fn patient(stall: Duration) -> World {
    let config = Config { stall_timeout: stall, ..Config::default() };
    World::with(&Profile::parse(r#"{"delay_ms": 10}"#).unwrap(), 1, [config.clone(), config])
}

/// Sends until there is no room. How many messages went in.
fn fill(world: &mut World, host: usize, key: ConnectionKey, class: Class, bytes: usize) -> u32 {
    for sent in 0.. {
        let now = world.now;
        let number = u32::to_be_bytes(sent).to_vec();
        let message = [number, vec![7; bytes - 4]].concat();
        match world.connection(host, key).send(Lane { class, id: 1 }, message.into(), now) {
            Ok(()) => world.settle(),
            Err(SendError::Full) => return sent,
            Err(other) => panic!("{other}"),
        }
    }
    unreachable!("it takes for ever")
}

fn numbers(world: &World, host: usize) -> Vec<u32> {
    let first_four = |bytes: &[u8]| u32::from_be_bytes(*bytes.first_chunk().unwrap());
    world.hosts[host].inbox.iter().map(|message| first_four(&message.bytes)).collect()
}

#[test]
fn does_a_receiver_that_stops_reading_hold_the_sender_and_not_the_bytes() {
    for class in Class::ALL {
        let mut world = patient(Duration::from_secs(300));
        let [key, there] = world.connected();
        world.hosts[1].reads = false;
        let mut sent = fill(&mut world, 0, key, class, 1000);
        world.run(Duration::from_secs(30));
        // What the receiver's host has taken made room once.
        let more = fill(&mut world, 0, key, class, 1000);
        world.run(Duration::from_secs(30));
        let kept = world.connection(1, there).footprint();
        let window = start_window(class) as usize;
        assert!(kept.buffered <= window && kept.buffered > window / 2, "{class:?}: {kept:?}");
        assert_eq!(fill(&mut world, 0, key, class, 1000), 0, "{class:?}: the sender is told to wait");
        // The zero window opens again.
        world.hosts[1].reads = true;
        world.settle();
        assert!(world.run_until(Duration::from_secs(30), |world| world.hosts[1].inbox.len()
            == (sent + more) as usize));
        let first = (0..sent).chain(0..more);
        sent = fill(&mut world, 0, key, class, 1000);
        world.run(Duration::from_secs(10));
        assert_eq!(numbers(&world, 1), first.chain(0..sent).collect::<Vec<_>>(), "{class:?}");
    }
}

#[test]
fn does_one_class_that_nobody_reads_leave_the_others_their_room() {
    // What is not read is not taken apart by class, so the classes are told apart at the sender.
    let mut world = patient(Duration::from_secs(300));
    let [key, there] = world.connected();
    world.hosts[1].reads = false;
    fill(&mut world, 0, key, Class::Bulk, 10_000);
    world.run(Duration::from_secs(5));
    world.send(0, key, Lane::thin(1), "through");
    world.send(0, key, Lane { class: Class::Control, id: 1 }, "through");
    world.run(Duration::from_millis(11));
    let before = world.hosts[1].inbox.len();
    world.hosts[1].reads = true;
    let now = world.now;
    while let Some((class, bytes)) = world.connection(1, there).recv(now) {
        world.hosts[1].inbox.push(super::super::Message { at: now, key: there, class, bytes });
    }
    let small = |class| world.hosts[1].inbox[before..].iter().any(|message| message.class == class);
    assert!(small(Class::Thin) && small(Class::Control));
}

/// Whether a datagram of data, whose frames are only proven and not hidden, has a frame like this.
fn has(datagram: &[u8], like: impl Fn(&Frame<'_>) -> bool) -> bool {
    let Ok(Outer::Short { pn_at, end, .. }) = read_outer(datagram) else { return false };
    let payload = &datagram[pn_at + usize::from(datagram[0] & 3) + 1..end - TAG_BYTES];
    Frames::new(payload).flatten().any(|frame| like(&frame))
}

#[test]
fn does_credit_that_is_lost_twenty_times_in_a_row_still_arrive() {
    let mut world = patient(Duration::from_secs(300));
    let [key, _] = world.connected();
    let lost = Rc::new(Cell::new(0));
    let count = lost.clone();
    world.tamper = Some(Box::new(move |from, _, datagram| {
        let hit =
            from == 1 && count.get() < 20 && has(datagram, |frame| matches!(frame, Frame::Credit { .. }));
        count.set(count.get() + i32::from(hit));
        !hit
    }));
    world.send(0, key, Lane::thin(1), vec![7; 1 << 20]);
    assert!(world.run_until(Duration::from_secs(120), |world| !world.hosts[1].inbox.is_empty()));
    assert_eq!(lost.get(), 20);
}

#[test]
fn does_a_sender_on_either_side_give_up_on_an_application_that_takes_nothing() {
    for sender in [0, 1] {
        let mut world = patient(Duration::from_secs(10));
        let keys = world.connected();
        world.hosts[1 - sender].reads = false;
        fill(&mut world, sender, keys[sender], Class::Bulk, 10_000);
        let began = world.now;
        let stalled = (keys[sender], Event::Closed(End::Stalled(Duration::from_secs(10))));
        let gave_up = |world: &World| world.hosts[sender].events.contains(&stalled);
        assert!(world.run_until(Duration::from_secs(60), gave_up), "host {sender}");
        let lasted = world.now - began;
        assert!((10..12).contains(&lasted.as_secs()), "host {sender}: {lasted:?}");
    }
}

#[test]
fn do_two_that_wait_for_each_other_stay_quiet_and_go_on_when_one_moves() {
    let mut world = patient(Duration::from_secs(3000));
    let keys = world.connected();
    let mut sent = [0; 2];
    for host in [0, 1] {
        world.hosts[host].reads = false;
        sent[host] = fill(&mut world, host, keys[host], Class::Bulk, 10_000);
    }
    world.run(Duration::from_secs(20));
    let before = world.hosts[0].sent.0 + world.hosts[1].sent.0;
    world.run(Duration::from_secs(300));
    let packets = world.hosts[0].sent.0 + world.hosts[1].sent.0 - before;
    // Each says every 3 s that it waits, and hears that this was heard.
    assert!(packets <= 2 * 2 * 101, "{packets} packets in 300 s");
    assert!(packets >= 100, "they must not forget either: {packets}");
    for host in [0, 1] {
        world.hosts[host].reads = true;
    }
    world.settle();
    let all = |world: &World| (0..2).all(|host| world.hosts[host].inbox.len() == sent[1 - host] as usize);
    assert!(world.run_until(Duration::from_secs(30), all));
}

fn part(seq: u64, part: (u64, u64), data: &[u8]) -> Vec<u8> {
    let mut frames = Vec::new();
    frame::put_message(&mut frames, 1, seq, Some(part), data, false);
    frames
}

#[test]
fn does_a_message_larger_than_the_window_pass_and_one_larger_than_the_limit_not() {
    let mut world = patient(Duration::from_secs(10));
    let [key, _] = world.connected();
    for class in Class::ALL {
        world.send(0, key, Lane { class, id: 1 }, vec![7; start_window(class) as usize + WINDOW * 4]);
    }
    assert!(world.run_until(Duration::from_secs(10), |world| world.hosts[1].inbox.len() == 3));
    let now = world.now;
    let too_long = vec![7; MAX_MESSAGE_BYTES + 1];
    let refused = world.connection(0, key).send(Lane::bulk(1), too_long.into(), now);
    assert_eq!(refused, Err(SendError::TooLong(MAX_MESSAGE_BYTES + 1)));
    let announced = part(0, (MAX_MESSAGE_BYTES as u64 + 1, 0), &[7; 100]);
    assert_eq!(fate(&announced), Some("a message that is too long"));
}

#[test]
fn do_fragments_that_contradict_each_other_end_the_connection() {
    assert_eq!(
        fate(&[part(0, (100, 0), &[7; 10]), part(0, (99, 10), &[7; 10])].concat()),
        Some("a message of two lengths")
    );
    // Also when the first is complete and only waits for its turn.
    assert_eq!(
        fate(&[part(1, (10, 0), &[7; 10]), part(1, (99, 10), &[7; 10])].concat()),
        Some("a message of two lengths")
    );
    assert_eq!(fate(&part(0, (10, 10), &[])), Some("an empty fragment"));
    assert_eq!(fate(&part(0, (10, 5), &[7; 6])), Some("data beyond the end"));
}

#[test]
fn do_the_bytes_that_came_first_stand_when_others_overlap_them() {
    let mut siege = Siege::begin();
    for (offset, data) in [(2, &b"cd"[..]), (0, b"abXX"), (3, b"Ye"), (2, b"ZZZZ")] {
        siege.say(&part(0, (6, offset), data));
    }
    assert_eq!((siege.end(), siege.taken()), (None, vec![&b"abcdeZ"[..]]));
}

#[test]
fn is_more_than_credit_allows_a_violation_in_every_class() {
    for class in Class::ALL {
        let mut siege = Siege::begin();
        siege.world.hosts[1].reads = false;
        for seq in 0..start_window(class) / 1000 + 40 {
            let mut frames = Vec::new();
            frame::put_message(&mut frames, class.index() as u64, seq, None, &[7; 1000], false);
            siege.say(&frames);
        }
        assert_eq!(siege.violation(), Some("more sent than credit was given"), "{class:?}");
        siege.world.hosts[1].reads = true;
        siege.spares_the_others();
    }
}

#[test]
fn is_a_message_after_the_last_a_violation() {
    let line = |seq| {
        let mut frames = Vec::new();
        frame::put_message(&mut frames, 1, seq, None, b"line", false);
        frames
    };
    let mut finish = Vec::new();
    frame::put_finish(&mut finish, 0, 2, "");
    let mut siege = Siege::begin();
    siege.say(&finish);
    siege.say(&line(0));
    siege.say(&line(1));
    assert_eq!((siege.end(), siege.taken().len()), (None, 2));
    siege.say(&line(2));
    assert_eq!(siege.violation(), Some("more messages came than the finish counts"));
    assert_eq!(
        fate(&[line(0), line(1), line(2), finish].concat()),
        Some("a finish counts fewer messages than came")
    );
}
