//! What logs promise, whatever the network does: each record once, in its author's order, and the
//! same logs everywhere after one exchange of vectors.

#![expect(clippy::unwrap_used, reason = "what a test cannot do fails it")]

#[path = "logs/bounds.rs"]
mod bounds;
#[path = "logs/review.rs"]
mod review;
#[path = "logs/script.rs"]
mod script;

use std::time::Duration;

use proptest::{collection::vec, prelude::*};
use sayagain::{
    app::{
        limits::MAX_HELD,
        log::{Inserted, Log},
    },
    wire::{Record, Seq},
};
use script::{Hearer, follows, said, speech, start};

/// Speeches of a few authors, and in which order a bad network brings which of their records:
/// anything may be missing, late or doubled.
fn speeches_and_arrivals() -> impl Strategy<Value = (Vec<Vec<Record>>, Vec<(usize, usize)>)> {
    vec(1_u64..120, 1..5).prop_flat_map(|lens| {
        let authors = lens.len();
        let arrivals = vec((0..authors, 0_usize..120), 0..400);
        let speeches: Vec<_> = (1..).zip(lens).map(|(by, len)| speech(by, len)).collect();
        (Just(speeches), arrivals)
    })
}

/// Like that, but each author's records arrive in order with some missing, as over one lane.
fn nearly_ordered() -> impl Strategy<Value = (Vec<Record>, Vec<bool>)> {
    (1_u64..300).prop_flat_map(|len| (Just(speech(1, len)), vec(any::<bool>(), len as usize)))
}

proptest! {
    #[test]
    fn does_any_order_with_loss_and_copies_end_in_equal_logs(
        (speeches, arrivals) in speeches_and_arrivals(),
    ) {
        let begun = start();
        let (mut whole, mut hurt) = (Hearer::new(begun), Hearer::new(begun));
        speeches.iter().flatten().for_each(|record| whole.hear(record));
        for (by, seq) in arrivals {
            speeches.get(by).and_then(|speech| speech.get(seq)).into_iter().for_each(|r| hurt.hear(r));
        }
        hurt.catch_up(&whole.room, begun);
        prop_assert_eq!(hurt.room.vector(), whole.room.vector());
        prop_assert_eq!(hurt.room.vector().digest(), whole.room.vector().digest());
        for (by, speech) in (1..).zip(&speeches) {
            let all: Vec<u64> = (0..speech.len() as u64).collect();
            prop_assert_eq!(hurt.shown_of(by), all, "each once, in order");
        }
    }

    #[test]
    fn do_two_who_lack_different_records_complete_each_other(
        (speech, heard) in nearly_ordered(),
    ) {
        let begun = start();
        let (mut a, mut b) = (Hearer::new(begun), Hearer::new(begun));
        for (record, by_a) in speech.iter().zip(&heard) {
            if *by_a { a.hear(record) } else { b.hear(record) }
        }
        // Neither has what neither took in order; the author has it all.
        let mut whole = Hearer::new(begun);
        speech.iter().for_each(|record| whole.hear(record));
        a.catch_up(&b.room, begun);
        a.catch_up(&whole.room, begun);
        b.catch_up(&a.room, begun);
        prop_assert_eq!(a.room.vector(), b.room.vector());
        prop_assert_eq!(a.shown.len(), speech.len());
        prop_assert_eq!(b.shown.len(), speech.len());
    }

    #[test]
    fn is_nothing_shown_twice_after_any_jump(
        jumps in vec((0_u64..80, any::<bool>()), 0..6),
        arrivals in vec(0_u64..80, 0..200),
    ) {
        let now = start();
        let mut log = Log::default();
        let mut shown = Vec::new();
        let mut jumps = jumps.into_iter();
        for (i, seq) in arrivals.into_iter().enumerate() {
            if i % 30 == 0 && let Some((to, starts)) = jumps.next() {
                let run = if starts { log.start_at(Seq(to), now) } else { log.skip_to(Seq(to), now).1 };
                shown.extend(run.iter().map(|record| record.seq.0));
            }
            if let Inserted::Next(run) = log.insert(said(1, seq, "x"), now) {
                shown.extend(run.iter().map(|record| record.seq.0));
            }
        }
        prop_assert!(shown.windows(2).all(|pair| pair[0] < pair[1]), "{shown:?}");
        prop_assert!(shown.iter().all(|&seq| seq < log.next().0));
    }
}

#[test]
fn is_a_record_that_comes_early_held_up_to_the_limit_and_not_past_it() {
    let (now, mut log) = (start(), Log::default());
    let most = MAX_HELD as u64;
    for seq in 1..=most {
        assert_eq!(log.insert(said(1, seq, "x"), now), Inserted::Held, "{seq}");
    }
    assert_eq!(log.insert(said(1, most + 1, "x"), now), Inserted::Overflow);
    assert_eq!(log.insert(said(1, most, "x"), now), Inserted::Duplicate, "one held is known");
    assert_eq!(log.hole(), Some((Seq(0), Seq(1))));
    let Inserted::Next(run) = log.insert(said(1, 0, "x"), now) else { panic!("it fills the hole") };
    assert_eq!(run.len(), MAX_HELD + 1);
    assert_eq!(log.next(), Seq(most + 1));
    assert_eq!(log.hole(), Some((Seq(most + 1), Seq(most + 2))), "it is known what there was no place for");
    let overflowed = log.insert(said(1, most + 1, "x"), now);
    assert!(matches!(overflowed, Inserted::Next(_)), "it can come again");
    assert_eq!(log.hole(), None);
}

#[test]
fn does_a_log_that_was_begun_stay_where_it_began() {
    let (now, mut log) = (start(), Log::default());
    assert_eq!(log.insert(said(1, 6, "x"), now), Inserted::Held);
    let run = log.start_at(Seq(6), now);
    assert_eq!(run.len(), 1, "what waited behind the start is in order now");
    assert_eq!((log.origin(), log.floor(), log.next()), (Seq(6), Seq(6), Seq(7)));
    assert_eq!(log.start_at(Seq(9), now), Vec::new());
    assert_eq!((log.origin(), log.next()), (Seq(6), Seq(7)));
    assert_eq!(log.insert(said(1, 5, "x"), now), Inserted::Duplicate, "before its time");
}

#[test]
fn what_is_given_up_when_a_log_skips() {
    let (now, mut log) = (start(), Log::default());
    log.insert(said(1, 0, "x"), now);
    log.insert(said(1, 4, "x"), now);
    log.insert(said(1, 5, "x"), now);
    assert_eq!(log.skip_to(Seq(1), now), (None, Vec::new()), "nothing is missing below");
    let (hole, run) = log.skip_to(Seq(4), now);
    assert_eq!(hole, Some((Seq(1), Seq(3))));
    assert_eq!(run.iter().map(|record| record.seq.0).collect::<Vec<_>>(), [4, 5]);
    assert_eq!((log.floor(), log.next()), (Seq(4), Seq(6)), "what is kept has no holes");
    assert_eq!(log.insert(said(1, 2, "x"), now), Inserted::Duplicate, "a gap that was shown stays");
}

#[test]
fn is_a_second_body_for_one_seq_a_fork() {
    let (now, mut log) = (start(), Log::default());
    log.insert(said(1, 0, "yes"), now);
    assert_eq!(log.insert(said(1, 0, "yes"), now), Inserted::Duplicate);
    assert_eq!(log.insert(said(1, 0, "no"), now), Inserted::Fork);
    log.insert(said(1, 2, "yes"), now);
    assert_eq!(log.insert(said(1, 2, "no"), now), Inserted::Fork, "of one held back too");
    assert_eq!(log.get(Seq(0)).unwrap().record.text(), "yes", "the first stays");
}

#[test]
fn is_a_record_that_follows_another_past_a_fork() {
    let (now, mut log) = (start(), Log::default());
    let speech = speech(1, 3);
    log.insert(speech[0].clone(), now);
    assert_eq!(log.insert(follows([9; 16], 1, 1, "other"), now), Inserted::Fork);
    assert_eq!(log.next(), Seq(1));
    log.insert(follows([9; 16], 1, 2, "other"), now);
    let Inserted::Next(run) = log.insert(speech[1].clone(), now) else { panic!("the true one fits") };
    assert_eq!(run.len(), 1, "one held back that does not follow is dropped");
    assert!(matches!(log.insert(speech[2].clone(), now), Inserted::Next(_)));
}

#[test]
fn whom_does_one_who_was_away_get_what_from() {
    let begun = start();
    let mut whole = Hearer::new(begun);
    speech(1, 10).iter().for_each(|record| whole.hear(record));
    let joined = begun + Duration::from_millis(4);
    let owed = |have: &Hearer, cut| whole.room.owed(&have.room.vector(), cut, begun)[0].start;
    let mut other = Hearer::new(begun);
    assert_eq!(owed(&other, joined), Seq(4), "of a log it does not know: what was said since it joined");
    assert_eq!(owed(&other, begun + Duration::from_secs(1)), Seq(10), "nothing, if all was said before");
    speech(1, 7).iter().for_each(|record| other.hear(record));
    assert_eq!(owed(&other, begun), Seq(7), "of one it knows: what comes next, whenever it joined");
}
