//! Gives back the space of what retention let go of.

use std::path::Path;

use crate::store::StoreError;

use super::{
    Options,
    error::{Trouble, failed},
    file, open_writer,
};

/// What compacting changed, in bytes of the file and its write-ahead log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Compacted {
    /// Before.
    pub before: u64,
    /// After.
    pub after: u64,
}

/// Writes the history at `path` anew without gaps. Needs twice its size in free space while it runs, and
/// that nobody else uses it.
///
/// # Errors
/// [`StoreError::InUse`]; [`StoreError::Full`] leaves it as it was; others as [`super::open`].
pub fn compact(path: &Path) -> Result<Compacted, StoreError> {
    let path = &file::resolve(path);
    if let Err(error) = path.metadata() {
        return Err(failed(path, &error));
    }
    let size = || Ok(file::bytes(path)? + file::bytes(&file::beside(path, "-wal"))?);
    let before = size()?;
    let writer = open_writer(path, Options::default())?;
    let rewrite = || -> rusqlite::Result<bool> {
        writer.conn.execute("VACUUM", [])?;
        writer.conn.query_row("PRAGMA wal_checkpoint(truncate)", [], |row| row.get(0))
    };
    if rewrite().map_err(|error| Trouble::from(error).at(path))? {
        return Err(StoreError::InUse(path.to_owned()));
    }
    Ok(Compacted { before, after: size()? })
}
