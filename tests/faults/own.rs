//! The disk of a client that fails, with what it keeps of its own lines and of those of others.

use crate::{STORE_FAILED, failures, hall::Hall, trace};

/// Lives in each of which a call fails.
const LIVES: u64 = 6;

#[test]
fn is_a_failed_sync_of_its_own_the_end_of_a_client_and_nothing_lost_or_doubled() {
    comes_back_after_each("fsync,fdatasync");
}

#[test]
fn is_a_failed_write_of_its_own_the_end_of_a_client_and_nothing_lost_or_doubled() {
    comes_back_after_each("pwrite64");
}

fn comes_back_after_each(calls: &'static str) {
    if !trace::is_possible() {
        return;
    }
    let mut hall = Hall::open();
    for fault in failures(calls, LIVES) {
        assert_eq!(hall.speaks_under(&fault), STORE_FAILED, "{fault:?}");
        assert!(hall.failed().is_some() && hall.speakers[0].was_told_of("store_failed"), "{fault:?}");
        hall.comes_back();
    }
    println!("{calls}: {}", hall.is_whole());
}
