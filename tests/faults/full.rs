//! Disks that are full.

use std::{
    fs::{self, File},
    io::Write as _,
    process::Command,
    thread,
};

use crate::{
    STORE_FAILED,
    hall::Hall,
    sample,
    support::{folder::Folder, patience::eventually},
    trace::{self, Fault},
};

/// Lives in each of which there is a write without space.
const LIVES: u64 = 8;

/// Lives at once: each waits for seconds until something is said again.
const AT_ONCE: usize = 8;

/// Lines that need more writes than that, however many are stored at once.
const LINES: usize = 500;

const FILES: [&str; 3] = ["server/history.db", "server/history.db-wal", "server/history.db-shm"];

#[test]
fn is_a_server_without_space_heard_and_what_it_did_not_store_stored_later() {
    if !trace::is_possible() {
        return;
    }
    let mut told = 0;
    for calls in sample(LIVES).chunks(AT_ONCE) {
        // When one of them fails, the others come to their end as well, and leave no process behind.
        told += thread::scope(|scope| {
            let lives = calls.iter().map(|&nth| scope.spawn(move || is_told_where_it_was_refused(nth)));
            let lives: Vec<_> = lives.collect();
            lives.into_iter().map(|life| usize::from(life.join().unwrap())).sum::<usize>()
        });
    }
    println!("told of {told} times");
    assert!(told > 0, "no write was refused");
}

/// One write finds no space. Whether a speaker was told.
fn is_told_where_it_was_refused(nth: u64) -> bool {
    let fault = Fault { calls: "pwrite64", error: "ENOSPC", nth };
    println!("write {nth} finds no space");
    let mut hall = Hall::open();
    if let Some(status) = hall.serves_under(&fault, &FILES) {
        assert_eq!(status, STORE_FAILED, "{fault:?} at the start");
        hall.star.serve_again("server");
    }
    let mut lines = 0;
    let call = loop {
        hall.hears_another(lines % 2);
        lines += 1;
        if let Some(call) = hall.failed() {
            break call;
        }
        assert!(lines < LINES, "{lines} lines are fewer than {nth} writes");
    };
    // Lines behind one that is not stored.
    (0..4).for_each(|line| hall.hears_another(line % 2));
    if call.contains("history.db-wal>") {
        eventually("a speaker is told", || hall.is_told().then_some(()));
    }
    assert!(hall.is_served(), "{fault:?}: a full disk is no end");
    hall.holds_what_is_stored();
    if nth.is_multiple_of(2) {
        // What is accepted alone is gone with the server, and said again.
        hall.star.server.murder();
        hall.holds_what_is_stored();
        hall.star.serve_again("server");
    }
    hall.is_whole();
    let told = hall.is_told();
    // What is copied from the log into the file is on disk already, and is copied another time.
    assert!(!told || !call.contains("history.db>"), "{fault:?}: nobody is told of {call}");
    told
}

/// A file system of a megabyte.
struct SmallDisk(Folder);

impl SmallDisk {
    /// Says so where there is no right to mount.
    fn mount() -> Option<Self> {
        let disk = Self(Folder::new());
        let mounted =
            Command::new("mount").args(["-t", "tmpfs", "-o", "size=1m", "none"]).arg(disk.0.path()).output();
        let able = mounted.is_ok_and(|output| output.status.success());
        if !able {
            println!("skipped: nothing can be mounted here");
        }
        able.then_some(disk)
    }

    fn fill(&self) {
        let mut ballast = File::create(self.0.at("ballast")).unwrap();
        while ballast.write_all(&[0; 4096]).is_ok() {}
    }

    fn make_space(&self) {
        fs::remove_file(self.0.at("ballast")).unwrap();
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        drop(Command::new("umount").arg(self.0.path()).output());
    }
}

#[test]
fn is_everything_heard_while_a_disk_is_full_and_stored_when_it_has_space() {
    let Some(disk) = SmallDisk::mount() else { return };
    let mut hall = Hall::keeping(disk.0.at("history.db"));
    disk.fill();
    // What is there of the log already is written over first.
    eventually("a speaker is told", || {
        hall.hears_another(0);
        hall.is_told().then_some(())
    });
    for line in 0..10 {
        hall.hears_another(line % 2);
    }
    let last = hall.speakers[1].last_line().to_owned();
    assert!(!hall.speakers[1].has_nothing_unstored(), "nothing fits");
    let mut late = hall.star.client("late").start();
    late.says_with(&last);
    hall.holds_what_is_stored();
    assert!(hall.is_served(), "a full disk is no end");
    disk.make_space();
    println!("{}", hall.is_whole());
}
