//! Every bound of this room, in one place. A refusal names its limit.

use std::time::Duration;

use crate::wire::MAX_BODY_BYTES;

/// Clients a server takes, unless told otherwise.
pub const MAX_CLIENTS: usize = 1_000;

/// Bytes of the longest message, unless told otherwise; at most
/// [`MAX_BODY_BYTES`].
pub const MAX_MESSAGE_BYTES: usize = 16 << 10;

/// Public rooms a server holds, unless told otherwise.
pub const MAX_ROOMS: usize = 1_000;

/// Pair rooms a node holds; the one that was silent longest makes way.
pub const MAX_PAIRS: usize = 4_096;

/// Rooms that one identity may be in at a time.
pub const MAX_ROOMS_PER_NODE: usize = 64;

/// Members of one room.
pub const MAX_MEMBERS: usize = 5_000;

/// Links from one address at a server or peer; loopback is exempt.
pub const MAX_LINKS_PER_ADDRESS: usize = 16;

/// Terms that one node may follow.
pub const MAX_TERMS: usize = 64;

/// Records kept in memory per room.
pub const KEEP_RECORDS: usize = 10_000;

/// Bytes of records kept in memory per room.
pub const KEEP_BYTES: usize = 16 << 20;

/// Bytes of records kept in memory over all rooms.
pub const KEEP_BYTES_TOTAL: usize = 256 << 20;

/// One author's share of what a room keeps: 1 / this. A flood pushes out its own author's past.
pub const AUTHOR_SHARE: usize = 4;

/// Authors that a room keeps logs of.
pub const MAX_AUTHORS: usize = 4_096;

/// Runs that a room keeps logs of, per author; the oldest makes way.
pub const MAX_EPOCHS: usize = 4;

/// The same of a room with a store: a run that is let go of is nobody's to catch up with.
pub const MAX_STORED_EPOCHS: usize = 256;

/// Records read from the store for one link at a time.
pub const READ_RECORDS: usize = 256;

/// Bytes of bodies read from the store for one link at a time.
pub const READ_BYTES: usize = 64 << 10;

/// Records held back per log while one before them is missing.
pub const MAX_HELD: usize = 64;

/// Records of a client that its server has not acknowledged.
pub const WINDOW: u64 = 256;

/// Bytes of records held back per room.
pub const MAX_HELD_BYTES: usize = 4 << 20;

/// Pair rooms that a server opens for one identity.
pub const MAX_PAIRS_PER_NODE: usize = 1_024;

/// Own records that wait for a server or peer before the front end has to wait.
pub const MAX_UNSENT: usize = 10_000;

/// Lines shown on joining a room.
pub const HISTORY_ON_JOIN: u16 = 50;

/// Lines that one request for history can bring.
pub const MAX_HISTORY: u16 = 1_000;

/// Requests for past lines that one link may have open: one of each room that it joins, and some.
pub const MAX_RECALLS: usize = MAX_ROOMS_PER_NODE + 16;

/// Requests for past lines that wait for an answer before a person may ask for more.
pub const MAX_ASKED: usize = MAX_ROOMS_PER_NODE + 8;

/// Bytes of past lines put into one frame.
pub const PAGE_BYTES: usize = 32 << 10;

/// Entries of a vector, and members of a room, put into one frame.
pub const ENTRIES_PER_FRAME: usize = 500;

/// Records handed to one link before it is asked whether there is room for more.
pub const FEED_BATCH: usize = 64;

/// Frames that wait for one link.
pub const OUTBOX_FRAMES: usize = 1_024;

/// Bytes that wait for one link.
pub const OUTBOX_BYTES: usize = 1 << 20;

/// Bytes of files that wait for one link, beside the others.
pub const OUTBOX_BULK_BYTES: usize = 8 << 20;

/// How long a server waits for another name after it refused one.
pub const NAME_PATIENCE: Duration = Duration::from_secs(5);

/// Private lines that wait for the server to say who somebody is.
pub const MAX_LOOKUPS: usize = 64;

/// Addresses of other peers that a peer remembers.
pub const MAX_ADDRESSES: usize = 1_024;

/// Addresses of itself that a peer may announce.
pub const MAX_LISTEN: usize = 8;

/// Addresses put into one frame of peer exchange.
pub const MAX_PEERS_PER_FRAME: usize = 32;

/// Dials under way at a time.
pub const MAX_DIALS: usize = 8;

/// Links that a peer holds; one more is turned away.
pub const MAX_NEIGHBOURS: usize = 256;

/// How long a peer waits for a record that it asked for before it asks elsewhere.
pub const WANT_PATIENCE: Duration = Duration::from_secs(2);

/// How long a peer gathers acknowledgements before it sends them.
pub const ACK_DELAY: Duration = Duration::from_millis(20);

/// Between two comparisons of digests with a neighbour, while people talk.
pub const DIGEST_PERIOD: Duration = Duration::from_secs(2);

/// Between two comparisons of digests with a neighbour, in silence.
pub const DIGEST_PERIOD_QUIET: Duration = Duration::from_secs(30);

/// What a subscriber is owed reaches back this much further than it says: the time its words took.
pub const AGE_SLACK: Duration = Duration::from_secs(1);

/// Private lines that wait for somebody who is away, from one person; one more is refused.
pub const MAX_WAITING_LINES: usize = 256;

/// How long they wait: 30 days.
pub const WAITING_PATIENCE: Duration = Duration::from_secs(30 * 24 * 3600);

/// How long a peer waits for the author, or somebody who has more, before records that nobody near
/// holds any more are shown as a gap.
pub const GAP_PATIENCE: Duration = Duration::from_secs(30);

/// How long a restarted server waits for the author of records that only others remember.
pub const HEARSAY_PATIENCE: Duration = Duration::from_secs(30);

/// How long a peer whose input has ended looks for somebody whose link broke: they may lack lines, or wait for
/// its word that it has theirs.
pub const LEAVE_PATIENCE: Duration = Duration::from_secs(30);

/// Files that a node sends at a time, and as many that it receives from those who are there; more may wait.
pub const MAX_TRANSFERS: usize = 8;

/// Files offered to a node that it has neither received nor rejected.
pub const MAX_OFFERS: usize = 64;

/// Of them, those of one sender.
pub const MAX_OFFERS_PER_NODE: usize = 16;

/// Transfers that a server passes on.
pub const MAX_RELAYS: usize = 4_096;

/// Bytes of files that one receiver lets be under way to it: twice what 100 Mbit/s and 100 ms hold.
pub const CREDIT_BYTES: u64 = 2 << 20;

/// The least that one of several transfers gets of that, more than twice [`CREDIT_STEP`].
pub const LEAST_CREDIT: u64 = 512 << 10;

/// How much more credit is worth a frame.
pub const CREDIT_STEP: u64 = 128 << 10;

/// Bytes of one file that are under way to receivers that keep up, however many they are; but for each of them
/// at least [`CREDIT_STEP`] and a chunk, without which nobody would say how far they are.
pub const SEND_WINDOW: u64 = 4 << 20;

/// Parts of one file that are being read ahead.
pub const READ_AHEAD: usize = 4;

/// How long those of several receivers who keep up wait for one who does not.
pub const STRAGGLER_PATIENCE: Duration = Duration::from_millis(250);

/// How long a receiver waits for the next part before it asks again.
pub const CHUNK_PATIENCE: Duration = Duration::from_secs(60);

/// Between two tellings of how far a transfer is.
pub const PROGRESS_PERIOD: Duration = Duration::from_millis(500);

/// What can be set from the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// See [`MAX_CLIENTS`].
    pub max_clients: usize,
    /// See [`MAX_MESSAGE_BYTES`].
    pub max_message_bytes: usize,
    /// See [`MAX_ROOMS`].
    pub max_rooms: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { max_clients: MAX_CLIENTS, max_message_bytes: MAX_MESSAGE_BYTES, max_rooms: MAX_ROOMS }
    }
}

const _: () = assert!(MAX_MESSAGE_BYTES <= MAX_BODY_BYTES, "a message fits a record");
