//! Finds out how large datagrams may be on a path, without help from the routers on it (RFC 8899), and
//! notices when what was true no longer is.

mod black_hole;

use std::time::{Duration, Instant};

use self::black_hole::{ALIKE, LossBursts};
use super::PacketNumber;

/// Bytes of UDP payload that every path is taken to carry (RFC 9000 §14).
pub(crate) const BASE_MTU: u16 = 1200;

/// Bytes of UDP payload that fit Ethernet's 1500 beside the headers of IPv4 and UDP: what most paths carry whose
/// first link carries more.
const ETHERNET_MTU: u16 = 1472;

/// Probes of one size that may be lost before that size counts as too large. RFC 8899 §5.1.2 has 3, of which a
/// link that loses a third takes all, with their answers, one time in eight.
const MAX_PROBES: u8 = 6;

/// Bytes that the search leaves open: a closer look would cost more probes than it gains.
const RESOLUTION: u16 = 8;

/// When to look again whether a path carries more (RFC 8899 §5.1.1).
const RAISE_AFTER: Duration = Duration::from_secs(600);

/// How long to stay at [`BASE_MTU`] after a black hole.
const COOL_DOWN: Duration = Duration::from_secs(60);

/// The size of datagrams on one path, in bytes of UDP payload, and the search for a larger one. Probes
/// are packets that carry nothing else, and their loss is no sign of congestion.
#[derive(Debug)]
pub(crate) struct MtuDiscovery {
    current: u16,
    /// The most worth trying.
    ceiling: u16,
    phase: Phase,
    /// The probe on its way.
    probe: Option<Probe>,
    losses: LossBursts,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Between the current size and the smallest that failed; `losses` of the next one were lost.
    Searching { failed: Option<u16>, losses: u8 },
    /// Nothing to do until then.
    Resting { until: Instant },
    /// The ceiling is reached.
    Complete,
}

#[derive(Clone, Copy, Debug)]
struct Probe {
    number: PacketNumber,
    size: u16,
    sent: Instant,
}

impl MtuDiscovery {
    /// A search that has yet to begin, up to the smaller of what the peer takes and what a link gives.
    pub(crate) fn new(peer_max: u16, ceiling: u16) -> Self {
        let ceiling = peer_max.min(ceiling).max(BASE_MTU);
        let phase = Self::first_phase(ceiling);
        Self { current: BASE_MTU, ceiling, phase, probe: None, losses: LossBursts::default() }
    }

    /// Bytes of UDP payload that a datagram may have.
    pub(crate) fn current(&self) -> u16 {
        self.current
    }

    /// The size of the probe that should be sent now, if one should. At most one is on its way.
    pub(crate) fn probe_size(&mut self, now: Instant) -> Option<u16> {
        if let Phase::Resting { until } = self.phase
            && now >= until
        {
            self.phase = Self::first_phase(self.ceiling);
        }
        match self.phase {
            Phase::Searching { failed, .. } if self.probe.is_none() => Some(self.candidate(failed)),
            _ => None,
        }
    }

    /// A probe was sent.
    pub(crate) fn on_probe_sent(&mut self, size: u16, number: PacketNumber, now: Instant) {
        self.probe = Some(Probe { number, size, sent: now });
    }

    /// The probe of that number arrived; `true` when [`current`](Self::current) has grown.
    pub(crate) fn on_probe_acked(&mut self, number: PacketNumber) -> bool {
        let (Some(probe), Phase::Searching { failed, .. }) = (self.take_probe(number), self.phase) else {
            return false;
        };
        let grown = probe.size > self.current;
        self.current = self.current.max(probe.size);
        self.search_on(failed, probe.sent);
        grown
    }

    /// The probe of that number was lost.
    pub(crate) fn on_probe_lost(&mut self, number: PacketNumber) {
        let (Some(probe), Phase::Searching { failed, losses }) = (self.take_probe(number), self.phase) else {
            return;
        };
        let losses = losses.saturating_add(1);
        if losses < MAX_PROBES {
            self.phase = Phase::Searching { failed, losses };
        } else {
            self.search_on(Some(probe.size), probe.sent);
        }
    }

    /// A packet of `size` that was no probe and left at `sent` arrived.
    pub(crate) fn on_acked(&mut self, size: u16, sent: Instant) {
        let largest = size.saturating_add(ALIKE) >= self.current;
        self.losses.on_acked(size, sent, largest);
    }

    /// Whether a packet as large as they are at most, sent at `since` or later, passed: then it was no black hole
    /// that took what left at `since`.
    pub(crate) fn has_passed_since(&self, since: Instant) -> bool {
        self.losses.has_passed_since(since)
    }

    /// `packets` that were no probes were lost, the smallest of `size`; those lost at one instant are one burst.
    /// `least` are more than chance takes with none as large passing. `true` when this shows a black hole:
    /// [`current`](Self::current) is the base again.
    pub(crate) fn on_lost(&mut self, size: u16, packets: usize, least: usize, now: Instant) -> bool {
        if self.current == BASE_MTU || !self.losses.on_lost(size, packets, least, now) {
            return false;
        }
        self.retreat(now);
        true
    }

    /// A whole flight is lost, none of it smaller than `smallest`: more packets than chance takes, and nothing
    /// so large [has passed since](Self::has_passed_since). If all were larger than every path carries it is a
    /// black hole at once; waiting for more bursts would be waiting for as many probe timeouts.
    pub(crate) fn on_flight_lost(&mut self, smallest: u16, now: Instant) -> bool {
        let hole = self.current > BASE_MTU && smallest > BASE_MTU;
        if hole {
            self.retreat(now);
        }
        hole
    }

    /// Back to what every path carries.
    fn retreat(&mut self, now: Instant) {
        self.current = BASE_MTU;
        self.probe = None;
        self.losses = LossBursts::default();
        self.phase = Phase::Resting { until: now.checked_add(COOL_DOWN).unwrap_or(now) };
    }

    /// When to ask for a probe though nothing else happens. A search under way needs no timer: the fate
    /// of one probe is what lets the next one go.
    pub(crate) fn next_probe(&self) -> Option<Instant> {
        match self.phase {
            Phase::Resting { until } => Some(until),
            Phase::Searching { .. } | Phase::Complete => None,
        }
    }

    /// Begins anew, for another path, of whose first link nothing is known.
    pub(crate) fn reset(&mut self) {
        *self = Self::new(self.ceiling, ETHERNET_MTU);
    }

    fn first_phase(ceiling: u16) -> Phase {
        if ceiling > BASE_MTU { Phase::Searching { failed: None, losses: 0 } } else { Phase::Complete }
    }

    /// The size to try: the ceiling first, for most paths carry it, then Ethernet's, then the middle of what is
    /// open.
    fn candidate(&self, failed: Option<u16>) -> u16 {
        match failed {
            None => self.ceiling,
            Some(failed) if self.current < ETHERNET_MTU && failed > ETHERNET_MTU => ETHERNET_MTU,
            Some(failed) => self.current.midpoint(failed),
        }
    }

    /// Goes on with the next size, or ends the search, whose last probe was sent at `now`.
    fn search_on(&mut self, failed: Option<u16>, now: Instant) {
        let open = failed.unwrap_or(u16::MAX).saturating_sub(self.current);
        self.phase = if self.current >= self.ceiling {
            Phase::Complete
        } else if open <= RESOLUTION || self.current == ETHERNET_MTU {
            Phase::Resting { until: now.checked_add(RAISE_AFTER).unwrap_or(now) }
        } else {
            Phase::Searching { failed, losses: 0 }
        };
    }

    fn take_probe(&mut self, number: PacketNumber) -> Option<Probe> {
        self.probe.take_if(|probe| probe.number == number)
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "a starting point for virtual time")]
mod tests;
