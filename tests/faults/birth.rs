//! Faults while a server is made, which leave nothing behind that stops the next start.

use std::fs;

use crate::{
    support::{folder::Folder, process::Launch},
    trace::{self, Fault, ends_unless_it_listens},
};

/// Everything that a first start writes.
const FILES: [&str; 9] = [
    "server",
    "server/identity.pem.new",
    "server/epoch.new",
    "server/history.db.new",
    "server/history.db.new-wal",
    "server/history.db.new-journal",
    "server/history.db",
    "server/history.db-wal",
    "server/history.db-shm",
];

#[test]
fn is_a_sync_that_fails_at_the_first_start_told_and_the_next_start_as_if_nothing_was() {
    fails_at_each_call("fsync,fdatasync", "EIO");
}

#[test]
fn is_a_write_without_space_at_the_first_start_told_and_the_next_start_as_if_nothing_was() {
    fails_at_each_call("write,pwrite64", "ENOSPC");
}

fn fails_at_each_call(calls: &'static str, error: &'static str) {
    if !trace::is_possible() {
        return;
    }
    let mut failures = 0;
    for nth in 1.. {
        let folder = Folder::new();
        let log = folder.at("calls");
        let files = FILES.map(|file| folder.at(file));
        let mut server = Fault { calls, error, nth }.on(launch(&folder), &log, &files).start();
        let ended = ends_unless_it_listens(&mut server);
        let failed = trace::failed(&log);
        if let Some(status) = ended {
            let complaint = server.complaint("error: ");
            assert!(complaint.contains(&folder.at("server")), "{failed:?}: {complaint}");
            assert_eq!(
                status,
                if complaint.contains("history.db") { 70 } else { 1 },
                "{failed:?}: {complaint}"
            );
            failures += 1;
        } else if failed.is_none() {
            break;
        }
        drop(server);
        assert_eq!(ends_unless_it_listens(&mut launch(&folder).start()), None, "the start after {failed:?}");
        let store = folder.at("server/history.db");
        assert_eq!(Launch::new("verify", &["history", "verify", &store]).start().status(), 0);
        assert!(!fs::exists(folder.at("server/history.db.new")).unwrap(), "half a store is left");
    }
    println!("{calls}: {failures} without which there is no server");
    assert!(failures > 2, "{failures}");
}

fn launch(folder: &Folder) -> Launch {
    let server = Launch::new("server", &["--role", "server", "--listen", "127.0.0.1:0"]);
    server.with(&["--data-dir", &folder.at("server")]).without_input()
}
