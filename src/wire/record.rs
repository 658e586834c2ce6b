//! What an author said: one record of a log, and the exact bytes that are signed.

use bytes::Bytes;
use ring::digest;
use serde::{Deserialize, Deserializer, Serialize, de::Error as _};

use super::{Epoch, LogKey, NodeId, RoomId, Seq};

/// Bytes of the longest body. With its header a record then fits a frame.
pub const MAX_BODY_BYTES: usize = 60_000;

/// Opens what is signed, so that a signature over a record can never pass for one over something
/// else made with the same key (TLS opens with its own string, RFC 8446 §4.4.3).
const DOMAIN: &[u8] = b"sayagain record v1\0";

/// What the body of a record is. A kind that a node does not know is kept, verified and passed on,
/// not shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Kind(pub u8);

impl Kind {
    /// A line of chat, UTF-8.
    pub const TEXT: Self = Self(0);
    /// The new topic of the room, UTF-8; empty for none.
    pub const TOPIC: Self = Self(1);
}

/// One thing an author said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Where.
    pub room: RoomId,
    /// Who.
    pub author: NodeId,
    /// In which run of the author.
    pub epoch: Epoch,
    /// 0, 1, 2 … without holes in its log.
    pub seq: Seq,
    /// Larger than that of every record its author had seen in the room: orders lines of different
    /// authors where no server does (Lamport 1978).
    pub lamport: u64,
    /// The author's clock, unix milliseconds: shown, never trusted.
    pub sent_at_ms: u64,
    /// What the body is.
    pub kind: Kind,
    /// At most [`MAX_BODY_BYTES`].
    #[serde(deserialize_with = "bounded")]
    pub body: Bytes,
    /// In a mesh always; on a star the proven link to the server stands for it.
    pub signature: Option<Signature>,
}

/// Which record, in whatever history it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct RecordId {
    /// Whose.
    pub author: NodeId,
    /// Of which run.
    pub epoch: Epoch,
    /// Its number in that log.
    pub seq: Seq,
}

/// A longer one would fit the frame that it came in, but not every other that it is passed on in.
fn bounded<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Bytes, D::Error> {
    let body = Bytes::deserialize(deserializer)?;
    if body.len() > MAX_BODY_BYTES { Err(D::Error::custom("the body is too long")) } else { Ok(body) }
}

/// The author's word for a record and its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signature {
    /// [`Record::hash`] of the record before, zeros for seq 0: two records that both claim a place
    /// are proof of a fork.
    pub prev: RecordHash,
    /// Ed25519 over [`Record::signed_bytes`], its two halves.
    pub halves: ([u8; 32], [u8; 32]),
}

/// The first half of a SHA-256.
pub type RecordHash = [u8; 16];

impl Record {
    /// The log this belongs to.
    pub fn log(&self) -> LogKey {
        LogKey { room: self.room.clone(), author: self.author, epoch: self.epoch }
    }

    /// The body as text; what is not UTF-8 is replaced visibly.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The fixed layout that is signed, whichever encoding carries the record: domain, room, author,
    /// epoch, seq, lamport, time, prev, kind, length, body; integers big-endian.
    pub fn signed_bytes(&self, prev: &RecordHash) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(256 + self.body.len());
        bytes.extend_from_slice(DOMAIN);
        match &self.room {
            RoomId::Public(name) => {
                bytes.push(u8::try_from(name.as_str().len()).unwrap_or(u8::MAX));
                bytes.extend_from_slice(name.as_str().as_bytes());
            }
            RoomId::Pair(pair) => {
                bytes.push(0);
                pair.members().iter().for_each(|member| bytes.extend_from_slice(&member.0));
            }
        }
        bytes.extend_from_slice(&self.author.0);
        for number in [self.epoch.0, self.seq.0, self.lamport, self.sent_at_ms] {
            bytes.extend_from_slice(&number.to_be_bytes());
        }
        bytes.extend_from_slice(prev);
        bytes.push(self.kind.0);
        bytes.extend_from_slice(&(self.body.len() as u64).to_be_bytes());
        bytes.extend_from_slice(&self.body);
        bytes
    }

    /// Which it is.
    pub const fn id(&self) -> RecordId {
        RecordId { author: self.author, epoch: self.epoch, seq: self.seq }
    }

    /// What the next record of this log names as `prev`.
    pub fn hash(&self) -> RecordHash {
        let prev = self.signature.map_or([0; 16], |signature| signature.prev);
        let hash = digest::digest(&digest::SHA256, &self.signed_bytes(&prev));
        let mut half = [0; 16];
        half.iter_mut().zip(hash.as_ref()).for_each(|(to, from)| *to = *from);
        half
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{DecodeError, Frame, PastLine, PublicKey, decode, encode};

    fn record(body: usize) -> Record {
        let room = RoomId::Public("r".repeat(crate::wire::MAX_ROOM_BYTES).parse().unwrap());
        Record {
            room,
            author: NodeId([1; 32]),
            epoch: Epoch(u64::MAX),
            seq: Seq(u64::MAX),
            lamport: u64::MAX,
            sent_at_ms: u64::MAX,
            kind: Kind(u8::MAX),
            body: vec![b'x'; body].into(),
            signature: Some(Signature { prev: [0; 16], halves: ([0; 32], [0; 32]) }),
        }
    }

    #[test]
    fn is_a_body_at_the_limit_taken_and_one_past_it_refused() {
        let longest = Frame::Record(record(MAX_BODY_BYTES));
        assert_eq!(decode(&encode(&longest).unwrap()), Ok(longest));
        let longer = encode(&Frame::Record(record(MAX_BODY_BYTES + 1))).unwrap();
        assert_eq!(decode(&longer), Err(DecodeError::Malformed));
    }

    #[test]
    fn does_the_longest_body_fit_every_frame_that_brings_it() {
        let nick = "n".repeat(crate::wire::MAX_NICK_BYTES).parse().unwrap();
        let line = PastLine { nick, key: Some(PublicKey([1; 32])), record: record(MAX_BODY_BYTES) };
        let room = line.record.room.clone();
        assert!(encode(&Frame::Page { room, lines: vec![line.clone()], last: true }).is_ok());
        assert!(encode(&Frame::Followed { line, term: "t".repeat(64) }).is_ok());
    }
}
