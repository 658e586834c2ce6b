//! How a link can fail or end, and who ended it.

use std::{fmt, io};

/// Which side closed a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// This node.
    Local,
    /// The other node.
    Remote,
}

/// Why a link was closed on purpose. The number travels on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum CloseCode {
    /// Nothing more to say.
    Done = 0,
    /// The node stops.
    Shutdown = 1,
    /// The other side is not admitted: full, name taken, version.
    Refused = 2,
    /// Another link to the same node is kept instead.
    Duplicate = 3,
    /// What the other side sent made no sense.
    Violation = 4,
    /// The other side read too slowly.
    SlowReader = 5,
    /// The other side was silent too long.
    Silent = 6,
}

impl CloseCode {
    /// The code of a number from the wire; what a newer version may send counts as `Done`.
    pub const fn from_wire(code: u8) -> Self {
        match code {
            1 => Self::Shutdown,
            2 => Self::Refused,
            3 => Self::Duplicate,
            4 => Self::Violation,
            5 => Self::SlowReader,
            6 => Self::Silent,
            _ => Self::Done,
        }
    }
}

/// An orderly end: by whom and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CloseReason {
    /// Who closed.
    pub by: By,
    /// Why.
    pub code: CloseCode,
    /// In words, for the log; at most [`MAX_CLOSE_TEXT`](crate::transport::MAX_CLOSE_TEXT) bytes travel.
    pub text: String,
}

impl CloseReason {
    /// A close by this side.
    pub fn local(code: CloseCode, text: impl Into<String>) -> Self {
        Self { by: By::Local, code, text: text.into() }
    }
}

impl fmt::Display for CloseReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let by = match self.by {
            By::Local => "this side",
            By::Remote => "the other side",
        };
        write!(f, "closed by {by}: {:?}", self.code)?;
        if !self.text.is_empty() {
            write!(f, " ({})", self.text)?;
        }
        Ok(())
    }
}

/// What went wrong with a link. After any of these but `TooLong` the link is of no further use.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    /// The host answered that nothing listens there.
    #[error("nothing listens there")]
    NothingListens,
    /// No answer in time, or no way to the host.
    #[error("no answer: {0}")]
    Unreachable(String),
    /// Something answered that does not speak our protocol; its first bytes, cleaned.
    #[error("not a sayagain node: it answered {0:?}")]
    NotANode(String),
    /// One side speaks plaintext, the other does not.
    #[error("one side speaks plaintext and the other does not")]
    InsecureMismatch,
    /// Both speak our protocol but have no version in common.
    #[error("no protocol version in common")]
    Version,
    /// The handshake failed otherwise.
    #[error("handshake failed: {0}")]
    Handshake(String),
    /// The message is over the limit of the transport. It was not sent; the link goes on.
    #[error("the message has {len} bytes, the limit is {max}")]
    TooLong {
        /// Bytes of the message.
        len: usize,
        /// Bytes allowed.
        max: usize,
    },
    /// Closed on purpose.
    #[error("{0}")]
    Closed(CloseReason),
    /// Lost without a close: the other side vanished, the network broke, or bytes made no sense.
    #[error("the link was lost: {0}")]
    Lost(String),
}

impl From<io::Error> for LinkError {
    fn from(error: io::Error) -> Self {
        use io::ErrorKind as Kind;
        match error.kind() {
            Kind::ConnectionRefused => Self::NothingListens,
            Kind::TimedOut | Kind::HostUnreachable | Kind::NetworkUnreachable | Kind::AddrNotAvailable => {
                Self::Unreachable(error.to_string())
            }
            _ => Self::Lost(error.to_string()),
        }
    }
}

/// A close that could not learn that everything was consumed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{messages} messages may not have been consumed by the other side: {why}")]
pub struct Undelivered {
    /// Messages accepted by `send` that the other application is not known to have taken.
    pub messages: u64,
    /// Whether the other application had closed the link too. If not, nobody knows what became of it.
    pub left: bool,
    /// What ended the wait.
    pub why: String,
}
