//! What programs written for the assignment do besides, and what nobody should.

use proptest::prelude::*;

use super::{host::host_of, *};
use crate::gateway::dialect::lums::{
    Host, MAX_MESSAGE_BYTES,
    message::Message,
    people::MAX_WAITING,
    reply::{Reply, Style},
    request::Request,
};

fn request(bytes: &'static str) -> Option<Request> {
    Request::parse(&Message::read(&Bytes::from_static(bytes.as_bytes()))).ok()
}

fn reply(bytes: &'static str) -> Option<Reply> {
    Reply::parse(&Message::read(&Bytes::from_static(bytes.as_bytes()))).ok()
}

fn text(to: &[&str], text: &'static str) -> Option<Request> {
    Some(Request::Text { to: to.iter().map(|&name| name.to_owned()).collect(), text: text.into() })
}

#[test]
fn is_every_message_of_a_client_written_as_it_is_read() {
    for bytes in [
        "join client1",
        "request_users_list",
        "send_message 1 client2 hello!",
        "send_message 3 client2 client1 client4 hello again!",
        "send_file 1 client1 abc.txt some  content\n",
        "send_file 1 client1 a.txt ",
        "disconnect client1",
    ] {
        let parsed = request(bytes).unwrap();
        assert_eq!(parsed.to_message().to_bytes(), bytes);
    }
}

#[test]
fn is_every_message_of_a_server_written_as_it_is_read() {
    let style = |counted, later| Style { counted, later };
    for (bytes, style) in [
        ("response_users_list 2 client1 client2", style(false, false)),
        ("forward_message client1 hello!", style(false, false)),
        ("forward_message 1 client1 hello!", style(true, false)),
        ("forward_file client2 abc.txt content", style(false, false)),
        ("forward_file 1 client2 abc.txt content", style(true, false)),
        ("forward_file client2 abc.txt ", style(false, false)),
        ("err_unknown_message", style(false, false)),
        ("err_server_full", style(false, false)),
        ("err_username_unavailable", style(false, false)),
        ("list client1 client2", style(false, true)),
        ("msg client1 hello!", style(false, true)),
        ("file client1 abc.txt content", style(false, true)),
    ] {
        assert_eq!(reply(bytes).unwrap().to_message(style).to_bytes(), bytes);
    }
}

#[test]
fn are_other_spellings_of_clients_understood() {
    assert_eq!(request("join: alice"), Some(Request::Join("alice".into())));
    assert_eq!(request("JOIN alice\r\n"), Some(Request::Join("alice".into())));
    assert_eq!(request("REQUEST_USERS_LIST\n"), Some(Request::List));
    assert_eq!(request("list"), Some(Request::List));
    assert_eq!(request("send_message msg 2 a b hi"), text(&["a", "b"], "hi"));
    assert_eq!(request("msg 2 a b hi"), text(&["a", "b"], "hi"));
    assert_eq!(request("send_message 1 a"), text(&["a"], ""));
    let (to, name, content) = (vec!["a".to_owned()], "f".to_owned(), Bytes::from_static(b"x"));
    let file = Some(Request::File { to, name, content });
    assert_eq!(request("send_file file 1 a f x"), file);
    assert_eq!(request("file 1 a f x"), file);
    assert_eq!(request("disconnect"), Some(Request::Disconnect(String::new())));
}

#[test]
fn are_other_spellings_of_servers_understood() {
    let users = |names: &[&str]| Some(Reply::Users(names.iter().map(|&name| name.to_owned()).collect()));
    let text = |from: &str, text: &'static str| Some(Reply::Text { from: from.into(), text: text.into() });
    assert_eq!(reply("RESPONSE_USERS_LIST 2 a b"), users(&["a", "b"]));
    assert_eq!(reply("response_users_list a b"), users(&["a", "b"]), "LUMS-D2");
    assert_eq!(reply("response_users_list 3 a b"), users(&["3", "a", "b"]), "a number that is not theirs");
    assert_eq!(reply("list 0"), users(&[]));
    assert_eq!(reply("ERR_SERVER_FULL"), Some(Reply::ServerFull), "LUMS-D4");
    assert_eq!(reply("forward_message 1 a hi you"), text("a", "hi you"));
    assert_eq!(reply("forward_message a 1 hi"), text("a", "1 hi"));
    assert_eq!(reply("forward_message 1 hi"), text("1", "hi"), "no text is behind it, so no number");
    assert_eq!(reply("msg a hi"), text("a", "hi"));
    assert_eq!(reply("forward_message"), None);
}

#[test]
fn is_one_who_says_verbs_of_the_later_edition_answered_in_them() {
    let mut stage = host_of(&["old", "new", "newer"]);
    stage.receive(2, b"list");
    assert_eq!(stage.heard(2), ["list new newer old"], "LUMS-D3");
    stage.receive(3, b"msg 3 old new newer hi");
    assert_eq!(stage.heard(1), ["forward_message newer hi"], "each in its own edition");
    assert_eq!(stage.heard(2), ["msg newer hi"]);
    assert_eq!(stage.heard(3), ["msg newer hi"]);
    stage.receive(1, b"send_file 2 old new f x");
    assert_eq!(stage.heard(1), ["forward_file old f x"]);
    assert_eq!(stage.heard(2), ["file old f x"]);
    assert_eq!(stage.printed(), ["request_users_list: new", "msg: newer", "file: old"]);
}

#[test]
fn is_the_number_before_a_sender_there_where_it_was_asked_for() {
    let mut stage = Stage::new(Host::new(HostConfig { forward: ForwardForm::Counted, ..host_config() }));
    stage.join(1, "alice");
    stage.receive(1, b"send_message 1 alice hello!");
    stage.receive(1, b"send_file 1 alice f x");
    assert_eq!(stage.heard(1), ["forward_message 1 alice hello!", "forward_file 1 alice f x"]);
    stage.receive(1, b"list");
    assert_eq!(stage.heard(1), ["list 1 alice"]);
}

#[test]
fn is_one_who_goes_on_after_a_refusal_not_heard() {
    let mut stage = host_of(&["alice"]);
    stage.join(2, "alice");
    stage.receive(2, b"join bob");
    stage.receive(2, b"send_message 1 alice hi");
    stage.end(2);
    assert_eq!(stage.printed(), ["disconnected: username not available"]);
    assert_eq!(stage.heard(1), [""; 0]);
}

#[test]
fn does_what_comes_before_the_room_answers_wait_for_it() {
    let mut stage = host_of(&["bob"]);
    stage.is_room_slow = true;
    stage.join(2, "alice");
    stage.receive(2, b"send_message 1 bob hi");
    stage.receive(2, b"request_users_list");
    stage.receive(1, b"send_message 1 alice too early");
    stage.end(2);
    assert_eq!(stage.printed(), ["msg: bob", "msg: bob to non-existent user alice"]);
    stage.open_room();
    let lines = ["join: alice", "msg: alice", "request_users_list: alice", "disconnected: alice"];
    assert_eq!(stage.printed(), lines);
    assert_eq!(stage.heard(1), ["forward_message alice hi"]);
}

#[test]
fn does_no_more_wait_for_the_room_than_may() {
    let mut stage = host_of(&[]);
    stage.is_room_slow = true;
    stage.join(1, "alice");
    for _ in 0..MAX_WAITING {
        stage.receive(1, b"request_users_list");
    }
    assert!(!stage.is_closed(1));
    stage.receive(1, b"request_users_list");
    assert!(stage.is_closed(1));
    stage.open_room();
    assert_eq!(stage.printed(), ["disconnected: alice sent unknown command"]);
}

#[test]
fn does_no_longer_file_wait_for_the_room_than_may() {
    let most = MAX_FILE_BYTES + MAX_MESSAGE_BYTES - "bobf".len();
    for (second, is_closed) in [(most - 1000, false), (most - 999, true)] {
        let mut stage = host_of(&["bob"]);
        stage.is_room_slow = true;
        stage.join(2, "alice");
        for bytes in [1000 - "bobf".len(), second] {
            stage.receive(2, b"send_file 1 bob f ");
            stage.receive(2, &vec![b'x'; bytes]);
            stage.wait(ms(300));
        }
        assert_eq!(stage.is_closed(2), is_closed);
    }
}

#[test]
fn is_a_line_of_a_megabyte_refused_at_once() {
    let mut stage = host_of(&["alice", "bob"]);
    stage.receive(1, &vec![b'x'; 1 << 20]);
    assert_eq!(stage.printed(), ["disconnected: alice sent unknown command"]);
    let longest = format!("send_message 1 bob {}", "x".repeat(MAX_MESSAGE_BYTES));
    stage.receive(2, longest.as_bytes());
    assert_eq!(stage.printed(), ["disconnected: bob sent unknown command"]);
}

#[test]
fn is_a_client_that_dies_within_a_message_only_gone_itself() {
    let mut stage = host_of(&["alice", "bob"]);
    stage.receive(1, b"send_mess");
    stage.end(1);
    assert_eq!(stage.printed(), ["disconnected: alice sent unknown command"]);
    stage.receive(2, b"request_users_list");
    assert_eq!(stage.heard(2), ["response_users_list 1 bob"]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn do_arbitrary_bytes_harm_nobody(
        chunks in proptest::collection::vec((1..4u64, any_chunk(), 0..300u64), 0..40),
    ) {
        let mut stage = host_of(&["alice", "bob", "carol"]);
        stage.join(99, "witness");
        for (conn, chunk, pause) in chunks {
            stage.receive(conn, &chunk);
            stage.wait(ms(pause));
        }
        stage.wait(ms(60_000));
        stage.sent.clear();
        stage.receive(99, b"request_users_list");
        let heard = stage.heard(99);
        prop_assert_eq!(heard.len(), 1);
        prop_assert!(heard[0].contains("witness"));
    }
}

fn any_chunk() -> impl Strategy<Value = Vec<u8>> {
    let verbs =
        ["join ", "send_message ", "send_file ", "msg ", "file 1 bob f ", "list", "send_file 1 alice f "];
    let start = proptest::sample::select(verbs.to_vec());
    let some = proptest::collection::vec(any::<u8>(), 1..300);
    let worded = (start, "[0-9a-z ]{0,40}").prop_map(|(verb, rest)| format!("{verb}{rest}").into_bytes());
    prop_oneof![some, worded]
}
