//! What the writer knows by heart: every room, log and author, not their records.

use std::collections::{BTreeMap, HashMap};

use rusqlite::Connection;

use crate::wire::{Epoch, NodeId, RoomId, Seq};

use super::{
    chain::Seal,
    error::{Outcome, damaged},
    table::{AuthorRow, HistoryRow, LogRow, RoomRow, read_topic},
};
use crate::store::{Arrival, Author, StoredLog, StoredRoom, Survey, selection::topic_rank};

/// The small tables, as they will be when the transaction at hand commits. Thrown away when it does not.
#[derive(Debug)]
pub(super) struct Ledger {
    pub(super) instance: u64,
    pub(super) rooms: BTreeMap<RoomId, Room>,
    pub(super) authors: HashMap<NodeId, i64>,
}

/// A room and its logs.
#[derive(Debug)]
pub(super) struct Room {
    pub(super) row: RoomRow,
    /// What the topic has to be overridden by.
    pub(super) topic: Option<(u64, NodeId, Epoch, Seq)>,
    pub(super) logs: BTreeMap<(NodeId, Epoch), LogRow>,
}

impl Ledger {
    /// Reads the small tables and checks that each is whole.
    pub(super) fn load(conn: &Connection, seal: &Seal) -> Outcome<Self> {
        let history = HistoryRow::read(conn)?;
        let names = read_authors(conn, seal)?;
        let authors = names.iter().map(|author| (author.node, author.id)).collect();
        let mut ledger = Self { instance: history.instance, rooms: read_rooms(conn, seal)?, authors };
        ledger.read_logs(conn, seal, names.into_iter().map(|author| (author.id, author.node)).collect())?;
        if ledger.history() != history {
            return damaged("rooms or authors are missing");
        }
        match ledger.rooms.values().find(|room| room.logs.len() as u64 != room.row.logs) {
            Some(room) => damaged(format!("logs of room {} are missing", room.row.id)),
            None => Ok(ledger),
        }
    }

    /// The row that counts the others.
    pub(super) fn history(&self) -> HistoryRow {
        let (rooms, authors) = (self.rooms.len() as u64, self.authors.len() as u64);
        HistoryRow { instance: self.instance, rooms, authors }
    }

    pub(super) fn survey(&self, conn: &Connection, seal: &Seal) -> Outcome<Survey> {
        let rooms: Outcome<Vec<StoredRoom>> =
            self.rooms.values().map(|room| room.survey(conn, seal)).collect();
        let named = |row: AuthorRow| Some(Author { node: row.node, nick: row.nick?, key: row.key });
        let mut authors: Vec<Author> = read_authors(conn, seal)?.into_iter().filter_map(named).collect();
        authors.sort_unstable_by_key(|author| author.node);
        Ok(Survey { instance: self.instance, rooms: rooms?, authors })
    }

    fn read_logs(&mut self, conn: &Connection, seal: &Seal, nodes: HashMap<i64, NodeId>) -> Outcome<()> {
        let mut by_id: HashMap<i64, &mut Room> =
            self.rooms.values_mut().map(|room| (room.row.id, room)).collect();
        let mut statement = conn.prepare_cached("SELECT * FROM log")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let (room, epoch, log) = LogRow::read(row, seal)?;
            let (Some(room), Some(node)) = (by_id.get_mut(&room), nodes.get(&log.author)) else {
                return damaged(format!("a log of room {room} has no room or no author"));
            };
            room.logs.insert((*node, epoch), log);
        }
        Ok(())
    }
}

impl Room {
    fn survey(&self, conn: &Connection, seal: &Seal) -> Outcome<StoredRoom> {
        let logs = self.logs.iter().map(|(&(author, epoch), log)| StoredLog {
            author,
            epoch,
            first: log.first,
            next: log.last.next(),
            last_hash: Some(log.last_hash),
            arrived_ms: (log.first_ms, log.last_ms),
        });
        Ok(StoredRoom {
            id: self.row.name.clone(),
            logs: logs.collect(),
            topic: read_topic(conn, seal, &self.row)?,
            lamport: self.row.lamport,
            member_since_ms: self.row.since,
            last: Arrival(self.row.arrivals),
        })
    }
}

pub(super) fn read_authors(conn: &Connection, seal: &Seal) -> Outcome<Vec<AuthorRow>> {
    let mut statement = conn.prepare_cached("SELECT * FROM author")?;
    let mut rows = statement.query([])?;
    let mut authors = Vec::new();
    while let Some(row) = rows.next()? {
        authors.push(AuthorRow::read(row, seal)?);
    }
    Ok(authors)
}

fn read_rooms(conn: &Connection, seal: &Seal) -> Outcome<BTreeMap<RoomId, Room>> {
    let mut statement = conn.prepare_cached("SELECT * FROM room NOT INDEXED")?;
    let mut rows = statement.query([])?;
    let mut found = BTreeMap::new();
    while let Some(row) = rows.next()? {
        let row = RoomRow::read(row, seal)?;
        let topic = read_topic(conn, seal, &row)?.as_ref().map(topic_rank);
        found.insert(row.name.clone(), Room { row, topic, logs: BTreeMap::new() });
    }
    Ok(found)
}
