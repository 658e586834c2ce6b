//! Records that outlive the process: appended in the order in which they arrived, read back by room and
//! log. Calls block, so that each half lives on a thread of its own (`node::history`); nothing here knows
//! who is connected.
//!
//! Each room numbers what arrived in it, from 1 and without holes: its [`Arrival`]s. They are given on
//! commit, are the same for every reader, and are never given twice.

mod memory;
mod selection;
mod sqlite;
#[cfg(test)]
mod tests;

use std::path::PathBuf;

use crate::wire::{Epoch, Nick, NodeId, PublicKey, Record, RecordHash, RecordId, RoomId, Seq};

pub use memory::memory;
pub use sqlite::{
    Compacted, ExportError, Opened, Options, Verified, VerifiedRoom, compact, export, open, verify,
};

/// The place of a record in its room, from 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Arrival(pub u64);

/// Something to be kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// A record.
    Record {
        /// What was said.
        record: Record,
        /// When it came to this node, unix milliseconds.
        arrived_ms: u64,
    },
    /// What somebody is called, and in a mesh the key of their signatures. The last word counts.
    Author(Author),
    /// This node is a member of a room.
    Member {
        /// Which.
        room: RoomId,
        /// Since when, unix milliseconds; an earlier word counts as long as it was not taken back by none.
        since_ms: Option<u64>,
    },
}

/// Somebody whose records are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Author {
    /// Who.
    pub node: NodeId,
    /// As called last.
    pub nick: Nick,
    /// In a mesh.
    pub key: Option<PublicKey>,
}

/// Why nothing was kept, or nothing can be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// There is no space. What was to be kept may be offered again later.
    #[error("no space is left for {0}")]
    Full(PathBuf),
    /// The disk failed: what it holds is uncertain from here on, and only opening it again tells.
    #[error("{path} cannot be written or read: {what}")]
    Failed {
        /// The file.
        path: PathBuf,
        /// What was reported.
        what: String,
    },
    /// Another process has it open.
    #[error("another process uses {0}")]
    InUse(PathBuf),
    /// It is a file of something else.
    #[error("{0} is not a history of this program")]
    Foreign(PathBuf),
    /// A newer version of this program wrote it.
    #[error("{path} was written by a newer version: its format is {found}, and this program knows {known}")]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: u32,
        /// The newest known here.
        known: u32,
    },
    /// It does not hold what was written into it.
    #[error("{path} is damaged: {what}")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Where, and how it shows.
        what: String,
    },
}

/// How far one log is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredLog {
    /// Whose.
    pub author: NodeId,
    /// Which run.
    pub epoch: Epoch,
    /// The first record that is kept; equals `next` when none is any more.
    pub first: Seq,
    /// The seq after the last record that ever was.
    pub next: Seq,
    /// [`Record::hash`] of that last one.
    pub last_hash: Option<RecordHash>,
    /// When the first kept and the last one arrived, unix milliseconds; when none is kept, the last one
    /// twice.
    pub arrived_ms: (u64, u64),
}

/// What is known of a room without reading its records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredRoom {
    /// Which.
    pub id: RoomId,
    /// Its logs, by author and epoch.
    pub logs: Vec<StoredLog>,
    /// The record that set the topic: of those of that kind the one with the largest lamport time, and
    /// of these the one with the largest author. Retention keeps it.
    pub topic: Option<Record>,
    /// The largest lamport time that ever was.
    pub lamport: u64,
    /// Since when this node is a member, unix milliseconds.
    pub member_since_ms: Option<u64>,
    /// The place of the record that arrived last, of all that ever did.
    pub last: Arrival,
}

/// Everything known at the start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Survey {
    /// A number that this history was given when it was made.
    pub instance: u64,
    /// By name.
    pub rooms: Vec<StoredRoom>,
    /// By node.
    pub authors: Vec<Author>,
}

/// How much of a room is kept; what is older goes, oldest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// Records.
    pub records: u64,
    /// Bytes of bodies.
    pub bytes: u64,
    /// Milliseconds since it arrived.
    pub age_ms: u64,
}

/// From where on a log is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// Whose.
    pub author: NodeId,
    /// Which run.
    pub epoch: Epoch,
    /// The first seq wanted.
    pub from: Seq,
    /// Nothing that arrived before, unix milliseconds.
    pub since_ms: u64,
}

/// A part of a room is wanted, in the order of arrival.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageQuery {
    /// Which room.
    pub room: RoomId,
    /// Which logs of it.
    pub logs: Vec<Wanted>,
    /// Nothing up to here: [`Page::upto`] of the page before, 0 for the first.
    pub after: Arrival,
    /// At most so many records; 0 counts as 1.
    pub records: usize,
    /// And no further record once there are so many bytes of bodies: at least one record comes whatever
    /// its size.
    pub bytes: usize,
}

/// The last lines of a room are wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinesQuery {
    /// Which room.
    pub room: RoomId,
    /// How many at most.
    pub count: u16,
    /// Those that arrived by then, unix milliseconds.
    pub cut_ms: u64,
    /// Those that arrived before this one. One that is not there yet bounds nothing, before one that retention took
    /// there is nothing.
    pub before: Option<RecordId>,
}

/// A record as it was kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// Its place in the room.
    pub arrival: Arrival,
    /// When it came, unix milliseconds.
    pub arrived_ms: u64,
    /// What was said.
    pub record: Record,
}

/// An answer to [`PageQuery`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// In the order of arrival.
    pub records: Vec<Stored>,
    /// Everything up to here was looked at.
    pub upto: Arrival,
    /// There was nothing after that when it was read.
    pub complete: bool,
}

/// The half that writes. There is one.
pub trait Writer: Send + std::fmt::Debug {
    /// What is there.
    ///
    /// # Errors
    /// [`StoreError::Failed`], [`StoreError::Damaged`].
    fn survey(&mut self) -> Result<Survey, StoreError>;

    /// Keeps `entries` in this order: on disk, all or none, when this returns. A record below the `next` of
    /// its log is there already and is passed over; one above it leaves a hole.
    ///
    /// # Errors
    /// [`StoreError::Full`], and [`StoreError::InUse`] when a stranger locked the file for seconds: nothing
    /// changed. [`StoreError::Failed`] and [`StoreError::Damaged`]: stop; every later call says the same.
    fn append(&mut self, entries: &[Entry]) -> Result<(), StoreError>;

    /// Lets go of what is beyond `retention` in a room at `now_ms`, at most 2,000 records at a time. Returns
    /// the logs that became shorter and where they begin now; none when there is nothing left to do.
    ///
    /// # Errors
    /// As [`Self::append`].
    fn retain(
        &mut self,
        room: &RoomId,
        retention: Retention,
        now_ms: u64,
    ) -> Result<Vec<(NodeId, Epoch, Seq)>, StoreError>;

    /// A good moment for what can be done later.
    ///
    /// # Errors
    /// As [`Self::append`].
    fn idle(&mut self) -> Result<(), StoreError>;
}

/// A half that reads. It sees what was appended before it is asked.
pub trait Reader: Send + std::fmt::Debug {
    /// A part of a room. Looks at no more than 4,096 records or 16 MiB, so that a page can be empty and
    /// more come after it.
    ///
    /// # Errors
    /// [`StoreError::Failed`], [`StoreError::Damaged`].
    fn page(&mut self, query: &PageQuery) -> Result<Page, StoreError>;

    /// The last lines of chat of a room, oldest first. Looks back over no more than 16,384 records or 8 MiB.
    ///
    /// # Errors
    /// As [`Self::page`].
    fn last_lines(&mut self, query: &LinesQuery) -> Result<Vec<Stored>, StoreError>;
}
