//! The sending side of files: offered, sent as far as each receiver lets, taken back.

use std::time::Instant;

use bytes::Bytes;

use crate::{
    app::{
        Event, TransferState,
        limits::{CREDIT_BYTES, MAX_TRANSFERS, PROGRESS_PERIOD, READ_AHEAD},
        trouble,
    },
    wire::{ErrorCode, Frame, MAX_RECEIVERS, NodeId, Offer, TransferId},
};

use super::{
    FileJob, KeptOutgoing, Output, Sending, Transfers,
    outgoing::{Digest, Facts, Outgoing},
    receiver::{Receiver, Way},
    waiting_for,
};

impl Transfers {
    pub(in crate::app) fn send(&mut self, sending: Sending) {
        let Sending { path, room, to } = sending;
        if self.outgoing.len() >= MAX_TRANSFERS {
            return self.notify(Event::Error(trouble::too_many_files()));
        }
        if to.len() > MAX_RECEIVERS {
            return self.notify(Event::Error(trouble::too_many_receivers(to.len())));
        }
        self.last_number += 1;
        let transfer = TransferId { sender: self.me, epoch: self.epoch, number: self.last_number };
        let id = self.next_id();
        self.outgoing.insert(transfer, Outgoing::new(id, path.clone(), room, to));
        self.file(FileJob::Open { transfer, path });
    }

    pub(super) fn restore_outgoing(&mut self, kept: KeptOutgoing) {
        let KeptOutgoing { transfer, path, name, len, modified_ms, room, receivers } = kept;
        let id = self.next_id();
        let mut outgoing = Outgoing::new(id, path.clone(), room, receivers);
        outgoing.file = Some(Facts { name, len, modified_ms });
        self.outgoing.insert(transfer, outgoing);
        self.file(FileJob::Open { transfer, path });
    }

    pub(super) fn handle_opened(&mut self, transfer: TransferId, name: String, len: u64, modified_ms: u64) {
        let Some(outgoing) = self.outgoing.get_mut(&transfer) else { return };
        let found = Facts { name, len, modified_ms };
        match &outgoing.file {
            Some(known) if (known.len, known.modified_ms) != (len, modified_ms) => {
                return self.fail_outgoing(transfer, ErrorCode::FileChanged, "");
            }
            Some(_) => {}
            None => outgoing.file = Some(found),
        }
        let kept = outgoing.kept(transfer);
        kept.into_iter().for_each(|kept| self.file(FileJob::Keep(kept)));
        let there = self.there(transfer);
        self.offer(transfer, there);
    }

    /// Those who do not have it yet and to whom there is a way.
    pub(super) fn there(&self, transfer: TransferId) -> Vec<NodeId> {
        let receivers = self.outgoing.get(&transfer).into_iter().flat_map(|o| o.receivers.keys());
        receivers.copied().filter(|&receiver| self.reach.includes(receiver)).collect()
    }

    /// Asks them.
    pub(super) fn offer(&mut self, transfer: TransferId, there: Vec<NodeId>) {
        let Some(outgoing) = self.outgoing.get_mut(&transfer) else { return };
        if let Some(code) = outgoing.failed {
            return there.into_iter().for_each(|node| self.give_up(transfer, node, code));
        }
        let Some(file) = outgoing.file.clone().filter(|_| !there.is_empty()) else { return };
        for node in &there {
            if let Some(receiver) = outgoing.receivers.get_mut(node) {
                (receiver.here, receiver.is_full, receiver.way) = (true, false, Way::Asked);
            }
        }
        let first = !std::mem::replace(&mut outgoing.offered, true);
        let event = first.then(|| outgoing.event(&outgoing.peers(), TransferState::Offered));
        let (room, from) = (outgoing.room.clone(), self.nick.clone());
        let offer = Offer { transfer, from, to: there.clone(), room, name: file.name, len: file.len };
        self.outputs.push_back(Output::Send { to: there, frame: Frame::Offer(offer) });
        event.into_iter().for_each(|event| self.notify(event));
    }

    pub(super) fn handle_credit(
        &mut self,
        transfer: TransferId,
        node: NodeId,
        (from, upto): (u64, u64),
        again: bool,
        now: Instant,
    ) {
        let Some(outgoing) = self.outgoing.get_mut(&transfer).filter(|o| from <= o.len()) else { return };
        let Some(receiver) = outgoing.receivers.get_mut(&node) else { return };
        let upto = upto.min(from.saturating_add(CREDIT_BYTES));
        let news = !receiver.is_taken || receiver.is_missed;
        (receiver.here, receiver.is_taken, receiver.is_missed) = (true, true, false);
        receiver.has = from;
        let taken = receiver.way == Way::Asked;
        match &mut receiver.way {
            Way::Flowing { upto: before, .. } if !again => *before = upto.max(*before),
            Way::Complete if !again => {}
            way => *way = Way::Flowing { sent: from, read: from, upto },
        }
        let late = receiver.told_at.is_none_or(|at| at + PROGRESS_PERIOD <= now);
        if taken {
            receiver.held = from;
        }
        receiver.told_at = if late { Some(now) } else { receiver.told_at };
        let name = receiver.name.clone();
        let state = if from > 0 { TransferState::Resumed } else { TransferState::Accepted };
        let events =
            [news.then(|| outgoing.event(&name, state)), late.then(|| Event::Progress(outgoing.figures()))];
        events.into_iter().flatten().for_each(|event| self.notify(event));
        self.moved_at = Some(now);
        self.pump(transfer, now);
    }

    pub(super) fn pump_all(&mut self, now: Instant) {
        for transfer in self.outgoing.keys().copied().collect::<Vec<_>>() {
            self.pump(transfer, now);
        }
    }

    /// Has read what may be sent, and tells those who have all that this was all.
    fn pump(&mut self, transfer: TransferId, now: Instant) {
        while let Some(outgoing) = self.outgoing.get_mut(&transfer)
            && outgoing.reading < READ_AHEAD
            && let Some((offset, len)) = outgoing.next_part(now)
        {
            let end = offset.saturating_add(u64::try_from(len).unwrap_or(u64::MAX));
            for receiver in outgoing.receivers.values_mut().filter(|receiver| receiver.may_have(end)) {
                match &mut receiver.way {
                    Way::Flowing { read, .. } if *read == offset => *read = end,
                    _ => {}
                }
            }
            outgoing.reading += 1;
            self.file(FileJob::Read { transfer, offset, len });
        }
        self.complete(transfer);
    }

    pub(super) fn handle_read(&mut self, transfer: TransferId, offset: u64, bytes: Bytes, now: Instant) {
        let Some(outgoing) = self.outgoing.get_mut(&transfer) else { return };
        outgoing.reading = outgoing.reading.saturating_sub(1);
        let end = offset.saturating_add(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
        let mut to = Vec::new();
        for (&node, receiver) in outgoing.receivers.iter_mut().filter(|(_, r)| r.here && r.may_have(end)) {
            match &mut receiver.way {
                Way::Flowing { sent, read, .. } if *sent == offset => {
                    (*sent, *read) = (end, end.max(*read));
                    to.push(node);
                }
                _ => {}
            }
        }
        if !to.is_empty() {
            self.outputs.push_back(Output::Send { to, frame: Frame::Chunk { transfer, offset, bytes } });
        }
        self.pump(transfer, now);
    }

    /// Tells those who were sent all what it has to come to.
    fn complete(&mut self, transfer: TransferId) {
        let Some(outgoing) = self.outgoing.get_mut(&transfer) else { return };
        let len = outgoing.len();
        let all = |receiver: &&mut Receiver| {
            let flowing = matches!(receiver.way, Way::Flowing { sent, .. } if sent == len);
            flowing && receiver.here && !receiver.is_full
        };
        let mut done = outgoing.receivers.iter_mut().filter(|(_, receiver)| all(receiver)).peekable();
        if done.peek().is_none() {
            return;
        }
        match outgoing.digest {
            Digest::Known(digest) => {
                let to = done
                    .map(|(&node, receiver)| {
                        receiver.way = Way::Complete;
                        node
                    })
                    .collect();
                self.outputs.push_back(Output::Send { to, frame: Frame::Complete { transfer, digest } });
            }
            Digest::Unknown => {
                outgoing.digest = Digest::Asked;
                self.file(FileJob::Digest { transfer });
            }
            Digest::Asked => {}
        }
    }

    pub(super) fn handle_digest(&mut self, transfer: TransferId, digest: [u8; 32]) {
        if let Some(outgoing) = self.outgoing.get_mut(&transfer) {
            outgoing.digest = Digest::Known(digest);
            self.complete(transfer);
        }
    }

    pub(super) fn handle_verified(&mut self, transfer: TransferId, node: NodeId) {
        let Some(outgoing) = self.outgoing.get_mut(&transfer) else { return };
        let Some(receiver) = outgoing.receivers.get_mut(&node) else { return };
        receiver.has = outgoing.file.as_ref().map_or(0, |file| file.len);
        let name = receiver.name.clone();
        let event = outgoing.event(&name, TransferState::Done);
        self.notify(event);
        self.settle(transfer, node);
    }

    /// It will not take it, or cannot.
    pub(super) fn fail_receiver(&mut self, transfer: TransferId, node: NodeId, code: ErrorCode, why: &str) {
        let Some(outgoing) = self.outgoing.get(&transfer) else { return };
        let Some(name) = outgoing.receivers.get(&node).map(|receiver| receiver.name.clone()) else { return };
        let reason = trouble::file_trouble(code, &outgoing.figures().name, why);
        let event = outgoing.event(&name, TransferState::Failed { reason });
        self.notify(event);
        self.settle(transfer, node);
    }

    /// Nothing more is to be done for this one; with the last the file is let go of.
    fn settle(&mut self, transfer: TransferId, node: NodeId) {
        let Some(outgoing) = self.outgoing.get_mut(&transfer) else { return };
        outgoing.receivers.remove(&node);
        if outgoing.receivers.is_empty() {
            self.outgoing.remove(&transfer);
            self.file(FileJob::Close { transfer, discard: false });
            self.file(FileJob::Forget(transfer));
        } else if let Some(kept) = outgoing.kept(transfer) {
            self.file(FileJob::Keep(kept));
        }
    }

    /// The file cannot be sent any more.
    pub(super) fn fail_outgoing(&mut self, transfer: TransferId, code: ErrorCode, detail: &str) {
        let Some(outgoing) = self.outgoing.get_mut(&transfer) else { return };
        if outgoing.failed.is_some() {
            return;
        }
        outgoing.failed = Some(code);
        let reason = trouble::file_trouble(code, &outgoing.figures().name, detail);
        let event = outgoing.event(&outgoing.peers(), TransferState::Failed { reason });
        let never_offered = outgoing.file.is_none();
        self.notify(event);
        let settled = if never_offered { self.everybody(transfer) } else { self.there(transfer) };
        settled.into_iter().for_each(|node| self.give_up(transfer, node, code));
    }

    fn everybody(&self, transfer: TransferId) -> Vec<NodeId> {
        self.outgoing.get(&transfer).into_iter().flat_map(|o| o.receivers.keys().copied()).collect()
    }

    /// Without the words, which name paths of this machine.
    fn give_up(&mut self, transfer: TransferId, node: NodeId, code: ErrorCode) {
        self.cancel_at(node, transfer, node, code, "");
        self.settle(transfer, node);
    }

    /// The person here takes it back. Who is not here will not hear of it any more.
    pub(super) fn withdraw(&mut self, transfer: TransferId) {
        let Some(outgoing) = self.outgoing.get(&transfer) else { return };
        let name = outgoing.figures().name;
        let reason = trouble::file_trouble(ErrorCode::Cancelled, &name, "");
        let event = outgoing.event(&outgoing.peers(), TransferState::Failed { reason });
        self.notify(event);
        for node in self.there(transfer) {
            self.cancel_at(node, transfer, node, ErrorCode::Cancelled, "");
        }
        self.everybody(transfer).into_iter().for_each(|node| self.settle(transfer, node));
    }

    /// There is no way to a receiver.
    pub(super) fn lose_receiver(&mut self, transfer: TransferId, node: NodeId, now: Instant) {
        let Some(outgoing) = self.outgoing.get_mut(&transfer) else { return };
        let Some(receiver) = outgoing.receivers.get_mut(&node).filter(|receiver| receiver.here) else {
            return;
        };
        receiver.here = false;
        receiver.way = Way::Asked;
        let news = !std::mem::replace(&mut receiver.is_missed, true);
        let name = receiver.name.clone();
        let event = news.then(|| outgoing.event(&name, waiting_for(&name)));
        event.into_iter().for_each(|event| self.notify(event));
        // What was under way to it makes room for others.
        self.pump(transfer, now);
    }

    /// A link took no more, the one to `node` or to all: nothing is sent over it until there is room. Then
    /// they are asked how far they are, for of several which began at different places this part was not
    /// everybody's.
    pub(in crate::app) fn handle_full(&mut self, node: Option<NodeId>, refused: &Frame) {
        if let Frame::Chunk { transfer, .. } | Frame::Complete { transfer, .. } = refused
            && let Some(outgoing) = self.outgoing.get_mut(transfer)
        {
            for receiver in over(node, outgoing).filter(|receiver| receiver.way != Way::Asked) {
                (receiver.is_full, receiver.way) = (true, Way::Asked);
            }
        }
    }

    /// There is room again on that link.
    pub(in crate::app) fn handle_room(&mut self, node: Option<NodeId>) {
        let is_over = |to: NodeId| node.is_none_or(|node| node == to);
        let mut due = Vec::new();
        for (&transfer, outgoing) in &self.outgoing {
            let full = outgoing.receivers.iter().filter(|(to, receiver)| receiver.is_full && is_over(**to));
            due.push((transfer, full.map(|(&to, _)| to).collect()));
        }
        due.into_iter().for_each(|(transfer, to)| self.offer(transfer, to));
    }
}

/// The receivers to which the way is over the link to `node`; all of them where that is none.
fn over(node: Option<NodeId>, outgoing: &mut Outgoing) -> impl Iterator<Item = &mut Receiver> {
    let receivers = outgoing.receivers.iter_mut();
    receivers.filter(move |(to, _)| node.is_none_or(|node| node == **to)).map(|(_, receiver)| receiver)
}
