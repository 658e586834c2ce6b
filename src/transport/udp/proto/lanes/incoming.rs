//! Messages on their way in: put together, brought into the order of their lanes, handed out once.

use std::{
    collections::{BTreeMap, VecDeque, btree_map::Entry},
    ops::Range,
    time::{Duration, Instant},
};

use bytes::Bytes;

use super::{
    MAX_SLOTS, PerClass,
    budget::{Budget, Held},
    class_and_slot,
    credit::charge,
};
use crate::transport::{
    Class, MAX_MESSAGE_BYTES,
    udp::proto::{Violation, frame::Piece},
};

/// Everything that arrived and is not yet taken.
#[derive(Debug)]
pub(crate) struct Incoming {
    max_slots: u32,
    /// By number on the wire. An idle lane is only its next number, and is never forgotten: else an old
    /// message could be taken for a new one.
    lanes: BTreeMap<u64, InLane>,
    budgets: PerClass<Budget>,
    ready: Ready,
    /// A planted fault: messages are handed out as they are completed.
    #[cfg(test)]
    pub(crate) unordered: bool,
}

/// What became of a piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Placed {
    /// Brought something that was not here.
    New,
    /// Was here already.
    Old,
    /// There is no room to keep track of it. Its packet must not be acknowledged, so that it comes again.
    Full,
}

#[derive(Debug, Default)]
struct InLane {
    next_seq: u64,
    held: BTreeMap<u64, Held>,
}

/// What the application may have.
#[derive(Debug, Default)]
struct Ready {
    messages: VecDeque<(Class, Bytes)>,
    /// Messages that ever got here.
    total: u64,
}

impl Incoming {
    /// Nothing has arrived.
    pub(crate) fn new() -> Self {
        Self::with_max_slots(MAX_SLOTS)
    }

    /// With fewer slots than the wire has.
    pub(super) fn with_max_slots(max_slots: u32) -> Self {
        Self {
            max_slots,
            lanes: BTreeMap::new(),
            budgets: PerClass::from_fn(Budget::new),
            ready: Ready::default(),
            #[cfg(test)]
            unordered: false,
        }
    }

    /// A piece arrived.
    ///
    /// # Errors
    ///
    /// It makes no sense: no such lane, an empty fragment, an end beyond the message's, a length other
    /// than before or above `MAX_MESSAGE_BYTES`, or more than there was credit for.
    pub(crate) fn on_piece(&mut self, piece: &Piece<'_>) -> Result<Placed, Violation> {
        let class = match class_and_slot(piece.lane) {
            Some((class, slot)) if slot < self.max_slots => class,
            _ => return Err(Violation("a lane that does not exist")),
        };
        let (total, range) = extent(piece)?;
        let budget = self.budgets.get_mut(class);
        let lane = self.lanes.entry(piece.lane).or_default();
        if piece.seq < lane.next_seq {
            return Ok(Placed::Old);
        }
        let placed = if piece.part.is_none() && lane.is_next_unseen(piece.seq) {
            lane.take_next(class, piece.data, budget, &mut self.ready)?
        } else {
            lane.place(piece, total, range, budget)?
        };
        if placed == Placed::New {
            #[cfg(test)]
            if self.unordered {
                lane.hand_out_of_order(class, &mut self.ready);
            }
            lane.hand_out(class, &mut self.ready);
        }
        Ok(placed)
    }

    /// The next complete message: in order within its lane, else in order of completion.
    pub(crate) fn pop(&mut self) -> Option<(Class, Bytes)> {
        self.ready.messages.pop_front()
    }

    /// Whether [`pop`](Self::pop) has something.
    pub(crate) fn has_ready(&self) -> bool {
        !self.ready.messages.is_empty()
    }

    /// Messages popped, or ready to be, since the beginning.
    pub(crate) const fn delivered_total(&self) -> u64 {
        self.ready.total
    }

    /// Whether all of the `total` messages that the other side sent have been delivered.
    #[cfg(test)]
    pub(crate) const fn received_complete(&self, total: u64) -> bool {
        self.ready.total >= total
    }

    /// The application has taken a popped message of `len` bytes.
    pub(crate) fn on_taken(&mut self, class: Class, len: usize) {
        let budget = self.budgets.get_mut(class);
        budget.stored = budget.stored.saturating_sub(len);
        budget.credit.consume(len as u64);
    }

    /// A class whose limit has to be told now. To be asked until it says `None`, after every
    /// [`on_piece`](Self::on_piece) and [`on_taken`](Self::on_taken).
    pub(crate) fn credit_due(&mut self, now: Instant, srtt: Duration) -> Option<(Class, u64)> {
        Class::ALL.into_iter().find_map(|class| {
            let budget = self.budgets.get_mut(class);
            let limit = budget.credit.due(budget.reserve(), now, srtt)?;
            Some((class, limit))
        })
    }

    /// The limit last granted, for the transport parameters and for telling it again.
    pub(crate) const fn credit(&self, class: Class) -> u64 {
        self.budgets.get(class).credit.granted()
    }

    /// The other side is held up by `their_limit`. `true`: [`credit`](Self::credit) is more, so tell it.
    pub(crate) fn on_blocked(&mut self, class: Class, their_limit: u64) -> bool {
        let starves = !self.has_ready();
        let budget = self.budgets.get_mut(class);
        if starves && their_limit >= budget.credit.granted() {
            budget.credit.widen();
        }
        let reserve = budget.reserve();
        budget.credit.grant(reserve);
        budget.credit.granted() > their_limit
    }

    /// Lanes ever seen, and messages in them that are not handed out.
    #[cfg(test)]
    pub(crate) fn tracked(&self) -> (usize, usize) {
        (self.lanes.len(), self.lanes.values().map(|lane| lane.held.len()).sum())
    }

    /// Gaps in messages.
    #[cfg(test)]
    pub(crate) fn gaps(&self) -> usize {
        Class::ALL.into_iter().map(|class| self.budgets.get(class).gaps()).sum()
    }

    /// Bytes charged since the beginning.
    #[cfg(test)]
    pub(super) const fn charged(&self, class: Class) -> u64 {
        self.budgets.get(class).credit.charged()
    }

    /// Bytes of storage taken by what the application has not taken.
    pub(crate) fn buffered(&self) -> usize {
        Class::ALL.into_iter().map(|class| self.budgets.get(class).stored).sum()
    }
}

impl Ready {
    fn push(&mut self, class: Class, message: Bytes) {
        self.messages.push_back((class, message));
        self.total = self.total.saturating_add(1);
    }
}

impl InLane {
    /// Whether message `seq` is the next to hand out and nothing of it has arrived.
    fn is_next_unseen(&self, seq: u64) -> bool {
        seq == self.next_seq && self.held.first_key_value().is_none_or(|(first, _)| *first != seq)
    }

    /// The usual case: the next message, whole, goes straight to the application.
    fn take_next(
        &mut self,
        class: Class,
        data: &[u8],
        budget: &mut Budget,
        ready: &mut Ready,
    ) -> Result<Placed, Violation> {
        if !budget.admit(charge(data.len() as u64), data.len())? {
            return Ok(Placed::Full);
        }
        ready.push(class, Bytes::copy_from_slice(data));
        self.next_seq = self.next_seq.saturating_add(1);
        Ok(Placed::New)
    }

    /// Any other piece.
    fn place(
        &mut self,
        piece: &Piece<'_>,
        total: u32,
        range: Range<u32>,
        budget: &mut Budget,
    ) -> Result<Placed, Violation> {
        let mut entry = match self.held.entry(piece.seq) {
            Entry::Vacant(entry) => {
                let Some(held) = budget.open(total, &range, piece.data)? else { return Ok(Placed::Full) };
                entry.insert(held);
                return Ok(Placed::New);
            }
            Entry::Occupied(entry) => entry,
        };
        let held = entry.get_mut();
        if held.total().is_some_and(|before| before != total as usize) {
            return Err(Violation("a message of two lengths"));
        }
        let Held::Partial(partial) = held else { return Ok(Placed::Old) };
        let placed = budget.extend(&mut partial.assembly, range, piece.data)?;
        if partial.assembly.is_complete() {
            *held = Held::Complete(budget.close(partial));
        }
        Ok(placed)
    }

    /// Makes everything ready that is now next.
    fn hand_out(&mut self, class: Class, ready: &mut Ready) {
        while let Some(first) = self.held.first_entry() {
            if *first.key() != self.next_seq || matches!(first.get(), Held::Partial(_)) {
                return;
            }
            self.next_seq = self.next_seq.saturating_add(1);
            if let Held::Complete(message) = first.remove() {
                ready.push(class, message);
            }
        }
        // An empty map keeps its last node; idle lanes are for ever.
        self.held = BTreeMap::new();
    }

    #[cfg(test)]
    fn hand_out_of_order(&mut self, class: Class, ready: &mut Ready) {
        for held in self.held.values_mut() {
            if let Held::Complete(message) = held {
                ready.push(class, std::mem::take(message));
                *held = Held::HandedOut;
            }
        }
    }
}

/// The length of the message that `piece` is of, and which bytes of it these are.
fn extent(piece: &Piece<'_>) -> Result<(u32, Range<u32>), Violation> {
    let len = piece.data.len() as u64;
    let (total, offset) = match piece.part {
        None => (len, 0),
        Some(_) if len == 0 => return Err(Violation("an empty fragment")),
        Some(part) => part,
    };
    if total > MAX_MESSAGE_BYTES as u64 {
        return Err(Violation("a message that is too long"));
    }
    let end = offset.checked_add(len).filter(|end| *end <= total);
    let bound = |at: u64| u32::try_from(at).ok();
    let ends = end.and_then(|end| Some((bound(total)?, bound(offset)?..bound(end)?)));
    ends.ok_or(Violation("a fragment beyond the end of its message"))
}
