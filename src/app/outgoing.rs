//! A client's own log in one room: what is said but not yet taken, and what may have to be said again
//! to a server that lost it.

use std::collections::VecDeque;

use crate::wire::{LogKey, Record, Seq};

use super::limits::{KEEP_RECORDS, WINDOW};

/// A client's own log in one room.
#[derive(Clone, Debug)]
pub(super) struct Outgoing {
    key: LogKey,
    /// From `floor` to `next`, without holes.
    records: VecDeque<Record>,
    floor: Seq,
    accepted: Seq,
    /// On the server's disk.
    stored: Seq,
    /// Up to here the front end was told.
    reported: Seq,
    sent: Seq,
    /// The first for which the server's disk had no space.
    unstored: Option<Seq>,
    /// Whether anything was ever sent. If not, what the server has of this log is from before.
    offered: bool,
}

impl Outgoing {
    /// An empty log.
    pub(super) const fn new(key: LogKey) -> Self {
        Self {
            key,
            records: VecDeque::new(),
            floor: Seq(0),
            accepted: Seq(0),
            stored: Seq(0),
            reported: Seq(0),
            sent: Seq(0),
            unstored: None,
            offered: false,
        }
    }

    /// Which log.
    pub(super) const fn key(&self) -> &LogKey {
        &self.key
    }

    /// The seq of the next record to be said.
    pub(super) fn next(&self) -> Seq {
        Seq(self.floor.0 + self.records.len() as u64)
    }

    /// Records that were not taken yet.
    pub(super) fn waiting(&self) -> usize {
        usize::try_from(self.next().0 - self.accepted.0).unwrap_or(usize::MAX)
    }

    /// Says a record; its seq must be [`next`](Self::next).
    pub(super) fn append(&mut self, record: Record) {
        debug_assert_eq!(record.seq, self.next());
        self.records.push_back(record);
    }

    /// What may be sent now: the window is [`WINDOW`] records that were not taken.
    pub(super) fn due(&mut self) -> Vec<Record> {
        let upto = self.next().min(Seq(self.accepted.0.saturating_add(WINDOW)));
        let due: Vec<Record> = self.range(self.sent, upto).cloned().collect();
        self.offered |= !due.is_empty();
        self.sent = self.sent.max(upto);
        due
    }

    /// The server has everything below `next`. Returns the seqs that this is news for.
    pub(super) fn accept(&mut self, next: Seq) -> std::ops::Range<u64> {
        // What found no space on the server's disk is said again although it was accepted.
        let says_again = self.sent < self.accepted;
        self.accepted = self.accepted.max(next.min(self.next()));
        if !says_again {
            self.sent = self.sent.max(self.accepted);
        }
        let news = self.reported.0..self.accepted.0.max(self.reported.0);
        self.reported = Seq(news.end);
        news
    }

    /// The server has everything below `next` on disk. Returns the seqs that this is news for.
    pub(super) fn store(&mut self, next: Seq) -> std::ops::Range<u64> {
        let news = self.stored.0..next.min(self.next()).0.max(self.stored.0);
        self.stored = Seq(news.end);
        news
    }

    /// Lets go of what is secured, but for the last [`KEEP_RECORDS`]. `durable`: on disk, else accepted.
    pub(super) fn trim(&mut self, durable: bool) {
        let secured = if durable { self.stored } else { self.accepted };
        while self.floor < secured && self.records.len() > KEEP_RECORDS {
            self.records.pop_front();
            self.floor = self.floor.next();
        }
    }

    /// Records that the server does not have on disk.
    pub(super) fn unstored(&self) -> usize {
        usize::try_from(self.next().0.saturating_sub(self.stored.0)).unwrap_or(usize::MAX)
    }

    /// The server's disk had no space for what was accepted from `from` on.
    pub(super) fn found_no_space(&mut self, from: Seq) {
        self.unstored = Some(self.unstored.map_or(from, |unstored| unstored.min(from)));
    }

    /// What found no space is due again.
    pub(super) fn say_again(&mut self) {
        if let Some(from) = self.unstored.take() {
            self.take_back(from);
        }
    }

    /// Whether the server expects what it said is on its disk: it is an older state of itself.
    pub(super) fn is_rewound(&self, next: Seq) -> bool {
        self.offered && next < self.stored
    }

    /// The link is new and its server expects `next`. Everything from there is due again; returns
    /// the floor to name where the server lost more than is held here, or is new to this log.
    pub(super) fn resume(&mut self, next: Seq) -> Option<Seq> {
        if !self.offered && next > self.accepted {
            self.rebase(next);
        }
        let from = next.max(self.floor).min(self.next());
        self.sent = from;
        self.accepted = self.accepted.min(from);
        self.stored = self.stored.min(from);
        (next < self.floor).then_some(self.floor)
    }

    /// This node left the room and came back: its log goes on where the server says it ended.
    fn rebase(&mut self, next: Seq) {
        for record in &mut self.records {
            record.seq = Seq(record.seq.0.saturating_add(next.0));
        }
        (self.floor, self.accepted, self.reported, self.sent) = (next, next, next, next);
        self.stored = next;
    }

    /// The server will not take the record at `seq`: it is taken out and what follows moves up.
    pub(super) fn refuse(&mut self, seq: Seq, lamport: u64) -> Option<Record> {
        if seq < self.accepted || seq >= self.sent {
            return None;
        }
        let index = usize::try_from(seq.0.checked_sub(self.floor.0)?).ok()?;
        self.records.get(index).filter(|record| record.lamport == lamport)?;
        let refused = self.records.remove(index)?;
        for record in self.records.iter_mut().skip(index) {
            record.seq = record.seq.prev().unwrap_or_default();
        }
        self.sent = seq;
        Some(refused)
    }

    /// What the server skipped over is due again from `accepted`.
    pub(super) fn rewind(&mut self) {
        self.sent = self.accepted;
    }

    /// The record at `seq` and those behind it are due again: the link had no room for them, or the server.
    pub(super) fn take_back(&mut self, seq: Seq) {
        self.sent = self.sent.min(seq.max(self.floor));
    }

    /// Records that are not known to have been taken, or where the server has a disk to be on it.
    pub(super) fn untaken(&self, durable: bool) -> impl Iterator<Item = &Record> {
        let secured = if durable { self.stored } else { self.accepted };
        self.range(secured, self.next())
    }

    fn range(&self, from: Seq, upto: Seq) -> impl Iterator<Item = &Record> {
        let skip = usize::try_from(from.0.saturating_sub(self.floor.0)).unwrap_or(usize::MAX);
        let take = usize::try_from(upto.0.saturating_sub(from.0)).unwrap_or(usize::MAX);
        self.records.iter().skip(skip).take(take)
    }
}

#[cfg(test)]
mod tests;
