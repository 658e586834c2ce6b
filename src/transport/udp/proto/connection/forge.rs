//! A liar's tool for the fuzzer: any frames, sealed as this connection seals its own.

use std::time::Instant;

use smallvec::SmallVec;

use super::Connection;
use crate::transport::udp::proto::{Space, packet, sent::SentPacket};

impl Connection {
    /// A packet of `space` that holds `frames`. Its number is used up, and it counts as sent with nothing
    /// in it that would have to be repeated. `None` where there are no keys.
    pub(crate) fn forge(&mut self, space: Space, frames: &[u8], now: Instant) -> Option<Vec<u8>> {
        let now = self.tell(now);
        let (mut out, dst) = (Vec::new(), self.remote_cids.current());
        let acked = self.recovery.largest_acked(space);
        let pn = if space == Space::Data {
            let (keys, pn) = (self.keys.as_mut()?, self.next_packet);
            let header = packet::write_short(&mut out, dst, keys.phase(), pn, acked);
            out.extend_from_slice(frames);
            self.next_packet += 1;
            keys.seal(header, pn, &mut out).then_some(pn)?
        } else {
            let shaking = self.handshaking.as_mut()?;
            let (version, src, token) = (shaking.handshaker.version(), shaking.source, shaking.token.clone());
            let level = shaking.level(space)?;
            let pn = level.next_packet;
            let header = match space {
                Space::Initial => packet::write_initial(&mut out, version, dst, src, &token, pn, acked),
                _ => packet::write_handshake(&mut out, version, dst, src, pn, acked),
            };
            out.extend_from_slice(frames);
            level.next_packet += 1;
            let keys = &level.keys.local;
            header.seal(&mut out, keys.header.as_ref(), keys.packet.as_ref()).then_some(pn)?
        };
        let bytes = u16::try_from(out.len()).ok()?;
        let packet = SentPacket {
            pn,
            sent: now,
            bytes,
            eliciting: true,
            probe_mtu: false,
            has_bulk: false,
            carried: SmallVec::new(),
            app_limited: true,
        };
        self.recovery.on_sent(space, packet);
        Some(out)
    }
}

impl Connection {
    /// What it waits for, for the words of a panic.
    pub(crate) fn timers(&self) -> String {
        let since = |at: Option<Instant>| at.map(|at| at.saturating_duration_since(self.clock));
        format!(
            "next {:?}; recovery {:?}, ack {:?}, thin {:?}, pacer {:?}, path {:?}, mtu {:?}, patience {:?}, \
             keys {:?}; {} of {} in flight, {:?}",
            since(self.poll_timeout()),
            since(self.recovery.deadline()),
            since(self.received.due()),
            since(self.thin.deadline()),
            since(self.paced_until),
            since(self.candidate.as_ref().and_then(|candidate| candidate.deadline(self.clock))),
            since(self.mtu.next_probe()),
            since(self.patience_deadline()),
            since(self.keys.as_ref().and_then(|keys| keys.deadline())),
            self.recovery.in_flight(),
            self.controller.window(),
            self.recovery.rtt(),
        )
    }
}
