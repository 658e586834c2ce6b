use std::{
    sync::{
        Mutex,
        mpsc::{Sender, channel},
    },
    thread::JoinHandle,
};

use super::*;
use crate::{
    store::Survey,
    wire::{Epoch, Kind, NodeId, Record},
};

/// What was asked of the disk: how many entries each transaction had, and how often it was left alone.
#[derive(Debug, Default)]
struct Asked {
    batches: Vec<usize>,
    idle: usize,
}

/// A disk that is always done at once.
#[derive(Debug, Default)]
struct Counted(Arc<Mutex<Asked>>);

impl Writer for Counted {
    fn survey(&mut self) -> Result<Survey, StoreError> {
        Ok(Survey::default())
    }

    fn append(&mut self, entries: &[Entry]) -> Result<(), StoreError> {
        self.0.lock().unwrap().batches.push(entries.len());
        Ok(())
    }

    fn retain(&mut self, _: &RoomId, _: Retention, _: u64) -> Result<Vec<(NodeId, Epoch, Seq)>, StoreError> {
        Ok(Vec::new())
    }

    fn idle(&mut self) -> Result<(), StoreError> {
        self.0.lock().unwrap().idle += 1;
        Ok(())
    }
}

struct Writing {
    entries: Sender<Entry>,
    stored: tokio::sync::mpsc::Receiver<Kept>,
    asked: Arc<Mutex<Asked>>,
    thread: JoinHandle<()>,
}

const EVERYTHING: Retention = Retention { records: u64::MAX, bytes: u64::MAX, age_ms: u64::MAX };

fn scribe(kept: Told<Kept>) -> (Scribe, Arc<Mutex<Asked>>) {
    let asked = Arc::<Mutex<Asked>>::default();
    let writer = Box::new(Counted(asked.clone()));
    (Scribe::new(writer, EVERYTHING, false, Arc::default(), kept), asked)
}

/// As it was said long ago.
fn line(room: &str, author: u8, seq: Seq) -> Entry {
    let record = Record {
        room: RoomId::Public(room.parse().unwrap()),
        author: NodeId([author; 32]),
        epoch: Epoch(1),
        seq,
        lamport: 0,
        sent_at_ms: 0,
        kind: Kind::TEXT,
        body: "a line".into(),
        signature: None,
    };
    Entry::Record { record, arrived_ms: 0 }
}

impl Writing {
    fn start() -> Self {
        let (entries, to_write) = channel();
        let (kept, stored) = tokio::sync::mpsc::channel(1_024);
        let (scribe, asked) = scribe(kept);
        Self { entries, stored, asked, thread: std::thread::spawn(move || scribe.run(&to_write)) }
    }

    fn say(&self, author: u8, seq: Seq) {
        self.entries.send(line("lobby", author, seq)).unwrap();
    }

    /// The logs that a transaction was for.
    fn stored(&mut self) -> Vec<(LogKey, Seq)> {
        match self.stored.blocking_recv() {
            Some(Kept::Input(input)) => match *input {
                Input::Stored { logs } => logs,
                other => panic!("{other:?}"),
            },
            other => panic!("{other:?}"),
        }
    }

    fn end(self) -> Asked {
        drop(self.entries);
        self.thread.join().unwrap();
        std::mem::take(&mut self.asked.lock().unwrap())
    }
}

#[test]
fn do_many_who_wait_for_their_word_share_a_transaction() {
    const TALKERS: u8 = 40;
    const LINES: u64 = 50;
    let mut writing = Writing::start();
    (0..TALKERS).for_each(|author| writing.say(author, Seq(0)));
    let mut under_way = TALKERS;
    while under_way > 0 {
        for (log, next) in writing.stored() {
            if next == Seq(LINES) {
                under_way -= 1;
            } else {
                writing.say(log.author.0[0], next);
            }
        }
    }
    let batches = writing.end().batches;
    let records = u64::from(TALKERS) * LINES;
    assert_eq!(batches.iter().sum::<usize>() as u64, records);
    assert!(records >= 20 * batches.len() as u64, "{} transactions for {records} records", batches.len());
}

#[test]
fn is_one_who_talks_alone_waited_for() {
    let mut writing = Writing::start();
    for seq in 0..100 {
        writing.say(1, Seq(seq));
        assert_eq!(writing.stored().len(), 1);
    }
    assert_eq!(writing.end().batches, [1; 100]);
}

#[test]
fn is_a_transaction_longer_than_the_limit_says() {
    let mut writing = Writing::start();
    let lines = 3 * BATCH_ENTRIES as u64;
    (0..lines).for_each(|seq| writing.say(1, Seq(seq)));
    while writing.stored().iter().all(|(_, next)| next.0 < lines) {}
    let batches = writing.end().batches;
    assert!(batches.iter().all(|batch| *batch <= BATCH_ENTRIES), "{batches:?}");
}

#[test]
fn does_a_line_now_and_then_make_the_store_do_what_it_puts_off() {
    for (entries, idle) in [(PUT_OFF_ENTRIES - 1, 1), (PUT_OFF_ENTRIES, 2)] {
        let (kept, _stored) = tokio::sync::mpsc::channel(1);
        let (mut scribe, asked) = scribe(kept);
        let name = Entry::Member { room: RoomId::Public("lobby".parse().unwrap()), since_ms: None };
        assert!(scribe.tidy_up(), "what the run before left");
        assert!(scribe.write(vec![name; entries]));
        assert!(scribe.tidy_up() && scribe.tidy_up());
        assert_eq!(asked.lock().unwrap().idle, idle);
    }
}

#[test]
fn do_lines_grow_old_in_rooms_where_nothing_more_is_said() {
    let (mut writer, _reader) = crate::store::memory();
    writer.append(&["attic", "cellar"].map(|room| line(room, 1, Seq(0)))).unwrap();
    let day = Retention { age_ms: 24 * 3_600_000, ..EVERYTHING };
    let (kept, mut told) = tokio::sync::mpsc::channel(8);
    let mut scribe = Scribe::new(writer, day, false, Arc::default(), kept);
    let mut gone = move |scribe: &mut Scribe| {
        assert!(scribe.tidy_up());
        let mut rooms = Vec::new();
        while let Ok(Kept::Input(input)) = told.try_recv() {
            let Input::Retained { logs } = *input else { panic!("{input:?}") };
            rooms.extend(logs.into_iter().map(|(log, first)| (log.room, first)));
        }
        rooms
    };
    let both = |next| ["attic", "cellar"].map(|room| (RoomId::Public(room.parse().unwrap()), Seq(next)));
    assert_eq!(gone(&mut scribe), both(1), "what earlier runs left");
    scribe.writer.append(&["attic", "cellar"].map(|room| line(room, 1, Seq(1)))).unwrap();
    assert_eq!(gone(&mut scribe), [], "all rooms are looked at now and then only");
    scribe.swept = Instant::now().checked_sub(SWEEP_EVERY);
    assert_eq!(gone(&mut scribe), both(2));
}
