//! The client of the TCP edition: one connection, chunks and pauses around [`User`].

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use bytes::Bytes;

use crate::gateway::dialect::{CallerConfig, ConnId, DialId, Input, Machine, Output};

use super::{
    FORMAT_LINE,
    chunks::{Chunks, Whole},
    message::Malformed,
    outbox::{Outbox, Queued},
    reply::{REPLY_VERBS, Reply},
    user::{Deed, User},
};

/// How long the server may take to answer.
const DIAL_TIMEOUT: Duration = Duration::from_secs(10);

const DIAL: DialId = DialId(0);

/// The client of the TCP edition.
#[derive(Debug)]
pub struct Client {
    config: CallerConfig,
    user: User,
    conn: Option<ConnId>,
    chunks: Chunks,
    outbox: Outbox,
    /// Set when everything is said: the status to end with.
    status: Option<u8>,
    is_over: bool,
    /// As of the last call.
    now: Option<Instant>,
    output: VecDeque<Output>,
}

impl Client {
    /// A client that dials when it starts.
    pub fn new(config: CallerConfig) -> Self {
        Self {
            user: User::new(&config, FORMAT_LINE),
            chunks: Chunks::new(&REPLY_VERBS, config.max_file_bytes),
            config,
            conn: None,
            outbox: Outbox::default(),
            status: None,
            is_over: false,
            now: None,
            output: VecDeque::new(),
        }
    }

    fn start(&mut self) {
        if !self.user.is_named() {
            return;
        }
        match self.config.server {
            Some(to) => self.output.push_back(Output::Dial { dial: DIAL, to, timeout: DIAL_TIMEOUT }),
            None => self.user.lost("no server was named"),
        }
    }

    fn connected(&mut self, conn: ConnId) {
        self.conn = Some(conn);
        if !self.user.is_leaving() {
            self.user.join();
        }
    }

    fn receive(&mut self, bytes: &Bytes, now: Instant) {
        for whole in self.chunks.push(bytes, now) {
            self.hear(whole);
        }
    }

    fn hear(&mut self, whole: Whole) {
        match whole {
            Whole::Message(message) => {
                self.output.push_back(Output::Log(format!("the server says {}", message.shown())));
                self.user.hear(Reply::parse(&message));
            }
            Whole::LongMessage => self.user.hear(Err(Malformed::TooLong)),
            Whole::LongFile => self.user.lost_file(),
        }
    }

    fn ended(&mut self) {
        if let Some(whole) = self.chunks.end() {
            self.hear(whole);
        }
        self.conn = None;
        self.user.lost("the server ended the connection");
    }

    /// Does what the user wants, and writes what may be written.
    fn settle(&mut self, now: Instant) {
        self.now = Some(now);
        while let Some(deed) = self.user.poll() {
            match deed {
                Deed::Do(output) => self.output.push_back(output),
                Deed::Leave(status) => self.status = Some(status),
                Deed::Send(request) => {
                    let message = request.to_message();
                    if self.outbox.push(message.to_bytes(), message.is_file()) != Queued::Waits {
                        self.user.lost("too much waits for the server");
                    }
                }
            }
        }
        if let Some(conn) = self.conn {
            while let Some(bytes) = self.outbox.pop(now) {
                self.output.push_back(Output::Send { conn, bytes });
            }
        }
        self.leave();
    }

    fn leave(&mut self) {
        let Some(status) = self.status.filter(|_| !self.is_over) else { return };
        if self.conn.is_some() && !self.outbox.is_empty() {
            return;
        }
        self.is_over = true;
        self.output.extend(self.conn.take().map(|conn| Output::Close { conn }));
        self.output.push_back(Output::Exit { status });
    }
}

impl Machine for Client {
    fn handle(&mut self, input: Input, now: Instant) {
        match input {
            _ if self.is_over => return,
            Input::Start => self.start(),
            Input::Connected { dial: DIAL, conn } => self.connected(conn),
            Input::NotConnected { dial: DIAL, why } => self.user.lost(&why),
            Input::Received { conn, bytes } if self.conn == Some(conn) => self.receive(&bytes, now),
            Input::Ended { conn } if self.conn == Some(conn) => self.ended(),
            input => self.user.handle(input, now),
        }
        self.settle(now);
    }

    fn handle_timeout(&mut self, now: Instant) {
        if let Some(whole) = self.chunks.quiet(now) {
            self.hear(whole);
        }
        self.user.handle_timeout(now);
        self.settle(now);
    }

    fn poll_timeout(&self) -> Option<Instant> {
        let now = self.now.filter(|_| !self.is_over)?;
        // Also when a pause is over with nothing to write: the next typed line waits for it.
        let pause = self.outbox.free_at().filter(|at| now < *at);
        let write = self.conn.and_then(|_| self.outbox.deadline(now));
        [self.chunks.deadline(), self.user.poll_timeout(), pause, write].into_iter().flatten().min()
    }

    fn poll_output(&mut self) -> Option<Output> {
        self.output.pop_front()
    }

    fn is_ready(&self) -> bool {
        let is_free = self.outbox.free_at().is_none_or(|at| self.now.is_some_and(|now| at <= now));
        self.conn.is_some() && self.outbox.is_empty() && is_free && self.user.is_ready()
    }
}
