//! Can a flood of hellos fill memory, or keep others out?

use super::{
    super::super::endpoint::{
        MAX_HALF_OPEN, MAX_HALF_OPEN_PER_NETWORK, RETRY_ABOVE, RETRY_ABOVE_PER_NETWORK, Retry,
    },
    *,
};
use crate::transport::Lane;

/// A hello of a dialer at `addr` that shows a token.
fn proven(dialers: &mut Endpoint, acceptor: &mut Endpoint, addr: SocketAddr, now: Instant) -> Vec<u8> {
    let mut dialer = Dialer::new(dialers, addr, now);
    let hello = dialer.says();
    let Dispatch::Reply(mut retry) = arrive(acceptor, addr, &hello, now) else { panic!("no retry") };
    dialer.hears(&mut retry);
    dialer.says()
}

#[test]
fn does_a_flood_from_spoofed_addresses_leave_nothing_behind_but_a_bounded_number() {
    let now = some_moment();
    let mut acceptor = acceptor(2, 2, now);
    let hello = Dialer::new(&mut endpoint(PlainHandshaker, 1, 1, now), stranger(0), now).says();
    let (mut begun, mut replies) = (0, 0);
    for n in 0..20_000 {
        match arrive(&mut acceptor, stranger(n), &hello, now) {
            Dispatch::Incoming(..) => begun += 1,
            Dispatch::Reply(reply) => {
                assert!(reply.len() <= 110, "a tenth of what came");
                replies += 1;
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!((begun, replies), (RETRY_ABOVE, 20_000 - RETRY_ABOVE));
    assert_eq!(acceptor.half_open(), RETRY_ABOVE);
}

#[test]
fn does_one_network_have_to_prove_itself_before_all_have_to() {
    let now = some_moment();
    let mut acceptor = acceptor(2, 2, now);
    let hello = Dialer::new(&mut endpoint(PlainHandshaker, 1, 1, now), stranger(0), now).says();
    let from = |host: usize| SocketAddr::from(([30, 1, 1, host as u8], 1));
    for host in 0..RETRY_ABOVE_PER_NETWORK {
        assert_eq!(what(&arrive(&mut acceptor, from(host), &hello, now)), "incoming", "{host}");
    }
    let next = arrive(&mut acceptor, from(RETRY_ABOVE_PER_NETWORK), &hello, now);
    assert_eq!(what(&next), "reply");
    assert_eq!(what(&arrive(&mut acceptor, ([30, 1, 2, 1], 1).into(), &hello, now)), "incoming");
}

#[test]
fn are_networks_told_apart_on_a_socket_of_both_families() {
    let now = some_moment();
    let mut acceptor = acceptor(2, 2, now);
    let hello = Dialer::new(&mut endpoint(PlainHandshaker, 1, 1, now), stranger(0), now).says();
    let mut taken =
        |ip: String| what(&arrive(&mut acceptor, format!("[{ip}]:1").parse().unwrap(), &hello, now));
    for n in 0..RETRY_ABOVE_PER_NETWORK * 2 {
        assert_eq!(taken(format!("::ffff:10.1.{n}.1")), "incoming", "all of IPv4 is not one network");
    }
    for n in 0..RETRY_ABOVE_PER_NETWORK {
        assert_eq!(taken(format!("2001:db8:0:{n:x}::1")), "incoming");
    }
    assert_eq!(taken("2001:db8:0:ff::1".to_owned()), "reply", "one /56");
    assert_eq!(taken("2001:db8:0:100::1".to_owned()), "incoming", "the next");
}

#[test]
fn is_one_network_with_proven_addresses_kept_from_taking_every_place() {
    let now = some_moment();
    let (mut dialers, mut acceptor) = (endpoint(PlainHandshaker, 1, 1, now), acceptor(2, 2, now));
    acceptor.set_retry(Retry::Always);
    let addr = |n: usize| SocketAddr::from(([30, 1, 1, 1], n as u16));
    for n in 0..MAX_HALF_OPEN_PER_NETWORK {
        let hello = proven(&mut dialers, &mut acceptor, addr(n), now);
        assert_eq!(what(&arrive(&mut acceptor, addr(n), &hello, now)), "incoming", "{n}");
    }
    let hello = proven(&mut dialers, &mut acceptor, addr(9999), now);
    assert_eq!(what(&arrive(&mut acceptor, addr(9999), &hello, now)), "dropped");
    let other = stranger(1);
    let hello = proven(&mut dialers, &mut acceptor, other, now);
    assert_eq!(what(&arrive(&mut acceptor, other, &hello, now)), "incoming", "others get in");
}

#[test]
fn does_the_bound_of_half_open_hold_at_it_and_one_past_it() {
    let now = some_moment();
    let (mut dialers, mut acceptor) = (endpoint(PlainHandshaker, 1, 1, now), acceptor(2, 2, now));
    acceptor.set_retry(Retry::Always);
    let mut last = None;
    for n in 0..MAX_HALF_OPEN as u32 {
        let hello = proven(&mut dialers, &mut acceptor, stranger(n), now);
        let Dispatch::Incoming(key, connection) = arrive(&mut acceptor, stranger(n), &hello, now) else {
            panic!("{n} is turned away")
        };
        last = Some((key, connection));
    }
    let late = stranger(MAX_HALF_OPEN as u32);
    let hello = proven(&mut dialers, &mut acceptor, late, now);
    assert_eq!(what(&arrive(&mut acceptor, late, &hello, now)), "dropped");
    assert_eq!(acceptor.half_open(), MAX_HALF_OPEN);
    let (key, connection) = last.unwrap();
    acceptor.forget(key, &connection);
    let again = arrive(&mut acceptor, late, &hello, now);
    assert_eq!(what(&again), "incoming", "the token of who was turned away is still good");
    assert_eq!(acceptor.half_open(), MAX_HALF_OPEN);
}

/// How long after the dial the first line arrives, while `per_ms` strangers say hello every millisecond.
fn first_line_under_flood(per_ms: u32, seed: u64) -> Duration {
    let mut world = clean(seed);
    let hello = Dialer::new(&mut endpoint(PlainHandshaker, 9, 9, world.now), stranger(0), world.now).says();
    let mut n = 0;
    let mut flood = |world: &mut World| {
        for _ in 0..per_ms {
            n += 1;
            world.arrive(stranger(n), server(), None, &mut hello.clone());
        }
    };
    for _ in 0..200 {
        flood(&mut world);
        world.run(MS);
    }
    let (start, key) = (world.now, world.connect());
    let mut sent = false;
    while world.hosts[1].inbox.is_empty() {
        flood(&mut world);
        world.run(MS);
        if !sent && is_up(&world, 0, key) {
            world.send(0, key, Lane::thin(1), "at last");
            sent = true;
        }
        assert!(world.now < start + SECOND * 5, "kept out");
    }
    world.now - start
}

#[test]
fn does_an_honest_dialer_get_in_through_a_flood_in_less_than_twice_the_time() {
    let (calm, flooded) = (first_line_under_flood(0, 1), first_line_under_flood(20, 1));
    assert!(calm >= 150 * MS && flooded > calm, "{calm:?} {flooded:?}: the flood is felt");
    assert!(flooded < calm * 2, "{calm:?} {flooded:?}");
}

#[test]
fn is_a_flood_forgotten_once_it_is_over() {
    let mut world = clean(1);
    let hello = Dialer::new(&mut endpoint(PlainHandshaker, 9, 9, world.now), stranger(0), world.now).says();
    for n in 0..1000 {
        world.arrive(stranger(n), server(), None, &mut hello.clone());
    }
    assert_eq!(world.hosts[1].endpoint.half_open(), RETRY_ABOVE);
    world.run(SECOND * 10);
    assert_eq!(world.hosts[1].endpoint.half_open(), 0);
    assert!(world.hosts[1].connections.is_empty());
}
