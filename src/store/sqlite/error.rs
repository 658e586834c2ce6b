//! What SQLite reports, in the words of the store.

use std::{io, path::Path};

use rusqlite::{ErrorCode, ffi};

use crate::store::StoreError;

/// What went wrong, before it is said with which file.
#[derive(Debug)]
pub(super) enum Trouble {
    /// SQLite said so.
    Sql(rusqlite::Error),
    /// What was read is not what was written.
    Damaged(String),
}

pub(super) type Outcome<T> = Result<T, Trouble>;

impl From<rusqlite::Error> for Trouble {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sql(error)
    }
}

/// Shorthand for what a check found.
pub(super) fn damaged<T>(what: impl Into<String>) -> Outcome<T> {
    Err(Trouble::Damaged(what.into()))
}

impl Trouble {
    pub(super) fn at(self, path: &Path) -> StoreError {
        let path = path.to_owned();
        match self {
            Self::Damaged(what) => StoreError::Damaged { path, what },
            Self::Sql(error) => match class(&error) {
                Class::Full => StoreError::Full(path),
                Class::Busy => StoreError::InUse(path),
                Class::Damaged => StoreError::Damaged { path, what: error.to_string() },
                Class::Failed => StoreError::Failed { path, what: error.to_string() },
            },
        }
    }
}

/// The file system said no.
pub(super) fn failed(path: &Path, error: &io::Error) -> StoreError {
    match error.kind() {
        io::ErrorKind::StorageFull => StoreError::Full(path.to_owned()),
        _ => StoreError::Failed { path: path.to_owned(), what: error.to_string() },
    }
}

enum Class {
    Full,
    Busy,
    Damaged,
    Failed,
}

fn class(error: &rusqlite::Error) -> Class {
    let Some(sqlite) = error.sqlite_error() else {
        // Everything that has no code of SQLite is a value of another type or length than was written.
        return Class::Damaged;
    };
    match sqlite.code {
        ErrorCode::DiskFull => Class::Full,
        // The index of the write-ahead log could not grow.
        ErrorCode::SystemIoFailure if sqlite.extended_code == ffi::SQLITE_IOERR_SHMSIZE => Class::Full,
        ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase | ErrorCode::ConstraintViolation => {
            Class::Damaged
        }
        ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => Class::Busy,
        _ => Class::Failed,
    }
}
