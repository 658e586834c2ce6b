//! Who people of this protocol are to others.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use crate::app::Command;

use super::{
    super::{ConnId, GuestId, Output, Refusal, names::within, safe_nick},
    host::Host,
    subscribers::SubscriberId,
    wire::Message,
};

/// How long somebody stays whose last connection is gone: programs that open one for each message would come
/// and go all the time.
pub(super) const LINGER: Duration = Duration::from_secs(30);

/// People at the same time who say something without having subscribed.
pub(super) const MAX_AUTHORS: usize = 1000;

/// Names that one connection may speak under.
pub(super) const MAX_AUTHORS_PER_CONN: usize = 8;

/// Bytes of the longest text that others take.
pub(super) const MAX_TEXT_BYTES: usize = 16_384;

/// The highest number tried behind a name that somebody has.
const MAX_SUFFIX: u32 = 99;

/// Somebody who says something without having subscribed.
#[derive(Debug)]
pub(super) struct Author {
    guest: GuestId,
    conns: u32,
    leaves_at: Option<Instant>,
}

impl Host {
    /// Says a message to others, in the name of whoever it is from.
    pub(super) fn say(
        &mut self,
        conn: ConnId,
        sender: Option<SubscriberId>,
        message: &Message,
        now: Instant,
    ) {
        let subscriber = sender.and_then(|sender| self.subscribers.get(&sender));
        let is_named = |named: &Option<String>| named.as_deref() == Some(&message.user);
        let guest = subscriber.filter(|subscriber| is_named(&subscriber.named)).map(|found| found.guest);
        let Some(guest) = guest.or_else(|| self.author(conn, &message.user, now)) else {
            return self.log(format!("others do not hear {}: too many speak already", message.user));
        };
        if self.present.contains(&guest) && !message.text.is_empty() {
            let command = Command::Say(within(message.text.clone(), MAX_TEXT_BYTES));
            self.output(Output::Command { guest, command });
        }
    }

    /// The guest of that name, who speaks on this connection from now on.
    fn author(&mut self, conn: ConnId, user: &str, now: Instant) -> Option<GuestId> {
        let speaks_here = self.conns.get(&conn)?.authors.contains(user);
        if let Some(author) = self.authors.get(user).filter(|_| speaks_here) {
            return Some(author.guest);
        }
        if self.conns.get(&conn)?.authors.len() >= MAX_AUTHORS_PER_CONN {
            return None;
        }
        if !self.authors.contains_key(user) {
            self.make_room(now);
            if self.authors.len() >= MAX_AUTHORS {
                return None;
            }
            let guest = self.enter(user);
            self.authors.insert(user.to_owned(), Author { guest, conns: 0, leaves_at: None });
        }
        self.conns.get_mut(&conn)?.authors.insert(user.to_owned());
        let author = self.authors.get_mut(user)?;
        author.conns = author.conns.saturating_add(1);
        author.leaves_at = None;
        Some(author.guest)
    }

    /// Sends the author away who has been gone for longest, if there are too many.
    fn make_room(&mut self, now: Instant) {
        if self.authors.len() < MAX_AUTHORS {
            return;
        }
        let gone = self.authors.iter().filter_map(|(user, author)| Some((author.leaves_at?, user)));
        if let Some(user) = gone.min().map(|(_, user)| user.clone()) {
            self.dismiss(&user, now);
        }
    }

    /// A connection ended that these spoke on.
    pub(super) fn release_authors(&mut self, users: &BTreeSet<String>, now: Instant) {
        for user in users {
            let Some(author) = self.authors.get_mut(user) else { continue };
            author.conns = author.conns.saturating_sub(1);
            if author.conns == 0 {
                author.leaves_at = now.checked_add(LINGER);
            }
        }
    }

    pub(super) fn next_dismissal(&self) -> Option<Instant> {
        self.authors.values().filter_map(|author| author.leaves_at).min()
    }

    pub(super) fn dismiss_authors(&mut self, now: Instant) {
        let is_late = |author: &Author| author.leaves_at.is_some_and(|at| at <= now);
        let late = self.authors.iter().filter(|(_, author)| is_late(author));
        for user in late.map(|(user, _)| user.clone()).collect::<Vec<_>>() {
            self.dismiss(&user, now);
        }
    }

    fn dismiss(&mut self, user: &str, now: Instant) {
        if let Some(author) = self.authors.remove(user) {
            self.leave(author.guest, now);
        }
    }

    /// Brings somebody into the room; a name that is taken gets a number there.
    pub(super) fn enter(&mut self, name: &str) -> GuestId {
        let guest = GuestId(self.fresh());
        self.present.insert(guest);
        self.own.expect(guest, name);
        self.output(Output::Enter { guest, name: name.to_owned(), insists: false });
        guest
    }

    pub(super) fn leave(&mut self, guest: GuestId, now: Instant) {
        self.own.remove(guest, now);
        self.wanted.remove(&guest);
        if self.present.remove(&guest) {
            self.output(Output::Leave { guest });
        }
    }

    /// A subscriber's first message says what it is called (it may have spoken before it subscribed).
    pub(super) fn introduce(&mut self, guest: GuestId, user: &str, now: Instant) {
        if self.authors.get(user).is_some_and(|author| author.conns == 0) {
            self.dismiss(user, now);
        }
        self.ask_for(guest, user.to_owned(), 1);
    }

    fn ask_for(&mut self, guest: GuestId, name: String, suffix: u32) {
        if !self.present.contains(&guest) {
            return;
        }
        let nick = safe_nick(&name).0;
        let nick = if suffix > 1 { nick.with_suffix(suffix) } else { nick };
        self.own.expect(guest, nick.as_str());
        self.wanted.insert(guest, (name, suffix));
        self.output(Output::Command { guest, command: Command::Rename(nick) });
    }

    /// Somebody among us has the name a subscriber asked for.
    pub(super) fn name_taken(&mut self, guest: GuestId) {
        match self.wanted.remove(&guest) {
            Some((name, suffix)) if suffix < MAX_SUFFIX => {
                self.ask_for(guest, name, suffix.saturating_add(1));
            }
            _ => self.own.give_up(guest),
        }
    }

    /// Somebody is not among us. Within the protocol that changes nothing.
    pub(super) fn refused(&mut self, guest: GuestId, why: &Refusal, now: Instant) {
        self.log(format!("guest {} is not heard by others: {why:?}", guest.0));
        self.present.remove(&guest);
        self.own.remove(guest, now);
    }
}
