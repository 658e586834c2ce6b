//! Packet numbers are 62 bits long and travel as their low one to four bytes (RFC 9000 §17.1).

use super::{super::PacketNumber, MAX_NUMBER_LEN};
use crate::transport::udp::proto::varint::MAX_VARINT;

/// Bytes of `pn` that have to travel while everything up to `largest_acked` is known to have arrived: the
/// window they span is more than twice what may be missing (RFC 9000 §A.2).
///
/// Four bytes do not span more than 2³¹ numbers; a sender never has as many unacknowledged.
pub(crate) const fn number_len(pn: PacketNumber, largest_acked: Option<PacketNumber>) -> usize {
    let unacked = match largest_acked {
        Some(acked) => pn.saturating_sub(acked),
        None => pn.saturating_add(1),
    };
    match unacked {
        0..=0x7fff => 2,
        0x8000..=0x7f_ffff => 3,
        _ => MAX_NUMBER_LEN,
    }
}

/// The number nearest to `expected`, one more than the largest that arrived, whose low `len` bytes (1 to 4)
/// are `truncated` (RFC 9000 §A.3). `None` if it is above 2⁶² − 1.
pub(crate) fn expand_number(truncated: u32, len: usize, expected: PacketNumber) -> Option<PacketNumber> {
    let window = 1 << (8 * len.clamp(1, MAX_NUMBER_LEN));
    let half = window / 2;
    let expected = expected.min(MAX_VARINT + 1);
    let candidate = (expected & !(window - 1)) | (u64::from(truncated) & (window - 1));
    let nearest = if candidate + half <= expected && candidate + window <= MAX_VARINT {
        candidate + window
    } else if candidate > expected + half && candidate >= window {
        candidate - window
    } else {
        candidate
    };
    (nearest <= MAX_VARINT).then_some(nearest)
}

/// The low `len` bytes of `pn`, as they travel.
pub(super) fn put_number(pn: PacketNumber, len: usize, out: &mut Vec<u8>) {
    let bytes = pn.to_be_bytes();
    out.extend_from_slice(bytes.get(bytes.len().saturating_sub(len)..).unwrap_or_default());
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn over_the_wire(pn: u64, largest_acked: Option<u64>, expected: u64) -> Option<u64> {
        let len = number_len(pn, largest_acked);
        let mut bytes = Vec::new();
        put_number(pn, len, &mut bytes);
        assert_eq!(bytes.len(), len);
        let truncated = bytes.iter().fold(0, |number, byte| number << 8 | u32::from(*byte));
        expand_number(truncated, len, expected)
    }

    #[test]
    fn the_examples_of_the_rfc() {
        // RFC 9000 §A.2 and §A.3
        assert_eq!(number_len(0xac_5c02, Some(0xab_e8b3)), 2);
        assert_eq!(number_len(0xac_e8fe, Some(0xab_e8b3)), 3);
        assert_eq!(expand_number(0x9b32, 2, 0xa82f_30eb), Some(0xa82f_9b32));
    }

    #[test]
    fn the_longer_the_more_is_missing() {
        for (unacked, len) in
            [(1, 2), (0x7fff, 2), (0x8000, 3), (0x7f_ffff, 3), (0x80_0000, 4), (1 << 31, 4), (1 << 40, 4)]
        {
            assert_eq!(number_len(7 + unacked, Some(7)), len);
            assert_eq!(number_len(unacked - 1, None), len);
        }
    }

    #[test]
    fn what_thousands_overtook_is_still_known() {
        for expected in [1, 200, 4096, 32_768] {
            assert_eq!(over_the_wire(1, Some(0), expected), Some(1));
        }
    }

    #[test]
    fn one_byte_is_read_too() {
        assert_eq!(expand_number(0x05, 1, 0x1f0), Some(0x205));
        assert_eq!(expand_number(0xf0, 1, 0x205), Some(0x1f0));
        assert_eq!(expand_number(0xff, 1, 0), Some(0xff));
    }

    #[test]
    fn reordering_across_every_boundary() {
        for boundary in [1 << 8, 1 << 16, 1 << 24, 1 << 32, 1_u64 << 61] {
            for pn in boundary - 100..boundary + 100 {
                for expected in boundary - 100..boundary + 100 {
                    let acked = (boundary - 101).min(expected);
                    assert_eq!(over_the_wire(pn, Some(acked), expected), Some(pn));
                }
            }
        }
    }

    #[test]
    fn numbers_end_below_two_to_the_62() {
        assert_eq!(over_the_wire(MAX_VARINT, Some(MAX_VARINT - 1), MAX_VARINT), Some(MAX_VARINT));
        assert_eq!(over_the_wire(MAX_VARINT - 3, Some(MAX_VARINT - 9), MAX_VARINT + 1), Some(MAX_VARINT - 3));
        for expected in [MAX_VARINT, MAX_VARINT + 1, u64::MAX] {
            for truncated in 0..=255 {
                assert!(expand_number(truncated, 1, expected).is_none_or(|pn| pn <= MAX_VARINT));
            }
        }
        assert_eq!(number_len(u64::MAX, None), 4);
    }

    proptest! {
        #[test]
        fn a_number_survives_its_truncation(
            acked in 0..1_u64 << 61,
            ahead in 1..1_u64 << 31,
            shift in 0..31_u32,
            seen in any::<prop::sample::Index>(),
        ) {
            let ahead = (ahead >> shift).max(1);
            let expected = acked + 1 + seen.index(ahead as usize * 2) as u64;
            prop_assert_eq!(over_the_wire(acked + ahead, Some(acked), expected), Some(acked + ahead));
        }

        #[test]
        fn any_bytes_are_some_number_or_none(truncated: u32, len: usize, expected: u64) {
            if let Some(pn) = expand_number(truncated, len, expected) {
                prop_assert!(pn <= MAX_VARINT);
            }
        }
    }
}
