//! The server and the client against tables of bytes: a scripted room and scripted programs.

mod attach;
mod bounds;
mod client;
mod follow;
mod pair;
mod register;
mod room;
mod talk;
mod wild;

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    time::{Duration, Instant},
};

use bytes::Bytes;

use crate::{
    app::{Change, Command, Event, Said},
    gateway::dialect::{
        Audience, CallerConfig, ConnId, Delivery, GuestId, HostConfig, Input, Machine, Output, Refusal,
        rehearsal, safe_nick,
    },
};

use super::{Client, Host};

const REGISTERED: &str = "200 Registration successful\n";
const MAX_FILE: usize = 1_000;

fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

fn config() -> HostConfig {
    HostConfig {
        local: ([127, 0, 0, 1], 54307).into(),
        max_clients: None,
        delivery: Delivery::Auto,
        forward: <_>::default(),
        ascii_safe: false,
        max_file_bytes: MAX_FILE,
        seed: 1,
    }
}

/// A server, the time, and a room that lets everybody in whose name is free.
struct Stage {
    host: Host,
    now: Instant,
    next: u64,
    /// Writes, by connection.
    written: BTreeMap<ConnId, Vec<Bytes>>,
    closed: BTreeSet<ConnId>,
    printed: Vec<String>,
    commands: Vec<(GuestId, Command)>,
    left: Vec<GuestId>,
    files: Vec<(GuestId, Audience, String, Bytes)>,
    entering: Vec<(GuestId, String, bool)>,
    /// Names of people who are no guests of this server.
    others: Vec<String>,
    /// Whether the room answers at once.
    answers: bool,
    refusal: Option<Refusal>,
}

impl Stage {
    fn new() -> Self {
        Self::with(config())
    }

    fn delivering(delivery: Delivery) -> Self {
        Self::with(HostConfig { delivery, ..config() })
    }

    fn with(config: HostConfig) -> Self {
        let mut stage = Self {
            host: Host::new(config),
            now: tokio::time::Instant::now().into_std(),
            next: 0,
            written: BTreeMap::new(),
            closed: BTreeSet::new(),
            printed: Vec::new(),
            commands: Vec::new(),
            left: Vec::new(),
            files: Vec::new(),
            entering: Vec::new(),
            others: Vec::new(),
            answers: true,
            refusal: None,
        };
        stage.input(Input::Start);
        stage
    }

    fn input(&mut self, input: Input) {
        self.host.handle(input, self.now);
        self.drain();
    }

    fn drain(&mut self) {
        while let Some(output) = self.host.poll_output() {
            match output {
                Output::Send { conn, bytes } => {
                    assert!(!self.closed.contains(&conn), "nothing is written after the end");
                    self.written.entry(conn).or_default().push(bytes);
                }
                Output::Close { conn } => assert!(self.closed.insert(conn), "closed once"),
                Output::Enter { guest, name, insists } => self.entering.push((guest, name, insists)),
                Output::Command { guest, command } => self.commands.push((guest, command)),
                Output::Leave { guest } => self.left.push(guest),
                Output::File { guest, to, name, content } => self.files.push((guest, to, name, content)),
                Output::Print(line) => self.printed.push(line),
                Output::Log(_) => {}
                other => panic!("not of a server: {other:?}"),
            }
        }
        if self.answers && !self.entering.is_empty() {
            self.answer();
        }
    }

    /// The room answers who waits.
    fn answer(&mut self) {
        for (guest, name, insists) in std::mem::take(&mut self.entering) {
            let nick = safe_nick(&name).0.as_str().to_owned();
            let taken = insists && self.others.iter().any(|other| other.eq_ignore_ascii_case(&nick));
            let input = match self.refusal.clone().or_else(|| taken.then_some(Refusal::NameTaken)) {
                Some(why) => Input::Refused { guest, why },
                None => Input::Entered { guest, nick, users: self.others.clone() },
            };
            self.input(input);
        }
    }

    fn connects(&mut self) -> ConnId {
        let conn = ConnId(self.next);
        self.next += 1;
        let port = 54308 + self.next as u16 - 1;
        self.input(Input::Accepted { conn, peer: SocketAddr::from(([127, 0, 0, 1], port)) });
        conn
    }

    fn sends(&mut self, conn: ConnId, bytes: impl AsRef<[u8]>) {
        self.input(Input::Received { conn, bytes: Bytes::copy_from_slice(bytes.as_ref()) });
    }

    /// Somebody registers as the first assignment has it.
    fn joins(&mut self, name: &str) -> ConnId {
        self.joins_with(&format!("REGISTER {name} CHAT/1.0\n"))
    }

    /// Somebody registers as the second assignment has it.
    fn follows(&mut self, name: &str, terms: &str) -> ConnId {
        self.joins_with(&format!("REGISTER {name} CHAT/1.0\nFollow: {terms}\n\n"))
    }

    fn joins_with(&mut self, registration: &str) -> ConnId {
        let conn = self.connects();
        self.sends(conn, registration);
        assert_eq!(self.got(conn), REGISTERED);
        conn
    }

    /// Somebody registers who ends no lines.
    fn joins_bare(&mut self, name: &str) -> ConnId {
        let conn = self.connects();
        self.sends(conn, format!("REGISTER {name} CHAT/1.0"));
        self.passes(ms(200));
        assert_eq!(self.writes(conn), ["200 Registration successful"]);
        self.passes(ms(40));
        conn
    }

    /// What was written to somebody since the last time.
    fn got(&mut self, conn: ConnId) -> String {
        self.writes(conn).concat()
    }

    /// The same, write by write.
    fn writes(&mut self, conn: ConnId) -> Vec<String> {
        let writes = self.written.remove(&conn).unwrap_or_default();
        writes.iter().map(|bytes| String::from_utf8_lossy(bytes).into_owned()).collect()
    }

    fn prints(&mut self) -> Vec<String> {
        std::mem::take(&mut self.printed)
    }

    fn is_closed(&self, conn: ConnId) -> bool {
        self.closed.contains(&conn)
    }

    /// Time passes; whatever is due on the way happens when it is.
    fn passes(&mut self, time: Duration) {
        let end = self.now + time;
        let mut turns = 0;
        while let Some(at) = self.host.poll_timeout().filter(|at| *at <= end) {
            self.now = self.now.max(at);
            self.host.handle_timeout(self.now);
            self.drain();
            turns += 1;
            assert!(turns < 10_000, "it spins");
        }
        self.now = end;
    }

    fn told(&mut self, guest: u64, event: Event) {
        self.input(Input::Told { guest: GuestId(guest), event });
    }

    fn hears(&mut self, guest: u64, from: &str, text: &str) {
        self.told(guest, Event::Message(said(from, text)));
    }

    fn sees(&mut self, guest: u64, name: &str, change: Change) {
        self.told(guest, Event::Presence { room: "lobby".parse().unwrap(), name: name.into(), change });
    }
}

fn said(from: &str, text: &str) -> Said {
    rehearsal::said(from, 0, text)
}
