//! What the fuzzer calls, see `fuzz/README.md`: bytes in, and a panic when a promise is broken. Ordinary
//! builds do not contain it; tests do, to replay what the fuzzer found.

#![allow(clippy::indexing_slicing, reason = "an oracle may fail by panicking")]

mod connection;
mod ledger;
mod scene;
mod script;
#[cfg(test)]
mod tests;

pub use connection::connection;

use super::{
    Side,
    cid::ConnectionId,
    frame::{
        Frame, Frames, MAX_ACK_RANGES, Piece, put_ack, put_blocked, put_close, put_consumed, put_credit,
        put_crypto, put_finish, put_handshake_done, put_immediate_ack, put_message, put_new_cid,
        put_path_challenge, put_path_response, put_ping, put_retire_cid,
    },
    packet::{Outer, read_outer, unmask},
    plain::PlainHandshaker,
    seal::Handshaker as _,
};

/// A datagram: its packets are found within it, one behind the other, and unmasking one neither panics
/// nor changes a byte behind its packet number.
pub fn packet(datagram: &[u8]) {
    let mut rest = datagram;
    while let Ok(outer) = read_outer(rest) {
        let (pn_at, end) = match outer {
            Outer::Initial { pn_at, end, .. }
            | Outer::Handshake { pn_at, end, .. }
            | Outer::Short { pn_at, end, .. } => (pn_at, end),
            Outer::Retry { token, tag, .. } => return assert!(token.len() + tag.len() < rest.len()),
            Outer::VersionNegotiation { versions, .. } => return assert!(versions.len() < rest.len()),
            Outer::UnknownVersion { .. } => return,
        };
        assert!(pn_at < end && end <= rest.len(), "a packet lies within its datagram");
        let (packet, after) = rest.split_at(end);
        unmask_with_every_expectation(packet, pn_at);
        rest = after;
    }
}

fn unmask_with_every_expectation(packet: &[u8], pn_at: usize) {
    let keys = PlainHandshaker.initial_keys(&ConnectionId::new([7; 8]), Side::Acceptor);
    for expected in [0, 1, 0x7f, 0x1_0000, u64::from(u32::MAX), (1 << 62) - 1] {
        let mut copy = packet.to_vec();
        let Some(unmasked) = unmask(&mut copy, pn_at, keys.remote.header.as_ref(), expected) else {
            continue;
        };
        assert!((pn_at + 1..=pn_at + 4).contains(&unmasked.payload_at), "a number has one to four bytes");
        assert!(unmasked.pn < 1 << 62, "a number is a varint");
        assert_eq!(copy.get(unmasked.payload_at..), packet.get(unmasked.payload_at..));
    }
}

/// The frames of a payload: each that is read is written again and read again, and is the same.
pub fn frames(payload: &[u8]) {
    for frame in Frames::new(payload) {
        let Ok(frame) = frame else { return };
        let mut again = Vec::new();
        if put(&mut again, &frame).is_none() {
            continue;
        }
        assert!(again.len() <= payload.len() + 8, "written anew it is no longer, but for a length");
        let mut frames = Frames::new(&again);
        let read = frames.next().expect("one frame was written").expect("it can be read");
        assert!(frames.next().is_none(), "and only one");
        match (&frame, &read) {
            (Frame::Ack(before), Frame::Ack(after)) => {
                assert!(before.ranges().take(MAX_ACK_RANGES).eq(after.ranges()));
                assert_eq!(
                    (before.largest, before.delay, before.ecn),
                    (after.largest, after.delay, after.ecn)
                );
                assert_descending(before.ranges());
            }
            _ => assert_eq!(frame, read),
        }
    }
}

fn assert_descending(ranges: impl Iterator<Item = std::ops::RangeInclusive<u64>>) {
    let mut below = u64::MAX;
    for range in ranges {
        assert!(range.start() <= range.end() && *range.end() < below, "ranges neither overlap nor touch");
        below = range.start().saturating_sub(1);
    }
}

/// Writes a frame that was read; `None` for what is never written.
pub(super) fn put(out: &mut Vec<u8>, frame: &Frame<'_>) -> Option<()> {
    let text = |bytes| std::str::from_utf8(bytes).ok();
    match *frame {
        Frame::Padding => out.push(0),
        Frame::Ping => put_ping(out),
        Frame::ImmediateAck => put_immediate_ack(out),
        Frame::Ack(ref ack) => {
            assert!(put_ack(out, ack.delay, ack.ranges(), MAX_ACK_RANGES, usize::MAX, ack.ecn));
        }
        Frame::Crypto { offset, data } => put_crypto(out, offset, data),
        Frame::Credit { class, limit } => put_credit(out, class, limit),
        Frame::Blocked { class, limit } => put_blocked(out, class, limit),
        Frame::Finish { code, total, text: words } => put_finish(out, code, total, text(words)?),
        Frame::Consumed { messages, last } => put_consumed(out, messages, last),
        Frame::PathChallenge(data) => put_path_challenge(out, data),
        Frame::PathResponse(data) => put_path_response(out, data),
        Frame::NewCid { seq, retire_prior, cid, reset } => put_new_cid(out, seq, retire_prior, cid, reset),
        Frame::RetireCid { seq } => put_retire_cid(out, seq),
        Frame::HandshakeDone => put_handshake_done(out),
        Frame::Close { code, text: words } => put_close(out, code, text(words)?),
        Frame::Message(Piece { lane, seq, part, data }) => put_message(out, lane, seq, part, data, false),
        Frame::Unknown => return None,
    }
    Some(())
}
