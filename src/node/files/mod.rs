//! What a node does with files for its transfers: a thread for each that is open, so that none waits for
//! another's disk and the driver for none of them.

mod clerk;
mod fault;
mod kept;
mod names;
mod publish;
mod sink;
mod source;
mod space;
mod worker;

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::Ordering,
        mpsc::{self, Sender},
    },
    thread::{Builder, JoinHandle},
};

use tokio::sync::mpsc::Sender as Told;
use tracing::warn;

use crate::{
    app::{FileJob, FileNews, KeptTransfer},
    wire::{ErrorCode, TransferId},
};

use super::driver::STOP_TIMEOUT;
use clerk::Clerk;
use fault::fault;
use kept::Ledger;
use publish::make_folder;
use worker::{NOT_OPEN, Signs, Worker};

pub use kept::{MAX_KEPT_TRANSFERS, PART_PATIENCE};
pub use names::MAX_SAFE_NAME_BYTES;
pub(crate) use names::numbered;
pub use publish::MAX_SAME_NAMES;
pub use space::MIN_FREE_BYTES;

/// Threads of transfers: as many as are open at a time, and as many again that end.
pub const MAX_FILE_THREADS: usize = 32;

/// Jobs of one transfer that wait for its thread; one more fails the transfer.
pub const JOBS_PER_TRANSFER: usize = 512;

/// Answers that wait for the driver. The threads wait when it is full.
pub const FILE_NEWS_QUEUE: usize = 64;

/// Where a node has its files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FilePlace {
    /// What is known of transfers, and what has arrived of them. Of this node alone.
    pub transfers: PathBuf,
    /// Where files go that are whole.
    pub downloads: PathBuf,
}

/// Why a node cannot have its files somewhere.
#[derive(Debug, thiserror::Error)]
#[error("cannot keep files in {path}: {error}")]
pub struct FilePlaceError {
    /// Where.
    pub path: PathBuf,
    /// What the operating system said.
    pub error: io::Error,
}

/// The same, made ready.
#[derive(Debug)]
struct Place {
    parts: PathBuf,
    downloads: PathBuf,
    min_free: u64,
}

/// What a node begins with.
#[derive(Debug)]
pub(super) struct Begun {
    place: Place,
    ledger: Ledger,
    /// Transfers of earlier runs.
    pub(super) kept: Vec<KeptTransfer>,
}

/// Makes the folders, and reads what earlier runs left in them.
pub(super) async fn begin(place: FilePlace) -> Result<Begun, FilePlaceError> {
    let path = place.transfers.clone();
    let begun = tokio::task::spawn_blocking(move || prepare(&place)).await;
    begun.map_err(|error| FilePlaceError { path, error: io::Error::other(error) })?
}

fn prepare(place: &FilePlace) -> Result<Begun, FilePlaceError> {
    let at = |path: &Path| {
        let path = path.to_owned();
        move |error| FilePlaceError { path, error }
    };
    let whole = |path: &Path| std::path::absolute(path).map_err(at(path));
    let (transfers, downloads) = (whole(&place.transfers)?, whole(&place.downloads)?);
    let parts = transfers.join("parts");
    for folder in [&transfers, &parts, &downloads] {
        make_folder(folder).map_err(at(folder))?;
    }
    let (ledger, kept) = Ledger::open(&transfers).map_err(at(&transfers))?;
    if let Err(error) = ledger.sweep(&parts) {
        warn!(path = %parts.display(), %error, "what arrived long ago is left");
    }
    Ok(Begun { place: Place { parts, downloads, min_free: MIN_FREE_BYTES }, ledger, kept })
}

/// What a node without a place for files says to a job that wants an answer.
pub(super) fn refuse(job: &FileJob) -> Option<FileNews> {
    failed(job, "this node keeps no files")
}

fn failed(job: &FileJob, why: &str) -> Option<FileNews> {
    let fault = fault(ErrorCode::FileFailed, why);
    let is_silent = matches!(job, FileJob::Close { .. } | FileJob::Keep(_) | FileJob::Forget(_));
    (!is_silent).then(|| FileNews::Failed { transfer: job.transfer(), fault })
}

/// The driver's end.
#[derive(Debug)]
pub(super) struct Files {
    place: Arc<Place>,
    clerk: Clerk,
    threads: BTreeMap<TransferId, Thread>,
    /// None when the node ends.
    news: Option<Told<FileNews>>,
}

/// The thread of a transfer.
#[derive(Debug)]
struct Thread {
    /// None when it is to end behind what waits for it.
    jobs: Option<Sender<FileJob>>,
    signs: Arc<Signs>,
    handle: JoinHandle<()>,
}

impl Files {
    pub(super) fn start(begun: Begun, news: Told<FileNews>) -> Self {
        let clerk = Clerk::start(begun.ledger);
        Self { place: Arc::new(begun.place), clerk, threads: BTreeMap::new(), news: Some(news) }
    }

    /// Has a job done. Never waits; what can be said of it at once is returned.
    pub(super) fn perform(&mut self, job: FileJob) -> Option<FileNews> {
        match job {
            // An answer could make the topology ask again.
            _ if self.news.is_none() && !matches!(job, FileJob::Keep(_) | FileJob::Forget(_)) => None,
            FileJob::Keep(kept) => {
                self.clerk.keep(kept);
                None
            }
            FileJob::Forget(transfer) => {
                self.clerk.forget(transfer);
                None
            }
            FileJob::Close { transfer, discard } => {
                // There may be something from before this run.
                if discard && !self.is_open(transfer) {
                    self.open(transfer).inspect_err(|why| warn!(%transfer, why, "it is left")).ok();
                }
                let answer = self.hand(job);
                self.let_go(transfer);
                answer
            }
            FileJob::Open { transfer, .. } | FileJob::Create { transfer, .. } => {
                if !self.is_open(transfer)
                    && let Err(why) = self.open(transfer)
                {
                    return failed(&job, &why);
                }
                self.hand(job)
            }
            FileJob::Read { .. } | FileJob::Digest { .. } | FileJob::Write { .. } | FileJob::Seal { .. } => {
                self.hand(job)
            }
        }
    }

    fn is_open(&self, transfer: TransferId) -> bool {
        self.threads.get(&transfer).is_some_and(|thread| thread.jobs.is_some())
    }

    /// Starts a thread, behind an earlier one of the same transfer.
    fn open(&mut self, transfer: TransferId) -> Result<(), String> {
        let Some(news) = self.news.clone() else { return Err("the node ends".into()) };
        // Each holds the place, and so does this.
        if Arc::strong_count(&self.place) > MAX_FILE_THREADS {
            return Err(format!("{MAX_FILE_THREADS} files are open"));
        }
        self.threads.retain(|_, thread| thread.jobs.is_some() || !thread.handle.is_finished());
        let before = self.threads.remove(&transfer).map(|thread| thread.handle);
        let signs = Arc::new(Signs::default());
        let worker = Worker { transfer, place: self.place.clone(), signs: signs.clone(), news };
        let (jobs, asked) = mpsc::channel();
        let builder = Builder::new().name("file".into());
        let handle = builder.spawn(move || worker.run(&asked, before)).map_err(|error| error.to_string())?;
        self.threads.insert(transfer, Thread { jobs: Some(jobs), signs, handle });
        Ok(())
    }

    /// Puts a job in line.
    fn hand(&mut self, job: FileJob) -> Option<FileNews> {
        let transfer = job.transfer();
        let thread = self.threads.get(&transfer);
        let Some((thread, jobs)) = thread.and_then(|thread| Some((thread, thread.jobs.as_ref()?))) else {
            return failed(&job, NOT_OPEN);
        };
        if thread.signs.waiting.load(Ordering::Relaxed) >= JOBS_PER_TRANSFER
            && let Some(failed) = failed(&job, "the disk is too slow")
        {
            thread.signs.is_void.store(true, Ordering::Relaxed);
            self.let_go(transfer);
            return Some(failed);
        }
        thread.signs.waiting.fetch_add(1, Ordering::Relaxed);
        jobs.send(job).err().and_then(|unsent| failed(&unsent.0, "its thread has ended"))
    }

    fn let_go(&mut self, transfer: TransferId) {
        if let Some(thread) = self.threads.get_mut(&transfer) {
            thread.jobs = None;
        }
    }

    /// Nothing more is begun; what is being done goes on to its end, and the last answer follows.
    pub(super) fn halt(&mut self) {
        self.news = None;
        for thread in self.threads.values_mut() {
            thread.signs.is_void.store(true, Ordering::Relaxed);
            thread.jobs = None;
        }
    }

    /// Waits until all is done, within reason.
    pub(super) async fn finish(mut self) {
        self.halt();
        let threads: Vec<JoinHandle<()>> =
            self.threads.into_values().map(|thread| thread.handle).chain(self.clerk.end()).collect();
        let joined = tokio::task::spawn_blocking(move || {
            for thread in threads {
                let _ = thread.join();
            }
        });
        if tokio::time::timeout(STOP_TIMEOUT, joined).await.is_err() {
            warn!("the disk is too slow: a file may be gone on with from further back");
        }
    }
}

#[cfg(test)]
mod tests;
