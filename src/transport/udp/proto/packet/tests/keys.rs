//! Keys that are none.

use super::super::{LONG, NUMBER_LEN, TAG_BYTES};
use crate::transport::udp::proto::seal::{HeaderKey, PacketKey, SAMPLE_BYTES};

/// The tag of [`Clear`].
pub(super) const TAG: [u8; TAG_BYTES] = [0xee; TAG_BYTES];

/// Hides nothing, so that the bytes can be read.
pub(super) struct Clear;

impl HeaderKey for Clear {
    fn protect(&self, _: &[u8], _: &mut u8, _: &mut [u8]) {}
    fn unprotect(&self, _: &[u8], _: &mut u8, _: &mut [u8]) {}
}

impl PacketKey for Clear {
    fn seal(&self, _: u64, _: &[u8], _: &mut [u8]) -> Option<[u8; TAG_BYTES]> {
        Some(TAG)
    }
    fn open(&self, _: u64, _: &[u8], payload: &mut [u8]) -> Option<usize> {
        payload.ends_with(&TAG).then(|| payload.len() - TAG_BYTES)
    }
    fn confidentiality_limit(&self) -> u64 {
        u64::MAX
    }
    fn integrity_limit(&self) -> u64 {
        u64::MAX
    }
}

/// Masks with the sample itself and seals with a checksum: enough to notice any change of any bit.
pub(super) struct Fake;

impl Fake {
    fn apply(sample: &[u8], first: &mut u8, number: &mut [u8], len: usize) {
        for (byte, mask) in number[..len].iter_mut().zip(&sample[1..]) {
            *byte ^= mask;
        }
        *first ^= sample[0] & if *first & LONG == 0 { 0x1f } else { 0x0f };
    }

    fn tag(pn: u64, header: &[u8], payload: &[u8]) -> [u8; TAG_BYTES] {
        let bytes = pn.to_be_bytes();
        let sum = bytes.iter().chain(header).chain(payload).fold(0xcbf2_9ce4_8422_2325, |sum, byte| {
            (sum ^ u128::from(*byte)).wrapping_mul(0x0000_0000_0100_0000_0000_0000_0000_013b)
        });
        sum.to_be_bytes()
    }
}

impl HeaderKey for Fake {
    fn protect(&self, sample: &[u8], first: &mut u8, number: &mut [u8]) {
        assert_eq!(sample.len(), SAMPLE_BYTES);
        Self::apply(sample, first, number, number.len());
    }
    fn unprotect(&self, sample: &[u8], first: &mut u8, number: &mut [u8]) {
        assert_eq!((sample.len(), number.len()), (SAMPLE_BYTES, 4));
        let len = usize::from((*first ^ sample[0]) & NUMBER_LEN) + 1;
        Self::apply(sample, first, number, len);
    }
}

impl PacketKey for Fake {
    fn seal(&self, pn: u64, header: &[u8], payload: &mut [u8]) -> Option<[u8; TAG_BYTES]> {
        payload.iter_mut().for_each(|byte| *byte ^= pn as u8 ^ 0x5a);
        Some(Self::tag(pn, header, payload))
    }
    fn open(&self, pn: u64, header: &[u8], payload: &mut [u8]) -> Option<usize> {
        let (sealed, tag) = payload.split_last_chunk_mut()?;
        if *tag != Self::tag(pn, header, sealed) {
            return None;
        }
        sealed.iter_mut().for_each(|byte| *byte ^= pn as u8 ^ 0x5a);
        Some(sealed.len())
    }
    fn confidentiality_limit(&self) -> u64 {
        u64::MAX
    }
    fn integrity_limit(&self) -> u64 {
        u64::MAX
    }
}

/// Refuses.
pub(super) struct Worn;

impl PacketKey for Worn {
    fn seal(&self, _: u64, _: &[u8], _: &mut [u8]) -> Option<[u8; TAG_BYTES]> {
        None
    }
    fn open(&self, _: u64, _: &[u8], _: &mut [u8]) -> Option<usize> {
        None
    }
    fn confidentiality_limit(&self) -> u64 {
        0
    }
    fn integrity_limit(&self) -> u64 {
        0
    }
}
