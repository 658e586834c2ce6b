//! Messages on their way out: queued, cut into pieces that fit, and kept until acknowledged.

use std::ops::Range;

use bytes::Bytes;

use super::{MAX_SLOTS, PerClass, class_and_slot, credit::SendCredit, queue::Queue};
use crate::transport::{Class, Lane, MAX_MESSAGE_BYTES, udp::proto::sent::PieceRef};

/// Everything pushed and not yet acknowledged.
#[derive(Debug)]
pub(crate) struct Outgoing {
    /// Of those classes that ever had a message.
    queues: PerClass<Option<Box<Queue>>>,
    max_slots: u32,
    pushed: u64,
    acked: u64,
}

/// Bytes of a message as one frame carries them.
#[derive(Clone, Debug)]
pub(crate) struct OutPiece {
    /// Which bytes.
    pub(crate) r: PieceRef,
    /// The length of the whole message and the offset of these bytes; `None`: they are the message.
    pub(crate) part: Option<(u64, u64)>,
    /// The bytes.
    pub(crate) data: Bytes,
}

impl Outgoing {
    /// Nothing to send.
    pub(crate) fn new() -> Self {
        Self::with_max_slots(MAX_SLOTS)
    }

    /// With fewer slots than the wire has.
    pub(super) fn with_max_slots(max_slots: u32) -> Self {
        Self { queues: PerClass::from_fn(|_| None), max_slots, pushed: 0, acked: 0 }
    }

    /// Queues a message of at most `MAX_MESSAGE_BYTES` that [`room`](Self::room) has room for.
    pub(crate) fn push(&mut self, lane: Lane, message: Bytes) {
        self.pushed = self.pushed.saturating_add(1);
        let queue = self.queues.get_mut(lane.class);
        queue.get_or_insert_with(|| Box::new(Queue::new(lane.class, self.max_slots))).push(lane.id, message);
    }

    /// How long a message may be to be pushed. An empty class takes one of any length.
    pub(crate) fn room(&self, class: Class) -> usize {
        self.queue(class).map_or(MAX_MESSAGE_BYTES, Queue::room)
    }

    /// Whether every message is acknowledged.
    pub(crate) const fn is_empty(&self) -> bool {
        self.acked == self.pushed
    }

    /// Whether there are bytes that were never sent.
    pub(crate) fn has_fresh(&self, class: Class) -> bool {
        self.queue(class).is_some_and(Queue::has_fresh)
    }

    /// Whether there are bytes to be sent again.
    pub(crate) fn has_lost(&self, class: Class) -> bool {
        self.queue(class).is_some_and(Queue::has_lost)
    }

    /// Messages pushed since the beginning.
    pub(crate) const fn total_pushed(&self) -> u64 {
        self.pushed
    }

    /// Messages acknowledged since the beginning.
    #[cfg(test)]
    pub(crate) const fn acked_messages(&self) -> u64 {
        self.acked
    }

    /// Whether there is something to send and nothing but credit lacks for it.
    pub(crate) fn is_blocked(&self, class: Class, credit: &SendCredit) -> bool {
        self.queue(class).is_some_and(|queue| queue.is_blocked(credit))
    }

    /// The next bytes that were never sent, as a frame of at most `max_frame_bytes`, header included. A
    /// message is cut only if it does not fit, and then not into pieces of less than 64 bytes. `None`:
    /// nothing to send, no credit, or no room.
    pub(crate) fn next_fresh(
        &mut self,
        class: Class,
        max_frame_bytes: usize,
        credit: &mut SendCredit,
    ) -> Option<OutPiece> {
        self.queues.get_mut(class).as_mut()?.next_fresh(max_frame_bytes, credit)
    }

    /// The next bytes that were reported lost and have not arrived by now, as a frame of at most
    /// `max_frame_bytes`; likewise cut.
    pub(crate) fn next_lost(&mut self, class: Class, max_frame_bytes: usize) -> Option<OutPiece> {
        self.queues.get_mut(class).as_mut()?.next_lost(max_frame_bytes)
    }

    /// A packet with `r` was acknowledged. `true`: so is the whole message now, and it is forgotten.
    pub(crate) fn on_acked(&mut self, r: PieceRef) -> bool {
        let done = self.locate_mut(r).is_some_and(|(queue, slot, range)| queue.on_acked(slot, r.seq, range));
        self.acked = self.acked.saturating_add(done.into());
        done
    }

    /// A packet with `r` was lost: what of it has not arrived otherwise goes out again.
    pub(crate) fn on_lost(&mut self, r: PieceRef) {
        if let Some((queue, slot, range)) = self.locate_mut(r) {
            queue.on_lost(slot, r.seq, range);
        }
    }

    /// The bytes of `r` once more, for copies and probes. `None`: they have arrived.
    pub(crate) fn piece(&self, r: PieceRef) -> Option<OutPiece> {
        let (class, slot) = class_and_slot(r.lane)?;
        self.queue(class)?.piece(slot, r.seq, &byte_range(r)?)
    }

    fn queue(&self, class: Class) -> Option<&Queue> {
        self.queues.get(class).as_deref()
    }

    fn locate_mut(&mut self, r: PieceRef) -> Option<(&mut Queue, u32, Range<u32>)> {
        let (class, slot) = class_and_slot(r.lane)?;
        Some((self.queues.get_mut(class).as_mut()?, slot, byte_range(r)?))
    }
}

fn byte_range(r: PieceRef) -> Option<Range<u32>> {
    let start = u32::try_from(r.offset).ok()?;
    Some(start..start.checked_add(r.len)?)
}
