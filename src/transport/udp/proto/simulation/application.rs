//! One of the two applications that talk in a scenario, and what it may be told when.

use std::time::Instant;

use super::{
    oracle::Flow,
    scenario::{Scenario, Script},
};
use crate::transport::udp::proto::{End, Event, endpoint::ConnectionKey};

/// One application, and how far it got.
pub(super) struct Application {
    pub(super) index: usize,
    pub(super) key: ConnectionKey,
    pub(super) script: Script,
    /// What it says.
    pub(super) flow: Flow,
    pub(super) confirmed: u64,
    pub(super) finished: bool,
    pub(super) heard_finish: bool,
    pub(super) heard_last: bool,
    pub(super) told_consumed: u64,
    pub(super) closed: bool,
    pub(super) end: Option<End>,
    /// Since when what it said is under way: all of it in a network that healed, else the next of it.
    pub(super) waits_since: Instant,
    /// Bytes that were under way then.
    pub(super) waits_for: usize,
}

impl Application {
    pub(super) fn new(scenario: &Scenario, index: usize, key: ConnectionKey, now: Instant) -> Self {
        Self {
            index,
            key,
            script: scenario.scripts[index].clone(),
            flow: Flow::new(scenario.seed ^ ((index as u64 + 1) << 60)),
            confirmed: 0,
            finished: false,
            heard_finish: false,
            heard_last: false,
            told_consumed: 0,
            closed: false,
            end: None,
            waits_since: now,
            waits_for: 0,
        }
    }

    /// What is under way has its time from now on.
    pub(super) fn wait_from(&mut self, now: Instant) {
        self.waits_since = now;
        self.waits_for = self.flow.underway;
    }

    /// Whether `event` may be told now; `peer` is the application at the other end. `silently`: the last
    /// word may have been lost for good.
    pub(super) fn take_event(&mut self, event: &Event, peer: &Self, silently: bool) -> bool {
        match event {
            Event::Connected => false,
            Event::Finished { code, text } => {
                let told = (usize::from(*code), text.as_str()) == (peer.index, "all said");
                let first = !std::mem::replace(&mut self.heard_finish, true);
                first && told && peer.finished && peer.flow.is_still()
            }
            Event::Consumed { messages, last } => {
                let true_so_far = *messages <= self.flow.heard && *messages >= self.told_consumed;
                let first = !self.heard_last;
                self.told_consumed = *messages;
                self.heard_last |= last;
                let all = *messages == self.flow.said && self.finished;
                true_so_far && first && (all || !last)
            }
            Event::Closed(end) => {
                let first = self.end.replace(end.clone()).is_none();
                first
                    && match end {
                        End::Local => self.closed,
                        End::Closed { code, text } => peer.closed && (*code, text.as_str()) == (7, "bye"),
                        // It closed, and nothing of that arrived.
                        End::Reset => peer.closed,
                        End::Silent(_) => peer.closed && silently,
                        _ => false,
                    }
            }
        }
    }
}
