//! The one task of a socket: it reads, lets every connection that has something to do do it, writes,
//! and sleeps until the next deadline of any of them. No connection has a task or a timer of its own.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::{
    sync::{mpsc, oneshot},
    time::sleep_until,
};

use super::{
    bridge::{Bridge, Ready, Worked},
    impaired::Impaired,
    proto::{Arrived, Connection, ConnectionKey, Dispatch, Endpoint, Mark},
    socket::{Socket, Train, interface_mtu},
};
use crate::transport::{Link, LinkError};

/// Reads before the connections get to work: what came in one wake is answered in one go.
const READS_PER_WAKE: usize = 16;

/// Bytes one connection sends before the others get their turn, one datagram more at most; about a millisecond's
/// worth of the fastest files, behind which chat may have to wait.
const BYTES_PER_TURN: usize = 94_208;

/// How long to sleep when nothing is due.
const FOREVER: Duration = Duration::from_secs(3600);

/// Somebody wants a link to this address.
pub(super) struct Call {
    pub(super) remote: SocketAddr,
    pub(super) answer: oneshot::Sender<Result<Link, LinkError>>,
}

pub(super) struct Driver {
    socket: Socket,
    endpoint: Endpoint,
    impaired: Option<Impaired>,
    calls: mpsc::Receiver<Call>,
    /// Where links go that others began.
    links: Option<mpsc::Sender<Link>>,
    ready: Arc<Ready>,
    bridges: BTreeMap<ConnectionKey, Bridge>,
    deadlines: BTreeSet<(Instant, ConnectionKey)>,
    touched: BTreeSet<ConnectionKey>,
    /// Trains that the kernel did not take.
    stuck: VecDeque<Stuck>,
    buffer: Vec<u8>,
}

struct Stuck {
    remote: SocketAddr,
    ecn: Option<Mark>,
    contents: Vec<u8>,
    segment: usize,
}

impl Driver {
    pub(super) fn new(
        socket: Socket,
        endpoint: Endpoint,
        impaired: Option<Impaired>,
        calls: mpsc::Receiver<Call>,
        links: Option<mpsc::Sender<Link>>,
        ready: Arc<Ready>,
    ) -> Self {
        Self {
            socket,
            endpoint,
            impaired,
            calls,
            links,
            ready,
            bridges: BTreeMap::new(),
            deadlines: BTreeSet::new(),
            touched: BTreeSet::new(),
            stuck: VecDeque::new(),
            buffer: Vec::new(),
        }
    }

    /// Runs until nobody can ask for links any more and the last one has ended.
    pub(super) async fn run(mut self) {
        let mut called = true;
        loop {
            // However busy it is, others on this thread get their turn.
            tokio::task::coop::consume_budget().await;
            if self.touched.is_empty() || !self.stuck.is_empty() {
                let next = self.next_deadline();
                tokio::select! {
                    call = self.calls.recv(), if called => match call {
                        Some(call) => self.dial(call),
                        None => called = false,
                    },
                    () = self.ready.notified() => {}
                    _ = self.socket.writable(), if !self.stuck.is_empty() => {}
                    _ = self.socket.readable() => {}
                    () = sleep_until(next.into()) => {}
                }
            } else {
                // Somebody has more to send than fits a turn.
                tokio::task::yield_now().await;
            }
            self.read();
            let now = now();
            self.touched.extend(self.ready.take());
            self.expire(now);
            self.unstick();
            self.work(now);
            self.deliver_impaired(now);
            let admits = self.links.as_ref().is_some_and(|links| !links.is_closed());
            self.endpoint.accept(admits);
            if !called
                && !admits
                && self.bridges.is_empty()
                && self.impaired.as_ref().is_none_or(Impaired::is_empty)
            {
                return;
            }
        }
    }

    fn next_deadline(&self) -> Instant {
        let impaired = self.impaired.as_ref().and_then(Impaired::deadline);
        let first = self.deadlines.first().map(|(due, _)| *due);
        first.into_iter().chain(impaired).min().unwrap_or_else(|| now() + FOREVER)
    }

    fn dial(&mut self, call: Call) {
        match self.endpoint.connect(call.remote, now()) {
            Ok((key, connection)) => {
                let bridge = Bridge::new(key, connection, self.ready.clone(), Some(call.answer));
                self.bridges.insert(key, bridge);
                self.touched.insert(key);
            }
            Err(error) => {
                // Whoever asked may have gone.
                let _ = call.answer.send(Err(LinkError::Handshake(error.to_string())));
            }
        }
    }

    fn read(&mut self) {
        let now = now();
        for _ in 0..READS_PER_WAKE {
            let (endpoint, bridges, touched) = (&mut self.endpoint, &mut self.bridges, &mut self.touched);
            let (ready, mut replies) = (&self.ready, Vec::new());
            let more = self.socket.read(|remote, ecn, data| {
                match endpoint.handle_datagram(Arrived { remote, ecn, data }, now) {
                    Dispatch::To(key) => {
                        if let Some(bridge) = bridges.get_mut(&key) {
                            bridge.connection.handle_datagram(Arrived { remote, ecn, data }, now);
                            touched.insert(key);
                        }
                    }
                    Dispatch::Incoming(key, connection) => {
                        bridges.insert(key, Bridge::new(key, connection, ready.clone(), None));
                        touched.insert(key);
                    }
                    Dispatch::Reset(key) => {
                        if let Some(bridge) = bridges.get_mut(&key) {
                            bridge.connection.handle_reset(now);
                            touched.insert(key);
                        }
                    }
                    Dispatch::Reply(reply) => replies.push((remote, reply)),
                    Dispatch::Dropped(why) => tracing::trace!(%remote, why, "a datagram was dropped"),
                }
            });
            for (remote, reply) in replies {
                let segment = reply.len();
                self.transmit(Stuck { remote, ecn: None, contents: reply, segment });
            }
            if !more {
                break;
            }
        }
        while let Some(remote) = self.socket.complaint() {
            self.hear(remote);
        }
    }

    /// The network says that nobody listens there. Only who is being dialed is given up for it: anybody
    /// on the way can say so.
    fn hear(&mut self, remote: SocketAddr) {
        for (key, bridge) in &mut self.bridges {
            if bridge.connection.remote() == remote && !bridge.connection.has_heard() {
                bridge.nobody_there(now());
                self.touched.insert(*key);
            }
        }
    }

    fn expire(&mut self, now: Instant) {
        while let Some((due, key)) = self.deadlines.first().copied() {
            if due > now {
                break;
            }
            self.deadlines.pop_first();
            if let Some(bridge) = self.bridges.get_mut(&key) {
                bridge.deadline = None;
                bridge.connection.handle_timeout(now);
                self.touched.insert(key);
            }
        }
    }

    /// Lets every connection work that something happened to.
    fn work(&mut self, now: Instant) {
        for key in std::mem::take(&mut self.touched) {
            let Some(bridge) = self.bridges.get_mut(&key) else { continue };
            let Worked { accepted, connected } = bridge.work(now);
            if connected && self.impaired.is_none() {
                measure(&mut bridge.connection);
            }
            self.endpoint.serve(key, &mut bridge.connection);
            if let Some(link) = accepted
                && let Some(links) = &self.links
            {
                // A full backlog drops the link, which ends it.
                if links.try_send(link).is_err() {
                    tracing::warn!("a link was refused: too many wait to be accepted");
                }
            }
            self.send(key, now);
            self.arm(key, now);
        }
    }

    fn arm(&mut self, key: ConnectionKey, now: Instant) {
        let Some(bridge) = self.bridges.get_mut(&key) else { return };
        if let Some(before) = bridge.deadline.take() {
            self.deadlines.remove(&(before, key));
        }
        bridge.note_stats();
        if bridge.is_over() {
            self.endpoint.forget(key, &bridge.connection);
            self.bridges.remove(&key);
            return;
        }
        if let Some(due) = bridge.connection.poll_timeout() {
            // What is overdue gets its turn, but others do too.
            let due = due.max(now);
            bridge.deadline = Some(due);
            self.deadlines.insert((due, key));
        }
    }

    /// Sends what a connection has to send, datagrams of one length to one address in one go.
    fn send(&mut self, key: ConnectionKey, now: Instant) {
        let mut buffer = std::mem::take(&mut self.buffer);
        let mut train: Option<(SocketAddr, Option<Mark>, usize, usize)> = None;
        let mut sent = 0;
        while sent < BYTES_PER_TURN && self.stuck.is_empty() {
            let Some(bridge) = self.bridges.get_mut(&key) else { break };
            let start = buffer.len();
            let Some(next) = bridge.connection.poll_transmit(now, &mut buffer) else { break };
            sent += next.len;
            train = match train {
                Some((remote, ecn, segment, count))
                    if remote == next.remote
                        && ecn == next.ecn
                        && next.len <= segment
                        && count < self.socket.max_train(segment) =>
                {
                    if next.len < segment {
                        self.transmit_all(remote, ecn, &mut buffer, segment);
                        None
                    } else {
                        Some((remote, ecn, segment, count + 1))
                    }
                }
                Some((remote, ecn, segment, _)) => {
                    let after = buffer.split_off(start);
                    self.transmit_all(remote, ecn, &mut buffer, segment);
                    buffer = after;
                    Some((next.remote, next.ecn, next.len, 1))
                }
                None => Some((next.remote, next.ecn, next.len, 1)),
            };
        }
        if let Some((remote, ecn, segment, _)) = train {
            self.transmit_all(remote, ecn, &mut buffer, segment);
        }
        self.buffer = buffer;
        if sent >= BYTES_PER_TURN || !self.stuck.is_empty() {
            self.touched.insert(key);
        }
    }

    /// Hands over what is in the buffer and empties it.
    fn transmit_all(&mut self, remote: SocketAddr, ecn: Option<Mark>, buffer: &mut Vec<u8>, segment: usize) {
        if let Some(impaired) = &mut self.impaired {
            for datagram in buffer.chunks(segment.max(1)) {
                impaired.send(now(), datagram, (remote, ecn));
            }
        } else if !self.stuck.is_empty()
            || !self.socket.send(Train { remote, ecn, contents: buffer, segment })
        {
            self.stuck.push_back(Stuck { remote, ecn, contents: buffer.clone(), segment });
        }
        buffer.clear();
    }

    fn transmit(&mut self, stuck: Stuck) {
        let Stuck { remote, ecn, mut contents, segment } = stuck;
        self.transmit_all(remote, ecn, &mut contents, segment);
    }

    fn unstick(&mut self) {
        while let Some(stuck) = self.stuck.front() {
            let Stuck { remote, ecn, contents, segment } = stuck;
            if !self.socket.send(Train { remote: *remote, ecn: *ecn, contents, segment: *segment }) {
                return;
            }
            self.stuck.pop_front();
        }
    }

    fn deliver_impaired(&mut self, now: Instant) {
        let Some(impaired) = &mut self.impaired else { return };
        while let Some(((remote, ecn), datagram)) = impaired.poll(now) {
            // A kernel that takes no more loses a datagram: the line is one that does.
            self.socket.send(Train { remote, ecn, contents: &datagram, segment: datagram.len() });
        }
    }
}

/// Lets a connection send as large datagrams as its interface takes, where that is known.
fn measure(connection: &mut Connection) {
    if let Some(bytes) = interface_mtu(connection.remote()) {
        connection.set_interface_mtu(bytes);
    }
}

/// The time, where tests can stop it.
pub(super) fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}
