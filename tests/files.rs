//! Files between real programs: offered, taken, whole, gone on with after any break.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "what a test cannot do fails it")]

mod support;

use std::fs;

use support::{
    folder::Folder,
    patience::eventually,
    process::{Launch, Process},
    star::Star,
};

/// Bytes that are not the same anywhere.
fn content(len: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let next = |_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    };
    let mut bytes: Vec<u8> = (0..len.div_ceil(8)).flat_map(next).collect();
    bytes.truncate(len);
    bytes
}

/// Puts a file of that length there, and says where it is.
fn file(folder: &Folder, name: &str, len: usize) -> String {
    let path = folder.at(name);
    fs::write(&path, content(len)).unwrap();
    path
}

fn has(folder: &Folder, path: &str, len: usize) {
    assert!(fs::read(folder.at(path)).unwrap() == content(len), "{path} is not what was sent");
}

/// What has arrived of the one file that is on its way to `name`.
fn arrived(folder: &Folder, name: &str) -> u64 {
    let parts = fs::read_dir(folder.at(&format!("{name}/transfers/parts")));
    let parts = parts.into_iter().flatten().flatten();
    parts.filter_map(|part| part.metadata().ok()).map(|part| part.len()).sum()
}

#[test]
fn is_a_file_offered_taken_and_there() {
    let star = Star::new();
    let [mut alice, mut bob] = star.join_all(["alice", "bob"]);
    let path = file(&star.folder, "notes.txt", 100_000);
    alice.type_line(&format!("/send {path} bob"));
    bob.says("file offered by alice: notes.txt (100.0 kB); /accept 1 or /reject 1");
    alice.complains("file 1 offered to bob: notes.txt (100.0 kB)");
    bob.type_line("/accept 1");
    let saved = bob.says_something_like("file from alice: notes.txt (100.0 kB) saved to ");
    assert!(saved.ends_with("bob/downloads/notes.txt"), "{saved}");
    alice.complains("file 1 done: notes.txt (100.0 kB)");
    has(&star.folder, "bob/downloads/notes.txt", 100_000);
    alice.type_line(&format!("/send {path} bob"));
    bob.says("file offered by alice: notes.txt (100.0 kB); /accept 2 or /reject 2");
    bob.type_line("/accept 2");
    let saved = bob.says_something_like("file from alice: notes.txt (100.0 kB) saved to ");
    assert!(saved.ends_with("bob/downloads/notes-2.txt"), "nothing is overwritten: {saved}");
}

#[test]
fn is_a_file_that_is_not_wanted_or_too_long_told_to_its_sender() {
    let star = Star::new();
    let mut alice = star.join("alice");
    let mut bob = star.client("bob").with(&["--max-file-bytes", "1000"]).start();
    bob.says_something_like("joined lobby as bob (");
    alice.says("[lobby] * bob joined");
    alice.type_line(&format!("/send {}", file(&star.folder, "long", 1_001)));
    alice.complains("error: file 1 to bob failed: long is over the limit of 1000 bytes");
    alice.type_line(&format!("/send {}", file(&star.folder, "short", 1_000)));
    bob.says("file offered by alice: short (1.0 kB); /accept 1 or /reject 1");
    bob.type_line("/reject 1");
    alice.complains("error: file 2 to bob failed: short was not accepted");
    alice.type_line(&format!("/send {} nobody", star.folder.at("short")));
    alice.complains("error: nobody here is called nobody");
    alice.type_line(&format!("/send {}", star.folder.at("nothing")));
    alice.complains("error: file 3");
    alice.type_line("still here");
    bob.says("[lobby] alice: still here");
}

#[test]
fn does_a_room_get_a_file_and_everybody_once() {
    let star = Star::over("udp", &[]);
    let mut alice = star.join("alice");
    let mut others: Vec<Process> = Vec::new();
    for name in ["bob", "carol", "dave"] {
        let mut other = star.client(name).with(&["--accept-files", "alice"]).start();
        other.says_something_like(&format!("joined lobby as {name} ("));
        alice.says(&format!("[lobby] * {name} joined"));
        others.push(other);
    }
    alice.type_line(&format!("/send {}", file(&star.folder, "plan.pdf", 3_000_000)));
    for (other, name) in others.iter_mut().zip(["bob", "carol", "dave"]) {
        other.says_with("file from alice: plan.pdf (3.0 MB) saved to ");
        has(&star.folder, &format!("{name}/downloads/plan.pdf"), 3_000_000);
        assert_eq!(fs::read_dir(star.folder.at(&format!("{name}/downloads"))).unwrap().count(), 1);
    }
}

#[test]
fn does_the_end_of_input_wait_for_a_file() {
    let star = Star::new();
    let mut bob = star.client("bob").with(&["--accept-files", "all"]).start();
    bob.says_something_like("joined lobby as bob (");
    let mut alice = star.join("alice");
    alice.type_line(&format!("/send {} bob", file(&star.folder, "empty", 0)));
    alice.type_line(&format!("/send {} bob", file(&star.folder, "log", 2_000_000)));
    alice.end_input();
    assert_eq!(alice.status(), 0);
    has(&star.folder, "bob/downloads/log", 2_000_000);
    has(&star.folder, "bob/downloads/empty", 0);
}

#[test]
fn is_a_file_that_nobody_took_told_at_the_end() {
    let star = Star::new();
    let _bob = star.join("bob");
    let mut alice = star.client("alice").with(&["--linger", "1"]).start();
    alice.says_something_like("joined lobby as alice (");
    alice.type_line(&format!("/send {} bob", file(&star.folder, "log", 10)));
    alice.end_input();
    assert_eq!(alice.status(), 1);
    assert!(alice.complaints().contains("/send "), "the file is named");
}

/// Kills each in turn while a file is on its way; it goes on where it was.
fn kill_everybody(transport: &'static str) {
    const LEN: usize = 24_000_000;
    let mut star = Star::over(transport, &[]);
    let path = file(&star.folder, "map.img", LEN);
    let bob = |star: &Star| star.client("bob").with(&["--reconnect", "--accept-files", "all"]).start();
    let alice = |star: &Star| star.client("alice").with(&["--reconnect"]).start();
    let mut receiver = bob(&star);
    receiver.says_something_like("joined lobby as bob (");
    let mut sender = alice(&star);
    sender.says_something_like("joined lobby as alice (");
    sender.type_line(&format!("/send {path} bob"));
    let mut held = 0;
    for who in ["bob", "alice", "server", "bob", "server"] {
        let is_under_way = |held: u64| move |arrived: &u64| *arrived > held;
        held = eventually("more of it has come", || {
            Some(arrived(&star.folder, "bob")).filter(is_under_way(held))
        });
        match who {
            "bob" => {
                receiver.murder();
                receiver = bob(&star);
            }
            "alice" => {
                sender.murder();
                sender = alice(&star);
            }
            _ => {
                star.server.murder();
                star.serve_again("server");
            }
        }
        held = held.min(arrived(&star.folder, "bob"));
    }
    receiver.says_with("file from alice: map.img (24.0 MB) saved to ");
    has(&star.folder, "bob/downloads/map.img", LEN);
    sender.complains("file 1 done: map.img (24.0 MB)");
}

#[test]
fn does_a_file_arrive_whole_over_tcp_though_everybody_is_killed() {
    kill_everybody("tcp");
}

#[test]
fn does_a_file_arrive_whole_over_udp_though_everybody_is_killed() {
    kill_everybody("udp");
}

#[test]
fn does_a_peer_send_a_file_without_a_server() {
    let folder = Folder::new();
    let peer = |name: &str, flags: &[&str]| {
        let launch = Launch::new(name, &["--role", "peer", "--transport", "udp", "--name", name]);
        launch.with(&["--data-dir", &folder.at(name)]).with(flags).start()
    };
    let mut bob = peer("bob", &["--accept-files", "all"]);
    let addr = bob.says_something_like("listening on udp ").split_off("listening on udp ".len());
    bob.says_something_like("joined lobby as bob (");
    let mut alice = peer("alice", &["--peers", &addr]);
    alice.comes_to_say("[lobby] * bob joined");
    alice.type_line(&format!("/send {} bob", file(&folder, "photo.jpg", 1_000_000)));
    bob.says_with("file from alice: photo.jpg (1.0 MB) saved to ");
    has(&folder, "bob/downloads/photo.jpg", 1_000_000);
}
