//! The client: lines typed to requests, messages to lines printed.

use std::{
    collections::VecDeque,
    net::SocketAddr,
    time::{Duration, Instant},
};

use super::{
    super::{CallerConfig, ConnId, DialId, Input, Machine, Output, clean_line},
    MAX_TEXT_BYTES, SERVER,
    lines::Lines,
    wire::{self, Request},
};

/// Bytes of the longest line from a server: some tell a thousand messages in one.
pub(super) const MAX_LINE_BYTES: usize = 1024 * 1024;

/// How long the server may take to answer the phone.
const DIAL_PATIENCE: Duration = Duration::from_secs(5);

/// How long it must have been quiet after the last typed line: a server's echo is part of what was asked for.
pub(super) const QUIET: Duration = Duration::from_millis(500);

/// How long quiet is waited for, in a chat that never stops.
pub(super) const LINGER: Duration = Duration::from_secs(3);

/// The assignment's client.
#[derive(Debug)]
pub struct Client {
    config: CallerConfig,
    conn: Option<ConnId>,
    lines: Lines,
    has_typed: bool,
    /// End of input: when to leave if it stays quiet, and when in any case.
    leaving: Option<(Instant, Instant)>,
    is_over: bool,
    outputs: VecDeque<Output>,
}

impl Client {
    /// A client that has not connected yet.
    pub fn new(config: CallerConfig) -> Self {
        Self {
            config,
            conn: None,
            lines: Lines::new(MAX_LINE_BYTES),
            has_typed: false,
            leaving: None,
            is_over: false,
            outputs: VecDeque::new(),
        }
    }

    fn start(&mut self) {
        match self.config.server {
            Some(to) => self.output(Output::Dial { dial: DialId(0), to, timeout: DIAL_PATIENCE }),
            None => self.fail("no server is named: type HOST PORT".to_owned()),
        }
    }

    /// V9 to V12, VSB-D9.
    fn typed(&mut self, line: &str) {
        self.has_typed = true;
        let mut words = line.split_whitespace();
        let command = words.next().filter(|_| line.starts_with('/'));
        let request = match (command, words.next()) {
            (None, _) if line.len() > MAX_TEXT_BYTES => {
                return self.warn(format!("not sent: a message has at most {MAX_TEXT_BYTES} bytes"));
            }
            (None, _) => Request::Say(line.to_owned()),
            (Some("/setname"), Some(name)) => Request::SetName(name.to_owned()),
            (Some("/setname"), None) => return self.warn("usage: /setname NAME".to_owned()),
            (Some("/history"), _) => Request::History,
            (Some("/users"), _) => Request::Users,
            (Some(unknown), _) => {
                let known = "/setname NAME, /history and /users are commands";
                return self.warn(format!("{unknown} is no command, nothing was sent; {known}"));
            }
        };
        if let Some(conn) = self.conn {
            self.output(Output::Send { conn, bytes: request.line() });
        }
    }

    fn receive(&mut self, bytes: &[u8], now: Instant) {
        self.lines.push(bytes);
        while let Some(line) = self.lines.next() {
            match line {
                Ok(line) => self.show(&line),
                Err(_) => self.warn(format!("a line of the server has more than {MAX_LINE_BYTES} bytes")),
            }
        }
        if let Some((_, last)) = self.leaving {
            self.leaving = Some((last.min(now.checked_add(QUIET).unwrap_or(now)), last));
        }
    }

    fn show(&mut self, line: &[u8]) {
        let line = line.trim_ascii();
        if line.is_empty() {
            return;
        }
        match wire::said(line) {
            Ok((source, text)) => self.show_said(&source, &text),
            Err(why) => self.warn(format!("the server sent what is not understood: {why}")),
        }
    }

    /// V6, V15. What the server itself says may have several lines; those of a guest could be taken for it.
    fn show_said(&mut self, source: &str, text: &str) {
        self.output(Output::Log(format!("{source:?}: {text:?}")));
        let name = clean_line(source);
        if source != SERVER {
            return self.output(Output::Print(format!("{name}: {}", clean_line(text))));
        }
        for line in format!("{name}: {text}").split('\n') {
            self.output(Output::Print(clean_line(line)));
        }
    }

    /// V7: at once, whatever still wants to be typed.
    fn server_gone(&mut self) {
        let rest = self.lines.take_rest();
        if wire::said(&rest).is_ok() {
            self.show(&rest);
        }
        self.conn = None;
        self.output(Output::Print("Server disconnected".to_owned()));
        self.exit(0);
    }

    /// Started without anything to type, it goes on listening.
    fn end_of_input(&mut self, now: Instant) {
        if self.config.interactive {
            return self.leave();
        }
        if self.has_typed {
            let quiet = now.checked_add(QUIET).unwrap_or(now);
            self.leaving = Some((quiet, now.checked_add(LINGER).unwrap_or(now)));
        }
    }

    fn leave(&mut self) {
        if let Some(conn) = self.conn.take() {
            self.output(Output::Close { conn });
        }
        self.exit(0);
    }

    fn not_connected(&mut self, server: Option<SocketAddr>, why: &str) {
        let server = server.map(|server| server.to_string()).unwrap_or_default();
        self.fail(format!("cannot connect to {server}: {why}"));
    }

    fn fail(&mut self, why: String) {
        self.warn(why);
        self.exit(1);
    }

    fn exit(&mut self, status: u8) {
        self.is_over = true;
        self.leaving = None;
        self.outputs.push_back(Output::Exit { status });
    }

    fn warn(&mut self, what: String) {
        self.output(Output::Warn(what));
    }

    fn output(&mut self, output: Output) {
        self.outputs.push_back(output);
    }
}

impl Machine for Client {
    fn handle(&mut self, input: Input, now: Instant) {
        if self.is_over {
            return;
        }
        match input {
            Input::Start => self.start(),
            Input::Connected { conn, .. } => self.conn = Some(conn),
            Input::NotConnected { why, .. } => self.not_connected(self.config.server, &why),
            Input::Received { bytes, .. } => self.receive(&bytes, now),
            Input::Ended { .. } => self.server_gone(),
            Input::Typed(line) => self.typed(&line),
            Input::TypedEnd => self.end_of_input(now),
            Input::Interrupted | Input::Stop => self.leave(),
            // This client accepts nobody, and the rest is of hosts.
            _ => {}
        }
    }

    fn handle_timeout(&mut self, now: Instant) {
        if self.leaving.is_some_and(|(quiet, _)| quiet <= now) {
            self.leave();
        }
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.leaving.map(|(quiet, _)| quiet)
    }

    fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    fn is_ready(&self) -> bool {
        self.conn.is_some() && !self.is_over
    }
}
