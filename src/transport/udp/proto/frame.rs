//! The inside of a packet: frames, each a type and its fields. Integers are varints unless said otherwise.

mod ack;
mod read;
#[cfg(test)]
mod tests;
mod write;

#[cfg(any(test, fuzzing))]
pub(crate) use ack::MAX_ACK_RANGES;
pub(crate) use ack::{AckFrame, EcnCounts, put_ack};
pub(crate) use read::Frames;
#[cfg(any(test, fuzzing))]
pub(crate) use write::put_immediate_ack;
#[cfg(test)]
pub(crate) use write::{MAX_FIXED_FRAME_BYTES, MAX_TEXT_FRAME_BYTES, crypto_overhead};
pub(crate) use write::{
    message_overhead, put_blocked, put_close, put_consumed, put_credit, put_crypto, put_finish,
    put_handshake_done, put_message, put_new_cid, put_path_challenge, put_path_response, put_ping,
    put_retire_cid,
};

use super::{Space, cid::ConnectionId};
use crate::transport::Class;

/// The types of frames.
mod kind {
    pub(super) const PADDING: u64 = 0x00;
    pub(super) const PING: u64 = 0x01;
    pub(super) const ACK: u64 = 0x02;
    pub(super) const ACK_ECN: u64 = 0x03;
    pub(super) const CRYPTO: u64 = 0x04;
    pub(super) const IMMEDIATE_ACK: u64 = 0x05;
    pub(super) const CREDIT: u64 = 0x06;
    pub(super) const BLOCKED: u64 = 0x07;
    pub(super) const FINISH: u64 = 0x08;
    pub(super) const CONSUMED: u64 = 0x09;
    pub(super) const PATH_CHALLENGE: u64 = 0x0a;
    pub(super) const PATH_RESPONSE: u64 = 0x0b;
    pub(super) const NEW_CID: u64 = 0x0c;
    pub(super) const RETIRE_CID: u64 = 0x0d;
    pub(super) const HANDSHAKE_DONE: u64 = 0x0e;
    pub(super) const CLOSE: u64 = 0x0f;

    /// A message or a part of one; the two bits below say what its header has.
    pub(super) const MESSAGE: u64 = 0x20;
    /// Added to [`MESSAGE`]: a length. Without it the data reach to the end of the packet.
    pub(super) const WITH_LEN: u64 = 0x01;
    /// Added to [`MESSAGE`]: it is a part, and says of what.
    pub(super) const IS_PART: u64 = 0x02;

    /// From here on a type has a length behind it, and who does not know it skips it.
    pub(super) const FIRST_SKIPPABLE: u64 = 0x4000;
}

/// One frame, as it was read: data still lie in the packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Frame<'a> {
    /// Nothing, as often as it comes in a row (RFC 9000 §19.1).
    Padding,
    /// Asks for an acknowledgement (RFC 9000 §19.2).
    Ping,
    /// Asks for an acknowledgement at once.
    ImmediateAck,
    /// Says which packets arrived (RFC 9000 §19.3).
    Ack(AckFrame<'a>),
    /// A piece of the handshake (RFC 9000 §19.6).
    Crypto {
        /// Bytes before it, of those that the handshake writes under the same keys.
        offset: u64,
        /// The piece.
        data: &'a [u8],
    },
    /// How many bytes the sender's peer may charge a class with, counted from the start.
    Credit {
        /// Whose credit.
        class: Class,
        /// In bytes; never shrinks.
        limit: u64,
    },
    /// The sender has more to say than its credit allows.
    Blocked {
        /// Whose credit.
        class: Class,
        /// The limit it knows of, in bytes.
        limit: u64,
    },
    /// The sender sends no more messages.
    Finish {
        /// Why, see [`CloseCode`](crate::transport::CloseCode).
        code: u8,
        /// Messages it sent, from the start.
        total: u64,
        /// Why, in words: at most [`MAX_CLOSE_TEXT`](crate::transport::MAX_CLOSE_TEXT) bytes, not checked
        /// for being text.
        text: &'a [u8],
    },
    /// How far the sender's application is.
    Consumed {
        /// Messages it took, from the start.
        messages: u64,
        /// Whether it takes no more.
        last: bool,
    },
    /// Asks for the same bytes back, to see that the path works both ways (RFC 9000 §19.17).
    PathChallenge([u8; 8]),
    /// The bytes of a challenge (RFC 9000 §19.18).
    PathResponse([u8; 8]),
    /// One more connection id by which the sender can be reached (RFC 9000 §19.15).
    NewCid {
        /// Which one, counted from the start.
        seq: u64,
        /// All before this one are to be retired; at most `seq`.
        retire_prior: u64,
        /// The id.
        cid: ConnectionId,
        /// What a stateless reset for this id ends with.
        reset: [u8; 16],
    },
    /// A connection id of the receiver that the sender will not use any more (RFC 9000 §19.16).
    RetireCid {
        /// Which one.
        seq: u64,
    },
    /// The acceptor knows that the handshake is over (RFC 9000 §19.20).
    HandshakeDone,
    /// The connection is over for the sender (RFC 9000 §19.19).
    Close {
        /// Why, see [`CloseCode`](crate::transport::CloseCode).
        code: u8,
        /// Why, in words: at most [`MAX_CLOSE_TEXT`](crate::transport::MAX_CLOSE_TEXT) bytes, not checked
        /// for being text.
        text: &'a [u8],
    },
    /// A message, or a part of one.
    Message(Piece<'a>),
    /// A frame of a later version, which may be skipped.
    Unknown,
}

/// A message, or a part of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Piece<'a> {
    /// Slot × 4 + class. The class is one of the three that exist.
    pub lane: u64,
    /// Which message of the lane, counted from 0.
    pub seq: u64,
    /// (bytes of the whole message, bytes of it before these data); `None`: these data are all of it.
    /// Offset and data together do not exceed the total.
    pub part: Option<(u64, u64)>,
    /// Its bytes.
    pub data: &'a [u8],
}

impl Frame<'_> {
    /// Whether a packet with this frame has to be acknowledged (RFC 9000 §13.2).
    pub(crate) const fn elicits_ack(&self) -> bool {
        !matches!(self, Self::Padding | Self::Ack(_) | Self::Close { .. })
    }

    /// Whether this frame may be in a packet of that space (RFC 9000 §12.5).
    pub(crate) const fn allowed_in(&self, space: Space) -> bool {
        match space {
            Space::Initial | Space::Handshake => matches!(
                self,
                Self::Padding
                    | Self::Ping
                    | Self::ImmediateAck
                    | Self::Ack(_)
                    | Self::Crypto { .. }
                    | Self::Close { .. }
            ),
            Space::Data => true,
        }
    }

    /// Whether this frame may try out a path without moving the connection there (RFC 9000 §9.1).
    pub(crate) const fn is_probing(&self) -> bool {
        matches!(self, Self::Padding | Self::PathChallenge(_) | Self::PathResponse(_) | Self::NewCid { .. })
    }
}
