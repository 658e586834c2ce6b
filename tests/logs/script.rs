//! Authors who say things, and nodes that hear them.

use std::time::{Duration, Instant};

use bytes::Bytes;
use sayagain::{
    app::{
        log::Inserted,
        room::{Keep, Room},
    },
    wire::{Epoch, Kind, NodeId, Record, RecordHash, RoomId, Seq, Signature},
};

/// The moment a test begins.
pub(crate) fn start() -> Instant {
    tokio::time::Instant::now().into_std()
}

pub(crate) fn author(number: u8) -> NodeId {
    NodeId([number; 32])
}

pub(crate) fn lobby() -> RoomId {
    RoomId::Public("lobby".parse().unwrap())
}

pub(crate) fn room(keep: Keep) -> Room {
    Room::new(lobby(), keep)
}

/// One record without a signature.
pub(crate) fn said(by: u8, seq: u64, body: &str) -> Record {
    Record {
        room: lobby(),
        author: author(by),
        epoch: Epoch(1),
        seq: Seq(seq),
        lamport: seq + 1,
        sent_at_ms: 0,
        kind: Kind::TEXT,
        body: Bytes::copy_from_slice(body.as_bytes()),
        signature: None,
    }
}

/// A record that names the one before it; whether its signature is true is not asked here.
pub(crate) fn follows(prev: RecordHash, by: u8, seq: u64, body: &str) -> Record {
    Record { signature: Some(Signature { prev, halves: ([0; 32], [0; 32]) }), ..said(by, seq, body) }
}

/// Everything an author says, each record naming the one before it.
pub(crate) fn speech(by: u8, len: u64) -> Vec<Record> {
    let mut prev = [0; 16];
    let say = |seq| {
        let record = follows(prev, by, seq, &format!("{by}:{seq}"));
        prev = record.hash();
        record
    };
    (0..len).map(say).collect()
}

/// A node: what it keeps, and what it showed.
pub(crate) struct Hearer {
    pub(crate) room: Room,
    pub(crate) shown: Vec<(NodeId, u64)>,
    now: Instant,
}

impl Hearer {
    pub(crate) fn new(begun: Instant) -> Self {
        Self { room: room(Keep::ALL), shown: Vec::new(), now: begun }
    }

    /// Hears one record, a millisecond after the last.
    pub(crate) fn hear(&mut self, record: &Record) {
        self.now += Duration::from_millis(1);
        if let Ok(Inserted::Next(run)) = self.room.insert(record.clone(), self.now) {
            self.shown.extend(run.iter().map(|record| (record.author, record.seq.0)));
        }
    }

    /// Hears all that another has and this one lacks, as one exchange of vectors brings it.
    pub(crate) fn catch_up(&mut self, with: &Room, cut: Instant) {
        for owed in with.owed(&self.room.vector(), cut, cut) {
            let log = with.log(owed.author, owed.epoch).unwrap();
            let records: Vec<Record> = log.read(owed.start).map(|kept| kept.record.clone()).collect();
            records.iter().for_each(|record| self.hear(record));
        }
    }

    /// What it showed of one author.
    pub(crate) fn shown_of(&self, by: u8) -> Vec<u64> {
        self.shown.iter().filter(|(node, _)| *node == author(by)).map(|(_, seq)| *seq).collect()
    }
}
