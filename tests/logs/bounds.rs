//! What a room keeps, at each limit and one past it.

use std::time::{Duration, Instant};

use sayagain::{
    app::{
        limits::{AUTHOR_SHARE, KEEP_RECORDS, MAX_EPOCHS},
        log::Inserted,
        room::{Keep, Room},
    },
    wire::{Epoch, Record, Seq},
};

use super::script::{author, room, said, start};

fn floor(room: &Room, by: u8) -> Seq {
    room.log(author(by), Epoch(1)).unwrap().floor()
}

fn fill(room: &mut Room, by: u8, seqs: std::ops::Range<u64>, body: &str, now: Instant) {
    for seq in seqs {
        assert!(matches!(room.insert(said(by, seq, body), now), Ok(Inserted::Next(_))), "{by}:{seq}");
    }
}

#[test]
fn are_as_many_records_kept_as_the_limit_says_and_not_one_more() {
    let (now, mut room) = (start(), room(Keep::ALL));
    let most = KEEP_RECORDS as u64;
    fill(&mut room, 1, 0..most, "", now);
    assert_eq!(floor(&room, 1), Seq(0));
    fill(&mut room, 1, most..most + 1, "", now);
    assert_eq!(floor(&room, 1), Seq(1));
}

#[test]
fn are_as_many_bytes_kept_as_the_limit_says_and_not_one_more() {
    let (now, mut room) = (start(), room(Keep { records: 100, bytes: 40 }));
    fill(&mut room, 1, 0..4, "ten bytes.", now);
    assert_eq!((floor(&room, 1), room.kept_bytes()), (Seq(0), 40));
    fill(&mut room, 1, 4..5, "x", now);
    assert_eq!((floor(&room, 1), room.kept_bytes()), (Seq(1), 31));
}

#[test]
fn does_a_flood_push_out_only_its_own_authors_past() {
    let (now, mut room) = (start(), room(Keep { records: 80, bytes: 10_000 }));
    let share = 80 / AUTHOR_SHARE as u64;
    fill(&mut room, 1, 0..share, "calm", now);
    fill(&mut room, 2, 0..500, "flood", now);
    assert_eq!(floor(&room, 1), Seq(0), "who keeps to a share keeps it");
    assert!(floor(&room, 2) >= Seq(500 - 3 * share - 1), "{:?}", floor(&room, 2));
    assert!(room.last_lines(1_000, now).len() <= 80);
}

#[test]
fn is_the_past_let_go_in_the_order_it_came() {
    let (mut now, mut room) = (start(), room(Keep { records: 8, bytes: 1_000 }));
    for (by, seq) in [(1, 0), (2, 0), (1, 1), (2, 1), (3, 0), (3, 1), (4, 0), (4, 1), (5, 0), (5, 1)] {
        now += Duration::from_secs(1);
        room.insert(said(by, seq, "x"), now).unwrap();
    }
    assert_eq!((floor(&room, 1), floor(&room, 2), floor(&room, 3)), (Seq(1), Seq(1), Seq(0)));
    let lines = room.last_lines(3, now);
    let lines: Vec<_> = lines.iter().map(|record| (record.author, record.seq.0)).collect();
    assert_eq!(lines, [(author(4), 1), (author(5), 0), (author(5), 1)]);
}

#[test]
fn does_a_room_that_keeps_nothing_still_know_how_far_it_is() {
    let (now, mut room) = (start(), room(Keep::NOTHING));
    fill(&mut room, 1, 0..3, "x", now);
    assert_eq!((floor(&room, 1), room.kept_bytes()), (Seq(3), 0));
    assert_eq!(room.insert(said(1, 1, "x"), now), Ok(Inserted::Duplicate));
    assert_eq!(room.insert(said(1, 4, "x"), now), Ok(Inserted::Held));
}

#[test]
fn are_bytes_counted_right_when_a_log_skips() {
    let (now, mut room) = (start(), room(Keep::ALL));
    fill(&mut room, 1, 0..3, "four", now);
    room.insert(said(1, 5, "seven.."), now).unwrap();
    let (hole, run) = room.skip_to(author(1), Epoch(1), Seq(5), now);
    assert_eq!((hole, run.len()), (Some((Seq(3), Seq(4))), 1));
    assert_eq!(room.kept_bytes(), 7, "what was before the hole is let go, what was held is kept");
}

fn in_epoch(epoch: u64, seq: u64) -> Record {
    Record { epoch: Epoch(epoch), ..said(1, seq, "x") }
}

#[test]
fn does_the_oldest_run_of_an_author_make_way() {
    let (now, mut room) = (start(), room(Keep::ALL));
    let most = MAX_EPOCHS as u64;
    for epoch in 1..=most {
        room.insert(in_epoch(epoch, 0), now).unwrap();
    }
    assert!(room.log(author(1), Epoch(1)).is_some());
    room.insert(in_epoch(most + 1, 0), now).unwrap();
    assert!(room.log(author(1), Epoch(1)).is_none());
    assert_eq!(room.vector().len(), MAX_EPOCHS);
}
