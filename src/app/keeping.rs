//! What a node with a store puts on disk, and whose name is there already.

use std::collections::BTreeMap;

use crate::{
    store::{Author, Entry},
    wire::{Nick, NodeId, Record, RoomId},
};

use super::Action;

/// Off until the store was read.
#[derive(Debug, Default)]
pub(super) struct Keeping {
    is_on: bool,
    /// Authors on disk, as they are called there.
    named: BTreeMap<NodeId, Nick>,
}

impl Keeping {
    /// There is a store, and these names are in it.
    pub(super) fn begin(&mut self, named: impl IntoIterator<Item = (NodeId, Nick)>) {
        self.is_on = true;
        self.named.extend(named);
    }

    /// Whether there is a store.
    pub(super) const fn is_on(&self) -> bool {
        self.is_on
    }

    /// Puts a record on disk, and before it who its author is, as far as that is known and news. There must be
    /// a store.
    pub(super) fn record(
        &mut self,
        record: &Record,
        author: Option<Author>,
        arrived_ms: u64,
    ) -> impl Iterator<Item = Action> + use<> {
        let author = author.filter(|author| self.named.get(&author.node) != Some(&author.nick));
        if let Some(Author { node, nick, .. }) = &author {
            self.named.insert(*node, nick.clone());
        }
        let record = Entry::Record { record: record.clone(), arrived_ms };
        author.map(Entry::Author).into_iter().chain([record]).map(Action::Keep)
    }

    /// Puts on disk since when this node is in a room, or that it is no more.
    pub(super) fn member(&self, room: &RoomId, since_ms: Option<u64>) -> Option<Action> {
        self.is_on.then(|| Action::Keep(Entry::Member { room: room.clone(), since_ms }))
    }
}
