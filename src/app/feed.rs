//! What links are owed that could not be sent at once: a late joiner, one that comes back, a slow
//! reader and a repair are all the same, a place in a log from which to go on. What is no longer in
//! memory is read from the store in pages, in the order in which it arrived.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Instant,
};

use crate::{
    store::{Arrival, Page, PageQuery, Wanted},
    wire::{Epoch, Frame, LogKey, NodeId, Record, RoomId, Seq},
};

use super::{
    LinkId,
    limits::{FEED_BATCH, READ_BYTES, READ_RECORDS},
    log::{Kept, Log},
    room::Room,
};

/// Where a link is in a log.
#[derive(Clone, Copy, Debug)]
struct Cursor {
    /// The next seq it is owed.
    from: Seq,
    /// Where this ends; none: when it has caught up.
    upto: Option<Seq>,
    /// It must be told that the log begins there.
    announce: bool,
    /// Of what is on disk, nothing that came before, unix milliseconds.
    since_ms: u64,
}

/// What one link is owed.
#[derive(Clone, Debug, Default)]
struct Owed {
    cursors: BTreeMap<LogKey, Cursor>,
    /// What is being read from the store.
    reading: Option<Reading>,
    /// How far each room was read.
    read: BTreeMap<RoomId, Arrival>,
}

/// What was asked of the store.
#[derive(Clone, Debug)]
struct Reading {
    room: RoomId,
    /// How far each log was on disk then.
    stored: BTreeMap<(NodeId, Epoch), Seq>,
    /// Something from before that place became wanted meanwhile.
    stale: bool,
}

/// Where every link that is behind is in every log.
#[derive(Clone, Debug, Default)]
pub(super) struct Feed {
    links: BTreeMap<LinkId, Owed>,
}

/// What a batch is read from.
pub(super) trait Source {
    /// A room.
    fn room(&self, id: &RoomId) -> Option<&Room>;
    /// The frame that introduces an author in a room.
    fn author(&self, room: &RoomId, node: NodeId) -> Option<Frame>;
}

/// The next that a link is owed.
#[derive(Debug, Default)]
pub(super) struct Batch {
    /// To be sent now.
    pub(super) frames: Vec<Frame>,
    /// To be read from the store, and the page given to [`Feed::turn_page`].
    pub(super) query: Option<PageQuery>,
}

impl Feed {
    /// Whether a link is owed anything.
    pub(super) fn is_behind(&self, link: LinkId) -> bool {
        self.links.contains_key(&link)
    }

    /// Whether a link waits for the store, and not for room.
    pub(super) fn is_reading(&self, link: LinkId) -> bool {
        self.links.get(&link).is_some_and(|owed| owed.reading.is_some())
    }

    /// Of those who are to hear a new record the ones to whom it can go at once; the others are owed it, as
    /// something of that room is that came before.
    pub(super) fn direct(&mut self, mut audience: Vec<LinkId>, record: &Record) -> Vec<LinkId> {
        audience.retain(|&link| {
            let behind = self.links.get(&link).is_some_and(|owed| owed.is_behind_in(&record.room));
            if behind {
                self.owe(link, record.log(), record.seq);
            }
            !behind
        });
        audience
    }

    /// A link is owed a log from `from` on.
    pub(super) fn owe(&mut self, link: LinkId, log: LogKey, from: Seq) {
        self.put(link, log, Cursor { from, upto: None, announce: false, since_ms: 0 });
    }

    /// A link asked for a part of a log.
    pub(super) fn owe_part(&mut self, link: LinkId, log: LogKey, from: Seq, upto: Seq) {
        self.put(link, log, Cursor { from, upto: Some(upto), announce: false, since_ms: 0 });
    }

    /// A link is owed a log from `from` on and does not know that it begins there; of what is on disk only
    /// what came since.
    pub(super) fn owe_from_start(&mut self, link: LinkId, log: LogKey, from: Seq, since_ms: u64) {
        self.put(link, log, Cursor { from, upto: None, announce: true, since_ms });
    }

    /// Frames of an earlier batch that found no room.
    pub(super) fn take_back(&mut self, link: LinkId, refused: Vec<Frame>) {
        for frame in refused {
            match frame {
                Frame::Record(record) => self.owe(link, record.log(), record.seq),
                Frame::Start { log, seq } => self.owe_from_start(link, log, seq, 0),
                Frame::Gone { log, floor } => self.owe(link, log, floor.prev().unwrap_or_default()),
                _ => {}
            }
        }
    }

    /// A link is gone.
    pub(super) fn forget_link(&mut self, link: LinkId) {
        self.links.remove(&link);
    }

    /// A link left a room.
    pub(super) fn forget_room(&mut self, link: LinkId, room: &RoomId) {
        if let Some(owed) = self.links.get_mut(&link) {
            owed.cursors.retain(|log, _| log.room != *room);
            owed.read.remove(room);
            if owed.cursors.is_empty() && owed.reading.is_none() {
                self.links.remove(&link);
            }
        }
    }

    /// The next frames a link is owed, at most [`FEED_BATCH`] records, in the order in which they
    /// came to this node, and what has to be read before there are more.
    pub(super) fn next_batch(&mut self, link: LinkId, source: &impl Source) -> Batch {
        let Some(owed) = self.links.get_mut(&link) else { return Batch::default() };
        let mut merge = Merge::default();
        let on_disk = owed.rooms_on_disk(source);
        for (log, cursor) in owed.cursors.iter_mut().filter(|(log, _)| !on_disk.contains(&log.room)) {
            merge.open(log, cursor, source);
        }
        merge.take_records(&mut owed.cursors, source);
        owed.settle(source);
        let query = on_disk.into_iter().next().filter(|_| owed.reading.is_none());
        let query = query.and_then(|room| owed.ask(room, source));
        self.drop_if_settled(link);
        Batch { frames: merge.frames, query }
    }

    /// The store has answered: what it brings for a link.
    pub(super) fn turn_page(&mut self, link: LinkId, page: Page, source: &impl Source) -> Vec<Frame> {
        let Some(owed) = self.links.get_mut(&link) else { return Vec::new() };
        let Some(reading) = owed.reading.take() else { return Vec::new() };
        let frames = owed.turn_page(&reading, page, source);
        owed.settle(source);
        self.drop_if_settled(link);
        frames
    }

    fn drop_if_settled(&mut self, link: LinkId) {
        if self.links.get(&link).is_some_and(|owed| owed.cursors.is_empty() && owed.reading.is_none()) {
            self.links.remove(&link);
        }
    }

    fn put(&mut self, link: LinkId, log: LogKey, cursor: Cursor) {
        let owed = self.links.entry(link).or_default();
        let entry = owed.cursors.entry(log.clone());
        let known = matches!(entry, std::collections::btree_map::Entry::Occupied(_));
        let entry = entry.or_insert(cursor);
        if !known || cursor.from < entry.from {
            // What was passed over may be wanted now.
            owed.read.remove(&log.room);
            owed.reading.iter_mut().filter(|reading| reading.room == log.room).for_each(|r| r.stale = true);
        }
        entry.from = entry.from.min(cursor.from);
        entry.announce |= cursor.announce;
        entry.since_ms = entry.since_ms.min(cursor.since_ms);
        entry.upto = match (entry.upto, cursor.upto) {
            (Some(a), Some(b)) => Some(a.max(b)),
            _ => None,
        };
    }
}

impl Owed {
    fn is_behind_in(&self, room: &RoomId) -> bool {
        let first = LogKey { room: room.clone(), author: NodeId([0; 32]), epoch: Epoch(0) };
        let is_read = self.reading.as_ref().is_some_and(|reading| reading.room == *room);
        is_read || self.cursors.range(first..).next().is_some_and(|(log, _)| log.room == *room)
    }

    /// Rooms of which something is wanted that is on disk alone. Nothing of them goes out of memory before, or
    /// it would overtake what came earlier.
    fn rooms_on_disk(&self, source: &impl Source) -> BTreeSet<RoomId> {
        let is_on_disk = |(key, cursor): &(&LogKey, &Cursor)| {
            find(key, source).is_some_and(|log| {
                cursor.from < cursor.end(log) && cursor.from < log.in_memory() && cursor.from < log.stored()
            })
        };
        self.cursors.iter().filter(is_on_disk).map(|(key, _)| key.room.clone()).collect()
    }

    fn ask(&mut self, room: RoomId, source: &impl Source) -> Option<PageQuery> {
        let mut stored = BTreeMap::new();
        let mut logs = Vec::new();
        for (key, cursor) in self.cursors.iter().filter(|(key, _)| key.room == room) {
            let log = find(key, source)?;
            let Cursor { from, since_ms, .. } = *cursor;
            stored.insert((key.author, key.epoch), log.stored());
            logs.push(Wanted { author: key.author, epoch: key.epoch, from, since_ms });
        }
        let after = self.read.get(&room).copied().unwrap_or_default();
        self.reading = Some(Reading { room: room.clone(), stored, stale: false });
        Some(PageQuery { room, logs, after, records: READ_RECORDS, bytes: READ_BYTES })
    }

    fn turn_page(&mut self, reading: &Reading, page: Page, source: &impl Source) -> Vec<Frame> {
        let mut frames = Vec::new();
        let mut introduced = BTreeSet::new();
        for record in page.records.into_iter().map(|stored| stored.record) {
            let key = record.log();
            let Some(cursor) = self.cursors.get_mut(&key).filter(|cursor| cursor.from <= record.seq) else {
                continue;
            };
            if cursor.upto.is_some_and(|upto| upto <= record.seq) {
                continue;
            }
            if std::mem::take(&mut cursor.announce) {
                frames.push(Frame::Start { log: key, seq: record.seq });
            } else if cursor.from < record.seq {
                frames.push(Frame::Gone { log: key, floor: record.seq });
            }
            if introduced.insert(record.author) {
                frames.extend(source.author(&record.room, record.author));
            }
            cursor.from = record.seq.next();
            frames.push(Frame::Record(record));
        }
        if page.complete && !reading.stale {
            self.pass_over(reading, &mut frames);
        }
        if reading.stale || page.complete {
            self.read.remove(&reading.room);
        } else {
            self.read.insert(reading.room.clone(), page.upto);
        }
        frames
    }

    /// What was on disk when it was read, and did not come, is gone from there or from before its time.
    fn pass_over(&mut self, reading: &Reading, frames: &mut Vec<Frame>) {
        for (key, cursor) in self.cursors.iter_mut().filter(|(key, _)| key.room == reading.room) {
            let Some(&stored) = reading.stored.get(&(key.author, key.epoch)) else { continue };
            let floor = cursor.upto.map_or(stored, |upto| stored.min(upto));
            if cursor.from < floor {
                cursor.from = floor;
                let is_missed = !cursor.announce;
                frames.extend(is_missed.then(|| Frame::Gone { log: key.clone(), floor }));
            }
        }
    }

    /// Lets go of what has come to its end.
    fn settle(&mut self, source: &impl Source) {
        self.cursors.retain(|log, cursor| {
            find(log, source).is_some_and(|held| cursor.announce || cursor.end(held) > cursor.from)
        });
    }
}

impl Cursor {
    fn end(&self, log: &Log) -> Seq {
        self.upto.unwrap_or(Seq::LIMIT).min(log.next())
    }
}

fn find<'a>(key: &LogKey, source: &'a impl Source) -> Option<&'a Log> {
    source.room(&key.room)?.log(key.author, key.epoch)
}

/// A batch as it is put together: a merge of several logs by arrival.
#[derive(Default)]
struct Merge {
    frames: Vec<Frame>,
    heads: BTreeSet<(Instant, LogKey)>,
    introduced: BTreeSet<(RoomId, NodeId)>,
}

impl Merge {
    fn open(&mut self, key: &LogKey, cursor: &mut Cursor, source: &impl Source) {
        let Some(log) = find(key, source) else { return };
        if std::mem::take(&mut cursor.announce) {
            self.frames.push(Frame::Start { log: key.clone(), seq: cursor.from });
        }
        if cursor.from < log.in_memory() {
            self.frames.push(Frame::Gone { log: key.clone(), floor: log.in_memory() });
            cursor.from = log.in_memory();
        }
        self.push_head(key, cursor, log);
    }

    fn push_head(&mut self, key: &LogKey, cursor: &Cursor, log: &Log) {
        if cursor.from < cursor.end(log)
            && let Some(kept) = log.get(cursor.from)
        {
            self.heads.insert((kept.arrived, key.clone()));
        }
    }

    fn take_records(&mut self, cursors: &mut BTreeMap<LogKey, Cursor>, source: &impl Source) {
        for _ in 0..FEED_BATCH {
            let Some((_, key)) = self.heads.pop_first() else { return };
            let (Some(cursor), Some(log)) = (cursors.get_mut(&key), find(&key, source)) else { continue };
            let Some(Kept { record, .. }) = log.get(cursor.from) else { continue };
            if self.introduced.insert((record.room.clone(), record.author)) {
                self.frames.extend(source.author(&record.room, record.author));
            }
            self.frames.push(Frame::Record(record.clone()));
            cursor.from = cursor.from.next();
            self.push_head(&key, cursor, log);
        }
    }
}

#[cfg(test)]
mod tests;
