//! What was sent, so that what is handed out can be judged: each message at most once, unaltered, in the
//! order of its lane, and only to the other side of the connection.

use std::collections::BTreeMap;

use bytes::Bytes;

use crate::transport::{Class, Lane};

/// A connection of either host.
pub(super) type Id = u8;

/// Bytes in front of a message that say whose it is: connection, class, lane, number.
const HEAD_BYTES: usize = 8;

/// The lane of messages too short for that, which are known by their place.
pub(super) const SHORT_LANE: u32 = u32::MAX;

/// Everything that was accepted and handed out.
#[derive(Default)]
pub(super) struct Ledger {
    senders: BTreeMap<Id, BTreeMap<(Class, u32), Book>>,
    /// Of each receiver, whose messages it gets.
    pairs: BTreeMap<Id, Id>,
    /// Short messages that came before it was known whose they are.
    early: BTreeMap<Id, Vec<(Class, Bytes)>>,
}

/// One lane: the lengths of its messages, and how many of them were handed out.
#[derive(Default)]
struct Book {
    lens: Vec<usize>,
    received: usize,
}

impl Ledger {
    /// The next message of a lane, and the lane it has to go by.
    pub(super) fn next(&self, from: Id, lane: Lane, len: usize) -> (Lane, Bytes) {
        let id = if len < HEAD_BYTES { SHORT_LANE } else { lane.id % SHORT_LANE };
        let lane = Lane { id, ..lane };
        let books = self.senders.get(&from);
        let seq = books.and_then(|books| books.get(&(lane.class, id))).map_or(0, |book| book.lens.len());
        (lane, content(from, lane, seq, len))
    }

    /// It was accepted.
    pub(super) fn accepted(&mut self, from: Id, lane: Lane, len: usize) {
        let books = self.senders.entry(from).or_default();
        books.entry((lane.class, lane.id)).or_default().lens.push(len);
    }

    /// A message was handed out.
    pub(super) fn received(&mut self, at: Id, class: Class, message: Bytes) {
        let Some((&[from, its_class, l0, l1, l2, l3, s0, s1], _)) = message.split_first_chunk::<HEAD_BYTES>()
        else {
            match self.pairs.get(&at) {
                Some(&from) => self.judge(from, Lane { class, id: SHORT_LANE }, &message),
                None => self.early.entry(at).or_default().push((class, message)),
            }
            return;
        };
        let lane = Lane { class, id: u32::from_be_bytes([l0, l1, l2, l3]) };
        assert_eq!(usize::from(its_class), class.index(), "a message keeps its class");
        self.pair(at, from);
        let books = self.senders.get(&from).expect("a message comes from somebody");
        let expected = books.get(&(class, lane.id)).map(|book| book.received);
        assert_eq!(expected, Some(usize::from(u16::from_be_bytes([s0, s1]))), "in order and once: {lane:?}");
        self.judge(from, lane, &message);
    }

    fn pair(&mut self, at: Id, from: Id) {
        if let Some(&known) = self.pairs.get(&at) {
            return assert_eq!(known, from, "a connection has one other side");
        }
        assert!(!self.pairs.values().any(|&other| other == from), "nobody is heard twice");
        self.pairs.insert(at, from);
        for (class, message) in self.early.remove(&at).unwrap_or_default() {
            self.judge(from, Lane { class, id: SHORT_LANE }, &message);
        }
    }

    fn judge(&mut self, from: Id, lane: Lane, message: &Bytes) {
        let books = self.senders.get_mut(&from).expect("a message comes from somebody");
        let book = books.get_mut(&(lane.class, lane.id)).expect("of a lane that was used");
        let seq = book.received;
        book.received += 1;
        let len = *book.lens.get(seq).expect("as many messages as were sent, at most");
        assert!(*message == content(from, lane, seq, len), "unaltered: {lane:?}, message {seq}");
    }

    /// How many messages of a connection were not handed out yet.
    pub(super) fn missing(&self, from: Id) -> usize {
        let early: usize = self.early.values().map(Vec::len).sum();
        let books = self.senders.get(&from).into_iter().flat_map(BTreeMap::values);
        books.map(|book| book.lens.len() - book.received).sum::<usize>().saturating_sub(early)
    }
}

fn content(from: Id, lane: Lane, seq: usize, len: usize) -> Bytes {
    let [s0, s1] = (seq as u16).to_be_bytes();
    let [l0, l1, l2, l3] = lane.id.to_be_bytes();
    let head = [from, lane.class.index() as u8, l0, l1, l2, l3, s0, s1];
    let mut state = head.iter().fold(len as u32, |state, &byte| state.wrapping_mul(31) ^ u32::from(byte));
    let body = std::iter::repeat_with(|| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    });
    if len < HEAD_BYTES {
        return body.take(len).collect();
    }
    head.into_iter().chain(body).take(len).collect()
}
