//! One write is one message to programs without framing, so between two there is a pause.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use bytes::Bytes;

/// The pause between two messages to one socket. Programs read with one `recv` and take what it gives for
/// one message; 30 ms is what a busy reader on a slow machine needs, and people do not notice 40.
pub const PACE: Duration = Duration::from_millis(40);

/// Messages that wait for one socket.
pub const MAX_QUEUED_MESSAGES: usize = 256;

/// Bytes that wait for one socket, a file apart.
pub const MAX_QUEUED_BYTES: usize = 256 * 1024;

/// The other side does not take what it is sent: it is to be disconnected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Overflow;

/// What waits to be written to one socket, and when the next may go.
#[derive(Clone, Debug, Default)]
pub struct Pacer {
    waiting: VecDeque<Piece>,
    bytes: usize,
    free_at: Option<Instant>,
}

#[derive(Clone, Debug)]
struct Piece {
    bytes: Bytes,
    /// Silence after it.
    rest: Duration,
    counted: usize,
}

impl Pacer {
    /// Queues one message.
    ///
    /// # Errors
    /// [`Overflow`] when [`MAX_QUEUED_MESSAGES`] or [`MAX_QUEUED_BYTES`] wait already.
    pub fn push(&mut self, bytes: Bytes) -> Result<(), Overflow> {
        let counted = bytes.len();
        self.queue(Piece { bytes, rest: PACE, counted })
    }

    /// Queues one message for a reader who knows where it ends, and so needs no silence after it.
    ///
    /// # Errors
    /// [`Overflow`] as for [`push`](Self::push).
    pub fn push_framed(&mut self, bytes: Bytes) -> Result<(), Overflow> {
        let counted = bytes.len();
        self.queue(Piece { bytes, rest: Duration::ZERO, counted })
    }

    /// Queues the bytes of a file, which do not count as waiting, with at least `rest` of silence after them.
    ///
    /// # Errors
    /// [`Overflow`] as for [`push`](Self::push).
    pub fn push_file(&mut self, bytes: Bytes, rest: Duration) -> Result<(), Overflow> {
        self.queue(Piece { bytes, rest: rest.max(PACE), counted: 0 })
    }

    /// The next message, if its time has come.
    pub fn pop(&mut self, now: Instant) -> Option<Bytes> {
        if self.free_at.is_some_and(|at| now < at) {
            return None;
        }
        let piece = self.waiting.pop_front()?;
        self.bytes = self.bytes.saturating_sub(piece.counted);
        self.free_at = now.checked_add(piece.rest);
        Some(piece.bytes)
    }

    /// Everything that waits, for a last write before the end.
    pub fn drain(&mut self) -> impl Iterator<Item = Bytes> {
        self.bytes = 0;
        std::mem::take(&mut self.waiting).into_iter().map(|piece| piece.bytes)
    }

    /// When [`pop`](Self::pop) has something.
    pub fn deadline(&self, now: Instant) -> Option<Instant> {
        (!self.waiting.is_empty()).then(|| self.free_at.unwrap_or(now))
    }

    /// When the pause behind what was handed out last is over.
    pub const fn free_at(&self) -> Option<Instant> {
        self.free_at
    }

    fn queue(&mut self, piece: Piece) -> Result<(), Overflow> {
        let bytes = self.bytes.saturating_add(piece.counted);
        if self.waiting.len() >= MAX_QUEUED_MESSAGES || bytes > MAX_QUEUED_BYTES {
            return Err(Overflow);
        }
        self.bytes = bytes;
        self.waiting.push_back(piece);
        Ok(())
    }
}
