//! One direction to one address of part 2, the sending side: messages one after the other, each a connection.

use std::{collections::VecDeque, time::Instant};

use bytes::Bytes;
use rand::{Rng, SeedableRng, rngs::ChaCha12Rng};

use crate::gateway::dialect::{MAX_QUEUED_BYTES, MAX_QUEUED_MESSAGES, Overflow, lums::MAX_QUEUED_FILES};

use super::{
    CHUNK_BYTES, MAX_SENDS, MAX_WINDOW, REPEAT_AFTER,
    packet::{Kind, Packet},
};

/// What became of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The other side has all of it.
    Delivered,
    /// The other side did not say so; it may have it or not.
    Failed,
}

/// The sending side.
#[derive(Debug)]
pub(super) struct Sender {
    window: usize,
    rng: ChaCha12Rng,
    queue: VecDeque<Queued>,
    /// Of the queue, files apart.
    queued_bytes: usize,
    active: Option<Active>,
    output: VecDeque<Packet>,
    outcomes: VecDeque<Outcome>,
}

#[derive(Debug)]
struct Queued {
    message: Bytes,
    is_file: bool,
}

/// A connection.
#[derive(Debug)]
struct Active {
    /// Behind the last packet sent.
    next: u64,
    /// What is not cut into packets yet.
    rest: Bytes,
    in_flight: VecDeque<Flight>,
    repeat_at: Instant,
}

#[derive(Debug)]
struct Flight {
    packet: Packet,
    sends: u32,
}

impl Sender {
    pub(super) fn new(window: usize, seed: u64) -> Self {
        Self {
            window: window.clamp(1, MAX_WINDOW),
            rng: ChaCha12Rng::seed_from_u64(seed),
            queue: VecDeque::new(),
            queued_bytes: 0,
            active: None,
            output: VecDeque::new(),
            outcomes: VecDeque::new(),
        }
    }

    /// Queues a message; what becomes of it is an [`Outcome`], in order.
    ///
    /// # Errors
    /// [`Overflow`] where too much waits: files are counted by number, others in bytes too.
    pub(super) fn push(&mut self, message: Bytes, is_file: bool, now: Instant) -> Result<(), Overflow> {
        let counted = if is_file { 0 } else { message.len() };
        let bytes = self.queued_bytes.saturating_add(counted);
        let files = self.queue.iter().filter(|queued| queued.is_file).count();
        let is_full = self.queue.len() >= MAX_QUEUED_MESSAGES || bytes > MAX_QUEUED_BYTES;
        if is_full || (is_file && files >= MAX_QUEUED_FILES) {
            return Err(Overflow);
        }
        self.queued_bytes = bytes;
        self.queue.push_back(Queued { message, is_file });
        self.begin(now);
        Ok(())
    }

    /// The other side expects this number next. Numbers that were never sent, or are known, say nothing.
    pub(super) fn handle_ack(&mut self, expected: u64, now: Instant) {
        let Some(active) = &mut self.active else { return };
        let in_flight = u64::try_from(active.in_flight.len()).unwrap_or(u64::MAX);
        let base = active.next.wrapping_sub(in_flight);
        let acked = expected.wrapping_sub(base);
        if acked == 0 || acked > in_flight {
            return;
        }
        let acked = usize::try_from(acked).unwrap_or(usize::MAX);
        let ended = active.in_flight.drain(..acked).any(|flight| flight.packet.kind == Kind::End);
        active.repeat_at = now + REPEAT_AFTER;
        if ended {
            self.finish(Outcome::Delivered, now);
        } else {
            self.fill();
        }
    }

    /// Repeats what is in flight, or gives up.
    pub(super) fn handle_timeout(&mut self, now: Instant) {
        let Some(active) = self.active.as_mut().filter(|active| active.repeat_at <= now) else { return };
        if active.in_flight.front().is_none_or(|oldest| oldest.sends >= MAX_SENDS) {
            return self.finish(Outcome::Failed, now);
        }
        for flight in active.in_flight.iter_mut().filter(|flight| flight.sends < MAX_SENDS) {
            flight.sends = flight.sends.saturating_add(1);
            self.output.push_back(flight.packet.clone());
        }
        active.repeat_at = now + REPEAT_AFTER;
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.active.as_ref().map(|active| active.repeat_at)
    }

    pub(super) fn poll(&mut self) -> Option<Packet> {
        self.output.pop_front()
    }

    pub(super) fn poll_outcome(&mut self) -> Option<Outcome> {
        self.outcomes.pop_front()
    }

    /// Whether nothing is on the way and nothing waits.
    pub(super) const fn is_idle(&self) -> bool {
        self.active.is_none()
    }

    /// Begins with the message that waits for longest, if none is on the way.
    fn begin(&mut self, now: Instant) {
        if self.active.is_some() {
            return;
        }
        let Some(Queued { message, is_file }) = self.queue.pop_front() else { return };
        self.queued_bytes = self.queued_bytes.saturating_sub(if is_file { 0 } else { message.len() });
        // Below 2^31, since programs of the assignment may keep it in an `int` (LUDP-D6).
        let first = u64::from(self.rng.next_u32() >> 1);
        let mut active =
            Active { next: first, rest: message, in_flight: VecDeque::new(), repeat_at: now + REPEAT_AFTER };
        self.output.push_back(active.launch(Kind::Start, Bytes::new()));
        self.active = Some(active);
    }

    /// Sends what may be sent: data up to the window, and END behind all of it.
    fn fill(&mut self) {
        let Some(active) = &mut self.active else { return };
        while active.in_flight.len() < self.window && !active.rest.is_empty() {
            let chunk = active.rest.split_to(chunk_end(&active.rest));
            self.output.push_back(active.launch(Kind::Data, chunk));
        }
        if active.in_flight.is_empty() {
            self.output.push_back(active.launch(Kind::End, Bytes::new()));
        }
    }

    fn finish(&mut self, outcome: Outcome, now: Instant) {
        self.active = None;
        self.outcomes.push_back(outcome);
        self.begin(now);
    }
}

impl Active {
    fn launch(&mut self, kind: Kind, data: Bytes) -> Packet {
        let packet = Packet { kind, seq: self.next, data };
        self.next = self.next.wrapping_add(1);
        self.in_flight.push_back(Flight { packet: packet.clone(), sends: 1 });
        packet
    }
}

/// Where a packet ends: between two characters, if it is text.
fn chunk_end(rest: &[u8]) -> usize {
    if rest.len() <= CHUNK_BYTES {
        return rest.len();
    }
    let is_inside = |end: usize| rest.get(end).is_some_and(|byte| byte & 0b1100_0000 == 0b1000_0000);
    let last_four = CHUNK_BYTES.saturating_sub(3)..=CHUNK_BYTES;
    last_four.rev().find(|end| !is_inside(*end)).unwrap_or(CHUNK_BYTES)
}
