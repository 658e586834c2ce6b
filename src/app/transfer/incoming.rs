//! The receiving side of a file: asked for, taken, written in order, verified.

use std::{collections::BTreeSet, path::PathBuf, time::Instant};

use bytes::Bytes;

use crate::{
    app::{
        Event, TransferFigures, TransferState,
        limits::{
            CHUNK_PATIENCE, CREDIT_BYTES, CREDIT_STEP, LEAST_CREDIT, MAX_OFFERS, MAX_OFFERS_PER_NODE,
            MAX_TRANSFERS, PROGRESS_PERIOD,
        },
        trouble,
    },
    wire::{ErrorCode, Frame, Nick, Offer, RoomName, TransferId},
};

use super::{FileFault, FileJob, KeptIncoming, KeptTransfer, Transfers, is_file_name, waiting_for};

/// Rejected transfers that are remembered.
const MAX_REFUSED: usize = 256;

/// How far a file is that this node receives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// Nobody here said yet whether it is wanted.
    Offered,
    /// Wanted; others come first.
    Queued,
    /// Room for it is being made.
    Creating,
    /// It comes.
    Flowing,
    /// All of it is here.
    Sealing,
    /// Verified, durable, named.
    Saved,
}

/// A file that this node receives.
#[derive(Debug)]
pub(super) struct Incoming {
    pub(super) id: u32,
    pub(super) from: Nick,
    room: Option<RoomName>,
    name: String,
    len: u64,
    /// Whether its sender can be reached.
    pub(super) here: bool,
    pub(super) stage: Stage,
    /// The first byte that has not come.
    next: u64,
    written: u64,
    /// How far the sender was allowed to go, and how far it knows this node to be.
    upto: u64,
    told: u64,
    /// How much of it was there before this run or break.
    held: u64,
    /// Where the sender was asked to go back to.
    asked_again: Option<u64>,
    heard_at: Option<Instant>,
    told_at: Option<Instant>,
    damaged: bool,
}

impl Incoming {
    fn new(id: u32, offer: Offer) -> Self {
        Self {
            id,
            from: offer.from,
            room: offer.room,
            name: offer.name,
            len: offer.len,
            here: true,
            stage: Stage::Offered,
            next: 0,
            written: 0,
            upto: 0,
            told: 0,
            held: 0,
            asked_again: None,
            heard_at: None,
            told_at: None,
            damaged: false,
        }
    }

    pub(super) fn is_over(&self) -> bool {
        self.stage == Stage::Saved
    }

    pub(super) fn figures(&self) -> TransferFigures {
        TransferFigures {
            id: self.id,
            name: self.name.clone(),
            outgoing: false,
            bytes: self.written,
            held: self.held,
            total: self.len,
        }
    }

    /// When the next part is asked for again.
    pub(super) fn stalls_at(&self) -> Option<Instant> {
        let waits = self.here && self.stage == Stage::Flowing;
        self.heard_at.filter(|_| waits).map(|at| at + CHUNK_PATIENCE)
    }

    /// Whether it has one of the places. One whose sender is away leaves its own to others.
    fn is_active(&self) -> bool {
        match self.stage {
            Stage::Creating | Stage::Sealing => true,
            Stage::Flowing => self.here,
            Stage::Offered | Stage::Queued | Stage::Saved => false,
        }
    }

    fn event(&self, state: TransferState) -> Event {
        Event::Transfer { figures: self.figures(), peer: self.from.to_string(), state }
    }

    fn kept(&self, transfer: TransferId, saved: Option<PathBuf>) -> KeptTransfer {
        KeptTransfer::Incoming(KeptIncoming {
            transfer,
            from: self.from.clone(),
            room: self.room.clone(),
            name: self.name.clone(),
            len: self.len,
            saved,
        })
    }
}

impl Transfers {
    pub(super) fn restore_incoming(&mut self, kept: KeptIncoming) {
        let KeptIncoming { transfer, from, room, name, len, saved } = kept;
        let id = self.next_id();
        let mut incoming = Incoming::new(id, Offer { transfer, from, to: Vec::new(), room, name, len });
        incoming.stage = if saved.is_some() { Stage::Saved } else { Stage::Queued };
        self.incoming.insert(transfer, incoming);
    }

    /// An offer made again is one whose sender, or the server between, does not know how far it is here.
    pub(super) fn handle_offer(&mut self, offer: Offer) {
        let transfer = offer.transfer;
        if let Some(incoming) = self.incoming.get_mut(&transfer) {
            let was_here = std::mem::replace(&mut incoming.here, true);
            return match incoming.stage {
                Stage::Flowing => self.resume(transfer, was_here),
                Stage::Queued => self.begin_queued(),
                Stage::Saved => self.say_verified(transfer),
                Stage::Offered | Stage::Creating | Stage::Sealing => {}
            };
        }
        if let Err((code, detail)) = self.judge(&offer) {
            let me = self.me;
            return self.cancel_at(transfer.sender, transfer, me, code, &detail);
        }
        let id = self.next_id();
        let (from, room) = (offer.from.to_string(), offer.room.clone());
        self.notify(Event::Offered { id, from, room, name: offer.name.clone(), bytes: offer.len });
        let wanted = self.rules.takes_from(&offer.from);
        self.incoming.insert(transfer, Incoming::new(id, offer));
        if wanted {
            self.accept(id);
        }
    }

    fn judge(&self, offer: &Offer) -> Result<(), (ErrorCode, String)> {
        let max = self.rules.max_bytes;
        let waiting = || self.incoming.iter().filter(|(_, incoming)| !incoming.is_over());
        let same = waiting().filter(|(transfer, _)| transfer.sender == offer.transfer.sender).count();
        if self.refused.contains(&offer.transfer) {
            Err((ErrorCode::FileRefused, String::new()))
        } else if !is_file_name(&offer.name) {
            Err((ErrorCode::Malformed, "a file needs a name".into()))
        } else if offer.len > max {
            Err((ErrorCode::FileTooLong, max.to_string()))
        } else if waiting().count() >= MAX_OFFERS || same >= MAX_OFFERS_PER_NODE {
            Err((ErrorCode::TooManyFiles, waiting().count().to_string()))
        } else {
            Ok(())
        }
    }

    pub(in crate::app) fn accept(&mut self, id: u32) {
        let offered = self.incoming.iter_mut().find(|(_, incoming)| incoming.id == id);
        match offered.filter(|(_, incoming)| incoming.stage == Stage::Offered) {
            Some((&transfer, incoming)) => {
                incoming.stage = Stage::Queued;
                let (kept, waits) = (incoming.kept(transfer, None), !incoming.here);
                let event = waits.then(|| incoming.event(waiting_for(&incoming.from)));
                self.file(FileJob::Keep(kept));
                event.into_iter().for_each(|event| self.notify(event));
                self.begin_queued();
            }
            None => self.unknown(id),
        }
    }

    /// Makes room for as many as may come at a time.
    pub(super) fn begin_queued(&mut self) {
        let places = MAX_TRANSFERS.saturating_sub(self.active());
        let queued = self.incoming.iter_mut().filter(|(_, i)| i.stage == Stage::Queued && i.here);
        let mut jobs = Vec::new();
        for (&transfer, incoming) in queued.take(places) {
            incoming.stage = Stage::Creating;
            jobs.push(FileJob::Create { transfer, len: incoming.len });
        }
        jobs.into_iter().for_each(|job| self.file(job));
    }

    fn active(&self) -> usize {
        self.incoming.values().filter(|incoming| incoming.is_active()).count()
    }

    /// Its sender asks, and was or was not away. Meanwhile others may have taken its place.
    fn resume(&mut self, transfer: TransferId, was_here: bool) {
        let is_full = self.active() > MAX_TRANSFERS;
        let Some(incoming) = self.incoming.get_mut(&transfer) else { return };
        if is_full {
            incoming.stage = Stage::Queued;
            return self.file(FileJob::Close { transfer, discard: false });
        }
        let back = (!was_here).then(|| incoming.event(TransferState::Resumed));
        back.into_iter().for_each(|event| self.notify(event));
        self.go_on(transfer);
    }

    pub(in crate::app) fn reject(&mut self, id: u32) {
        let open = self.incoming.iter().find(|(_, incoming)| incoming.id == id && !incoming.is_over());
        let Some((&transfer, incoming)) = open else { return self.unknown(id) };
        let code =
            if incoming.stage == Stage::Offered { ErrorCode::FileRefused } else { ErrorCode::Cancelled };
        if self.refused.len() >= MAX_REFUSED {
            self.refused.pop_first();
        }
        self.refused.insert(transfer);
        let me = self.me;
        self.cancel_at(transfer.sender, transfer, me, code, "");
        self.drop_incoming(transfer, code, "");
    }

    /// Its sender takes it back.
    pub(super) fn handle_withdrawn(&mut self, transfer: TransferId, code: ErrorCode, detail: &str) {
        if self.incoming.get(&transfer).is_some_and(|incoming| !incoming.is_over()) {
            self.drop_incoming(transfer, code, detail);
        }
    }

    fn drop_incoming(&mut self, transfer: TransferId, code: ErrorCode, detail: &str) {
        let Some(incoming) = self.incoming.remove(&transfer) else { return };
        let reason = trouble::file_trouble(code, &incoming.name, detail);
        self.notify(incoming.event(TransferState::Failed { reason }));
        if incoming.stage != Stage::Offered {
            self.file(FileJob::Close { transfer, discard: true });
            self.file(FileJob::Forget(transfer));
        }
        self.begin_queued();
    }

    pub(super) fn handle_created(&mut self, transfer: TransferId, held: u64, now: Instant) {
        let Some(incoming) = self.incoming.get_mut(&transfer) else { return };
        (incoming.next, incoming.written, incoming.held) = (held, held, held);
        incoming.stage = Stage::Flowing;
        incoming.heard_at = Some(now);
        let state = if held > 0 { TransferState::Resumed } else { TransferState::Accepted };
        let event = incoming.event(state);
        self.notify(event);
        self.go_on(transfer);
    }

    /// Tells the sender from where on to send.
    fn go_on(&mut self, transfer: TransferId) {
        let window = self.window();
        let Some(incoming) = self.incoming.get_mut(&transfer).filter(|incoming| incoming.here) else {
            return;
        };
        incoming.upto = incoming.len.min(incoming.next.saturating_add(window));
        (incoming.told, incoming.asked_again) = (incoming.next, None);
        let (from, upto) = (incoming.next, incoming.upto);
        let frame = Frame::Credit { transfer, receiver: self.me, from, upto, again: true };
        self.say(transfer.sender, frame);
    }

    /// What one transfer may have under way.
    fn window(&self) -> u64 {
        let flowing = self.incoming.values().filter(|i| i.stage == Stage::Flowing && i.here).count();
        (CREDIT_BYTES / u64::try_from(flowing.max(1)).unwrap_or(1)).max(LEAST_CREDIT)
    }

    pub(super) fn handle_chunk(&mut self, transfer: TransferId, offset: u64, bytes: Bytes, now: Instant) {
        let Some(incoming) = self.incoming.get_mut(&transfer) else { return };
        if incoming.stage != Stage::Flowing || bytes.is_empty() {
            return;
        }
        if offset > incoming.next && incoming.asked_again != Some(incoming.next) {
            let hole = incoming.next;
            self.go_on(transfer);
            // What is under way behind the hole is not to ask again each.
            self.incoming.get_mut(&transfer).into_iter().for_each(|i| i.asked_again = Some(hole));
            return;
        }
        let end = offset.saturating_add(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
        if offset != incoming.next || end > incoming.upto {
            return;
        }
        incoming.next = end;
        incoming.heard_at = Some(now);
        self.moved_at = Some(now);
        self.file(FileJob::Write { transfer, offset, bytes });
    }

    pub(super) fn handle_written(&mut self, transfer: TransferId, written: u64, now: Instant) {
        let (me, window) = (self.me, self.window());
        let Some(incoming) = self.incoming.get_mut(&transfer) else { return };
        incoming.written = written;
        let upto = incoming.len.min(written.saturating_add(window));
        let all = written == incoming.len;
        // Also where there is nothing left to allow: what is known to have come makes room at the sender.
        let worth = all || written >= incoming.told.saturating_add(CREDIT_STEP);
        let credit = (incoming.here && incoming.stage == Stage::Flowing && worth).then(|| {
            (incoming.upto, incoming.told) = (upto.max(incoming.upto), written);
            Frame::Credit { transfer, receiver: me, from: written, upto: incoming.upto, again: false }
        });
        let late = incoming.told_at.is_none_or(|at| at + PROGRESS_PERIOD <= now);
        let progress = (late || all).then(|| incoming.figures());
        if progress.is_some() {
            incoming.told_at = Some(now);
        }
        credit.into_iter().for_each(|frame| self.say(transfer.sender, frame));
        progress.into_iter().for_each(|figures| self.notify(Event::Progress(figures)));
    }

    pub(super) fn handle_complete(&mut self, transfer: TransferId, digest: [u8; 32]) {
        let Some(incoming) = self.incoming.get_mut(&transfer) else { return };
        if incoming.stage != Stage::Flowing || incoming.next != incoming.len {
            return;
        }
        incoming.stage = Stage::Sealing;
        let (event, name) = (incoming.event(TransferState::Verifying), incoming.name.clone());
        self.notify(event);
        self.file(FileJob::Seal { transfer, name, digest });
    }

    pub(super) fn handle_saved(&mut self, transfer: TransferId, path: PathBuf) {
        let Some(incoming) = self.incoming.get_mut(&transfer) else { return };
        incoming.stage = Stage::Saved;
        let event = Event::File {
            id: incoming.id,
            from: incoming.from.to_string(),
            name: incoming.name.clone(),
            bytes: incoming.len,
            path: path.clone(),
        };
        let (done, kept) = (incoming.event(TransferState::Done), incoming.kept(transfer, Some(path)));
        self.file(FileJob::Close { transfer, discard: false });
        self.file(FileJob::Keep(kept));
        self.notify(done);
        self.notify(event);
        self.say_verified(transfer);
        self.forget_oldest_saved();
        self.begin_queued();
    }

    fn say_verified(&mut self, transfer: TransferId) {
        if self.incoming.get(&transfer).is_some_and(|incoming| incoming.here) {
            let receiver = self.me;
            self.say(transfer.sender, Frame::Verified { transfer, receiver });
        }
    }

    /// Those that arrived are remembered so that none is taken twice.
    fn forget_oldest_saved(&mut self) {
        let saved: BTreeSet<(u32, TransferId)> = self
            .incoming
            .iter()
            .filter(|(_, i)| i.is_over())
            .map(|(&transfer, i)| (i.id, transfer))
            .collect();
        let surplus = saved.len().saturating_sub(MAX_OFFERS);
        for (_, transfer) in saved.into_iter().take(surplus) {
            self.incoming.remove(&transfer);
            self.file(FileJob::Forget(transfer));
        }
    }

    pub(super) fn fail_incoming(&mut self, transfer: TransferId, fault: &FileFault) {
        let Some(incoming) = self.incoming.get_mut(&transfer).filter(|incoming| !incoming.is_over()) else {
            return;
        };
        // What was held from before may have been damaged on disk: once more, from the beginning.
        if fault.code == ErrorCode::FileDamaged && incoming.held > 0 && !incoming.damaged {
            (incoming.damaged, incoming.stage) = (true, Stage::Creating);
            let len = incoming.len;
            return self.file(FileJob::Create { transfer, len });
        }
        let me = self.me;
        // The words name paths of this machine.
        self.cancel_at(transfer.sender, transfer, me, fault.code, "");
        self.drop_incoming(transfer, fault.code, &fault.detail);
    }

    /// There is no way to the sender.
    pub(super) fn lose_sender(&mut self, transfer: TransferId) {
        let Some(incoming) = self.incoming.get_mut(&transfer).filter(|incoming| incoming.here) else {
            return;
        };
        incoming.here = false;
        if incoming.stage == Stage::Flowing {
            incoming.held = incoming.written;
            let event = incoming.event(waiting_for(&incoming.from));
            self.notify(event);
        }
    }

    pub(super) fn ask_again_for_stalled(&mut self, now: Instant) {
        let stalled = self.incoming.iter_mut().filter(|(_, i)| i.stalls_at().is_some_and(|at| at <= now));
        let stalled: Vec<TransferId> = stalled
            .map(|(&transfer, incoming)| {
                incoming.heard_at = Some(now);
                transfer
            })
            .collect();
        stalled.into_iter().for_each(|transfer| self.go_on(transfer));
    }
}
