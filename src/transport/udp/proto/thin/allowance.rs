//! How much chat may have in flight whatever the congestion window says.

/// What may be in flight before anything is known of a path (RFC 6928 §2).
pub(crate) const INITIAL: u64 = 14_600;

/// The most. A path on which chat alone fills more of it than a window of bulk has no random loss.
const MOST: u64 = 65_536;

/// How much of it must have been in use to let it grow: the rest is for what comes all at once.
const USED_PARTS: u64 = 4;

/// A window that loss does not shrink.
///
/// A loss-based window is no measure of a path with random loss: at 30 % CUBIC is at its minimum of two
/// packets, and a chat of 50 lines a second with its copies needs ten kilobytes in flight where a round trip
/// takes 200 ms. What shrinks this one instead is a queue, the brake of the copies: chat is small beside
/// any path on which it would not show as delay (15 ms of queue are two packets at 256 kbit/s). It grows
/// by what is acknowledged, as in slow start, but only while it is used (RFC 9002 §7.8).
#[derive(Debug)]
pub(super) struct Allowance {
    bytes: u64,
}

impl Allowance {
    pub(super) const fn new() -> Self {
        Self { bytes: INITIAL }
    }

    pub(super) const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// A packet of `bytes` arrived, of `in_flight` bytes.
    pub(super) fn on_acked(&mut self, bytes: u64, in_flight: u64) {
        if in_flight.saturating_mul(USED_PARTS) >= self.bytes {
            self.bytes = self.bytes.saturating_add(bytes).min(MOST);
        }
    }

    /// A queue built up.
    pub(super) const fn on_congestion(&mut self) {
        self.bytes = INITIAL;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn does_it_grow_while_it_is_used_and_no_further() {
        let mut allowance = Allowance::new();
        (0..1000).for_each(|_| allowance.on_acked(261, INITIAL / USED_PARTS - 1));
        assert_eq!(allowance.bytes(), INITIAL);
        (0..1000).for_each(|_| allowance.on_acked(261, 10_000));
        assert!((40_000..=40_261).contains(&allowance.bytes()), "{}", allowance.bytes());
        (0..1000).for_each(|_| allowance.on_acked(u64::MAX, u64::MAX));
        assert_eq!(allowance.bytes(), MOST);
        allowance.on_congestion();
        assert_eq!(allowance.bytes(), INITIAL);
    }
}
