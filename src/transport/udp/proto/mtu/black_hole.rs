//! Tells a path that swallows large packets from one that loses some of all.

use std::time::Instant;

use smallvec::SmallVec;

use super::BASE_MTU;

/// Suspicious bursts of losses that make a black hole.
const BLACK_HOLE_BURSTS: usize = 3;

/// Bytes by which packets differ that are as large as the path takes.
pub(super) const ALIKE: u16 = 8;

/// Losses that look as if only large packets were affected. Ordinary loss takes small ones too, and lets
/// large ones pass.
#[derive(Debug, Default)]
pub(super) struct LossBursts {
    /// The smallest packet of each suspicious burst that ended.
    suspicious: SmallVec<[u16; BLACK_HOLE_BURSTS]>,
    /// The burst under way.
    burst: Option<Burst>,
    /// Large packets lost since one as large passed.
    packets: usize,
    /// When the newest of the largest packets was sent that passed.
    passed: Option<Instant>,
}

/// Packets lost at one instant.
#[derive(Clone, Copy, Debug)]
struct Burst {
    at: Instant,
    /// The smallest of them; [`BASE_MTU`] also once as large a packet passed.
    smallest: u16,
}

impl Burst {
    fn is_suspicious(self) -> bool {
        self.smallest > BASE_MTU
    }
}

impl LossBursts {
    /// Whether one of the largest packets sent at `since` or later passed.
    pub(super) fn has_passed_since(&self, since: Instant) -> bool {
        self.passed.is_some_and(|passed| passed >= since)
    }

    /// A packet of `size` sent at `sent` passed, one of the largest or not, so it was no black hole that
    /// swallowed any of up to that size.
    pub(super) fn on_acked(&mut self, size: u16, sent: Instant, largest: bool) {
        if size <= BASE_MTU {
            return;
        }
        if largest {
            self.passed = self.passed.max(Some(sent));
        }
        // The last bytes of a packet are often too few for another piece.
        let size = size.saturating_add(ALIKE);
        self.suspicious.retain(|smallest| *smallest > size);
        self.packets = 0;
        if let Some(burst) = &mut self.burst
            && burst.smallest <= size
        {
            burst.smallest = BASE_MTU;
        }
    }

    /// `packets` were lost, none smaller than `size`; `true` when it was a black hole, for which `least` of them
    /// have to be lost with none as large passing.
    pub(super) fn on_lost(&mut self, size: u16, packets: usize, least: usize, now: Instant) -> bool {
        if size > BASE_MTU {
            self.packets = self.packets.saturating_add(packets);
        }
        let burst = match self.burst {
            Some(burst) if burst.at == now => Burst { smallest: burst.smallest.min(size), ..burst },
            ended => {
                self.suspicious
                    .extend(ended.filter(|burst| burst.is_suspicious()).map(|burst| burst.smallest));
                Burst { at: now, smallest: size }
            }
        };
        self.burst = Some(burst);
        let bursts = self.suspicious.len() + usize::from(burst.is_suspicious());
        bursts >= BLACK_HOLE_BURSTS && self.packets >= least
    }
}
