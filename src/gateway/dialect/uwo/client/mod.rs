//! The assignment's client: its lines, its prompt, its commands passed on as text (W24).

mod files;
mod register;

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use bytes::Bytes;

use crate::gateway::dialect::{CallerConfig, ConnId, Input, Machine, Output, PACE, clean_line};

use super::{
    MAX_LINE_BYTES,
    framing::{First, Heard, Inbox},
    line::{begins, control_word},
};

use files::{Incoming, Outgoing};

/// How long after the last typed line its answer may take.
const END_PATIENCE: Duration = Duration::from_secs(1);

/// Bytes of the longest line of a server: lists of users are long.
pub(super) const MAX_SERVER_LINE_BYTES: usize = 256 * 1024;

/// Typed lines that wait for a pause to be over.
pub(super) const MAX_TYPED: usize = 64;

/// The client of `uwo`.
#[derive(Debug)]
pub struct Client {
    config: CallerConfig,
    name: String,
    /// Whether to speak the second assignment from the start, in whole lines, as over UDP.
    framed: bool,
    state: State,
    inbox: Inbox,
    typed: VecDeque<String>,
    /// Whether anything was ever typed: who never could only listens.
    has_typed: bool,
    /// Set at the end of what is typed; when to leave.
    leave_at: Option<Instant>,
    /// Nothing is sent before.
    rest_until: Option<Instant>,
    outgoing: Outgoing,
    incoming: Option<Incoming>,
    outputs: VecDeque<Output>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Dialing,
    Registering { conn: ConnId, header_at: Option<Instant>, until: Instant },
    In { conn: ConnId },
    Over,
}

impl Client {
    /// A client that connects when it is started.
    pub fn new(config: CallerConfig) -> Self {
        Self {
            name: config.name.clone().unwrap_or_default(),
            config,
            framed: false,
            state: State::Dialing,
            inbox: Inbox::new(First::Status, MAX_SERVER_LINE_BYTES),
            typed: VecDeque::new(),
            has_typed: false,
            leave_at: None,
            rest_until: None,
            outgoing: Outgoing::Nothing,
            incoming: None,
            outputs: VecDeque::new(),
        }
    }

    /// A client for a connection that carries whole lines.
    pub(in crate::gateway::dialect) fn framed(config: CallerConfig) -> Self {
        Self { framed: true, inbox: Inbox::of_lines(MAX_SERVER_LINE_BYTES), ..Self::new(config) }
    }

    fn received(&mut self, bytes: Bytes, now: Instant) {
        if let State::Registering { header_at, .. } = &mut self.state {
            *header_at = None;
        }
        self.inbox.push(bytes, now);
        self.read(now);
    }

    fn read(&mut self, now: Instant) {
        while self.state != State::Over {
            if self.takes_file() {
                let Some(bytes) = self.inbox.take_raw(self.wanted_bytes()) else { break };
                self.take_file_bytes(&bytes);
                continue;
            }
            match self.inbox.next() {
                None => break,
                Some(Heard::TooLong) => self.warn("a line of the server was too long and is left out"),
                Some(Heard::Line(line)) => self.heard(&line, now),
            }
        }
    }

    fn heard(&mut self, line: &[u8], now: Instant) {
        let text = String::from_utf8_lossy(line).into_owned();
        match self.state {
            State::Registering { conn, .. } => self.answered(conn, &text),
            State::In { .. } if self.incoming.is_some() => self.file_line(line, &text),
            State::In { conn } => self.line(conn, line, &text, now),
            State::Dialing | State::Over => {}
        }
    }

    fn line(&mut self, conn: ConnId, line: &[u8], text: &str, now: Instant) {
        if begins(line, "DISCONNECT") && text.ends_with("CHAT/1.0") {
            self.server_left(conn);
        } else if let Some(path) = control_word(text, "ATTACH") {
            self.asked_for_file(conn, path, now);
        } else if let Some(name) = control_word(text, "ATTACHMENT") {
            self.file_announced(name);
        } else {
            self.outgoing.answered(text);
            self.show(&clean_line(text));
        }
    }

    fn server_left(&mut self, conn: ConnId) {
        self.end_prompt();
        self.print("Disconnected from server ... exiting!");
        self.leave(conn, 0);
    }

    fn ended(&mut self) {
        match self.state {
            State::Registering { .. } => {
                self.inbox.settle_bare();
                self.fail_or_answer();
            }
            State::In { conn } => self.server_left(conn),
            State::Dialing | State::Over => {}
        }
    }

    fn typed(&mut self, line: String, now: Instant) {
        self.has_typed = true;
        if self.typed.len() >= MAX_TYPED {
            self.warn("too many lines at once: this one is not sent");
            return;
        }
        self.typed.push_back(line);
        self.send_typed(now);
    }

    fn send_typed(&mut self, now: Instant) {
        while let State::In { conn } = self.state {
            if !self.may_send() {
                return;
            }
            let Some(line) = self.typed.pop_front() else { return };
            self.send_line(conn, &line, now);
        }
    }

    fn send_line(&mut self, conn: ConnId, line: &str, now: Instant) {
        let line = line.trim_end_matches(['\r', '\n']).replace(['\r', '\n'], " ");
        let message = format!("@{}: {line}", self.name);
        if message.len() > MAX_LINE_BYTES {
            self.warn(&format!("not sent: a line has at most {MAX_LINE_BYTES} bytes"));
        } else {
            self.offer(&line, now);
            self.send(conn, format!("{message}\n"));
            self.rest(if self.inbox.is_bare() { PACE } else { Duration::ZERO }, now);
        }
        self.prompt();
    }

    fn may_send(&self) -> bool {
        self.rest_until.is_none() && self.outgoing.lets_pass()
    }

    fn rest(&mut self, pause: Duration, now: Instant) {
        self.rest_until = (!pause.is_zero()).then(|| now.checked_add(pause)).flatten();
    }

    /// Who typed something leaves when its answer may have come; who could never type goes on listening.
    fn typed_end(&mut self, now: Instant) {
        if self.has_typed {
            self.leave_at = now.checked_add(END_PATIENCE);
        }
    }

    fn interrupted(&mut self) {
        if self.state != State::Over {
            self.print("Interrupt received, shutting down ...");
            self.disconnect();
        }
    }

    /// Leaves in order (W8, W11).
    fn disconnect(&mut self) {
        match self.state {
            State::In { conn } | State::Registering { conn, .. } => {
                self.send(conn, format!("DISCONNECT {} CHAT/1.0\n", self.name));
                self.leave(conn, 0);
            }
            State::Dialing => self.over(0),
            State::Over => {}
        }
    }

    fn leave(&mut self, conn: ConnId, status: u8) {
        self.outputs.push_back(Output::Close { conn });
        self.over(status);
    }

    fn over(&mut self, status: u8) {
        self.state = State::Over;
        self.outputs.push_back(Output::Exit { status });
    }

    /// Sends text that ends with `\n`; without it to a server that ends no lines.
    fn send(&mut self, conn: ConnId, text: String) {
        let text = if self.inbox.is_bare() { text.trim_end_matches('\n').to_owned() } else { text };
        self.outputs.push_back(Output::Send { conn, bytes: text.into() });
    }

    /// Shows a line that came while a prompt was waiting.
    fn show(&mut self, line: &str) {
        self.end_prompt();
        self.print(line);
        self.prompt();
    }

    /// A prompt is for somebody at a terminal; without one, a line that came is just that line.
    fn prompt(&mut self) {
        if self.config.interactive {
            self.outputs.push_back(Output::Prompt("> ".into()));
        }
    }

    fn end_prompt(&mut self) {
        if self.config.interactive {
            self.print("");
        }
    }

    fn print(&mut self, line: impl Into<String>) {
        self.outputs.push_back(Output::Print(line.into()));
    }

    fn warn(&mut self, line: &str) {
        self.outputs.push_back(Output::Warn(line.into()));
    }
}

impl Machine for Client {
    fn handle(&mut self, input: Input, now: Instant) {
        match input {
            Input::Start => self.start(),
            Input::Connected { conn, .. } => self.connected(conn, now),
            Input::NotConnected { .. } => self.fail_to_connect(),
            Input::Received { bytes, .. } => self.received(bytes, now),
            Input::Ended { .. } => self.ended(),
            Input::Typed(line) => self.typed(line, now),
            Input::TypedEnd => self.typed_end(now),
            Input::Interrupted => self.interrupted(),
            Input::Read { content, .. } => self.file_read(content, now),
            Input::Saved { name, result } => self.file_saved(&name, result),
            _ => {}
        }
        self.send_typed(now);
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.inbox.handle_timeout(now);
        self.read(now);
        self.registration_timeout(now);
        self.outgoing_timeout(now);
        if self.rest_until.is_some_and(|at| at <= now) {
            self.rest_until = None;
        }
        self.send_typed(now);
        if self.leave_at.is_some_and(|at| at <= now) {
            self.leave_when_done(now);
        }
    }

    fn poll_timeout(&self) -> Option<Instant> {
        let registering = match self.state {
            State::Over => return None,
            State::Registering { header_at, until, .. } => Some(header_at.unwrap_or(until)),
            State::Dialing | State::In { .. } => None,
        };
        let all =
            [registering, self.inbox.deadline(), self.outgoing.deadline(), self.rest_until, self.leave_at];
        all.into_iter().flatten().min()
    }

    fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    fn is_ready(&self) -> bool {
        matches!(self.state, State::In { .. }) && self.typed.is_empty() && self.may_send()
    }
}

impl Client {
    /// The end of what is typed is also the end of the program, but not while a line or a file waits.
    fn leave_when_done(&mut self, now: Instant) {
        let is_in = matches!(self.state, State::In { .. });
        if is_in && self.typed.is_empty() && self.may_send() {
            self.disconnect();
        } else {
            self.leave_at = now.checked_add(END_PATIENCE);
        }
    }
}
