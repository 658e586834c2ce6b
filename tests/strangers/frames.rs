//! Strangers that speak the protocol, badly or with bad intent.

use std::time::Duration;

use bytes::Bytes;
use sayagain::{
    transport::{Lane, Link, Security, TcpTransport, Transport},
    wire::{
        ByeReason, Epoch, ErrorCode, Frame, Hello, Kind, NodeId, PublicKey, Record, Role, RoomId, Seq,
        VERSION, Vector, decode, encode,
    },
};
use tokio::{runtime::Runtime, time::timeout};

use crate::{
    Town,
    support::{folder::Folder, process::Launch},
};

const PATIENCE: Duration = Duration::from_secs(8);

const KEY: PublicKey = PublicKey([7; 32]);

fn hello() -> Frame {
    Frame::Hello(Hello {
        version: VERSION,
        role: Role::Client,
        key: KEY,
        nick: "mallory".parse().unwrap(),
        epoch: Epoch(1),
        listen: Vec::new(),
        capabilities: 0,
    })
}

/// The hello of somebody who is called something that cannot be a name.
fn hello_as(name: &[u8]) -> Bytes {
    let bytes = encode(&hello()).unwrap();
    let at = bytes.windows(8).position(|window| window == b"\x07mallory").unwrap();
    let (mut length, mut left) = (Vec::new(), name.len());
    while left >= 0x80 {
        length.push((left & 0x7f) as u8 | 0x80);
        left >>= 7;
    }
    length.push(left as u8);
    [&bytes[..at], &length, name, &bytes[at + 8..]].concat().into()
}

/// A link without encryption to a server.
struct Stranger {
    runtime: Runtime,
    link: Link,
}

impl Stranger {
    fn dial(town: &Town) -> Self {
        let runtime = Runtime::new().unwrap();
        let dialing = TcpTransport::new(Security::Insecure);
        let link = runtime.block_on(dialing.dial(town.star.addr.parse().unwrap())).unwrap();
        Self { runtime, link }
    }

    fn send(&self, bytes: Bytes) {
        // It may have hung up already.
        drop(self.runtime.block_on(self.link.tx.send(Lane::CONTROL, bytes)));
    }

    fn say(&self, frame: &Frame) {
        self.send(encode(frame).unwrap());
    }

    /// The next frame; none when the server has hung up.
    fn hear(&mut self) -> Option<Frame> {
        let received = self.runtime.block_on(async { timeout(PATIENCE, self.link.rx.recv()).await });
        let message = received.expect("a word or an end").ok().flatten()?;
        Some(decode(&message).unwrap())
    }

    fn hear_until(&mut self, wanted: impl Fn(&Frame) -> bool) {
        while !wanted(&self.hear().expect("another frame")) {}
    }

    /// What is said until the server hangs up.
    fn hear_out(mut self) -> Vec<Frame> {
        std::iter::from_fn(|| self.hear()).collect()
    }
}

fn error_codes(frames: &[Frame]) -> Vec<ErrorCode> {
    let code = |frame: &Frame| match frame {
        Frame::Error { code, .. } => Some(*code),
        _ => None,
    };
    frames.iter().filter_map(code).collect()
}

#[test]
fn is_another_version_refused_with_a_word() {
    let mut town = Town::new(&["--insecure"]);
    let stranger = Stranger::dial(&town);
    let mut bytes = encode(&hello()).unwrap().to_vec();
    // The version stays the first field for ever.
    assert_eq!(u16::from(bytes[1]), VERSION);
    bytes[1] = 99;
    stranger.send(bytes.into());
    assert_eq!(error_codes(&stranger.hear_out()), [ErrorCode::Version]);
    town.is_undisturbed();
}

#[test]
fn is_a_first_frame_that_is_no_hello_refused() {
    let mut town = Town::new(&["--insecure"]);
    for words in [&b"\x09garbage"[..], b"", b"{\"hello\":1}", &[0xff; 60_000], b"\x19\x01"] {
        let stranger = Stranger::dial(&town);
        stranger.send(Bytes::copy_from_slice(words));
        assert_eq!(error_codes(&stranger.hear_out()), [ErrorCode::Malformed], "{words:?}");
    }
    town.is_undisturbed();
}

#[test]
fn is_garbage_after_the_hello_the_end_of_its_link_only() {
    let mut town = Town::new(&["--insecure"]);
    let mut stranger = Stranger::dial(&town);
    stranger.say(&hello());
    stranger.hear_until(|frame| matches!(frame, Frame::Welcome { .. }));
    stranger.send(Bytes::from_static(b"\x09garbage"));
    assert_eq!(error_codes(&stranger.hear_out()), [ErrorCode::Malformed]);
    town.is_undisturbed();
}

const BAD_NAMES: [&str; 8] =
    ["\u{1b}[31mred", "a/b", "", "\u{202e}bob", "bob\u{200b}", "two words", "../up", "server"];

#[test]
fn is_a_bad_name_refused_where_it_is_typed() {
    let folder = Folder::new();
    let long = "x".repeat(10_000);
    for name in BAD_NAMES.into_iter().chain([long.as_str()]) {
        let launch = Launch::new("bad", &["--role", "client", "--server", "127.0.0.1:1", "--name", name]);
        let mut client = launch.with(&["--data-dir", &folder.at("bad")]).start();
        client.ends(2);
        let complaints = client.complaints();
        assert!(complaints.starts_with("error: "), "{name:?}: {complaints}");
        assert!(complaints.len() < 1000, "{name:?}: {complaints}");
        assert!(!complaints.chars().any(|c| c != '\n' && is_active(c)), "{name:?}: {complaints:?}");
    }
}

#[test]
fn is_a_bad_name_refused_where_it_arrives() {
    let mut town = Town::new(&["--insecure"]);
    let long = "x".repeat(10_000);
    let names = BAD_NAMES.into_iter().chain([long.as_str()]).map(str::as_bytes);
    for name in names.chain([&b"\xff\xfe"[..], b"nul\0"]) {
        let stranger = Stranger::dial(&town);
        stranger.send(hello_as(name));
        assert_eq!(error_codes(&stranger.hear_out()), [ErrorCode::Malformed], "{name:?}");
    }
    town.is_undisturbed();
}

fn record(kind: Kind, seq: u64, body: &str) -> Frame {
    Frame::Record(Record {
        room: RoomId::Public("lobby".parse().unwrap()),
        author: NodeId::of(&KEY),
        epoch: Epoch(1),
        seq: Seq(seq),
        lamport: seq + 1,
        sent_at_ms: 0,
        kind,
        body: Bytes::copy_from_slice(body.as_bytes()),
        signature: None,
    })
}

/// Whether a character acts on a terminal.
fn is_active(c: char) -> bool {
    c.is_control() || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[test]
fn is_hostile_text_inert_on_the_screen() {
    const HOSTILE: &str = "\x1b[2J\x1b]0;owned\x07\u{9b}31m\r\n[lobby] alice: I quit\x08\x7f\0\u{202e}end";
    let mut town = Town::new(&["--insecure"]);
    let mut stranger = Stranger::dial(&town);
    stranger.say(&hello());
    let room = RoomId::Public("lobby".parse().unwrap());
    stranger.say(&Frame::Subscribe { room, have: Vector::default(), age_ms: 0, history: 0, more: false });
    stranger.hear_until(|frame| matches!(frame, Frame::Joined { .. }));
    stranger.say(&record(Kind::TEXT, 0, HOSTILE));
    stranger.say(&record(Kind::TOPIC, 1, HOSTILE));
    stranger.say(&record(Kind(99), 2, HOSTILE));
    stranger.say(&Frame::Bye { reason: ByeReason::Quit, detail: HOSTILE.to_owned() });
    stranger.hear_until(|frame| matches!(frame, Frame::Ack { next: Seq(3), .. }));
    drop(stranger);
    let shown = r"\x1b[2J\x1b]0;owned\x07\x9b31m\x0d\n[lobby] alice: I quit\x08\x7f\x00\u{202e}end";
    for person in [&mut town.alice, &mut town.bob] {
        person.says("[lobby] * mallory joined");
        person.says(&format!("[lobby] mallory: {shown}"));
        person.says(&format!("[lobby] * mallory set the topic: {shown}"));
        let left = person.line();
        assert!(left.starts_with("[lobby] * mallory ") && !left.chars().any(is_active), "{left:?}");
    }
    town.is_undisturbed();
    // Out of the past it is no worse.
    let mut carol = town.star.client("carol").with(&["--insecure"]).start();
    carol.says("joined lobby as carol (3 here: alice, bob, carol)");
    carol.says(&format!("[lobby] * topic by mallory: {shown}"));
    carol.says(&format!("[lobby] mallory: {shown}"));
}
