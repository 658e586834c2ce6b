//! Users of the protocol among everybody else.

use super::{
    host::{host, host_of},
    *,
};
use crate::{
    app::{Change, Command, Trouble},
    gateway::dialect::{
        Audience,
        announced::MAX_ANNOUNCED,
        lums::{Host, MAX_TEXT_BYTES},
    },
};

/// A host with alice and bob, and with these others in the room.
fn among(others: &[&str]) -> Stage<Host> {
    let mut stage = host();
    stage.others = others.iter().map(|&name| name.to_owned()).collect();
    stage.join(1, "alice");
    stage.join(2, "bob");
    stage.printed();
    stage
}

fn presence(name: &str, change: Change) -> Event {
    Event::Presence { room: "lobby".parse().unwrap(), name: name.to_owned(), change }
}

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}

#[test]
fn does_the_list_show_everybody_under_plain_names() {
    let mut stage = among(&["Zoe", "~uwo1", "carol"]);
    stage.receive(1, b"request_users_list");
    assert_eq!(stage.heard(1), ["response_users_list 5 Zoe alice bob carol uwo1"]);
}

#[test]
fn does_the_list_follow_who_comes_goes_and_is_renamed() {
    let mut stage = among(&["carol"]);
    stage.tell_all(&presence("dave", Change::Join));
    stage.tell_all(&presence("~eve", Change::Join));
    stage.tell_all(&presence("carol", Change::Rename { to: "caroline".into() }));
    stage.receive(1, b"request_users_list");
    assert_eq!(stage.heard(1), ["response_users_list 5 alice bob caroline dave eve"]);
    stage.tell_all(&presence("dave", Change::Lost { reason: "silence".into() }));
    stage.tell_all(&presence("~eve", Change::Leave));
    stage.receive(1, b"request_users_list");
    assert_eq!(stage.heard(1), ["response_users_list 3 alice bob caroline"]);
    let users = names(&["x", "~alice", "~bob"]);
    stage.tell_all(&Event::Users { room: "lobby".parse().unwrap(), users });
    stage.receive(1, b"request_users_list");
    assert_eq!(stage.heard(1), ["response_users_list 3 alice bob x"]);
}

#[test]
fn is_a_user_here_never_in_the_list_twice_or_after_leaving() {
    let mut stage = among(&[]);
    stage.tell_all(&presence("~bob", Change::Join));
    stage.receive(2, b"disconnect bob");
    stage.receive(1, b"request_users_list");
    assert_eq!(stage.heard(1), ["response_users_list 1 alice"]);
    stage.tell_all(&presence("~bob", Change::Leave));
    stage.receive(1, b"request_users_list");
    assert_eq!(stage.heard(1), ["response_users_list 1 alice"]);
}

#[test]
fn does_a_message_reach_others_as_a_private_line() {
    let mut stage = among(&["Carol", "~dave"]);
    stage.receive(1, b"send_message 5 bob carol DAVE CAROL nobody hi  you");
    assert_eq!(stage.printed(), ["msg: alice", "msg: alice to non-existent user nobody"]);
    let command = Command::Tell { to: names(&["Carol", "dave"]), text: "hi  you".into() };
    assert_eq!(stage.wanted, [Output::Command { guest: stage.guest("alice"), command }]);
    assert_eq!(stage.heard(2), ["forward_message alice hi  you"]);
}

#[test]
fn are_names_of_users_here_exact() {
    let mut stage = among(&[]);
    stage.receive(1, b"send_message 1 BOB hi");
    assert_eq!(stage.printed(), ["msg: alice", "msg: alice to non-existent user BOB"]);
    assert!(stage.wanted.is_empty());
}

#[test]
fn does_a_private_line_stay_within_its_limit() {
    let mut stage = among(&["carol"]);
    stage.receive(1, &[b"send_message 1 carol ".as_slice(), &[0xff; MAX_TEXT_BYTES]].concat());
    let Some(Output::Command { command: Command::Tell { text, .. }, .. }) = stage.wanted.pop() else {
        panic!()
    };
    assert!(text.len() <= 16 * 1024 && text.ends_with(" …"), "{}", text.len());
}

#[test]
fn does_a_file_reach_others_too() {
    let mut stage = among(&["Carol"]);
    stage.receive(1, b"send_file 3 bob carol x a.txt content");
    stage.wait(ms(300));
    assert_eq!(stage.printed(), ["file: alice", "file: alice to non-existent user x"]);
    let (to, name) = (Audience::Names(names(&["Carol"])), "a.txt".to_owned());
    let file =
        Output::File { guest: stage.guest("alice"), to, name, content: Bytes::from_static(b"content") };
    assert_eq!(stage.wanted, [file]);
    assert_eq!(stage.heard(2), ["forward_file alice a.txt content"]);
}

#[test]
fn do_lines_of_others_come_as_messages_from_them() {
    let mut stage = among(&["carol", "~dave"]);
    stage.tell_all(&Event::Message(said("carol", "one\r\ntwo\u{1b}[2J")));
    let alice = stage.guest("alice");
    stage.input(Input::Told { guest: alice, event: Event::Private(said("~dave", "psst")) });
    let line = "forward_message carol one two\\u{1b}[2J";
    assert_eq!(stage.heard(1), [line, "forward_message dave psst"]);
    assert_eq!(stage.heard(2), [line]);
}

#[test]
fn are_lines_of_users_here_and_of_the_past_left_out() {
    let mut stage = among(&["carol"]);
    stage.tell_all(&Event::Message(said("~alice", "hi")));
    stage.tell_all(&Event::Message(Said { historic: true, ..said("carol", "long ago") }));
    stage.tell_all(&Event::Error(Trouble::new("unknown_name", "nobody is called x", "")));
    assert_eq!(stage.heard(2), [""; 0]);
}

#[test]
fn is_a_long_line_of_others_cut_where_one_can_see_it() {
    let mut stage = among(&["carol"]);
    stage.tell_all(&Event::Message(said("carol", &"č".repeat(8000))));
    let heard = stage.heard(1);
    let text = heard[0].strip_prefix("forward_message carol ").unwrap();
    assert!(text.len() <= MAX_TEXT_BYTES && text.ends_with("č …"));
}

#[test]
fn is_a_file_of_another_door_given_to_those_who_are_meant() {
    let file = |to| Input::File {
        from: "~dave".into(),
        to,
        name: "my file.txt".into(),
        content: Bytes::from_static(b"content"),
    };
    let mut stage = among(&["~dave"]);
    stage.input(file(Audience::Followers(names(&["@dave", "apple"]))));
    let line = "forward_file dave my_file.txt content";
    assert_eq!(stage.heard(1), [line], "nobody can follow here, so it is for all");
    assert_eq!(stage.heard(2), [line]);
    stage.input(file(Audience::Names(names(&["BOB", "~bob", "carol"]))));
    assert_eq!(stage.heard(1), [""; 0]);
    assert_eq!(stage.heard(2), [line]);
}

#[test]
fn is_the_line_about_a_file_that_one_has_left_out_once() {
    let line = || Event::Message(said("~dave", "sends the file a.txt (7 bytes)"));
    let mut stage = among(&["~dave"]);
    let (from, to, content) =
        ("dave".to_owned(), Audience::Names(names(&["bob"])), Bytes::from_static(b"content"));
    stage.input(Input::File { from, to, name: "a.txt".into(), content });
    stage.tell_all(&Event::Message(said("~eve", "sends the file a.txt (7 bytes)")));
    stage.tell_all(&line());
    stage.tell_all(&line());
    let told = |from: &str| format!("forward_message {from} sends the file a.txt (7 bytes)");
    let file = "forward_file dave a.txt content".to_owned();
    assert_eq!(stage.heard(2), [file, told("eve"), told("dave")]);
    assert_eq!(stage.heard(1), [told("eve"), told("dave"), told("dave")]);
}

#[test]
fn is_the_list_of_lines_to_leave_out_bounded() {
    let mut stage = among(&["~dave"]);
    for n in 0..=MAX_ANNOUNCED {
        let to = Audience::Names(names(&["bob"]));
        let (name, content) = (format!("f{n}"), Bytes::from_static(b"x"));
        stage.input(Input::File { from: "dave".into(), to, name, content });
    }
    for n in 0..=MAX_ANNOUNCED {
        stage.tell_all(&Event::Message(said("~dave", &format!("sends the file f{n} (1 bytes)"))));
    }
    stage.wait(ms(60_000));
    let lines = stage.heard(2);
    let lines: Vec<&String> = lines.iter().filter(|line| line.starts_with("forward_message")).collect();
    assert_eq!(lines, ["forward_message dave sends the file f0 (1 bytes)"], "the oldest was forgotten");
}

#[test]
fn is_a_name_of_others_not_available() {
    let mut stage = among(&["Carol"]);
    stage.join(3, "carol");
    assert_eq!(stage.printed(), ["disconnected: username not available"]);
    assert_eq!(stage.heard(3), ["err_username_unavailable"]);
    assert!(stage.is_closed(3));
}

#[test]
fn are_names_that_differ_in_case_two_users_here() {
    let mut stage = among(&[]);
    stage.join(3, "ALICE");
    assert_eq!(stage.printed(), ["join: ALICE"], "L5");
    stage.receive(3, b"send_message 2 alice ALICE hi");
    assert_eq!(stage.heard(1), ["forward_message ALICE hi"]);
    assert_eq!(stage.heard(3), ["forward_message ALICE hi"]);
}

#[test]
fn is_a_name_that_others_cannot_see_kept_here() {
    let mut stage = among(&["guest"]);
    stage.join(3, "jürgen|1");
    stage.join(4, "all");
    assert_eq!(stage.printed(), ["join: jürgen|1", "join: all"]);
    assert_eq!(stage.guest("j-rgen-1"), GuestId(3));
    assert_eq!(stage.guest("guest2"), GuestId(4));
    stage.receive(4, b"send_message 1 j\xc3\xbcrgen|1 hi");
    assert_eq!(stage.heard(3), ["forward_message all hi"]);
    stage.tell_all(&Event::Message(said("~guest2", "an echo")));
    assert_eq!(stage.heard(3), [""; 0]);
    stage.receive(4, b"request_users_list");
    assert_eq!(stage.heard(4), ["response_users_list 5 alice all bob guest jürgen|1"]);
}

#[test]
fn is_a_user_who_is_refused_told_why() {
    for (why, word, line) in [
        (Refusal::Full, "err_server_full", "disconnected: server full"),
        (Refusal::NameTaken, "err_username_unavailable", "disconnected: username not available"),
        (Refusal::Other("no room".into()), "err_server_full", "disconnected: server full"),
    ] {
        let mut stage = host_of(&[]);
        stage.is_room_slow = true;
        stage.join(1, "alice");
        stage.input(Input::Refused { guest: GuestId(1), why });
        assert_eq!(stage.printed(), [line]);
        assert_eq!(stage.heard(1), [word]);
        assert!(stage.is_closed(1));
    }
}

#[test]
fn does_one_who_is_put_out_leave() {
    let mut stage = among(&[]);
    stage.input(Input::Refused { guest: GuestId(1), why: Refusal::Full });
    let guest = stage.guest("bob");
    stage.input(Input::Told { guest, event: Event::Closed { reason: "server_shutdown" } });
    assert_eq!(stage.printed(), ["disconnected: alice", "disconnected: bob"]);
    assert!(stage.is_closed(1) && stage.is_closed(2));
}

#[test]
fn does_a_user_who_is_renamed_by_the_room_stay_known() {
    let mut stage = among(&[]);
    let guest = stage.guest("bob");
    stage.input(Input::Told { guest, event: Event::Renamed { from: "bob".into(), to: "bob2".into() } });
    let alice = stage.guest("alice");
    stage.input(Input::Told { guest: alice, event: Event::Message(said("~bob2", "hi")) });
    assert_eq!(stage.heard(1), [""; 0]);
}
