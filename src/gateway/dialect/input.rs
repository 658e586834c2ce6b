//! What happens to a machine.

use std::net::SocketAddr;

use bytes::Bytes;

use crate::app::Event;

use super::{Audience, ConnId, DialId, GuestId};

/// What happens to a machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// It runs now: the first input, once.
    Start,
    /// Somebody connected.
    Accepted {
        /// The connection.
        conn: ConnId,
        /// From where.
        peer: SocketAddr,
    },
    /// An [`Output::Dial`](super::Output::Dial) was answered.
    Connected {
        /// Which dial.
        dial: DialId,
        /// The connection.
        conn: ConnId,
    },
    /// It was not, in time.
    NotConnected {
        /// Which dial.
        dial: DialId,
        /// Why, in words.
        why: String,
    },
    /// Bytes as one read gave them; never empty.
    Received {
        /// On which connection.
        conn: ConnId,
        /// What.
        bytes: Bytes,
    },
    /// The other side ended the connection, it broke, or it does not read what it is sent. Told once, and not
    /// after [`Output::Close`](super::Output::Close). Nothing more can be sent there.
    Ended {
        /// Which.
        conn: ConnId,
    },
    /// A datagram, of a protocol over UDP.
    Datagram {
        /// From where.
        from: SocketAddr,
        /// What.
        bytes: Bytes,
    },
    /// A guest is in the room, under this name as others see it (without the mark of guests).
    Entered {
        /// Who.
        guest: GuestId,
        /// As called among us.
        nick: String,
        /// Who else is there, guests with a `~` before their names; sorted.
        users: Vec<String>,
    },
    /// A guest was not let in, or had to leave.
    Refused {
        /// Who.
        guest: GuestId,
        /// Why.
        why: Refusal,
    },
    /// What happened in the room, as the guest is told: lines of others but not its own, who came and went,
    /// what came of its commands. Lines of guests of the same machine are among them; the machine knows them
    /// by `Said::from` and has delivered them itself.
    Told {
        /// Who is told.
        guest: GuestId,
        /// What.
        event: Event,
    },
    /// A file that somebody at another door sends; `None` of the machine's guests may be meant.
    File {
        /// Who sends it, as called among us.
        from: String,
        /// To whom.
        to: Audience,
        /// The name of the file, without directories.
        name: String,
        /// The file.
        content: Bytes,
    },
    /// A line was typed (callers).
    Typed(String),
    /// No more lines will be typed (callers).
    TypedEnd,
    /// Ctrl-C: leave in order (callers).
    Interrupted,
    /// An [`Output::Read`](super::Output::Read) was done (callers).
    Read {
        /// As asked for.
        path: String,
        /// The file, or in words why not.
        content: Result<Bytes, String>,
    },
    /// An [`Output::Save`](super::Output::Save) was done (callers).
    Saved {
        /// As asked for.
        name: String,
        /// The name it got, or in words why not.
        result: Result<String, String>,
    },
    /// The server stops: say good-bye (hosts).
    Stop,
}

/// Why a guest is not in the room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Somebody among us has the name.
    NameTaken,
    /// The server is full.
    Full,
    /// Anything else, in words.
    Other(String),
}
