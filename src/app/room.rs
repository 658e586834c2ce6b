//! The logs of one room and how much of them is kept.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Instant,
};

use crate::{
    store::StoredRoom,
    wire::{Epoch, HaveLog, Kind, LogKey, NodeId, Record, RecordId, RoomId, Seq, Vector},
};

use super::{
    limits::{
        AUTHOR_SHARE, KEEP_BYTES, KEEP_RECORDS, MAX_AUTHORS, MAX_EPOCHS, MAX_HELD_BYTES, MAX_STORED_EPOCHS,
    },
    log::{Inserted, Kept, Log},
};

/// What a room keeps in memory.
#[derive(Clone, Copy, Debug)]
pub struct Keep {
    /// Records.
    pub records: usize,
    /// Bytes of bodies.
    pub bytes: usize,
}

impl Keep {
    /// As much as a server or a peer keeps.
    pub const ALL: Self = Self { records: KEEP_RECORDS, bytes: KEEP_BYTES };

    /// Only how far each log has come: all that a client needs.
    pub const NOTHING: Self = Self { records: 0, bytes: 0 };
}

/// The room has logs of as many authors as it can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooManyAuthors;

/// The logs of one room.
#[derive(Clone, Debug)]
pub struct Room {
    id: RoomId,
    keep: Keep,
    logs: BTreeMap<(NodeId, Epoch), Log>,
    arrivals: VecDeque<(NodeId, Epoch, Seq)>,
    kept_records: usize,
    kept_bytes: usize,
    /// Of records held back.
    held_bytes: usize,
    lamport: u64,
    topic: Option<Record>,
    /// Nothing is let go of that is not on disk.
    durable: bool,
}

impl Room {
    /// An empty room.
    pub const fn new(id: RoomId, keep: Keep) -> Self {
        Self {
            id,
            keep,
            logs: BTreeMap::new(),
            arrivals: VecDeque::new(),
            kept_records: 0,
            kept_bytes: 0,
            held_bytes: 0,
            lamport: 0,
            topic: None,
            durable: false,
        }
    }

    /// An empty room of a node with a store.
    pub const fn durable(id: RoomId, keep: Keep) -> Self {
        let mut room = Self::new(id, keep);
        room.durable = true;
        room
    }

    /// A room that a store has, with the last records of it in the order of arrival. `at` is the moment of a
    /// time of day.
    pub fn restored(
        stored: &StoredRoom,
        tail: Vec<(Record, Instant)>,
        keep: Keep,
        at: impl Fn(u64) -> Instant,
    ) -> Self {
        let mut room = Self::durable(stored.id.clone(), keep);
        let mut resumed: BTreeMap<(NodeId, Epoch), Seq> = BTreeMap::new();
        for (record, _) in &tail {
            resumed.entry((record.author, record.epoch)).or_insert(record.seq);
        }
        for log in &stored.logs {
            let key = (log.author, log.epoch);
            let from = resumed.get(&key).copied().unwrap_or(log.next);
            let (first, last) = log.arrived_ms;
            let restored = Log::restored(log.first, log.next, from, (at(first), at(last)));
            room.logs.insert(key, restored);
        }
        room.lamport = stored.lamport;
        room.topic.clone_from(&stored.topic);
        for (record, arrived) in tail {
            let _ = room.insert(record, arrived);
        }
        for log in &stored.logs {
            if let Some(held) = room.logs.get_mut(&(log.author, log.epoch)) {
                held.set_last_hash(log.last_hash);
            }
        }
        room
    }

    /// A log is on disk up to `next`; whether that is news.
    pub fn on_stored(&mut self, author: NodeId, epoch: Epoch, next: Seq) -> bool {
        self.logs.get_mut(&(author, epoch)).is_some_and(|log| log.on_stored(next))
    }

    /// A log on disk begins at `first` now.
    pub fn on_retained(&mut self, author: NodeId, epoch: Epoch, first: Seq) {
        self.logs.get_mut(&(author, epoch)).into_iter().for_each(|log| log.on_retained(first));
    }

    /// There was no space on disk for a log from `from` on.
    pub fn on_unstored(&mut self, author: NodeId, epoch: Epoch, from: Seq) {
        self.logs.get_mut(&(author, epoch)).into_iter().for_each(|log| log.on_unstored(from));
    }

    /// Which room.
    pub const fn id(&self) -> &RoomId {
        &self.id
    }

    /// Bytes of the bodies kept.
    pub const fn kept_bytes(&self) -> usize {
        self.kept_bytes
    }

    /// Whether no log was ever begun.
    pub fn is_empty(&self) -> bool {
        self.logs.is_empty()
    }

    /// The record that set the topic; an empty body is none.
    pub fn topic(&self) -> Option<&Record> {
        self.topic.as_ref().filter(|record| !record.body.is_empty())
    }

    /// The topic as somebody else proved it; the caller has checked that it is newer.
    pub fn set_topic(&mut self, record: Record) {
        self.witness(record.lamport);
        self.topic = Some(record);
    }

    /// The log of an author's run.
    pub fn log(&self, author: NodeId, epoch: Epoch) -> Option<&Log> {
        self.logs.get(&(author, epoch))
    }

    /// The key of a log of this room.
    pub fn key(&self, author: NodeId, epoch: Epoch) -> LogKey {
        LogKey { room: self.id.clone(), author, epoch }
    }

    /// What a new record puts as its lamport time.
    pub const fn next_lamport(&self) -> u64 {
        self.lamport.saturating_add(1)
    }

    /// A record of this node's own that is kept elsewhere.
    pub fn witness(&mut self, lamport: u64) {
        self.lamport = self.lamport.max(lamport);
    }

    /// Takes a record in. The caller has checked that its author said it.
    ///
    /// # Errors
    /// [`TooManyAuthors`]; nothing changed.
    pub fn insert(&mut self, record: Record, now: Instant) -> Result<Inserted, TooManyAuthors> {
        let (author, epoch) = (record.author, record.epoch);
        let log = self.log_mut(author, epoch)?;
        let held_before = log.held_bytes();
        let inserted = log.insert(record, now);
        let held = log.held_bytes();
        self.held_bytes = self.held_bytes - held_before + held;
        if let Inserted::Next(run) = &inserted {
            self.note(run);
        }
        if inserted == Inserted::Held && self.held_bytes > MAX_HELD_BYTES {
            self.held_bytes -= held;
            self.logs.get_mut(&(author, epoch)).into_iter().for_each(Log::drop_held);
            return Ok(Inserted::Overflow);
        }
        Ok(inserted)
    }

    /// For this node the log begins at `seq`, if it was not begun. Returns what this puts in order.
    pub fn start_at(&mut self, author: NodeId, epoch: Epoch, seq: Seq, now: Instant) -> Vec<Record> {
        let Ok(log) = self.log_mut(author, epoch) else { return Vec::new() };
        let held = log.held_bytes();
        let run = log.start_at(seq, now);
        let released = held - log.held_bytes();
        self.held_bytes -= released;
        self.note(&run);
        run
    }

    /// Gives up what is missing of a log below `floor`; see [`Log::skip_to`].
    pub fn skip_to(
        &mut self,
        author: NodeId,
        epoch: Epoch,
        floor: Seq,
        now: Instant,
    ) -> (Option<(Seq, Seq)>, Vec<Record>) {
        let Ok(log) = self.log_mut(author, epoch) else { return (None, Vec::new()) };
        let before = (log.kept_records(), log.kept_bytes());
        let held = log.held_bytes();
        let (hole, run) = log.skip_to(floor, now);
        let released = held - log.held_bytes();
        self.held_bytes -= released;
        if hole.is_some() {
            self.kept_records = self.kept_records.saturating_sub(before.0);
            self.kept_bytes = self.kept_bytes.saturating_sub(before.1);
        }
        self.note(&run);
        (hole, run)
    }

    /// How far each log has come.
    pub fn vector(&self) -> Vector {
        self.logs.iter().map(|(&(author, epoch), log)| (author, epoch, log.next())).collect()
    }

    /// Each log, and from where on somebody is owed it who has `have` and joined at `cut`: what comes
    /// after what it has, or, of a log that it does not know, what was said since it joined. `since` is
    /// when this node joined.
    pub fn owed(&self, have: &Vector, cut: Instant, since: Instant) -> Vec<HaveLog> {
        let entry = |(&(author, epoch), log): (&(NodeId, Epoch), &Log)| {
            let start = have.get(author, epoch).unwrap_or_else(|| log.owed_from(cut, since));
            HaveLog { author, epoch, start, floor: log.floor(), next: log.next() }
        };
        self.logs.iter().map(entry).collect()
    }

    /// Its author says how far a log has come; see [`Log::correct`].
    pub fn correct(&mut self, author: NodeId, epoch: Epoch, next: Seq) {
        if let Some(log) = self.logs.get_mut(&(author, epoch)) {
            log.correct(next);
        }
    }

    /// The last `count` lines that arrived by `cut`, of those before `before` where that is given, oldest first.
    /// Only what is meant to be read; none where `before` is not kept.
    pub fn last_lines(&self, count: usize, cut: Instant, before: Option<RecordId>) -> Vec<&Record> {
        let kept = |&(author, epoch, seq): &(NodeId, Epoch, Seq)| self.log(author, epoch)?.get(seq);
        let is_line = |kept: &&Kept| kept.arrived <= cut && kept.record.kind == Kind::TEXT;
        let bound = before.map(|RecordId { author, epoch, seq }| (author, epoch, seq));
        let newest_first =
            self.arrivals.iter().rev().skip_while(|key| bound.is_some_and(|bound| **key != bound));
        let newest_first = newest_first.skip(usize::from(bound.is_some())).filter_map(kept).filter(is_line);
        let mut lines: Vec<&Record> = newest_first.take(count).map(|kept| &kept.record).collect();
        lines.reverse();
        lines
    }

    /// Whether some of it is on disk and not in memory.
    pub fn has_older(&self) -> bool {
        self.logs.values().any(|log| log.floor() < log.in_memory())
    }

    /// Lets go of every log but those of one author.
    pub fn retain_author(&mut self, author: NodeId) {
        self.logs.retain(|(a, _), _| *a == author);
        self.kept_bytes = self.logs.values().map(Log::kept_bytes).sum();
        self.held_bytes = self.logs.values().map(Log::held_bytes).sum();
        self.kept_records = self.logs.values().map(Log::kept_records).sum();
        self.sweep();
    }

    /// Lets go of the oldest record kept; `false` if none is.
    pub fn forget_oldest(&mut self) -> bool {
        while let Some(&(author, epoch, seq)) = self.arrivals.front() {
            if self.must_stay(author, epoch, seq) {
                return false;
            }
            self.arrivals.pop_front();
            if self.forget(author, epoch, seq) {
                return true;
            }
        }
        false
    }

    /// Whether a record is in memory alone, and the disk will have it.
    fn must_stay(&self, author: NodeId, epoch: Epoch, seq: Seq) -> bool {
        let Some(log) = self.log(author, epoch).filter(|_| self.durable) else { return false };
        let is_awaited = seq >= log.stored() && log.unstored().is_none_or(|from| seq < from);
        is_awaited && log.in_memory() <= seq
    }

    fn log_mut(&mut self, author: NodeId, epoch: Epoch) -> Result<&mut Log, TooManyAuthors> {
        if !self.logs.contains_key(&(author, epoch)) {
            self.make_way_for(author, epoch)?;
        }
        Ok(self.logs.entry((author, epoch)).or_default())
    }

    /// Of too many runs of one author the oldest goes; of too many authors one of whom nothing is kept.
    fn make_way_for(&mut self, author: NodeId, epoch: Epoch) -> Result<(), TooManyAuthors> {
        let span = (author, Epoch(0))..=(author, Epoch(u64::MAX));
        let runs = if self.durable { MAX_STORED_EPOCHS } else { MAX_EPOCHS };
        if self.logs.range(span.clone()).count() >= runs {
            let oldest = self.logs.range(span).next().map(|(&key, _)| key);
            // A run that was let go of does not come back in the place of a newer one.
            self.drop_log(oldest.filter(|&(_, oldest)| oldest < epoch).ok_or(TooManyAuthors)?);
        } else if self.logs.len() >= MAX_AUTHORS * MAX_EPOCHS {
            let bare = self.logs.iter().filter(|(_, log)| log.floor() == log.next());
            let oldest = bare.min_by_key(|((_, epoch), _)| *epoch).map(|(&key, _)| key);
            self.drop_log(oldest.ok_or(TooManyAuthors)?);
        }
        Ok(())
    }

    fn drop_log(&mut self, key: (NodeId, Epoch)) {
        if let Some(log) = self.logs.remove(&key) {
            self.kept_bytes -= log.kept_bytes();
            self.held_bytes -= log.held_bytes();
            self.kept_records -= log.kept_records();
        }
    }

    fn note(&mut self, run: &[Record]) {
        for record in run {
            self.witness(record.lamport);
            self.note_topic(record);
            self.arrivals.push_back((record.author, record.epoch, record.seq));
            self.kept_records += 1;
            self.kept_bytes += record.body.len();
        }
        // A run is of one log, and in it already: all of it counts before any is let go of.
        if let Some(first) = run.first() {
            self.enforce_share(first.author, first.epoch);
        }
        let over = |room: &Self| room.kept_records > room.keep.records || room.kept_bytes > room.keep.bytes;
        while over(self) && self.forget_oldest() {}
        self.sweep();
    }

    /// Entries of records that a share pushed out lie about until then.
    fn sweep(&mut self) {
        if self.arrivals.len() > 2 * self.kept_records + 64 {
            let logs = &self.logs;
            self.arrivals.retain(|&(author, epoch, seq)| {
                logs.get(&(author, epoch)).is_some_and(|log| log.get(seq).is_some())
            });
        }
    }

    fn note_topic(&mut self, record: &Record) {
        let order = |r: &Record| (r.lamport, r.author);
        let newer = self.topic.as_ref().is_none_or(|topic| order(topic) < order(record));
        if record.kind == Kind::TOPIC && newer {
            self.topic = Some(record.clone());
        }
    }

    /// An author who fills the room pushes out its own past, not that of others.
    fn enforce_share(&mut self, author: NodeId, epoch: Epoch) {
        if self.logs.len() < 2 {
            return;
        }
        while let Some(log) = self.logs.get(&(author, epoch)) {
            let over = log.kept_records() > self.keep.records / AUTHOR_SHARE
                || log.kept_bytes() > self.keep.bytes / AUTHOR_SHARE;
            let full = self.kept_records >= self.keep.records || self.kept_bytes >= self.keep.bytes;
            let oldest = log.in_memory();
            let free = !self.must_stay(author, epoch, oldest);
            if !(over && full && free && self.forget(author, epoch, oldest)) {
                return;
            }
        }
    }

    /// Lets go of a record if it is the oldest kept of its log; the list of arrivals is cleaned as
    /// it is passed.
    fn forget(&mut self, author: NodeId, epoch: Epoch, seq: Seq) -> bool {
        let Some(log) = self.logs.get_mut(&(author, epoch)) else { return false };
        if log.in_memory() != seq {
            return false;
        }
        let Some(bytes) = log.forget_oldest() else { return false };
        self.kept_records -= 1;
        self.kept_bytes -= bytes;
        true
    }
}
