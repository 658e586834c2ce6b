//! How the client looks back.

use super::*;
use crate::{
    app::limits::{MAX_ASKED, MAX_HISTORY},
    wire::{PastLine, RecordId},
};

fn said(seq: u64) -> Record {
    Record {
        room: lobby(),
        author: NodeId([7; 32]),
        epoch: Epoch(1),
        seq: Seq(seq),
        lamport: seq,
        sent_at_ms: 0,
        kind: Kind::TEXT,
        body: Bytes::from(seq.to_string()),
        signature: None,
    }
}

fn page(seqs: std::ops::Range<u64>, last: bool) -> Frame {
    let line = |seq| PastLine { nick: nick("bob"), key: None, record: said(seq) };
    Frame::Page { room: lobby(), lines: seqs.map(line).collect(), last }
}

/// The lines shown, and the codes of the errors.
fn shown(desk: &mut Desk) -> (Vec<String>, Vec<&'static str>) {
    let (mut lines, mut codes) = (Vec::new(), Vec::new());
    for event in desk.sent_and_shown().1 {
        match event {
            Event::Message(said) => lines.push(said.text),
            Event::Error(trouble) => codes.push(trouble.code),
            _ => {}
        }
    }
    (lines, codes)
}

/// Before which line it asks for lines.
fn asks_before(desk: &mut Desk, command: Command) -> Option<RecordId> {
    desk.asks(command);
    match desk.sent_and_shown().0.as_slice() {
        [Frame::History { before, .. }] => *before,
        other => panic!("{other:?}"),
    }
}

#[test]
fn is_no_more_history_asked_for_than_the_limit_says() {
    for (asked, limit) in [(usize::from(MAX_HISTORY), MAX_HISTORY), (usize::MAX, MAX_HISTORY)] {
        let mut desk = Desk::joined();
        desk.asks(Command::History(asked));
        assert_eq!(desk.sent_and_shown().0, [Frame::History { room: lobby(), limit, before: None }]);
    }
}

#[test]
fn does_it_page_back_from_what_is_shown_to_the_beginning() {
    let mut desk = Desk::joined();
    assert_eq!(asks_before(&mut desk, Command::Older(2)), None, "nothing is shown yet");
    desk.hears(page(6..7, false));
    desk.hears(page(7..8, true));
    assert_eq!(shown(&mut desk), (numbers(6..8), vec![]));
    desk.hears(Frame::Start { log: said(8).log(), seq: Seq(8) });
    desk.hears(Frame::Record(said(8)));
    assert_eq!(asks_before(&mut desk, Command::Older(2)), Some(said(6).id()));
    desk.hears(page(4..6, true));
    assert_eq!(asks_before(&mut desk, Command::Older(9)), Some(said(4).id()));
    desk.hears(page(0..4, true));
    assert_eq!(shown(&mut desk), (numbers(0..4), vec![]));
    assert_eq!(asks_before(&mut desk, Command::Older(9)), Some(said(0).id()));
    desk.hears(page(0..0, true));
    assert_eq!(shown(&mut desk), (vec![], vec!["nothing_older"]));
    assert_eq!(asks_before(&mut desk, Command::History(3)), None);
    desk.hears(page(6..9, true));
    assert_eq!(asks_before(&mut desk, Command::Older(2)), Some(said(6).id()), "from what was shown last");
}

/// It joined a moment ago, as far as the server can tell what was said since.
#[test]
fn is_what_was_shown_on_joining_not_owed_again_when_the_link_breaks() {
    let mut desk = Desk::dialing(|config| config.history = 20);
    let have = |desk: &mut Desk| {
        let subscribed = desk.sent_and_shown().0.into_iter().find_map(|frame| match frame {
            Frame::Subscribe { have, .. } => Some(have),
            _ => None,
        });
        subscribed.unwrap().get(NodeId([7; 32]), Epoch(1))
    };
    let comes_back = |desk: &mut Desk| {
        desk.done();
        desk.link_breaks();
        desk.links_up();
        desk.welcomes("alice");
    };
    desk.links_up();
    desk.welcomes("alice");
    assert_eq!(have(&mut desk), None);
    desk.hears(joined(0));
    desk.hears(page(0..3, false));
    desk.hears(page(3..6, true));
    comes_back(&mut desk);
    assert_eq!(have(&mut desk), Some(Seq(6)), "after what was shown");
    desk.hears(Frame::Record(said(6)));
    assert_eq!(shown(&mut desk).0, ["6"]);

    desk.asks(Command::Leave(Some(room("lobby"))));
    desk.asks(Command::Join(room("lobby")));
    desk.hears(joined(0));
    desk.hears(page(0..6, true));
    desk.hears(Frame::Start { log: said(8).log(), seq: Seq(8) });
    comes_back(&mut desk);
    assert_eq!(have(&mut desk), Some(Seq(8)), "the server knew better");
    desk.asks(Command::History(9));
    desk.hears(page(0..3, true));
    desk.asks(Command::Older(9));
    desk.hears(page(0..1, true));
    comes_back(&mut desk);
    assert_eq!(have(&mut desk), Some(Seq(8)), "and looking back changes nothing");
}

#[test]
fn is_a_live_line_where_looking_back_begins() {
    let mut desk = Desk::joined();
    desk.hears(Frame::Start { log: said(8).log(), seq: Seq(8) });
    [8, 9].into_iter().for_each(|seq| desk.hears(Frame::Record(said(seq))));
    desk.done();
    assert_eq!(asks_before(&mut desk, Command::Older(2)), Some(said(8).id()));
}

#[test]
fn are_as_many_questions_asked_as_the_limit_says_and_not_one_more() {
    let mut desk = Desk::joined();
    for n in 0..MAX_ASKED {
        desk.asks(Command::History(1));
        assert_eq!(desk.refusals(), (vec![], 1), "{n}");
    }
    desk.asks(Command::Older(1));
    assert_eq!(desk.refusals(), (vec!["busy"], 0));
    desk.hears(page(0..1, true));
    desk.done();
    desk.asks(Command::Older(1));
    assert_eq!(desk.refusals(), (vec![], 1), "one was answered");
}
