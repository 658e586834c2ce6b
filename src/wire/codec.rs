//! Frames to bytes and back. One message of a link is one whole frame.

use bytes::Bytes;
use postcard::ser_flavors::Size;

use super::{Frame, VERSION};

/// Bytes of the longest frame.
pub const MAX_FRAME_BYTES: usize = 64 << 10;

/// Why bytes are not a frame of this version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// A frame of a newer version: to be skipped.
    #[error("frame {0} is not known to this version")]
    Unknown(u32),
    /// A `Hello` of another version of the whole list.
    #[error("the other side speaks protocol {0}, this program {VERSION}")]
    Version(u16),
    /// Over [`MAX_FRAME_BYTES`].
    #[error("a frame of {0} bytes is over the limit of {MAX_FRAME_BYTES}")]
    TooLong(usize),
    /// Anything else, bytes left over included.
    #[error("the bytes are no frame")]
    Malformed,
}

/// The frame is over [`MAX_FRAME_BYTES`]; whoever made it should have split it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a frame of {0} bytes is over the limit of {MAX_FRAME_BYTES}")]
pub struct TooLong(pub usize);

/// The bytes of a frame (postcard 1).
///
/// # Errors
/// [`TooLong`] over the limit.
pub fn encode(frame: &Frame) -> Result<Bytes, TooLong> {
    let too_long = |_| TooLong(usize::MAX);
    // Measured first: a part of a file would be moved again and again in a vector that grows.
    let len = postcard::serialize_with_flavor(frame, Size::default()).map_err(too_long)?;
    if len > MAX_FRAME_BYTES {
        return Err(TooLong(len));
    }
    let bytes = postcard::to_extend(frame, Vec::with_capacity(len)).map_err(too_long)?;
    Ok(bytes.into())
}

/// The frame that the bytes are.
///
/// # Errors
/// [`DecodeError`]; nothing is allocated beyond the length of the bytes.
pub fn decode(bytes: &[u8]) -> Result<Frame, DecodeError> {
    if bytes.len() > MAX_FRAME_BYTES {
        return Err(DecodeError::TooLong(bytes.len()));
    }
    let (variant, rest) = postcard::take_from_bytes::<u32>(bytes).map_err(|_| DecodeError::Malformed)?;
    if variant >= Frame::COUNT {
        return Err(DecodeError::Unknown(variant));
    }
    if variant == Frame::HELLO {
        let (version, _) = postcard::take_from_bytes::<u16>(rest).map_err(|_| DecodeError::Malformed)?;
        if version != VERSION {
            return Err(DecodeError::Version(version));
        }
    }
    match postcard::take_from_bytes(bytes) {
        Ok((frame, [])) => Ok(frame),
        Ok(_) | Err(_) => Err(DecodeError::Malformed),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::wire::{Epoch, Hello, PublicKey, Role};

    fn hello(version: u16) -> Frame {
        Frame::Hello(Hello {
            version,
            role: Role::Client,
            key: PublicKey([1; 32]),
            nick: "alice".parse().unwrap(),
            epoch: Epoch(7),
            listen: Vec::new(),
            capabilities: 0,
        })
    }

    #[test]
    fn does_a_frame_read_back_and_only_whole() {
        let bytes = encode(&hello(VERSION)).unwrap();
        assert_eq!(decode(&bytes), Ok(hello(VERSION)));
        for cut in 0..bytes.len() {
            assert_eq!(decode(&bytes[..cut]), Err(DecodeError::Malformed), "cut at {cut}");
        }
        assert_eq!(decode(&[&bytes[..], &[0]].concat()), Err(DecodeError::Malformed));
    }

    #[test]
    fn are_newer_frames_and_other_versions_told_apart_from_garbage() {
        assert_eq!(
            decode(&postcard::to_stdvec(&Frame::COUNT).unwrap()),
            Err(DecodeError::Unknown(Frame::COUNT))
        );
        let newer = postcard::to_stdvec(&(Frame::HELLO, 9_u16, "whatever comes then")).unwrap();
        assert_eq!(decode(&newer), Err(DecodeError::Version(9)));
        assert_eq!(decode(br#"{"hello":{"version":2}}"#), Err(DecodeError::Unknown(u32::from(b'{'))));
    }

    #[test]
    fn is_the_last_frame_counted() {
        let node = crate::wire::NodeId([0; 32]);
        let transfer = crate::wire::TransferId { sender: node, epoch: Epoch(1), number: 1 };
        let last = encode(&Frame::Away { transfer, node }).unwrap();
        let (variant, _) = postcard::take_from_bytes::<u32>(&last).unwrap();
        assert_eq!(variant + 1, Frame::COUNT);
    }

    #[test]
    fn is_a_frame_at_the_limit_taken_and_one_past_it_refused() {
        let frame =
            |detail: usize| Frame::Bye { reason: crate::wire::ByeReason::Quit, detail: "x".repeat(detail) };
        let overhead = encode(&frame(MAX_FRAME_BYTES - 100)).unwrap().len() - (MAX_FRAME_BYTES - 100);
        let longest = MAX_FRAME_BYTES - overhead;
        assert_eq!(decode(&encode(&frame(longest)).unwrap()), Ok(frame(longest)));
        assert_eq!(encode(&frame(longest + 1)), Err(TooLong(MAX_FRAME_BYTES + 1)));
        assert_eq!(decode(&vec![0; MAX_FRAME_BYTES + 1]), Err(DecodeError::TooLong(MAX_FRAME_BYTES + 1)));
    }

    proptest! {
        #[test]
        fn do_random_bytes_ever_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            let _ = decode(&bytes);
        }
    }
}
