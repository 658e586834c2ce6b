//! Version vectors: how far somebody has each log of one room. Dedupe, order, gaps, catch-up and
//! resuming all come from comparing two of these (NDN State Vector Sync v3 has the same entry:
//! node, boot time, seq).

use std::collections::BTreeMap;

use ring::digest;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Epoch, NodeId, RoomId, Seq};

/// Which log: one author's records in one room during one run.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct LogKey {
    /// Where it is said.
    pub room: RoomId,
    /// By whom.
    pub author: NodeId,
    /// In which run of the author.
    pub epoch: Epoch,
}

/// For one room: the next seq wanted of each (author, epoch).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Vector(BTreeMap<(NodeId, Epoch), Seq>);

impl Vector {
    /// The next seq wanted of a log, none if nothing is known of it.
    pub fn get(&self, author: NodeId, epoch: Epoch) -> Option<Seq> {
        self.0.get(&(author, epoch)).copied()
    }

    /// Notes the next seq wanted of a log.
    pub fn set(&mut self, author: NodeId, epoch: Epoch, next: Seq) {
        self.0.insert((author, epoch), next);
    }

    /// Every entry, in order of author and epoch.
    pub fn iter(&self) -> impl Iterator<Item = (NodeId, Epoch, Seq)> + '_ {
        self.0.iter().map(|(&(author, epoch), &next)| (author, epoch, next))
    }

    /// Entries.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether nothing is known of any log.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Takes in the entries of another part of the same vector.
    pub fn extend(&mut self, part: Self) {
        self.0.extend(part.0);
    }

    /// The vector in parts of at most `entries`, at least one part.
    pub fn parts(&self, entries: usize) -> Vec<Self> {
        let all: Vec<_> = self.0.iter().map(|(&log, &next)| (log, next)).collect();
        if all.is_empty() {
            return vec![Self::default()];
        }
        all.chunks(entries).map(|part| Self(part.iter().copied().collect())).collect()
    }

    /// Eight bytes that are equal for equal vectors and, but for chance, differ for others: the sum
    /// of a hash of each entry, so that parts can be added. Does not resist an adversary.
    pub fn digest(&self) -> u64 {
        self.iter().fold(0, |sum: u64, entry| sum.wrapping_add(entry_hash(entry)))
    }
}

fn entry_hash((author, epoch, next): (NodeId, Epoch, Seq)) -> u64 {
    let mut context = digest::Context::new(&digest::SHA256);
    context.update(&author.0);
    context.update(&epoch.0.to_be_bytes());
    context.update(&next.0.to_be_bytes());
    let mut first = [0; 8];
    first.iter_mut().zip(context.finish().as_ref()).for_each(|(to, from)| *to = *from);
    u64::from_be_bytes(first)
}

impl FromIterator<(NodeId, Epoch, Seq)> for Vector {
    fn from_iter<I: IntoIterator<Item = (NodeId, Epoch, Seq)>>(entries: I) -> Self {
        Self(entries.into_iter().map(|(author, epoch, next)| ((author, epoch), next)).collect())
    }
}

/// A list, not a map: JSON has no maps with such keys.
impl Serialize for Vector {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

impl<'de> Deserialize<'de> for Vector {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Vec::<(NodeId, Epoch, Seq)>::deserialize(deserializer).map(|entries| entries.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vector(entries: &[(u8, u64, u64)]) -> Vector {
        entries.iter().map(|&(a, e, n)| (NodeId([a; 32]), Epoch(e), Seq(n))).collect()
    }

    #[test]
    fn does_the_digest_tell_vectors_apart_and_add_up() {
        let a = vector(&[(1, 1, 5), (2, 1, 7)]);
        assert_eq!(a.digest(), vector(&[(2, 1, 7), (1, 1, 5)]).digest());
        assert_ne!(a.digest(), vector(&[(1, 1, 5), (2, 1, 8)]).digest());
        let parts = a.parts(1);
        assert_eq!(parts.len(), 2);
        assert_eq!(parts.iter().fold(0, |sum: u64, part| sum.wrapping_add(part.digest())), a.digest());
    }

    #[test]
    fn is_there_always_a_part_to_send() {
        assert_eq!(Vector::default().parts(10), vec![Vector::default()]);
    }
}
