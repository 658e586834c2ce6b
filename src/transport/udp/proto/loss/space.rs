//! The sending half of the packet-number spaces.

use std::{
    collections::VecDeque,
    ops::RangeInclusive,
    time::{Duration, Instant},
};

use super::{Outcome, Spurious};
use crate::transport::udp::proto::{
    PacketNumber, Space, Violation,
    range_set::RangeSet,
    sent::{SentPacket, SentPackets},
};

/// How many later packets must be acknowledged for a loss (`kPacketThreshold`, RFC 9002 §6.1.1).
const PACKET_THRESHOLD: u64 = 3;

/// Lost packets remembered, at most.
const MAX_LOST: usize = 1024;

/// Runs of skipped numbers remembered, at most.
const MAX_SKIPPED: usize = 64;

/// The spaces of a connection. Those of the handshake live apart: they are gone soon, and a connection
/// keeps its size for hours.
#[derive(Debug)]
pub(super) struct Spaces {
    /// [`Space::Initial`], until it is discarded.
    pub(super) initial: Option<Box<PacketSpace>>,
    /// [`Space::Handshake`], until it is discarded.
    pub(super) handshake: Option<Box<PacketSpace>>,
    /// [`Space::Data`].
    pub(super) data: PacketSpace,
}

/// What makes a packet lost at present.
pub(super) struct LossRule {
    /// The present.
    pub(super) now: Instant,
    /// How long after it was sent an overtaken packet is lost.
    pub(super) delay: Duration,
    /// Whether being overtaken by three packets is enough.
    pub(super) by_count: bool,
    /// How long a lost packet is remembered.
    pub(super) memory: Duration,
    /// The span of losses that is persistent congestion.
    pub(super) persistent: Duration,
    /// Packets sent later than this can tell of persistent congestion, `None`: none can.
    pub(super) sampled_since: Option<Instant>,
}

/// What was sent in one space, and what is known of it.
#[derive(Debug, Default)]
pub(super) struct PacketSpace {
    sent: SentPackets,
    /// The numbers acknowledged, from the oldest packet in flight on.
    acked: RangeSet,
    skipped: RangeSet,
    /// Ascending.
    lost: VecDeque<LostPacket>,
    next: PacketNumber,
    largest_acked: Option<PacketNumber>,
    last_eliciting: Option<Instant>,
    loss_time: Option<Instant>,
}

#[derive(Debug)]
struct LostPacket {
    pn: PacketNumber,
    sent: Instant,
    bytes: u16,
    declared: Instant,
}

/// Losses of bulk with no acknowledgement in between.
#[derive(Clone, Copy)]
struct Streak {
    began: Instant,
    last: PacketNumber,
}

impl Spaces {
    /// Nothing sent yet in any of them.
    pub(super) fn new() -> Self {
        Self { initial: Some(Box::default()), handshake: Some(Box::default()), data: PacketSpace::default() }
    }

    /// One of them, unless it is discarded.
    pub(super) fn get(&self, space: Space) -> Option<&PacketSpace> {
        match space {
            Space::Initial => self.initial.as_deref(),
            Space::Handshake => self.handshake.as_deref(),
            Space::Data => Some(&self.data),
        }
    }

    /// One of them, to change, unless it is discarded.
    pub(super) fn get_mut(&mut self, space: Space) -> Option<&mut PacketSpace> {
        match space {
            Space::Initial => self.initial.as_deref_mut(),
            Space::Handshake => self.handshake.as_deref_mut(),
            Space::Data => Some(&mut self.data),
        }
    }

    /// Forgets a space of the handshake.
    pub(super) fn discard(&mut self, space: Space) {
        match space {
            Space::Initial => self.initial = None,
            Space::Handshake => self.handshake = None,
            Space::Data => {}
        }
    }

    /// All that are left, in the order of a connection's life.
    pub(super) fn iter(&self) -> impl Iterator<Item = (Space, &PacketSpace)> {
        Space::ALL.into_iter().filter_map(|space| Some((space, self.get(space)?)))
    }

    /// The earliest time at which a packet will be lost, and where.
    pub(super) fn loss_time(&self) -> Option<(Instant, Space)> {
        self.iter().filter_map(|(space, state)| state.loss_time().map(|at| (at, space))).min()
    }
}

impl PacketSpace {
    /// Notes a packet.
    pub(super) fn on_sent(&mut self, packet: SentPacket) {
        self.next = self.next.max(packet.pn.saturating_add(1));
        if packet.eliciting {
            self.last_eliciting = Some(packet.sent);
            self.sent.insert(packet);
        }
    }

    /// Notes a number that is left out.
    pub(super) fn skip(&mut self, pn: PacketNumber) {
        self.next = self.next.max(pn.saturating_add(1));
        self.skipped.insert(pn..=pn);
        if self.skipped.len() > MAX_SKIPPED {
            self.skipped.pop_lowest();
        }
    }

    /// Whether everything in `ranges` was sent.
    pub(super) fn check(
        &self,
        mut ranges: impl Iterator<Item = RangeInclusive<PacketNumber>>,
    ) -> Result<(), Violation> {
        ranges.try_for_each(|range| {
            if *range.end() >= self.next {
                return Err(Violation("a packet is acknowledged that was not sent yet"));
            }
            if self.skipped.intersects(&range) {
                return Err(Violation("a packet is acknowledged that was left out"));
            }
            Ok(())
        })
    }

    /// Moves what `ranges` acknowledge to `out`, and returns the largest number acknowledged before.
    pub(super) fn on_ack(
        &mut self,
        largest: PacketNumber,
        ranges: impl Iterator<Item = RangeInclusive<PacketNumber>>,
        out: &mut Outcome,
    ) -> Option<PacketNumber> {
        let before = out.acked.len();
        for range in ranges {
            self.recall_lost(&range, out);
            self.take_acked(&range, out);
        }
        if let Some(acked) = out.acked.get_mut(before..) {
            acked.reverse();
        }
        let prior = self.largest_acked;
        self.largest_acked = prior.max(Some(largest));
        prior
    }

    /// Moves what is lost to `out`, and finds out when the next packet will be.
    pub(super) fn detect_lost(&mut self, rule: &LossRule, out: &mut Outcome) {
        let mut streak: Option<Streak> = None;
        self.loss_time = None;
        // Packets are lost in the order sent, so the first that is not ends the search.
        while let Some(first) = self.overtaken() {
            let at = first.sent.checked_add(rule.delay);
            let is_late = at.is_some_and(|at| at <= rule.now);
            let is_behind = rule.by_count && self.is_behind(first.pn);
            if !is_late && !is_behind {
                self.loss_time = at;
                break;
            }
            let pn = first.pn;
            let Some(packet) = self.sent.take(pn) else {
                break;
            };
            streak = self.extend(streak, &packet, rule);
            out.persistent_congestion |= streak
                .is_some_and(|streak| packet.sent.saturating_duration_since(streak.began) > rule.persistent);
            let LossRule { now: declared, .. } = *rule;
            self.lost.push_back(LostPacket { pn, sent: packet.sent, bytes: packet.bytes, declared });
            out.lost.push(packet);
        }
        self.forget(rule);
    }

    /// Forgets everything but which numbers were used, and goes on.
    pub(super) fn restart(&mut self) {
        *self = Self { next: self.next, ..Self::default() };
    }

    /// The packets in flight.
    pub(super) fn sent(&self) -> &SentPackets {
        &self.sent
    }

    /// One more than the largest number sent or skipped.
    pub(super) fn next(&self) -> PacketNumber {
        self.next
    }

    /// The largest number acknowledged.
    pub(super) fn largest_acked(&self) -> Option<PacketNumber> {
        self.largest_acked
    }

    /// When the last packet was sent that elicits an acknowledgement.
    pub(super) fn last_eliciting(&self) -> Option<Instant> {
        self.last_eliciting
    }

    /// When the next packet is lost if nothing more is heard.
    pub(super) fn loss_time(&self) -> Option<Instant> {
        self.loss_time
    }

    /// Gives back memory that is not in use.
    pub(super) fn shrink_to_fit(&mut self) {
        self.sent.shrink_to_fit();
        self.acked.shrink_to_fit();
        self.lost.shrink_to_fit();
    }

    #[cfg(test)]
    pub(super) fn remembered(&self) -> usize {
        self.sent.len() + self.lost.len() + self.acked.len() + self.skipped.len()
    }

    fn recall_lost(&mut self, range: &RangeInclusive<PacketNumber>, out: &mut Outcome) {
        if range.is_empty() {
            return;
        }
        let from = self.lost.partition_point(|lost| lost.pn < *range.start());
        let to = self.lost.partition_point(|lost| lost.pn <= *range.end());
        let found = self.lost.drain(from..to);
        out.spurious.extend(found.map(|LostPacket { pn, sent, bytes, .. }| Spurious { pn, sent, bytes }));
    }

    /// Looks only at what was not acknowledged before, so that repeated ranges cost nothing.
    fn take_acked(&mut self, range: &RangeInclusive<PacketNumber>, out: &mut Outcome) {
        let oldest = self.sent.first().map_or(self.next, |first| first.pn);
        let range = oldest.max(*range.start())..=*range.end();
        while let Some(gap) = self.acked.last_gap(&range) {
            self.sent.take_range(&gap, &mut out.acked);
            self.acked.insert(gap);
        }
    }

    /// The oldest packet in flight, if a later one was acknowledged.
    fn overtaken(&self) -> Option<&SentPacket> {
        self.sent.first().filter(|first| self.largest_acked.is_some_and(|largest| first.pn < largest))
    }

    fn is_behind(&self, pn: PacketNumber) -> bool {
        self.largest_acked.is_some_and(|largest| largest.saturating_sub(pn) >= PACKET_THRESHOLD)
    }

    fn extend(&self, streak: Option<Streak>, packet: &SentPacket, rule: &LossRule) -> Option<Streak> {
        if !packet.has_bulk || rule.sampled_since.is_none_or(|since| packet.sent <= since) {
            return streak;
        }
        let unbroken = streak.filter(|streak| !self.acked.intersects(&(streak.last..=packet.pn)));
        let began = unbroken.map_or(packet.sent, |streak| streak.began);
        Some(Streak { began, last: packet.pn })
    }

    fn forget(&mut self, rule: &LossRule) {
        while self.lost.front().is_some_and(|lost| {
            self.lost.len() > MAX_LOST || rule.now.saturating_duration_since(lost.declared) > rule.memory
        }) {
            self.lost.pop_front();
        }
        self.acked.remove_below(self.sent.first().map_or(self.next, |first| first.pn));
    }
}
