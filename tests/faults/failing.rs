//! Disks that fail.

use crate::{
    STORE_FAILED, failures,
    hall::Hall,
    support::patience::eventually,
    trace::{self, Fault},
};

/// Lives in each of which a call fails.
const LIVES: u64 = 10;

/// What the server writes to when people talk.
const FILES: [&str; 2] = ["server/history.db", "server/history.db-wal"];

#[test]
fn is_a_failed_sync_the_end_of_a_server_and_nothing_lost_or_doubled() {
    goes_on_after_each("fsync,fdatasync");
}

#[test]
fn is_a_failed_write_the_end_of_a_server_and_nothing_lost_or_doubled() {
    goes_on_after_each("pwrite64");
}

fn goes_on_after_each(calls: &'static str) {
    if !trace::is_possible() {
        return;
    }
    let mut hall = Hall::open();
    let mut counted = String::new();
    for fault in failures(calls, LIVES) {
        fails_at_last(&mut hall, &fault);
        hall.star.serve_again("server");
        counted = hall.is_whole();
    }
    println!("{calls}: {counted}");
}

/// The server is served on a disk with this fault until it ends, and ends as it must.
fn fails_at_last(hall: &mut Hall, fault: &Fault) {
    if let Some(status) = hall.serves_under(fault, &FILES) {
        assert_eq!(status, STORE_FAILED, "{fault:?} at the start");
    }
    let mut lines = 0;
    while hall.is_served() {
        // Alone, and as a part of what is committed at once.
        lines += 1;
        assert!(lines < 2 * fault.nth + 10, "{fault:?} is not noticed: {:?}", hall.failed());
        hall.talks(1 + lines % 3);
    }
    assert_eq!(hall.star.server.status(), STORE_FAILED, "{fault:?}");
    assert!(hall.failed().is_some(), "{fault:?}");
    hall.star.server.complains("error: ");
    hall.holds_what_is_stored();
}

#[test]
fn is_a_sync_that_fails_while_nobody_speaks_the_end_of_a_server() {
    if !trace::is_possible() {
        return;
    }
    let mut hall = Hall::open();
    // The log before the file, then the file.
    for nth in 1..=2 {
        let fault = Fault { calls: "fsync,fdatasync", error: "EIO", nth };
        assert_eq!(hall.serves_under(&fault, &FILES), None, "it listens");
        eventually("what was in the log alone is copied, in vain", || (!hall.is_served()).then_some(()));
        assert_eq!(hall.star.server.status(), STORE_FAILED, "{fault:?}");
        hall.holds_what_is_stored();
        hall.star.serve_again("server");
        hall.talks(3);
        hall.is_whole();
    }
}
