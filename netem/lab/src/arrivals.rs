//! Where every message goes that reached the other application.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use tokio::sync::Notify;

use crate::{
    clock,
    message::{BULK, Header},
    plan::Plan,
    send::Begin,
};

/// What arrived.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Tally {
    /// Microseconds from due to delivered, of each message that counts.
    pub(crate) latency_us: Vec<u32>,
    pub(crate) duplicates: u64,
    /// Messages of a flow that came after a later one.
    pub(crate) disorder: u64,
    /// Bulk, from the first byte to the end of the counting.
    pub(crate) bulk_bytes: u64,
    /// Of those, what came while it was counted.
    pub(crate) bulk_counted_bytes: u64,
    /// Bulk of each second from the start of the traffic on.
    #[serde(default)]
    pub(crate) bulk_per_second: Vec<u64>,
}

#[derive(Clone, Debug)]
pub(crate) struct Arrivals(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    complete: Notify,
}

#[derive(Debug)]
struct State {
    tally: Tally,
    flows: Vec<Flow>,
    first_counted: u32,
    expected: usize,
    /// When bulk is counted, once that is known.
    begin: Option<Begin>,
}

#[derive(Clone, Debug)]
struct Flow {
    seen: Vec<bool>,
    highest: Option<u32>,
}

impl Arrivals {
    pub(crate) fn new(plan: &Plan) -> Self {
        let flow = Flow { seen: vec![false; plan.messages() as usize], highest: None };
        let state = State {
            tally: Tally::default(),
            flows: vec![flow; plan.flows as usize],
            first_counted: plan.first_counted(),
            expected: plan.expected() as usize,
            begin: None,
        };
        Self(Arc::new(Shared { state: Mutex::new(state), complete: Notify::new() }))
    }

    /// The application has it.
    pub(crate) fn note(&self, message: &[u8]) {
        if let Some(header) = Header::read(message) {
            let now = clock::now();
            if self.lock().note(header, message.len(), now) {
                self.0.complete.notify_one();
            }
        }
    }

    /// From now on it is known when bulk counts.
    pub(crate) fn begin(&self, begin: Begin) {
        self.lock().begin = Some(begin);
    }

    /// Until every message that counts is there.
    pub(crate) async fn complete(&self) {
        while !self.lock().is_complete() {
            self.0.complete.notified().await;
        }
    }

    pub(crate) fn tally(&self) -> Tally {
        let mut tally = self.lock().tally.clone();
        tally.latency_us.sort_unstable();
        tally
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Whether this was the last one.
    fn note(&mut self, header: Header, len: usize, now: u64) -> bool {
        if header.flow == BULK {
            self.note_bulk(len as u64, now);
            return false;
        }
        let Some(flow) = self.flows.get_mut(header.flow as usize) else { return false };
        if flow.highest.is_some_and(|highest| header.seq < highest) {
            self.tally.disorder += 1;
        }
        flow.highest = flow.highest.max(Some(header.seq));
        let counted = header.seq.checked_sub(self.first_counted);
        let Some(seen) = counted.and_then(|seq| flow.seen.get_mut(seq as usize)) else { return false };
        if std::mem::replace(seen, true) {
            self.tally.duplicates += 1;
            return false;
        }
        let micros = now.saturating_sub(header.due_ns) / 1000;
        self.tally.latency_us.push(u32::try_from(micros).unwrap_or(u32::MAX));
        self.is_complete()
    }

    fn note_bulk(&mut self, len: u64, now: u64) {
        let Some(begin) = self.begin else {
            self.tally.bulk_bytes += len;
            self.tally.add_to_second(0, len);
            return;
        };
        if now < begin.counted_to {
            self.tally.bulk_bytes += len;
            self.tally.add_to_second(now.saturating_sub(begin.start) / 1_000_000_000, len);
        }
        if (begin.counted_from..begin.counted_to).contains(&now) {
            self.tally.bulk_counted_bytes += len;
        }
    }

    fn is_complete(&self) -> bool {
        self.tally.latency_us.len() >= self.expected
    }
}

impl Tally {
    fn add_to_second(&mut self, second: u64, len: u64) {
        let second = second as usize;
        if self.bulk_per_second.len() <= second {
            self.bulk_per_second.resize(second + 1, 0);
        }
        if let Some(bytes) = self.bulk_per_second.get_mut(second) {
            *bytes += len;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{link::Link, plan::Workload};

    #[test]
    fn counts_each_message_once_and_the_warm_up_not() {
        let link = Link { rate_mbit: 0.256, ..Link::default() };
        let plan = Plan::new("raw", Workload::Steady, &link, Duration::from_secs(1));
        let arrivals = Arrivals::new(&plan);
        let first = plan.first_counted();
        for seq in [0, first - 1, first + 1, first, first + 1, first + 50] {
            arrivals.note(&Header { due_ns: 0, flow: 0, seq }.padded(200));
        }
        let tally = arrivals.tally();
        assert_eq!((tally.latency_us.len(), tally.duplicates, tally.disorder), (2, 1, 1));
    }

    #[test]
    fn counts_bulk_by_the_second_and_not_after_the_end() {
        const SECOND: u64 = 1_000_000_000;
        let plan = Plan::new("udp", Workload::Bulk, &Link::default(), Duration::from_secs(1));
        let arrivals = Arrivals::new(&plan);
        let bulk = Header { due_ns: 0, flow: BULK, seq: 0 };
        arrivals.note(&bulk.padded(100));
        let (start, counted_from, counted_to) = (5 * SECOND, 7 * SECOND, 8 * SECOND);
        arrivals.begin(Begin { start, counted_from, counted_to, connected: 1 });
        for now in [start, start + 3 * SECOND / 2, counted_from, counted_to] {
            arrivals.lock().note(bulk, 100, now);
        }
        let tally = arrivals.tally();
        assert_eq!(tally.bulk_per_second, [200, 100, 100]);
        assert_eq!((tally.bulk_bytes, tally.bulk_counted_bytes), (400, 100));
    }
}
