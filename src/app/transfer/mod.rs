//! Files: offered, taken, sent in parts under the credit of those who receive them, verified, and gone on
//! with after any break. The same for a client and a peer, which only differ in the way to the other end.

mod file;
mod incoming;
mod outgoing;
mod receiver;
mod rules;
mod sending;

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    fmt::Display,
    path::PathBuf,
    time::{Duration, Instant},
};

use crate::wire::{Epoch, ErrorCode, Frame, Nick, NodeId, RoomName, TransferId};

use super::{Event, TransferFigures, TransferState, trouble};

pub use file::{FileFault, FileJob, FileNews, KeptIncoming, KeptOutgoing, KeptTransfer};
pub use rules::{Acceptance, FileRules, MAX_FILE_BYTES};

use incoming::{Incoming, Stage};
use outgoing::Outgoing;

/// What transfers want done; the way to a node is for others to know.
#[derive(Debug)]
pub(super) enum Output {
    Send { to: Vec<NodeId>, frame: Frame },
    File(FileJob),
    Notify(Event),
}

/// To whom there is a way.
#[derive(Debug)]
enum Reach {
    /// By way of a server, which knows who is there.
    Server,
    These(BTreeSet<NodeId>),
}

impl Reach {
    fn includes(&self, node: NodeId) -> bool {
        match self {
            Self::Server => true,
            Self::These(nodes) => nodes.contains(&node),
        }
    }
}

/// A file to be sent.
#[derive(Debug)]
pub(super) struct Sending {
    pub(super) path: PathBuf,
    /// Where it is offered; none where it is for these people only.
    pub(super) room: Option<RoomName>,
    /// To whom, and what they are called.
    pub(super) to: Vec<(NodeId, String)>,
}

/// All transfers of a node.
#[derive(Debug)]
pub(super) struct Transfers {
    me: NodeId,
    epoch: Epoch,
    pub(super) nick: Nick,
    rules: FileRules,
    reach: Reach,
    outgoing: BTreeMap<TransferId, Outgoing>,
    incoming: BTreeMap<TransferId, Incoming>,
    /// What this node would not have, lest it be asked again.
    refused: BTreeSet<TransferId>,
    /// The number of the last transfer, as people here call it, and of the last that this node began.
    last_id: u32,
    last_number: u32,
    moved_at: Option<Instant>,
    outputs: VecDeque<Output>,
}

impl Transfers {
    pub(super) const fn new(me: NodeId, epoch: Epoch, nick: Nick, rules: FileRules) -> Self {
        Self {
            me,
            epoch,
            nick,
            rules,
            reach: Reach::These(BTreeSet::new()),
            outgoing: BTreeMap::new(),
            incoming: BTreeMap::new(),
            refused: BTreeSet::new(),
            last_id: 0,
            last_number: 0,
            moved_at: None,
            outputs: VecDeque::new(),
        }
    }

    /// Goes on with what an earlier run left.
    pub(super) fn restore(&mut self, kept: Vec<KeptTransfer>) {
        for kept in kept {
            match kept {
                KeptTransfer::Outgoing(kept) => self.restore_outgoing(kept),
                KeptTransfer::Incoming(kept) => self.restore_incoming(kept),
            }
        }
        // To know how far they are.
        self.begin_queued();
        self.incoming.values_mut().for_each(|incoming| incoming.here = false);
    }

    pub(super) fn poll(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// A frame about a transfer, from `node` or by way of the server.
    pub(super) fn handle_frame(&mut self, frame: Frame, now: Instant) {
        match frame {
            Frame::Offer(offer) => self.handle_offer(offer),
            Frame::Chunk { transfer, offset, bytes } => self.handle_chunk(transfer, offset, bytes, now),
            Frame::Complete { transfer, digest } => self.handle_complete(transfer, digest),
            Frame::Credit { transfer, receiver, from, upto, again } => {
                self.handle_credit(transfer, receiver, (from, upto), again, now);
            }
            Frame::Verified { transfer, receiver } => self.handle_verified(transfer, receiver),
            Frame::Cancel { transfer, receiver, code, detail } => match receiver {
                Some(receiver) if transfer.sender == self.me => {
                    self.fail_receiver(transfer, receiver, code, &detail);
                }
                // Somebody else will not have it.
                Some(receiver) if receiver != self.me => {}
                Some(_) | None => self.handle_withdrawn(transfer, code, &detail),
            },
            Frame::Away { transfer, node } if node == transfer.sender => {
                self.lose_sender(transfer);
                self.begin_queued();
            }
            Frame::Away { transfer, node } => self.lose_receiver(transfer, node, now),
            _ => {}
        }
    }

    pub(super) fn handle_file(&mut self, news: FileNews, now: Instant) {
        match news {
            FileNews::Opened { transfer, name, len, modified_ms } => {
                self.handle_opened(transfer, name, len, modified_ms);
            }
            FileNews::Read { transfer, offset, bytes } => self.handle_read(transfer, offset, bytes, now),
            FileNews::Digest { transfer, digest } => self.handle_digest(transfer, digest),
            FileNews::Created { transfer, held } => self.handle_created(transfer, held, now),
            FileNews::Written { transfer, upto } => self.handle_written(transfer, upto, now),
            FileNews::Saved { transfer, path } => self.handle_saved(transfer, path),
            FileNews::Failed { transfer, fault } if transfer.sender == self.me => {
                self.fail_outgoing(transfer, fault.code, &fault.detail);
            }
            FileNews::Failed { transfer, fault } => self.fail_incoming(transfer, &fault),
        }
    }

    /// The server is there, or a new link to it: what went over the one before may not have arrived.
    pub(super) fn server_up(&mut self) {
        self.reach = Reach::Server;
        for transfer in self.outgoing.keys().copied().collect::<Vec<_>>() {
            let there = self.there(transfer);
            self.offer(transfer, there);
        }
    }

    pub(super) fn server_down(&mut self, now: Instant) {
        self.reach = Reach::These(BTreeSet::new());
        self.lose_those(|_| true, now);
    }

    /// There is a way to this node, or a new one.
    pub(super) fn up(&mut self, node: NodeId) {
        if let Reach::These(nodes) = &mut self.reach {
            nodes.insert(node);
        }
        let concerned = self.outgoing.iter().filter(|(_, outgoing)| outgoing.receivers.contains_key(&node));
        for transfer in concerned.map(|(&transfer, _)| transfer).collect::<Vec<_>>() {
            self.offer(transfer, vec![node]);
        }
    }

    pub(super) fn down(&mut self, node: NodeId, now: Instant) {
        if let Reach::These(nodes) = &mut self.reach {
            nodes.remove(&node);
        }
        self.lose_those(|other| other == node, now);
    }

    fn lose_those(&mut self, is_gone: impl Fn(NodeId) -> bool, now: Instant) {
        for transfer in self.incoming.keys().filter(|t| is_gone(t.sender)).copied().collect::<Vec<_>>() {
            self.lose_sender(transfer);
        }
        let receivers = self.outgoing.iter().flat_map(|(&transfer, outgoing)| {
            outgoing.receivers.keys().map(move |&receiver| (transfer, receiver))
        });
        for (transfer, receiver) in receivers.filter(|(_, node)| is_gone(*node)).collect::<Vec<_>>() {
            self.lose_receiver(transfer, receiver, now);
        }
        self.begin_queued();
    }

    pub(super) fn handle_timeout(&mut self, now: Instant) {
        self.pump_all(now);
        self.outgoing.values_mut().for_each(|outgoing| outgoing.patience.retain(|_, until| *until > now));
        self.ask_again_for_stalled(now);
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        let patience = self.outgoing.values().flat_map(|outgoing| outgoing.patience.values().copied());
        let stalls = self.incoming.values().filter_map(Incoming::stalls_at);
        patience.chain(stalls).min()
    }

    pub(super) fn cancel(&mut self, id: u32) {
        let Some(transfer) = self.transfer(id) else { return self.unknown(id) };
        if transfer.sender == self.me {
            self.withdraw(transfer);
        } else {
            self.reject(id);
        }
    }

    pub(super) fn list(&mut self) {
        let outgoing = self.outgoing.values().map(|outgoing| (outgoing.figures(), outgoing.peers()));
        let incoming = self.incoming.values().filter(|incoming| !incoming.is_over());
        let incoming = incoming.map(|incoming| (incoming.figures(), incoming.from.to_string()));
        let mut transfers: Vec<(TransferFigures, String)> = outgoing.chain(incoming).collect();
        transfers.sort_by_key(|(figures, _)| figures.id);
        self.notify(Event::Transfers { transfers });
    }

    /// Whether nothing is on its way that somebody here wanted.
    pub(super) fn is_idle(&self) -> bool {
        self.outgoing.is_empty()
            && self.incoming.values().all(|incoming| incoming.is_over() || incoming.stage == Stage::Offered)
    }

    /// What is being sent, as it was asked for.
    pub(super) fn unsent(&self) -> impl Iterator<Item = String> + '_ {
        self.outgoing
            .values()
            .map(|outgoing| format!("/send {} to {}", outgoing.path.display(), outgoing.peers()))
    }

    /// Until when who would wait until `by` waits: as long as a file moves.
    pub(super) fn put_off(&self, by: Option<Instant>, linger: Duration) -> Option<Instant> {
        by.map(|by| self.moved_at.map_or(by, |moved| by.max(moved + linger)))
    }

    fn transfer(&self, id: u32) -> Option<TransferId> {
        let outgoing = self.outgoing.iter().find(|(_, outgoing)| outgoing.id == id);
        let incoming = self.incoming.iter().find(|(_, incoming)| incoming.id == id && !incoming.is_over());
        outgoing.map(|(&transfer, _)| transfer).or_else(|| incoming.map(|(&transfer, _)| transfer))
    }

    fn next_id(&mut self) -> u32 {
        self.last_id = self.last_id.saturating_add(1);
        self.last_id
    }

    fn unknown(&mut self, id: u32) {
        self.notify(Event::Error(trouble::unknown_transfer(id)));
    }

    fn say(&mut self, to: NodeId, frame: Frame) {
        self.outputs.push_back(Output::Send { to: vec![to], frame });
    }

    fn cancel_at(&mut self, to: NodeId, transfer: TransferId, receiver: NodeId, code: ErrorCode, why: &str) {
        let frame = Frame::Cancel { transfer, receiver: Some(receiver), code, detail: why.to_owned() };
        self.say(to, frame);
    }

    fn file(&mut self, job: FileJob) {
        self.outputs.push_back(Output::File(job));
    }

    fn notify(&mut self, event: Event) {
        self.outputs.push_back(Output::Notify(event));
    }
}

/// What becomes of a file while somebody it needs is away.
fn waiting_for(name: &impl Display) -> TransferState {
    TransferState::Waiting { reason: format!("{name} is not here; it goes on by itself") }
}

/// Whether a name may be shown as that of a file at all.
pub(super) fn is_file_name(name: &str) -> bool {
    !name.is_empty() && name.len() <= crate::wire::MAX_FILE_NAME_BYTES
}

#[cfg(test)]
mod tests;
