//! CUBIC (RFC 9438) with `HyStart++` (RFC 9406) for the first slow start.

use std::time::Instant;

use super::{
    AckSample, Controller, LossSample, RttView,
    epoch::{BETA, Epoch},
    hystart::{CONSERVATIVE_DIVISOR, Growth, HyStart},
    initial_window, minimum_window, sane_mtu,
};
use crate::transport::udp::proto::mtu::BASE_MTU;

/// The most bytes that may be in flight: 10 Gbit/s over 800 ms, and exact in every formula.
const MAX_WINDOW: f64 = (1 << 30) as f64;

/// The pacing rate in slow start, in quarter windows a round trip: the window doubles in one.
const SLOW_START_GAIN: u128 = 8;

/// The pacing rate afterwards, in quarter windows a round trip: RFC 9002 §7.7 gives 1.25.
const AVOIDANCE_GAIN: u128 = 5;

/// The CUBIC controller of one path.
#[derive(Debug)]
pub(super) struct Cubic {
    /// Bytes of a datagram, the unit in which the RFC counts windows.
    mtu: u16,
    state: State,
    /// Apart, for most of the time there is nothing to take back.
    undo: Option<Box<Undo>>,
}

/// All that a reduction changes.
#[derive(Clone, Copy, Debug)]
struct State {
    /// `cwnd`, in bytes.
    window: f64,
    /// `ssthresh`, in bytes; infinite until slow start ended once.
    threshold: f64,
    /// `W_max`, in bytes; 0 before the first reduction.
    w_max: f64,
    /// Set in congestion avoidance.
    epoch: Option<Epoch>,
    hystart: HyStart,
    /// When the window was last reduced. What was sent until then neither reduces nor raises it.
    recovery_start: Option<Instant>,
}

/// How to take back the last reduction, should the losses behind it turn out to be none.
#[derive(Clone, Copy, Debug)]
struct Undo {
    /// As it was before.
    state: State,
    /// Bytes lost since that have not turned up.
    missing: u64,
    /// Whether something sent after the reduction has arrived.
    recovered: bool,
}

impl Cubic {
    /// A controller for a path that carries datagrams of `mtu` bytes.
    pub(super) fn new(mtu: u16) -> Self {
        let mtu = sane_mtu(mtu);
        let state = State {
            window: initial_window(mtu) as f64,
            threshold: f64::INFINITY,
            w_max: 0.0,
            epoch: None,
            hystart: HyStart::default(),
            recovery_start: None,
        };
        Self { mtu, state, undo: None }
    }

    /// A controller that goes on from a window of `window` bytes, in congestion avoidance.
    pub(super) fn resumed(mtu: u16, window: f64) -> Self {
        let mut cubic = Self::new(mtu);
        cubic.state.window = window.max(cubic.minimum());
        cubic.state.threshold = cubic.state.window;
        cubic
    }
}

impl Controller for Cubic {
    fn on_sent(&mut self, now: Instant, _bytes: u64) {
        self.state.hystart.on_sent(now);
    }

    fn on_ack(&mut self, ack: &AckSample) {
        if self.in_recovery(ack.sent) {
            return;
        }
        if let Some(undo) = &mut self.undo {
            undo.recovered = true;
        }
        if ack.app_limited {
            self.pause(ack.now);
            return;
        }
        let window = if self.in_slow_start() { self.slow_start(ack) } else { self.avoid_congestion(ack) };
        self.state.window = window.min(MAX_WINDOW);
    }

    fn on_loss(&mut self, loss: &LossSample) {
        if !self.in_recovery(loss.sent) {
            self.undo = Some(Box::new(Undo { state: self.state, missing: loss.bytes, recovered: false }));
            self.reduce(loss.now);
        } else if let Some(undo) = &mut self.undo {
            undo.missing = undo.missing.saturating_add(loss.bytes);
        }
        if loss.persistent {
            self.state.window = self.minimum();
            self.state.epoch = None;
        }
    }

    fn on_spurious(&mut self, _now: Instant, sent: Instant) {
        let in_recovery = self.in_recovery(sent);
        let Some(undo) = &mut self.undo else { return };
        let of_this_one = in_recovery && undo.state.recovery_start.is_none_or(|start| sent > start);
        if !of_this_one {
            return;
        }
        // Sizes are not told, but only full packets make a window matter.
        undo.missing = undo.missing.saturating_sub(u64::from(self.mtu));
        if undo.missing == 0 {
            self.undo();
        }
    }

    fn on_ecn(&mut self, now: Instant, sent: Instant) {
        self.undo = None;
        if !self.in_recovery(sent) {
            self.reduce(now);
        }
    }

    fn on_stall(&mut self) {
        if self.undo.as_ref().is_some_and(|undo| !undo.recovered) {
            self.undo();
        }
    }

    fn on_mtu(&mut self, mtu: u16) {
        self.mtu = sane_mtu(mtu);
        self.state.window = self.state.window.max(self.minimum());
    }

    fn window(&self) -> u64 {
        self.state.window.round() as u64
    }

    fn pacing_rate(&self, rtt: RttView) -> Option<u64> {
        if !rtt.is_paced() {
            return None;
        }
        let gain = if self.in_slow_start() { SLOW_START_GAIN } else { AVOIDANCE_GAIN };
        let quarter_windows = u128::from(self.window()) * gain;
        let per_second = (quarter_windows * 1_000_000_000 / 4).checked_div(rtt.smoothed.as_nanos())?;
        Some(u64::try_from(per_second).unwrap_or(u64::MAX))
    }

    fn in_slow_start(&self) -> bool {
        self.state.window < self.state.threshold
    }

    fn boxed_reset(&self) -> Box<dyn Controller> {
        Box::new(Self::new(BASE_MTU))
    }
}

impl Cubic {
    /// Whether what was sent then says nothing that the last reduction did not answer (RFC 9002 §7.3.2).
    fn in_recovery(&self, sent: Instant) -> bool {
        self.state.recovery_start.is_some_and(|start| sent <= start)
    }

    fn pause(&mut self, now: Instant) {
        if let Some(epoch) = &mut self.state.epoch {
            epoch.pause(now);
        }
    }

    /// The window after an acknowledgement in slow start.
    fn slow_start(&mut self, ack: &AckSample) -> f64 {
        let State { window, threshold, .. } = self.state;
        let acked = ack.bytes as f64;
        // RFC 9406 §4.3: later slow starts know where to end.
        let growth = if threshold.is_infinite() { self.state.hystart.on_ack(ack) } else { Growth::Standard };
        match growth {
            Growth::Standard => (window + acked).min(threshold),
            Growth::Conservative => window + acked / CONSERVATIVE_DIVISOR,
            Growth::Ended => {
                self.state.threshold = window;
                window
            }
        }
    }

    /// The window after an acknowledgement in congestion avoidance.
    fn avoid_congestion(&mut self, ack: &AckSample) -> f64 {
        let State { window, w_max, epoch, .. } = &mut self.state;
        let epoch = epoch.get_or_insert_with(|| {
            *w_max = *window;
            Epoch::from_slow_start(*window)
        });
        epoch.grow(*window, f64::from(self.mtu), ack)
    }

    /// Reduces the window (RFC 9438 §4.6), and gives up capacity faster when the last reduction was not
    /// outgrown, because another flow needs it (§4.7).
    fn reduce(&mut self, now: Instant) {
        let minimum = self.minimum();
        let state = &mut self.state;
        let prior = state.window;
        state.w_max = if prior < state.w_max { prior * (1.0 + BETA) / 2.0 } else { prior };
        state.window = (prior * BETA).max(minimum);
        state.threshold = state.window;
        state.epoch = Some(Epoch::after_reduction(state.w_max, prior, state.window, f64::from(self.mtu)));
        state.recovery_start = Some(now);
    }

    /// Takes back the last reduction (RFC 9438 §4.9).
    fn undo(&mut self) {
        if let Some(undo) = self.undo.take() {
            let window = self.state.window.max(undo.state.window);
            self.state = State { window, ..undo.state };
        }
    }

    fn minimum(&self) -> f64 {
        minimum_window(self.mtu) as f64
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "a starting point for virtual time")]
mod simulation;
#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "a starting point for virtual time")]
mod tests;
