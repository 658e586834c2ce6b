//! What the others in the room say and do, as users of this protocol see it.

use std::time::Instant;

use crate::{
    app::{Change, Command, Event, Said},
    gateway::dialect::{ConnId, GuestId, Output, clean_line, plain},
};

use super::{
    super::{
        follow::words,
        guest::Conn,
        line::{ended, shortened},
    },
    Host,
};

/// Bytes of the longest answer to `!list`; the names behind are left out.
pub(in crate::gateway::dialect::uwo) const MAX_LIST_BYTES: usize = 64 * 1024;

impl Host {
    pub(super) fn told(&mut self, guest: GuestId, event: Event, now: Instant) {
        let Some(conn) = self.guests.get(&guest).copied().filter(|conn| self.is_in(*conn)) else { return };
        match event {
            Event::Message(said) if !said.historic => self.line_of_others(conn, &said, now),
            Event::Private(said) if !said.historic => self.private_line(conn, &said, now),
            Event::Presence { name, change, .. } => self.presence(conn, guest, &name, change),
            Event::Users { users, .. } if self.witness == Some(guest) => {
                self.roster = users.into_iter().collect();
            }
            Event::Renamed { to, .. } => self.renamed(conn, plain(&to)),
            Event::Error(trouble) => self.trouble(conn, &trouble.message, now),
            Event::Closed { .. } => self.dismiss(conn, now),
            _ => {}
        }
    }

    fn line_of_others(&mut self, conn: ConnId, said: &Said, now: Instant) {
        let is_own =
            said.from.starts_with('~') && self.nicks.contains(&plain(&said.from).to_ascii_lowercase());
        let Some(guest) = self.guest_mut(conn) else { return };
        let from = plain(&said.from);
        if is_own || guest.is_echo_of(&said.from, now) || guest.announced.take(from, &said.text) {
            return;
        }
        let line = shortened(format!("@{from}: {}", clean_line(&said.text)));
        let delivery = self.config.delivery;
        let wanted = self.guest(conn).is_some_and(|guest| guest.follows.wants(delivery, words(&line)));
        if wanted {
            self.deliver(conn, &ended(line.as_bytes(), self.config.ascii_safe), now);
        }
    }

    /// Said to this user alone, so whatever it follows.
    fn private_line(&mut self, conn: ConnId, said: &Said, now: Instant) {
        let Some(guest) = self.guest_mut(conn) else { return };
        let from = plain(&said.from);
        if !guest.announced.take(from, &said.text) {
            self.say(conn, &shortened(format!("@{from}: (private) {}", clean_line(&said.text))), now);
        }
    }

    fn presence(&mut self, conn: ConnId, guest: GuestId, name: &str, change: Change) {
        let gone = matches!(change, Change::Leave | Change::Lost { .. });
        if let Some(guest) = self.guest_mut(conn).filter(|_| gone) {
            guest.saw_leaving(name);
        }
        if self.witness != Some(guest) {
            return;
        }
        match change {
            Change::Join => drop(self.roster.insert(name.to_owned())),
            Change::Leave | Change::Lost { .. } => drop(self.roster.remove(name)),
            Change::Rename { to } => {
                self.roster.remove(name);
                self.roster.insert(to);
            }
        }
    }

    fn renamed(&mut self, conn: ConnId, to: &str) {
        let Some(guest) = self.guest_mut(conn) else { return };
        let old = std::mem::replace(&mut guest.nick, to.to_owned());
        self.nicks.remove(&old.to_ascii_lowercase());
        self.nicks.insert(to.to_ascii_lowercase());
    }

    /// Something did not reach the others. Programs of the first assignment know no such lines.
    fn trouble(&mut self, conn: ConnId, what: &str, now: Instant) {
        self.log(format!("{}: {what}", self.name(conn)));
        if self.guest(conn).is_some_and(|guest| guest.follows.knows()) {
            self.say(conn, &shortened(format!("Error:  {}", clean_line(what))), now);
        }
    }

    /// Everybody: first the users of this protocol as they came, then the others by name (W14).
    pub(super) fn list(&self) -> String {
        let own = self.guests.values().filter_map(|conn| self.guest(*conn)).map(|guest| guest.name.as_str());
        let foreign = self.roster.iter().filter(|name| !self.is_of_us(name)).map(|name| plain(name));
        let mut list = String::new();
        for name in own.chain(foreign) {
            let separator = if list.is_empty() { "" } else { ", " };
            if list.len().saturating_add(separator.len()).saturating_add(name.len()) > MAX_LIST_BYTES {
                break;
            }
            list.push_str(separator);
            list.push_str(name);
        }
        list
    }

    /// Whether somebody in the room is, or was until just now, a user of this protocol.
    fn is_of_us(&self, name: &str) -> bool {
        let Some(nick) = name.strip_prefix('~') else { return false };
        let witness =
            self.witness.and_then(|guest| self.guests.get(&guest)).and_then(|conn| self.guest(*conn));
        let left = |now| witness.is_some_and(|guest| guest.is_echo_of(name, now));
        self.nicks.contains(&nick.to_ascii_lowercase()) || self.last.is_some_and(left)
    }

    /// Somebody else sees the room for all from now on. It has been told what changed until now; who is there
    /// it is asked.
    pub(super) fn find_witness(&mut self) {
        let in_room = |conn: &&ConnId| self.is_in(**conn);
        let next = self.guests.iter().find(|(_, conn)| in_room(conn)).map(|(guest, _)| *guest);
        self.witness = next;
        match next {
            Some(guest) => {
                let command = Command::Users(None);
                self.outputs.push_back(Output::Command { guest, command });
            }
            None => self.roster.clear(),
        }
    }
}

impl Host {
    /// Those of these people who are users of this protocol.
    pub(super) fn named(&self, names: &[String]) -> Vec<ConnId> {
        let is_named = |known: &Conn| {
            let nick = known.guest().map(|guest| guest.nick.as_str());
            nick.is_some_and(|nick| names.iter().any(|name| plain(name).eq_ignore_ascii_case(nick)))
        };
        self.conns.iter().filter(|(_, known)| is_named(known)).map(|(conn, _)| *conn).collect()
    }
}
