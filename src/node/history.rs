//! The store's two threads: one writes, one reads what links lack.

mod scribe;

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
        mpsc::{self, Receiver, Sender},
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
    wire::Seq,
};

use scribe::{BATCH_ENTRIES, Scribe};

/// Bytes of bodies that wait for the disk before the node takes nothing more from its links.
pub const MAX_UNSTORED_BYTES: usize = 8 << 20;

/// Answers of the store that wait for the driver, which always takes them. The store waits when it is full.
pub const KEPT_QUEUE: usize = 256;

/// What an entry counts beside its body.
const ENTRY_BYTES: usize = 256;

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
        let scribe = Scribe::new(writer, retention, lenient, waiting.clone(), kept.clone());
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
