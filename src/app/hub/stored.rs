//! What is on disk: restored at the start, said to its authors, read for those who lack it.

use crate::{
    app::{
        LinkId, Now, Restored,
        room::{Keep, Room},
    },
    store::{Author, Page},
    wire::{AckLevel, Epoch, Frame, LogKey, NodeId, Record, RoomId, Seq},
};

use super::{Hub, HubRoom, waiting};

impl Hub {
    /// Goes on where the store was left.
    pub(super) fn restore(&mut self, restored: Restored, now: Now) {
        let Restored { rooms, authors } = restored;
        self.known.extend(authors.into_iter().map(|author| (author.node, author.nick)));
        self.keeping.begin(self.known.clone());
        let at = |unix_ms: u64| now.moment_of(unix_ms);
        for (stored, tail) in rooms {
            let tail = tail.into_iter().map(|line| (line.record, at(line.arrived_ms))).collect();
            let room = Room::restored(&stored, tail, Keep::ALL, at);
            self.kept_bytes += room.kept_bytes();
            let last = stored.logs.iter().map(|log| log.arrived_ms.1).max().unwrap_or_default();
            let waiting = waiting::restored(&stored.id, stored.member_since_ms.map(at));
            let entered = HubRoom { room, members: [].into(), active_at: at(last), waiting };
            self.rooms.insert(stored.id, entered);
        }
    }

    /// Puts a record on disk, and what its author is called where that is news.
    pub(super) fn keep(&mut self, record: &Record, now: Now) {
        if !self.keeping.is_on() {
            return;
        }
        let nick = self.known.get(&record.author).cloned();
        let author = nick.map(|nick| Author { node: record.author, nick, key: None });
        self.actions.extend(self.keeping.record(record, author, now.unix_ms));
    }

    /// Its author says a record again for which there was no space.
    pub(super) fn keep_again(&mut self, record: &Record, now: Now) {
        let room = self.rooms.get(&record.room);
        let log = room.and_then(|room| room.room.log(record.author, record.epoch));
        if log.and_then(crate::app::log::Log::unstored).is_some_and(|from| from <= record.seq) {
            self.keep(record, now);
        }
    }

    /// Tells one who comes back how far its own logs are here, and on disk. Ahead of `Joined`, so that it knows
    /// then which of earlier runs are not.
    pub(super) fn say_stored(&mut self, link: LinkId, id: &RoomId, node: NodeId, now: Epoch) {
        let Some(room) = self.rooms.get(id).filter(|_| self.keeping.is_on()) else { return };
        let own = room.room.vector().iter().filter(|(author, ..)| *author == node).collect::<Vec<_>>();
        for (_, epoch, next) in own {
            let log = self.rooms.get(id).and_then(|room| room.room.log(node, epoch));
            let stored = log.map_or(Seq(0), crate::app::log::Log::stored);
            let log = LogKey { room: id.clone(), author: node, epoch };
            if epoch != now {
                self.send(link, Frame::Ack { log: log.clone(), next, level: AckLevel::Accepted });
            }
            self.send(link, Frame::Ack { log, next: stored, level: AckLevel::Stored });
        }
    }

    pub(super) fn handle_stored(&mut self, logs: Vec<(LogKey, Seq)>) {
        for (log, next) in logs {
            let room = self.rooms.get_mut(&log.room);
            let is_news = room.is_some_and(|room| room.room.on_stored(log.author, log.epoch, next));
            if let Some(link) = self.author_of(&log).filter(|_| is_news) {
                self.send(link, Frame::Ack { log, next, level: AckLevel::Stored });
            }
        }
        self.shrink();
    }

    pub(super) fn handle_unstored(&mut self, logs: Vec<(LogKey, Seq)>) {
        for (log, from) in logs {
            if let Some(room) = self.rooms.get_mut(&log.room) {
                room.room.on_unstored(log.author, log.epoch, from);
            }
            if let Some(link) = self.author_of(&log) {
                self.send(link, Frame::Unstored { log, from });
            }
        }
    }

    pub(super) fn handle_retained(&mut self, logs: &[(LogKey, Seq)]) {
        for (log, first) in logs {
            if let Some(room) = self.rooms.get_mut(&log.room) {
                room.room.on_retained(log.author, log.epoch, *first);
            }
        }
    }

    fn author_of(&self, log: &LogKey) -> Option<LinkId> {
        self.nodes.get(&log.author).copied()
    }

    pub(super) fn handle_page(&mut self, link: LinkId, page: Page) {
        let mut feed = std::mem::take(&mut self.feed);
        let frames = feed.turn_page(link, page, self);
        self.feed = feed;
        self.send_batch(link, frames);
    }
}
