//! A point of a star: one link to a server, redialled when it breaks; rooms, and what is said in them.
//!
//! A record is kept here until the server has taken it, and 10,000 records longer, so that a server
//! that lost its memory gets them again. What comes from the server goes through a log per author:
//! in order, once, and a hole is shown.

mod commands;
mod files;
mod recall;
mod rooms;
mod session;
mod stored;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    path::PathBuf,
    time::{Duration, Instant},
};

use rand::{SeedableRng as _, rngs::ChaCha12Rng};

use crate::wire::{
    Addr, ByeReason, CAN_TRANSFER, Epoch, Frame, Hello, Member, Nick, NodeId, PublicKey, Record, RecordId,
    Role, RoomId, RoomName, Seq, VERSION,
};

use super::{
    Action, Backoff, Event, FileRules, Input, LinkId, Now, Outcome, Place, Term, Topology, Trouble,
    keeping::Keeping,
    limits::{MAX_MESSAGE_BYTES, MAX_UNSENT},
    outgoing::Outgoing,
    room::Room,
    transfer::Transfers,
};
use stored::{Before, KeptRoom};

/// The first pause before a lost server is dialled again.
const RETRY_BASE: Duration = Duration::from_millis(100);

/// The longest.
const RETRY_CAP: Duration = Duration::from_secs(5);

/// How long what a server had no space for is not said again, at first and at most.
const SPACE_PAUSE: Duration = Duration::from_secs(5);
const MOST_SPACE_PAUSE: Duration = Duration::from_secs(60);

/// How often it is told that there is no space here.
const FULL_AGAIN: Duration = Duration::from_secs(60);

/// Nodes whose name is remembered.
const MAX_PEOPLE: usize = 16_384;

/// How a client is set up.
#[derive(Clone, Debug)]
pub struct ClientConfig {
    /// Its public key.
    pub key: PublicKey,
    /// The name it would like.
    pub nick: Nick,
    /// Whether a person chose that name: then it is that or nothing.
    pub nick_given: bool,
    /// Its run.
    pub epoch: Epoch,
    /// Where the server is: all addresses of its host, tried in turn; at least one.
    pub servers: Vec<Addr>,
    /// Rooms to join at the start; the first is the current one.
    pub rooms: Vec<RoomName>,
    /// Whether to dial again a server that cannot be reached at the start or that shut down.
    pub reconnect: bool,
    /// How long the end of input waits for delivery.
    pub linger: Duration,
    /// Lines from before to see on joining.
    pub history: u16,
    /// Which files are taken.
    pub files: FileRules,
    /// For pauses.
    pub seed: [u8; 32],
}

/// Where the link is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Dialing,
    Waiting { until: Instant },
    Greeting(LinkId),
    Up(LinkId),
    Over,
}

/// How far this client is in a room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stay {
    Joining,
    In,
    /// Will leave when everything said here was taken.
    Leaving,
    /// The server would not have it here.
    Denied,
}

/// A room that this client is in.
#[derive(Debug)]
struct ClientRoom {
    stay: Stay,
    room: Room,
    outgoing: Outgoing,
    members: BTreeMap<NodeId, Nick>,
    gathering: Vec<Member>,
    topic: Option<(NodeId, String)>,
    joined_at: Instant,
    /// Where its log goes on, which the server is to know before the next record.
    start: Option<Seq>,
    /// Whether it is known from an earlier run: what was said since is missed, not the past.
    returns: bool,
    /// The last lines of it from then, to be shown once.
    kept_lines: Vec<Record>,
    /// Whether lines from before were asked for already.
    recalled: bool,
    /// Where what the last answer brought of each log ends.
    recalled_upto: BTreeMap<(NodeId, Epoch), Seq>,
    /// The line from which on it was shown last: what is older was not.
    oldest: Option<RecordId>,
}

/// Lines of a room that the server was asked for.
#[derive(Clone, Debug)]
struct Recall {
    room: RoomId,
    /// Of those before what is shown.
    is_older: bool,
    /// Nothing of the answer came yet.
    is_fresh: bool,
}

/// A client.
#[derive(Debug)]
pub struct Client {
    config: ClientConfig,
    me: NodeId,
    nick: Nick,
    tries: u32,
    phase: Phase,
    /// The link has no room: nothing more is said in rooms until it has.
    is_full: bool,
    /// Which of the server's addresses is dialled.
    turn: usize,
    /// Where the last link led, which a dial may have reached over another transport.
    reached: Option<Addr>,
    was_up: bool,
    /// Dials without an answer since the start.
    unanswered: u32,
    backoff: Backoff,
    rng: ChaCha12Rng,
    started: Option<Instant>,
    max_message_bytes: usize,
    /// Whether the server puts on disk what it accepts.
    durable: bool,
    keeping: Keeping,
    /// What was said here in earlier runs.
    before: Before,
    kept_rooms: BTreeMap<RoomId, KeptRoom>,
    /// When what it had no space for is said again.
    say_again_at: Option<Instant>,
    space_pause: Duration,
    /// Until then it is known that there is no space here.
    full_until: Option<Instant>,
    rooms: BTreeMap<RoomId, ClientRoom>,
    current: Option<RoomName>,
    people: BTreeMap<NodeId, Nick>,
    /// Private lines that wait to learn who somebody is.
    lookups: BTreeMap<Nick, Vec<String>>,
    /// Files that do.
    files_for: BTreeMap<Nick, Vec<PathBuf>>,
    transfers: Transfers,
    terms: BTreeSet<Term>,
    /// Answers still to come that a person asked for.
    recalls: VecDeque<Recall>,
    renames_awaited: usize,
    finish_by: Option<Instant>,
    quitting: bool,
    farewell: Option<ByeReason>,
    refusal: Option<Trouble>,
    actions: VecDeque<Action>,
}

impl Client {
    /// A client that has not dialled yet.
    pub fn new(config: ClientConfig) -> Self {
        let me = NodeId::of(&config.key);
        Self {
            me,
            nick: config.nick.clone(),
            tries: 1,
            phase: Phase::Dialing,
            is_full: false,
            turn: 0,
            reached: None,
            was_up: false,
            unanswered: 0,
            backoff: Backoff::new(RETRY_BASE, RETRY_CAP),
            rng: ChaCha12Rng::from_seed(config.seed),
            started: None,
            max_message_bytes: MAX_MESSAGE_BYTES,
            durable: false,
            keeping: Keeping::default(),
            before: Before::default(),
            kept_rooms: BTreeMap::new(),
            say_again_at: None,
            space_pause: SPACE_PAUSE,
            full_until: None,
            rooms: BTreeMap::new(),
            current: None,
            people: BTreeMap::new(),
            lookups: BTreeMap::new(),
            files_for: BTreeMap::new(),
            transfers: Transfers::new(me, config.epoch, config.nick.clone(), config.files.clone()),
            terms: BTreeSet::new(),
            recalls: VecDeque::new(),
            renames_awaited: 0,
            finish_by: None,
            quitting: false,
            farewell: None,
            refusal: None,
            actions: VecDeque::new(),
            config,
        }
    }

    fn start(&mut self, now: Now) {
        self.started = Some(now.instant);
        for name in self.config.rooms.clone() {
            self.current.get_or_insert_with(|| name.clone());
            self.enter(RoomId::Public(name), now);
        }
        for id in self.pairs_kept() {
            self.enter(id, now);
        }
        self.dial();
    }

    fn dial(&mut self) {
        match self.config.servers.get(self.turn) {
            Some(&addr) => {
                self.phase = Phase::Dialing;
                self.actions.push_back(Action::Dial(addr));
            }
            None => {
                let nowhere = Trouble::new("usage", "the server has no address", "give one with --server");
                self.finish(Outcome::Unreachable(nowhere), "unreachable");
            }
        }
    }

    /// Begins to be in a room; says so to the server if it is there.
    fn enter(&mut self, id: RoomId, now: Now) {
        let (room, since, kept_lines) = self.room_to_enter(&id);
        let joined_at = match id {
            _ if since.is_some() => since.unwrap_or(now.instant),
            // A private line may have been said any time since this client came.
            RoomId::Pair(_) => self.started.unwrap_or(now.instant),
            RoomId::Public(_) => now.instant,
        };
        let outgoing = Outgoing::new(room.key(self.me, self.config.epoch));
        let entered = ClientRoom {
            stay: Stay::Joining,
            room,
            outgoing,
            members: BTreeMap::new(),
            gathering: Vec::new(),
            topic: None,
            joined_at,
            start: None,
            returns: since.is_some(),
            kept_lines,
            recalled: id.public().is_none() || since.is_some(),
            recalled_upto: BTreeMap::new(),
            oldest: None,
        };
        self.rooms.insert(id.clone(), entered);
        if since.is_none() && self.was_up {
            self.keep_membership(&id, Some(now));
        }
        self.subscribe(&id, now.instant);
    }

    fn link(&self) -> Option<LinkId> {
        match self.phase {
            Phase::Up(link) => Some(link),
            _ => None,
        }
    }

    /// To the server, if the link is up; what must not be lost is said again when it is.
    fn say(&mut self, frame: Frame) {
        if let Some(link) = self.link() {
            self.actions.push_back(Action::Send { to: vec![link], frame });
        }
    }

    fn send_to(&mut self, link: LinkId, frame: Frame) {
        self.actions.push_back(Action::Send { to: vec![link], frame });
    }

    fn notify(&mut self, event: Event) {
        self.actions.push_back(Action::Notify(event));
    }

    fn trouble(&mut self, code: &'static str, message: impl Into<String>, hint: impl Into<String>) {
        self.notify(Event::Error(Trouble::new(code, message, hint)));
    }

    fn remember(&mut self, node: NodeId, nick: Nick) {
        if self.people.len() < MAX_PEOPLE || self.people.contains_key(&node) {
            self.people.insert(node, nick);
        }
    }

    fn name_of(&self, node: NodeId) -> String {
        if node == self.me {
            return self.nick.to_string();
        }
        self.people.get(&node).map_or_else(|| format!("node-{}", node.tag()), Nick::to_string)
    }

    fn place_of(&self, id: &RoomId) -> Place {
        match id {
            RoomId::Public(name) => Place::Room(name.clone()),
            RoomId::Pair(pair) => {
                Place::Person(pair.other(self.me).map_or_else(String::new, |other| self.name_of(other)))
            }
        }
    }

    fn finish(&mut self, outcome: Outcome, reason: &'static str) {
        if self.phase != Phase::Over {
            self.phase = Phase::Over;
            self.notify(Event::Closed { reason });
            self.actions.push_back(Action::Finish(outcome));
        }
    }
}

impl Topology for Client {
    fn hello(&self) -> Hello {
        Hello {
            version: VERSION,
            role: Role::Client,
            key: self.config.key,
            nick: self.nick.clone(),
            epoch: self.config.epoch,
            listen: Vec::new(),
            capabilities: CAN_TRANSFER,
        }
    }

    fn handle_input(&mut self, input: Input, now: Now) {
        match input {
            Input::Start => self.start(now),
            Input::LinkUp { link, hello, dialed, .. } => self.handle_link_up(link, &hello, dialed),
            Input::LinkDown { link, end } => self.handle_link_down(link, &end, now),
            Input::DialFailed { error, .. } => self.handle_dial_failed(error, now),
            Input::Frame { link, frame } => self.handle_frame(link, frame, now),
            Input::Command(command) => self.handle_command(command, now),
            Input::LinkFull { link, refused } => self.handle_full(link, refused),
            Input::LinkRoom { link } => {
                self.is_full = false;
                self.pump_all();
                self.feed_before(link);
                self.transfers.handle_room(None);
            }
            Input::Transfers(kept) => self.transfers.restore(kept),
            Input::File(news) => self.transfers.handle_file(news, now.instant),
            Input::Restore(restored) => self.restore(restored, now),
            Input::Stored { logs } => self.handle_kept(logs),
            Input::Page { link, page } => self.handle_page_before(link, page),
            Input::Unstored { logs } => self.handle_not_kept(&logs, now),
            // A client forgets what was there before, and asks nothing of its own disk but what it said.
            Input::Retained { .. } | Input::Lines { .. } => {}
        }
        self.drain_transfers();
        self.finish_if_done();
    }

    fn handle_timeout(&mut self, now: Now) {
        self.transfers.handle_timeout(now.instant);
        self.drain_transfers();
        if self.finish_at().is_some_and(|by| by <= now.instant) {
            self.give_up_waiting();
        }
        if self.say_again_at.is_some_and(|at| at <= now.instant) {
            self.say_again_at = None;
            self.rooms.values_mut().for_each(|room| room.outgoing.say_again());
            self.pump_all();
        }
        if let Phase::Waiting { until } = self.phase
            && until <= now.instant
        {
            self.dial();
        }
    }

    fn poll_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    fn poll_timeout(&self) -> Option<Instant> {
        let retry = match self.phase {
            Phase::Waiting { until } => Some(until),
            Phase::Over => return None,
            _ => None,
        };
        let times = [retry, self.finish_at(), self.say_again_at, self.transfers.deadline()];
        times.into_iter().flatten().min()
    }

    fn is_ready(&self) -> bool {
        self.rooms.values().map(|room| self.owed(room)).sum::<usize>() < MAX_UNSENT
    }
}
