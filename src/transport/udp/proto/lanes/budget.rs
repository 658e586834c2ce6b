//! What the messages of one class that are on their way in may cost.

use std::{collections::BTreeMap, ops::Range};

use bytes::Bytes;

use super::{
    assembly::{Assembly, CHUNK},
    credit::{ReceiveCredit, charge, is_large},
    incoming::Placed,
};
use crate::transport::{Class, udp::proto::Violation};

/// Gaps in one message, and in all of a class, that are kept track of.
const MAX_GAPS: usize = 1024;
const MAX_CLASS_GAPS: usize = 4 * MAX_GAPS;

/// What the messages of one class may cost.
#[derive(Debug)]
pub(super) struct Budget {
    pub(super) credit: ReceiveCredit,
    /// Bytes of storage taken: chunks, and messages until the application has them.
    pub(super) stored: usize,
    gaps: usize,
    /// Charges of the large messages that are incomplete, in the order first seen. The first has room
    /// reserved. The sender sends one after the other, so all but the newest need no more credit.
    open: BTreeMap<u64, u64>,
    opened: u64,
}

/// A message that cannot be handed out yet.
#[derive(Debug)]
pub(super) enum Held {
    /// Some pieces of it are missing.
    Partial(Partial),
    /// Earlier messages of its lane are missing.
    Complete(Bytes),
    /// Handed out too early, by a planted fault.
    #[cfg(test)]
    HandedOut,
}

/// An incomplete message.
#[derive(Debug)]
pub(super) struct Partial {
    pub(super) assembly: Assembly,
    /// The key in [`Budget::open`], of a large message.
    opened: Option<u64>,
}

impl Held {
    /// Length of the message in bytes.
    pub(super) fn total(&self) -> Option<usize> {
        match self {
            Self::Partial(partial) => Some(partial.assembly.total() as usize),
            Self::Complete(message) => Some(message.len()),
            #[cfg(test)]
            Self::HandedOut => None,
        }
    }
}

impl Budget {
    /// Nothing has arrived.
    pub(super) const fn new(class: Class) -> Self {
        Self { credit: ReceiveCredit::new(class), stored: 0, gaps: 0, open: BTreeMap::new(), opened: 0 }
    }

    #[cfg(test)]
    pub(super) const fn gaps(&self) -> usize {
        self.gaps
    }

    /// Charge of the one large message that room is kept for.
    pub(super) fn reserve(&self) -> u64 {
        self.open.first_key_value().map_or(0, |(_, charge)| *charge)
    }

    /// Charges `bytes` and takes `storage`. `false`: there is no room for it.
    ///
    /// A sender that pays small messages at once, and sends large ones from their beginning, one at a time,
    /// makes one chunk exist beyond its charges at most.
    pub(super) fn admit(&mut self, bytes: u64, storage: usize) -> Result<bool, Violation> {
        self.credit.check(bytes)?;
        let stored = self.stored.saturating_add(storage);
        let has_room = stored as u64 <= self.credit.outstanding().saturating_add(CHUNK.into());
        if has_room {
            self.credit.charge(bytes);
            self.stored = stored;
        }
        Ok(has_room)
    }

    /// The first sight of a message. `None`: there is no room for it.
    pub(super) fn open(
        &mut self,
        total: u32,
        range: &Range<u32>,
        data: &[u8],
    ) -> Result<Option<Held>, Violation> {
        let whole = *range == (0..total);
        let mut assembly = Assembly::new(total);
        let storage = if whole { total as usize } else { assembly.new_storage(range) };
        if !self.admit(charge(data.len() as u64), storage)? {
            return Ok(None);
        }
        if whole {
            return Ok(Some(Held::Complete(Bytes::copy_from_slice(data))));
        }
        assembly.insert(range.start, data);
        let opened = is_large(total.into()).then(|| {
            self.opened = self.opened.saturating_add(1);
            self.open.insert(self.opened, charge(total.into()));
            self.opened
        });
        Ok(Some(Held::Partial(Partial { assembly, opened })))
    }

    /// A further piece of a message.
    pub(super) fn extend(
        &mut self,
        assembly: &mut Assembly,
        range: Range<u32>,
        data: &[u8],
    ) -> Result<Placed, Violation> {
        let new = assembly.new_bytes(range.clone());
        if new == 0 {
            return Ok(Placed::Old);
        }
        // A piece that borders on what is here always goes in, so the gaps can close.
        let gaps = assembly.gaps();
        let full = gaps >= MAX_GAPS || self.gaps >= MAX_CLASS_GAPS;
        if full && assembly.widens(&range) {
            return Ok(Placed::Full);
        }
        if !self.admit(new.into(), assembly.new_storage(&range))? {
            return Ok(Placed::Full);
        }
        assembly.insert(range.start, data);
        self.gaps = self.gaps.saturating_add(assembly.gaps()).saturating_sub(gaps);
        Ok(Placed::New)
    }

    /// The message that `partial` has become.
    pub(super) fn close(&mut self, partial: &mut Partial) -> Bytes {
        if let Some(opened) = partial.opened {
            self.open.remove(&opened);
        }
        std::mem::replace(&mut partial.assembly, Assembly::new(0)).into_message()
    }
}
