//! How much the path loses on the way there, and for how long at a stretch.

use std::{collections::VecDeque, time::Duration, time::Instant};

use super::{super::PacketNumber, memory::Memory};

/// Packets looked at. At 10 % loss the estimate then has a standard error of 2 %.
const WINDOW: usize = 256;

/// Age at which an outcome says nothing about the path any more.
const MAX_AGE: Duration = Duration::from_secs(30);

/// Packets assumed to have gone well before the first: an empty window must not look like a bad path.
const PRIOR: f64 = 50.0;

/// Standard deviations above the mean: the upper end of a one-sided 80 % confidence interval.
const Z_80: f64 = 0.84;

/// Losses further apart than this are two bursts. Copies are never spaced wider, so what lies between
/// says nothing for them; the losses of two chat lines would count as one burst otherwise.
const MAX_BURST_GAP: Duration = Duration::from_millis(40);

/// Packets no further apart than this follow each other closely.
const CLOSE: Duration = Duration::from_millis(3);

/// Packets after which this connection knows itself what another one said of its path.
const BELIEF: u32 = 512;

/// Below this much loss copies are not worth their bytes.
pub(super) const MIN_LOSS: f64 = 0.008;

/// The share of packets lost of late, from the gaps in what the peer acknowledges.
///
/// Every packet number counts, also those whose content arrived through another copy: an estimate fed
/// only by what had to be sent again goes to zero as soon as copies work, and switches them off.
#[derive(Debug, Default)]
pub(crate) struct LossEstimate {
    /// Ascending by packet number, at most [`WINDOW`].
    outcomes: VecDeque<Outcome>,
    lost: usize,
    memory: Memory,
    /// What others lost on the same path.
    expected: Option<Hearsay>,
    /// Packets whose fate is known.
    seen: u32,
}

#[derive(Clone, Copy, Debug)]
struct Outcome {
    pn: PacketNumber,
    sent: Instant,
    lost: bool,
}

impl LossEstimate {
    /// Packet `pn`, sent at `sent`, arrived.
    pub(crate) fn on_acked(&mut self, pn: PacketNumber, sent: Instant) {
        self.record(Outcome { pn, sent, lost: false });
    }

    /// Packet `pn`, sent at `sent`, did not arrive.
    pub(crate) fn on_lost(&mut self, pn: PacketNumber, sent: Instant) {
        self.record(Outcome { pn, sent, lost: true });
    }

    /// Packet `pn` arrived after all.
    pub(crate) fn on_spurious(&mut self, pn: PacketNumber) {
        let at = self.position(pn);
        let Some(known) = self.outcomes.get_mut(at).filter(|known| known.pn == pn && known.lost) else {
            return;
        };
        known.lost = false;
        self.lost = self.lost.saturating_sub(1);
        self.memory.forgive();
    }

    /// Forgets what was sent more than 30 s before `now`. To be called before the estimate is read.
    pub(crate) fn age(&mut self, now: Instant) {
        while self.outcomes.front().is_some_and(|old| now.saturating_duration_since(old.sent) > MAX_AGE) {
            self.forget_oldest();
        }
        if self.outcomes.is_empty() {
            self.memory = Memory::default();
        }
    }

    /// What others may expect of the path, once it is known to lose packets.
    pub(crate) fn told(&self) -> Option<Hearsay> {
        let Memory { close, .. } = &self.memory;
        self.memory.is_surely_lossy().then(|| Hearsay {
            burst: self.memory.has_seen_ends().then(|| self.memory.burst()),
            // Too few that were all lost by chance must not keep others, and itself, from trying more.
            q_close: close.is_known().then(|| close.share(0.0)),
            share: self.memory.share(),
        })
    }

    /// Somebody else saw losses on the same path: worth one copy until this one had time to see them too. No
    /// more, or many people on one narrow link would all begin with copies at once.
    pub(crate) fn expect(&mut self, hearsay: Hearsay) {
        self.expected = Some(hearsay);
    }

    fn is_hearsay(&self) -> bool {
        self.expected.is_some() && self.seen < BELIEF && self.lost == 0 && !self.memory.is_lossy()
    }

    /// The upper 80 % bound of the share of packets lost, between 0 and 1.
    ///
    /// `m = (lost + 1) / (N + 50)`, `p = m + 0.84 sqrt(m (1 - m) / (N + 50))`: Laplace's rule of
    /// succession with a prior of 50 packets, plus the normal approximation of the binomial bound. The
    /// bound, not the mean: one copy too many costs bytes, one too few costs a round trip. A full window
    /// without loss gives 0.6 %.
    ///
    /// Where the path is known to lose less than one packet in fifty the prior is what is known; and where
    /// it is known to lose packets at all it is worth two copies, even if none of the window was lost.
    pub(crate) fn p_hat(&self) -> f64 {
        if self.is_hearsay() {
            let share = self.expected.and_then(|hearsay| hearsay.share);
            return share.unwrap_or_default().max(MIN_LOSS);
        }
        let samples = self.outcomes.len() as f64 + PRIOR;
        let prior = self.memory.share().map_or(1.0, |share| (PRIOR * share).min(1.0));
        let mean = (self.lost as f64 + prior) / samples;
        let spread = (mean * (1.0 - mean).max(0.0) / samples).sqrt();
        let least = if self.memory.is_lossy() { MIN_LOSS } else { 0.0 };
        (mean + Z_80 * spread).clamp(least, 1.0)
    }

    /// Whether the path loses packets: one of the window, or one in 333 for long.
    pub(crate) fn has_loss(&self) -> bool {
        self.lost > 0 || self.memory.is_lossy() || self.is_hearsay()
    }

    /// What the schedule has to know of it.
    pub(crate) fn view(&self) -> LossView {
        let p_hat = self.p_hat();
        let q = self.memory.soon.share(p_hat);
        let (has_loss, burst) = (self.has_loss(), self.burst());
        let expected = self.expected.and_then(|hearsay| hearsay.q_close);
        let q_close = self.memory.close.share(expected.unwrap_or(q));
        LossView { p_hat, has_loss, is_hearsay: self.is_hearsay(), burst, q, q_close }
    }

    /// What others saw counts until it was seen how some losses end.
    fn burst(&self) -> Duration {
        let expected = self.expected.and_then(|hearsay| hearsay.burst);
        let expected = expected.filter(|_| !self.memory.has_seen_ends());
        self.memory.burst().max(expected.unwrap_or_default())
    }

    fn record(&mut self, outcome: Outcome) {
        let at = self.position(outcome.pn);
        let known = self.outcomes.get(at).is_some_and(|known| known.pn == outcome.pn);
        let too_old = at == 0 && self.outcomes.len() >= WINDOW;
        if known || too_old {
            return;
        }
        self.outcomes.insert(at, outcome);
        self.lost += usize::from(outcome.lost);
        self.memory.note(outcome.sent, outcome.lost);
        self.seen = self.seen.saturating_add(1);
        self.note_pair(at.wrapping_sub(1), at);
        self.note_pair(at, at.saturating_add(1));
        if self.outcomes.len() > WINDOW {
            self.forget_oldest();
        }
        self.age(outcome.sent);
    }

    /// Learns from a packet behind a lost one.
    fn note_pair(&mut self, first: usize, second: usize) {
        let (Some(first), Some(second)) = (self.outcomes.get(first), self.outcomes.get(second)) else {
            return;
        };
        let gap = second.sent.saturating_duration_since(first.sent);
        if first.lost && gap <= MAX_BURST_GAP {
            self.memory.soon.note(gap, second.lost);
        }
        if first.lost && gap <= CLOSE {
            self.memory.close.note(gap, second.lost);
        }
    }

    fn forget_oldest(&mut self) {
        let lost = self.outcomes.pop_front().is_some_and(|old| old.lost);
        self.lost = self.lost.saturating_sub(usize::from(lost));
    }

    /// Where `pn` is, or belongs.
    fn position(&self, pn: PacketNumber) -> usize {
        self.outcomes.partition_point(|known| known.pn < pn)
    }
}

/// What one connection can tell another of the losses of a path.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Hearsay {
    /// See [`LossView::burst`].
    pub burst: Option<Duration>,
    /// See [`LossView::q_close`].
    pub q_close: Option<f64>,
    /// The share of packets lost.
    pub share: Option<f64>,
}

impl Hearsay {
    /// What is known with `other`, which is later.
    pub(crate) fn with(self, other: Self) -> Self {
        Self {
            burst: other.burst.or(self.burst),
            q_close: other.q_close.or(self.q_close),
            share: other.share.or(self.share),
        }
    }
}

/// An estimate at one moment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LossView {
    /// See [`LossEstimate::p_hat`].
    pub p_hat: f64,
    /// See [`LossEstimate::has_loss`].
    pub has_loss: bool,
    /// Whether others saw it and not this connection.
    pub is_hearsay: bool,
    /// See [`Memory::burst`].
    pub burst: Duration,
    /// How likely it is that the packet behind a lost one is lost too, when it follows soon.
    pub q: f64,
    /// The same when it follows closely.
    pub q_close: f64,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transport::udp::proto::thin::model::{Chance, start};

    fn at(millis: u64) -> Instant {
        start() + Duration::from_millis(millis)
    }

    #[test]
    fn is_what_others_lost_believed_until_this_one_knows_itself() {
        let start = start();
        let mut estimate = LossEstimate::default();
        let burst = Duration::from_millis(20);
        estimate.expect(Hearsay { burst: Some(burst), q_close: Some(0.9), share: Some(0.1) });
        let LossView { p_hat, has_loss, burst: expected, q_close, .. } = estimate.view();
        assert_eq!((p_hat, has_loss, expected, q_close), (0.1, true, burst, 0.9));
        assert_eq!(estimate.told(), None, "hearsay is not passed on");
        for pn in 0..u64::from(BELIEF) {
            assert!(estimate.has_loss(), "{pn}");
            estimate.on_acked(pn, start + Duration::from_millis(20 * pn));
        }
        assert!(!estimate.has_loss() && estimate.p_hat() < MIN_LOSS);
    }

    #[test]
    fn clean_path_stays_below_the_threshold_for_copies() {
        let mut estimate = LossEstimate::default();
        (0..256).for_each(|pn| estimate.on_acked(pn, at(pn)));
        assert!((estimate.p_hat() - 0.006).abs() < 0.0005, "{}", estimate.p_hat());
        assert!(!estimate.has_loss());
    }

    #[test]
    fn bound_is_a_little_above_the_loss() {
        let mut estimate = LossEstimate::default();
        for pn in 0..256 {
            if pn % 10 == 0 {
                estimate.on_lost(pn, at(pn));
            } else {
                estimate.on_acked(pn, at(pn));
            }
        }
        assert!((0.09..0.13).contains(&estimate.p_hat()), "{}", estimate.p_hat());
    }

    #[test]
    fn each_number_counts_once_in_any_order() {
        let mut estimate = LossEstimate::default();
        for pn in [5, 3, 4, 5, 3] {
            estimate.on_lost(pn, at(pn));
        }
        assert_eq!((estimate.outcomes.len(), estimate.lost), (3, 3));
        estimate.on_spurious(4);
        estimate.on_spurious(4);
        estimate.on_spurious(77);
        assert_eq!(estimate.lost, 2);
    }

    #[test]
    fn window_and_age_bound_what_is_kept() {
        let mut estimate = LossEstimate::default();
        (1000..2000).for_each(|pn| estimate.on_lost(pn, at(pn)));
        estimate.on_acked(0, at(0));
        assert_eq!((estimate.outcomes.len(), estimate.lost), (WINDOW, WINDOW));
        assert!(estimate.p_hat() <= 1.0);
        estimate.age(at(1900 + 30_000));
        assert_eq!(estimate.outcomes.len(), 100);
        estimate.age(at(2000 + 30_000));
        assert!(!estimate.has_loss());
    }

    #[test]
    fn burst_is_measured() {
        let mut estimate = LossEstimate::default();
        for pn in 0..200 {
            // Every 100 ms five losses in a row, 5 ms apart.
            if pn % 20 < 5 {
                estimate.on_lost(pn, at(pn * 5));
            } else {
                estimate.on_acked(pn, at(pn * 5));
            }
        }
        let burst = estimate.view().burst.as_millis();
        assert!((15..=25).contains(&burst), "{burst}");
    }

    #[test]
    fn independent_loss_is_no_burst() {
        let mut chance = Chance::new(7);
        let mut estimate = LossEstimate::default();
        let mut longest = Duration::ZERO;
        for pn in 0..20_000 {
            if chance.hits(0.3) {
                estimate.on_lost(pn, at(pn * 5));
            } else {
                estimate.on_acked(pn, at(pn * 5));
            }
            longest = longest.max(if pn < 100 { Duration::ZERO } else { estimate.view().burst });
        }
        assert!(longest < Duration::from_millis(3), "{longest:?}");
    }

    #[test]
    fn packets_behind_a_lost_one_are_known_to_be_lost_as_often_as_they_are() {
        let after = |apart: u64| {
            let mut estimate = LossEstimate::default();
            for pn in 0..2000 {
                // Three of twenty in a row.
                if pn % 20 < 3 {
                    estimate.on_lost(pn, at(pn * apart));
                } else {
                    estimate.on_acked(pn, at(pn * apart));
                }
            }
            let LossView { q, q_close, .. } = estimate.view();
            (q, q_close)
        };
        for (q, q_close) in [after(5), after(2)] {
            assert!((0.65..0.68).contains(&q) && (0.65..0.68).contains(&q_close), "{q} {q_close}");
        }
    }

    #[test]
    fn losses_of_different_messages_are_no_burst() {
        let mut estimate = LossEstimate::default();
        (0..50).for_each(|pn| estimate.on_lost(pn, at(pn * 500)));
        assert_eq!(estimate.view().burst, Duration::ZERO);
    }
}
