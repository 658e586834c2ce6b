//! Whether every record is still what was kept.

use std::{collections::BTreeMap, ops::ControlFlow, path::Path};

use rusqlite::Connection;

use crate::{
    store::{StoreError, Stored},
    wire::{Epoch, NodeId, RecordHash, RoomId, Seq},
};

use super::{
    chain::Seal,
    check::{check_ends, check_format, check_structure, load},
    error::{Outcome, Trouble, damaged, failed},
    file,
    ledger::{Ledger, Room},
    row,
    schema::connect_reader,
    table::LogRow,
};

/// A history of which everything was looked at and found as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// The number it was given when it was made.
    pub instance: u64,
    /// Of whom there may be records.
    pub authors: u64,
    /// By name.
    pub rooms: Vec<VerifiedRoom>,
}

/// A room of such a history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedRoom {
    /// Which.
    pub id: RoomId,
    /// Logs, also those of which no record is kept any more.
    pub logs: u64,
    /// Records that ever arrived.
    pub arrivals: u64,
    /// Records that are kept.
    pub records: u64,
    /// Bytes of their bodies.
    pub bytes: u64,
}

/// Looks at everything in the history at `path`, also while a node writes into it. Takes as long as reading
/// it, some seconds for a GiB, and as much memory as its logs need.
///
/// # Errors
/// [`StoreError::Damaged`] says what was found first; the others as [`super::open`].
pub fn verify(path: &Path) -> Result<Verified, StoreError> {
    read_only(path, |conn, seal, ledger| {
        check_structure(conn, "")?;
        let rooms =
            ledger.rooms.values().map(|room| verify_room(conn, seal, room)).collect::<Outcome<Vec<_>>>()?;
        let kept: u64 = rooms.iter().map(|room| room.records).sum();
        let records: i64 = conn.query_row("SELECT count(*) FROM record", [], |row| row.get(0))?;
        if records.cast_unsigned() != kept {
            return damaged("there are records of no room");
        }
        Ok(Verified { instance: ledger.instance, authors: ledger.authors.len() as u64, rooms })
    })
}

/// Shows `look` one snapshot of a history that may be in use.
pub(super) fn read_only<T>(
    path: &Path,
    look: impl FnOnce(&Connection, &Seal, &Ledger) -> Outcome<T>,
) -> Result<T, StoreError> {
    let path = &file::resolve(path);
    if let Err(error) = path.metadata() {
        return Err(failed(path, &error));
    }
    file::check(path)?;
    let mut conn = connect_reader(path)?;
    let tx = conn.transaction().map_err(|error| Trouble::from(error).at(path))?;
    check_format(&tx, path)?;
    let looked = load(&tx).and_then(|(seal, ledger)| look(&tx, &seal, &ledger));
    looked.map_err(|trouble| trouble.at(path))
}

/// What the records say of a log.
struct Seen {
    first: (Seq, u64),
    last: (Seq, u64),
    hash: RecordHash,
}

fn verify_room(conn: &Connection, seal: &Seal, room: &Room) -> Outcome<VerifiedRoom> {
    check_ends(conn, seal, &room.row)?;
    let mut seen: BTreeMap<(NodeId, Epoch), Seen> = BTreeMap::new();
    let (mut bytes, mut lamport, mut in_order) = (0, 0, true);
    let _ = row::scan(conn, seal, &room.row, (room.row.floor, room.row.arrivals), |stored| {
        bytes += stored.record.body.len() as u64;
        lamport = stored.record.lamport.max(lamport);
        in_order &= see(&mut seen, &stored);
        ControlFlow::Continue(())
    })?;
    let as_seen = room.logs.iter().all(|(key, log)| is_as_seen(log, seen.remove(key).as_ref()));
    if !in_order || !as_seen || !seen.is_empty() {
        return damaged(format!("a log of room {} is not what its records are", room.row.id));
    }
    if bytes != room.row.bytes || lamport > room.row.lamport {
        return damaged(format!("room {} is not what its records are", room.row.id));
    }
    Ok(VerifiedRoom {
        id: room.row.name.clone(),
        logs: room.row.logs,
        arrivals: room.row.arrivals,
        records: room.row.arrivals - room.row.floor,
        bytes,
    })
}

/// Takes a record in; false when it should have come before another of its log.
fn see(seen: &mut BTreeMap<(NodeId, Epoch), Seen>, stored: &Stored) -> bool {
    let (record, place) = (&stored.record, (stored.record.seq, stored.arrived_ms));
    let new = Seen { first: place, last: place, hash: record.hash() };
    match seen.get_mut(&(record.author, record.epoch)) {
        None => {
            seen.insert((record.author, record.epoch), new);
            true
        }
        Some(log) => {
            let follows = log.last.0 < record.seq;
            (log.last, log.hash) = (new.last, new.hash);
            follows
        }
    }
}

fn is_as_seen(log: &LogRow, seen: Option<&Seen>) -> bool {
    match seen {
        None => log.first == log.last.next() && log.first_ms == log.last_ms,
        Some(seen) => {
            seen.first == (log.first, log.first_ms)
                && seen.last == (log.last, log.last_ms)
                && seen.hash == log.last_hash
        }
    }
}
