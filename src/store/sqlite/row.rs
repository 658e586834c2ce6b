//! The rows of `record`: written and read along the chain of their room.

use std::ops::ControlFlow;

use rusqlite::{Connection, OptionalExtension as _, Row, params};

use crate::{
    store::{Arrival, Stored},
    wire::{Epoch, Kind, NodeId, Record, RoomId, Seq},
};

use super::{
    chain::{Seal, Sum},
    column::{self, ordered, plain, read_blob, read_ordered, read_plain},
    error::{Outcome, damaged},
    table::RoomRow,
};

/// Puts a record behind the last of its room and returns the new head of the chain.
pub(super) fn insert(
    conn: &Connection,
    seal: &Seal,
    room: &RoomRow,
    author: i64,
    stored: &Stored,
) -> Outcome<Sum> {
    let record = &stored.record;
    let chain = seal.link(&room.head, stored);
    let mut statement =
        conn.prepare_cached("INSERT INTO record VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)")?;
    statement.execute(params![
        room.id,
        plain(stored.arrival.0),
        author,
        plain(record.epoch.0),
        ordered(record.seq.0),
        plain(record.lamport),
        plain(record.sent_at_ms),
        ordered(stored.arrived_ms),
        record.kind.0,
        chain,
        record.signature.as_ref().map(column::signature),
        &record.body[..],
    ])?;
    Ok(chain)
}

/// Shows `visit` the records of a room after `after` and up to `upto`, in the order of arrival, until it
/// breaks. Each is one behind the other on the chain, or it is damage.
pub(super) fn scan(
    conn: &Connection,
    seal: &Seal,
    room: &RoomRow,
    (after, upto): (u64, u64),
    mut visit: impl FnMut(Stored) -> ControlFlow<()>,
) -> Outcome<ControlFlow<()>> {
    let mut prev = chain_at(conn, room, after)?;
    let mut statement = conn.prepare_cached(
        "SELECT r.arrival, r.arrived_ms, a.node, r.epoch, r.seq, r.lamport, r.sent_at_ms, r.kind, r.signature,
             r.body, r.chain
         FROM record r CROSS JOIN author a ON a.id = r.author
         WHERE r.room = ?1 AND r.arrival > ?2 AND r.arrival <= ?3 ORDER BY r.arrival",
    )?;
    let mut rows = statement.query(params![room.id, plain(after), plain(upto)])?;
    for arrival in after..upto {
        let arrival = Arrival(arrival + 1);
        let Some(row) = rows.next()? else { return missing(room, arrival) };
        let stored = read(row, &room.name)?;
        if stored.arrival != arrival {
            return missing(room, arrival);
        }
        let chain: Sum = row.get(10)?;
        let is_last = arrival.0 == room.arrivals;
        if seal.link(&prev, &stored) != chain || (is_last && chain != room.head) {
            return damaged(format!("record {} of room {} is not as it was written", arrival.0, room.id));
        }
        prev = chain;
        if visit(stored).is_break() {
            return Ok(ControlFlow::Break(()));
        }
    }
    Ok(ControlFlow::Continue(()))
}

fn missing<T>(room: &RoomRow, arrival: Arrival) -> Outcome<T> {
    damaged(format!("record {} of room {} is missing", arrival.0, room.id))
}

/// The value of the chain at an arrival that is kept or is the last that is not.
pub(super) fn chain_at(conn: &Connection, room: &RoomRow, arrival: u64) -> Outcome<Sum> {
    if arrival == room.floor {
        return Ok(room.anchor);
    }
    let mut statement = conn.prepare_cached("SELECT chain FROM record WHERE room = ?1 AND arrival = ?2")?;
    let chain = statement.query_row(params![room.id, plain(arrival)], |row| row.get(0)).optional()?;
    chain.map_or_else(|| missing(room, Arrival(arrival)), Ok)
}

fn read(row: &Row<'_>, room: &RoomId) -> Outcome<Stored> {
    let signature: Option<&[u8]> = row.get_ref(8)?.as_blob_or_null().map_err(rusqlite::Error::from)?;
    let record = Record {
        room: room.clone(),
        author: NodeId(row.get(2)?),
        epoch: Epoch(read_plain(row, 3)?),
        seq: Seq(read_ordered(row, 4)?),
        lamport: read_plain(row, 5)?,
        sent_at_ms: read_plain(row, 6)?,
        kind: Kind(row.get(7)?),
        body: read_blob(row, 9)?.to_vec().into(),
        signature: signature.map(column::read_signature).transpose()?,
    };
    Ok(Stored { arrival: Arrival(read_plain(row, 0)?), arrived_ms: read_ordered(row, 1)?, record })
}
