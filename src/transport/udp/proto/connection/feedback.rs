//! What acknowledgements and losses mean for everything that was in the packets.

mod ecn;

use std::time::Duration;

pub(super) use ecn::Ecn;

use super::{Connection, Life, close::End};
use crate::transport::{
    Class,
    udp::proto::{
        Space,
        congestion::{AckSample, LossSample, RttView},
        loss::{Outcome, Spurious},
        sent::{Carried, SentPacket},
        thin::{Conditions, Hearsay, LossView},
    },
};

/// Packets of a flight that may have been lost by chance, however large they were.
const LOST_BY_CHANCE: f64 = 6.0;

/// The chance below which a flight was not lost by chance.
const UNLIKELY: f64 = 1e-6;

/// Packets lost at one instant, none as large having passed since.
#[derive(Default)]
struct LostFlight {
    packets: usize,
    /// The size of the smallest.
    smallest: Option<u16>,
}

impl LostFlight {
    fn add(&mut self, packet: &SentPacket) {
        self.packets += 1;
        self.smallest = Some(self.smallest.map_or(packet.bytes, |smallest| smallest.min(packet.bytes)));
    }
}

/// A path that takes longer is of no use to anybody. A machine that dozes makes any path look like that,
/// and must not wait minutes for what is gone.
const MAX_PROBE_TIMEOUT: Duration = Duration::from_secs(10);

impl Connection {
    /// Passes on what the recovery found out of a space.
    pub(super) fn apply_outcome(&mut self, space: Space, outcome: &Outcome) {
        if !outcome.acked.is_empty() {
            self.unanswered = (self.recovery.in_flight() > 0).then_some(self.clock);
        }
        if space == Space::Data && !outcome.acked.is_empty() {
            self.note_answered();
        }
        let measured = outcome.acked.last().filter(|_| outcome.rtt_sample).map(|packet| packet.pn);
        for packet in &outcome.acked {
            let latency = match outcome.all_measured {
                true => Some(self.clock.saturating_duration_since(packet.sent)),
                false => (measured == Some(packet.pn)).then(|| self.recovery.rtt().adjusted()),
            };
            self.packet_acked(space, packet, latency);
        }
        self.packets_lost(space, outcome);
        if outcome.wifi_stall {
            self.controller.on_stall();
        }
        for &Spurious { pn, sent, bytes } in &outcome.spurious {
            self.stats.spurious += 1;
            self.mtu.on_acked(bytes, sent);
            self.estimate.on_spurious(pn);
            self.controller.on_spurious(self.clock, sent);
        }
        if let Some((space, count)) = outcome.probes.filter(|_| !self.can_do_without_probe()) {
            self.stats.probe_timeouts += 1;
            self.thin.on_probe(self.clock);
            if let Some(probes) = self.due.probes.get_mut(space.index()) {
                *probes = (*probes).max(count);
            }
            if self.life == Life::Established {
                // The other side may have dropped the keys of the handshake, and our address may be
                // another by now: then only data tells it where we are.
                let [_, _, probes] = &mut self.due.probes;
                *probes = (*probes).max(1);
            }
        }
    }

    fn packet_acked(&mut self, space: Space, packet: &SentPacket, latency: Option<Duration>) {
        let now = self.clock;
        let rtt = self.rtt_view();
        if self.is_of_path(packet) {
            self.controller.on_ack(&AckSample {
                now,
                bytes: u64::from(packet.bytes),
                sent: packet.sent,
                rtt,
                latency,
                app_limited: packet.app_limited,
                in_flight: self.recovery.in_flight(),
            });
        }
        if space == Space::Data {
            let bytes = u64::from(packet.bytes);
            self.thin.on_packet_acked(bytes, self.recovery.in_flight() + bytes, packet.has_bulk);
            self.ecn.on_acked(packet.pn);
            self.estimate.on_acked(packet.pn, packet.sent);
            if packet.probe_mtu {
                if self.mtu.on_probe_acked(packet.pn) {
                    self.controller.on_mtu(self.mtu.current());
                }
            } else {
                self.mtu.on_acked(packet.bytes, packet.sent);
            }
        }
        for carried in &packet.carried {
            self.frame_acked(space, *carried);
        }
    }

    fn frame_acked(&mut self, space: Space, carried: Carried) {
        match carried {
            Carried::Message(piece) => {
                self.thin.on_acked(piece);
                if self.outgoing.on_acked(piece) {
                    self.finish.on_progress(self.clock);
                }
                self.note_moving(piece);
            }
            Carried::Ack { largest } => match space {
                Space::Data => self.received.on_ack_acked(largest),
                _ => {
                    if let Some(level) = self.handshaking.as_mut().and_then(|s| s.level(space)) {
                        level.received.on_ack_acked(largest);
                    }
                }
            },
            Carried::Finish => self.finish.on_finish_acked(self.clock),
            Carried::Consumed { messages, last } => self.finish.on_consumed_acked(messages, last),
            Carried::NewCid(seq) => self.issued.retain(|issued| issued.seq != seq),
            Carried::RetireCid(seq) => self.remote_cids.on_retire_acked(seq),
            Carried::Crypto { .. }
            | Carried::Credit(_)
            | Carried::Blocked(_)
            | Carried::HandshakeDone
            | Carried::Ping => {}
        }
    }

    /// Whether a packet says something about the present path (RFC 9000 §9.4).
    fn is_of_path(&self, packet: &SentPacket) -> bool {
        self.path_since.is_none_or(|since| packet.sent >= since)
    }

    fn packets_lost(&mut self, space: Space, outcome: &Outcome) {
        if outcome.lost.is_empty() {
            return;
        }
        let (mut bytes, mut newest) = (0, None);
        let mut flight = LostFlight::default();
        let before = self.estimate.view();
        for packet in &outcome.lost {
            self.stats.packets_lost += 1;
            if packet.probe_mtu {
                self.mtu.on_probe_lost(packet.pn);
                continue;
            }
            // While it is not known where the other side is, they may have gone where nobody is any more.
            if self.is_of_path(packet) && !self.is_torn() {
                bytes += u64::from(packet.bytes);
                newest = newest.max(Some(packet.sent));
                if space == Space::Data {
                    self.estimate.on_lost(packet.pn, packet.sent);
                    // Where packets overtake each other many are lost, or seem so, between two that pass.
                    if !self.mtu.has_passed_since(packet.sent) {
                        flight.add(packet);
                    }
                }
            }
            for carried in &packet.carried {
                self.frame_lost(space, *carried);
            }
        }
        self.suspect_black_hole(&flight, before);
        let now = self.clock;
        if let Some(sent) = newest {
            let persistent = outcome.persistent_congestion;
            self.controller.on_loss(&LossSample { now, bytes, sent, persistent });
        }
    }

    /// Puts what a lost packet held where the next packet takes it from.
    pub(super) fn frame_lost(&mut self, space: Space, carried: Carried) {
        #[cfg(test)]
        if self.config.mutant == Some(super::super::config::Mutant::NoRetransmission) {
            return;
        }
        match carried {
            Carried::Message(piece) => {
                if !self.thin.on_copy_lost(piece, self.clock) {
                    self.outgoing.on_lost(piece);
                }
            }
            Carried::Crypto { offset, len } => {
                if let Some(level) = self.handshaking.as_mut().and_then(|s| s.level(space)) {
                    level.out.again(offset, u64::from(len));
                }
            }
            Carried::Credit(class) => self.note_due(class, |due| &mut due.credit),
            Carried::Blocked(class) => {
                if self.outgoing.is_blocked(class, &self.credit) {
                    self.note_due(class, |due| &mut due.blocked);
                }
            }
            Carried::Finish => self.finish.on_finish_lost(),
            Carried::Consumed { .. } => self.finish.on_consumed_lost(),
            Carried::NewCid(seq) => {
                if self.issued.iter().any(|issued| issued.seq == seq) {
                    self.due.new_cid(seq);
                }
            }
            Carried::RetireCid(seq) => self.due.retire_cid(seq),
            Carried::HandshakeDone => self.due.handshake_done = true,
            // Said anew anyway.
            Carried::Ack { .. } | Carried::Ping => {}
        }
    }

    fn suspect_black_hole(&mut self, flight: &LostFlight, before: LossView) {
        let Some(smallest) = flight.smallest else { return };
        let now = self.clock;
        // One lost packet makes the next more likely. Two in three at most, or no flight would be long enough.
        let loss = before.p_hat.max(before.q).min(0.66);
        let least = (UNLIKELY.ln() / loss.ln()).max(LOST_BY_CHANCE) as usize;
        let by_chance = flight.packets < least;
        if self.mtu.on_lost(smallest, flight.packets, least, now)
            || (!by_chance && self.mtu.on_flight_lost(smallest, now))
        {
            self.controller.on_mtu(self.mtu.current());
        }
    }

    pub(super) fn rtt_view(&self) -> RttView {
        let rtt = self.recovery.rtt();
        RttView { latest: rtt.latest(), min: rtt.min(), smoothed: rtt.smoothed() }
    }

    /// How long without an acknowledgement before the other side is probed (RFC 9002 §6.2.1).
    pub(super) fn probe_timeout(&self) -> Duration {
        (self.recovery.rtt().pto_base() + self.peer.max_ack_delay).min(MAX_PROBE_TIMEOUT)
    }

    /// Ends it without a word: nobody there would understand one.
    pub(super) fn end_unheard(&mut self, end: End) {
        self.abort_with(end);
    }

    /// What the deadlines of small messages have to know.
    pub(super) fn conditions(&self) -> Conditions {
        let rtt = self.recovery.rtt();
        let srtt = rtt.smoothed();
        // Before the path showed its limits they are not known.
        let known = !self.controller.in_slow_start();
        let window = self.controller.window().max(self.thin.allowance(self.clock));
        let bandwidth = || (window as f64 / srtt.as_secs_f64().max(0.001)) as u64;
        Conditions {
            srtt,
            prompt: rtt.prompt(),
            jitter: rtt.jitter(),
            lately: rtt.lately(),
            settled: rtt.settled(),
            most_lately: rtt.most_lately(),
            // What is assumed before the first sample is no measure of a queue.
            min_rtt: rtt.first_sample_at().map_or(Duration::ZERO, |_| rtt.min()),
            reo_wnd: self.recovery.reo_wnd(),
            p: self.estimate.view(),
            bandwidth: known.then(bandwidth),
            marked: self.ecn.marked,
        }
    }

    /// What this connection saw its path lose though no queue stands in it.
    pub(in crate::transport::udp::proto) fn losses_seen(&self) -> Option<Hearsay> {
        if self.thin.is_congested(self.clock) { None } else { self.estimate.told() }
    }

    /// What another connection saw of the same.
    pub(in crate::transport::udp::proto) fn expect_losses(&mut self, hearsay: Hearsay) {
        self.estimate.expect(hearsay);
    }

    pub(super) fn is_waiting_to_send(&self, class: Class) -> bool {
        self.outgoing.has_fresh(class) || self.outgoing.has_lost(class)
    }
}
