//! Classic course protocols, a machine each: bytes, events and times in, bytes, commands and lines out.
//! No sockets, no clock, no chance: a conversation is a table of inputs and outputs.
//!
//! A **host** is the assignment's server: one machine for a listener and all of its guests, since most of
//! what the assignments promise is about all of them (who is in, who gets what, how many fit). A **caller**
//! is the assignment's client or peer. `docs/dialects.md` numbers what each protocol asks for.

mod announced;
mod config;
mod input;
pub mod iowa;
mod json;
pub mod lums;
pub mod lums_udp;
mod names;
mod output;
mod own;
mod pacer;
#[cfg(test)]
mod rehearsal;
mod stranger;
pub mod uwo;
pub mod uwo_udp;
pub mod vsb;

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    time::Instant,
};

pub(super) use announced::file_line;
pub use config::{CallerConfig, Delivery, ForwardForm, HostConfig, MAX_FILE_BYTES};
pub use input::{Input, Refusal};
pub use names::{clean_line, plain, safe_nick};
pub use output::{Audience, Output};
pub use pacer::{MAX_QUEUED_BYTES, MAX_QUEUED_MESSAGES, Overflow, PACE, Pacer};

/// A connection of one machine, accepted or dialled. Never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnId(pub u64);

/// A try to connect, numbered by the machine that makes it. Never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DialId(pub u64);

/// Somebody who came through a door into our rooms, numbered by the machine. Never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GuestId(pub u64);

/// A protocol, one side of it. Every call of `handle` or `handle_timeout` is followed by a full drain of
/// `poll_output`.
pub trait Machine: Send {
    /// Something happened.
    fn handle(&mut self, input: Input, now: Instant);

    /// The time of `poll_timeout` has come. May be called early or late.
    fn handle_timeout(&mut self, now: Instant);

    /// When to call `handle_timeout`.
    fn poll_timeout(&self) -> Option<Instant>;

    /// The next thing to do, in order.
    fn poll_output(&mut self) -> Option<Output>;

    /// Whether the next typed line may come: the one before is on its way entirely. Of callers.
    fn is_ready(&self) -> bool {
        true
    }

    /// What the page of the assignment shows. Of `vsb`.
    fn board(&self) -> Option<Board> {
        None
    }
}

/// Who is there and what was said, as text of strangers: to be escaped where it is shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Board {
    /// In the order they came.
    pub users: Vec<String>,
    /// Sender and text, oldest first.
    pub messages: Vec<(String, String)>,
}

/// What carries a protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Carrier {
    /// TCP.
    Stream,
    /// UDP.
    Datagram,
}

/// One course protocol.
#[derive(Clone, Copy, Debug)]
pub struct Dialect {
    /// As it is typed after `--dialect`.
    pub name: &'static str,
    /// What carries it.
    pub carrier: Carrier,
    /// The port its server listens on unless told otherwise; 0 picks one.
    pub port: u16,
    host: fn(HostConfig) -> Box<dyn Machine>,
    client: fn(CallerConfig) -> Box<dyn Machine>,
    peer: Option<fn(CallerConfig) -> Box<dyn Machine>>,
}

/// The one list.
pub const DIALECTS: [Dialect; 6] = [
    Dialect {
        name: "iowa",
        carrier: Carrier::Stream,
        port: 5000,
        host: |config| Box::new(iowa::Host::new(config)),
        client: |config| Box::new(iowa::Client::new(config)),
        peer: Some(|config| Box::new(iowa::Peer::new(config))),
    },
    Dialect {
        name: "uwo",
        carrier: Carrier::Stream,
        port: 0,
        host: |config| Box::new(uwo::Host::new(config)),
        client: |config| Box::new(uwo::Client::new(config)),
        peer: None,
    },
    Dialect {
        name: "uwo-udp",
        carrier: Carrier::Datagram,
        port: 0,
        host: |config| Box::new(uwo_udp::Host::new(config)),
        client: |config| Box::new(uwo_udp::Client::new(config)),
        peer: None,
    },
    Dialect {
        name: "vsb",
        carrier: Carrier::Stream,
        port: 5555,
        host: |config| Box::new(vsb::Host::new(config)),
        client: |config| Box::new(vsb::Client::new(config)),
        peer: None,
    },
    Dialect {
        name: "lums",
        carrier: Carrier::Stream,
        port: 15000,
        host: |config| Box::new(lums::Host::new(config)),
        client: |config| Box::new(lums::Client::new(config)),
        peer: None,
    },
    Dialect {
        name: "lums-udp",
        carrier: Carrier::Datagram,
        port: 15000,
        host: |config| Box::new(lums_udp::Host::new(config)),
        client: |config| Box::new(lums_udp::Client::new(config)),
        peer: None,
    },
];

impl Dialect {
    /// The protocol of that name.
    pub fn find(name: &str) -> Option<Self> {
        DIALECTS.into_iter().find(|dialect| dialect.name == name)
    }

    /// Where its server listens unless told otherwise: on loopback, since anybody could read along.
    pub const fn default_listen(&self) -> SocketAddr {
        SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), self.port)
    }

    /// Whether it can do without a server.
    pub const fn has_peers(&self) -> bool {
        self.peer.is_some()
    }

    /// The assignment's server.
    pub fn host(&self, config: HostConfig) -> Box<dyn Machine> {
        (self.host)(config)
    }

    /// The assignment's client.
    pub fn client(&self, config: CallerConfig) -> Box<dyn Machine> {
        (self.client)(config)
    }

    /// The assignment's peer, where it has one; its client otherwise.
    pub fn peer(&self, config: CallerConfig) -> Box<dyn Machine> {
        self.peer.unwrap_or(self.client)(config)
    }
}

impl PartialEq for Dialect {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Dialect {}
