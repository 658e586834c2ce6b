//! Both ends over a link that drops, doubles and reorders.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use bytes::Bytes;
use proptest::prelude::*;

use super::*;
use crate::transport::{
    MAX_MESSAGE_BYTES,
    udp::proto::frame::{Piece, message_overhead},
};

/// SplitMix64: all that is random, from one seed.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % sides.max(1)
    }

    fn percent(&mut self, chance: u64) -> bool {
        self.roll(100) < chance
    }

    fn class(&mut self) -> Class {
        Class::ALL[self.roll(3) as usize]
    }
}

struct Ends {
    out: Outgoing,
    credit: SendCredit,
    inn: Incoming,
    /// Packets under way; some twice.
    wire: Vec<OutPiece>,
    /// Credit frames under way.
    updates: Vec<(Class, u64)>,
    /// Popped by the transport, not yet taken by the application.
    untaken: Vec<(Class, Bytes)>,
    taken: Vec<(Class, Bytes)>,
    loss: u64,
    now: Instant,
    dice: Dice,
}

impl Ends {
    fn new(seed: u64, max_slots: u32, loss: u64) -> Self {
        let inn = Incoming::with_max_slots(max_slots);
        Self {
            out: Outgoing::with_max_slots(max_slots),
            credit: SendCredit::new(Class::ALL.map(|class| inn.credit(class))),
            inn,
            wire: Vec::new(),
            updates: Vec::new(),
            untaken: Vec::new(),
            taken: Vec::new(),
            loss,
            now: some_time(),
            dice: Dice(seed),
        }
    }

    fn send(&mut self) {
        let class = self.dice.class();
        let max = 40 + self.dice.roll(1400) as usize;
        let piece = match self.out.next_lost(class, max) {
            Some(piece) => piece,
            None => {
                let Some(piece) = self.out.next_fresh(class, max, &mut self.credit) else { return };
                piece
            }
        };
        let OutPiece { r, part, data } = &piece;
        assert!(message_overhead(r.lane, r.seq, *part, data.len()) + data.len() <= max);
        assert_eq!(data.len(), r.len as usize);
        assert!(self.credit.used(class) <= self.credit.limit(class));
        if self.dice.percent(5) {
            self.wire.push(self.out.piece(*r).expect("just sent"));
        }
        self.wire.push(piece);
    }

    fn deliver(&mut self) {
        if self.wire.is_empty() {
            return;
        }
        let at = self.dice.roll(self.wire.len() as u64) as usize;
        let OutPiece { r, part, data } = self.wire.swap_remove(at);
        if self.dice.percent(self.loss) {
            return self.out.on_lost(r);
        }
        let piece = Piece { lane: r.lane, seq: r.seq, part, data: &data };
        match self.inn.on_piece(&piece).expect("an honest sender") {
            Placed::Full => self.out.on_lost(r),
            _ if self.dice.percent(self.loss / 2) => self.out.on_lost(r), // the acknowledgement was lost
            _ => {
                self.out.on_acked(r);
                assert!(self.out.piece(r).is_none());
            }
        }
        for class in Class::ALL {
            assert!(self.inn.charged(class) <= self.credit.used(class));
        }
    }

    fn take(&mut self) {
        self.untaken.extend(std::iter::from_fn(|| self.inn.pop()));
        if !self.untaken.is_empty() {
            let (class, message) = self.untaken.remove(0);
            self.inn.on_taken(class, message.len());
            self.taken.push((class, message));
        }
    }

    fn update_credit(&mut self) {
        while let Some(update) = self.inn.credit_due(self.now, RTT) {
            self.updates.push(update);
        }
        if !self.updates.is_empty() {
            let at = self.dice.roll(self.updates.len() as u64) as usize;
            let (class, limit) = self.updates.swap_remove(at);
            if !self.dice.percent(self.loss) {
                self.credit.raise(class, limit);
            } else {
                self.updates.push((class, self.inn.credit(class)));
            }
        }
    }

    fn step(&mut self) {
        match self.dice.roll(8) {
            0..=2 => self.send(),
            3..=5 => self.deliver(),
            6 => self.take(),
            _ => self.update_credit(),
        }
        self.now += Duration::from_micros(self.dice.roll(200));
    }

    fn is_done(&self, messages: usize) -> bool {
        self.out.is_empty() && self.taken.len() == messages
    }
}

/// Messages still expected, by lane, in order.
type Expected = BTreeMap<Lane, Vec<Bytes>>;

fn check(sent: &[(Lane, Bytes)], taken: &[(Class, Bytes)]) {
    let mut expected = Expected::new();
    for (lane, message) in sent.iter().rev() {
        expected.entry(*lane).or_default().push(message.clone());
    }
    for (class, message) in taken {
        let id = u32::from_be_bytes(message[..4].try_into().unwrap());
        let next = expected.get_mut(&Lane { class: *class, id }).and_then(Vec::pop);
        assert!(next.as_ref() == Some(message), "out of order, altered or twice");
    }
    assert!(expected.values().all(Vec::is_empty));
}

fn exchange(ends: &mut Ends, sent: &[(Lane, Bytes)], max_steps: usize) {
    let mut next = sent.iter().peekable();
    for _ in 0..max_steps {
        if let Some((lane, message)) = next.peek()
            && message.len() <= ends.out.room(lane.class)
            && ends.dice.percent(40)
        {
            ends.out.push(*lane, message.clone());
            next.next();
        }
        ends.step();
        if next.peek().is_none() && ends.is_done(sent.len()) {
            break;
        }
    }
    assert!(next.peek().is_none() && ends.is_done(sent.len()), "stuck: {:?}", ends.credit);
    assert!(Class::ALL.iter().all(|class| !ends.out.has_lost(*class) && !ends.out.has_fresh(*class)));
    assert_eq!(ends.inn.delivered_total(), sent.len() as u64);
    assert!(ends.inn.received_complete(ends.out.total_pushed()));
    assert_eq!(ends.inn.buffered(), 0);
    check(sent, &ends.taken);
}

fn plan(dice: &mut Dice, count: usize, lanes: u64, longest: u64) -> Vec<(Lane, Bytes)> {
    let mut numbers = BTreeMap::new();
    let mut next = || {
        let lane = Lane { class: dice.class(), id: dice.roll(lanes) as u32 };
        let number = numbers.entry(lane).or_insert(0);
        *number += 1;
        let longest = if dice.percent(70) { 300 } else { longest };
        (lane, message(lane, *number, 8 + dice.roll(longest) as usize))
    };
    (0..count).map(|_| next()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn every_message_arrives_once_and_in_order(
        seed: u64,
        max_slots in 1_u32..6,
        lanes in 1_u64..20,
        loss in 0_u64..40,
    ) {
        let mut ends = Ends::new(seed, max_slots, loss);
        let sent = plan(&mut ends.dice, 60, lanes, 100_000);
        exchange(&mut ends, &sent, 3_000_000);
    }
}

#[test]
fn the_longest_messages_pass_the_smallest_window() {
    let mut ends = Ends::new(5, 8, 3);
    let lanes = [Lane::bulk(1), Lane::bulk(2), Lane::bulk(1), Lane::bulk(3)];
    let mut sent: Vec<_> =
        (0..).zip(lanes).map(|(n, lane)| (lane, message(lane, n, MAX_MESSAGE_BYTES - n as usize))).collect();
    sent.push((Lane::bulk(3), message(Lane::bulk(3), 9, 100)));
    sent.push((Lane::CONTROL, message(Lane::CONTROL, 0, MAX_MESSAGE_BYTES)));
    exchange(&mut ends, &sent, 20_000_000);
}

#[test]
fn small_messages_of_any_length_pass_the_smallest_window() {
    for len in [LARGE_MESSAGE - 1, LARGE_MESSAGE, LARGE_MESSAGE + 1, 33_000, START_WINDOW] {
        let mut ends = Ends::new(len, 4096, 10);
        let sent: Vec<_> =
            (0..40).map(|id| (Lane::thin(id), message(Lane::thin(id), 0, len as usize))).collect();
        exchange(&mut ends, &sent, 3_000_000);
    }
}

#[test]
fn the_longest_small_message_fits_beside_an_update_held_back() {
    let mut ends = Ends::new(2, 4, 0);
    let lane = Lane::thin(1);
    let held_back = (START_WINDOW / 2 - 1 - MESSAGE_CHARGE) as usize;
    ends.out.push(lane, message(lane, 0, held_back));
    while ends.taken.is_empty() {
        ends.step();
    }
    assert_eq!(ends.credit.limit(Class::Thin), START_WINDOW);
    ends.out.push(lane, message(lane, 1, LARGE_MESSAGE as usize));
    assert!(!ends.out.is_blocked(Class::Thin, &ends.credit));
}

#[test]
fn an_application_that_takes_nothing_stops_the_sender_and_no_more() {
    let mut ends = Ends::new(1, 64, 0);
    let lane = Lane::thin(1);
    let sent: Vec<_> = (0..2000).map(|n| (lane, message(lane, n, 100))).collect();
    sent.iter().for_each(|(lane, message)| ends.out.push(*lane, message.clone()));
    while let Some(piece) = ends.out.next_fresh(Class::Thin, 1200, &mut ends.credit) {
        ends.wire.push(piece);
        ends.deliver();
    }
    assert!(ends.out.is_blocked(Class::Thin, &ends.credit));
    assert!(!ends.out.is_blocked(Class::Bulk, &ends.credit));
    assert!(ends.inn.buffered() as u64 <= START_WINDOW);
    assert!(!ends.inn.on_blocked(Class::Thin, START_WINDOW));
    assert_eq!(ends.inn.credit_due(ends.now, RTT), None);
    for _ in 0..20 {
        ends.take(); // and the updates get lost
    }
    assert!(ends.inn.on_blocked(Class::Thin, START_WINDOW));
    assert!(ends.credit.raise(Class::Thin, ends.inn.credit(Class::Thin)));
    assert!(!ends.out.is_blocked(Class::Thin, &ends.credit));
    exchange_rest(&mut ends, sent.len());
    check(&sent, &ends.taken);
}

fn exchange_rest(ends: &mut Ends, messages: usize) {
    while !ends.is_done(messages) {
        ends.step();
    }
}
