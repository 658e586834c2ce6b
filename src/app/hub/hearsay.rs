//! After a restart: what others remember and this server does not.
//!
//! Clients that come back say how far they have each log. Where one of them has more than another,
//! and the author does not return to say it again, those who have less are shown a gap: what was only
//! in the memory of the server that crashed may be gone, but never silently.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use crate::{
    app::limits::HEARSAY_PATIENCE,
    wire::{Frame, LogKey, NodeId, RoomId, Seq, Vector},
};

use super::Hub;

/// What those who were here before this server began say they have, by room.
#[derive(Debug, Default)]
pub(super) struct Hearsay {
    rooms: BTreeMap<RoomId, Memory>,
}

#[derive(Debug)]
struct Memory {
    deadline: Instant,
    vectors: BTreeMap<NodeId, Vector>,
}

impl Hearsay {
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.rooms.values().map(|memory| memory.deadline).min()
    }
}

impl Hub {
    /// Notes what a node has that was in a room before this server began.
    pub(super) fn hear_say(&mut self, id: &RoomId, node: NodeId, have: &Vector, cut: Instant, now: Instant) {
        let since_start =
            self.started.map_or(Duration::ZERO, |started| now.saturating_duration_since(started));
        let was_before = self.started.is_some_and(|started| cut <= started);
        if !was_before || since_start > HEARSAY_PATIENCE {
            return;
        }
        let memory = Memory { deadline: now + HEARSAY_PATIENCE, vectors: BTreeMap::new() };
        let memory = self.hearsay.rooms.entry(id.clone()).or_insert(memory);
        memory.vectors.insert(node, have.clone());
    }

    pub(super) fn settle_hearsay(&mut self, now: Instant) {
        let due = |memory: &Memory| memory.deadline <= now;
        let ids: Vec<RoomId> =
            self.hearsay.rooms.iter().filter(|(_, memory)| due(memory)).map(|(id, _)| id.clone()).collect();
        for id in ids {
            if let Some(memory) = self.hearsay.rooms.remove(&id) {
                self.settle_room(&id, &memory);
            }
        }
    }

    fn settle_room(&mut self, id: &RoomId, memory: &Memory) {
        for ((author, epoch), next) in furthest(memory) {
            let held = self.rooms.get(id).and_then(|room| room.room.log(author, epoch));
            if held.is_some_and(|log| log.next() >= next) || self.is_here(author, epoch) {
                continue;
            }
            let log = LogKey { room: id.clone(), author, epoch };
            let lacks = |vector: &Vector| vector.get(author, epoch).unwrap_or_default() < next;
            let lacking = memory.vectors.iter().filter(|(node, vector)| **node != author && lacks(vector));
            let links = lacking.filter_map(|(node, _)| self.rooms.get(id)?.members.get(node).copied());
            let links = links.collect();
            self.send_all(links, Frame::Lost { log, upto: next });
        }
    }
}

impl Hub {
    /// Whether the author of a log is connected: then it is the one to say what there is.
    fn is_here(&self, author: NodeId, epoch: crate::wire::Epoch) -> bool {
        let session = self.nodes.get(&author).and_then(|link| self.links.get(link));
        session.is_some_and(|session| session.epoch == epoch)
    }
}

fn furthest(memory: &Memory) -> BTreeMap<(NodeId, crate::wire::Epoch), Seq> {
    let mut furthest = BTreeMap::new();
    for (author, epoch, next) in memory.vectors.values().flat_map(Vector::iter) {
        let entry = furthest.entry((author, epoch)).or_insert(next);
        *entry = next.max(*entry);
    }
    furthest
}
