//! What the tests of several machines begin with.

use crate::{
    app::{Place, Said},
    wire::{Epoch, NodeId, Seq},
};

/// A line that somebody called `from` said in the lobby.
pub(super) fn said(from: &str, seq: u64, text: &str) -> Said {
    Said {
        place: Place::Room("lobby".parse().unwrap()),
        from: from.to_owned(),
        door: None,
        id: NodeId([7; 32]),
        epoch: Epoch(1),
        seq: Seq(seq),
        sent_at_ms: 0,
        text: text.to_owned(),
        historic: false,
        followed: None,
    }
}
