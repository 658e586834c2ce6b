//! One direction from one address of part 2, the receiving side: a connection at a time, and the memory of
//! those before.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Instant,
};

use bytes::{Bytes, BytesMut};

use crate::gateway::dialect::lums::{
    MAX_MESSAGE_BYTES,
    message::{FILE_VERBS, Message},
};

use super::{
    MAX_PAST, REMEMBERED,
    packet::{Kind, Packet},
};

/// What a packet made whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Heard {
    Nothing,
    Message(Bytes),
    /// A message that was too long and was thrown away as it came; whether it was a file.
    Long {
        is_file: bool,
    },
}

/// The receiving side.
#[derive(Debug)]
pub(super) struct Receiver {
    window: u64,
    open: Option<Incoming>,
    past: VecDeque<Past>,
}

/// A connection.
#[derive(Debug)]
struct Incoming {
    first: u64,
    /// The number that is expected next, and acknowledged.
    next: u64,
    /// Packets of the window that came before their turn.
    early: BTreeMap<u64, Packet>,
    bytes: BytesMut,
    is_file: bool,
    is_long: bool,
}

/// What is left of a connection: its numbers, so that what is repeated is acknowledged and not done again.
#[derive(Debug)]
struct Past {
    first: u64,
    next: u64,
    until: Instant,
}

impl Past {
    fn has(&self, packet: &Packet) -> bool {
        let is_start = packet.kind == Kind::Start;
        if is_start { packet.seq == self.first } else { (self.first..self.next).contains(&packet.seq) }
    }
}

impl Receiver {
    pub(super) const fn new(window: u64) -> Self {
        Self { window, open: None, past: VecDeque::new() }
    }

    /// Takes a packet that is no ACK, and says what to acknowledge (every packet, LUDP-D1) and what it made
    /// whole; nothing where it is of no connection. Of a file at most `max_file_bytes` are kept.
    pub(super) fn handle(
        &mut self,
        packet: Packet,
        max_file_bytes: usize,
        now: Instant,
    ) -> Option<(u64, Heard)> {
        self.past.retain(|past| now < past.until);
        if let Some(open) = self.open.as_mut().filter(|open| open.is_near(&packet, self.window)) {
            let (is_whole, next) = (open.take(packet, max_file_bytes), open.next);
            return Some((next, if is_whole { self.forget_open(now) } else { Heard::Nothing }));
        }
        if let Some(past) = self.past.iter().find(|past| past.has(&packet)) {
            return Some((past.next, Heard::Nothing));
        }
        if packet.kind != Kind::Start {
            // Beyond the window of the open connection: dropped, and said again where that stands.
            return self.open.as_ref().map(|open| (open.next, Heard::Nothing));
        }
        let next = packet.seq.checked_add(1)?;
        self.forget_open(now);
        self.open = Some(Incoming::new(packet.seq, next));
        Some((next, Heard::Nothing))
    }

    fn forget_open(&mut self, now: Instant) -> Heard {
        let Some(open) = self.open.take() else { return Heard::Nothing };
        if self.past.len() >= MAX_PAST {
            self.past.pop_front();
        }
        self.past.push_back(Past { first: open.first, next: open.next, until: now + REMEMBERED });
        let is_file = open.is_file;
        if open.is_long { Heard::Long { is_file } } else { Heard::Message(open.bytes.freeze()) }
    }
}

impl Incoming {
    fn new(first: u64, next: u64) -> Self {
        let (early, bytes) = (BTreeMap::new(), BytesMut::new());
        Self { first, next, early, bytes, is_file: false, is_long: false }
    }

    /// Whether a number is of this connection: behind its START and before the end of the window.
    fn is_near(&self, packet: &Packet, window: u64) -> bool {
        let is_start = packet.kind == Kind::Start;
        let end = self.next.saturating_add(window);
        if is_start { packet.seq == self.first } else { (self.first..end).contains(&packet.seq) }
    }

    /// Takes a packet of the connection; tells whether it is at its end.
    fn take(&mut self, packet: Packet, max_file_bytes: usize) -> bool {
        if packet.seq < self.next || packet.kind == Kind::Start {
            return false;
        }
        self.early.entry(packet.seq).or_insert(packet);
        while let Some(packet) = self.early.remove(&self.next) {
            self.next = self.next.saturating_add(1);
            if packet.kind == Kind::End {
                return true;
            }
            self.append(&packet.data, max_file_bytes);
        }
        false
    }

    fn append(&mut self, data: &Bytes, max_file_bytes: usize) {
        if self.bytes.is_empty() && !self.is_long {
            self.is_file = FILE_VERBS.contains(&Message::read(data).verb.as_str());
        }
        let max =
            if self.is_file { max_file_bytes.saturating_add(MAX_MESSAGE_BYTES) } else { MAX_MESSAGE_BYTES };
        if self.bytes.len().saturating_add(data.len()) > max {
            self.is_long = true;
            self.bytes = BytesMut::new();
        }
        if !self.is_long {
            self.bytes.extend_from_slice(data);
        }
    }
}
