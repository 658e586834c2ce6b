//! Who is here and what they are called.

use std::{collections::VecDeque, net::IpAddr};

use crate::{
    app::{
        LinkEnd, LinkId, Now, Term,
        limits::{MAX_LINKS_PER_ADDRESS, MAX_TERMS, NAME_PATIENCE},
    },
    wire::{ByeReason, ErrorCode, Frame, Hello, Nick, NodeId, Notice, Role, RoomId},
};

use super::{Hub, HubRoom, Session};

/// Names of people who left that a server remembers beside those who are here.
pub(super) const MAX_KNOWN: usize = 16_384;

impl Hub {
    pub(super) fn handle_link_up(&mut self, link: LinkId, hello: Hello, address: IpAddr, now: Now) {
        let node = NodeId::of(&hello.key);
        if let Some(&older) = self.nodes.get(&node) {
            self.replace(older);
        }
        let session = Session {
            node,
            nick: None,
            address,
            rooms: [].into(),
            terms: Vec::new(),
            recalls: VecDeque::new(),
            recalling: false,
            partial: None,
            skipping: [].into(),
            epoch: hello.epoch,
            capabilities: hello.capabilities,
            name_deadline: Some(now.instant + NAME_PATIENCE),
            bye: false,
            closing: false,
        };
        let verdict = self.verdict(&hello, address);
        self.links.insert(link, session);
        match verdict {
            Ok(()) => {
                self.nodes.insert(node, link);
                self.handle_nick(link, hello.nick);
            }
            Err((code, detail)) => {
                self.refuse(link, code, &detail);
                self.close(link, ByeReason::Refused, &detail);
            }
        }
    }

    fn verdict(&self, hello: &Hello, address: IpAddr) -> Result<(), (ErrorCode, String)> {
        let open = || self.links.values().filter(|session| !session.closing);
        let max = self.config.limits.max_clients;
        if self.stopping {
            return Err((ErrorCode::Other, "the server stops".into()));
        }
        if hello.role != Role::Client {
            return Err((ErrorCode::WrongRole, "this is a server: --role client --server reaches it".into()));
        }
        if open().count() >= max {
            return Err((ErrorCode::Full, format!("{max} of {max}")));
        }
        let same = open().filter(|session| session.address == address).count();
        if !address.is_loopback() && same >= MAX_LINKS_PER_ADDRESS {
            return Err((ErrorCode::TooManyLinks, MAX_LINKS_PER_ADDRESS.to_string()));
        }
        Ok(())
    }

    /// The same identity came again: the link it had is dead, or somebody copied a key.
    fn replace(&mut self, older: LinkId) {
        self.leave_rooms(older, &Notice::Lost { reason: "came back on another connection".into() });
        self.release_name(older);
        self.close(older, ByeReason::Replaced, "the same identity connected again");
    }

    pub(super) fn handle_nick(&mut self, link: LinkId, nick: Nick) {
        let Some(session) = self.links.get_mut(&link) else { return };
        if self.nicks.get(&nick).is_some_and(|owner| *owner != session.node) {
            return self.refuse(link, ErrorCode::NameTaken, nick.as_str());
        }
        let node = session.node;
        session.name_deadline = None;
        // Who came through a door remains a guest.
        let door = session.nick.as_ref().and_then(Nick::door);
        let nick = door.map_or_else(|| nick.clone(), |door| nick.through(door));
        let before = session.nick.replace(nick.clone());
        if let Some(before) = &before {
            self.nicks.remove(before);
        }
        self.nicks.insert(nick.clone(), node);
        self.remember(node, nick.clone());
        match before {
            None => self.welcome(link, nick),
            Some(before) => self.tell_rename(link, before, nick),
        }
    }

    fn welcome(&mut self, link: LinkId, nick: Nick) {
        let max = self.config.limits.max_message_bytes;
        let max_message_bytes = u32::try_from(max).unwrap_or(u32::MAX);
        self.send(link, Frame::Welcome { nick, max_message_bytes });
        let Some(node) = self.links.get(&link).map(|session| session.node) else { return };
        let waiting = self.rooms.iter().filter(|(_, room)| !room.room.is_empty());
        let pairs =
            waiting.filter_map(|(id, _)| id.pair().filter(|pair| pair.other(node).is_some()).copied());
        let pairs: Vec<_> = pairs.collect();
        for pairs in pairs.chunks(crate::app::limits::ENTRIES_PER_FRAME) {
            self.send(link, Frame::Pairs { pairs: pairs.to_vec() });
        }
        self.offer_again(node);
    }

    fn tell_rename(&mut self, link: LinkId, from: Nick, nick: Nick) {
        self.send(link, Frame::Nick { nick });
        self.tell_rooms(link, &Notice::Rename { from });
    }

    fn remember(&mut self, node: NodeId, nick: Nick) {
        self.known.insert(node, nick);
        if self.known.len() > MAX_KNOWN + self.nodes.len() {
            let gone = self.known.keys().find(|node| !self.nodes.contains_key(node)).copied();
            gone.map(|node| self.known.remove(&node));
        }
    }

    pub(super) fn handle_lookup(&mut self, link: LinkId, nick: Nick) {
        let here = self.nicks.get(&nick).copied();
        let node = here.or_else(|| self.away(&nick));
        self.send(link, Frame::Found { nick, node, here: here.is_some() });
    }

    pub(super) fn handle_follow(&mut self, link: LinkId, terms: &[String]) {
        if terms.len() > MAX_TERMS {
            return self.refuse(
                link,
                ErrorCode::Other,
                &format!("at most {MAX_TERMS} terms can be followed"),
            );
        }
        let terms: Vec<Term> = terms.iter().filter_map(|term| term.parse().ok()).collect();
        if terms.is_empty() {
            self.followers.remove(&link);
        } else {
            self.followers.insert(link);
        }
        if let Some(session) = self.links.get_mut(&link) {
            session.terms = terms;
        }
    }

    /// Records on other lanes may still be on their way: the link's end ends its stay, not this.
    pub(super) fn handle_bye(&mut self, link: LinkId) {
        if let Some(session) = self.links.get_mut(&link) {
            session.bye = true;
        }
    }

    pub(super) fn leave(&mut self, link: LinkId, end: &LinkEnd) {
        let Some(session) = self.links.get(&link) else { return };
        let notice = if session.bye || end.clean {
            Notice::Leave
        } else {
            Notice::Lost { reason: end.reason.clone() }
        };
        self.leave_rooms(link, &notice);
        self.release_name(link);
        self.feed.forget_link(link);
        self.stale.retain(|(of, _)| *of != link);
        self.links.remove(&link);
    }

    fn leave_rooms(&mut self, link: LinkId, notice: &Notice) {
        self.note_read(link, *notice == Notice::Leave);
        self.tell_rooms(link, notice);
        let Some(session) = self.links.get_mut(&link) else { return };
        let node = session.node;
        for id in std::mem::take(&mut session.rooms) {
            self.remove_member(&id, node, link);
        }
        self.followers.remove(&link);
    }

    fn release_name(&mut self, link: LinkId) {
        let Some(session) = self.links.get_mut(&link) else { return };
        let node = session.node;
        if self.nodes.get(&node) == Some(&link) {
            self.nodes.remove(&node);
            let nick = session.nick.take();
            nick.map(|nick| self.nicks.remove(&nick));
            self.lose_relays(node);
        }
    }

    fn tell_rooms(&mut self, link: LinkId, notice: &Notice) {
        let Some(session) = self.links.get(&link) else { return };
        for id in session.rooms.clone() {
            self.tell_room(link, &id, notice.clone());
        }
    }

    /// Tells the others of a room what happened to one member.
    pub(super) fn tell_room(&mut self, link: LinkId, id: &RoomId, notice: Notice) {
        let (Some(session), Some(room)) = (self.links.get(&link), self.rooms.get(id)) else { return };
        let Some(nick) = session.nick.clone().filter(|_| id.public().is_some()) else { return };
        let frame = Frame::Presence { room: id.clone(), node: session.node, nick, notice };
        let others = room.audience(Some(link));
        self.send_all(others, frame);
    }

    pub(super) fn names(&self, room: &HubRoom) -> Vec<String> {
        let nicks = room.members.keys().filter_map(|node| self.known.get(node));
        let mut nicks: Vec<&Nick> = nicks.collect();
        nicks.sort();
        nicks.into_iter().map(Nick::to_string).collect()
    }
}
