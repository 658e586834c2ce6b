//! The disk of a peer that fails, beside one whose disk does not.

use std::fs;

use crate::{
    STORE_FAILED, failures,
    support::{
        patience::eventually,
        peers::Peers,
        person::Person,
        reckoning::{Reckoning, are_alike},
    },
    trace::{self, Fault},
};

/// Lives in each of which a call fails.
const LIVES: u64 = 6;

#[test]
fn is_a_failed_sync_the_end_of_a_peer_and_nothing_lost_or_doubled() {
    comes_back_after_each("fsync,fdatasync");
}

#[test]
fn is_a_failed_write_the_end_of_a_peer_and_nothing_lost_or_doubled() {
    comes_back_after_each("pwrite64");
}

fn comes_back_after_each(calls: &'static str) {
    if !trace::is_possible() {
        return;
    }
    let mut peers = Peers::over("tcp");
    let [mut listener, mut ann] = ["listener", "ann"].map(|name| peers.join(name));
    for fault in failures(calls, LIVES) {
        assert_eq!(speaks_under(&peers, &mut ann, &fault), STORE_FAILED, "{fault:?}");
        assert!(trace::failed(&log(&peers)).is_some() && ann.was_told_of("store_failed"), "{fault:?}");
        Reckoning::of(&peers.store_of(&ann)).holds_what_was_stored(&ann);
        ann.is_killed();
        peers.come_back(&mut ann);
        ann.says_something();
        let line = ann.last_line().to_owned();
        eventually("it is stored and heard", || {
            (ann.has_nothing_unstored() && listener.heard(&line)).then_some(())
        });
    }
    let stores = [&ann, &listener].map(|peer| peers.store_of(peer));
    eventually("both hold the same", || are_alike(&stores).then_some(()));
    let mut reckoning = Reckoning::of(&stores[1]);
    reckoning.holds_what_was_stored(&ann);
    reckoning.is_what_was_heard(&listener);
    println!("{calls}: {}", reckoning.counted());
}

/// Killed, it comes back on a disk with this fault and speaks until it ends.
fn speaks_under(peers: &Peers, person: &mut Person, fault: &Fault) -> i32 {
    drop(fs::remove_file(log(peers)));
    let store = peers.store_of(person);
    let files = ["", "-wal"].map(|end| format!("{store}{end}"));
    let node = peers.again(person);
    person.is_killed();
    person.comes(fault.on(node, &log(peers), &files));
    person.speaks_until_it_ends()
}

fn log(peers: &Peers) -> String {
    peers.folder.at("calls")
}
