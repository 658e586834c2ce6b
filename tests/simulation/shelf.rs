//! The files of a host: they outlive its crashes, as they were or damaged.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    time::Duration,
};

use rand::{RngExt as _, rngs::ChaCha12Rng};
use sayagain::{
    app::{FileFault, FileJob, FileNews, KeptTransfer},
    wire::{ErrorCode, NodeId, TransferId},
};

#[derive(Debug, Default)]
pub(crate) struct Shelf {
    open: BTreeMap<TransferId, Vec<u8>>,
    parts: BTreeMap<TransferId, Vec<u8>>,
    kept: BTreeMap<TransferId, KeptTransfer>,
    /// Everybody whom a transfer was for that was remembered.
    pub(crate) promised: BTreeMap<TransferId, BTreeSet<NodeId>>,
    pub(crate) saved: Vec<TransferId>,
    /// What was done last is told by then, since what is asked in order is answered in order.
    pub(crate) told: Duration,
}

/// A path that says what is in the file.
pub(crate) fn path(seed: u32, len: usize) -> PathBuf {
    format!("{seed}-{len}").into()
}

/// What is in a file.
fn content(path: &Path) -> Vec<u8> {
    let (seed, len) = path.to_str().unwrap().split_once('-').unwrap();
    let (seed, len): (u32, usize) = (seed.parse().unwrap(), len.parse().unwrap());
    let byte = |i: usize| u32::try_from(i).unwrap().wrapping_mul(2_654_435_761).wrapping_add(seed) >> 24;
    (0..len).map(|i| u8::try_from(byte(i)).unwrap()).collect()
}

impl Shelf {
    /// What is remembered; what arrived of a file may have a flaw since.
    pub(crate) fn restart(&mut self, rng: &mut ChaCha12Rng) -> Vec<KeptTransfer> {
        self.open.clear();
        for part in self.parts.values_mut().filter(|part| !part.is_empty()) {
            if rng.random_bool(0.1) {
                let at = rng.random_range(0..part.len());
                part[at] ^= 1;
            }
            if rng.random_bool(0.3) {
                part.truncate(rng.random_range(0..part.len()));
            }
        }
        self.kept.values().cloned().collect()
    }

    /// Nothing that was to be sent waits any more.
    pub(crate) fn sends_nothing(&self) -> bool {
        !self.kept.values().any(|kept| matches!(kept, KeptTransfer::Outgoing(_)))
    }

    pub(crate) fn perform(&mut self, job: FileJob) -> Option<FileNews> {
        let transfer = job.transfer();
        match job {
            FileJob::Open { path, .. } => {
                let (name, content) = (path.display().to_string(), content(&path));
                let len = content.len() as u64;
                self.open.insert(transfer, content);
                Some(FileNews::Opened { transfer, name, len, modified_ms: 7 })
            }
            FileJob::Read { offset, len, .. } => {
                let from = usize::try_from(offset).unwrap();
                let bytes = self.open[&transfer][from..from + len].to_vec().into();
                Some(FileNews::Read { transfer, offset, bytes })
            }
            FileJob::Digest { .. } => {
                let digest = *blake3::hash(&self.open[&transfer]).as_bytes();
                Some(FileNews::Digest { transfer, digest })
            }
            FileJob::Create { .. } => {
                let held = self.parts.entry(transfer).or_default().len() as u64;
                Some(FileNews::Created { transfer, held })
            }
            FileJob::Write { offset, bytes, .. } => {
                let part = self.parts.get_mut(&transfer).expect("it was made");
                assert_eq!(part.len() as u64, offset, "a part is written where the one before ended");
                part.extend_from_slice(&bytes);
                Some(FileNews::Written { transfer, upto: part.len() as u64 })
            }
            FileJob::Seal { name, digest, .. } => Some(self.seal(transfer, name, digest)),
            FileJob::Close { discard, .. } => {
                self.open.remove(&transfer);
                if discard {
                    self.parts.remove(&transfer);
                }
                None
            }
            FileJob::Keep(kept) => {
                if let KeptTransfer::Outgoing(kept) = &kept {
                    let all = self.promised.entry(transfer).or_default();
                    all.extend(kept.receivers.iter().map(|(node, _)| *node));
                }
                self.kept.insert(transfer, kept);
                None
            }
            FileJob::Forget(transfer) => {
                self.kept.remove(&transfer);
                None
            }
        }
    }

    fn seal(&mut self, transfer: TransferId, name: String, digest: [u8; 32]) -> FileNews {
        let part = self.parts.get_mut(&transfer).expect("it was made");
        if blake3::hash(part).as_bytes() != &digest {
            part.clear();
            let fault = FileFault { code: ErrorCode::FileDamaged, detail: String::new() };
            return FileNews::Failed { transfer, fault };
        }
        assert_eq!(*part, content(Path::new(&name)), "the digest of another file");
        self.parts.remove(&transfer);
        self.saved.push(transfer);
        let path = PathBuf::from(name);
        if let Some(KeptTransfer::Incoming(kept)) = self.kept.get_mut(&transfer) {
            kept.saved = Some(path.clone());
        }
        FileNews::Saved { transfer, path }
    }
}
