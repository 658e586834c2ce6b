//! Links to other members: which to keep of two, whom to tell of whom, and when to dial.

use std::{
    collections::BTreeSet,
    net::SocketAddr,
    time::{Duration, Instant},
};

use crate::{
    app::{
        Action, Change, DialError, Event, LinkEnd, LinkId, LinkState, Now,
        limits::{
            LEAVE_PATIENCE, MAX_LINKS_PER_ADDRESS, MAX_LISTEN, MAX_NEIGHBOURS, MAX_PEERS_PER_FRAME, MAX_TERMS,
        },
        trouble::{self, refusal},
    },
    wire::{Addr, ByeReason, CAN_TRANSFER, ErrorCode, Frame, Hello, Nick, NodeId, Role, RoomId},
};

use super::{Mesh, Neighbour};

/// How long a new neighbour is given to say which rooms it is in.
const SETTLE: Duration = Duration::from_secs(2);

impl Mesh {
    pub(super) fn handle_link_up(
        &mut self,
        link: LinkId,
        hello: Hello,
        addr: SocketAddr,
        dialed: Option<Addr>,
        now: Now,
    ) {
        let (node, role) = (NodeId::of(&hello.key), hello.role);
        if let Some(dialed) = dialed {
            self.book.reached(dialed, node);
        }
        if node == self.me && hello.epoch != self.config.epoch {
            self.tell_copied();
        }
        let verdict = self.verdict(node, &hello, addr);
        let duplicate = self.duplicate(link, node, &hello, dialed.is_some());
        let is_new = self.link_of(node).is_none() && self.awaited.remove(&node).is_none();
        self.links.insert(link, neighbour(node, &hello, addr, dialed, now.instant));
        if let Err((reason, code, detail)) = verdict {
            self.send(link, Frame::Error { code, room: None, detail: detail.clone() });
            match dialed {
                Some(dialed) if node == self.me => self.book.is_own(dialed),
                Some(dialed) => self.put_off(dialed, role, now),
                None => {}
            }
            return self.close(link, reason, &detail);
        }
        self.remember(node, hello.nick, hello.key);
        if let Some((loser, reason)) = duplicate {
            self.close(loser, reason, "another link between us is kept");
            if loser == link {
                return;
            }
        }
        self.introduce(link, is_new, now.instant);
    }

    /// Who answered there cannot be talked to: to ask again at once would be to ask without end.
    fn put_off(&mut self, dialed: Addr, role: Role, now: Now) {
        self.book.failed(dialed, now.instant, &mut self.rng);
        if role != Role::Peer && self.book.is_given(&dialed) {
            let hint = "that is a server: --role client --server reaches it";
            self.trouble(refusal(ErrorCode::WrongRole, hint));
        }
    }

    fn verdict(
        &self,
        node: NodeId,
        hello: &Hello,
        addr: SocketAddr,
    ) -> Result<(), (ByeReason, ErrorCode, String)> {
        // A second link to somebody who is here takes no place: one of the two will go.
        let open = || self.links.values().filter(|neighbour| !neighbour.closing && neighbour.node != node);
        if node == self.me {
            return Err((ByeReason::Duplicate, ErrorCode::Other, "that is this node itself".into()));
        }
        if hello.role != Role::Peer {
            let detail = "this is a peer: --role peer --peers reaches it".to_owned();
            return Err((ByeReason::Refused, ErrorCode::WrongRole, detail));
        }
        if self.quitting || open().count() >= MAX_NEIGHBOURS {
            return Err((ByeReason::Refused, ErrorCode::Full, MAX_NEIGHBOURS.to_string()));
        }
        let same = open().filter(|neighbour| neighbour.addr.ip() == addr.ip()).count();
        if !addr.ip().is_loopback() && same >= MAX_LINKS_PER_ADDRESS {
            return Err((ByeReason::Refused, ErrorCode::TooManyLinks, MAX_LINKS_PER_ADDRESS.to_string()));
        }
        Ok(())
    }

    /// Which of two links to one node to close. Both ends come to the same answer: of two dialled from
    /// different ends the one dialled by the smaller id stays; of two dialled from one end the dialler
    /// decides, and keeps the older. A later run of the same node beats an earlier one: if that still listens, its
    /// identity was copied.
    fn duplicate(
        &self,
        link: LinkId,
        node: NodeId,
        hello: &Hello,
        dialed_here: bool,
    ) -> Option<(LinkId, ByeReason)> {
        let older = self.link_of(node)?;
        let other = self.links.get(&older)?;
        if other.epoch != hello.epoch {
            return Some((if other.epoch < hello.epoch { older } else { link }, ByeReason::Replaced));
        }
        let loser = match (other.dialed.is_some(), dialed_here) {
            (true, true) => link,
            (false, false) => return None,
            (_, new_is_mine) => {
                let keep_mine = self.me < node;
                if new_is_mine == keep_mine { older } else { link }
            }
        };
        Some((loser, ByeReason::Duplicate))
    }

    /// Another node runs with this one's key. Told once: who is meant has to stop one of the two.
    pub(super) fn tell_copied(&mut self) {
        if !std::mem::replace(&mut self.copied, true) {
            self.trouble(trouble::identity_twice());
        }
    }

    /// Says on a new link who else is there and which rooms this node is in.
    fn introduce(&mut self, link: LinkId, is_new: bool, now: Instant) {
        let Some(neighbour) = self.links.get(&link) else { return };
        let (node, listen) = (neighbour.node, neighbour.listen.clone());
        for &addr in &listen {
            self.book.learn(addr, node);
        }
        self.tell_peers(link, node);
        if let Some(neighbour) = self.links.get_mut(&link) {
            neighbour.told_up = true;
        }
        self.transfers.up(node);
        if is_new {
            self.tell_link(link, LinkState::Up);
            self.tell_of(link, node, &listen);
        }
        self.subscribe_all(link, node, now);
        if !self.terms.is_empty() {
            self.say_terms(Some(link));
        }
    }

    /// Tells a neighbour of every room that concerns it, and how far this node has each.
    fn subscribe_all(&mut self, link: LinkId, node: NodeId, now: Instant) {
        let pair = RoomId::between(self.me, node);
        let mine =
            self.rooms.iter().filter(|(id, room)| room.inside && (id.public().is_some() || **id == pair));
        for id in mine.map(|(id, _)| id.clone()).collect::<Vec<_>>() {
            self.subscribe(link, &id, now);
        }
    }

    fn tell_peers(&mut self, link: LinkId, node: NodeId) {
        let others = self.links.values().filter(|n| !n.closing && n.node != node);
        let peers: Vec<(NodeId, Addr)> =
            others.flat_map(|n| n.listen.iter().map(|&addr| (n.node, addr))).collect();
        for peers in peers.chunks(MAX_PEERS_PER_FRAME) {
            self.send(link, Frame::Peers { peers: peers.to_vec() });
        }
    }

    fn tell_of(&mut self, link: LinkId, node: NodeId, listen: &[Addr]) {
        let others = self.links.iter().filter(|(other, n)| **other != link && !n.closing && n.node != node);
        let to: Vec<LinkId> = others.map(|(&other, _)| other).collect();
        if !to.is_empty() && !listen.is_empty() {
            let peers = listen.iter().map(|&addr| (node, addr)).collect();
            self.actions.push_back(Action::Send { to, frame: Frame::Peers { peers } });
        }
    }

    pub(super) fn handle_peers(&mut self, peers: Vec<(NodeId, Addr)>) {
        for (node, addr) in peers.into_iter().take(MAX_PEERS_PER_FRAME) {
            let dialable = addr.socket.port() != 0 && !addr.socket.ip().is_unspecified();
            if node != self.me && dialable && !self.config.listen.contains(&addr) {
                self.book.learn(addr, node);
            }
        }
    }

    pub(super) fn handle_nick(&mut self, link: LinkId, nick: Nick) {
        let Some(neighbour) = self.links.get(&link).filter(|neighbour| neighbour.nick != nick) else {
            return;
        };
        let (node, rooms) = (neighbour.node, neighbour.rooms.keys().cloned().collect::<Vec<_>>());
        let old = self.name_of(node);
        for neighbour in self.links.values_mut().filter(|neighbour| neighbour.node == node) {
            neighbour.nick = nick.clone();
        }
        if let Some(person) = self.people.get_mut(&node) {
            person.nick = nick;
        }
        let to = self.name_of(node);
        for id in rooms {
            self.tell_presence(&id, old.clone(), Change::Rename { to: to.clone() });
        }
    }

    pub(super) fn handle_follow(&mut self, link: LinkId, terms: &[String]) {
        if let Some(neighbour) = self.links.get_mut(&link) {
            neighbour.terms = terms.iter().take(MAX_TERMS).filter_map(|term| term.parse().ok()).collect();
        }
    }

    pub(super) fn tell_presence(&mut self, id: &RoomId, name: String, change: Change) {
        // It is this node that leaves, not everybody else.
        if let Some(room) = id.public().cloned().filter(|_| self.inside(id) && !self.quitting) {
            self.notify(Event::Presence { room, name, change });
        }
    }

    pub(super) fn handle_link_down(&mut self, link: LinkId, end: &LinkEnd, now: Now) {
        let Some(gone) = self.links.get(&link) else { return };
        let (node, name) = (gone.node, self.name_of(gone.node));
        if gone.told_up && !gone.surplus && self.link_of(node).is_none_or(|other| other == link) {
            self.tell_link(link, LinkState::Down { reason: end.reason.clone() });
        }
        let Some(gone) = self.links.remove(&link) else { return };
        self.feed.forget_link(link);
        self.wanted.retain(|_, wanted| wanted.link != link);
        for room in self.rooms.values_mut().filter(|room| room.recall.pending == Some(link)) {
            room.recall.pending = None;
        }
        if let Some(kept) = self.link_of(node) {
            // What was under way on the other, lines or acknowledgements, may be lost with it.
            self.subscribe_all(kept, node, now.instant);
        } else if node != self.me {
            self.transfers.down(node, now.instant);
            let left = gone.bye || end.clean;
            // Who keeps another link that is not to be seen here keeps a broken one.
            if gone.told_up && (!left || gone.surplus) {
                self.stay_for(node, now.instant);
            } else {
                self.unparted.remove(&node);
            }
            if gone.surplus {
                self.awaited.insert(node, now.instant + SETTLE);
            } else {
                let lost = Change::Lost { reason: end.reason.clone() };
                self.tell_gone(node, &name, &if left { Change::Leave } else { lost });
            }
            let stayed = now.instant.saturating_duration_since(gone.up_at);
            self.book.lost(node, now.instant, stayed, left, &mut self.rng);
        }
        for id in self.rooms.keys().cloned().collect::<Vec<_>>() {
            self.report_delivered(&id);
            self.recall(&id);
        }
    }

    /// The link to a node broke without a goodbye: there may be lines that it lacks, or it waits for the word
    /// that its own arrived. At the end of the input it is dialled again, and told.
    fn stay_for(&mut self, node: NodeId, now: Instant) {
        if self.unparted.len() < MAX_NEIGHBOURS {
            self.unparted.entry(node).or_insert(now + LEAVE_PATIENCE);
        }
        if self.finish_by.is_some() {
            self.quitting = false;
        }
    }

    fn tell_gone(&mut self, node: NodeId, name: &str, change: &Change) {
        for id in self.rooms_with(node) {
            self.tell_presence(&id, name.to_owned(), change.clone());
        }
    }

    /// Of two links the other end may close one before the one that it keeps is up here. If that never
    /// comes up, the node is gone.
    pub(super) fn miss_awaited(&mut self, now: Instant) {
        let late: Vec<NodeId> =
            self.awaited.iter().filter(|(_, until)| **until <= now).map(|(&node, _)| node).collect();
        for node in late {
            self.awaited.remove(&node);
            let name = self.name_of(node);
            self.tell_gone(node, &name, &Change::Leave);
        }
    }

    /// The rooms that a node was in; it is in none of them any more.
    fn rooms_with(&mut self, node: NodeId) -> Vec<RoomId> {
        let left =
            self.rooms.iter_mut().filter_map(|(id, room)| room.present.remove(&node).then(|| id.clone()));
        left.collect()
    }

    pub(super) fn handle_dial_failed(&mut self, addr: Addr, error: &DialError, now: Now) {
        let pause = self.book.failed(addr, now.instant, &mut self.rng);
        if matches!(error, DialError::IdentityChanged(_) | DialError::Refused(_)) {
            self.trouble(error.trouble().clone());
        }
        if let Some(pause) = pause.filter(|_| self.book.is_given(&addr)) {
            let retry_in_ms = u64::try_from(pause.as_millis()).unwrap_or(u64::MAX);
            let (peer, transport) = (addr.socket.to_string(), addr.scheme.as_str());
            self.notify(Event::Link { peer, transport, state: LinkState::Reconnecting { retry_in_ms } });
        }
    }

    /// The nodes to which there is a link.
    pub(super) fn linked(&self) -> BTreeSet<NodeId> {
        self.links.values().filter(|neighbour| !neighbour.closing).map(|neighbour| neighbour.node).collect()
    }

    pub(super) fn dial_due(&mut self, now: Instant) {
        if self.quitting || self.over {
            return;
        }
        let linked = self.linked();
        for addr in self.book.due(now, |node| linked.contains(&node)) {
            self.actions.push_back(Action::Dial(addr));
        }
    }

    fn tell_link(&mut self, link: LinkId, state: LinkState) {
        let Some(neighbour) = self.links.get(&link) else { return };
        let transport =
            neighbour.dialed.or_else(|| neighbour.listen.first().copied()).map_or("", |a| a.scheme.as_str());
        let peer = neighbour.dialed.map_or(neighbour.addr, |dialed| dialed.socket).to_string();
        self.notify(Event::Link { peer, transport, state });
    }

    /// When the newest neighbour that is in no room yet has had time to say so.
    pub(super) fn settled_at(&self) -> Option<Instant> {
        let silent = self.links.values().filter(|n| !n.closing && n.rooms.is_empty());
        silent.map(|neighbour| neighbour.up_at + SETTLE).max()
    }
}

fn neighbour(node: NodeId, hello: &Hello, addr: SocketAddr, dialed: Option<Addr>, now: Instant) -> Neighbour {
    let listen = hello.listen.iter().take(MAX_LISTEN).map(|listen| listen.seen_from(addr)).collect();
    Neighbour {
        node,
        nick: hello.nick.clone(),
        epoch: hello.epoch,
        addr,
        dialed,
        listen,
        up_at: now,
        rooms: [].into(),
        acked: [].into(),
        brought: [].into(),
        told: [].into(),
        partial: None,
        terms: Vec::new(),
        takes_files: hello.capabilities & CAN_TRANSFER != 0,
        bye: false,
        told_up: false,
        surplus: false,
        closing: false,
        draining: false,
    }
}
