//! How late a packet may be: the reordering window, learned from losses that were none (RFC 8985 §6.2).

use std::time::Duration;

use crate::transport::udp::proto::{
    PacketNumber,
    rtt::{GRANULARITY, RttEstimator},
};

/// Round trips without a loss after which the window shrinks again (RFC 8985 §6.2, step 4, counts
/// recoveries).
const PERSIST_ROUNDS: u8 = 16;

/// When packets that were overtaken count as lost.
#[derive(Debug, Default)]
pub(super) struct Rack {
    reordering_seen: bool,
    /// What the window grew to, zero if it never did.
    learned: Duration,
    clean_rounds: u8,
    /// A round trip is over when this number is acknowledged.
    round_end: PacketNumber,
    grew_this_round: bool,
    lost_this_round: bool,
}

impl Rack {
    /// The window: an eighth of the least round trip, as RFC 9002 §6.1.2 has it, or what was learned,
    /// but not so much that a probe timeout would pass first.
    pub(super) fn reo_wnd(&self, rtt: &RttEstimator) -> Duration {
        self.learned.min(rtt.pto_base()).max(rtt.min() / 8).max(GRANULARITY)
    }

    /// How long after it was sent an overtaken packet is lost.
    pub(super) fn loss_delay(&self, rtt: &RttEstimator) -> Duration {
        rtt.smoothed().max(rtt.latest()).saturating_add(self.reo_wnd(rtt))
    }

    /// Whether being overtaken by three packets is a loss at once: as long as the path keeps the order.
    pub(super) fn counts_packets(&self) -> bool {
        !self.reordering_seen
    }

    /// Whether packets have lately come later than what overtook them by more than the window allowed.
    pub(super) fn has_reordering(&self) -> bool {
        self.learned >= GRANULARITY
    }

    /// Notes that packets overtook each other.
    pub(super) fn on_reordering(&mut self) {
        self.reordering_seen = true;
    }

    /// Notes that a packet declared lost was acknowledged `late` after it was sent. The window grows so
    /// that it would have waited, with a quarter to spare, and by a quarter of a round trip at least,
    /// that once a round trip.
    pub(super) fn on_spurious(&mut self, late: Duration, rtt: &RttEstimator) {
        let lateness = late.saturating_sub(rtt.smoothed().max(rtt.latest()));
        let enough = lateness.saturating_mul(5) / 4;
        let step = if self.grew_this_round { Duration::ZERO } else { rtt.min() / 4 };
        self.learned = self.reo_wnd(rtt).saturating_add(step).max(enough).min(rtt.pto_base());
        self.grew_this_round = true;
        self.lost_this_round = true;
    }

    /// Notes that packets were declared lost.
    pub(super) fn on_loss(&mut self) {
        self.lost_this_round = true;
    }

    /// Notes the largest number acknowledged; `next` is the next one to be sent.
    pub(super) fn on_largest_acked(&mut self, largest: PacketNumber, next: PacketNumber) {
        if largest < self.round_end {
            return;
        }
        self.round_end = next;
        self.grew_this_round = false;
        let is_clean = !std::mem::take(&mut self.lost_this_round);
        self.clean_rounds = if is_clean { self.clean_rounds.saturating_add(1) } else { 0 };
        if self.clean_rounds >= PERSIST_ROUNDS {
            self.clean_rounds = 0;
            self.learned /= 2;
        }
    }
}
