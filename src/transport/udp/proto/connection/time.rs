//! What happens because nothing happened.

use std::time::{Duration, Instant};

use super::{Connection, Life, close::End};
use crate::transport::{
    Class,
    udp::proto::{PacketNumber, Side, Space, loss::Outcome, varint::MAX_VARINT},
};

/// The least time between two words that credit is used up, and the factor by which it grows.
const BLOCKED_BACKOFF_MAX: Duration = Duration::from_secs(3);

/// How long the rest of a message may be silent, at least, before this side speaks up.
const HANGING: Duration = Duration::from_millis(500);

/// From this packet number on a connection is worn out (RFC 9000 §12.3). So many are kept that its last
/// word still has one, however late it is noticed.
const LAST_PACKET: PacketNumber = MAX_VARINT - (1 << 32);

impl Connection {
    /// Lets time do its work. Harmless when early, late or repeated.
    pub fn handle_timeout(&mut self, now: Instant) {
        let now = self.tell(now);
        match self.life {
            Life::Handshaking | Life::Established => {}
            Life::Closing | Life::Draining => {
                if self.closing.as_ref().is_none_or(|closing| closing.until <= now) {
                    self.life = Life::Over;
                }
                return;
            }
            Life::Over => return,
        }
        if self.give_up(now) {
            return;
        }
        if self.recovery.deadline().is_some_and(|due| due <= now) {
            let mut outcome = Outcome::default();
            self.recovery.on_timeout(now, &mut outcome);
            self.apply_outcome(outcome.space.unwrap_or(Space::Data), &outcome);
        }
        if let Some(keys) = &mut self.keys {
            keys.forget_previous(now);
        }
        if self.keep_alive_at().is_some_and(|due| due <= now) {
            self.rest();
            self.due.ping = true;
        }
        self.watch_credit(now);
        self.settle_path();
    }

    /// Gives back what the busy times took, after a silence: who is silent that long may be so for hours.
    pub(super) fn rest(&mut self) {
        self.recovery.shrink_to_fit();
        self.events.shrink_to_fit();
        self.requests.shrink_to_fit();
        self.path_responses.shrink_to_fit();
        self.due.new_cids.shrink_to_fit();
        self.due.retire_cids.shrink_to_fit();
    }

    /// When to be asked again, if nothing comes before.
    pub fn poll_timeout(&self) -> Option<Instant> {
        match self.life {
            Life::Handshaking | Life::Established => {}
            Life::Closing | Life::Draining => return self.closing.as_ref().map(|closing| closing.until),
            Life::Over => return None,
        }
        let may_send = self.path.allows(usize::from(self.mtu.current()));
        let sending = [
            self.received.due(),
            self.thin_at(),
            self.paced_until.filter(|_| self.in_window()),
            self.thin_paced_until.filter(|_| self.thin_waits_for_pacer()),
            self.mtu.next_probe().filter(|_| self.may_probe_mtu() && self.in_window()),
            self.keep_alive_at(),
        ];
        let always = [
            self.recovery.deadline(),
            Some(self.silent_since() + self.idle_timeout()),
            self.handshaking
                .as_ref()
                .filter(|_| self.life == Life::Handshaking)
                .map(|s| s.started + self.config.handshake_timeout),
            self.keys.as_ref().and_then(|keys| keys.deadline()),
            self.candidate.as_ref().and_then(|candidate| candidate.deadline(self.clock)),
            self.patience_deadline(),
            self.blocked_at(),
        ];
        let sending = sending.into_iter().flatten().filter(|_| may_send);
        sending.chain(always.into_iter().flatten()).min()
    }

    /// When a small message is due that may leave then.
    fn thin_at(&self) -> Option<Instant> {
        let due = self.thin.deadline().filter(|_| self.thin_in_window())?;
        Some(self.thin_paced_until.map_or(due, |paced| paced.max(due)))
    }

    /// Whether only the pacer keeps a small message.
    fn thin_waits_for_pacer(&self) -> bool {
        let waits = [Class::Control, Class::Thin].into_iter().any(|class| self.can_send(class));
        waits && self.thin_in_window()
    }

    fn in_window(&self) -> bool {
        self.recovery.in_flight() + u64::from(self.mtu.current()) <= self.controller.window()
    }

    /// The shorter of what both sides said, but never so short that a few lost packets end it.
    pub(super) fn idle_timeout(&self) -> Duration {
        self.config.idle_timeout.min(self.peer.idle_timeout).max(self.probe_timeout() * 3)
    }

    /// Since when the other side might as well be gone. One that talks but never acknowledges what it gets
    /// is no better than one that is silent, and what is in flight cannot be kept for ever.
    pub(super) fn silent_since(&self) -> Instant {
        let waits = self.unanswered.filter(|_| self.recovery.in_flight() > 0);
        waits.map_or(self.heard, |since| since.min(self.heard))
    }

    /// Whether it ends here.
    fn give_up(&mut self, now: Instant) -> bool {
        let end = if self.life == Life::Handshaking
            && self.handshaking.as_ref().is_some_and(|s| s.started + self.config.handshake_timeout <= now)
        {
            End::NoAnswer
        } else if self.silent_since() + self.idle_timeout() <= now {
            End::Silent(self.idle_timeout())
        } else if let Some(end) = self.lose_patience(now) {
            end
        } else if self.next_packet >= LAST_PACKET {
            End::WornOut
        } else {
            return false;
        };
        self.abort_with(end);
        true
    }

    fn keep_alive_at(&self) -> Option<Instant> {
        let pause = if self.hangs() {
            (self.probe_timeout() * 3).max(HANGING).min(self.config.keep_alive)
        } else if self.finish.is_unconfirmed() {
            self.config.keep_alive.min(self.config.stall_timeout / 4)
        } else if self.side == Side::Dialer {
            self.config.keep_alive
        } else {
            return None;
        };
        let keeps = self.life == Life::Established && !self.due.ping;
        keeps.then(|| self.heard.max(self.spoke) + pause)
    }

    /// Whether a message is here in part and nothing of ours is under way: if it stops coming, an address
    /// translator may have forgotten us, and only a word from this side tells the other our new address.
    fn hangs(&self) -> bool {
        self.recovery.in_flight() == 0 && self.incoming.buffered() > 0 && !self.incoming.has_ready()
    }

    fn blocked_at(&self) -> Option<Instant> {
        let (told, times) = self.blocked_told?;
        let pause = self.probe_timeout().saturating_mul(1 << times.min(8)).min(BLOCKED_BACKOFF_MAX);
        Some(told + pause)
    }

    /// Notes since when credit is used up, if it is.
    pub(super) fn note_blocked(&mut self) {
        if Class::ALL.into_iter().any(|class| self.outgoing.is_blocked(class, &self.credit)) {
            self.blocked_since.get_or_insert(self.clock);
            self.blocked_told.get_or_insert((self.clock, 0));
        } else {
            self.blocked_since = None;
            self.blocked_told = None;
        }
    }

    /// Says that credit is used up: when none came for a while, and again ever more rarely, in case the
    /// answer was lost.
    fn watch_credit(&mut self, now: Instant) {
        self.note_blocked();
        let Some((_, times)) = self.blocked_told else { return };
        if self.blocked_at().is_some_and(|due| due <= now) {
            self.blocked_told = Some((now, times.saturating_add(1)));
            for class in Class::ALL {
                if self.outgoing.is_blocked(class, &self.credit) {
                    self.note_due(class, |due| &mut due.blocked);
                }
            }
        }
    }
}
