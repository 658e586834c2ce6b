//! When the copies and rounds of one small message leave, and how many.

use std::time::{Duration, Instant};

use super::{super::rtt::Mean, LossView, estimate::MIN_LOSS};

/// The share of messages that may need a second round.
const EPSILON: f64 = 1e-3;

/// How often a message is sent of which only others know that the path loses packets.
const HEARSAY_COPIES: u8 = 2;

/// Messages that wait for an acknowledgement and are few.
const MANY: f64 = 2.0;

/// Messages that wait for an acknowledgement and are so many that each late one makes a crowd late. A person on
/// a line that others share has never so many.
const CROWD: usize = 16;

/// The least and most time between two copies. At the least a message that needs its second copy is 5 ms late,
/// although timers fire at whole milliseconds.
pub(super) const LEAST_GAP: Duration = Duration::from_micros(4500);
const MOST_GAP: Duration = Duration::from_millis(40);

/// Time between the copies of a late message in a burst of packets.
const CLOSE_GAP: Duration = Duration::from_micros(2500);

/// Loss that is heavy, how much more often than any packet the one behind a lost one is lost where each is lost by
/// itself, and time between copies there.
const HEAVY: f64 = 0.2;
const INDEPENDENT: f64 = 1.25;
const HEAVY_GAP: Duration = Duration::from_millis(1);

/// The chance that a packet behind a lost one is lost too from which on losses come in bursts.
const BURSTY: f64 = 0.4;

/// The same for one that follows closely, from which on it is no use to send one.
const STUCK: f64 = 0.8;

/// The share of the rounds after the first that may fail in a burst of packets.
const BURST_EPSILON: f64 = 0.1;

/// By what a late message may exceed the copies of an early one, in a burst: there are few of those.
const BURST_COPIES: u8 = 2;

/// The share of messages for which a round may be begun in vain.
const IN_VAIN: f64 = 0.15;

/// What no timer is better than (RFC 9002 §6.1.2, `kGranularity`).
const GRANULARITY: Duration = Duration::from_millis(1);

/// Rounds after the first transmission that do not back off. Exponential backoff from the first is what
/// makes the 99.9th percentile explode: 30 % loss takes every third of these.
pub(super) const LINEAR_ROUNDS: u32 = 3;

/// The same where a round takes [`SLOW`]: that is no load, and who sails out of a shadow after some seconds does
/// not wait for another.
const SLOW_LINEAR_ROUNDS: u32 = 6;
const SLOW: Duration = Duration::from_millis(500);

/// The longest that a round is waited for, unless the path itself is slower.
const MAX_WAIT: Duration = Duration::from_secs(3);

/// A bound on the path's own share of the wait, against senseless estimates.
const MAX_TIMEOUT: Duration = Duration::from_secs(60);

/// How much longer than the last few a round trip is at least allowed to take.
const MIN_SPREAD: Duration = Duration::from_millis(25);

/// What the path is like. The connection fills it in for every call.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Conditions {
    /// The smoothed round-trip time (RFC 9002 §5.3).
    pub srtt: Duration,
    /// The same and its deviation, of packets whose own acknowledgement arrived.
    pub prompt: Mean,
    /// By how much the round trips of packets differ that left together; `None` while unknown.
    pub jitter: Option<Duration>,
    /// What the last two round trips both took at least.
    pub lately: Duration,
    /// The smoothed round-trip time once it is made of some samples.
    pub settled: Option<Duration>,
    /// What none of the last few round trips took more than; zero before the first.
    pub most_lately: Duration,
    /// The least round-trip time of late.
    pub min_rtt: Duration,
    /// How much later than its successors a packet may come without counting as lost (RFC 8985 §6.2).
    pub reo_wnd: Duration,
    /// The loss of late, [aged](super::LossEstimate::age) to the time of the call.
    pub p: LossView,
    /// Bytes per second that the path carries. `None` while unknown, which includes a connection that
    /// never had enough to say to find out.
    pub bandwidth: Option<u64>,
    /// When the peer last reported a CE mark.
    pub marked: Option<Instant>,
}

impl Conditions {
    /// How often a message is sent in a round: the least `c` with `p_hat^c <= 0.001`, at most `max_copies`.
    /// Less than that thousandth where more than [`MANY`] are `waiting`: one that is late holds them up. Where a
    /// [`CROWD`] is, a thousandth of all of them together.
    ///
    /// `round` counts from 0, `unanswered` the packets with the message whose fate is unknown. Once
    /// without loss worth mentioning; a repeated round has two at least, and from the second on one more.
    /// But only once when so much silence is not loss as it was: when `p2 q2^(unanswered - 1) < 0.001`, where
    /// `p2 = 1 - (1 - p_hat)^2` and `q2` count lost acknowledgements as well. Then the path died or a queue built
    /// up faster than the RTT estimate learns, and copies would keep that queue full. A round that backs
    /// off has one for the same reason (RFC 8085 §3.1.1: about one datagram per round trip).
    ///
    /// Where losses come in bursts of so many packets, however long they take, each copy only divides by
    /// `1 / q` the chance that the message is lost, and at first the many messages that need none would pay
    /// for each. A message that is late gets as many as it takes to see nine bursts of ten end.
    pub(super) fn target(&self, round: u32, unanswered: u32, waiting: usize, max_copies: u8) -> u8 {
        let p = self.p.p_hat;
        if self.is_silence_unexplained(unanswered) || round > self.linear_rounds() {
            return 1;
        }
        let believed = HEARSAY_COPIES + u8::from(waiting > CROWD);
        let max_copies = if self.p.is_hearsay { max_copies.min(believed) } else { max_copies }.max(1);
        let few = if waiting > CROWD { 1.0 } else { MANY };
        let epsilon = EPSILON / (waiting as f64 / few).max(1.0);
        let needed = if self.p.has_loss && p >= MIN_LOSS { (epsilon.ln() / p.ln()).ceil() } else { 1.0 };
        let needed = needed.clamp(1.0, f64::from(max_copies)) as u8;
        let copies = match round {
            0 => needed,
            1 => needed.max(2),
            _ => needed.max(2).saturating_add(1),
        };
        if round == 0 || !self.counts_packets() {
            return copies;
        }
        let many = 1.0 + (BURST_EPSILON.ln() / self.p.q_close.ln()).ceil();
        copies.max((many as u8).min(max_copies.saturating_mul(BURST_COPIES)))
    }

    fn is_silence_unexplained(&self, unanswered: u32) -> bool {
        let either = |p: f64| 1.0 - (1.0 - p).powi(2);
        let (p, q) = (either(self.p.p_hat), either(self.p.q.max(self.p.p_hat)));
        let further = i32::try_from(unanswered.saturating_sub(1)).unwrap_or(i32::MAX);
        unanswered > 0 && p * q.powi(further) < EPSILON
    }

    /// Whether a burst of losses is over after so many packets rather than after some time: as with the chain
    /// of Gilbert that moves with each packet, which is what netem does. Believed of every burst until
    /// packets that follow a lost one closely are seen to be lost nearly always.
    fn counts_packets(&self) -> bool {
        let LossView { p_hat, q, q_close, has_loss, .. } = self.p;
        has_loss && q >= BURSTY && q > 2.0 * p_hat && q_close < STUCK
    }

    /// Time between two copies: twice the mean burst, so that the next one falls into another burst or
    /// none, but at most a quarter of a round trip and 40 ms. Where more packets end a burst, and not
    /// time, the copies of later rounds follow each other closely.
    ///
    /// At least 4.5 ms otherwise, even where that is longer than a round trip: there the deadline comes first. But
    /// 1 ms where so much is lost that the copy decides when half of the messages arrive, and what follows
    /// closely is not lost more often than the rest.
    pub(super) fn gap(&self, round: u32) -> Duration {
        if round > 0 && self.counts_packets() {
            return CLOSE_GAP;
        }
        if self.p.p_hat >= HEAVY && self.p.q_close <= INDEPENDENT * self.p.p_hat {
            return HEAVY_GAP;
        }
        self.p.burst.saturating_mul(2).min(self.srtt / 4).min(MOST_GAP).max(LEAST_GAP)
    }

    /// The time after the first packet of `round` until the next round: `srtt + max(4 rttvar, reo_wnd, 1 ms)`,
    /// from round 3 on 1.5 times the wait before, up to 3 s. `chance` shifts a growing one by up to
    /// +-10 %, so that peers that fell silent together do not speak up together; a linear one is exact,
    /// since 10 % earlier is always before the acknowledgement.
    ///
    /// Counted from the *first* packet of a round of `copies`, plus a gap or two; see
    /// [`Self::patience`].
    pub(super) fn wait(&self, round: u32, copies: u8, gap: Duration, chance: u64) -> Duration {
        let timeout = self.timeout().saturating_add(self.patience(copies, gap));
        if round < self.linear_rounds() {
            return timeout;
        }
        let cap = timeout.max(MAX_WAIT);
        let mut wait = timeout;
        for _ in self.linear_rounds()..=round {
            if wait >= cap {
                break;
            }
            wait = wait.saturating_mul(3) / 2;
        }
        let tenths_of_percent = u32::try_from(chance % 201).unwrap_or_default() + 900;
        wait.min(cap).saturating_mul(tenths_of_percent) / 1000
    }

    /// Rounds after the first transmission that do not back off.
    pub(super) fn linear_rounds(&self) -> u32 {
        if self.timeout() < SLOW { LINEAR_ROUNDS } else { SLOW_LINEAR_ROUNDS }
    }

    /// How long the acknowledgement of one packet is waited for.
    pub(super) fn timeout(&self) -> Duration {
        let slack = self.prompt.var.saturating_mul(4).max(self.reordering()).max(GRANULARITY);
        self.prompt.smoothed.saturating_add(slack).min(self.soon_enough()).min(MAX_TIMEOUT)
    }

    /// What to wait at most after a queue has gone. A line a second takes the averages half a minute to
    /// forget one, and meanwhile every lost line would wait for the next to show that it was lost.
    fn soon_enough(&self) -> Duration {
        if self.most_lately.is_zero() {
            return MAX_TIMEOUT;
        }
        let spread = (self.most_lately / 2).max(MIN_SPREAD).max(self.reordering());
        self.most_lately.saturating_add(spread)
    }

    /// How long after its deadline the first packet of a round is given, for the acknowledgements of the
    /// later ones.
    ///
    /// Not at all, and at a loss `p` there and back the next round begins in vain whenever the first
    /// packet or its acknowledgement is lost, with probability `p2 = 1 - (1 - p)^2`: half of all messages at
    /// 30 %. So it is put off until `k` copies could have been acknowledged, with `p2^k <= 0.15`: one at 7 %,
    /// two at 20 %, three at 30 %. A message that does need the round is late by `k - 1` gaps, which are
    /// 4.5 ms each. Where bursts made the gap longer than an eighth of the round trip, time is worth more
    /// than the packet.
    fn patience(&self, copies: u8, gap: Duration) -> Duration {
        if gap > (self.srtt / 8).max(LEAST_GAP) {
            return Duration::ZERO;
        }
        let silence = 1.0 - (1.0 - self.p.p_hat).powi(2);
        let heard = (IN_VAIN.ln() / silence.ln()).ceil().clamp(1.0, f64::from(copies.max(1)));
        gap.saturating_mul(heard as u32 - 1)
    }

    /// The reordering window, but on a path with loss only where it was learnt.
    ///
    /// What it is before the first reordering, `min_rtt / 8`, guards against a needless reduction of the
    /// congestion window, and a round too many costs one packet: worth it where packets get lost. Where
    /// none do, the guard keeps a few milliseconds of queue from making every message on the path go out twice.
    fn reordering(&self) -> Duration {
        let initial = (self.min_rtt / 8).max(GRANULARITY);
        if self.p.has_loss && self.reo_wnd <= initial { Duration::ZERO } else { self.reo_wnd }
    }
}
