//! The reliability protocol, as two pure machines: [`Endpoint`] tells datagrams apart and starts
//! connections, [`Connection`] carries messages. Time is an argument, chance a seed; sockets, keys and
//! tasks are the driver's. What the bytes mean is section 15 of `docs/protocol.md`.

mod cid;
mod config;
mod congestion;
mod connection;
mod endpoint;
mod frame;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod lanes;
mod loss;
mod mac;
mod mtu;
mod pacing;
mod packet;
mod params;
mod path;
mod plain;
mod range_set;
mod received;
mod rtt;
mod seal;
mod sent;
mod stats;
mod thin;
mod token;
mod varint;

#[cfg(test)]
pub(crate) mod conformance;
#[cfg(test)]
mod simulation;

pub use cid::ConnectionId;
pub use config::Config;
pub use congestion::Algorithm;
pub use connection::{Arrived, Connection, End, Event, SendError, Transmit};
pub use endpoint::{ConnectionKey, Dispatch, Endpoint, Retry};
pub use packet::{VERSION, VERSION_PLAIN};
pub use plain::PlainHandshaker;
pub use received::Mark;
pub use seal::{
    DirectionKeys, Handshake, HandshakeError, Handshaker, HeaderKey, KeySchedule, Keys, NewKeys, PacketKey,
    PacketKeys, SAMPLE_BYTES, TAG_BYTES,
};
pub use stats::Stats;

/// The number of a packet within its [`Space`]. Counts up from 0, never used twice.
pub(crate) type PacketNumber = u64;

/// A packet-number space: packets of one kind of key, numbered and acknowledged by themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Space {
    /// Under keys that anybody can derive: the hellos.
    Initial,
    /// Under the keys of the handshake.
    Handshake,
    /// Everything afterwards.
    Data,
}

impl Space {
    /// Every space, in the order of a connection's life.
    pub(crate) const ALL: [Self; 3] = [Self::Initial, Self::Handshake, Self::Data];

    /// The place of this space in an array of three.
    pub(crate) const fn index(self) -> usize {
        self as usize
    }
}

/// Which side of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Made the first step.
    Dialer,
    /// Was called.
    Acceptor,
}

/// The other side broke the protocol, so the connection ends. The words are for the log and the peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Violation(pub &'static str);
