use proptest::{collection::vec, prelude::*};

use super::*;
use crate::transport::udp::proto::{
    seal::{HeaderKey, PacketKey, SAMPLE_BYTES},
    varint::Malformed,
};

mod keys;

use keys::{Clear, Fake, TAG, Worn};

const DST: ConnectionId = ConnectionId::new([0xd0, 0xd1, 0xd2, 0xd3, 0xd4, 0xd5, 0xd6, 0xd7]);
const SRC: ConnectionId = ConnectionId::new([0x50, 0x51, 0x52, 0x53, 0x54, 0x55, 0x56, 0x57]);

fn initial(
    token: &[u8],
    pn: u64,
    acked: Option<u64>,
    payload: &[u8],
    keys: &(impl HeaderKey + PacketKey),
) -> Vec<u8> {
    let mut out = Vec::new();
    let unsealed = write_initial(&mut out, VERSION, DST, SRC, token, pn, acked);
    out.extend_from_slice(payload);
    assert!(unsealed.seal(&mut out, keys, keys));
    out
}

fn handshake(pn: u64, payload: &[u8], keys: &(impl HeaderKey + PacketKey)) -> Vec<u8> {
    let mut out = Vec::new();
    let unsealed = write_handshake(&mut out, VERSION, DST, SRC, pn, None);
    out.extend_from_slice(payload);
    assert!(unsealed.seal(&mut out, keys, keys));
    out
}

fn short(
    key_phase: bool,
    pn: u64,
    acked: Option<u64>,
    payload: &[u8],
    keys: &(impl HeaderKey + PacketKey),
) -> Vec<u8> {
    let mut out = Vec::new();
    let unsealed = write_short(&mut out, DST, key_phase, pn, acked);
    out.extend_from_slice(payload);
    assert!(unsealed.seal(&mut out, keys, keys));
    out
}

fn retry(token: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    write_retry(&mut out, VERSION, DST, SRC, token, |_| TAG);
    out
}

fn version_negotiation() -> Vec<u8> {
    let mut out = Vec::new();
    write_version_negotiation(&mut out, DST, SRC, &[VERSION, VERSION_PLAIN], 0x15);
    out
}

/// Unmasks and opens the first packet of a datagram.
fn open(
    datagram: &mut [u8],
    expected: u64,
    keys: &(impl HeaderKey + PacketKey),
) -> Option<(Unmasked, Vec<u8>)> {
    let (Outer::Initial { pn_at, end, .. }
    | Outer::Handshake { pn_at, end, .. }
    | Outer::Short { pn_at, end, .. }) = read_outer(datagram).ok()?
    else {
        return None;
    };
    let packet = &mut datagram[..end];
    let unmasked = unmask(packet, pn_at, keys, expected)?;
    let (header, payload) = packet.split_at_mut(unmasked.payload_at);
    let len = keys.open(unmasked.pn, header, payload)?;
    Some((unmasked, payload[..len].to_vec()))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

const IDS: &str = "d0d1d2d3d4d5d6d75051525354555657";
const TAG_HEX: &str = "eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee";

#[test]
fn the_bytes_of_an_initial_packet() {
    let bytes = initial(&[0xab, 0xcd], 0x1234, Some(0x1200), &[1, 2, 3, 4], &Clear);
    assert_eq!(hex(&bytes), format!("c152445401{IDS}02abcd4016123401020304{TAG_HEX}"));
    let outer =
        Outer::Initial { version: VERSION, dst: DST, src: SRC, token: &[0xab, 0xcd], pn_at: 26, end: 48 };
    assert_eq!(read_outer(&bytes), Ok(outer));
}

#[test]
fn the_bytes_of_a_handshake_packet() {
    let bytes = handshake(0x1234, &[1, 2], &Clear);
    assert_eq!(hex(&bytes), format!("e152445401{IDS}401412340102{TAG_HEX}"));
    let outer = Outer::Handshake { version: VERSION, dst: DST, src: SRC, pn_at: 23, end: 43 };
    assert_eq!(read_outer(&bytes), Ok(outer));
}

#[test]
fn the_bytes_of_a_short_packet() {
    let bytes = short(true, 0xac_5c02, Some(0xab_e8b3), &[1, 2, 3], &Clear);
    assert_eq!(hex(&bytes), format!("51d0d1d2d3d4d5d6d75c02010203{TAG_HEX}"));
    assert_eq!(read_outer(&bytes), Ok(Outer::Short { dst: DST, pn_at: 9, end: 30 }));
    assert_eq!(bytes.len(), short_overhead(2) + 3);
}

#[test]
fn the_bytes_of_a_retry() {
    let mut bytes = Vec::new();
    write_retry(&mut bytes, VERSION_PLAIN, DST, SRC, &[7, 8, 9], |before| {
        assert_eq!(hex(before), format!("d052445481{IDS}070809"));
        TAG
    });
    assert_eq!(hex(&bytes), format!("d052445481{IDS}070809{TAG_HEX}"));
    let outer = Outer::Retry { version: VERSION_PLAIN, dst: DST, src: SRC, token: &[7, 8, 9], tag: TAG };
    assert_eq!(read_outer(&bytes), Ok(outer));
}

#[test]
fn the_bytes_of_a_version_negotiation() {
    let bytes = version_negotiation();
    assert_eq!(hex(&bytes), format!("d500000000{IDS}5244540152445481"));
    let versions = &[0x52, 0x44, 0x54, 0x01, 0x52, 0x44, 0x54, 0x81];
    assert_eq!(read_outer(&bytes), Ok(Outer::VersionNegotiation { dst: DST, src: SRC, versions }));
}

#[test]
fn of_another_version_the_ids_are_known_and_nothing_else() {
    let mut bytes = initial(&[], 0, None, &[1], &Clear);
    bytes[1..5].copy_from_slice(&[0x52, 0x44, 0x54, 0x02]);
    let outer = Outer::UnknownVersion { version: 0x5244_5402, dst: DST, src: SRC };
    assert_eq!(read_outer(&bytes), Ok(outer));
    assert_eq!(read_outer(&bytes[..21]), Ok(outer));
    assert_eq!(read_outer(&bytes[..20]), Err(Malformed::Truncated));
}

#[test]
fn what_is_no_packet_is_refused() {
    let good = initial(&[], 0, None, &[1, 2, 3], &Clear);
    let with = |at: usize, byte: u8| {
        let mut bytes = good.clone();
        bytes[at] = byte;
        bytes
    };
    for (bytes, malformed) in [
        (with(0, 0x80), Malformed::FixedBit),
        (with(0, 0x00), Malformed::FixedBit),
        (with(0, 0xf0), Malformed::PacketType),
        (with(21, 0x3f), Malformed::Truncated),
        (with(22, 0x00), Malformed::NotMinimal),
        (with(22, 0x80), Malformed::NotMinimal),
        (with(23, 0x16), Malformed::Truncated),
        (with(23, 0x13), Malformed::NoSample),
        (retry(&[]), Malformed::Token),
        (retry(&[0; 65]), Malformed::Token),
        (initial(&[0; 65], 0, None, &[], &Clear), Malformed::Token),
        (version_negotiation()[..21].to_vec(), Malformed::Versions),
        (version_negotiation()[..28].to_vec(), Malformed::Versions),
        (short(false, 0, None, &[], &Clear)[..28].to_vec(), Malformed::NoSample),
    ] {
        assert_eq!(read_outer(&bytes), Err(malformed), "{}", hex(&bytes));
    }
    assert!(read_outer(&retry(&[0; 64])).is_ok());
}

#[test]
fn coalesced_packets_are_found_one_after_the_other() {
    let mut datagram = initial(&[9], 0, None, &[1; 5], &Fake);
    datagram.extend(handshake(3, &[2; 6], &Fake));
    datagram.extend(short(false, 7, None, &[3; 7], &Fake));
    let mut rest = &mut datagram[..];
    for payload in [&[1; 5][..], &[2; 6], &[3; 7]] {
        let end = match read_outer(rest).unwrap() {
            Outer::Initial { end, .. } | Outer::Handshake { end, .. } | Outer::Short { end, .. } => end,
            outer => panic!("{outer:?}"),
        };
        assert_eq!(open(rest, 0, &Fake).unwrap().1, payload);
        rest = &mut rest[end..];
    }
    assert!(rest.is_empty());
}

#[test]
fn padding_goes_before_the_frames() {
    let bytes = short(false, 0, None, &[7], &Clear);
    assert_eq!(bytes.len(), MIN_SEALED_BYTES);
    assert_eq!(bytes[9..14], [0, 0, 0, 0, 7]);

    let mut out = vec![0xff; 3];
    let unsealed = write_initial(&mut out, VERSION, DST, SRC, &[], 0, None);
    out.extend_from_slice(&[7, 8]);
    unsealed.pad_to(&mut out, MIN_INITIAL_BYTES);
    assert_eq!(unsealed.sealed_len(&out), MIN_INITIAL_BYTES);
    assert!(unsealed.seal(&mut out, &Fake, &Fake));
    assert_eq!(out.len(), 3 + MIN_INITIAL_BYTES);
    let (unmasked, payload) = open(&mut out[3..], 0, &Fake).unwrap();
    assert_eq!((unmasked.pn, unmasked.payload_at), (0, 26));
    assert!(payload.ends_with(&[0, 0, 7, 8]));
}

#[test]
fn what_cannot_be_sealed_leaves_nothing_behind() {
    let mut out = vec![1, 2, 3];
    let unsealed = write_short(&mut out, DST, false, 0, None);
    out.push(1);
    assert!(!unsealed.seal(&mut out, &Clear, &Worn));
    assert_eq!(out, [1, 2, 3]);

    let unsealed = write_handshake(&mut out, VERSION, DST, SRC, 0, None);
    out.resize(1 << 15, 1);
    assert!(!unsealed.seal(&mut out, &Clear, &Clear));
    assert_eq!(out, [1, 2, 3]);
}

#[test]
fn reserved_bits_are_reported() {
    for (mut bytes, bits) in [
        (short(true, 5, None, &[1; 9], &Clear), SHORT_RESERVED),
        (handshake(5, &[1; 9], &Clear), LONG_RESERVED),
    ] {
        let first = bytes[0];
        assert!(!open(&mut bytes, 0, &Clear).unwrap().0.reserved);
        for bit in (0..8).map(|bit| 1 << bit).filter(|bit| bits & bit != 0) {
            bytes[0] = first | bit;
            assert!(open(&mut bytes, 0, &Clear).unwrap().0.reserved);
        }
    }
}

#[test]
fn every_truncation_and_every_flipped_bit_is_noticed() {
    let sealed = [
        initial(&[1, 2], 300, None, &[1; 20], &Fake),
        handshake(1, &[2; 20], &Fake),
        short(true, 70_000, None, &[3; 20], &Fake),
    ];
    for bytes in sealed {
        assert!(open(&mut bytes.clone(), 0, &Fake).is_some());
        for len in 0..bytes.len() {
            assert_eq!(open(&mut bytes[..len].to_vec(), 0, &Fake), None, "{len}");
        }
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(open(&mut flipped, 0, &Fake), None, "bit {bit}");
        }
    }
    for bytes in [retry(&[7; 29]), version_negotiation()] {
        for len in 0..bytes.len() {
            let _ = read_outer(&bytes[..len]);
        }
        assert!(read_outer(&bytes[..21]).is_err());
    }
}

#[test]
fn unmasking_outside_of_the_packet_is_refused() {
    let mut bytes = short(false, 0, None, &[1; 9], &Fake);
    let before = bytes.clone();
    for pn_at in [0, bytes.len() - 19, bytes.len(), usize::MAX - 3, usize::MAX] {
        assert_eq!(unmask(&mut bytes, pn_at, &Fake, 0), None);
    }
    assert_eq!(bytes, before);
}

proptest! {
    #[test]
    fn what_is_sealed_is_opened(
        form in 0..3_u8,
        key_phase: bool,
        token in vec(any::<u8>(), 0..=MAX_TOKEN_BYTES),
        acked in 0..1_u64 << 61,
        ahead in 1..1_u64 << 31,
        shift in 0..31_u32,
        payload in vec(any::<u8>(), 1..1500),
    ) {
        let pn = acked + (ahead >> shift).max(1);
        let mut out = Vec::new();
        let unsealed = match form {
            0 => write_initial(&mut out, VERSION, DST, SRC, &token, pn, Some(acked)),
            1 => write_handshake(&mut out, VERSION_PLAIN, DST, SRC, pn, Some(acked)),
            _ => write_short(&mut out, DST, key_phase, pn, Some(acked)),
        };
        let header_len = out.len();
        out.extend_from_slice(&payload);
        let sealed_len = unsealed.sealed_len(&out).max(MIN_SEALED_BYTES);
        prop_assert!(unsealed.seal(&mut out, &Fake, &Fake));
        prop_assert!((sealed_len..sealed_len + 4).contains(&out.len()));
        let (unmasked, opened) = open(&mut out, acked + 1, &Fake).unwrap();
        let key_phase = form == 2 && key_phase;
        prop_assert_eq!(unmasked, Unmasked { pn, payload_at: header_len, key_phase, reserved: false });
        let padding = opened.len() - payload.len();
        prop_assert!(opened[..padding].iter().all(|byte| *byte == 0));
        prop_assert_eq!(&opened[padding..], payload);
    }

    #[test]
    fn random_bytes_are_read_without_a_panic(
        mut bytes in vec(any::<u8>(), 0..200),
        version in prop::option::of(prop::sample::select(vec![VERSION, VERSION_PLAIN, 0])),
        pn_at: usize,
        expected: u64,
    ) {
        if let (Some(version), Some(field)) = (version, bytes.get_mut(1..5)) {
            field.copy_from_slice(&version.to_be_bytes());
        }
        if let Ok(Outer::Initial { pn_at, end, .. } | Outer::Handshake { pn_at, end, .. } | Outer::Short { pn_at, end, .. }) = read_outer(&bytes) {
            prop_assert!(pn_at + 4 + SAMPLE_BYTES <= end && end <= bytes.len());
        }
        let _ = open(&mut bytes, expected, &Fake);
        let _ = unmask(&mut bytes, pn_at % 256, &Fake, expected);
    }
}
