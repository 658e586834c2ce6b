//! Where one message ends in a stream of bytes. Pure: bytes in, units out, at any split.
//!
//! A unit starts with a big-endian `u32`. Up to [`MAX_MESSAGE_BYTES`] it is the length of a message.
//! With the high bit set it is a control unit: 7 bits of kind, 24 bits of length. Every other value is
//! refused before anything is allocated, which is what happens to HTTP and TLS that got lost here.

use bytes::Bytes;

use super::{MAX_CLOSE_TEXT, MAX_MESSAGE_BYTES};

/// Bytes before every message and control unit.
pub const HEADER_BYTES: usize = 4;

/// The longest body of a control unit: a close code and its text.
pub const MAX_CONTROL_BYTES: usize = 1 + MAX_CLOSE_TEXT;

/// Bytes reserved for a message whose length is announced but not yet here.
const FIRST_RESERVE: usize = 4 << 10;

const CONTROL_BIT: u32 = 1 << 31;
const KIND_SHIFT: u32 = 24;
const KIND_MASK: u32 = 0x7f;
const CONTROL_LENGTH_MASK: u32 = 0x00ff_ffff;

const CLOSE: u8 = 1;
const CONSUMED: u8 = 2;
const CONSUMING: u8 = 3;

/// One thing out of the stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unit {
    /// A message of the application.
    Message(Bytes),
    /// A word between the two links.
    Control(Control),
}

/// What two links tell each other about the link itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Control {
    /// The sender's last unit but for counts: no message follows.
    Close {
        /// Why, see [`CloseCode`](super::CloseCode).
        code: u8,
        /// In words, at most [`MAX_CLOSE_TEXT`] bytes; the rest is cut when encoding.
        text: String,
    },
    /// The application took this many messages and takes no more, because they were all or because it
    /// left. Sent once.
    Consumed {
        /// Messages since the link came up.
        messages: u64,
    },
    /// The application took this many messages so far: a sign of life for one who closes behind a
    /// long queue.
    Consuming {
        /// Messages since the link came up.
        messages: u64,
    },
}

/// Bytes that are not this framing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FramingError {
    /// A length above [`MAX_MESSAGE_BYTES`], or something else entirely.
    #[error("a message of {len} bytes was announced")]
    TooLong {
        /// Bytes announced.
        len: u32,
    },
    /// A kind of control unit that this version does not know.
    #[error("a control unit of unknown kind {kind}")]
    UnknownControl {
        /// The kind.
        kind: u8,
    },
    /// A control unit whose length its kind does not allow.
    #[error("a control unit of kind {kind} with {len} bytes")]
    ControlLength {
        /// The kind.
        kind: u8,
        /// Bytes announced.
        len: u32,
    },
}

/// The header of a message; `None` above [`MAX_MESSAGE_BYTES`].
pub fn message_header(len: usize) -> Option<[u8; HEADER_BYTES]> {
    let len = u32::try_from(len).ok().filter(|&len| len as usize <= MAX_MESSAGE_BYTES)?;
    Some(len.to_be_bytes())
}

impl Control {
    /// Appends this unit to `out`.
    pub fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Close { code, text } => {
                let text = cut(text, MAX_CLOSE_TEXT);
                control_header(CLOSE, 1 + text.len(), out);
                out.push(*code);
                out.extend_from_slice(text.as_bytes());
            }
            Self::Consumed { messages } => encode_count(CONSUMED, *messages, out),
            Self::Consuming { messages } => encode_count(CONSUMING, *messages, out),
        }
    }

    fn decode(kind: u8, body: &[u8]) -> Result<Self, FramingError> {
        let wrong_length = FramingError::ControlLength { kind, len: body.len() as u32 };
        let count = || body.try_into().map(u64::from_be_bytes).map_err(|_| wrong_length);
        match kind {
            CLOSE => {
                let (&code, text) = body.split_first().ok_or(wrong_length)?;
                Ok(Self::Close { code, text: String::from_utf8_lossy(text).into_owned() })
            }
            CONSUMED => Ok(Self::Consumed { messages: count()? }),
            CONSUMING => Ok(Self::Consuming { messages: count()? }),
            _ => Err(FramingError::UnknownControl { kind }),
        }
    }
}

fn encode_count(kind: u8, count: u64, out: &mut Vec<u8>) {
    control_header(kind, size_of::<u64>(), out);
    out.extend_from_slice(&count.to_be_bytes());
}

fn control_header(kind: u8, len: usize, out: &mut Vec<u8>) {
    let word = CONTROL_BIT | (u32::from(kind) << KIND_SHIFT) | (len as u32 & CONTROL_LENGTH_MASK);
    out.extend_from_slice(&word.to_be_bytes());
}

/// The longest start of `text` with at most `max` bytes that does not split a character.
pub(super) fn cut(text: &str, max: usize) -> &str {
    let end = (0..=max.min(text.len())).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0);
    text.get(..end).unwrap_or_default()
}

/// Takes a stream apart. After an error it is of no further use.
#[derive(Debug, Default)]
pub struct Decoder {
    header: u32,
    header_bytes: usize,
    body: Option<Body>,
}

/// A unit whose header is known and whose bytes are still arriving.
#[derive(Debug)]
struct Body {
    head: Head,
    bytes: Vec<u8>,
}

#[derive(Clone, Copy, Debug)]
enum Head {
    Message { len: usize },
    Control { kind: u8, len: usize },
}

impl Decoder {
    /// The next whole unit, taking from the front of `input` what belongs to it; `None` when `input`
    /// is used up before.
    pub fn decode(&mut self, input: &mut &[u8]) -> Result<Option<Unit>, FramingError> {
        let body = match self.body.take() {
            Some(body) => body,
            None => match self.header(input)? {
                Some(head) => Body { head, bytes: Vec::new() },
                None => return Ok(None),
            },
        };
        self.body(body, input)
    }

    /// Whether the bytes so far end within a unit.
    pub fn is_mid_unit(&self) -> bool {
        self.header_bytes > 0 || self.body.is_some()
    }

    fn header(&mut self, input: &mut &[u8]) -> Result<Option<Head>, FramingError> {
        while self.header_bytes < HEADER_BYTES {
            let Some((&byte, rest)) = input.split_first() else { return Ok(None) };
            *input = rest;
            self.header = self.header << 8 | u32::from(byte);
            self.header_bytes += 1;
        }
        self.header_bytes = 0;
        Head::parse(self.header).map(Some)
    }

    fn body(&mut self, mut body: Body, input: &mut &[u8]) -> Result<Option<Unit>, FramingError> {
        let missing = body.head.len() - body.bytes.len();
        let Some((now, rest)) = input.split_at_checked(missing) else {
            grow(&mut body.bytes, input, body.head.len());
            *input = &[];
            self.body = Some(body);
            return Ok(None);
        };
        *input = rest;
        if body.bytes.is_empty() {
            return body.head.unit(now, Bytes::copy_from_slice).map(Some);
        }
        grow(&mut body.bytes, now, body.head.len());
        let Body { head, bytes } = body;
        head.unit(bytes, Bytes::from).map(Some)
    }
}

impl Head {
    fn parse(header: u32) -> Result<Self, FramingError> {
        if header & CONTROL_BIT == 0 {
            let len = header as usize;
            return if len <= MAX_MESSAGE_BYTES {
                Ok(Self::Message { len })
            } else {
                Err(FramingError::TooLong { len: header })
            };
        }
        let kind = (header >> KIND_SHIFT & KIND_MASK) as u8;
        let len = header & CONTROL_LENGTH_MASK;
        let fits = match kind {
            CLOSE => (1..=MAX_CONTROL_BYTES).contains(&(len as usize)),
            CONSUMED | CONSUMING => len as usize == size_of::<u64>(),
            _ => return Err(FramingError::UnknownControl { kind }),
        };
        let len = if fits { len as usize } else { return Err(FramingError::ControlLength { kind, len }) };
        Ok(Self::Control { kind, len })
    }

    fn len(self) -> usize {
        match self {
            Self::Message { len } | Self::Control { len, .. } => len,
        }
    }

    fn unit<B: AsRef<[u8]>>(self, bytes: B, keep: impl FnOnce(B) -> Bytes) -> Result<Unit, FramingError> {
        match self {
            Self::Message { .. } => Ok(Unit::Message(keep(bytes))),
            Self::Control { kind, .. } => Control::decode(kind, bytes.as_ref()).map(Unit::Control),
        }
    }
}

/// Appends `more`, at least quadrupling the room each time and never reserving beyond `len`: memory
/// follows what arrived, not what was announced.
fn grow(bytes: &mut Vec<u8>, more: &[u8], len: usize) {
    let needed = bytes.len() + more.len();
    if needed > bytes.capacity() {
        let room = needed.max(4 * bytes.capacity()).max(FIRST_RESERVE).min(len);
        bytes.reserve_exact(room.saturating_sub(bytes.len()));
    }
    bytes.extend_from_slice(more);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn encode(units: &[Unit]) -> Vec<u8> {
        let mut out = Vec::new();
        for unit in units {
            match unit {
                Unit::Message(message) => {
                    out.extend_from_slice(&message_header(message.len()).unwrap());
                    out.extend_from_slice(message);
                }
                Unit::Control(control) => control.encode(&mut out),
            }
        }
        out
    }

    fn decode<'a>(
        decoder: &mut Decoder,
        pieces: impl IntoIterator<Item = &'a [u8]>,
    ) -> Result<Vec<Unit>, FramingError> {
        let mut units = Vec::new();
        for mut piece in pieces {
            while let Some(unit) = decoder.decode(&mut piece)? {
                units.push(unit);
            }
            assert!(piece.is_empty(), "nothing is left behind");
        }
        Ok(units)
    }

    fn unit() -> impl Strategy<Value = Unit> {
        prop_oneof![
            prop::collection::vec(any::<u8>(), 0..300).prop_map(|bytes| Unit::Message(bytes.into())),
            prop::collection::vec(any::<u8>(), 9000..9001).prop_map(|bytes| Unit::Message(bytes.into())),
            any::<u64>().prop_map(|messages| Unit::Control(Control::Consumed { messages })),
            any::<u64>().prop_map(|messages| Unit::Control(Control::Consuming { messages })),
            (any::<u8>(), "[a-zé ]{0,80}")
                .prop_map(|(code, text)| Unit::Control(Control::Close { code, text })),
        ]
    }

    proptest! {
        #[test]
        fn any_split_gives_the_same_units(
            units in prop::collection::vec(unit(), 0..12),
            cuts in prop::collection::vec(1_usize..5000, 1..40),
        ) {
            let stream = encode(&units);
            let mut pieces = Vec::new();
            let mut rest = stream.as_slice();
            for &at in cuts.iter().cycle() {
                if rest.is_empty() { break }
                let (piece, tail) = rest.split_at(at.min(rest.len()));
                pieces.push(piece);
                rest = tail;
            }
            let mut decoder = Decoder::default();
            prop_assert_eq!(decode(&mut decoder, pieces).unwrap(), units);
            prop_assert!(!decoder.is_mid_unit());
        }

        #[test]
        fn any_bytes_are_units_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
            let whole = decode(&mut Decoder::default(), [bytes.as_slice()]);
            let single = decode(&mut Decoder::default(), bytes.chunks(1));
            prop_assert_eq!(whole, single);
        }
    }

    #[test]
    fn what_is_not_ours_is_refused_at_the_header() {
        let refused = |bytes: &[u8]| decode(&mut Decoder::default(), [bytes]).unwrap_err();
        assert_eq!(refused(&[0xff; 4]), FramingError::UnknownControl { kind: 0x7f });
        assert_eq!(refused(b"GET / HTTP/1.1\r\n"), FramingError::TooLong { len: 0x4745_5420 });
        assert_eq!(refused(&[0x16, 3, 1, 2]), FramingError::TooLong { len: 0x1603_0102 });
        assert_eq!(refused(&[0x7f, 255, 255, 255]), FramingError::TooLong { len: 0x7fff_ffff });
        assert_eq!(refused(&[0x81, 0, 0, 0]), FramingError::ControlLength { kind: CLOSE, len: 0 });
        assert_eq!(refused(&[0x81, 0, 1, 2]), FramingError::ControlLength { kind: CLOSE, len: 258 });
        assert_eq!(refused(&[0x82, 0, 0, 9]), FramingError::ControlLength { kind: CONSUMED, len: 9 });
    }

    #[test]
    fn the_longest_message_passes_and_one_more_does_not() {
        assert!(message_header(MAX_MESSAGE_BYTES).is_some());
        assert!(message_header(MAX_MESSAGE_BYTES + 1).is_none());
        let past = (MAX_MESSAGE_BYTES as u32 + 1).to_be_bytes();
        assert!(decode(&mut Decoder::default(), [past.as_slice()]).is_err());
    }

    #[test]
    fn an_announced_length_reserves_nothing() {
        let mut decoder = Decoder::default();
        let announced = message_header(MAX_MESSAGE_BYTES).unwrap();
        decode(&mut decoder, [announced.as_slice(), &[7; 100]]).unwrap();
        assert!(decoder.is_mid_unit());
        assert!(decoder.body.unwrap().bytes.capacity() <= FIRST_RESERVE);
    }

    #[test]
    fn a_long_close_text_is_cut_between_characters() {
        let mut out = Vec::new();
        Control::Close { code: 3, text: "é".repeat(200) }.encode(&mut out);
        let units = decode(&mut Decoder::default(), [out.as_slice()]).unwrap();
        assert_eq!(units, [Unit::Control(Control::Close { code: 3, text: "é".repeat(128) })]);
    }
}
