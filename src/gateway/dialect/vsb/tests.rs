use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    time::{Duration, Instant},
};

use bytes::Bytes;
use proptest::prelude::*;

use super::{
    super::{
        Audience, CallerConfig, ConnId, Delivery, DialId, ForwardForm, GuestId, HostConfig, Input, Machine,
        Output, Refusal, json::MAX_BAD_IN_A_ROW, rehearsal::said, safe_nick,
    },
    client::{LINGER, MAX_LINE_BYTES as MAX_SERVER_LINE_BYTES, QUIET},
    host::{MAX_LINE_BYTES, MAX_WAITING_BYTES},
    past::{MAX_ANSWER_BYTES, MAX_HEARD},
    requests::RENAME_PATIENCE,
    *,
};
use crate::{
    app::{Change, Command, Event, Place, Said, Trouble},
    wire::Seq,
};

mod calling;
mod others;
mod serving;

const ALICE: &str = "127.0.0.1:37916";
const BOB: &str = "127.0.0.1:37928";

fn addr(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn config() -> HostConfig {
    HostConfig {
        local: addr("127.0.0.1:5555"),
        max_clients: None,
        delivery: Delivery::Auto,
        forward: ForwardForm::Auto,
        ascii_safe: false,
        max_file_bytes: 0,
        seed: 1,
    }
}

/// A server with a room behind it, in which names can be taken.
struct Served {
    host: Host,
    now: Instant,
    /// Whether the room answers.
    answers: bool,
    users: Vec<String>,
    taken: BTreeSet<String>,
    nicks: BTreeMap<GuestId, String>,
    sent: BTreeMap<ConnId, Vec<u8>>,
    closed: Vec<ConnId>,
    printed: Vec<String>,
    logged: Vec<String>,
    said: Vec<(GuestId, String)>,
    left: Vec<GuestId>,
    pending: Vec<GuestId>,
    conns: u64,
}

impl Served {
    fn new() -> Self {
        Self::with(config())
    }

    fn with(config: HostConfig) -> Self {
        Self {
            host: Host::new(config),
            now: tokio::time::Instant::now().into_std(),
            answers: true,
            users: Vec::new(),
            taken: BTreeSet::new(),
            nicks: BTreeMap::new(),
            sent: BTreeMap::new(),
            closed: Vec::new(),
            printed: Vec::new(),
            logged: Vec::new(),
            said: Vec::new(),
            left: Vec::new(),
            pending: Vec::new(),
            conns: 0,
        }
    }

    fn input(&mut self, input: Input) {
        self.host.handle(input, self.now);
        self.drain();
    }

    fn drain(&mut self) {
        let mut answers = Vec::new();
        while let Some(output) = self.host.poll_output() {
            match output {
                Output::Send { conn, bytes } => {
                    assert!(!self.closed.contains(&conn), "nothing is sent after the end");
                    assert!(bytes.is_ascii() && bytes.ends_with(b"\n"), "one line, ASCII (VSB-D1)");
                    self.sent.entry(conn).or_default().extend_from_slice(&bytes);
                }
                Output::Close { conn } => self.closed.push(conn),
                Output::Enter { guest, name, insists } => {
                    assert!(!insists);
                    self.pending.push(guest);
                    let nick = self.free(safe_nick(&name).0.as_str());
                    self.nicks.insert(guest, nick.clone());
                    answers.push(Input::Entered { guest, nick, users: self.users.clone() });
                }
                Output::Command { guest, command: Command::Say(text) } => self.said.push((guest, text)),
                Output::Command { guest, command: Command::Rename(nick) } => {
                    answers.push(Input::Told { guest, event: self.rename(guest, nick.as_str()) });
                }
                Output::Leave { guest } => self.left.push(guest),
                Output::Print(line) => self.printed.push(line),
                Output::Log(line) => self.logged.push(line),
                other => panic!("{other:?}"),
            }
        }
        if self.answers {
            answers.into_iter().for_each(|answer| self.input(answer));
        }
    }

    fn is_free(&self, nick: &str) -> bool {
        !self.taken.contains(nick) && !self.nicks.values().any(|had| had == nick)
    }

    fn free(&self, nick: &str) -> String {
        let numbered = (2..).map(|number| format!("{nick}{number}"));
        [nick.to_owned()].into_iter().chain(numbered).find(|nick| self.is_free(nick)).unwrap()
    }

    fn rename(&mut self, guest: GuestId, nick: &str) -> Event {
        if !self.is_free(nick) {
            return Event::Error(Trouble::new("name_taken", format!("the name {nick} is in use"), ""));
        }
        let from = self.nicks.insert(guest, nick.to_owned()).unwrap();
        Event::Renamed { from, to: nick.to_owned() }
    }

    fn connect(&mut self, peer: &str) -> ConnId {
        self.conns += 1;
        let conn = ConnId(self.conns);
        self.input(Input::Accepted { conn, peer: addr(peer) });
        conn
    }

    /// Connects and forgets what everybody was told of it.
    fn join(&mut self, peer: &str) -> ConnId {
        let conn = self.connect(peer);
        self.forget();
        conn
    }

    fn named(&mut self, peer: &str, name: &str) -> ConnId {
        let conn = self.connect(peer);
        self.line(conn, &format!(r#"{{"type": "set-name", "data": "{name}"}}"#));
        self.forget();
        conn
    }

    fn forget(&mut self) {
        self.sent.clear();
        self.printed.clear();
        self.said.clear();
    }

    fn bytes(&mut self, conn: ConnId, bytes: &[u8]) {
        self.input(Input::Received { conn, bytes: Bytes::copy_from_slice(bytes) });
    }

    fn line(&mut self, conn: ConnId, line: &str) {
        self.bytes(conn, format!("{line}\n").as_bytes());
    }

    fn end(&mut self, conn: ConnId) {
        self.input(Input::Ended { conn });
    }

    fn told(&mut self, guest: u64, event: Event) {
        self.input(Input::Told { guest: GuestId(guest), event });
    }

    /// What a connection was sent since asked last.
    fn heard(&mut self, conn: ConnId) -> String {
        String::from_utf8(self.sent.remove(&conn).unwrap_or_default()).unwrap()
    }

    /// The same as a client shows it.
    fn shown(&mut self, conn: ConnId) -> Vec<String> {
        let heard = self.heard(conn);
        let said = |line: &str| wire::said(line.as_bytes()).map(|(name, text)| format!("{name}: {text}"));
        heard.lines().map(|line| said(line).unwrap()).collect()
    }
}

fn message(source: &str, text: &str) -> String {
    format!("{{\"type\": \"message\", \"data\": {{\"source\": \"{source}\", \"message\": \"{text}\"}}}}\n")
}

fn presence(name: &str, change: Change) -> Event {
    Event::Presence { room: "lobby".parse().unwrap(), name: name.to_owned(), change }
}

const HELLO: &str = r#"{"type": "message", "data": "hello"}"#;

proptest! {
    #[test]
    fn can_any_bytes_harm_a_server_or_client(chunks in prop::collection::vec((0..3_u64, prop_oneof![
        prop::collection::vec(any::<u8>(), 1..60),
        prop::sample::select(vec![
            b"\n".to_vec(), HELLO.as_bytes().to_vec(), b"{\"type\": \"".to_vec(), b"users\"}\n".to_vec(),
            b"{\"type\": \"set-name\", \"data\": \"a".to_vec(), b"\"}\n".to_vec(),
        ]),
    ]), 0..60)) {
        let mut served = Served::new();
        let mut called = calling::Called::new();
        let conns: Vec<ConnId> = (1..=3).map(|n| served.connect(&format!("127.0.0.1:{n}"))).collect();
        for (who, chunk) in chunks {
            called.receive(&chunk);
            served.bytes(conns[who as usize], &chunk);
        }
        for sent in served.sent.values() {
            for line in sent.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
                prop_assert!(wire::said(line).is_ok());
            }
        }
    }
}
