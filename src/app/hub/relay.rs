//! Files that clients send each other: a server asks those they are for, and passes each part once to all
//! who are as far as that. It keeps no part longer than it takes to pass it on.

use std::collections::BTreeMap;

use bytes::Bytes;

use crate::{
    app::{
        Action, LinkId,
        limits::{CREDIT_BYTES, MAX_OFFERS_PER_NODE, MAX_RELAYS},
        transfer::is_file_name,
    },
    wire::{CAN_TRANSFER, ErrorCode, Frame, MAX_CHUNK_BYTES, MAX_RECEIVERS, NodeId, Offer, TransferId},
};

use super::Hub;

/// One transfer.
#[derive(Debug)]
pub(super) struct Relay {
    offer: Offer,
    /// Who does not have it yet, and which part each is to get next.
    receivers: BTreeMap<NodeId, Place>,
}

/// Which part a receiver is to get next; nothing before it said so.
#[derive(Clone, Copy, Debug, Default)]
struct Place {
    next: Option<u64>,
    upto: u64,
    /// It was told that it has all.
    complete: bool,
    /// A part did not go to it: from here on it is to be sent again when there is room.
    missed: Option<u64>,
}

impl Hub {
    /// A frame about a transfer, said by somebody who may say so.
    pub(super) fn handle_transfer(&mut self, link: LinkId, frame: Frame) {
        let Some(node) = self.links.get(&link).map(|session| session.node) else { return };
        if !frame.may_be_said_by(node) {
            return self.refuse(link, ErrorCode::Forbidden, "that is not yours to say");
        }
        match frame {
            Frame::Offer(offer) => self.relay_offer(link, offer),
            Frame::Credit { transfer, receiver, from, upto, again } => {
                self.relay_credit(transfer, receiver, (from, upto), again);
            }
            Frame::Chunk { transfer, offset, bytes } => self.relay_chunk(transfer, offset, bytes),
            Frame::Complete { transfer, digest } => self.relay_complete(transfer, digest),
            Frame::Verified { transfer, receiver } if self.is_receiver(transfer, receiver) => {
                self.say_to(transfer.sender, Frame::Verified { transfer, receiver });
                self.settle_relay(transfer, receiver);
            }
            Frame::Cancel { transfer, receiver, code, detail } => {
                self.relay_cancel(node, transfer, receiver, code, &detail);
            }
            _ => {}
        }
    }

    fn relay_offer(&mut self, link: LinkId, mut offer: Offer) {
        let (transfer, sender) = (offer.transfer, offer.transfer.sender);
        let Some(nick) = self.links.get(&link).and_then(|session| session.nick.clone()) else { return };
        offer.to.retain(|&receiver| receiver != sender);
        if !is_file_name(&offer.name) || offer.to.is_empty() || offer.to.len() > MAX_RECEIVERS {
            return self.refuse(link, ErrorCode::Malformed, "not an offer that can be passed on");
        }
        let same = self.relays.keys().filter(|relayed| relayed.sender == sender).count();
        let is_new = !self.relays.contains_key(&transfer);
        let receivers = std::mem::take(&mut offer.to);
        offer.from = nick;
        if is_new && (self.relays.len() >= MAX_RELAYS || same >= MAX_OFFERS_PER_NODE) {
            for receiver in receivers {
                let detail = same.to_string();
                self.tell_sender_failed(transfer, receiver, ErrorCode::TooManyFiles, &detail);
            }
            return;
        }
        // Of several some may be asked again, as after their link was full.
        let mut places = self.relays.remove(&transfer).map(|relay| relay.receivers).unwrap_or_default();
        places.extend(receivers.iter().map(|&receiver| (receiver, Place::default())));
        self.relays.insert(transfer, Relay { offer, receivers: places });
        for receiver in receivers {
            self.offer_to(transfer, receiver);
        }
    }

    fn offer_to(&mut self, transfer: TransferId, receiver: NodeId) {
        let session = self.nodes.get(&receiver).and_then(|link| self.links.get(link));
        let Some(session) = session.filter(|session| session.nick.is_some()) else {
            return self.say_to(transfer.sender, Frame::Away { transfer, node: receiver });
        };
        if session.capabilities & CAN_TRANSFER == 0 {
            self.tell_sender_failed(
                transfer,
                receiver,
                ErrorCode::FileRefused,
                "their program takes no files",
            );
            return self.settle_relay(transfer, receiver);
        }
        let Some(relay) = self.relays.get_mut(&transfer) else { return };
        relay.receivers.insert(receiver, Place::default());
        let offer = Offer { to: vec![receiver], ..relay.offer.clone() };
        self.say_to(receiver, Frame::Offer(offer));
    }

    fn relay_credit(&mut self, transfer: TransferId, node: NodeId, (from, upto): (u64, u64), again: bool) {
        let relay = self.relays.get_mut(&transfer);
        let Some(place) = relay.and_then(|relay| relay.receivers.get_mut(&node)) else { return };
        // No receiver has more of what waits here than its share.
        let upto = upto.min(from.saturating_add(CREDIT_BYTES));
        if again || place.next.is_none() {
            *place = Place { next: Some(from), upto, ..Place::default() };
        } else {
            place.upto = upto.max(place.upto);
        }
        self.say_to(transfer.sender, Frame::Credit { transfer, receiver: node, from, upto, again });
    }

    fn relay_chunk(&mut self, transfer: TransferId, offset: u64, bytes: Bytes) {
        let end = offset.saturating_add(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
        if bytes.is_empty() || bytes.len() > MAX_CHUNK_BYTES {
            return;
        }
        self.pass_on(Frame::Chunk { transfer, offset, bytes }, transfer, |place, len| {
            let is_due = place.next == Some(offset) && end <= place.upto.min(len);
            place.next = if is_due { Some(end) } else { place.next };
            is_due
        });
    }

    fn relay_complete(&mut self, transfer: TransferId, digest: [u8; 32]) {
        self.pass_on(Frame::Complete { transfer, digest }, transfer, |place, len| {
            let is_due = place.next == Some(len) && !place.complete;
            place.complete |= is_due;
            is_due
        });
    }

    /// Says it to those receivers whose turn it is, by where each is and how long the file is.
    fn pass_on(&mut self, frame: Frame, transfer: TransferId, takes: impl Fn(&mut Place, u64) -> bool) {
        let Some(relay) = self.relays.get_mut(&transfer) else { return };
        let len = relay.offer.len;
        let due = relay.receivers.iter_mut().filter_map(|(node, place)| takes(place, len).then_some(node));
        let to = due.filter_map(|node| self.nodes.get(node).copied()).collect();
        self.send_all(to, frame);
    }

    fn relay_cancel(
        &mut self,
        by: NodeId,
        transfer: TransferId,
        receiver: Option<NodeId>,
        code: ErrorCode,
        detail: &str,
    ) {
        let all = self.relays.get(&transfer).into_iter().flat_map(|relay| relay.receivers.keys().copied());
        let concerned: Vec<NodeId> =
            all.filter(|&node| receiver.is_none_or(|receiver| receiver == node)).collect();
        for node in concerned {
            if by == transfer.sender {
                let detail = detail.to_owned();
                self.say_to(node, Frame::Cancel { transfer, receiver: Some(node), code, detail });
            } else {
                self.tell_sender_failed(transfer, node, code, detail);
            }
            self.settle_relay(transfer, node);
        }
    }

    /// Somebody is here again: they are asked anew, and say how far they are.
    pub(super) fn offer_again(&mut self, node: NodeId) {
        let due = self.relays.iter().filter(|(_, relay)| relay.receivers.contains_key(&node));
        for transfer in due.map(|(&transfer, _)| transfer).collect::<Vec<_>>() {
            self.offer_to(transfer, node);
        }
    }

    /// Somebody is gone. What they sent they will offer again.
    pub(super) fn lose_relays(&mut self, node: NodeId) {
        let sent: Vec<TransferId> = self.relays.keys().filter(|t| t.sender == node).copied().collect();
        for transfer in sent {
            let Some(relay) = self.relays.remove(&transfer) else { continue };
            let here =
                relay.receivers.keys().filter_map(|receiver| self.nodes.get(receiver).copied()).collect();
            self.send_all(here, Frame::Away { transfer, node });
        }
        let mut senders = Vec::new();
        for (&transfer, relay) in &mut self.relays {
            if let Some(place) = relay.receivers.get_mut(&node) {
                *place = Place::default();
                senders.push(transfer);
            }
        }
        for transfer in senders {
            self.say_to(transfer.sender, Frame::Away { transfer, node });
        }
    }

    /// A part found no room on the link to one receiver, who gets nothing more until there is some.
    pub(super) fn miss_part(&mut self, link: LinkId, refused: &Frame) {
        let (transfer, from) = match refused {
            Frame::Chunk { transfer, offset, .. } => (*transfer, Some(*offset)),
            Frame::Complete { transfer, .. } => (*transfer, None),
            _ => return,
        };
        let Some(node) = self.links.get(&link).map(|session| session.node) else { return };
        let Some(relay) = self.relays.get_mut(&transfer) else { return };
        let from = from.unwrap_or(relay.offer.len);
        if let Some(place) = relay.receivers.get_mut(&node) {
            place.missed = Some(place.missed.unwrap_or(from).min(from));
            place.next = Some(u64::MAX);
        }
    }

    /// There is room on a link again: what it missed is asked for in its receiver's name.
    pub(super) fn ask_for_missed(&mut self, link: LinkId) {
        let Some(node) = self.links.get(&link).map(|session| session.node) else { return };
        let mut asks = Vec::new();
        for (&transfer, relay) in &mut self.relays {
            if let Some(place) = relay.receivers.get_mut(&node)
                && let Some(from) = place.missed.take()
            {
                (place.next, place.complete) = (Some(from), false);
                let upto = place.upto;
                asks.push((transfer, Frame::Credit { transfer, receiver: node, from, upto, again: true }));
            }
        }
        asks.into_iter().for_each(|(transfer, frame)| self.say_to(transfer.sender, frame));
    }

    fn is_receiver(&self, transfer: TransferId, node: NodeId) -> bool {
        self.relays.get(&transfer).is_some_and(|relay| relay.receivers.contains_key(&node))
    }

    /// One receiver less; with the last the transfer is over.
    fn settle_relay(&mut self, transfer: TransferId, node: NodeId) {
        let Some(relay) = self.relays.get_mut(&transfer) else { return };
        relay.receivers.remove(&node);
        if relay.receivers.is_empty() {
            self.relays.remove(&transfer);
        }
    }

    fn tell_sender_failed(&mut self, transfer: TransferId, receiver: NodeId, code: ErrorCode, why: &str) {
        let detail = why.to_owned();
        self.say_to(transfer.sender, Frame::Cancel { transfer, receiver: Some(receiver), code, detail });
    }

    fn say_to(&mut self, node: NodeId, frame: Frame) {
        if let Some(&link) = self.nodes.get(&node) {
            self.actions.push_back(Action::Send { to: vec![link], frame });
        }
    }
}
