//! The link to the server: up, down, and how a client's life ends.

use crate::{
    app::{
        Action, DialError, Event, LinkEnd, LinkId, LinkState, Now, Outcome,
        trouble::{self, refusal},
    },
    wire::{Addr, ByeReason, CAN_STORE, ErrorCode, Frame, Hello, Kind, MAX_BODY_BYTES, Nick, Role, RoomId},
};

use super::{Client, ClientRoom, Phase, Stay};

/// Dials without an answer before a server counts as unreachable. On a link that loses a third of all
/// packets one dial in ten comes to nothing.
const FIRST_DIALS: u32 = 3;

/// Names tried when nobody chose one: alice, alice2 … alice99.
pub(super) const MAX_TRIES: u32 = 99;

impl Client {
    pub(super) fn handle_link_up(&mut self, link: LinkId, hello: &Hello, dialed: Option<Addr>) {
        self.reached = dialed;
        self.durable = hello.capabilities & CAN_STORE != 0;
        self.farewell = None;
        self.refusal = None;
        if hello.role == Role::Server {
            self.phase = Phase::Greeting(link);
        } else {
            self.phase = Phase::Greeting(link);
            self.refusal =
                Some(refusal(ErrorCode::WrongRole, "that is a peer: --role peer --peers reaches it"));
            self.close(link, ByeReason::Refused);
        }
    }

    pub(super) fn handle_frame(&mut self, link: LinkId, frame: Frame, now: Now) {
        let ours = matches!(self.phase, Phase::Greeting(l) | Phase::Up(l) if l == link);
        if !ours {
            return;
        }
        match frame {
            Frame::Welcome { nick, max_message_bytes } => {
                self.handle_welcome(link, nick, max_message_bytes, now);
            }
            Frame::Error { code, room, detail } => self.handle_error(link, code, room, &detail),
            Frame::Bye { reason, .. } => self.farewell = Some(reason),
            frame => self.handle_room_frame(frame, now),
        }
    }

    fn handle_welcome(&mut self, link: LinkId, nick: Nick, max_message_bytes: u32, now: Now) {
        self.nick = nick;
        let max = usize::try_from(max_message_bytes).unwrap_or(usize::MAX);
        self.max_message_bytes = max.min(MAX_BODY_BYTES);
        self.phase = Phase::Up(link);
        self.is_full = false;
        if !self.was_up {
            self.begin_to_hear(now);
        }
        self.was_up = true;
        self.backoff.reset();
        self.tell_link(LinkState::Up);
        let rooms: Vec<RoomId> = self.rooms.keys().cloned().collect();
        for id in rooms {
            self.subscribe(&id, now.instant);
        }
        self.say_terms();
        for nick in self.lookups.keys().chain(self.files_for.keys()).cloned().collect::<Vec<_>>() {
            self.say(Frame::Lookup { nick });
        }
        self.transfers.nick = self.nick.clone();
        self.transfers.server_up();
    }

    /// What was said while this client was still on its way is the past, not missed.
    fn begin_to_hear(&mut self, now: Now) {
        let entered = self.rooms.iter_mut().filter(|(_, room)| !room.returns);
        let mut ids = Vec::new();
        for (id, room) in entered {
            room.joined_at = if id.public().is_some() { now.instant } else { room.joined_at };
            ids.push(id.clone());
        }
        ids.iter().for_each(|id| self.keep_membership(id, Some(now)));
    }

    fn handle_error(&mut self, link: LinkId, code: ErrorCode, room: Option<RoomId>, detail: &str) {
        if let Some(id) = room {
            return self.handle_denied(&id, code, detail);
        }
        let greeting = self.phase == Phase::Greeting(link);
        if !greeting {
            self.renames_awaited =
                self.renames_awaited.saturating_sub(usize::from(code == ErrorCode::NameTaken));
            return self.notify(Event::Error(refusal(code, detail)));
        }
        if code == ErrorCode::NameTaken && !self.config.nick_given && self.tries < MAX_TRIES {
            self.tries += 1;
            self.nick = self.config.nick.with_suffix(self.tries);
            let frame = Frame::Nick { nick: self.nick.clone() };
            return self.actions.push_back(Action::Send { to: vec![link], frame });
        }
        self.refusal = Some(refusal(code, detail));
        self.close(link, ByeReason::Refused);
    }

    fn handle_denied(&mut self, id: &RoomId, code: ErrorCode, detail: &str) {
        let Some(room) = self.rooms.get_mut(id) else { return };
        room.stay = Stay::Denied;
        if self.current.as_ref() == id.public() {
            self.current = self
                .rooms
                .iter()
                .filter(|(_, r)| r.stay != Stay::Denied)
                .find_map(|(id, _)| id.public().cloned());
        }
        if !self.rooms.get(id).is_some_and(|room| room.recalled) {
            self.recalls.retain(|recall| recall.room != *id);
        }
        let reason = refusal(code, detail);
        let name = id.public().map_or_else(|| "the private room".to_owned(), |name| format!("room {name}"));
        let message = format!("cannot join {name}: {}", reason.message);
        self.trouble(reason.code, message, reason.hint);
    }

    pub(super) fn handle_link_down(&mut self, link: LinkId, end: &LinkEnd, now: Now) {
        if !matches!(self.phase, Phase::Greeting(l) | Phase::Up(l) if l == link) {
            return;
        }
        self.recalls.clear();
        self.renames_awaited = 0;
        self.forget_link_before(link);
        self.transfers.server_down(now.instant);
        for room in self.rooms.values_mut().filter(|room| room.stay == Stay::In) {
            room.stay = Stay::Joining;
        }
        if self.quitting {
            return self.finish(Outcome::Done, "quit");
        }
        if let Some(trouble) = self.refusal.take()
            && !self.was_up
        {
            return self.finish(Outcome::Refused(trouble), "refused");
        }
        match self.farewell {
            Some(ByeReason::Replaced) => {
                self.finish(Outcome::Refused(trouble::identity_twice()), "identity_twice");
            }
            Some(ByeReason::Shutdown) if !self.config.reconnect => self.end_with_server(),
            _ => {
                self.tell_link(LinkState::Down { reason: end.reason.clone() });
                self.retry(now);
            }
        }
    }

    fn end_with_server(&mut self) {
        let lines = self.undelivered();
        let outcome = if lines.is_empty() { Outcome::Done } else { Outcome::Undelivered(lines) };
        self.finish(outcome, "server_shutdown");
    }

    pub(super) fn handle_dial_failed(&mut self, error: DialError, now: Now) {
        if self.phase != Phase::Dialing {
            return;
        }
        if self.quitting {
            return self.finish(Outcome::Done, "quit");
        }
        if self.turn + 1 < self.config.servers.len()
            && matches!(error, DialError::Unreachable(_) | DialError::NoAnswer(_))
        {
            self.turn += 1;
            return self.dial();
        }
        self.turn = 0;
        match error {
            DialError::IdentityChanged(trouble) => {
                self.finish(Outcome::IdentityChanged(trouble), "identity_changed");
            }
            DialError::Refused(trouble) if !self.was_up => self.finish(Outcome::Refused(trouble), "refused"),
            DialError::NoAnswer(_) if self.unanswered + 1 < FIRST_DIALS => {
                self.unanswered += 1;
                self.retry(now);
            }
            DialError::Unreachable(trouble) | DialError::NoAnswer(trouble)
                if !self.was_up && !self.config.reconnect =>
            {
                self.finish(Outcome::Unreachable(trouble), "unreachable");
            }
            DialError::Refused(_) | DialError::Unreachable(_) | DialError::NoAnswer(_) => self.retry(now),
        }
    }

    fn retry(&mut self, now: Now) {
        let pause = self.backoff.next(&mut self.rng);
        self.phase = Phase::Waiting { until: now.instant + pause };
        let retry_in_ms = u64::try_from(pause.as_millis()).unwrap_or(u64::MAX);
        self.tell_link(LinkState::Reconnecting { retry_in_ms });
    }

    fn tell_link(&mut self, state: LinkState) {
        let dialed = self.config.servers.get(self.turn).copied();
        let reached =
            self.reached.filter(|reached| dialed.is_some_and(|dialed| dialed.socket == reached.socket));
        let Some(server) = reached.or(dialed) else { return };
        self.notify(Event::Link {
            peer: server.socket.to_string(),
            transport: server.scheme.as_str(),
            state,
        });
    }

    pub(super) fn close(&mut self, link: LinkId, reason: ByeReason) {
        self.actions.push_back(Action::Close { link, reason, detail: String::new() });
    }

    pub(super) fn quit(&mut self) {
        self.quitting = true;
        match self.phase {
            Phase::Up(link) | Phase::Greeting(link) => self.close(link, ByeReason::Quit),
            Phase::Waiting { .. } | Phase::Dialing => self.finish(Outcome::Done, "quit"),
            Phase::Over => {}
        }
    }

    /// After the end of input: leaves as soon as all that was said is taken and all that was asked is
    /// answered.
    pub(super) fn finish_if_done(&mut self) {
        let settled = |stay| matches!(stay, Stay::In | Stay::Denied);
        let asked = self.waiting_lookups() == 0 && self.transfers.is_idle();
        let idle = asked && self.recalls.is_empty() && self.renames_awaited == 0;
        let taken = self
            .rooms
            .values()
            .all(|room| settled(room.stay) && (room.stay == Stay::Denied || self.owed(room) == 0));
        let taken = taken && !self.is_before_owed();
        let Some(link) = self.link().filter(|_| self.finish_by.is_some() && !self.quitting) else { return };
        if !(idle && taken) {
            return;
        }
        if self.undelivered().is_empty() {
            self.quitting = true;
            self.close(link, ByeReason::Quit);
        } else {
            self.give_up_waiting();
        }
    }

    /// How much of what was said in a room is not yet as safe as the server can make it.
    pub(super) fn owed(&self, room: &ClientRoom) -> usize {
        if self.durable { room.outgoing.unstored() } else { room.outgoing.waiting() }
    }

    pub(super) fn give_up_waiting(&mut self) {
        self.finish_by = None;
        if let Some(link) = self.link() {
            self.close(link, ByeReason::Quit);
        }
        let lines = self.undelivered();
        let outcome = if lines.is_empty() { Outcome::Done } else { Outcome::Undelivered(lines) };
        self.finish(outcome, "input_end");
    }

    /// Lines that nobody is known to have taken.
    fn undelivered(&self) -> Vec<String> {
        let records = self.rooms.values().flat_map(|room| room.outgoing.untaken(self.durable));
        let lines = records.filter(|record| record.kind == Kind::TEXT).map(crate::wire::Record::text);
        lines.chain(self.lookups.values().flatten().cloned()).chain(self.unsent_files()).collect()
    }
}
