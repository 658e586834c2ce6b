//! Part 2, the client: says to the server where it waits, and reads there and on the connection to the
//! server, since servers deliver on either.

use std::{
    collections::{BTreeMap, VecDeque},
    net::{IpAddr, Ipv4Addr, SocketAddr},
    time::{Duration, Instant},
};

use super::{
    super::{CallerConfig, ConnId, DialId, Input, Machine, Output},
    MAX_CONNECTIONS,
    inbox::{Heard, Inbox},
    peer::print,
    shown::{Shown, Way},
    typing::{Speaker, Typed, Typing},
    wire::{self, Item},
};

/// How long the server may take to answer the phone.
const DIAL_PATIENCE: Duration = Duration::from_secs(3);

/// The assignment's client.
#[derive(Debug)]
pub struct Client {
    config: CallerConfig,
    server: Option<ConnId>,
    inboxes: BTreeMap<ConnId, Inbox>,
    shown: Shown,
    typing: Typing,
    speaker: Speaker,
    is_over: bool,
    outputs: VecDeque<Output>,
}

impl Client {
    /// A client that has not connected yet.
    pub fn new(config: CallerConfig) -> Self {
        Self {
            speaker: Speaker::new(config.name.clone().unwrap_or_default()),
            config,
            server: None,
            inboxes: BTreeMap::new(),
            shown: Shown::default(),
            typing: Typing::default(),
            is_over: false,
            outputs: VecDeque::new(),
        }
    }

    fn start(&mut self) {
        match self.config.server {
            Some(to) => self.output(Output::Dial { dial: DialId(0), to, timeout: DIAL_PATIENCE }),
            None => self.fail("no server is named: type NAME PORT IP:PORT".to_owned()),
        }
    }

    /// I13.
    fn connected(&mut self, conn: ConnId, now: Instant) {
        self.server = Some(conn);
        self.inboxes.insert(conn, Inbox::default());
        self.send(conn, wire::request("subscribe", self.address()), now);
    }

    /// Where this client waits (I18). One that listens everywhere is on the server's side of loopback if the
    /// server is, and else where the server sees it come from.
    fn address(&self) -> SocketAddr {
        let nowhere = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);
        let local = self.config.local.unwrap_or(nowhere);
        let server = self.config.server.map(|server| server.ip()).filter(IpAddr::is_loopback);
        let ip = if local.ip().is_unspecified() { server.unwrap_or_else(|| local.ip()) } else { local.ip() };
        SocketAddr::new(ip, local.port())
    }

    fn proceed(&mut self, now: Instant) {
        while let Some(conn) = self.server {
            match self.typing.next() {
                None => return,
                Some(Typed::Exit) => self.leave(now),
                Some(Typed::Line(line)) => self.say(conn, &line, now),
            }
        }
    }

    /// I14, I22.
    fn say(&mut self, conn: ConnId, text: &str, now: Instant) {
        match self.speaker.say(text) {
            Ok(line) => self.send(conn, line, now),
            Err(why) => self.output(Output::Warn(why)),
        }
    }

    fn send(&mut self, conn: ConnId, bytes: bytes::Bytes, now: Instant) {
        self.output(Output::Send { conn, bytes });
        self.typing.pause(now);
    }

    fn accept(&mut self, conn: ConnId) {
        if self.inboxes.len() >= MAX_CONNECTIONS {
            return self.output(Output::Close { conn });
        }
        self.inboxes.insert(conn, Inbox::default());
    }

    fn receive(&mut self, conn: ConnId, bytes: &[u8]) {
        let way = if self.server == Some(conn) { Way::Server } else { Way::Listener };
        let Some(inbox) = self.inboxes.get_mut(&conn) else { return };
        for heard in inbox.read(bytes) {
            match heard {
                Heard::Item(Item::Message(message)) if self.shown.is_new(way, &message) => {
                    self.output(print(&message));
                }
                Heard::Item(item) => self.output(Output::Log(format!("not shown: {item}"))),
                Heard::Bad(why) => self.output(Output::Log(why)),
                Heard::Enough(why) => {
                    self.output(Output::Log(format!("a connection is closed: {why}")));
                    self.output(Output::Close { conn });
                    self.ended(conn);
                }
            }
        }
    }

    fn ended(&mut self, conn: ConnId) {
        self.inboxes.remove(&conn);
        if self.server == Some(conn) {
            self.server = None;
            self.close_all();
            self.fail("the server ended the connection".to_owned());
        }
    }

    fn interrupt(&mut self, now: Instant) {
        self.typing.interrupt();
        if self.server.is_none() {
            self.leave(now);
        }
    }

    /// I15, I27.
    fn leave(&mut self, now: Instant) {
        if let Some(conn) = self.server.take() {
            self.send(conn, wire::request("unsubscribe", self.address()), now);
        }
        self.close_all();
        self.exit(0);
    }

    fn close_all(&mut self) {
        for (conn, _) in std::mem::take(&mut self.inboxes) {
            self.output(Output::Close { conn });
        }
    }

    fn fail(&mut self, why: String) {
        self.output(Output::Warn(why));
        self.exit(1);
    }

    fn exit(&mut self, status: u8) {
        self.is_over = true;
        self.output(Output::Exit { status });
    }

    fn typed(&mut self, line: String) {
        if !self.typing.push(line) {
            self.output(Output::Warn("not sent: too many lines wait".to_owned()));
        }
    }

    fn output(&mut self, output: Output) {
        self.outputs.push_back(output);
    }
}

impl Machine for Client {
    fn handle(&mut self, input: Input, now: Instant) {
        if self.is_over {
            return;
        }
        self.typing.tick(now);
        match input {
            Input::Start => self.start(),
            Input::Accepted { conn, .. } => self.accept(conn),
            Input::Connected { conn, .. } => self.connected(conn, now),
            Input::NotConnected { why, .. } => {
                let server = self.config.server.map(|server| server.to_string()).unwrap_or_default();
                self.fail(format!("cannot connect to {server}: {why}"));
            }
            Input::Received { conn, bytes } => self.receive(conn, &bytes),
            Input::Ended { conn } => self.ended(conn),
            Input::Typed(line) => self.typed(line),
            Input::TypedEnd => self.typing.end(self.config.interactive),
            Input::Interrupted | Input::Stop => self.interrupt(now),
            // The rest is of hosts.
            _ => {}
        }
        self.proceed(now);
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.typing.tick(now);
        self.proceed(now);
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.typing.pause_until().filter(|_| !self.is_over)
    }

    fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    fn is_ready(&self) -> bool {
        self.server.is_some() && self.typing.is_ready() && !self.is_over
    }
}
