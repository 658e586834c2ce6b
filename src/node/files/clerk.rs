//! The thread that remembers transfers. What is to be remembered of one gives way to what is said of it later,
//! so that no more waits than there are transfers.

use std::{
    collections::BTreeMap,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread::{Builder, JoinHandle},
};

use tracing::error;

use crate::{app::KeptTransfer, wire::TransferId};

use super::kept::Ledger;

/// The driver's end of it.
#[derive(Debug)]
pub(super) struct Clerk {
    desk: Arc<Desk>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Desk {
    waiting: Mutex<Waiting>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Waiting {
    /// To be remembered, or forgotten.
    transfers: BTreeMap<TransferId, Option<KeptTransfer>>,
    is_over: bool,
}

impl Clerk {
    pub(super) fn start(ledger: Ledger) -> Self {
        let desk = Arc::new(Desk::default());
        let at = desk.clone();
        let thread = Builder::new().name("transfers".into()).spawn(move || work(&at, ledger));
        let thread = thread.inspect_err(|error| error!(%error, "no transfer will be remembered")).ok();
        Self { desk, thread }
    }

    pub(super) fn keep(&self, transfer: KeptTransfer) {
        self.put(transfer.transfer(), Some(transfer));
    }

    pub(super) fn forget(&self, transfer: TransferId) {
        self.put(transfer, None);
    }

    fn put(&self, transfer: TransferId, kept: Option<KeptTransfer>) {
        if self.thread.is_some() {
            self.desk.waiting().transfers.insert(transfer, kept);
            self.desk.changed.notify_one();
        }
    }

    /// The thread, which ends when all is written.
    pub(super) fn end(mut self) -> Option<JoinHandle<()>> {
        self.desk.waiting().is_over = true;
        self.desk.changed.notify_one();
        self.thread.take()
    }
}

impl Desk {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn work(desk: &Desk, mut ledger: Ledger) {
    loop {
        let is_idle = |waiting: &mut Waiting| waiting.transfers.is_empty() && !waiting.is_over;
        let woken = desk.changed.wait_while(desk.waiting(), is_idle);
        let transfers = std::mem::take(&mut woken.unwrap_or_else(PoisonError::into_inner).transfers);
        if transfers.is_empty() {
            return;
        }
        for (transfer, kept) in transfers {
            match kept {
                Some(kept) => ledger.keep(&kept),
                None => ledger.forget(transfer),
            }
        }
    }
}
