//! The file before SQLite sees it: its lock, its making, its header.

use std::{
    ffi::OsString,
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Read as _},
    os::unix::{ffi::OsStrExt as _, fs::OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use rusqlite::{Connection, OpenFlags};

use crate::store::StoreError;

use super::{
    error::{Outcome, failed},
    schema::{APPLICATION_ID, SCHEMA_VERSION, TABLES, connect_reader},
    table::HistoryRow,
};

/// How every SQLite file begins.
const MAGIC: &[u8; 16] = b"SQLite format 3\0";

/// Bytes of the header of a SQLite file.
const HEADER_BYTES: usize = 100;

/// Where in the header the version of the schema and the application stand, big-endian.
const VERSION_AT: usize = 60;
const APPLICATION_AT: usize = 68;

/// What stands beside a file: the same name with something behind it.
pub(super) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    name.into()
}

/// Keeps other processes, and this one, from writing as well.
#[derive(Debug)]
pub(super) struct Lock(File);

/// Closing is not enough: a child of this process may hold a copy of the file until it runs its program.
impl Drop for Lock {
    fn drop(&mut self) {
        let _ = self.0.unlock();
    }
}

pub(super) fn lock(path: &Path) -> Result<Lock, StoreError> {
    let lock = beside(path, ".lock");
    let file = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(&lock);
    let file = file.map_err(|error| failed(&lock, &error))?;
    match file.try_lock() {
        Ok(()) => Ok(Lock(file)),
        Err(TryLockError::WouldBlock) => Err(StoreError::InUse(path.to_owned())),
        Err(TryLockError::Error(error)) => Err(failed(&lock, &error)),
    }
}

/// The file itself where `path` is a link: SQLite puts its own beside that, and so must we.
pub(super) fn resolve(path: &Path) -> PathBuf {
    if path.is_symlink() { fs::canonicalize(path).unwrap_or_else(|_| path.into()) } else { path.into() }
}

pub(super) fn exists(path: &Path) -> Result<bool, StoreError> {
    path.try_exists().map_err(|error| failed(path, &error))
}

/// Bytes of a file, 0 if there is none.
pub(super) fn bytes(path: &Path) -> Result<u64, StoreError> {
    match fs::metadata(path) {
        Ok(metadata) => Ok(metadata.len()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(0),
        Err(error) => Err(failed(path, &error)),
    }
}

/// Makes an empty history under another name first, so that a crash leaves no half of one.
pub(super) fn create(path: &Path, instance: u64) -> Result<(), StoreError> {
    if bytes(&beside(path, "-wal"))? > 0 {
        // It would be taken for the new file's own, and what it holds is the only rest of the old one.
        let what = "its write-ahead log is there, and it is not".into();
        return Err(StoreError::Damaged { path: path.to_owned(), what });
    }
    let new = beside(path, ".new");
    let filled = begin(&new).map_err(|error| failed(&new, &error));
    filled.and_then(|()| fill(&new, instance).map_err(|trouble| trouble.at(&new)))?;
    let in_place = || {
        File::open(&new)?.sync_all()?;
        fs::rename(&new, path)
    };
    in_place().map_err(|error| failed(path, &error))
}

/// Makes the names of the file and of what stands beside it last. SQLite does so for a write-ahead log that
/// it makes, but does not tell when that fails.
pub(super) fn sync_directory(path: &Path) -> Result<(), StoreError> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let synced = File::open(parent.unwrap_or_else(|| Path::new("."))).and_then(|parent| parent.sync_all());
    synced.map_err(|error| failed(path, &error))
}

/// An empty file that only its owner may read, in place of whatever an earlier attempt left.
fn begin(path: &Path) -> io::Result<()> {
    for suffix in ["", "-wal", "-shm", "-journal"] {
        match fs::remove_file(beside(path, suffix)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
    }
    OpenOptions::new().create_new(true).write(true).mode(0o600).open(path).map(drop)
}

fn fill(path: &Path, instance: u64) -> Outcome<()> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = Connection::open_with_flags(path, flags)?;
    // All of it is synced before it gets its name.
    conn.pragma_update(None, "synchronous", "off")?;
    conn.pragma_update(None, "application_id", APPLICATION_ID)?;
    conn.pragma_update(None, "user_version", SCHEMA_VERSION)?;
    for table in TABLES {
        conn.execute(table, [])?;
    }
    HistoryRow { instance, ..HistoryRow::default() }.write(&conn)?;
    conn.pragma_update_and_check(None, "journal_mode", "wal", |_| Ok(()))?;
    conn.close().map_err(|(_, error)| error)?;
    Ok(())
}

/// Whether the file can be a history of this program, and its write-ahead log its own.
pub(super) fn check(path: &Path) -> Result<(), StoreError> {
    let mut header = Vec::with_capacity(HEADER_BYTES);
    let read = File::open(path).and_then(|file| file.take(HEADER_BYTES as u64).read_to_end(&mut header));
    read.map_err(|error| failed(path, &error))?;
    let damaged = |what: &str| Err(StoreError::Damaged { path: path.to_owned(), what: what.into() });
    if header.is_empty() {
        return damaged("it is empty");
    }
    if !header.starts_with(MAGIC) {
        return Err(StoreError::Foreign(path.to_owned()));
    }
    let (Some(found), Some(application)) = (number(&header, VERSION_AT), number(&header, APPLICATION_AT))
    else {
        return damaged("it is cut off");
    };
    if application != APPLICATION_ID {
        return Err(StoreError::Foreign(path.to_owned()));
    }
    check_version(path, found)?;
    check_write_ahead_log(path)
}

/// Whether this program knows a format.
pub(super) fn check_version(path: &Path, found: u32) -> Result<(), StoreError> {
    let path = path.to_owned();
    match found {
        SCHEMA_VERSION => Ok(()),
        0 => Err(StoreError::Damaged { path, what: "it has no format".into() }),
        _ => Err(StoreError::Newer { path, found, known: SCHEMA_VERSION }),
    }
}

fn number(header: &[u8], at: usize) -> Option<u32> {
    header.get(at..).and_then(<[u8]>::first_chunk).map(|bytes| u32::from_be_bytes(*bytes))
}

/// A write-ahead log does not say whose it is, and SQLite would copy one of another history over this one.
/// The file without its log tells its instance; what cannot be read so, because a crash interrupted the
/// copying, is left to the checks that follow.
fn check_write_ahead_log(path: &Path) -> Result<(), StoreError> {
    if bytes(&beside(path, "-wal"))? == 0 {
        return Ok(());
    }
    let alone = || -> Outcome<u64> {
        let flags =
            OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_URI;
        let conn = Connection::open_with_flags(format!("{}?immutable=1", uri(path)), flags)?;
        Ok(HistoryRow::read(&conn)?.instance)
    };
    let with_log = connect_reader(path).map(|conn| HistoryRow::read(&conn).map(|row| row.instance))?;
    match (alone(), with_log) {
        (Ok(alone), Ok(with_log)) if alone != with_log => Err(StoreError::Damaged {
            path: path.to_owned(),
            what: "its write-ahead log is that of another history".into(),
        }),
        _ => Ok(()),
    }
}

fn uri(path: &Path) -> String {
    use std::fmt::Write as _;
    let mut uri = String::from("file:");
    for &byte in path.as_os_str().as_bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'-' | b'_' | b'.' => uri.push(char::from(byte)),
            _ => drop(write!(uri, "%{byte:02X}")),
        }
    }
    uri
}
