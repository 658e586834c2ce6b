//! The frames that nodes exchange. Append only: on the wire a variant is its position.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::{
    Addr, ByeReason, Epoch, ErrorCode, LogKey, Nick, NodeId, Offer, Pair, PublicKey, Record, RecordId,
    RoomId, Seq, TransferId, Vector,
};

/// The version of this list of frames.
pub const VERSION: u16 = 1;

/// What a node is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Role {
    /// The centre of a star.
    Server,
    /// A point of a star.
    Client,
    /// A member of a mesh.
    Peer,
}

/// The first frame each way on a link, and the only one before the other side's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// [`VERSION`]. Stays the first field for ever.
    pub version: u16,
    /// What the node is.
    pub role: Role,
    /// Its public key; on a sealed link the one proven in the handshake.
    pub key: PublicKey,
    /// The name it would like.
    pub nick: Nick,
    /// Its run.
    pub epoch: Epoch,
    /// Where it can be dialled; of a peer.
    pub listen: Vec<Addr>,
    /// Features beyond this version, one bit each: [`CAN_STORE`], [`CAN_TRANSFER`].
    pub capabilities: u32,
}

/// Of a server: what it accepts it puts on disk, and says so with [`AckLevel::Stored`].
pub const CAN_STORE: u32 = 1;

/// Of a client or peer: files may be offered to it; of a server: it passes them on.
pub const CAN_TRANSFER: u32 = 2;

/// Somebody in a room.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// Who.
    pub node: NodeId,
    /// As called.
    pub nick: Nick,
}

/// A record out of the past, with what is needed to show and verify it when its author is gone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PastLine {
    /// The author's name, as far as the sender of this knows.
    pub nick: Nick,
    /// The author's key; in a mesh.
    pub key: Option<PublicKey>,
    /// What was said.
    pub record: Record,
}

/// How far one log has come, and from where on the other side is owed it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HaveLog {
    /// Whose.
    pub author: NodeId,
    /// Which run.
    pub epoch: Epoch,
    /// The first seq that was said after the other side joined.
    pub start: Seq,
    /// The first seq that is still held here.
    pub floor: Seq,
    /// The next seq to come.
    pub next: Seq,
}

/// What happened to a member of a room.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Notice {
    /// Came.
    Join,
    /// Went.
    Leave,
    /// Its link broke.
    Lost {
        /// Why.
        reason: String,
    },
    /// Took the name in the frame; this was the one before.
    Rename {
        /// The old name.
        from: Nick,
    },
}

/// How far the receiver of records has secured them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum AckLevel {
    /// A server took them and passes them on; it holds them in memory.
    Accepted,
    /// A server has them on disk.
    Stored,
    /// A peer has them.
    Delivered,
}

/// What nodes say to each other. `docs/protocol.md` has a section for each.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Frame {
    /// Who is speaking. First on every link.
    Hello(Hello),
    /// Server to client: admitted under this name.
    Welcome {
        /// The name.
        nick: Nick,
        /// Bytes of the longest body taken here.
        max_message_bytes: u32,
    },
    /// Client to server: asks for a name; server to client: it is yours. Peer to peer: my name now.
    Nick {
        /// The name.
        nick: Nick,
    },
    /// Other members of the mesh and where they listen.
    Peers {
        /// Each with its address.
        peers: Vec<(NodeId, Addr)>,
    },
    /// The name and key of an author, before its records where they come from somebody else.
    Author {
        /// In which room: on that log's lane.
        room: RoomId,
        /// Who.
        node: NodeId,
        /// As called.
        nick: Nick,
        /// In a mesh: the key its records are signed with.
        key: Option<PublicKey>,
    },
    /// I am in this room and have this much of it. Sent again after every break.
    Subscribe {
        /// Which room.
        room: RoomId,
        /// How far I have its logs.
        have: Vector,
        /// For how long I have been in it: I am owed what was said since.
        age_ms: u64,
        /// How many lines from before that I would like to see.
        history: u16,
        /// More parts of `have` follow.
        more: bool,
    },
    /// I am no longer in this room. A server answers with the same.
    Unsubscribe {
        /// Which room.
        room: RoomId,
    },
    /// Server to client: you are in this room now.
    Joined {
        /// Which room.
        room: RoomId,
        /// The seq of your log in it that I expect next.
        next: Seq,
        /// Who is in it.
        members: Vec<Member>,
        /// More members follow.
        more: bool,
    },
    /// Server to client: something happened to a member.
    Presence {
        /// In which room.
        room: RoomId,
        /// Who.
        node: NodeId,
        /// As called now.
        nick: Nick,
        /// What.
        notice: Notice,
    },
    /// Something said.
    Record(Record),
    /// For you this log begins here: what is before is from before your time, or (author to server)
    /// no longer held.
    Start {
        /// Which log.
        log: LogKey,
        /// Its first seq.
        seq: Seq,
    },
    /// What was before this seq is no longer held here.
    Gone {
        /// Which log.
        log: LogKey,
        /// The first seq that is held.
        floor: Seq,
    },
    /// Everything below `next` of your log is secured this far.
    Ack {
        /// Which log.
        log: LogKey,
        /// The first seq that is not.
        next: Seq,
        /// How far.
        level: AckLevel,
    },
    /// This record was not taken and its seq is not used up.
    Refused {
        /// Which log.
        log: LogKey,
        /// Which record.
        seq: Seq,
        /// Its lamport time: after an earlier refusal another record may have moved up to that seq.
        lamport: u64,
        /// Why.
        code: ErrorCode,
        /// The limit or name it concerns.
        detail: String,
    },
    /// Peer to peer: how far I have each log of this room.
    Have {
        /// Which room.
        room: RoomId,
        /// Each log.
        logs: Vec<HaveLog>,
    },
    /// Send me these records.
    Want {
        /// Of which log.
        log: LogKey,
        /// From here.
        from: Seq,
        /// Up to, without, here.
        upto: Seq,
    },
    /// A digest of my vector of this room: if yours differs, answer with `Have`.
    Digest {
        /// Which room.
        room: RoomId,
        /// See [`Vector::digest`].
        sum: u64,
    },
    /// Show me the last lines of this room.
    History {
        /// Which room.
        room: RoomId,
        /// How many.
        limit: u16,
        /// Those before this one only.
        before: Option<RecordId>,
    },
    /// Lines of the past, oldest first.
    Page {
        /// Of which room.
        room: RoomId,
        /// The lines.
        lines: Vec<PastLine>,
        /// No more of this answer follows.
        last: bool,
    },
    /// The topic of a room, as the record that set it.
    Topic {
        /// The record.
        line: PastLine,
    },
    /// Who is called this?
    Lookup {
        /// The name.
        nick: Nick,
    },
    /// The answer to `Lookup`.
    Found {
        /// The name that was asked for.
        nick: Nick,
        /// Who it is; none if nobody is called so.
        node: Option<NodeId>,
        /// Whether they are here now; if not, private lines wait for them.
        here: bool,
    },
    /// Server to client: these pair rooms hold something for you; subscribe to get it.
    Pairs {
        /// The rooms.
        pairs: Vec<Pair>,
    },
    /// The terms I follow, all of them; replaces what I said before.
    Follow {
        /// Words.
        terms: Vec<String>,
    },
    /// A line from a room you are not in, because of a term you follow.
    Followed {
        /// The line.
        line: PastLine,
        /// The term.
        term: String,
    },
    /// Are you there?
    Ping {
        /// Comes back.
        token: u32,
    },
    /// Yes.
    Pong {
        /// As it came.
        token: u32,
    },
    /// Something you asked was refused.
    Error {
        /// Why.
        code: ErrorCode,
        /// The room it concerns, if it does one.
        room: Option<RoomId>,
        /// The name or limit it concerns.
        detail: String,
    },
    /// I leave, or you do.
    Bye {
        /// Why.
        reason: ByeReason,
        /// In words.
        detail: String,
    },
    /// Server to client, after it restarted: others had these records of a log, and nobody has come back
    /// to say them again. To be shown as a gap; the log does not move, because its author still may.
    Lost {
        /// Which log.
        log: LogKey,
        /// The first seq that is not lost.
        upto: Seq,
    },
    /// Server to client: everything from `from` on of your log was accepted, and there was no space to store
    /// it. Say it again later.
    Unstored {
        /// Which log.
        log: LogKey,
        /// The first seq that is not stored.
        from: Seq,
    },
    /// I would send you this file. Said again after every break, to those who do not have it yet.
    Offer(Offer),
    /// A receiver takes the file, or goes on with it: it has everything below `from`, and what is below
    /// `upto` may be sent.
    Credit {
        /// Which.
        transfer: TransferId,
        /// Who has this much of it.
        receiver: NodeId,
        /// The first byte it does not have.
        from: u64,
        /// The first byte that is not to be sent yet.
        upto: u64,
        /// What was sent beyond `from` before is not to be counted on.
        again: bool,
    },
    /// A part of a file, to those who have everything before it.
    Chunk {
        /// Of which.
        transfer: TransferId,
        /// Where it begins.
        offset: u64,
        /// At most [`MAX_CHUNK_BYTES`](super::MAX_CHUNK_BYTES).
        bytes: Bytes,
    },
    /// That was all of it, to those who have all of it.
    Complete {
        /// Which.
        transfer: TransferId,
        /// BLAKE3 of the whole file.
        digest: [u8; 32],
    },
    /// A receiver has the whole file, verified and on disk.
    Verified {
        /// Which.
        transfer: TransferId,
        /// Who.
        receiver: NodeId,
    },
    /// Nothing will come of a transfer: its sender says so to all or to one, a receiver for itself.
    Cancel {
        /// Which.
        transfer: TransferId,
        /// For whom; none for everybody.
        receiver: Option<NodeId>,
        /// Why.
        code: ErrorCode,
        /// The limit it concerns, or in words.
        detail: String,
    },
    /// Server to a party of a transfer: this other one is not here. It goes on when it is.
    Away {
        /// Which.
        transfer: TransferId,
        /// Who.
        node: NodeId,
    },
}

impl Frame {
    /// Whether a party of a transfer may say this about it; true of frames about anything else.
    pub fn may_be_said_by(&self, node: NodeId) -> bool {
        match self {
            Self::Offer(offer) => offer.transfer.sender == node,
            Self::Chunk { transfer, .. }
            | Self::Complete { transfer, .. }
            | Self::Cancel { transfer, receiver: None, .. } => transfer.sender == node,
            Self::Credit { receiver, .. } | Self::Verified { receiver, .. } => *receiver == node,
            Self::Cancel { transfer, receiver: Some(receiver), .. } => {
                transfer.sender == node || *receiver == node
            }
            // A server's to say.
            Self::Away { .. } => false,
            _ => true,
        }
    }

    /// Whether it is a part of a file, or its end.
    pub const fn is_of_file(&self) -> bool {
        matches!(self, Self::Chunk { .. } | Self::Complete { .. })
    }

    /// Variants of this version: a larger number on the wire is a frame of a newer one.
    pub const COUNT: u32 = 38;

    /// The variant of [`Frame::Hello`].
    pub const HELLO: u32 = 0;

    /// The variant of [`Frame::Chunk`].
    pub const CHUNK: u32 = 33;
}
