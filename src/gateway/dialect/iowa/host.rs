//! Part 2, the server: connections and what comes in on them.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    net::SocketAddr,
    time::Instant,
};

use bytes::Bytes;

use super::{
    super::{ConnId, DialId, GuestId, HostConfig, Input, Machine, Output, own::OwnNames},
    MAX_CONNECTIONS,
    authors::Author,
    inbox::{Heard, Inbox},
    numbers::Numbers,
    subscribers::{Key, Subscriber, SubscriberId},
    wire::{Item, Message},
};

/// The assignment's server. It has nothing to print and never answers: the protocol has no words for it.
#[derive(Debug)]
pub struct Host {
    pub(super) config: HostConfig,
    pub(super) conns: BTreeMap<ConnId, Conn>,
    pub(super) subscribers: BTreeMap<SubscriberId, Subscriber>,
    pub(super) by_key: BTreeMap<Key, SubscriberId>,
    pub(super) by_guest: BTreeMap<GuestId, SubscriberId>,
    pub(super) dials: BTreeMap<DialId, SubscriberId>,
    /// When something is to be done for whom.
    pub(super) due: BTreeSet<(Instant, SubscriberId)>,
    /// By what they call themselves.
    pub(super) authors: BTreeMap<String, Author>,
    pub(super) own: OwnNames,
    pub(super) numbers: Numbers,
    /// The last number tried behind a name that somebody had, by guest who wants it.
    pub(super) wanted: BTreeMap<GuestId, (String, u32)>,
    /// Guests whom the room takes commands of.
    pub(super) present: BTreeSet<GuestId>,
    last_id: u64,
    is_stopping: bool,
    outputs: VecDeque<Output>,
}

/// A connection, accepted or dialled.
#[derive(Debug)]
pub(super) struct Conn {
    pub(super) peer: SocketAddr,
    /// Whose it is, once it subscribed or was dialled.
    pub(super) subscriber: Option<SubscriberId>,
    /// Who else speaks on it.
    pub(super) authors: BTreeSet<String>,
    /// When the pause after the last write is over: it is the socket's, whoever's it was then.
    pub(super) free_at: Option<Instant>,
    inbox: Inbox,
}

impl Host {
    /// A server that nobody has subscribed to.
    pub fn new(config: HostConfig) -> Self {
        Self {
            config,
            conns: BTreeMap::new(),
            subscribers: BTreeMap::new(),
            by_key: BTreeMap::new(),
            by_guest: BTreeMap::new(),
            dials: BTreeMap::new(),
            due: BTreeSet::new(),
            authors: BTreeMap::new(),
            own: OwnNames::default(),
            numbers: Numbers::default(),
            wanted: BTreeMap::new(),
            present: BTreeSet::new(),
            last_id: 0,
            is_stopping: false,
            outputs: VecDeque::new(),
        }
    }

    fn accept(&mut self, conn: ConnId, peer: SocketAddr) {
        if self.conns.len() >= MAX_CONNECTIONS {
            self.log(format!("{peer}: not let in, {MAX_CONNECTIONS} connections are the limit"));
            return self.output(Output::Close { conn });
        }
        self.open(conn, peer, None);
    }

    pub(super) fn open(&mut self, conn: ConnId, peer: SocketAddr, subscriber: Option<SubscriberId>) {
        let inbox = Inbox::default();
        self.conns.insert(conn, Conn { peer, subscriber, authors: BTreeSet::new(), free_at: None, inbox });
    }

    fn receive(&mut self, conn: ConnId, bytes: &[u8], now: Instant) {
        let Some(open) = self.conns.get_mut(&conn) else { return };
        let peer = open.peer;
        for heard in open.inbox.read(bytes) {
            match heard {
                Heard::Item(item) => self.hear(conn, peer, item, now),
                Heard::Bad(why) => self.log(format!("{peer}: {why}")),
                Heard::Enough(why) => {
                    self.log(format!("{peer}: closed, {why}"));
                    self.close(conn, now);
                }
            }
        }
    }

    fn hear(&mut self, conn: ConnId, peer: SocketAddr, item: Item, now: Instant) {
        self.log(format!("{peer}: {item}"));
        match item {
            Item::Subscribe(client) => self.subscribe(conn, peer, client, now),
            Item::Unsubscribe(client) => self.unsubscribe(peer, client, now),
            Item::Message(message) => self.distribute(conn, message, now),
        }
    }

    /// I14, I20: unchanged, to everybody but the sender (IOWA-D3).
    fn distribute(&mut self, conn: ConnId, message: Message, now: Instant) {
        let Some(open) = self.conns.get(&conn) else { return };
        let sender = open.subscriber.or_else(|| self.last_seen_as(&message.user));
        if let Some(subscriber) = open.subscriber {
            self.see(subscriber, &message.user, now);
        }
        self.say(conn, sender, &message, now);
        let bytes = Bytes::from(message.json);
        let receivers = self.subscribers.keys().copied().filter(|id| Some(*id) != sender);
        for receiver in receivers.collect::<Vec<_>>() {
            self.deliver(receiver, bytes.clone(), now);
        }
    }

    /// Ends a connection from this side.
    pub(super) fn close(&mut self, conn: ConnId, now: Instant) {
        if self.conns.contains_key(&conn) {
            self.output(Output::Close { conn });
            self.ended(conn, now);
        }
    }

    fn ended(&mut self, conn: ConnId, now: Instant) {
        let Some(ended) = self.conns.remove(&conn) else { return };
        self.release_authors(&ended.authors, now);
        if let Some(subscriber) = ended.subscriber {
            self.lose(subscriber, conn, now);
        }
    }

    /// An end of input is all that clients of this protocol can be told.
    fn stop(&mut self) {
        self.is_stopping = true;
        for (conn, _) in std::mem::take(&mut self.conns) {
            self.output(Output::Close { conn });
        }
        self.subscribers.clear();
        self.due.clear();
        self.authors.clear();
    }

    /// A number that was not used before.
    pub(super) fn fresh(&mut self) -> u64 {
        self.last_id = self.last_id.saturating_add(1);
        self.last_id
    }

    pub(super) fn log(&mut self, what: String) {
        self.output(Output::Log(what));
    }

    pub(super) fn output(&mut self, output: Output) {
        self.outputs.push_back(output);
    }
}

impl Machine for Host {
    fn handle(&mut self, input: Input, now: Instant) {
        match input {
            Input::Accepted { conn, .. } if self.is_stopping => self.output(Output::Close { conn }),
            Input::Connected { conn, .. } if self.is_stopping => self.output(Output::Close { conn }),
            Input::Accepted { conn, peer } => self.accept(conn, peer),
            Input::Connected { dial, conn } => self.connected(dial, conn, now),
            Input::NotConnected { dial, why } => self.not_connected(dial, &why, now),
            Input::Received { conn, bytes } => self.receive(conn, &bytes, now),
            Input::Ended { conn } => self.ended(conn, now),
            Input::Entered { guest, nick, .. } if self.present.contains(&guest) => {
                self.own.settle(guest, &nick, now);
            }
            Input::Refused { guest, why } => self.refused(guest, &why, now),
            Input::Told { guest, event } => self.told(guest, event, now),
            Input::Stop => self.stop(),
            // The rest is of callers, of files (the room tells of them), or of protocols over UDP.
            _ => {}
        }
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.serve_due(now);
        self.dismiss_authors(now);
    }

    fn poll_timeout(&self) -> Option<Instant> {
        let due = self.due.first().map(|(at, _)| *at);
        due.into_iter().chain(self.next_dismissal()).min()
    }

    fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }
}
