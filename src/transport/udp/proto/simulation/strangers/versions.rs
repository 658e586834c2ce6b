//! Can somebody on the way talk two nodes into another version?

use super::{
    super::super::{
        connection::{End, Event},
        packet::{self, Outer, VERSION, read_outer},
    },
    *,
};

/// A negotiation that answers the hello in `datagram` with `versions`.
fn negotiation(datagram: &[u8], versions: &[u32], own_id: bool) -> Vec<u8> {
    let Ok(Outer::Initial { dst, src, .. }) = read_outer(datagram) else { panic!("not a hello") };
    let from = if own_id { dst } else { ConnectionId::from([9; 8]) };
    let mut out = Vec::new();
    packet::write_version_negotiation(&mut out, src, from, versions, 0);
    out
}

fn ends(world: &World) -> Vec<&End> {
    let events = world.hosts[0].events.iter();
    events.filter_map(|(_, event)| if let Event::Closed(end) = event { Some(end) } else { None }).collect()
}

#[test]
fn is_a_dialer_of_another_version_told_within_a_round_trip() {
    for version in [VERSION, 0xbaba_baba] {
        let mut world = clean(1);
        world.hosts[0].endpoint = endpoint(Odd { version, padding: 0 }, 1, 1, world.now);
        world.connect();
        world.run(101 * MS);
        assert_eq!(ends(&world), [&End::Version(vec![VERSION_PLAIN])], "{version:x}");
        assert_eq!(world.hosts[1].endpoint.half_open(), 0, "nothing was begun");
    }
}

/// Dials while `versions` arrive from the acceptor's address before its answer.
fn dial_with_forged(versions: &[u32], own_id: bool, after: Duration) -> World {
    let mut world = clean(1);
    let mut dialer = endpoint(PlainHandshaker, 1, 1, world.now);
    let hello = Dialer::new(&mut dialer, stranger(0), world.now).says();
    // The same seed says the same hello again.
    world.hosts[0].endpoint = endpoint(PlainHandshaker, 1, 1, world.now);
    world.connect();
    world.run(after);
    let to = world.hosts[0].addr;
    world.arrive(server(), to, None, &mut negotiation(&hello, versions, own_id));
    world.run(SECOND);
    world
}

#[test]
fn does_a_forged_negotiation_end_the_dial_rather_than_change_its_version() {
    let world = dial_with_forged(&[VERSION], true, 10 * MS);
    assert_eq!(ends(&world), [&End::Version(vec![VERSION])]);
    assert!(!has_accepted(&world));
}

#[test]
fn is_a_negotiation_ignored_that_cannot_be_true() {
    let list = [VERSION, VERSION_PLAIN];
    for (versions, own_id, after, why) in [
        (&list[..], true, 10, "it offers what was asked for"),
        (&list[..1], false, 10, "it does not know where the hello went"),
        (&list[..1], true, 101, "the acceptor answered before"),
    ] {
        let world = dial_with_forged(versions, own_id, after * MS);
        assert!(ends(&world).is_empty() && has_accepted(&world), "{why}");
    }
}

#[test]
fn does_a_hello_whose_version_was_changed_on_the_way_connect_nobody() {
    let mut world = clean(1);
    world.tamper = Some(Box::new(|from, _, datagram| {
        if from == 0 && datagram[0] & 0x80 != 0 {
            datagram[1..5].copy_from_slice(&VERSION.to_be_bytes());
        }
        true
    }));
    assert!(!connects_within(&mut world, SECOND * 15));
    assert!(world.hosts.iter().all(|host| host.connections.is_empty()));
}
