//! The sender alone.

use bytes::Bytes;

use super::*;
use crate::transport::{MAX_MESSAGE_BYTES, udp::proto::frame::Piece};

fn pushed(lane: Lane, lens: &[usize]) -> (Outgoing, SendCredit) {
    let mut out = Outgoing::new();
    (0..).zip(lens).for_each(|(n, len)| out.push(lane, message(lane, n, *len)));
    (out, SendCredit::new([u64::MAX / 2; 3]))
}

#[test]
fn an_empty_message_is_a_message() {
    let (mut out, mut credit) = pushed(Lane::thin(7), &[0, 0]);
    let mut incoming = Incoming::new();
    for _ in 0..2 {
        assert!(out.next_fresh(Class::Thin, 3, &mut credit).is_none());
        let piece = out.next_fresh(Class::Thin, 50, &mut credit).unwrap();
        out.on_lost(piece.r);
        out.on_lost(piece.r);
        let again = out.next_lost(Class::Thin, 50).unwrap();
        assert!(out.next_lost(Class::Thin, 50).is_none());
        let OutPiece { r, part, data } = again;
        let piece = Piece { lane: r.lane, seq: r.seq, part, data: &data };
        assert_eq!(incoming.on_piece(&piece), Ok(Placed::New));
        assert_eq!(incoming.on_piece(&piece), Ok(Placed::Old));
        assert_eq!(incoming.pop(), Some((Class::Thin, Bytes::new())));
        assert!(out.on_acked(r));
        assert!(!out.on_acked(r));
    }
    assert!(out.is_empty() && incoming.pop().is_none());
    assert_eq!((credit.used(Class::Thin), incoming.charged(Class::Thin)), (128, 128));
}

#[test]
fn the_lanes_of_a_class_take_turns_frame_by_frame() {
    let mut credit = SendCredit::new([u64::MAX / 2; 3]);
    let mut out = Outgoing::new();
    for id in 0..3 {
        out.push(Lane::bulk(id), message(Lane::bulk(id), 0, 3000));
        out.push(Lane::thin(id), message(Lane::thin(id), 0, 3000));
    }
    let mut order = |class| -> Vec<u64> {
        std::iter::from_fn(|| out.next_fresh(class, 1200, &mut credit))
            .map(|piece| piece.r.lane >> 2)
            .collect()
    };
    assert_eq!(order(Class::Bulk), [0, 1, 2, 0, 1, 2, 0, 1, 2]);
    assert_eq!(order(Class::Thin), [0, 1, 2, 0, 1, 2, 0, 1, 2]);
}

#[test]
fn one_large_message_at_a_time_while_small_ones_pass() {
    let mut out = Outgoing::new();
    let mut credit = SendCredit::new([u64::MAX / 2; 3]);
    for (id, len) in [(0, 40_000), (1, 40_000), (2, 5000), (3, 40_000)] {
        out.push(Lane::bulk(id), message(Lane::bulk(id), 0, len));
    }
    let order: Vec<u64> = std::iter::from_fn(|| out.next_fresh(Class::Bulk, 1200, &mut credit))
        .map(|piece| piece.r.lane >> 2)
        .collect();
    let first = |lane| order.iter().position(|slot| *slot == lane).unwrap();
    let last = |lane| order.iter().rposition(|slot| *slot == lane).unwrap();
    assert!(last(0) < first(1) && last(1) < first(3) && last(2) < last(0));
    assert!(!out.has_fresh(Class::Bulk));
}

#[test]
fn a_started_small_message_goes_on_without_credit() {
    let mut out = Outgoing::new();
    let mut credit = SendCredit::new([5000; 3]);
    out.push(Lane::bulk(0), message(Lane::bulk(0), 0, 4000));
    out.push(Lane::bulk(1), message(Lane::bulk(1), 0, 4000));
    for _ in 0..4 {
        assert!(!out.is_blocked(Class::Bulk, &credit));
        assert_eq!(out.next_fresh(Class::Bulk, 1200, &mut credit).unwrap().r.lane, 2);
    }
    assert!(out.next_fresh(Class::Bulk, 1200, &mut credit).is_none());
    assert!(out.is_blocked(Class::Bulk, &credit) && out.has_fresh(Class::Bulk));
}

#[test]
fn what_arrived_meanwhile_is_not_sent_again() {
    let (mut out, mut credit) = pushed(Lane::bulk(0), &[3000]);
    let pieces: Vec<_> = std::iter::from_fn(|| out.next_fresh(Class::Bulk, 1100, &mut credit)).collect();
    pieces.iter().for_each(|piece| out.on_lost(piece.r));
    out.on_acked(pieces[0].r);
    assert!(out.has_lost(Class::Bulk));
    // A small datagram: the rest is cut anew.
    let again = out.next_lost(Class::Bulk, 500).unwrap();
    assert_eq!(again.r.offset, u64::from(pieces[0].r.len));
    out.on_acked(pieces[1].r);
    out.on_lost(again.r);
    let last = out.next_lost(Class::Bulk, 1200).unwrap();
    assert_eq!(last.r, pieces[2].r);
    assert!(!out.has_lost(Class::Bulk));
    assert!(out.on_acked(pieces[2].r) && out.is_empty());
    out.on_lost(last.r);
    assert!(!out.has_lost(Class::Bulk) && out.piece(last.r).is_none());
}

#[test]
fn a_fragment_is_not_tiny_unless_it_is_the_rest() {
    let (mut out, mut credit) = pushed(Lane::thin(0), &[1000, 30]);
    assert!(out.next_fresh(Class::Thin, 70, &mut credit).is_none());
    assert_eq!(out.next_fresh(Class::Thin, 75, &mut credit).unwrap().r.len, 67);
    assert_eq!(out.next_fresh(Class::Thin, 925, &mut credit).unwrap().r.len, 916);
    assert_eq!(out.next_fresh(Class::Thin, 40, &mut credit).unwrap().r.len, 17);
    assert!(out.next_fresh(Class::Thin, 30, &mut credit).is_none());
    assert_eq!(out.next_fresh(Class::Thin, 34, &mut credit).unwrap().part, None);
}

#[test]
fn room_is_a_cap_that_an_empty_class_ignores() {
    let mut out = Outgoing::new();
    assert_eq!(out.room(Class::Thin), MAX_MESSAGE_BYTES);
    out.push(Lane::thin(0), Bytes::from(vec![0; 1000]));
    assert_eq!(out.room(Class::Thin), (256 << 10) - 1000 - 128);
    out.push(Lane::bulk(0), Bytes::from(vec![0; MAX_MESSAGE_BYTES]));
    assert_eq!(out.room(Class::Bulk), 0);
}

#[test]
fn many_messages_and_many_lanes_stay_cheap() {
    let mut credit = SendCredit::new([u64::MAX / 2; 3]);
    let mut out = Outgoing::new();
    for n in 0..200_000 {
        out.push(Lane::bulk(n % 5000), Bytes::from_static(b"a message"));
        out.push(Lane::thin(1), Bytes::from_static(b"a message"));
    }
    for class in [Class::Bulk, Class::Thin] {
        let sent: Vec<_> = std::iter::from_fn(|| out.next_fresh(class, 1200, &mut credit)).collect();
        assert_eq!(sent.len(), 200_000);
        sent.iter().for_each(|piece| out.on_lost(piece.r));
        let again: Vec<_> = std::iter::from_fn(|| out.next_lost(class, 1200)).collect();
        assert_eq!(again.len(), 200_000);
        assert!(again.iter().rev().all(|piece| out.on_acked(piece.r)));
    }
    assert!(out.is_empty());
    assert_eq!(out.acked_messages(), 400_000);
}

#[test]
fn a_lane_does_not_leave_a_slot_where_it_may_still_wait() {
    let mut out = Outgoing::with_max_slots(2);
    let mut credit = SendCredit::new([u64::MAX / 2; 3]);
    let mut send = |out: &mut Outgoing, id| {
        out.push(Lane::thin(id), Bytes::from_static(b"x"));
        out.next_fresh(Class::Thin, 1200, &mut credit).unwrap().r
    };
    let (one, other) = (send(&mut out, 1), send(&mut out, 2));
    let shared = send(&mut out, 3);
    let (before, elsewhere) = if shared.lane == one.lane { (one, other) } else { (other, one) };
    assert!(out.on_acked(shared) && out.on_acked(elsewhere));
    // The first message of the slot is missing, so the other side holds back the one behind it.
    assert_eq!(send(&mut out, 3).lane, shared.lane);
    assert!(out.on_acked(before));
}
