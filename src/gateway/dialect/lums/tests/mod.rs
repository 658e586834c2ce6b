//! A stage for machines: a clock that is moved by hand, a room that lets guests in, and a record of all
//! that was wanted.

mod between;
mod client;
mod files;
mod host;
mod room;
mod wild;

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    time::{Duration, Instant},
};

use bytes::Bytes;

use crate::{
    app::{Event, Said},
    gateway::dialect::{
        CallerConfig, ConnId, Delivery, ForwardForm, GuestId, HostConfig, Input, Machine, Output, Refusal,
        rehearsal, safe_nick,
    },
};

pub(crate) const MAX_FILE_BYTES: usize = 100_000;

pub(crate) fn start_of_time() -> Instant {
    tokio::time::Instant::now().into_std()
}

pub(crate) fn host_config() -> HostConfig {
    HostConfig {
        local: "127.0.0.1:15000".parse().unwrap(),
        max_clients: None,
        delivery: Delivery::Auto,
        forward: ForwardForm::Auto,
        ascii_safe: false,
        max_file_bytes: MAX_FILE_BYTES,
        seed: 7,
    }
}

pub(crate) fn caller_config(name: &str) -> CallerConfig {
    CallerConfig {
        name: (!name.is_empty()).then(|| name.to_owned()),
        server: Some("127.0.0.1:15000".parse().unwrap()),
        local: None,
        peers: Vec::new(),
        follow: Vec::new(),
        window: 3,
        reliable: true,
        format_line: None,
        interactive: false,
        max_file_bytes: MAX_FILE_BYTES,
        seed: 11,
    }
}

pub(crate) fn peer(port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], port))
}

pub(crate) fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

pub(crate) fn said(from: &str, text: &str) -> Said {
    rehearsal::said(from, 0, text)
}

/// One machine and everything around it.
pub(crate) struct Stage<M> {
    pub(crate) machine: M,
    pub(crate) now: Instant,
    /// Who else is in the room, as called among us.
    pub(crate) others: BTreeSet<String>,
    /// Guests are let in when `open_room` is called.
    pub(crate) is_room_slow: bool,
    at_the_door: Vec<(GuestId, String, bool)>,
    pub(crate) guests: BTreeMap<GuestId, String>,
    pub(crate) sent: Vec<(ConnId, Bytes)>,
    pub(crate) datagrams: Vec<(SocketAddr, Bytes)>,
    pub(crate) printed: Vec<String>,
    pub(crate) warned: Vec<String>,
    pub(crate) logged: Vec<String>,
    pub(crate) closed: Vec<ConnId>,
    /// Everything else.
    pub(crate) wanted: Vec<Output>,
}

impl<M: Machine> Stage<M> {
    pub(crate) fn new(machine: M) -> Self {
        Self::at(machine, start_of_time())
    }

    pub(crate) fn at(machine: M, now: Instant) -> Self {
        let mut stage = Self {
            machine,
            now,
            others: BTreeSet::new(),
            is_room_slow: false,
            at_the_door: Vec::new(),
            guests: BTreeMap::new(),
            sent: Vec::new(),
            datagrams: Vec::new(),
            printed: Vec::new(),
            warned: Vec::new(),
            logged: Vec::new(),
            closed: Vec::new(),
            wanted: Vec::new(),
        };
        stage.input(Input::Start);
        stage
    }

    pub(crate) fn input(&mut self, input: Input) {
        self.machine.handle(input, self.now);
        self.drain();
    }

    fn drain(&mut self) {
        while let Some(output) = self.machine.poll_output() {
            match output {
                Output::Send { conn, bytes } => self.sent.push((conn, bytes)),
                Output::Datagram { to, bytes } => self.datagrams.push((to, bytes)),
                Output::Print(line) => self.printed.push(line),
                Output::Warn(line) => self.warned.push(line),
                Output::Log(line) => self.logged.push(line),
                Output::Close { conn } => self.closed.push(conn),
                Output::Enter { guest, name, insists } => self.at_the_door.push((guest, name, insists)),
                Output::Leave { guest } => {
                    self.guests.remove(&guest);
                    self.wanted.push(output);
                }
                output => self.wanted.push(output),
            }
        }
        if !self.is_room_slow && !self.at_the_door.is_empty() {
            self.open_room();
        }
    }

    /// Lets in who waits, or not.
    pub(crate) fn open_room(&mut self) {
        for (guest, name, insists) in std::mem::take(&mut self.at_the_door) {
            let nick = safe_nick(&name).0;
            let is_taken = |nick: &str| {
                let mut all = self.others.iter().chain(self.guests.values());
                all.any(|other| other.trim_start_matches('~').eq_ignore_ascii_case(nick))
            };
            if insists && is_taken(nick.as_str()) {
                self.input(Input::Refused { guest, why: Refusal::NameTaken });
                continue;
            }
            let numbered = (2..).map(|number| nick.with_suffix(number));
            let nick =
                [nick.clone()].into_iter().chain(numbered).find(|nick| !is_taken(nick.as_str())).unwrap();
            let guests = self.guests.values().map(|nick| format!("~{nick}"));
            let users = self.others.iter().cloned().chain(guests).collect();
            self.guests.insert(guest, nick.as_str().to_owned());
            self.input(Input::Entered { guest, nick: nick.as_str().to_owned(), users });
        }
    }

    /// Everybody in the room is told the same.
    pub(crate) fn tell_all(&mut self, event: &Event) {
        for guest in self.guests.keys().copied().collect::<Vec<_>>() {
            self.input(Input::Told { guest, event: event.clone() });
        }
    }

    pub(crate) fn guest(&self, nick: &str) -> GuestId {
        *self.guests.iter().find(|(_, own)| *own == nick).expect("a guest of that name").0
    }

    /// Moves the clock, and calls the machine whenever it asked for it.
    pub(crate) fn wait(&mut self, time: Duration) {
        let end = self.now + time;
        let mut calls = 0;
        while let Some(at) = self.machine.poll_timeout().filter(|at| *at <= end) {
            calls = if at > self.now { 0 } else { calls + 1 };
            assert!(calls < 3, "a machine that asks for the past again and again");
            self.now = at.max(self.now);
            self.machine.handle_timeout(self.now);
            self.drain();
        }
        self.now = end;
    }

    pub(crate) fn accept(&mut self, conn: u64) {
        self.input(Input::Accepted { conn: ConnId(conn), peer: peer(u16::try_from(conn % 60_000).unwrap()) });
    }

    pub(crate) fn receive(&mut self, conn: u64, bytes: &[u8]) {
        self.input(Input::Received { conn: ConnId(conn), bytes: Bytes::copy_from_slice(bytes) });
    }

    pub(crate) fn end(&mut self, conn: u64) {
        self.input(Input::Ended { conn: ConnId(conn) });
    }

    /// Connects and joins.
    pub(crate) fn join(&mut self, conn: u64, name: &str) {
        self.accept(conn);
        self.receive(conn, format!("join {name}").as_bytes());
    }

    /// What a connection was sent until now, one text a write; waits for pauses first.
    pub(crate) fn heard(&mut self, conn: u64) -> Vec<String> {
        self.wait(ms(1000));
        let (own, rest) = std::mem::take(&mut self.sent).into_iter().partition(|(to, _)| to.0 == conn);
        self.sent = rest;
        own.into_iter().map(|(_, bytes): (_, Bytes)| String::from_utf8_lossy(&bytes).into_owned()).collect()
    }

    pub(crate) fn printed(&mut self) -> Vec<String> {
        std::mem::take(&mut self.printed)
    }

    pub(crate) fn is_closed(&self, conn: u64) -> bool {
        self.closed.contains(&ConnId(conn))
    }
}
