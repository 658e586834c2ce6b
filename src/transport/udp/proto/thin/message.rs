//! One small message in flight.

use std::time::{Duration, Instant};

use super::schedule::LEAST_GAP;

/// Bytes that a packet of its own adds to a copy: IPv4 and UDP headers 28, first byte, connection id and
/// packet number 11, tag 16.
const PACKET_OVERHEAD: u64 = 55;

/// One message that no acknowledgement came for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Message {
    /// Of its frame in a packet.
    pub(super) frame_bytes: u32,
    /// When it left first, and when last.
    pub(super) born: Instant,
    pub(super) sent: Instant,
    /// 0 for the first transmission.
    pub(super) round: u32,
    /// Copies that this round still has to send.
    pub(super) owed: u8,
    /// Packets with it that were neither acknowledged nor lost.
    pub(super) in_flight: u32,
    /// Time between this packet and the next of this round.
    pub(super) gap: Duration,
    /// When the next copy leaves, if one is owed.
    pub(super) copy_at: Instant,
    /// When the next round starts.
    pub(super) deadline: Instant,
}

impl Message {
    /// When something has to be sent.
    pub(super) fn wake(&self) -> Instant {
        if self.owes_copy() { self.copy_at } else { self.deadline }
    }

    /// Whether a copy comes before the next round.
    pub(super) fn owes_copy(&self) -> bool {
        self.owed > 0 && self.copy_at < self.deadline
    }

    /// What a copy makes on the wire.
    pub(super) fn wire_bytes(&self) -> u64 {
        u64::from(self.frame_bytes).saturating_add(PACKET_OVERHEAD)
    }

    /// It was its turn to begin the round `next`, and another one left instead.
    pub(super) const fn pass(&mut self, next: &Self) {
        (self.round, self.deadline, self.owed) = (next.round, next.deadline, 0);
    }

    /// One more packet with it left at `now`.
    pub(super) fn on_copy_sent(&mut self, now: Instant) {
        self.owed = self.owed.saturating_sub(1);
        self.sent = now;
        self.in_flight = self.in_flight.saturating_add(1);
        // It takes one packet behind the burst, and not many within it.
        if self.gap > LEAST_GAP {
            self.gap = self.gap.saturating_mul(2);
        }
        self.copy_at = later(now, self.gap);
    }
}

/// `at + by`, or `at` where the clock ends.
pub(super) fn later(at: Instant, by: Duration) -> Instant {
    at.checked_add(by).unwrap_or(at)
}
