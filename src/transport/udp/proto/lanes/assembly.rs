//! One message that arrives in pieces.

use std::{collections::BTreeMap, ops::Range};

use bytes::Bytes;

use super::spans::Spans;

/// Bytes of storage taken at once: a part of a file fits one and is handed on without a copy. Only chunks that a byte
/// arrived for exist.
pub(super) const CHUNK: u32 = 64 * 1024;

/// The bytes of a message so far. Which offsets make sense is checked by the caller: all ranges here are
/// within the length.
#[derive(Debug)]
pub(super) struct Assembly {
    total: u32,
    received: Spans,
    /// By number of the chunk; each with room for all of it, the last one of a message for as much as is needed, and as
    /// long as the last byte in it says.
    chunks: BTreeMap<u32, Vec<u8>>,
}

impl Assembly {
    /// Nothing yet of a message of `total` bytes.
    pub(super) fn new(total: u32) -> Self {
        Self { total, received: Spans::default(), chunks: BTreeMap::new() }
    }

    /// Length of the whole message in bytes.
    pub(super) const fn total(&self) -> u32 {
        self.total
    }

    /// How many bytes of `range` are new.
    pub(super) fn new_bytes(&self, range: Range<u32>) -> u32 {
        self.received.missing(range).map(|gap| gap.end - gap.start).sum()
    }

    /// Bytes of storage that `range` takes in addition.
    pub(super) fn new_storage(&self, range: &Range<u32>) -> usize {
        let absent = chunks_of(range).filter(|index| !self.chunks.contains_key(index));
        absent.map(|index| self.chunk_len(index)).sum()
    }

    /// Gaps between the stretches received.
    pub(super) fn gaps(&self) -> usize {
        self.received.len().saturating_sub(1)
    }

    /// Whether `range` leaves one gap more than there is now.
    pub(super) fn widens(&self, range: &Range<u32>) -> bool {
        !self.received.is_empty() && self.received.is_apart(range)
    }

    /// Stores `data` at `offset`. What was there before stays as it is.
    pub(super) fn insert(&mut self, offset: u32, data: &[u8]) {
        let Some(len) = u32::try_from(data.len()).ok() else { return };
        let range = offset..offset.saturating_add(len);
        for index in chunks_of(&range) {
            let chunk_len = self.chunk_len(index);
            let chunk = self.chunks.entry(index).or_insert_with(|| Vec::with_capacity(chunk_len));
            let base = index.saturating_mul(CHUNK);
            let within = range.start.max(base)..range.end.min(base.saturating_add(CHUNK));
            for gap in self.received.missing(within) {
                copy_within(chunk, base, &gap, data, offset);
            }
        }
        self.received.insert(range);
    }

    /// Whether every byte is here.
    pub(super) fn is_complete(&self) -> bool {
        self.received.covers(&(0..self.total))
    }

    /// The message. One of a single chunk is not copied.
    pub(super) fn into_message(mut self) -> Bytes {
        let Some((_, first)) = self.chunks.pop_first() else { return Bytes::new() };
        if self.chunks.is_empty() {
            return Bytes::from(first);
        }
        let mut message = Vec::with_capacity(self.total as usize);
        message.extend_from_slice(&first);
        while let Some((_, chunk)) = self.chunks.pop_first() {
            message.extend_from_slice(&chunk);
        }
        Bytes::from(message)
    }

    const fn chunk_len(&self, index: u32) -> usize {
        let rest = self.total.saturating_sub(index.saturating_mul(CHUNK));
        if rest < CHUNK { rest as usize } else { CHUNK as usize }
    }
}

/// The numbers of the chunks that `range` lies in.
const fn chunks_of(range: &Range<u32>) -> Range<u32> {
    range.start / CHUNK..range.end.div_ceil(CHUNK)
}

/// Copies `gap` of the message from `data`, which starts at `offset`, to `chunk`, which starts at `base`.
fn copy_within(chunk: &mut Vec<u8>, base: u32, gap: &Range<u32>, data: &[u8], offset: u32) {
    let relative =
        |start: u32| gap.start.saturating_sub(start) as usize..gap.end.saturating_sub(start) as usize;
    let (to, Some(from)) = (relative(base), data.get(relative(offset))) else { return };
    // What comes in order, as nearly everything does, is written once.
    if chunk.len() < to.start {
        chunk.resize(to.start, 0);
    }
    let (over, beyond) = from.split_at(from.len().min(chunk.len() - to.start));
    if let Some(over_there) = chunk.get_mut(to.start..to.start + over.len()) {
        over_there.copy_from_slice(over);
    }
    chunk.extend_from_slice(beyond);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(len: usize) -> Vec<u8> {
        (0..len).map(|at| (at * 7 + at / 251) as u8).collect()
    }

    #[test]
    fn pieces_across_chunks_come_together_in_any_order() {
        let message = pattern(3 * CHUNK as usize + 5);
        let mut assembly = Assembly::new(message.len() as u32);
        let mut pieces: Vec<(usize, &[u8])> =
            message.chunks(1100).enumerate().map(|(n, data)| (n * 1100, data)).collect();
        pieces.reverse();
        for (offset, data) in pieces {
            assert!(!assembly.is_complete());
            assembly.insert(offset as u32, data);
        }
        assert!(assembly.is_complete());
        assert_eq!(assembly.into_message(), message);
    }

    #[test]
    fn storage_is_taken_only_for_what_arrives() {
        let mut assembly = Assembly::new(16 << 20);
        assert_eq!(assembly.new_storage(&(0..1)), CHUNK as usize);
        assembly.insert(0, &[1]);
        assembly.insert((16 << 20) - 1, &[2]);
        assert_eq!(assembly.new_storage(&(1..CHUNK)), 0);
        assert_eq!(assembly.new_storage(&(CHUNK - 1..CHUNK + 1)), CHUNK as usize);
        assert_eq!((assembly.chunks.len(), assembly.gaps()), (2, 1));
        assert_eq!(Assembly::new(100).new_storage(&(99..100)), 100);
    }

    #[test]
    fn bytes_that_came_first_stay() {
        let mut assembly = Assembly::new(6);
        assembly.insert(2, b"cd");
        assert_eq!(assembly.new_bytes(0..6), 4);
        assembly.insert(0, b"abXXef");
        assert_eq!(assembly.into_message(), "abcdef");
    }
}
