//! The thread that writes: whatever gathered while the disk was busy is one transaction (group commit), so that
//! an idle node has the latency of one fsync and a busy one many records for each.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
        mpsc::{Receiver, RecvTimeoutError},
    },
    thread::sleep,
    time::Duration,
};

use tokio::{sync::mpsc::Sender as Told, time::Instant};

use crate::{
    app::Input,
    store::{Entry, Retention, StoreError, Writer},
    wire::{LogKey, RoomId, Seq},
};

use super::{Kept, bytes_of};
use crate::node::clock::unix_ms;

/// Entries of one transaction, and bytes of their bodies.
pub(super) const BATCH_ENTRIES: usize = 512;
const BATCH_BYTES: usize = 1 << 20;

/// After so long without anything to write the store does what it put off.
const IDLE: Duration = Duration::from_secs(1);

/// Entries written since it last did that are worth it. To copy the write-ahead log makes the next transaction
/// begin it anew, and that waits for the disk a second time: too much for a line now and then.
const PUT_OFF_ENTRIES: usize = 64;

/// Logs written to so lately are expected to be written to again at once.
const LIVELY: Duration = Duration::from_millis(25);

/// How long a transaction waits for those at most. It delays nothing but the word `stored`, and nothing at all as
/// long as one talks and others listen.
const GATHER_TIMEOUT: Duration = Duration::from_millis(5);

/// Between two looks at what came meanwhile.
const GATHER_PAUSE: Duration = Duration::from_micros(200);

/// Records said in a room since it was last seen to what is kept of it.
const RETAIN_EVERY: usize = 256;

/// How often it is seen to in all rooms: lines grow old where nothing is said as well. The least age is a day.
const SWEEP_EVERY: Duration = Duration::from_secs(3600);

/// Who writes.
pub(super) struct Scribe {
    writer: Box<dyn Writer>,
    retention: Retention,
    lenient: bool,
    /// Logs for which there was no space, and from where on: nothing later of them may be kept before that.
    full: BTreeMap<LogKey, Seq>,
    /// Names and memberships for which there was none.
    aside: Vec<Entry>,
    /// Records kept since the retention of a room was last seen to.
    said: BTreeMap<RoomId, usize>,
    /// When all rooms were last seen to.
    swept: Option<Instant>,
    /// When each log was written to last, of those of late.
    lively: BTreeMap<LogKey, Instant>,
    /// Entries written since the store last did what it puts off.
    put_off: usize,
    waiting: Arc<AtomicUsize>,
    kept: Told<Kept>,
}

impl Scribe {
    pub(super) const fn new(
        writer: Box<dyn Writer>,
        retention: Retention,
        lenient: bool,
        waiting: Arc<AtomicUsize>,
        kept: Told<Kept>,
    ) -> Self {
        Self {
            writer,
            retention,
            lenient,
            full: BTreeMap::new(),
            aside: Vec::new(),
            said: BTreeMap::new(),
            swept: None,
            lively: BTreeMap::new(),
            // Nobody knows what the run before left.
            put_off: PUT_OFF_ENTRIES,
            waiting,
            kept,
        }
    }

    /// Writes until nothing more can come.
    pub(super) fn run(mut self, entries: &Receiver<Entry>) {
        let mut patience = IDLE;
        loop {
            let goes_on = match entries.recv_timeout(patience) {
                Ok(first) => {
                    patience = IDLE;
                    self.take(first, entries)
                }
                Err(RecvTimeoutError::Timeout) => {
                    patience = SWEEP_EVERY;
                    self.tidy_up()
                }
                Err(RecvTimeoutError::Disconnected) => return,
            };
            if !goes_on {
                return;
            }
        }
    }

    fn take(&mut self, first: Entry, entries: &Receiver<Entry>) -> bool {
        let batch = self.gather(first, entries);
        let bytes = batch.iter().map(bytes_of).sum();
        let goes_on = self.write(batch);
        self.waiting.fetch_sub(bytes, Ordering::Relaxed);
        goes_on
    }

    /// All that waits, as far as it fits one transaction. Many who talk at once, each waiting for a word before
    /// going on, share one: as many are waited for as wrote of late (PostgreSQL's `commit_siblings`).
    fn gather(&mut self, first: Entry, entries: &Receiver<Entry>) -> Vec<Entry> {
        let begun = Instant::now();
        self.lively.retain(|_, last| begun.duration_since(*last) < LIVELY);
        let mut bytes = bytes_of(&first);
        let mut batch = vec![first];
        loop {
            while let Some(entry) = has_space(&batch, bytes).then(|| entries.try_recv().ok()).flatten() {
                bytes += bytes_of(&entry);
                batch.push(entry);
            }
            let is_whole = batch.len() >= self.lively.len() || !has_space(&batch, bytes);
            if is_whole || begun.elapsed() >= GATHER_TIMEOUT {
                return batch;
            }
            sleep(GATHER_PAUSE);
        }
    }

    /// `false` when the node has to end.
    fn write(&mut self, batch: Vec<Entry>) -> bool {
        let mut full = self.full.clone();
        let (fit, mut refused): (Vec<Entry>, Vec<Entry>) =
            self.aside.drain(..).chain(batch).partition(|entry| is_next(entry, &mut full));
        match self.writer.append(&fit) {
            Ok(()) => self.note(&fit),
            // Another program holds the file: that passes as well.
            Err(StoreError::Full(_) | StoreError::InUse(_)) => refused.extend(fit),
            Err(error) => return self.fail(error),
        }
        if !refused.is_empty() {
            self.refuse(&refused);
        }
        self.sweep() && self.retain_due(RETAIN_EVERY)
    }

    fn note(&mut self, fit: &[Entry]) {
        let mut logs: BTreeMap<LogKey, Seq> = BTreeMap::new();
        let now = Instant::now();
        self.put_off += fit.len();
        for entry in fit {
            let Entry::Record { record, .. } = entry else { continue };
            let log = record.log();
            self.full.remove(&log);
            self.lively.insert(log.clone(), now);
            *self.said.entry(record.room.clone()).or_default() += 1;
            let next = logs.entry(log).or_default();
            *next = record.seq.next().max(*next);
        }
        if !logs.is_empty() {
            self.tell(Input::Stored { logs: logs.into_iter().collect() });
        }
    }

    fn refuse(&mut self, refused: &[Entry]) {
        let mut logs: BTreeMap<LogKey, Seq> = BTreeMap::new();
        for entry in refused {
            let Entry::Record { record, .. } = entry else { continue };
            let from = self.full.entry(record.log()).or_insert(record.seq);
            *from = record.seq.min(*from);
            logs.insert(record.log(), *from);
        }
        if self.lenient {
            self.full.clear();
        }
        let others = refused.iter().filter(|entry| !matches!(entry, Entry::Record { .. }));
        self.aside.extend(others.cloned());
        if !logs.is_empty() {
            self.tell(Input::Unstored { logs: logs.into_iter().collect() });
        }
    }

    /// Lets go of what is beyond what is to be kept, of rooms in which so much was said.
    fn retain_due(&mut self, records: usize) -> bool {
        let due: Vec<RoomId> =
            self.said.iter().filter(|(_, said)| **said >= records).map(|(room, _)| room.clone()).collect();
        for room in due {
            self.said.remove(&room);
            loop {
                match self.writer.retain(&room, self.retention, unix_ms()) {
                    Ok(logs) if logs.is_empty() => break,
                    Ok(logs) => {
                        let key = |author, epoch| LogKey { room: room.clone(), author, epoch };
                        let logs = logs.into_iter().map(|(author, epoch, first)| (key(author, epoch), first));
                        self.tell(Input::Retained { logs: logs.collect() });
                    }
                    // What was let go of makes space; without any it is tried again later.
                    Err(StoreError::Full(_) | StoreError::InUse(_)) => break,
                    Err(error) => return self.fail(error),
                }
            }
        }
        true
    }

    /// Where age counts, all rooms are due now and then.
    fn sweep(&mut self) -> bool {
        let is_due = self.swept.is_none_or(|swept| swept.elapsed() >= SWEEP_EVERY);
        if self.retention.age_ms == u64::MAX || !is_due {
            return true;
        }
        self.swept = Some(Instant::now());
        match self.writer.survey() {
            Ok(survey) => self.said.extend(survey.rooms.into_iter().map(|room| (room.id, RETAIN_EVERY))),
            Err(error) => return self.fail(error),
        }
        true
    }

    fn tidy_up(&mut self) -> bool {
        if !(self.sweep() && self.retain_due(1)) {
            return false;
        }
        if self.put_off < PUT_OFF_ENTRIES {
            return true;
        }
        self.put_off = 0;
        match self.writer.idle() {
            Ok(()) | Err(StoreError::Full(_) | StoreError::InUse(_)) => true,
            Err(error) => self.fail(error),
        }
    }

    fn fail(&self, error: StoreError) -> bool {
        let _ = self.kept.blocking_send(Kept::Failed(error));
        false
    }

    fn tell(&self, input: Input) {
        let _ = self.kept.blocking_send(Kept::Input(Box::new(input)));
    }
}

/// Whether what comes before an entry in its log is on disk, or ahead of it in this batch.
fn is_next(entry: &Entry, full: &mut BTreeMap<LogKey, Seq>) -> bool {
    let Entry::Record { record, .. } = entry else { return true };
    let Some(from) = full.get_mut(&record.log()) else { return true };
    let is_next = record.seq <= *from;
    *from = if record.seq == *from { record.seq.next() } else { *from };
    is_next
}

fn has_space(batch: &[Entry], bytes: usize) -> bool {
    batch.len() < BATCH_ENTRIES && bytes < BATCH_BYTES
}

#[cfg(test)]
mod tests;
