//! Part 1: everybody dials those on their own command line, when there is something to say (I7, I9).

use std::{
    collections::{BTreeMap, VecDeque},
    net::SocketAddr,
    time::{Duration, Instant},
};

use bytes::Bytes;

use super::{
    super::{CallerConfig, ConnId, DialId, Input, Machine, Output, clean_line},
    MAX_CONNECTIONS,
    inbox::{Heard, Inbox},
    typing::{Speaker, Typed, Typing},
    wire::{Item, Message},
};

/// How long a peer may take to answer the phone.
const DIAL_PATIENCE: Duration = Duration::from_secs(2);

/// One chat program of the mesh.
#[derive(Debug)]
pub struct Peer {
    speaker: Speaker,
    is_interactive: bool,
    /// Those that lines go to, each with its one connection while it lasts.
    links: BTreeMap<SocketAddr, Option<ConnId>>,
    dials: BTreeMap<DialId, SocketAddr>,
    next_dial: u64,
    /// Both those that were dialled and those that dialled.
    inboxes: BTreeMap<ConnId, Inbox>,
    typing: Typing,
    /// The line that is being sent, for peers that are being dialled.
    line: Bytes,
    is_over: bool,
    outputs: VecDeque<Output>,
}

impl Peer {
    /// A peer that has dialled nobody yet.
    pub fn new(config: CallerConfig) -> Self {
        Self {
            speaker: Speaker::new(config.name.unwrap_or_default()),
            is_interactive: config.interactive,
            links: config.peers.into_iter().map(|peer| (peer, None)).collect(),
            dials: BTreeMap::new(),
            next_dial: 0,
            inboxes: BTreeMap::new(),
            typing: Typing::default(),
            line: Bytes::new(),
            is_over: false,
            outputs: VecDeque::new(),
        }
    }

    /// Takes typed lines one after another: the next when everybody has the one before or cannot be reached.
    fn proceed(&mut self, now: Instant) {
        while self.dials.is_empty() && !self.is_over {
            match self.typing.next() {
                None => return,
                Some(Typed::Exit) => self.leave(),
                Some(Typed::Line(line)) => self.say(&line, now),
            }
        }
    }

    /// The same number to everybody (IOWA-D8).
    fn say(&mut self, text: &str, now: Instant) {
        match self.speaker.say(text) {
            Ok(line) => self.line = line,
            Err(why) => return self.output(Output::Warn(why)),
        }
        let links: Vec<(SocketAddr, Option<ConnId>)> =
            self.links.iter().map(|(to, conn)| (*to, *conn)).collect();
        for (to, conn) in links {
            match conn {
                Some(conn) => self.send(conn, now),
                None => self.dial(to),
            }
        }
    }

    fn send(&mut self, conn: ConnId, now: Instant) {
        let bytes = self.line.clone();
        self.output(Output::Send { conn, bytes });
        self.typing.pause(now);
    }

    fn dial(&mut self, to: SocketAddr) {
        let dial = DialId(self.next_dial);
        self.next_dial = self.next_dial.saturating_add(1);
        self.dials.insert(dial, to);
        self.output(Output::Dial { dial, to, timeout: DIAL_PATIENCE });
    }

    fn connected(&mut self, dial: DialId, conn: ConnId, now: Instant) {
        let Some(to) = self.dials.remove(&dial) else { return self.output(Output::Close { conn }) };
        self.links.insert(to, Some(conn));
        self.inboxes.insert(conn, Inbox::default());
        self.send(conn, now);
    }

    /// The next line tries again (IOWA-D6).
    fn not_connected(&mut self, dial: DialId, why: &str) {
        if let Some(to) = self.dials.remove(&dial) {
            self.output(Output::Warn(format!("{to} cannot be reached: {why}")));
        }
    }

    fn accept(&mut self, conn: ConnId) {
        if self.inboxes.len() >= MAX_CONNECTIONS {
            return self.output(Output::Close { conn });
        }
        self.inboxes.insert(conn, Inbox::default());
    }

    /// Shows what anybody says; nothing is ever answered (IOWA-D7).
    fn receive(&mut self, conn: ConnId, bytes: &[u8]) {
        let Some(inbox) = self.inboxes.get_mut(&conn) else { return };
        for heard in inbox.read(bytes) {
            match heard {
                Heard::Item(Item::Message(message)) => self.output(print(&message)),
                Heard::Item(item) => self.output(Output::Log(format!("not for a peer: {item}"))),
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
        for link in self.links.values_mut() {
            *link = link.filter(|used| *used != conn);
        }
    }

    /// I8.
    fn leave(&mut self) {
        self.is_over = true;
        for (conn, _) in std::mem::take(&mut self.inboxes) {
            self.output(Output::Close { conn });
        }
        self.output(Output::Exit { status: 0 });
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

/// I23: the user, the message, one line.
pub(super) fn print(message: &Message) -> Output {
    Output::Print(clean_line(&format!("{}: {}", message.user, message.text)))
}

impl Machine for Peer {
    fn handle(&mut self, input: Input, now: Instant) {
        if self.is_over {
            return;
        }
        self.typing.tick(now);
        match input {
            Input::Accepted { conn, .. } => self.accept(conn),
            Input::Connected { dial, conn } => self.connected(dial, conn, now),
            Input::NotConnected { dial, why } => self.not_connected(dial, &why),
            Input::Received { conn, bytes } => self.receive(conn, &bytes),
            Input::Ended { conn } => self.ended(conn),
            Input::Typed(line) => self.typed(line),
            Input::TypedEnd => self.typing.end(self.is_interactive),
            Input::Interrupted | Input::Stop => self.leave(),
            // Nothing is dialled at the start, and the rest is of hosts.
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
        self.typing.is_ready() && self.dials.is_empty() && !self.is_over
    }
}
