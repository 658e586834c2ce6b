//! From the first dial to the prompt (W2, W10).

use std::time::{Duration, Instant};

use bytes::Bytes;

use crate::gateway::dialect::{ConnId, DialId, Output, clean_line};

use super::{
    super::{NOT_ACCEPTING, framing::Heard, line::begins},
    Client, State,
};

/// How long to try to connect.
const DIAL_PATIENCE: Duration = Duration::from_secs(10);

/// After so much silence the end of a header is sent, for servers that wait for one (UWO-D3).
const HEADER_PATIENCE: Duration = Duration::from_secs(1);

/// How long a server has to answer the registration.
const ANSWER_PATIENCE: Duration = Duration::from_secs(30);

impl Client {
    pub(super) fn start(&mut self) {
        self.print("Connecting to server ...");
        match self.config.server {
            Some(to) => {
                self.outputs.push_back(Output::Dial { dial: DialId(0), to, timeout: DIAL_PATIENCE });
            }
            None => self.fail_to_connect(),
        }
    }

    pub(super) fn connected(&mut self, conn: ConnId, now: Instant) {
        if self.state != State::Dialing {
            self.outputs.push_back(Output::Close { conn });
            return;
        }
        self.print("Connection to server established. Sending intro message...");
        self.print("");
        let lawful = |term: &&String| !term.is_empty() && !term.contains([',', ' ', '\r', '\n']);
        let terms: Vec<&str> = self.config.follow.iter().filter(lawful).map(String::as_str).collect();
        let header = match (terms.is_empty(), self.framed) {
            (false, _) => format!("Follow: {}\n\n", terms.join(",")),
            (true, true) => "\n".into(),
            (true, false) => String::new(),
        };
        let header_at = if header.is_empty() { now.checked_add(HEADER_PATIENCE) } else { None };
        let until = now.checked_add(ANSWER_PATIENCE).unwrap_or(now);
        self.state = State::Registering { conn, header_at, until };
        self.send(conn, format!("REGISTER {} CHAT/1.0\n{header}", self.name));
    }

    /// The answer to the registration. Only the number counts: servers spell the words in more than one way.
    pub(super) fn answered(&mut self, conn: ConnId, text: &str) {
        if begins(text.as_bytes(), "200") {
            self.state = State::In { conn };
            self.print("Registration successful.  Ready for messaging!");
            self.prompt();
            return;
        }
        self.print("Error:  An error response was received from the server.  Details:");
        self.print("");
        self.print(clean_line(text));
        self.print("Exiting now ...");
        self.leave(conn, 1);
    }

    /// The server ended the connection: what it said before, without an end of line, is its answer.
    pub(super) fn fail_or_answer(&mut self) {
        match (self.state, self.inbox.next()) {
            (State::Registering { conn, .. }, Some(Heard::Line(line))) => {
                self.answered(conn, &String::from_utf8_lossy(&line));
                self.ended();
            }
            _ => self.fail_to_connect(),
        }
    }

    pub(super) fn fail_to_connect(&mut self) {
        if self.state != State::Over {
            self.print(NOT_ACCEPTING);
            self.over(1);
        }
    }

    pub(super) fn registration_timeout(&mut self, now: Instant) {
        let State::Registering { conn, header_at, until } = self.state else { return };
        if header_at.is_some_and(|at| at <= now) {
            self.state = State::Registering { conn, header_at: None, until };
            self.outputs.push_back(Output::Send { conn, bytes: Bytes::from_static(b"\n") });
        }
        if until <= now {
            self.outputs.push_back(Output::Close { conn });
            self.fail_to_connect();
        }
    }
}
