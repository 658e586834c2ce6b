//! Rooms: to be in several, to come late, to find none free.

use crate::support::star::Star;

#[test]
fn do_lines_go_to_the_current_room_only() {
    let star = Star::new();
    let [mut alice, mut bob] = star.join_all(["alice", "bob"]);
    alice.type_line("/join ops");
    alice.says("joined ops as alice (1 here: alice)");
    alice.type_line("to nobody but me");
    bob.type_line("/join ops");
    bob.says("joined ops as bob (2 here: alice, bob)");
    bob.says("[ops] alice: to nobody but me");
    alice.says("[ops] * bob joined");
    alice.type_line("/room lobby");
    alice.says("talking in lobby");
    alice.type_line("in the lobby");
    bob.says("[lobby] alice: in the lobby");
    bob.type_line("in ops");
    alice.says("[ops] bob: in ops");
    alice.type_line("/rooms");
    alice.says("rooms: lobby (current), ops");
    bob.type_line("/leave ops");
    bob.says("left ops");
    alice.says("[ops] * bob left");
    bob.type_line("in the lobby again");
    alice.says("[lobby] bob: in the lobby again");
    bob.type_line("/room ops");
    bob.complains("error: you are not in ops");
    bob.complains("  hint: /join ops first");
}

#[test]
fn does_somebody_in_no_room_learn_what_to_do() {
    let star = Star::new();
    let [mut alice] = star.join_all(["alice"]);
    alice.type_line("/leave");
    alice.says("left lobby");
    alice.type_line("hello?");
    alice.complains("error: you are in no room");
    alice.complains("  hint: /join ROOM first");
}

#[test]
fn are_several_rooms_joined_at_the_start() {
    let star = Star::new();
    let [mut bob] = star.join_all(["bob"]);
    let mut alice = star.client("alice").with(&["--room", "ops", "--room", "lobby"]).start();
    let mut joined = [alice.line(), alice.line()];
    joined.sort();
    assert_eq!(joined, ["joined lobby as alice (2 here: alice, bob)", "joined ops as alice (1 here: alice)"]);
    bob.says("[lobby] * alice joined");
    alice.type_line("/rooms");
    alice.says("rooms: lobby, ops (current)");
}

#[test]
fn does_a_latecomer_see_the_last_50_lines() {
    let star = Star::new();
    let [mut alice, mut bob] = star.join_all(["alice", "bob"]);
    for n in 0..60 {
        alice.type_line(&format!("line {n}"));
    }
    bob.comes_to_say("[lobby] alice: line 59");
    let mut carol = star.client("carol").with(&["--json"]).start();
    assert_eq!(carol.event("joined")["users"], serde_json::json!(["alice", "bob", "carol"]));
    for n in 10..60 {
        let message = carol.event("message");
        assert_eq!((&message["text"], &message["historic"]), (&format!("line {n}").into(), &true.into()));
        assert_eq!((&message["from"], &message["seq"]), (&"alice".into(), &n.into()));
    }
    alice.says("[lobby] * carol joined");
    alice.type_line("and now live");
    let live = carol.event("message");
    assert_eq!((&live["text"], &live["historic"]), (&"and now live".into(), &false.into()));
}

#[test]
fn does_history_show_as_many_lines_as_asked() {
    let star = Star::new();
    let [mut alice, mut bob] = star.join_all(["alice", "bob"]);
    for n in 0..5 {
        alice.type_line(&format!("line {n}"));
        bob.says(&format!("[lobby] alice: line {n}"));
    }
    bob.type_line("/history 2");
    bob.says("[lobby] alice: line 3");
    bob.says("[lobby] alice: line 4");
    alice.type_line("/history");
    for n in 0..5 {
        alice.says(&format!("[lobby] alice: line {n}"));
    }
    bob.type_line("/history nothing");
    bob.complains("error: /history is not used like that");
}

#[test]
fn do_pages_of_the_past_go_back_to_the_beginning_over_a_restart_of_the_server() {
    let mut star = Star::new();
    let mut alice = star.client("alice").with(&["--json"]).start();
    alice.event("joined");
    for n in 0..600 {
        alice.type_line(&format!("line {n}"));
    }
    let is_last = |sent: &serde_json::Value| sent["seq"] == 599 && sent["state"] == "stored";
    while !is_last(&alice.event("sent")) {}
    drop(alice);
    star.server.murder();
    star.serve_again("server");
    let mut bob = star.client("bob").with(&["--json"]).start();
    let mut seen: Vec<u64> = (0..50).map(|_| bob.event("message")["seq"].as_u64().unwrap()).collect();
    for count in [30, 250, 1000] {
        bob.type_line(&format!("/older {count}"));
        let count = count.min(600 - seen.len());
        let older = (0..count).map(|_| bob.event("message")["seq"].as_u64().unwrap());
        seen = older.collect::<Vec<_>>().into_iter().chain(seen).collect();
    }
    assert_eq!(seen, (0..600).collect::<Vec<u64>>());
    bob.type_line("/older");
    assert_eq!(bob.event("error")["code"], "nothing_older");
}

#[test]
fn is_nothing_kept_without_history() {
    let star = Star::with(&["--history", "none"]);
    let [mut alice, mut bob] = star.join_all(["alice", "bob"]);
    alice.type_line("gone with the wind");
    bob.says("[lobby] alice: gone with the wind");
    let [mut carol] = star.join_all(["carol"]);
    bob.says("[lobby] * carol joined");
    bob.type_line("welcome");
    carol.says("[lobby] bob: welcome");
}

#[test]
fn is_a_topic_told_to_those_here_and_those_who_come() {
    let star = Star::new();
    let [mut alice, mut bob] = star.join_all(["alice", "bob"]);
    alice.type_line("/topic the weather");
    bob.says("[lobby] * alice set the topic: the weather");
    bob.type_line("/topic");
    bob.says("[lobby] * topic by alice: the weather");
    let mut carol = star.join("carol");
    carol.says("[lobby] * topic by alice: the weather");
}

#[test]
fn is_one_room_too_many_refused_and_the_rest_goes_on() {
    let star = Star::with(&["--max-rooms", "1"]);
    let [mut alice, mut bob] = star.join_all(["alice", "bob"]);
    alice.type_line("/join ops");
    alice.complains("error: cannot join room ops: the limit is 1 rooms on this server");
    alice.complains("  hint: /leave a room first, or use one that exists");
    alice.type_line("still in the lobby");
    bob.says("[lobby] alice: still in the lobby");
}
