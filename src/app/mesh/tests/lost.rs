//! What becomes of what was under way on a link that goes, or found no place.

use super::*;
use crate::app::{
    SentState,
    limits::{DIGEST_PERIOD, DIGEST_PERIOD_QUIET, LEAVE_PATIENCE, MAX_HELD},
};

/// A peer with two links to one other, who is in the lobby: of these the first was heard on, and is
/// closed in favour of the second.
struct Twice {
    seat: Seat,
    other: u32,
}

impl Twice {
    /// `before` happens on the first link, before there is a second.
    fn after(before: impl FnOnce(&mut Seat, u32)) -> Self {
        let [low, high] = if node(1) < node(2) { [1, 2] } else { [2, 1] };
        let mut seat = Seat::of(low, |_| {});
        seat.links(1, hello(high), ELSEWHERE, None);
        seat.hears(1, subscribe());
        before(&mut seat, high);
        seat.links(2, hello(high), ELSEWHERE, Some(addr(1)));
        assert_eq!(seat.done().closed, [(1, ByeReason::Duplicate)]);
        let me = seat.mesh.me;
        seat.hears(2, having(me, 0));
        seat.done();
        Self { seat, other: high }
    }
}

/// A subscription of somebody who has a log so far.
fn having(author: NodeId, next: u64) -> Frame {
    let have = [(author, Epoch(1), Seq(next))].into_iter().collect();
    Frame::Subscribe { room: lobby(), have, age_ms: 0, history: 0, more: false }
}

fn subscribed(done: &Done) -> Vec<(u64, Option<Seq>)> {
    let (author, epoch) = (node(1).min(node(2)), Epoch(1));
    let vector = |(to, frame): &(u64, Frame)| match frame {
        Frame::Subscribe { have, .. } => Some((*to, have.get(author, epoch))),
        _ => None,
    };
    done.sent.iter().filter_map(vector).collect()
}

fn digests(done: &Done) -> usize {
    done.sent.iter().filter(|(_, frame)| matches!(frame, Frame::Digest { .. })).count()
}

#[test]
fn is_what_was_asked_for_on_a_link_that_goes_asked_for_on_the_kept_one() {
    let ask = |seat: &mut Seat, other| {
        seat.hears(1, have(other, 4));
        assert_eq!(seat.done().wants(), [(1, Seq(0), Seq(4))]);
    };
    let Twice { mut seat, other } = Twice::after(ask);
    seat.hears(2, have(other, 4));
    assert_eq!(seat.done().wants(), [], "it may still come");
    seat.loses(1);
    assert_eq!(subscribed(&seat.done()), [(2, None)], "the other end says how far it is, on which follows");
    seat.hears(2, have(other, 4));
    assert_eq!(seat.done().wants(), [(2, Seq(0), Seq(4))]);
}

#[test]
fn is_what_a_closing_link_brings_word_of_asked_for_on_the_kept_one() {
    let Twice { mut seat, other } = Twice::after(|_, _| {});
    seat.hears(1, have(other, 4));
    assert_eq!(seat.done().wants(), [(2, Seq(0), Seq(4))]);
}

#[test]
fn is_what_a_closing_link_asks_for_sent_on_the_kept_one() {
    let Twice { mut seat, .. } = Twice::after(|seat, _| seat.asks(Command::Say("hello".into())));
    let log = LogKey { author: seat.mesh.me, ..log_of(0) };
    seat.hears(1, Frame::Want { log, from: Seq(0), upto: Seq(1) });
    let done = seat.done();
    let lines = done.sent.iter().filter(|(_, frame)| matches!(frame, Frame::Record(_)));
    assert_eq!(lines.map(|(to, _)| *to).collect::<Vec<_>>(), [2]);
}

#[test]
fn is_a_line_told_as_delivered_whose_acknowledgement_was_lost_with_a_link() {
    let Twice { mut seat, .. } = Twice::after(|seat, _| seat.asks(Command::Say("hello".into())));
    seat.loses(1);
    assert_eq!(subscribed(&seat.done()), [(2, Some(Seq(1)))], "this end may have acknowledgements to repeat");
    let me = seat.mesh.me;
    seat.hears(2, having(me, 1));
    let delivered = |event: &&Event| matches!(event, Event::Sent { state: SentState::Delivered { .. }, .. });
    assert_eq!(seat.done().shown.iter().filter(delivered).count(), 1);
}

#[test]
fn is_what_there_was_no_place_for_asked_for_when_there_is() {
    let mut seat = Seat::with(1);
    let said = speech(1, 200);
    for record in &said[10..] {
        seat.hears(1, Frame::Record(record.clone()));
    }
    assert_eq!(seat.done().wants(), [(1, Seq(0), Seq(10))]);
    for record in &said[..10] {
        seat.hears(1, Frame::Record(record.clone()));
    }
    let done = seat.done();
    assert_eq!(done.lines().len(), 10 + MAX_HELD);
    assert_eq!(done.wants(), [(1, Seq(10 + MAX_HELD as u64), Seq(200))]);
}

#[test]
fn does_somebody_who_has_heard_nothing_find_out_what_there_is() {
    let mut seat = Seat::with(1);
    seat.waits(DIGEST_PERIOD_QUIET * 5 / 4);
    assert_eq!(digests(&seat.done()), 1);
    seat.hears(1, Frame::Digest { room: lobby(), sum: 1 });
    seat.waits(DIGEST_PERIOD);
    assert_eq!(digests(&seat.done()), 1, "somebody has something else: soon again");
}

#[test]
fn is_somebody_who_lacks_what_this_peer_said_told_of_it() {
    let mut seat = Seat::with(1);
    seat.asks(Command::Say("hello".into()));
    seat.waits(DIGEST_PERIOD);
    seat.done();
    seat.hears(1, have(0, 0));
    let done = seat.done();
    let next = |frame: &&Frame| match frame {
        Frame::Have { logs, .. } => logs.first().map(|log| log.next),
        _ => None,
    };
    assert_eq!(done.to(1).iter().filter_map(next).collect::<Vec<_>>(), [Seq(1)]);
}

#[test]
fn is_a_request_without_an_answer_followed_by_a_comparison() {
    let mut seat = Seat::with(1);
    seat.hears(1, have(3, 4));
    seat.waits(WANT_PATIENCE);
    seat.done();
    seat.waits(DIGEST_PERIOD);
    assert_eq!(digests(&seat.done()), 1);
}

/// A peer that has said all it had to, and whose link broke while it took leave.
fn cut_off_while_leaving(linger: Duration) -> Seat {
    let mut seat = Seat::of(0, |config| {
        config.peers = vec![addr(1)];
        config.linger = linger;
    });
    seat.links(1, hello(1), ELSEWHERE, Some(addr(1)));
    seat.hears(1, subscribe());
    for record in speech(1, 2) {
        seat.hears(1, Frame::Record(record));
    }
    seat.asks(Command::Finish);
    assert_eq!(seat.done().closed, [(1, ByeReason::Quit)]);
    seat.loses(1);
    seat
}

fn has_ended(done: &Done) -> bool {
    done.shown.iter().any(|event| matches!(event, Event::Closed { .. }))
}

#[test]
fn is_somebody_told_that_their_lines_arrived_whose_link_broke_at_the_leave() {
    let mut seat = cut_off_while_leaving(LEAVE_PATIENCE * 2);
    assert!(!has_ended(&seat.done()));
    seat.waits(Duration::from_secs(2));
    assert_eq!(seat.done().dialed, [addr(1)]);
    seat.links(2, hello(1), ELSEWHERE, Some(addr(1)));
    seat.hears(2, subscribe());
    let done = seat.done();
    let told = |frame: &&Frame| match frame {
        Frame::Subscribe { have, .. } => have.get(node(1), Epoch(1)),
        _ => None,
    };
    assert_eq!(done.to(2).iter().find_map(told), Some(Seq(2)));
    assert_eq!(done.closed, [(2, ByeReason::Quit)], "and left again");
    seat.input(Input::LinkDown { link: LinkId(2), end: LinkEnd { clean: true, reason: "closed".into() } });
    assert!(has_ended(&seat.done()));
}

#[test]
fn is_somebody_dialled_again_who_keeps_another_link_that_broke() {
    let mut seat = cut_off_while_leaving(LEAVE_PATIENCE * 2);
    seat.links(2, hello(1), ELSEWHERE, Some(addr(1)));
    seat.hears(2, Frame::Bye { reason: ByeReason::Duplicate, detail: String::new() });
    seat.input(Input::LinkDown { link: LinkId(2), end: LinkEnd { clean: true, reason: "closed".into() } });
    assert!(!has_ended(&seat.done()));
    seat.waits(Duration::from_secs(5));
    assert_eq!(seat.done().dialed, [addr(1)]);
}

#[test]
fn is_somebody_whose_link_broke_at_the_leave_looked_for_as_long_as_the_limit_says() {
    for (linger, patience) in [(LEAVE_PATIENCE * 2, LEAVE_PATIENCE), (LEAVE_PATIENCE / 2, LEAVE_PATIENCE / 2)]
    {
        let mut seat = cut_off_while_leaving(linger);
        seat.waits(patience - Duration::from_nanos(1));
        assert!(!has_ended(&seat.done()), "{linger:?}");
        seat.waits(Duration::from_nanos(1));
        assert!(has_ended(&seat.done()), "{linger:?}");
    }
}

#[test]
fn does_the_end_of_the_input_wait_for_somebody_whose_link_broke_before() {
    let mut seat = Seat::with(1);
    seat.asks(Command::Say("hello".into()));
    seat.loses(1);
    seat.asks(Command::Finish);
    seat.waits(LEAVE_PATIENCE - Duration::from_nanos(1));
    assert!(!has_ended(&seat.done()));
    seat.waits(Duration::from_nanos(1));
    assert!(has_ended(&seat.done()));
}

#[test]
fn are_as_many_who_were_cut_off_waited_for_as_the_limit_says() {
    let mut seat = Seat::of(0, |_| {});
    for number in 1..=MAX_NEIGHBOURS as u32 + 1 {
        seat.meets(number);
        seat.loses(u64::from(number));
    }
    assert_eq!(seat.mesh.unparted.len(), MAX_NEIGHBOURS);
}

#[test]
fn does_somebody_who_quits_wait_for_nobody() {
    let mut seat = Seat::with(1);
    seat.asks(Command::Quit(None));
    seat.loses(1);
    assert!(has_ended(&seat.done()));
}
