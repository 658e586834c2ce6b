//! Does an address that proved nothing ever get more than three times what came from it?

use std::{cell::Cell, rc::Rc};

use super::{super::super::endpoint::Retry, *};

/// Lets the dialer say `words` datagrams and fall silent, and loses the acceptor's first `lost` ones.
/// `None`: the acceptor knew the address by then. Else bytes that the acceptor got and sent in a minute.
fn silence_after(mut world: World, words: usize, lost: usize) -> Option<(usize, usize)> {
    let counts = Rc::new(Cell::new(([0_usize; 2], [0_usize; 2])));
    let seen = counts.clone();
    world.tamper = Some(Box::new(move |from, _, datagram| {
        let (mut datagrams, mut bytes) = seen.get();
        let passes = if from == 0 { datagrams[0] < words } else { datagrams[1] >= lost };
        datagrams[from] += 1;
        if from == 1 || passes {
            bytes[from] += datagram.len();
        }
        seen.set((datagrams, bytes));
        passes
    }));
    world.connect();
    let known = world.run_until(SECOND * 60, |world| {
        let (_, [got, sent]) = counts.get();
        assert!(sent <= 3 * got || has_accepted(world), "{sent} for {got} bytes after {words} datagrams");
        has_accepted(world)
    });
    let (_, [got, sent]) = counts.get();
    (!known).then_some((got, sent))
}

#[test]
fn does_the_limit_hold_at_every_prefix_of_every_handshake() {
    let mut prefixes = 0;
    for (dialers, acceptors) in [(0, 0), (1500, 0), (0, 3000), (2500, 3500)] {
        for (words, lost) in (0..7).flat_map(|words| (0..8).map(move |lost| (words, lost))) {
            let world = wordy(dialers, acceptors, words as u64);
            let Some((got, sent)) = silence_after(world, words, lost) else { continue };
            assert!(sent <= 3 * got, "{sent} for {got} bytes");
            assert!((sent > 0) == (words > 0) || dialers > 0, "it does answer");
            prefixes += 1;
        }
    }
    assert!(prefixes > 50, "{prefixes} prefixes end before the address is known");
}

#[test]
fn is_a_large_answer_finished_though_the_limit_stops_it() {
    let mut world = wordy(0, 4000, 1);
    assert!(connects_within(&mut world, SECOND * 5));
}

#[test]
fn are_retries_negotiations_and_resets_shorter_than_what_they_answer() {
    let now = some_moment();
    let mut acceptor = acceptor(2, 2, now);
    acceptor.set_retry(Retry::Always);
    let hello = Dialer::new(&mut endpoint(PlainHandshaker, 1, 1, now), stranger(0), now).says();
    let Dispatch::Reply(retry) = arrive(&mut acceptor, stranger(0), &hello, now) else { panic!("no retry") };
    assert!(retry.len() * 10 < hello.len());
    let mut unknown = hello;
    unknown[1..5].copy_from_slice(&0xbaba_baba_u32.to_be_bytes());
    let Dispatch::Reply(versions) = arrive(&mut acceptor, stranger(0), &unknown, now) else {
        panic!("no versions")
    };
    assert!(versions.len() * 10 < unknown.len());
    for len in 0..1200 {
        let what = what(&arrive(&mut acceptor, stranger(0), &unknown[..len], now));
        assert_eq!(what, "dropped", "no word about versions to {len} bytes");
    }
}

#[test]
fn does_a_lie_about_the_version_stay_cheap_at_any_rate() {
    let now = some_moment();
    let mut acceptor = acceptor(2, 2, now);
    let mut unknown = Dialer::new(&mut endpoint(PlainHandshaker, 1, 1, now), stranger(0), now).says();
    unknown[1..5].copy_from_slice(&0xbaba_baba_u32.to_be_bytes());
    let replies = |acceptor: &mut Endpoint, networks: u32, now| {
        (0..5000)
            .filter(|n| what(&arrive(acceptor, stranger(n % networks), &unknown, now)) == "reply")
            .count()
    };
    assert_eq!(replies(&mut acceptor, 1, now), 32, "to one network");
    assert_eq!(replies(&mut acceptor, 5000, now + SECOND), 200, "to all");
}
