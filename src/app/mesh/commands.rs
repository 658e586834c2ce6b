//! What the person at this peer asks for, and how its life ends.

use std::time::Instant;

use crate::{
    app::{
        Change, Command, Event, LinkId, Now, Outcome,
        limits::{MAX_ROOMS_PER_NODE, MAX_TERMS},
        trouble,
    },
    wire::{ByeReason, Frame, Kind, NodeId, RoomId, RoomName},
};

use super::{Mesh, state::Recall};

impl Mesh {
    pub(super) fn handle_command(&mut self, command: Command, now: Now) {
        match command {
            Command::Say(text) => self.say_in_current(Kind::TEXT, text, now),
            Command::Join(room) => {
                self.join(room.clone(), now);
                if self.inside(&RoomId::Public(room.clone())) {
                    self.current = Some(room);
                }
            }
            Command::Leave(room) => self.leave(room),
            Command::Switch(room) => self.switch(room),
            Command::Rooms => {
                let rooms = self.rooms.iter().filter(|(_, room)| room.inside);
                let rooms = rooms.filter_map(|(id, _)| id.public().cloned()).collect();
                self.notify(Event::Rooms { rooms, current: self.current.clone() });
            }
            Command::Users(room) => self.list_users(room),
            Command::Tell { to, text } => self.tell(&to, &text, now),
            Command::Rename(nick) => {
                let from = std::mem::replace(&mut self.nick, nick.clone()).to_string();
                self.transfers.nick = nick.clone();
                self.send_all(&Frame::Nick { nick: nick.clone() });
                self.notify(Event::Renamed { from, to: nick.to_string() });
            }
            Command::History(count) => self.show_history(count, now.instant),
            Command::Older(count) => self.show_older(count, now),
            Command::Topic(Some(text)) => self.say_in_current(Kind::TOPIC, text, now),
            Command::Topic(None) => self.show_topic(),
            Command::Follow(term) => {
                if self.terms.len() >= MAX_TERMS && !self.terms.contains(&term) {
                    return self.trouble(trouble::too_many_terms());
                }
                self.terms.insert(term);
                self.say_terms(None);
                self.show_terms();
            }
            Command::Unfollow(term) => {
                self.terms.remove(&term);
                self.say_terms(None);
                self.show_terms();
            }
            Command::Following => self.show_terms(),
            // Figures of links are the driver's to tell.
            Command::Stats => {}
            Command::Send { path, to } => self.send_file(path, &to),
            Command::Accept(id) => self.transfers.accept(id),
            Command::Reject(id) => self.transfers.reject(id),
            Command::Cancel(id) => self.transfers.cancel(id),
            Command::Transfers => self.transfers.list(),
            Command::Finish => self.finish_by = Some(now.instant + self.config.linger),
            Command::Quit(_) => self.quit(),
        }
    }

    fn say_in_current(&mut self, kind: Kind, text: String, now: Now) {
        let Some(room) = self.current.clone() else { return self.trouble(trouble::no_room()) };
        if let Some(too_long) = trouble::too_long(text.len(), self.config.max_message_bytes) {
            return self.trouble(too_long);
        }
        self.append(&RoomId::Public(room), kind, text, now);
    }

    pub(super) fn join(&mut self, name: RoomName, now: Now) {
        let id = RoomId::Public(name.clone());
        let joined = self.rooms.iter().filter(|(id, room)| room.inside && id.public().is_some()).count();
        if self.inside(&id) {
            return self.switch(name);
        }
        if joined >= MAX_ROOMS_PER_NODE {
            return self.trouble(trouble::room_limit(joined));
        }
        let fresh = self.new_room(&id, now.instant);
        let room = self.rooms.entry(id.clone()).or_insert(fresh);
        // A member with a store was never away: what was said since is missed.
        (room.inside, room.joined_at) = (true, room.since.unwrap_or(now.instant));
        let there = self.links.values().filter(|n| !n.closing && n.rooms.contains_key(&id));
        room.present = there.map(|neighbour| neighbour.node).collect();
        let links: Vec<LinkId> =
            self.links.iter().filter(|(_, n)| !n.closing).map(|(&link, _)| link).collect();
        for link in links {
            self.subscribe(link, &id, now.instant);
        }
        self.keep_membership(&id, true);
        let users = self.users_of(&id);
        let own = self.name_of(self.me);
        self.notify(Event::Joined { room: name, name: own, users });
        if self.show_kept(&id, now.instant) {
            self.rooms.get_mut(&id).into_iter().for_each(|room| room.recall = Recall::default());
        }
        self.rooms.get_mut(&id).into_iter().for_each(|room| room.since = None);
        self.recall(&id);
    }

    fn leave(&mut self, name: Option<RoomName>) {
        let Some(name) = name.or_else(|| self.current.clone()) else {
            return self.trouble(trouble::no_room());
        };
        let id = RoomId::Public(name.clone());
        let me = self.me;
        let Some(room) = self.rooms.get_mut(&id).filter(|room| room.inside) else {
            return self.trouble(trouble::not_joined(&name));
        };
        room.inside = false;
        room.room.retain_author(me);
        self.keep_membership(&id, false);
        self.send_all(&Frame::Unsubscribe { room: id.clone() });
        self.wanted.retain(|log, _| log.room != id);
        if self.current.as_ref() == Some(&name) {
            let inside = self.rooms.iter().filter(|(_, room)| room.inside);
            self.current = inside.filter_map(|(id, _)| id.public().cloned()).next();
        }
        self.notify(Event::Left { room: name });
    }

    pub(super) fn handle_unsubscribe(&mut self, link: LinkId, id: &RoomId) {
        let Some(neighbour) = self.links.get_mut(&link) else { return };
        let node = neighbour.node;
        if neighbour.rooms.remove(id).is_some() {
            self.feed.forget_room(link, id);
            let name = self.name_of(node);
            if self.rooms.get_mut(id).is_some_and(|room| room.present.remove(&node)) {
                self.tell_presence(id, name, Change::Leave);
            }
            self.report_delivered(id);
        }
    }

    fn switch(&mut self, name: RoomName) {
        if self.inside(&RoomId::Public(name.clone())) {
            self.current = Some(name.clone());
            self.notify(Event::Switched { room: name });
        } else {
            self.trouble(trouble::not_joined(&name));
        }
    }

    fn users_of(&self, id: &RoomId) -> Vec<String> {
        let present = self.rooms.get(id).into_iter().flat_map(|room| room.present.iter().copied());
        let mut names: Vec<String> = present.chain([self.me]).map(|node| self.name_of(node)).collect();
        names.sort_by_key(|name| name.to_ascii_lowercase());
        names
    }

    fn list_users(&mut self, name: Option<RoomName>) {
        let Some(room) = name.or_else(|| self.current.clone()) else {
            return self.trouble(trouble::no_room());
        };
        let id = RoomId::Public(room.clone());
        if self.inside(&id) {
            let users = self.users_of(&id);
            self.notify(Event::Users { room, users });
        } else {
            self.trouble(trouble::not_joined(&room));
        }
    }

    fn tell(&mut self, to: &[String], text: &str, now: Now) {
        if let Some(too_long) = trouble::too_long(text.len(), self.config.max_message_bytes) {
            return self.trouble(too_long);
        }
        let mut nodes: Vec<NodeId> = Vec::new();
        for name in to {
            match self.find(name) {
                Some(node) if node == self.me => self.trouble(trouble::yourself()),
                Some(node) if !nodes.contains(&node) => nodes.push(node),
                Some(_) => {}
                None => self.trouble(trouble::unknown_name(name)),
            }
        }
        for node in nodes {
            let id = RoomId::between(self.me, node);
            if !self.rooms.contains_key(&id) {
                let room = self.new_room(&id, now.instant);
                self.rooms.insert(id.clone(), room);
            }
            self.append(&id, Kind::TEXT, text.to_owned(), now);
        }
    }

    /// Who is meant by a name: as shown, so with its tag where two are called the same.
    pub(super) fn find(&self, name: &str) -> Option<NodeId> {
        let here = self.links.values().filter(|n| !n.closing).map(|n| n.node).chain([self.me]);
        here.into_iter().find(|&node| self.name_of(node).eq_ignore_ascii_case(name))
    }

    fn show_topic(&mut self) {
        let Some(room) = self.current.clone() else { return self.trouble(trouble::no_room()) };
        let topic = self.rooms.get(&RoomId::Public(room.clone())).and_then(|room| room.room.topic());
        let topic = topic.map(|record| (self.name_of(record.author), record.text()));
        let (from, text) = topic.unwrap_or_default();
        self.notify(Event::Topic { room, from, text, changed: false });
    }

    pub(super) fn say_terms(&mut self, link: Option<LinkId>) {
        let terms = self.terms.iter().map(ToString::to_string).collect();
        match link {
            Some(link) => self.send(link, Frame::Follow { terms }),
            None => self.send_all(&Frame::Follow { terms }),
        }
    }

    fn show_terms(&mut self) {
        let terms = self.terms.iter().cloned().collect();
        self.notify(Event::Following { terms });
    }

    fn quit(&mut self) {
        self.quitting = true;
        let open: Vec<LinkId> =
            self.links.iter().filter(|(_, n)| !n.closing).map(|(&link, _)| link).collect();
        for link in open {
            self.close(link, ByeReason::Quit, "");
        }
    }

    /// After the end of input: leaves when everybody who is there has everything, and nobody is being
    /// reached for the first time who might want it too, or again because the link broke.
    pub(super) fn finish_if_done(&mut self, now: Instant) {
        self.looked_at = Some(now);
        if self.quitting && self.links.is_empty() {
            return self.end(Outcome::Done, if self.finish_by.is_some() { "input_end" } else { "quit" });
        }
        if self.quitting || self.finish_by.is_none() {
            return;
        }
        let linked = self.linked();
        let hopeful = self.book.is_hopeful(|node| linked.contains(&node));
        let settled = self.settled_at().is_none_or(|at| at <= now);
        let parted = self.unparted.keys().all(|node| linked.contains(node));
        if !hopeful && settled && parted && self.transfers.is_idle() && self.undelivered().is_empty() {
            self.quit();
            self.finish_if_done(now);
        }
    }

    pub(super) fn give_up_waiting(&mut self) {
        self.finish_by = None;
        let lines = self.undelivered();
        self.quit();
        let outcome = if lines.is_empty() { Outcome::Done } else { Outcome::Undelivered(lines) };
        self.end(outcome, "input_end");
    }

    /// Own lines that not everybody who is there has, or that nobody ever had although somebody was
    /// to be reached.
    fn undelivered(&self) -> Vec<String> {
        let mut lines: Vec<String> = self.transfers.unsent().collect();
        for (id, room) in &self.rooms {
            let alone = self.book.is_empty() && self.links.is_empty();
            let heard = self.heard(id).map_or(room.reported, |(heard, _)| heard);
            let Some(log) = room.room.log(self.me, self.config.epoch).filter(|_| !alone) else { continue };
            lines.extend(
                log.read(heard).filter(|kept| kept.record.kind == Kind::TEXT).map(|kept| kept.record.text()),
            );
        }
        lines
    }
}
