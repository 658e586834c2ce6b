//! Does a reset end what is over, and nothing else?

use ring::hmac;

use super::{
    super::super::{
        cid::{CidFactory, reset_token},
        connection::{End, Event},
        mac::hmac_short,
    },
    *,
};
use crate::transport::Lane;

fn key(secret: u8) -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA256, &[secret; 32])
}

/// A connection id as an endpoint with this secret makes them.
fn former_cid(secret: u8) -> ConnectionId {
    CidFactory::new(hmac_short(&key(secret), &[b"connection ids"]), 0, [secret; 32]).next()
}

/// A datagram of `len` bytes that looks like a packet for `dst`.
fn packet(dst: ConnectionId, len: usize) -> Vec<u8> {
    let mut datagram = vec![0x55; len];
    datagram[1..9].copy_from_slice(dst.as_bytes());
    datagram
}

fn was_reset(world: &World, key: ConnectionKey) -> bool {
    world.hosts[0].events.contains(&(key, Event::Closed(End::Reset)))
}

/// Host 1 loses all its connections.
fn restart(world: &mut World, secret: u8) {
    world.hosts[1].endpoint = acceptor(secret, 77, world.now);
    world.hosts[1].connections.clear();
}

#[test]
fn does_a_dialer_learn_of_a_restart_within_a_round_trip_of_its_next_word() {
    for words in ["", "hi", &"a longer line ".repeat(50)] {
        let mut world = clean(1);
        let [here, _] = world.connected();
        world.run(SECOND);
        restart(&mut world, 2);
        world.send(0, here, Lane::thin(1), words.to_owned());
        assert!(!was_reset(&world, here));
        assert!(world.run_until(101 * MS, |world| was_reset(world, here)), "after {} bytes", words.len());
    }
}

#[test]
fn does_a_quiet_dialer_learn_of_a_restart_by_its_keep_alive() {
    let mut world = clean(1);
    let [here, _] = world.connected();
    world.run(SECOND);
    restart(&mut world, 2);
    let keep_alive = Config::default().keep_alive;
    assert!(world.run_until(keep_alive + 200 * MS, |world| was_reset(world, here)));
}

#[test]
fn does_a_node_that_is_another_reset_nothing() {
    let mut world = clean(1);
    let [here, _] = world.connected();
    restart(&mut world, 3);
    world.send(0, here, Lane::thin(1), "who are you?");
    world.run(SECOND * 5);
    assert!(!was_reset(&world, here) && is_up(&world, 0, here));
}

#[test]
fn is_every_reset_shorter_than_what_it_answers() {
    let now = some_moment();
    let mut acceptor = acceptor(2, 2, now);
    let dst = former_cid(2);
    for len in 9..1500 {
        let now = now + SECOND * len as u32;
        match arrive(&mut acceptor, stranger(0), &packet(dst, len), now) {
            Dispatch::Reply(reset) => {
                assert!(reset.len() < len && reset.len() >= 22, "{} for {len}", reset.len());
                assert_eq!(reset[0] & 0xc0, 0x40, "looks like a packet");
                assert_eq!(reset[reset.len() - 16..], reset_token(&key(2), &dst));
            }
            other => assert!(len < 29 && what(&other) == "dropped", "{len}: {other:?}"),
        }
    }
}

#[test]
fn do_two_endpoints_never_reset_each_other_without_end() {
    let now = some_moment();
    let mut hosts = [acceptor(2, 2, now), acceptor(3, 3, now)];
    let ids = [former_cid(2), former_cid(3)];
    let mut datagram = packet(ids[0], 1200);
    let mut words = 0;
    // The worst case: whoever is in between makes each reset look like a packet of a former connection.
    while let Dispatch::Reply(mut reset) = arrive(&mut hosts[words % 2], stranger(0), &datagram, now) {
        words += 1;
        assert!(reset.len() < datagram.len());
        reset[1..9].copy_from_slice(ids[words % 2].as_bytes());
        datagram = reset;
    }
    assert!((1..60).contains(&words), "{words}");
    // Without anybody's help it ends at once.
    let Dispatch::Reply(reset) = arrive(&mut hosts[0], stranger(1), &packet(ids[0], 1200), now) else {
        panic!("no reset")
    };
    assert_eq!(what(&arrive(&mut hosts[1], stranger(0), &reset, now)), "dropped");
}

#[test]
fn are_resets_rationed() {
    let now = some_moment();
    let mut acceptor = acceptor(2, 2, now);
    let trigger = packet(former_cid(2), 100);
    let mut resets = |networks: u32, now| {
        let sent = (0..20_000).filter(|n| {
            let from = stranger(n % networks);
            what(&arrive(&mut acceptor, from, &trigger, now)) == "reply"
        });
        sent.count()
    };
    assert_eq!(resets(1, now), 32, "one network");
    assert_eq!(resets(20_000, now + SECOND), 1000, "all networks");
    assert_eq!(resets(1, now + SECOND * 2), 32, "again a second later");
}

#[test]
fn is_a_forged_reset_ignored() {
    let mut world = clean(1);
    let [here, there] = world.connected();
    world.run(SECOND);
    let ids: Vec<ConnectionId> = world.connection(1, there).local_cids().collect();
    assert_eq!(ids.len(), 2);
    let to = world.hosts[0].addr;
    let reset = |cid: &ConnectionId, flip: Option<usize>| {
        let mut token = reset_token(&key(2), cid);
        if let Some(bit) = flip {
            token[bit / 8] ^= 1 << (bit % 8);
        }
        [&[0x45; 30][..], &token].concat()
    };
    for bit in 0..128 {
        world.arrive(server(), to, None, &mut reset(&ids[0], Some(bit)));
    }
    world.arrive(server(), to, None, &mut reset(&ids[1], None));
    let token_alone = reset_token(&key(2), &ids[0]);
    world.arrive(server(), to, None, &mut [&[0x45; 5][..], &token_alone].concat());
    world.run(SECOND);
    assert!(is_up(&world, 0, here), "guesses, ids not in use, too short");
    world.arrive(server(), to, None, &mut reset(&ids[0], None));
    assert!(was_reset(&world, here), "the true one");
}
