//! How somebody's stay ends: in order, by force, for lack of a reader.

use std::fs;

use crate::support::star::Star;

#[test]
fn is_everything_typed_delivered_before_the_end() {
    let star = Star::new();
    let [mut bob] = star.join_all(["bob"]);
    let lines: String = (0..2000).map(|n| format!("line {n}\n")).collect();
    let file = star.folder.path().join("lines");
    fs::write(&file, lines).unwrap();
    let mut alice = star.client("alice").reading_from(file).start();
    alice.says("joined lobby as alice (2 here: alice, bob)");
    alice.ends(0);
    bob.says("[lobby] * alice joined");
    for n in 0..2000 {
        bob.says(&format!("[lobby] alice: line {n}"));
    }
    bob.says("[lobby] * alice left");
}

#[test]
fn are_private_lines_and_other_rooms_served_before_the_end() {
    let star = Star::new();
    let [mut bob] = star.join_all(["bob"]);
    bob.type_line("/join ops");
    bob.says("joined ops as bob (1 here: bob)");
    let file = star.folder.path().join("lines");
    fs::write(&file, "/join ops\nfrom ops\n/msg bob,carol in private\n/room lobby\nlast words").unwrap();
    let mut alice = star.client("alice").reading_from(file).start();
    let mut heard: Vec<String> = (0..7).map(|_| bob.line()).collect();
    heard.sort();
    let expected = [
        "[lobby] * alice joined",
        "[lobby] * alice left",
        "[lobby] alice: last words",
        "[ops] * alice joined",
        "[ops] * alice left",
        "[ops] alice: from ops",
        "[private] alice: in private",
    ];
    assert_eq!(heard, expected);
    assert_eq!(alice.status(), 0);
    assert!(alice.complaints().contains("error: nobody here is called carol\n"));
}

#[test]
fn are_clients_told_when_the_server_stops() {
    for signal in ["INT", "TERM"] {
        let mut star = Star::new();
        let [mut alice, mut bob] = star.join_all(["alice", "bob"]);
        star.server.signal(signal);
        for client in [&mut alice, &mut bob] {
            client.comes_to_say("server shut down");
            client.ends(0);
        }
        star.server.ends(0);
    }
}

#[test]
fn does_a_server_stop_though_a_client_is_stuck() {
    let mut star = Star::new();
    let [mut alice, bob] = star.join_all(["alice", "bob"]);
    bob.signal("STOP");
    star.server.signal("TERM");
    alice.comes_to_say("server shut down");
    alice.ends(0);
    star.server.ends(0);
}

#[test]
fn does_a_client_leave_in_order_when_told_to() {
    for signal in ["INT", "TERM"] {
        let star = Star::new();
        let [mut alice, mut bob] = star.join_all(["alice", "bob"]);
        bob.signal(signal);
        alice.says("[lobby] * bob left");
        bob.ends(0);
    }
}

#[test]
fn is_somebody_who_was_killed_said_to_be_disconnected() {
    let star = Star::new();
    let [mut alice, mut bob] = star.join_all(["alice", "bob"]);
    bob.murder();
    alice.says_something_like("[lobby] * bob was disconnected: ");
    alice.type_line("/users");
    alice.says("users in lobby: alice");
    // The same identity again, under the same name.
    let mut bob = star.client("bob").start();
    bob.says("joined lobby as bob (2 here: alice, bob)");
    alice.says("[lobby] * bob joined");
}

#[test]
fn does_a_client_nobody_reads_any_more_leave_quietly() {
    let star = Star::new();
    let [mut alice] = star.join_all(["alice"]);
    let mut bob = star.client("bob").heard_for(1).start();
    bob.says("joined lobby as bob (2 here: alice, bob)");
    alice.says("[lobby] * bob joined");
    bob.is_unheard();
    alice.type_line("is anybody reading this?");
    alice.says("[lobby] * bob left");
    assert_eq!(bob.status(), 0);
    assert!(!bob.complaints().contains("error"), "{}", bob.complaints());
}

#[test]
fn does_a_stuck_client_hold_up_anybody_else() {
    let star = Star::new();
    let [mut alice, mut bob, carol] = star.join_all(["alice", "bob", "carol"]);
    carol.signal("STOP");
    let text = "x".repeat(10_000);
    for n in 0..500 {
        alice.type_line(&format!("{n} {text}"));
        bob.says(&format!("[lobby] alice: {n} {text}"));
    }
    bob.type_line("all heard");
    alice.says("[lobby] bob: all heard");
    carol.signal("CONT");
}
