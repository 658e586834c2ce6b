//! One connection. Inputs are datagrams, the time and what the application says; outputs are
//! datagrams, events and the time at which it wants to be asked again. After any input: `poll_transmit`
//! until it has no more, then `poll_event`, `recv` and `poll_timeout`.

#[cfg(test)]
mod by_hand;
mod close;
mod crypto;
mod feedback;
#[cfg(any(test, fuzzing))]
mod forge;
mod frames;
mod handshaking;
mod keys;
mod migrate;
mod patience;
mod payload;
mod receive;
mod time;
mod transmit;

use std::{collections::VecDeque, net::SocketAddr, sync::Arc, time::Instant};

use bytes::Bytes;
use rand::{SeedableRng, rngs::ChaCha8Rng};
use smallvec::SmallVec;

use crate::transport::{Class, Lane, MAX_MESSAGE_BYTES};

use self::{
    close::{Closing, Finish},
    feedback::Ecn,
    keys::DataKeys,
    migrate::{Echo, PathResponse},
    patience::Answers,
};
use super::{
    Side, Space,
    cid::{ConnectionId, LocalCids, NewCid, RemoteCids},
    config::Config,
    congestion::{Controller, controller},
    lanes::{Incoming, Outgoing, SendCredit},
    loss::Recovery,
    mtu::MtuDiscovery,
    pacing::Pacer,
    packet::MIN_INITIAL_BYTES,
    path::{Candidate, Path},
    received::Received,
    stats::Stats,
    thin::{LossEstimate, Thin},
};

#[cfg(test)]
pub(crate) use by_hand::{Footprint, Shape};
pub use close::End;
pub(crate) use handshaking::Handshaking;
pub use receive::Arrived;
pub use transmit::Transmit;

/// One side of a connection.
pub struct Connection {
    config: Arc<Config>,
    side: Side,
    /// The latest time anybody told: it never runs backwards.
    clock: Instant,
    chance: ChaCha8Rng,
    /// Until the handshake is confirmed.
    handshaking: Option<Box<Handshaking>>,
    keys: Option<Box<DataKeys>>,
    received: Received,
    next_packet: u64,
    /// The next number to leave out.
    skip_at: u64,
    local_cids: LocalCids,
    /// Ids given out that the other side may not know of yet.
    issued: SmallVec<[NewCid; 1]>,
    remote_cids: RemoteCids,
    path: Path,
    /// Bytes that the interface towards the other side takes.
    interface: u16,
    /// Since when it is this one, if it was another before.
    path_since: Option<Instant>,
    /// Where the other side may have moved.
    candidate: Option<Box<Candidate>>,
    echo: Option<Echo>,
    last_challenged: Option<Instant>,
    path_responses: VecDeque<PathResponse>,
    /// Bytes of the datagram that is being taken.
    arriving: usize,
    recovery: Recovery,
    controller: Box<dyn Controller>,
    pacer: Pacer,
    paced_until: Option<Instant>,
    /// Lets chat pass that the congestion window's pace would hold up.
    thin_pacer: Pacer,
    thin_paced_until: Option<Instant>,
    unpaced: u8,
    mtu: MtuDiscovery,
    /// There was more to say than short lines.
    says_much: bool,
    ecn: Ecn,
    estimate: LossEstimate,
    thin: Thin,
    outgoing: Outgoing,
    credit: SendCredit,
    incoming: Incoming,
    due: Due,
    /// Bytes of chat sent beyond those of files while both waited.
    bulk_debt: u64,
    peer_key: Option<Bytes>,
    peer: PeerLimits,
    life: Life,
    heard: Instant,
    spoke: Instant,
    /// Since when something in flight waits and nothing is acknowledged.
    unanswered: Option<Instant>,
    answers: Answers,
    blocked_since: Option<Instant>,
    blocked_told: Option<(Instant, u32)>,
    closing: Option<Box<Closing>>,
    finish: Finish,
    events: VecDeque<Event>,
    requests: VecDeque<EndpointRequest>,
    stats: Stats,
}

/// Where in its life a connection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Life {
    Handshaking,
    Established,
    /// This side closed and answers what still comes with its close.
    Closing,
    /// Nothing is sent any more.
    Draining,
    Over,
}

/// Frames to be sent as soon as a packet leaves, each of which says only the latest.
#[derive(Debug, Default)]
struct Due {
    handshake_done: bool,
    ping: bool,
    probes: [u8; 3],
    credit: [bool; 3],
    blocked: [bool; 3],
    new_cids: VecDeque<u64>,
    retire_cids: VecDeque<u64>,
}

impl Due {
    fn new_cid(&mut self, seq: u64) {
        if !self.new_cids.contains(&seq) {
            self.new_cids.push_back(seq);
        }
    }

    fn retire_cid(&mut self, seq: u64) {
        if !self.retire_cids.contains(&seq) {
            self.retire_cids.push_back(seq);
        }
    }
}

/// What the other side said of itself.
#[derive(Debug)]
struct PeerLimits {
    max_ack_delay: std::time::Duration,
    idle_timeout: std::time::Duration,
    max_datagram: u16,
}

/// What a connection tells the one who runs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The handshake is over: the other side proved its key, and messages may be sent.
    Connected,
    /// The other side sends no more messages, and every one it sent was handed out.
    Finished {
        /// Why, a number of the application.
        code: u8,
        /// In words.
        text: String,
    },
    /// The other application took so many messages.
    Consumed {
        /// Since the connection began.
        messages: u64,
        /// It takes no more.
        last: bool,
    },
    /// The connection is over. Messages that arrived before can still be taken.
    Closed(End),
}

/// What a connection asks of its endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum EndpointRequest {
    /// Another connection id for the other side to use.
    NeedCid,
    /// No datagram will come for this one.
    RetireCid(ConnectionId),
    /// The other side's word for "I know nothing of this connection", from now on.
    ResetToken(Option<[u8; 16]>),
    /// The handshake is over.
    Confirmed,
}

/// Why a message was not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// No room in this class now.
    #[error("no room")]
    Full,
    /// Over the limit of the transport.
    #[error("the message has {0} bytes, the limit is {MAX_MESSAGE_BYTES}")]
    TooLong(usize),
    /// Not connected yet, finished, or closed.
    #[error("the connection does not take messages")]
    Closed,
}

/// What a connection is born with.
pub(crate) struct Birth {
    pub(crate) config: Arc<Config>,
    pub(crate) side: Side,
    pub(crate) remote: SocketAddr,
    pub(crate) validated: bool,
    pub(crate) local_cids: LocalCids,
    pub(crate) remote_cid: ConnectionId,
    pub(crate) handshaking: Handshaking,
    pub(crate) seed: [u8; 32],
}

impl Connection {
    pub(crate) fn new(birth: Birth, now: Instant) -> Self {
        let Birth { config, side, remote, validated, local_cids, remote_cid, handshaking, seed } = birth;
        let mut chance = ChaCha8Rng::from_seed(seed);
        let jitter = rand::Rng::next_u64(&mut chance);
        let mtu = MIN_INITIAL_BYTES as u16;
        let ceiling = payload_of(ETHERNET, remote);
        let mut connection = Self {
            side,
            clock: now,
            handshaking: Some(Box::new(handshaking)),
            keys: None,
            received: Received::new(Space::Data),
            next_packet: 0,
            skip_at: 0,
            local_cids,
            issued: SmallVec::new(),
            remote_cids: RemoteCids::new(remote_cid),
            path: Path::new(remote, validated),
            interface: ETHERNET,
            path_since: None,
            candidate: None,
            echo: None,
            last_challenged: None,
            path_responses: VecDeque::new(),
            arriving: 0,
            recovery: Recovery::new(side, jitter),
            controller: controller(config.congestion, mtu),
            pacer: Pacer::new(),
            paced_until: None,
            thin_pacer: Pacer::new(),
            thin_paced_until: None,
            unpaced: 0,
            mtu: MtuDiscovery::new(config.max_datagram, ceiling),
            says_much: false,
            ecn: Ecn::default(),
            estimate: LossEstimate::default(),
            thin: Thin::new(jitter, config.max_copies),
            outgoing: Outgoing::new(),
            credit: SendCredit::new([0; 3]),
            incoming: Incoming::new(),
            due: Due::default(),
            bulk_debt: 0,
            peer_key: None,
            peer: PeerLimits {
                max_ack_delay: super::received::MAX_ACK_DELAY,
                idle_timeout: config.idle_timeout,
                max_datagram: config.max_datagram,
            },
            life: Life::Handshaking,
            heard: now,
            spoke: now,
            unanswered: None,
            answers: Answers::new(now),
            blocked_since: None,
            blocked_told: None,
            closing: None,
            finish: Finish::default(),
            events: VecDeque::new(),
            requests: VecDeque::new(),
            stats: Stats::default(),
            chance,
            config,
        };
        connection.skip_at = connection.pick_skip(0);
        #[cfg(test)]
        connection.plant();
        connection
    }

    /// Passes a planted fault on to whom it concerns.
    #[cfg(test)]
    fn plant(&mut self) {
        self.recovery.mutant = self.config.mutant;
        self.received.mutant = self.config.mutant;
        self.incoming.unordered = self.config.mutant == Some(super::config::Mutant::NoOrder);
    }

    /// Whether messages can be sent.
    pub fn is_established(&self) -> bool {
        self.life == Life::Established
    }

    /// Whether nothing will come of it any more, so that it can be dropped.
    pub fn is_over(&self) -> bool {
        self.life == Life::Over
    }

    /// The other side's address at the moment.
    pub fn remote(&self) -> SocketAddr {
        self.path.remote
    }

    /// The time of the last input.
    pub(in crate::transport::udp::proto) const fn clock(&self) -> Instant {
        self.clock
    }

    /// The other side's key in SPKI form, proven. `None` before [`Event::Connected`], and where nothing
    /// is proven.
    pub fn peer_key(&self) -> Option<&Bytes> {
        self.peer_key.as_ref()
    }

    /// Accepts one message for `lane`.
    ///
    /// # Errors
    /// [`SendError`]; the message was not accepted.
    pub fn send(&mut self, lane: Lane, message: Bytes, now: Instant) -> Result<(), SendError> {
        self.tell(now);
        if self.life != Life::Established || self.finish.is_started() {
            return Err(SendError::Closed);
        }
        if message.len() > MAX_MESSAGE_BYTES {
            return Err(SendError::TooLong(message.len()));
        }
        if !self.has_room(lane.class, message.len()) {
            return Err(SendError::Full);
        }
        self.says_much |= lane.class == Class::Bulk || message.len() > MUCH;
        self.outgoing.push(lane, message);
        Ok(())
    }

    /// The interface towards the other side takes packets of so many bytes, headers of IP included. To be said as soon
    /// as the handshake is over; unsaid it is taken for Ethernet.
    pub fn set_interface_mtu(&mut self, bytes: u16) {
        self.interface = bytes;
        self.search_mtu();
    }

    fn search_mtu(&mut self) {
        let most = self.config.max_datagram.min(self.peer.max_datagram);
        self.mtu = MtuDiscovery::new(most, payload_of(self.interface, self.path.remote));
    }

    /// Whether a message of so many bytes would be accepted now.
    pub fn has_room(&self, class: Class, len: usize) -> bool {
        self.outgoing.room(class) >= len
    }

    /// The next whole message of any lane, in order within its lane. Taking it makes room for more.
    pub fn recv(&mut self, now: Instant) -> Option<(Class, Bytes)> {
        self.tell(now);
        let (class, message) = self.incoming.pop()?;
        self.incoming.on_taken(class, message.len());
        self.renew_credit();
        self.finish.on_handed_out();
        self.note_finished();
        Some((class, message))
    }

    /// The next thing to know.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    pub(crate) fn poll_request(&mut self) -> Option<EndpointRequest> {
        self.requests.pop_front()
    }

    /// Whether the other side ever said anything that proved to come from it.
    pub fn has_heard(&self) -> bool {
        self.stats.packets_received > 0
    }

    /// Counters and the state of the path.
    pub fn stats(&self) -> Stats {
        let rtt = self.recovery.rtt();
        Stats {
            rtt: rtt.smoothed(),
            min_rtt: rtt.min(),
            rtt_var: rtt.var(),
            window: self.controller.window(),
            in_flight: self.recovery.in_flight(),
            mtu: self.mtu.current(),
            ..self.stats
        }
    }

    /// Time runs on, never back: a clock that jumps must not upset what depends on order.
    fn tell(&mut self, now: Instant) -> Instant {
        let passed = now.saturating_duration_since(self.clock);
        self.clock = self.clock.max(now);
        self.note_sleep(passed);
        self.clock
    }

    fn close_on(&mut self, violation: super::Violation) {
        self.abort_with(End::Violation(violation.0));
    }
}

/// Bytes of a packet of Ethernet.
const ETHERNET: u16 = 1500;

/// A message of more bytes is a long one: two of them fill a packet.
const MUCH: usize = 600;

/// Bytes of UDP payload that fit beside the headers of IP and UDP into `interface` bytes.
const fn payload_of(interface: u16, remote: SocketAddr) -> u16 {
    interface.saturating_sub(if remote.is_ipv6() { 48 } else { 28 })
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connection")
            .field("side", &self.side)
            .field("life", &self.life)
            .field("remote", &self.path.remote)
            .finish_non_exhaustive()
    }
}
