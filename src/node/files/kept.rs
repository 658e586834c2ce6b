//! Transfers that are remembered beyond this run: a file beside the parts for each of them.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, Read as _},
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use tracing::warn;

use crate::{app::KeptTransfer, wire::TransferId};

use super::{
    super::{clock::unix_ms, identity::write_whole},
    sink::{PART_ENDING, part_name},
};

/// Transfers that are remembered. The one that was saved longest ago makes way; where none was, one more is not
/// remembered.
pub const MAX_KEPT_TRANSFERS: usize = 1_024;

/// Bytes of the longest of these files.
const MAX_KEPT_BYTES: u64 = 1 << 20;

/// How long the part of a transfer that is not remembered is left, in case somebody looks for it.
pub const PART_PATIENCE: Duration = Duration::from_secs(30 * 24 * 60 * 60);

const ENDING: &str = ".json";

/// Which transfers are remembered.
#[derive(Debug)]
pub(super) struct Ledger {
    folder: PathBuf,
    /// Each, and whether it was saved: in which order.
    known: BTreeMap<TransferId, Option<u64>>,
    saved: u64,
}

impl Ledger {
    /// Reads what earlier runs left. What is no such file is left where it is.
    pub(super) fn open(folder: &Path) -> io::Result<(Self, Vec<KeptTransfer>)> {
        let mut ledger = Self { folder: folder.to_owned(), known: BTreeMap::new(), saved: 0 };
        let mut kept = BTreeMap::new();
        for path in by_age(folder)? {
            let Some(name) = path.file_name().and_then(|name| name.to_str()) else { continue };
            let Some(stem) = name.strip_suffix(ENDING) else { continue };
            match read(&path, stem) {
                Ok(transfer) => {
                    kept.insert(transfer.transfer(), transfer.clone());
                    for forgotten in ledger.note(&transfer) {
                        kept.remove(&forgotten);
                    }
                }
                Err(error) => warn!(path = %path.display(), %error, "this transfer is not gone on with"),
            }
        }
        Ok((ledger, kept.into_values().collect()))
    }

    /// Remembers a transfer, or what has become of it.
    pub(super) fn keep(&mut self, transfer: &KeptTransfer) {
        self.note(transfer);
        if !self.known.contains_key(&transfer.transfer()) {
            return;
        }
        let name = format!("{}{ENDING}", transfer.transfer());
        let text = serde_json::to_string(transfer).map_err(io::Error::other);
        if let Err(error) = text.and_then(|text| write_whole(&self.folder, &name, &text)) {
            warn!(name, %error, "the transfer will not be gone on with in another run");
        }
    }

    pub(super) fn forget(&mut self, transfer: TransferId) {
        self.known.remove(&transfer);
        let path = self.folder.join(format!("{transfer}{ENDING}"));
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                warn!(path = %path.display(), %error, "it will be gone on with in another run");
            }
            Ok(()) | Err(_) => {}
        }
    }

    /// Takes a transfer in as far as the bound allows; returns which are forgotten for it, or itself.
    fn note(&mut self, transfer: &KeptTransfer) -> Vec<TransferId> {
        let is_saved = matches!(transfer, KeptTransfer::Incoming(kept) if kept.saved.is_some());
        self.saved += u64::from(is_saved);
        self.known.insert(transfer.transfer(), is_saved.then_some(self.saved));
        let mut forgotten = Vec::new();
        while self.known.len() > MAX_KEPT_TRANSFERS {
            let saved = self.known.iter().filter_map(|(id, saved)| Some(((*saved)?, *id))).min();
            if let Some((_, oldest)) = saved {
                self.forget(oldest);
                forgotten.push(oldest);
            } else {
                self.known.remove(&transfer.transfer());
                forgotten.push(transfer.transfer());
                warn!(transfer = %transfer.transfer(), "more transfers than are remembered");
            }
        }
        forgotten
    }

    /// Removes what has arrived of transfers that nobody remembers.
    pub(super) fn sweep(&self, parts: &Path) -> io::Result<()> {
        let known: Vec<String> = self.known.keys().copied().map(part_name).collect();
        let by = SystemTime::UNIX_EPOCH + Duration::from_millis(unix_ms()).saturating_sub(PART_PATIENCE);
        for path in by_age(parts)? {
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            let is_part = name.ends_with(PART_ENDING) && !known.iter().any(|known| known == name);
            if is_part && modified(&path) < by {
                fs::remove_file(&path)?;
            }
        }
        Ok(())
    }
}

/// The regular files of a folder, the oldest first.
fn by_age(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_file() {
            paths.push(entry.path());
        }
    }
    paths.sort_by_cached_key(|path| (modified(path), path.clone()));
    Ok(paths)
}

fn modified(path: &Path) -> SystemTime {
    fs::metadata(path).and_then(|metadata| metadata.modified()).unwrap_or(SystemTime::UNIX_EPOCH)
}

fn read(path: &Path, stem: &str) -> io::Result<KeptTransfer> {
    let mut text = String::new();
    File::open(path)?.take(MAX_KEPT_BYTES).read_to_string(&mut text)?;
    let kept: KeptTransfer = serde_json::from_str(&text)?;
    if kept.transfer().to_string() == stem {
        Ok(kept)
    } else {
        Err(io::Error::other("it is about another transfer than its name says"))
    }
}

#[cfg(test)]
mod tests;
