//! A file that this node sends: read once for all receivers that keep up.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    time::Instant,
};

use crate::{
    app::{
        Event, TransferFigures, TransferState,
        limits::{CREDIT_STEP, SEND_WINDOW, STRAGGLER_PATIENCE},
    },
    wire::{ErrorCode, MAX_CHUNK_BYTES, NodeId, RoomName, TransferId},
};

use super::{
    KeptOutgoing, KeptTransfer,
    receiver::{Receiver, Way},
};

/// A file that this node sends.
#[derive(Debug)]
pub(super) struct Outgoing {
    pub(super) id: u32,
    pub(super) path: PathBuf,
    pub(super) room: Option<RoomName>,
    /// Whether anybody was asked in this run.
    pub(super) offered: bool,
    pub(super) file: Option<Facts>,
    /// Who does not have it yet.
    pub(super) receivers: BTreeMap<NodeId, Receiver>,
    /// Parts that are being read.
    pub(super) reading: usize,
    pub(super) digest: Digest,
    /// Until when, at each place, those who keep up wait for one who does not.
    pub(super) patience: BTreeMap<u64, Instant>,
    /// Where the last part began, so that all get their turn.
    pub(super) last_read: u64,
    /// It cannot be sent any more; who is not here is told when they are.
    pub(super) failed: Option<ErrorCode>,
}

/// The file as it was when it was first opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Facts {
    pub(super) name: String,
    pub(super) len: u64,
    pub(super) modified_ms: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Digest {
    Unknown,
    Asked,
    Known([u8; 32]),
}

impl Outgoing {
    pub(super) fn new(id: u32, path: PathBuf, room: Option<RoomName>, to: Vec<(NodeId, String)>) -> Self {
        Self {
            id,
            path,
            room,
            offered: false,
            file: None,
            receivers: to.into_iter().map(|(node, name)| (node, Receiver::new(name))).collect(),
            reading: 0,
            digest: Digest::Unknown,
            patience: BTreeMap::new(),
            last_read: 0,
            failed: None,
        }
    }

    pub(super) fn len(&self) -> u64 {
        self.file.as_ref().map_or(0, |file| file.len)
    }

    /// How far the one is who has least.
    pub(super) fn figures(&self) -> TransferFigures {
        let least = self.receivers.values().min_by_key(|receiver| receiver.has);
        TransferFigures {
            id: self.id,
            name: self.file.as_ref().map_or_else(|| self.path.display().to_string(), |f| f.name.clone()),
            outgoing: true,
            bytes: least.map_or(0, |receiver| receiver.has),
            held: least.map_or(0, |receiver| receiver.held),
            total: self.len(),
        }
    }

    /// Who does not have it yet, in words.
    pub(super) fn peers(&self) -> String {
        const SHOWN: usize = 3;
        let names: Vec<&str> = self.receivers.values().map(|receiver| receiver.name.as_str()).collect();
        match names.get(..SHOWN) {
            Some(first) if names.len() > SHOWN => {
                format!("{} and {} others", first.join(", "), names.len() - SHOWN)
            }
            _ => names.join(", "),
        }
    }

    pub(super) fn event(&self, peer: &str, state: TransferState) -> Event {
        Event::Transfer { figures: self.figures(), peer: peer.to_owned(), state }
    }

    pub(super) fn kept(&self, transfer: TransferId) -> Option<KeptTransfer> {
        let Facts { name, len, modified_ms } = self.file.clone()?;
        let receivers = self.receivers.iter().map(|(&node, receiver)| (node, receiver.name.clone()));
        Some(KeptTransfer::Outgoing(KeptOutgoing {
            transfer,
            path: self.path.clone(),
            name,
            len,
            modified_ms,
            room: self.room.clone(),
            receivers: receivers.collect(),
        }))
    }

    /// Where to read next and for whom: the next of the places where somebody waits with credit, once all
    /// who are there have some, or those who have not were waited for.
    pub(super) fn next_part(&mut self, now: Instant) -> Option<(u64, usize)> {
        let len = self.len();
        let places: BTreeSet<u64> = self.receivers.values().filter_map(|r| r.wants(len)).collect();
        self.patience.retain(|place, _| places.contains(place));
        let is_full = self.under_way() >= SEND_WINDOW;
        let behind = places.range(self.last_read.saturating_add(1)..).chain(&places).copied();
        let front = places.last().copied().unwrap_or_default();
        for place in behind.collect::<Vec<_>>() {
            if is_full && !self.has_little_under_way(place) {
                continue;
            }
            let part = (len - place).min(MAX_CHUNK_BYTES as u64);
            if self.is_ready(place, place + part, front, now) {
                self.last_read = place;
                return Some((place, usize::try_from(part).unwrap_or(MAX_CHUNK_BYTES)));
            }
        }
        None
    }

    fn is_ready(&mut self, place: u64, end: u64, front: u64, now: Instant) -> bool {
        let len = self.len();
        let mut there: Vec<&mut Receiver> =
            self.receivers.values_mut().filter(|r| r.wants(len) == Some(place)).collect();
        if !there.iter().any(|receiver| receiver.may_have(end)) {
            return false;
        }
        for receiver in there.iter_mut().filter(|receiver| place == front && receiver.may_have(end)) {
            receiver.is_straggler = false;
        }
        let waited_for = |receiver: &Receiver| !receiver.is_straggler && !receiver.may_have(end);
        if !there.iter().any(|receiver| waited_for(receiver)) {
            self.patience.remove(&place);
            return true;
        }
        let until = *self.patience.entry(place).or_insert(now + STRAGGLER_PATIENCE);
        if until > now {
            return false;
        }
        self.patience.remove(&place);
        for receiver in there.into_iter().filter(|receiver| waited_for(receiver)) {
            receiver.is_straggler = true;
        }
        true
    }

    /// Whether somebody there has too little under way to say how far they are.
    fn has_little_under_way(&self, place: u64) -> bool {
        let len = self.len();
        let there = self.receivers.values().filter(|receiver| receiver.wants(len) == Some(place));
        there.map(Receiver::under_way).any(|bytes| bytes < CREDIT_STEP + MAX_CHUNK_BYTES as u64)
    }

    /// Bytes under way to those who keep up: what several get is counted once.
    pub(super) fn under_way(&self) -> u64 {
        let mut most: BTreeMap<u64, u64> = BTreeMap::new();
        for receiver in self.receivers.values().filter(|receiver| receiver.here && !receiver.is_straggler) {
            if let Way::Flowing { read, .. } = receiver.way {
                let bytes = most.entry(read).or_default();
                *bytes = receiver.under_way().max(*bytes);
            }
        }
        most.values().sum()
    }
}
