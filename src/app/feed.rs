//! What links are owed that could not be sent at once: a late joiner, one that comes back, a slow
//! reader and a repair are all the same, a place in a log from which to go on.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Instant,
};

use crate::wire::{Frame, LogKey, NodeId, Record, RoomId, Seq};

use super::{
    LinkId,
    limits::FEED_BATCH,
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
}

/// Where every link that is behind is in every log.
#[derive(Clone, Debug, Default)]
pub(super) struct Feed {
    links: BTreeMap<LinkId, BTreeMap<LogKey, Cursor>>,
}

/// What a batch is read from.
pub(super) trait Source {
    /// A room.
    fn room(&self, id: &RoomId) -> Option<&Room>;
    /// The frame that introduces an author in a room.
    fn author(&self, room: &RoomId, node: NodeId) -> Option<Frame>;
}

impl Feed {
    /// Whether a link is owed anything. Then nothing newer may be sent to it directly.
    pub(super) fn is_behind(&self, link: LinkId) -> bool {
        self.links.contains_key(&link)
    }

    /// Of those who are to hear a new record the ones to whom it can go at once; the others are owed it.
    pub(super) fn direct(&mut self, mut audience: Vec<LinkId>, record: &Record) -> Vec<LinkId> {
        audience.retain(|&link| {
            let behind = self.is_behind(link);
            if behind {
                self.owe(link, record.log(), record.seq);
            }
            !behind
        });
        audience
    }

    /// A link is owed a log from `from` on.
    pub(super) fn owe(&mut self, link: LinkId, log: LogKey, from: Seq) {
        self.put(link, log, Cursor { from, upto: None, announce: false });
    }

    /// A link asked for a part of a log.
    pub(super) fn owe_part(&mut self, link: LinkId, log: LogKey, from: Seq, upto: Seq) {
        self.put(link, log, Cursor { from, upto: Some(upto), announce: false });
    }

    /// A link is owed a log from `from` on and does not know that it begins there.
    pub(super) fn owe_from_start(&mut self, link: LinkId, log: LogKey, from: Seq) {
        self.put(link, log, Cursor { from, upto: None, announce: true });
    }

    /// Frames of an earlier batch that found no room.
    pub(super) fn take_back(&mut self, link: LinkId, refused: Vec<Frame>) {
        for frame in refused {
            match frame {
                Frame::Record(record) => self.owe(link, record.log(), record.seq),
                Frame::Start { log, seq } => self.owe_from_start(link, log, seq),
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
        if let Some(cursors) = self.links.get_mut(&link) {
            cursors.retain(|log, _| log.room != *room);
            if cursors.is_empty() {
                self.links.remove(&link);
            }
        }
    }

    /// The next frames a link is owed, at most [`FEED_BATCH`] records, in the order in which they
    /// came to this node.
    pub(super) fn next_batch(&mut self, link: LinkId, source: &impl Source) -> Vec<Frame> {
        let Some(cursors) = self.links.get_mut(&link) else { return Vec::new() };
        let mut batch = Batch::default();
        for (log, cursor) in cursors.iter_mut() {
            batch.open(log, cursor, source);
        }
        batch.take_records(cursors, source);
        cursors.retain(|log, cursor| find(log, source).is_some_and(|held| cursor.end(held) > cursor.from));
        if cursors.is_empty() {
            self.links.remove(&link);
        }
        batch.frames
    }

    fn put(&mut self, link: LinkId, log: LogKey, cursor: Cursor) {
        let cursors = self.links.entry(link).or_default();
        let entry = cursors.entry(log).or_insert(cursor);
        entry.from = entry.from.min(cursor.from);
        entry.announce |= cursor.announce;
        entry.upto = match (entry.upto, cursor.upto) {
            (Some(a), Some(b)) => Some(a.max(b)),
            _ => None,
        };
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
struct Batch {
    frames: Vec<Frame>,
    heads: BTreeSet<(Instant, LogKey)>,
    introduced: BTreeSet<(RoomId, NodeId)>,
}

impl Batch {
    fn open(&mut self, key: &LogKey, cursor: &mut Cursor, source: &impl Source) {
        let Some(log) = find(key, source) else { return };
        if std::mem::take(&mut cursor.announce) {
            self.frames.push(Frame::Start { log: key.clone(), seq: cursor.from });
        }
        if cursor.from < log.floor() {
            self.frames.push(Frame::Gone { log: key.clone(), floor: log.floor() });
            cursor.from = log.floor();
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
