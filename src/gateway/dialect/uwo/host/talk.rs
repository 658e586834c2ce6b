//! What registered users say, and who gets it.

use std::time::Instant;

use bytes::Bytes;

use crate::{
    app::Command,
    gateway::dialect::{ConnId, Delivery, Output},
};

use super::{
    super::{
        MAX_LINE_BYTES,
        follow::{Unchanged, words},
        framing::Heard,
        guest::{Conn, Phase},
        line::{GOODBYE, Order, begins, ended, message, order},
    },
    Host,
};

impl Host {
    /// A line of somebody who is in.
    pub(super) fn heard(&mut self, conn: ConnId, heard: Heard, now: Instant) {
        let Heard::Line(line) = heard else {
            self.log(format!(
                "{} is disconnected: a line has at most {MAX_LINE_BYTES} bytes",
                self.name(conn)
            ));
            self.say(conn, &format!("Error:  A line has at most {MAX_LINE_BYTES} bytes"), now);
            self.dismiss(conn, now);
            return;
        };
        let text = String::from_utf8_lossy(&line).into_owned();
        if self.header_line(conn, &text) {
            return;
        }
        let asked = self.guest(conn).and_then(|guest| guest.upload.as_ref());
        let is_asked = asked.is_some_and(|upload| matches!(upload.phase, Phase::Asked));
        if is_asked && !line.starts_with(b"@") && !begins(&line, "DISCONNECT") {
            self.file_header(conn, &line, now);
            return;
        }
        let name = self.name(conn);
        self.print(format!("Received message from user {name}:  {text}"));
        if begins(&line, "DISCONNECT") {
            self.print(format!("Disconnecting user {name}"));
            self.end(conn, now);
        } else if begins(&line, "REGISTER") {
            self.refuse_taken(conn, now);
        } else if line.starts_with(b"@") {
            self.said(conn, &line, now);
        } else {
            self.log(format!("{name}: ignored: a message begins with `@{name}: `"));
        }
    }

    fn said(&mut self, conn: ConnId, line: &Bytes, now: Instant) {
        let name = self.name(conn);
        let Some(message) = message(line, &name) else { return };
        if message.rewritten {
            self.log(format!("{name} named somebody else as the sender; the line goes out as from @{name}"));
        }
        let order = match self.config.delivery {
            Delivery::Broadcast => None,
            Delivery::Auto | Delivery::Follow => order(&message.text),
        };
        if let Some(order) = order.filter(|order| *order != Order::Unknown || self.is_filtered(conn)) {
            self.obey(conn, order, now);
            return;
        }
        self.spread(conn, &message.line, now);
        if !message.text.trim().is_empty() {
            self.command(conn, Command::Say(message.text));
        }
    }

    fn is_filtered(&self, conn: ConnId) -> bool {
        let knows = self.guest(conn).is_some_and(|guest| guest.follows.knows());
        knows || self.config.delivery == Delivery::Follow
    }

    /// Gives a line to whom it concerns, but not to its sender (W6, W15).
    fn spread(&mut self, from: ConnId, line: &[u8], now: Instant) {
        let text = String::from_utf8_lossy(line);
        let words: Vec<&str> = words(&text).collect();
        let line = ended(line, self.config.ascii_safe);
        for conn in self.audience(Some(from), &words) {
            self.deliver(conn, &line, now);
        }
    }

    /// Everybody who gets a line, or a file, with these words.
    pub(super) fn audience(&self, except: Option<ConnId>, words: &[&str]) -> Vec<ConnId> {
        let wants = |known: &Conn| {
            let follows = known.guest().map(|guest| &guest.follows);
            follows.is_some_and(|follows| follows.wants(self.config.delivery, words.iter().copied()))
        };
        let others = self.conns.iter().filter(|(conn, _)| Some(**conn) != except);
        others.filter(|(_, known)| wants(known)).map(|(conn, _)| *conn).collect()
    }

    fn obey(&mut self, conn: ConnId, order: Order, now: Instant) {
        let answer = match order {
            Order::List => self.list(),
            Order::Follows => self.guest(conn).map(|guest| guest.follows.list()).unwrap_or_default(),
            Order::Follow(term) => {
                let done = self.guest_mut(conn).map_or(Ok(()), |guest| guest.follows.follow(&term));
                answered(done, &term, "Now following")
            }
            Order::Unfollow(term) => {
                let done = self.guest_mut(conn).map_or(Ok(()), |guest| guest.follows.unfollow(&term));
                answered(done, &term, "No longer following")
            }
            Order::Attach { path, terms } => return self.ask_for_file(conn, path, &terms, now),
            Order::Exit => {
                self.print(format!("Disconnecting user {}", self.name(conn)));
                return self.dismiss(conn, now);
            }
            Order::Unknown => "Error:  Unknown command".into(),
        };
        self.say(conn, &answer, now);
    }

    /// Says good-bye to somebody (W22).
    pub(super) fn dismiss(&mut self, conn: ConnId, now: Instant) {
        self.say(conn, GOODBYE, now);
        self.end(conn, now);
    }

    pub(super) fn command(&mut self, conn: ConnId, command: Command) {
        if let Some(guest) = self.guest(conn).map(|guest| guest.id) {
            self.outputs.push_back(Output::Command { guest, command });
        }
    }
}

fn answered(done: Result<(), Unchanged>, term: &str, success: &str) -> String {
    match done {
        Ok(()) => format!("{success} {term}"),
        Err(unchanged) => unchanged.words(term),
    }
}
