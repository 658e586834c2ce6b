//! Both ends of one connection: what of loss detection and RTT estimation the thin messages need.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use super::super::{LossEstimate, Thin};
use super::message;

#[derive(Debug)]
pub(super) struct Flight {
    pub(super) sent: Instant,
    pub(super) seq: u64,
}

/// Both ends of one connection.
#[derive(Debug)]
pub(super) struct Peer {
    pub(super) thin: Thin,
    pub(super) estimate: LossEstimate,
    pub(super) in_flight: BTreeMap<u64, Flight>,
    pub(super) next_pn: u64,
    pub(super) largest_acked: Option<u64>,
    pub(super) srtt: Duration,
    pub(super) rttvar: Duration,
    pub(super) min_rtt: Duration,
    pub(super) pushed: BTreeMap<u64, Instant>,
    pub(super) received: BTreeSet<u64>,
    pub(super) wake: Option<Instant>,
}

impl Peer {
    pub(super) fn new(seed: u64, rtt: Duration, max_copies: u8) -> Self {
        Self {
            thin: Thin::new(seed, max_copies),
            estimate: LossEstimate::default(),
            in_flight: BTreeMap::new(),
            next_pn: 0,
            largest_acked: None,
            srtt: rtt,
            rttvar: rtt / 2,
            min_rtt: rtt,
            pushed: BTreeMap::new(),
            received: BTreeSet::new(),
            wake: None,
        }
    }

    pub(super) fn reo_wnd(&self) -> Duration {
        (self.min_rtt / 8).max(Duration::from_millis(1))
    }

    /// RFC 9002 §5.3.
    fn on_rtt(&mut self, sample: Duration) {
        self.min_rtt = self.min_rtt.min(sample);
        self.rttvar = (self.rttvar * 3 + self.srtt.abs_diff(sample)) / 4;
        self.srtt = (self.srtt * 7 + sample) / 8;
    }

    pub(super) fn on_ack(&mut self, now: Instant, received: &[u64]) {
        for pn in received {
            let Some(flight) = self.in_flight.remove(pn) else { continue };
            if self.largest_acked.is_none_or(|largest| *pn > largest) {
                self.largest_acked = Some(*pn);
                self.on_rtt(now - flight.sent);
            }
            self.estimate.on_acked(*pn, flight.sent);
            self.thin.on_acked(message(flight.seq));
        }
    }

    /// When the oldest packet before the newest acknowledged one counts as lost (RFC 8985 §6.2).
    fn loss_time(&self) -> Option<Instant> {
        let (pn, flight) = self.in_flight.first_key_value()?;
        (*pn < self.largest_acked?).then(|| flight.sent + self.srtt + self.reo_wnd())
    }

    pub(super) fn declare_lost(&mut self, now: Instant) {
        while self.loss_time().is_some_and(|at| at <= now) {
            let Some((pn, flight)) = self.in_flight.pop_first() else { return };
            self.estimate.on_lost(pn, flight.sent);
            self.thin.on_copy_lost(message(flight.seq), now);
        }
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.thin.deadline().into_iter().chain(self.loss_time()).min()
    }
}
