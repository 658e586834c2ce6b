//! What happens among those who came through other doors, as guests here are told.

use std::time::Instant;

use crate::app::{Change, Event, Said, Trouble};

use super::{
    super::{ConnId, clean_line, plain},
    host::{Guest, Host, Stage},
    wire,
};

/// People of other doors whose names are kept.
pub(super) const MAX_OTHERS: usize = 16_384;

impl Host {
    pub(super) fn told(&mut self, conn: ConnId, event: Event, now: Instant) {
        let is_in = self.guests.get(&conn).is_some_and(Guest::is_in);
        match event {
            Event::Closed { reason } => self.show_out(conn, &format!("the room is closed: {reason}"), now),
            // The first that anybody is told is that they entered.
            _ if !is_in => {}
            Event::Message(said) => self.pass_on(conn, &said, now),
            Event::Private(said) => {
                let source = format!("{} (private)", plain(&said.from));
                self.send(conn, wire::message(&source, &clean_line(&said.text)));
            }
            Event::Presence { name, change, .. } => self.tell_presence(conn, &name, change, now),
            Event::Renamed { to, .. } => self.renamed(conn, &to, now),
            Event::Gap { from, first, last, .. } if !self.own.contains(&from, now) => {
                let lines = last.0.saturating_sub(first.0).saturating_add(1);
                self.notice(conn, &format!("{lines} lines of {} were lost", plain(&from)));
            }
            Event::Error(trouble) => self.trouble(conn, &trouble, now),
            _ => {}
        }
    }

    /// Who is there already when somebody is let in.
    pub(super) fn meet(&mut self, users: &[String], now: Instant) {
        let others = users.iter().filter(|user| !self.own.contains(user, now)).take(MAX_OTHERS);
        self.others = others.map(|user| plain(user).to_owned()).collect();
    }

    /// Names in the order their owners came; those of other doors behind them, sorted.
    pub(super) fn users(&self) -> Vec<String> {
        let own = self.guests.values().filter(|guest| guest.is_in()).map(|guest| &guest.name);
        own.chain(&self.others).cloned().collect()
    }

    /// A protocol without files says at least that there was one.
    fn pass_on(&mut self, conn: ConnId, said: &Said, now: Instant) {
        if said.historic || self.own.contains(&said.from, now) {
            return;
        }
        let (name, text) = (plain(&said.from), clean_line(&said.text));
        self.send(conn, wire::message(name, &text));
        // Every guest is told, but it was said once.
        if self.past.is_new(said) {
            self.past.add(name, &text);
            self.print(name, &text);
        }
    }

    fn tell_presence(&mut self, conn: ConnId, name: &str, change: Change, now: Instant) {
        if self.own.contains(name, now) {
            return;
        }
        let name = plain(name);
        let (notice, is_new) = match change {
            Change::Join => (format!("{name} has entered the chat"), self.add_other(name)),
            Change::Leave | Change::Lost { .. } => {
                (format!("{name} has left the chat"), self.others.remove(name))
            }
            Change::Rename { to } => {
                let is_new = self.others.remove(name);
                self.add_other(plain(&to));
                (format!("{name} renamed to {}", plain(&to)), is_new)
            }
        };
        self.notice(conn, &notice);
        if is_new {
            self.print(super::SERVER, &notice);
        }
    }

    fn add_other(&mut self, name: &str) -> bool {
        self.others.len() < MAX_OTHERS && self.others.insert(name.to_owned())
    }

    fn trouble(&mut self, conn: ConnId, trouble: &Trouble, now: Instant) {
        let Some(guest) = self.guests.get(&conn) else { return };
        let is_renaming = matches!(guest.stage, Stage::Renaming(_));
        match trouble.code {
            "name_taken" => self.not_renamed(conn, true, now),
            "name_invalid" | "refused" | "not_connected" if is_renaming => self.not_renamed(conn, false, now),
            _ => self.tell_off(conn, &trouble.message),
        }
    }
}
