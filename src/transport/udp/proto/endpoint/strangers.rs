//! What is said to those whom nobody knows: that a connection is gone, that another version is spoken,
//! that the address is to be proven. Each word is shorter than the one it answers.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use rand::Rng as _;

use super::{
    super::{
        cid::{ConnectionId, ResetToken, reset_token},
        connection::Arrived,
        mac::{sip_long, sip_short},
        packet::{self, MIN_INITIAL_BYTES},
        seal::TAG_BYTES,
    },
    ConnectionKey, Dispatch, Endpoint, network,
};

/// The shortest datagram taken for a reset: a first byte, as much as a stranger cannot guess, and the
/// token (RFC 9000 §10.3).
const MIN_RESET_BYTES: usize = 22;

/// The longest reset: packets of a quiet connection are about so long.
const MAX_RESET_BYTES: usize = 62;

/// Up to this length a packet is answered with a reset one byte shorter, so that two that reset each other
/// fall silent; above it with one of any length (RFC 9000 §10.3.3).
const SHORT_TRIGGER_BYTES: usize = 43;

/// Resets a second. A node that starts anew with thousands of peers has this many to tell.
const RESETS_PER_SECOND: u32 = 1000;

/// Version negotiations a second.
const NEGOTIATIONS_PER_SECOND: u32 = 200;

/// The share of one network in either.
const PER_NETWORK: u8 = 32;

/// Networks are told apart by a hash of one byte: no memory that strangers could fill.
const NETWORKS: usize = 256;

/// How many more strangers get an answer this second.
pub(super) struct Replies {
    per_second: u32,
    left: u32,
    given: [u8; NETWORKS],
    since: Instant,
}

impl Replies {
    pub(super) fn resets(now: Instant) -> Self {
        Self::new(RESETS_PER_SECOND, now)
    }

    pub(super) fn negotiations(now: Instant) -> Self {
        Self::new(NEGOTIATIONS_PER_SECOND, now)
    }

    fn new(per_second: u32, now: Instant) -> Self {
        Self { per_second, left: per_second, given: [0; NETWORKS], since: now }
    }

    /// Whether one more may go to the network that hashes to `slot`.
    fn take(&mut self, slot: u8, now: Instant) -> bool {
        if now >= self.since + Duration::from_secs(1) {
            *self = Self::new(self.per_second, now);
        }
        let Some(given) = self.given.get_mut(usize::from(slot)) else { return false };
        let may = self.left > 0 && *given < PER_NETWORK;
        if may {
            self.left -= 1;
            *given += 1;
        }
        may
    }
}

impl Endpoint {
    /// A packet of a connection that nobody here knows: a reset from the other side, or a case for one.
    pub(super) fn stranger(&mut self, dst: ConnectionId, arrived: &Arrived<'_>, now: Instant) -> Dispatch {
        match self.reset_or_drop(arrived.data, "for nobody here") {
            Dispatch::Dropped(_) if self.cids.is_ours(&dst) => self.send_reset(dst, arrived, now),
            other => other,
        }
    }

    pub(super) fn reset_or_drop(&self, data: &[u8], why: &'static str) -> Dispatch {
        let token = data.last_chunk().filter(|_| data.len() >= MIN_RESET_BYTES);
        let known = token.and_then(|token| self.by_reset.get(&self.hidden(token)));
        known.map_or(Dispatch::Dropped(why), |key| Dispatch::Reset(*key))
    }

    /// Notes by what token the other side of a connection would reset it now; the one before, which went
    /// with a connection id that is given up, means nothing any more (RFC 9000 §10.3.1).
    pub(super) fn expect_reset(&mut self, key: ConnectionKey, token: Option<ResetToken>) {
        let hidden = token.map(|token| self.hidden(&token));
        let Some(known) = self.known.get_mut(&key) else { return };
        if let Some(before) = std::mem::replace(&mut known.reset, hidden)
            && self.by_reset.get(&before) == Some(&key)
        {
            self.by_reset.remove(&before);
        }
        if let Some(hidden) = hidden {
            self.by_reset.insert(hidden, key);
        }
    }

    fn hidden(&self, token: &ResetToken) -> [u8; 16] {
        sip_long(self.hash_key, token)
    }

    fn slot(&self, remote: SocketAddr) -> u8 {
        let network = match network(remote.ip()) {
            std::net::IpAddr::V4(ip) => ip.to_ipv6_mapped(),
            std::net::IpAddr::V6(ip) => ip,
        };
        let [slot, ..] = sip_short(self.hash_key, &network.octets()).to_le_bytes();
        slot
    }

    fn send_reset(&mut self, dst: ConnectionId, trigger: &Arrived<'_>, now: Instant) -> Dispatch {
        let slot = self.slot(trigger.remote);
        let shorter = trigger.data.len().saturating_sub(1);
        if shorter < MIN_RESET_BYTES || !self.resets.take(slot, now) {
            return Dispatch::Dropped("a packet of a connection that is gone");
        }
        let len = if shorter < SHORT_TRIGGER_BYTES {
            shorter
        } else {
            let spread = shorter.min(MAX_RESET_BYTES) - SHORT_TRIGGER_BYTES + 1;
            SHORT_TRIGGER_BYTES + (self.chance.next_u64() as usize) % spread
        };
        let mut reset = vec![0; len];
        self.chance.fill_bytes(&mut reset);
        if let Some(first) = reset.first_mut() {
            *first = 0x40 | (*first & 0x3f);
        }
        let token = reset_token(&self.reset_key, &dst);
        if let Some(last) = reset.last_chunk_mut::<TAG_BYTES>() {
            *last = token;
        }
        Dispatch::Reply(reset)
    }

    pub(super) fn send_retry(
        &mut self,
        version: u32,
        dst: ConnectionId,
        src: ConnectionId,
        remote: SocketAddr,
        now: Instant,
    ) -> Dispatch {
        // Of 64 random bits, for it is reserved nowhere: ours differ in 24 only, and a hello that comes back
        // under an id that meanwhile belongs to a connection would never be answered.
        let source = ConnectionId::from(self.chance.next_u64().to_be_bytes());
        let token = self.tokens.issue(now, remote, src, dst, source);
        let mut reply = Vec::with_capacity(96);
        packet::write_retry(&mut reply, version, src, source, &token, |retry| {
            self.tokens.retry_tag(&dst, retry)
        });
        Dispatch::Reply(reply)
    }

    pub(super) fn negotiate(
        &mut self,
        dst: ConnectionId,
        src: ConnectionId,
        arrived: &Arrived<'_>,
        now: Instant,
    ) -> Dispatch {
        let slot = self.slot(arrived.remote);
        if !self.accepts || arrived.data.len() < MIN_INITIAL_BYTES || !self.negotiations.take(slot, now) {
            return Dispatch::Dropped("of a version that is not spoken here");
        }
        let mut reply = Vec::with_capacity(32);
        let first = self.chance.next_u64() as u8;
        packet::write_version_negotiation(&mut reply, src, dst, &[self.handshaker.version()], first);
        Dispatch::Reply(reply)
    }
}
