//! The thread of one transfer: its jobs, in order.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
        mpsc::Receiver,
    },
    thread::JoinHandle,
};

use tokio::sync::mpsc::Sender as Told;
use tracing::warn;

use crate::{
    app::{FileFault, FileJob, FileNews},
    wire::{ErrorCode, TransferId},
};

use super::{
    Place,
    fault::fault,
    sink::{Sink, discard},
    source::Source,
};

/// Why nothing can be done with a file.
pub(super) const NOT_OPEN: &str = "the file is not open";

/// What the driver knows of the thread, and it of the driver.
#[derive(Debug, Default)]
pub(super) struct Signs {
    /// Jobs that wait for it.
    pub(super) waiting: AtomicUsize,
    /// Nothing but a close is to be done any more.
    pub(super) is_void: AtomicBool,
}

#[derive(Debug)]
enum Open {
    Source(Source),
    Sink(Sink),
}

#[derive(Debug)]
pub(super) struct Worker {
    pub(super) transfer: TransferId,
    pub(super) place: Arc<Place>,
    pub(super) signs: Arc<Signs>,
    pub(super) news: Told<FileNews>,
}

impl Worker {
    /// Works until nobody can ask for more. `before` is an earlier thread of the same transfer.
    pub(super) fn run(self, jobs: &Receiver<FileJob>, before: Option<JoinHandle<()>>) {
        if let Some(before) = before {
            let _ = before.join();
        }
        let mut open = None;
        // What is asked for behind something that failed is not done, until somebody begins anew.
        let mut has_failed = false;
        while let Ok(job) = jobs.recv() {
            self.signs.waiting.fetch_sub(1, Ordering::Relaxed);
            if let FileJob::Close { discard, .. } = job {
                (open, has_failed) = (None, false);
                self.close(discard);
                continue;
            }
            let begins = matches!(job, FileJob::Open { .. } | FileJob::Create { .. });
            if self.signs.is_void.load(Ordering::Relaxed) || (has_failed && !begins) {
                continue;
            }
            let read = match job {
                FileJob::Read { offset, len, .. } => Some(offset.saturating_add(len as u64)),
                _ => None,
            };
            let transfer = self.transfer;
            let done = self.perform(job, &mut open);
            has_failed = done.is_err();
            // If the driver is gone, it wants no answers.
            let _ =
                self.news.blocking_send(done.unwrap_or_else(|fault| FileNews::Failed { transfer, fault }));
            if let (false, Some(upto), Some(Open::Source(source))) = (has_failed, read, &mut open) {
                // Whatever goes wrong here does so again when the digest is asked for.
                let _ = source.catch_up(upto);
            }
        }
    }

    fn perform(&self, job: FileJob, open: &mut Option<Open>) -> Result<FileNews, FileFault> {
        let transfer = self.transfer;
        match (job, open) {
            (FileJob::Open { path, .. }, open) => {
                let source = Source::open(&path)?;
                let (name, len, modified_ms) = (source.name(), source.len(), source.modified_ms());
                *open = Some(Open::Source(source));
                Ok(FileNews::Opened { transfer, name, len, modified_ms })
            }
            (FileJob::Read { offset, len, .. }, Some(Open::Source(source))) => {
                source.read(offset, len).map(|bytes| FileNews::Read { transfer, offset, bytes })
            }
            (FileJob::Digest { .. }, Some(Open::Source(source))) => {
                source.digest().map(|digest| FileNews::Digest { transfer, digest })
            }
            (FileJob::Create { len, .. }, open) => {
                // Two of them would write over each other.
                *open = None;
                let sink = Sink::create(&self.place, transfer, len)?;
                let held = sink.held();
                *open = Some(Open::Sink(sink));
                Ok(FileNews::Created { transfer, held })
            }
            (FileJob::Write { offset, bytes, .. }, Some(Open::Sink(sink))) => {
                sink.write(offset, &bytes).map(|upto| FileNews::Written { transfer, upto })
            }
            (FileJob::Seal { name, digest, .. }, open) => match open.take() {
                Some(Open::Sink(sink)) => {
                    sink.seal(&self.place, &name, digest).map(|path| FileNews::Saved { transfer, path })
                }
                _ => Err(fault(ErrorCode::FileFailed, NOT_OPEN)),
            },
            _ => Err(fault(ErrorCode::FileFailed, NOT_OPEN)),
        }
    }

    fn close(&self, throw_away: bool) {
        if throw_away && let Err(fault) = discard(&self.place, self.transfer) {
            warn!(transfer = %self.transfer, detail = fault.detail, "what has arrived is left");
        }
    }
}
