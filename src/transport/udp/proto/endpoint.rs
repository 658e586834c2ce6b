//! All connections of one socket: which datagram is whose, who may begin, and what is said to those
//! whom nobody knows.

mod losses;
mod strangers;

use std::{
    collections::BTreeMap,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::{Duration, Instant},
};

use rand::{Rng as _, SeedableRng, rngs::ChaCha12Rng};
use ring::hmac;

use self::{losses::Losses, strangers::Replies};
use super::{
    Side,
    cid::{CidFactory, ConnectionId, LocalCids, reset_token},
    config::Config,
    connection::{Arrived, Birth, Connection, EndpointRequest, Handshaking},
    lanes::start_window,
    mac::{SipKey, hmac_short},
    packet::{MIN_INITIAL_BYTES, Outer, read_outer, unmask},
    params::Params,
    received::MAX_ACK_DELAY,
    seal::{HandshakeError, Handshaker, Keys},
    token::RetryTokens,
};
use crate::transport::Class;

/// Handshakes under way that were begun by others; one more is not begun.
pub(super) const MAX_HALF_OPEN: usize = 4096;

/// Above so many a stranger has to show first that its address is its own.
pub(super) const RETRY_ABOVE: usize = 256;

/// The same for those of one network: /24 of IPv4, /56 of IPv6.
pub(super) const RETRY_ABOVE_PER_NETWORK: usize = 32;

/// Handshakes of one network under way, even if it proved its addresses: whoever owns one network must
/// not be able to keep everybody else out.
pub(super) const MAX_HALF_OPEN_PER_NETWORK: usize = 256;

/// One of an endpoint's connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ConnectionKey(u64);

/// What is to be done with a datagram.
#[derive(Debug)]
pub enum Dispatch {
    /// It is for this connection.
    To(ConnectionKey),
    /// It began this connection, which has taken it.
    Incoming(ConnectionKey, Box<Connection>),
    /// Send this back to where it came from.
    Reply(Vec<u8>),
    /// It says that the other side does not know this connection any more.
    Reset(ConnectionKey),
    /// Nothing, for this reason.
    Dropped(&'static str),
}

/// Every connection of one socket, but for their insides.
pub struct Endpoint {
    config: Arc<Config>,
    handshaker: Arc<dyn Handshaker>,
    /// Whether others may begin.
    accepts: bool,
    retry: Retry,
    chance: ChaCha12Rng,
    cids: CidFactory,
    reset_key: hmac::Key,
    tokens: RetryTokens,
    by_cid: BTreeMap<ConnectionId, ConnectionKey>,
    by_hello: BTreeMap<(SocketAddr, ConnectionId), ConnectionKey>,
    /// By a keyed hash of the token, so that how long a search takes tells nothing about any token
    /// (RFC 9000 §10.3.1).
    by_reset: BTreeMap<[u8; 16], ConnectionKey>,
    hash_key: SipKey,
    known: BTreeMap<ConnectionKey, Known>,
    half_open: usize,
    half_open_by_network: BTreeMap<IpAddr, usize>,
    losses: Losses,
    resets: Replies,
    negotiations: Replies,
    next_key: u64,
    /// Of the hello that is being looked at.
    copy: Vec<u8>,
}

/// When a stranger has to prove its address before anything is remembered of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Retry {
    /// When there are many.
    #[default]
    UnderLoad,
    /// Always.
    Always,
}

/// What begins a connection.
struct Hello {
    /// Where it went.
    dst: ConnectionId,
    /// What the dialer calls itself.
    src: ConnectionId,
    /// Where the dialer's first hello went, if this one answers a retry.
    original: Option<ConnectionId>,
    /// With which it opened.
    keys: Keys,
    network: IpAddr,
}

/// What an endpoint remembers of a connection.
#[derive(Debug, Default)]
struct Known {
    hello: Option<(SocketAddr, ConnectionId)>,
    half_open: Option<IpAddr>,
    /// Under what the other side's reset is found.
    reset: Option<[u8; 16]>,
}

impl Endpoint {
    /// `secret` makes connection ids and resets: an endpoint that starts again with the same one can
    /// tell the other sides of its former connections that they are gone. `seed` is for everything else
    /// and must be new every time.
    pub fn new(
        config: Arc<Config>,
        handshaker: Arc<dyn Handshaker>,
        secret: &[u8; 32],
        seed: [u8; 32],
        now: Instant,
    ) -> Self {
        let mut chance = ChaCha12Rng::from_seed(seed);
        let mut tokens = [0; 32];
        chance.fill_bytes(&mut tokens);
        let mut cids = [0; 32];
        chance.fill_bytes(&mut cids);
        let mut hash_key = [0; 16];
        chance.fill_bytes(&mut hash_key);
        let reset_key = hmac::Key::new(hmac::HMAC_SHA256, secret);
        let cids = CidFactory::new(hmac_short(&reset_key, &[b"connection ids"]), 0, cids);
        Self {
            config,
            handshaker,
            accepts: false,
            retry: Retry::UnderLoad,
            cids,
            reset_key,
            tokens: RetryTokens::new(tokens, now),
            by_cid: BTreeMap::new(),
            by_hello: BTreeMap::new(),
            by_reset: BTreeMap::new(),
            hash_key: SipKey::new(hash_key),
            known: BTreeMap::new(),
            half_open: 0,
            half_open_by_network: BTreeMap::new(),
            losses: Losses::default(),
            resets: Replies::resets(now),
            negotiations: Replies::negotiations(now),
            next_key: 0,
            copy: Vec::new(),
            chance,
        }
    }

    /// Lets others begin connections, or no more.
    pub fn accept(&mut self, accepts: bool) {
        self.accepts = accepts;
    }

    /// Chooses when strangers have to prove their address.
    pub fn set_retry(&mut self, retry: Retry) {
        self.retry = retry;
    }

    /// Handshakes that others began and did not finish yet.
    pub fn half_open(&self) -> usize {
        self.half_open
    }

    /// Begins a connection to `remote`.
    ///
    /// # Errors
    /// The keys of this node cannot be used.
    pub fn connect(
        &mut self,
        remote: SocketAddr,
        now: Instant,
    ) -> Result<(ConnectionKey, Box<Connection>), HandshakeError> {
        let dst = ConnectionId::from(self.chance.next_u64().to_be_bytes());
        let source = self.unused_cid();
        let tls = self.handshaker.dial(self.params(source, None, None).encode())?;
        let shaking = Handshaking::dial(self.handshaker.clone(), tls, source, dst, now);
        let (key, mut connection) = self.bear(Side::Dialer, remote, true, source, dst, shaking, now);
        connection.drive_handshake();
        self.known.insert(key, Known::default());
        Ok((key, connection))
    }

    /// Finds out whose a datagram is. What belongs to a connection is left to it; a new one is given it.
    pub fn handle_datagram(&mut self, arrived: Arrived<'_>, now: Instant) -> Dispatch {
        let Ok(outer) = read_outer(arrived.data) else {
            return self.reset_or_drop(arrived.data, "not a packet");
        };
        match outer {
            Outer::Short { dst, .. } => match self.by_cid.get(&dst) {
                Some(key) => Dispatch::To(*key),
                None => self.stranger(dst, &arrived, now),
            },
            Outer::Handshake { dst, .. }
            | Outer::Retry { dst, .. }
            | Outer::VersionNegotiation { dst, .. } => {
                self.by_cid.get(&dst).map_or(Dispatch::Dropped("for nobody here"), |key| Dispatch::To(*key))
            }
            Outer::UnknownVersion { dst, src, .. } => self.negotiate(dst, src, &arrived, now),
            Outer::Initial { dst, .. } => {
                let hello = (arrived.remote, dst);
                match self.by_cid.get(&dst).or_else(|| self.by_hello.get(&hello)) {
                    Some(key) => Dispatch::To(*key),
                    None => self.incoming(arrived, now),
                }
            }
        }
    }

    fn incoming(&mut self, arrived: Arrived<'_>, now: Instant) -> Dispatch {
        let Ok(Outer::Initial { version, dst, src, token, .. }) = read_outer(arrived.data) else {
            return Dispatch::Dropped("not a hello");
        };
        if !self.accepts {
            return Dispatch::Dropped("a hello, but nobody is let in");
        }
        if arrived.data.len() < MIN_INITIAL_BYTES {
            return Dispatch::Dropped("a hello that is too short");
        }
        if version != self.handshaker.version() {
            return self.negotiate(dst, src, &arrived, now);
        }
        let network = network(arrived.remote.ip());
        let proof = self.tokens.verify(now, token, arrived.remote, src, dst);
        if proof.is_none() && self.asks_for_proof(network) {
            return self.send_retry(version, dst, src, arrived.remote, now);
        }
        if self.half_open >= MAX_HALF_OPEN || self.half_open_of(network) >= MAX_HALF_OPEN_PER_NETWORK {
            return Dispatch::Dropped("too many handshakes under way");
        }
        let Some(keys) = self.open_hello(dst, arrived.data) else {
            return Dispatch::Dropped("a hello that does not open");
        };
        let original = proof.map(|proof| self.tokens.spend(proof));
        self.begin(arrived, Hello { dst, src, original, keys, network }, now)
    }

    fn half_open_of(&self, network: IpAddr) -> usize {
        self.half_open_by_network.get(&network).copied().unwrap_or(0)
    }

    fn asks_for_proof(&self, network: IpAddr) -> bool {
        self.retry == Retry::Always
            || self.half_open >= RETRY_ABOVE
            || self.half_open_of(network) >= RETRY_ABOVE_PER_NETWORK
    }

    /// The keys of a hello's connection id, if it opens with them: nothing is begun for noise.
    fn open_hello(&mut self, dst: ConnectionId, data: &[u8]) -> Option<Keys> {
        let Ok(Outer::Initial { pn_at, end, .. }) = read_outer(data) else { return None };
        let keys = self.handshaker.initial_keys(&dst, Side::Acceptor);
        // The connection opens it again, so this is done to a copy.
        self.copy.clear();
        self.copy.extend_from_slice(data.get(..end)?);
        let unmasked = unmask(&mut self.copy, pn_at, keys.remote.header.as_ref(), 0)?;
        let (header, payload) = self.copy.split_at_mut_checked(unmasked.payload_at)?;
        keys.remote.packet.open(unmasked.pn, header, payload)?;
        Some(keys)
    }

    fn begin(&mut self, arrived: Arrived<'_>, hello: Hello, now: Instant) -> Dispatch {
        let Hello { dst, src, original, keys, network } = hello;
        let source = self.unused_cid();
        let retried = original.map(|_| dst);
        let params = self.params(source, Some(original.unwrap_or(dst)), retried);
        let Ok(tls) = self.handshaker.accept(params.encode()) else {
            return Dispatch::Dropped("this node's keys cannot be used");
        };
        let shaking = Handshaking::accept(self.handshaker.clone(), tls, keys, source, dst, original, now);
        let (remote, proven) = (arrived.remote, original.is_some());
        let (key, mut connection) = self.bear(Side::Acceptor, remote, proven, source, src, shaking, now);
        let hello = (remote, dst);
        self.by_hello.insert(hello, key);
        self.known.insert(key, Known { hello: Some(hello), half_open: Some(network), reset: None });
        self.half_open += 1;
        *self.half_open_by_network.entry(network).or_default() += 1;
        connection.handle_datagram(arrived, now);
        Dispatch::Incoming(key, connection)
    }

    #[expect(clippy::too_many_arguments, reason = "a birth certificate has many fields")]
    fn bear(
        &mut self,
        side: Side,
        remote: SocketAddr,
        validated: bool,
        source: ConnectionId,
        remote_cid: ConnectionId,
        handshaking: Handshaking,
        now: Instant,
    ) -> (ConnectionKey, Box<Connection>) {
        let key = ConnectionKey(self.next_key);
        self.next_key += 1;
        self.by_cid.insert(source, key);
        let mut seed = [0; 32];
        self.chance.fill_bytes(&mut seed);
        let birth = Birth {
            config: self.config.clone(),
            side,
            remote,
            validated,
            local_cids: LocalCids::new(source),
            remote_cid,
            handshaking,
            seed,
        };
        (key, Box::new(Connection::new(birth, now)))
    }

    fn params(
        &self,
        source: ConnectionId,
        original: Option<ConnectionId>,
        retried: Option<ConnectionId>,
    ) -> Params {
        let version = self.handshaker.version();
        Params {
            original_dst: original,
            source,
            retry_source: retried,
            // Of a dialer's first id the other side needs none: it is gone when the handshake is.
            reset_token: original.map(|_| reset_token(&self.reset_key, &source)),
            version,
            versions: smallvec::smallvec![version],
            max_datagram: self.config.max_datagram,
            idle_timeout_ms: milliseconds(self.config.idle_timeout),
            max_ack_delay_ms: milliseconds(MAX_ACK_DELAY) as u16,
            credit: Class::ALL.map(start_window),
        }
    }

    /// Does what a connection asks for. To be called after each of its inputs.
    pub fn serve(&mut self, key: ConnectionKey, connection: &mut Connection) {
        while let Some(request) = connection.poll_request() {
            match request {
                EndpointRequest::NeedCid => {
                    let cid = self.unused_cid();
                    if connection.add_cid(cid, reset_token(&self.reset_key, &cid)) {
                        self.by_cid.insert(cid, key);
                    }
                }
                EndpointRequest::RetireCid(cid) => {
                    self.by_cid.remove(&cid);
                }
                EndpointRequest::ResetToken(token) => self.expect_reset(key, token),
                EndpointRequest::Confirmed => self.confirmed(key),
            }
        }
        self.share_losses(connection);
    }

    /// Tells the others what a connection learned of its path, or it what others did.
    fn share_losses(&mut self, connection: &mut Connection) {
        let (ip, now) = (connection.remote().ip(), connection.clock());
        let expected = match connection.losses_seen() {
            Some(seen) => Some(self.losses.note(ip, seen, now)),
            None => self.losses.expected(ip, now),
        };
        if let Some(expected) = expected {
            connection.expect_losses(expected);
        }
    }

    /// A handshake is over: it does not count any more.
    fn confirmed(&mut self, key: ConnectionKey) {
        let Some(known) = self.known.get_mut(&key) else { return };
        if let Some(network) = known.half_open.take() {
            self.half_open = self.half_open.saturating_sub(1);
            if let Some(there) = self.half_open_by_network.get_mut(&network) {
                *there = there.saturating_sub(1);
                if *there == 0 {
                    self.half_open_by_network.remove(&network);
                }
            }
        }
    }

    /// Forgets a connection that is over.
    pub fn forget(&mut self, key: ConnectionKey, connection: &Connection) {
        self.confirmed(key);
        for cid in connection.local_cids() {
            self.by_cid.remove(&cid);
        }
        let Some(Known { hello, reset, .. }) = self.known.remove(&key) else { return };
        // Kept until now: a hello that comes late, or twice, begins nothing.
        if let Some(hello) = hello {
            self.by_hello.remove(&hello);
        }
        if let Some(reset) = reset {
            self.by_reset.remove(&reset);
        }
    }

    /// Entries kept for connections, of all kinds.
    #[cfg(any(test, fuzzing))]
    pub(crate) fn remembered(&self) -> usize {
        let found = self.by_cid.len() + self.by_hello.len() + self.by_reset.len();
        found + self.known.len() + self.half_open + self.half_open_by_network.len()
    }

    fn unused_cid(&mut self) -> ConnectionId {
        loop {
            let cid = self.cids.next();
            if !self.by_cid.contains_key(&cid) {
                return cid;
            }
        }
    }
}

fn milliseconds(time: Duration) -> u32 {
    u32::try_from(time.as_millis()).unwrap_or(u32::MAX)
}

/// The part of an address that one person can have many of. On a socket of both families all of IPv4 is
/// within one network of IPv6, so that form is undone first.
fn network(ip: IpAddr) -> IpAddr {
    match ip.to_canonical() {
        IpAddr::V4(ip) => IpAddr::from((ip.to_bits() & !0xff).to_be_bytes()),
        IpAddr::V6(ip) => IpAddr::from((ip.to_bits() & (!0 << 72)).to_be_bytes()),
    }
}

impl std::fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Endpoint")
            .field("connections", &self.known.len())
            .field("half_open", &self.half_open)
            .finish_non_exhaustive()
    }
}
