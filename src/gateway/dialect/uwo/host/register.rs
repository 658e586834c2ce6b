//! From the first line of a connection to the room (W2, W10).

use std::time::Instant;

use crate::gateway::dialect::{ConnId, GuestId, Output, Refusal, safe_nick};

use super::{
    super::{
        framing::Heard,
        guest::{Conn, Guest, Header, State},
        line::{INVALID, REGISTERED, TAKEN, registration},
    },
    Host,
};

impl Host {
    /// The first line of a connection, which has to be a registration.
    pub(super) fn first_line(&mut self, conn: ConnId, heard: &Heard, now: Instant) {
        let Heard::Line(line) = heard else {
            self.refuse_invalid(conn, "(a line that is too long)", now);
            return;
        };
        let Some(name) = registration(line) else {
            self.log("a registration is exactly `REGISTER name CHAT/1.0`, the name one word without `@`, not `all`");
            self.refuse_invalid(conn, &String::from_utf8_lossy(line), now);
            return;
        };
        if self.conns.values().any(|known| known.name() == Some(name)) {
            self.refuse_taken(conn, now);
            return;
        }
        if self.guests.len() >= self.max_clients() {
            self.log(format!("{name} is refused: {} users are in already", self.guests.len()));
            self.refuse_invalid(conn, &String::from_utf8_lossy(line), now);
            return;
        }
        self.enter(conn, name);
    }

    fn enter(&mut self, conn: ConnId, name: &str) {
        let Some(known) = self.conns.get_mut(&conn) else { return };
        let guest = GuestId(self.next_guest);
        self.next_guest = self.next_guest.saturating_add(1);
        known.state = State::Entering { guest, name: name.to_owned() };
        self.guests.insert(guest, conn);
        // A name that others cannot see as it is need not be unique among them: it is so here.
        let insists = safe_nick(name).1;
        self.outputs.push_back(Output::Enter { guest, name: name.to_owned(), insists });
    }

    /// The room let somebody in.
    pub(super) fn entered(&mut self, guest: GuestId, nick: String, users: Vec<String>, now: Instant) {
        let Some(conn) = self.guests.get(&guest).copied() else { return };
        let Some(known) = self.conns.get_mut(&conn) else { return };
        let State::Entering { name, .. } = &known.state else { return };
        let name = name.clone();
        self.nicks.insert(nick.to_ascii_lowercase());
        known.state = State::In(Box::new(Guest::new(guest, name.clone(), nick)));
        if self.witness.is_none() {
            self.witness = Some(guest);
            self.roster = users.into_iter().collect();
        }
        self.print(format!(
            "Connection to client established, waiting to receive messages from user '{name}'..."
        ));
        if self.conns.get(&conn).is_some_and(|known| known.inbox.is_bare()) {
            self.log(format!("{name} ends no lines: each read is one message, and so is each write"));
        }
        self.say(conn, REGISTERED, now);
        self.read(conn, now);
    }

    /// The room did not let somebody in, or put it out.
    pub(super) fn refused(&mut self, guest: GuestId, why: &Refusal, now: Instant) {
        let Some(conn) = self.guests.get(&guest).copied() else { return };
        let name = self.name(conn);
        let was_in = self.is_in(conn);
        self.log(format!("{name} is refused: {why:?}"));
        self.forget(conn, now);
        match why {
            _ if was_in => self.dismiss(conn, now),
            Refusal::NameTaken => self.refuse_taken(conn, now),
            Refusal::Full | Refusal::Other(_) => {
                self.refuse_invalid(conn, &format!("REGISTER {name} CHAT/1.0"), now);
            }
        }
    }

    fn refuse_invalid(&mut self, conn: ConnId, line: &str, now: Instant) {
        self.print("Error:  Invalid registration message.");
        self.print(format!("Received: {line}"));
        self.print("Connection closing ...");
        self.say(conn, INVALID, now);
        self.end(conn, now);
    }

    pub(super) fn refuse_taken(&mut self, conn: ConnId, now: Instant) {
        self.print("Error:  Client already registered.");
        self.print("Connection closing ...");
        self.say(conn, TAKEN, now);
        self.end(conn, now);
    }

    /// Gives up on a connection that does not register.
    pub(super) fn registration_timeout(&mut self, conn: ConnId, now: Instant) {
        let Some(known) = self.conns.get_mut(&conn) else { return };
        let State::Fresh { until } = known.state else { return };
        if now < until {
            return;
        }
        // Without an end of line so far: whoever sent this waits for an answer without one.
        known.inbox.settle_bare();
        match known.inbox.next() {
            Some(heard) => self.first_line(conn, &heard, now),
            None => self.refuse_invalid(conn, "", now),
        }
    }

    /// A line that may still belong to the registration (UWO-D3). Whether it did.
    pub(super) fn header_line(&mut self, conn: ConnId, line: &str) -> bool {
        let bare = self.conns.get(&conn).is_some_and(|known| known.inbox.is_bare());
        let Some(guest) = self.conns.get_mut(&conn).and_then(Conn::guest_mut) else { return false };
        let terms = line.strip_prefix("Follow: ");
        let belongs = match guest.header {
            Header::Possible => !bare && (line.is_empty() || terms.is_some()),
            // Who begins to talk has forgotten the empty line.
            Header::Open => !line.starts_with('@') && !line.starts_with("DISCONNECT "),
            Header::Over => false,
        };
        guest.header = if belongs && !line.is_empty() { Header::Open } else { Header::Over };
        if !belongs {
            return false;
        }
        guest.follows.know();
        let dropped = terms.map_or(0, |terms| guest.follows.take_header(terms));
        let what = format!("{} registered with a header and follows {}", guest.name, guest.follows.list());
        self.log(what);
        if dropped > 0 {
            self.log(format!("{dropped} terms of the header were dropped: double, too long or too many"));
        }
        true
    }
}
