//! The same records in the same tables of an empty file, inserted as they are.

use std::{fs, path::Path};

use rusqlite::{Connection, OpenFlags, Row, params_from_iter, types::Value};
use tokio::time::Instant;

/// Pages of the write-ahead log after which it is copied into the file, as the server's.
const WAL_PAGES: i64 = 1_024;

/// Inserts the records of a history, so many in a transaction; how many a second.
pub(crate) fn insert(history: &Path, path: &Path, batch: usize) -> f64 {
    let from = Connection::open_with_flags(history, OpenFlags::SQLITE_OPEN_READ_ONLY).expect("a history");
    let mut into = begin(path, &from);
    let records = rows(&from, "SELECT * FROM record ORDER BY arrived_ms, room, arrival");
    let start = Instant::now();
    for some in records.chunks(batch.max(1)) {
        let tx = into.transaction().expect("nobody else has it");
        some.iter().for_each(|record| put(&tx, "record", record));
        tx.commit().expect("space on the disk");
    }
    records.len() as f64 / start.elapsed().as_secs_f64()
}

/// An empty file but for who the records are of and where they were said.
fn begin(path: &Path, from: &Connection) -> Connection {
    for suffix in ["", "-wal", "-shm"] {
        let _ = fs::remove_file(format!("{}{suffix}", path.display()));
    }
    let into = Connection::open(path).expect("space on the disk");
    let mode: String =
        into.pragma_update_and_check(None, "journal_mode", "wal", |row| row.get(0)).expect("a journal");
    assert_eq!(mode, "wal", "the journal of the server");
    into.pragma_update(None, "synchronous", "full").expect("a setting");
    into.pragma_update(None, "wal_autocheckpoint", WAL_PAGES).expect("a setting");
    for table in rows(from, "SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY rowid") {
        let Some(Value::Text(table)) = table.first() else { continue };
        into.execute(table, []).expect("a table");
    }
    for table in ["room", "author"] {
        rows(from, &format!("SELECT * FROM {table}")).iter().for_each(|row| put(&into, table, row));
    }
    into
}

fn rows(conn: &Connection, sql: &str) -> Vec<Vec<Value>> {
    let mut statement = conn.prepare(sql).expect("the tables are there");
    let columns = statement.column_count();
    let values = |row: &Row<'_>| (0..columns).map(|column| row.get(column)).collect();
    let rows = statement.query_map([], values).expect("a query");
    rows.collect::<Result<_, _>>().expect("rows")
}

fn put(conn: &Connection, table: &str, row: &[Value]) {
    let places = vec!["?"; row.len()].join(", ");
    let sql = format!("INSERT INTO {table} VALUES ({places})");
    conn.prepare_cached(&sql).and_then(|mut put| put.execute(params_from_iter(row))).expect("a row");
}
