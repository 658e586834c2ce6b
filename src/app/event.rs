//! What a node tells its front ends. The JSON of `--json` is exactly these, see `ui/json.rs`.

use std::{net::SocketAddr, path::PathBuf};

use crate::wire::{Epoch, NodeId, Record, RoomName, Seq};

use super::Term;

/// Something a person may want to see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A listener is up.
    Listening {
        /// `tcp`, `udp`.
        transport: &'static str,
        /// With the port that was picked.
        addr: SocketAddr,
    },
    /// A door for another protocol is open.
    Door {
        /// The protocol, as its door is called: `uwo`.
        dialect: &'static str,
        /// With the port that was picked.
        addr: SocketAddr,
    },
    /// This node is in a room now.
    Joined {
        /// Which.
        room: RoomName,
        /// Under which name.
        name: String,
        /// Everybody there, this node included, sorted.
        users: Vec<String>,
    },
    /// This node left a room.
    Left {
        /// Which.
        room: RoomName,
    },
    /// The current room changed to one joined before.
    Switched {
        /// Which.
        room: RoomName,
    },
    /// Somebody said something in a room.
    Message(Said),
    /// Somebody said something to this node only.
    Private(Said),
    /// Somebody came, went or changed names.
    Presence {
        /// Where.
        room: RoomName,
        /// Who; for a rename, under the old name.
        name: String,
        /// What happened.
        change: Change,
    },
    /// The topic of a room: set just now, or as found on joining or asking.
    Topic {
        /// Where.
        room: RoomName,
        /// Who set it; empty when there is none.
        from: String,
        /// The topic; empty when there is none.
        text: String,
        /// Whether it was set just now.
        changed: bool,
    },
    /// Who is in a room, sorted.
    Users {
        /// Where.
        room: RoomName,
        /// Names, sorted.
        users: Vec<String>,
    },
    /// The rooms this node is in, sorted; the current one is named.
    Rooms {
        /// Sorted.
        rooms: Vec<RoomName>,
        /// The one that lines go to.
        current: Option<RoomName>,
    },
    /// The terms followed, sorted.
    Following {
        /// Sorted.
        terms: Vec<Term>,
    },
    /// This node changed its name.
    Renamed {
        /// From.
        from: String,
        /// To.
        to: String,
    },
    /// Somebody is not here: what was just said to them waits until they come.
    Waits {
        /// Who.
        to: String,
    },
    /// How far a record of this node has come.
    Sent {
        /// Where it was said.
        place: Place,
        /// The run of this node.
        epoch: Epoch,
        /// Which record.
        seq: Seq,
        /// How far.
        state: SentState,
    },
    /// Lines that can no longer be had: never a silent hole.
    Gap {
        /// Where.
        place: Place,
        /// Whose.
        from: String,
        /// First seq that is missing.
        first: Seq,
        /// Last seq that is missing.
        last: Seq,
    },
    /// A link came up or went down.
    Link {
        /// The other end.
        peer: String,
        /// `tcp`, `udp`.
        transport: &'static str,
        /// What happened.
        state: LinkState,
    },
    /// Figures of each link.
    Stats {
        /// One entry a link.
        links: Vec<LinkFigures>,
    },
    /// Somebody would send a file: to be accepted or rejected under its number.
    Offered {
        /// The number of the transfer at this node.
        id: u32,
        /// Who.
        from: String,
        /// In which room; none for this node only.
        room: Option<RoomName>,
        /// What it is called there: never to be used as it is.
        name: String,
        /// How long it is.
        bytes: u64,
    },
    /// Something changed about a transfer.
    Transfer {
        /// It.
        figures: TransferFigures,
        /// Who at the other end.
        peer: String,
        /// What.
        state: TransferState,
    },
    /// A transfer goes on. At most a few each second.
    Progress(TransferFigures),
    /// A file has arrived whole.
    File {
        /// The number of the transfer at this node.
        id: u32,
        /// From whom.
        from: String,
        /// What its sender calls it.
        name: String,
        /// How long it is.
        bytes: u64,
        /// Where it is.
        path: PathBuf,
    },
    /// All transfers under way, each with whom it is to or from.
    Transfers {
        /// By number.
        transfers: Vec<(TransferFigures, String)>,
    },
    /// Something was refused or failed; the node goes on.
    Error(Trouble),
    /// The node's connection to the world is over. The last event.
    Closed {
        /// `server_shutdown`, `quit`, `input_end`, or the code of the error before.
        reason: &'static str,
    },
}

impl Event {
    /// A line of chat, in a room or to the node that is called `me`.
    pub(super) fn said(
        record: &Record,
        from: String,
        door: Option<&str>,
        me: String,
        historic: bool,
        followed: Option<Term>,
    ) -> Self {
        let public = record.room.public().cloned();
        let said = Said {
            place: public.clone().map_or(Place::Person(me), Place::Room),
            from,
            door: door.map(str::to_owned),
            id: record.author,
            epoch: record.epoch,
            seq: record.seq,
            sent_at_ms: record.sent_at_ms,
            text: record.text(),
            historic,
            followed,
        };
        if public.is_some() { Self::Message(said) } else { Self::Private(said) }
    }
}

/// A line that somebody said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// Where; for a private line the name of the one it was said to.
    pub place: Place,
    /// Who; a guest has a `~` before the name.
    pub from: String,
    /// For a guest, the door it came through: the name of a course protocol.
    pub door: Option<String>,
    /// Who, beyond doubt.
    pub id: NodeId,
    /// The author's run.
    pub epoch: Epoch,
    /// The author's count in this place.
    pub seq: Seq,
    /// The author's clock, unix milliseconds: shown, never trusted.
    pub sent_at_ms: u64,
    /// The words, as sent: clean them before they reach a terminal.
    pub text: String,
    /// Said before this node came.
    pub historic: bool,
    /// The term that brought it here from a room not joined.
    pub followed: Option<Term>,
}

/// A public room, or one other person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// A public room.
    Room(RoomName),
    /// Between this node and that person (for a line received: the name of this node).
    Person(String),
}

/// What happened to somebody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Came.
    Join,
    /// Went.
    Leave,
    /// The connection broke.
    Lost {
        /// Why.
        reason: String,
    },
    /// Is now known as.
    Rename {
        /// The new name.
        to: String,
    },
}

/// How far a record has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SentState {
    /// The server has it.
    Accepted,
    /// The server has it on disk.
    Stored,
    /// This many peers have it.
    Delivered {
        /// How many.
        to: usize,
    },
}

/// A transfer and how far it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransferFigures {
    /// Its number at this node.
    pub id: u32,
    /// What the file is called.
    pub name: String,
    /// Whether this node sends it.
    pub outgoing: bool,
    /// How much has arrived; of several receivers, at the one that has least.
    pub bytes: u64,
    /// Of that, what was there before this run or break: no measure of the rate.
    pub held: u64,
    /// How long the file is.
    pub total: u64,
}

/// What happened to a transfer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TransferState {
    /// The other end was asked.
    Offered,
    /// It is taken: bytes flow.
    Accepted,
    /// It went on after a break.
    Resumed,
    /// It waits.
    Waiting {
        /// For what.
        reason: String,
    },
    /// All of it has arrived; it is being verified.
    Verifying,
    /// The receiver verified it and has it on disk.
    Done,
    /// Nothing comes of it with this other end.
    Failed {
        /// Why.
        reason: Trouble,
    },
}

/// What happened to a link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LinkState {
    /// It is up.
    Up,
    /// It is down.
    Down {
        /// Why.
        reason: String,
    },
    /// It is being redialled.
    Reconnecting {
        /// The next try, milliseconds from now.
        retry_in_ms: u64,
    },
}

/// Figures of one link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkFigures {
    /// The other end.
    pub peer: String,
    /// Its name.
    pub name: String,
    /// `tcp`, `udp`.
    pub transport: &'static str,
    /// Round trip, microseconds: as the transport measures it, or that of the last ping.
    pub rtt_us: Option<u64>,
    /// Bytes given to the network.
    pub bytes_sent: u64,
    /// Bytes taken from it.
    pub bytes_received: u64,
    /// Messages sent.
    pub messages_sent: u64,
    /// Messages received.
    pub messages_received: u64,
    /// What its transport knows of the way there, if it tells.
    pub path: Option<PathFigures>,
}

/// Figures of the way to the other end of a link.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PathFigures {
    /// The shortest round trip of late, microseconds.
    pub min_rtt_us: u64,
    /// How much round trips vary, microseconds.
    pub rtt_var_us: u64,
    /// Packets sent.
    pub packets_sent: u64,
    /// Of these the ones taken for lost.
    pub packets_lost: u64,
    /// Of those the ones that were only late.
    pub spurious: u64,
    /// Messages and parts of messages sent again.
    pub retransmits: u64,
    /// Messages sent more than once before anything was lost.
    pub copies: u64,
    /// Bytes that may be under way.
    pub window: u64,
    /// Bytes that are.
    pub in_flight: u64,
    /// Bytes of the longest datagram.
    pub mtu: u16,
}

impl PathFigures {
    /// Lost packets in a hundred.
    pub fn loss_percent(&self) -> f64 {
        let lost = self.packets_lost.saturating_sub(self.spurious);
        100.0 * lost as f64 / self.packets_sent.max(1) as f64
    }
}

/// What went wrong, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// A stable word for scripts: `name_taken`.
    pub code: &'static str,
    /// What happened, one line.
    pub message: String,
    /// Why, or what to do; one line, may be empty.
    pub hint: String,
}

impl Trouble {
    /// An error with a hint.
    pub fn new(code: &'static str, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { code, message: message.into(), hint: hint.into() }
    }
}
