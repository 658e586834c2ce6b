//! A file that is received: a part with the name of its transfer, until it is whole and verified.

use std::{
    fs::{self, File, Metadata, OpenOptions},
    io,
    os::unix::fs::{FileExt as _, MetadataExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use blake3::{Hash, Hasher};
use nix::fcntl::OFlag;

use crate::{
    app::FileFault,
    wire::{ErrorCode, TransferId},
};

use super::{
    Place,
    fault::{fault, refused},
    publish::publish,
    source::HASH_BYTES,
    space::must_fit,
};

#[derive(Debug)]
pub(super) struct Sink {
    file: File,
    part: PathBuf,
    /// How long it will be.
    len: u64,
    hasher: Hasher,
    /// Everything before this is written, and hashed.
    held: u64,
}

/// How the names of parts end.
pub(super) const PART_ENDING: &str = ".part";

/// What the part of a transfer is called.
pub(super) fn part_name(transfer: TransferId) -> String {
    format!("{transfer}{PART_ENDING}")
}

/// Where it is.
pub(super) fn part_path(place: &Place, transfer: TransferId) -> PathBuf {
    place.parts.join(part_name(transfer))
}

/// Throws away what has arrived.
pub(super) fn discard(place: &Place, transfer: TransferId) -> Result<(), FileFault> {
    remove(&part_path(place, transfer))
}

impl Sink {
    /// Makes room for a file, or finds what is there of it.
    pub(super) fn create(place: &Place, transfer: TransferId, len: u64) -> Result<Self, FileFault> {
        let part = part_path(place, transfer);
        let before = fs::symlink_metadata(&part).ok().filter(Metadata::is_file);
        if before.as_ref().is_some_and(|before| before.nlink() > 1 && before.len() != len) {
            // It has its name in the downloads already: what is done to it would be done there.
            remove(&part)?;
        }
        let before = before.map_or(0, |before| before.len().min(len));
        must_fit(len - before, len, (&place.parts, &place.downloads), place.min_free)?;
        let (file, held) = open(&part, len).map_err(|error| refused("write", &part, &error))?;
        let mut sink = Self { file, part, len, hasher: Hasher::new(), held: 0 };
        sink.hash_upto(held)?;
        Ok(sink)
    }

    pub(super) const fn held(&self) -> u64 {
        self.held
    }

    /// Puts a part behind what is there; how much there is then.
    pub(super) fn write(&mut self, offset: u64, bytes: &[u8]) -> Result<u64, FileFault> {
        let upto = offset.saturating_add(bytes.len() as u64);
        if offset != self.held || upto > self.len {
            let Self { held, len, .. } = self;
            let detail = format!("bytes {offset} to {upto} came where {held} to {len} are missing");
            return Err(fault(ErrorCode::FileFailed, detail));
        }
        self.file.write_all_at(bytes, offset).map_err(|error| refused("write", &self.part, &error))?;
        self.hasher.update(bytes);
        self.held = upto;
        Ok(upto)
    }

    /// Verifies what is there, makes it durable and gives it a name like `name`; where it is then.
    pub(super) fn seal(self, place: &Place, name: &str, digest: [u8; 32]) -> Result<PathBuf, FileFault> {
        if self.held != self.len || self.hasher.finalize() != Hash::from_bytes(digest) {
            // Nobody knows which part of it is wrong: a second try begins anew.
            remove(&self.part)?;
            let detail = format!("{} of {} bytes arrived, and not those sent", self.held, self.len);
            return Err(fault(ErrorCode::FileDamaged, detail));
        }
        self.file.sync_all().map_err(|error| refused("write", &self.part, &error))?;
        publish(&self.part, &self.file, &place.downloads, name)
    }

    fn hash_upto(&mut self, upto: u64) -> Result<(), FileFault> {
        let mut buffer = vec![0; HASH_BYTES];
        while self.held < upto {
            let left = usize::try_from(upto - self.held).unwrap_or(usize::MAX);
            let some = buffer.get_mut(..left.min(HASH_BYTES)).unwrap_or_default();
            self.file.read_exact_at(some, self.held).map_err(|error| refused("read", &self.part, &error))?;
            self.hasher.update(some);
            self.held += some.len() as u64;
        }
        Ok(())
    }
}

/// Opens a part, no longer than its file will be; how long it is.
fn open(part: &Path, len: u64) -> io::Result<(File, u64)> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false).mode(0o600);
    let file = options.custom_flags((OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK).bits()).open(part)?;
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(io::Error::other("something else has that name"));
    }
    if metadata.len() > len {
        file.set_len(len)?;
    }
    Ok((file, metadata.len().min(len)))
}

fn remove(part: &Path) -> Result<(), FileFault> {
    match fs::remove_file(part) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(refused("remove", part, &error)),
        Ok(()) | Err(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests;
