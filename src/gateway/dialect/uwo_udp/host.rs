//! The server: an address is a connection of the server of `uwo`.

use std::{
    collections::{BTreeMap, VecDeque},
    net::SocketAddr,
    time::Instant,
};

use bytes::Bytes;

use crate::gateway::dialect::{ConnId, HostConfig, Input, Machine, Output, uwo};

use super::{
    LINGER, MAX_ADDRESSES, REGISTER_PATIENCE,
    link::Link,
    packet::{Packet, parse},
};

/// The server of `uwo-udp`.
#[derive(Debug)]
pub struct Host {
    inner: uwo::Host,
    peers: BTreeMap<SocketAddr, Peer>,
    addrs: BTreeMap<ConnId, SocketAddr>,
    next_conn: u64,
    max_file_bytes: usize,
    outputs: VecDeque<Output>,
}

/// Somebody at an address.
#[derive(Debug)]
struct Peer {
    conn: ConnId,
    link: Link,
    stage: Stage,
    /// When to forget it unless it registers (UUDP-D4).
    forget_at: Option<Instant>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Open,
    /// Over, but not everything is acknowledged.
    Closing,
    /// Over; what it repeats is still acknowledged.
    Lingering {
        until: Instant,
    },
}

impl Host {
    /// A server that waits for its first client.
    pub fn new(config: HostConfig) -> Self {
        Self {
            max_file_bytes: config.max_file_bytes,
            inner: uwo::Host::framed(config),
            peers: BTreeMap::new(),
            addrs: BTreeMap::new(),
            next_conn: 0,
            outputs: VecDeque::new(),
        }
    }

    fn datagram(&mut self, from: SocketAddr, bytes: &Bytes, now: Instant) {
        match parse(bytes) {
            Err(why) => {
                self.outputs.push_back(Output::Log(format!("{from}: a datagram is dropped: {why}")));
                if let Some(peer) = self.peers.get_mut(&from) {
                    peer.link.damaged();
                }
            }
            Ok(Packet::Ack { seq }) => {
                if let Some(peer) = self.peers.get_mut(&from) {
                    peer.link.acked(seq);
                    self.transmit(from, now);
                }
            }
            Ok(Packet::Data { seq, data }) => self.data(from, seq, &data, now),
        }
    }

    fn data(&mut self, from: SocketAddr, seq: u32, data: &Bytes, now: Instant) {
        if !self.prepare(from, seq, data, now) {
            return;
        }
        let Some(peer) = self.peers.get_mut(&from) else { return };
        let Some((new, ack)) = peer.link.receive(seq, data) else { return };
        self.outputs.push_back(Output::Datagram { to: from, bytes: ack });
        let (conn, is_open) = (peer.conn, peer.stage == Stage::Open);
        if let Some(bytes) = new.filter(|bytes| is_open && !bytes.is_empty()) {
            self.tell(Input::Received { conn, bytes }, now);
        }
        if self.inner.has_guest(conn)
            && let Some(peer) = self.peers.get_mut(&from)
        {
            peer.forget_at = None;
        }
    }

    /// Makes sure that somebody is at an address. Whether the packet is to be looked at.
    fn prepare(&mut self, from: SocketAddr, seq: u32, data: &Bytes, now: Instant) -> bool {
        let registers = data.starts_with(b"REGISTER ");
        match self.peers.get(&from) {
            None => seq == 0 && self.open(from, Link::new(self.max_file_bytes), now),
            Some(peer) if registers && matches!(peer.stage, Stage::Lingering { .. }) => {
                if peer.link.is_new(seq, data) {
                    // The same program once more: it goes on counting.
                    let known = self.peers.remove(&from);
                    known.is_some_and(|known| self.open(from, known.link, now))
                } else if seq == 0 && peer.link.differs(data) {
                    self.open(from, Link::new(self.max_file_bytes), now)
                } else {
                    true
                }
            }
            Some(_) => true,
        }
    }

    fn open(&mut self, addr: SocketAddr, link: Link, now: Instant) -> bool {
        let strangers = self.peers.values().filter(|peer| peer.forget_at.is_some()).count();
        let full = self.peers.len() >= MAX_ADDRESSES && !self.forget_one_who_left();
        if full || strangers >= uwo::MAX_STRANGERS {
            let why = format!("{addr}: not answered: {} addresses are known", self.peers.len());
            self.outputs.push_back(Output::Log(why));
            return false;
        }
        let conn = ConnId(self.next_conn);
        self.next_conn = self.next_conn.saturating_add(1);
        let forget_at = now.checked_add(REGISTER_PATIENCE);
        self.peers.insert(addr, Peer { conn, link, stage: Stage::Open, forget_at });
        self.addrs.insert(conn, addr);
        self.tell(Input::Accepted { conn, peer: addr }, now);
        true
    }

    fn forget_one_who_left(&mut self) -> bool {
        let left = |peer: &Peer| matches!(peer.stage, Stage::Lingering { .. });
        let addr = self.peers.iter().find(|(_, peer)| left(peer)).map(|(addr, _)| *addr);
        addr.is_some_and(|addr| self.peers.remove(&addr).is_some())
    }

    fn tell(&mut self, input: Input, now: Instant) {
        self.inner.handle(input, now);
        self.drain(now);
    }

    fn drain(&mut self, now: Instant) {
        while let Some(output) = self.inner.poll_output() {
            match output {
                Output::Send { conn, bytes } => self.send(conn, bytes, now),
                Output::Close { conn } => self.close(conn, now),
                other => self.outputs.push_back(other),
            }
        }
    }

    fn send(&mut self, conn: ConnId, bytes: Bytes, now: Instant) {
        let Some(addr) = self.addrs.get(&conn).copied() else { return };
        let Some(peer) = self.peers.get_mut(&addr) else { return };
        if peer.link.push(bytes).is_err() {
            self.outputs.push_back(Output::Log(format!("{addr} is disconnected: it is too slow")));
            self.lose(addr, now);
            return;
        }
        self.transmit(addr, now);
    }

    fn close(&mut self, conn: ConnId, now: Instant) {
        let Some(addr) = self.addrs.remove(&conn) else { return };
        if let Some(peer) = self.peers.get_mut(&addr) {
            peer.stage = Stage::Closing;
        }
        self.transmit(addr, now);
    }

    /// Sends what may be sent now, and notices when a peer that left has everything.
    fn transmit(&mut self, to: SocketAddr, now: Instant) {
        let Some(peer) = self.peers.get_mut(&to) else { return };
        if let Some(bytes) = peer.link.transmit(now) {
            self.outputs.push_back(Output::Datagram { to, bytes });
        }
        if peer.stage == Stage::Closing && peer.link.is_idle() {
            let until = now.checked_add(LINGER).unwrap_or(now);
            peer.stage = Stage::Lingering { until };
        }
    }

    /// Forgets an address. If its user is in, that is the end of its connection.
    fn lose(&mut self, addr: SocketAddr, now: Instant) {
        let Some(peer) = self.peers.remove(&addr) else { return };
        if self.addrs.remove(&peer.conn).is_some() {
            self.tell(Input::Ended { conn: peer.conn }, now);
        }
    }

    fn stop(&mut self, now: Instant) {
        self.tell(Input::Stop, now);
        let said = self.peers.iter_mut().map(|(to, peer)| (*to, peer.link.last_words(now)));
        for (to, packets) in said.collect::<Vec<_>>() {
            self.outputs.extend(packets.into_iter().map(|bytes| Output::Datagram { to, bytes }));
        }
    }

    fn peer_timeout(&mut self, addr: SocketAddr, now: Instant) {
        let Some(peer) = self.peers.get_mut(&addr) else { return };
        let over = matches!(peer.stage, Stage::Lingering { until } if until <= now);
        if over || peer.forget_at.is_some_and(|at| at <= now) {
            self.lose(addr, now);
            return;
        }
        match peer.link.handle_timeout(now) {
            Ok(packets) => {
                let sent = packets.into_iter().map(|bytes| Output::Datagram { to: addr, bytes });
                self.outputs.extend(sent);
            }
            Err(_) => {
                self.outputs.push_back(Output::Log(format!("{addr} is gone: it acknowledges nothing")));
                self.lose(addr, now);
            }
        }
    }
}

impl Peer {
    fn deadline(&self) -> Option<Instant> {
        let lingering = match self.stage {
            Stage::Lingering { until } => Some(until),
            Stage::Open | Stage::Closing => None,
        };
        [self.link.deadline(), self.forget_at, lingering].into_iter().flatten().min()
    }
}

impl Machine for Host {
    fn handle(&mut self, input: Input, now: Instant) {
        match input {
            Input::Datagram { from, bytes } => self.datagram(from, &bytes, now),
            Input::Stop => self.stop(now),
            other => self.tell(other, now),
        }
    }

    fn handle_timeout(&mut self, now: Instant) {
        let due = |peer: &Peer| peer.deadline().is_some_and(|at| at <= now);
        let due: Vec<SocketAddr> =
            self.peers.iter().filter(|(_, peer)| due(peer)).map(|(addr, _)| *addr).collect();
        for addr in due {
            self.peer_timeout(addr, now);
        }
        self.inner.handle_timeout(now);
        self.drain(now);
    }

    fn poll_timeout(&self) -> Option<Instant> {
        let peers = self.peers.values().filter_map(Peer::deadline);
        peers.chain(self.inner.poll_timeout()).min()
    }

    fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }
}
