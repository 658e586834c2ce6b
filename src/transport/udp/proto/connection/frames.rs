//! What each frame means.

use std::net::SocketAddr;

use super::{Connection, EndpointRequest};
use crate::transport::{
    Class,
    udp::proto::{
        Side, Space, Violation,
        cid::{NewCid, Rotation},
        frame::{AckFrame, Frame, Piece},
        lanes::Placed,
        loss::Outcome,
    },
};

impl Connection {
    /// Takes one frame. `false`: there was no room for it, and its packet must not be acknowledged.
    pub(super) fn take_frame(
        &mut self,
        space: Space,
        frame: Frame<'_>,
        remote: SocketAddr,
    ) -> Result<bool, Violation> {
        match frame {
            Frame::Padding | Frame::Ping | Frame::ImmediateAck | Frame::Unknown => {}
            Frame::Ack(ack) => self.take_ack(space, &ack)?,
            Frame::Crypto { offset, data } => return self.take_crypto(space, offset, data),
            Frame::Message(piece) => return self.take_piece(&piece),
            Frame::Credit { class, limit } => self.take_credit(class, limit),
            Frame::Blocked { class, limit } => {
                if self.incoming.on_blocked(class, limit) {
                    self.note_due(class, |due| &mut due.credit);
                }
            }
            Frame::Finish { code, total, text } => self.take_finish(code, total, text)?,
            Frame::Consumed { messages, last } => self.take_consumed(messages, last)?,
            Frame::PathChallenge(token) => self.take_path_challenge(remote, token),
            Frame::PathResponse(token) => self.take_path_response(&token),
            Frame::NewCid { seq, retire_prior, cid, reset } => {
                let retire = self.remote_cids.on_new(NewCid { seq, retire_prior, cid, reset })?;
                retire.into_iter().for_each(|seq| self.due.retire_cid(seq));
                self.leave_first_cid();
                self.tell_reset();
            }
            Frame::RetireCid { seq } => {
                if let Some(cid) = self.local_cids.on_retire(seq)? {
                    self.issued.retain(|issued| issued.seq != seq);
                    self.due.new_cids.retain(|due| *due != seq);
                    self.requests.push_back(EndpointRequest::RetireCid(cid));
                    self.requests.push_back(EndpointRequest::NeedCid);
                }
            }
            Frame::HandshakeDone if self.side == Side::Acceptor => {
                return Err(Violation("the dialing side says that the handshake is done"));
            }
            Frame::HandshakeDone => self.confirm_handshake(),
            Frame::Close { code, text } => self.take_close(code, text),
        }
        Ok(true)
    }

    /// A dialer's first id has no reset token: who called and is gone could not say so.
    fn leave_first_cid(&mut self) {
        if self.remote_cids.reset().is_none()
            && let Some(Rotation { retired, .. }) = self.remote_cids.rotate()
        {
            self.due.retire_cid(retired);
        }
    }

    fn take_ack(&mut self, space: Space, ack: &AckFrame<'_>) -> Result<(), Violation> {
        let delay = self.peer.max_ack_delay;
        let now = self.clock;
        let mut outcome = Outcome::default();
        self.recovery.on_ack(space, ack.ranges(), ack.delay, delay, now, &mut outcome)?;
        if let (Space::Data, Some(keys)) = (space, &mut self.keys) {
            keys.on_acked(ack.largest)?;
        }
        self.apply_outcome(space, &outcome);
        if space == Space::Data {
            if !outcome.acked.is_empty() {
                // It read what only one who has all of the handshake can (RFC 9001 §4.1.2).
                self.confirm_handshake();
            }
            self.check_ecn(ack.largest, ack.ecn);
        }
        Ok(())
    }

    fn take_piece(&mut self, piece: &Piece<'_>) -> Result<bool, Violation> {
        let placed = self.incoming.on_piece(piece)?;
        self.check_finished()?;
        self.renew_credit();
        Ok(placed != Placed::Full)
    }

    fn take_credit(&mut self, class: Class, limit: u64) {
        if self.credit.raise(class, limit) {
            self.blocked_since = None;
            self.blocked_told = None;
        }
    }

    /// Gives the other side more credit once it used enough of what it has.
    pub(super) fn renew_credit(&mut self) {
        let srtt = self.recovery.rtt().smoothed();
        while let Some((class, _)) = self.incoming.credit_due(self.clock, srtt) {
            self.note_due(class, |due| &mut due.credit);
        }
    }

    pub(super) fn note_due(&mut self, class: Class, which: impl Fn(&mut super::Due) -> &mut [bool; 3]) {
        if let Some(due) = which(&mut self.due).get_mut(class.index()) {
            *due = true;
        }
    }
}
