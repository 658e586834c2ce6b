//! Packet numbers: said in few bytes, out of order, and used up.

use std::time::Duration;

use super::{Siege, World};
use crate::transport::{
    Lane,
    impair::Profile,
    udp::proto::{End, Event, connection::Shape, frame, varint::MAX_VARINT},
};

/// A line whose text is its packet number, in a lane of its own so that none waits for another.
fn numbered_line(pn: u64) -> Vec<u8> {
    let mut frames = Vec::new();
    frame::put_message(&mut frames, (pn % 4000) << 2 | 1, 0, None, &pn.to_be_bytes(), false);
    frames
}

#[test]
fn is_a_number_of_one_byte_understood_with_a_hundred_packets_out_of_order() {
    let mut siege = Siege::begin();
    siege.peer.say_as(&mut siege.world, 1150, &[1], Shape::default());
    // Numbers as far back and ahead as one byte tells apart from the newest.
    for pn in (1100..1200_u64).rev().filter(|&pn| pn != 1150).chain((1200..1300).rev()) {
        let shape = Shape { number_len: 1, ..Shape::default() };
        siege.peer.say_as(&mut siege.world, pn, &numbered_line(pn), shape);
    }
    let mut came: Vec<u64> =
        siege.taken().iter().map(|line| u64::from_be_bytes((*line).try_into().unwrap())).collect();
    came.sort_unstable();
    assert_eq!(came, (1100..1300).filter(|&pn| pn != 1150).collect::<Vec<_>>());
}

#[test]
fn does_reordering_across_every_boundary_of_numbers_lose_nothing() {
    for boundary in [1_u64 << 8, 1 << 16, 1 << 24, 1 << 32] {
        let mut siege = Siege::begin();
        let start = boundary.max(1500) - 200;
        // Four bytes reach 2^31 ahead.
        let mut leap = 1000;
        while leap < start {
            leap = start.min(leap + (1 << 31) - 1);
            siege.peer.say_as(&mut siege.world, leap, &[1], Shape::default());
        }
        let order = (start + 1..start + 400).rev();
        for pn in order.clone() {
            let number_len = if pn % 2 == 0 { 2 } else { 4 };
            siege.peer.say_as(
                &mut siege.world,
                pn,
                &numbered_line(pn),
                Shape { number_len, ..Shape::default() },
            );
        }
        assert_eq!(siege.end(), None);
        let came: Vec<u64> =
            siege.taken().iter().map(|line| u64::from_be_bytes((*line).try_into().unwrap())).collect();
        assert_eq!(came, order.collect::<Vec<_>>(), "{boundary:x}");
    }
}

#[test]
fn does_a_connection_without_numbers_left_end_in_words() {
    let last = MAX_VARINT - (1 << 32);
    let mut world = World::new(&Profile::parse(r#"{"delay_ms": 10}"#).unwrap(), 1);
    let [here, there] = world.connected();
    world.run(Duration::from_secs(1));
    world.connection(0, here).leap(last - 20);
    world.connection(1, there).leap_received(last - 21);
    for line in 0..60_u8 {
        let now = world.now;
        if let Some(connection) = world.hosts[0].connections.get_mut(&here) {
            let _ = connection.send(Lane::thin(1), vec![line].into(), now);
        }
        world.settle();
        world.run(Duration::from_millis(100));
    }
    assert!(world.hosts[1].inbox.len() >= 15, "the last numbers are of use");
    world.run(Duration::from_secs(20));
    let told = Event::Closed(End::Closed { code: 0, text: "worn out".to_owned() });
    assert!(world.hosts[0].events.contains(&(here, Event::Closed(End::WornOut))));
    assert!(world.hosts[1].events.contains(&(there, told)), "{:?}", world.hosts[1].events);
}

#[test]
fn is_a_peer_at_the_largest_number_still_understood_and_answered() {
    let mut siege = Siege::begin();
    siege.world.connection(1, siege.victim).leap_received(MAX_VARINT - 3);
    for pn in [MAX_VARINT - 2, MAX_VARINT, MAX_VARINT - 1, MAX_VARINT] {
        siege.peer.say_as(&mut siege.world, pn, &numbered_line(pn), Shape::default());
    }
    siege.world.run(Duration::from_secs(1));
    assert_eq!((siege.end(), siege.taken().len()), (None, 3));
    siege.spares_the_others();
}
