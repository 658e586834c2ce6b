//! A file that is sent. It is hashed while it is read, so that the digest is that of what was sent.

use std::{
    fs::{self, File, Metadata, OpenOptions},
    io,
    os::unix::fs::{FileExt as _, MetadataExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use blake3::Hasher;
use bytes::Bytes;
use nix::fcntl::OFlag;

use crate::{
    app::FileFault,
    wire::{ErrorCode, MAX_FILE_NAME_BYTES},
};

use super::{
    fault::{changed, fault, refused},
    names::beginning,
};

/// Bytes that are hashed at a time, and with each read of a transfer that goes on where it was.
pub(super) const HASH_BYTES: usize = 256 << 10;

/// Bytes of the longest part that is read.
pub(super) const MAX_READ_BYTES: usize = 1 << 20;

#[derive(Debug)]
pub(super) struct Source {
    file: File,
    path: PathBuf,
    /// As it was when it was opened.
    len: u64,
    changed_at: (i64, i64),
    modified_ms: u64,
    hasher: Hasher,
    /// Everything before this is hashed.
    hashed: u64,
}

impl Source {
    pub(super) fn open(path: &Path) -> Result<Self, FileFault> {
        let io = |error: io::Error| refused("open", path, &error);
        // Some devices do things when they are opened, and a pipe can be put there after a look.
        must_be_regular(path, &fs::metadata(path).map_err(io)?)?;
        let flags = (OFlag::O_NONBLOCK | OFlag::O_NOCTTY).bits();
        let file = OpenOptions::new().read(true).custom_flags(flags).open(path).map_err(io)?;
        let metadata = file.metadata().map_err(io)?;
        must_be_regular(path, &metadata)?;
        let (len, changed_at) = (metadata.len(), changed_at(&metadata));
        let modified_ms = unix_ms_of(changed_at);
        let (path, hasher) = (path.to_owned(), Hasher::new());
        Ok(Self { file, path, len, changed_at, modified_ms, hasher, hashed: 0 })
    }

    /// The last part of its path.
    pub(super) fn name(&self) -> String {
        let name = self.path.file_name().unwrap_or_default().to_string_lossy();
        beginning(&name, MAX_FILE_NAME_BYTES).to_owned()
    }

    pub(super) const fn len(&self) -> u64 {
        self.len
    }

    pub(super) const fn modified_ms(&self) -> u64 {
        self.modified_ms
    }

    /// All of a part.
    pub(super) fn read(&mut self, offset: u64, len: usize) -> Result<Bytes, FileFault> {
        if len > MAX_READ_BYTES {
            return Err(fault(ErrorCode::FileFailed, format!("{len} bytes are more than a part has")));
        }
        let part = self.part(offset, len)?;
        self.fold(offset, &part);
        Ok(part.into())
    }

    /// Hashes some of what was sent in an earlier run, before the digest is asked for; up to the end of the part
    /// read last, so that the next one is hashed as it is read.
    pub(super) fn catch_up(&mut self, upto: u64) -> Result<(), FileFault> {
        if self.hashed < upto { self.hash_upto(upto) } else { Ok(()) }
    }

    pub(super) fn digest(&mut self) -> Result<[u8; 32], FileFault> {
        self.must_be_as_it_was()?;
        while self.hashed < self.len {
            self.hash_upto(self.len)?;
        }
        self.must_be_as_it_was()?;
        Ok(self.hasher.finalize().into())
    }

    /// At most [`HASH_BYTES`] of it.
    fn hash_upto(&mut self, upto: u64) -> Result<(), FileFault> {
        let left = usize::try_from(upto.saturating_sub(self.hashed)).unwrap_or(usize::MAX);
        let part = self.part(self.hashed, left.min(HASH_BYTES))?;
        self.fold(self.hashed, &part);
        Ok(())
    }

    fn part(&self, offset: u64, len: usize) -> Result<Vec<u8>, FileFault> {
        let mut part = vec![0; len];
        match self.file.read_exact_at(&mut part, offset) {
            Ok(()) => Ok(part),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Err(changed(&self.path)),
            Err(error) => Err(refused("read", &self.path, &error)),
        }
    }

    /// Hashes what of a part comes next.
    fn fold(&mut self, offset: u64, part: &[u8]) {
        let known = self.hashed.checked_sub(offset).and_then(|known| usize::try_from(known).ok());
        if let Some(new) = known.and_then(|known| part.get(known..)) {
            self.hasher.update(new);
            self.hashed += new.len() as u64;
        }
    }

    fn must_be_as_it_was(&self) -> Result<(), FileFault> {
        let metadata = self.file.metadata().map_err(|error| refused("look at", &self.path, &error))?;
        let is_as_it_was = (metadata.len(), changed_at(&metadata)) == (self.len, self.changed_at);
        if is_as_it_was { Ok(()) } else { Err(changed(&self.path)) }
    }
}

fn must_be_regular(path: &Path, metadata: &Metadata) -> Result<(), FileFault> {
    let what = if metadata.is_dir() { "a directory" } else { "no regular file" };
    let refused = || fault(ErrorCode::FileFailed, format!("{} is {what}", path.display()));
    if metadata.is_file() { Ok(()) } else { Err(refused()) }
}

fn changed_at(metadata: &Metadata) -> (i64, i64) {
    (metadata.mtime(), metadata.mtime_nsec())
}

fn unix_ms_of((seconds, nanos): (i64, i64)) -> u64 {
    let ms = seconds.saturating_mul(1_000).saturating_add(nanos / 1_000_000);
    u64::try_from(ms).unwrap_or(0)
}

#[cfg(test)]
mod tests;
