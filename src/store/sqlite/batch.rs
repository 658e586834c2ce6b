//! What one call of `append` adds, within its transaction: records at once, and what sums them up when all
//! of them are in.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::Transaction;

use crate::{
    store::{Arrival, Author, Entry, Stored, selection::topic_rank},
    wire::{Epoch, Kind, NodeId, Record, RoomId},
};

use super::{
    chain::Seal,
    error::Outcome,
    ledger::{Ledger, Room},
    row,
    table::{AuthorRow, HistoryRow, LogRow, RoomRow, write_topic},
};

/// Adds `entries`; whoever calls commits.
pub(super) fn append(
    tx: &Transaction<'_>,
    seal: &Seal,
    ledger: &mut Ledger,
    entries: &[Entry],
) -> Outcome<()> {
    let mut batch = Batch {
        tx,
        seal,
        history: ledger.history(),
        ledger,
        rooms: BTreeSet::new(),
        logs: BTreeMap::new(),
        topics: BTreeMap::new(),
    };
    for entry in entries {
        match entry {
            Entry::Record { record, arrived_ms } => batch.record(record, *arrived_ms)?,
            Entry::Author(author) => batch.author(author)?,
            Entry::Member { room, since_ms } => batch.member(room, *since_ms)?,
        }
    }
    batch.finish()
}

struct Batch<'a> {
    tx: &'a Transaction<'a>,
    seal: &'a Seal,
    ledger: &'a mut Ledger,
    history: HistoryRow,
    rooms: BTreeSet<&'a RoomId>,
    /// The last record of each log that grew.
    logs: BTreeMap<(&'a RoomId, NodeId, Epoch), &'a Record>,
    /// The records that set a topic.
    topics: BTreeMap<&'a RoomId, &'a Record>,
}

impl<'a> Batch<'a> {
    fn record(&mut self, record: &'a Record, arrived_ms: u64) -> Outcome<()> {
        let key = (record.author, record.epoch);
        let known = self.ledger.rooms.get(&record.room).and_then(|room| room.logs.get(&key));
        if known.is_some_and(|log| record.seq <= log.last) {
            return Ok(());
        }
        let author = self.author_id(record.author)?;
        let (tx, seal) = (self.tx, self.seal);
        let room = self.room(&record.room)?;
        let stored = Stored { arrival: Arrival(room.row.arrivals + 1), arrived_ms, record: record.clone() };
        room.row.head = row::insert(tx, seal, &room.row, author, &stored)?;
        room.count(author, &stored);
        let sets_topic = record.kind == Kind::TOPIC && room.topic < Some(topic_rank(record));
        if sets_topic {
            room.topic = Some(topic_rank(record));
            self.topics.insert(&record.room, record);
        }
        self.rooms.insert(&record.room);
        self.logs.insert((&record.room, record.author, record.epoch), record);
        Ok(())
    }

    fn author(&mut self, author: &Author) -> Outcome<()> {
        let id = self.ledger.authors.get(&author.node).copied();
        let id = id.unwrap_or_else(|| self.next_author_id());
        let (nick, key) = (Some(author.nick.clone()), author.key);
        AuthorRow { id, node: author.node, nick, key }.write(self.tx, self.seal)?;
        self.ledger.authors.insert(author.node, id);
        Ok(())
    }

    fn member(&mut self, name: &'a RoomId, since_ms: Option<u64>) -> Outcome<()> {
        let row = &mut self.room(name)?.row;
        row.since = since_ms.map(|since| row.since.unwrap_or(since));
        self.rooms.insert(name);
        Ok(())
    }

    /// Authors are numbered from 1 without holes, so that one that is missing shows.
    fn next_author_id(&self) -> i64 {
        self.ledger.authors.len() as i64 + 1
    }

    fn author_id(&mut self, node: NodeId) -> Outcome<i64> {
        if let Some(id) = self.ledger.authors.get(&node) {
            return Ok(*id);
        }
        let id = self.next_author_id();
        AuthorRow { id, node, nick: None, key: None }.write(self.tx, self.seal)?;
        self.ledger.authors.insert(node, id);
        Ok(id)
    }

    fn room(&mut self, name: &RoomId) -> Outcome<&mut Room> {
        let id = self.ledger.rooms.len() as i64 + 1;
        if !self.ledger.rooms.contains_key(name) {
            RoomRow::new(id, name.clone(), self.seal).write(self.tx, self.seal)?;
        }
        let (seal, rooms) = (self.seal, &mut self.ledger.rooms);
        Ok(rooms.entry(name.clone()).or_insert_with(|| Room {
            row: RoomRow::new(id, name.clone(), seal),
            topic: None,
            logs: BTreeMap::new(),
        }))
    }

    /// Writes down what the records added up to.
    fn finish(self) -> Outcome<()> {
        let Self { tx, seal, ledger, history, rooms, logs, topics } = self;
        for ((name, node, epoch), last) in logs {
            let Some(room) = ledger.rooms.get_mut(name) else { continue };
            let Some(log) = room.logs.get_mut(&(node, epoch)) else { continue };
            log.last_hash = last.hash();
            log.write(tx, seal, room.row.id, epoch)?;
        }
        for name in rooms {
            let Some(room) = ledger.rooms.get_mut(name) else { continue };
            if let Some(record) = topics.get(name) {
                room.row.topic = Some(write_topic(tx, seal, room.row.id, record)?);
            }
            room.row.logs = room.logs.len() as u64;
            room.row.write(tx, seal)?;
        }
        if ledger.history() == history { Ok(()) } else { ledger.history().write(tx) }
    }
}

impl Room {
    /// Counts a record that was added. The hash of the last one of a log is left to the end.
    fn count(&mut self, author: i64, stored: &Stored) {
        let (seq, ms) = (stored.record.seq, stored.arrived_ms);
        let log = self.logs.entry((stored.record.author, stored.record.epoch)).or_insert(LogRow {
            author,
            first: seq,
            last: seq,
            last_hash: [0; 16],
            first_ms: ms,
            last_ms: ms,
        });
        if log.first > log.last {
            (log.first, log.first_ms) = (seq, ms);
        }
        (log.last, log.last_ms) = (seq, ms);
        self.row.arrivals = stored.arrival.0;
        self.row.bytes += stored.record.body.len() as u64;
        self.row.lamport = self.row.lamport.max(stored.record.lamport);
    }
}
