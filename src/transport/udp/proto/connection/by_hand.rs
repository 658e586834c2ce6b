//! A connection in the hands of an attacker: packets of any number and content under its keys, and a look
//! at what it keeps.

use super::Connection;
use crate::transport::udp::proto::{PacketNumber, Space, packet, received::Urgency};

/// How a packet made by hand differs from an honest one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    /// Bytes of its number, 1 to 4.
    pub(crate) number_len: usize,
    /// Bits to set in its first byte.
    pub(crate) first: u8,
    /// Whether it is sealed with the key of the next phase, and says so.
    pub(crate) next_phase: bool,
}

impl Default for Shape {
    fn default() -> Self {
        Self { number_len: 4, first: 0, next_phase: false }
    }
}

/// How much a connection keeps, by kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Footprint {
    /// Bytes of messages not taken by the application.
    pub(crate) buffered: usize,
    /// Lanes ever seen.
    pub(crate) lanes: usize,
    /// Messages that are incomplete, or wait for earlier ones.
    pub(crate) held: usize,
    /// Gaps in them.
    pub(crate) gaps: usize,
    /// Packets sent and runs of their numbers.
    pub(crate) packets: usize,
    /// Runs of packet numbers to acknowledge.
    pub(crate) ranges: usize,
    /// Words to be said, events, wishes.
    pub(crate) words: usize,
    /// Bytes of handshake, and packets that wait for keys.
    pub(crate) handshake: usize,
}

impl Connection {
    /// A packet of data with number `pn` and these frames. The connection does not know of it.
    pub(crate) fn by_hand(&self, pn: PacketNumber, frames: &[u8], shape: Shape) -> Vec<u8> {
        let keys = self.keys.as_ref().unwrap();
        let phase = keys.phase() ^ shape.next_phase;
        let first = 0x40 | u8::from(phase) << 4 | (shape.number_len - 1) as u8 | shape.first;
        let mut packet = vec![first];
        packet.extend_from_slice(self.remote_cids.current().as_bytes());
        packet.extend_from_slice(&pn.to_be_bytes()[8 - shape.number_len..]);
        let payload_at = packet.len();
        // The shortest that has a sample.
        packet.resize(payload_at + (4 - shape.number_len), 0);
        packet.extend_from_slice(frames);
        let (header, payload) = packet.split_at_mut(payload_at);
        let tag = keys.seal_by_hand(pn, shape.next_phase, header, payload);
        packet.extend_from_slice(&tag);
        packet
    }

    /// The same of a space of the handshake, while that has keys.
    pub(crate) fn by_hand_in(&mut self, space: Space, pn: PacketNumber, frames: &[u8]) -> Vec<u8> {
        let dst = self.remote_cids.current();
        let shaking = self.handshaking.as_mut().unwrap();
        let (version, src) = (shaking.handshaker.version(), shaking.source);
        let keys = &shaking.level(space).unwrap().keys.local;
        let mut out = Vec::new();
        let header = match space {
            Space::Initial => packet::write_initial(&mut out, version, dst, src, &[], pn, None),
            _ => packet::write_handshake(&mut out, version, dst, src, pn, None),
        };
        out.extend_from_slice(frames);
        assert!(header.seal(&mut out, keys.header.as_ref(), keys.packet.as_ref()));
        out
    }

    /// Lets the next packet of data have number `pn`.
    pub(crate) fn leap(&mut self, pn: PacketNumber) {
        self.next_packet = pn;
        self.skip_at = self.pick_skip(pn);
    }

    /// Lets the next number be one that is to be left out.
    pub(crate) fn leave_out_next(&mut self) -> PacketNumber {
        self.skip_at = self.next_packet;
        self.next_packet
    }

    /// Believes that a packet with number `pn` came.
    pub(crate) fn leap_received(&mut self, pn: PacketNumber) {
        self.received.on_packet(pn, self.clock, Urgency::None, self.recovery.rtt().smoothed());
    }

    /// What it keeps.
    pub(crate) fn footprint(&self) -> Footprint {
        let (lanes, held) = self.incoming.tracked();
        let shaking = self.handshaking.as_deref();
        let levels = shaking.into_iter().flat_map(|shaking| shaking.levels.iter().flatten());
        let waiting = shaking.map_or(0, |shaking| shaking.undecryptable.iter().map(Vec::len).sum());
        Footprint {
            buffered: self.incoming.buffered(),
            lanes,
            held,
            gaps: self.incoming.gaps(),
            packets: self.recovery.remembered(),
            ranges: self.received.ranges().count(),
            words: self.path_responses.len()
                + self.due.new_cids.len()
                + self.due.retire_cids.len()
                + self.issued.len()
                + self.events.len()
                + self.requests.len(),
            handshake: levels.map(|level| level.input.stored()).sum::<usize>() + waiting,
        }
    }
}
