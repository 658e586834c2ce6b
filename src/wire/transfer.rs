//! Files on their way from one node to others: which transfer, and what is offered.

use std::fmt;

use data_encoding::BASE32_NOPAD;
use serde::{Deserialize, Serialize};

use super::{Epoch, Nick, NodeId, RoomName};

/// Bytes of the longest name of a file that is offered: what file systems take.
pub const MAX_FILE_NAME_BYTES: usize = 255;

/// Nodes that one offer names; one more makes it malformed.
pub const MAX_RECEIVERS: usize = 256;

/// Bytes of a file in one chunk, at most: with its frame it stays below
/// [`MAX_FRAME_BYTES`](super::MAX_FRAME_BYTES).
pub const MAX_CHUNK_BYTES: usize = 60 << 10;

/// One file that one node offered once: it keeps this name through breaks and restarts of either side.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TransferId {
    /// Who offered it.
    pub sender: NodeId,
    /// In which run.
    pub epoch: Epoch,
    /// Its how manyeth.
    pub number: u32,
}

impl fmt::Display for TransferId {
    /// Safe as the name of a file.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}-{}", BASE32_NOPAD.encode(&self.sender.0).to_lowercase(), self.epoch.0, self.number)
    }
}

/// A file that somebody would send.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Offer {
    /// Which.
    pub transfer: TransferId,
    /// The name of the sender; a server puts in the one it knows.
    pub from: Nick,
    /// To whom, at most [`MAX_RECEIVERS`]. What a server passes on names only the one it goes to.
    pub to: Vec<NodeId>,
    /// The room it was offered in; none where it is for these people only.
    pub room: Option<RoomName>,
    /// What it is called there, at most [`MAX_FILE_NAME_BYTES`]: shown, never used as it is.
    pub name: String,
    /// How long it is, in bytes.
    pub len: u64,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::PublicKey;

    #[test]
    fn is_the_text_of_a_transfer_safe_as_the_name_of_a_file() {
        let sender = NodeId::of(&PublicKey([7; 32]));
        let text = TransferId { sender, epoch: Epoch(1_763_680_000), number: 3 }.to_string();
        assert!(text.ends_with("-1763680000-3"));
        assert!(text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-'));
        assert!(text.len() < 100);
    }
}
