//! Datagrams in: taken apart into packets, opened, and their frames handed on. Nothing changes before a
//! packet has proven to be the other side's.

use std::{net::SocketAddr, time::Instant};

use super::{Connection, Life, close::End, handshaking::MAX_UNDECRYPTABLE, keys::Opened};
use crate::transport::{
    Class,
    udp::proto::{
        PacketNumber, Side, Space, Violation,
        cid::ConnectionId,
        frame::{Frame, Frames},
        packet::{Outer, Unmasked, read_outer, unmask},
        received::{Mark, Received, Urgency},
    },
};

#[cfg(test)]
use crate::transport::udp::proto::config::Mutant;

/// A datagram and where it came from.
#[derive(Debug)]
pub struct Arrived<'a> {
    /// Who sent it, by its own account.
    pub remote: SocketAddr,
    /// The mark of congestion in its IP header.
    pub ecn: Option<Mark>,
    /// Its payload; unsealed in place.
    pub data: &'a mut [u8],
}

/// What an opened packet did.
#[derive(Default)]
struct Seen {
    elicits_ack: bool,
    urgent: bool,
    /// Something besides what probes a path.
    settles: bool,
    /// There was no room for all of it; it has to come again.
    refused: bool,
}

impl Connection {
    /// Takes a datagram that its connection ids say is for this connection.
    pub fn handle_datagram(&mut self, arrived: Arrived<'_>, now: Instant) {
        let now = self.tell(now);
        // Who was called has no timer for silence, but hears the dialer's word against it.
        if now.saturating_duration_since(self.heard.max(self.spoke)) > self.config.keep_alive / 2 {
            self.rest();
        }
        self.stats.bytes_received += arrived.data.len() as u64;
        let remote = arrived.remote;
        self.arriving = arrived.data.len();
        match self.life {
            Life::Handshaking | Life::Established => self.take_datagram(arrived),
            Life::Closing => self.answer_with_close(),
            Life::Draining | Life::Over => {}
        }
        let candidate = self.candidate.as_mut().map(|candidate| &mut candidate.path);
        for path in [&mut self.path].into_iter().chain(candidate).filter(|path| path.remote == remote) {
            path.on_received(self.arriving);
        }
    }

    fn take_datagram(&mut self, arrived: Arrived<'_>) {
        let Arrived { remote, ecn, data } = arrived;
        let mut rest = data;
        let from = (remote, ecn);
        while !rest.is_empty() && matches!(self.life, Life::Handshaking | Life::Established) {
            let Some(end) = self.take_packet(rest, from) else { break };
            let (_, after) = std::mem::take(&mut rest).split_at_mut_checked(end).unwrap_or_default();
            rest = after;
        }
        self.open_what_waited();
    }

    /// Takes one packet; where it ends, if more may follow.
    fn take_packet(&mut self, data: &mut [u8], from: (SocketAddr, Option<Mark>)) -> Option<usize> {
        let Ok(outer) = read_outer(data) else {
            self.stats.malformed += 1;
            return None;
        };
        match outer {
            Outer::Initial { version, src, pn_at, end, .. } => {
                self.take_long(Space::Initial, version, src, data.get_mut(..end)?, pn_at, from);
                Some(end)
            }
            Outer::Handshake { version, src, pn_at, end, .. } => {
                self.take_long(Space::Handshake, version, src, data.get_mut(..end)?, pn_at, from);
                Some(end)
            }
            Outer::Short { pn_at, .. } => {
                self.take_short(data, pn_at, from);
                None
            }
            Outer::Retry { version, src, token, .. } => {
                let token = token.to_vec();
                if self.speaks(version) {
                    self.take_retry(src, &token, data);
                }
                None
            }
            Outer::VersionNegotiation { src, versions, .. } => {
                let versions = versions.to_vec();
                self.take_version_negotiation(src, &versions);
                None
            }
            Outer::UnknownVersion { .. } => {
                self.stats.malformed += 1;
                None
            }
        }
    }

    fn speaks(&self, version: u32) -> bool {
        self.handshaking.as_ref().is_some_and(|shaking| shaking.handshaker.version() == version)
    }

    fn take_long(
        &mut self,
        space: Space,
        version: u32,
        src: ConnectionId,
        packet: &mut [u8],
        pn_at: usize,
        from: (SocketAddr, Option<Mark>),
    ) {
        if self.handshaking.is_some() && !self.speaks(version) {
            self.stats.malformed += 1;
            return;
        }
        let Some(shaking) = &mut self.handshaking else { return };
        let Some(level) = shaking.level(space) else {
            return if space == Space::Handshake {
                self.keep_for_later(packet);
            };
        };
        let expected = level.received.expected();
        let Some(unmasked) = unmask(packet, pn_at, level.keys.remote.header.as_ref(), expected) else {
            self.stats.malformed += 1;
            return;
        };
        if level.received.is_known(unmasked.pn) {
            self.stats.duplicates += 1;
            return;
        }
        let Some((header, payload)) = packet.split_at_mut_checked(unmasked.payload_at) else { return };
        let Some(len) = level.keys.remote.packet.open(unmasked.pn, header, payload) else {
            self.stats.forged += 1;
            return;
        };
        let known = *shaking.remote_source.get_or_insert(src);
        if known != src {
            self.stats.malformed += 1;
            return;
        }
        self.remote_cids.set_first(src);
        let payload = payload.get(..len).unwrap_or_default();
        self.opened(space, &unmasked, payload, from);
        if space == Space::Handshake && self.side == Side::Acceptor {
            self.path.set_validated();
            self.discard_initial();
        }
    }

    fn take_short(&mut self, packet: &mut [u8], pn_at: usize, from: (SocketAddr, Option<Mark>)) {
        let too_early = self.keys.is_none() || self.life == Life::Handshaking;
        let (takes_replays, keeps_keys) = (self.takes_replays(), self.keeps_keys());
        let keep = self.probe_timeout() * 3;
        let newer = self.newer_than_candidate(from.0);
        let shows_presence = |pn| newer.is_some_and(|since| pn >= since);
        let Some(keys) = self.keys.as_mut().filter(|_| !too_early) else {
            return self.keep_for_later(packet);
        };
        let expected = self.received.expected();
        let Some(unmasked) = unmask(packet, pn_at, keys.remote_header.as_ref(), expected) else {
            self.stats.malformed += 1;
            return;
        };
        let known = self.received.is_known(unmasked.pn) && !takes_replays;
        self.stats.duplicates += u64::from(known);
        if known && !shows_presence(unmasked.pn) {
            return;
        }
        let Some((header, payload)) = packet.split_at_mut_checked(unmasked.payload_at) else { return };
        let opened = keys.open(unmasked.pn, unmasked.key_phase, header, payload);
        #[cfg(test)]
        let opened = match opened {
            Opened::Forged if self.config.mutant == Some(Mutant::NoAuthentication) => {
                Opened::Previous(payload.len().saturating_sub(super::super::seal::TAG_BYTES))
            }
            opened => opened,
        };
        let len = match opened {
            Opened::Previous(len) => len,
            Opened::Current(len) => {
                keys.confirm(unmasked.pn, self.clock, keep);
                len
            }
            Opened::Updated(len) if keeps_keys => len,
            Opened::Updated(len) => {
                keys.follow(unmasked.pn, self.clock, keep);
                self.stats.key_updates = keys.updates();
                len
            }
            Opened::Forged => {
                self.stats.forged += 1;
                if keys.is_worn_out() {
                    self.abort_with(End::WornOut);
                }
                return;
            }
        };
        if shows_presence(unmasked.pn) {
            self.candidate = None;
        }
        if known {
            return;
        }
        let payload = payload.get(..len).unwrap_or_default();
        self.opened(Space::Data, &unmasked, payload, from);
    }

    #[cfg(test)]
    fn takes_replays(&self) -> bool {
        self.config.mutant == Some(Mutant::NoReplayWindow)
    }

    #[cfg(not(test))]
    fn takes_replays(&self) -> bool {
        false
    }

    #[cfg(test)]
    fn keeps_keys(&self) -> bool {
        self.config.mutant == Some(Mutant::NoKeyUpdate)
    }

    #[cfg(not(test))]
    fn keeps_keys(&self) -> bool {
        false
    }

    /// A packet for keys that are not there yet.
    fn keep_for_later(&mut self, packet: &[u8]) {
        if let Some(shaking) = &mut self.handshaking
            && shaking.undecryptable.len() < MAX_UNDECRYPTABLE
        {
            shaking.undecryptable.push_back(packet.to_vec());
        }
    }

    fn open_what_waited(&mut self) {
        let Some(shaking) = &mut self.handshaking else { return };
        if self.life != Life::Established || shaking.undecryptable.is_empty() {
            return;
        }
        let waited = std::mem::take(&mut shaking.undecryptable);
        let from = (self.path.remote, None);
        for mut packet in waited {
            self.take_packet(&mut packet, from);
        }
    }

    /// The packet is the other side's: takes its frames.
    fn opened(
        &mut self,
        space: Space,
        packet: &Unmasked,
        payload: &[u8],
        (remote, ecn): (SocketAddr, Option<Mark>),
    ) {
        self.stats.packets_received += 1;
        let seen = if packet.reserved {
            Err(Violation("reserved bits are set"))
        } else {
            self.take_frames(space, payload, remote)
        };
        let seen = match seen {
            Ok(seen) => seen,
            Err(violation) => return self.close_on(violation),
        };
        self.heard = self.clock;
        self.thin.on_heard(self.clock);
        if seen.refused {
            return self.note_refused(space, packet.pn);
        }
        let newest = self.note_received(space, packet.pn, &seen, ecn);
        if space == Space::Data && newest && seen.settles && remote != self.path.remote {
            self.suspect_move(remote, packet.pn);
        }
    }

    fn note_received(&mut self, space: Space, pn: PacketNumber, seen: &Seen, ecn: Option<Mark>) -> bool {
        let urgency = match (seen.elicits_ack, seen.urgent || space != Space::Data) {
            (false, _) => Urgency::None,
            (true, true) => Urgency::Now,
            (true, false) => Urgency::Delayed,
        };
        let (now, srtt) = (self.clock, self.recovery.rtt().smoothed());
        let Some(received) = self.received_in(space) else { return false };
        let newest = pn >= received.expected();
        received.on_packet(pn, now, urgency, srtt);
        if let Some(mark) = ecn {
            received.on_ecn(mark);
        }
        newest
    }

    fn note_refused(&mut self, space: Space, pn: PacketNumber) {
        if let Some(received) = self.received_in(space) {
            received.on_refused(pn);
        }
    }

    fn received_in(&mut self, space: Space) -> Option<&mut Received> {
        match space {
            Space::Data => Some(&mut self.received),
            _ => Some(&mut self.handshaking.as_mut()?.level(space)?.received),
        }
    }

    fn take_frames(&mut self, space: Space, payload: &[u8], remote: SocketAddr) -> Result<Seen, Violation> {
        let mut seen = Seen::default();
        let mut any = false;
        for frame in Frames::new(payload) {
            let frame = frame?;
            any = true;
            if !frame.allowed_in(space) {
                return Err(Violation("a frame in a packet that may not hold it"));
            }
            seen.elicits_ack |= frame.elicits_ack();
            seen.settles |= !frame.is_probing();
            seen.urgent |= match &frame {
                Frame::Message(piece) => piece.lane & 3 != Class::Bulk as u64,
                Frame::Ping | Frame::ImmediateAck | Frame::PathChallenge(_) | Frame::Finish { .. } => true,
                Frame::Credit { .. } | Frame::Blocked { .. } | Frame::Consumed { .. } => true,
                _ => false,
            };
            seen.refused |= !self.take_frame(space, frame, remote)?;
            if self.life == Life::Draining {
                break;
            }
        }
        if any { Ok(seen) } else { Err(Violation("a packet without frames")) }
    }
}
