//! The addresses of other peers: which to dial, and when. An address is never dropped because it
//! failed; it is only tried less often.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use rand::{RngExt as _, rngs::ChaCha12Rng};

use crate::{
    app::{
        Backoff,
        limits::{MAX_ADDRESSES, MAX_DIALS},
    },
    wire::{Addr, NodeId},
};

/// The first pause before an address is dialled again.
const RETRY_BASE: Duration = Duration::from_millis(500);

/// The longest for an address that a person gave.
const RETRY_CAP_GIVEN: Duration = Duration::from_secs(8);

/// The longest for an address learned from others.
const RETRY_CAP_LEARNED: Duration = Duration::from_secs(300);

/// The longest for one where somebody was whose link was lost, while people talk. They are looked for every
/// two seconds or so, and then dialled before the rest of eight has passed.
const RETRY_CAP_LOST: Duration = Duration::from_millis(5500);

#[derive(Debug)]
struct Entry {
    node: Option<NodeId>,
    given: bool,
    is_self: bool,
    dialing: bool,
    /// Whether the first dial has come to an end.
    tried: bool,
    /// Whether it led to somebody, who did not leave since.
    connected: bool,
    retry_at: Option<Instant>,
    backoff: Backoff,
}

/// The addresses of other peers.
#[derive(Debug, Default)]
pub(super) struct Book {
    entries: BTreeMap<Addr, Entry>,
}

impl Book {
    /// An address from the command line.
    pub(super) fn give(&mut self, addr: Addr) {
        self.entries.insert(addr, Entry::new(None, true));
    }

    /// An address heard from somebody. Whether it leads there is seen when it answers.
    pub(super) fn learn(&mut self, addr: Addr, node: NodeId) {
        if let Some(entry) = self.entries.get_mut(&addr) {
            entry.node.get_or_insert(node);
            return;
        }
        if self.entries.len() >= MAX_ADDRESSES {
            let useless = |entry: &Entry| !entry.given && !entry.connected && !entry.dialing;
            let victim = self.entries.iter().find(|(_, entry)| useless(entry)).map(|(&addr, _)| addr);
            let Some(victim) = victim else { return };
            self.entries.remove(&victim);
        }
        self.entries.insert(addr, Entry::new(Some(node), false));
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.entries.values().all(|entry| entry.is_self)
    }

    pub(super) fn is_given(&self, addr: &Addr) -> bool {
        self.entries.get(addr).is_some_and(|entry| entry.given)
    }

    /// Whether an address is being tried for the first time.
    pub(super) fn is_hopeful(&self, is_linked: impl Fn(NodeId) -> bool) -> bool {
        self.entries.values().any(|entry| !entry.tried && !entry.is_self && !entry.leads_to(&is_linked))
    }

    /// The dials that are due, none to nodes that are linked.
    pub(super) fn due(&mut self, now: Instant, is_linked: impl Fn(NodeId) -> bool) -> Vec<Addr> {
        let free = MAX_DIALS.saturating_sub(self.entries.values().filter(|entry| entry.dialing).count());
        let due = |entry: &Entry| {
            !entry.is_self
                && !entry.dialing
                && entry.retry_at.is_none_or(|at| at <= now)
                && !entry.leads_to(&is_linked)
        };
        let entries = self.entries.iter_mut().filter(|(_, entry)| due(entry)).take(free);
        let start = |(&addr, entry): (&Addr, &mut Entry)| {
            entry.dialing = true;
            addr
        };
        entries.map(start).collect()
    }

    /// When the next dial is due; none while as many are under way as may be.
    pub(super) fn next_due(&self, is_linked: impl Fn(NodeId) -> bool) -> Option<Instant> {
        if self.entries.values().filter(|entry| entry.dialing).count() >= MAX_DIALS {
            return None;
        }
        let waiting = self.entries.values().filter(|e| !e.is_self && !e.dialing && !e.leads_to(&is_linked));
        waiting.filter_map(|entry| entry.retry_at).min()
    }

    /// A dial led to a node.
    pub(super) fn reached(&mut self, addr: Addr, node: NodeId) {
        if let Some(entry) = self.entries.get_mut(&addr) {
            entry.node = Some(node);
            (entry.dialing, entry.tried, entry.connected) = (false, true, true);
            entry.retry_at = None;
        }
    }

    /// A dial led back to this node.
    pub(super) fn is_own(&mut self, addr: Addr) {
        if let Some(entry) = self.entries.get_mut(&addr) {
            (entry.is_self, entry.dialing, entry.tried) = (true, false, true);
        }
    }

    /// A dial failed; returns the pause before the next.
    pub(super) fn failed(&mut self, addr: Addr, now: Instant, rng: &mut ChaCha12Rng) -> Option<Duration> {
        let entry = self.entries.get_mut(&addr)?;
        (entry.dialing, entry.tried) = (false, true);
        Some(entry.put_off(now, rng))
    }

    /// People talk: who was lost misses it, so their addresses are dialled soon however often they failed.
    pub(super) fn hasten(&mut self, now: Instant, rng: &mut ChaCha12Rng) {
        let late = |entry: &Entry| entry.retry_at.is_some_and(|at| at > now + RETRY_CAP_LOST);
        for entry in self.entries.values_mut().filter(|entry| entry.connected && late(entry)) {
            // Not all at the same moment.
            entry.retry_at = Some(now + rng.random_range(RETRY_BASE..=RETRY_CAP_LOST));
        }
    }

    /// The last link to a node is gone: it `left`, or the link broke; `stayed` for how long it was up.
    pub(super) fn lost(
        &mut self,
        node: NodeId,
        now: Instant,
        stayed: Duration,
        left: bool,
        rng: &mut ChaCha12Rng,
    ) {
        for entry in self.entries.values_mut().filter(|entry| entry.node == Some(node)) {
            entry.connected &= !left;
            if stayed >= Duration::from_secs(30) {
                entry.backoff.reset();
            }
            entry.put_off(now, rng);
        }
    }
}

impl Entry {
    fn new(node: Option<NodeId>, given: bool) -> Self {
        let cap = if given { RETRY_CAP_GIVEN } else { RETRY_CAP_LEARNED };
        Self {
            node,
            given,
            is_self: false,
            dialing: false,
            tried: false,
            connected: false,
            retry_at: None,
            backoff: Backoff::new(RETRY_BASE, cap),
        }
    }

    fn leads_to(&self, is_linked: impl Fn(NodeId) -> bool) -> bool {
        self.node.is_some_and(is_linked)
    }

    fn put_off(&mut self, now: Instant, rng: &mut ChaCha12Rng) -> Duration {
        let pause = self.backoff.next(rng);
        self.retry_at = Some(now + pause);
        pause
    }
}

#[cfg(test)]
mod tests;
