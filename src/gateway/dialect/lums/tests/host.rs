//! The server alone, byte for byte.

use super::*;
use crate::gateway::dialect::{
    MAX_QUEUED_MESSAGES, PACE,
    lums::{Host, MAX_CLIENTS, MAX_NAME_BYTES, MAX_RECEIVERS, MAX_TEXT_BYTES, host::MAX_STRANGERS},
};

pub(super) fn host() -> Stage<Host> {
    Stage::new(Host::new(host_config()))
}

pub(super) fn host_of(names: &[&str]) -> Stage<Host> {
    let mut stage = host();
    for (conn, name) in (1..).zip(names) {
        stage.join(conn, name);
    }
    stage.printed();
    stage
}

const NOTHING: [&str; 0] = [];

#[test]
fn is_a_join_printed_and_not_answered() {
    let mut stage = host();
    stage.join(1, "client1");
    assert_eq!(stage.printed(), ["join: client1"]);
    assert_eq!(stage.heard(1), NOTHING, "LUMS-D8");
}

#[test]
fn is_every_message_of_the_session_answered_byte_for_byte() {
    let mut stage = host_of(&["client1", "client2"]);
    stage.receive(1, b"request_users_list");
    assert_eq!(stage.heard(1), ["response_users_list 2 client1 client2"]);
    stage.receive(1, b"send_message 1 client2 hello!");
    assert_eq!(stage.heard(2), ["forward_message client1 hello!"]);
    stage.receive(1, b"send_message 3 client2 client1 client4 hello again!");
    assert_eq!(stage.heard(2), ["forward_message client1 hello again!"]);
    assert_eq!(stage.heard(1), ["forward_message client1 hello again!"]);
    stage.receive(2, b"request_users_list");
    assert_eq!(stage.heard(2).len(), 1);
    stage.receive(2, b"send_file 1 client1 abc.txt the file");
    assert_eq!(stage.heard(1), ["forward_file client2 abc.txt the file"]);
    stage.receive(1, b"disconnect client1");
    stage.receive(2, b"disconnect client2");
    let lines = [
        "request_users_list: client1",
        "msg: client1",
        "msg: client1",
        "msg: client1 to non-existent user client4",
        "request_users_list: client2",
        "file: client2",
        "disconnected: client1",
        "disconnected: client2",
    ];
    assert_eq!(stage.printed(), lines, "L15");
    assert!(stage.is_closed(1) && stage.is_closed(2));
    assert!(stage.guests.is_empty(), "both left the room");
}

#[test]
fn is_the_eleventh_join_turned_away_before_its_name_is_looked_at() {
    let mut stage = host();
    for conn in 1..=MAX_CLIENTS as u64 {
        stage.join(conn, &format!("client{conn}"));
    }
    stage.printed();
    stage.join(11, "client1");
    assert_eq!(stage.printed(), ["disconnected: server full"], "L3, LUMS-D7");
    assert_eq!(stage.heard(11), ["err_server_full"]);
    assert!(stage.is_closed(11));
    stage.receive(3, b"disconnect");
    stage.join(12, "client12");
    assert_eq!(stage.printed(), ["disconnected: client3", "join: client12"], "a place is free again");
}

#[test]
fn is_a_limit_of_users_that_was_set_kept() {
    let mut stage = Stage::new(Host::new(HostConfig { max_clients: Some(1), ..host_config() }));
    stage.join(1, "a");
    stage.join(2, "b");
    assert_eq!(stage.printed(), ["join: a", "disconnected: server full"]);
}

#[test]
fn is_a_name_had_by_one_user_at_a_time() {
    let mut stage = host_of(&["alice"]);
    stage.join(2, "alice");
    assert_eq!(stage.printed(), ["disconnected: username not available"], "L5");
    assert_eq!(stage.heard(2), ["err_username_unavailable"]);
    assert!(stage.is_closed(2) && !stage.is_closed(1));
    stage.end(1);
    stage.join(3, "alice");
    assert_eq!(stage.printed(), ["disconnected: alice", "join: alice"], "L4: nothing is kept of the first");
}

#[test]
fn is_an_end_without_disconnect_one_with_it() {
    let mut stage = host_of(&["alice", "bob"]);
    stage.end(1);
    assert_eq!(stage.printed(), ["disconnected: alice"], "LUMS-D5");
    stage.receive(2, b"request_users_list");
    assert_eq!(stage.heard(2), ["response_users_list 1 bob"]);
}

#[test]
fn does_disconnect_mean_the_one_who_says_it() {
    for said in ["disconnect bob", "disconnect", "DISCONNECT alice\n"] {
        let mut stage = host_of(&["alice", "bob"]);
        stage.receive(1, said.as_bytes());
        assert_eq!(stage.printed(), ["disconnected: alice"], "LUMS-D5, {said:?}");
        assert!(stage.is_closed(1) && !stage.is_closed(2));
    }
}

#[test]
fn is_what_is_no_message_the_end_of_who_sends_it() {
    let long_name = "x".repeat(MAX_NAME_BYTES + 1);
    let too_many = format!("send_message {} {}", MAX_RECEIVERS + 1, "a ".repeat(MAX_RECEIVERS + 2));
    let too_long = format!("send_message 1 bob {}", "x".repeat(MAX_TEXT_BYTES + 1));
    let bad: [&[u8]; 18] = [
        b"hello",
        b"",
        b" ",
        b"send_message",
        b"send_message two alice bob hello",
        b"send_message -1 bob hello",
        b"send_message 3 alice bob",
        b"send_message 2 alice  hello",
        b"send_message 99999999999999999999999 a b",
        b"send_file 1 bob",
        b"send_file x bob abc.txt y",
        b"join carol",
        b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"{\"type\": \"message\"}",
        &[0xff; 3000],
        too_many.as_bytes(),
        too_long.as_bytes(),
    ];
    for bytes in bad {
        let mut stage = host_of(&["alice", "bob"]);
        stage.receive(1, bytes);
        stage.wait(ms(300));
        let shown = String::from_utf8_lossy(bytes);
        assert_eq!(stage.printed(), ["disconnected: alice sent unknown command"], "LUMS-D6, {shown:?}");
        assert_eq!(stage.heard(1), ["err_unknown_message"], "{shown:?}");
        assert!(stage.is_closed(1) && !stage.is_closed(2), "{shown:?}");
        stage.receive(1, b"request_users_list");
        assert_eq!(stage.printed(), NOTHING, "what comes after it is not heard");

        let mut stage = host();
        stage.accept(9);
        if bytes != b"join carol" {
            stage.receive(9, bytes);
            stage.wait(ms(300));
            assert_eq!(stage.printed(), ["disconnected: 127.0.0.1:9 sent unknown command"], "{shown:?}");
            assert_eq!(stage.heard(9), ["err_unknown_message"]);
            assert!(stage.is_closed(9));
        }
    }
    for name in ["", " ", "a b", "a\tb", "a\u{1b}[2J", &long_name] {
        let mut stage = host();
        stage.join(1, name);
        assert_eq!(stage.printed(), ["disconnected: 127.0.0.1:1 sent unknown command"], "LUMS-D8, {name:?}");
    }
}

#[test]
fn is_the_longest_of_everything_taken() {
    let mut stage = host();
    let name = "x".repeat(MAX_NAME_BYTES);
    stage.join(1, &name);
    assert_eq!(stage.printed(), [format!("join: {name}")]);
    let text = "y".repeat(MAX_TEXT_BYTES);
    stage.receive(1, format!("send_message 1 {name} {text}").as_bytes());
    assert_eq!(stage.heard(1), [format!("forward_message {name} {text}")]);
    stage.printed();
    let many = "a ".repeat(MAX_RECEIVERS);
    stage.receive(1, format!("send_message {MAX_RECEIVERS} {many}hi").as_bytes());
    assert_eq!(stage.printed(), [format!("msg: {name}"), format!("msg: {name} to non-existent user a")]);
}

#[test]
fn is_a_message_before_join_the_end() {
    for said in ["request_users_list", "send_message 1 alice hi", "disconnect bob"] {
        let mut stage = host_of(&["alice"]);
        stage.accept(2);
        stage.receive(2, said.as_bytes());
        assert_eq!(stage.printed(), ["disconnected: 127.0.0.1:2 sent unknown command"], "LUMS-D6");
        assert_eq!(stage.heard(2), ["err_unknown_message"]);
        assert_eq!(stage.heard(1), NOTHING);
    }
}

#[test]
fn does_each_receiver_get_it_once_and_each_stranger_a_line() {
    let mut stage = host_of(&["alice", "bob"]);
    stage.receive(1, b"send_message 7 bob x bob alice y x alice hi there");
    let lines = ["msg: alice", "msg: alice to non-existent user x", "msg: alice to non-existent user y"];
    assert_eq!(stage.printed(), lines, "L9, LUMS-D7");
    assert_eq!(stage.heard(1), ["forward_message alice hi there"], "the sender may name itself");
    assert_eq!(stage.heard(2), ["forward_message alice hi there"]);
    stage.receive(1, b"send_file 3 bob x bob f.txt content");
    assert_eq!(stage.heard(2), ["forward_file alice f.txt content"]);
    assert_eq!(stage.printed(), ["file: alice", "file: alice to non-existent user x"]);
}

#[test]
fn does_text_keep_its_spaces_lines_and_bytes() {
    let mut stage = host_of(&["alice", "bob"]);
    stage.receive(1, b"send_message 1 bob   two  spaces\nand \xff a byte  ");
    stage.wait(ms(100));
    assert_eq!(
        stage.sent,
        [(ConnId(2), Bytes::from_static(b"forward_message alice   two  spaces\nand \xff a byte  "))]
    );
}

#[test]
fn is_the_list_sorted_by_code_points() {
    let mut stage = host_of(&["bob", "Zoe", "alice", "\u{10d}enda", "client10", "client9"]);
    stage.receive(1, b"request_users_list");
    assert_eq!(stage.heard(1), ["response_users_list 6 Zoe alice bob client10 client9 \u{10d}enda"], "L10");
}

#[test]
fn is_a_message_one_write_with_a_pause_behind_it() {
    let mut stage = host_of(&["alice", "bob"]);
    for text in ["one", "two", "three"] {
        stage.receive(1, format!("send_message 2 bob alice {text}").as_bytes());
    }
    let got = |stage: &Stage<Host>| stage.sent.iter().filter(|(conn, _)| conn.0 == 2).count();
    assert_eq!(got(&stage), 1);
    stage.wait(PACE - ms(1));
    assert_eq!(got(&stage), 1);
    stage.wait(ms(1));
    assert_eq!(got(&stage), 2, "LUMS-D1");
    stage.wait(PACE);
    assert_eq!(got(&stage), 3);
    assert_eq!(stage.sent.len(), 6, "one pause does not hold up another");
}

#[test]
fn is_only_one_who_does_not_read_disconnected() {
    let mut stage = host_of(&["alice", "bob"]);
    for _ in 0..=MAX_QUEUED_MESSAGES {
        stage.receive(1, b"send_message 1 bob hi");
    }
    assert!(!stage.is_closed(2), "one is out, and as many wait as may");
    stage.receive(1, b"send_message 1 bob hi");
    assert!(stage.is_closed(2) && !stage.is_closed(1));
    assert_eq!(stage.printed().last().unwrap(), "disconnected: bob");
    stage.receive(1, b"request_users_list");
    assert_eq!(stage.heard(1), ["response_users_list 1 alice"]);
}

#[test]
fn does_one_connection_too_many_end_the_oldest_that_did_not_join() {
    let mut stage = host();
    stage.join(1, "alice");
    for conn in 2..2 + MAX_STRANGERS as u64 {
        stage.accept(conn);
    }
    assert_eq!(stage.closed, []);
    stage.accept(1000);
    assert_eq!(stage.closed, [ConnId(2)]);
    stage.receive(1000, b"join bob");
    assert_eq!(stage.printed(), ["join: alice", "join: bob"]);
}

#[test]
fn are_twenty_clients_at_once_served() {
    let mut stage = Stage::new(Host::new(HostConfig { max_clients: Some(20), ..host_config() }));
    let names: Vec<String> = (0..20).map(|n| format!("c{n}")).collect();
    for (conn, name) in (0..).zip(&names) {
        stage.join(conn, name);
    }
    for conn in 0..20 {
        stage.receive(conn, format!("send_message 20 {} hi from {conn}", names.join(" ")).as_bytes());
    }
    for conn in 0..20 {
        let expected: Vec<String> = (0..20).map(|n| format!("forward_message c{n} hi from {n}")).collect();
        assert_eq!(stage.heard(conn), expected);
    }
}

#[test]
fn is_everybody_told_the_rest_and_let_go_when_the_server_stops() {
    let mut stage = host_of(&["alice", "bob"]);
    stage.accept(3);
    stage.receive(1, b"send_message 1 bob one");
    stage.receive(1, b"send_message 1 bob two");
    stage.input(Input::Stop);
    assert_eq!(stage.sent.len(), 2);
    assert_eq!(stage.closed.len(), 3);
    assert_eq!(stage.machine.poll_timeout(), None);
}
