//! What guests ask of the server: to say something, to be called something, who is there, what was said.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use crate::{app::Command, wire::Nick};

use super::{
    super::{ConnId, Output, json::MAX_BAD_IN_A_ROW, safe_nick},
    MAX_NAME_CHARS, MAX_TEXT_BYTES, SERVER,
    host::{Host, Stage},
    wire::{self, BadLine, Request},
};

/// How long a name is waited for.
pub(super) const RENAME_PATIENCE: Duration = Duration::from_secs(5);

/// The highest number tried behind a name that others are to see and somebody has.
const MAX_SUFFIX: u32 = 9;

/// A name that was asked for.
#[derive(Debug)]
pub(super) struct Wanted {
    pub(super) name: String,
    /// What others are to see.
    nick: Nick,
    /// Whether that is the same; if not, the name is granted whatever others see.
    is_legal: bool,
    suffix: u32,
    pub(super) until: Instant,
}

impl Host {
    pub(super) fn hear_line(&mut self, conn: ConnId, line: &[u8], now: Instant) {
        let line = line.trim_ascii();
        let Some(guest) = self.guests.get_mut(&conn).filter(|_| !line.is_empty()) else { return };
        let request = wire::request(line);
        let name = guest.name.clone();
        match request {
            Ok(request) => {
                guest.bad = 0;
                self.log(format!("{name}: {request:?}"));
                self.obey(conn, request, now);
            }
            Err(why @ BadLine::UnknownType(_)) => self.log(format!("{name}: {why} (VSB-D2)")),
            Err(why) => {
                guest.bad = guest.bad.saturating_add(1);
                let is_last = guest.bad >= MAX_BAD_IN_A_ROW;
                self.tell_off(conn, &why.to_string());
                if is_last {
                    self.log(format!("{name}: closed after {MAX_BAD_IN_A_ROW} such lines (VSB-D3)"));
                    self.close(conn, now);
                }
            }
        }
    }

    /// Tells a guest, and whoever watches, which rule a line breaks.
    pub(super) fn tell_off(&mut self, conn: ConnId, why: &str) {
        let name = self.guests.get(&conn).map(|guest| guest.name.clone()).unwrap_or_default();
        self.log(format!("{name}: {why}"));
        self.notice(conn, why);
    }

    fn obey(&mut self, conn: ConnId, request: Request, now: Instant) {
        match request {
            Request::Say(text) => self.say_as(conn, text),
            Request::SetName(name) => self.set_name(conn, name.trim(), now),
            Request::History => {
                let told = self.past.told();
                self.notice(conn, &told);
            }
            Request::Users => {
                let names = self.users().join(", ");
                self.notice(conn, &names);
            }
        }
    }

    fn say_as(&mut self, conn: ConnId, text: String) {
        if text.len() > MAX_TEXT_BYTES {
            return self.tell_off(conn, &format!("a message has at most {MAX_TEXT_BYTES} bytes"));
        }
        let Some((guest, name)) = self.guests.get(&conn).map(|guest| (guest.id, guest.name.clone())) else {
            return;
        };
        self.past.add(&name, &text);
        self.say(&name, &text);
        if !text.is_empty() {
            self.output(Output::Command { guest, command: Command::Say(text) });
        }
    }

    fn set_name(&mut self, conn: ConnId, name: &str, now: Instant) {
        if let Err(why) = self.check_name(conn, name) {
            return self.tell_off(conn, &why);
        }
        let (nick, is_legal) = safe_nick(name);
        let until = now.checked_add(RENAME_PATIENCE).unwrap_or(now);
        let wanted = Wanted { name: name.to_owned(), nick: nick.clone(), is_legal, suffix: 1, until };
        self.ask_for(conn, wanted, nick);
    }

    /// VSB-D8, as far as it can be told here; whether others have the name is asked.
    fn check_name(&self, conn: ConnId, name: &str) -> Result<(), String> {
        if name.is_empty() {
            return Err("a name has at least one character".to_owned());
        }
        if name.chars().count() > MAX_NAME_CHARS {
            return Err(format!("a name has at most {MAX_NAME_CHARS} characters"));
        }
        if name.chars().any(char::is_control) {
            return Err("a name has no control characters".to_owned());
        }
        let Some(asking) = self.guests.get(&conn) else { return Ok(()) };
        if asking.name == name {
            return Err(format!("your name is {name} already"));
        }
        let address = name.parse::<SocketAddr>();
        let is_anothers = |named: &str| named.to_lowercase() == name.to_lowercase();
        let is_taken = is_anothers(SERVER)
            || address.is_ok_and(|address| address != asking.peer)
            || self.others.iter().any(|other| is_anothers(other))
            || self.guests.values().filter(|guest| guest.id != asking.id).any(|guest| {
                is_anothers(&guest.name)
                    || matches!(&guest.stage, Stage::Renaming(wanted) if is_anothers(&wanted.name))
            });
        if is_taken { Err(format!("the name {name} is in use")) } else { Ok(()) }
    }

    fn ask_for(&mut self, conn: ConnId, wanted: Wanted, nick: Nick) {
        let Some(guest) = self.guests.get_mut(&conn) else { return };
        let id = guest.id;
        if self.own.nick(id) == Some(nick.as_str()) {
            guest.stage = Stage::In;
            self.own.give_up(id);
            return self.call(conn, wanted.name);
        }
        guest.stage = Stage::Renaming(wanted);
        self.own.expect(id, nick.as_str());
        self.output(Output::Command { guest: id, command: Command::Rename(nick) });
    }

    /// The name by which others see a guest is this now.
    pub(super) fn renamed(&mut self, conn: ConnId, to: &str, now: Instant) {
        let Some(guest) = self.guests.get_mut(&conn).filter(|guest| guest.is_in()) else { return };
        let id = guest.id;
        let had_it_here = self.own.nick(id) == Some(guest.name.as_str());
        let stage = std::mem::replace(&mut guest.stage, Stage::In);
        self.own.settle(id, to, now);
        match stage {
            Stage::Renaming(wanted) => self.call(conn, wanted.name),
            _ if had_it_here => self.call(conn, super::super::plain(to).to_owned()),
            _ => {}
        }
        self.hear(conn, now);
    }

    /// Others do not see a guest under the name that was asked for.
    pub(super) fn not_renamed(&mut self, conn: ConnId, is_taken: bool, now: Instant) {
        let Some(guest) = self.guests.get_mut(&conn).filter(|guest| guest.is_in()) else { return };
        let id = guest.id;
        let Stage::Renaming(mut wanted) = std::mem::replace(&mut guest.stage, Stage::In) else { return };
        if is_taken && !wanted.is_legal && wanted.suffix < MAX_SUFFIX {
            wanted.suffix = wanted.suffix.saturating_add(1);
            let nick = wanted.nick.with_suffix(wanted.suffix);
            self.ask_for(conn, wanted, nick);
        } else {
            self.own.give_up(id);
            match (wanted.is_legal, is_taken) {
                (false, _) => self.call(conn, wanted.name),
                (true, true) => self.tell_off(conn, &format!("the name {} is in use", wanted.name)),
                (true, false) => self.tell_off(conn, &format!("the name {} cannot be had now", wanted.name)),
            }
        }
        self.hear(conn, now);
    }

    /// The old name stands first (VSB-D5).
    fn call(&mut self, conn: ConnId, name: String) {
        let Some(guest) = self.guests.get_mut(&conn) else { return };
        let notice = format!("{} renamed to {name}", guest.name);
        guest.name = name;
        self.announce(&notice);
    }

    pub(super) fn lose_patience(&mut self, now: Instant) {
        let late = self.guests.iter().filter(|(_, guest)| match &guest.stage {
            Stage::Renaming(wanted) => wanted.until <= now,
            Stage::Entering | Stage::In => false,
        });
        let late: Vec<ConnId> = late.map(|(conn, _)| *conn).collect();
        for conn in late {
            self.not_renamed(conn, false, now);
        }
    }
}
