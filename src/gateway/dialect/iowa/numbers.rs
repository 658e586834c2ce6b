//! Numbers for lines of people of other doors, whose own numbers count something else.

use std::collections::{BTreeMap, VecDeque};

use crate::{
    app::Said,
    wire::{Epoch, NodeId, Seq},
};

/// Senders whose count is kept. Who is forgotten counts from 0 again.
pub(super) const MAX_SENDERS: usize = 4096;

/// Lines whose number is kept: subscribers are told of a line one after another and all get the same one.
pub(super) const MAX_NUMBERED: usize = 1024;

type Line = (NodeId, Epoch, Seq);

/// Counts each sender's lines from 0.
#[derive(Clone, Debug, Default)]
pub(super) struct Numbers {
    next: BTreeMap<String, u64>,
    numbered: BTreeMap<Line, u64>,
    order: VecDeque<Line>,
}

impl Numbers {
    /// The number of a line that everybody is told.
    pub(super) fn of(&mut self, user: &str, said: &Said) -> u64 {
        let line = (said.id, said.epoch, said.seq);
        if let Some(number) = self.numbered.get(&line) {
            return *number;
        }
        let number = self.next(user);
        self.numbered.insert(line, number);
        self.order.push_back(line);
        if self.order.len() > MAX_NUMBERED {
            let oldest = self.order.pop_front();
            oldest.map(|oldest| self.numbered.remove(&oldest));
        }
        number
    }

    /// The next number of a sender.
    pub(super) fn next(&mut self, user: &str) -> u64 {
        if self.next.len() >= MAX_SENDERS && !self.next.contains_key(user) {
            self.next.pop_first();
        }
        let next = self.next.entry(user.to_owned()).or_insert(0);
        let number = *next;
        *next = next.saturating_add(1);
        number
    }
}
