//! What waits to be written to one connection: a message, a pause, a message.

use std::{collections::VecDeque, time::Instant};

use bytes::Bytes;

use crate::gateway::dialect::{Overflow, Pacer};

use super::{FILE_REST, MAX_QUEUED_FILES};

/// What waits to be written to one connection.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    pacer: Pacer,
    /// Of each that waits, whether it is a file: those are not counted in bytes, so they are by number.
    files: VecDeque<bool>,
}

/// What became of a message that was to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Queued {
    /// It waits.
    Waits,
    /// It is a file, and [`MAX_QUEUED_FILES`] wait already: the other side does without.
    Dropped,
    /// The other side does not take what it is sent: it is to be disconnected.
    Overflow,
}

impl Outbox {
    pub(super) fn push(&mut self, bytes: Bytes, is_file: bool) -> Queued {
        if is_file && self.files.iter().filter(|is_file| **is_file).count() >= MAX_QUEUED_FILES {
            return Queued::Dropped;
        }
        let queued = if is_file { self.pacer.push_file(bytes, FILE_REST) } else { self.pacer.push(bytes) };
        match queued {
            Ok(()) => self.files.push_back(is_file),
            Err(Overflow) => return Queued::Overflow,
        }
        Queued::Waits
    }

    /// The next message, if its time has come.
    pub(super) fn pop(&mut self, now: Instant) -> Option<Bytes> {
        let bytes = self.pacer.pop(now)?;
        self.files.pop_front();
        Some(bytes)
    }

    /// Everything, for a last write before the end.
    pub(super) fn drain(&mut self) -> impl Iterator<Item = Bytes> {
        self.files.clear();
        self.pacer.drain()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// When the pause behind what was written last is over.
    pub(super) const fn free_at(&self) -> Option<Instant> {
        self.pacer.free_at()
    }

    /// When the next may be written.
    pub(super) fn deadline(&self, now: Instant) -> Option<Instant> {
        self.pacer.deadline(now)
    }
}
