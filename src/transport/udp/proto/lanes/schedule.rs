//! Whose turn it is among the lanes of one class: one frame for each in turn.

use std::collections::VecDeque;

/// The right to send the next frame of a slot.
#[derive(Clone, Copy, Debug)]
pub(super) struct Turn {
    ticket: u64,
    pub(super) slot: u32,
}

/// What is left of a message after a frame of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Left {
    /// Nothing. `more`: the slot has another message.
    Nothing { more: bool },
    /// Some of a small message, whose charge is paid.
    Paid,
    /// Some of a large one, which pays as it goes.
    Unpaid,
}

/// Every slot with bytes that were never sent, waiting for its turn. Each step costs O(1), amortised.
#[derive(Debug)]
pub(super) struct Schedule {
    /// Slots in the middle of a paid message: they go on even when credit has run out.
    paid: VecDeque<Turn>,
    /// Slots whose next frame needs credit. When it lacks for the first, the others wait too: else small
    /// messages could starve a longer one.
    unpaid: VecDeque<Turn>,
    /// Slots whose next message is large while another large one is being sent. The receiver reserves
    /// room for just one, so two halves could wait for each other's room for ever.
    parked: VecDeque<u32>,
    /// The slot of the large message being sent.
    large: Option<u32>,
    tickets: u64,
}

impl Schedule {
    /// Nobody waits.
    pub(super) const fn new() -> Self {
        Self {
            paid: VecDeque::new(),
            unpaid: VecDeque::new(),
            parked: VecDeque::new(),
            large: None,
            tickets: 1,
        }
    }

    /// A message was pushed to `slot`, which had unsent ones before if `waiting`.
    pub(super) fn on_push(&mut self, slot: u32, waiting: bool) {
        if !waiting {
            let turn = self.next_ticket(slot);
            self.unpaid.push_back(turn);
        }
    }

    /// Whether nobody waits.
    pub(super) fn is_empty(&self) -> bool {
        self.paid.is_empty() && self.unpaid.is_empty() && self.parked.is_empty()
    }

    /// Whose turn it is among those that need no credit.
    pub(super) fn paid(&self) -> Option<Turn> {
        self.paid.front().copied()
    }

    /// Whose turn it is among those that need credit.
    pub(super) fn unpaid(&self) -> Option<Turn> {
        self.unpaid.front().copied()
    }

    /// Whose turn it is; `affordable` says whether there is credit for [`unpaid`](Self::unpaid).
    pub(super) fn turn(&self, affordable: bool) -> Option<Turn> {
        match (self.paid(), self.unpaid().filter(|_| affordable)) {
            (Some(paid), Some(unpaid)) if unpaid.ticket < paid.ticket => Some(unpaid),
            (Some(paid), _) => Some(paid),
            (None, unpaid) => unpaid,
        }
    }

    /// The holder of `turn` sent a frame.
    pub(super) fn on_frame(&mut self, turn: Turn, left: Left) {
        if self.paid().is_some_and(|front| front.ticket == turn.ticket) {
            self.paid.pop_front();
        } else {
            self.unpaid.pop_front();
        }
        match left {
            Left::Nothing { more } => self.on_sent_whole(turn.slot, more),
            Left::Paid => self.go_on(turn, |schedule| &mut schedule.paid),
            Left::Unpaid => {
                self.large = Some(turn.slot);
                self.go_on(turn, |schedule| &mut schedule.unpaid);
            }
        }
    }

    /// Moves the first in need of credit aside if its message is large and has to wait for another.
    /// `true`: there is a new first.
    pub(super) fn park(&mut self, is_large: impl Fn(u32) -> bool) -> bool {
        let Some(front) = self.unpaid() else { return false };
        let waits = self.large.is_some_and(|large| large != front.slot) && is_large(front.slot);
        if waits {
            self.unpaid.pop_front();
            self.parked.push_back(front.slot);
        }
        waits
    }

    fn on_sent_whole(&mut self, slot: u32, more: bool) {
        if more {
            let turn = self.next_ticket(slot);
            self.unpaid.push_back(turn);
        }
        if self.large == Some(slot) {
            self.large = None;
            if let Some(slot) = self.parked.pop_front() {
                self.unpaid.push_front(Turn { ticket: 0, slot });
            }
        }
    }

    fn go_on(&mut self, turn: Turn, queue: impl Fn(&mut Self) -> &mut VecDeque<Turn>) {
        let turn = self.next_ticket(turn.slot);
        queue(self).push_back(turn);
    }

    const fn next_ticket(&mut self, slot: u32) -> Turn {
        let ticket = self.tickets;
        self.tickets = ticket.saturating_add(1);
        Turn { ticket, slot }
    }
}
