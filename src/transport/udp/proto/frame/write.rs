//! Writing frames but acknowledgements. Each is appended whole; whether there is room is the caller's care.

use super::{
    super::{
        cid::ConnectionId,
        varint::{put_varint, varint_len},
    },
    kind,
};
use crate::transport::{Class, MAX_CLOSE_TEXT, framing::cut};

/// Bytes of the longest frame that has no data: every one but `Crypto`, `Message`, `Finish`, `Close` and
/// acknowledgements fits.
#[cfg(test)]
pub(crate) const MAX_FIXED_FRAME_BYTES: usize = 1 + 2 * varint_len(u64::MAX >> 2) + ConnectionId::LEN + 16;

/// Bytes of the longest `Finish` or `Close`.
#[cfg(test)]
pub(crate) const MAX_TEXT_FRAME_BYTES: usize =
    1 + 1 + varint_len(u64::MAX >> 2) + varint_len(MAX_CLOSE_TEXT as u64) + MAX_CLOSE_TEXT;

/// Appends [`Frame::Ping`](super::Frame::Ping).
pub(crate) fn put_ping(out: &mut Vec<u8>) {
    put_varint(kind::PING, out);
}

/// Appends [`Frame::ImmediateAck`](super::Frame::ImmediateAck).
#[cfg(any(test, fuzzing))]
pub(crate) fn put_immediate_ack(out: &mut Vec<u8>) {
    put_varint(kind::IMMEDIATE_ACK, out);
}

/// Appends [`Frame::Crypto`](super::Frame::Crypto).
pub(crate) fn put_crypto(out: &mut Vec<u8>, offset: u64, data: &[u8]) {
    put_varint(kind::CRYPTO, out);
    put_varint(offset, out);
    put_prefixed(out, data);
}

/// Bytes of a [`Frame::Crypto`](super::Frame::Crypto) with `len` bytes of data, without these.
#[cfg(test)]
pub(crate) const fn crypto_overhead(offset: u64, len: usize) -> usize {
    varint_len(kind::CRYPTO) + varint_len(offset) + varint_len(len as u64)
}

/// Appends [`Frame::Credit`](super::Frame::Credit).
pub(crate) fn put_credit(out: &mut Vec<u8>, class: Class, limit: u64) {
    put_varint(kind::CREDIT, out);
    put_class(out, class);
    put_varint(limit, out);
}

/// Appends [`Frame::Blocked`](super::Frame::Blocked).
pub(crate) fn put_blocked(out: &mut Vec<u8>, class: Class, limit: u64) {
    put_varint(kind::BLOCKED, out);
    put_class(out, class);
    put_varint(limit, out);
}

/// Appends [`Frame::Finish`](super::Frame::Finish), with as much of `text` as may travel.
pub(crate) fn put_finish(out: &mut Vec<u8>, code: u8, total: u64, text: &str) {
    put_varint(kind::FINISH, out);
    out.push(code);
    put_varint(total, out);
    put_prefixed(out, cut(text, MAX_CLOSE_TEXT).as_bytes());
}

/// Appends [`Frame::Consumed`](super::Frame::Consumed).
pub(crate) fn put_consumed(out: &mut Vec<u8>, messages: u64, last: bool) {
    put_varint(kind::CONSUMED, out);
    put_varint(messages, out);
    out.push(u8::from(last));
}

/// Appends [`Frame::PathChallenge`](super::Frame::PathChallenge).
pub(crate) fn put_path_challenge(out: &mut Vec<u8>, data: [u8; 8]) {
    put_varint(kind::PATH_CHALLENGE, out);
    out.extend_from_slice(&data);
}

/// Appends [`Frame::PathResponse`](super::Frame::PathResponse).
pub(crate) fn put_path_response(out: &mut Vec<u8>, data: [u8; 8]) {
    put_varint(kind::PATH_RESPONSE, out);
    out.extend_from_slice(&data);
}

/// Appends [`Frame::NewCid`](super::Frame::NewCid).
pub(crate) fn put_new_cid(
    out: &mut Vec<u8>,
    seq: u64,
    retire_prior: u64,
    cid: ConnectionId,
    reset: [u8; 16],
) {
    put_varint(kind::NEW_CID, out);
    put_varint(seq, out);
    put_varint(retire_prior, out);
    out.extend_from_slice(cid.as_bytes());
    out.extend_from_slice(&reset);
}

/// Appends [`Frame::RetireCid`](super::Frame::RetireCid).
pub(crate) fn put_retire_cid(out: &mut Vec<u8>, seq: u64) {
    put_varint(kind::RETIRE_CID, out);
    put_varint(seq, out);
}

/// Appends [`Frame::HandshakeDone`](super::Frame::HandshakeDone).
pub(crate) fn put_handshake_done(out: &mut Vec<u8>) {
    put_varint(kind::HANDSHAKE_DONE, out);
}

/// Appends [`Frame::Close`](super::Frame::Close), with as much of `text` as may travel.
pub(crate) fn put_close(out: &mut Vec<u8>, code: u8, text: &str) {
    put_varint(kind::CLOSE, out);
    out.push(code);
    put_prefixed(out, cut(text, MAX_CLOSE_TEXT).as_bytes());
}

/// Appends [`Frame::Message`](super::Frame::Message). `part`: (bytes of the whole message, bytes of it before
/// `data`), if `data` are not all of it. `to_end` saves the length; no frame may follow then.
pub(crate) fn put_message(
    out: &mut Vec<u8>,
    lane: u64,
    seq: u64,
    part: Option<(u64, u64)>,
    data: &[u8],
    to_end: bool,
) {
    let with_len = if to_end { 0 } else { kind::WITH_LEN };
    let is_part = if part.is_some() { kind::IS_PART } else { 0 };
    put_varint(kind::MESSAGE | with_len | is_part, out);
    put_varint(lane, out);
    put_varint(seq, out);
    if let Some((total, offset)) = part {
        put_varint(total, out);
        put_varint(offset, out);
    }
    if to_end {
        out.extend_from_slice(data);
    } else {
        put_prefixed(out, data);
    }
}

/// Bytes of a [`Frame::Message`](super::Frame::Message) with `len` bytes of data, without these but with
/// their length.
pub(crate) const fn message_overhead(lane: u64, seq: u64, part: Option<(u64, u64)>, len: usize) -> usize {
    let part = match part {
        Some((total, offset)) => varint_len(total) + varint_len(offset),
        None => 0,
    };
    varint_len(kind::MESSAGE) + varint_len(lane) + varint_len(seq) + part + varint_len(len as u64)
}

fn put_class(out: &mut Vec<u8>, class: Class) {
    out.push(class.index() as u8);
}

fn put_prefixed(out: &mut Vec<u8>, data: &[u8]) {
    put_varint(data.len() as u64, out);
    out.extend_from_slice(data);
}
