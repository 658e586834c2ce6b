//! The seam between who hears what (here) and how bytes travel (elsewhere). Server, client and peer
//! differ only in which of these machines they run.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use crate::{
    store::{Author, Entry, LinesQuery, Page, PageQuery, Stored, StoredRoom},
    wire::{Addr, ByeReason, Frame, Hello, LogKey, Seq},
};

use super::{Command, Event, FileJob, FileNews, KeptTransfer, Outcome, Trouble};

/// One link, for its whole life. Never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinkId(pub u64);

/// The present, as told by the caller.
#[derive(Clone, Copy, Debug)]
pub struct Now {
    /// For timers.
    pub instant: Instant,
    /// Unix milliseconds, for people.
    pub unix_ms: u64,
}

impl Now {
    /// The moment of a time of day in the past; the present of one to come, as of a clock that was set back.
    pub fn moment_of(self, unix_ms: u64) -> Instant {
        let ago = Duration::from_millis(self.unix_ms.saturating_sub(unix_ms));
        self.instant.checked_sub(ago).unwrap_or(self.instant)
    }

    /// The time of day at a moment of the past.
    pub fn unix_ms_of(self, at: Instant) -> u64 {
        let ago = self.instant.saturating_duration_since(at).as_millis();
        self.unix_ms.saturating_sub(u64::try_from(ago).unwrap_or(u64::MAX))
    }
}

/// What happens to a topology.
#[derive(Clone, Debug)]
pub enum Input {
    /// The node runs now. The first input, once.
    Start,
    /// A link is up and its other end has said who it is. Its key is proven where the link is sealed.
    LinkUp {
        /// The link.
        link: LinkId,
        /// Who is there.
        hello: Hello,
        /// Its address as seen from here.
        addr: SocketAddr,
        /// The address dialled, by the transport that got there; none where the other end dialled.
        dialed: Option<Addr>,
    },
    /// A link is down.
    LinkDown {
        /// The link.
        link: LinkId,
        /// Why.
        end: LinkEnd,
    },
    /// These frames found no room in the link's outbox and were dropped, as will be all records to
    /// this link until `LinkRoom`.
    LinkFull {
        /// The link.
        link: LinkId,
        /// What was dropped, in order.
        refused: Vec<Frame>,
    },
    /// There is room in a link's outbox again, or now that somebody waits for it.
    LinkRoom {
        /// The link.
        link: LinkId,
    },
    /// The other end of a link said something.
    Frame {
        /// The link.
        link: LinkId,
        /// What.
        frame: Frame,
    },
    /// A dial came to nothing.
    DialFailed {
        /// The address dialled.
        addr: Addr,
        /// Why.
        error: DialError,
    },
    /// What a store has: before `Start`, of a node that has one. From here on `Keep` is answered.
    Restore(Restored),
    /// These logs are on disk, each up to, without, this seq.
    Stored {
        /// Which, and how far.
        logs: Vec<(LogKey, Seq)>,
    },
    /// There was no space for what these logs have from this seq on. It is to be kept again, from there.
    Unstored {
        /// Which, and from where.
        logs: Vec<(LogKey, Seq)>,
    },
    /// What these logs have on disk begins at this seq now.
    Retained {
        /// Which, and where.
        logs: Vec<(LogKey, Seq)>,
    },
    /// The answer to `Read`.
    Page {
        /// For which link.
        link: LinkId,
        /// What there is.
        page: Page,
    },
    /// The answer to `Recall`.
    Lines {
        /// For which link; none: for this node itself.
        link: Option<LinkId>,
        /// What was asked.
        query: LinesQuery,
        /// Oldest first.
        lines: Vec<Stored>,
    },
    /// Transfers of earlier runs: before `Start`, of a node that has files.
    Transfers(Vec<KeptTransfer>),
    /// What came of a `File`.
    File(FileNews),
    /// A front end asked for something.
    Command(Command),
}

/// What a store has.
#[derive(Clone, Debug, Default)]
pub struct Restored {
    /// Each room with the last of its records, in the order of arrival.
    pub rooms: Vec<(StoredRoom, Vec<Stored>)>,
    /// Who said them.
    pub authors: Vec<Author>,
}

/// How a link ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkEnd {
    /// Whether it was closed in order, by whichever side: what was sent before has been heard, or the other
    /// side left without hearing it.
    pub clean: bool,
    /// In words.
    pub reason: String,
}

/// Why a dial came to nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DialError {
    /// Nobody answered in time, or the link broke before it was up: a bad link may do that.
    NoAnswer(Trouble),
    /// The answer was that there is no node; later there may be.
    Unreachable(Trouble),
    /// Another key than the pinned one answered.
    IdentityChanged(Trouble),
    /// A node answered that will not have this one: another version, plaintext against sealed.
    Refused(Trouble),
}

impl DialError {
    /// What to tell people.
    pub const fn trouble(&self) -> &Trouble {
        match self {
            Self::NoAnswer(trouble)
            | Self::Unreachable(trouble)
            | Self::IdentityChanged(trouble)
            | Self::Refused(trouble) => trouble,
        }
    }
}

/// What a topology wants done.
#[derive(Clone, Debug)]
pub enum Action {
    /// Make a link; answered by `LinkUp` or `DialFailed`.
    Dial(Addr),
    /// Say something on some links.
    Send {
        /// Which.
        to: Vec<LinkId>,
        /// What.
        frame: Frame,
    },
    /// Answer with `LinkRoom` as soon as the link's outbox has room.
    AwaitRoom(LinkId),
    /// Say good-bye and close in order, everything sent before included; answered by `LinkDown`.
    Close {
        /// Which.
        link: LinkId,
        /// Why.
        reason: ByeReason,
        /// In words.
        detail: String,
    },
    /// Put this on disk, after all that was kept before; answered by `Stored` or `Unstored`.
    Keep(Entry),
    /// Read a part of a room from disk; answered by `Page`.
    Read {
        /// For which link.
        link: LinkId,
        /// Which part.
        query: PageQuery,
    },
    /// Read lines of a room from disk; answered by `Lines`.
    Recall {
        /// For which link; none: for this node itself.
        link: Option<LinkId>,
        /// Which lines.
        query: LinesQuery,
    },
    /// Do something with a file; answered by `File`.
    File(FileJob),
    /// Tell the front ends.
    Notify(Event),
    /// The life of this node is over.
    Finish(Outcome),
}

/// A topology: who hears what. Every change is followed by a full drain of `poll_action` before the
/// next.
pub trait Topology: Send + std::fmt::Debug {
    /// What this node says first on every link.
    fn hello(&self) -> Hello;

    /// Something happened.
    fn handle_input(&mut self, input: Input, now: Now);

    /// The time of `poll_timeout` has come. May be called early.
    fn handle_timeout(&mut self, now: Now);

    /// The next thing to do.
    fn poll_action(&mut self) -> Option<Action>;

    /// When to call `handle_timeout`.
    fn poll_timeout(&self) -> Option<Instant>;

    /// Whether commands are taken now; false while too much waits to be sent.
    fn is_ready(&self) -> bool {
        true
    }
}
