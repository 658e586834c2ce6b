//! What is looked at when a history is opened: bounded, whatever its length.

use std::{cmp::Reverse, ops::ControlFlow, path::Path};

use rusqlite::{Connection, params};

use crate::store::StoreError;

use super::{
    chain::Seal,
    error::{Outcome, Trouble, damaged},
    file,
    ledger::{Ledger, Room},
    row,
    schema::check_tables,
    table::{HistoryRow, RoomRow},
};

/// Bytes of the longest file of which all is looked at.
const WHOLE_BYTES: u64 = 32 << 20;

/// Records of each room whose chain is followed in a longer one.
const TAIL_ROWS: u64 = 1_000;

/// And of all rooms, those first in which something arrived last: records, and bytes of bodies.
const TAILS_ROWS: u64 = 20_000;
const TAILS_BYTES: u64 = 64 << 20;

/// Checks a history that is about to be written to.
pub(super) fn open(conn: &Connection, path: &Path) -> Result<(Seal, Ledger), StoreError> {
    check_format(conn, path)?;
    let is_small = file::bytes(path)? <= WHOLE_BYTES;
    let check = || {
        if is_small {
            check_structure(conn, "")?;
        } else {
            // Those through whose indexes readers find the rest.
            check_structure(conn, "('room')")?;
            check_structure(conn, "('author')")?;
        }
        let (seal, ledger) = load(conn)?;
        ledger.rooms.values().try_for_each(|room| check_ends(conn, &seal, &room.row))?;
        check_tails(conn, &seal, &ledger)?;
        Ok((seal, ledger))
    };
    check().map_err(|trouble: Trouble| trouble.at(path))
}

/// Whether this program knows the format, now with the write-ahead log.
pub(super) fn check_format(conn: &Connection, path: &Path) -> Result<(), StoreError> {
    let version = conn.pragma_query_value(None, "user_version", |row| row.get(0));
    let version = version.map_err(|error| Trouble::from(error).at(path))?;
    file::check_version(path, version)?;
    check_tables(conn).map_err(|trouble| trouble.at(path))
}

/// The small tables, and what the sums are made with.
pub(super) fn load(conn: &Connection) -> Outcome<(Seal, Ledger)> {
    let seal = Seal::of(HistoryRow::read(conn)?.instance);
    let ledger = Ledger::load(conn, &seal)?;
    Ok((seal, ledger))
}

/// The pages of a table and its indexes against each other; of all with no `table`.
pub(super) fn check_structure(conn: &Connection, table: &str) -> Outcome<()> {
    let found: String = conn.query_row(&format!("PRAGMA integrity_check{table}"), [], |row| row.get(0))?;
    if found == "ok" { Ok(()) } else { damaged(found) }
}

/// Whether the records of a room begin and end where the room says.
pub(super) fn check_ends(conn: &Connection, seal: &Seal, room: &RoomRow) -> Outcome<()> {
    let mut statement = conn.prepare_cached(
        "SELECT (SELECT arrival FROM record WHERE room = ?1 ORDER BY arrival LIMIT 1),
             (SELECT arrival FROM record WHERE room = ?1 ORDER BY arrival DESC LIMIT 1)",
    )?;
    let ends: (Option<u64>, Option<u64>) = statement.query_row(params![room.id], |row| {
        let number = |column| row.get::<_, Option<i64>>(column);
        Ok((number(0)?.map(i64::cast_unsigned), number(1)?.map(i64::cast_unsigned)))
    })?;
    let expected = (room.floor < room.arrivals).then_some((room.floor + 1, room.arrivals));
    let starts = room.floor > 0 || room.anchor == seal.start(&room.name);
    if ends != expected.unzip() || !starts || row::chain_at(conn, room, room.arrivals)? != room.head {
        return damaged(format!("records of room {} are missing", room.id));
    }
    Ok(())
}

fn check_tails(conn: &Connection, seal: &Seal, ledger: &Ledger) -> Outcome<()> {
    let mut rooms: Vec<&Room> = ledger.rooms.values().collect();
    rooms.sort_by_cached_key(|room| Reverse(room.logs.values().map(|log| log.last_ms).max()));
    let (mut rows, mut bytes) = (TAILS_ROWS, TAILS_BYTES);
    for room in rooms {
        let room = &room.row;
        let after = room.floor.max(room.arrivals.saturating_sub(TAIL_ROWS.min(rows)));
        rows -= room.arrivals - after;
        let stopped = row::scan(conn, seal, room, (after, room.arrivals), |stored| {
            bytes = bytes.saturating_sub(stored.record.body.len() as u64);
            if bytes == 0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })?;
        if rows == 0 || stopped.is_break() {
            break;
        }
    }
    Ok(())
}
