//! The mask of a header (RFC 9001 §5.4). It is made from a sample of the sealed payload, so it goes on
//! after sealing and comes off before opening.

use super::{
    super::{
        PacketNumber,
        seal::{HeaderKey, SAMPLE_BYTES},
    },
    KEY_PHASE, LONG, LONG_RESERVED, MAX_NUMBER_LEN, NUMBER_LEN, SHORT_RESERVED, expand_number,
};

/// What the mask hid. Believe it once the packet is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Unmasked {
    /// The whole packet number.
    pub pn: PacketNumber,
    /// Where the header ends and the sealed payload starts, in bytes from the packet's first.
    pub payload_at: usize,
    /// The key phase; false for long packets.
    pub key_phase: bool,
    /// Whether a reserved bit is set: a violation if the packet can be opened (RFC 9000 §17.2).
    pub reserved: bool,
}

/// Takes the mask off the header of `packet`, in place. `pn_at` is where [`read_outer`](super::read_outer)
/// found the packet number, `expected` one more than the largest number that arrived. `None`: nothing that
/// was masked with these keys.
pub(crate) fn unmask(
    packet: &mut [u8],
    pn_at: usize,
    keys: &dyn HeaderKey,
    expected: PacketNumber,
) -> Option<Unmasked> {
    let Masked { first, number, sample } = Masked::of(packet, pn_at)?;
    keys.unprotect(sample, first, number);
    let len = usize::from(*first & NUMBER_LEN) + 1;
    let truncated = number.iter().take(len).fold(0, |number, byte| number << 8 | u32::from(*byte));
    let is_long = *first & LONG != 0;
    let reserved = if is_long { LONG_RESERVED } else { SHORT_RESERVED };
    Some(Unmasked {
        pn: expand_number(truncated, len, expected)?,
        payload_at: pn_at.checked_add(len)?,
        key_phase: !is_long && *first & KEY_PHASE != 0,
        reserved: *first & reserved != 0,
    })
}

/// Puts the mask on the header of a sealed packet whose number has `number_len` bytes. `None`: it is too
/// short to have a sample, and stays as it was.
pub(super) fn mask(packet: &mut [u8], pn_at: usize, number_len: usize, keys: &dyn HeaderKey) -> Option<()> {
    let Masked { first, number, sample } = Masked::of(packet, pn_at)?;
    keys.protect(sample, first, number.get_mut(..number_len)?);
    Some(())
}

/// The parts of a packet that have to do with the mask.
struct Masked<'a> {
    first: &'a mut u8,
    number: &'a mut [u8; MAX_NUMBER_LEN],
    sample: &'a [u8; SAMPLE_BYTES],
}

impl<'a> Masked<'a> {
    fn of(packet: &'a mut [u8], pn_at: usize) -> Option<Self> {
        let (before, sampled) = packet.split_at_mut_checked(pn_at.checked_add(MAX_NUMBER_LEN)?)?;
        let (first, before) = before.split_first_mut()?;
        Some(Self { first, number: before.last_chunk_mut()?, sample: sampled.first_chunk()? })
    }
}
