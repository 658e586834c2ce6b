//! The other side moves, or an address translator on the way thinks of another port (RFC 9000 §9).
//!
//! What comes from elsewhere makes that address a candidate. Both it and the present address are asked;
//! meanwhile files wait and everything else goes to both. The candidate takes over when it has answered
//! and nothing new came from the present address for a probe timeout: whoever copies packets from an
//! address of its own, however fast, cannot keep the original from speaking.

use std::{net::SocketAddr, time::Instant};

use rand::Rng as _;

use super::{Connection, Life, transmit::Transmit};
use crate::transport::udp::proto::{
    PacketNumber,
    cid::{ConnectionId, Rotation},
    frame,
    packet::MIN_INITIAL_BYTES,
    path::{Asking, CHALLENGE_INTERVAL, Candidate},
    received::Mark,
};

/// Answers to questions about paths that wait to be sent; of more the newest count.
const MAX_PATH_RESPONSES: usize = 4;

/// Bytes of a datagram with a question for an address that may not get more. No reader of a mere packet
/// makes us send more than twice its bytes with it.
const SMALL_QUESTION: usize = 48;

/// An answer to a question about a path.
#[derive(Debug)]
pub(super) struct PathResponse {
    to: SocketAddr,
    token: [u8; 8],
    /// As long as the question: proof that such datagrams pass, and no gift to an address that is not
    /// the asker's (RFC 9000 §8.2.2).
    bytes: usize,
}

/// A datagram for the present path that goes to the candidate too.
#[derive(Debug)]
pub(super) struct Echo {
    to: SocketAddr,
    datagram: Vec<u8>,
    ecn: Option<Mark>,
}

impl Connection {
    /// The newest packet, number `pn`, came from elsewhere.
    pub(super) fn suspect_move(&mut self, remote: SocketAddr, pn: PacketNumber) {
        let known = self.candidate.as_ref().is_some_and(|candidate| candidate.path.remote == remote);
        let soon = self.last_challenged.is_some_and(|last| self.clock < last + CHALLENGE_INTERVAL);
        if self.handshaking.is_some() || known || soon {
            return;
        }
        self.last_challenged = Some(self.clock);
        let token = self.chance.next_u64().to_be_bytes();
        let settles = self.clock + self.probe_timeout();
        let mut candidate = Candidate::new(remote, token, pn, self.clock, settles);
        if self.believes() {
            candidate.path.set_validated();
            candidate.settles = self.clock;
        }
        self.candidate = Some(Box::new(candidate));
        self.settle_path();
    }

    #[cfg(test)]
    fn believes(&self) -> bool {
        self.config.mutant == Some(super::super::config::Mutant::NoPathValidation)
    }

    #[cfg(not(test))]
    fn believes(&self) -> bool {
        false
    }

    /// From which number on a packet from `remote`, be it the second copy of one that the candidate sent,
    /// shows that the other side still is where it was.
    pub(super) fn newer_than_candidate(&self, remote: SocketAddr) -> Option<PacketNumber> {
        let candidate = self.candidate.as_ref().filter(|_| remote == self.path.remote)?;
        Some(candidate.since)
    }

    /// Whether files wait until it is known where they should go.
    pub(super) fn is_torn(&self) -> bool {
        self.candidate.as_ref().is_some_and(|candidate| candidate.settles > self.clock)
    }

    /// Moves, if there is nothing more to wait for.
    pub(super) fn settle_path(&mut self) {
        let now = self.clock;
        let Some(candidate) = self.candidate.take_if(|candidate| candidate.takes_over(now)) else { return };
        let moved = candidate.path.remote.ip() != self.path.remote.ip();
        self.path = candidate.path;
        self.path_since = Some(now);
        // What is in flight went where nobody was any more: it has the whole of its time from now on.
        self.unanswered = self.unanswered.map(|_| now);
        self.stats.migrations += 1;
        self.ecn.on_path_change();
        self.recovery.on_path_change(moved);
        if moved {
            // Another network: what was learned of the old one is worth nothing (RFC 9000 §9.4).
            self.controller = self.controller.boxed_reset();
            self.mtu.reset();
            if let Some(Rotation { retired, .. }) = self.remote_cids.rotate() {
                self.due.retire_cid(retired);
                self.tell_reset();
            }
        }
    }

    pub(super) fn take_path_challenge(&mut self, to: SocketAddr, token: [u8; 8]) {
        // Elsewhere one answer is enough: a packet full of questions must not become as many datagrams.
        if to != self.path.remote {
            self.path_responses.retain(|response| response.to != to);
        }
        if self.path_responses.len() == MAX_PATH_RESPONSES {
            self.path_responses.pop_front();
        }
        let bytes = self.arriving.min(MIN_INITIAL_BYTES);
        self.path_responses.push_back(PathResponse { to, token, bytes });
    }

    pub(super) fn take_path_response(&mut self, token: &[u8; 8]) {
        if self.candidate.as_mut().is_some_and(|candidate| candidate.path.answer(token)) {
            self.settle_path();
        }
    }

    /// Datagrams that do not go where everything goes, or not for the same reason (RFC 9000 §8.2). They
    /// are no part of what the path is measured by: to lose them says nothing about it.
    pub(super) fn transmit_aside(&mut self, out: &mut Vec<u8>) -> Option<Transmit> {
        if self.life != Life::Established || self.handshaking.is_some() || self.keys.is_none() {
            return None;
        }
        if let Some(Echo { to, datagram, ecn }) = self.echo.take() {
            out.extend_from_slice(&datagram);
            return Some(Transmit { remote: to, len: datagram.len(), ecn });
        }
        while let Some(PathResponse { to, token, bytes }) = self.path_responses.pop_front() {
            if let Some(bytes) = self.allowance(to, bytes, bytes) {
                return self.transmit_alone(out, to, bytes, |out| frame::put_path_response(out, token));
            }
        }
        self.transmit_question(out)
    }

    /// How many of `most` bytes may go to an address, if as many as `least` may.
    fn allowance(&self, to: SocketAddr, least: usize, most: usize) -> Option<usize> {
        let candidate = self.candidate.as_ref().filter(|candidate| candidate.path.remote == to);
        match candidate {
            Some(candidate) => [most, least].into_iter().find(|bytes| candidate.path.allows(*bytes)),
            None => Some(most),
        }
    }

    fn transmit_question(&mut self, out: &mut Vec<u8>) -> Option<Transmit> {
        let (now, timeout) = (self.clock, self.probe_timeout());
        let candidate = self.candidate.as_mut()?;
        if std::mem::take(&mut candidate.asks_present) {
            let (to, token) = (self.path.remote, self.chance.next_u64().to_be_bytes());
            return self
                .transmit_alone(out, to, MIN_INITIAL_BYTES, |out| frame::put_path_challenge(out, token));
        }
        match candidate.path.asking(now, timeout) {
            Asking::Now(token) => {
                let to = candidate.path.remote;
                let bytes = self.allowance(to, SMALL_QUESTION, MIN_INITIAL_BYTES)?;
                self.transmit_alone(out, to, bytes, |out| frame::put_path_challenge(out, token))
            }
            Asking::Failed => {
                self.candidate = None;
                None
            }
            Asking::Wait => None,
        }
    }

    fn transmit_alone(
        &mut self,
        out: &mut Vec<u8>,
        to: SocketAddr,
        bytes: usize,
        put: impl FnOnce(&mut Vec<u8>),
    ) -> Option<Transmit> {
        let start = out.len();
        self.write_padded(out, bytes, false, put)?;
        let len = out.len() - start;
        self.sent_aside(to, len);
        Some(Transmit { remote: to, len, ecn: None })
    }

    fn sent_aside(&mut self, to: SocketAddr, len: usize) {
        if let Some(candidate) = self.candidate.as_mut().filter(|candidate| candidate.path.remote == to) {
            candidate.path.on_sent(len);
        }
    }

    /// While it is not known where the other side is, `datagram` goes to both places: make before break.
    pub(super) fn echo(&mut self, datagram: &[u8], ecn: Option<Mark>) {
        let Some(candidate) = self.candidate.as_mut() else { return };
        if candidate.path.allows(datagram.len()) {
            candidate.path.on_sent(datagram.len());
            let (to, datagram) = (candidate.path.remote, datagram.to_vec());
            self.echo = Some(Echo { to, datagram, ecn });
        }
    }

    /// Another of our connection ids for the other side to use.
    pub(crate) fn add_cid(&mut self, cid: ConnectionId, reset: [u8; 16]) -> bool {
        let Some(new) = self.local_cids.issue(cid, reset) else { return false };
        self.issued.push(new);
        self.due.new_cid(new.seq);
        true
    }

    /// All connection ids under which datagrams come, for an endpoint that forgets the connection.
    pub(crate) fn local_cids(&self) -> impl Iterator<Item = ConnectionId> {
        self.local_cids.iter()
    }

    /// Tells the endpoint by which token the other side would reset the connection now.
    pub(super) fn tell_reset(&mut self) {
        self.requests.push_back(super::EndpointRequest::ResetToken(self.remote_cids.reset()));
    }

    /// The other side does not know this connection.
    pub fn handle_reset(&mut self, now: Instant) {
        self.tell(now);
        self.abort_with(super::End::Reset);
    }
}
