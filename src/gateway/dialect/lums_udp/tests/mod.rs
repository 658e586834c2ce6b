//! The UDP editions: each side of a connection alone, server and client, and all of it over a bad network.

mod channel;
mod client;
mod course;
mod host;
mod lossy;
mod sides;

use bytes::Bytes;

use super::packet::{Kind, Packet};

/// A datagram of that type with this number and data.
fn datagram(kind: Kind, seq: u64, data: &[u8]) -> Bytes {
    Packet { kind, seq, data: Bytes::copy_from_slice(data) }.to_bytes()
}

fn start(seq: u64) -> Bytes {
    datagram(Kind::Start, seq, b"")
}

fn data(seq: u64, data: &[u8]) -> Bytes {
    datagram(Kind::Data, seq, data)
}

fn end(seq: u64) -> Bytes {
    datagram(Kind::End, seq, b"")
}

fn ack(seq: u64) -> Bytes {
    datagram(Kind::Ack, seq, b"")
}
