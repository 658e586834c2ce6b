//! The same records in the same tables of an empty file, inserted as they are.

use std::{fs, path::Path};

use rusqlite::{Connection, OpenFlags, Row, params_from_iter, types::Value};
use tokio::time::Instant;

/// Pages of the write-ahead log after which it is copied into the file, as the server's.
const WAL_PAGES: i64 = 1_024;

/// Inserts the records of a history, so many in a transaction; how many a second.
pub(crate) fn insert(history: &Path, path: &Path, batch: usize) -> f64 {
    let conn = Connection::open_with_flags(history, OpenFlags::SQLITE_OPEN_READ_ONLY).expect("a history");
    let tables: Vec<String> =
        read(&conn, "SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY rowid", |row| row.get(0));
    let values = |row: &Row<'_>| (0..12).map(|column| row.get(column)).collect();
    let records: Vec<Vec<Value>> =
        read(&conn, "SELECT * FROM record ORDER BY arrived_ms, room, arrival", values);
    let mut conn = begin(path, &tables);
    let start = Instant::now();
    for some in records.chunks(batch.max(1)) {
        let tx = conn.transaction().expect("nobody else has it");
        let mut insert = tx
            .prepare_cached("INSERT INTO record VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)")
            .expect("the tables are there");
        for record in some {
            insert.execute(params_from_iter(record)).expect("a row like those before");
        }
        drop(insert);
        tx.commit().expect("space on the disk");
    }
    records.len() as f64 / start.elapsed().as_secs_f64()
}

fn read<T>(conn: &Connection, sql: &str, row: impl FnMut(&Row<'_>) -> rusqlite::Result<T>) -> Vec<T> {
    let mut statement = conn.prepare(sql).expect("the tables are there");
    let rows = statement.query_map([], row).expect("a query");
    rows.collect::<Result<_, _>>().expect("rows")
}

fn begin(path: &Path, tables: &[String]) -> Connection {
    for suffix in ["", "-wal", "-shm"] {
        let _ = fs::remove_file(format!("{}{suffix}", path.display()));
    }
    let conn = Connection::open(path).expect("space on the disk");
    let mode: String =
        conn.pragma_update_and_check(None, "journal_mode", "wal", |row| row.get(0)).expect("a journal");
    assert_eq!(mode, "wal", "the journal of the server");
    conn.pragma_update(None, "synchronous", "full").expect("a setting");
    conn.pragma_update(None, "wal_autocheckpoint", WAL_PAGES).expect("a setting");
    for table in tables {
        conn.execute(table, []).expect("a table");
    }
    conn
}
