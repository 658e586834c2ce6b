//! The server of the TCP edition: connections, chunks and pauses around [`Server`].

use std::{
    collections::{BTreeMap, VecDeque},
    net::SocketAddr,
    time::Instant,
};

use bytes::Bytes;

use crate::gateway::dialect::{ConnId, ForwardForm, HostConfig, Input, Machine, Output};

use super::{
    chunks::{Chunks, Whole},
    message::{Malformed, Message},
    outbox::{Outbox, Queued},
    people::Heard,
    reply::{Reply, Style, Written},
    request::REQUEST_VERBS,
    server::{Deed, Server},
};

/// Connections on which nobody joined. One more takes the place of the oldest.
pub(super) const MAX_STRANGERS: usize = 64;

/// The server of the TCP edition.
#[derive(Debug)]
pub struct Host {
    server: Server,
    forward: ForwardForm,
    max_file_bytes: usize,
    conns: BTreeMap<ConnId, Conn>,
    written: Written,
    output: VecDeque<Output>,
    wake_at: Option<Instant>,
}

#[derive(Debug)]
struct Conn {
    chunks: Chunks,
    outbox: Outbox,
    /// Nothing it says is heard any more; it ends when it was told everything.
    is_closing: bool,
}

impl Host {
    /// A server without clients.
    pub fn new(config: HostConfig) -> Self {
        Self {
            server: Server::new(&config),
            forward: config.forward,
            max_file_bytes: config.max_file_bytes,
            conns: BTreeMap::new(),
            written: Written::default(),
            output: VecDeque::new(),
            wake_at: None,
        }
    }

    fn accept(&mut self, conn: ConnId, peer: SocketAddr) {
        let mut strangers = self.conns.keys().filter(|conn| !self.server.has_joined(**conn)).copied();
        if let Some(oldest) = strangers.next()
            && strangers.count() >= MAX_STRANGERS.saturating_sub(1)
        {
            self.log(format!("too many connections without a user: {} ends", self.server.who(oldest)));
            self.forget(oldest);
            self.output.push_back(Output::Close { conn: oldest });
        }
        let chunks = Chunks::new(&REQUEST_VERBS, self.max_file_bytes);
        self.conns.insert(conn, Conn { chunks, outbox: Outbox::default(), is_closing: false });
        self.server.connected(conn, peer);
    }

    fn receive(&mut self, conn: ConnId, bytes: &Bytes, now: Instant) {
        let Some(known) = self.conns.get_mut(&conn).filter(|known| !known.is_closing) else { return };
        for whole in known.chunks.push(bytes, now) {
            self.hear(conn, whole);
        }
    }

    fn end(&mut self, conn: ConnId) {
        let Some(mut known) = self.conns.remove(&conn) else { return };
        if let Some(whole) = known.chunks.end().filter(|_| !known.is_closing) {
            self.hear(conn, whole);
        }
        self.server.ended(conn);
    }

    fn hear(&mut self, conn: ConnId, whole: Whole) {
        match whole {
            Whole::Message(message) => self.server.hear(conn, Heard::new(&message)),
            Whole::LongMessage => self.server.hear(conn, Heard::malformed(Malformed::TooLong)),
            Whole::LongFile => self.server.lost_file(conn),
        }
    }

    /// Forgets a connection that is not to be told anything any more.
    fn forget(&mut self, conn: ConnId) {
        self.conns.remove(&conn);
        self.server.ended(conn);
    }

    /// Does what the server wants and writes what may be written.
    fn settle(&mut self, now: Instant) {
        while let Some(deed) = self.server.poll() {
            match deed {
                Deed::Do(output) => self.output.push_back(output),
                Deed::Reply { conn, reply, later } => self.reply(conn, &reply, later),
                Deed::Close { conn } => {
                    if let Some(known) = self.conns.get_mut(&conn) {
                        known.is_closing = true;
                        // A file that was arriving would ask for a time that nobody waits for.
                        known.chunks.end();
                    }
                }
            }
        }
        self.written.forget();
        for (conn, known) in &mut self.conns {
            while let Some(bytes) = known.outbox.pop(now) {
                self.output.push_back(Output::Send { conn: *conn, bytes });
            }
            if known.is_closing && known.outbox.is_empty() {
                self.output.push_back(Output::Close { conn: *conn });
            }
        }
        self.conns.retain(|_, known| !(known.is_closing && known.outbox.is_empty()));
        let deadlines =
            self.conns.values().flat_map(|conn| [conn.outbox.deadline(now), conn.chunks.deadline()]);
        self.wake_at = deadlines.flatten().min();
    }

    fn reply(&mut self, conn: ConnId, reply: &Reply, later: bool) {
        let Some(known) = self.conns.get_mut(&conn) else { return };
        let style = Style { counted: self.forward == ForwardForm::Counted, later };
        let bytes = self.written.bytes(reply, style, Message::to_bytes);
        let queued = known.outbox.push(bytes, reply.is_file());
        let (who, shown) = (self.server.who(conn), reply.shown());
        match queued {
            Queued::Waits => self.log(format!("{who} is told {shown}")),
            Queued::Dropped => self.log(format!("{who} does without {shown}: too many files wait")),
            Queued::Overflow => {
                self.log(format!("{who} does not take what is sent there"));
                self.forget(conn);
                self.output.push_back(Output::Close { conn });
            }
        }
    }

    /// The server ends: what waits goes out without pauses.
    fn stop(&mut self) {
        for (conn, known) in &mut self.conns {
            let conn = *conn;
            self.output.extend(known.outbox.drain().map(|bytes| Output::Send { conn, bytes }));
            // What is said no more is not heard either.
            known.is_closing = true;
        }
    }

    fn log(&mut self, line: String) {
        self.output.push_back(Output::Log(line));
    }
}

impl Machine for Host {
    fn handle(&mut self, input: Input, now: Instant) {
        match input {
            Input::Accepted { conn, peer } => self.accept(conn, peer),
            Input::Received { conn, bytes } => self.receive(conn, &bytes, now),
            Input::Ended { conn } => self.end(conn),
            Input::Stop => {
                self.stop();
                self.server.handle(Input::Stop);
            }
            input => self.server.handle(input),
        }
        self.settle(now);
    }

    fn handle_timeout(&mut self, now: Instant) {
        let quiet = self.conns.iter_mut().filter(|(_, known)| !known.is_closing);
        let quiet: Vec<_> =
            quiet.filter_map(|(conn, known)| Some((*conn, known.chunks.quiet(now)?))).collect();
        for (conn, whole) in quiet {
            self.hear(conn, whole);
        }
        self.settle(now);
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.wake_at
    }

    fn poll_output(&mut self) -> Option<Output> {
        self.output.pop_front()
    }
}
