//! What happened to the packets that were sent: acknowledged, lost, or unknown for so long that the
//! other side has to be asked (RFC 9002, with the reordering window of RFC 8985).

mod outcome;
mod probe;
mod rack;
mod space;
mod stall;

use std::{
    ops::RangeInclusive,
    time::{Duration, Instant},
};

#[cfg(test)]
use super::config::Mutant;
use super::{
    PacketNumber, Side, Space, Violation,
    received::MAX_ACK_DELAY,
    rtt::{INITIAL_RTT, RttEstimator},
    sent::SentPacket,
};
pub(crate) use outcome::{Outcome, Spurious};
use probe::ProbeTimer;
use rack::Rack;
use space::{LossRule, Spaces};
use stall::StallDetector;

/// How many probe timeouts of nothing but loss are persistent congestion
/// (`kPersistentCongestionThreshold`, RFC 9002 §7.6.1).
const PERSISTENT_CONGESTION_THRESHOLD: u32 = 3;

/// Packets sent when a probe timeout expires for the first or second time (RFC 9002 §6.2.4); later one,
/// for a path that took none of four is dead or overloaded.
const PROBES: u8 = 2;

/// How many probe timeouts a lost packet is remembered, in case it arrived after all.
const LOST_MEMORY: u32 = 2;

/// What a round trip may be too long by, for the acknowledgement of the packet got lost, and still count.
const VAGUENESS: Duration = Duration::from_millis(25);

/// Loss detection of one connection, in all packet-number spaces.
#[derive(Debug)]
pub(crate) struct Recovery {
    spaces: Spaces,
    rtt: RttEstimator,
    /// The first number of [`Space::Data`] whose round trip says something about the present path.
    path_from: PacketNumber,
    /// When the last acknowledgement of [`Space::Data`] came.
    last_ack: Option<Instant>,
    rack: Rack,
    probe: ProbeTimer,
    stall: StallDetector,
    /// A planted fault.
    #[cfg(test)]
    pub(crate) mutant: Option<Mutant>,
}

impl Recovery {
    /// Nothing sent yet. `seed` is where the jitter of probe timeouts comes from.
    pub(crate) fn new(side: Side, seed: u64) -> Self {
        Self {
            spaces: Spaces::new(),
            rtt: RttEstimator::new(INITIAL_RTT),
            path_from: 0,
            last_ack: None,
            rack: Rack::default(),
            probe: ProbeTimer::new(side, seed),
            stall: StallDetector::default(),
            #[cfg(test)]
            mutant: None,
        }
    }

    /// Notes a packet that was sent, also one that elicits no acknowledgement: its number counts.
    pub(crate) fn on_sent(&mut self, space: Space, packet: SentPacket) {
        if packet.eliciting {
            if self.in_flight() == 0 {
                self.stall.on_busy(packet.sent);
            }
            self.probe.on_activity(packet.sent);
        }
        if let Some(space) = self.spaces.get_mut(space) {
            space.on_sent(packet);
        }
    }

    /// Notes a number that is left out on purpose: nobody can honestly acknowledge it
    /// (RFC 9000 §21.4).
    pub(crate) fn skip(&mut self, space: Space, pn: PacketNumber) {
        if let Some(space) = self.spaces.get_mut(space) {
            space.skip(pn);
        }
    }

    /// Takes an acknowledgement of `ranges`, in descending order. `ack_delay` is what the other side
    /// says it waited, `max_ack_delay` what it promised to wait at most.
    ///
    /// # Errors
    /// A packet is acknowledged that was never sent (RFC 9000 §13.1). Nothing has changed then.
    pub(crate) fn on_ack(
        &mut self,
        space: Space,
        ranges: impl Iterator<Item = RangeInclusive<PacketNumber>> + Clone,
        ack_delay: Duration,
        max_ack_delay: Duration,
        now: Instant,
        out: &mut Outcome,
    ) -> Result<(), Violation> {
        let Some(largest) = ranges.clone().map(|range| *range.end()).max() else {
            return Ok(());
        };
        let believes = self.believes_any_ack();
        let Some(sent) = self.spaces.get_mut(space) else { return Ok(()) };
        if !believes {
            sent.check(ranges.clone())?;
        }
        let (acked, spurious) = (out.acked.len(), out.spurious.len());
        out.space = Some(space);
        let prior = sent.on_ack(largest, ranges, out);
        if space == Space::Data {
            self.probe.set_max_ack_delay(max_ack_delay);
        }
        let last = if space == Space::Data { self.last_ack.replace(now) } else { None };
        let since = last.map_or(Duration::MAX, |last| now.saturating_duration_since(last));
        let found = Found { space, largest, prior, acked, spurious, since };
        self.adapt(&found, now, out);
        let promised = self.probe.believed_delay(max_ack_delay);
        self.measure(&found, [ack_delay, ack_delay.min(promised)], now, out);
        self.detect_lost(space, now, out);
        if space == Space::Data {
            self.rack.on_largest_acked(largest, self.spaces.data.next());
        }
        Ok(())
    }

    /// Does what time demands: declares packets lost, or asks for probes. Harmless when nothing is due.
    pub(crate) fn on_timeout(&mut self, now: Instant, out: &mut Outcome) {
        if let Some((at, space)) = self.spaces.loss_time() {
            if at <= now {
                out.space = Some(space);
                self.detect_lost(space, now, out);
            }
            return;
        }
        if let Some((_, space)) = self.probe_timeout().filter(|&(at, _)| at <= now) {
            self.probe.on_expired(now);
            out.probes = Some((space, if self.probe.is_linear() { PROBES } else { 1 }));
        }
    }

    /// When [`on_timeout`](Self::on_timeout) is due, `None` if nothing is awaited.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        let loss = self.spaces.loss_time().map(|(at, _)| at);
        loss.or_else(|| self.probe_timeout().map(|(at, _)| at))
    }

    /// Forgets a space whose keys are gone (RFC 9002 §6.4). Its packets are neither acknowledged nor lost.
    pub(crate) fn discard(&mut self, space: Space) {
        self.spaces.discard(space);
        self.probe.reset();
    }

    /// Forgets what was sent in a space that goes on with other keys, after a Retry.
    pub(crate) fn restart(&mut self, space: Space) {
        if let Some(space) = self.spaces.get_mut(space) {
            space.restart();
        }
        self.probe.reset();
    }

    /// Every packet of a space that is neither acknowledged nor lost, the oldest first.
    pub(crate) fn unacked(&self, space: Space) -> impl DoubleEndedIterator<Item = &SentPacket> {
        self.spaces.get(space).into_iter().flat_map(|space| space.sent().iter())
    }

    /// Bytes sent that are neither acknowledged nor lost.
    pub(crate) fn in_flight(&self) -> u64 {
        self.spaces.iter().map(|(_, space)| space.sent().bytes_in_flight()).sum()
    }

    /// The round trip time of the path.
    pub(crate) fn rtt(&self) -> &RttEstimator {
        &self.rtt
    }

    /// The reordering window (`RACK.reo_wnd`): how much later than a round trip a packet may be
    /// acknowledged before it is lost.
    pub(crate) fn reo_wnd(&self) -> Duration {
        self.rack.reo_wnd(&self.rtt)
    }

    /// Probe timeouts since anything was acknowledged.
    pub(crate) fn pto_count(&self) -> u32 {
        self.probe.count()
    }

    /// The largest number acknowledged.
    pub(crate) fn largest_acked(&self, space: Space) -> Option<PacketNumber> {
        self.spaces.get(space)?.largest_acked()
    }

    /// The oldest packet in flight: what a probe is to repeat.
    pub(crate) fn oldest_unacked(&self, space: Space) -> Option<&SentPacket> {
        self.spaces.get(space)?.sent().first()
    }

    /// Whether the handshake is confirmed: from then on packets of [`Space::Data`] are probed for
    /// (RFC 9002 §6.2.1).
    pub(crate) fn set_handshake_confirmed(&mut self, confirmed: bool) {
        self.probe.confirmed = confirmed;
    }

    /// Whether the other side knows that our address is ours. Until then the dialing side probes with
    /// nothing in flight too, or both could wait for ever (RFC 9002 §6.2.2.1).
    pub(crate) fn set_peer_completed_address_validation(&mut self, completed: bool) {
        self.probe.peer_completed_address_validation = completed;
    }

    /// Starts over with a new path; with `reset_rtt` nothing measured on the old one holds
    /// (RFC 9000 §9.4).
    pub(crate) fn on_path_change(&mut self, reset_rtt: bool) {
        self.probe.reset();
        if reset_rtt {
            self.rtt = RttEstimator::new(INITIAL_RTT);
            self.rack = Rack::default();
            self.path_from = self.spaces.data.next();
        }
    }

    /// This side slept: how long what was on its way took is not known.
    pub(crate) fn on_sleep(&mut self) {
        self.path_from = self.spaces.data.next();
    }

    /// Gives back memory that is not in use, for a connection that falls silent.
    pub(crate) fn shrink_to_fit(&mut self) {
        self.spaces.data.shrink_to_fit();
    }

    /// Packets remembered one by one, and runs of numbers remembered as such.
    #[cfg(test)]
    pub(crate) fn remembered(&self) -> usize {
        self.spaces.iter().map(|(_, space)| space.remembered()).sum()
    }

    /// Learns from what an acknowledgement was about how the path treats packets.
    fn adapt(&mut self, found: &Found, now: Instant, out: &mut Outcome) {
        let spurious = out.spurious.get(found.spurious..).unwrap_or_default();
        let acked = out.acked.get(found.acked..).unwrap_or_default();
        let Some(news) = acked.len().checked_add(spurious.len()).filter(|&news| news > 0) else {
            return;
        };
        self.probe.reset();
        self.probe.on_activity(now);
        let overtaken = acked.first().filter(|first| found.prior.is_some_and(|prior| first.pn < prior));
        if let Some(first) = overtaken {
            self.rtt.on_overtaken(now.saturating_duration_since(first.sent), now);
        }
        let is_late = found.since <= self.vagueness();
        if is_late && (overtaken.is_some() || !spurious.is_empty()) {
            self.rack.on_reordering();
        }
        if let Some(oldest) = spurious.iter().map(|packet| packet.sent).min().filter(|_| is_late) {
            self.rack.on_spurious(now.saturating_duration_since(oldest), &self.rtt);
        }
        if let Some(newest) = acked.last() {
            out.newest_acked_sent = Some(newest.sent);
        }
        out.wifi_stall |= self.stall.on_acked(news, now, &self.rtt);
    }

    /// Takes a sample of the round trip time, but only from the largest packet and only when it is newly
    /// acknowledged: all others may have waited unknown times (RFC 9002 §5.1). Where packets overtake each
    /// other the largest are those that came early by chance, and one that was overtaken is acknowledged at
    /// once: there all of them count, or what is usual would be taken for late. But not where the acknowledgement
    /// before was long ago: then those in between may have been lost, and it is they that came late.
    ///
    /// `waited` is what the other side says it did, and as far as it is believed.
    fn measure(&mut self, found: &Found, waited: [Duration; 2], now: Instant, out: &mut Outcome) {
        let all = self.rack.has_reordering() && found.space == Space::Data;
        let is_prompt = all && found.since <= self.vagueness();
        let acked = out.acked.get(found.acked..).unwrap_or_default();
        let newest = acked.last().map(|packet| packet.sent);
        let mut least: Option<Duration> = None;
        for packet in acked {
            let sample = now.saturating_duration_since(packet.sent);
            let is_largest = packet.pn == found.largest;
            let of_path = found.space != Space::Data || packet.pn >= self.path_from;
            if of_path && (is_largest || is_prompt) {
                let knows = is_largest && found.space == Space::Data;
                let [waited, believed] = if knows { waited } else { Default::default() };
                self.rtt.on_sample(sample, believed, now);
                let way = sample.saturating_sub(waited).max(self.rtt.min());
                least = Some(least.map_or(way, |least| least.min(way)));
                // What left longer before the newest was on time to be told of earlier.
                if newest.is_some_and(|newest| newest.saturating_duration_since(packet.sent) <= MAX_ACK_DELAY)
                {
                    self.rtt.on_prompt(way);
                }
                out.rtt_sample = true;
            }
        }
        least.into_iter().for_each(|least| self.rtt.on_heard(least));
        let late = out.spurious.get(found.spurious..).unwrap_or_default();
        for packet in late.iter().filter(|_| is_prompt) {
            self.rtt.on_sample(now.saturating_duration_since(packet.sent), Duration::ZERO, now);
        }
        out.all_measured |= is_prompt;
    }

    /// By what a measured round trip may be wrong, at most.
    fn vagueness(&self) -> Duration {
        (self.rtt.smoothed() / 2).max(VAGUENESS)
    }

    fn detect_lost(&mut self, space: Space, now: Instant, out: &mut Outcome) {
        let period = self.probe.base(space, &self.rtt);
        let rule = LossRule {
            now,
            delay: self.rack.loss_delay(&self.rtt),
            by_count: self.rack.counts_packets(),
            memory: period.saturating_mul(LOST_MEMORY),
            persistent: period.saturating_mul(PERSISTENT_CONGESTION_THRESHOLD),
            sampled_since: self.rtt.first_sample_at(),
        };
        let before = out.lost.len();
        if let Some(space) = self.spaces.get_mut(space) {
            space.detect_lost(&rule, out);
        }
        if out.lost.len() > before {
            self.rack.on_loss();
        }
    }

    fn probe_timeout(&self) -> Option<(Instant, Space)> {
        #[cfg(test)]
        if self.mutant == Some(Mutant::NoProbeTimeout) {
            return None;
        }
        self.probe.deadline(&self.spaces, &self.rtt)
    }

    #[cfg(not(test))]
    const fn believes_any_ack(&self) -> bool {
        false
    }

    #[cfg(test)]
    fn believes_any_ack(&self) -> bool {
        self.mutant == Some(Mutant::AckOfUnsentAccepted)
    }
}

/// What one acknowledgement was about.
struct Found {
    space: Space,
    /// The largest number in it.
    largest: PacketNumber,
    /// The largest number acknowledged before it.
    prior: Option<PacketNumber>,
    /// Where in the outcome its newly acknowledged packets start.
    acked: usize,
    /// Where in the outcome its spurious losses start.
    spurious: usize,
    /// Since the acknowledgement before it. What is new in this one arrived no longer ago than that, unless one
    /// in between was lost: so much of a round trip may not be the path's.
    since: Duration,
}

#[cfg(test)]
mod tests;
