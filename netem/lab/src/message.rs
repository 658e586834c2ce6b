//! What is sent: who it is from, which one, when it was due, and padding.

use bytes::{BufMut as _, Bytes, BytesMut};

/// A message without padding.
pub(crate) const HEADER_BYTES: usize = 16;

/// The flow of bulk.
pub(crate) const BULK: u32 = u32::MAX;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) due_ns: u64,
    pub(crate) flow: u32,
    pub(crate) seq: u32,
}

impl Header {
    pub(crate) fn padded(self, len: usize) -> Bytes {
        let mut message = BytesMut::with_capacity(len.max(HEADER_BYTES));
        message.put_u64(self.due_ns);
        message.put_u32(self.flow);
        message.put_u32(self.seq);
        message.resize(len.max(HEADER_BYTES), b'x');
        message.freeze()
    }

    pub(crate) fn read(message: &[u8]) -> Option<Self> {
        let (due, rest) = message.split_first_chunk()?;
        let (flow, rest) = rest.split_first_chunk()?;
        let (seq, _) = rest.split_first_chunk()?;
        Some(Self {
            due_ns: u64::from_be_bytes(*due),
            flow: u32::from_be_bytes(*flow),
            seq: u32::from_be_bytes(*seq),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn survives_the_way() {
        let header = Header { due_ns: 1 << 50, flow: 7, seq: 9 };
        let message = header.padded(200);
        assert_eq!(message.len(), 200);
        assert_eq!(Header::read(&message), Some(header));
        assert_eq!(Header::read(&message[..15]), None);
    }
}
