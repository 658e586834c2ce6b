//! The handshake under way: its keys, its bytes on the way out and in, and what both sides must agree
//! on before a connection counts.

use std::{
    collections::VecDeque,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;

use super::{
    Connection, EndpointRequest, Event, Life,
    close::End,
    crypto::{CryptoIn, CryptoOut},
    keys::DataKeys,
    payload::Gate,
};
use crate::transport::{
    Class,
    udp::proto::{
        Side, Space, Violation,
        cid::ConnectionId,
        packet::{VERSION, VERSION_PLAIN},
        params::Params,
        received::Received,
        seal::{Handshake, Handshaker, Keys, NewKeys},
        sent::SentPacket,
        token::is_retry_tag,
    },
};

/// The least time between two copies of the last flight that go along with lines: as that of hellos.
const FLIGHT_GAP: Duration = Duration::from_millis(20);

/// Datagrams kept until the keys for them are there.
pub(super) const MAX_UNDECRYPTABLE: usize = 4;

/// A handshake that is not confirmed yet.
pub(crate) struct Handshaking {
    pub(super) handshaker: Arc<dyn Handshaker>,
    tls: Box<dyn Handshake>,
    pub(super) levels: [Option<Level>; 2],
    /// Under whose keys the handshake writes.
    writes: Space,
    /// Goes with every hello: the proof that our address is ours.
    pub(super) token: Vec<u8>,
    /// Our connection id of the handshake.
    pub(super) source: ConnectionId,
    /// Where the dialer's very first hello went.
    original_dst: ConnectionId,
    retry_source: Option<ConnectionId>,
    /// The connection id that the other side's hello came from.
    pub(super) remote_source: Option<ConnectionId>,
    pub(super) started: Instant,
    pub(super) undecryptable: VecDeque<Vec<u8>>,
    agreed: bool,
}

/// One packet-number space of the handshake.
pub(super) struct Level {
    pub(super) keys: Keys,
    pub(super) received: Received,
    pub(super) next_packet: u64,
    pub(super) out: CryptoOut,
    pub(super) input: CryptoIn,
}

impl Handshaking {
    /// As the one who dials: `dst` is random and gives the first keys.
    pub(crate) fn dial(
        handshaker: Arc<dyn Handshaker>,
        tls: Box<dyn Handshake>,
        source: ConnectionId,
        dst: ConnectionId,
        now: Instant,
    ) -> Self {
        let keys = handshaker.initial_keys(&dst, Side::Dialer);
        Self::new(handshaker, tls, keys, source, dst, None, now)
    }

    /// As the one who was called. `dst` is where the hello went, `original_dst` where the dialer's first
    /// hello went if this one answers a retry.
    pub(crate) fn accept(
        handshaker: Arc<dyn Handshaker>,
        tls: Box<dyn Handshake>,
        keys: Keys,
        source: ConnectionId,
        dst: ConnectionId,
        original_dst: Option<ConnectionId>,
        now: Instant,
    ) -> Self {
        let retry_source = original_dst.map(|_| dst);
        Self::new(handshaker, tls, keys, source, original_dst.unwrap_or(dst), retry_source, now)
    }

    fn new(
        handshaker: Arc<dyn Handshaker>,
        tls: Box<dyn Handshake>,
        keys: Keys,
        source: ConnectionId,
        original_dst: ConnectionId,
        retry_source: Option<ConnectionId>,
        now: Instant,
    ) -> Self {
        Self {
            handshaker,
            tls,
            levels: [Some(Level::new(Space::Initial, keys)), None],
            writes: Space::Initial,
            token: Vec::new(),
            source,
            original_dst,
            retry_source,
            remote_source: None,
            started: now,
            undecryptable: VecDeque::new(),
            agreed: false,
        }
    }

    pub(super) fn level(&mut self, space: Space) -> Option<&mut Level> {
        self.levels.get_mut(space.index())?.as_mut()
    }

    /// Checks what the other side said of itself against what was seen of it (RFC 9000 §7.3).
    fn agree(&self, side: Side) -> Result<Params, String> {
        let params = self.tls.peer_params().ok_or_else(|| "it sent no parameters".to_owned())?;
        let (sender, original_dst, retry_source) = match side {
            Side::Dialer => (Side::Acceptor, Some(self.original_dst), self.retry_source),
            Side::Acceptor => (Side::Dialer, None, None),
        };
        let check = || {
            let params = Params::decode(params, sender)?;
            let source = self.remote_source.ok_or(Violation("it never named itself"))?;
            params.check_cids(source, original_dst, retry_source)?;
            let version = self.handshaker.version();
            params.check_version(version, &[version])?;
            Ok(params)
        };
        check().map_err(|violation: Violation| violation.to_string())
    }
}

impl Level {
    fn new(space: Space, keys: Keys) -> Self {
        Self {
            keys,
            received: Received::new(space),
            next_packet: 0,
            out: CryptoOut::default(),
            input: CryptoIn::default(),
        }
    }
}

impl Connection {
    /// Lets the handshake write, and takes the keys it makes.
    pub(crate) fn drive_handshake(&mut self) {
        let Some(shaking) = &mut self.handshaking else { return };
        loop {
            let mut bytes = Vec::new();
            let keys = shaking.tls.write(&mut bytes);
            let at = shaking.writes;
            if let Some(level) = shaking.level(at) {
                level.out.push(&bytes);
            }
            match keys {
                Some(NewKeys::Handshake(keys)) => {
                    let [_, level] = &mut shaking.levels;
                    *level = Some(Level::new(Space::Handshake, keys));
                    shaking.writes = Space::Handshake;
                }
                Some(NewKeys::Data(keys, schedule)) => {
                    self.keys = Some(Box::new(DataKeys::new(keys, schedule, self.clock)));
                }
                None if bytes.is_empty() => break,
                None => {}
            }
        }
        if !shaking.tls.is_handshaking() && !shaking.agreed && self.keys.is_some() {
            self.complete_handshake();
        }
    }

    fn complete_handshake(&mut self) {
        let Some(shaking) = &mut self.handshaking else { return };
        let params = match shaking.agree(self.side) {
            Ok(params) => params,
            Err(why) => return self.abort_with(End::Handshake(why)),
        };
        shaking.agreed = true;
        self.peer_key = shaking.tls.peer_key().map(Bytes::copy_from_slice);
        self.take_params(&params);
        self.life = Life::Established;
        self.events.push_back(Event::Connected);
        self.requests.push_back(EndpointRequest::NeedCid);
        match self.side {
            Side::Dialer => self.path.set_validated(),
            Side::Acceptor => {
                self.path.set_validated();
                self.due.handshake_done = true;
                self.confirm_handshake();
            }
        }
    }

    fn take_params(&mut self, params: &Params) {
        for (class, limit) in Class::ALL.into_iter().zip(params.credit) {
            self.credit.raise(class, limit);
        }
        self.peer.max_ack_delay = Duration::from_millis(params.max_ack_delay_ms.into());
        self.peer.idle_timeout = Duration::from_millis(params.idle_timeout_ms.into());
        self.peer.max_datagram = params.max_datagram;
        self.search_mtu();
        if let Some(token) = params.reset_token {
            self.remote_cids.set_first_reset(token);
            self.tell_reset();
        }
    }

    /// Whether the last flight goes along with what leaves anyway, as it takes longer than it should: without it
    /// the other side can read nothing of that, and its own probes are ever farther apart.
    pub(super) fn flight_rides(&self, gate: Gate) -> bool {
        let flight = || self.recovery.unacked(Space::Handshake);
        let for_long = |sent: Option<&SentPacket>, time| {
            sent.is_some_and(|packet| self.clock.saturating_duration_since(packet.sent) >= time)
        };
        let rtt = self.recovery.rtt();
        let usual = rtt.smoothed().saturating_add(rtt.var());
        let is_due = for_long(flight().next(), usual) && for_long(flight().next_back(), FLIGHT_GAP);
        is_due && self.life == Life::Established && self.has_something(gate)
    }

    /// Both sides have everything: the keys of the handshake are not needed any more (RFC 9001 §4.9.2).
    pub(super) fn confirm_handshake(&mut self) {
        if self.handshaking.take().is_some() {
            self.recovery.discard(Space::Initial);
            self.recovery.discard(Space::Handshake);
            self.recovery.set_handshake_confirmed(true);
            self.recovery.set_peer_completed_address_validation(true);
            self.requests.push_back(EndpointRequest::Confirmed);
        }
    }

    /// The hellos are over (RFC 9001 §4.9.1).
    pub(super) fn discard_initial(&mut self) {
        let Some(shaking) = &mut self.handshaking else { return };
        if let [level @ Some(_), _] = &mut shaking.levels {
            *level = None;
            self.recovery.discard(Space::Initial);
        }
    }

    /// Takes a piece of the handshake. `false`: there was no room for it.
    pub(super) fn take_crypto(&mut self, space: Space, offset: u64, data: &[u8]) -> Result<bool, Violation> {
        // What comes after the handshake is confirmed was said before.
        let Some(shaking) = &mut self.handshaking else { return Ok(true) };
        let Some(level) = shaking.level(space) else { return Ok(true) };
        let Some(ready) = level.input.take(offset, data)? else { return Ok(false) };
        if ready.is_empty() {
            return Ok(true);
        }
        if let Err(error) = shaking.tls.read(&ready) {
            self.drive_handshake();
            self.abort_with(End::Handshake(error.to_string()));
            return Ok(true);
        }
        self.drive_handshake();
        Ok(true)
    }

    /// The other side wants to see that we are where we seem to be: the hello again, with its token
    /// (RFC 9000 §17.2.5).
    pub(super) fn take_retry(&mut self, source: ConnectionId, token: &[u8], packet: &[u8]) {
        let Some(shaking) = &mut self.handshaking else { return };
        let fresh = self.side == Side::Dialer
            && shaking.retry_source.is_none()
            && shaking.remote_source.is_none()
            && !token.is_empty();
        let Some((body, tag)) = packet.split_last_chunk::<16>() else { return };
        if !fresh || !is_retry_tag(&shaking.original_dst, body, tag) {
            self.stats.malformed += 1;
            return;
        }
        shaking.retry_source = Some(source);
        shaking.token = token.to_vec();
        self.remote_cids.set_first(source);
        let keys = shaking.handshaker.initial_keys(&source, Side::Dialer);
        if let Some(level) = shaking.level(Space::Initial) {
            level.keys = keys;
            level.out.all_again();
        }
        self.recovery.restart(Space::Initial);
    }

    /// The other side does not speak our version. Believed only as its very first word.
    pub(super) fn take_version_negotiation(&mut self, source: ConnectionId, versions: &[u8]) {
        let ours = self.handshaking.as_ref().map(|shaking| shaking.handshaker.version());
        let first = self.side == Side::Dialer
            && self
                .handshaking
                .as_ref()
                .is_some_and(|shaking| shaking.remote_source.is_none() && shaking.retry_source.is_none());
        let offered: Vec<u32> = versions
            .chunks_exact(4)
            .filter_map(|four| four.try_into().ok().map(u32::from_be_bytes))
            .collect();
        if first && source == self.remote_cids.current() && !offered.iter().any(|&v| Some(v) == ours) {
            self.end_unheard(End::Version(offered));
        }
    }

    /// Whether a version is one of this protocol, sealed or plain.
    pub(crate) const fn is_ours(version: u32) -> bool {
        matches!(version, VERSION | VERSION_PLAIN)
    }
}
