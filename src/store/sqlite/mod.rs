//! A history on disk: one SQLite file with a write-ahead log, `<path>-wal`, and a lock beside it,
//! `<path>.lock`. One connection writes, others read; a call that returns `Ok` is on the disk.
//!
//! SQLite keeps the file whole through a crash. That the disk gives back what was written is not taken on
//! trust: every row is under a sum, and the records of each room are a chain that readers follow.

mod batch;
mod chain;
mod check;
mod column;
mod compact;
mod error;
mod export;
mod file;
mod ledger;
mod read;
mod retain;
mod row;
mod schema;
mod table;
mod verify;
mod write;

use std::path::{Path, PathBuf};

use super::{Reader, StoreError, Writer};
use chain::Seal;
use read::SqliteReader;
use write::SqliteWriter;

pub use compact::{Compacted, compact};
pub use export::{ExportError, export};
pub use verify::{Verified, VerifiedRoom, verify};

/// How to open a history.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// The number that a history is given when it is made, different for each: a random one. One that exists
    /// keeps its own.
    pub instance: u64,
    /// Does not wait for the disk: what was appended last may be gone after a loss of power, though not
    /// after a crash of the process.
    pub relaxed: bool,
}

/// An open history. The writer holds the lock.
#[derive(Debug)]
pub struct Opened {
    // Dropped before the writer: the last connection that closes takes the write-ahead log in.
    /// A half that reads.
    pub reader: Box<dyn Reader>,
    /// The half that writes.
    pub writer: Box<dyn Writer>,
    path: PathBuf,
    seal: Seal,
}

impl Opened {
    /// One more half that reads, for another thread. Costs a connection: two files and some 100 KiB.
    ///
    /// # Errors
    /// [`StoreError::Failed`].
    pub fn another_reader(&self) -> Result<Box<dyn Reader>, StoreError> {
        reader(&self.path, &self.seal)
    }
}

/// Opens the history at `path`, or makes an empty one (mode 0600) where there is no file; its directory has
/// to be there. Looks at all of a file up to 32 MiB, and at the ends of the rooms of a longer one.
///
/// # Errors
/// Each [`StoreError`]. A file that is empty, cut off or not ours is never written to.
pub fn open(path: &Path, options: Options) -> Result<Opened, StoreError> {
    let path = file::resolve(path);
    let writer = open_writer(&path, options)?;
    let seal = writer.seal.clone();
    let reader = reader(&path, &seal)?;
    Ok(Opened { writer: Box::new(writer), reader, path, seal })
}

fn reader(path: &Path, seal: &Seal) -> Result<Box<dyn Reader>, StoreError> {
    let conn = schema::connect_reader(path)?;
    Ok(Box::new(SqliteReader::new(path.to_owned(), conn, seal.clone())))
}

fn open_writer(path: &Path, options: Options) -> Result<SqliteWriter, StoreError> {
    let lock = file::lock(path)?;
    if !file::exists(path)? {
        file::create(path, options.instance)?;
    }
    file::check(path)?;
    let conn = schema::connect_writer(path, options.relaxed)?;
    let (seal, ledger) = check::open(&conn, path)?;
    file::sync_directory(path)?;
    // What is wrong was left as it is up to here.
    schema::set_checkpoint_on_close(&conn, true).map_err(|trouble| trouble.at(path))?;
    Ok(SqliteWriter {
        path: path.to_owned(),
        conn,
        seal,
        ledger: Some(ledger),
        failure: None,
        // After a crash the write-ahead log may hold something.
        unsettled: true,
        _lock: lock,
    })
}
