//! What a machine wants done.

use std::{net::SocketAddr, time::Duration};

use bytes::Bytes;

use crate::app::Command;

use super::{ConnId, DialId, GuestId};

/// What a machine wants done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Write this, in one write.
    Send {
        /// Where.
        conn: ConnId,
        /// What.
        bytes: Bytes,
    },
    /// End the connection so that what was sent arrives: write all, end the writing side, read and discard
    /// for a second or until the other side ends it too. Nothing more is told of it.
    Close {
        /// Which.
        conn: ConnId,
    },
    /// Send a datagram.
    Datagram {
        /// Where to.
        to: SocketAddr,
        /// What.
        bytes: Bytes,
    },
    /// Connect; answered by `Connected` or `NotConnected`.
    Dial {
        /// The number of this try.
        dial: DialId,
        /// Where to.
        to: SocketAddr,
        /// How long to try.
        timeout: Duration,
    },
    /// Bring a guest into the room; answered by `Entered` or `Refused` (hosts).
    Enter {
        /// Who.
        guest: GuestId,
        /// The name it says it has, any text; see [`safe_nick`](super::safe_nick).
        name: String,
        /// Whether it is refused where the name is taken; else it gets a number behind it.
        insists: bool,
    },
    /// What the guest does among us; in order after `Enter` (hosts).
    Command {
        /// Who.
        guest: GuestId,
        /// What.
        command: Command,
    },
    /// The guest leaves (hosts).
    Leave {
        /// Who.
        guest: GuestId,
    },
    /// A file for guests of other doors; the machine has given it to its own. Who among us cannot take it is
    /// told in one line that it was sent (hosts).
    File {
        /// Who sends it.
        guest: GuestId,
        /// To whom.
        to: Audience,
        /// Its name, without directories.
        name: String,
        /// The file.
        content: Bytes,
    },
    /// Read a file of the person (callers).
    Read {
        /// As typed.
        path: String,
        /// Longer ones are an error.
        max_bytes: usize,
    },
    /// Save a file in the folder for what comes in (callers).
    Save {
        /// Its name, without directories.
        name: String,
        /// The file.
        content: Bytes,
        /// Whether a regular file of that name is replaced; else the new one gets a number.
        replaces: bool,
    },
    /// A line on stdout, as the assignment asks for it: the text without control characters, then `\n`.
    Print(String),
    /// Text on stdout without an end of line: a prompt.
    Prompt(String),
    /// A line on stderr.
    Warn(String),
    /// What students want to see with `-v`: each message as understood, each rule that was broken.
    Log(String),
    /// Everything was said: end when what was sent is out (callers).
    Exit {
        /// The exit status.
        status: u8,
    },
}

/// Whom a file is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Audience {
    /// Whoever follows one of these words (`@name` of the sender is among them), or cannot follow.
    Followers(Vec<String>),
    /// These people, as called among us.
    Names(Vec<String>),
}
