//! Writing packets: first the header, then, by whoever has something to say, the frames, then the seal.

use super::{
    super::{
        PacketNumber,
        cid::ConnectionId,
        seal::{HeaderKey, PacketKey, SAMPLE_BYTES, TAG_BYTES},
        varint::put_varint,
    },
    FIXED, HANDSHAKE, INITIAL, KEY_PHASE, LONG, MAX_NUMBER_LEN, MIN_SEALED_BYTES, NO_VERSION, RETRY,
    mask::mask,
    number::{number_len, put_number},
};

/// A two-byte integer in the place of a long packet's length until that is known.
const NO_LENGTH: u16 = 0x4000;

/// What the length of a long packet may be at most.
const MAX_LENGTH: usize = 0x3fff;

/// A packet under way: its header is the last thing in the buffer, its frames are appended next, and then
/// it is sealed.
#[derive(Debug)]
#[must_use = "the packet is not sealed yet"]
pub(crate) struct Unsealed {
    /// Where the packet starts in the buffer.
    start: usize,
    /// Where its number starts, in bytes from the packet's first.
    pn_at: usize,
    /// Bytes of the number that travel.
    pn_len: usize,
    /// Where its length has to go, in bytes from the packet's first; `None` for a short packet.
    length_at: Option<usize>,
    pn: PacketNumber,
}

impl Unsealed {
    /// Bytes that the packet will have with the frames that are in `out` now, padding for [`Self::seal`]
    /// left aside.
    pub(crate) fn sealed_len(&self, out: &[u8]) -> usize {
        out.len().saturating_sub(self.start).saturating_add(TAG_BYTES)
    }

    /// Pads to a sealed packet of at least `packet_bytes`. The padding goes in front of the frames, for the
    /// last of them may be a message that reaches to the end of the packet.
    pub(crate) fn pad_to(&self, out: &mut Vec<u8>, packet_bytes: usize) {
        let padding = packet_bytes.saturating_sub(self.sealed_len(out));
        out.resize(out.len().saturating_add(padding), 0);
        let frames_at = self.start.saturating_add(self.pn_at).saturating_add(self.pn_len);
        if let Some(frames) = out.get_mut(frames_at..)
            && padding <= frames.len()
        {
            frames.rotate_right(padding);
        }
    }

    /// Seals what was appended to `out` since the header was written, having padded it to
    /// [`MIN_SEALED_BYTES`] and to where a sample for the mask exists.
    ///
    /// False: it cannot be sealed, because the key says so or a long packet is over 16,383 bytes. Then
    /// nothing of the packet is left in `out`.
    pub(crate) fn seal(self, out: &mut Vec<u8>, header: &dyn HeaderKey, packet: &dyn PacketKey) -> bool {
        self.pad_to(out, MIN_SEALED_BYTES.max(self.pn_at + MAX_NUMBER_LEN + SAMPLE_BYTES));
        let sealed = self.try_seal(out, header, packet).is_some();
        if !sealed {
            self.discard(out);
        }
        sealed
    }

    /// Takes what was written of the packet out of `out` again.
    pub(crate) fn discard(self, out: &mut Vec<u8>) {
        out.truncate(self.start);
    }

    fn try_seal(&self, out: &mut Vec<u8>, header: &dyn HeaderKey, packet: &dyn PacketKey) -> Option<()> {
        self.put_length(out)?;
        let unsealed = out.get_mut(self.start..)?;
        let (head, payload) = unsealed.split_at_mut_checked(self.pn_at + self.pn_len)?;
        let tag = packet.seal(self.pn, head, payload)?;
        out.extend_from_slice(&tag);
        mask(out.get_mut(self.start..)?, self.pn_at, self.pn_len, header)
    }

    /// Writes the length of a long packet, counted from its number, in the two-byte form.
    fn put_length(&self, out: &mut [u8]) -> Option<()> {
        let Some(length_at) = self.length_at else { return Some(()) };
        let length = self.sealed_len(out).checked_sub(self.pn_at).filter(|length| *length <= MAX_LENGTH)?;
        let field = out.get_mut(self.start..)?.get_mut(length_at..)?.first_chunk_mut()?;
        *field = (NO_LENGTH | u16::try_from(length).ok()?).to_be_bytes();
        Some(())
    }
}

/// Appends the header of an Initial packet. `token` is what a Retry gave, at most
/// [`MAX_TOKEN_BYTES`](super::MAX_TOKEN_BYTES), or empty. `largest_acked` decides how much of `pn` travels.
pub(crate) fn write_initial(
    out: &mut Vec<u8>,
    version: u32,
    dst: ConnectionId,
    src: ConnectionId,
    token: &[u8],
    pn: PacketNumber,
    largest_acked: Option<PacketNumber>,
) -> Unsealed {
    let start = out.len();
    let pn_len = number_len(pn, largest_acked);
    put_long(out, first_byte(LONG | INITIAL, pn_len), version, dst, src);
    put_varint(token.len() as u64, out);
    out.extend_from_slice(token);
    put_long_number(out, start, pn, pn_len)
}

/// Appends the header of a Handshake packet. `largest_acked` decides how much of `pn` travels.
pub(crate) fn write_handshake(
    out: &mut Vec<u8>,
    version: u32,
    dst: ConnectionId,
    src: ConnectionId,
    pn: PacketNumber,
    largest_acked: Option<PacketNumber>,
) -> Unsealed {
    let start = out.len();
    let pn_len = number_len(pn, largest_acked);
    put_long(out, first_byte(LONG | HANDSHAKE, pn_len), version, dst, src);
    put_long_number(out, start, pn, pn_len)
}

/// Appends the header of a short packet. `largest_acked` decides how much of `pn` travels.
pub(crate) fn write_short(
    out: &mut Vec<u8>,
    dst: ConnectionId,
    key_phase: bool,
    pn: PacketNumber,
    largest_acked: Option<PacketNumber>,
) -> Unsealed {
    let start = out.len();
    let pn_len = number_len(pn, largest_acked);
    out.push(first_byte(if key_phase { KEY_PHASE } else { 0 }, pn_len));
    out.extend_from_slice(dst.as_bytes());
    let pn_at = out.len() - start;
    put_number(pn, pn_len, out);
    Unsealed { start, pn_at, pn_len, length_at: None, pn }
}

/// Appends a whole Retry packet. `token` has 1 to [`MAX_TOKEN_BYTES`](super::MAX_TOKEN_BYTES). `tag` makes
/// the tag from the packet before it (RFC 9001 §5.8).
pub(crate) fn write_retry(
    out: &mut Vec<u8>,
    version: u32,
    dst: ConnectionId,
    src: ConnectionId,
    token: &[u8],
    tag: impl FnOnce(&[u8]) -> [u8; TAG_BYTES],
) {
    let start = out.len();
    put_long(out, LONG | FIXED | RETRY, version, dst, src);
    out.extend_from_slice(token);
    let tag = tag(out.get(start..).unwrap_or_default());
    out.extend_from_slice(&tag);
}

/// Appends a whole Version Negotiation packet. The low six bits of its first byte are those of
/// `first_byte_random`, so that nobody comes to rely on them (RFC 9000 §17.2.1).
pub(crate) fn write_version_negotiation(
    out: &mut Vec<u8>,
    dst: ConnectionId,
    src: ConnectionId,
    versions: &[u32],
    first_byte_random: u8,
) {
    put_long(out, LONG | FIXED | first_byte_random, NO_VERSION, dst, src);
    for version in versions {
        out.extend_from_slice(&version.to_be_bytes());
    }
}

/// The first byte of a packet with a number of `pn_len` bytes, 1 to 4.
const fn first_byte(form: u8, pn_len: usize) -> u8 {
    FIXED | form | (pn_len as u8).saturating_sub(1)
}

fn put_long(out: &mut Vec<u8>, first: u8, version: u32, dst: ConnectionId, src: ConnectionId) {
    out.push(first);
    out.extend_from_slice(&version.to_be_bytes());
    out.extend_from_slice(dst.as_bytes());
    out.extend_from_slice(src.as_bytes());
}

/// Ends the header of a long packet that begins at `start`.
fn put_long_number(out: &mut Vec<u8>, start: usize, pn: PacketNumber, pn_len: usize) -> Unsealed {
    let length_at = out.len() - start;
    out.extend_from_slice(&NO_LENGTH.to_be_bytes());
    let pn_at = out.len() - start;
    put_number(pn, pn_len, out);
    Unsealed { start, pn_at, pn_len, length_at: Some(length_at), pn }
}
