//! What guests and the server say to each other.

use super::*;

/// V3, V9 to V13, V15, VSB-D1, VSB-D4, VSB-D5, VSB-D10.
#[test]
fn are_the_bytes_those_of_the_assignment() {
    let mut served = Served::new();
    let alice = served.connect(ALICE);
    assert_eq!(served.heard(alice), message("[Server]", "127.0.0.1:37916 has entered the chat"));
    let bob = served.connect(BOB);
    let entered = message("[Server]", "127.0.0.1:37928 has entered the chat");
    assert_eq!([served.heard(alice), served.heard(bob)], [entered.clone(), entered]);

    served.line(alice, HELLO);
    let hello = message(ALICE, "hello");
    assert_eq!([served.heard(alice), served.heard(bob)], [hello.clone(), hello]);

    served.line(alice, r#"{"type": "set-name", "data": "alice"}"#);
    let renamed = message("[Server]", "127.0.0.1:37916 renamed to alice");
    assert_eq!([served.heard(alice), served.heard(bob)], [renamed.clone(), renamed]);

    served.line(alice, r#"{"type": "message", "data": "hello \"q\" \u010d\u0159"}"#);
    assert_eq!(served.heard(bob), message("alice", r#"hello \"q\" \u010d\u0159"#));

    served.line(alice, r#"{"type": "users", "data": ""}"#);
    served.heard(alice);
    served.line(bob, r#"{"type": "users", "data": ""}"#);
    assert_eq!(served.heard(bob), message("[Server]", "alice, 127.0.0.1:37928"));
    served.line(bob, r#"{"type": "history", "data": ""}"#);
    let past = r#"127.0.0.1:37916: hello\nalice: hello \"q\" \u010d\u0159"#;
    assert_eq!(served.heard(bob), message("[Server]", past));
    assert_eq!(served.heard(alice), "", "answers are for who asks");

    served.end(bob);
    assert_eq!(served.heard(alice), message("[Server]", "127.0.0.1:37928 has left the chat"));
    assert_eq!(served.heard(bob), "");
    let printed = [
        "[Server]: 127.0.0.1:37916 has entered the chat",
        "[Server]: 127.0.0.1:37928 has entered the chat",
        "127.0.0.1:37916: hello",
        "[Server]: 127.0.0.1:37916 renamed to alice",
        "alice: hello \"q\" čř",
        "[Server]: 127.0.0.1:37928 has left the chat",
    ];
    assert_eq!(served.printed, printed);
}

/// V14.
#[test]
fn does_it_matter_how_many_bytes_a_read_gives() {
    let script = concat!(
        "{\"type\": \"message\", \"data\": \"one \\u010d č {}\"}\n\r\n",
        "{\"type\": \"set-name\", \"data\": \"alice\"}\n{\"type\": \"message\", \"data\": 2}\r\n",
        "nonsense\n{\"type\": \"users\"}\n{\"type\": \"history\"}\n",
    );
    let run = |sizes: &[usize]| {
        let mut served = Served::new();
        let (alice, bob) = (served.join(ALICE), served.join(BOB));
        let (mut rest, mut sizes) = (script.as_bytes(), sizes.iter().cycle());
        while !rest.is_empty() {
            let (chunk, after) = rest.split_at((*sizes.next().unwrap()).min(rest.len()));
            served.bytes(alice, chunk);
            rest = after;
        }
        (served.heard(alice), served.heard(bob), served.printed, served.said)
    };
    let whole = run(&[script.len()]);
    assert_eq!(
        whole.2,
        [&format!("{ALICE}: one č č {{}}"), &format!("[Server]: {ALICE} renamed to alice"), "alice: 2"]
    );
    for size in [1, 2, 3, 256, 512] {
        assert_eq!(run(&[size]), whole, "reads of {size}");
    }
    for at in 1..script.len() {
        assert_eq!(run(&[at, script.len() - at]), whole, "cut at {at}");
    }
}

/// VSB-D2.
#[test]
fn are_requests_without_data_and_odd_ends_of_line_understood() {
    let mut served = Served::new();
    let alice = served.named(ALICE, "alice");
    served.bytes(alice, b"\r\n\n  \n{\"type\": \"users\"}\r\n");
    assert_eq!(served.shown(alice), ["[Server]: alice"]);
    served.line(alice, r#"{"type": "history"}"#);
    assert_eq!(served.shown(alice), ["[Server]: "], "one answer, even without any history (VSB-D6)");
    served.bytes(alice, b"{\"type\": \"message\", \"data\": 1.5}\n{\"data\":-3,\"type\":\"message\"}\n");
    assert_eq!(served.shown(alice), ["alice: 1.5", "alice: -3"]);
    served.line(alice, r#"{"type": "dance", "data": ""}"#);
    assert_eq!(served.heard(alice), "", "an unknown type is ignored");
    assert!(served.logged.iter().any(|line| line.contains("there is no type \"dance\"")));
    assert!(served.closed.is_empty());
}

/// VSB-D3: JSON made by hand, wrong types, missing keys.
#[test]
fn is_only_who_sends_nonsense_told_so() {
    let mut served = Served::new();
    let (alice, bob) = (served.join(ALICE), served.join(BOB));
    for (line, told) in [
        (r#"{"type": "message", "data": "say "x""}"#, "after a value comes"),
        ("hello", "an object begins with {"),
        ("[1]", "an object begins with {"),
        ("{}", "needs a \"type\""),
        (r#"{"type": 5}"#, "needs a \"type\""),
        (r#"{"type": "message"}"#, "of a message is a text"),
        (r#"{"type": "message", "data": null}"#, "of a message is a text"),
        (r#"{"type": "message", "data": {"a": 1}}"#, "of a message is a text"),
        (r#"{"type": "set-name"}"#, "of set-name is a text"),
        (r#"{"type": "set-name", "data": 7}"#, "of set-name is a text"),
        ("{\"type\"", "not complete"),
        ("\u{0}\u{1}\u{7f}", "an object begins with {"),
    ] {
        served.line(alice, line);
        let heard = served.shown(alice).join("|");
        assert!(heard.starts_with("[Server]: ") && heard.contains(told), "{line} gave {heard}");
        assert!(served.logged.last().unwrap().contains(told), "{line}");
    }
    assert_eq!(served.heard(bob), "");
    served.line(alice, HELLO);
    assert_eq!(served.heard(bob), message(ALICE, "hello"));
}

#[test]
fn how_much_nonsense_ends_a_connection() {
    let mut served = Served::new();
    let (alice, bob) = (served.join(ALICE), served.join(BOB));
    for _ in 1..MAX_BAD_IN_A_ROW {
        served.line(alice, "x");
    }
    served.line(alice, HELLO);
    for _ in 1..MAX_BAD_IN_A_ROW {
        served.line(alice, "x");
    }
    assert!(served.closed.is_empty(), "a good line between starts the count anew");
    served.heard(bob);
    served.line(alice, "x");
    assert_eq!(served.closed, [alice]);
    assert_eq!(served.shown(bob), [format!("[Server]: {ALICE} has left the chat")]);
}

#[test]
fn how_long_may_a_line_be() {
    let mut served = Served::new();
    let (alice, bob) = (served.join(ALICE), served.join(BOB));
    served.line(alice, &"x".repeat(MAX_LINE_BYTES));
    assert!(served.closed.is_empty());
    served.heard(alice);
    served.bytes(alice, &b"x".repeat(MAX_LINE_BYTES + 1));
    assert_eq!(served.closed, [alice]);
    assert_eq!(served.shown(alice), ["[Server]: a line has at most 65536 bytes"]);
    assert_eq!(served.shown(bob), [format!("[Server]: {ALICE} has left the chat")]);
}

/// VSB-D7.
#[test]
fn how_long_may_a_text_be() {
    let mut served = Served::new();
    let (alice, bob) = (served.join(ALICE), served.join(BOB));
    let said = |text: &str| format!(r#"{{"type": "message", "data": "{text}"}}"#);
    let longest = "x".repeat(MAX_TEXT_BYTES);
    served.line(alice, &said(&longest));
    assert_eq!(served.heard(bob), message(ALICE, &longest));
    served.heard(alice);
    served.line(alice, &said(&format!("{longest}x")));
    assert_eq!(served.heard(bob), "");
    assert_eq!(served.shown(alice), ["[Server]: a message has at most 8192 bytes"]);
}

/// VSB-D7: one connection too many.
#[test]
fn how_many_users_fit() {
    let mut served = Served::new();
    for port in 1..=MAX_USERS {
        served.join(&format!("127.0.0.1:{port}"));
    }
    assert!(served.closed.is_empty());
    let late = served.connect(ALICE);
    assert_eq!(served.closed, [late]);
    assert_eq!(served.heard(late), message("[Server]", "server full"));
    assert_eq!(served.sent.len(), 0, "nobody else is told");
    served.end(ConnId(1));
    let next = served.connect(BOB);
    assert!(!served.closed.contains(&next));
}

#[test]
fn is_the_limit_of_users_the_hosts_to_choose() {
    let mut served = Served::with(HostConfig { max_clients: Some(1), ..config() });
    served.join(ALICE);
    let late = served.connect(BOB);
    assert_eq!(served.closed, [late]);
}

/// VSB-D7, VSB-D6.
#[test]
fn how_much_history_is_told() {
    let mut served = Served::new();
    let alice = served.named(ALICE, "alice");
    for number in 0..=MAX_HISTORY {
        served.line(alice, &format!(r#"{{"type": "message", "data": "{number}"}}"#));
    }
    served.forget();
    served.line(alice, r#"{"type": "history", "data": ""}"#);
    let told = served.shown(alice).concat();
    let expected: Vec<String> = (1..=MAX_HISTORY).map(|number| format!("alice: {number}")).collect();
    assert_eq!(told, format!("[Server]: {}", expected.join("\n")));
    assert_eq!(served.host.board().unwrap().messages.len(), MAX_HISTORY);

    for _ in 0..100 {
        let text = "č".repeat(1000);
        served.line(alice, &format!(r#"{{"type": "message", "data": "{text}"}}"#));
    }
    served.forget();
    served.line(alice, r#"{"type": "history", "data": ""}"#);
    let told = served.heard(alice);
    assert!((100_000..MAX_ANSWER_BYTES + 200).contains(&told.len()), "{} bytes", told.len());
}

/// VSB-D8.
#[test]
fn which_names_are_refused() {
    let mut served = Served::new();
    served.taken.insert("dave".to_owned());
    served.users = vec!["Carol".to_owned(), "~erin".to_owned()];
    let bob = served.named(BOB, "Böb");
    let alice = served.join(ALICE);
    let long = "x".repeat(MAX_NAME_CHARS + 1);
    for name in ["", "   ", "[Server]", "[server]", "a\\u0007b", "a\\nb", &long] {
        served.line(alice, &format!(r#"{{"type": "set-name", "data": "{name}"}}"#));
        assert_eq!(served.shown(alice).len(), 1, "{name}");
    }
    for name in ["Böb", "BÖB", "carol", "erin", "dave", BOB, "10.0.0.1:80"] {
        served.line(alice, &format!(r#"{{"type": "set-name", "data": "{name}"}}"#));
        assert_eq!(served.shown(alice), [format!("[Server]: the name {name} is in use")]);
    }
    assert_eq!(served.heard(bob), "");
    served.line(alice, &format!(r#"{{"type": "set-name", "data": " {} "}}"#, "ž".repeat(MAX_NAME_CHARS)));
    let longest = "ž".repeat(MAX_NAME_CHARS);
    assert_eq!(served.shown(bob), [format!("[Server]: {ALICE} renamed to {longest}")]);
    served.line(alice, &format!(r#"{{"type": "set-name", "data": "{ALICE}"}}"#));
    assert_eq!(served.shown(bob), [format!("[Server]: {longest} renamed to {ALICE}")], "back again");
}

#[test]
fn what_do_others_see_of_a_name_that_only_this_protocol_allows() {
    let mut served = Served::new();
    let alice = served.join(ALICE);
    assert_eq!(served.nicks[&GuestId(1)], "127.0.0.1-37916");
    served.line(alice, r#"{"type": "set-name", "data": "Jürgen K."}"#);
    assert_eq!(served.nicks[&GuestId(1)], "J-rgen-K.");
    assert_eq!(served.shown(alice), [format!("[Server]: {ALICE} renamed to Jürgen K.")]);
    served.taken.extend(["guest".to_owned(), "guest2".to_owned()]);
    served.line(alice, r#"{"type": "set-name", "data": "server"}"#);
    assert_eq!(served.nicks[&GuestId(1)], "guest3");
    served.line(alice, r#"{"type": "set-name", "data": "žž"}"#);
    assert_eq!(served.shown(alice).last().unwrap(), "[Server]: server renamed to žž");
    served.taken.extend((3..=9).map(|number| format!("guest{number}")));
    served.line(alice, r#"{"type": "set-name", "data": "all"}"#);
    assert_eq!(served.shown(alice), ["[Server]: žž renamed to all"], "granted whatever others see");
}

/// What comes in one read after `set-name` is said under the new name.
#[test]
fn does_a_line_wait_for_the_name_before_it() {
    let mut served = Served::new();
    let alice = served.join(ALICE);
    served.answers = false;
    served.bytes(alice, format!("{}\n{HELLO}\n", r#"{"type": "set-name", "data": "alice"}"#).as_bytes());
    assert_eq!(served.heard(alice), "");
    served.told(1, Event::Renamed { from: "127.0.0.1-37916".into(), to: "alice".into() });
    assert_eq!(served.shown(alice), [format!("[Server]: {ALICE} renamed to alice"), "alice: hello".into()]);
}

#[test]
fn how_long_is_a_name_waited_for() {
    let mut served = Served::new();
    let alice = served.join(ALICE);
    served.answers = false;
    served.bytes(alice, format!("{}\n{HELLO}\n", r#"{"type": "set-name", "data": "alice"}"#).as_bytes());
    assert_eq!(served.host.poll_timeout(), Some(served.now + RENAME_PATIENCE));
    served.host.handle_timeout(served.now);
    served.drain();
    assert_eq!(served.heard(alice), "", "too early");
    served.now += RENAME_PATIENCE;
    served.host.handle_timeout(served.now);
    served.drain();
    let told = ["[Server]: the name alice cannot be had now".to_owned(), format!("{ALICE}: hello")];
    assert_eq!(served.shown(alice), told);
    assert_eq!(served.host.poll_timeout(), None);
}

/// V15: nobody is there before the room says so, and what is sent until then waits.
#[test]
fn does_what_comes_before_the_room_answers_wait() {
    let mut served = Served::new();
    served.answers = false;
    let alice = served.connect(ALICE);
    served.bytes(alice, format!("{HELLO}\n{HELLO}\n").as_bytes());
    served.told(1, Event::Message(said("carol", 0, "early")));
    assert_eq!(served.heard(alice), "");
    served.input(Input::Entered { guest: GuestId(1), nick: "127.0.0.1-37916".into(), users: Vec::new() });
    let hello = format!("{ALICE}: hello");
    assert_eq!(
        served.shown(alice),
        [format!("[Server]: {ALICE} has entered the chat"), hello.clone(), hello]
    );

    let flood = served.connect(BOB);
    let line = format!("{HELLO}\n");
    served.bytes(flood, line.repeat(MAX_WAITING_BYTES / line.len()).as_bytes());
    assert!(served.closed.is_empty());
    served.bytes(flood, line.as_bytes());
    assert_eq!(served.closed, [flood]);
    assert_eq!(served.heard(alice), "", "who never came does not leave");
    assert_eq!(served.left, [GuestId(2)]);
}

#[test]
fn what_is_somebody_told_whom_the_room_refuses() {
    for (why, told) in
        [(Refusal::Full, "server full"), (Refusal::Other("the room is closed".into()), "the room is closed")]
    {
        let mut served = Served::new();
        served.answers = false;
        let alice = served.connect(ALICE);
        served.input(Input::Refused { guest: GuestId(1), why });
        assert_eq!(served.shown(alice), [format!("[Server]: {told}")]);
        assert_eq!(served.closed, [alice]);
        assert!(served.printed.is_empty());
    }
}

/// V18, VSB-D11.
#[test]
fn what_does_the_page_show() {
    let mut served = Served::new();
    served.users = vec!["carol".to_owned()];
    served.join(BOB);
    let alice = served.named(ALICE, "<b>");
    served.line(alice, HELLO);
    let board = served.host.board().unwrap();
    assert_eq!(board.users, [BOB, "<b>", "carol"]);
    assert_eq!(board.messages, [("<b>".to_owned(), "hello".to_owned())]);
}

#[test]
fn are_strangers_closed() {
    for hello in [&b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"[..], b"POST / HTTP/1.1\r\n", b"\x16\x03\x01\x02\x00"]
    {
        let mut served = Served::new();
        let (stranger, bob) = (served.join(ALICE), served.join(BOB));
        served.bytes(stranger, hello);
        assert_eq!(served.closed, [stranger]);
        assert_eq!(served.shown(bob), [format!("[Server]: {ALICE} has left the chat")]);
    }
}

#[test]
fn does_an_ipv6_address_make_a_name() {
    let mut served = Served::new();
    let alice = served.connect("[::1]:4711");
    assert_eq!(served.shown(alice), ["[Server]: [::1]:4711 has entered the chat"]);
}

#[test]
fn does_a_client_that_dies_within_a_line_disturb_anybody() {
    let mut served = Served::new();
    let (alice, bob) = (served.join(ALICE), served.join(BOB));
    served.bytes(alice, b"{\"type\": \"message\", \"data\": \"he");
    served.end(alice);
    assert_eq!(served.shown(bob), [format!("[Server]: {ALICE} has left the chat")]);
    served.line(bob, HELLO);
    assert_eq!(served.shown(bob), [format!("{BOB}: hello")]);
    assert_eq!(served.left, [GuestId(1)]);
}

/// V2, V19.
#[test]
fn do_twenty_clients_hear_each_other() {
    let mut served = Served::new();
    let conns: Vec<ConnId> = (1..=20).map(|n| served.connect(&format!("127.0.0.1:{n}"))).collect();
    served.forget();
    for conn in &conns {
        served.line(*conn, HELLO);
    }
    let expected: Vec<String> = (1..=20).map(|n| format!("127.0.0.1:{n}: hello")).collect();
    for conn in conns {
        assert_eq!(served.shown(conn), expected);
    }
}

/// V7 from the other side.
#[test]
fn what_happens_when_the_server_stops() {
    let mut served = Served::new();
    let (alice, bob) = (served.join(ALICE), served.join(BOB));
    served.input(Input::Stop);
    assert_eq!(served.closed, [alice, bob]);
    let late = served.connect("127.0.0.1:1");
    assert_eq!(served.closed.last(), Some(&late));
}
