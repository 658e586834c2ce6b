//! An endpoint and the datagrams of strangers.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Instant,
};

use sayagain::{
    node::Identity,
    transport::{
        Keys,
        udp::{
            TlsHandshaker,
            proto::{Arrived, Config, Connection, Dispatch, Endpoint, Handshaker, PlainHandshaker, Retry},
        },
    },
};

/// How a node proves itself, by name.
pub(crate) const SECURITIES: [(&str, MakeHandshaker); 2] =
    [("tls", tls), ("insecure", || Arc::new(PlainHandshaker))];

type MakeHandshaker = fn() -> Arc<dyn Handshaker>;

fn tls() -> Arc<dyn Handshaker> {
    let key = Identity::ephemeral().expect("random bytes").key;
    let keys = Keys::from_pkcs8(&key.to_pkcs8()).expect("its own key");
    Arc::new(TlsHandshaker::new(&keys).expect("its own key"))
}

/// One datagram, over and over, each time from another address.
pub(crate) struct Flood {
    endpoint: Endpoint,
    datagram: Vec<u8>,
    sender: u32,
    now: Instant,
}

impl Flood {
    /// Hellos of this connection to an endpoint that wants a token of everybody.
    fn begin(handshaker: MakeHandshaker) -> (Self, Box<Connection>) {
        let (mut dialer, now) = (endpoint(handshaker), now());
        let (_, mut connection) = dialer.connect(address(0), now).expect("its own key");
        let mut flood = Self {
            endpoint: endpoint(handshaker),
            datagram: next_datagram(&mut connection, now),
            sender: 0,
            now,
        };
        flood.endpoint.set_retry(Retry::Always);
        (flood, connection)
    }

    /// Hellos that are answered with a retry.
    pub(crate) fn hellos(handshaker: MakeHandshaker) -> Self {
        let (mut flood, _) = Self::begin(handshaker);
        assert!(matches!(flood.next(), Dispatch::Reply(_)), "a retry");
        flood
    }

    /// Hellos with a token that was given to one address only.
    pub(crate) fn stolen_tokens(handshaker: MakeHandshaker) -> Self {
        let (mut flood, mut connection) = Self::begin(handshaker);
        let now = flood.now;
        let Dispatch::Reply(mut retry) = flood.next() else { panic!("a retry") };
        connection.handle_datagram(Arrived { remote: address(0), ecn: None, data: &mut retry }, now);
        let with_token = next_datagram(&mut connection, now);
        assert_ne!(with_token, flood.datagram, "the retry was taken");
        flood.datagram = with_token;
        flood.sender += 1;
        assert!(matches!(flood.next(), Dispatch::Reply(_)), "another retry");
        flood
    }

    /// Hellos in which a bit fell over.
    pub(crate) fn noise(handshaker: MakeHandshaker) -> Self {
        let mut flood = Self::hellos(handshaker);
        flood.endpoint.set_retry(Retry::UnderLoad);
        *flood.datagram.last_mut().expect("a hello") ^= 1;
        assert!(matches!(flood.next(), Dispatch::Dropped(_)), "it does not open");
        flood
    }

    /// Packets of a connection that never was.
    pub(crate) fn unknown(handshaker: MakeHandshaker) -> Self {
        let datagram = [&[0x40], [0x5a; 59].as_slice()].concat();
        let mut flood = Self { endpoint: endpoint(handshaker), datagram, sender: 0, now: now() };
        assert!(matches!(flood.next(), Dispatch::Dropped(_)), "nobody's");
        flood
    }

    /// The next datagram, and what is to be done with it.
    pub(crate) fn next(&mut self) -> Dispatch {
        self.sender = self.sender.wrapping_add(1);
        let arrived = Arrived { remote: address(self.sender), ecn: None, data: &mut self.datagram };
        self.endpoint.handle_datagram(arrived, self.now)
    }
}

fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

fn endpoint(handshaker: MakeHandshaker) -> Endpoint {
    let config = Arc::<Config>::default();
    let mut endpoint = Endpoint::new(config, handshaker(), &[7; 32], [8; 32], now());
    endpoint.accept(true);
    endpoint
}

fn next_datagram(connection: &mut Connection, now: Instant) -> Vec<u8> {
    let mut datagram = Vec::new();
    connection.poll_transmit(now, &mut datagram).expect("a hello");
    datagram
}

/// Neighbours in number are far apart in the net.
fn address(sender: u32) -> SocketAddr {
    (Ipv4Addr::from(sender.wrapping_mul(0x9E37_79B1)), 4224).into()
}
