//! Who is not let in, or does not go in, and what they are told.

use std::net::TcpListener;

use crate::support::{
    folder::Folder,
    process::{Launch, Process},
    star::Star,
};

#[track_caller]
fn is_told(mut client: Process, status: i32, error: &str, hint: &str) {
    client.ends(status);
    let complaints = client.complaints();
    assert!(complaints.ends_with(&format!("error: {error}\n  hint: {hint}\n")), "{complaints}");
}

#[test]
fn is_somebody_told_that_the_server_is_full() {
    let star = Star::with(&["--max-clients", "1"]);
    let [mut alice] = star.join_all(["alice"]);
    let hint = "try again later; its host can raise --max-clients";
    is_told(star.client("bob").start(), 4, "the server is full (1 of 1)", hint);
    let mut carol = star.client("carol").with(&["--json"]).start();
    assert_eq!(carol.event("error")["code"], "server_full");
    assert_eq!(carol.status(), 4);
    alice.type_line("/users");
    alice.says("users in lobby: alice");
    alice.type_line("/quit");
    alice.ends(0);
    // There is room again.
    star.join("dave");
}

#[test]
fn is_somebody_told_that_nothing_listens_there() {
    let hint = "the server is not running or uses another port; its first line says which";
    for (transport, named) in [("auto", "tcp"), ("udp", "udp"), ("tcp", "tcp")] {
        let folder = Folder::new();
        let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
        let client = Launch::new("alice", &["--role", "client", "--server", &free, "--name", "alice"])
            .with(&["--transport", transport, "--data-dir", &folder.at("alice")])
            .start();
        is_told(client, 5, &format!("nothing listens on {named} {free}"), hint);
    }
}

#[test]
fn is_a_server_with_another_key_not_spoken_to() {
    for transport in ["tcp", "udp"] {
        meet_another_key(transport);
    }
}

fn meet_another_key(transport: &'static str) {
    let mut star = Star::over(transport, &[]);
    let mut alice = star.join("alice");
    alice.type_line("/quit");
    alice.ends(0);
    star.server.murder();
    star.serve_again("another");
    let mut alice = star.client("alice").start();
    alice.ends(3);
    let complaints = alice.complaints();
    assert!(complaints.contains(&format!("error: the key of {} changed: was ", star.addr)), "{complaints}");
    assert!(complaints.contains("\n  hint: reinstalled, or someone in between; "), "{complaints}");
    // Somebody who was never here has nothing to compare with.
    star.join("bob");
}

#[test]
fn is_plaintext_on_one_side_refused() {
    let hint = "give --insecure on both sides, on a network you trust, or on neither";
    let told = |addr: &str| format!("one side of the link to {addr} speaks plaintext and the other does not");
    for transport in ["tcp", "udp"] {
        let sealed = Star::over(transport, &[]);
        is_told(sealed.client("alice").with(&["--insecure"]).start(), 4, &told(&sealed.addr), hint);
        let plain = Star::over(transport, &["--insecure"]);
        is_told(plain.client("alice").start(), 4, &told(&plain.addr), hint);
    }
}

#[test]
fn does_plaintext_on_both_sides_work_and_say_so() {
    let mut star = Star::with(&["--insecure"]);
    let mut alice = star.client("alice").with(&["--insecure"]).start();
    alice.says("joined lobby as alice (1 here: alice)");
    star.server.signal("TERM");
    alice.says("server shut down");
    alice.ends(0);
    for node in [&mut alice, &mut star.server] {
        assert!(node.complaints().contains("plaintext"), "{}", node.complaints());
    }
}

#[test]
fn is_a_data_directory_lent_to_one_node_at_a_time() {
    let star = Star::new();
    let _alice = star.join("alice");
    let dir = star.folder.at("alice");
    let hint = "stop it, or choose another with --data-dir DIR";
    is_told(star.client("alice").start(), 1, &format!("another node uses the data directory {dir}"), hint);
}

#[test]
fn is_a_port_that_is_taken_named() {
    let star = Star::new();
    let launch = Launch::new("second", &["--role", "server", "--transport", "tcp", "--listen", &star.addr]);
    let hint = "another node may be running; choose another with --listen 127.0.0.1:0";
    let error = format!("cannot listen on {}: the port is in use", star.addr);
    is_told(launch.with(&["--data-dir", &star.folder.at("second")]).start(), 1, &error, hint);
}

#[test]
fn is_a_copied_identity_the_end_of_the_first() {
    let star = Star::new();
    let mut alice = star.join("alice");
    let (from, to) = (star.folder.path().join("alice"), star.folder.path().join("copy"));
    std::fs::create_dir(&to).unwrap();
    for file in ["identity.pem", "epoch", "pins"] {
        std::fs::copy(from.join(file), to.join(file)).unwrap();
    }
    let mut copy = star.nameless("copy").with(&["--name", "copy"]).start();
    copy.says("joined lobby as copy (1 here: copy)");
    alice.ends(4);
    assert!(alice.complaints().contains("error: another node connected with this identity\n"));
}

#[test]
fn is_a_peer_told_that_a_server_is_not_for_it() {
    let star = Star::new();
    let mut peer = Launch::new("peer", &["--role", "peer", "--transport", "tcp", "--peers", &star.addr])
        .with(&["--data-dir", &star.folder.at("peer"), "--json"])
        .start();
    assert_eq!(peer.event("error")["code"], "wrong_role");
}
