//! One author's records in one room during one run: where order, dedupe and gaps are decided, for
//! every topology.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Instant,
};

use crate::wire::{Record, RecordHash, Seq};

use super::limits::MAX_HELD;

/// What became of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Inserted {
    /// It was the next one; these are in order now, it and those held back behind it.
    Next(Vec<Record>),
    /// It waits for one before it.
    Held,
    /// It was here before.
    Duplicate,
    /// It claims a place that another record has, or follows another past: its author said two
    /// things at once, or somebody copied a key. The first stays.
    Fork,
    /// It is too far ahead to wait for; it can be asked for again.
    Overflow,
}

/// A record and when it came.
#[derive(Clone, Debug)]
pub struct Kept {
    /// The record.
    pub record: Record,
    /// When it came to this node.
    pub arrived: Instant,
}

/// One log. Holds what is in order, as long as the room keeps it, and a few records that are not.
#[derive(Clone, Debug, Default)]
pub struct Log {
    /// Where it began for this node.
    origin: Seq,
    /// Whether somebody said where it begins.
    started: bool,
    next: Seq,
    /// Whether a record was taken, or given up.
    touched: bool,
    last_hash: Option<RecordHash>,
    kept: VecDeque<Kept>,
    kept_bytes: usize,
    /// On disk: from the first to, without, the second.
    disk: (Seq, Seq),
    /// When the first of these came, while that is known.
    disk_since: Option<Instant>,
    /// From here on the disk had no space.
    unstored: Option<Seq>,
    /// When the newest record came that is no longer kept.
    forgotten_at: Option<Instant>,
    /// Where the log was before it skipped what others said is gone, until a record proves them right.
    doubt: Option<Seq>,
    held: BTreeMap<Seq, Record>,
    /// After the last of those that there was no place to hold back.
    overflowed: Seq,
}

impl Log {
    /// The next seq wanted.
    pub const fn next(&self) -> Seq {
        self.next
    }

    /// The first seq that is held, here or on disk; equals [`next`](Self::next) when none is.
    pub fn floor(&self) -> Seq {
        let ((first, upto), here) = (self.disk, self.in_memory());
        if first < upto && here <= upto { first.min(here) } else { here }
    }

    /// The first seq that is in memory; equals [`next`](Self::next) when none is.
    pub fn in_memory(&self) -> Seq {
        Seq(self.next.0 - self.kept.len() as u64)
    }

    /// The seq after the last one on disk.
    pub const fn stored(&self) -> Seq {
        self.disk.1
    }

    /// From here on the disk had no space, and its author has to say it again.
    pub const fn unstored(&self) -> Option<Seq> {
        self.unstored
    }

    /// The first seq that this node was to get.
    pub const fn origin(&self) -> Seq {
        self.origin
    }

    /// Bytes of the bodies held back.
    pub fn held_bytes(&self) -> usize {
        self.held.values().map(|record| record.body.len()).sum()
    }

    /// Lets go of what is held back; it can be asked for again.
    pub fn drop_held(&mut self) {
        let last = std::mem::take(&mut self.held).into_keys().next_back();
        self.overflowed = last.map_or(self.overflowed, |last| self.overflowed.max(last.next()));
    }

    /// Records kept.
    pub fn kept_records(&self) -> usize {
        self.kept.len()
    }

    /// Bytes of the bodies kept.
    pub const fn kept_bytes(&self) -> usize {
        self.kept_bytes
    }

    /// What is missing before those held back or, where none is, of what there was no place for.
    pub fn hole(&self) -> Option<(Seq, Seq)> {
        let first = self.held.keys().next().copied().unwrap_or(self.overflowed);
        (first > self.next).then_some((self.next, first))
    }

    /// A log of which a store has the records from `first` to, without, `next`; those from `resumed` on follow.
    pub fn restored(first: Seq, next: Seq, resumed: Seq, times: (Instant, Instant)) -> Self {
        let (since, last) = times;
        Self {
            started: true,
            next: resumed,
            touched: true,
            disk: (first, next),
            disk_since: Some(since),
            forgotten_at: Some(last),
            ..Self::default()
        }
    }

    /// What the record after the last must name as the one before, where none is in memory.
    pub const fn set_last_hash(&mut self, hash: Option<RecordHash>) {
        self.last_hash = hash;
    }

    /// Everything below `next` is on disk. `false`: that is no news.
    pub fn on_stored(&mut self, next: Seq) -> bool {
        let (first, upto) = self.disk;
        if next <= upto {
            return false;
        }
        let begins = if first == upto { self.in_memory() } else { first };
        self.disk = (begins, next);
        self.unstored = self.unstored.filter(|&seq| seq >= next);
        true
    }

    /// What is on disk begins at `first` now.
    pub fn on_retained(&mut self, first: Seq) {
        self.disk.0 = first.clamp(self.disk.0, self.disk.1);
        self.disk_since = None;
    }

    /// There was no space for what begins at `from`.
    pub fn on_unstored(&mut self, from: Seq) {
        self.unstored = Some(self.unstored.map_or(from, |seq| seq.min(from)));
    }

    /// Takes a record in.
    pub fn insert(&mut self, record: Record, now: Instant) -> Inserted {
        if record.seq >= Seq::LIMIT {
            return Inserted::Overflow;
        }
        if record.seq < self.next {
            return if self.contradicts(&record) { Inserted::Fork } else { Inserted::Duplicate };
        }
        if record.seq > self.next {
            return self.hold(record);
        }
        if !self.follows(&record) {
            return Inserted::Fork;
        }
        self.push(record.clone(), now);
        let mut run = vec![record];
        run.extend(self.release(now));
        Inserted::Next(run)
    }

    /// Begins at `seq` instead of 0, if nothing was taken in yet. Of several who say where it begins
    /// the one who reaches back furthest is right. Returns what this puts in order.
    pub fn start_at(&mut self, seq: Seq, now: Instant) -> Vec<Record> {
        if self.touched || (self.started && seq >= self.origin) || seq > Seq::LIMIT {
            return Vec::new();
        }
        self.started = true;
        self.origin = seq;
        self.next = seq;
        self.held = self.held.split_off(&seq);
        self.release(now)
    }

    /// Gives up what is missing below `floor`. Returns the hole, if there is one, and what this puts
    /// in order.
    pub fn skip_to(&mut self, floor: Seq, now: Instant) -> (Option<(Seq, Seq)>, Vec<Record>) {
        let Some(last) = floor.prev().filter(|&last| last >= self.next && last < Seq::LIMIT) else {
            return (None, Vec::new());
        };
        let hole = (self.next, last);
        let run = self.jump(floor, now);
        self.doubt = run.is_empty().then_some(hole.0);
        (Some(hole), run)
    }

    /// Its author says how far the log has come. If it was skipped further than that on the word of
    /// others, the log goes back.
    pub fn correct(&mut self, next: Seq) {
        if let Some(before) = self.doubt.filter(|_| self.next > next) {
            self.next = before;
            self.doubt = None;
        }
    }

    /// Records kept from `from` on.
    pub fn read(&self, from: Seq) -> impl Iterator<Item = &Kept> {
        let skip = from.0.saturating_sub(self.in_memory().0);
        self.kept.iter().skip(usize::try_from(skip).unwrap_or(usize::MAX))
    }

    /// The record at `seq`, if it is kept.
    pub fn get(&self, seq: Seq) -> Option<&Kept> {
        let index = seq.0.checked_sub(self.in_memory().0)?;
        self.kept.get(usize::try_from(index).ok()?)
    }

    /// The first seq that somebody is owed who was in the room from `cut` on, as far as a node can tell
    /// that was in it from `since` on: what arrived after `cut`, and what may have.
    pub fn owed_from(&self, cut: Instant, since: Instant) -> Seq {
        let before = self.kept.partition_point(|kept| kept.arrived <= cut);
        let first = Seq(self.in_memory().0 + before as u64);
        let forgot_some = self.forgotten_at.is_some_and(|at| at > cut);
        if before > 0 || self.in_memory() == Seq(0) {
            first
        } else if self.origin > Seq(0) && since > cut {
            Seq(0)
        } else if forgot_some && self.floor() < first && self.disk_since.is_none_or(|at| at <= cut) {
            self.floor()
        } else if forgot_some {
            self.origin
        } else {
            first
        }
    }

    /// What the next record of this log must name as the one before.
    pub const fn last_hash(&self) -> Option<RecordHash> {
        self.last_hash
    }

    /// Lets go of the oldest record kept; returns its bytes.
    pub fn forget_oldest(&mut self) -> Option<usize> {
        let Kept { record, arrived } = self.kept.pop_front()?;
        let bytes = record.body.len();
        self.forgotten_at = Some(arrived);
        self.kept_bytes -= bytes;
        Some(bytes)
    }

    fn push(&mut self, record: Record, now: Instant) {
        self.touched = true;
        self.doubt = None;
        self.next = record.seq.next();
        self.last_hash = record.signature.map(|_| record.hash());
        self.kept_bytes += record.body.len();
        self.kept.push_back(Kept { record, arrived: now });
    }

    fn hold(&mut self, record: Record) -> Inserted {
        if let Some(held) = self.held.get(&record.seq) {
            return if *held == record { Inserted::Duplicate } else { Inserted::Fork };
        }
        if self.held.len() >= MAX_HELD {
            self.overflowed = self.overflowed.max(record.seq.next());
            return Inserted::Overflow;
        }
        self.held.insert(record.seq, record);
        Inserted::Held
    }

    fn release(&mut self, now: Instant) -> Vec<Record> {
        let mut run = Vec::new();
        while let Some(record) = self.held.remove(&self.next) {
            if !self.follows(&record) {
                break;
            }
            self.push(record.clone(), now);
            run.push(record);
        }
        run
    }

    fn jump(&mut self, seq: Seq, now: Instant) -> Vec<Record> {
        self.touched = true;
        self.next = seq;
        self.last_hash = None;
        self.forgotten_at = self.kept.back().map(|kept| kept.arrived).or(self.forgotten_at);
        self.kept.clear();
        self.kept_bytes = 0;
        self.held = self.held.split_off(&seq);
        self.release(now)
    }

    fn contradicts(&self, record: &Record) -> bool {
        self.get(record.seq).is_some_and(|kept| kept.record != *record)
    }

    fn follows(&self, record: &Record) -> bool {
        match (self.last_hash, record.signature) {
            (Some(hash), Some(signature)) => signature.prev == hash,
            _ => true,
        }
    }
}
