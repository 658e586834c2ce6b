//! What waits for one link: filled by the driver, which never waits, and emptied by the link's
//! session, which does.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use tokio::sync::Notify;

use crate::{
    app::limits::{OUTBOX_BYTES, OUTBOX_FRAMES},
    transport::{Class, Lane},
    wire::ByeReason,
};

/// Frames of the control class that wait for one link. More than of the others: what steers a link
/// is never sent again.
pub const OUTBOX_CONTROL_FRAMES: usize = 8 * OUTBOX_FRAMES;

/// Bytes handed to the transport at a time, one frame more at most.
const BATCH_BYTES: usize = 64 << 10;

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
    /// Everything was sent: close.
    Close(ByeReason, String),
}

/// What waits for one link.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    state: Mutex<State>,
    ready: Notify,
}

#[derive(Debug, Default)]
struct State {
    queues: [Queue; 3],
    /// A frame was refused or somebody asked: the driver is to be told of room.
    room_awaited: bool,
    closing: Option<(ByeReason, String)>,
    closed: bool,
    /// Frames were handed out that the transport may not have yet.
    sending: bool,
}

#[derive(Debug, Default)]
struct Queue {
    frames: VecDeque<(Lane, Bytes)>,
    bytes: usize,
    full: bool,
}

impl Queue {
    fn has_room(&self, class: Class) -> bool {
        let frames = if class == Class::Control { OUTBOX_CONTROL_FRAMES } else { OUTBOX_FRAMES };
        !self.full && self.frames.len() < frames && self.bytes < OUTBOX_BYTES
    }

    fn is_half_empty(&self) -> bool {
        self.frames.len() <= OUTBOX_FRAMES / 2 && self.bytes <= OUTBOX_BYTES / 2
    }
}

impl State {
    /// The next frames, the highest class first.
    fn batch(&mut self) -> Vec<(Lane, Bytes)> {
        let (mut frames, mut bytes) = (Vec::new(), 0);
        for queue in &mut self.queues {
            while bytes < BATCH_BYTES
                && let Some((lane, frame)) = queue.frames.pop_front()
            {
                queue.bytes -= frame.len();
                bytes += frame.len();
                frames.push((lane, frame));
            }
        }
        frames
    }
}

impl Outbox {
    /// Puts a frame in line. Never waits.
    pub(super) fn push(&self, lane: Lane, frame: Bytes) -> Pushed {
        let mut state = self.state();
        if state.closed || state.closing.is_some() {
            return Pushed::Taken;
        }
        let Some(queue) = state.queues.get_mut(lane.class.index()) else { return Pushed::Taken };
        if !queue.has_room(lane.class) {
            queue.full = true;
            state.room_awaited = true;
            return Pushed::Full;
        }
        queue.bytes += frame.len();
        queue.frames.push_back((lane, frame));
        drop(state);
        self.ready.notify_one();
        Pushed::Taken
    }

    /// Whether nothing waits, so that a frame may go to the transport at once.
    pub(super) fn is_idle(&self) -> bool {
        let state = self.state();
        let empty = state.queues.iter().all(|queue| queue.frames.is_empty() && !queue.full);
        empty && !state.sending && !state.closed && state.closing.is_none()
    }

    /// Whether there is room for chat now; if not, the driver is told when there is.
    pub(super) fn await_room(&self) -> bool {
        let mut state = self.state();
        let has_room = state.queues.iter().all(|queue| !queue.full && queue.is_half_empty());
        state.room_awaited = !has_room;
        has_room
    }

    /// Closes when everything that waits was sent.
    pub(super) fn close(&self, reason: ByeReason, detail: String) {
        self.state().closing.get_or_insert((reason, detail));
        self.ready.notify_one();
    }

    /// Whether a close was asked for.
    pub(super) fn is_closing(&self) -> bool {
        let state = self.state();
        state.closed || state.closing.is_some()
    }

    /// What to do next. Cancel safe.
    pub(super) async fn next(&self) -> Next {
        loop {
            if let Some(next) = self.take() {
                return next;
            }
            self.ready.notified().await;
        }
    }

    fn take(&self) -> Option<Next> {
        let mut state = self.state();
        let frames = state.batch();
        if !frames.is_empty() {
            state.sending = true;
            return Some(Next::Frames(frames));
        }
        if state.closed {
            return None;
        }
        let (reason, detail) = state.closing.take()?;
        state.closed = true;
        Some(Next::Close(reason, detail))
    }

    /// Called when what `next` handed out was sent: whether the driver is to be told of room.
    pub(super) fn sent(&self) -> bool {
        let mut state = self.state();
        state.sending = false;
        if !state.room_awaited || !state.queues.iter().all(Queue::is_half_empty) {
            return false;
        }
        state.room_awaited = false;
        state.queues.iter_mut().for_each(|queue| queue.full = false);
        true
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
