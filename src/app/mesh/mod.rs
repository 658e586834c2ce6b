//! A member of a mesh: linked to every other member, no server. An author sends its records to all
//! who are in the room; what somebody missed it asks for, from whoever has it.
//!
//! Every record is signed by its author and verified before it is shown or passed on. On every
//! link-up both sides say how far they have each log (`Have`) and ask for the rest (`Want`); while
//! the mesh is up, digests are compared now and then, which finds what a missing link withheld.

mod book;
mod commands;
mod files;
mod hear;
mod links;
mod recall;
mod show;
mod state;
mod stored;
mod sync;
mod talk;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
    time::{Duration, Instant},
};

use rand::{SeedableRng as _, rngs::ChaCha12Rng};

use crate::wire::{
    Addr, ByeReason, CAN_TRANSFER, Epoch, Frame, Hello, LogKey, Nick, NodeId, PublicKey, Role, RoomId,
    RoomName, Seq, SigningKey, VERSION,
};

use super::{
    Action, Event, FileRules, Input, LinkId, Now, Outcome, Place, Term, Topology, Trouble,
    feed::{Feed, Source},
    keeping::Keeping,
    limits::MAX_UNSENT,
    room::{Keep, Room},
    transfer::Transfers,
};
use book::Book;
use state::{MeshRoom, Missing, Neighbour, Person, Recall, Wanted};

/// Nodes whose name and key are remembered.
const MAX_PEOPLE: usize = 16_384;

/// How a peer is set up.
#[derive(Clone, Debug)]
pub struct MeshConfig {
    /// Its key, which signs what it says.
    pub key: Arc<SigningKey>,
    /// Its name.
    pub nick: Nick,
    /// Its run.
    pub epoch: Epoch,
    /// Where it listens, told to others.
    pub listen: Vec<Addr>,
    /// Addresses of others; one is enough.
    pub peers: Vec<Addr>,
    /// Rooms to join at the start; the first is the current one.
    pub rooms: Vec<RoomName>,
    /// Bytes of the longest message.
    pub max_message_bytes: usize,
    /// Lines from before to see on joining, and whether to show any to others.
    pub history: u16,
    /// Which files are taken.
    pub files: FileRules,
    /// How long the end of input waits for delivery.
    pub linger: Duration,
    /// For pauses and choices.
    pub seed: [u8; 32],
}

/// A peer.
#[derive(Debug)]
pub struct Mesh {
    config: MeshConfig,
    me: NodeId,
    nick: Nick,
    rng: ChaCha12Rng,
    started: Option<Instant>,
    book: Book,
    links: BTreeMap<LinkId, Neighbour>,
    people: BTreeMap<NodeId, Person>,
    rooms: BTreeMap<RoomId, MeshRoom>,
    current: Option<RoomName>,
    terms: BTreeSet<Term>,
    feed: Feed,
    wanted: BTreeMap<LogKey, Wanted>,
    /// Nodes whose surplus link is gone, and until when the one they keep is waited for.
    awaited: BTreeMap<NodeId, Instant>,
    missing: BTreeMap<LogKey, Missing>,
    /// Nodes whose link broke without a goodbye, and until when the end of the input waits for them.
    unparted: BTreeMap<NodeId, Instant>,
    forked: BTreeSet<LogKey>,
    /// It was said that another node runs with this one's key.
    copied: bool,
    acks_due: BTreeSet<LogKey>,
    ack_at: Option<Instant>,
    digest_at: Option<Instant>,
    spoken_at: Option<Instant>,
    finish_by: Option<Instant>,
    /// The last time it was looked whether everything is done.
    looked_at: Option<Instant>,
    quitting: bool,
    over: bool,
    keeping: Keeping,
    /// Logs for which the disk had no space, and when they are offered again.
    unstored: BTreeSet<LogKey>,
    keep_again_at: Option<Instant>,
    transfers: Transfers,
    /// The time of day of what is happening.
    unix_ms: u64,
    actions: VecDeque<Action>,
}

impl Mesh {
    /// A peer that has not dialled yet.
    pub fn new(config: MeshConfig) -> Self {
        let me = config.key.node();
        Self {
            me,
            nick: config.nick.clone(),
            rng: ChaCha12Rng::from_seed(config.seed),
            started: None,
            book: Book::default(),
            links: BTreeMap::new(),
            people: BTreeMap::new(),
            rooms: BTreeMap::new(),
            current: None,
            terms: BTreeSet::new(),
            feed: Feed::default(),
            wanted: BTreeMap::new(),
            awaited: BTreeMap::new(),
            missing: BTreeMap::new(),
            unparted: BTreeMap::new(),
            forked: BTreeSet::new(),
            copied: false,
            acks_due: BTreeSet::new(),
            ack_at: None,
            digest_at: None,
            spoken_at: None,
            finish_by: None,
            looked_at: None,
            quitting: false,
            over: false,
            keeping: Keeping::default(),
            unstored: BTreeSet::new(),
            keep_again_at: None,
            transfers: Transfers::new(me, config.epoch, config.nick.clone(), config.files.clone()),
            unix_ms: 0,
            actions: VecDeque::new(),
            config,
        }
    }

    fn start(&mut self, now: Now) {
        self.started = Some(now.instant);
        for &addr in &self.config.peers {
            self.book.give(addr);
        }
        for name in self.config.rooms.clone() {
            self.join(name, now);
        }
        if let Some(first) = self.config.rooms.first() {
            self.current = Some(first.clone());
        }
        self.plan_digest(now.instant);
        self.dial_due(now.instant);
    }

    fn new_room(&self, id: &RoomId, now: Instant) -> MeshRoom {
        let is_pair = id.pair().is_some();
        MeshRoom {
            room: if self.keeping.is_on() {
                Room::durable(id.clone(), Keep::ALL)
            } else {
                Room::new(id.clone(), Keep::ALL)
            },
            inside: true,
            since: None,
            joined_at: if is_pair { self.started.unwrap_or(now) } else { now },
            present: BTreeSet::new(),
            reported: Seq(0),
            recall: Recall { limit: if is_pair { 0 } else { self.config.history }, ..Recall::default() },
            oldest: None,
            shown_past: BTreeSet::new(),
        }
    }

    fn inside(&self, id: &RoomId) -> bool {
        self.rooms.get(id).is_some_and(|room| room.inside)
    }

    /// The link to a node: of several the one that came up last.
    fn link_of(&self, node: NodeId) -> Option<LinkId> {
        let open = self.links.iter().rev().filter(|(_, neighbour)| !neighbour.closing);
        open.filter(|(_, neighbour)| neighbour.node == node).map(|(&link, _)| link).next()
    }

    /// The link itself or, where it is closing, the one that is kept to the same node: nothing can be sent
    /// on the other any more.
    fn kept_instead_of(&self, link: LinkId) -> LinkId {
        let closing = self.links.get(&link).filter(|neighbour| neighbour.closing);
        closing.and_then(|neighbour| self.link_of(neighbour.node)).unwrap_or(link)
    }

    /// The links on which a room is heard, one to each node.
    fn audience(&self, id: &RoomId) -> Vec<LinkId> {
        let mut nodes = BTreeMap::new();
        for (&link, neighbour) in self.links.iter().filter(|(_, neighbour)| !neighbour.closing) {
            if self.hears(neighbour, id) {
                nodes.insert(neighbour.node, link);
            }
        }
        nodes.into_values().collect()
    }

    fn hears(&self, neighbour: &Neighbour, id: &RoomId) -> bool {
        match id {
            RoomId::Public(_) => neighbour.rooms.contains_key(id),
            RoomId::Pair(pair) => pair.other(self.me) == Some(neighbour.node),
        }
    }

    /// The name of a node as shown; with a tag where two of those here are called the same.
    fn name_of(&self, node: NodeId) -> String {
        let nick = if node == self.me {
            Some(&self.nick)
        } else {
            self.people.get(&node).map(|person| &person.nick)
        };
        let Some(nick) = nick else { return format!("node-{}", node.tag()) };
        let same = |other: NodeId, called: &Nick| other != node && called == nick;
        let clash =
            same(self.me, &self.nick) || self.links.values().any(|n| !n.closing && same(n.node, &n.nick));
        if clash { format!("{nick}#{}", node.tag()) } else { nick.to_string() }
    }

    fn place_of(&self, id: &RoomId) -> Place {
        match id {
            RoomId::Public(name) => Place::Room(name.clone()),
            RoomId::Pair(pair) => {
                Place::Person(pair.other(self.me).map_or_else(String::new, |other| self.name_of(other)))
            }
        }
    }

    fn remember(&mut self, node: NodeId, nick: Nick, key: PublicKey) {
        if self.people.len() >= MAX_PEOPLE && !self.people.contains_key(&node) {
            let here: BTreeSet<NodeId> = self.links.values().map(|neighbour| neighbour.node).collect();
            let gone = self.people.keys().find(|node| !here.contains(node)).copied();
            gone.map(|node| self.people.remove(&node));
        }
        self.people.insert(node, Person { nick, key });
    }

    /// Gives a link the next of what it is owed.
    fn feed(&mut self, link: LinkId) {
        let mut feed = std::mem::take(&mut self.feed);
        let batch = feed.next_batch(link, self);
        self.feed = feed;
        self.send_batch(link, batch.frames);
        self.actions.extend(batch.query.map(|query| Action::Read { link, query }));
    }

    fn send_batch(&mut self, link: LinkId, frames: Vec<Frame>) {
        for frame in frames {
            self.send(link, frame);
        }
        if self.feed.is_behind(link) && !self.feed.is_reading(link) {
            self.actions.push_back(Action::AwaitRoom(link));
        }
    }

    fn send(&mut self, link: LinkId, frame: Frame) {
        self.actions.push_back(Action::Send { to: vec![link], frame });
    }

    fn send_all(&mut self, frame: &Frame) {
        let to: Vec<LinkId> = self.links.iter().filter(|(_, n)| !n.closing).map(|(&link, _)| link).collect();
        if !to.is_empty() {
            self.actions.push_back(Action::Send { to, frame: frame.clone() });
        }
    }

    fn close(&mut self, link: LinkId, reason: ByeReason, detail: &str) {
        if let Some(neighbour) = self.links.get_mut(&link) {
            neighbour.closing = true;
            let other_stays = matches!(reason, ByeReason::Duplicate | ByeReason::Replaced);
            neighbour.draining = other_stays && neighbour.node != self.me;
        }
        self.feed.forget_link(link);
        self.actions.push_back(Action::Close { link, reason, detail: detail.to_owned() });
    }

    fn notify(&mut self, event: Event) {
        self.actions.push_back(Action::Notify(event));
    }

    fn trouble(&mut self, trouble: Trouble) {
        self.notify(Event::Error(trouble));
    }

    fn end(&mut self, outcome: Outcome, reason: &'static str) {
        if !self.over {
            self.over = true;
            self.notify(Event::Closed { reason });
            self.actions.push_back(Action::Finish(outcome));
        }
    }
}

impl Source for Mesh {
    fn room(&self, id: &RoomId) -> Option<&Room> {
        self.rooms.get(id).map(|room| &room.room)
    }

    fn author(&self, room: &RoomId, node: NodeId) -> Option<Frame> {
        let (nick, key) = if node == self.me {
            (self.nick.clone(), self.config.key.public())
        } else {
            let person = self.people.get(&node)?;
            (person.nick.clone(), person.key)
        };
        Some(Frame::Author { room: room.clone(), node, nick, key: Some(key) })
    }
}

impl Topology for Mesh {
    fn hello(&self) -> Hello {
        Hello {
            version: VERSION,
            role: Role::Peer,
            key: self.config.key.public(),
            nick: self.nick.clone(),
            epoch: self.config.epoch,
            listen: self.config.listen.clone(),
            capabilities: CAN_TRANSFER,
        }
    }

    fn handle_input(&mut self, input: Input, now: Now) {
        self.unix_ms = now.unix_ms;
        match input {
            Input::Start => self.start(now),
            Input::LinkUp { link, hello, addr, dialed } => {
                self.handle_link_up(link, hello, addr, dialed, now);
            }
            Input::LinkDown { link, end } => self.handle_link_down(link, &end, now),
            Input::DialFailed { addr, error } => self.handle_dial_failed(addr, &error, now),
            Input::Frame { link, frame } => self.handle_frame(link, frame, now),
            Input::Command(command) => self.handle_command(command, now),
            Input::LinkRoom { link } => {
                self.feed(link);
                self.resume_parts(link);
            }
            Input::Transfers(kept) => self.transfers.restore(kept),
            Input::File(news) => self.transfers.handle_file(news, now.instant),
            Input::Restore(restored) => self.restore(restored, now),
            Input::Stored { logs } => self.handle_stored(logs),
            Input::Unstored { logs } => self.handle_unstored(logs, now.instant),
            Input::Retained { logs } => self.handle_retained(&logs),
            Input::Page { link, page } => self.handle_stored_page(link, page),
            Input::Lines { query, lines, .. } => self.handle_lines(&query, lines),
            Input::LinkFull { link, refused } => {
                self.take_back_parts(link, &refused);
                let chat = refused.iter().any(|frame| !frame.is_of_file());
                self.feed.take_back(link, refused);
                if chat && !self.feed.is_behind(link) {
                    self.actions.push_back(Action::AwaitRoom(link));
                }
            }
        }
        self.drain_transfers();
        self.dial_due(now.instant);
        self.finish_if_done(now.instant);
    }

    fn handle_timeout(&mut self, now: Now) {
        if self.ack_at.is_some_and(|at| at <= now.instant) {
            self.send_acks();
        }
        self.unix_ms = now.unix_ms;
        self.keep_again(now.instant);
        self.forget_unanswered(now.instant);
        self.miss_awaited(now.instant);
        self.unparted.retain(|_, until| *until > now.instant);
        self.give_up_missing(now.instant);
        if self.digest_at.is_some_and(|at| at <= now.instant) {
            self.compare_digests();
            self.plan_digest(now.instant);
        }
        self.dial_due(now.instant);
        self.transfers.handle_timeout(now.instant);
        self.drain_transfers();
        if self.finish_at().is_some_and(|by| by <= now.instant) {
            self.give_up_waiting();
        }
        self.finish_if_done(now.instant);
    }

    fn poll_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    fn poll_timeout(&self) -> Option<Instant> {
        if self.over {
            return None;
        }
        let linked = self.linked();
        // Who leaves dials nobody any more: that time would come and never pass.
        let redial = if self.quitting { None } else { self.book.next_due(|node| linked.contains(&node)) };
        let wanted = self.wanted.values().map(|wanted| wanted.until).min();
        let missing = self.missing.values().map(|missing| missing.until).min();
        let looked = |&at: &Instant| self.looked_at.is_none_or(|looked| looked < at);
        let settle = self.finish_by.and_then(|_| self.settled_at()).filter(looked);
        let awaited = self.awaited.values().min().copied();
        let unparted = self.unparted.values().min().copied();
        let times = [
            awaited,
            unparted,
            self.ack_at,
            self.digest_at,
            self.finish_at(),
            redial,
            wanted,
            missing,
            settle,
        ];
        let times = times.into_iter().chain([self.keep_again_at, self.transfers.deadline()]);
        times.flatten().min()
    }

    fn is_ready(&self) -> bool {
        let unacked = |(id, room): (&RoomId, &MeshRoom)| self.own_next(id).0.saturating_sub(room.reported.0);
        let waiting: u64 = self.rooms.iter().map(unacked).sum();
        self.book.is_empty() && self.links.is_empty() || waiting < MAX_UNSENT as u64
    }
}
