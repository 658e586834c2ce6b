//! Numbered reasons. A number that a node does not know reads as `Other`, so that newer nodes can
//! say more.

use serde::{Deserialize, Serialize};

/// Why something was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "u8", into = "u8")]
pub enum ErrorCode {
    /// Something this program has no word for.
    Other,
    /// No protocol version in common.
    Version,
    /// A server was asked to be a peer, or the reverse.
    WrongRole,
    /// No room for another client.
    Full,
    /// Too many links from one address.
    TooManyLinks,
    /// The name is in use.
    NameTaken,
    /// More rooms than a client or the server may have.
    RoomLimit,
    /// The room has all the members it can have.
    RoomFull,
    /// The message is over the limit.
    MessageTooLong,
    /// Not allowed there; the same for a room that is absent.
    Forbidden,
    /// Not the seq that comes next in that log.
    BadSeq,
    /// The frame made no sense.
    Malformed,
    /// A file is not wanted.
    FileRefused,
    /// A file is over the limit.
    FileTooLong,
    /// More files at a time than are taken.
    TooManyFiles,
    /// No space is left for a file.
    NoSpace,
    /// A file changed while it was sent.
    FileChanged,
    /// What arrived of a file is not what was sent.
    FileDamaged,
    /// A file could not be read or written.
    FileFailed,
    /// Somebody stopped a transfer.
    Cancelled,
}

impl ErrorCode {
    const TABLE: [Self; 20] = [
        Self::Other,
        Self::Version,
        Self::WrongRole,
        Self::Full,
        Self::TooManyLinks,
        Self::NameTaken,
        Self::RoomLimit,
        Self::RoomFull,
        Self::MessageTooLong,
        Self::Forbidden,
        Self::BadSeq,
        Self::Malformed,
        Self::FileRefused,
        Self::FileTooLong,
        Self::TooManyFiles,
        Self::NoSpace,
        Self::FileChanged,
        Self::FileDamaged,
        Self::FileFailed,
        Self::Cancelled,
    ];
}

impl From<u8> for ErrorCode {
    fn from(code: u8) -> Self {
        Self::TABLE.get(usize::from(code)).copied().unwrap_or(Self::Other)
    }
}

impl From<ErrorCode> for u8 {
    fn from(code: ErrorCode) -> Self {
        code as Self
    }
}

/// Why a node leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "u8", into = "u8")]
pub enum ByeReason {
    /// Something this program has no word for.
    Other,
    /// The person left.
    Quit,
    /// The node stops.
    Shutdown,
    /// Not admitted; an `Error` said why.
    Refused,
    /// Another link between the same two nodes is kept.
    Duplicate,
    /// The same identity came again, from elsewhere or after a break.
    Replaced,
    /// The other side sent what makes no sense.
    Violation,
}

impl ByeReason {
    const TABLE: [Self; 7] = [
        Self::Other,
        Self::Quit,
        Self::Shutdown,
        Self::Refused,
        Self::Duplicate,
        Self::Replaced,
        Self::Violation,
    ];
}

impl From<u8> for ByeReason {
    fn from(code: u8) -> Self {
        Self::TABLE.get(usize::from(code)).copied().unwrap_or(Self::Other)
    }
}

impl From<ByeReason> for u8 {
    fn from(reason: ByeReason) -> Self {
        reason as Self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn does_every_code_read_back_and_an_unknown_one_read_as_other() {
        for code in ErrorCode::TABLE {
            assert_eq!(ErrorCode::from(u8::from(code)), code);
        }
        for reason in ByeReason::TABLE {
            assert_eq!(ByeReason::from(u8::from(reason)), reason);
        }
        assert_eq!(ErrorCode::from(200), ErrorCode::Other);
        assert_eq!(ByeReason::from(200), ByeReason::Other);
    }
}
