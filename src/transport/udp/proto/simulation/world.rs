//! The world: two hosts, a line each way between them, and one clock.

use std::{
    collections::{BTreeMap, VecDeque},
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use rand::{RngExt as _, SeedableRng as _, rngs::ChaCha8Rng};

use super::super::{
    config::Config,
    connection::{Arrived, Connection, Event},
    endpoint::{ConnectionKey, Dispatch, Endpoint},
    plain::PlainHandshaker,
    received::Mark,
    seal::Handshaker,
};
use crate::transport::{
    Class, Lane,
    impair::{Line, Profile},
};

/// A message as the application got it, and when.
#[derive(Clone, Debug)]
pub(crate) struct Message {
    pub(crate) at: Instant,
    pub(crate) key: ConnectionKey,
    pub(crate) class: Class,
    pub(crate) bytes: Bytes,
}

/// One node: an endpoint, its connections, and the line that leaves it.
pub(crate) struct Host {
    pub(crate) addr: SocketAddr,
    /// What its endpoint is made of, at the start and after [`World::restart`].
    pub(crate) config: Arc<Config>,
    pub(crate) handshaker: Arc<dyn Handshaker>,
    secret: [u8; 32],
    pub(crate) endpoint: Endpoint,
    pub(crate) connections: BTreeMap<ConnectionKey, Box<Connection>>,
    pub(crate) line: Line<(SocketAddr, SocketAddr, Option<Mark>)>,
    pub(crate) inbox: Vec<Message>,
    pub(crate) events: Vec<(ConnectionKey, Event)>,
    /// Connections that others began here, in order.
    pub(crate) accepted: VecDeque<ConnectionKey>,
    /// Whether the application takes messages.
    pub(crate) reads: bool,
    /// Where it can be reached and what others see as its source, one after the other; none: at every
    /// port of its address.
    pub(crate) mappings: Vec<SocketAddr>,
    /// Whether what is sent to a port that it no longer has is lost, as a translator does it.
    pub(crate) forgets_ports: bool,
    /// Datagrams that it sent, and their bytes.
    pub(crate) sent: (u64, u64),
    /// Bytes of its connections' datagrams, by address.
    pub(crate) sent_to: BTreeMap<SocketAddr, u64>,
    /// Datagrams that it got and its endpoint dropped, by reason.
    pub(crate) dropped: BTreeMap<&'static str, u64>,
    /// How well its timers work.
    pub(crate) timers: Timers,
    /// How far its clock may read behind the time, each look by another amount.
    pub(crate) wobble: Duration,
    chance: ChaCha8Rng,
}

/// When a host calls [`Connection::handle_timeout`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Timers {
    /// When it is due.
    Exact,
    /// So much later.
    Late(Duration),
    /// At every turn of the world, and as often as this, due or not.
    Often(Duration),
    /// Not at all.
    Never,
}

/// What a test may do to a datagram on its way: `false` loses it.
pub(crate) type Tamper = Box<dyn FnMut(usize, Instant, &mut Vec<u8>) -> bool>;

/// What becomes of the mark of a datagram, by the index of its sender.
pub(crate) type Remark = Box<dyn FnMut(usize, Option<Mark>) -> Option<Mark>>;

/// Two hosts and the time.
pub(crate) struct World {
    pub(crate) hosts: [Host; 2],
    pub(crate) now: Instant,
    pub(crate) start: Instant,
    /// Sees every datagram before the line does, with the index of its sender.
    pub(crate) tamper: Option<Tamper>,
    /// Changes the mark that a datagram arrives with.
    pub(crate) remark: Option<Remark>,
    /// What came where nobody is: from whom, to which address.
    pub(crate) astray: Vec<(SocketAddr, SocketAddr, Vec<u8>)>,
    /// Until then the lines hold back what they carry, and then let go of all of it.
    pub(crate) held_until: Option<Instant>,
    /// The most datagrams one host may send in one instant: more is a loop.
    burst: u64,
}

impl World {
    /// Host 0 is at 10.0.0.1, host 1 at 10.0.0.2 and lets others in.
    pub(crate) fn new(profile: &Profile, seed: u64) -> Self {
        Self::with(profile, seed, [Config::default(), Config::default()])
    }

    pub(crate) fn with(profile: &Profile, seed: u64, configs: [Config; 2]) -> Self {
        #[expect(clippy::disallowed_methods, reason = "some time to begin with")]
        let start = Instant::now();
        let mut index = 0_u8;
        let hosts = configs.map(|config| {
            index += 1;
            let way = if index == 1 { profile.forth() } else { profile.back() };
            Host::new(config, [10, 0, 0, index], &way, seed ^ (u64::from(index) << 56), start)
        });
        let mut world = Self {
            hosts,
            now: start,
            start,
            tamper: None,
            remark: None,
            astray: Vec::new(),
            held_until: None,
            burst: 0,
        };
        world.hosts[1].endpoint.accept(true);
        world
    }

    /// Host 0 begins a connection to host 1.
    pub(crate) fn connect(&mut self) -> ConnectionKey {
        let remote = self.hosts[1].addr;
        let (key, connection) = self.hosts[0].endpoint.connect(remote, self.now).unwrap();
        self.hosts[0].connections.insert(key, connection);
        self.settle();
        key
    }

    /// Connects, and lets time pass until both sides know. The keys of both ends.
    pub(crate) fn connected(&mut self) -> [ConnectionKey; 2] {
        let key = self.connect();
        let done = self.run_until(Duration::from_secs(30), |world| {
            let here = world.hosts[0].connections.get(&key).is_some_and(|c| c.is_established());
            let accepted = world.hosts[1].accepted.back().copied();
            here && accepted
                .is_some_and(|key| world.hosts[1].connections.get(&key).is_some_and(|c| c.is_established()))
        });
        assert!(done, "no connection");
        [key, *self.hosts[1].accepted.back().unwrap()]
    }

    /// A host crashes and comes back: it knows its secret, and nothing else of before.
    pub(crate) fn restart(&mut self, index: usize) {
        let host = &mut self.hosts[index];
        let mut entropy = [0; 32];
        host.chance.fill(&mut entropy);
        host.endpoint = host.new_endpoint(entropy, self.now);
        host.endpoint.accept(index == 1);
        host.connections.clear();
    }

    /// The connection of a host; it must not be over.
    pub(crate) fn connection(&mut self, host: usize, key: ConnectionKey) -> &mut Connection {
        self.hosts[host].connections.get_mut(&key).expect("the connection is over")
    }

    /// Sends a message that must fit, and whatever follows from it.
    pub(crate) fn send(&mut self, host: usize, key: ConnectionKey, lane: Lane, message: impl Into<Bytes>) {
        let now = self.now;
        self.connection(host, key).send(lane, message.into(), now).unwrap();
        self.settle();
    }

    /// Lets everybody say what there is to say now.
    pub(crate) fn settle(&mut self) {
        for index in 0..2 {
            let keys: Vec<ConnectionKey> = self.hosts[index].connections.keys().copied().collect();
            for key in keys {
                self.pump(index, key);
            }
        }
    }

    fn pump(&mut self, index: usize, key: ConnectionKey) {
        let host = &mut self.hosts[index];
        let from = host.source(self.now);
        let now = host.clock(self.now);
        let Some(connection) = host.connections.get_mut(&key) else { return };
        while host.reads
            && let Some((class, bytes)) = connection.recv(now)
        {
            host.inbox.push(Message { at: self.now, key, class, bytes });
        }
        while let Some(event) = connection.poll_event() {
            host.events.push((key, event));
        }
        host.endpoint.serve(key, connection);
        let mut out = Vec::new();
        while let Some(transmit) = connection.poll_transmit(now, &mut out) {
            assert_eq!(transmit.len, out.len(), "the length is that of what was written");
            self.burst += 1;
            assert!(self.burst < 100_000, "host {index} sends without end: {connection:?}");
            host.sent.0 += 1;
            host.sent.1 += out.len() as u64;
            *host.sent_to.entry(transmit.remote).or_default() += out.len() as u64;
            let passes = self.tamper.as_mut().is_none_or(|tamper| tamper(index, self.now, &mut out));
            if passes {
                let ecn = match &mut self.remark {
                    Some(remark) => remark(index, transmit.ecn),
                    None => transmit.ecn,
                };
                host.line.send(self.now, &out, (from, transmit.remote, ecn));
            }
            out.clear();
        }
        while let Some(event) = connection.poll_event() {
            host.events.push((key, event));
        }
        host.endpoint.serve(key, connection);
        if connection.is_over() {
            host.endpoint.forget(key, connection);
            host.connections.remove(&key);
        }
    }

    /// When something happens next.
    pub(crate) fn next(&self) -> Option<Instant> {
        let hosts = self.hosts.iter().flat_map(|host| {
            let connections = host.connections.values().filter_map(|c| host.wakes(c, self.now));
            let arrival = host.line.deadline().map(|due| self.held_until.map_or(due, |held| due.max(held)));
            connections.chain(arrival)
        });
        hosts.min()
    }

    /// Lets happen what is next. `false`: nothing ever will.
    pub(crate) fn step(&mut self) -> bool {
        let Some(next) = self.next() else { return false };
        self.advance_to(next.max(self.now));
        true
    }

    /// Moves the clock, and does what is due.
    pub(crate) fn advance_to(&mut self, to: Instant) {
        if to > self.now {
            self.burst = 0;
        }
        self.burst += 1;
        assert!(self.burst < 100_000, "time stands still: {:?}", self.stuck());
        self.now = self.now.max(to);
        for index in 0..2 {
            self.deliver(index);
        }
        for index in 0..2 {
            for key in self.hosts[index].due(self.now) {
                let host = &mut self.hosts[index];
                let now = host.clock(self.now);
                if let Some(connection) = host.connections.get_mut(&key) {
                    connection.handle_timeout(now);
                }
                self.pump(index, key);
            }
        }
    }

    fn stuck(&self) -> Vec<String> {
        let hosts = self.hosts.iter().flat_map(|host| host.connections.values());
        hosts
            .map(|c| {
                format!("{c:?} due {:?}", c.poll_timeout().map(|due| due.saturating_duration_since(self.now)))
            })
            .collect()
    }

    /// Hands what arrived from `index` to whom it was sent.
    fn deliver(&mut self, index: usize) {
        let now = self.now;
        if self.held_until.is_some_and(|held| now < held) {
            return;
        }
        while let Some(((from, to, ecn), mut datagram)) = self.hosts[index].line.poll(now) {
            self.arrive(from, to, ecn, &mut datagram);
        }
    }

    /// A datagram arrives, from wherever it says.
    pub(crate) fn arrive(&mut self, from: SocketAddr, to: SocketAddr, ecn: Option<Mark>, data: &mut [u8]) {
        let Some(index) = self.hosts.iter().position(|host| host.is_at(to)) else {
            self.astray.push((from, to, data.to_vec()));
            return;
        };
        let host = &mut self.hosts[index];
        if host.forgets_ports && to.port() != host.source(self.now).port() {
            return;
        }
        let now = host.clock(self.now);
        match host.endpoint.handle_datagram(Arrived { remote: from, ecn, data }, now) {
            Dispatch::To(key) => {
                if let Some(connection) = host.connections.get_mut(&key) {
                    connection.handle_datagram(Arrived { remote: from, ecn, data }, now);
                    self.pump(index, key);
                }
            }
            Dispatch::Incoming(key, connection) => {
                host.connections.insert(key, connection);
                host.accepted.push_back(key);
                self.pump(index, key);
            }
            Dispatch::Reset(key) => {
                if let Some(connection) = host.connections.get_mut(&key) {
                    connection.handle_reset(now);
                    self.pump(index, key);
                }
            }
            Dispatch::Reply(mut reply) => {
                let source = host.source(self.now);
                host.sent.0 += 1;
                host.sent.1 += reply.len() as u64;
                if self.tamper.as_mut().is_none_or(|tamper| tamper(index, self.now, &mut reply)) {
                    host.line.send(self.now, &reply, (source, from, None));
                }
            }
            Dispatch::Dropped(why) => *host.dropped.entry(why).or_default() += 1,
        }
    }

    /// Lets time pass. `true` as soon as `done`, `false` if it is not within `limit`.
    pub(crate) fn run_until(&mut self, limit: Duration, mut done: impl FnMut(&Self) -> bool) -> bool {
        let end = self.now + limit;
        loop {
            if done(self) {
                return true;
            }
            match self.next() {
                Some(next) if next <= end => self.advance_to(next.max(self.now)),
                _ => {
                    self.now = end;
                    return done(self);
                }
            }
        }
    }

    /// Lets time pass.
    pub(crate) fn run(&mut self, time: Duration) {
        self.run_until(time, |_| false);
    }
}

impl Host {
    fn new(config: Config, ip: [u8; 4], way: &Profile, seed: u64, start: Instant) -> Self {
        let mut entropy = [0; 32];
        entropy[..8].copy_from_slice(&seed.to_be_bytes());
        let (config, handshaker) = (Arc::new(config), Arc::new(PlainHandshaker));
        let secret = [ip[3]; 32];
        Self {
            addr: (ip, 4224).into(),
            endpoint: Endpoint::new(config.clone(), handshaker.clone(), &secret, entropy, start),
            config,
            handshaker,
            secret,
            connections: BTreeMap::new(),
            line: Line::new(way, seed, start),
            inbox: Vec::new(),
            events: Vec::new(),
            accepted: VecDeque::new(),
            reads: true,
            mappings: Vec::new(),
            forgets_ports: false,
            sent: (0, 0),
            sent_to: BTreeMap::new(),
            dropped: BTreeMap::new(),
            timers: Timers::Exact,
            wobble: Duration::ZERO,
            chance: ChaCha8Rng::seed_from_u64(seed),
        }
    }

    fn is_at(&self, addr: SocketAddr) -> bool {
        match self.mappings.is_empty() {
            true => self.addr.ip() == addr.ip(),
            false => self.mappings.contains(&addr),
        }
    }

    fn new_endpoint(&self, entropy: [u8; 32], now: Instant) -> Endpoint {
        Endpoint::new(self.config.clone(), self.handshaker.clone(), &self.secret, entropy, now)
    }

    /// What its clock reads.
    fn clock(&mut self, now: Instant) -> Instant {
        let behind = self.chance.random_range(Duration::ZERO..=self.wobble);
        now.checked_sub(behind).unwrap_or(now)
    }

    /// When it wakes up for a connection.
    fn wakes(&self, connection: &Connection, now: Instant) -> Option<Instant> {
        let due = connection.poll_timeout();
        // A clock that reads behind has to be looked at again.
        let least = if self.wobble.is_zero() { now } else { now + Duration::from_millis(1) };
        match self.timers {
            Timers::Exact => due.map(|due| due.max(least)),
            Timers::Late(by) => due.map(|due| due + by),
            Timers::Often(period) => due.map(|due| due.min(now + period)),
            Timers::Never => None,
        }
    }

    /// The connections whose time has come, as far as its timers tell.
    fn due(&self, now: Instant) -> Vec<ConnectionKey> {
        let is_due = |connection: &Connection| match self.timers {
            Timers::Exact => connection.poll_timeout().is_some_and(|due| due <= now),
            Timers::Late(by) => connection.poll_timeout().is_some_and(|due| due + by <= now),
            Timers::Often(_) => true,
            Timers::Never => false,
        };
        let due = self.connections.iter().filter(|(_, connection)| is_due(connection));
        due.map(|(key, _)| *key).collect()
    }

    /// The address the others see, which a translator on the way may change.
    fn source(&mut self, now: Instant) -> SocketAddr {
        if let Some(first) = self.mappings.first().copied() {
            self.mappings.rotate_left(1);
            return first;
        }
        let port = self.addr.port() + u16::try_from(self.line.rebinds(now) % 30_000).unwrap_or(0);
        SocketAddr::new(self.addr.ip(), port)
    }
}
