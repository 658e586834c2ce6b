//! Questions to both stores, and to the one on disk what becomes of it when the disk misbehaves.

mod answers;
mod crash;
mod disk;
mod files;
mod model;
mod rot;

use std::{
    fs,
    path::{Path, PathBuf},
};

use super::*;
use crate::wire::{Kind, Signature};

/// A directory of one test, removed with it.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let dir = std::env::temp_dir().join(format!("sayagain-store-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&dir);
        fs::create_dir_all(&dir).unwrap();
        Self(dir)
    }

    fn file(&self) -> PathBuf {
        self.0.join("history")
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

const FAST: Options = Options { instance: 7, relaxed: true };
const SAFE: Options = Options { instance: 7, relaxed: false };

const EVERYTHING: Retention = Retention { records: u64::MAX, bytes: u64::MAX, age_ms: u64::MAX };

fn node(number: u8) -> NodeId {
    NodeId([number; 32])
}

fn room(name: &str) -> RoomId {
    RoomId::Public(name.parse().unwrap())
}

fn lobby() -> RoomId {
    room("lobby")
}

fn record(room: &RoomId, author: u8, seq: u64, body: &str) -> Record {
    Record {
        room: room.clone(),
        author: node(author),
        epoch: Epoch(1),
        seq: Seq(seq),
        lamport: seq + 1,
        sent_at_ms: 1_000 + seq,
        kind: Kind::TEXT,
        body: body.to_owned().into(),
        signature: (author > 1).then_some(Signature { prev: [author; 16], halves: ([3; 32], [4; 32]) }),
    }
}

fn entry(record: Record, arrived_ms: u64) -> Entry {
    Entry::Record { record, arrived_ms }
}

/// Lines of one author, each of `bytes`.
fn lines(author: u8, seqs: std::ops::Range<u64>, bytes: usize) -> Vec<Entry> {
    let line = |seq: u64| format!("{:x<bytes$}", format!("{author}.{seq} "));
    seqs.map(|seq| entry(record(&lobby(), author, seq, &line(seq)), 10_000 + seq)).collect()
}

/// All that is kept of a room, in pages.
fn everything(reader: &mut dyn Reader, survey: &Survey, room: &RoomId) -> Result<Vec<Stored>, StoreError> {
    let Some(found) = survey.rooms.iter().find(|found| found.id == *room) else { return Ok(Vec::new()) };
    let wanted = |log: &StoredLog| Wanted { author: log.author, epoch: log.epoch, from: Seq(0), since_ms: 0 };
    let logs = found.logs.iter().map(wanted).collect();
    let mut query = PageQuery { room: room.clone(), logs, after: Arrival(0), records: 50, bytes: 1 << 20 };
    let mut all = Vec::new();
    loop {
        let page = reader.page(&query)?;
        all.extend(page.records);
        if page.complete {
            return Ok(all);
        }
        assert!(page.upto > query.after, "progress");
        query.after = page.upto;
    }
}

fn survey_and_rooms(
    writer: &mut dyn Writer,
    reader: &mut dyn Reader,
) -> Result<(String, Vec<Stored>), StoreError> {
    let survey = writer.survey()?;
    let mut all = Vec::new();
    for room in &survey.rooms {
        all.extend(everything(reader, &survey, &room.id)?);
    }
    Ok((told(&Survey { instance: 0, ..survey }), all))
}

/// Tells names apart by every character, as `==` does not.
fn told(survey: &Survey) -> String {
    format!("{survey:?}")
}

fn copy(from: &Path, to: &Path, suffixes: &[&str]) {
    for suffix in suffixes {
        let at = |path: &Path| PathBuf::from(format!("{}{suffix}", path.display()));
        if at(from).exists() {
            fs::copy(at(from), at(to)).unwrap();
        }
    }
}
