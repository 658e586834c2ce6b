//! A history that dies with the process: for nodes that keep none, and the model that the one on disk is
//! held against.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::wire::{Epoch, Kind, NodeId, Record, RecordHash, RecordId, RoomId, Seq};

use super::{
    Arrival, Author, Entry, LinesQuery, Page, PageQuery, Reader, Retention, StoreError, Stored, StoredLog,
    StoredRoom, Survey, Wanted, Writer,
    selection::{LINES_BYTES, LINES_ROWS, RETAIN_ROWS, Selection, is_line, is_past, topic_rank},
};

/// Both halves of an empty history in memory, with instance 0. Neither ever fails.
pub fn memory() -> (Box<dyn Writer>, Box<dyn Reader>) {
    let shared = Shared::default();
    (Box::new(shared.clone()), Box::new(shared))
}

#[derive(Clone, Debug, Default)]
struct Shared(Arc<Mutex<History>>);

#[derive(Debug, Default)]
struct History {
    rooms: BTreeMap<RoomId, Room>,
    authors: BTreeMap<NodeId, Author>,
}

#[derive(Debug, Default)]
struct Room {
    /// What is kept; the first has the arrival after `floor`.
    rows: VecDeque<Stored>,
    /// Arrivals that retention let go of.
    floor: u64,
    bytes: u64,
    lamport: u64,
    topic: Option<Record>,
    since: Option<u64>,
    logs: BTreeMap<(NodeId, Epoch), Log>,
}

#[derive(Debug)]
struct Log {
    first: Seq,
    last: Seq,
    last_hash: RecordHash,
    arrived_ms: (u64, u64),
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, History> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Writer for Shared {
    fn survey(&mut self) -> Result<Survey, StoreError> {
        let history = self.lock();
        let rooms = history.rooms.iter().map(|(id, room)| room.survey(id)).collect();
        Ok(Survey { instance: 0, rooms, authors: history.authors.values().cloned().collect() })
    }

    fn append(&mut self, entries: &[Entry]) -> Result<(), StoreError> {
        let mut history = self.lock();
        for entry in entries {
            match entry {
                Entry::Record { record, arrived_ms } => history.keep(record, *arrived_ms),
                Entry::Member { room, since_ms } => {
                    let room = history.rooms.entry(room.clone()).or_default();
                    room.since = since_ms.map(|since| room.since.unwrap_or(since));
                }
                Entry::Author(author) => {
                    history.authors.insert(author.node, author.clone());
                }
            }
        }
        Ok(())
    }

    fn retain(
        &mut self,
        room: &RoomId,
        retention: Retention,
        now_ms: u64,
    ) -> Result<Vec<(NodeId, Epoch, Seq)>, StoreError> {
        let mut history = self.lock();
        Ok(history.rooms.get_mut(room).map(|room| room.retain(retention, now_ms)).unwrap_or_default())
    }

    fn idle(&mut self) -> Result<(), StoreError> {
        Ok(())
    }
}

impl Reader for Shared {
    fn page(&mut self, query: &PageQuery) -> Result<Page, StoreError> {
        let selection = Selection::new(query);
        let history = self.lock();
        Ok(match history.rooms.get(&query.room) {
            Some(room) => room.page(query, selection),
            None => selection.page(query.after),
        })
    }

    fn last_lines(&mut self, query: &LinesQuery) -> Result<Vec<Stored>, StoreError> {
        let history = self.lock();
        Ok(history.rooms.get(&query.room).map(|room| room.last_lines(query)).unwrap_or_default())
    }
}

impl History {
    fn keep(&mut self, record: &Record, arrived_ms: u64) {
        let room = self.rooms.entry(record.room.clone()).or_default();
        let log = room.logs.get(&(record.author, record.epoch));
        if log.is_none_or(|log| record.seq > log.last) {
            room.keep(record, arrived_ms);
        }
    }
}

impl Room {
    fn arrivals(&self) -> u64 {
        self.floor + self.rows.len() as u64
    }

    fn keep(&mut self, record: &Record, arrived_ms: u64) {
        let arrival = Arrival(self.arrivals() + 1);
        let last_hash = record.hash();
        let new =
            Log { first: record.seq, last: record.seq, last_hash, arrived_ms: (arrived_ms, arrived_ms) };
        let log = self.logs.entry((record.author, record.epoch)).or_insert(new);
        if log.first > log.last {
            (log.first, log.arrived_ms.0) = (record.seq, arrived_ms);
        }
        (log.last, log.last_hash, log.arrived_ms.1) = (record.seq, last_hash, arrived_ms);
        self.lamport = self.lamport.max(record.lamport);
        self.bytes += record.body.len() as u64;
        if record.kind == Kind::TOPIC && self.topic.as_ref().map(topic_rank) < Some(topic_rank(record)) {
            self.topic = Some(record.clone());
        }
        self.rows.push_back(Stored { arrival, arrived_ms, record: record.clone() });
    }

    fn retain(&mut self, retention: Retention, now_ms: u64) -> Vec<(NodeId, Epoch, Seq)> {
        let mut shorter = BTreeSet::new();
        for _ in 0..RETAIN_ROWS {
            let records = self.rows.len() as u64;
            let past = |row: &Stored| is_past(retention, records, self.bytes, row.arrived_ms, now_ms);
            if !self.rows.front().is_some_and(past) {
                break;
            }
            let Some(row) = self.rows.pop_front() else { break };
            self.floor += 1;
            self.bytes -= row.record.body.len() as u64;
            shorter.insert((row.record.author, row.record.epoch));
        }
        shorter.into_iter().filter_map(|log| self.shorten(log)).collect()
    }

    /// Notes where a log begins now.
    fn shorten(&mut self, key: (NodeId, Epoch)) -> Option<(NodeId, Epoch, Seq)> {
        let log = self.logs.get_mut(&key)?;
        let left = self.rows.iter().find(|row| (row.record.author, row.record.epoch) == key);
        let none = (log.last.next(), log.arrived_ms.1);
        (log.first, log.arrived_ms.0) = left.map_or(none, |row| (row.record.seq, row.arrived_ms));
        Some((key.0, key.1, log.first))
    }

    fn page(&self, query: &PageQuery, mut selection: Selection) -> Page {
        let arrivals = Arrival(self.arrivals());
        let wanted = |row: &&Stored| {
            let record = &row.record;
            let has = |log: &Wanted| (log.author, log.epoch) == (record.author, record.epoch);
            query.logs.iter().any(|log| has(log) && record.seq >= log.from)
        };
        let first = self.rows.iter().find(wanted).map(|row| row.arrival);
        let start =
            if query.after == Arrival(0) { first } else { Some(Arrival(query.after.0.saturating_add(1))) };
        let Some(start) = start.filter(|start| *start <= arrivals) else {
            return selection.nothing_further(arrivals);
        };
        let rows = self.rows.iter().skip_while(|row| row.arrival < start);
        let stopped = rows.cloned().try_for_each(|row| selection.look(row)).is_break();
        if stopped { selection.page(arrivals) } else { selection.nothing_further(arrivals) }
    }

    fn last_lines(&self, query: &LinesQuery) -> Vec<Stored> {
        let &LinesQuery { count, cut_ms, before, .. } = query;
        let Some(until) = before.map_or(Some(Arrival(u64::MAX)), |before| self.bound(before)) else {
            return Vec::new();
        };
        let newest = self.rows.iter().rev().skip_while(|row| row.arrival >= until).take(LINES_ROWS as usize);
        let bounded = newest.scan(0, |bytes, row| {
            let few = *bytes < LINES_BYTES;
            *bytes += row.record.body.len() as u64;
            few.then_some(row)
        });
        let lines = bounded.filter(|row| is_line(row.record.kind, row.arrived_ms, cut_ms));
        let mut lines: Vec<Stored> = lines.take(usize::from(count)).cloned().collect();
        lines.reverse();
        lines
    }

    /// Where what arrived before a record ends; `None` where all of that is gone.
    fn bound(&self, record: RecordId) -> Option<Arrival> {
        let row = self.rows.iter().rev().find(|row| row.record.id() == record);
        let last = self.logs.get(&(record.author, record.epoch)).map(|log| log.last);
        let is_to_come = last.is_none_or(|last| last < record.seq);
        row.map(|row| row.arrival).or_else(|| is_to_come.then_some(Arrival(u64::MAX)))
    }

    fn survey(&self, id: &RoomId) -> StoredRoom {
        let logs = self.logs.iter().map(|(&(author, epoch), log)| StoredLog {
            author,
            epoch,
            first: log.first,
            next: log.last.next(),
            last_hash: Some(log.last_hash),
            arrived_ms: log.arrived_ms,
        });
        StoredRoom {
            id: id.clone(),
            logs: logs.collect(),
            topic: self.topic.clone(),
            lamport: self.lamport,
            member_since_ms: self.since,
            last: Arrival(self.arrivals()),
        }
    }
}
