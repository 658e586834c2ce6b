//! Are marks of congestion believed where they are true, and only there?

use std::{cell::Cell, rc::Rc};

use super::{super::super::received::Mark, *};
use crate::transport::Lane;

/// Sends a file and 50 lines over a path that does `remark` to the marks. How many datagrams had a mark,
/// in all and among the last hundred; and the window in the end.
fn marks(mut remark: impl FnMut(u64, Option<Mark>) -> Option<Mark> + 'static) -> (u64, u64, u64) {
    let mut world = clean(1);
    let [here, _] = world.connected();
    let log = Rc::new(Cell::new((0_u64, 0_u64, 0_u128)));
    let seen = log.clone();
    world.remark = Some(Box::new(move |from, mark| {
        if from != 0 {
            return mark;
        }
        let (all, marked, recent) = seen.get();
        seen.set((all + 1, marked + u64::from(mark.is_some()), recent << 1 | u128::from(mark.is_some())));
        remark(all, mark)
    }));
    world.send(0, here, Lane::bulk(1), vec![1; 1 << 21]);
    for _ in 0..50 {
        world.send(0, here, Lane::thin(2), "a line");
        world.run(400 * MS);
    }
    assert_eq!(world.hosts[1].inbox.len(), 51);
    let (_, marked, recent) = log.get();
    let last = u64::from((recent & ((1 << 100) - 1)).count_ones());
    (marked, last, world.connection(0, here).stats().window)
}

#[test]
fn are_marks_sent_for_as_long_as_they_arrive() {
    let (marked, last, window) = marks(|_, mark| mark);
    assert!(marked > 700 && last > 98, "{marked} {last}");
    assert!(window > 100_000, "{window}");
}

#[test]
fn are_marks_given_up_where_all_are_wiped_off() {
    let (marked, last, window) = marks(|_, _| None);
    assert!(last == 0 && marked < 100, "{marked} {last}");
    assert!(window > 100_000, "{window}");
}

#[test]
fn are_marks_given_up_where_some_are_wiped_off() {
    let (marked, last, _) = marks(|n, mark| mark.filter(|_| n % 2 == 0));
    assert!(last == 0 && marked < 100, "{marked} {last}");
}

#[test]
fn are_marks_given_up_where_they_turn_into_others() {
    let (_, last, _) = marks(|_, mark| mark.map(|_| Mark::Ect1));
    assert_eq!(last, 0);
}

#[test]
fn is_congestion_everywhere_not_believed() {
    let (marked, last, window) = marks(|_, mark| mark.map(|_| Mark::Ce));
    assert!(last == 0 && marked < 100, "{marked} {last}");
    assert!(window > 40_000, "the window recovers: {window}");
}

#[test]
fn does_true_congestion_make_the_window_smaller_without_a_loss() {
    let (_, _, free) = marks(|_, mark| mark);
    let (marked, last, window) = marks(|n, mark| if n % 50 == 49 { mark.map(|_| Mark::Ce) } else { mark });
    assert!(marked > 700 && last > 98, "still believed: {marked} {last}");
    assert!(window < free / 2, "{window} of {free}");
}
