//! Whole messages between two nodes. This room knows bytes, lanes and keys; it does not know what a
//! frame, a room or a name is (see ARCHITECTURE.md, "Who may see whom").
//!
//! A transport is one file that implements [`Transport`], [`Listener`], [`LinkTx`] and [`LinkRx`], and
//! passes the conformance suite in `tests/transport.rs`.

mod by_name;
mod error;
pub mod framing;
mod halves;
pub mod impair;
mod inbox;
mod lane;
mod link;
mod memory;
mod outbox;
mod stream;
mod tcp;
mod tls;
mod turns;
pub mod udp;

use std::{fmt, io, net::SocketAddr, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;

pub use by_name::{by_name, names};
pub use error::{By, CloseCode, CloseReason, LinkError, Undelivered};
pub use inbox::INBOX_BYTES;
pub use lane::{Class, Lane};
pub use memory::{MemoryNetwork, MemoryTransport};
pub use outbox::{CLASS_BYTES, MESSAGE_OVERHEAD};
pub use tcp::{MAX_PENDING_HANDSHAKES, MAX_UNAUTHENTICATED_BYTES, Security, TcpTransport};
pub use tls::{KeyError, Keys};
pub(crate) use turns::Turns;
pub use udp::UdpTransport;

/// Bytes of the longest message a transport carries: 16 MiB. One more is refused with
/// [`LinkError::TooLong`].
pub const MAX_MESSAGE_BYTES: usize = 16 << 20;

/// Bytes of a close reason's text that travel; the rest is cut.
pub const MAX_CLOSE_TEXT: usize = 256;

/// A way to carry messages: TCP, our UDP, this process's memory.
#[async_trait]
pub trait Transport: fmt::Debug + Send + Sync + 'static {
    /// The name on the command line and in reports: `tcp`, `udp`, `memory`.
    fn name(&self) -> &'static str;

    /// Waits for links at `addr`; port 0 picks a free one.
    async fn listen(&self, addr: SocketAddr) -> io::Result<Box<dyn Listener>>;

    /// Makes a link to `addr`. Ends within [`HANDSHAKE_TIMEOUT`] of an answer, and gives up after
    /// the transport's own patience without one. A dropped future makes no link.
    async fn dial(&self, addr: SocketAddr) -> Result<Link, LinkError>;

    /// Waits until every link has ended at the other side too, as far as this one can know. What it has
    /// still to confirm then is lost with a process that ends before; the kernel keeps that of a stream.
    async fn settled(&self) {}
}

/// The accepting side of a transport.
#[async_trait]
pub trait Listener: fmt::Debug + Send {
    /// Where it listens, with the port that was picked.
    fn local_addr(&self) -> SocketAddr;

    /// The next link whose handshake succeeded. Handshakes run beside each other, bounded in number
    /// and time: a stuck stranger stops nobody. An error means the listener is of no further use.
    /// Cancel safe.
    async fn accept(&mut self) -> io::Result<Link>;
}

/// Who is at the other end.
#[derive(Clone, Debug)]
pub struct Peer {
    /// The address as this side sees it.
    pub addr: SocketAddr,
    /// The Ed25519 public key in SPKI form (44 bytes, RFC 8410), proven in the handshake.
    /// `None` on a link without authentication.
    pub key: Option<Bytes>,
}

/// One established link: two halves that may live in different tasks.
#[derive(Debug)]
pub struct Link {
    /// Who is at the other end.
    pub peer: Peer,
    /// The sending half.
    pub tx: Box<dyn LinkTx>,
    /// The receiving half.
    pub rx: Box<dyn LinkRx>,
}

/// The sending half of a link. Dropping it without [`close`](LinkTx::close) is an abrupt end: both
/// sides see [`LinkError::Lost`]. Only after the other side's close it counts as one.
#[async_trait]
pub trait LinkTx: fmt::Debug + Send + Sync {
    /// Accepts one message for `lane`; waits while the lane's class has no room. `&self`, so that a
    /// bulk send that waits does not hold up chat. Not cancel safe only in this sense: a dropped
    /// future may or may not have accepted its message, never half of it.
    ///
    /// # Errors
    /// [`LinkError::TooLong`] above [`MAX_MESSAGE_BYTES`]; [`LinkError::Closed`] after a close by
    /// either side, also for a send that was waiting; [`LinkError::Lost`] when the link broke.
    async fn send(&self, lane: Lane, message: Bytes) -> Result<(), LinkError>;

    /// Accepts one message for `lane` if there is room now, and says whether it did; never waits. A
    /// transport that always answers `false` is a correct one: the caller then uses
    /// [`send`](Self::send).
    ///
    /// # Errors
    /// As [`send`](Self::send).
    fn try_send(&self, _lane: Lane, _message: &Bytes) -> Result<bool, LinkError> {
        Ok(false)
    }

    /// Delivers every message that was accepted, on every lane, tells the other side why, and ends
    /// when its application has consumed them all, that is, has asked for the message after the last.
    /// Meanwhile and afterwards this side still receives, until the other one closes as well. A
    /// dropped future does not stop the close. A second close waits for the first.
    ///
    /// # Errors
    /// [`Undelivered`] when the other application left before, the link broke, or nothing moved for
    /// [`CLOSE_TIMEOUT`].
    async fn close(&self, reason: CloseReason) -> Result<(), Undelivered>;

    /// Counters since the link came up.
    fn stats(&self) -> LinkStats {
        LinkStats::default()
    }
}

/// The receiving half of a link. Dropping it tells the other side how much was consumed; what still
/// arrives is discarded.
#[async_trait]
pub trait LinkRx: fmt::Debug + Send {
    /// The next message of any lane, or `None` once the other side closed in order and everything
    /// it sent has been handed out. Asking says that the message before is done with; a link whose
    /// messages nobody asks for stops reading, and its peer gives it up after [`STALL_TIMEOUT`].
    /// Cancel safe: a dropped future loses no message.
    ///
    /// # Errors
    /// [`LinkError::Lost`] when the link ended without a close, after what arrived whole before.
    async fn recv(&mut self) -> Result<Option<Bytes>, LinkError>;

    /// A message that is here already, without saying that the one before is done with: so several are
    /// taken, done with together, and only then [`recv`](Self::recv) says so. `None` tells nothing about
    /// the link; a transport that always answers so is a correct one.
    fn try_recv(&mut self) -> Option<Bytes> {
        None
    }
}

/// What a transport that does its own acknowledging knows of the way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PathStats {
    /// Smoothed round trip.
    pub rtt: Duration,
    /// Shortest round trip of late.
    pub min_rtt: Duration,
    /// Mean deviation of the round trip.
    pub rtt_var: Duration,
    /// Packets sent.
    pub packets_sent: u64,
    /// Packets sent that were declared lost.
    pub packets_lost: u64,
    /// Of those, packets that arrived after all.
    pub spurious: u64,
    /// Pieces of messages sent again because they were thought lost.
    pub retransmits: u64,
    /// Pieces of messages sent again before anything was known of them.
    pub copies: u64,
    /// Bytes that may be in flight.
    pub window: u64,
    /// Bytes in flight.
    pub in_flight: u64,
    /// Bytes of the longest datagram that the path takes.
    pub mtu: u16,
}

/// Counters of one link.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LinkStats {
    /// Messages accepted from this side's application.
    pub messages_sent: u64,
    /// Messages handed to this side's application.
    pub messages_received: u64,
    /// Bytes given to the network, framing and seal included.
    pub bytes_sent: u64,
    /// Bytes taken from the network, framing and seal included.
    pub bytes_received: u64,
    /// What is known of the way; `None` where the operating system keeps it to itself.
    pub path: Option<PathStats>,
}

/// How long a handshake may take, first byte included.
pub const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a link may make no progress while it has something to write before it counts as lost. What
/// is written over TCP must also be acknowledged within it, where the system offers that (Linux).
pub const STALL_TIMEOUT: Duration = Duration::from_secs(10);

/// How long [`LinkTx::close`] waits without any progress of the other side.
pub const CLOSE_TIMEOUT: Duration = Duration::from_secs(10);
