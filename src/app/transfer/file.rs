//! What a node does with files for its transfers: asked for here, done elsewhere.

use std::path::PathBuf;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::wire::{ErrorCode, Nick, NodeId, RoomName, TransferId};

/// Something to be done with a file. Those of one transfer are done in order; each but [`FileJob::Close`],
/// [`FileJob::Keep`] and [`FileJob::Forget`] is answered by its [`FileNews`] or by [`FileNews::Failed`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FileJob {
    /// Look at a file that is to be sent; answered by `Opened`.
    Open {
        /// For which.
        transfer: TransferId,
        /// Where it is.
        path: PathBuf,
    },
    /// Read a part of a file that is sent; answered by `Read`.
    Read {
        /// Of which.
        transfer: TransferId,
        /// Where it begins.
        offset: u64,
        /// How much: all of it must be there.
        len: usize,
    },
    /// The digest of a file that is sent, which must be what it was when it was opened; answered by `Digest`.
    Digest {
        /// Of which.
        transfer: TransferId,
    },
    /// Make room for a file that is to come, or find what is there of it; answered by `Created`.
    Create {
        /// Which.
        transfer: TransferId,
        /// How long it will be.
        len: u64,
    },
    /// Put a part behind what is there; answered by `Written`.
    Write {
        /// Of which.
        transfer: TransferId,
        /// Where it begins: behind everything written before.
        offset: u64,
        /// The part.
        bytes: Bytes,
    },
    /// All of it is there: verify it, make it durable, give it a name; answered by `Saved`.
    Seal {
        /// Which.
        transfer: TransferId,
        /// What its sender calls it.
        name: String,
        /// BLAKE3 of the whole.
        digest: [u8; 32],
    },
    /// Nothing more is asked about this one.
    Close {
        /// Which.
        transfer: TransferId,
        /// Throw away what has arrived of it.
        discard: bool,
    },
    /// Remember a transfer beyond this run.
    Keep(KeptTransfer),
    /// No longer.
    Forget(TransferId),
}

impl FileJob {
    /// Which transfer it is for.
    pub const fn transfer(&self) -> TransferId {
        match self {
            Self::Open { transfer, .. }
            | Self::Read { transfer, .. }
            | Self::Digest { transfer }
            | Self::Create { transfer, .. }
            | Self::Write { transfer, .. }
            | Self::Seal { transfer, .. }
            | Self::Close { transfer, .. }
            | Self::Forget(transfer) => *transfer,
            Self::Keep(kept) => kept.transfer(),
        }
    }
}

/// What came of a [`FileJob`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FileNews {
    /// The file is there and can be read.
    Opened {
        /// For which.
        transfer: TransferId,
        /// The last part of its path.
        name: String,
        /// How long it is.
        len: u64,
        /// When it was last changed, unix milliseconds.
        modified_ms: u64,
    },
    /// A part of it.
    Read {
        /// Of which.
        transfer: TransferId,
        /// Where it begins.
        offset: u64,
        /// The part, as long as it was asked for.
        bytes: Bytes,
    },
    /// Its digest.
    Digest {
        /// Of which.
        transfer: TransferId,
        /// BLAKE3 of the whole.
        digest: [u8; 32],
    },
    /// There is room for it.
    Created {
        /// Which.
        transfer: TransferId,
        /// How much of it is there from before.
        held: u64,
    },
    /// A part is written.
    Written {
        /// Of which.
        transfer: TransferId,
        /// Everything before this is.
        upto: u64,
    },
    /// It is verified, durable and has its name.
    Saved {
        /// Which.
        transfer: TransferId,
        /// Where it is.
        path: PathBuf,
    },
    /// It did not work; what was asked for behind it is not done either.
    Failed {
        /// Which.
        transfer: TransferId,
        /// What went wrong.
        fault: FileFault,
    },
}

/// What went wrong with a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileFault {
    /// [`ErrorCode::NoSpace`], [`ErrorCode::FileChanged`], [`ErrorCode::FileDamaged`] or
    /// [`ErrorCode::FileFailed`].
    pub code: ErrorCode,
    /// In words.
    pub detail: String,
}

/// A transfer that is remembered beyond this run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeptTransfer {
    /// A file being sent.
    Outgoing(KeptOutgoing),
    /// A file being received, or one that was, so that it is not taken twice.
    Incoming(KeptIncoming),
}

impl KeptTransfer {
    /// Which.
    pub const fn transfer(&self) -> TransferId {
        match self {
            Self::Outgoing(kept) => kept.transfer,
            Self::Incoming(kept) => kept.transfer,
        }
    }
}

/// A file being sent, and who does not have it yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptOutgoing {
    /// Which.
    pub transfer: TransferId,
    /// Where the file is.
    pub path: PathBuf,
    /// What it is called.
    pub name: String,
    /// How long it was.
    pub len: u64,
    /// When it had last been changed, unix milliseconds.
    pub modified_ms: u64,
    /// The room it was offered in.
    pub room: Option<RoomName>,
    /// Who does not have it yet, as they were called.
    pub receivers: Vec<(NodeId, String)>,
}

/// A file being received.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptIncoming {
    /// Which.
    pub transfer: TransferId,
    /// Who sends it, as they were called.
    pub from: Nick,
    /// The room it was offered in.
    pub room: Option<RoomName>,
    /// What its sender calls it.
    pub name: String,
    /// How long it is.
    pub len: u64,
    /// Where it was saved.
    pub saved: Option<PathBuf>,
}
