//! The server: who is there, from being accepted until being forgotten.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    net::SocketAddr,
    time::Instant,
};

use bytes::Bytes;

use super::{
    super::{
        Board, ConnId, GuestId, HostConfig, Input, MAX_QUEUED_BYTES, Machine, Output, Refusal,
        json::MAX_OBJECT_BYTES, own::OwnNames, stranger::Stranger,
    },
    MAX_USERS, SERVER,
    lines::Lines,
    past::Past,
    requests::Wanted,
    wire,
};

/// Bytes of the longest line.
pub(super) const MAX_LINE_BYTES: usize = MAX_OBJECT_BYTES;

/// Bytes that wait while a guest is being let in or renamed.
pub(super) const MAX_WAITING_BYTES: usize = MAX_QUEUED_BYTES;

/// The assignment's server.
#[derive(Debug)]
pub struct Host {
    pub(super) config: HostConfig,
    pub(super) guests: BTreeMap<ConnId, Guest>,
    pub(super) own: OwnNames,
    /// People who came through other doors, by plain name.
    pub(super) others: BTreeSet<String>,
    pub(super) past: Past,
    conns: BTreeMap<GuestId, ConnId>,
    next_guest: u64,
    is_stopping: bool,
    outputs: VecDeque<Output>,
}

/// Somebody with a connection.
#[derive(Debug)]
pub(super) struct Guest {
    pub(super) id: GuestId,
    pub(super) peer: SocketAddr,
    pub(super) name: String,
    pub(super) stage: Stage,
    pub(super) bad: u32,
    lines: Lines,
    stranger: Stranger,
}

/// Whether the next line may be heard.
#[derive(Debug)]
pub(super) enum Stage {
    Entering,
    In,
    /// In, under the old name.
    Renaming(Wanted),
}

impl Host {
    /// A server that nobody has found yet.
    pub fn new(config: HostConfig) -> Self {
        Self {
            config,
            guests: BTreeMap::new(),
            own: OwnNames::default(),
            others: BTreeSet::new(),
            past: Past::default(),
            conns: BTreeMap::new(),
            next_guest: 0,
            is_stopping: false,
            outputs: VecDeque::new(),
        }
    }

    fn accept(&mut self, conn: ConnId, peer: SocketAddr) {
        let max = self.config.max_clients.unwrap_or(MAX_USERS);
        if self.is_stopping || self.guests.len() >= max {
            self.log(format!("{peer}: not let in, {max} users are the limit (VSB-D7)"));
            self.notice(conn, "server full");
            return self.output(Output::Close { conn });
        }
        self.next_guest = self.next_guest.saturating_add(1);
        let (guest, name) = (GuestId(self.next_guest), peer.to_string());
        self.own.expect(guest, &name);
        self.conns.insert(guest, conn);
        let newcomer = Guest {
            id: guest,
            peer,
            name: name.clone(),
            stage: Stage::Entering,
            bad: 0,
            lines: Lines::new(MAX_LINE_BYTES),
            stranger: Stranger::default(),
        };
        self.guests.insert(conn, newcomer);
        self.output(Output::Enter { guest, name, insists: false });
    }

    fn let_in(&mut self, conn: ConnId, nick: &str, users: &[String], now: Instant) {
        let Some(guest) = self.guests.get_mut(&conn) else { return };
        guest.stage = Stage::In;
        let (id, name) = (guest.id, guest.name.clone());
        self.own.settle(id, nick, now);
        self.meet(users, now);
        self.announce(&format!("{name} has entered the chat"));
        self.hear(conn, now);
    }

    fn receive(&mut self, conn: ConnId, bytes: &[u8], now: Instant) {
        let Some(guest) = self.guests.get_mut(&conn) else { return };
        if guest.stranger.is_known_by(bytes) {
            let name = guest.name.clone();
            self.log(format!("{name}: closed, this is a browser or speaks TLS"));
            return self.close(conn, now);
        }
        guest.lines.push(bytes);
        self.hear(conn, now);
        let Some(guest) = self.guests.get(&conn) else { return };
        if guest.lines.held() > MAX_WAITING_BYTES {
            let name = guest.name.clone();
            self.log(format!("{name}: closed, {MAX_WAITING_BYTES} bytes wait already"));
            self.close(conn, now);
        }
    }

    /// Hears what a guest has sent as far as it may be heard now.
    pub(super) fn hear(&mut self, conn: ConnId, now: Instant) {
        while let Some(guest) = self.guests.get_mut(&conn) {
            if !matches!(guest.stage, Stage::In) {
                return;
            }
            match guest.lines.next() {
                None => return,
                Some(Ok(line)) => self.hear_line(conn, &line, now),
                Some(Err(_)) => {
                    self.tell_off(conn, &format!("a line has at most {MAX_LINE_BYTES} bytes"));
                    self.close(conn, now);
                }
            }
        }
    }

    /// Ends a connection from this side.
    pub(super) fn close(&mut self, conn: ConnId, now: Instant) {
        self.output(Output::Close { conn });
        self.forget(conn, now);
    }

    /// A leaver is gone before the others are told (VSB-D5).
    fn forget(&mut self, conn: ConnId, now: Instant) {
        let Some(guest) = self.guests.remove(&conn) else { return };
        self.conns.remove(&guest.id);
        self.own.remove(guest.id, now);
        self.output(Output::Leave { guest: guest.id });
        if !matches!(guest.stage, Stage::Entering) {
            self.announce(&format!("{} has left the chat", guest.name));
        }
        if !self.guests.values().any(|guest| guest.is_in()) {
            // Nobody tells us who comes and goes until the next one is let in.
            self.others.clear();
        }
    }

    /// A guest may not come in, or not stay.
    pub(super) fn show_out(&mut self, conn: ConnId, why: &str, now: Instant) {
        self.notice(conn, why);
        self.close(conn, now);
    }

    pub(super) fn conn(&self, guest: GuestId) -> Option<ConnId> {
        self.conns.get(&guest).copied()
    }

    /// Says something to everybody and on stdout (VSB-D10).
    pub(super) fn say(&mut self, source: &str, text: &str) {
        let line = wire::message(source, text);
        let conns = self.guests.iter().filter(|(_, guest)| guest.is_in()).map(|(conn, _)| *conn);
        self.outputs.extend(conns.map(|conn| Output::Send { conn, bytes: line.clone() }));
        self.print(source, text);
    }

    pub(super) fn announce(&mut self, text: &str) {
        self.say(SERVER, text);
    }

    /// Says something as the server to one guest only.
    pub(super) fn notice(&mut self, conn: ConnId, text: &str) {
        self.send(conn, wire::message(SERVER, text));
    }

    pub(super) fn send(&mut self, conn: ConnId, bytes: Bytes) {
        self.output(Output::Send { conn, bytes });
    }

    pub(super) fn print(&mut self, source: &str, text: &str) {
        self.output(Output::Print(super::super::clean_line(&format!("{source}: {text}"))));
    }

    pub(super) fn log(&mut self, what: String) {
        self.output(Output::Log(what));
    }

    pub(super) fn output(&mut self, output: Output) {
        self.outputs.push_back(output);
    }

    fn refuse(&mut self, guest: GuestId, why: Refusal, now: Instant) {
        let Some(conn) = self.conn(guest) else { return };
        let why = match why {
            Refusal::Full => "server full".to_owned(),
            Refusal::NameTaken => "somebody has your name already".to_owned(),
            Refusal::Other(why) => why,
        };
        self.log(format!("guest {} may not be in: {why}", guest.0));
        self.show_out(conn, &why, now);
    }

    /// An end of input is all that tells clients of this protocol (V7).
    fn stop(&mut self) {
        self.is_stopping = true;
        self.conns.clear();
        for (conn, _) in std::mem::take(&mut self.guests) {
            self.output(Output::Close { conn });
        }
    }
}

impl Guest {
    pub(super) const fn is_in(&self) -> bool {
        !matches!(self.stage, Stage::Entering)
    }
}

impl Machine for Host {
    fn handle(&mut self, input: Input, now: Instant) {
        match input {
            Input::Accepted { conn, peer } => self.accept(conn, peer),
            Input::Received { conn, bytes } => self.receive(conn, &bytes, now),
            Input::Ended { conn } => self.forget(conn, now),
            Input::Entered { guest, nick, users } => {
                if let Some(conn) = self.conn(guest) {
                    self.let_in(conn, &nick, &users, now);
                }
            }
            Input::Refused { guest, why } => self.refuse(guest, why, now),
            Input::Told { guest, event } => {
                if let Some(conn) = self.conn(guest) {
                    self.told(conn, event, now);
                }
            }
            Input::Stop => self.stop(),
            // The rest is of callers, of files (the room tells of them), or of protocols over UDP.
            _ => {}
        }
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.lose_patience(now);
    }

    fn poll_timeout(&self) -> Option<Instant> {
        let waiting = self.guests.values().filter_map(|guest| match &guest.stage {
            Stage::Renaming(wanted) => Some(wanted.until),
            Stage::Entering | Stage::In => None,
        });
        waiting.min()
    }

    fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    fn board(&self) -> Option<Board> {
        Some(Board { users: self.users(), messages: self.past.messages() })
    }
}
