//! Which rows of a room answer a question, and when an answer is long enough: the same for every store.

use std::{collections::HashMap, ops::ControlFlow};

use crate::wire::{Epoch, Kind, NodeId, Record, Seq};

use super::{Arrival, Page, PageQuery, Retention, Stored};

/// Rows that one page looks at: bounds the time that a thin selection of a long room takes.
pub(super) const PAGE_ROWS: u64 = 4_096;

/// And bytes of their bodies.
pub(super) const PAGE_BYTES: u64 = 16 << 20;

/// Rows that a search for the last lines looks at.
pub(super) const LINES_ROWS: u64 = 16_384;

/// And bytes of their bodies.
pub(super) const LINES_BYTES: u64 = 8 << 20;

/// Rows that retention lets go of at a time.
pub(super) const RETAIN_ROWS: u64 = 2_000;

/// A page that is being filled, row by row in the order of arrival.
#[derive(Debug)]
pub(super) struct Selection {
    wanted: HashMap<(NodeId, Epoch), (Seq, u64)>,
    records: usize,
    bytes: usize,
    rows_left: u64,
    bytes_left: u64,
    page: Page,
}

impl Selection {
    /// Nothing yet. A log that is wanted twice is wanted from the lower of each bound.
    pub(super) fn new(query: &PageQuery) -> Self {
        let mut wanted = HashMap::with_capacity(query.logs.len());
        for log in &query.logs {
            let (from, since_ms) = wanted.entry((log.author, log.epoch)).or_insert((log.from, log.since_ms));
            *from = log.from.min(*from);
            *since_ms = log.since_ms.min(*since_ms);
        }
        let page = Page { upto: query.after, ..Page::default() };
        Self {
            wanted,
            records: query.records,
            bytes: query.bytes,
            rows_left: PAGE_ROWS,
            bytes_left: PAGE_BYTES,
            page,
        }
    }

    /// Takes the next row in, if it is wanted. Breaks when it was the last one to look at.
    pub(super) fn look(&mut self, row: Stored) -> ControlFlow<()> {
        self.page.upto = row.arrival;
        self.rows_left = self.rows_left.saturating_sub(1);
        self.bytes_left = self.bytes_left.saturating_sub(row.record.body.len() as u64);
        if self.wants(&row) {
            self.bytes = self.bytes.saturating_sub(row.record.body.len());
            self.page.records.push(row);
        }
        let any = !self.page.records.is_empty();
        let full = any && (self.page.records.len() >= self.records || self.bytes == 0);
        let looked_long = self.rows_left == 0 || self.bytes_left == 0;
        if full || looked_long { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    fn wants(&self, row: &Stored) -> bool {
        let log = (row.record.author, row.record.epoch);
        self.wanted
            .get(&log)
            .is_some_and(|&(from, since_ms)| row.record.seq >= from && row.arrived_ms >= since_ms)
    }

    /// The page; nothing is left when it reaches `arrivals`, the last row of the room.
    pub(super) fn page(mut self, arrivals: Arrival) -> Page {
        self.page.complete = self.page.upto >= arrivals;
        self.page
    }

    /// The page when no row from here on can be wanted.
    pub(super) fn nothing_further(mut self, arrivals: Arrival) -> Page {
        self.page.upto = self.page.upto.max(arrivals);
        self.page(arrivals)
    }
}

/// Whether a row is a line of chat that had arrived by `cut_ms`.
pub(super) fn is_line(kind: Kind, arrived_ms: u64, cut_ms: u64) -> bool {
    kind == Kind::TEXT && arrived_ms <= cut_ms
}

/// The order in which records that set the topic override each other, the same on every node.
pub(super) fn topic_rank(record: &Record) -> (u64, NodeId, Epoch, Seq) {
    (record.lamport, record.author, record.epoch, record.seq)
}

/// Whether the oldest of `records` records with `bytes` bytes of bodies has to go.
pub(super) fn is_past(retention: Retention, records: u64, bytes: u64, arrived_ms: u64, now_ms: u64) -> bool {
    records > retention.records
        || bytes > retention.bytes
        || now_ms.saturating_sub(arrived_ms) > retention.age_ms
}
