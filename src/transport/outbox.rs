//! What a link has accepted and not yet written: a queue per class, the higher served first, and in it each lane in
//! its turn.

use std::collections::VecDeque;

use bytes::{Buf, Bytes};
use rand::{RngExt, rngs::ChaCha8Rng};

use super::{
    framing::{Control, message_header},
    lane::{Class, Lane},
    turns::Turns,
};

/// Bytes of messages that may wait in one class, each counted with [`MESSAGE_OVERHEAD`]. One message
/// always fits an empty class, whatever its length.
pub const CLASS_BYTES: usize = 128 << 10;

/// Bytes that a message in a queue counts beyond its content, so that empty ones are bounded too.
pub const MESSAGE_OVERHEAD: usize = 64;

/// What a message of `len` bytes takes of [`CLASS_BYTES`].
pub(super) fn cost(len: usize) -> usize {
    (len + MESSAGE_OVERHEAD).min(CLASS_BYTES)
}

/// One thing to send.
#[derive(Debug)]
pub(super) enum Out {
    /// A message, and what it gives back of its class.
    Message { lane: Lane, message: Bytes, cost: usize },
    /// A word between the two links.
    Control(Control),
}

/// Which message goes next.
#[derive(Debug)]
pub(super) enum Order {
    /// The highest class first, in it the lanes in turns.
    ByClass,
    /// Any lane, in it the order of sending. For tests: nothing may depend on order across lanes.
    Shuffled(Box<ChaCha8Rng>),
}

/// The messages and control units on their way to the stream. The owner bounds it: it reserves
/// [`cost`] of a class before it pushes.
#[derive(Debug)]
pub(super) struct Outbox {
    order: Order,
    classes: [Turns<Bytes>; Class::ALL.len()],
    /// A message of which a part was handed over, and what it gives back at its end.
    started: Option<(Bytes, Class, usize)>,
    /// Control units that go before the next message. At most a handful: one count each second, one
    /// final count.
    urgent: VecDeque<Control>,
    /// The close, which goes when nothing else is left.
    last: Option<Control>,
}

impl Outbox {
    pub(super) fn new(order: Order) -> Self {
        Self { order, classes: Default::default(), started: None, urgent: VecDeque::new(), last: None }
    }

    pub(super) fn push(&mut self, lane: Lane, message: Bytes) {
        self.queue(lane.class).push(lane.id, message);
    }

    /// Puts a control unit before every waiting message.
    pub(super) fn push_urgent(&mut self, control: Control) {
        self.urgent.push_back(control);
    }

    /// Puts a control unit after every waiting message; none may be pushed afterwards.
    pub(super) fn push_last(&mut self, control: Control) {
        self.last = Some(control);
    }

    /// Drops everything, for a link that is lost.
    pub(super) fn clear(&mut self) {
        let order = std::mem::replace(&mut self.order, Order::ByClass);
        *self = Self::new(order);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.started.is_none()
            && self.urgent.is_empty()
            && self.last.is_none()
            && self.classes.iter().all(Turns::is_empty)
    }

    /// Moves what fits into `batch` until it holds `limit` bytes, a long message piece by piece.
    /// Returns what each class got free.
    pub(super) fn fill(&mut self, batch: &mut Vec<u8>, limit: usize) -> [usize; Class::ALL.len()] {
        let mut freed = [0; Class::ALL.len()];
        while batch.len() < limit {
            if let Some((class, cost)) = self.continue_started(batch, limit) {
                if let Some(freed) = freed.get_mut(class.index()) {
                    *freed += cost;
                }
                continue;
            }
            if self.started.is_some() {
                break;
            }
            self.urgent.drain(..).for_each(|control| control.encode(batch));
            let Some((_, class, message)) = self.next() else {
                if let Some(control) = self.last.take() {
                    control.encode(batch);
                }
                break;
            };
            // `send` refused what has no header.
            let Some(header) = message_header(message.len()) else { continue };
            batch.extend_from_slice(&header);
            let cost = cost(message.len());
            self.started = Some((message, class, cost));
        }
        freed
    }

    /// The next thing to send, for a transport that carries messages whole; `has_room` says for which
    /// class and length it takes one.
    pub(super) fn take(&mut self, has_room: impl Fn(Class, usize) -> bool) -> Option<Out> {
        if let Some(control) = self.urgent.pop_front() {
            return Some(Out::Control(control));
        }
        for class in Class::ALL {
            let queue = self.queue(class);
            if queue.front().is_some_and(|message| has_room(class, message.len())) {
                let (lane, message) = queue.pop()?;
                let cost = cost(message.len());
                return Some(Out::Message { lane: Lane { class, id: lane }, message, cost });
            }
        }
        let idle = self.classes.iter().all(Turns::is_empty);
        self.last.take_if(|_| idle).map(Out::Control)
    }

    /// Hands over more of a started message; what it gives back when this was all of it.
    fn continue_started(&mut self, batch: &mut Vec<u8>, limit: usize) -> Option<(Class, usize)> {
        let (message, class, cost) = self.started.as_mut()?;
        let piece = message.len().min(limit.saturating_sub(batch.len()));
        batch.extend_from_slice(message.get(..piece)?);
        message.advance(piece);
        if !message.is_empty() {
            return None;
        }
        let freed = (*class, *cost);
        self.started = None;
        Some(freed)
    }

    fn next(&mut self) -> Option<(u32, Class, Bytes)> {
        if let Order::Shuffled(_) = self.order {
            return self.next_of_any_lane();
        }
        Class::ALL.into_iter().find_map(|class| {
            let (lane, message) = self.queue(class).pop()?;
            Some((lane, class, message))
        })
    }

    fn next_of_any_lane(&mut self) -> Option<(u32, Class, Bytes)> {
        let Order::Shuffled(chance) = &mut self.order else { return None };
        let total = self.classes.iter().map(Turns::len).sum::<usize>();
        let mut pick = (total > 0).then(|| chance.random_range(0..total))?;
        for (class, queue) in Class::ALL.into_iter().zip(&mut self.classes) {
            if pick < queue.len() {
                let (lane, message) = queue.pop_any(|lanes| chance.random_range(0..lanes))?;
                return Some((lane, class, message));
            }
            pick -= queue.len();
        }
        None
    }

    fn queue(&mut self, class: Class) -> &mut Turns<Bytes> {
        let [control, thin, bulk] = &mut self.classes;
        match class {
            Class::Control => control,
            Class::Thin => thin,
            Class::Bulk => bulk,
        }
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;
    use crate::transport::framing::{Decoder, Unit};

    fn drain(outbox: &mut Outbox, limit: usize) -> (Vec<Unit>, [usize; 3]) {
        let (mut decoder, mut units, mut freed) = (Decoder::default(), Vec::new(), [0; 3]);
        while !outbox.is_empty() {
            let mut batch = Vec::new();
            for (sum, more) in freed.iter_mut().zip(outbox.fill(&mut batch, limit)) {
                *sum += more;
            }
            let mut input = batch.as_slice();
            while let Some(unit) = decoder.decode(&mut input).unwrap() {
                units.push(unit);
            }
        }
        (units, freed)
    }

    fn message(text: &'static str) -> Unit {
        Unit::Message(Bytes::from_static(text.as_bytes()))
    }

    #[test]
    fn a_higher_class_goes_first_and_the_close_last() {
        let close = Control::Close { code: 0, text: String::new() };
        let count = Control::Consumed { messages: 1 };
        for limit in [5, 64, 1 << 16] {
            let mut outbox = Outbox::new(Order::ByClass);
            outbox.push(Lane::bulk(1), Bytes::from_static(b"bulk"));
            outbox.push(Lane::thin(1), Bytes::from_static(b"thin"));
            outbox.push_last(close.clone());
            outbox.push(Lane::CONTROL, Bytes::from_static(b""));
            outbox.push_urgent(count.clone());
            let (units, freed) = drain(&mut outbox, limit);
            let (count, close) = (Unit::Control(count.clone()), Unit::Control(close.clone()));
            assert_eq!(units, [count, message(""), message("thin"), message("bulk"), close]);
            assert_eq!(freed, [cost(0), cost(4), cost(4)]);
        }
    }

    #[test]
    fn a_long_message_is_handed_over_in_pieces() {
        let mut outbox = Outbox::new(Order::ByClass);
        outbox.push(Lane::bulk(1), vec![1; 1 << 20].into());
        let mut pieces = 0;
        loop {
            let mut piece = Vec::new();
            let freed = outbox.fill(&mut piece, 1000);
            assert!(piece.len() <= 1000);
            pieces += 1;
            if outbox.is_empty() {
                assert_eq!(freed, [0, 0, CLASS_BYTES], "it never took more than the whole class");
                break;
            }
            assert_eq!(freed, [0; 3], "nothing is free before the last piece");
        }
        assert_eq!(pieces, ((1 << 20) + 4_usize).div_ceil(1000));
    }

    #[test]
    fn shuffling_keeps_the_order_within_a_lane() {
        let mut outbox = Outbox::new(Order::Shuffled(Box::new(ChaCha8Rng::seed_from_u64(7))));
        for number in 0..60_u8 {
            outbox.push(Lane::thin(u32::from(number % 3)), vec![number % 3, number].into());
        }
        let (units, _) = drain(&mut outbox, 100);
        let arrived: Vec<Bytes> = units
            .into_iter()
            .map(|unit| match unit {
                Unit::Message(message) => message,
                Unit::Control(control) => panic!("{control:?}"),
            })
            .collect();
        assert!(!arrived.is_sorted_by_key(|message| message[1]), "lanes overtake each other");
        for lane in 0..3 {
            assert!(arrived.iter().filter(|message| message[0] == lane).is_sorted());
        }
    }
}
