//! Small messages that must not wait: chat lines and what steers the link.
//!
//! Nothing follows a chat line, so no later acknowledgement tells that it was lost. Each small message
//! therefore has a deadline of its own, counted from its first transmission (a timer that every new send
//! restarts, as in RFC 9002 §6.2.1, is pushed out by a trickle of messages), and is repeated in rounds
//! until one packet with it is acknowledged. On a path that loses packets a round sends copies before
//! anything is heard: without them no protocol can beat `D + R (n - 1)` for a message whose first `n - 1`
//! packets are lost, with `D` the one-way delay and `R` the round-trip time.

mod allowance;
mod brakes;
mod estimate;
mod memory;
mod message;
#[cfg(test)]
mod model;
mod schedule;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use super::sent::PieceRef;
use allowance::Allowance;
pub(crate) use allowance::INITIAL as INITIAL_FLIGHT;
use brakes::Brakes;
pub(crate) use estimate::{Hearsay, LossEstimate, LossView};
use message::{Message, later};
pub(crate) use schedule::Conditions;
use schedule::{LEAST_GAP, LINEAR_ROUNDS};

/// Messages that [`Thin::bundle`] looks at beyond the excluded ones.
const BUNDLE_SCAN: usize = 8;

/// The same where nothing is heard, of the oldest.
const SILENT_SCAN: usize = 64;

/// Messages that are few enough to leave each by itself.
const FEW: usize = 2;

/// Why a message is to be sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Due {
    /// Nothing was heard of it in time, or all its packets were lost.
    Round,
    /// Before anything could be heard: the path loses packets.
    Copy,
}

/// The small messages in flight, and when each has to be sent again. Every operation is `O(log n)` in
/// their number.
#[derive(Debug)]
pub(crate) struct Thin {
    messages: BTreeMap<PieceRef, Message>,
    /// The [`Message::wake`] of each.
    wakes: BTreeSet<(Instant, PieceRef)>,
    /// The [`Message::born`] of each.
    ages: BTreeSet<(Instant, PieceRef)>,
    /// How long a round is waited for.
    timeout: Duration,
    brakes: Brakes,
    allowance: Allowance,
    max_copies: u8,
    chance: u64,
    rounds_failing: u32,
    /// When the first of them began.
    failing_since: Option<Instant>,
    /// How many in a row do not yet make the path seem dead.
    linear_rounds: u32,
    /// While the path seems dead, one message asks for all: no other begins a round before this.
    quiet_until: Option<Instant>,
    /// How long it asked after the last time.
    quiet: Duration,
    /// Something was heard since then, and one message was sent for it.
    revived: bool,
    copies: u64,
    rounds: u64,
}

impl Thin {
    /// Nothing in flight. `seed` is for the jitter; a round sends a message at most `max_copies` times,
    /// a late one once more.
    pub(crate) const fn new(seed: u64, max_copies: u8) -> Self {
        Self {
            messages: BTreeMap::new(),
            wakes: BTreeSet::new(),
            ages: BTreeSet::new(),
            timeout: Duration::ZERO,
            brakes: Brakes::new(),
            allowance: Allowance::new(),
            max_copies,
            chance: seed,
            rounds_failing: 0,
            failing_since: None,
            linear_rounds: LINEAR_ROUNDS,
            quiet_until: None,
            quiet: Duration::ZERO,
            revived: false,
            copies: 0,
            rounds: 0,
        }
    }

    /// The message `r`, whole in a frame of `frame_bytes`, left for the first time at `now`. It gets a
    /// deadline, and copies as the path's loss demands. When `r` is in flight already, this was one more
    /// packet with it.
    pub(crate) fn on_sent(&mut self, r: PieceRef, frame_bytes: usize, now: Instant, conditions: &Conditions) {
        self.observe(now, conditions);
        if self.change(r, |message| message.on_copy_sent(now)) {
            return;
        }
        let frame_bytes = u32::try_from(frame_bytes).unwrap_or(u32::MAX);
        let message = self.start_round(frame_bytes, now, 0, 0, now, conditions);
        self.insert(r, message);
    }

    /// A packet with `r` was acknowledged: nothing more is sent of it.
    pub(crate) fn on_acked(&mut self, r: PieceRef) {
        let Some(message) = self.remove(r) else { return };
        let copies = u64::from(self.max_copies.max(1));
        self.brakes.earn(message.wire_bytes().saturating_mul(copies));
        self.path_lives();
    }

    /// A packet of `bytes` was acknowledged, of `in_flight` bytes; `has_bulk` tells whether bulk was in it.
    pub(crate) fn on_packet_acked(&mut self, bytes: u64, in_flight: u64, has_bulk: bool) {
        self.allowance.on_acked(bytes, in_flight);
        if has_bulk {
            self.brakes.on_bulk_acked(bytes);
        }
    }

    /// Whether a queue seems to stand at `now`, so that copies do not leave.
    pub(crate) fn is_congested(&self, now: Instant) -> bool {
        self.brakes.is_congested(now)
    }

    /// Bytes that may be in flight at `now` for a small message to leave, whatever the congestion window
    /// says; none while a queue builds up.
    pub(crate) fn allowance(&self, now: Instant) -> u64 {
        if self.brakes.is_congested(now) { 0 } else { self.allowance.bytes() }
    }

    /// A packet with `r` was lost, as later acknowledgements tell. When no other is in flight and no copy
    /// is owed the next round is due at once; otherwise that one is waited for, so the two ways to notice
    /// a loss never both repeat a message.
    ///
    /// Packets are lost in the order sent, so the last one in flight is the youngest.
    ///
    /// `false`: it is not one of ours.
    pub(crate) fn on_copy_lost(&mut self, r: PieceRef, now: Instant) -> bool {
        self.path_lives();
        self.change(r, |message| {
            message.in_flight = message.in_flight.saturating_sub(1);
            if message.in_flight > 0 || message.owes_copy() {
                return;
            }
            message.deadline = message.deadline.min(now);
            // Acknowledgements come in, so the path lives: no reason to back off.
            message.round = message.round.min(LINEAR_ROUNDS - 2);
        })
    }

    /// Something arrived from the peer at `now`. When messages back off, the one that is next leaves at
    /// once; its acknowledgement then tells the fate of all the others. Only the first sign of life
    /// counts until that comes: what arrives proves nothing of the way there.
    pub(crate) fn on_heard(&mut self, now: Instant) {
        if self.rounds_failing <= self.linear_rounds || self.revived {
            return;
        }
        let Some(&(_, r)) = self.wakes.first() else { return };
        self.revived = true;
        self.quiet_until = None;
        let linear = self.linear_rounds;
        self.change(r, |message| {
            if message.round > linear {
                message.deadline = message.deadline.min(now);
            }
        });
    }

    /// The path was probed at `now` for whatever is in flight, so that no message has to ask itself.
    pub(crate) fn on_probe(&mut self, now: Instant) {
        if self.quiet_until.is_some() {
            self.quiet_until = Some(later(now, self.quiet));
        }
    }

    /// When [`Self::next`] has something to say. Asking it earlier or later does no harm.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.wakes.first().map(|&(wake, _)| wake)
    }

    /// A message that has to leave now, in a packet that does not carry it yet and has room for a frame of
    /// `max_bytes`; it counts as sent. `None`
    /// when nothing is due before [`Self::deadline`].
    ///
    /// Copies that the path cannot bear are left out; rounds never are.
    pub(crate) fn next(
        &mut self,
        now: Instant,
        max_bytes: usize,
        conditions: &Conditions,
    ) -> Option<(PieceRef, Due)> {
        self.observe(now, conditions);
        loop {
            let &(_, r) = self.wakes.first().filter(|(wake, _)| *wake <= now)?;
            if self.messages.get(&r).is_some_and(|message| message.frame_bytes as usize > max_bytes) {
                return None;
            }
            if let Some(later) = self.quiet_until.filter(|later| now < *later)
                && self.messages.get(&r).is_some_and(|message| message.deadline <= now)
            {
                self.change(r, |message| message.deadline = later);
                continue;
            }
            let turn = if self.is_silent(now) { self.oldest(now, max_bytes, &[]) } else { Some(r) };
            let mut message = self.remove(r)?;
            let due = if message.deadline > now {
                self.try_copy(&mut message, now).then_some((r, Due::Copy))
            } else if turn == Some(r) {
                message = self.next_round(&message, now, conditions);
                Some((r, Due::Round))
            } else {
                let next = self.next_round(&message, now, conditions);
                message.pass(&next);
                turn.map(|oldest| (oldest, Due::Round))
            };
            self.insert(r, message);
            let Some((sent, why)) = due else { continue };
            if sent != r {
                self.change(sent, |message| message.on_copy_sent(now));
            }
            return Some((sent, why));
        }
    }

    /// A message that is due and does not fit a frame of `max_bytes`, as the path's packets became smaller
    /// since it was first sent. It is nobody's here any more: it has to be cut.
    pub(crate) fn take_too_long(&mut self, now: Instant, max_bytes: usize) -> Option<PieceRef> {
        let &(_, r) = self.wakes.first().filter(|(wake, _)| *wake <= now)?;
        let is_too_long = |message: &Message| message.frame_bytes as usize > max_bytes;
        self.messages.get(&r).is_some_and(is_too_long).then(|| self.remove(r))?.map(|_| r)
    }

    /// A message that owes a copy, to ride in a packet that leaves anyway and has room for a frame of
    /// `max_bytes`; it counts as sent. `exclude` is what the packet carries already.
    ///
    /// Only copies at most half a gap early, and none of a gap that is short already: closer together they
    /// would be lost together.
    pub(crate) fn bundle(
        &mut self,
        now: Instant,
        max_bytes: usize,
        exclude: &[PieceRef],
    ) -> Option<PieceRef> {
        if self.is_silent(now) {
            return self.bundle_oldest(now, max_bytes, exclude);
        }
        let max_bytes = u32::try_from(max_bytes).unwrap_or(u32::MAX);
        let scan = self.wakes.iter().take(exclude.len().saturating_add(BUNDLE_SCAN));
        let (r, mut message) = scan.filter(|(_, r)| !exclude.contains(r)).find_map(|(_, r)| {
            let message = self.messages.get(r)?;
            let early = if message.gap < LEAST_GAP { Duration::ZERO } else { message.gap / 2 };
            let due_soon = message.owes_copy() && message.copy_at <= later(now, early);
            (due_soon && message.frame_bytes <= max_bytes).then_some((*r, *message))
        })?;
        self.remove(r);
        let sent = self.try_copy(&mut message, now);
        self.insert(r, message);
        sent.then_some(r)
    }

    /// In silence each packet is as full as may be of what waits longest: the first that arrives brings it all.
    fn bundle_oldest(&mut self, now: Instant, max_bytes: usize, exclude: &[PieceRef]) -> Option<PieceRef> {
        let r = self.oldest(now, max_bytes, exclude)?;
        self.change(r, |message| message.on_copy_sent(now));
        self.copies = self.copies.saturating_add(1);
        Some(r)
    }

    /// What waits longest and did not leave just now.
    fn oldest(&self, now: Instant, max_bytes: usize, exclude: &[PieceRef]) -> Option<PieceRef> {
        let may_leave = |r: &PieceRef| {
            let message = self.messages.get(r)?;
            let again = later(message.sent, self.timeout / 2) <= now;
            Some(again && message.frame_bytes as usize <= max_bytes && !exclude.contains(r))
        };
        let mut scan = self.ages.iter().take(exclude.len().saturating_add(SILENT_SCAN));
        scan.find(|(_, r)| may_leave(r) == Some(true)).map(|(_, r)| *r)
    }

    /// Whether the path seems to have gone dark before `now`, and not for so long that messages back off:
    /// rounds began for a whole timeout and nothing was heard.
    pub(crate) fn is_silent(&self, now: Instant) -> bool {
        self.messages.len() > FEW
            && self.quiet_until.is_none()
            && self.failing_since.is_some_and(|since| later(since, self.timeout) <= now)
    }

    /// Messages that no acknowledgement came for.
    #[cfg(test)]
    pub(crate) fn unacked(&self) -> usize {
        self.messages.len()
    }

    /// The most rounds in a row that one message waited for in vain since the last acknowledgement.
    #[cfg(test)]
    pub(crate) const fn rounds_failing(&self) -> u32 {
        self.rounds_failing
    }

    /// Copies sent so far.
    #[cfg(test)]
    pub(crate) const fn copies(&self) -> u64 {
        self.copies
    }

    /// Rounds after the first transmission so far.
    #[cfg(test)]
    pub(crate) const fn rounds(&self) -> u64 {
        self.rounds
    }

    fn observe(&mut self, now: Instant, conditions: &Conditions) {
        let chance = self.draw();
        self.brakes.observe(now, conditions, chance);
        self.linear_rounds = conditions.linear_rounds();
        self.timeout = conditions.timeout();
        if self.brakes.is_congested(now) {
            self.allowance.on_congestion();
        }
    }

    fn next_round(&mut self, message: &Message, now: Instant, conditions: &Conditions) -> Message {
        let dead = self.rounds_failing > self.linear_rounds;
        let before = if dead { self.rounds_failing.max(message.round) } else { message.round };
        let round = before.saturating_add(1);
        self.rounds = self.rounds.saturating_add(1);
        self.rounds_failing = self.rounds_failing.max(round);
        self.failing_since.get_or_insert(now);
        let message =
            self.start_round(message.frame_bytes, message.born, round, message.in_flight, now, conditions);
        if round > self.linear_rounds {
            self.quiet = message.deadline.saturating_duration_since(now);
            self.quiet_until = Some(message.deadline);
        }
        message
    }

    /// Acknowledgements come in: nothing has to hold back any more.
    const fn path_lives(&mut self) {
        self.rounds_failing = 0;
        self.failing_since = None;
        self.quiet_until = None;
        self.revived = false;
    }

    fn start_round(
        &mut self,
        frame_bytes: u32,
        born: Instant,
        round: u32,
        unanswered: u32,
        now: Instant,
        conditions: &Conditions,
    ) -> Message {
        let copies = if self.is_silent(now) {
            1
        } else {
            conditions.target(round, unanswered, self.messages.len(), self.max_copies)
        };
        let (owed, gap) = (copies.saturating_sub(1), conditions.gap(round));
        let deadline = later(now, conditions.wait(round, copies, gap, self.draw()));
        let in_flight = unanswered.saturating_add(1);
        Message {
            frame_bytes,
            born,
            sent: now,
            round,
            owed,
            in_flight,
            gap,
            copy_at: later(now, gap),
            deadline,
        }
    }

    /// Pays for a copy, or drops all that this round still owes.
    fn try_copy(&mut self, message: &mut Message, now: Instant) -> bool {
        if !self.brakes.allow(now, message.wire_bytes()) {
            message.owed = 0;
            return false;
        }
        message.on_copy_sent(now);
        self.copies = self.copies.saturating_add(1);
        true
    }

    /// Changes `r` where it is in flight, and keeps its timer in step.
    fn change(&mut self, r: PieceRef, change: impl FnOnce(&mut Message)) -> bool {
        let Some(message) = self.messages.get_mut(&r) else { return false };
        let before = message.wake();
        change(message);
        let after = message.wake();
        if before != after {
            self.wakes.remove(&(before, r));
            self.wakes.insert((after, r));
        }
        true
    }

    fn insert(&mut self, r: PieceRef, message: Message) {
        self.wakes.insert((message.wake(), r));
        self.ages.insert((message.born, r));
        self.messages.insert(r, message);
    }

    fn remove(&mut self, r: PieceRef) -> Option<Message> {
        let message = self.messages.remove(&r)?;
        self.wakes.remove(&(message.wake(), r));
        self.ages.remove(&(message.born, r));
        Some(message)
    }

    /// The next number of SplitMix64 (Steele, Lea, Flood, "Fast splittable pseudorandom number
    /// generators", 2014).
    const fn draw(&mut self) -> u64 {
        self.chance = self.chance.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.chance ^ (self.chance >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}
