//! One round trip of a flow, and what it says of the path.

use std::time::{Duration, Instant};

use super::{super::AckSample, model::standard_error};

/// What happened between sending something and hearing that it arrived.
#[derive(Clone, Copy, Debug)]
pub(super) struct Round {
    started: Instant,
    /// Bytes acknowledged.
    acked: u64,
    /// Bytes found lost.
    lost: u64,
    /// Bytes found lost before that came after all.
    spurious: u64,
    /// Latencies that were measured, and their sum.
    samples: u32,
    latency: Duration,
    /// Something in it was sent while there was nothing more to send.
    app_limited: bool,
}

/// A round that is over.
#[derive(Clone, Copy, Debug)]
pub(super) struct Report {
    pub(super) started: Instant,
    pub(super) now: Instant,
    /// Bytes a second that arrived.
    pub(super) rate: f64,
    pub(super) acked: u64,
    pub(super) lost: u64,
    /// Bytes that counted as lost, in this round or before, and came.
    pub(super) spurious: u64,
    /// From sending to acknowledgement, on average.
    pub(super) latency: Duration,
    /// Of so many packets.
    pub(super) samples: u32,
    /// How far that may be off by chance: twice its standard error.
    pub(super) error: Duration,
    pub(super) app_limited: bool,
}

impl Round {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            started: now,
            acked: 0,
            lost: 0,
            spurious: 0,
            samples: 0,
            latency: Duration::ZERO,
            app_limited: false,
        }
    }

    /// One that begins with nothing under way: next to nothing can arrive in it, whatever the path carries.
    pub(super) fn begun_idle(self) -> Self {
        Self { app_limited: true, ..self }
    }

    pub(super) fn on_lost(&mut self, bytes: u64) {
        self.lost = self.lost.saturating_add(bytes);
    }

    pub(super) fn on_spurious(&mut self, bytes: u64) {
        self.lost = self.lost.saturating_sub(bytes);
        self.spurious = self.spurious.saturating_add(bytes);
    }

    /// Takes an acknowledgement, and hands out the round if it ends one: when something arrived that was
    /// sent in it, but not before `least`. Where packets overtake each other by far, some make a round trip
    /// in no time, which says nothing about all the others. `deviation` is that of a single packet's latency.
    pub(super) fn on_ack(&mut self, ack: &AckSample, least: Duration, deviation: Duration) -> Option<Report> {
        self.acked = self.acked.saturating_add(ack.bytes);
        if let Some(latency) = ack.latency {
            self.samples = self.samples.saturating_add(1);
            self.latency = self.latency.saturating_add(latency);
        }
        self.app_limited |= ack.app_limited;
        let elapsed = ack.now.saturating_duration_since(self.started);
        if ack.sent < self.started || elapsed < least || elapsed.is_zero() || self.samples == 0 {
            return None;
        }
        let report = Report {
            started: self.started,
            now: ack.now,
            rate: self.acked as f64 / elapsed.as_secs_f64(),
            acked: self.acked,
            lost: self.lost,
            spurious: self.spurious,
            latency: self.latency / self.samples.max(1),
            samples: self.samples,
            error: standard_error(deviation, self.samples) * 2,
            app_limited: self.app_limited,
        };
        *self = Self::new(ack.now);
        Some(report)
    }
}

impl Report {
    /// The share that was lost.
    pub(super) fn loss(&self) -> f64 {
        self.lost as f64 / self.sent().max(1) as f64
    }

    /// Bytes of which the fate became known.
    pub(super) fn sent(&self) -> u64 {
        self.acked.saturating_add(self.lost)
    }
}
