//! What was said, for `history` and the page, and what was heard already.

use std::collections::{BTreeSet, VecDeque};

use crate::{
    app::Said,
    wire::{Epoch, NodeId, Seq},
};

use super::{super::json::quoted, MAX_HISTORY};

/// Bytes of the longest answer to `history`, as written: the newest lines that fit.
pub(super) const MAX_ANSWER_BYTES: usize = 128 * 1024;

/// Lines of others that are told from new ones. Guests are told of a line one after another, so those under
/// way count.
pub(super) const MAX_HEARD: usize = 1024;

/// What was said.
#[derive(Clone, Debug, Default)]
pub(super) struct Past {
    said: VecDeque<(String, String)>,
    heard: BTreeSet<(NodeId, Epoch, Seq)>,
    order: VecDeque<(NodeId, Epoch, Seq)>,
}

impl Past {
    /// Under the name the sender has now.
    pub(super) fn add(&mut self, name: &str, text: &str) {
        if self.said.len() >= MAX_HISTORY {
            self.said.pop_front();
        }
        self.said.push_back((name.to_owned(), text.to_owned()));
    }

    /// Whether a line of somebody else is new; every guest hears of it.
    pub(super) fn is_new(&mut self, said: &Said) -> bool {
        let key = (said.id, said.epoch, said.seq);
        if !self.heard.insert(key) {
            return false;
        }
        self.order.push_back(key);
        if self.order.len() > MAX_HEARD {
            let oldest = self.order.pop_front();
            oldest.map(|oldest| self.heard.remove(&oldest));
        }
        true
    }

    /// The answer to `history` (VSB-D6): a line a message, oldest first.
    pub(super) fn told(&self) -> String {
        let mut bytes = 0_usize;
        let lines = self.said.iter().rev().map(|(name, text)| format!("{name}: {text}"));
        let fitting = lines.take_while(|line| {
            bytes = bytes.saturating_add(quoted(line).len());
            bytes <= MAX_ANSWER_BYTES
        });
        let mut lines: Vec<String> = fitting.collect();
        lines.reverse();
        lines.join("\n")
    }

    /// Name and text, oldest first.
    pub(super) fn messages(&self) -> Vec<(String, String)> {
        self.said.iter().cloned().collect()
    }
}
