use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    time::{Duration, Instant},
};

use bytes::Bytes;
use proptest::prelude::*;

use super::{
    super::{
        Audience, CallerConfig, ConnId, Delivery, DialId, ForwardForm, GuestId, HostConfig, Input,
        MAX_QUEUED_MESSAGES, Machine, Output, PACE, Refusal,
        json::{MAX_BAD_IN_A_ROW, MAX_OBJECT_BYTES},
        rehearsal::said,
        safe_nick,
    },
    authors::{LINGER, MAX_AUTHORS, MAX_AUTHORS_PER_CONN, MAX_TEXT_BYTES},
    numbers::{MAX_NUMBERED, MAX_SENDERS, Numbers},
    shown::{MAX_SHOWN, Shown, Way},
    subscribers::{DIAL_PATIENCE, MAX_TRIES, REDIAL},
    typing::MAX_TYPED,
    *,
};
use crate::app::{Change, Command, Event, Said, Trouble};

mod callers;
mod serving;

fn addr(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn object(seq: u64, user: &str, text: &str) -> String {
    format!("{{\"seq\": {seq}, \"user\": \"{user}\", \"message\": \"{text}\"}}")
}

/// JSON that is none or says nothing, one object or piece each.
const NONSENSE: [&str; 14] = [
    "{\"seq\": 0, \"user\": \"u\", \"message\": \"say \"x\"\"}",
    "{\"seq\": 0, \"user\": \"u\"}",
    "{\"user\": \"u\", \"message\": \"m\"}",
    "{\"seq\": 0, \"user\": 5, \"message\": \"m\"}",
    "{\"seq\": 0, \"user\": \"u\", \"message\": null}",
    "{\"seq\": [], \"user\": \"u\", \"message\": \"m\"}",
    "{\"operation\": \"subscribe\"}",
    "{\"operation\": \"subscribe\", \"client\": 5000}",
    "{\"operation\": \"subscribe\", \"client\": \"127.0.0.1:65536\"}",
    "{\"operation\": \"subscribe\", \"client\": \"127.0.0.1:0\"}",
    "{\"operation\": \"subscribe\", \"client\": \"a name:5000\"}",
    "{\"operation\": \"dance\", \"client\": \"127.0.0.1:5000\"}",
    "{\"operation\": 1}",
    "{}",
];

fn message(user: &str, seq: &str, text: &str) -> wire::Message {
    let json = String::new();
    wire::Message { seq: seq.to_owned(), user: user.to_owned(), text: text.to_owned(), json }
}

/// IOWA-D10.
#[test]
fn is_a_message_shown_once_whichever_ways_it_comes() {
    let mut shown = Shown::default();
    let hello = message("alice", "0", "hello");
    assert!(shown.is_new(Way::Server, &hello));
    assert!(!shown.is_new(Way::Listener, &hello));
    assert!(shown.is_new(Way::Listener, &hello), "each showing outweighs one copy");
    assert!(shown.is_new(Way::Listener, &message("alice", "0", "hi")), "she started again");
    assert!(shown.is_new(Way::Listener, &message("bob", "0", "hello")));
    for seq in 0..MAX_SHOWN {
        assert!(shown.is_new(Way::Server, &message("carol", &seq.to_string(), "x")));
    }
    assert!(shown.is_new(Way::Server, &hello), "what is long ago is forgotten");
}

#[test]
fn is_a_line_numbered_once_and_senders_are_bounded() {
    let mut numbers = Numbers::default();
    assert_eq!([numbers.of("a", &said("a", 5, "")), numbers.of("a", &said("a", 5, ""))], [0, 0]);
    assert_eq!([numbers.of("a", &said("a", 6, "")), numbers.next("a"), numbers.next("b")], [1, 2, 0]);
    for seq in 100..100 + MAX_NUMBERED as u64 {
        numbers.of("c", &said("c", seq, ""));
    }
    assert_eq!(numbers.of("a", &said("a", 5, "")), 3, "the oldest line is forgotten");
    for sender in 0..MAX_SENDERS {
        numbers.next(&format!("x{sender}"));
    }
    assert_eq!(numbers.next("a"), 0, "somebody is forgotten");
}

/// I18, and how people write it.
#[test]
fn which_addresses_are_understood() {
    let read = |client: &str| {
        let text = format!("{{\"operation\": \"subscribe\", \"client\": \"{client}\"}}");
        wire::Item::read(super::super::json::parse(text.as_bytes()))
    };
    for (client, host, port) in [
        ("127.0.0.1:5000", Some("127.0.0.1"), 5000),
        ("192.168.1.5:65535", Some("192.168.1.5"), 65535),
        ("[::1]:1", Some("::1"), 1),
        ("0.0.0.0:5000", None, 5000),
        ("[::]:5000", None, 5000),
        ("localhost:5000", None, 5000),
        ("5000", None, 5000),
    ] {
        let host = host.map(|host| host.parse().unwrap());
        assert_eq!(read(client), Ok(wire::Item::Subscribe(wire::Address { host, port })), "{client}");
    }
}
