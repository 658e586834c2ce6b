//! Who is connected, and what the server knows of those who registered.

use std::{
    collections::VecDeque,
    net::SocketAddr,
    time::{Duration, Instant},
};

use bytes::Bytes;

use crate::gateway::dialect::{GuestId, Overflow, Pacer, announced::Announced};

use super::{follow::Follows, framing::Inbox, rest_after};

/// How long lines of somebody who left may still come back from the room.
const ECHO_PATIENCE: Duration = Duration::from_secs(30);

/// Users who left whose lines are still expected; the one who left first makes way.
pub(super) const MAX_GONE: usize = 64;

/// One connection.
#[derive(Debug)]
pub(super) struct Conn {
    pub(super) peer: SocketAddr,
    pub(super) inbox: Inbox,
    pub(super) pacer: Pacer,
    pub(super) state: State,
}

/// How far a connection has come.
#[derive(Debug)]
pub(super) enum State {
    /// It has until then to register.
    Fresh { until: Instant },
    /// The room is asked whether it may come in.
    Entering { guest: GuestId, name: String },
    /// It is in.
    In(Box<Guest>),
    /// What waits is written, then the connection ends.
    Closing,
}

impl Conn {
    pub(super) fn new(peer: SocketAddr, inbox: Inbox, until: Instant) -> Self {
        Self { peer, inbox, pacer: Pacer::default(), state: State::Fresh { until } }
    }

    pub(super) fn guest(&self) -> Option<&Guest> {
        if let State::In(guest) = &self.state { Some(guest) } else { None }
    }

    pub(super) fn guest_mut(&mut self) -> Option<&mut Guest> {
        if let State::In(guest) = &mut self.state { Some(guest) } else { None }
    }

    pub(super) fn guest_id(&self) -> Option<GuestId> {
        match &self.state {
            State::Entering { guest, .. } => Some(*guest),
            State::In(guest) => Some(guest.id),
            State::Fresh { .. } | State::Closing => None,
        }
    }

    /// The name of who is in or about to be.
    pub(super) fn name(&self) -> Option<&str> {
        match &self.state {
            State::Entering { name, .. } => Some(name),
            State::In(guest) => Some(&guest.name),
            State::Fresh { .. } | State::Closing => None,
        }
    }

    /// Queues a line that ends with `\n`.
    pub(super) fn push(&mut self, line: &Bytes) -> Result<(), Overflow> {
        if self.inbox.is_bare() {
            return self.pacer.push(line.slice(..line.len().saturating_sub(1)));
        }
        self.pacer.push_framed(line.clone())
    }

    /// Queues a file behind the lines that announce it. These get a write of their own, and time to be read.
    pub(super) fn push_file(&mut self, notice: Bytes, content: Bytes) -> Result<(), Overflow> {
        self.pacer.push(notice)?;
        let rest = rest_after(content.len());
        if content.is_empty() { Ok(()) } else { self.pacer.push_file(content, rest) }
    }

    /// When something is due.
    pub(super) fn deadline(&self, now: Instant) -> Option<Instant> {
        let state = match &self.state {
            State::Fresh { until } => Some(*until),
            State::In(guest) => guest.upload.as_ref().map(|upload| upload.until),
            State::Entering { .. } | State::Closing => None,
        };
        [state, self.inbox.deadline(), self.pacer.deadline(now)].into_iter().flatten().min()
    }
}

/// Somebody who registered.
#[derive(Debug)]
pub(super) struct Guest {
    pub(super) id: GuestId,
    /// As registered.
    pub(super) name: String,
    /// As called among others.
    pub(super) nick: String,
    pub(super) follows: Follows,
    pub(super) header: Header,
    pub(super) upload: Option<Upload>,
    /// Under their names in the room, mark included.
    gone: VecDeque<(String, Instant)>,
    pub(super) announced: Announced,
}

/// Whether lines may still belong to the registration (UWO-D3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Header {
    /// The very next line shows it.
    Possible,
    /// Up to an empty line.
    Open,
    Over,
}

/// A file on its way from a user.
#[derive(Debug)]
pub(super) struct Upload {
    /// As the user typed it.
    pub(super) path: String,
    /// Without its directories.
    pub(super) name: String,
    /// Who follows one of these gets it.
    pub(super) words: Vec<String>,
    pub(super) until: Instant,
    pub(super) phase: Phase,
}

/// How far a file has come.
#[derive(Debug)]
pub(super) enum Phase {
    /// Its header was asked for.
    Asked,
    /// So many bytes are missing.
    Taking { left: usize, content: Vec<u8> },
    /// It is too long, and read past.
    Dropping { left: u64 },
}

impl Guest {
    pub(super) fn new(id: GuestId, name: String, nick: String) -> Self {
        let (follows, header) = (Follows::new(&name), Header::Possible);
        let (gone, announced) = (VecDeque::new(), Announced::default());
        Self { id, name, nick, follows, header, upload: None, gone, announced }
    }

    /// Somebody of this protocol left, whose last lines and leaving the room is still to tell of.
    pub(super) fn expect_echoes_of(&mut self, nick: &str, now: Instant) {
        if self.gone.len() >= MAX_GONE {
            self.gone.pop_front();
        }
        self.gone.push_back((nick.to_owned(), now));
    }

    /// The room told that somebody left.
    pub(super) fn saw_leaving(&mut self, nick: &str) {
        if let Some(at) = self.gone.iter().position(|(gone, _)| gone.eq_ignore_ascii_case(nick)) {
            self.gone.remove(at);
        }
    }

    /// Whether a line of somebody called so was delivered before it came from the room.
    pub(super) fn is_echo_of(&self, nick: &str, now: Instant) -> bool {
        let recent = |left: &Instant| now.saturating_duration_since(*left) < ECHO_PATIENCE;
        self.gone.iter().any(|(gone, left)| gone.eq_ignore_ascii_case(nick) && recent(left))
    }
}
