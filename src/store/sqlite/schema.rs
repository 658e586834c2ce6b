//! The tables, and how a connection is set up.

use std::{path::Path, time::Duration};

use rusqlite::{Connection, OpenFlags, config::DbConfig};

use crate::store::StoreError;

use super::error::{Outcome, Trouble, damaged};

/// Says in the header whose file it is: "SyAg".
pub(super) const APPLICATION_ID: u32 = 0x5379_4167;

/// Of the tables below.
pub(super) const SCHEMA_VERSION: u32 = 1;

/// How long a connection waits for another one that is about to finish.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// Statements that a connection keeps prepared: more than there are.
const STATEMENTS: usize = 48;

/// In the order in which they are made. Whatever sorts in SQL is stored by `column::ordered`, other numbers
/// by `column::plain`.
pub(super) const TABLES: [&str; 7] = [
    "CREATE TABLE history(
        one INTEGER PRIMARY KEY CHECK (one = 1),
        instance INTEGER NOT NULL,
        rooms INTEGER NOT NULL,
        authors INTEGER NOT NULL,
        sum BLOB NOT NULL
    ) STRICT",
    "CREATE TABLE room(
        id INTEGER PRIMARY KEY,
        name BLOB NOT NULL UNIQUE,
        arrivals INTEGER NOT NULL,
        floor INTEGER NOT NULL,
        bytes INTEGER NOT NULL,
        lamport INTEGER NOT NULL,
        logs INTEGER NOT NULL,
        anchor BLOB NOT NULL,
        head BLOB NOT NULL,
        topic BLOB,
        since INTEGER,
        sum BLOB NOT NULL
    ) STRICT",
    "CREATE TABLE topic(
        room INTEGER PRIMARY KEY REFERENCES room(id),
        record BLOB NOT NULL
    ) STRICT",
    "CREATE TABLE author(
        id INTEGER PRIMARY KEY,
        node BLOB NOT NULL UNIQUE,
        nick TEXT,
        key BLOB,
        sum BLOB NOT NULL
    ) STRICT",
    "CREATE TABLE log(
        room INTEGER NOT NULL REFERENCES room(id),
        author INTEGER NOT NULL REFERENCES author(id),
        epoch INTEGER NOT NULL,
        first INTEGER NOT NULL,
        last INTEGER NOT NULL,
        last_hash BLOB NOT NULL,
        first_ms INTEGER NOT NULL,
        last_ms INTEGER NOT NULL,
        sum BLOB NOT NULL,
        PRIMARY KEY (room, author, epoch)
    ) STRICT, WITHOUT ROWID",
    "CREATE TABLE record(
        room INTEGER NOT NULL REFERENCES room(id),
        arrival INTEGER NOT NULL,
        author INTEGER NOT NULL REFERENCES author(id),
        epoch INTEGER NOT NULL,
        seq INTEGER NOT NULL,
        lamport INTEGER NOT NULL,
        sent_at_ms INTEGER NOT NULL,
        arrived_ms INTEGER NOT NULL,
        kind INTEGER NOT NULL,
        chain BLOB NOT NULL,
        signature BLOB,
        body BLOB NOT NULL,
        PRIMARY KEY (room, arrival)
    ) STRICT, WITHOUT ROWID",
    "CREATE UNIQUE INDEX once ON record(room, author, epoch, seq)",
];

/// A connection that writes into a file that exists.
pub(super) fn connect_writer(path: &Path, relaxed: bool) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connect = || {
        let conn = Connection::open_with_flags(path, flags)?;
        harden(&conn)?;
        set_checkpoint_on_close(&conn, false)?;
        let mode: String = conn.pragma_update_and_check(None, "journal_mode", "wal", |row| row.get(0))?;
        if mode != "wal" {
            return damaged(format!("its journal is {mode}"));
        }
        conn.pragma_update(None, "synchronous", if relaxed { "normal" } else { "full" })?;
        conn.pragma_update(None, "wal_autocheckpoint", 0)?;
        conn.pragma_update(None, "foreign_keys", true)?;
        Ok(conn)
    };
    connect().map_err(|trouble| trouble.at(path))
}

/// A connection that changes nothing. Leaves it to the writer to tidy the write-ahead log.
pub(super) fn connect_reader(path: &Path) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connect = || {
        let conn = Connection::open_with_flags(path, flags)?;
        harden(&conn)?;
        set_checkpoint_on_close(&conn, false)?;
        Ok(conn)
    };
    connect().map_err(|trouble: Trouble| trouble.at(path))
}

/// Whether what stands in the write-ahead log alone is copied into the file when the connection closes: not
/// until it was checked, not by a reader, and not after a failure.
pub(super) fn set_checkpoint_on_close(conn: &Connection, on: bool) -> Outcome<()> {
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, !on)?;
    Ok(())
}

/// What is in the file is data and never code, and a page that does not add up is an error.
fn harden(conn: &Connection) -> Outcome<()> {
    conn.busy_timeout(BUSY_TIMEOUT)?;
    conn.set_prepared_statement_cache_capacity(STATEMENTS);
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    conn.pragma_update(None, "trusted_schema", false)?;
    conn.pragma_update(None, "cell_size_check", true)?;
    // A mapped page that cannot be read kills the process instead of failing a call.
    conn.pragma_update_and_check(None, "mmap_size", 0, |_| Ok(()))?;
    Ok(())
}

/// Whether the file has these tables and no others.
pub(super) fn check_tables(conn: &Connection) -> Outcome<()> {
    let mut statement = conn.prepare("SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY rowid")?;
    let mut rows = statement.query([])?;
    for table in TABLES {
        let found: Option<String> = rows.next()?.map(|row| row.get(0)).transpose()?;
        if found.as_deref() != Some(table) {
            return damaged("its tables are not those that were made");
        }
    }
    if rows.next()?.is_some() { damaged("it has a table too many") } else { Ok(()) }
}
