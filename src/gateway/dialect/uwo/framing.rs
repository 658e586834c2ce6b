//! Where a message ends, for somebody who has not said whether it ends its messages (UWO-D1).

use std::{collections::VecDeque, time::Instant};

use bytes::{Bytes, BytesMut};

use super::{QUIET, line::is_registration};

/// What the first message is, and so how it shows that its sender ends none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum First {
    /// To a server: complete when its three words are there.
    Registration,
    /// To a client: a status line, which may end anywhere.
    Status,
}

/// How messages end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Framing {
    Unknown(First),
    /// With `\n`, before which a `\r` is ignored.
    Lines,
    /// With the read that brought them.
    Bare,
}

/// A message, or the place where one was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Heard {
    /// Without its end.
    Line(Bytes),
    /// It was longer than allowed and is gone.
    TooLong,
}

/// What was received and not yet understood.
#[derive(Debug)]
pub(super) struct Inbox {
    framing: Framing,
    longest: usize,
    /// Of lines, and of somebody unknown.
    buffer: BytesMut,
    /// Of somebody bare, as they came.
    chunks: VecDeque<Bytes>,
    /// The rest of a line that was too long is still to come.
    skipping: bool,
    /// When what is there of the first message is taken for all of it.
    quiet_at: Option<Instant>,
}

impl Inbox {
    /// For somebody whose first message shows how messages end. Messages of more than `longest` bytes are
    /// dropped.
    pub(super) fn new(first: First, longest: usize) -> Self {
        Self::with(Framing::Unknown(first), longest)
    }

    /// For somebody known to end lines.
    pub(super) fn of_lines(longest: usize) -> Self {
        Self::with(Framing::Lines, longest)
    }

    fn with(framing: Framing, longest: usize) -> Self {
        let (buffer, chunks) = (BytesMut::new(), VecDeque::new());
        Self { framing, longest, buffer, chunks, skipping: false, quiet_at: None }
    }

    /// Takes what one read gave.
    pub(super) fn push(&mut self, bytes: Bytes, now: Instant) {
        match self.framing {
            Framing::Bare => self.chunks.push_back(bytes),
            Framing::Lines => self.buffer.extend_from_slice(&bytes),
            Framing::Unknown(first) => self.push_unknown(first, bytes, now),
        }
    }

    fn push_unknown(&mut self, first: First, bytes: Bytes, now: Instant) {
        let ends = bytes.starts_with(b"\r") || bytes.starts_with(b"\n");
        if first == First::Registration && self.quiet_at.is_some() && !ends {
            // Somebody who says more after a whole registration does not end it.
            self.settle_bare();
            self.chunks.push_back(bytes);
            return;
        }
        self.buffer.extend_from_slice(&bytes);
        let whole = match first {
            First::Registration => is_registration(&self.buffer),
            First::Status => !self.buffer.is_empty(),
        };
        self.quiet_at = if whole { now.checked_add(QUIET) } else { None };
        if self.buffer.contains(&b'\n') || self.buffer.len() > self.longest.saturating_add(1) {
            self.framing = Framing::Lines;
            self.quiet_at = None;
        }
    }

    /// The next message, if it is whole.
    pub(super) fn next(&mut self) -> Option<Heard> {
        match self.framing {
            Framing::Unknown(_) => None,
            Framing::Lines => self.next_line(),
            Framing::Bare => self.next_chunk(),
        }
    }

    fn next_line(&mut self) -> Option<Heard> {
        while let Some(end) = self.buffer.iter().position(|byte| *byte == b'\n') {
            let line = self.buffer.split_to(end.saturating_add(1)).freeze();
            if !std::mem::take(&mut self.skipping) {
                return Some(self.heard(&line));
            }
        }
        if self.buffer.len() > self.longest.saturating_add(1) {
            self.buffer.clear();
            if !std::mem::replace(&mut self.skipping, true) {
                return Some(Heard::TooLong);
            }
        }
        None
    }

    /// A line end inside a chunk ends a message, too, or it would become a line of its own at others.
    fn next_chunk(&mut self) -> Option<Heard> {
        while let Some(mut chunk) = self.chunks.pop_front() {
            let end = chunk.iter().position(|byte| *byte == b'\n').map_or(chunk.len(), |end| end + 1);
            let line = chunk.split_to(end);
            if !chunk.is_empty() {
                self.chunks.push_front(chunk);
            }
            match self.heard(&line) {
                Heard::Line(line) if line.is_empty() => {}
                heard => return Some(heard),
            }
        }
        None
    }

    fn heard(&self, line: &Bytes) -> Heard {
        let text = line.strip_suffix(b"\n").unwrap_or(line);
        let text = text.strip_suffix(b"\r").unwrap_or(text);
        if text.len() > self.longest { Heard::TooLong } else { Heard::Line(line.slice_ref(text)) }
    }

    /// Up to `at_most` bytes that are no message.
    pub(super) fn take_raw(&mut self, at_most: usize) -> Option<Bytes> {
        if self.framing == Framing::Bare {
            let chunk = self.chunks.front_mut()?;
            let raw = chunk.split_to(at_most.min(chunk.len()));
            if chunk.is_empty() {
                self.chunks.pop_front();
            }
            return Some(raw);
        }
        let raw = self.buffer.split_to(at_most.min(self.buffer.len())).freeze();
        (!raw.is_empty()).then_some(raw)
    }

    /// When to call [`handle_timeout`](Self::handle_timeout).
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.quiet_at
    }

    /// Takes the first message for whole if the silence was long enough.
    pub(super) fn handle_timeout(&mut self, now: Instant) {
        if self.quiet_at.is_some_and(|at| at <= now) {
            self.settle_bare();
        }
    }

    /// Takes what is there for a whole message of somebody who does not end any.
    pub(super) fn settle_bare(&mut self) {
        self.quiet_at = None;
        if matches!(self.framing, Framing::Unknown(_)) && !self.buffer.is_empty() {
            self.framing = Framing::Bare;
            self.chunks.push_back(std::mem::take(&mut self.buffer).freeze());
        }
    }

    /// Whether messages end with the read that brought them.
    pub(super) fn is_bare(&self) -> bool {
        self.framing == Framing::Bare
    }

    /// What waits to be understood, of somebody who has not said a whole line.
    pub(super) fn start(&self) -> &[u8] {
        &self.buffer
    }

    /// Bytes that wait, each read counted as a few more so that many short ones are bounded, too.
    pub(super) fn weight(&self) -> usize {
        let chunks = self.chunks.iter().map(|chunk| chunk.len().saturating_add(32));
        chunks.fold(self.buffer.len(), usize::saturating_add)
    }
}
