//! What waits for one link: filled by the driver, which never waits, and emptied by the link's
//! session, which does. Files wait in a line of their own, so that nothing else waits for them.

use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::sync::Notify;

use crate::{
    app::limits::{OUTBOX_BULK_BYTES, OUTBOX_BYTES, OUTBOX_FRAMES},
    transport::{Class, Lane, Turns},
    wire::ByeReason,
};

/// Frames of the control class that wait for one link. More than of the others: what steers a link
/// is never sent again.
pub const OUTBOX_CONTROL_FRAMES: usize = 8 * OUTBOX_FRAMES;

/// Bytes handed to the transport at a time, one frame more at most: what a frame of another lane waits for.
const BATCH_BYTES: usize = 16 << 10;

/// Who waits for whom: within a line the lanes have turns, between the lines nobody waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// What steers, and chat.
    Prompt,
    /// Files.
    Bulk,
}

impl Line {
    pub(super) const fn of(class: Class) -> Self {
        match class {
            Class::Control | Class::Thin => Self::Prompt,
            Class::Bulk => Self::Bulk,
        }
    }
}

/// What became of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pushed {
    /// It waits for its turn.
    Taken,
    /// There is no room; nothing more of this class is taken until somebody was told of room.
    Full,
}

/// What the session is to do next.
#[derive(Debug)]
pub(super) enum Next {
    /// Send these.
    Frames(Vec<(Lane, Bytes)>),
    /// Everything was sent that is to be: close.
    Close(ByeReason, String),
}

/// What waits for one link.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    state: Mutex<State>,
    prompt_ready: Notify,
    bulk_ready: Notify,
}

#[derive(Debug, Default)]
struct State {
    /// One for each class, files last.
    queues: [Queue; Class::ALL.len()],
    prompt: Progress,
    bulk: Progress,
    closing: Option<(ByeReason, String)>,
    closed: bool,
}

/// How far a line is.
#[derive(Debug, Default)]
struct Progress {
    /// A frame was refused or somebody asked: the driver is to be told of room.
    room_awaited: bool,
    /// Frames were handed out that the transport may not have yet.
    sending: bool,
}

#[derive(Debug, Default)]
struct Queue {
    frames: Turns<(Lane, Bytes)>,
    bytes: usize,
    full: bool,
}

impl Queue {
    fn has_room(&self, class: Class) -> bool {
        let frames = if class == Class::Control { OUTBOX_CONTROL_FRAMES } else { OUTBOX_FRAMES };
        !self.full && self.frames.len() < frames && self.bytes < max_bytes(Line::of(class))
    }

    fn is_half_empty(&self, line: Line) -> bool {
        self.frames.len() <= OUTBOX_FRAMES / 2 && self.bytes <= max_bytes(line) / 2
    }

    fn pop(&mut self) -> Option<(Lane, Bytes)> {
        let (_, (lane, frame)) = self.frames.pop()?;
        self.bytes -= frame.len();
        Some((lane, frame))
    }
}

const fn max_bytes(line: Line) -> usize {
    match line {
        Line::Prompt => OUTBOX_BYTES,
        Line::Bulk => OUTBOX_BULK_BYTES,
    }
}

impl State {
    fn line(&mut self, line: Line) -> (&mut Progress, &mut [Queue]) {
        let (prompt, bulk) = self.queues.split_at_mut(Class::Bulk.index());
        match line {
            Line::Prompt => (&mut self.prompt, prompt),
            Line::Bulk => (&mut self.bulk, bulk),
        }
    }

    const fn is_closing(&self) -> bool {
        self.closed || self.closing.is_some()
    }

    /// The next frames of a line, the highest class first. Files one by one: each is long, and whoever closes
    /// is to find as few of them as can be on their way.
    fn batch(&mut self, line: Line) -> Vec<(Lane, Bytes)> {
        let most = if line == Line::Bulk { 1 } else { BATCH_BYTES };
        let (mut frames, mut bytes) = (Vec::new(), 0);
        let (progress, queues) = self.line(line);
        for queue in queues {
            while bytes < most
                && let Some((lane, frame)) = queue.pop()
            {
                bytes += frame.len().max(1);
                frames.push((lane, frame));
            }
        }
        progress.sending |= !frames.is_empty();
        frames
    }
}

impl Outbox {
    /// Puts a frame in line. Never waits.
    pub(super) fn push(&self, lane: Lane, frame: Bytes) -> Pushed {
        let mut state = self.state();
        if state.is_closing() {
            return Pushed::Taken;
        }
        let Some(queue) = state.queues.get_mut(lane.class.index()) else { return Pushed::Taken };
        if !queue.has_room(lane.class) {
            queue.full = true;
            state.line(Line::of(lane.class)).0.room_awaited = true;
            return Pushed::Full;
        }
        queue.bytes += frame.len();
        queue.frames.push(lane.id, (lane, frame));
        drop(state);
        self.ready(Line::of(lane.class)).notify_one();
        Pushed::Taken
    }

    /// Whether nothing waits in a line, so that a frame of it may go to the transport at once.
    pub(super) fn is_idle(&self, line: Line) -> bool {
        let mut state = self.state();
        let is_closing = state.is_closing();
        let (progress, queues) = state.line(line);
        let is_empty = queues.iter().all(|queue| queue.frames.is_empty() && !queue.full);
        is_empty && !progress.sending && !is_closing
    }

    /// Whether there is room for chat now; if not, the driver is told when there is. Files have no say in it:
    /// of theirs the driver is told when one was refused.
    pub(super) fn await_room(&self) -> bool {
        let mut state = self.state();
        let (progress, queues) = state.line(Line::Prompt);
        let has_room = queues.iter().all(|queue| !queue.full && queue.is_half_empty(Line::Prompt));
        progress.room_awaited = !has_room;
        has_room
    }

    /// Closes when everything that waits was sent, but for files: they go on over another link.
    pub(super) fn close(&self, reason: ByeReason, detail: String) {
        let mut state = self.state();
        state.closing.get_or_insert((reason, detail));
        state.line(Line::Bulk).1.fill_with(Queue::default);
        drop(state);
        self.prompt_ready.notify_one();
    }

    /// Whether a close was asked for.
    pub(super) fn is_closing(&self) -> bool {
        self.state().is_closing()
    }

    /// What to do next but for files. Cancel safe.
    pub(super) async fn next(&self) -> Next {
        loop {
            if let Some(next) = self.take() {
                return next;
            }
            self.prompt_ready.notified().await;
        }
    }

    fn take(&self) -> Option<Next> {
        let mut state = self.state();
        let frames = state.batch(Line::Prompt);
        if !frames.is_empty() {
            return Some(Next::Frames(frames));
        }
        if state.closed {
            return None;
        }
        let (reason, detail) = state.closing.take()?;
        state.closed = true;
        Some(Next::Close(reason, detail))
    }

    /// The next part of a file. Cancel safe.
    pub(super) async fn next_bulk(&self) -> (Lane, Bytes) {
        loop {
            if let Some(part) = self.take_bulk() {
                return part;
            }
            self.bulk_ready.notified().await;
        }
    }

    fn take_bulk(&self) -> Option<(Lane, Bytes)> {
        self.state().batch(Line::Bulk).pop()
    }

    /// Called when what a line handed out was sent: whether the driver is to be told of room.
    pub(super) fn sent(&self, line: Line) -> bool {
        let mut state = self.state();
        let (progress, queues) = state.line(line);
        progress.sending = false;
        if !progress.room_awaited || !queues.iter().all(|queue| queue.is_half_empty(line)) {
            return false;
        }
        progress.room_awaited = false;
        queues.iter_mut().for_each(|queue| queue.full = false);
        true
    }

    const fn ready(&self, line: Line) -> &Notify {
        match line {
            Line::Prompt => &self.prompt_ready,
            Line::Bulk => &self.bulk_ready,
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
