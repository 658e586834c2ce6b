//! Datagrams out: which packets go, under which keys, and how much the path takes now.

use std::{net::SocketAddr, time::Instant};

use rand::Rng as _;

use super::{
    Connection, Life,
    close::End,
    payload::{Draft, Gate},
};
use crate::transport::{
    Class,
    udp::proto::{
        PacketNumber, Side, Space, frame,
        packet::{self, MIN_INITIAL_BYTES},
        received::Mark,
        seal::TAG_BYTES,
        sent::{Carried, SentPacket},
        thin::INITIAL_FLIGHT,
    },
};

/// Packets of chat that may leave at once though the pacer says wait: less than a window's burst, and a
/// line that was just typed is worth it.
pub(super) const UNPACED_PACKETS: u8 = 4;

/// Packets by which chat may exceed the window: never so much that it makes the congestion.
pub(super) const THIN_OVERDRAFT: u64 = 2;

/// Packets by which answers and limits may exceed the window. They must get through while files fill it,
/// but whoever asks and never acknowledges must not make us remember answers without end.
const CONTROL_OVERDRAFT: u64 = 8;

/// A datagram to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transmit {
    /// Where to.
    pub remote: SocketAddr,
    /// Its length: the last bytes of the buffer.
    pub len: usize,
    /// The mark to put into its IP header.
    pub ecn: Option<Mark>,
}

/// A packet that was sealed.
struct Sealed {
    pn: PacketNumber,
    start: usize,
    carried: smallvec::SmallVec<[Carried; 4]>,
    elicits_ack: bool,
    has_bulk: bool,
    probe_mtu: bool,
}

impl Connection {
    /// Appends the next datagram to `out`, if there is one to be sent now.
    pub fn poll_transmit(&mut self, now: Instant, out: &mut Vec<u8>) -> Option<Transmit> {
        let now = self.tell(now);
        self.renew_keys();
        let transmit = match self.life {
            Life::Handshaking | Life::Established => {
                self.transmit_aside(out).or_else(|| self.transmit_on_path(out))
            }
            Life::Closing => self.transmit_close(out),
            Life::Draining | Life::Over => None,
        };
        if transmit.is_none() && self.life == Life::Established {
            self.note_blocked();
        }
        let transmit = transmit?;
        self.stats.bytes_sent += transmit.len as u64;
        self.spoke = now;
        Some(transmit)
    }

    fn renew_keys(&mut self) {
        let now = self.clock;
        let lives = self.life == Life::Established && self.handshaking.is_none();
        if let Some(keys) = self.keys.as_mut().filter(|_| lives) {
            keys.renew(now);
            self.stats.key_updates = keys.updates();
            if keys.is_spent() {
                self.abort_with(End::WornOut);
            }
        }
    }

    fn transmit_on_path(&mut self, out: &mut Vec<u8>) -> Option<Transmit> {
        let probing = self.due.probes.iter().any(|&probes| probes > 0);
        let mtu = usize::from(self.mtu.current());
        let size = if probing || self.handshaking.is_some() { mtu.min(MIN_INITIAL_BYTES) } else { mtu };
        if !self.path.allows(size) {
            return None;
        }
        let start = out.len();
        let gate = self.gate();
        if !probing && let Some(probe) = self.transmit_mtu_probe(out) {
            return Some(probe);
        }
        self.write_handshake_packet(Space::Initial, out, start + size, gate);
        let hello = out.len() > start && out.len() < start + size;
        self.write_handshake_packet(Space::Handshake, out, start + size, gate);
        let padded = self.side == Side::Dialer && hello;
        let has_bulk = self.write_data_packet(out, start, size, gate, padded);
        if out.len() == start {
            return None;
        }
        let transmit = self.sent_to_path(out, start);
        if !has_bulk {
            self.echo(out.get(start..).unwrap_or_default(), transmit.ecn);
        }
        Some(transmit)
    }

    /// What may go out by the window and the pacer.
    fn gate(&mut self) -> Gate {
        let mtu = self.mtu.current();
        self.estimate.age(self.clock);
        let (window, in_flight) = (self.controller.window(), self.recovery.in_flight());
        let rate = self.controller.pacing_rate(self.rtt_view());
        self.paced_until = self.pacer.delay(self.clock, rate, window, mtu);
        let paced = self.paced_until.is_none();
        if paced {
            self.unpaced = 0;
        } else if !Class::ALL.into_iter().any(|class| self.is_waiting_to_send(class)) {
            self.pacer.on_idle();
        }
        self.thin_paced_until = self.pace_thin();
        let needed = in_flight + u64::from(mtu);
        Gate {
            thin: self.thin_in_window() && self.thin_paced_until.is_none(),
            bulk: needed <= window && paced && !self.is_torn(),
            control: self.has_room_for_control(),
        }
    }

    fn has_room_for_control(&self) -> bool {
        let mtu = u64::from(self.mtu.current());
        self.recovery.in_flight() + mtu <= self.controller.window() + CONTROL_OVERDRAFT * mtu
    }

    /// Until when chat has to wait: as long as everything else once it has used up what may leave in spite
    /// of the pacer, but no longer than the pace of its own allowance has it.
    fn pace_thin(&mut self) -> Option<Instant> {
        let until = self.paced_until.filter(|_| self.is_overdrawn())?;
        let (allowance, mtu) = (self.thin.allowance(self.clock), self.mtu.current());
        if !self.is_allowed(allowance) {
            return Some(until);
        }
        let rate = (allowance as f64 / self.recovery.rtt().smoothed().as_secs_f64().max(0.001)) as u64;
        let own = self.thin_pacer.delay(self.clock, Some(rate), allowance, mtu)?;
        Some(own.min(until))
    }

    /// Whether the window, with what chat may exceed it by, has room.
    pub(super) fn thin_in_window(&self) -> bool {
        let mtu = u64::from(self.mtu.current());
        let window = self.controller.window() + THIN_OVERDRAFT * mtu;
        self.recovery.in_flight() + mtu <= window || self.is_allowed(self.thin.allowance(self.clock))
    }

    /// Whether `allowance` has room for one packet more, or at least what left of late is no more than may be
    /// in flight on a path that nothing is known of. What nothing was heard of for a probe timeout is lost or
    /// the path is dead; if it counted, chat would fall silent in a blackout and not notice the end of it.
    fn is_allowed(&self, allowance: u64) -> bool {
        let Some(free) = allowance.checked_sub(self.mtu.current().into()) else { return false };
        if self.recovery.in_flight() <= free {
            return true;
        }
        let timeout = self.probe_timeout();
        let of_late = |packet: &&SentPacket| self.clock.saturating_duration_since(packet.sent) < timeout;
        let mut sent = self.recovery.unacked(Space::Data).rev().take_while(of_late);
        sent.try_fold(free.min(INITIAL_FLIGHT), |free, packet| free.checked_sub(packet.bytes.into()))
            .is_some()
    }

    /// Whether chat has used up what may leave in spite of the pacer.
    fn is_overdrawn(&self) -> bool {
        self.unpaced >= UNPACED_PACKETS
    }

    fn write_handshake_packet(&mut self, space: Space, out: &mut Vec<u8>, end: usize, gate: Gate) {
        let pads = self.side == Side::Dialer && space == Space::Initial && !self.has_more_after_initial(gate);
        let now = self.clock;
        let rides = space == Space::Handshake && self.flight_rides(gate);
        let probes = self.due.probes.get_mut(space.index());
        let Some(shaking) = &mut self.handshaking else { return };
        let (dst, src) = (self.remote_cids.current(), shaking.source);
        let version = shaking.handshaker.version();
        let token = if space == Space::Initial { shaking.token.clone() } else { Vec::new() };
        let Some(level) = shaking.level(space) else { return };
        let probing = probes.as_ref().is_some_and(|probes| **probes > 0);
        let acks = level.received.has_news();
        if (probing || rides) && !level.out.is_waiting() {
            // All that nobody confirmed, or a lost flight would take a round trip more.
            level.out.ask_again(self.recovery.unacked(space).flat_map(|packet| &packet.carried));
        }
        if !(level.out.is_waiting() || probing || acks) || end < out.len() + 100 + token.len() {
            return;
        }
        let (start, pn) = (out.len(), level.next_packet);
        let acked = self.recovery.largest_acked(space);
        let header = match space {
            Space::Initial => packet::write_initial(out, version, dst, src, &token, pn, acked),
            _ => packet::write_handshake(out, version, dst, src, pn, acked),
        };
        let mut draft = Draft::new(out, end.saturating_sub(TAG_BYTES));
        if acks {
            draft.acknowledge(&mut level.received, now);
        }
        while draft.room() > 16
            && let Some((offset, data)) = level.out.next(draft.room() - 12)
        {
            frame::put_crypto(draft.out, offset, data);
            let len = data.len() as u32;
            draft.note(Carried::Crypto { offset, len });
        }
        if let Some(probes) = probes.filter(|probes| **probes > 0) {
            *probes -= 1;
            if !draft.elicits_ack && draft.room() > 0 {
                frame::put_ping(draft.out);
                draft.note(Carried::Ping);
            }
        }
        let (carried, elicits_ack, end) = (draft.carried, draft.elicits_ack, draft.end);
        if pads {
            header.pad_to(out, end + TAG_BYTES - start);
        }
        let keys = &level.keys.local;
        if header.seal(out, keys.header.as_ref(), keys.packet.as_ref()) {
            level.next_packet += 1;
            let has_bulk = false;
            let sealed = Sealed { pn, start, carried, elicits_ack, has_bulk, probe_mtu: false };
            self.note_sent(space, sealed, out.len());
            if space == Space::Handshake && self.side == Side::Dialer {
                self.discard_initial();
            }
        }
    }

    /// Whether a datagram that begins with a hello goes on with something else, which is then padded.
    fn has_more_after_initial(&mut self, gate: Gate) -> bool {
        let [_, probes, data_probes] = self.due.probes;
        let waiting = self.handshaking.as_mut().and_then(|shaking| shaking.level(Space::Handshake));
        let shakes = waiting.is_some_and(|level| level.out.is_waiting() || level.received.has_news());
        let speaks = self.life == Life::Established && (self.has_something(gate) || data_probes > 0);
        shakes || probes > 0 || speaks
    }

    /// Whether there is anything of a file in it.
    fn write_data_packet(
        &mut self,
        out: &mut Vec<u8>,
        start: usize,
        size: usize,
        gate: Gate,
        padded: bool,
    ) -> bool {
        let ack_due = self.received.due().is_some_and(|due| due <= self.clock);
        let speaks = self.life == Life::Established && (ack_due || self.has_something(gate));
        if self.keys.is_none() || !speaks || start + size < out.len() + 64 {
            if padded {
                // A hello that could not be padded within: what follows it is skipped by the reader.
                out.resize(start + size, 0);
            }
            return false;
        }
        let (at, pn) = (out.len(), self.next_number());
        let phase = self.keys.as_ref().is_some_and(|keys| keys.phase());
        let acked = self.recovery.largest_acked(Space::Data);
        let header = packet::write_short(out, self.remote_cids.current(), phase, pn, acked);
        let empty = out.len();
        let mut draft = Draft::new(out, start + size - TAG_BYTES);
        draft.urgent_only = self.handshaking.is_some();
        self.fill(&mut draft, gate);
        let (carried, elicits_ack, has_bulk) = (draft.carried, draft.elicits_ack, draft.has_bulk);
        if out.len() == empty {
            out.truncate(at);
            return false;
        }
        if padded {
            header.pad_to(out, start + size - at);
        }
        let Some(keys) = &mut self.keys else { return false };
        if keys.seal(header, pn, out) {
            self.next_packet += 1;
            let sealed = Sealed { pn, start: at, carried, elicits_ack, has_bulk, probe_mtu: false };
            self.note_sent(Space::Data, sealed, out.len());
        }
        has_bulk
    }

    /// A packet of nothing but a question and padding, larger than the path is known to take. Lines go first.
    fn transmit_mtu_probe(&mut self, out: &mut Vec<u8>) -> Option<Transmit> {
        if !self.may_probe_mtu() || self.candidate.is_some() || !self.path.is_validated() {
            return None;
        }
        if [Class::Control, Class::Thin].into_iter().any(|class| self.can_send(class)) {
            return None;
        }
        let size = self.mtu.probe_size(self.clock)?;
        let in_flight = self.recovery.in_flight() + u64::from(size);
        if in_flight > self.controller.window() {
            return None;
        }
        let pn = self.next_number();
        self.mtu.on_probe_sent(size, pn, self.clock);
        let start = out.len();
        self.write_padded(out, usize::from(size), true, frame::put_ping)?;
        Some(self.sent_to_path(out, start))
    }

    /// A link that only ever carries short lines never needs larger packets, and a narrow one feels each probe.
    pub(super) fn may_probe_mtu(&self) -> bool {
        self.says_much && self.life == Life::Established && self.handshaking.is_none()
    }

    /// One frame and padding up to `size`. If it probes for the MTU its fate is of interest, else whoever
    /// sends it knows better what to do when nothing comes of it.
    pub(super) fn write_padded(
        &mut self,
        out: &mut Vec<u8>,
        size: usize,
        probe_mtu: bool,
        put: impl FnOnce(&mut Vec<u8>),
    ) -> Option<()> {
        let (start, pn) = (out.len(), self.next_number());
        let phase = self.keys.as_ref()?.phase();
        let acked = self.recovery.largest_acked(Space::Data);
        let header = packet::write_short(out, self.remote_cids.current(), phase, pn, acked);
        put(out);
        header.pad_to(out, size);
        if !self.keys.as_mut()?.seal(header, pn, out) {
            return None;
        }
        self.next_packet += 1;
        let carried = probe_mtu.then_some(Carried::Ping).into_iter().collect();
        let sealed = Sealed { pn, start, carried, elicits_ack: probe_mtu, has_bulk: false, probe_mtu };
        self.note_sent(Space::Data, sealed, out.len());
        Some(())
    }

    fn transmit_close(&mut self, out: &mut Vec<u8>) -> Option<Transmit> {
        let closing = self.closing.as_mut().filter(|closing| closing.due)?;
        closing.due = false;
        let (code, text) = (closing.code, closing.text.clone());
        let start = out.len();
        if let Some(keys) = &mut self.keys {
            let (phase, pn) = (keys.phase(), self.next_packet);
            let acked = self.recovery.largest_acked(Space::Data);
            let header = packet::write_short(out, self.remote_cids.current(), phase, pn, acked);
            frame::put_close(out, code, &text);
            if keys.seal(header, pn, out) {
                self.next_packet += 1;
            }
        }
        // The other side may have no keys for data yet.
        if let Some(shaking) = &mut self.handshaking {
            let (dst, src) = (self.remote_cids.current(), shaking.source);
            let version = shaking.handshaker.version();
            let mut before = Vec::new();
            for space in [Space::Handshake, Space::Initial] {
                let token = if space == Space::Initial { shaking.token.clone() } else { Vec::new() };
                let Some(level) = shaking.level(space) else { continue };
                let pn = level.next_packet;
                let header = match space {
                    Space::Initial => packet::write_initial(&mut before, version, dst, src, &token, pn, None),
                    _ => packet::write_handshake(&mut before, version, dst, src, pn, None),
                };
                frame::put_close(&mut before, code, &text);
                let keys = &level.keys.local;
                if header.seal(&mut before, keys.header.as_ref(), keys.packet.as_ref()) {
                    level.next_packet += 1;
                }
            }
            out.splice(start..start, before);
        }
        let len = out.len() - start;
        if len == 0 || !self.path.allows(len) {
            out.truncate(start);
            return None;
        }
        self.path.on_sent(len);
        Some(Transmit { remote: self.path.remote, len, ecn: None })
    }

    fn note_sent(&mut self, space: Space, sealed: Sealed, end: usize) {
        let Sealed { pn, start, carried, elicits_ack, has_bulk, probe_mtu } = sealed;
        let bytes = u16::try_from(end - start).unwrap_or(u16::MAX);
        let now = self.clock;
        self.stats.packets_sent += 1;
        if elicits_ack {
            let waits = self.unanswered.filter(|_| self.recovery.in_flight() > 0);
            self.unanswered = waits.or(Some(now));
            self.pacer.on_sent(now, bytes);
            self.controller.on_sent(now, u64::from(bytes));
            if self.paced_until.is_some() {
                self.unpaced = self.unpaced.saturating_add(1);
                self.thin_pacer.on_sent(now, bytes);
            }
            if space == Space::Data {
                self.answers.on_asked(now);
            }
        }
        let room = self.recovery.in_flight() + u64::from(bytes) * 2 < self.controller.window();
        let packet = SentPacket {
            pn,
            sent: now,
            bytes,
            eliciting: elicits_ack,
            probe_mtu,
            has_bulk,
            carried,
            app_limited: room && !Class::ALL.into_iter().any(|class| self.can_send(class)),
        };
        self.recovery.on_sent(space, packet);
    }

    fn sent_to_path(&mut self, out: &[u8], start: usize) -> Transmit {
        let len = out.len() - start;
        self.path.on_sent(len);
        let confirmed = self.handshaking.is_none();
        let ecn = confirmed.then(|| self.ecn.mark(self.next_packet.saturating_sub(1))).flatten();
        Transmit { remote: self.path.remote, len, ecn }
    }

    /// The number of the next packet. When the turn of one to be left out has come, or has passed with a
    /// packet that could not wait, it is left out now.
    fn next_number(&mut self) -> PacketNumber {
        if self.next_packet >= self.skip_at {
            self.recovery.skip(Space::Data, self.next_packet);
            self.next_packet += 1;
            self.skip_at = self.pick_skip(self.next_packet);
        }
        self.next_packet
    }

    /// The next number to leave out: soon at first, ever more rarely later. Who acknowledges it guesses
    /// (RFC 9000 §21.4).
    pub(super) fn pick_skip(&mut self, after: PacketNumber) -> PacketNumber {
        let spread = after.clamp(64, 1 << 16).next_power_of_two();
        after + 1 + self.chance.next_u64() % spread
    }
}
