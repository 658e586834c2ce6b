//! The two packets, and how their bytes lie (UUDP-D1).

use bytes::{BufMut, Bytes, BytesMut};
use data_encoding::HEXLOWER;
use md5::{Digest, Md5};

/// Bytes that one packet carries.
pub(super) const MAX_DATA: usize = 256;

const CHECKSUM: usize = 32;
const DATA_PACKET: usize = 8 + MAX_DATA + CHECKSUM;
const ACK_PACKET: usize = 8 + CHECKSUM;
const ACK_TYPE: u32 = 11;

/// A packet that arrived whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Packet {
    Data { seq: u32, data: Bytes },
    Ack { seq: u32 },
}

/// Not a packet, or one that was damaged on the way. Says which rule it breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum BadPacket {
    #[error("{0} bytes; a data packet has {DATA_PACKET}, an acknowledgement {ACK_PACKET}")]
    Length(usize),
    #[error("the MD5 at its end is not that of the bytes before")]
    Checksum,
    #[error("it says that it holds {0} bytes; {MAX_DATA} fit")]
    Size(u32),
    #[error("an acknowledgement has the type {ACK_TYPE}, not {0}")]
    Type(u32),
}

/// A data packet; of more than [`MAX_DATA`] bytes only the first go.
pub(super) fn data_packet(seq: u32, data: &[u8]) -> Bytes {
    let data = data.get(..MAX_DATA).unwrap_or(data);
    let mut packet = BytesMut::with_capacity(DATA_PACKET);
    packet.put_u32_le(seq);
    packet.put_u32_le(u32::try_from(data.len()).unwrap_or_default());
    packet.put_slice(data);
    packet.put_bytes(0, MAX_DATA.saturating_sub(data.len()));
    sealed(packet)
}

/// An acknowledgement of the data packet with this number.
pub(super) fn ack_packet(seq: u32) -> Bytes {
    let mut packet = BytesMut::with_capacity(ACK_PACKET);
    packet.put_u32_le(ACK_TYPE);
    packet.put_u32_le(seq);
    sealed(packet)
}

fn sealed(mut packet: BytesMut) -> Bytes {
    let sum = checksum(&packet);
    packet.put_slice(sum.as_bytes());
    packet.freeze()
}

fn checksum(bytes: &[u8]) -> String {
    HEXLOWER.encode(&Md5::digest(bytes))
}

/// What a datagram holds.
pub(super) fn parse(datagram: &Bytes) -> Result<Packet, BadPacket> {
    let is_data = match datagram.len() {
        DATA_PACKET => true,
        ACK_PACKET => false,
        other => return Err(BadPacket::Length(other)),
    };
    let (body, sum) = datagram.split_at(datagram.len().saturating_sub(CHECKSUM));
    if checksum(body).as_bytes() != sum {
        return Err(BadPacket::Checksum);
    }
    let (first, second) = (number(body, 0), number(body, 4));
    if !is_data {
        return if first == ACK_TYPE { Ok(Packet::Ack { seq: second }) } else { Err(BadPacket::Type(first)) };
    }
    let size = usize::try_from(second).unwrap_or(usize::MAX);
    let data = body.get(8..).and_then(|data| data.get(..size)).ok_or(BadPacket::Size(second))?;
    Ok(Packet::Data { seq: first, data: datagram.slice_ref(data) })
}

fn number(bytes: &[u8], at: usize) -> u32 {
    let four = bytes.get(at..).and_then(|rest| rest.first_chunk());
    four.map_or(0, |four| u32::from_le_bytes(*four))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sum(packet: &[u8]) -> &str {
        std::str::from_utf8(&packet[packet.len() - 32..]).unwrap()
    }

    #[test]
    fn are_data_packets_those_of_the_assignment_d1() {
        let [zero, one] = [0, 1].map(|seq| data_packet(seq, b"@alice: hi\n"));
        assert_eq!((zero.len(), sum(&zero)), (296, "25b40f4c38c8d6e33a87991c94f106db"));
        assert_eq!((one.len(), sum(&one)), (296, "2b3aabe797c17ed520b41c350ac9ab82"));
        assert_eq!(zero[..12], [0, 0, 0, 0, 0x0b, 0, 0, 0, 0x40, 0x61, 0x6c, 0x69]);
        assert!(zero[19..264].iter().all(|byte| *byte == 0));
        let data = Bytes::from_static(b"@alice: hi\n");
        assert_eq!(parse(&zero), Ok(Packet::Data { seq: 0, data: data.clone() }));
        assert_eq!(parse(&one), Ok(Packet::Data { seq: 1, data }));
    }

    #[test]
    fn are_acknowledgements_those_of_the_assignment_d1() {
        let [zero, one] = [0, 1].map(ack_packet);
        assert_eq!(zero[..8], [0x0b, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!((zero.len(), sum(&zero)), (40, "9e4a85729f78b2975359db968fd85c01"));
        assert_eq!((one.len(), sum(&one)), (40, "a4a773348b62f2a9bdf90ababb08a05e"));
        assert_eq!([parse(&zero), parse(&one)], [0, 1].map(|seq| Ok(Packet::Ack { seq })));
    }

    #[test]
    fn is_a_packet_full_at_256_bytes() {
        for len in [0, 1, 255, 256] {
            let data = vec![7; len];
            assert_eq!(parse(&data_packet(1, &data)), Ok(Packet::Data { seq: 1, data: data.into() }));
        }
        assert_eq!(data_packet(0, &[7; 257]), data_packet(0, &[7; 256]));
    }

    #[test]
    fn what_is_said_of_what_is_no_packet() {
        assert_eq!(parse(&Bytes::new()), Err(BadPacket::Length(0)));
        assert_eq!(parse(&Bytes::from(vec![0; 297])), Err(BadPacket::Length(297)));
        let mut big = BytesMut::new();
        big.put_u32_le(0);
        big.put_u32_le(257);
        big.put_bytes(0, MAX_DATA);
        assert_eq!(parse(&sealed(big)), Err(BadPacket::Size(257)));
        let mut other = BytesMut::new();
        other.put_u32_le(12);
        other.put_u32_le(0);
        assert_eq!(parse(&sealed(other)), Err(BadPacket::Type(12)));
        assert_eq!(BadPacket::Length(3).to_string(), "3 bytes; a data packet has 296, an acknowledgement 40");
    }

    proptest! {
        #[test]
        fn is_every_flipped_bit_noticed(seq in 0..2_u32, data in prop::collection::vec(any::<u8>(), 0..=MAX_DATA), bit in 0..296 * 8_usize) {
            let mut packet = data_packet(seq, &data).to_vec();
            packet[bit / 8] ^= 1 << (bit % 8);
            prop_assert_eq!(parse(&packet.into()), Err(BadPacket::Checksum));
        }

        #[test]
        fn does_any_datagram_parse_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
            let _ = parse(&bytes.into());
        }
    }
}
