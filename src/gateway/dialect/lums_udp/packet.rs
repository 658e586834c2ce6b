//! A packet: `<type>|<seq>|<data>|<checksum>`, the checksum over everything before it.

use std::fmt::Write;

use bytes::{BufMut, Bytes, BytesMut};

/// What a packet is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Start,
    Data,
    End,
    Ack,
}

impl Kind {
    const ALL: [Self; 4] = [Self::Start, Self::Data, Self::End, Self::Ack];

    const fn name(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Data => "data",
            Self::End => "end",
            Self::Ack => "ack",
        }
    }
}

/// A packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Packet {
    pub(super) kind: Kind,
    /// Of an ACK: the number that is expected next.
    pub(super) seq: u64,
    /// A message or a part of one; of others than DATA empty.
    pub(super) data: Bytes,
}

/// Why a datagram is no packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum BadPacket {
    #[error("a packet has four fields, with `|` between them")]
    Fields,
    #[error("a packet is `start`, `data`, `end` or `ack`")]
    Type,
    #[error("the sequence number is a number from 0 to 2^64 - 1")]
    Seq,
    #[error("the checksum is not that of the packet")]
    Checksum,
}

impl Packet {
    /// A packet without data.
    pub(super) const fn bare(kind: Kind, seq: u64) -> Self {
        Self { kind, seq, data: Bytes::new() }
    }

    pub(super) const fn data(seq: u64, data: Bytes) -> Self {
        Self { kind: Kind::Data, seq, data }
    }

    pub(super) fn to_bytes(&self) -> Bytes {
        let head = format!("{}|{}|", self.kind.name(), self.seq);
        let mut bytes =
            BytesMut::with_capacity(head.len().saturating_add(self.data.len()).saturating_add(12));
        bytes.put_slice(head.as_bytes());
        bytes.put_slice(&self.data);
        bytes.put_u8(b'|');
        let checksum = crc32fast::hash(&bytes);
        // Writing to memory does not fail.
        let _ = write!(bytes, "{checksum}");
        bytes.freeze()
    }

    /// # Errors
    /// The first rule that the datagram breaks; nothing of it can be believed then.
    pub(super) fn parse(bytes: &Bytes) -> Result<Self, BadPacket> {
        let (covered, checksum) = split_last(bytes).ok_or(BadPacket::Fields)?;
        let checksum: Option<u32> = number(checksum);
        if checksum != Some(crc32fast::hash(covered)) {
            return Err(BadPacket::Checksum);
        }
        let mut fields = covered.splitn(3, |byte| *byte == b'|');
        let (Some(kind), Some(seq), Some(data)) = (fields.next(), fields.next(), fields.next()) else {
            return Err(BadPacket::Fields);
        };
        let kind = Kind::ALL.into_iter().find(|known| known.name().as_bytes() == kind);
        let kind = kind.ok_or(BadPacket::Type)?;
        let seq = number(seq).ok_or(BadPacket::Seq)?;
        // Without the `|` before the checksum.
        let data = data.strip_suffix(b"|").ok_or(BadPacket::Fields)?;
        Ok(Self { kind, seq, data: bytes.slice_ref(data) })
    }
}

/// Everything up to the last `|`, that one included, and what is behind it.
fn split_last(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = bytes.iter().rposition(|byte| *byte == b'|')?;
    bytes.split_at_checked(end.saturating_add(1))
}

fn number<N: std::str::FromStr>(digits: &[u8]) -> Option<N> {
    let is_number = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    is_number.then(|| std::str::from_utf8(digits).ok()?.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<Packet, BadPacket> {
        Packet::parse(&Bytes::copy_from_slice(text.as_bytes()))
    }

    #[test]
    fn is_every_packet_of_the_assignment_written_and_read() {
        let data = |data: &'static str| Packet::data(0, Bytes::from_static(data.as_bytes()));
        let start = |seq| Packet::bare(Kind::Start, seq);
        let ack = |seq| Packet::bare(Kind::Ack, seq);
        let text = Bytes::from_static(b"send_message 16 1 client2 hello!");
        for (packet, bytes) in [
            (data("join 7 client1"), "data|0|join 7 client1|2705805698"),
            (data("request_users_list 0"), "data|0|request_users_list 0|4208477517"),
            (
                data("response_users_list 17 2 client1 client2"),
                "data|0|response_users_list 17 2 client1 client2|3324226673",
            ),
            (data("disconnect 7 client1"), "data|0|disconnect 7 client1|3278956220"),
            (data("send_message 16 1 client2 hello!"), "data|0|send_message 16 1 client2 hello!|1732591899"),
            (
                data("forward_message 16 1 client1 hello!"),
                "data|0|forward_message 16 1 client1 hello!|620367528",
            ),
            (data("err_server_full 0"), "data|0|err_server_full 0|1100590064"),
            (data("err_unknown_message 0"), "data|0|err_unknown_message 0|2256209436"),
            (data("err_username_unavailable 0"), "data|0|err_username_unavailable 0|949543564"),
            (start(9_491_162), "start|9491162||1337246820"),
            (ack(9_491_163), "ack|9491163||3632330275"),
            (Packet::data(9_491_163, text), "data|9491163|send_message 16 1 client2 hello!|1234362827"),
            (ack(9_491_164), "ack|9491164||3721388198"),
            (Packet::bare(Kind::End, 9_491_164), "end|9491164||270630680"),
            (ack(9_491_165), "ack|9491165||3691874961"),
        ] {
            assert_eq!(packet.to_bytes(), bytes);
            assert_eq!(parsed(bytes), Ok(packet));
        }
    }

    #[test]
    fn may_data_hold_the_bar_between_fields_and_bytes_that_are_no_text() {
        for data in [&b"a|b||"[..], b"|", b"", b"\xff\x00|\n"] {
            let packet = Packet::data(u64::MAX, Bytes::copy_from_slice(data));
            assert_eq!(Packet::parse(&packet.to_bytes()), Ok(packet));
        }
    }

    #[test]
    fn is_every_flipped_bit_noticed() {
        let good = Packet::data(7, Bytes::from_static(b"join 7 client1")).to_bytes();
        for bit in 0..good.len() * 8 {
            let mut bad = good.to_vec();
            bad[bit / 8] ^= 1 << (bit % 8);
            assert!(Packet::parse(&Bytes::from(bad)).is_err(), "bit {bit}");
        }
    }

    #[test]
    fn is_what_is_no_packet_refused_by_the_rule_it_breaks() {
        let summed = |text: &str| format!("{text}{}", crc32fast::hash(text.as_bytes()));
        assert_eq!(parsed(""), Err(BadPacket::Fields));
        assert_eq!(parsed("hello"), Err(BadPacket::Fields));
        assert_eq!(parsed("data|0|x|1"), Err(BadPacket::Checksum));
        assert_eq!(parsed("data|0|x|"), Err(BadPacket::Checksum));
        assert_eq!(parsed(&summed("data|0|")), Err(BadPacket::Fields));
        assert_eq!(parsed(&summed("data|")), Err(BadPacket::Fields));
        assert_eq!(parsed(&summed("date|0|x|")), Err(BadPacket::Type));
        assert_eq!(parsed(&summed("data|-1|x|")), Err(BadPacket::Seq));
        assert_eq!(parsed(&summed("data||x|")), Err(BadPacket::Seq));
        assert_eq!(parsed(&summed("data|18446744073709551616|x|")), Err(BadPacket::Seq));
    }
}
