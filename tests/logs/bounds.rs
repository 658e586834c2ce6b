//! What a room keeps, at each limit and one past it.

use std::time::{Duration, Instant};

use sayagain::{
    app::{
        limits::{AUTHOR_SHARE, KEEP_RECORDS, MAX_AUTHORS, MAX_EPOCHS, MAX_HELD, MAX_HELD_BYTES},
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
    assert!(room.last_lines(1_000, now, None).len() <= 80);
}

#[test]
fn is_the_past_let_go_in_the_order_it_came() {
    let (mut now, mut room) = (start(), room(Keep { records: 8, bytes: 1_000 }));
    for (by, seq) in [(1, 0), (2, 0), (1, 1), (2, 1), (3, 0), (3, 1), (4, 0), (4, 1), (5, 0), (5, 1)] {
        now += Duration::from_secs(1);
        room.insert(said(by, seq, "x"), now).unwrap();
    }
    assert_eq!((floor(&room, 1), floor(&room, 2), floor(&room, 3)), (Seq(1), Seq(1), Seq(0)));
    let lines = room.last_lines(3, now, None);
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

fn early(by: u8, seq: u64, bytes: usize) -> Record {
    said(by, seq, &"x".repeat(bytes))
}

#[test]
fn are_as_many_bytes_held_back_as_the_limit_says_and_not_one_more() {
    let (now, mut room) = (start(), room(Keep::ALL));
    let part = MAX_HELD_BYTES / 64;
    for by in 0..64 {
        assert_eq!(room.insert(early(by, 1, part), now), Ok(Inserted::Held), "{by}");
    }
    assert_eq!(room.insert(early(64, 1, 1), now), Ok(Inserted::Overflow));
    let filled = room.insert(early(0, 0, 1), now);
    assert!(matches!(filled, Ok(Inserted::Next(run)) if run.len() == 2), "what is held stays");
    assert_eq!(room.insert(early(64, 1, part), now), Ok(Inserted::Held), "there is room again");
}

/// What leaves by other ways than the record that was missing counts no longer.
#[test]
fn is_there_room_to_hold_back_again_however_it_was_left() {
    let (now, mut room) = (start(), room(Keep::NOTHING));
    let part = MAX_HELD_BYTES / MAX_HELD;
    for round in 0..8 {
        let first = round * 1_000;
        for seq in 0..MAX_HELD as u64 {
            assert_eq!(
                room.insert(early(1, first + 1 + seq, part), now),
                Ok(Inserted::Held),
                "{round}: {seq}"
            );
        }
        let (_, run) = room.skip_to(author(1), Epoch(1), Seq(first + 1_000), now);
        assert!(run.is_empty());
    }
    for by in 2..10 {
        for seq in 1..=MAX_HELD as u64 {
            assert_eq!(room.insert(early(by, seq, part), now), Ok(Inserted::Held), "{by}: {seq}");
        }
        assert_eq!(room.start_at(author(by), Epoch(1), Seq(1), now).len(), MAX_HELD);
    }
    for seq in 1..=MAX_HELD as u64 {
        assert_eq!(room.insert(early(20, seq, part), now), Ok(Inserted::Held), "{seq}");
    }
    room.retain_author(author(1));
    assert_eq!(room.insert(early(21, 1, 1), now), Ok(Inserted::Held));
}

#[test]
fn does_an_author_of_whom_nothing_is_kept_make_way_and_nobody_else() {
    let (now, mut room) = (start(), room(Keep::ALL));
    let most = MAX_AUTHORS * MAX_EPOCHS;
    let by = |n: usize| {
        let mut record = said(0, 0, "");
        record.author.0[..8].copy_from_slice(&(n as u64).to_be_bytes());
        record
    };
    // The first logs push out nobody: as many records are kept as there may be.
    (0..most).for_each(|n| assert!(room.insert(by(n), now).is_ok(), "{n}"));
    assert_eq!(room.vector().len(), most);
    (most..most + KEEP_RECORDS).for_each(|n| assert!(room.insert(by(n), now).is_ok(), "{n}"));
    assert_eq!(room.vector().len(), most, "each past the limit in the place of another");
    assert!(room.log(by(most + KEEP_RECORDS - 1).author, Epoch(1)).is_some());
}

/// A client keeps nothing: a run that came at once is counted before it is let go of.
#[test]
fn is_a_run_let_go_of_as_a_whole_where_nothing_is_kept() {
    let (now, mut room) = (start(), room(Keep::NOTHING));
    fill(&mut room, 1, 0..1, "x", now);
    for seq in (1..5).rev() {
        assert_eq!(room.insert(said(2, seq, "x"), now), Ok(Inserted::Held));
    }
    assert!(matches!(room.insert(said(2, 0, "x"), now), Ok(Inserted::Next(run)) if run.len() == 5));
    assert_eq!((room.kept_bytes(), floor(&room, 2)), (0, Seq(5)));
}
