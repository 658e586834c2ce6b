//! How a node's life ended.

use super::Trouble;

/// How a node's life ended; each has an exit status of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// In order.
    Done,
    /// Left, but these own lines are not known to have arrived.
    Undelivered(Vec<String>),
    /// The other side does not admit this node.
    Refused(Trouble),
    /// The other side has another key than the pinned one.
    IdentityChanged(Trouble),
    /// Nobody answered.
    Unreachable(Trouble),
    /// What was to be kept could not be: going on would promise what is not so.
    StoreFailed(Trouble),
    /// Anything else.
    Failed(Trouble),
}

impl From<Trouble> for Outcome {
    fn from(trouble: Trouble) -> Self {
        Self::Failed(trouble)
    }
}
