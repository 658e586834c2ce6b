//! Beside a flow that keeps the queue full there is no empty path to model: whoever waits for one starves.
//! So the flow becomes what the other one most likely is, CUBIC, until the queue empties again.

use std::time::{Duration, Instant};

use super::{
    super::{AckSample, Controller as _, LossSample, RttView, cubic::Cubic},
    round::Report,
};

/// How often this side looks whether the rival is still there, and how often it gives way for two round trips
/// to see whether the queue is its own, whatever it thinks.
const CHECK_EVERY: [Duration; 2] = [Duration::from_secs(3), Duration::from_secs(30)];

/// The same in rounds, where those are long.
const CHECK_ROUNDS: u32 = 20;

/// Rounds without a queue after which there is no rival, and how many of them a round with one undoes.
const QUIET_ROUNDS: u32 = 8;
const QUEUED_ROUND: u32 = 2;

/// For how long what the path took before the rival came is held to be true. It may have another route now.
const BELIEF: Duration = Duration::from_secs(60);

/// Losses of the path's own that may come together, in packets.
const ALLOWANCE_PACKETS: f64 = 8.0;

/// The time beside a rival.
#[derive(Debug)]
pub(super) struct Rival {
    cubic: Cubic,
    since: Instant,
    checked: Instant,
    looked: Instant,
    /// The window and the rate at that time.
    then: (f64, f64),
    /// Bytes a second of late.
    rate: f64,
    /// Rounds without a queue, of late, less [`QUEUED_ROUND`] for each with one.
    quiet: u32,
    /// Bytes that may be lost without being a sign of congestion.
    allowance: f64,
}

impl Rival {
    /// Goes on from `window` bytes.
    pub(super) fn new(now: Instant, mtu: u16, window: f64, rate: f64) -> Self {
        let cubic = Cubic::resumed(mtu, window);
        Self {
            cubic,
            since: now,
            checked: now,
            looked: now,
            then: (window, rate),
            rate,
            quiet: 0,
            allowance: 0.0,
        }
    }

    pub(super) fn window(&self) -> f64 {
        self.cubic.window() as f64
    }

    pub(super) fn pacing_rate(&self, rtt: RttView) -> Option<u64> {
        self.cubic.pacing_rate(rtt)
    }

    pub(super) fn rate(&self) -> f64 {
        self.rate
    }

    pub(super) fn on_sent(&mut self, now: Instant, bytes: u64) {
        self.cubic.on_sent(now, bytes);
    }

    pub(super) fn on_mtu(&mut self, mtu: u16) {
        self.cubic.on_mtu(mtu);
    }

    pub(super) fn on_spurious(&mut self, now: Instant, sent: Instant) {
        self.cubic.on_spurious(now, sent);
    }

    pub(super) fn on_ecn(&mut self, now: Instant, sent: Instant) {
        self.cubic.on_ecn(now, sent);
    }

    /// `baseline` is the share that the path loses anyway.
    pub(super) fn on_ack(&mut self, ack: &AckSample, baseline: f64, mtu: f64) {
        let expected = ack.bytes as f64 * baseline / (1.0 - baseline);
        self.allowance = (self.allowance + expected).min(ALLOWANCE_PACKETS * mtu);
        self.cubic.on_ack(ack);
    }

    /// Loss within what the path loses anyway says nothing of congestion.
    pub(super) fn on_loss(&mut self, loss: &LossSample) {
        self.allowance -= loss.bytes as f64;
        if self.allowance < 0.0 || loss.persistent {
            self.allowance = 0.0;
            self.cubic.on_loss(loss);
        }
    }

    /// `quiet`: no queue stands.
    pub(super) fn on_round(&mut self, report: &Report, quiet: bool) {
        self.quiet =
            if quiet { self.quiet.saturating_add(1) } else { self.quiet.saturating_sub(QUEUED_ROUND) };
        if !report.app_limited {
            self.rate += (report.rate - self.rate) / 4.0;
        }
    }

    /// Whether it is time to give way for a look. When the window changes and the rate does not, all of the
    /// queue is this side's: a rival would get more or less of the path.
    pub(super) fn wants_check(&mut self, report: &Report) -> bool {
        let rounds = report.latency.saturating_mul(CHECK_ROUNDS);
        let [look, check] = CHECK_EVERY.map(|every| every.max(rounds));
        if report.now.saturating_duration_since(self.checked) >= check {
            return true;
        }
        if report.now.saturating_duration_since(self.looked) < look {
            return false;
        }
        let present = (self.window(), self.rate);
        let (window, rate) = std::mem::replace(&mut self.then, present);
        self.looked = report.now;
        let moved = (self.window() / window).ln();
        moved.abs() > 0.1 && (self.rate / rate).ln() / moved < 0.2
    }

    pub(super) fn on_checked(&mut self, now: Instant) {
        (self.checked, self.looked) = (now, now);
        self.then = (self.window(), self.rate);
    }

    /// Whether the queue has been empty for so long that nobody keeps it full.
    pub(super) fn is_gone(&self) -> bool {
        self.quiet >= QUIET_ROUNDS
    }

    /// Whether what was known of the path is still believed.
    pub(super) fn is_believed(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.since) < BELIEF
    }
}
