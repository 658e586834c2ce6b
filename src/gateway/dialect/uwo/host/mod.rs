//! The assignment's server: who is connected, and what is written to whom.

mod attach;
mod register;
pub(super) mod room;
mod talk;

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    net::SocketAddr,
    time::Instant,
};

use bytes::Bytes;

use crate::{
    app::limits::MAX_CLIENTS,
    gateway::dialect::{ConnId, GuestId, HostConfig, Input, Machine, Output, stranger::is_foreign},
};

use super::{
    MAX_EARLY_BYTES, MAX_LINE_BYTES, MAX_STRANGERS, REGISTER_PATIENCE,
    framing::{First, Heard, Inbox},
    guest::{Conn, Guest, Phase, State},
    line::{GOODBYE, ended},
};

/// The server of `uwo`: one for a listener and everybody who comes to it.
#[derive(Debug)]
pub struct Host {
    config: HostConfig,
    /// Whether everybody is known to end lines, as over UDP.
    framed: bool,
    conns: BTreeMap<ConnId, Conn>,
    guests: BTreeMap<GuestId, ConnId>,
    /// As called among others, in lower case.
    nicks: BTreeSet<String>,
    /// Who else is in the room, as told to the witness.
    roster: BTreeSet<String>,
    /// The guest whose view of the room is kept for all; the others see the same.
    witness: Option<GuestId>,
    next_guest: u64,
    /// The time of the last input. Whatever waits for its turn waits from then on.
    last: Option<Instant>,
    outputs: VecDeque<Output>,
}

/// What came of a connection.
enum Step {
    Heard(Heard),
    Raw(Bytes),
}

impl Host {
    /// A server that waits for its first client.
    pub fn new(config: HostConfig) -> Self {
        Self {
            config,
            framed: false,
            conns: BTreeMap::new(),
            guests: BTreeMap::new(),
            nicks: BTreeSet::new(),
            roster: BTreeSet::new(),
            witness: None,
            next_guest: 0,
            last: None,
            outputs: VecDeque::new(),
        }
    }

    /// A server for connections that carry whole lines, none of which needs a pause.
    pub(in crate::gateway::dialect) fn framed(config: HostConfig) -> Self {
        Self { framed: true, ..Self::new(config) }
    }

    /// Whether a connection has registered, or is about to.
    pub(in crate::gateway::dialect) fn has_guest(&self, conn: ConnId) -> bool {
        self.conns.get(&conn).is_some_and(|conn| conn.guest_id().is_some())
    }

    fn max_clients(&self) -> usize {
        self.config.max_clients.unwrap_or(MAX_CLIENTS)
    }

    fn start(&mut self) {
        self.print(format!("Will wait for client connections at port {}", self.config.local.port()));
        self.print("Waiting for incoming client connections ...");
    }

    fn accepted(&mut self, conn: ConnId, peer: SocketAddr, now: Instant) {
        let strangers = self.conns.iter().filter(|(_, known)| known.guest_id().is_none());
        let (oldest, strangers) = (strangers.clone().next().map(|(conn, _)| *conn), strangers.count());
        if let Some(oldest) = oldest.filter(|_| strangers >= MAX_STRANGERS) {
            self.log(format!(
                "closed: {MAX_STRANGERS} connections have not registered yet, this one was first"
            ));
            self.cut(oldest, now);
        }
        self.print(format!("Accepted connection from client address: {}", as_python_shows(peer)));
        let inbox = match self.framed {
            true => Inbox::of_lines(MAX_LINE_BYTES),
            false => Inbox::new(First::Registration, MAX_LINE_BYTES),
        };
        let until = now.checked_add(REGISTER_PATIENCE).unwrap_or(now);
        self.conns.insert(conn, Conn::new(peer, inbox, until));
    }

    fn received(&mut self, conn: ConnId, bytes: Bytes, now: Instant) {
        let Some(known) = self.conns.get_mut(&conn) else { return };
        if matches!(known.state, State::Closing) {
            return;
        }
        known.inbox.push(bytes, now);
        self.read(conn, now);
    }

    /// Understands what can be understood.
    fn read(&mut self, conn: ConnId, now: Instant) {
        if let Some(peer) = self.foreign(conn) {
            self.log(format!("{peer}: closed: this is HTTP or TLS, not `REGISTER name CHAT/1.0`"));
            self.cut(conn, now);
            return;
        }
        while let Some(step) = self.step(conn) {
            match step {
                Step::Raw(bytes) => self.take_file_bytes(conn, &bytes, now),
                Step::Heard(heard) if self.is_in(conn) => self.heard(conn, heard, now),
                Step::Heard(heard) => self.first_line(conn, &heard, now),
            }
        }
        let waiting = self.conns.get(&conn).map_or(0, |known| known.inbox.weight());
        if waiting > MAX_EARLY_BYTES {
            self.log(format!("{} is disconnected: it sent too much before it was let in", self.name(conn)));
            self.cut(conn, now);
        }
    }

    fn step(&mut self, conn: ConnId) -> Option<Step> {
        let known = self.conns.get_mut(&conn)?;
        let left = match &known.state {
            State::Entering { .. } | State::Closing => return None,
            State::Fresh { .. } => None,
            State::In(guest) => guest.upload.as_ref().and_then(|upload| match upload.phase {
                Phase::Asked => None,
                Phase::Taking { left, .. } => Some(left),
                Phase::Dropping { left } => Some(usize::try_from(left).unwrap_or(usize::MAX)),
            }),
        };
        match left {
            Some(left) => known.inbox.take_raw(left).map(Step::Raw),
            None => known.inbox.next().map(Step::Heard),
        }
    }

    /// Who begins with something that is not of this protocol at all.
    fn foreign(&self, conn: ConnId) -> Option<SocketAddr> {
        let fresh = self.conns.get(&conn).filter(|known| matches!(known.state, State::Fresh { .. }))?;
        is_foreign(fresh.inbox.start()).then_some(fresh.peer)
    }

    fn is_in(&self, conn: ConnId) -> bool {
        self.conns.get(&conn).is_some_and(|known| known.guest().is_some())
    }

    fn guest(&self, conn: ConnId) -> Option<&Guest> {
        self.conns.get(&conn)?.guest()
    }

    fn guest_mut(&mut self, conn: ConnId) -> Option<&mut Guest> {
        self.conns.get_mut(&conn)?.guest_mut()
    }

    fn name(&self, conn: ConnId) -> String {
        self.conns.get(&conn).and_then(Conn::name).unwrap_or_default().to_owned()
    }

    /// Writes a line of our own to one.
    fn say(&mut self, conn: ConnId, line: &str, now: Instant) {
        self.deliver(conn, &ended(line.as_bytes(), self.config.ascii_safe), now);
    }

    /// Writes a line that ends with `\n`.
    fn deliver(&mut self, conn: ConnId, line: &Bytes, now: Instant) {
        let Some(known) = self.conns.get_mut(&conn) else { return };
        if known.push(line).is_err() {
            self.log(format!("{} is disconnected: it does not read what it is sent", self.name(conn)));
            self.cut(conn, now);
            return;
        }
        self.flush(conn, now);
    }

    /// Writes what may be written now.
    fn flush(&mut self, conn: ConnId, now: Instant) {
        let Some(known) = self.conns.get_mut(&conn) else { return };
        while let Some(bytes) = known.pacer.pop(now) {
            self.outputs.push_back(Output::Send { conn, bytes });
        }
        if matches!(known.state, State::Closing) && known.pacer.deadline(now).is_none() {
            self.conns.remove(&conn);
            self.outputs.push_back(Output::Close { conn });
        }
    }

    /// Ends a connection when everything was written to it. Whoever it was is out at once.
    fn end(&mut self, conn: ConnId, now: Instant) {
        self.leave(conn, now);
        if let Some(known) = self.conns.get_mut(&conn) {
            known.state = State::Closing;
        }
        self.flush(conn, now);
    }

    /// Ends a connection at once.
    fn cut(&mut self, conn: ConnId, now: Instant) {
        self.leave(conn, now);
        if self.conns.remove(&conn).is_some() {
            self.outputs.push_back(Output::Close { conn });
        }
    }

    fn ended(&mut self, conn: ConnId, now: Instant) {
        if !self.conns.contains_key(&conn) {
            return;
        }
        self.print("Closing connection");
        self.leave(conn, now);
        self.conns.remove(&conn);
    }

    /// Takes whoever is on a connection out of the room.
    fn leave(&mut self, conn: ConnId, now: Instant) {
        if let Some(guest) = self.forget(conn, now) {
            self.outputs.push_back(Output::Leave { guest });
        }
    }

    /// Forgets whoever is on a connection.
    fn forget(&mut self, conn: ConnId, now: Instant) -> Option<GuestId> {
        let known = self.conns.get_mut(&conn)?;
        let id = known.guest_id()?;
        let nick = known.guest().map(|guest| guest.nick.clone());
        known.state = State::Closing;
        self.guests.remove(&id);
        if let Some(nick) = nick {
            self.nicks.remove(&nick.to_ascii_lowercase());
            let others = self.conns.values_mut().filter_map(Conn::guest_mut);
            others.for_each(|other| other.expect_echoes_of(&format!("~{nick}"), now));
        }
        if self.witness == Some(id) {
            self.find_witness();
        }
        Some(id)
    }

    /// Says good-bye to everybody, without pauses: nothing is written later (W9, W11).
    fn stop(&mut self, now: Instant) {
        self.print("Interrupt received, shutting down ...");
        let goodbye = ended(GOODBYE.as_bytes(), false);
        for conn in self.conns.keys().copied().collect::<Vec<_>>() {
            let Some(known) = self.conns.get_mut(&conn) else { continue };
            if known.guest().is_some() && known.push(&goodbye).is_err() {
                known.pacer = <_>::default();
            }
            let last_words = known.pacer.drain().collect::<Vec<_>>();
            self.outputs.extend(last_words.into_iter().map(|bytes| Output::Send { conn, bytes }));
            self.cut(conn, now);
        }
    }

    fn print(&mut self, line: impl Into<String>) {
        self.outputs.push_back(Output::Print(line.into()));
    }

    fn log(&mut self, line: impl Into<String>) {
        self.outputs.push_back(Output::Log(line.into()));
    }
}

impl Machine for Host {
    fn handle(&mut self, input: Input, now: Instant) {
        self.last = Some(now);
        match input {
            Input::Start => self.start(),
            Input::Accepted { conn, peer } => self.accepted(conn, peer, now),
            Input::Received { conn, bytes } => self.received(conn, bytes, now),
            Input::Ended { conn } => self.ended(conn, now),
            Input::Entered { guest, nick, users } => self.entered(guest, nick, users, now),
            Input::Refused { guest, why } => self.refused(guest, &why, now),
            Input::Told { guest, event } => self.told(guest, event, now),
            Input::File { from, to, name, content } => {
                self.file_from_elsewhere(&from, &to, &name, &content, now);
            }
            Input::Stop => self.stop(now),
            _ => {}
        }
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.last = Some(now);
        let due = |known: &Conn| known.deadline(now).is_some_and(|at| at <= now);
        let due: Vec<ConnId> =
            self.conns.iter().filter(|(_, known)| due(known)).map(|(conn, _)| *conn).collect();
        for conn in due {
            if let Some(known) = self.conns.get_mut(&conn) {
                known.inbox.handle_timeout(now);
            }
            self.read(conn, now);
            self.registration_timeout(conn, now);
            self.upload_timeout(conn, now);
            self.flush(conn, now);
        }
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.conns.values().filter_map(|known| known.deadline(self.last?)).min()
    }

    fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }
}

/// `('127.0.0.1', 54308)`, which is how the assignment's server prints it.
fn as_python_shows(peer: SocketAddr) -> String {
    match peer {
        SocketAddr::V4(peer) => format!("('{}', {})", peer.ip(), peer.port()),
        SocketAddr::V6(peer) => {
            format!("('{}', {}, {}, {})", peer.ip(), peer.port(), peer.flowinfo(), peer.scope_id())
        }
    }
}
