//! Files of a peer: over the link to each one, which there must be.

use std::{collections::BTreeMap, path::PathBuf, time::Instant};

use crate::{
    app::{
        Action, LinkId,
        transfer::{Output, Sending},
        trouble,
    },
    wire::{Frame, NodeId, RoomId},
};

use super::Mesh;

impl Mesh {
    pub(super) fn send_file(&mut self, path: PathBuf, to: &[String]) {
        let room = self.current.clone().filter(|_| to.is_empty());
        let mut here = BTreeMap::new();
        for name in to {
            match self.find(name) {
                Some(node) if node == self.me => self.trouble(trouble::yourself()),
                Some(node) if self.takes_files(node) => drop(here.insert(node, self.name_of(node))),
                Some(_) => self.trouble(trouble::takes_no_files(name)),
                None => self.trouble(trouble::unknown_name(name)),
            }
        }
        if let Some(name) = &room {
            let present = self.rooms.get(&RoomId::Public(name.clone())).into_iter().flat_map(|r| &r.present);
            let able = present.copied().filter(|&node| self.takes_files(node));
            here.extend(able.map(|node| (node, self.name_of(node))));
        }
        if !here.is_empty() {
            self.transfers.send(Sending { path, room, to: here.into_iter().collect() });
        } else if to.is_empty() {
            let trouble = if room.is_some() { trouble::nobody_to_send_to() } else { trouble::no_room() };
            self.trouble(trouble);
        }
    }

    fn takes_files(&self, node: NodeId) -> bool {
        let link = self.link_of(node).and_then(|link| self.links.get(&link));
        link.is_some_and(|neighbour| neighbour.takes_files)
    }

    /// Only a party of a transfer has a say in it, and nobody speaks for others here.
    pub(super) fn handle_transfer(&mut self, link: LinkId, mut frame: Frame, now: Instant) {
        let Some(neighbour) = self.links.get(&link).filter(|n| frame.may_be_said_by(n.node)) else { return };
        if let Frame::Offer(offer) = &mut frame {
            // Whose files are taken without asking goes by name: by the one it has here.
            offer.from = neighbour.nick.clone();
        }
        self.transfers.handle_frame(frame, now);
    }

    /// A part of a file found no room on a link.
    pub(super) fn take_back_parts(&mut self, link: LinkId, refused: &[Frame]) {
        let Some(node) = self.links.get(&link).map(|neighbour| neighbour.node) else { return };
        refused.iter().for_each(|frame| self.transfers.handle_full(Some(node), frame));
    }

    pub(super) fn resume_parts(&mut self, link: LinkId) {
        if let Some(node) = self.links.get(&link).map(|neighbour| neighbour.node) {
            self.transfers.handle_room(Some(node));
        }
    }

    /// Until when the end of the input waits.
    pub(super) fn finish_at(&self) -> Option<Instant> {
        self.transfers.put_off(self.finish_by, self.config.linger)
    }

    pub(super) fn drain_transfers(&mut self) {
        while let Some(output) = self.transfers.poll() {
            match output {
                Output::Send { to, frame } => {
                    let to: Vec<LinkId> = to.into_iter().filter_map(|node| self.link_of(node)).collect();
                    if !to.is_empty() {
                        self.actions.push_back(Action::Send { to, frame });
                    }
                }
                Output::File(job) => self.actions.push_back(Action::File(job)),
                Output::Notify(event) => self.notify(event),
            }
        }
    }
}
