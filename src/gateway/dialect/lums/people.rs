//! Who is there: users of the protocol, and everybody else in the room.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::{
    app::Change,
    gateway::dialect::{ConnId, GuestId, announced::Announced, names::one_word, plain, safe_nick},
};

use super::{
    message::{Malformed, Message},
    request::Request,
};

/// Messages of one user that wait for the user to be let in.
pub(crate) const MAX_WAITING: usize = 64;

/// A message of a client, and what it means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Heard {
    pub(crate) request: Result<Request, Malformed>,
    /// Said in a verb of the later edition.
    pub(crate) later: bool,
}

impl Heard {
    pub(crate) fn new(message: &Message) -> Self {
        Self { request: Request::parse(message), later: message.is_later() }
    }

    pub(crate) fn malformed(rule: Malformed) -> Self {
        Self { request: Err(rule), later: false }
    }

    fn size(&self) -> usize {
        self.request.as_ref().map_or(0, Request::size)
    }
}

/// A user of the protocol, from `join` on.
#[derive(Debug)]
pub(crate) struct Member {
    pub(crate) guest: GuestId,
    /// As called in the protocol.
    pub(crate) name: String,
    /// As called among us; none before it is let in.
    pub(crate) nick: Option<String>,
    pub(crate) later: bool,
    /// The connection is gone; what it said before is still to be done.
    pub(crate) is_gone: bool,
    waiting: VecDeque<Heard>,
    waiting_bytes: usize,
    pub(crate) announced: Announced,
}

impl Member {
    pub(crate) fn new(guest: GuestId, name: String) -> Self {
        let (waiting, announced) = (VecDeque::new(), Announced::default());
        Self { guest, name, nick: None, later: false, is_gone: false, waiting, waiting_bytes: 0, announced }
    }

    /// Keeps a message until the user is let in; tells whether there was room.
    pub(crate) fn wait(&mut self, heard: Heard, max_bytes: usize) -> bool {
        let bytes = self.waiting_bytes.saturating_add(heard.size());
        if self.waiting.len() >= MAX_WAITING || bytes > max_bytes {
            return false;
        }
        self.waiting_bytes = bytes;
        self.waiting.push_back(heard);
        true
    }

    pub(crate) fn take_waiting(&mut self) -> VecDeque<Heard> {
        self.waiting_bytes = 0;
        std::mem::take(&mut self.waiting)
    }
}

/// What a name means to a user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Known {
    /// A user of the protocol.
    Member(ConnId),
    /// Somebody else in the room, as called among us.
    Other(String),
    /// Nobody.
    Nobody,
}

/// Who is there.
#[derive(Debug, Default)]
pub(crate) struct People {
    members: BTreeMap<ConnId, Member>,
    guests: BTreeMap<GuestId, ConnId>,
    /// Everybody else in the room, without marks.
    others: BTreeSet<String>,
    last_guest: u64,
}

impl People {
    /// How many joined, those included who wait to be let in.
    pub(crate) fn count(&self) -> usize {
        self.members.len()
    }

    pub(crate) fn add(&mut self, conn: ConnId, name: &str) -> GuestId {
        self.last_guest = self.last_guest.saturating_add(1);
        let guest = GuestId(self.last_guest);
        self.guests.insert(guest, conn);
        self.members.insert(conn, Member::new(guest, name.to_owned()));
        guest
    }

    pub(crate) fn remove(&mut self, conn: ConnId) -> Option<Member> {
        let member = self.members.remove(&conn)?;
        self.guests.remove(&member.guest);
        Some(member)
    }

    pub(crate) fn member(&self, conn: ConnId) -> Option<&Member> {
        self.members.get(&conn)
    }

    pub(crate) fn member_mut(&mut self, conn: ConnId) -> Option<&mut Member> {
        self.members.get_mut(&conn)
    }

    pub(crate) fn conn_of(&self, guest: GuestId) -> Option<ConnId> {
        self.guests.get(&guest).copied()
    }

    /// Connections of the users who are in.
    pub(crate) fn present(&self) -> impl Iterator<Item = (ConnId, &Member)> {
        self.members.iter().filter(|(_, member)| member.nick.is_some()).map(|(conn, member)| (*conn, member))
    }

    pub(crate) fn conns(&self) -> Vec<ConnId> {
        self.members.keys().copied().collect()
    }

    pub(crate) fn is_taken(&self, name: &str) -> bool {
        self.members.values().any(|member| member.name == name)
    }

    /// Whether a user is to be refused where somebody else among us has the name: not where the name is
    /// changed for the others anyway, or where it is near that of a user here, which the protocol allows.
    pub(crate) fn insists(&self, name: &str) -> bool {
        let (nick, is_same) = safe_nick(name);
        let is_near = |member: &Member| match &member.nick {
            Some(other) => other.eq_ignore_ascii_case(nick.as_str()),
            None => safe_nick(&member.name).0 == nick,
        };
        is_same && !self.members.values().any(is_near)
    }

    /// Whom a user means: users by their exact names, others as names are compared among us.
    pub(crate) fn find(&self, name: &str) -> Known {
        if let Some((conn, _)) = self.present().find(|(_, member)| member.name == name) {
            return Known::Member(conn);
        }
        let other = self.others.iter().find(|other| other.eq_ignore_ascii_case(name));
        other.map_or(Known::Nobody, |other| Known::Other(other.clone()))
    }

    /// Everybody, as a list of the protocol says it (L10).
    pub(crate) fn names(&self) -> Vec<String> {
        let members = self.present().map(|(_, member)| member.name.clone());
        let all: BTreeSet<String> = members.chain(self.others.iter().cloned()).collect();
        all.into_iter().collect()
    }

    /// The name that a user has in the protocol, by the one among us.
    pub(crate) fn by_nick(&self, nick: &str) -> Option<ConnId> {
        let nick = plain(nick);
        let has = |member: &Member| member.nick.as_ref().is_some_and(|own| own.eq_ignore_ascii_case(nick));
        self.present().find(|(_, member)| has(member)).map(|(conn, _)| conn)
    }

    /// Lets a user in, who tells who else is there.
    pub(crate) fn let_in(&mut self, conn: ConnId, nick: &str, users: &[String]) {
        if let Some(member) = self.members.get_mut(&conn) {
            member.nick = Some(plain(nick).to_owned());
        }
        self.set_others(users);
    }

    pub(crate) fn set_others(&mut self, users: &[String]) {
        self.others =
            users.iter().filter(|user| self.by_nick(user).is_none()).map(|user| word(user)).collect();
    }

    /// Somebody came, went or is called otherwise. Every user is told of it, so this comes many times.
    pub(crate) fn changed(&mut self, name: &str, change: &Change) {
        match change {
            Change::Join => self.came(name),
            Change::Leave | Change::Lost { .. } => _ = self.others.remove(&word(name)),
            Change::Rename { to } => {
                self.others.remove(&word(name));
                self.came(to);
            }
        }
    }

    fn came(&mut self, name: &str) {
        if self.by_nick(name).is_none() {
            self.others.insert(word(name));
        }
    }
}

/// Somebody's name as one word, whatever a far peer calls itself.
pub(crate) fn word(name: &str) -> String {
    one_word(plain(name))
}
