//! A half that reads: each answer is one snapshot.

use std::{collections::HashMap, ops::ControlFlow, path::PathBuf};

use rusqlite::{Connection, OptionalExtension as _, params};

use crate::{
    store::{
        Arrival, LinesQuery, Page, PageQuery, Reader, StoreError, Stored, Wanted,
        selection::{LINES_BYTES, LINES_ROWS, Selection, is_line},
    },
    wire::{Kind, NodeId, RecordId},
};

use super::{
    chain::Seal,
    column::{ordered, plain, read_ordered, read_plain},
    error::{Outcome, Trouble},
    row,
    table::RoomRow,
};

/// A connection that changes nothing.
#[derive(Debug)]
pub(super) struct SqliteReader {
    path: PathBuf,
    conn: Connection,
    snapshot: Snapshot,
}

/// What is needed to read, besides the connection.
#[derive(Debug)]
struct Snapshot {
    seal: Seal,
    /// Of authors that exist: their numbers never change.
    authors: HashMap<NodeId, i64>,
}

impl SqliteReader {
    pub(super) fn new(path: PathBuf, conn: Connection, seal: Seal) -> Self {
        Self { path, conn, snapshot: Snapshot { seal, authors: HashMap::new() } }
    }

    fn read<T>(
        &mut self,
        answer: impl FnOnce(&mut Snapshot, &Connection) -> Outcome<T>,
    ) -> Result<T, StoreError> {
        let tx = self.conn.transaction().map_err(|error| Trouble::from(error).at(&self.path))?;
        answer(&mut self.snapshot, &tx).map_err(|trouble| trouble.at(&self.path))
    }
}

impl Reader for SqliteReader {
    fn page(&mut self, query: &PageQuery) -> Result<Page, StoreError> {
        self.read(|snapshot, conn| snapshot.page(conn, query))
    }

    fn last_lines(&mut self, query: &LinesQuery) -> Result<Vec<Stored>, StoreError> {
        self.read(|snapshot, conn| snapshot.last_lines(conn, query))
    }
}

impl Snapshot {
    fn page(&mut self, conn: &Connection, query: &PageQuery) -> Outcome<Page> {
        let mut selection = Selection::new(query);
        let Some(room) = RoomRow::find(conn, &self.seal, &query.room)? else {
            return Ok(selection.page(query.after));
        };
        let arrivals = Arrival(room.arrivals);
        let after = match query.after {
            Arrival(0) => self.before_first(conn, &room, &query.logs)?,
            Arrival(after) => Some(after.max(room.floor)),
        };
        let Some(after) = after.filter(|after| *after < room.arrivals) else {
            return Ok(selection.nothing_further(arrivals));
        };
        let upto = room.arrivals;
        let stopped = row::scan(conn, &self.seal, &room, (after, upto), |stored| selection.look(stored))?;
        Ok(if stopped.is_break() { selection.page(arrivals) } else { selection.nothing_further(arrivals) })
    }

    /// The arrival before the first that is wanted.
    fn before_first(&mut self, conn: &Connection, room: &RoomRow, logs: &[Wanted]) -> Outcome<Option<u64>> {
        let mut statement = conn.prepare_cached(
            "SELECT arrival FROM record INDEXED BY once
             WHERE room = ?1 AND author = ?2 AND epoch = ?3 AND seq >= ?4 ORDER BY seq LIMIT 1",
        )?;
        let mut first: Option<i64> = None;
        for log in logs {
            let Some(author) = self.author(conn, log.author)? else { continue };
            let key = params![room.id, author, plain(log.epoch.0), ordered(log.from.0)];
            let found: Option<i64> = statement.query_row(key, |row| row.get(0)).optional()?;
            first = first.into_iter().chain(found).min();
        }
        Ok(first.map(|arrival| (arrival - 1).cast_unsigned()))
    }

    fn author(&mut self, conn: &Connection, node: NodeId) -> Outcome<Option<i64>> {
        if let Some(id) = self.authors.get(&node) {
            return Ok(Some(*id));
        }
        let mut statement = conn.prepare_cached("SELECT id FROM author WHERE node = ?1")?;
        let id = statement.query_row([node.0], |row| row.get(0)).optional()?;
        self.authors.extend(id.map(|id| (node, id)));
        Ok(id)
    }

    fn last_lines(&mut self, conn: &Connection, query: &LinesQuery) -> Outcome<Vec<Stored>> {
        let &LinesQuery { count, cut_ms, before, .. } = query;
        let Some(room) = RoomRow::find(conn, &self.seal, &query.room)? else { return Ok(Vec::new()) };
        let last = match before {
            Some(before) => self.last_before(conn, &room, before)?,
            None => room.arrivals,
        };
        let Some((first, last)) = span_of_lines(conn, &room, count, cut_ms, last)? else {
            return Ok(Vec::new());
        };
        let mut lines = Vec::new();
        let _ = row::scan(conn, &self.seal, &room, (first - 1, last), |stored| {
            if is_line(stored.record.kind, stored.arrived_ms, cut_ms) {
                lines.push(stored);
            }
            ControlFlow::Continue(())
        })?;
        Ok(lines)
    }

    /// The last arrival before a record; 0 where all of that is gone.
    fn last_before(&mut self, conn: &Connection, room: &RoomRow, record: RecordId) -> Outcome<u64> {
        let Some(author) = self.author(conn, record.author)? else { return Ok(room.arrivals) };
        let log = params![room.id, author, plain(record.epoch.0), ordered(record.seq.0)];
        let mut statement = conn.prepare_cached(
            "SELECT arrival FROM record INDEXED BY once
             WHERE room = ?1 AND author = ?2 AND epoch = ?3 AND seq = ?4",
        )?;
        let found: Option<i64> = statement.query_row(log, |row| row.get(0)).optional()?;
        if let Some(arrival) = found {
            return Ok(arrival.cast_unsigned().saturating_sub(1));
        }
        let mut statement = conn.prepare_cached(
            "SELECT 1 FROM log WHERE room = ?1 AND author = ?2 AND epoch = ?3 AND last >= ?4",
        )?;
        Ok(if statement.exists(log)? { 0 } else { room.arrivals })
    }
}

/// The arrivals of the first and the last of the lines, found without reading their bodies.
fn span_of_lines(
    conn: &Connection,
    room: &RoomRow,
    count: u16,
    cut_ms: u64,
    last: u64,
) -> Outcome<Option<(u64, u64)>> {
    let mut statement = conn.prepare_cached(
        "SELECT arrival, kind, arrived_ms, length(body) FROM record WHERE room = ?1 AND arrival <= ?2
         ORDER BY arrival DESC LIMIT ?3",
    )?;
    let mut rows = statement.query(params![room.id, plain(last), plain(LINES_ROWS)])?;
    let (mut span, mut lines, mut bytes) = (None, 0, 0);
    while let Some(row) = rows.next()? {
        if lines == count || bytes >= LINES_BYTES {
            break;
        }
        if is_line(Kind(row.get(1)?), read_ordered(row, 2)?, cut_ms) {
            let arrival = read_plain(row, 0)?;
            span = Some((arrival, span.map_or(arrival, |(_, last)| last)));
            lines += 1;
        }
        bytes += read_plain(row, 3)?;
    }
    Ok(span)
}
