//! How it ends: in order, by force, for lack of a server.

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
