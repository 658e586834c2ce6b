//! The probe timeout: asking when nothing is heard (RFC 9002 §6.2).

use std::time::{Duration, Instant};

use super::Spaces;
use crate::transport::udp::proto::{Side, Space, rtt::RttEstimator};

/// The longest probe timeout, unless a round trip takes longer: people who come out of a tunnel do not
/// wait for a backoff.
const MAX_PTO: Duration = Duration::from_secs(3);

/// Timeouts before the backoff starts to double: a single loss on a bad link says nothing about load.
const LINEAR_ROUNDS: u32 = 2;

/// Doublings that reach [`MAX_PTO`] from any round trip.
const MAX_DOUBLINGS: u32 = 16;

/// What the other side is assumed to wait until it has said so (RFC 9000 §18.2).
const DEFAULT_MAX_ACK_DELAY: Duration = Duration::from_millis(25);

/// Jitter in thousandths to either side, so that connections that broke together do not probe together.
const JITTER: u32 = 100;

/// When to probe.
#[derive(Debug)]
pub(super) struct ProbeTimer {
    /// Whether the handshake is confirmed.
    pub(super) confirmed: bool,
    /// Whether the other side knows that our address is ours.
    pub(super) peer_completed_address_validation: bool,
    count: u32,
    max_ack_delay: Duration,
    /// When something was last sent that elicits an acknowledgement, or acknowledged.
    activity: Option<Instant>,
    /// When the timeout last expired, since it was last reset.
    expired: Option<Instant>,
    seed: u64,
    /// By what the timeout is multiplied, in thousandths.
    jitter: u32,
}

impl ProbeTimer {
    /// An acceptor is taken to be known: a dialer proves its own address, not the other's
    /// (RFC 9002 §A.6).
    pub(super) fn new(side: Side, seed: u64) -> Self {
        let mut timer = Self {
            confirmed: false,
            peer_completed_address_validation: side == Side::Acceptor,
            count: 0,
            max_ack_delay: DEFAULT_MAX_ACK_DELAY,
            activity: None,
            expired: None,
            seed,
            jitter: 0,
        };
        timer.draw_jitter();
        timer
    }

    /// Timeouts since the last reset.
    pub(super) fn count(&self) -> u32 {
        self.count
    }

    /// Whether the timeouts do not grow yet.
    pub(super) fn is_linear(&self) -> bool {
        self.count <= LINEAR_ROUNDS
    }

    /// Notes what the other side promised to wait at most.
    pub(super) fn set_max_ack_delay(&mut self, max_ack_delay: Duration) {
        self.max_ack_delay = max_ack_delay;
    }

    /// The longest delay that the other side may claim: until the handshake is confirmed it may have
    /// waited for keys (RFC 9002 §5.3).
    pub(super) fn believed_delay(&self, max_ack_delay: Duration) -> Duration {
        if self.confirmed { max_ack_delay } else { Duration::MAX }
    }

    /// Notes that something was sent or acknowledged at `now`.
    pub(super) fn on_activity(&mut self, now: Instant) {
        self.activity = Some(now);
    }

    /// Notes that the timeout expired at `now`: the next one is longer and counts from there, even if
    /// no probe could be sent.
    pub(super) fn on_expired(&mut self, now: Instant) {
        self.count = self.count.saturating_add(1);
        self.expired = Some(now);
        self.draw_jitter();
    }

    /// Ends the backoff: the other side is there.
    pub(super) fn reset(&mut self) {
        if self.count > 0 {
            self.draw_jitter();
        }
        self.count = 0;
        self.expired = None;
    }

    /// The timeout without backoff: `smoothed_rtt + max(4 * rttvar, kGranularity) + max_ack_delay`, the
    /// last only where acknowledgements may wait (RFC 9002 §6.2.1).
    pub(super) fn base(&self, space: Space, rtt: &RttEstimator) -> Duration {
        let delay = if space == Space::Data { self.max_ack_delay } else { Duration::ZERO };
        rtt.pto_base().saturating_add(delay)
    }

    /// When to probe, and in which space. Counts from the last packet that elicits an acknowledgement;
    /// a loss that becomes known earlier has its own timer, and so have small messages.
    pub(super) fn deadline(&self, spaces: &Spaces, rtt: &RttEstimator) -> Option<(Instant, Space)> {
        let in_flight = spaces
            .iter()
            .filter(|(space, state)| !state.sent().is_empty() && (*space != Space::Data || self.confirmed))
            .filter_map(|(space, state)| Some((self.after(state.last_eliciting()?, space, rtt)?, space)))
            .min();
        if in_flight.is_some() || self.peer_completed_address_validation {
            return in_flight;
        }
        let has_keys =
            spaces.initial.is_none() || spaces.handshake.as_ref().is_none_or(|space| space.next() > 0);
        let space = if has_keys { Space::Handshake } else { Space::Initial };
        Some((self.after(self.activity?, space, rtt)?, space))
    }

    fn after(&self, since: Instant, space: Space, rtt: &RttEstimator) -> Option<Instant> {
        let since = self.expired.map_or(since, |expired| expired.max(since));
        since.checked_add(self.period(space, rtt))
    }

    fn period(&self, space: Space, rtt: &RttEstimator) -> Duration {
        let doublings = (self.count + 1).saturating_sub(LINEAR_ROUNDS).min(MAX_DOUBLINGS);
        let longest = MAX_PTO.max(rtt.pto_base());
        let period = self.base(space, rtt).saturating_mul(1 << doublings).min(longest);
        // Where nothing grows yet a tenth less is before the acknowledgement, and every probe in vain.
        if doublings == 0 { period } else { period.saturating_mul(self.jitter) / 1000 }
    }

    fn draw_jitter(&mut self) {
        let drawn = splitmix64(&mut self.seed) % u64::from(2 * JITTER + 1);
        self.jitter = 1000 - JITTER + u32::try_from(drawn).unwrap_or(JITTER);
    }
}

/// The next number of a sequence that looks random (Steele, Lea and Flood, "Fast splittable pseudorandom
/// number generators", 2014).
fn splitmix64(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut mixed = *state;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}
