//! For whom is a token of a Retry good, and how often?

use super::{super::super::endpoint::Retry, *};

/// An acceptor that always asks for proof, a dialer that was asked, and its second hello.
fn asked() -> (Endpoint, Dialer, Vec<u8>) {
    let now = some_moment();
    let mut acceptor = acceptor(2, 2, now);
    acceptor.set_retry(Retry::Always);
    // Near the end of a key's period.
    let now = now + SECOND * 59;
    let mut dialer = Dialer::new(&mut endpoint(PlainHandshaker, 1, 1, now), stranger(1), now);
    let hello = dialer.says();
    let Dispatch::Reply(mut retry) = arrive(&mut acceptor, dialer.addr, &hello, now) else {
        panic!("no retry")
    };
    dialer.hears(&mut retry);
    let proven = dialer.says();
    assert!(proven.len() >= 1200 && proven[21] == 29, "a token of 29 bytes");
    (acceptor, dialer, proven)
}

#[test]
fn is_a_token_good_for_its_dialer_only() {
    let (mut acceptor, dialer, proven) = asked();
    for other in ["20.0.1.9:1001", "20.0.1.8:1000", "[2001:db8::1]:1000"] {
        let taken = arrive(&mut acceptor, other.parse().unwrap(), &proven, dialer.now);
        assert_eq!(what(&taken), "reply", "{other} is asked for its own proof");
    }
    assert_eq!(what(&arrive(&mut acceptor, dialer.addr, &proven, dialer.now)), "incoming");
}

#[test]
fn is_a_token_good_for_ten_seconds_whatever_the_key_of_the_day() {
    let (mut acceptor, dialer, proven) = asked();
    let late = arrive(&mut acceptor, dialer.addr, &proven, dialer.now + SECOND * 11);
    assert_eq!(what(&late), "reply");
    let (mut acceptor, dialer, proven) = asked();
    let next_key = arrive(&mut acceptor, dialer.addr, &proven, dialer.now + SECOND * 10);
    assert_eq!(what(&next_key), "incoming");
}

#[test]
fn is_a_token_with_any_bit_flipped_worthless() {
    let (mut acceptor, dialer, proven) = asked();
    for bit in 22 * 8..51 * 8 {
        let mut flipped = proven.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        let taken = arrive(&mut acceptor, dialer.addr, &flipped, dialer.now);
        assert_eq!(what(&taken), "reply", "bit {bit}");
    }
    assert_eq!(acceptor.half_open(), 0);
}

#[test]
fn does_a_damaged_hello_leave_its_token_good() {
    let (mut acceptor, dialer, proven) = asked();
    let mut damaged = proven.clone();
    damaged[600] ^= 1;
    assert_eq!(what(&arrive(&mut acceptor, dialer.addr, &damaged, dialer.now)), "dropped");
    assert_eq!(what(&arrive(&mut acceptor, dialer.addr, &proven, dialer.now)), "incoming");
}

#[test]
fn is_a_token_good_once() {
    let (mut acceptor, dialer, proven) = asked();
    let Dispatch::Incoming(key, connection) = arrive(&mut acceptor, dialer.addr, &proven, dialer.now) else {
        panic!("a good token")
    };
    assert_eq!(what(&arrive(&mut acceptor, dialer.addr, &proven, dialer.now)), "to", "of that connection");
    acceptor.forget(key, &connection);
    assert_eq!(what(&arrive(&mut acceptor, dialer.addr, &proven, dialer.now)), "reply");
}

#[test]
fn is_no_token_good_across_a_restart() {
    let (_, dialer, proven) = asked();
    let mut restarted = acceptor(2, 3, dialer.now);
    restarted.set_retry(Retry::Always);
    assert_eq!(what(&arrive(&mut restarted, dialer.addr, &proven, dialer.now)), "reply");
}

#[test]
fn does_a_handshake_with_a_retry_survive_the_loss_of_any_of_its_datagrams() {
    for (sender, number) in [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2)] {
        let mut world = clean(3);
        world.hosts[1].endpoint.set_retry(Retry::Always);
        let mut sent = [0; 2];
        world.tamper = Some(Box::new(move |from, _, _| {
            sent[from] += 1;
            (from, sent[from] - 1) != (sender, number)
        }));
        assert!(connects_within(&mut world, SECOND * 4), "without {number} of {sender}");
    }
}
