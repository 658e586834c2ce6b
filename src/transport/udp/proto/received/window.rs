//! Which packets were seen, so that none is taken twice (RFC 9000 §12.3, RFC 4303 §3.4.3).

use super::PacketNumber;

/// How many numbers back packets are told apart: at 1.6 Gbit/s a millisecond of reordering is about 130
/// packets. Older ones count as seen.
pub(super) const REPLAY_WINDOW: u64 = 4096;

const RECENT: u64 = u128::BITS as u64;
const WORDS: usize = 64;

/// The packet numbers seen among the last [`REPLAY_WINDOW`]. Allocates only once a number is missing
/// that is further back than 128.
#[derive(Debug)]
pub(super) struct ReplayWindow {
    /// One more than the largest number seen.
    next: PacketNumber,
    bits: Bits,
}

#[derive(Debug)]
enum Bits {
    /// The lowest bit is the largest number, and everything older than all bits was seen.
    Recent(u128),
    /// Number `n` is bit `n % 4096`.
    Wide { words: Box<[u64; WORDS]>, missing: u64 },
}

impl ReplayWindow {
    /// Nothing seen yet. Numbers before 0 count as seen, so that they do not look missing.
    pub(super) const fn new() -> Self {
        Self { next: 0, bits: Bits::Recent(u128::MAX) }
    }

    /// One more than the largest number seen.
    pub(super) const fn next(&self) -> PacketNumber {
        self.next
    }

    /// Whether `pn` was seen, or is too old to tell.
    pub(super) fn is_known(&self, pn: PacketNumber) -> bool {
        let Some(back) = self.next.checked_sub(1).and_then(|largest| largest.checked_sub(pn)) else {
            return false;
        };
        match &self.bits {
            Bits::Recent(bits) => back >= RECENT || bits >> back & 1 == 1,
            Bits::Wide { words, .. } => back >= REPLAY_WINDOW || is_set(words, pn),
        }
    }

    /// Notes `pn` as seen.
    pub(super) fn insert(&mut self, pn: PacketNumber) {
        if self.is_known(pn) {
            return;
        }
        if pn >= self.next {
            self.advance(pn);
        }
        match &mut self.bits {
            Bits::Recent(bits) => {
                *bits |= 1 << self.next.saturating_sub(pn.saturating_add(1)).min(RECENT - 1);
            }
            Bits::Wide { words, missing } => {
                set(words, pn);
                *missing = missing.saturating_sub(1);
                if *missing == 0 {
                    self.bits = Bits::Recent(u128::MAX);
                }
            }
        }
    }

    /// Moves on so that `pn` is the largest, everything passed over missing, itself too.
    fn advance(&mut self, pn: PacketNumber) {
        let by = (pn - self.next).saturating_add(1);
        if let Bits::Recent(bits) = &mut self.bits {
            let stays = u32::try_from(by).ok().filter(|by| bits.leading_ones() >= *by);
            match stays {
                Some(by) => *bits = bits.checked_shl(by).unwrap_or(0),
                None => self.bits = widen(*bits, self.next),
            }
        }
        if let Bits::Wide { words, missing } = &mut self.bits {
            for passed in pn.saturating_sub(REPLAY_WINDOW - 1).max(self.next)..=pn {
                *missing += u64::from(clear(words, passed));
            }
        }
        self.next = pn.saturating_add(1);
    }
}

/// The wide form of `recent`, of which the lowest bit is the number before `next`.
fn widen(recent: u128, next: PacketNumber) -> Bits {
    let mut words = Box::new([u64::MAX; WORDS]);
    let mut missing = 0;
    for back in (0..RECENT).filter(|back| recent >> back & 1 == 0) {
        missing += u64::from(clear(&mut words, next.wrapping_sub(1 + back)));
    }
    Bits::Wide { words, missing }
}

fn place(pn: PacketNumber) -> (usize, u64) {
    ((pn % REPLAY_WINDOW / 64) as usize, 1 << (pn % 64))
}

fn is_set(words: &[u64; WORDS], pn: PacketNumber) -> bool {
    let (word, bit) = place(pn);
    words.get(word).is_some_and(|word| word & bit != 0)
}

fn set(words: &mut [u64; WORDS], pn: PacketNumber) {
    let (word, bit) = place(pn);
    if let Some(word) = words.get_mut(word) {
        *word |= bit;
    }
}

/// Clears the bit and returns whether it was set.
fn clear(words: &mut [u64; WORDS], pn: PacketNumber) -> bool {
    let (word, bit) = place(pn);
    words.get_mut(word).is_some_and(|word| {
        let was_set = *word & bit != 0;
        *word &= !bit;
        was_set
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::{collection::vec, prelude::*};

    use super::*;

    #[test]
    fn is_a_window_without_gaps_small() {
        let mut window = ReplayWindow::new();
        (0..100_000).for_each(|pn| window.insert(pn));
        assert!(matches!(window.bits, Bits::Recent(_)));
        assert!((0..100_000).all(|pn| window.is_known(pn)));
        assert!(!window.is_known(100_000));
    }

    #[test]
    fn does_a_window_widen_only_for_what_stays_missing() {
        let mut window = ReplayWindow::new();
        (0..=128).filter(|&pn| pn != 1).for_each(|pn| window.insert(pn));
        assert!(matches!(window.bits, Bits::Recent(_)));
        window.insert(129);
        assert!(matches!(window.bits, Bits::Wide { missing: 1, .. }));
        assert!(!window.is_known(1));
        window.insert(1);
        assert!(matches!(window.bits, Bits::Recent(_)));
        assert!(window.is_known(1));
    }

    #[test]
    fn does_a_leap_to_the_last_number_do_no_harm() {
        let mut window = ReplayWindow::new();
        window.insert(u64::MAX - 1);
        assert!(window.is_known(0) && window.is_known(u64::MAX - 1) && !window.is_known(u64::MAX - 2));
        window.insert(u64::MAX);
        window.insert(u64::MAX);
        assert_eq!(window.next(), u64::MAX);
    }

    proptest! {
        #[test]
        fn is_every_number_taken_once(
            steps in vec(prop_oneof![20 => -300_i64..=3, 60 => 1_i64..=1, 1 => 0_i64..9000], 1..600)
        ) {
            let (mut window, mut seen) = (ReplayWindow::new(), BTreeSet::new());
            for step in steps {
                let pn = window.next().saturating_add_signed(step);
                let known = pn < window.next().saturating_sub(REPLAY_WINDOW) || seen.contains(&pn);
                prop_assert_eq!(window.is_known(pn), known, "{}", pn);
                window.insert(pn);
                seen.insert(pn);
                prop_assert_eq!(window.next(), seen.last().unwrap() + 1);
            }
            if let Bits::Wide { missing, .. } = window.bits {
                let from = window.next().saturating_sub(REPLAY_WINDOW);
                let absent = (from..window.next()).filter(|pn| !seen.contains(pn)).count();
                prop_assert_eq!(missing, absent as u64);
            }
        }
    }
}
