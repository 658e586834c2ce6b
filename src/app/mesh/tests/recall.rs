//! How a peer looks back.

use super::*;
use crate::{
    app::limits::MAX_HISTORY,
    wire::{PastLine, RecordId},
};

fn page(records: &[Record]) -> Frame {
    let line = |record: &Record| PastLine {
        nick: "n9".parse().unwrap(),
        key: Some(key(9).public()),
        record: record.clone(),
    };
    Frame::Page { room: lobby(), lines: records.iter().map(line).collect(), last: true }
}

/// Whom it asks for lines, and before which.
fn asked(done: &Done) -> Vec<(u64, Option<RecordId>)> {
    let question = |(to, frame): &(u64, Frame)| match frame {
        Frame::History { before, .. } => Some((*to, *before)),
        _ => None,
    };
    done.sent.iter().filter_map(question).collect()
}

fn texts(done: &Done) -> Vec<String> {
    done.lines().iter().map(|said| said.text.clone()).collect()
}

#[test]
fn is_no_more_history_told_than_the_limit_says() {
    let mut seat = Seat::of(0, |config| config.history = 1);
    for n in 0..=MAX_HISTORY {
        seat.asks(Command::Say(n.to_string()));
    }
    seat.waits(Duration::from_secs(1));
    seat.meets(1);
    seat.hears(1, subscribe());
    seat.done();
    for (asked, told) in [(MAX_HISTORY - 1, MAX_HISTORY - 1), (u16::MAX, MAX_HISTORY)] {
        seat.hears(1, Frame::History { room: lobby(), limit: asked, before: None });
        let done = seat.done();
        let lines = |frame: &Frame| if let Frame::Page { lines, .. } = frame { lines.len() } else { 0 };
        assert_eq!(done.to(1).into_iter().map(lines).sum::<usize>(), usize::from(told));
    }
}

#[test]
fn does_it_page_back_through_its_own_memory_first() {
    let mut seat = Seat::of(0, |_| {});
    for n in 0..5 {
        seat.asks(Command::Say(n.to_string()));
    }
    seat.asks(Command::History(2));
    assert_eq!(texts(&seat.done()), ["3", "4"]);
    seat.asks(Command::Older(2));
    assert_eq!(texts(&seat.done()), ["1", "2"]);
    seat.asks(Command::Older(2));
    assert_eq!(texts(&seat.done()), ["0"]);
    seat.asks(Command::Older(2));
    assert_eq!(seat.done().troubles(), ["nothing_older"], "nobody else is there");
}

/// Who is asked for lines before that one, and nobody else.
fn who_is_asked(done: &Done, before: Option<RecordId>) -> u32 {
    let [(link, found)] = asked(done).try_into().unwrap();
    assert_eq!(found, before);
    u32::try_from(link).unwrap()
}

#[test]
fn are_the_others_asked_one_after_the_other_until_one_has_older_lines() {
    let mut seat = Seat::with(3);
    let past = speech(9, 4);
    seat.asks(Command::Older(2));
    let first = who_is_asked(&seat.done(), None);
    seat.hears(first, page(&past[2..]));
    let done = seat.done();
    assert_eq!((texts(&done), asked(&done)), (vec!["2".into(), "3".into()], vec![]));
    let before = Some(past[2].id());
    seat.asks(Command::Older(2));
    assert_eq!(who_is_asked(&seat.done(), before), first);
    seat.hears(first, page(&[]));
    let second = who_is_asked(&seat.done(), before);
    seat.hears(second, page(&past[..2]));
    let done = seat.done();
    assert_eq!((texts(&done), asked(&done)), (vec!["0".into(), "1".into()], vec![]));
}

#[test]
fn is_it_told_when_nobody_has_older_lines() {
    let mut seat = Seat::with(3);
    seat.asks(Command::Older(2));
    let mut seen = BTreeSet::new();
    for n in 1..=3 {
        let done = seat.done();
        assert_eq!(done.troubles(), [] as [&str; 0]);
        let link = who_is_asked(&done, None);
        assert!(seen.insert(link), "nobody is asked twice");
        seat.hears(link, page(&[]));
        assert_eq!(seen.len(), n);
    }
    assert_eq!(seat.done().troubles(), ["nothing_older"]);
}

#[test]
fn are_lines_before_another_told_to_who_asks() {
    let mut seat = Seat::of(0, |config| config.history = 1);
    for record in speech(9, 4) {
        seat.meets(9);
        seat.hears(9, Frame::Record(record));
    }
    seat.waits(Duration::from_secs(1));
    seat.meets(1);
    seat.hears(1, subscribe());
    seat.done();
    let before = Some(speech(9, 4)[2].id());
    seat.hears(1, Frame::History { room: lobby(), limit: 9, before });
    let told = seat.done();
    let pages = told.to(1).into_iter().filter_map(|frame| match frame {
        Frame::Page { lines, .. } => Some(lines.iter().map(|line| line.record.seq.0).collect::<Vec<_>>()),
        _ => None,
    });
    assert_eq!(pages.collect::<Vec<_>>(), [[0, 1]]);
}
