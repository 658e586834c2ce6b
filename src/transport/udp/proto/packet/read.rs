//! What a datagram says to anybody: which packets it holds, and for whom they are.

use super::{
    super::{
        cid::ConnectionId,
        seal::SAMPLE_BYTES,
        varint::{Malformed, Reader},
    },
    FIXED, HANDSHAKE, INITIAL, LONG, MAX_NUMBER_LEN, MAX_TOKEN_BYTES, NO_VERSION, RETRY, TYPE, VERSION,
    VERSION_PLAIN,
};

/// The outside of a packet, read without keys and therefore not to be believed.
///
/// `dst` is the connection id of the receiver, `src` that of the sender. `pn_at` is where the masked packet
/// number starts and `end` where the packet ends, in bytes from its first; another packet may follow in the
/// same datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outer<'a> {
    /// Carries the hellos.
    Initial {
        /// Of the two versions that there are.
        version: u32,
        /// The receiver's; chosen by the dialer until it has heard of the acceptor's.
        dst: ConnectionId,
        /// The sender's.
        src: ConnectionId,
        /// What a Retry gave the dialer; empty without one.
        token: &'a [u8],
        /// Where the packet number starts.
        pn_at: usize,
        /// Where the packet ends.
        end: usize,
    },
    /// Carries the rest of the handshake.
    Handshake {
        /// Of the two versions that there are.
        version: u32,
        /// The receiver's.
        dst: ConnectionId,
        /// The sender's.
        src: ConnectionId,
        /// Where the packet number starts.
        pn_at: usize,
        /// Where the packet ends.
        end: usize,
    },
    /// Asks the dialer to prove its address by coming back with the token. Takes up its datagram.
    Retry {
        /// Of the two versions that there are.
        version: u32,
        /// The receiver's.
        dst: ConnectionId,
        /// The sender's.
        src: ConnectionId,
        /// 1 to [`MAX_TOKEN_BYTES`].
        token: &'a [u8],
        /// Over everything before it: the last bytes of the datagram.
        tag: [u8; 16],
    },
    /// Answers a version that the acceptor does not speak. Takes up its datagram.
    VersionNegotiation {
        /// The receiver's.
        dst: ConnectionId,
        /// The sender's.
        src: ConnectionId,
        /// At least one, big-endian, four bytes each.
        versions: &'a [u8],
    },
    /// Carries everything after the handshake. Reaches to the end of its datagram.
    Short {
        /// The receiver's.
        dst: ConnectionId,
        /// Where the packet number starts.
        pn_at: usize,
        /// Where the packet ends.
        end: usize,
    },
    /// A long packet of another version, of which no more is known.
    UnknownVersion {
        /// Neither of ours.
        version: u32,
        /// The receiver's.
        dst: ConnectionId,
        /// The sender's.
        src: ConnectionId,
    },
}

/// The outside of the first packet in `datagram`. The next one, if any, starts at its `end`.
///
/// # Errors
/// It is no packet of this protocol, or ends too early; nothing behind it can be found then.
pub(crate) fn read_outer(datagram: &[u8]) -> Result<Outer<'_>, Malformed> {
    let mut reader = Reader::new(datagram);
    let first = reader.u8()?;
    if first & FIXED == 0 {
        return Err(Malformed::FixedBit);
    }
    if first & LONG == 0 {
        let dst = read_cid(&mut reader)?;
        let length = reader.remaining();
        let (pn_at, end) = numbered(datagram, &reader, length)?;
        return Ok(Outer::Short { dst, pn_at, end });
    }
    let version = reader.u32()?;
    let ids = (read_cid(&mut reader)?, read_cid(&mut reader)?);
    match version {
        VERSION | VERSION_PLAIN => read_long(datagram, reader, first, version, ids),
        NO_VERSION => read_version_negotiation(reader, ids),
        _ => Ok(Outer::UnknownVersion { version, dst: ids.0, src: ids.1 }),
    }
}

/// The rest of a long packet of a version that we speak.
fn read_long<'a>(
    datagram: &[u8],
    mut reader: Reader<'a>,
    first: u8,
    version: u32,
    (dst, src): (ConnectionId, ConnectionId),
) -> Result<Outer<'a>, Malformed> {
    match first & TYPE {
        INITIAL => {
            let token = reader.prefixed()?;
            if token.len() > MAX_TOKEN_BYTES {
                return Err(Malformed::Token);
            }
            let length = read_length(&mut reader)?;
            let (pn_at, end) = numbered(datagram, &reader, length)?;
            Ok(Outer::Initial { version, dst, src, token, pn_at, end })
        }
        HANDSHAKE => {
            let length = read_length(&mut reader)?;
            let (pn_at, end) = numbered(datagram, &reader, length)?;
            Ok(Outer::Handshake { version, dst, src, pn_at, end })
        }
        RETRY => {
            let (token, tag) = reader.rest().split_last_chunk().ok_or(Malformed::Truncated)?;
            if token.is_empty() || token.len() > MAX_TOKEN_BYTES {
                return Err(Malformed::Token);
            }
            Ok(Outer::Retry { version, dst, src, token, tag: *tag })
        }
        _ => Err(Malformed::PacketType),
    }
}

fn read_version_negotiation(
    mut reader: Reader<'_>,
    (dst, src): (ConnectionId, ConnectionId),
) -> Result<Outer<'_>, Malformed> {
    let versions = reader.rest();
    if versions.is_empty() || !versions.len().is_multiple_of(size_of::<u32>()) {
        return Err(Malformed::Versions);
    }
    Ok(Outer::VersionNegotiation { dst, src, versions })
}

fn read_cid(reader: &mut Reader<'_>) -> Result<ConnectionId, Malformed> {
    reader.array().map(ConnectionId::new)
}

/// The length of a long packet: always the two-byte form, because it is written before it is known.
fn read_length(reader: &mut Reader<'_>) -> Result<usize, Malformed> {
    match reader.u16()? {
        length @ 0x4000..=0x7fff => Ok(usize::from(length & 0x3fff)),
        _ => Err(Malformed::NotMinimal),
    }
}

/// Where a packet number starts and its packet ends, if the reader stands before the number and `length`
/// bytes belong to the packet from there on.
fn numbered(datagram: &[u8], reader: &Reader<'_>, length: usize) -> Result<(usize, usize), Malformed> {
    if length > reader.remaining() {
        return Err(Malformed::Truncated);
    }
    if length < MAX_NUMBER_LEN + SAMPLE_BYTES {
        return Err(Malformed::NoSample);
    }
    let pn_at = datagram.len().saturating_sub(reader.remaining());
    Ok((pn_at, pn_at.saturating_add(length)))
}
