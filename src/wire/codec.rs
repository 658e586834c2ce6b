//! Frames to bytes and back. One message of a link is one whole frame.

use bytes::Bytes;
use postcard::ser_flavors::Size;

use super::{Frame, TransferId, VERSION};

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

/// The frame that a message is. A part of a file keeps the message and is not copied out of it.
///
/// # Errors
/// [`DecodeError`]; nothing is allocated beyond the length of the message.
pub fn decode_message(message: &Bytes) -> Result<Frame, DecodeError> {
    match postcard::take_from_bytes::<u32>(message) {
        Ok((Frame::CHUNK, rest)) if message.len() <= MAX_FRAME_BYTES => decode_chunk(message, rest),
        _ => decode(message),
    }
}

fn decode_chunk(message: &Bytes, rest: &[u8]) -> Result<Frame, DecodeError> {
    match postcard::take_from_bytes::<(TransferId, u64, &[u8])>(rest) {
        Ok(((transfer, offset, bytes), [])) => {
            Ok(Frame::Chunk { transfer, offset, bytes: message.slice_ref(bytes) })
        }
        Ok(_) | Err(_) => Err(DecodeError::Malformed),
    }
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
        let transfer = TransferId { sender: node, epoch: Epoch(1), number: 1 };
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

    fn chunk(len: usize) -> Frame {
        let sender = crate::wire::NodeId([3; 32]);
        let transfer = TransferId { sender, epoch: Epoch(1), number: 300 };
        Frame::Chunk { transfer, offset: 1 << 40, bytes: Bytes::from(vec![9; len]) }
    }

    #[test]
    fn is_a_part_of_a_file_read_the_same_with_and_without_its_message_and_only_whole() {
        for len in [0, 1, 1_000, crate::wire::MAX_CHUNK_BYTES] {
            let message = encode(&chunk(len)).unwrap();
            assert_eq!(decode_message(&message), Ok(chunk(len)));
            assert_eq!(decode(&message), Ok(chunk(len)));
        }
        let message = encode(&chunk(100)).unwrap();
        for cut in 0..message.len() {
            assert_eq!(decode_message(&message.slice(..cut)), Err(DecodeError::Malformed), "cut at {cut}");
        }
        let longer = Bytes::from([&message[..], &[0]].concat());
        assert_eq!(decode_message(&longer), Err(DecodeError::Malformed));
    }

    proptest! {
        #[test]
        fn is_every_message_read_alike_with_and_without_a_copy(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            let chunky = [&[Frame::CHUNK as u8][..], &bytes].concat();
            for bytes in [Bytes::from(bytes), Bytes::from(chunky)] {
                prop_assert_eq!(decode_message(&bytes), decode(&bytes));
            }
        }

        #[test]
        fn do_random_bytes_ever_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            let _ = decode(&bytes);
        }
    }
}
