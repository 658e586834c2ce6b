//! The receiver alone, also in the hands of an attacker.

use std::collections::BTreeMap;

use bytes::Bytes;
use proptest::prelude::*;

use super::*;
use crate::transport::{
    MAX_MESSAGE_BYTES,
    udp::proto::{Violation, frame::Piece, lanes::start_window},
};

proptest! {
    #[test]
    fn no_piece_makes_the_receiver_panic_or_hoard(
        pieces in prop::collection::vec(
            (0_u64..20, 0_u64..5, prop::option::of((0_u64..70_000, 0_u64..70_000)), 0_usize..2000),
            1..300,
        ),
        wild: (u64, u64, u64, u64),
    ) {
        let mut incoming = Incoming::with_max_slots(4);
        let (lane, seq, total, offset) = wild;
        let _ = incoming.on_piece(&Piece { lane, seq, part: Some((total, offset)), data: b"x" });
        let _ = incoming.on_piece(&Piece { lane: lane % 4, seq, part: None, data: b"x" });
        for (lane, seq, part, len) in pieces {
            let data = vec![7; len];
            let _ = incoming.on_piece(&Piece { lane, seq, part, data: &data });
            while incoming.pop().is_some() {}
            let bound: u64 = Class::ALL.iter().map(|class| incoming.credit(*class) + 16 * 1024).sum();
            prop_assert!(incoming.buffered() as u64 <= bound);
        }
    }
}

fn fragment(seq: u64, total: u64, offset: u64, data: &[u8]) -> Piece<'_> {
    Piece { lane: 2, seq, part: Some((total, offset)), data }
}

#[test]
fn nonsense_is_a_violation() {
    let max = MAX_MESSAGE_BYTES as u64;
    for (piece, words) in [
        (Piece { lane: 3, seq: 0, part: None, data: b"x" }, "a lane that does not exist"),
        (Piece { lane: 4096 * 4, seq: 0, part: None, data: b"x" }, "a lane that does not exist"),
        (Piece { lane: u64::MAX - 1, seq: 0, part: None, data: b"x" }, "a lane that does not exist"),
        (fragment(0, 10, 3, b""), "an empty fragment"),
        (fragment(0, max + 1, 3, b"x"), "a message that is too long"),
        (fragment(0, 10, 10, b"x"), "a fragment beyond the end of its message"),
        (fragment(0, 10, u64::MAX, b"x"), "a fragment beyond the end of its message"),
        (fragment(0, 11, 0, b"x"), "a message of two lengths"),
        (fragment(1, 2, 0, b"x"), "a message of two lengths"),
        (Piece { lane: 1, seq: 9, part: None, data: &[0; 66_000] }, "more sent than credit was given"),
    ] {
        let mut incoming = Incoming::new();
        incoming.on_piece(&fragment(0, 10, 0, b"x")).unwrap();
        incoming.on_piece(&Piece { lane: 2, seq: 1, part: None, data: b"xyz" }).unwrap();
        assert_eq!(incoming.on_piece(&piece), Err(Violation(words)), "{piece:?}");
    }
}

#[test]
fn reassembly_bombs_stay_within_the_credit() {
    let mut incoming = Incoming::new();
    let mut placed = BTreeMap::new();
    let total = MAX_MESSAGE_BYTES as u64;
    'bomb: for seq in 0..10_000 {
        for offset in [0, total - 1] {
            while incoming.credit_due(some_time(), RTT).is_some() {}
            match incoming.on_piece(&fragment(seq, total, offset, b"x")) {
                Ok(outcome) => *placed.entry(outcome as u8).or_insert(0) += 1,
                Err(_) => break 'bomb,
            }
        }
    }
    assert!(placed[&(Placed::Full as u8)] > 0);
    let most = MAX_MESSAGE_BYTES + start_window(Class::Bulk) as usize + (64 << 10) + 64;
    assert!(incoming.buffered() <= most, "{}", incoming.buffered());
}

#[test]
fn gaps_have_a_limit_and_close_again() {
    let mut incoming = Incoming::new();
    let outcomes: Vec<_> =
        (0..3000).map(|n| incoming.on_piece(&fragment(0, 6000, 2 * n, b"x")).unwrap()).collect();
    assert_eq!(outcomes.iter().filter(|placed| **placed == Placed::New).count(), 1025);
    let mut rounds = 0;
    while !incoming.received_complete(1) {
        rounds += 1;
        assert!(rounds < 10);
        (0..6000).for_each(|n| assert!(incoming.on_piece(&fragment(0, 6000, n, b"x")).is_ok()));
    }
    assert_eq!(incoming.pop().unwrap().1, vec![b'x'; 6000]);
}

#[test]
fn lanes_do_not_wait_for_each_other() {
    let mut incoming = Incoming::new();
    let piece = |lane, seq, data| Piece { lane, seq, part: None, data };
    incoming.on_piece(&piece(1, 1, b"second")).unwrap();
    incoming.on_piece(&piece(5, 0, b"other")).unwrap();
    assert_eq!(incoming.pop(), Some((Class::Thin, Bytes::from_static(b"other"))));
    assert_eq!(incoming.pop(), None);
    incoming.on_piece(&piece(1, 0, b"first")).unwrap();
    assert_eq!(incoming.pop().unwrap().1, "first");
    assert_eq!(incoming.pop().unwrap().1, "second");
    assert_eq!(incoming.on_piece(&piece(1, 1, b"second")), Ok(Placed::Old));
}

#[test]
fn the_planted_fault_shows() {
    let mut incoming = Incoming::new();
    incoming.unordered = true;
    let piece = |seq, data| Piece { lane: 1, seq, part: None, data };
    incoming.on_piece(&piece(1, b"second")).unwrap();
    assert_eq!(incoming.pop().unwrap().1, "second");
    incoming.on_piece(&piece(0, b"first")).unwrap();
    assert_eq!(incoming.pop().unwrap().1, "first");
    assert_eq!(incoming.on_piece(&piece(1, b"second")), Ok(Placed::Old));
    assert_eq!(incoming.pop(), None);
}
