//! Which files are taken.

use std::collections::BTreeSet;

use crate::wire::Nick;

/// Bytes of the longest file that is taken, unless told otherwise: 1 GiB.
pub const MAX_FILE_BYTES: u64 = 1 << 30;

/// Which files are taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileRules {
    /// Whose are taken without asking.
    pub accept: Acceptance,
    /// Bytes of the longest one.
    pub max_bytes: u64,
}

impl Default for FileRules {
    fn default() -> Self {
        Self { accept: Acceptance::Ask, max_bytes: MAX_FILE_BYTES }
    }
}

/// Whose files are taken without asking.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Acceptance {
    /// Nobody's.
    Ask,
    /// Those of these people.
    From(BTreeSet<Nick>),
    /// Everybody's.
    All,
}

impl FileRules {
    /// Whether a file of this person is taken without asking.
    pub(super) fn takes_from(&self, from: &Nick) -> bool {
        match &self.accept {
            Acceptance::Ask => false,
            Acceptance::All => true,
            Acceptance::From(names) => names.contains(from),
        }
    }
}
