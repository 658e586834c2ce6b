//! Lets go of the oldest records of a room.

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension as _, Transaction, params};

use crate::{
    store::{
        Retention,
        selection::{RETAIN_ROWS, is_past},
    },
    wire::{Epoch, NodeId, Seq},
};

use super::{
    chain::Seal,
    column::{plain, read_ordered, read_plain},
    error::{Outcome, damaged},
    ledger::Room,
    row,
    table::RoomRow,
};

/// Whether the oldest record may stay, and so every other.
pub(super) fn is_done(conn: &Connection, room: &RoomRow, retention: Retention, now_ms: u64) -> Outcome<bool> {
    Ok(first_to_stay(conn, room, retention, now_ms, 1)? == room.floor + 1)
}

/// Deletes what is past retention, at most [`RETAIN_ROWS`] of it; whoever calls commits. Returns the logs
/// that became shorter and where they begin now.
pub(super) fn retain(
    tx: &Transaction<'_>,
    seal: &Seal,
    room: &mut Room,
    retention: Retention,
    now_ms: u64,
) -> Outcome<Vec<(NodeId, Epoch, Seq)>> {
    let floor = first_to_stay(tx, &room.row, retention, now_ms, RETAIN_ROWS)? - 1;
    let shorter = shortened(tx, &room.row, floor)?;
    let anchor = row::chain_at(tx, &room.row, floor)?;
    let mut delete = tx.prepare_cached("DELETE FROM record WHERE room = ?1 AND arrival <= ?2")?;
    let deleted = delete.execute(params![room.row.id, plain(floor)])?;
    let bytes = shorter.iter().map(|log| log.bytes).sum();
    let Some(left) = room.row.bytes.checked_sub(bytes).filter(|_| deleted as u64 == floor - room.row.floor)
    else {
        return damaged(format!("room {} is not as it was counted", room.row.id));
    };
    (room.row.floor, room.row.anchor, room.row.bytes) = (floor, anchor, left);
    let by_author: BTreeMap<(i64, Epoch), NodeId> =
        room.logs.iter().map(|(&(node, epoch), log)| ((log.author, epoch), node)).collect();
    let mut begin = Vec::with_capacity(shorter.len());
    for log in shorter {
        let Some(&node) = by_author.get(&(log.author, log.epoch)) else {
            return damaged(format!("a log of room {} is missing", room.row.id));
        };
        begin.push((node, log.epoch, shorten(tx, seal, room, (node, log.epoch))?));
    }
    room.row.write(tx, seal)?;
    begin.sort_unstable();
    Ok(begin)
}

/// Looks at no more than `limit` rows.
fn first_to_stay(
    conn: &Connection,
    room: &RoomRow,
    retention: Retention,
    now_ms: u64,
    limit: u64,
) -> Outcome<u64> {
    let mut statement = conn.prepare_cached(
        "SELECT arrived_ms, length(body) FROM record WHERE room = ?1 AND arrival > ?2
         ORDER BY arrival LIMIT ?3",
    )?;
    let mut rows = statement.query(params![room.id, plain(room.floor), plain(limit)])?;
    let (mut first, mut bytes) = (room.floor + 1, room.bytes);
    while let Some(row) = rows.next()? {
        let records = (room.arrivals + 1).saturating_sub(first);
        if !is_past(retention, records, bytes, read_ordered(row, 0)?, now_ms) {
            break;
        }
        bytes = bytes.saturating_sub(read_plain(row, 1)?);
        first += 1;
    }
    Ok(first)
}

/// What a log loses.
struct Loss {
    author: i64,
    epoch: Epoch,
    bytes: u64,
}

fn shortened(conn: &Connection, room: &RoomRow, floor: u64) -> Outcome<Vec<Loss>> {
    let mut statement = conn.prepare_cached(
        "SELECT author, epoch, sum(length(body)) FROM record WHERE room = ?1 AND arrival <= ?2
         GROUP BY author, epoch",
    )?;
    let mut rows = statement.query(params![room.id, plain(floor)])?;
    let mut losses = Vec::new();
    while let Some(row) = rows.next()? {
        let epoch = Epoch(read_plain(row, 1)?);
        losses.push(Loss { author: row.get(0)?, epoch, bytes: read_plain(row, 2)? });
    }
    Ok(losses)
}

/// Notes where a log begins now: a log keeps its order in the room, so that is its smallest seq.
fn shorten(tx: &Transaction<'_>, seal: &Seal, room: &mut Room, key: (NodeId, Epoch)) -> Outcome<Seq> {
    let Some(log) = room.logs.get_mut(&key) else {
        return damaged(format!("a log of room {} is missing", room.row.id));
    };
    let mut statement = tx.prepare_cached(
        "SELECT seq, arrived_ms FROM record INDEXED BY once
         WHERE room = ?1 AND author = ?2 AND epoch = ?3 ORDER BY seq LIMIT 1",
    )?;
    let found = statement.query_row(params![room.row.id, log.author, plain(key.1.0)], |row| {
        Ok((read_ordered(row, 0), read_ordered(row, 1)))
    });
    let (first, first_ms) = match found.optional()? {
        Some((seq, ms)) => (Seq(seq?), ms?),
        None => (log.last.next(), log.last_ms),
    };
    (log.first, log.first_ms) = (first, first_ms);
    log.write(tx, seal, room.row.id, key.1)?;
    Ok(first)
}
