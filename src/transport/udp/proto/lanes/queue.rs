//! The messages of one class on their way out.

use std::{collections::VecDeque, ops::Range};

use bytes::Bytes;

use super::{
    MESSAGE_CHARGE,
    credit::{SendCredit, charge, is_large},
    message::{MIN_FRAGMENT, Message, Place},
    outgoing::OutPiece,
    schedule::{Left, Schedule, Turn},
    slots::SlotMap,
    wire_lane,
};
use crate::transport::{Class, MAX_MESSAGE_BYTES, udp::proto::sent::PieceRef};

/// Bytes that may wait in a class, charge included: for bulk more than the credit of the other side, or holes that
/// wait to be filled would leave nothing else to send.
const fn max_queued(class: Class) -> usize {
    match class {
        Class::Control | Class::Thin => 256 << 10,
        Class::Bulk => 12 << 20,
    }
}

/// Idle slots that keep the room of their queue, so that a steady flow of messages allocates nothing.
const WARM_SLOTS: usize = 16;

/// The messages of one class.
#[derive(Debug)]
pub(super) struct Queue {
    class: Class,
    slots: SlotMap,
    /// By slot.
    lanes: Vec<OutLane>,
    schedule: Schedule,
    /// Slot and number of messages with lost bytes; the first one surely has some.
    lost: VecDeque<(u32, u64)>,
    /// Charges of all messages not acknowledged.
    queued: usize,
}

/// The messages of one slot.
#[derive(Debug, Default)]
struct OutLane {
    /// The number of the first message.
    first: u64,
    messages: VecDeque<Message>,
    /// How many messages at the front are sent completely.
    sent: usize,
}

impl OutLane {
    fn get(&self, seq: u64) -> Option<&Message> {
        self.messages.get(usize::try_from(seq.checked_sub(self.first)?).ok()?)
    }

    fn get_mut(&mut self, seq: u64) -> Option<&mut Message> {
        self.messages.get_mut(usize::try_from(seq.checked_sub(self.first)?).ok()?)
    }

    fn unsent(&self) -> Option<&Message> {
        self.messages.get(self.sent)
    }
}

impl Queue {
    /// Empty, with at most `max_slots` lanes on the wire.
    pub(super) fn new(class: Class, max_slots: u32) -> Self {
        Self {
            class,
            slots: SlotMap::new(max_slots),
            lanes: Vec::new(),
            schedule: Schedule::new(),
            lost: VecDeque::new(),
            queued: 0,
        }
    }

    /// Queues a message of the application's lane `lane_id`.
    pub(super) fn push(&mut self, lane_id: u32, data: Bytes) {
        let slot = self.slots.bind(lane_id);
        if self.lanes.len() <= slot as usize {
            self.lanes.push(OutLane::default());
        }
        let Some(lane) = self.lanes.get_mut(slot as usize) else { return };
        self.queued = self.queued.saturating_add(cost(data.len()));
        let waiting = lane.unsent().is_some();
        lane.messages.push_back(Message::new(data, lane_id));
        self.schedule.on_push(slot, waiting);
        self.settle();
    }

    /// See [`Outgoing::room`](super::Outgoing::room).
    pub(super) fn room(&self) -> usize {
        match self.queued {
            0 => MAX_MESSAGE_BYTES,
            queued => max_queued(self.class).saturating_sub(cost(queued)),
        }
    }

    /// Whether there are bytes that were never sent.
    pub(super) fn has_fresh(&self) -> bool {
        !self.schedule.is_empty()
    }

    /// Whether there are bytes to be sent again.
    pub(super) fn has_lost(&self) -> bool {
        !self.lost.is_empty()
    }

    /// Whether there is something to send and nothing but credit lacks for it.
    pub(super) fn is_blocked(&self, credit: &SendCredit) -> bool {
        self.has_fresh() && self.turn(credit).is_none()
    }

    /// See [`Outgoing::next_fresh`](super::Outgoing::next_fresh).
    pub(super) fn next_fresh(&mut self, max_frame_bytes: usize, credit: &mut SendCredit) -> Option<OutPiece> {
        let turn = self.turn(credit)?;
        let lane = self.lanes.get_mut(turn.slot as usize)?;
        let seq = lane.first.checked_add(lane.sent as u64)?;
        let message = lane.messages.get_mut(lane.sent)?;
        let (fixed, per_byte) = price(message);
        let allowance = if per_byte { credit.available(self.class).saturating_sub(fixed) } else { u64::MAX };
        let wire = wire_lane(self.class, turn.slot);
        let range = message.next_unsent(Place { lane: wire, seq, max_frame_bytes }, allowance)?;
        let piece = out_piece(message, wire, seq, &range)?;

        let bytes = if per_byte { u64::from(piece.r.len) } else { 0 };
        credit.spend(self.class, fixed.saturating_add(bytes));
        message.on_sent(&range);
        let left = match (message.unsent(), per_byte) {
            (0, _) => {
                lane.sent = lane.sent.saturating_add(1);
                Left::Nothing { more: lane.unsent().is_some() }
            }
            (_, true) => Left::Unpaid,
            (_, false) => Left::Paid,
        };
        self.schedule.on_frame(turn, left);
        self.settle();
        Some(piece)
    }

    fn turn(&self, credit: &SendCredit) -> Option<Turn> {
        let needed = self.schedule.unpaid().and_then(|turn| self.unsent(turn.slot)).map(|message| {
            let (fixed, per_byte) = price(message);
            let least = if per_byte { message.unsent().min(MIN_FRAGMENT as u32) } else { 0 };
            fixed.saturating_add(least.into())
        });
        self.schedule.turn(needed.is_some_and(|needed| needed <= credit.available(self.class)))
    }

    /// See [`Outgoing::next_lost`](super::Outgoing::next_lost).
    pub(super) fn next_lost(&mut self, max_frame_bytes: usize) -> Option<OutPiece> {
        let (slot, seq) = *self.lost.front()?;
        let message = self.lanes.get_mut(slot as usize)?.get_mut(seq)?;
        let lane = wire_lane(self.class, slot);
        let range = message.take_lost(Place { lane, seq, max_frame_bytes })?;
        let piece = out_piece(message, lane, seq, &range);
        self.drop_recovered();
        piece
    }

    /// A packet with `range` of message `seq` was lost.
    pub(super) fn on_lost(&mut self, slot: u32, seq: u64, range: Range<u32>) {
        let message = self.lanes.get_mut(slot as usize).and_then(|lane| lane.get_mut(seq));
        if message.is_some_and(|message| message.on_lost(range)) {
            self.lost.push_back((slot, seq));
        }
    }

    /// A packet with `range` of message `seq` arrived. `true`: with it, the whole message has.
    pub(super) fn on_acked(&mut self, slot: u32, seq: u64, range: Range<u32>) -> bool {
        let Some(lane) = self.lanes.get_mut(slot as usize) else { return false };
        let Some(message) = lane.get_mut(seq) else { return false };
        let bytes = cost(message.total() as usize);
        let done = message.on_acked(range);
        if done {
            self.queued = self.queued.saturating_sub(bytes);
            self.release_acked(slot);
        }
        self.drop_recovered();
        done
    }

    /// `range` of message `seq` once more. `None`: it has arrived.
    pub(super) fn piece(&self, slot: u32, seq: u64, range: &Range<u32>) -> Option<OutPiece> {
        let message = self.lanes.get(slot as usize)?.get(seq)?;
        out_piece(message, wire_lane(self.class, slot), seq, range)
    }

    /// Forgets messages up to the first that is not acknowledged. Those behind it may not be in the
    /// other application's hands yet, so they keep their lane in its slot.
    fn release_acked(&mut self, slot: u32) {
        let Some(lane) = self.lanes.get_mut(slot as usize) else { return };
        let mut idle = false;
        while lane.messages.front().is_some_and(Message::is_acked) {
            let Some(message) = lane.messages.pop_front() else { break };
            lane.first = lane.first.saturating_add(1);
            lane.sent = lane.sent.saturating_sub(1);
            idle = self.slots.release(message.lane_id);
        }
        if idle {
            let keep = if (slot as usize) < WARM_SLOTS { 4 } else { 0 };
            lane.messages.shrink_to(keep);
        }
    }

    /// Keeps the promise that the first of `lost` has lost bytes.
    fn drop_recovered(&mut self) {
        while let Some((slot, seq)) = self.lost.front() {
            let message = self.lanes.get_mut(*slot as usize).and_then(|lane| lane.get_mut(*seq));
            if message.is_some_and(Message::has_lost) {
                return;
            }
            self.lost.pop_front();
        }
    }

    /// Sees to it that the first in need of credit may be sent once there is some.
    fn settle(&mut self) {
        let lanes = &self.lanes;
        let is_large = |slot: u32| {
            let message = lanes.get(slot as usize).and_then(OutLane::unsent);
            message.is_some_and(|message| is_large(message.total().into()))
        };
        while self.schedule.park(is_large) {}
    }

    fn unsent(&self, slot: u32) -> Option<&Message> {
        self.lanes.get(slot as usize)?.unsent()
    }
}

/// What sending more of `message` costs: a fixed part, and whether each byte costs one more.
fn price(message: &Message) -> (u64, bool) {
    let total = u64::from(message.total());
    match (is_large(total), message.is_started()) {
        (true, false) => (MESSAGE_CHARGE, true),
        (true, true) => (0, true),
        (false, false) => (charge(total), false),
        (false, true) => (0, false),
    }
}

/// [`charge`] of memory.
const fn cost(len: usize) -> usize {
    len.saturating_add(MESSAGE_CHARGE as usize)
}

fn out_piece(message: &Message, lane: u64, seq: u64, range: &Range<u32>) -> Option<OutPiece> {
    let data = message.bytes(range)?;
    let r = PieceRef { lane, seq, offset: range.start.into(), len: range.end - range.start };
    Some(OutPiece { r, part: message.part(range), data })
}
