//! What strangers can do, and what the network does to addresses, sizes and marks.

mod amplification;
mod cookies;
mod ecn;
mod floods;
mod forwarding;
mod handshakes;
mod migration;
mod mtu;
mod resets;
mod versions;

use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use super::{
    super::{
        Side,
        cid::ConnectionId,
        config::Config,
        connection::{Arrived, Connection},
        endpoint::{ConnectionKey, Dispatch, Endpoint},
        frame,
        packet::{VERSION_PLAIN, write_initial},
        plain::PlainHandshaker,
        seal::{Handshake, HandshakeError, Handshaker, Keys},
        varint::put_varint,
    },
    World,
};
use crate::transport::impair::Profile;

const MS: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);

/// 100 ms from one to the other and back.
fn clean(seed: u64) -> World {
    World::new(&Profile::parse(r#"{"delay_ms": 50}"#).unwrap(), seed)
}

#[expect(clippy::disallowed_methods, reason = "a starting point for virtual time")]
fn some_moment() -> Instant {
    Instant::now()
}

fn endpoint(handshaker: impl Handshaker + 'static, secret: u8, seed: u8, now: Instant) -> Endpoint {
    Endpoint::new(Arc::new(Config::default()), Arc::new(handshaker), &[secret; 32], [seed; 32], now)
}

/// The same as [`World`]'s, for a host that starts anew.
fn acceptor(secret: u8, seed: u8, now: Instant) -> Endpoint {
    let mut endpoint = endpoint(PlainHandshaker, secret, seed, now);
    endpoint.accept(true);
    endpoint
}

/// One who dials by hand.
struct Dialer {
    connection: Box<Connection>,
    addr: SocketAddr,
    now: Instant,
}

impl Dialer {
    fn new(endpoint: &mut Endpoint, addr: SocketAddr, now: Instant) -> Self {
        let (_, connection) = endpoint.connect(server(), now).unwrap();
        Self { connection, addr, now }
    }

    fn says(&mut self) -> Vec<u8> {
        let mut out = Vec::new();
        self.connection.poll_transmit(self.now, &mut out).expect("something to say");
        out
    }

    fn hears(&mut self, data: &mut [u8]) {
        self.connection.handle_datagram(Arrived { remote: server(), ecn: None, data }, self.now);
    }
}

fn server() -> SocketAddr {
    "10.0.0.2:4224".parse().unwrap()
}

fn arrive(endpoint: &mut Endpoint, from: SocketAddr, datagram: &[u8], now: Instant) -> Dispatch {
    let mut data = datagram.to_vec();
    endpoint.handle_datagram(Arrived { remote: from, ecn: None, data: &mut data }, now)
}

/// What an endpoint did with a datagram, in a word.
fn what(dispatch: &Dispatch) -> &'static str {
    match dispatch {
        Dispatch::To(_) => "to",
        Dispatch::Incoming(..) => "incoming",
        Dispatch::Reply(_) => "reply",
        Dispatch::Reset(_) => "reset",
        Dispatch::Dropped(_) => "dropped",
    }
}

/// Address number `n`: all in networks of their own.
fn stranger(n: u32) -> SocketAddr {
    ([20 + (n >> 16) as u8, (n >> 8) as u8, n as u8, 9], 1000).into()
}

/// A hello datagram that holds `frames`, as any stranger can make one.
fn initial(dst: u64, pn: u64, frames: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let dst = ConnectionId::from(dst.to_be_bytes());
    let keys = PlainHandshaker.initial_keys(&dst, Side::Dialer).local;
    let mut out = Vec::new();
    let header = write_initial(&mut out, VERSION_PLAIN, dst, ConnectionId::from([7; 8]), &[], pn, None);
    frames(&mut out);
    header.pad_to(&mut out, 1200);
    assert!(header.seal(&mut out, keys.header.as_ref(), keys.packet.as_ref()));
    out
}

fn crypto(offset: u64, data: &[u8]) -> impl FnOnce(&mut Vec<u8>) {
    move |out| frame::put_crypto(out, offset, data)
}

/// Shakes hands as [`PlainHandshaker`] does, but under another version or with so many bytes to say that
/// they do not fit one datagram.
#[derive(Debug)]
struct Odd {
    version: u32,
    padding: usize,
}

impl Odd {
    fn wordy(padding: usize) -> Self {
        Self { version: VERSION_PLAIN, padding }
    }

    /// A parameter that nobody knows.
    fn pad(&self, mut params: Vec<u8>) -> Vec<u8> {
        if self.padding > 0 {
            put_varint(0x7777, &mut params);
            put_varint(self.padding as u64, &mut params);
            params.resize(params.len() + self.padding, 0);
        }
        params
    }
}

impl Handshaker for Odd {
    fn version(&self) -> u32 {
        self.version
    }

    fn initial_keys(&self, dst: &ConnectionId, side: Side) -> Keys {
        PlainHandshaker.initial_keys(dst, side)
    }

    fn dial(&self, params: Vec<u8>) -> Result<Box<dyn Handshake>, HandshakeError> {
        PlainHandshaker.dial(self.pad(params))
    }

    fn accept(&self, params: Vec<u8>) -> Result<Box<dyn Handshake>, HandshakeError> {
        PlainHandshaker.accept(self.pad(params))
    }
}

/// A world whose hellos take `dialers` and `acceptors` bytes more.
fn wordy(dialers: usize, acceptors: usize, seed: u64) -> World {
    let mut world = clean(seed);
    for (index, padding) in [dialers, acceptors].into_iter().enumerate() {
        let mut endpoint = endpoint(Odd::wordy(padding), index as u8 + 1, index as u8 + 50, world.now);
        endpoint.accept(index == 1);
        world.hosts[index].endpoint = endpoint;
    }
    world
}

/// Dials, and says whether both sides are connected within `limit`.
fn connects_within(world: &mut World, limit: Duration) -> bool {
    let key = world.connect();
    world.run_until(limit, |world| is_up(world, 0, key) && has_accepted(world))
}

fn is_up(world: &World, host: usize, key: ConnectionKey) -> bool {
    world.hosts[host].connections.get(&key).is_some_and(|connection| connection.is_established())
}

fn has_accepted(world: &World) -> bool {
    world.hosts[1].connections.values().any(|connection| connection.is_established())
}
