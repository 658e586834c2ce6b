//! A controller that models the path, after BBR (draft-ietf-ccwg-bbr): it sends at the rate that arrives,
//! and looks now and then whether more would. Loss alone is no sign of congestion to it: what a path loses
//! while no queue stands in it, it loses by nature, and that much more is sent.

mod cohorts;
mod model;
mod path;
mod rival;
mod round;
mod start;

use std::time::{Duration, Instant};

use self::{
    path::{Path, Signs},
    rival::Rival,
    round::{Report, Round},
};
use super::{AckSample, Controller, LossSample, RttView, epoch::BETA, initial_window, minimum_window};
use crate::transport::udp::proto::mtu::BASE_MTU;

/// The window in Startup, in products of bandwidth and latency: enough to double in a round.
const STARTUP_WINDOW: f64 = 3.0;

/// What of that product stays in flight to empty the queue.
const DRAINED: f64 = 0.9;

/// How much faster than what arrives this side sends, to look whether more would arrive. BBR has 1.25, and chat
/// beside a file would wait in a quarter of a round trip of queue.
const PROBE_GAIN: f64 = 1.15;

/// Growth of the rate in a round of probing that makes it go on.
const PROBE_GROWTH: f64 = 1.06;

/// The window otherwise: acknowledgements that come in bunches must not stop the flow (`cwnd_gain`).
const CRUISE_WINDOW: f64 = 2.0;

/// How much slower than what arrives this side sends between probes: the rest empties the queue
/// (`PacingMarginPercent`).
const CRUISE_GAIN: f64 = 0.99;

/// The time from one probe to the next; up to half as much again by chance, so that flows do not probe
/// together (`2..3 s` in BBR).
const CRUISE: Duration = Duration::from_secs(2);

/// The same in rounds, where those are long.
const CRUISE_ROUNDS: u32 = 8;

/// How often the queue may overflow between two probes before somebody else must be filling it.
const OVERFLOWS: u8 = 2;

/// How little of the rate that once arrived is left, when a cycle ends, to one who gives way to a queue that is not
/// its own; and how often in a row until it gives way no more.
const GIVEN_WAY: f64 = 0.95;
const GIVEN_WAY_CYCLES: u8 = 2;

/// What it gives way then, at least, as a share of the rate: less may be the spread of the path.
const STANDING: f64 = 0.05;

/// The BBR controller of one path.
#[derive(Debug)]
pub(super) struct Bbr {
    path: Path,
    phase: Phase,
    /// Bytes that may be in flight; for Startup, the others compute theirs.
    window: f64,
    round: Option<Round>,
    /// Nothing is in flight: the next round begins with what is sent next.
    idle: bool,
    /// The rate before a queue showed that it is less; 0: none did.
    prior: f64,
    rival: Option<Box<Rival>>,
    /// Everything was lost for long: until something arrives, next to nothing is sent.
    cut_off: bool,
    /// Packets were lost while a queue stood, since it was last emptied.
    overflowed: bool,
    /// How often that was while this side sent no more than had arrived, since it last looked for more.
    overflows: u8,
    /// Bytes lost when it last seemed so, until it is known whether they only came late.
    doubtful: Option<u64>,
    /// Startup ended at a queue that did not overflow: it may be somebody else's, or stand before the
    /// acknowledgements. So it probes when the queue is gone, and starts once more as soon as latencies are steady.
    again: bool,
    /// The rate when it did so last: without more since, it was its own queue.
    started_at: f64,
    /// How often in a row this side sent less and less beside a queue that stayed.
    given_way: u8,
    /// Cycles of probing so far.
    cycles: u32,
}

/// What the controller is doing.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Phase {
    /// Looks for the capacity of the path.
    Startup { best: f64, stale: u8, queued: u8 },
    /// Lets the queue empty; then, for a round in which all of what arrives was sent afterwards.
    Down { empty: Option<Instant> },
    /// Sends at the rate that arrives. Of a queue it takes away as much in a round as stands, but no more than
    /// a share.
    Cruise { until: Instant, relief: f64, long: Option<f64> },
    /// Looks whether more would arrive.
    Up { best: f64, full: bool, rounds: u8 },
}

impl Bbr {
    /// A controller for a path that carries datagrams of `mtu` bytes.
    pub(super) fn new(mtu: u16) -> Self {
        let path = Path::new(mtu);
        Self {
            window: initial_window(path.mtu()) as f64,
            path,
            phase: Phase::Startup { best: 0.0, stale: 0, queued: 0 },
            round: None,
            idle: true,
            prior: 0.0,
            rival: None,
            cut_off: false,
            overflowed: false,
            overflows: 0,
            doubtful: None,
            again: false,
            started_at: 0.0,
            given_way: 0,
            cycles: 0,
        }
    }
}

impl Controller for Bbr {
    fn on_sent(&mut self, now: Instant, bytes: u64) {
        if self.idle || self.round.is_none() {
            self.round = Some(self.path.begin_round(now).begun_idle());
            self.idle = false;
        }
        if let Some(rival) = &mut self.rival {
            rival.on_sent(now, bytes);
        }
    }

    fn on_ack(&mut self, ack: &AckSample) {
        self.cut_off = false;
        self.idle = ack.in_flight == 0;
        let (loss, mtu) = (self.path.loss(), f64::from(self.path.mtu()));
        if let Some(rival) = self.rival.as_mut().filter(|_| !matches!(self.phase, Phase::Down { .. })) {
            rival.on_ack(ack, loss, mtu);
        }
        self.grow(ack);
        self.watch(ack);
        let report = self.round.as_mut().and_then(|round| self.path.on_ack(ack, round));
        if let Some(report) = report {
            self.on_round(&report);
        }
    }

    fn on_loss(&mut self, loss: &LossSample) {
        if let Some(round) = &mut self.round {
            round.on_lost(loss.bytes);
        }
        if let Some(rival) = &mut self.rival {
            rival.on_loss(loss);
        }
        self.cut_off |= loss.persistent;
    }

    fn on_spurious(&mut self, now: Instant, sent: Instant) {
        if let Some(round) = &mut self.round {
            round.on_spurious(u64::from(self.path.mtu()));
        }
        self.path.on_sample(sent, now.saturating_duration_since(sent));
        if let Some(rival) = &mut self.rival {
            rival.on_spurious(now, sent);
        }
    }

    fn on_ecn(&mut self, now: Instant, sent: Instant) {
        match &mut self.rival {
            Some(rival) => rival.on_ecn(now, sent),
            None if !matches!(self.phase, Phase::Down { .. }) => self.drain(),
            None => {}
        }
    }

    fn on_stall(&mut self) {
        self.cut_off = false;
    }

    fn on_mtu(&mut self, mtu: u16) {
        self.path.set_mtu(mtu);
        if let Some(rival) = &mut self.rival {
            rival.on_mtu(mtu);
        }
    }

    fn window(&self) -> u64 {
        let minimum = minimum_window(self.path.mtu());
        if self.cut_off {
            return minimum;
        }
        let window = match (&self.phase, &self.rival) {
            (Phase::Startup { .. }, _) => self.window,
            (Phase::Down { .. }, _) => DRAINED * self.path.product(),
            (_, Some(rival)) => rival.window(),
            (Phase::Cruise { .. } | Phase::Up { .. }, None) => {
                (CRUISE_WINDOW * self.path.product()).max(self.path.turn())
            }
        };
        (window as u64).max(minimum)
    }

    fn pacing_rate(&self, rtt: RttView) -> Option<u64> {
        if !rtt.is_paced() {
            return None;
        }
        let gain = match (&self.phase, &self.rival) {
            (Phase::Startup { .. }, _) => {
                return Some((2.0 * self.window / rtt.smoothed.as_secs_f64()) as u64);
            }
            (Phase::Down { .. }, _) => 1.0,
            (_, Some(rival)) => return rival.pacing_rate(rtt),
            (Phase::Up { full: false, .. }, None) => PROBE_GAIN,
            (Phase::Cruise { relief, .. }, None) => CRUISE_GAIN - relief,
            (Phase::Up { .. }, None) => CRUISE_GAIN,
        };
        let rate = gain * self.path.bandwidth.get() / (1.0 - self.path.loss());
        // Whatever was measured, the least window may leave within a round trip.
        let least = minimum_window(self.path.mtu()) as f64 / rtt.smoothed.as_secs_f64();
        Some(rate.max(least) as u64)
    }

    fn in_slow_start(&self) -> bool {
        matches!(self.phase, Phase::Startup { .. })
    }

    fn boxed_reset(&self) -> Box<dyn Controller> {
        Box::new(Self::new(BASE_MTU))
    }
}

impl Bbr {
    /// Startup doubles the window in a round, as slow start does, whatever is lost meanwhile.
    fn grow(&mut self, ack: &AckSample) {
        if ack.app_limited || !self.in_slow_start() {
            return;
        }
        let known = (STARTUP_WINDOW * self.path.product()).max(self.path.turn());
        let limit =
            if known > 0.0 { known.max(initial_window(self.path.mtu()) as f64) } else { f64::INFINITY };
        self.window = (self.window + ack.bytes as f64).min(limit.max(self.window));
    }

    /// What the number of bytes in flight says.
    fn watch(&mut self, ack: &AckSample) {
        let product = self.path.product();
        let in_flight = ack.in_flight as f64;
        let least = minimum_window(self.path.mtu()) as f64;
        match &mut self.phase {
            Phase::Down { empty: empty @ None } if in_flight <= (DRAINED * product).max(least) => {
                *empty = Some(ack.now);
                self.round = Some(self.path.begin_round(ack.now));
            }
            Phase::Up { full, .. } if in_flight >= PROBE_GAIN * product => *full = true,
            _ => {}
        }
    }

    fn on_round(&mut self, report: &Report) {
        let hold = self.rival.as_ref().is_some_and(|rival| rival.is_believed(report.now));
        let signs = self.path.on_round(report, hold);
        self.overflowed |= signs.overflows;
        match self.phase {
            Phase::Startup { best, stale, queued } => self.start_up(report, signs, best, stale, queued),
            Phase::Down { empty } => {
                if empty.is_some_and(|empty| report.started > empty) {
                    self.emptied(report, signs);
                }
            }
            Phase::Cruise { until, long, .. } => self.cruise(report, signs, until, long),
            Phase::Up { best, rounds, .. } => self.probe(report, signs, best, rounds),
        }
    }

    /// The queue is empty, as far as it was this side's.
    fn emptied(&mut self, report: &Report, signs: Signs) {
        if signs.quiet {
            self.path.on_quiet_round(report);
        }
        // With less than the least window in the path all of the queue may be ours.
        let product = self.path.product().max(self.path.product_at(self.prior));
        let could_empty = DRAINED * product > minimum_window(self.path.mtu()) as f64;
        let share = if std::mem::take(&mut self.overflowed) { 6 } else { 2 };
        let limit = self.path.queue_limit(share, Duration::from_millis(20) / share);
        let is_others = could_empty && signs.queue > limit;
        match &mut self.rival {
            Some(rival) if is_others || self.path.relief(signs.queue) > STANDING => {
                rival.on_checked(report.now);
            }
            Some(rival) => {
                let rate = rival.rate();
                self.path.bandwidth.set(rate);
                self.rival = None;
            }
            None if is_others => {
                // It may as well be another route: then what arrived before will again.
                self.rise(report, 1.0, self.path.bandwidth.get().max(self.prior));
            }
            None => {}
        }
        self.prior = 0.0;
        if self.starts_again(signs) {
            return;
        }
        self.cycles = self.cycles.wrapping_add(1);
        // Until latencies are steady, a probe has to do. What the start found is not forgotten for it.
        let probes_at_once = self.again && self.cycles == 1;
        if !probes_at_once {
            self.path.bandwidth.advance();
        }
        // A spread that every flow has another of: the bits of its own measurement.
        let spread =
            f64::from((report.rate.to_bits() as u32) ^ self.cycles.rotate_left(16)) / f64::from(u32::MAX);
        let pause = CRUISE.mul_f64(1.0 + spread / 2.0).max(report.latency.saturating_mul(CRUISE_ROUNDS));
        let pause = if probes_at_once { Duration::ZERO } else { pause };
        let until = report.now.checked_add(pause).unwrap_or(report.now);
        self.phase = Phase::Cruise { until, relief: 0.0, long: None };
    }

    fn cruise(&mut self, report: &Report, signs: Signs, until: Instant, long: Option<f64>) {
        if signs.quiet {
            self.path.on_quiet_round(report);
        }
        if self.rival.is_some() {
            self.follow_rival(report, signs);
            return;
        }
        self.path.bandwidth.on_round(report);
        if report.app_limited || self.starts_again(signs) {
            return;
        }
        if self.has_overflowed(report, signs) && self.overflows >= OVERFLOWS {
            self.rise(report, BETA, report.rate);
            return;
        }
        let relief = self.path.relief(signs.queue);
        let exceeded = signs.overflows || self.path.is_exceeded(report);
        if exceeded || signs.queue > self.path.queue_limit(2, Duration::from_millis(10)) {
            // A radio that slept looks like this for one round.
            let Some(before) = long else {
                self.phase = Phase::Cruise { until, relief, long: Some(report.rate) };
                return;
            };
            // All of what the path has for us arrived, and more was sent. But what a path held back comes all at
            // once, faster than it was sent and than the path ever carries.
            self.prior = self.path.bandwidth.get();
            self.path.bandwidth.set(report.rate.max(before).min(self.prior));
            self.drain();
        } else if report.now >= until {
            let best = self.path.bandwidth.get();
            if self.gives_way(report, signs, best) {
                self.rise(report, BETA, best);
                return;
            }
            self.phase = Phase::Up { best, full: false, rounds: 0 };
            self.overflows = 0;
        } else {
            self.phase = Phase::Cruise { until, relief, long: None };
        }
    }

    /// Whether it sends less and less, cycle after cycle, beside a queue that does not become shorter for it: then it
    /// is not of its making, though the floor may be too high to show it.
    fn gives_way(&mut self, report: &Report, signs: Signs, best: f64) -> bool {
        let stands = !signs.quiet && self.path.relief(signs.queue) > STANDING;
        let gave_way = stands && report.rate < GIVEN_WAY * best;
        self.given_way = if gave_way { self.given_way.saturating_add(1) } else { 0 };
        self.given_way >= GIVEN_WAY_CYCLES
    }

    /// Takes up with somebody else, with a share of the window that `rate` fills now.
    fn rise(&mut self, report: &Report, share: f64, rate: f64) {
        (self.given_way, self.again) = (0, false);
        let window = share * rate * report.latency.as_secs_f64();
        self.rival = Some(Box::new(Rival::new(report.now, self.path.mtu(), window, rate)));
    }

    fn follow_rival(&mut self, report: &Report, signs: Signs) {
        let Some(rival) = &mut self.rival else { return };
        rival.on_round(report, signs.quiet);
        if rival.is_gone() {
            self.path.bandwidth.set(report.rate);
            self.rival = None;
        } else if rival.wants_check(report) {
            self.path.bandwidth.set(rival.rate());
            self.drain();
        }
    }

    /// Whether the queue overflowed a round ago: what was lost then had the time since to come late.
    fn has_overflowed(&mut self, report: &Report, signs: Signs) -> bool {
        let doubtful = std::mem::replace(&mut self.doubtful, signs.overflows.then_some(report.lost));
        let overflowed = doubtful.is_some_and(|lost| report.spurious < lost / 2);
        self.overflows = self.overflows.saturating_add(u8::from(overflowed));
        overflowed
    }

    fn probe(&mut self, report: &Report, signs: Signs, best: f64, rounds: u8) {
        self.path.bandwidth.on_probe(report);
        if !report.app_limited && self.starts_again(signs) {
            return;
        }
        let queued = signs.queue > self.path.queue_limit(4, Duration::from_millis(5));
        let grew = report.rate >= PROBE_GROWTH * best;
        if self.path.is_exceeded(report) || queued || report.app_limited || (rounds >= 2 && !grew) {
            self.drain();
            return;
        }
        let best = if grew { report.rate } else { best };
        let rounds = if grew { 0 } else { rounds.saturating_add(1) };
        self.phase = Phase::Up { best, full: false, rounds };
    }

    fn drain(&mut self) {
        self.phase = Phase::Down { empty: None };
    }
}
