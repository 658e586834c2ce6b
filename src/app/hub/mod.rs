//! The centre of a star: takes each client's records in their order, passes them to everybody else in
//! the room, and gives those who were away what they missed.
//!
//! The hub trusts a client only with its own log: the author of a record must be the node that the
//! link was proven to lead to. It never sends a record back to its author; an `Ack` stands for it.

mod hearsay;
mod people;
mod recall;
mod relay;
mod rooms;
mod stored;
#[cfg(test)]
mod tests;
mod waiting;

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    net::IpAddr,
    time::{Duration, Instant},
};

use crate::wire::{
    ByeReason, CAN_STORE, CAN_TRANSFER, Epoch, ErrorCode, Frame, Hello, LogKey, Nick, NodeId, PublicKey,
    RecordId, Role, RoomId, Seq, TransferId, VERSION, Vector,
};

use super::{
    Action, Command, Event, Input, LinkEnd, LinkId, Now, Outcome, Term, Topology, Trouble,
    feed::{Feed, Source},
    keeping::Keeping,
    limits::Limits,
    room::Room,
};
use hearsay::Hearsay;
use relay::Relay;
use waiting::Waiting;

/// How a server is set up.
#[derive(Clone, Debug)]
pub struct HubConfig {
    /// The server's public key.
    pub key: PublicKey,
    /// What it calls itself.
    pub nick: Nick,
    /// Its run.
    pub epoch: Epoch,
    /// What it can take.
    pub limits: Limits,
    /// Whether lines from before are shown to those who join.
    pub history: bool,
}

/// A client, from its hello to the end of its link.
#[derive(Debug)]
struct Session {
    node: NodeId,
    /// None until a free name was found.
    nick: Option<Nick>,
    address: IpAddr,
    rooms: BTreeSet<RoomId>,
    terms: Vec<Term>,
    /// Lines from before that it asked for and has not got, and whether the first of them are being read from
    /// disk.
    recalls: VecDeque<Recall>,
    recalling: bool,
    /// Parts of a vector of which more are to come.
    partial: Option<(RoomId, Vector)>,
    /// Logs of which a record was refused: what follows is skipped until that seq comes again.
    skipping: BTreeSet<LogKey>,
    epoch: Epoch,
    capabilities: u32,
    /// Closed for lack of a name then.
    name_deadline: Option<Instant>,
    /// What it said on leaving.
    bye: bool,
    /// This side has closed: nothing it says counts any more.
    closing: bool,
}

/// Lines of a room that somebody asked for.
#[derive(Clone, Debug)]
struct Recall {
    room: RoomId,
    count: u16,
    /// Of those that came by then.
    cut: Instant,
    before: Option<RecordId>,
}

/// One room and who is in it.
#[derive(Debug)]
struct HubRoom {
    room: Room,
    members: BTreeMap<NodeId, LinkId>,
    active_at: Instant,
    /// Of a private room: what its members were not there to hear.
    waiting: BTreeMap<NodeId, Waiting>,
}

/// The server.
#[derive(Debug)]
pub struct Hub {
    config: HubConfig,
    links: BTreeMap<LinkId, Session>,
    nodes: BTreeMap<NodeId, LinkId>,
    nicks: BTreeMap<Nick, NodeId>,
    /// The last name of everybody who was here, for lines out of the past.
    known: BTreeMap<NodeId, Nick>,
    rooms: BTreeMap<RoomId, HubRoom>,
    kept_bytes: usize,
    feed: Feed,
    /// Rooms of which a link that was behind missed who came and went.
    stale: BTreeSet<(LinkId, RoomId)>,
    hearsay: Hearsay,
    /// Who follows any term: looked at for every line.
    followers: BTreeSet<LinkId>,
    started: Option<Instant>,
    keeping: Keeping,
    /// Files that it passes on.
    relays: BTreeMap<TransferId, Relay>,
    stopping: bool,
    actions: VecDeque<Action>,
}

impl Hub {
    /// A server without clients.
    pub fn new(config: HubConfig) -> Self {
        Self {
            config,
            links: BTreeMap::new(),
            nodes: BTreeMap::new(),
            nicks: BTreeMap::new(),
            known: BTreeMap::new(),
            rooms: BTreeMap::new(),
            kept_bytes: 0,
            feed: Feed::default(),
            stale: BTreeSet::new(),
            hearsay: Hearsay::default(),
            followers: BTreeSet::new(),
            started: None,
            keeping: Keeping::default(),
            relays: BTreeMap::new(),
            stopping: false,
            actions: VecDeque::new(),
        }
    }

    fn handle_frame(&mut self, link: LinkId, frame: Frame, now: Now) {
        let Some(session) = self.links.get(&link).filter(|session| !session.closing) else { return };
        if session.nick.is_none() && !matches!(frame, Frame::Nick { .. } | Frame::Bye { .. }) {
            return self.refuse(link, ErrorCode::Forbidden, "take a name first");
        }
        match frame {
            Frame::Record(record) => self.handle_record(link, record, now),
            Frame::Subscribe { room, have, age_ms, history, more } => {
                let age = Duration::from_millis(age_ms);
                self.gather_subscription(link, room, have, more, age, history, now);
            }
            Frame::Unsubscribe { room } => self.handle_unsubscribe(link, &room),
            Frame::Start { log, seq } => self.handle_start(link, &log, seq, now),
            Frame::Want { log, from, upto } => self.handle_want(link, log, from, upto),
            Frame::History { room, limit, before } => {
                self.recall(link, Recall { room, count: limit, cut: now.instant, before }, now);
            }
            Frame::Nick { nick } => self.handle_nick(link, nick),
            Frame::Lookup { nick } => self.handle_lookup(link, nick),
            Frame::Follow { terms } => self.handle_follow(link, &terms),
            Frame::Bye { .. } => self.handle_bye(link),
            frame @ (Frame::Offer(_)
            | Frame::Credit { .. }
            | Frame::Chunk { .. }
            | Frame::Complete { .. }
            | Frame::Verified { .. }
            | Frame::Cancel { .. }) => self.handle_transfer(link, frame),
            // Of a mesh, of a server, or for the session below: nothing for a hub.
            _ => self.refuse(link, ErrorCode::Malformed, "not a frame for a server"),
        }
    }

    fn handle_command(&mut self, command: Command) {
        match command {
            Command::Rooms => {
                let rooms = self.rooms.iter().filter(|(_, room)| !room.members.is_empty());
                let rooms = rooms.filter_map(|(id, _)| id.public().cloned()).collect();
                self.notify(Event::Rooms { rooms, current: None });
            }
            Command::Users(Some(room)) => {
                let users = self.rooms.get(&RoomId::Public(room.clone())).map(|room| self.names(room));
                self.notify(Event::Users { room, users: users.unwrap_or_default() });
            }
            Command::Quit(_) | Command::Finish => self.shut_down(),
            _ => self.notify(Event::Error(Trouble::new(
                "usage",
                "a server only carries what others say",
                "it knows /rooms, /users ROOM, /stats and /quit; to chat: node --role client",
            ))),
        }
    }

    fn shut_down(&mut self) {
        self.stopping = true;
        let open: Vec<LinkId> =
            self.links.iter().filter(|(_, s)| !s.closing).map(|(&link, _)| link).collect();
        for link in open {
            self.close(link, ByeReason::Shutdown, "the server stops");
        }
        self.finish_when_alone();
    }

    fn finish_when_alone(&mut self) {
        if self.stopping && self.links.is_empty() {
            self.notify(Event::Closed { reason: "quit" });
            self.actions.push_back(Action::Finish(Outcome::Done));
        }
    }

    fn close(&mut self, link: LinkId, reason: ByeReason, detail: &str) {
        if let Some(session) = self.links.get_mut(&link) {
            session.closing = true;
            session.name_deadline = None;
        }
        self.feed.forget_link(link);
        self.actions.push_back(Action::Close { link, reason, detail: detail.to_owned() });
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
        if !self.feed.is_behind(link) {
            self.refresh(link);
        } else if !self.feed.is_reading(link) {
            self.actions.push_back(Action::AwaitRoom(link));
        }
    }

    /// Tells a link that has caught up who is in the rooms of which it missed news.
    fn refresh(&mut self, link: LinkId) {
        let here: Vec<_> = self.stale.iter().filter(|(of, _)| *of == link).cloned().collect();
        for (link, id) in here {
            self.stale.remove(&(link, id.clone()));
            let Some(session) = self.links.get(&link).filter(|session| session.rooms.contains(&id)) else {
                continue;
            };
            let (node, epoch) = (session.node, session.epoch);
            let log = self.rooms.get(&id).and_then(|room| room.room.log(node, epoch));
            let next = log.map_or(Seq(0), super::log::Log::next);
            self.send_joined(link, &id, next);
        }
    }

    fn refuse(&mut self, link: LinkId, code: ErrorCode, detail: &str) {
        self.send(link, Frame::Error { code, room: None, detail: detail.to_owned() });
    }

    fn send(&mut self, link: LinkId, frame: Frame) {
        self.actions.push_back(Action::Send { to: vec![link], frame });
    }

    fn send_all(&mut self, to: Vec<LinkId>, frame: Frame) {
        if !to.is_empty() {
            self.actions.push_back(Action::Send { to, frame });
        }
    }

    fn notify(&mut self, event: Event) {
        self.actions.push_back(Action::Notify(event));
    }
}

impl Source for Hub {
    fn room(&self, id: &RoomId) -> Option<&Room> {
        self.rooms.get(id).map(|room| &room.room)
    }

    fn author(&self, room: &RoomId, node: NodeId) -> Option<Frame> {
        let nick = self.known.get(&node)?.clone();
        Some(Frame::Author { room: room.clone(), node, nick, key: None })
    }
}

impl Topology for Hub {
    fn hello(&self) -> Hello {
        Hello {
            version: VERSION,
            role: Role::Server,
            key: self.config.key,
            nick: self.config.nick.clone(),
            epoch: self.config.epoch,
            listen: Vec::new(),
            capabilities: CAN_TRANSFER | if self.keeping.is_on() { CAN_STORE } else { 0 },
        }
    }

    fn handle_input(&mut self, input: Input, now: Now) {
        self.started.get_or_insert(now.instant);
        match input {
            Input::LinkUp { link, hello, addr, .. } => self.handle_link_up(link, hello, addr.ip(), now),
            Input::LinkDown { link, end } => self.handle_link_down(link, &end),
            Input::LinkFull { link, refused } => {
                let news = refused.iter().filter_map(|frame| match frame {
                    Frame::Presence { room, .. } => Some((link, room.clone())),
                    _ => None,
                });
                self.stale.extend(news);
                refused.iter().for_each(|frame| self.miss_part(link, frame));
                // Room for files is told by itself.
                let chat = refused.iter().any(|frame| !frame.is_of_file());
                self.feed.take_back(link, refused);
                if chat && !self.feed.is_behind(link) {
                    self.actions.push_back(Action::AwaitRoom(link));
                }
            }
            Input::LinkRoom { link } => {
                self.ask_for_missed(link);
                self.feed(link);
            }
            Input::Frame { link, frame } => self.handle_frame(link, frame, now),
            Input::Command(command) => self.handle_command(command),
            Input::Restore(restored) => self.restore(restored, now),
            Input::Stored { logs } => self.handle_stored(logs),
            Input::Unstored { logs } => self.handle_unstored(logs),
            Input::Retained { logs } => self.handle_retained(&logs),
            Input::Page { link, page } => self.handle_page(link, page),
            Input::Lines { link, lines, .. } => {
                link.into_iter().for_each(|link| self.handle_lines(link, &lines, now));
            }
            Input::Start | Input::DialFailed { .. } | Input::Transfers(_) | Input::File(_) => {}
        }
    }

    fn handle_timeout(&mut self, now: Now) {
        let nameless = |s: &Session| s.name_deadline.is_some_and(|deadline| deadline <= now.instant);
        let late: Vec<LinkId> =
            self.links.iter().filter(|(_, s)| nameless(s)).map(|(&link, _)| link).collect();
        for link in late {
            self.close(link, ByeReason::Refused, "no free name was asked for in time");
        }
        self.settle_hearsay(now.instant);
    }

    fn poll_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    fn poll_timeout(&self) -> Option<Instant> {
        let names = self.links.values().filter_map(|session| session.name_deadline);
        names.chain(self.hearsay.deadline()).min()
    }
}

impl Hub {
    fn handle_link_down(&mut self, link: LinkId, end: &LinkEnd) {
        self.leave(link, end);
        self.finish_when_alone();
    }
}
