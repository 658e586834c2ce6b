//! What a peer remembers of links, people, rooms and requests.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    time::Instant,
};

use crate::{
    app::{LinkId, Term, room::Room},
    wire::{Addr, Epoch, Nick, NodeId, PublicKey, RecordId, RoomId, Seq, Vector},
};

/// One link to another member.
#[derive(Debug)]
pub(super) struct Neighbour {
    pub(super) node: NodeId,
    pub(super) nick: Nick,
    pub(super) epoch: Epoch,
    pub(super) addr: SocketAddr,
    pub(super) dialed: Option<Addr>,
    pub(super) listen: Vec<Addr>,
    pub(super) up_at: Instant,
    /// Its rooms, and since when it is owed what is said there.
    pub(super) rooms: BTreeMap<RoomId, Instant>,
    /// How far it acknowledged this node's own log of a room.
    pub(super) acked: BTreeMap<RoomId, Seq>,
    /// When it last brought what came next of its own log of a room.
    pub(super) brought: BTreeMap<RoomId, Instant>,
    /// When it was last told how far this node has a room.
    pub(super) told: BTreeMap<RoomId, Instant>,
    pub(super) partial: Option<(RoomId, Vector)>,
    pub(super) terms: Vec<Term>,
    /// Whether files may be offered to it.
    pub(super) takes_files: bool,
    pub(super) bye: bool,
    /// Its coming up was told, so its going down is too.
    pub(super) told_up: bool,
    /// The other end keeps another link, which may not be up here yet.
    pub(super) surplus: bool,
    pub(super) closing: bool,
    /// Closed in favour of another link: what it still brings counts.
    pub(super) draining: bool,
}

impl Neighbour {
    /// Whether it is this run of a node: what it says of its own logs is final.
    pub(super) fn is(&self, author: NodeId, epoch: Epoch) -> bool {
        (self.node, self.epoch) == (author, epoch)
    }
}

/// Who somebody is, remembered beyond their link.
#[derive(Clone, Debug)]
pub(super) struct Person {
    pub(super) nick: Nick,
    pub(super) key: PublicKey,
}

/// One room.
#[derive(Debug)]
pub(super) struct MeshRoom {
    pub(super) room: Room,
    /// Whether this node is in it; its own log outlives its stay.
    pub(super) inside: bool,
    pub(super) joined_at: Instant,
    /// Since when this node is in it, if it was before this run.
    pub(super) since: Option<Instant>,
    /// Who is in it, as announced to the person here.
    pub(super) present: BTreeSet<NodeId>,
    /// Own records up to here were reported as delivered.
    pub(super) reported: Seq,
    pub(super) recall: Recall,
    /// The line from which on it was shown last: what is older was not.
    pub(super) oldest: Option<RecordId>,
    /// Lines shown as lines from before, at most one answer's worth: not shown again if they come live.
    pub(super) shown_past: BTreeSet<RecordId>,
}

/// Lines from before that members are asked for, one after the other, until one has some.
#[derive(Debug, Default)]
pub(super) struct Recall {
    /// How many; 0: none are wanted.
    pub(super) limit: u16,
    /// Those before this one.
    pub(super) before: Option<RecordId>,
    /// The person here asked: is told when nobody has any. Else whoever comes later is asked too.
    pub(super) is_urgent: bool,
    /// Who was asked.
    pub(super) asked: BTreeSet<NodeId>,
    /// Who has yet to answer.
    pub(super) pending: Option<LinkId>,
}

/// A request for records that was not answered yet.
#[derive(Debug)]
pub(super) struct Wanted {
    pub(super) link: LinkId,
    pub(super) from: Seq,
    pub(super) upto: Seq,
    pub(super) until: Instant,
}

/// Records that those who are near no longer hold.
#[derive(Debug)]
pub(super) struct Missing {
    /// The lowest seq that anybody near holds, and who that is.
    pub(super) floor: Seq,
    pub(super) link: LinkId,
    /// Shown as a gap then, unless they have come.
    pub(super) until: Instant,
}
