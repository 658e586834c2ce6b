//! Files of a client: everything about them goes by way of the server.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::Instant,
};

use crate::{
    app::{
        Action, Event, LinkId,
        limits::MAX_LOOKUPS,
        transfer::{Output, Sending},
        trouble,
    },
    wire::{Frame, Nick, NodeId, RoomId},
};

use super::Client;

impl Client {
    pub(super) fn send_file(&mut self, path: PathBuf, to: &[String]) {
        if to.is_empty() {
            return self.send_to_room(path);
        }
        let mut here = BTreeMap::new();
        for name in to {
            match name.parse::<Nick>() {
                Ok(nick) if nick == self.nick => self.notify(Event::Error(trouble::yourself())),
                Ok(nick) => match self.present(&nick) {
                    Some(node) => drop(here.insert(node, name.clone())),
                    None => self.look_up_for(nick, &path),
                },
                Err(_) if name.starts_with('~') => self.notify(Event::Error(trouble::takes_no_files(name))),
                Err(_) => self.notify(Event::Error(trouble::unknown_name(name))),
            }
        }
        if !here.is_empty() {
            self.transfers.send(Sending { path, room: None, to: here.into_iter().collect() });
        }
    }

    fn send_to_room(&mut self, path: PathBuf) {
        let Some(name) = self.current.clone() else {
            return self.notify(Event::Error(trouble::no_room()));
        };
        let members = self.rooms.get(&RoomId::Public(name.clone())).into_iter().flat_map(|r| &r.members);
        let others = members.filter(|(node, nick)| **node != self.me && nick.door().is_none());
        let to: Vec<(NodeId, String)> = others.map(|(&node, nick)| (node, nick.to_string())).collect();
        if to.is_empty() {
            return self.notify(Event::Error(trouble::nobody_to_send_to()));
        }
        self.transfers.send(Sending { path, room: Some(name), to });
    }

    /// Who in a room joined is called so.
    pub(super) fn present(&self, nick: &Nick) -> Option<NodeId> {
        let present = self.rooms.values().flat_map(|room| room.members.iter());
        present.filter(|(_, member)| *member == nick).map(|(&node, _)| node).next()
    }

    fn look_up_for(&mut self, nick: Nick, path: &Path) {
        if self.waiting_lookups() >= MAX_LOOKUPS {
            return self.notify(Event::Error(trouble::too_many_lookups()));
        }
        self.files_for.entry(nick.clone()).or_default().push(path.to_owned());
        self.say(Frame::Lookup { nick });
    }

    /// Lines and files that wait to learn who somebody is.
    pub(super) fn waiting_lookups(&self) -> usize {
        let lines = self.lookups.values().map(Vec::len).sum::<usize>();
        lines + self.files_for.values().map(Vec::len).sum::<usize>()
    }

    pub(super) fn send_looked_up(&mut self, nick: &Nick, node: Option<NodeId>) {
        let Some(paths) = self.files_for.remove(nick) else { return };
        let Some(node) = node.filter(|&node| node != self.me) else {
            return self.notify(Event::Error(trouble::unknown_name(nick.as_str())));
        };
        for path in paths {
            let to = vec![(node, nick.to_string())];
            self.transfers.send(Sending { path, room: None, to });
        }
    }

    /// A part of a file found no room on the link.
    pub(super) fn take_back_parts(&mut self, link: LinkId, refused: &[Frame]) {
        if self.link() == Some(link) {
            refused.iter().for_each(|frame| self.transfers.handle_full(None, frame));
        }
    }

    /// Until when the end of the input waits.
    pub(super) fn finish_at(&self) -> Option<Instant> {
        self.transfers.put_off(self.finish_by, self.config.linger)
    }

    /// Files that nobody is known to have got.
    pub(super) fn unsent_files(&self) -> Vec<String> {
        let asked = self.files_for.iter().flat_map(|(nick, paths)| {
            paths.iter().map(move |path| format!("/send {} to {nick}", path.display()))
        });
        self.transfers.unsent().chain(asked).collect()
    }

    pub(super) fn drain_transfers(&mut self) {
        while let Some(output) = self.transfers.poll() {
            match output {
                Output::Send { frame, .. } => self.say(frame),
                Output::File(job) => self.actions.push_back(Action::File(job)),
                Output::Notify(event) => self.notify(event),
            }
        }
    }
}
