//! One receiver of a file, as its sender sees it.

use std::time::Instant;

/// How far a receiver is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// It was asked, or will be when it is here.
    Asked,
    /// It takes parts.
    Flowing {
        /// What was sent ends here.
        sent: u64,
        /// What is being read for it ends here.
        read: u64,
        /// Its credit ends here.
        upto: u64,
    },
    /// It was told that it has all.
    Complete,
}

/// One receiver of a file.
#[derive(Clone, Debug)]
pub(super) struct Receiver {
    pub(super) name: String,
    /// Whether there is a way to it.
    pub(super) here: bool,
    pub(super) way: Way,
    /// What it has ends here.
    pub(super) has: u64,
    /// Of that, what it had before this run or break.
    pub(super) held: u64,
    /// Others waited for its credit: no more, until it has caught up with them.
    pub(super) is_straggler: bool,
    /// Its link takes no more for now.
    pub(super) is_full: bool,
    /// People were told that it takes it.
    pub(super) is_taken: bool,
    /// People were told that it is not here.
    pub(super) is_missed: bool,
    pub(super) told_at: Option<Instant>,
}

impl Receiver {
    pub(super) const fn new(name: String) -> Self {
        Self {
            name,
            here: false,
            way: Way::Asked,
            has: 0,
            held: 0,
            is_straggler: false,
            is_full: false,
            is_taken: false,
            is_missed: false,
            told_at: None,
        }
    }

    /// Where the next part to be read for it begins, if it takes parts and lacks any.
    pub(super) fn wants(&self, len: u64) -> Option<u64> {
        match self.way {
            Way::Flowing { read, .. } if self.here && !self.is_full && read < len => Some(read),
            _ => None,
        }
    }

    /// Whether its credit covers what ends at `end`.
    pub(super) fn may_have(&self, end: u64) -> bool {
        matches!(self.way, Way::Flowing { upto, .. } if end <= upto)
    }

    /// What is under way to it or being read for it.
    pub(super) const fn under_way(&self) -> u64 {
        match self.way {
            Way::Flowing { read, .. } => read.saturating_sub(self.has),
            Way::Asked | Way::Complete => 0,
        }
    }
}
