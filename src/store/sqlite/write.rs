//! The half that writes: one transaction a call, and nothing more after a failure that leaves the disk in
//! doubt.

use std::path::PathBuf;

use rusqlite::{Connection, Transaction, TransactionBehavior};

use crate::{
    store::{Entry, Retention, StoreError, Survey, Writer},
    wire::{Epoch, NodeId, RoomId, Seq},
};

use super::{
    batch, chain::Seal, error::Outcome, file::Lock, ledger::Ledger, retain, schema::set_checkpoint_on_close,
};

/// Pages of the write-ahead log, 4 MiB, after which `append` copies them into the file: what opening reads
/// again after a crash.
const WAL_PAGES: i64 = 1_024;

/// The only connection that writes.
#[derive(Debug)]
pub(super) struct SqliteWriter {
    pub(super) path: PathBuf,
    pub(super) conn: Connection,
    pub(super) seal: Seal,
    /// None after a transaction that failed: it may say more than the file does.
    pub(super) ledger: Option<Ledger>,
    /// Why nothing may be written any more.
    pub(super) failure: Option<StoreError>,
    /// Something may stand in the write-ahead log alone.
    pub(super) unsettled: bool,
    /// Let go of last.
    pub(super) _lock: Lock,
}

impl Writer for SqliteWriter {
    fn survey(&mut self) -> Result<Survey, StoreError> {
        self.usable()?;
        let ledger = self.take_ledger()?;
        let survey = ledger.survey(&self.conn, &self.seal).map_err(|trouble| trouble.at(&self.path));
        self.ledger = Some(ledger);
        survey.map_err(|error| self.noted(error))
    }

    fn append(&mut self, entries: &[Entry]) -> Result<(), StoreError> {
        self.usable()?;
        self.shorten_log()?;
        self.transact(|tx, seal, ledger| batch::append(tx, seal, ledger, entries))
    }

    fn retain(
        &mut self,
        room: &RoomId,
        retention: Retention,
        now_ms: u64,
    ) -> Result<Vec<(NodeId, Epoch, Seq)>, StoreError> {
        self.usable()?;
        let ledger = self.take_ledger()?;
        let nothing = match ledger.rooms.get(room) {
            Some(room) => retain::is_done(&self.conn, &room.row, retention, now_ms),
            None => Ok(true),
        };
        self.ledger = Some(ledger);
        if nothing.map_err(|trouble| self.noted(trouble.at(&self.path)))? {
            return Ok(Vec::new());
        }
        self.shorten_log()?;
        self.transact(|tx, seal, ledger| match ledger.rooms.get_mut(room) {
            Some(room) => retain::retain(tx, seal, room, retention, now_ms),
            None => Ok(Vec::new()),
        })
    }

    fn idle(&mut self) -> Result<(), StoreError> {
        self.usable()?;
        if self.unsettled { self.checkpoint() } else { Ok(()) }
    }
}

impl SqliteWriter {
    fn usable(&self) -> Result<(), StoreError> {
        self.failure.clone().map_or(Ok(()), Err)
    }

    fn take_ledger(&mut self) -> Result<Ledger, StoreError> {
        let loaded = self.ledger.take().map_or_else(|| Ledger::load(&self.conn, &self.seal), Ok);
        loaded.map_err(|trouble| self.noted(trouble.at(&self.path)))
    }

    fn transact<T>(
        &mut self,
        work: impl FnOnce(&Transaction<'_>, &Seal, &mut Ledger) -> Outcome<T>,
    ) -> Result<T, StoreError> {
        let mut ledger = self.take_ledger()?;
        let changes = self.conn.total_changes();
        match commit(&mut self.conn, |tx| work(tx, &self.seal, &mut ledger)) {
            Ok(value) => {
                self.ledger = Some(ledger);
                self.unsettled |= self.conn.total_changes() != changes;
                Ok(value)
            }
            Err(trouble) => Err(self.noted(trouble.at(&self.path))),
        }
    }

    /// Makes the write-ahead log begin anew when it is long. That there is no space for it is no reason to
    /// refuse a batch, which needs less.
    fn shorten_log(&mut self) -> Result<(), StoreError> {
        if !self.unsettled {
            return Ok(());
        }
        let pages = wal(&self.conn, "noop").map_err(|trouble| self.noted(trouble.at(&self.path)))?;
        if pages < WAL_PAGES {
            return Ok(());
        }
        match self.checkpoint() {
            Err(StoreError::Full(_)) => Ok(()),
            other => other,
        }
    }

    fn checkpoint(&mut self) -> Result<(), StoreError> {
        let left = wal(&self.conn, "passive").map_err(|trouble| self.noted(trouble.at(&self.path)))?;
        self.unsettled = left > 0;
        Ok(())
    }

    /// After a failure nothing is tried again: a page that could not be written may count as clean, and the
    /// next sync would vouch for what is not there (Rebello and others, USENIX ATC 2020).
    fn noted(&mut self, error: StoreError) -> StoreError {
        if matches!(error, StoreError::Failed { .. } | StoreError::Damaged { .. }) {
            self.failure = Some(error.clone());
            // Nor when the connection closes.
            let _ = set_checkpoint_on_close(&self.conn, false);
        }
        error
    }
}

fn commit<T>(conn: &mut Connection, work: impl FnOnce(&Transaction<'_>) -> Outcome<T>) -> Outcome<T> {
    let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let value = work(&tx)?;
    tx.commit()?;
    Ok(value)
}

/// Checkpoints the write-ahead log in a mode and returns how many pages stand in it alone.
pub(super) fn wal(conn: &Connection, mode: &str) -> Outcome<i64> {
    let pages = |row: &rusqlite::Row<'_>| Ok((row.get::<_, i64>(1)?, row.get::<_, i64>(2)?));
    let sql = format!("PRAGMA wal_checkpoint({mode})");
    let (written, copied) = conn.prepare_cached(&sql)?.query_row([], pages)?;
    Ok(written - copied)
}
