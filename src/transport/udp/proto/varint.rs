//! Integers of one, two, four or eight bytes (RFC 9000 §16), and a reader that cannot run past its end.
//!
//! Reading insists on the shortest form, so that a value has one encoding only.

use super::Violation;

/// The largest value: two of the 64 bits say how many bytes follow.
pub(crate) const MAX_VARINT: u64 = (1 << 62) - 1;

/// Bytes that are not what this protocol writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.text())]
pub enum Malformed {
    /// The bytes end before what they announce.
    Truncated,
    /// An integer in more bytes than it needs, or a packet length in another form than two bytes.
    NotMinimal,
    /// The bit that every packet has set is clear.
    FixedBit,
    /// A long packet of a type that the version does not have.
    PacketType,
    /// A long packet too short to have a sample for its header's mask.
    NoSample,
    /// A token of no bytes, or of more than a token may have.
    Token,
    /// A list of versions that is empty or ends within one.
    Versions,
    /// A frame of a type that this version does not have and may not skip.
    FrameType,
    /// An acknowledgement of numbers below zero.
    AckRange,
    /// A class that does not exist.
    Class,
    /// A yes or no that is neither.
    Flag,
    /// A text longer than a text may be.
    Text,
    /// Data beyond the end of what it belongs to.
    PastEnd,
    /// A connection id that retires itself.
    Retired,
}

impl Malformed {
    /// What is wrong, for the log and the peer.
    pub(crate) const fn text(self) -> &'static str {
        match self {
            Self::Truncated => "the bytes end too early",
            Self::NotMinimal => "an integer is not in its shortest form",
            Self::FixedBit => "the fixed bit is clear",
            Self::PacketType => "a packet of unknown type",
            Self::NoSample => "a packet too short to be unmasked",
            Self::Token => "a token of a wrong length",
            Self::Versions => "a broken list of versions",
            Self::FrameType => "a frame of unknown type",
            Self::AckRange => "an acknowledgement of numbers below zero",
            Self::Class => "an unknown class",
            Self::Flag => "a flag that is neither 0 nor 1",
            Self::Text => "a text that is too long",
            Self::PastEnd => "data beyond the end",
            Self::Retired => "a connection id that retires itself",
        }
    }
}

impl From<Malformed> for Violation {
    fn from(malformed: Malformed) -> Self {
        Self(malformed.text())
    }
}

/// Bytes that `value` takes: 1, 2, 4 or 8. A value above [`MAX_VARINT`] counts 8.
pub(crate) const fn varint_len(value: u64) -> usize {
    match value {
        0..=0x3f => 1,
        0x40..=0x3fff => 2,
        0x4000..=0x3fff_ffff => 4,
        _ => 8,
    }
}

/// Appends `value` in its shortest form. What is above [`MAX_VARINT`] is written as that.
pub(crate) fn put_varint(value: u64, out: &mut Vec<u8>) {
    let value = value.min(MAX_VARINT);
    match varint_len(value) {
        1 => out.push(value as u8),
        2 => out.extend_from_slice(&(value as u16 | 0x4000).to_be_bytes()),
        4 => out.extend_from_slice(&(value as u32 | 0x8000_0000).to_be_bytes()),
        _ => out.extend_from_slice(&(value | 0xc000_0000_0000_0000).to_be_bytes()),
    }
}

/// Takes bytes apart from the front. After an error it stands anywhere and is of no further use.
#[derive(Clone, Debug)]
pub(crate) struct Reader<'a> {
    bytes: &'a [u8],
}

impl<'a> Reader<'a> {
    /// A reader of all of `bytes`.
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes }
    }

    /// Whether nothing is left.
    pub(crate) const fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Bytes that are left.
    pub(crate) const fn remaining(&self) -> usize {
        self.bytes.len()
    }

    /// Everything that is left.
    pub(crate) const fn rest(&mut self) -> &'a [u8] {
        let rest = self.bytes;
        self.bytes = &[];
        rest
    }

    /// Moves on to the first byte that is not 0.
    pub(crate) fn skip_zeros(&mut self) {
        while let Some((0, rest)) = self.bytes.split_first() {
            self.bytes = rest;
        }
    }

    /// The next `n` bytes.
    ///
    /// # Errors
    /// [`Malformed::Truncated`] if there are fewer.
    pub(crate) fn bytes(&mut self, n: usize) -> Result<&'a [u8], Malformed> {
        let (bytes, rest) = self.bytes.split_at_checked(n).ok_or(Malformed::Truncated)?;
        self.bytes = rest;
        Ok(bytes)
    }

    /// The next `N` bytes.
    ///
    /// # Errors
    /// [`Malformed::Truncated`] if there are fewer.
    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let (bytes, rest) = self.bytes.split_first_chunk().ok_or(Malformed::Truncated)?;
        self.bytes = rest;
        Ok(*bytes)
    }

    /// One byte.
    ///
    /// # Errors
    /// [`Malformed::Truncated`] if there is none.
    pub(crate) fn u8(&mut self) -> Result<u8, Malformed> {
        self.array().map(u8::from_be_bytes)
    }

    /// Two bytes, the highest first.
    ///
    /// # Errors
    /// [`Malformed::Truncated`] if there are fewer.
    pub(crate) fn u16(&mut self) -> Result<u16, Malformed> {
        self.array().map(u16::from_be_bytes)
    }

    /// Four bytes, the highest first.
    ///
    /// # Errors
    /// [`Malformed::Truncated`] if there are fewer.
    pub(crate) fn u32(&mut self) -> Result<u32, Malformed> {
        self.array().map(u32::from_be_bytes)
    }

    /// An integer of one, two, four or eight bytes.
    ///
    /// # Errors
    /// [`Malformed::Truncated`] if the bytes end within it, [`Malformed::NotMinimal`] if fewer bytes could
    /// have said it.
    pub(crate) fn varint(&mut self) -> Result<u64, Malformed> {
        let len = 1 << (self.bytes.first().ok_or(Malformed::Truncated)? >> 6);
        let bytes = self.bytes(len)?;
        let tagged = bytes.iter().fold(0, |value, byte| value << 8 | u64::from(*byte));
        let value = tagged & (MAX_VARINT >> (8 * (8 - len)));
        if varint_len(value) == len { Ok(value) } else { Err(Malformed::NotMinimal) }
    }

    /// A length as an integer, and that many bytes.
    ///
    /// # Errors
    /// As [`varint`](Self::varint); [`Malformed::Truncated`] if there are fewer bytes than the length says.
    pub(crate) fn prefixed(&mut self) -> Result<&'a [u8], Malformed> {
        let len = usize::try_from(self.varint()?).map_err(|_| Malformed::Truncated)?;
        self.bytes(len)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn encode(value: u64) -> Vec<u8> {
        let mut out = Vec::new();
        put_varint(value, &mut out);
        out
    }

    fn decode(bytes: &[u8]) -> Result<u64, Malformed> {
        Reader::new(bytes).varint()
    }

    #[test]
    fn the_examples_of_the_rfc() {
        // RFC 9000 §A.1
        for (value, bytes) in [
            (151_288_809_941_952_652, &[0xc2, 0x19, 0x7c, 0x5e, 0xff, 0x14, 0xe8, 0x8c][..]),
            (494_878_333, &[0x9d, 0x7f, 0x3e, 0x7d]),
            (15_293, &[0x7b, 0xbd]),
            (37, &[0x25]),
        ] {
            assert_eq!(encode(value), bytes);
            assert_eq!(decode(bytes), Ok(value));
        }
    }

    #[test]
    fn every_length_at_its_bounds() {
        for (value, len) in [
            (0, 1),
            (0x3f, 1),
            (0x40, 2),
            (0x3fff, 2),
            (0x4000, 4),
            (0x3fff_ffff, 4),
            (0x4000_0000, 8),
            (MAX_VARINT, 8),
        ] {
            assert_eq!(varint_len(value), len);
            assert_eq!(encode(value).len(), len);
            assert_eq!(decode(&encode(value)), Ok(value));
        }
    }

    #[test]
    fn too_large_a_value_is_written_as_the_largest() {
        assert_eq!(encode(u64::MAX), [0xff; 8]);
        assert_eq!(varint_len(u64::MAX), 8);
    }

    #[test]
    fn longer_forms_than_needed_are_malformed() {
        for bytes in [
            &[0x40, 0x25][..],
            &[0x40, 0x3f],
            &[0x80, 0, 0, 0x25],
            &[0x80, 0, 0x3f, 0xff],
            &[0xc0, 0, 0, 0, 0, 0, 0, 0],
            &[0xc0, 0, 0, 0, 0x3f, 0xff, 0xff, 0xff],
        ] {
            assert_eq!(decode(bytes), Err(Malformed::NotMinimal), "{bytes:x?}");
        }
    }

    #[test]
    fn nothing_is_read_past_the_end() {
        let mut reader = Reader::new(&[2, 7]);
        assert_eq!(reader.prefixed(), Err(Malformed::Truncated));
        assert_eq!(Reader::new(&encode(MAX_VARINT)).prefixed(), Err(Malformed::Truncated));
        assert_eq!(Reader::new(&[1]).u16(), Err(Malformed::Truncated));
        assert_eq!(Reader::new(&[1, 2, 3]).u32(), Err(Malformed::Truncated));
        assert_eq!(Reader::new(&[]).u8(), Err(Malformed::Truncated));
        assert_eq!(Reader::new(&[1, 2]).bytes(usize::MAX), Err(Malformed::Truncated));
    }

    #[test]
    fn reading_goes_on_where_it_stopped() {
        let mut reader = Reader::new(&[1, 0, 2, 0, 0, 0, 3, 1, 9, 8, 7]);
        assert_eq!((reader.u8(), reader.u16(), reader.u32()), (Ok(1), Ok(2), Ok(3)));
        assert_eq!(reader.prefixed(), Ok(&[9][..]));
        assert_eq!(reader.remaining(), 2);
        assert_eq!(reader.rest(), [8, 7]);
        assert!(reader.is_empty());
    }

    #[test]
    fn the_words_are_the_same_for_the_log_and_the_peer() {
        assert_eq!(Malformed::Truncated.to_string(), Violation::from(Malformed::Truncated).0);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(value in 0..=MAX_VARINT, shift in 0..62_u32) {
            let value = value >> shift;
            let bytes = encode(value);
            prop_assert_eq!(bytes.len(), varint_len(value));
            prop_assert_eq!(decode(&bytes), Ok(value));
            for cut in 0..bytes.len() {
                prop_assert_eq!(decode(&bytes[..cut]), Err(Malformed::Truncated));
            }
        }

        #[test]
        fn what_is_read_has_one_encoding(bytes: [u8; 8]) {
            if let Ok(value) = decode(&bytes) {
                let again = encode(value);
                prop_assert_eq!(&bytes[..again.len()], again);
            }
        }
    }
}
