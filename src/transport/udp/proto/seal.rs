//! What the protocol asks of cryptography, and nothing more. With `rustls::quic` behind it every packet
//! is sealed; with a keyed checksum behind it a simulation replays from its seed.

use std::fmt;

use super::{Side, cid::ConnectionId};

/// Bytes by which sealing makes a payload longer.
pub const TAG_BYTES: usize = 16;

/// Bytes of sealed payload from which a header's mask is made (RFC 9001 §5.4.2).
pub const SAMPLE_BYTES: usize = 16;

/// Seals or opens the packets of one direction under one key.
pub trait PacketKey: Send + Sync {
    /// Encrypts `payload` in place; the tag goes behind it. `header` is authenticated too.
    /// `None`: it cannot be sealed, and must not be sent.
    fn seal(&self, packet_number: u64, header: &[u8], payload: &mut [u8]) -> Option<[u8; TAG_BYTES]>;

    /// Decrypts `payload`, tag included, in place and returns the length without it; `None` when it is
    /// not what the other side sealed.
    fn open(&self, packet_number: u64, header: &[u8], payload: &mut [u8]) -> Option<usize>;

    /// Packets that may be sealed under this key (RFC 9001 §6.6).
    fn confidentiality_limit(&self) -> u64;

    /// Packets that may fail to open under this key (RFC 9001 §6.6).
    fn integrity_limit(&self) -> u64;
}

/// Hides what a header tells about packet numbers (RFC 9001 §5.4). The low five bits of a short
/// header's first byte (high bit clear) and the low four of a long one's are masked, and up to four
/// bytes of packet number.
pub trait HeaderKey: Send + Sync {
    /// Masks. `sample` has [`SAMPLE_BYTES`].
    fn protect(&self, sample: &[u8], first: &mut u8, packet_number: &mut [u8]);

    /// Unmasks `first` and as many bytes of `packet_number` as the low two bits of `first` then say
    /// (one more than their value). `packet_number` has four bytes.
    fn unprotect(&self, sample: &[u8], first: &mut u8, packet_number: &mut [u8]);
}

/// The keys of one direction.
pub struct DirectionKeys {
    /// For headers; stays through key updates.
    pub header: Box<dyn HeaderKey>,
    /// For payloads.
    pub packet: Box<dyn PacketKey>,
}

/// The keys of both directions.
pub struct Keys {
    /// What this side seals with.
    pub local: DirectionKeys,
    /// What this side opens with.
    pub remote: DirectionKeys,
}

/// The packet keys of one key phase.
pub struct PacketKeys {
    /// What this side seals with.
    pub local: Box<dyn PacketKey>,
    /// What this side opens with.
    pub remote: Box<dyn PacketKey>,
}

/// Makes the keys of one key phase after the other (RFC 9001 §6).
pub trait KeySchedule: Send {
    /// The keys after the last ones given out.
    fn next(&mut self) -> PacketKeys;

    /// What [`next`](Self::next) would give, without going on.
    fn peek(&self) -> PacketKeys;
}

/// New keys out of a handshake, to be used for what the handshake writes from now on.
pub enum NewKeys {
    /// For what is left of the handshake after the hellos.
    Handshake(Keys),
    /// For everything afterwards.
    Data(Keys, Box<dyn KeySchedule>),
}

/// Why a handshake failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct HandshakeError(pub String);

/// One side of one handshake. Bytes that one side writes are given to the other in order, whole or in
/// pieces, by the protocol.
pub trait Handshake: Send {
    /// Takes what the other side wrote.
    ///
    /// # Errors
    /// The other side is not one we can talk to.
    fn read(&mut self, bytes: &[u8]) -> Result<(), HandshakeError>;

    /// Appends what is to be written next under the present keys. New keys mean: call again, for what
    /// goes under those. Nothing and no keys: no more until the next `read`.
    fn write(&mut self, out: &mut Vec<u8>) -> Option<NewKeys>;

    /// Whether it is not over yet on this side.
    fn is_handshaking(&self) -> bool;

    /// The parameters that the other side sent, authenticated once the handshake is over.
    fn peer_params(&self) -> Option<&[u8]>;

    /// The other side's public key in SPKI form; `None` where nothing is proven.
    fn peer_key(&self) -> Option<&[u8]>;
}

/// Makes handshakes of one kind.
pub trait Handshaker: fmt::Debug + Send + Sync {
    /// The version of the protocol that goes with it.
    fn version(&self) -> u32;

    /// The keys of the first packets, which anybody can derive from the dialer's first destination
    /// connection id (RFC 9001 §5.2): they guard against accident, not against an eavesdropper.
    fn initial_keys(&self, dst: &ConnectionId, side: Side) -> Keys;

    /// Starts as the one who dials.
    ///
    /// # Errors
    /// The keys cannot be used.
    fn dial(&self, params: Vec<u8>) -> Result<Box<dyn Handshake>, HandshakeError>;

    /// Starts as the one who was called.
    ///
    /// # Errors
    /// The keys cannot be used.
    fn accept(&self, params: Vec<u8>) -> Result<Box<dyn Handshake>, HandshakeError>;
}

macro_rules! opaque_debug {
    ($($secret:ty),*) => { $(
        impl fmt::Debug for $secret {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($secret)).finish_non_exhaustive()
            }
        }
    )* };
}

opaque_debug!(DirectionKeys, Keys, PacketKeys, NewKeys);
