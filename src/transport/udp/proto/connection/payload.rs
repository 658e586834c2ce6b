//! What goes into a packet of data, the most urgent first.

use std::time::{Duration, Instant};

use smallvec::SmallVec;

use super::Connection;
use crate::transport::{
    Class,
    udp::proto::{
        Space,
        cid::NewCid,
        frame,
        lanes::OutPiece,
        received::Received,
        seal::TAG_BYTES,
        sent::{Carried, PieceRef, SentPacket},
        thin::Due,
    },
};

/// Room for the ranges of an acknowledgement that rides along.
const ACK_ROOM: usize = 64;

/// Bytes of a packet that are not its payload, at most: first byte, connection id, number and tag.
const MAX_SHORT_OVERHEAD: usize = 1 + 8 + 4 + TAG_BYTES;

/// How long this side is silent before it asks after packets that hold nothing new for the other one.
const IDLE_QUESTION: Duration = Duration::from_secs(1);

/// A packet's payload while it is filled.
pub(super) struct Draft<'a> {
    pub(super) out: &'a mut Vec<u8>,
    /// Where the payload must end.
    pub(super) end: usize,
    pub(super) carried: SmallVec<[Carried; 4]>,
    pub(super) elicits_ack: bool,
    pub(super) has_bulk: bool,
    /// Chat in it: no file beside it, or one loss would hold up both.
    has_thin: bool,
    /// Only what is worth exceeding the window for.
    pub(super) urgent_only: bool,
}

/// What may go out at the moment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Gate {
    /// Small messages, their copies and rounds.
    pub(super) thin: bool,
    /// Files.
    pub(super) bulk: bool,
    /// Everything else that is to be acknowledged, but for probes.
    pub(super) control: bool,
}

impl<'a> Draft<'a> {
    pub(super) fn new(out: &'a mut Vec<u8>, end: usize) -> Self {
        Self {
            out,
            end,
            carried: SmallVec::new(),
            elicits_ack: false,
            has_bulk: false,
            has_thin: false,
            urgent_only: false,
        }
    }

    pub(super) fn room(&self) -> usize {
        self.end.saturating_sub(self.out.len())
    }

    pub(super) fn note(&mut self, carried: Carried) {
        self.carried.push(carried);
        self.elicits_ack = true;
    }

    fn piece(&mut self, piece: &OutPiece) {
        frame::put_message(self.out, piece.r.lane, piece.r.seq, piece.part, &piece.data, false);
        self.note(Carried::Message(piece.r));
        match piece.r.lane & 3 == Class::Bulk as u64 {
            true => self.has_bulk = true,
            false => self.has_thin = true,
        }
    }

    fn messages(&self) -> SmallVec<[PieceRef; 4]> {
        let messages = self.carried.iter().filter_map(|carried| match carried {
            Carried::Message(piece) => Some(*piece),
            _ => None,
        });
        messages.collect()
    }

    /// The acknowledgement of what came, where it is due or rides for nothing.
    pub(super) fn acknowledge(&mut self, received: &mut Received, now: Instant) {
        let Some(largest) = received.largest() else { return };
        let (delay, ecn) = (received.delay(now), received.ecn());
        let room = self.room();
        if frame::put_ack(self.out, delay, received.ranges(), 32, room, ecn) {
            self.carried.push(Carried::Ack { largest });
            received.on_ack_sent(now);
        }
    }
}

impl Connection {
    /// Fills a packet. What it may not hold by the gate stays for later.
    pub(super) fn fill(&mut self, draft: &mut Draft<'_>, gate: Gate) {
        let now = self.clock;
        self.put_acknowledgement(draft, gate);
        self.put_probe(draft, now);
        let control = gate.control || draft.elicits_ack;
        if control {
            self.put_ids(draft);
        }
        let bulk_first = gate.bulk && self.bulk_debt > self.controller.window() / 2;
        if bulk_first {
            self.put_bulk(draft);
        }
        if !draft.has_bulk && gate.thin {
            self.put_due(draft, now);
            self.put_lost(draft, Class::Control);
            self.put_lost(draft, Class::Thin);
            if self.thin.is_silent(now) {
                // What is new would be lost with it, and who was first waits longest.
                self.put_bundled(draft, now);
            }
            self.put_fresh_thin(draft, now);
        }
        if control {
            self.put_limits(draft);
        }
        if draft.has_thin {
            self.put_bundled(draft, now);
        }
        if gate.bulk && !draft.has_thin && !draft.has_bulk && !draft.urgent_only {
            self.put_bulk(draft);
        }
        self.settle_debt(draft);
        if draft.elicits_ack
            && !draft.has_thin
            && !draft.carried.iter().any(|c| matches!(c, Carried::Ack { .. }))
        {
            // Something goes anyway: what came may as well be confirmed with it.
            self.put_free_acknowledgement(draft);
        }
    }

    fn put_acknowledgement(&mut self, draft: &mut Draft<'_>, gate: Gate) {
        let due = self.received.due().is_some_and(|due| due <= self.clock);
        let leaving = self.has_something(gate);
        if due || (leaving && self.received.has_news()) {
            draft.acknowledge(&mut self.received, self.clock);
        }
    }

    fn put_free_acknowledgement(&mut self, draft: &mut Draft<'_>) {
        if self.received.has_news() && draft.room() >= ACK_ROOM {
            draft.acknowledge(&mut self.received, self.clock);
        }
    }

    fn put_ids(&mut self, draft: &mut Draft<'_>) {
        if self.due.handshake_done && draft.room() > 0 {
            self.due.handshake_done = false;
            frame::put_handshake_done(draft.out);
            draft.note(Carried::HandshakeDone);
        }
        while draft.room() > 42
            && let Some(seq) = self.due.new_cids.pop_front()
        {
            if let Some(NewCid { retire_prior, cid, reset, .. }) =
                self.issued.iter().find(|new| new.seq == seq)
            {
                frame::put_new_cid(draft.out, seq, *retire_prior, *cid, *reset);
                draft.note(Carried::NewCid(seq));
            }
        }
        while draft.room() > 9
            && let Some(seq) = self.due.retire_cids.pop_front()
        {
            frame::put_retire_cid(draft.out, seq);
            draft.note(Carried::RetireCid(seq));
        }
    }

    /// After a probe timeout: something new if there is, else the oldest that nobody confirmed, else a
    /// mere question (RFC 9002 §6.2.4).
    fn put_probe(&mut self, draft: &mut Draft<'_>, now: Instant) {
        let [_, _, probes] = &mut self.due.probes;
        if *probes == 0 && !self.due.ping {
            return;
        }
        let probing = *probes > 0;
        *probes = probes.saturating_sub(1);
        self.due.ping = false;
        // The second of two probes is there to be acknowledged: what the first repeats would be lost with it.
        let first = *probes > 0 || self.recovery.pto_count() > 2;
        if probing && first {
            self.put_fresh_thin(draft, now);
            if draft.messages().is_empty() {
                self.put_oldest(draft);
            }
        }
        if draft.room() > 0 {
            frame::put_ping(draft.out);
            draft.note(Carried::Ping);
        }
    }

    /// Whether all that is in flight are packets of messages that arrived in others. Only their fate is not
    /// known, and what is said next brings it for nothing: of the copies of a line the last one stays behind
    /// as often as it is lost, there or back, and asking takes two packets.
    pub(super) fn can_do_without_probe(&self) -> bool {
        let is_known = |carried: &Carried| match carried {
            Carried::Message(r) => self.outgoing.piece(*r).is_none(),
            Carried::Ack { .. } => true,
            _ => false,
        };
        let is_idle = |packet: &SentPacket| !packet.probe_mtu && packet.carried.iter().all(is_known);
        let silence = self.clock.saturating_duration_since(self.spoke);
        silence < IDLE_QUESTION
            && self.handshaking.is_none()
            && self.recovery.unacked(Space::Data).all(is_idle)
    }

    fn put_oldest(&mut self, draft: &mut Draft<'_>) {
        let oldest: SmallVec<[Carried; 4]> = self
            .recovery
            .oldest_unacked(Space::Data)
            .map(|packet| packet.carried.clone())
            .unwrap_or_default();
        for carried in oldest {
            match carried {
                Carried::Message(r) => {
                    let Some(piece) = self.outgoing.piece(r) else { continue };
                    let room = draft.room();
                    if frame::message_overhead(r.lane, r.seq, piece.part, piece.data.len()) + piece.data.len()
                        <= room
                    {
                        self.stats.retransmits += 1;
                        draft.piece(&piece);
                    }
                }
                Carried::Crypto { .. } | Carried::Ack { .. } | Carried::Ping => {}
                other => self.frame_lost(Space::Data, other),
            }
        }
    }

    /// Small messages that nobody confirmed in time, and copies whose time has come.
    fn put_due(&mut self, draft: &mut Draft<'_>, now: Instant) {
        let most = usize::from(self.mtu.current()).saturating_sub(MAX_SHORT_OVERHEAD);
        while let Some(r) = self.thin.take_too_long(now, most) {
            self.outgoing.on_lost(r);
        }
        loop {
            let room = draft.room();
            let conditions = self.conditions();
            let Some((r, due)) = self.thin.next(now, room, &conditions) else { break };
            let Some(piece) = self.outgoing.piece(r) else {
                self.thin.on_acked(r);
                continue;
            };
            if draft.messages().contains(&r) {
                continue;
            }
            match due {
                Due::Round => self.stats.retransmits += 1,
                Due::Copy => self.stats.copies += 1,
            }
            draft.piece(&piece);
        }
    }

    /// Fills what room is left with copies that would be due soon anyway.
    fn put_bundled(&mut self, draft: &mut Draft<'_>, now: Instant) {
        while draft.room() > 32 {
            let exclude = draft.messages();
            let Some(r) = self.thin.bundle(now, draft.room(), &exclude) else { break };
            let Some(piece) = self.outgoing.piece(r) else {
                self.thin.on_acked(r);
                continue;
            };
            self.stats.copies += 1;
            draft.piece(&piece);
        }
    }

    fn put_lost(&mut self, draft: &mut Draft<'_>, class: Class) {
        while draft.room() > 16 {
            let Some(piece) = self.outgoing.next_lost(class, draft.room()) else { break };
            self.stats.retransmits += 1;
            draft.piece(&piece);
        }
    }

    fn put_fresh_thin(&mut self, draft: &mut Draft<'_>, now: Instant) {
        for class in [Class::Control, Class::Thin] {
            while draft.room() > 16 {
                let room = draft.room();
                let Some(piece) = self.outgoing.next_fresh(class, room, &mut self.credit) else { break };
                if piece.part.is_none() {
                    let bytes = frame::message_overhead(piece.r.lane, piece.r.seq, None, piece.data.len());
                    let conditions = self.conditions();
                    self.thin.on_sent(piece.r, bytes + piece.data.len(), now, &conditions);
                }
                draft.piece(&piece);
            }
        }
    }

    fn put_bulk(&mut self, draft: &mut Draft<'_>) {
        self.put_lost(draft, Class::Bulk);
        while draft.room() > 16 {
            let Some(piece) = self.outgoing.next_fresh(Class::Bulk, draft.room(), &mut self.credit) else {
                break;
            };
            draft.piece(&piece);
        }
    }

    fn put_limits(&mut self, draft: &mut Draft<'_>) {
        for class in Class::ALL {
            let at = class.index();
            #[cfg(test)]
            if self.config.mutant == Some(super::super::config::Mutant::NoCreditUpdates) {
                self.due.credit = [false; 3];
            }
            if draft.room() > 11 && std::mem::take(self.due.credit.get_mut(at).unwrap_or(&mut false)) {
                frame::put_credit(draft.out, class, self.incoming.credit(class));
                draft.note(Carried::Credit(class));
            }
            if draft.room() > 11 && std::mem::take(self.due.blocked.get_mut(at).unwrap_or(&mut false)) {
                frame::put_blocked(draft.out, class, self.credit.limit(class));
                draft.note(Carried::Blocked(class));
            }
        }
        if let Some((messages, last)) = self.finish.consumed_due()
            && draft.room() > 10
        {
            frame::put_consumed(draft.out, messages, last);
            draft.note(Carried::Consumed { messages, last });
            self.finish.on_consumed_sent();
        }
        if let Some((code, text)) = self.finish.finish_due()
            && draft.room() > 16 + text.len()
        {
            frame::put_finish(draft.out, code, self.outgoing.total_pushed(), text);
            draft.note(Carried::Finish);
            self.finish.on_finish_sent();
        }
    }

    /// Files are owed half of what chat takes from them.
    fn settle_debt(&mut self, draft: &Draft<'_>) {
        let bytes = draft.out.len() as u64;
        if draft.has_bulk {
            self.bulk_debt = self.bulk_debt.saturating_sub(bytes);
        } else if draft.has_thin && self.is_waiting_to_send(Class::Bulk) {
            self.bulk_debt = self.bulk_debt.saturating_add(bytes);
        } else if !self.is_waiting_to_send(Class::Bulk) {
            self.bulk_debt = 0;
        }
    }

    /// Whether a packet would hold more than an acknowledgement.
    pub(super) fn has_something(&self, gate: Gate) -> bool {
        let due = &self.due;
        let [_, _, probes] = due.probes;
        let probing = probes > 0 || due.ping;
        let control = || self.has_control();
        let thin = || {
            self.thin.deadline().is_some_and(|due| due <= self.clock)
                || [Class::Control, Class::Thin].into_iter().any(|class| self.can_send(class))
        };
        probing
            || (gate.control && control())
            || (gate.thin && thin())
            || (gate.bulk && self.can_send(Class::Bulk))
    }

    fn has_control(&self) -> bool {
        let due = &self.due;
        due.handshake_done
            || !due.new_cids.is_empty()
            || !due.retire_cids.is_empty()
            || due.credit.contains(&true)
            || due.blocked.contains(&true)
            || self.finish.consumed_due().is_some()
            || self.finish.finish_due().is_some()
    }

    pub(super) fn can_send(&self, class: Class) -> bool {
        self.outgoing.has_lost(class)
            || (self.outgoing.has_fresh(class) && !self.outgoing.is_blocked(class, &self.credit))
    }
}
