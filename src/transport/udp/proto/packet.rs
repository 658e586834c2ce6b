//! The outside of a packet: what can be read without keys, and the header's mask. Frames are in
//! [`frame`](super::frame).
//!
//! Long packets carry the handshake, short ones everything after it:
//!
//! ```text
//! short  0 1 0 K r r P P   dst 8   packet number 1-4   sealed frames, tag 16
//! long   1 1 T T r r P P   version 4   dst 8   src 8   [Initial: token length, token]
//!                          length 2   packet number 1-4   sealed frames, tag 16
//! ```
//!
//! K: key phase. T: type. P: bytes of packet number, less one. r and the 0 in a short packet's third bit
//! are reserved, 0 when written. The low five bits of a short packet's first byte, the low four of a long
//! one's and the packet number are masked (RFC 9001 §5.4).

mod mask;
mod number;
mod read;
#[cfg(test)]
mod tests;
mod write;

pub(crate) use mask::{Unmasked, unmask};
pub(crate) use number::expand_number;
pub(crate) use read::{Outer, read_outer};
pub(crate) use write::{
    Unsealed, write_handshake, write_initial, write_retry, write_short, write_version_negotiation,
};

#[cfg(test)]
use super::{cid::ConnectionId, seal::TAG_BYTES};

/// The version of the protocol that seals its packets with TLS.
pub const VERSION: u32 = 0x5244_5401;

/// The version that seals nothing and proves no key: packets carry a keyed checksum.
pub const VERSION_PLAIN: u32 = 0x5244_5481;

/// Bytes to which a datagram with an ack-eliciting Initial packet is padded (RFC 9000 §14.1).
pub(crate) const MIN_INITIAL_BYTES: usize = 1200;

/// Bytes of the shortest packet that is sealed, so that a stateless reset looks like one (RFC 9000 §10.3).
pub(crate) const MIN_SEALED_BYTES: usize = 30;

/// Bytes of the longest token that is read.
pub(crate) const MAX_TOKEN_BYTES: usize = 64;

/// What stands for a version in Version Negotiation (RFC 8999 §6).
const NO_VERSION: u32 = 0;

const LONG: u8 = 0x80;
const FIXED: u8 = 0x40;

const TYPE: u8 = 0x30;
const INITIAL: u8 = 0x00;
const RETRY: u8 = 0x10;
const HANDSHAKE: u8 = 0x20;

const KEY_PHASE: u8 = 0x10;
const LONG_RESERVED: u8 = 0x0c;
const SHORT_RESERVED: u8 = 0x2c;
const NUMBER_LEN: u8 = 0x03;

/// Bytes of the longest packet number; the sample for the mask starts that far behind its first byte
/// (RFC 9001 §5.4.2).
const MAX_NUMBER_LEN: usize = 4;

/// Bytes of a short packet that are not frames, with a packet number of `number_len` bytes.
#[cfg(test)]
pub(crate) const fn short_overhead(number_len: usize) -> usize {
    1 + ConnectionId::LEN + number_len + TAG_BYTES
}
