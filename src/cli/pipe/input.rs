//! Messages as another program writes them to our stdin: length, lane, bytes.

use std::io::{self, BufRead, BufReader, Read};

use bytes::Bytes;

use crate::{app::Trouble, transport::MAX_MESSAGE_BYTES};

/// Bytes asked of one read.
const READ_BYTES: usize = 64 << 10;

/// Bytes before each message: u32 length, u16 lane, both little-endian.
const HEADER_BYTES: usize = 6;

/// The messages of a stream, each with its lane.
#[derive(Debug)]
pub(super) struct Messages<R> {
    source: BufReader<R>,
    lanes: u32,
    /// How many were begun, so that an error can say which it was.
    begun: u64,
}

/// Why a message could not be read. Each names it by its number, from 1.
#[derive(Debug, thiserror::Error)]
pub(super) enum BadInput {
    /// The stream ended within it.
    #[error("the input ended within message {0}")]
    CutShort(u64),
    /// No transport carries so much at once.
    #[error("message {number} on the input has {len} bytes, the limit is {MAX_MESSAGE_BYTES}")]
    TooLong { number: u64, len: usize },
    /// The lanes are fewer.
    #[error("message {number} on the input is for lane {lane}, there are {lanes}: 0 to {}", lanes - 1)]
    NoSuchLane { number: u64, lane: u16, lanes: u32 },
    /// The operating system said no.
    #[error("cannot read the input: {0}")]
    Unreadable(#[from] io::Error),
}

impl<R: Read> Messages<R> {
    /// Reads messages for lanes 0 to `lanes` - 1.
    pub(super) fn new(source: R, lanes: u32) -> Self {
        Self { source: BufReader::with_capacity(READ_BYTES, source), lanes, begun: 0 }
    }

    fn read(&mut self) -> Result<Option<(u16, Bytes)>, BadInput> {
        if self.is_at_end()? {
            return Ok(None);
        }
        self.begun += 1;
        let number = self.begun;
        let mut header = [0; HEADER_BYTES];
        self.fill(&mut header)?;
        let [a, b, c, d, low, high] = header;
        let (len, lane) = (u32::from_le_bytes([a, b, c, d]), u16::from_le_bytes([low, high]));
        let len = usize::try_from(len).unwrap_or(usize::MAX);
        if len > MAX_MESSAGE_BYTES {
            return Err(BadInput::TooLong { number, len });
        }
        if u32::from(lane) >= self.lanes {
            return Err(BadInput::NoSuchLane { number, lane, lanes: self.lanes });
        }
        let mut message = vec![0; len];
        self.fill(&mut message)?;
        Ok(Some((lane, message.into())))
    }

    fn is_at_end(&mut self) -> io::Result<bool> {
        loop {
            match self.source.fill_buf() {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                waiting => return waiting.map(<[u8]>::is_empty),
            }
        }
    }

    fn fill(&mut self, part: &mut [u8]) -> Result<(), BadInput> {
        self.source.read_exact(part).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => BadInput::CutShort(self.begun),
            _ => error.into(),
        })
    }
}

impl<R: Read> Iterator for Messages<R> {
    type Item = Result<(u16, Bytes), BadInput>;

    fn next(&mut self) -> Option<Self::Item> {
        self.read().transpose()
    }
}

impl From<BadInput> for Trouble {
    fn from(bad: BadInput) -> Self {
        let (code, hint) = match bad {
            BadInput::CutShort(_) => {
                ("input_cut", "those before it were delivered; each is u32 length, u16 lane, bytes")
            }
            BadInput::TooLong { .. } => {
                ("message_too_long", "those before it were delivered; send it in parts")
            }
            BadInput::NoSuchLane { .. } => {
                ("no_such_lane", "those before it were delivered; --lanes N makes more")
            }
            BadInput::Unreadable(_) => ("input", "those before it were delivered"),
        };
        Self::new(code, bad.to_string(), hint)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn framed(len: u32, lane: u16, bytes: &[u8]) -> Vec<u8> {
        [len.to_le_bytes().as_slice(), &lane.to_le_bytes(), bytes].concat()
    }

    fn read(input: &[u8], lanes: u32) -> (Vec<(u16, Bytes)>, Option<String>) {
        let mut taken = Vec::new();
        for message in Messages::new(input, lanes) {
            match message {
                Ok(message) => taken.push(message),
                Err(bad) => return (taken, Some(bad.to_string())),
            }
        }
        (taken, None)
    }

    #[test]
    fn does_every_message_come_out_with_its_lane() {
        let input = [framed(0, 3, b""), framed(2, 0, b"ab"), framed(1, 65_535, b"\n")].concat();
        let messages = vec![(3, Bytes::new()), (0, Bytes::from("ab")), (65_535, Bytes::from("\n"))];
        assert_eq!(read(&input, 65_536), (messages, None));
        assert_eq!(read(b"", 1), (Vec::new(), None));
    }

    #[test]
    fn is_an_input_that_ends_within_a_message_told_from_one_that_ends() {
        let input = [framed(2, 0, b"ab"), framed(3, 0, b"cde")].concat();
        let whole = vec![(0, Bytes::from("ab"))];
        for cut in framed(2, 0, b"ab").len() + 1..input.len() {
            let bad = Some("the input ended within message 2".to_owned());
            assert_eq!(read(&input[..cut], 1), (whole.clone(), bad), "{cut}");
        }
    }

    #[test]
    fn is_a_lane_or_a_length_out_of_range_named() {
        let bad = "message 1 on the input is for lane 4, there are 4: 0 to 3";
        assert_eq!(read(&framed(1, 4, b"x"), 4).1.unwrap(), bad);
        let bad = "message 1 on the input has 16777217 bytes, the limit is 16777216";
        assert_eq!(read(&framed((16 << 20) + 1, 0, b""), 1).1.unwrap(), bad);
    }
}
