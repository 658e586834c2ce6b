//! The store's two threads. One writes: whatever gathered while the disk was busy is one transaction (group
//! commit), so that an idle node has the latency of one fsync and a busy one many records for each. One
//! reads what links lack.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
        mpsc::{self, Receiver, RecvTimeoutError, Sender},
    },
    thread::JoinHandle,
    time::Duration,
};

use tokio::sync::mpsc::Sender as Told;
use tracing::error;

use crate::{
    app::{Input, LinkId, Restored, limits::KEEP_BYTES},
    store::{
        Arrival, Entry, LinesQuery, PageQuery, Reader, Retention, StoreError, Stored, StoredLog, StoredRoom,
        Wanted, Writer,
    },
    wire::{LogKey, RoomId, Seq},
};

use super::clock::unix_ms;

/// Entries of one transaction, and bytes of their bodies.
const BATCH_ENTRIES: usize = 512;
const BATCH_BYTES: usize = 1 << 20;

/// Bytes of bodies that wait for the disk before the node takes nothing more from its links.
pub const MAX_UNSTORED_BYTES: usize = 8 << 20;

/// Answers of the store that wait for the driver, which always takes them. The store waits when it is full.
pub const KEPT_QUEUE: usize = 256;

/// What an entry counts beside its body.
const ENTRY_BYTES: usize = 256;

/// After so long without anything to write the store does what it put off.
const IDLE: Duration = Duration::from_secs(1);

/// Records said in a room since it was last seen to what is kept of it.
const RETAIN_EVERY: usize = 256;

/// How long the end of a node waits for what is to be stored.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(10);

/// A store as a node is given it.
#[derive(Debug)]
pub struct Store {
    /// Its writing half.
    pub writer: Box<dyn Writer>,
    /// Its reading half.
    pub reader: Box<dyn Reader>,
    /// How much of each room is kept.
    pub retention: Retention,
    /// What there is no space for is not said again: what follows it is kept with a hole before it.
    pub lenient: bool,
}

/// What the threads have to say.
#[derive(Debug)]
pub(super) enum Kept {
    /// For the topology.
    Input(Box<Input>),
    /// The disk failed: the node must end.
    Failed(StoreError),
}

/// What is asked of the reading thread.
#[derive(Debug)]
enum Query {
    Page { link: LinkId, query: PageQuery },
    Lines { link: Option<LinkId>, query: LinesQuery },
}

/// The driver's end. What is to be written is bounded by [`MAX_UNSTORED_BYTES`] and what one turn of the driver adds;
/// what is to be read by one page and one request for lines of each link.
#[derive(Debug)]
pub(super) struct History {
    entries: Option<Sender<Entry>>,
    queries: Option<Sender<Query>>,
    /// Bytes that wait for the disk.
    waiting: Arc<AtomicUsize>,
    threads: Vec<JoinHandle<()>>,
}

impl History {
    /// Starts the threads.
    pub(super) fn start(store: Store, kept: &Told<Kept>) -> Self {
        let Store { writer, reader, retention, lenient } = store;
        let (entries, to_write) = mpsc::channel();
        let (queries, to_read) = mpsc::channel();
        let waiting = Arc::new(AtomicUsize::new(0));
        let scribe = Scribe {
            writer,
            retention,
            lenient,
            full: BTreeMap::new(),
            aside: Vec::new(),
            said: BTreeMap::new(),
            waiting: waiting.clone(),
            kept: kept.clone(),
        };
        let kept = kept.clone();
        let threads = vec![
            std::thread::spawn(move || scribe.run(&to_write)),
            std::thread::spawn(move || read(reader, &to_read, &kept)),
        ];
        Self { entries: Some(entries), queries: Some(queries), waiting, threads }
    }

    /// Whether the disk keeps up.
    pub(super) fn has_room(&self) -> bool {
        self.waiting.load(Ordering::Relaxed) < MAX_UNSTORED_BYTES
    }

    pub(super) fn keep(&self, entry: Entry) {
        self.waiting.fetch_add(bytes_of(&entry), Ordering::Relaxed);
        if let Some(entries) = &self.entries {
            // If the thread is gone, it has said why.
            let _ = entries.send(entry);
        }
    }

    pub(super) fn read(&self, link: LinkId, query: PageQuery) {
        self.ask(Query::Page { link, query });
    }

    pub(super) fn recall(&self, link: Option<LinkId>, query: LinesQuery) {
        self.ask(Query::Lines { link, query });
    }

    fn ask(&self, query: Query) {
        if let Some(queries) = &self.queries {
            let _ = queries.send(query);
        }
    }

    /// Waits until everything is on disk, within reason.
    pub(super) async fn finish(mut self) {
        (self.entries, self.queries) = (None, None);
        let threads = std::mem::take(&mut self.threads);
        let joined = tokio::task::spawn_blocking(move || {
            for thread in threads {
                let _ = thread.join();
            }
        });
        if tokio::time::timeout(FLUSH_TIMEOUT, joined).await.is_err() {
            error!("the disk is too slow: what was said last is accepted and not stored");
        }
    }
}

/// Reads until nobody asks any more.
fn read(mut reader: Box<dyn Reader>, queries: &Receiver<Query>, kept: &Told<Kept>) {
    while let Ok(query) = queries.recv() {
        let answer = match query {
            Query::Page { link, query } => reader.page(&query).map(|page| Input::Page { link, page }),
            Query::Lines { link, query } => {
                let lines = reader.last_lines(&query);
                lines.map(|lines| Input::Lines { link, query, lines })
            }
        };
        let answer = answer.map_or_else(Kept::Failed, |input| Kept::Input(Box::new(input)));
        let is_over = matches!(answer, Kept::Failed(_));
        if kept.blocking_send(answer).is_err() || is_over {
            return;
        }
    }
}

/// The writing thread.
struct Scribe {
    writer: Box<dyn Writer>,
    retention: Retention,
    lenient: bool,
    /// Logs for which there was no space, and from where on: nothing later of them may be kept before that.
    full: BTreeMap<LogKey, Seq>,
    /// Names and memberships for which there was none.
    aside: Vec<Entry>,
    /// Records kept since the retention of a room was last seen to.
    said: BTreeMap<RoomId, usize>,
    waiting: Arc<AtomicUsize>,
    kept: Told<Kept>,
}

impl Scribe {
    fn run(mut self, entries: &Receiver<Entry>) {
        let mut is_idle = false;
        loop {
            let first = match entries.recv_timeout(IDLE) {
                Ok(entry) => entry,
                Err(RecvTimeoutError::Timeout) if is_idle => match entries.recv() {
                    Ok(entry) => entry,
                    Err(_) => return,
                },
                Err(RecvTimeoutError::Timeout) => {
                    is_idle = true;
                    if !self.tidy_up() {
                        return;
                    }
                    continue;
                }
                Err(RecvTimeoutError::Disconnected) => return,
            };
            is_idle = false;
            let batch = self.gather(first, entries);
            let bytes = batch.iter().map(bytes_of).sum();
            let goes_on = self.write(batch);
            self.waiting.fetch_sub(bytes, Ordering::Relaxed);
            if !goes_on {
                return;
            }
        }
    }

    /// All that waits, as far as it fits one transaction.
    fn gather(&self, first: Entry, entries: &Receiver<Entry>) -> Vec<Entry> {
        let mut bytes = bytes_of(&first);
        let mut batch = vec![first];
        while batch.len() < BATCH_ENTRIES && bytes < BATCH_BYTES {
            let Ok(entry) = entries.try_recv() else { break };
            bytes += bytes_of(&entry);
            batch.push(entry);
        }
        batch
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
        self.retain_due(RETAIN_EVERY)
    }

    fn note(&mut self, fit: &[Entry]) {
        let mut logs: BTreeMap<LogKey, Seq> = BTreeMap::new();
        for entry in fit {
            let Entry::Record { record, .. } = entry else { continue };
            let log = record.log();
            self.full.remove(&log);
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

    fn tidy_up(&mut self) -> bool {
        if !self.retain_due(1) {
            return false;
        }
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

fn bytes_of(entry: &Entry) -> usize {
    match entry {
        Entry::Record { record, .. } => ENTRY_BYTES + record.body.len(),
        Entry::Author(_) | Entry::Member { .. } => ENTRY_BYTES,
    }
}

/// Records of each room that are put into memory at the start.
const TAIL_RECORDS: u64 = 200;

/// What a node begins with: which logs there are, and the last records of each room.
pub(super) fn restore(store: &mut Store) -> Result<Restored, StoreError> {
    let survey = store.writer.survey()?;
    let rooms = survey.rooms.into_iter().map(|room| {
        let tail = tail(&mut *store.reader, &room)?;
        Ok((room, tail))
    });
    Ok(Restored { rooms: rooms.collect::<Result<_, StoreError>>()?, authors: survey.authors })
}

fn tail(reader: &mut dyn Reader, room: &StoredRoom) -> Result<Vec<Stored>, StoreError> {
    let wanted = |log: &StoredLog| Wanted { author: log.author, epoch: log.epoch, from: Seq(0), since_ms: 0 };
    let mut query = PageQuery {
        room: room.id.clone(),
        logs: room.logs.iter().map(wanted).collect(),
        after: Arrival(room.last.0.saturating_sub(TAIL_RECORDS)),
        records: BATCH_ENTRIES,
        bytes: KEEP_BYTES,
    };
    let mut tail = Vec::new();
    loop {
        let page = reader.page(&query)?;
        tail.extend(page.records);
        if page.complete {
            return Ok(tail);
        }
        query.after = page.upto;
    }
}
