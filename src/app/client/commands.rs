//! What the person at this client asks for.

use bytes::Bytes;

use crate::{
    app::{
        Command, Event, Now,
        limits::{MAX_LOOKUPS, MAX_ROOMS_PER_NODE, MAX_TERMS},
        trouble,
    },
    wire::{Frame, Kind, Nick, NodeId, Record, RoomId, RoomName},
};

use super::{Client, Stay};

impl Client {
    pub(super) fn handle_command(&mut self, command: Command, now: Now) {
        match command {
            Command::Say(text) => self.say_in_current(Kind::TEXT, text, now),
            Command::Join(room) => self.join(room, now),
            Command::Leave(room) => self.leave(room),
            Command::Switch(room) => self.switch(room),
            Command::Rooms => {
                let rooms = self.rooms.iter().filter(|(_, room)| room.stay != Stay::Denied);
                let rooms = rooms.filter_map(|(id, _)| id.public().cloned()).collect();
                self.notify(Event::Rooms { rooms, current: self.current.clone() });
            }
            Command::Users(room) => self.list_users(room),
            Command::Tell { to, text } => self.tell(&to, &text, now),
            Command::Rename(nick) => self.rename(nick),
            Command::History(count) => self.recall(count, false),
            Command::Older(count) => self.recall(count, true),
            Command::Topic(Some(text)) => self.say_in_current(Kind::TOPIC, text, now),
            Command::Topic(None) => self.show_topic(),
            Command::Follow(term) => {
                if self.terms.len() >= MAX_TERMS && !self.terms.contains(&term) {
                    return self.notify(Event::Error(trouble::too_many_terms()));
                }
                self.terms.insert(term);
                self.say_terms();
                self.show_terms();
            }
            Command::Unfollow(term) => {
                self.terms.remove(&term);
                self.say_terms();
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
        let Some(room) = self.current.clone() else {
            return self.notify(Event::Error(trouble::no_room()));
        };
        if let Some(too_long) = trouble::too_long(text.len(), self.max_message_bytes) {
            return self.notify(Event::Error(too_long));
        }
        self.append(&RoomId::Public(room), kind, text, now);
    }

    fn append(&mut self, id: &RoomId, kind: Kind, text: String, now: Now) {
        let me = self.me;
        let Some(room) = self.rooms.get_mut(id) else { return };
        let lamport = room.room.next_lamport();
        room.room.witness(lamport);
        let log = room.outgoing.key();
        let record = Record {
            room: log.room.clone(),
            author: me,
            epoch: log.epoch,
            seq: room.outgoing.next(),
            lamport,
            sent_at_ms: now.unix_ms,
            kind,
            body: Bytes::from(text),
            signature: None,
        };
        if kind == Kind::TOPIC {
            room.topic = Some((me, record.text()));
        }
        room.outgoing.append(record.clone());
        self.keep(&record, now);
        self.pump(id);
    }

    fn join(&mut self, name: RoomName, now: Now) {
        let id = RoomId::Public(name.clone());
        let joined = self.rooms.iter().filter(|(id, _)| id.public().is_some()).count();
        match self.rooms.get_mut(&id) {
            Some(room) if room.stay != Stay::Denied => {
                if room.stay == Stay::Leaving {
                    room.stay = Stay::In;
                }
                self.switch(name);
            }
            None if joined >= MAX_ROOMS_PER_NODE => self.notify(Event::Error(trouble::room_limit(joined))),
            _ => {
                self.current = Some(name);
                self.enter(id, now);
            }
        }
    }

    fn leave(&mut self, name: Option<RoomName>) {
        let Some(name) = name.or_else(|| self.current.clone()) else {
            return self.notify(Event::Error(trouble::no_room()));
        };
        let id = RoomId::Public(name.clone());
        let offline = self.link().is_none();
        let Some(room) = self.rooms.get_mut(&id).filter(|room| room.stay != Stay::Leaving) else {
            return self.notify(Event::Error(trouble::not_joined(&name)));
        };
        if room.stay == Stay::Denied || (room.outgoing.waiting() == 0 && offline) {
            self.rooms.remove(&id);
        } else {
            room.stay = Stay::Leaving;
        }
        if self.current.as_ref() == Some(&name) {
            let stays = self.rooms.iter().filter(|(_, room)| matches!(room.stay, Stay::In | Stay::Joining));
            self.current = stays.filter_map(|(id, _)| id.public().cloned()).next();
        }
        self.keep_membership(&id, None);
        self.notify(Event::Left { room: name });
        self.pump(&id);
    }

    fn switch(&mut self, name: RoomName) {
        if self.rooms.contains_key(&RoomId::Public(name.clone())) {
            self.current = Some(name.clone());
            self.notify(Event::Switched { room: name });
        } else {
            self.notify(Event::Error(trouble::not_joined(&name)));
        }
    }

    fn list_users(&mut self, name: Option<RoomName>) {
        let Some(room) = name.or_else(|| self.current.clone()) else {
            return self.notify(Event::Error(trouble::no_room()));
        };
        let id = RoomId::Public(room.clone());
        if self.rooms.contains_key(&id) {
            let users = self.users_of(&id);
            self.notify(Event::Users { room, users });
        } else {
            self.notify(Event::Error(trouble::not_joined(&room)));
        }
    }

    fn tell(&mut self, to: &[String], text: &str, now: Now) {
        if let Some(too_long) = trouble::too_long(text.len(), self.max_message_bytes) {
            return self.notify(Event::Error(too_long));
        }
        let mut nicks: Vec<Nick> = Vec::new();
        for name in to {
            // As guests are shown and as they are called.
            match name.strip_prefix('~').unwrap_or(name).parse::<Nick>() {
                Ok(nick) if nick == self.nick => self.notify(Event::Error(trouble::yourself())),
                Ok(nick) if !nicks.contains(&nick) => nicks.push(nick),
                Ok(_) => {}
                Err(_) => self.notify(Event::Error(trouble::unknown_name(name))),
            }
        }
        for nick in nicks {
            self.tell_one(nick, text, now);
        }
    }

    fn tell_one(&mut self, nick: Nick, text: &str, now: Now) {
        if let Some(node) = self.present(&nick).filter(|_| self.link().is_some()) {
            return self.tell_node(node, text, now);
        }
        if self.waiting_lookups() >= MAX_LOOKUPS {
            return self.notify(Event::Error(trouble::too_many_lookups()));
        }
        self.lookups.entry(nick.clone()).or_default().push(text.to_owned());
        self.say(Frame::Lookup { nick });
    }

    fn tell_node(&mut self, node: NodeId, text: &str, now: Now) {
        let id = RoomId::between(self.me, node);
        if !self.rooms.contains_key(&id) {
            self.enter(id.clone(), now);
        }
        self.append(&id, Kind::TEXT, text.to_owned(), now);
    }

    /// Files go to those who are here, lines wait for those who are not.
    pub(super) fn handle_found(&mut self, nick: &Nick, node: Option<NodeId>, here: bool, now: Now) {
        self.send_looked_up(nick, node.filter(|_| here));
        let Some(lines) = self.lookups.remove(nick) else { return };
        let Some(node) = node.filter(|&node| node != self.me) else {
            return self.notify(Event::Error(trouble::unknown_name(nick.as_str())));
        };
        self.remember(node, nick.clone());
        if !here {
            self.notify(Event::Waits { to: nick.to_string() });
        }
        for line in lines {
            self.tell_node(node, &line, now);
        }
    }

    fn rename(&mut self, nick: Nick) {
        if self.link().is_some() {
            self.renames_awaited += 1;
            self.say(Frame::Nick { nick });
        } else {
            self.notify(Event::Error(trouble::not_connected()));
        }
    }

    pub(super) fn handle_renamed(&mut self, nick: Nick) {
        self.renames_awaited = self.renames_awaited.saturating_sub(1);
        let from = std::mem::replace(&mut self.nick, nick.clone()).to_string();
        self.transfers.nick = nick.clone();
        let me = self.me;
        for room in self.rooms.values_mut() {
            if let Some(own) = room.members.get_mut(&me) {
                own.clone_from(&nick);
            }
        }
        self.notify(Event::Renamed { from, to: nick.to_string() });
    }

    fn show_topic(&mut self) {
        let Some(room) = self.current.clone() else {
            return self.notify(Event::Error(trouble::no_room()));
        };
        let topic = self.rooms.get(&RoomId::Public(room.clone())).and_then(|room| room.topic.clone());
        let (from, text) = topic.map(|(node, text)| (self.name_of(node), text)).unwrap_or_default();
        self.notify(Event::Topic { room, from, text, changed: false });
    }

    pub(super) fn say_terms(&mut self) {
        let terms = self.terms.iter().map(ToString::to_string).collect();
        self.say(Frame::Follow { terms });
    }

    fn show_terms(&mut self) {
        let terms = self.terms.iter().cloned().collect();
        self.notify(Event::Following { terms });
    }
}
