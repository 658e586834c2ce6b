//! Private lines for somebody who is not here: they wait, as long and as many as the limits say.

use std::{collections::BTreeMap, time::Instant};

use crate::{
    app::{
        LinkId, Now,
        limits::{AGE_SLACK, MAX_WAITING_LINES, WAITING_PATIENCE},
    },
    wire::{Frame, Nick, NodeId, Record, RoomId},
};

use super::{Hub, HubRoom, Session};

/// What waits in a private room.
#[derive(Clone, Copy, Debug)]
pub(super) struct Waiting {
    /// Since when.
    since: Instant,
    /// How much of it came in this run of the server.
    lines: usize,
}

/// As an earlier run of this server left it; for whom it waits, is not on disk.
pub(super) fn restored(id: &RoomId, since: Option<Instant>) -> BTreeMap<NodeId, Waiting> {
    let (Some(pair), Some(since)) = (id.pair(), since) else { return BTreeMap::new() };
    pair.members().map(|node| (node, Waiting { since, lines: 0 })).into()
}

impl HubRoom {
    /// Since when a subscriber is owed what was said, if by its own account it is since `cut`.
    pub(super) fn reaches_back(&self, node: NodeId, cut: Instant, now: Instant) -> Instant {
        let Some(waiting) = self.waiting.get(&node) else { return cut };
        let since = waiting.since.checked_sub(AGE_SLACK).unwrap_or(waiting.since);
        let expired = now.checked_sub(WAITING_PATIENCE);
        cut.min(expired.map_or(since, |expired| since.max(expired)))
    }
}

impl Hub {
    /// Who was called this and is away; nobody if it was more than one.
    pub(super) fn away(&self, nick: &Nick) -> Option<NodeId> {
        // Who comes through a door is somebody else each time.
        let mut called = self.known.iter().filter(|(_, known)| *known == nick && known.door().is_none());
        let (node, _) = called.next()?;
        called.next().is_none().then_some(*node)
    }

    /// Whether one more line like this may wait, if it would have to.
    pub(super) fn may_wait(&self, record: &Record) -> bool {
        let (Some(room), Some(other)) = (self.rooms.get(&record.room), other(&record.room, record.author))
        else {
            return true;
        };
        let waiting = room.waiting.get(&other).filter(|_| !room.members.contains_key(&other));
        waiting.is_none_or(|waiting| waiting.lines < MAX_WAITING_LINES)
    }

    /// Has a private line wait if the other is not there. To be on disk before the line is.
    pub(super) fn note_waiting(&mut self, record: &Record, now: Now) {
        let (id, other) = (&record.room, other(&record.room, record.author));
        let Some(other) = other else { return };
        let Some(room) = self.rooms.get_mut(id).filter(|room| !room.members.contains_key(&other)) else {
            return;
        };
        let is_first = room.waiting.is_empty();
        room.waiting.entry(other).or_insert(Waiting { since: now.instant, lines: 0 }).lines += 1;
        if is_first {
            self.actions.extend(self.keeping.member(id, Some(now.unix_ms)));
        }
    }

    /// Tells the other member of a pair room to come and get what is there.
    pub(super) fn wake_pair(&mut self, record: &Record) {
        let (Some(other), Some(pair)) = (other(&record.room, record.author), record.room.pair()) else {
            return;
        };
        let Some(&link) = self.nodes.get(&other) else { return };
        if self.links.get(&link).is_some_and(|session| !session.rooms.contains(&record.room)) {
            self.send(link, Frame::Pairs { pairs: vec![*pair] });
        }
    }

    /// Somebody goes. If in good order and with nothing more on its way to them, they have read what waited for
    /// them; if not, another run of them is told again.
    pub(super) fn note_read(&mut self, link: LinkId, in_order: bool) {
        let behind = self.feed.is_behind(link);
        let has_read = |session: &&Session| (in_order || session.bye) && !behind;
        let Some(session) = self.links.get(&link).filter(has_read) else { return };
        for id in session.rooms.iter().filter(|id| id.pair().is_some()) {
            let Some(room) = self.rooms.get_mut(id) else { continue };
            if room.waiting.remove(&session.node).is_some() && room.waiting.is_empty() {
                self.actions.extend(self.keeping.member(id, None));
            }
        }
    }
}

fn other(id: &RoomId, author: NodeId) -> Option<NodeId> {
    id.pair()?.other(author)
}

/// Why a line may not wait.
pub(super) fn too_many() -> String {
    format!("they are away, and {MAX_WAITING_LINES} lines wait for them already")
}
