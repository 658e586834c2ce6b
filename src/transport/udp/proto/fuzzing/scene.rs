//! Two hosts, what flies between them, and one clock. Nothing moves but what the script moves.

use std::{
    collections::{BTreeMap, VecDeque},
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::{Duration, Instant},
};

use super::{
    super::{
        Space,
        config::Config,
        connection::{Arrived, Connection},
        endpoint::{ConnectionKey, Dispatch, Endpoint},
        plain::PlainHandshaker,
        received::Mark,
    },
    ledger::{Id, Ledger},
};
use crate::transport::Lane;

/// Datagrams of one host that may fly at once; what is sent beyond is lost.
const MAX_FLYING: usize = 512;

/// Datagrams that one connection may send in one instant: more is an endless loop.
const MAX_BURST: usize = 10_000;

/// Times that a connection may want to be asked again in one instant.
const MAX_TURNS: usize = 300;

/// Connections at one time, and in a whole script.
const MAX_CONNECTIONS: usize = 8;
const MAX_BIRTHS: u8 = 64;

/// Message bytes in a whole script.
const MAX_MESSAGE_BYTES: usize = 1 << 20;

/// A datagram under way.
#[derive(Clone)]
pub(super) struct Datagram {
    pub(super) from: SocketAddr,
    pub(super) to: SocketAddr,
    pub(super) ecn: Option<Mark>,
    pub(super) bytes: Vec<u8>,
}

/// A connection and its name in the ledger.
pub(super) struct Named {
    id: Id,
    pub(super) connection: Box<Connection>,
}

/// One node.
pub(super) struct Host {
    pub(super) addr: SocketAddr,
    pub(super) endpoint: Endpoint,
    pub(super) connections: BTreeMap<ConnectionKey, Named>,
    /// What it sent and nobody got yet.
    pub(super) flying: VecDeque<Datagram>,
    /// Whether its application takes messages.
    pub(super) reads: bool,
    /// Whether packets were sealed that its protocol did not write: then its messages and its
    /// acknowledgements prove nothing any more.
    pub(super) forged: bool,
}

/// Everything.
pub(super) struct Scene {
    pub(super) hosts: [Host; 2],
    pub(super) now: Instant,
    /// The latest it ever was.
    latest: Instant,
    ledger: Ledger,
    births: u8,
    message_bytes: usize,
    /// Bytes from and to addresses at which nobody is.
    strangers: BTreeMap<IpAddr, (usize, usize)>,
}

impl Host {
    fn new(index: u8, config: &Arc<Config>, now: Instant) -> Self {
        let (secret, seed) = ([index; 32], [index + 2; 32]);
        let mut endpoint = Endpoint::new(config.clone(), Arc::new(PlainHandshaker), &secret, seed, now);
        endpoint.accept(index == 1);
        Self {
            addr: ([10, 0, 0, index], 4224).into(),
            endpoint,
            connections: BTreeMap::new(),
            flying: VecDeque::new(),
            reads: true,
            forged: false,
        }
    }

    fn fly(&mut self, datagram: Datagram) {
        if self.flying.len() < MAX_FLYING {
            self.flying.push_back(datagram);
        }
    }
}

impl Scene {
    /// Host 1 lets others in.
    pub(super) fn new(config: Config, now: Instant) -> Self {
        let config = Arc::new(config);
        Self {
            hosts: [0, 1].map(|index| Host::new(index, &config, now)),
            now,
            latest: now,
            ledger: Ledger::default(),
            births: 0,
            message_bytes: 0,
            strangers: BTreeMap::new(),
        }
    }

    /// The `nth` connection of a host.
    pub(super) fn key(&self, host: usize, nth: u8) -> Option<ConnectionKey> {
        let connections = &self.hosts[host].connections;
        let at = usize::from(nth).checked_rem(connections.len())?;
        connections.keys().nth(at).copied()
    }

    /// Does something to the `nth` connection of a host, and lets it say what there is to say.
    pub(super) fn with(&mut self, host: usize, nth: u8, act: impl FnOnce(&mut Connection, Instant)) {
        let Some(key) = self.key(host, nth) else { return };
        let now = self.now;
        if let Some(named) = self.hosts[host].connections.get_mut(&key) {
            act(&mut named.connection, now);
        }
        self.pump(host, key);
    }

    /// Host 0 begins a connection.
    pub(super) fn connect(&mut self) {
        if self.hosts[0].connections.len() >= MAX_CONNECTIONS || self.births >= MAX_BIRTHS {
            return;
        }
        let remote = self.hosts[1].addr;
        let (key, connection) = self.hosts[0].endpoint.connect(remote, self.now).expect("keys can be used");
        self.born(0, key, connection);
    }

    fn born(&mut self, host: usize, key: ConnectionKey, connection: Box<Connection>) {
        let named = Named { id: self.births, connection };
        self.births += 1;
        self.hosts[host].connections.insert(key, named);
        self.pump(host, key);
    }

    /// The `nth` connection of a host sends a message, if it may.
    pub(super) fn send(&mut self, host: usize, nth: u8, lane: Lane, len: usize) {
        let (key, now) = (self.key(host, nth), self.now);
        let Some(key) = key.filter(|_| self.message_bytes + len <= MAX_MESSAGE_BYTES) else { return };
        let Some(named) = self.hosts[host].connections.get_mut(&key) else { return };
        let (lane, message) = self.ledger.next(named.id, lane, len);
        if named.connection.send(lane, message, now).is_ok() {
            self.ledger.accepted(named.id, lane, len);
            self.message_bytes += len;
        }
        self.pump(host, key);
    }

    /// Seals `frames` with the keys of the `nth` connection of a host, as if its protocol had written them.
    pub(super) fn forge(&mut self, host: usize, nth: u8, from: SocketAddr, space: Space, frames: &[u8]) {
        let (key, now) = (self.key(host, nth), self.now);
        let Some(named) = key.and_then(|key| self.hosts[host].connections.get_mut(&key)) else { return };
        let Some(bytes) = named.connection.forge(space, frames, now) else { return };
        self.hosts[host].forged = true;
        let to = self.hosts[1 - host].addr;
        self.arrive(Datagram { from, to, ecn: None, bytes });
    }

    /// A connection is dropped as by a crash.
    pub(super) fn forget(&mut self, host: usize, nth: u8) {
        let Some(key) = self.key(host, nth) else { return };
        let host = &mut self.hosts[host];
        if let Some(named) = host.connections.remove(&key) {
            host.endpoint.forget(key, &named.connection);
        }
    }

    /// A datagram reaches whoever is at its address.
    pub(super) fn arrive(&mut self, datagram: Datagram) {
        let Datagram { from, to, ecn, mut bytes } = datagram;
        let (now, births) = (self.now, self.births);
        let Some(index) = self.hosts.iter().position(|host| host.addr == to) else { return };
        if !self.hosts.iter().any(|host| host.addr.ip() == from.ip()) {
            self.strangers.entry(from.ip()).or_default().0 += bytes.len();
        }
        let host = &mut self.hosts[index];
        let data = bytes.as_mut_slice();
        host.endpoint.accept(index == 1 && births < MAX_BIRTHS);
        match host.endpoint.handle_datagram(Arrived { remote: from, ecn, data }, now) {
            Dispatch::To(key) => {
                if let Some(named) = host.connections.get_mut(&key) {
                    named.connection.handle_datagram(Arrived { remote: from, ecn, data }, now);
                }
                self.pump(index, key);
            }
            Dispatch::Incoming(key, connection) => self.born(index, key, connection),
            Dispatch::Reset(key) => {
                if let Some(named) = host.connections.get_mut(&key) {
                    named.connection.handle_reset(now);
                }
                self.pump(index, key);
            }
            Dispatch::Reply(bytes) => {
                assert!(bytes.len() < data.len().max(30) * 3, "an answer to a stranger is no weapon");
                let datagram = Datagram { from: host.addr, to: from, ecn: None, bytes };
                self.leave(index, datagram);
            }
            Dispatch::Dropped(_) => {}
        }
    }

    fn leave(&mut self, host: usize, datagram: Datagram) {
        if let Some((came, went)) = self.strangers.get_mut(&datagram.to.ip()) {
            *went += datagram.bytes.len();
            assert!(*went <= *came * 3, "{went} bytes to one who sent {came} and proved nothing");
        }
        self.hosts[host].fly(datagram);
    }

    /// Lets a connection do what there is to do now, until it is content.
    fn pump(&mut self, host: usize, key: ConnectionKey) {
        for turn in 0.. {
            self.pump_once(host, key);
            let now = self.now;
            let Some(named) = self.hosts[host].connections.get_mut(&key) else { return };
            if named.connection.poll_timeout().is_none_or(|due| due > now) {
                return;
            }
            assert!(
                turn < MAX_TURNS,
                "time stands still for {:?}: {}",
                named.connection,
                named.connection.timers()
            );
            named.connection.handle_timeout(now);
        }
    }

    fn pump_once(&mut self, host: usize, key: ConnectionKey) {
        let (now, from) = (self.now, self.hosts[host].addr);
        for burst in 0.. {
            self.take_messages(host, key);
            let here = &mut self.hosts[host];
            let Some(Named { connection, .. }) = here.connections.get_mut(&key) else { return };
            while connection.poll_event().is_some() {}
            here.endpoint.serve(key, connection);
            let mut bytes = Vec::new();
            let Some(transmit) = connection.poll_transmit(now, &mut bytes) else { break };
            assert_eq!(transmit.len, bytes.len(), "the length is that of what was written");
            assert!((1..=1472).contains(&transmit.len), "a datagram fits");
            assert!(burst < MAX_BURST, "{connection:?} sends without end");
            self.leave(host, Datagram { from, to: transmit.remote, ecn: transmit.ecn, bytes });
        }
        let here = &mut self.hosts[host];
        if let Some(Named { connection, .. }) = here.connections.get(&key)
            && connection.is_over()
        {
            here.endpoint.forget(key, connection);
            here.connections.remove(&key);
        }
    }

    fn take_messages(&mut self, host: usize, key: ConnectionKey) {
        let (now, believed) = (self.now, !self.hosts[1 - host].forged);
        let here = &mut self.hosts[host];
        let Some(Named { id, connection }) = here.connections.get_mut(&key) else { return };
        while here.reads
            && let Some((class, message)) = connection.recv(now)
        {
            if believed {
                self.ledger.received(*id, class, message);
            }
        }
    }

    /// When something is to be done next.
    fn next(&self) -> Option<Instant> {
        let named = self.hosts.iter().flat_map(|host| host.connections.values());
        named.filter_map(|named| named.connection.poll_timeout()).min()
    }

    /// Does everything that is due.
    pub(super) fn tick(&mut self) {
        for host in 0..2 {
            let keys: Vec<ConnectionKey> = self.hosts[host].connections.keys().copied().collect();
            for key in keys {
                self.pump(host, key);
            }
        }
    }

    /// Lets time pass on a perfect network with `delay` each way: at most `events` times something
    /// happens, until `done`.
    pub(super) fn run(
        &mut self,
        limit: Duration,
        delay: Duration,
        events: usize,
        done: impl Fn(&Self) -> bool,
    ) -> bool {
        let end = self.now + limit;
        for _ in 0..events {
            if done(self) {
                return true;
            }
            let flying: Vec<Datagram> =
                self.hosts.iter_mut().flat_map(|host| host.flying.drain(..)).collect();
            let lands = (!flying.is_empty()).then(|| self.now + delay);
            let Some(next) = lands.or_else(|| self.next()).filter(|next| *next <= end) else { break };
            while let Some(due) = self.next().filter(|due| *due < next) {
                self.now = self.now.max(due);
                self.tick();
            }
            self.now = self.now.max(next);
            flying.into_iter().for_each(|datagram| self.arrive(datagram));
            self.tick();
        }
        done(self)
    }

    /// The clock jumps back.
    pub(super) fn turn_back(&mut self, by: Duration) {
        self.latest = self.latest.max(self.now);
        self.now = self.now.checked_sub(by).unwrap_or(self.now);
        self.tick();
    }

    /// Whatever the clock did, it is right again, and everybody takes messages.
    pub(super) fn heal(&mut self) {
        self.now = self.now.max(self.latest);
        self.hosts.iter_mut().for_each(|host| host.reads = true);
        self.tick();
    }

    /// Whether every message that was accepted by a connection that still stands was handed out.
    pub(super) fn is_all_delivered(&self) -> bool {
        let forged = self.hosts.iter().any(|host| host.forged);
        let named = self.hosts.iter().flat_map(|host| host.connections.values());
        forged
            || named
                .filter(|named| named.connection.is_established())
                .all(|named| self.ledger.missing(named.id) == 0)
    }

    /// Who is still there and what they wait for, for the words of a panic.
    pub(super) fn standing(&self) -> Vec<String> {
        let named = self.hosts.iter().flat_map(|host| host.connections.values());
        named.map(|Named { connection, .. }| format!("{connection:?}: {}", connection.timers())).collect()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.hosts.iter().all(|host| host.connections.is_empty())
    }
}
