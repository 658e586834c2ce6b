//! A server that crashes or stops, and comes back.

use crate::support::star::Star;

/// What a client is told when a server that lost its memory gets a packet of the run before.
const FORGOTTEN: &str = "the other side started anew and knows nothing of this link";

#[test]
fn do_clients_come_back_after_a_crash_and_go_on() {
    for transport in ["tcp", "udp"] {
        come_back_after_a_crash(transport);
    }
}

fn come_back_after_a_crash(transport: &'static str) {
    let mut star = Star::over(transport, &[]);
    let [mut alice, mut bob] = star.join_all(["alice", "bob"]);
    for n in 0..20 {
        alice.type_line(&format!("before {n}"));
        bob.says(&format!("[lobby] alice: before {n}"));
    }
    star.server.murder();
    alice.type_line("said to nobody");
    bob.type_line("to nobody either");
    star.serve_again("server");
    let mut heard: Vec<String> = Vec::new();
    for client in [&mut alice, &mut bob] {
        while heard.iter().filter(|line| line.contains("nobody")).count() == 0 {
            heard.push(client.line());
        }
        let others = |line: &&String| line.starts_with("[lobby] ") && !line.contains(" * ");
        assert_eq!(heard.drain(..).filter(|line| others(&line)).count(), 1, "nothing twice");
    }
    alice.type_line("after");
    bob.comes_to_say("[lobby] alice: after");
    if transport == "udp" {
        // Not by silence, which takes 30 s.
        let told = format!("udp {} is down: {FORGOTTEN}", star.addr);
        [alice, bob].iter_mut().for_each(|client| client.complains(&told));
    }
}

#[test]
fn does_a_private_line_wait_for_who_is_away_though_the_server_crashes() {
    let mut star = Star::new();
    let [mut bob] = star.join_all(["bob"]);
    bob.type_line("I have been here");
    bob.type_line("/quit");
    bob.ends(0);
    star.server.murder();
    star.serve_again("server");
    let mut alice = star.client("alice").with(&["--json"]).start();
    alice.says_with(r#""event":"joined""#);
    alice.type_line("/msg bob call me when you are back");
    alice.says_with(r#""event":"waits","to":"bob""#);
    alice.says_with(r#""state":"stored""#);
    star.server.murder();
    star.serve_again("server");
    let mut bob = star.client("bob").with(&["--history", "none"]).start();
    bob.says_with("[private] alice: call me when you are back");
}

#[test]
fn does_a_client_that_only_listens_come_back_after_a_crash() {
    let mut star = Star::over("udp", &[]);
    let [mut alice, mut bob] = star.join_all(["alice", "bob"]);
    star.server.murder();
    star.serve_again("server");
    bob.complains(&format!("udp {} is down: {FORGOTTEN}", star.addr));
    alice.type_line("after");
    bob.comes_to_say("[lobby] alice: after");
}

#[test]
fn is_what_was_said_amid_a_crash_heard_in_order_and_once() {
    for transport in ["tcp", "udp"] {
        talk_amid_a_crash(transport);
    }
}

fn talk_amid_a_crash(transport: &'static str) {
    let mut star = Star::over(transport, &[]);
    let [mut alice, mut bob] = star.join_all(["alice", "bob"]);
    for n in 0..1500 {
        alice.type_line(&format!("line {n}"));
        if n == 500 {
            star.server.murder();
        }
        if n == 1000 {
            star.serve_again("server");
        }
    }
    alice.end_input();
    let mut heard = Vec::new();
    while heard.last().is_none_or(|last| last != "[lobby] alice: line 1499") {
        let line = bob.line();
        if line.starts_with("[lobby] alice: ") {
            heard.push(line);
        }
    }
    let said: Vec<String> = (0..1500).map(|n| format!("[lobby] alice: line {n}")).collect();
    assert_eq!(heard, said);
    assert_eq!(alice.status(), 0);
}

#[test]
fn does_reconnect_outlast_an_orderly_end_and_an_absent_server() {
    let mut star = Star::new();
    star.server.signal("TERM");
    star.server.ends(0);
    let mut alice = star.client("alice").with(&["--reconnect"]).start();
    alice.type_line("said before there was a server");
    star.serve_again("server");
    alice.says("joined lobby as alice (1 here: alice)");
    star.server.signal("TERM");
    star.server.ends(0);
    star.serve_again("server");
    alice.says("joined lobby as alice (1 here: alice)");
    let mut bob = star.join("bob");
    alice.says("[lobby] * bob joined");
    alice.type_line("here we are");
    bob.comes_to_say("[lobby] alice: here we are");
}

#[test]
fn are_lines_that_could_not_be_delivered_given_back() {
    let mut star = Star::new();
    let [mut alice] = star.join_all(["alice"]);
    drop(alice);
    alice = star.client("alice").with(&["--linger", "1"]).start();
    alice.says("joined lobby as alice (1 here: alice)");
    star.server.murder();
    alice.complains(&format!("tcp {} is down: ", star.addr));
    alice.type_line("lost");
    alice.type_line("and lost");
    alice.end_input();
    alice.ends(1);
    let told = "error: 2 lines were not delivered\n  hint: they follow; --linger SECONDS waits longer\n\
                lost\nand lost\n";
    assert!(alice.complaints().ends_with(told), "{}", alice.complaints());
}
