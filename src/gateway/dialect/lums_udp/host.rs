//! The server of the UDP editions: packets and addresses around the server that TCP has too.

use std::{
    collections::{BTreeMap, VecDeque},
    net::SocketAddr,
    time::Instant,
};

use bytes::Bytes;
use rand::{Rng, SeedableRng, rngs::ChaCha12Rng};

use crate::gateway::dialect::{
    ConnId, ForwardForm, HostConfig, Input, Machine, Output,
    lums::{
        message::Malformed,
        people::Heard as Said,
        reply::{Reply, Style, Written},
        request::Request,
        server::{Deed, Server},
    },
};

use super::{
    FORGET_AFTER, MAX_DATAGRAM_BYTES, MAX_FAILURES, MAX_STRANGERS, REMEMBERED, WINDOW, length,
    packet::{Kind, Packet},
    receiver::{Heard, Receiver},
    sender::{Outcome, Sender},
};

/// The server of the UDP editions: each client is spoken to in the part of the assignment it speaks
/// (LUDP-D5).
#[derive(Debug)]
pub struct Host {
    server: Server,
    /// How senders are named (LUMS-D2).
    counted: bool,
    max_file_bytes: usize,
    rng: ChaCha12Rng,
    last_conn: u64,
    peers: BTreeMap<SocketAddr, Peer>,
    addresses: BTreeMap<ConnId, SocketAddr>,
    written: Written,
    output: VecDeque<Output>,
    wake_at: Option<Instant>,
}

/// An address.
#[derive(Debug)]
struct Peer {
    conn: ConnId,
    /// It speaks part 2.
    is_reliable: bool,
    receiver: Receiver,
    sender: Sender,
    /// Messages in a row that it did not take.
    failures: u32,
    /// It left or was turned away: what it repeats is acknowledged still.
    closed_at: Option<Instant>,
    heard_at: Instant,
}

impl Peer {
    /// When it is forgotten, unless somebody joined there.
    fn forget_at(&self) -> Option<Instant> {
        match self.closed_at {
            Some(closed_at) => self.sender.is_idle().then(|| closed_at + REMEMBERED),
            None => Some(self.heard_at + FORGET_AFTER),
        }
    }
}

impl Host {
    /// A server without clients.
    pub fn new(config: HostConfig) -> Self {
        Self {
            server: Server::new(&config),
            counted: config.forward != ForwardForm::Bare,
            max_file_bytes: config.max_file_bytes,
            rng: ChaCha12Rng::seed_from_u64(config.seed),
            last_conn: 0,
            peers: BTreeMap::new(),
            addresses: BTreeMap::new(),
            written: Written::default(),
            output: VecDeque::new(),
            wake_at: None,
        }
    }

    fn datagram(&mut self, from: SocketAddr, bytes: &Bytes, now: Instant) {
        let packet = match Packet::parse(bytes) {
            Ok(packet) => packet,
            Err(rule) => return self.log(format!("{from} sent what is no packet: {rule}")),
        };
        if !self.peers.contains_key(&from) {
            // Whatever else comes from nowhere is an echo of the past, or noise.
            if packet.kind == Kind::Start || (packet.kind == Kind::Data && is_request(&packet.data)) {
                self.meet(from, now);
            }
        }
        let Some(peer) = self.peers.get_mut(&from) else { return };
        peer.heard_at = now;
        if packet.kind == Kind::Ack {
            return peer.sender.handle_ack(packet.seq, now);
        }
        let has_joined = self.server.has_joined(peer.conn);
        peer.is_reliable |= packet.kind == Kind::Start;
        let (is_data, data) = (packet.kind == Kind::Data, packet.data.clone());
        let max_file_bytes = if has_joined { self.max_file_bytes } else { 0 };
        match peer.receiver.handle(packet, max_file_bytes, now) {
            Some((next, heard)) => {
                let ack = Packet::bare(Kind::Ack, next).to_bytes();
                self.output.push_back(Output::Datagram { to: from, bytes: ack });
                self.heard(from, heard);
            }
            // LUDP-D5; a client of part 2 that is here does not turn into one of part 1.
            None if is_data && !(peer.is_reliable && (has_joined || !is_request(&data))) => {
                peer.is_reliable = false;
                self.heard(from, Heard::Message(data));
            }
            None => {}
        }
    }

    fn heard(&mut self, from: SocketAddr, heard: Heard) {
        let bytes = match heard {
            Heard::Nothing => return,
            Heard::Message(bytes) => bytes,
            Heard::Long { is_file } => return self.heard_too_much(from, is_file),
        };
        let (message, is_right) = length::read(&bytes);
        if !is_right {
            self.log(format!("{from} says a wrong length: {}", message.shown()));
        }
        let said = Said::new(&message);
        let Some(peer) = self.peers.get_mut(&from) else { return };
        if peer.closed_at.is_some() {
            // Whoever left may come again, and says nothing else that matters.
            if !matches!(said.request, Ok(Request::Join(_))) {
                return;
            }
            peer.closed_at = None;
            self.introduce(from);
        }
        if let Some(peer) = self.peers.get(&from) {
            self.server.hear(peer.conn, said);
        }
    }

    fn heard_too_much(&mut self, from: SocketAddr, is_file: bool) {
        let Some(peer) = self.peers.get(&from).filter(|peer| peer.closed_at.is_none()) else { return };
        if is_file && self.server.has_joined(peer.conn) {
            self.server.lost_file(peer.conn);
        } else {
            self.server.hear(peer.conn, Said::malformed(Malformed::TooLong));
        }
    }

    /// A new address, in the place of a silent one if there are too many.
    fn meet(&mut self, from: SocketAddr, now: Instant) {
        let strangers = self.peers.iter().filter(|(_, peer)| !self.server.has_joined(peer.conn));
        let strangers: Vec<(Instant, SocketAddr)> =
            strangers.map(|(at, peer)| (peer.heard_at, *at)).collect();
        if let Some((_, silent)) = strangers.iter().min().filter(|_| strangers.len() >= MAX_STRANGERS) {
            self.log(format!("too many addresses without a user: {silent} is forgotten"));
            self.forget(*silent);
        }
        let peer = Peer {
            conn: ConnId(0),
            is_reliable: false,
            receiver: Receiver::new(WINDOW as u64),
            sender: Sender::new(WINDOW, self.rng.next_u64()),
            failures: 0,
            closed_at: None,
            heard_at: now,
        };
        self.peers.insert(from, peer);
        self.introduce(from);
    }

    /// Takes what comes from an address for that of somebody new.
    fn introduce(&mut self, from: SocketAddr) {
        let Some(peer) = self.peers.get_mut(&from) else { return };
        self.last_conn = self.last_conn.saturating_add(1);
        peer.conn = ConnId(self.last_conn);
        peer.failures = 0;
        self.addresses.insert(peer.conn, from);
        self.server.connected(peer.conn, from);
    }

    fn forget(&mut self, address: SocketAddr) {
        if let Some(peer) = self.peers.remove(&address) {
            self.addresses.remove(&peer.conn);
            self.server.ended(peer.conn);
        }
    }

    /// Does what the server wants and sends what may be sent.
    fn settle(&mut self, now: Instant) {
        loop {
            while let Some(deed) = self.server.poll() {
                match deed {
                    Deed::Do(output) => self.output.push_back(output),
                    Deed::Reply { conn, reply, later } => self.reply(conn, &reply, later, now),
                    Deed::Close { conn } => {
                        let address = self.addresses.remove(&conn);
                        if let Some(peer) = address.and_then(|address| self.peers.get_mut(&address)) {
                            peer.closed_at = Some(now);
                        }
                    }
                }
            }
            self.written.forget();
            let lost = self.flush(now);
            if lost.is_empty() {
                break;
            }
            lost.into_iter().for_each(|address| self.forget(address));
        }
        let repeats = self.peers.values().filter_map(|peer| peer.sender.deadline());
        let strangers = self.peers.values().filter(|peer| !self.server.has_joined(peer.conn));
        self.wake_at = repeats.chain(strangers.filter_map(Peer::forget_at)).min();
    }

    /// Sends what may be sent; returns the addresses that are to be forgotten.
    fn flush(&mut self, now: Instant) -> Vec<SocketAddr> {
        let mut lost = Vec::new();
        for (address, peer) in &mut self.peers {
            let to = *address;
            while let Some(packet) = peer.sender.poll() {
                self.output.push_back(Output::Datagram { to, bytes: packet.to_bytes() });
            }
            while let Some(outcome) = peer.sender.poll_outcome() {
                peer.failures = if outcome == Outcome::Failed { peer.failures.saturating_add(1) } else { 0 };
                if outcome == Outcome::Failed {
                    let line = format!("{to} does not acknowledge: a message for it is lost");
                    self.output.push_back(Output::Log(line));
                }
            }
            let is_unwanted = peer.closed_at.is_some() && peer.failures > 0;
            let is_silent =
                !self.server.has_joined(peer.conn) && peer.forget_at().is_some_and(|at| at <= now);
            if peer.failures >= MAX_FAILURES || is_unwanted || is_silent {
                lost.push(to);
            }
        }
        lost
    }

    fn reply(&mut self, conn: ConnId, reply: &Reply, later: bool, now: Instant) {
        let Some(to) = self.addresses.get(&conn).copied() else { return };
        let Some(peer) = self.peers.get_mut(&to) else { return };
        let style = Style { counted: self.counted, later };
        let data = self.written.bytes(reply, style, length::written);
        let (who, shown) = (self.server.who(conn), reply.shown());
        if !peer.is_reliable {
            let bytes = Packet::data(0, data).to_bytes();
            if bytes.len() > MAX_DATAGRAM_BYTES {
                return self.log(format!("{who} does without {shown}: it does not fit in a datagram"));
            }
            self.output.push_back(Output::Datagram { to, bytes });
        } else if peer.sender.push(data, reply.is_file(), now).is_err() {
            self.log(format!("{who} does not take {shown}: too much waits"));
            if !reply.is_file() {
                self.forget(to);
            }
            return;
        }
        self.log(format!("{who} is told {shown}"));
    }

    fn log(&mut self, line: String) {
        self.output.push_back(Output::Log(line));
    }
}

/// Whether data is a whole message by itself.
fn is_request(data: &Bytes) -> bool {
    Request::parse(&length::read(data).0).is_ok()
}

impl Machine for Host {
    fn handle(&mut self, input: Input, now: Instant) {
        match input {
            Input::Datagram { from, bytes } => self.datagram(from, &bytes, now),
            Input::Stop => {
                // The protocol has no word for it.
                self.server.handle(Input::Stop);
                self.peers.clear();
                self.addresses.clear();
            }
            input => self.server.handle(input),
        }
        self.settle(now);
    }

    fn handle_timeout(&mut self, now: Instant) {
        for peer in self.peers.values_mut() {
            peer.sender.handle_timeout(now);
        }
        self.settle(now);
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.wake_at
    }

    fn poll_output(&mut self) -> Option<Output> {
        self.output.pop_front()
    }
}
