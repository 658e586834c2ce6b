//! The keys of [`Space::Data`](super::super::Space::Data) and their renewal (RFC 9001 §6).

use std::time::{Duration, Instant};

use super::super::{
    Violation,
    packet::Unsealed,
    seal::{HeaderKey, KeySchedule, Keys, PacketKey, PacketKeys},
};

/// Packets sealed in one key phase before the next is begun: far below what the ciphers allow.
const PACKETS_PER_PHASE: u64 = 1 << 20;

/// How long a key phase lasts at most while packets are sent.
const PHASE_LIFETIME: Duration = Duration::from_secs(3600);

/// The keys for data, of this phase and its neighbours.
pub(super) struct DataKeys {
    local_header: Box<dyn HeaderKey>,
    pub(super) remote_header: Box<dyn HeaderKey>,
    current: PacketKeys,
    /// What the other side may change to at any time. This side's half is made when it is used: a key
    /// takes half a kilobyte.
    next_remote: Box<dyn PacketKey>,
    /// For packets that were sealed before the change and come after it.
    previous: Option<Previous>,
    schedule: Box<dyn KeySchedule>,
    phase: bool,
    /// The first packet this side sealed in this phase; until one of this phase is acknowledged the
    /// other side may not have changed.
    first_sealed: Option<u64>,
    acknowledged: bool,
    /// The first packet of the other side in this phase, as far as known: older ones are of the phase
    /// before, and as long as there is none, all are.
    first_opened: Option<u64>,
    /// Whether the last packet that opened was of the phase before.
    opened_previous: bool,
    sealed: u64,
    since: Instant,
    forged: u64,
    updates: u64,
}

/// The other side's key of the phase before.
struct Previous {
    key: Box<dyn PacketKey>,
    /// When to forget it; not before the other side changed too.
    until: Option<Instant>,
}

/// Which key opens a packet.
pub(super) enum Opened {
    /// That of this phase.
    Current(usize),
    /// That of the phase before.
    Previous(usize),
    /// The other side changed its key.
    Updated(usize),
    /// None of them.
    Forged,
}

impl DataKeys {
    pub(super) fn new(keys: Keys, schedule: Box<dyn KeySchedule>, now: Instant) -> Self {
        let next_remote = schedule.peek().remote;
        Self {
            local_header: keys.local.header,
            remote_header: keys.remote.header,
            current: PacketKeys { local: keys.local.packet, remote: keys.remote.packet },
            next_remote,
            previous: None,
            schedule,
            phase: false,
            first_sealed: None,
            acknowledged: false,
            first_opened: None,
            opened_previous: false,
            sealed: 0,
            since: now,
            forged: 0,
            updates: 0,
        }
    }

    pub(super) fn phase(&self) -> bool {
        self.phase
    }

    pub(super) fn updates(&self) -> u64 {
        self.updates
    }

    /// Whether so many packets did not open that the key must not be used any more (RFC 9001 §6.6).
    pub(super) fn is_worn_out(&self) -> bool {
        self.forged > self.current.remote.integrity_limit()
    }

    /// Whether this side sealed nearly as much as its key bears, because the other side confirms nothing
    /// (RFC 9001 §6.6). What is left is for the close.
    pub(super) fn is_spent(&self) -> bool {
        let limit = self.current.local.confidentiality_limit();
        self.sealed >= limit - limit / 8
    }

    /// Seals packet `number`, whose header was written and whose payload follows it. `false`: it cannot be
    /// sent, as the key bears no more for instance, and `out` is as it was before it.
    pub(super) fn seal(&mut self, header: Unsealed, number: u64, out: &mut Vec<u8>) -> bool {
        if self.sealed >= self.current.local.confidentiality_limit() {
            header.discard(out);
            return false;
        }
        self.first_sealed.get_or_insert(number);
        self.sealed += 1;
        header.seal(out, self.local_header.as_ref(), self.current.local.as_ref())
    }

    /// The tag of a packet under this phase's key or the next one's, whatever was sealed before.
    #[cfg(test)]
    pub(super) fn seal_by_hand(
        &self,
        number: u64,
        next_phase: bool,
        header: &[u8],
        payload: &mut [u8],
    ) -> [u8; super::super::seal::TAG_BYTES] {
        let next = next_phase.then(|| self.schedule.peek());
        next.as_ref().unwrap_or(&self.current).local.seal(number, header, payload).unwrap()
    }

    /// Opens a packet of either phase in place.
    pub(super) fn open(&mut self, number: u64, phase: bool, header: &[u8], payload: &mut [u8]) -> Opened {
        let is_older = self.first_opened.map_or_else(|| self.previous.is_some(), |first| number < first);
        let opened = if phase == self.phase {
            self.current.remote.open(number, header, payload).map(Opened::Current)
        } else if is_older {
            let previous = self.previous.as_ref();
            previous.and_then(|old| old.key.open(number, header, payload)).map(Opened::Previous)
        } else {
            self.next_remote.open(number, header, payload).map(Opened::Updated)
        };
        let opened = opened.unwrap_or_else(|| {
            self.forged += 1;
            Opened::Forged
        });
        self.opened_previous = matches!(opened, Opened::Previous(_));
        opened
    }

    /// Packet `number` opened with the key of this phase: the other side has changed, and `keep` later
    /// nothing of the phase before is on its way any more (RFC 9001 §6.5).
    pub(super) fn confirm(&mut self, number: u64, now: Instant, keep: Duration) {
        self.first_opened = Some(self.first_opened.map_or(number, |first| first.min(number)));
        if let Some(previous) = &mut self.previous {
            previous.until.get_or_insert(now + keep);
        }
    }

    /// Follows the other side, which sealed packet `number` in the next phase.
    pub(super) fn follow(&mut self, number: u64, now: Instant, keep: Duration) {
        self.turn(now);
        self.confirm(number, now, keep);
    }

    /// Begins a new phase when this one has served long enough.
    pub(super) fn renew(&mut self, now: Instant) {
        let limit = PACKETS_PER_PHASE.min(self.current.local.confidentiality_limit() / 2);
        let served = self.sealed >= limit || (self.sealed > 0 && now >= self.since + PHASE_LIFETIME);
        if served && self.acknowledged && self.previous.is_none() {
            self.turn(now);
        }
    }

    /// The packet that was opened last acknowledges `number`.
    ///
    /// # Errors
    /// The other side opened a packet of this phase, and still seals with the key before
    /// (RFC 9001 §6.2).
    pub(super) fn on_acked(&mut self, number: u64) -> Result<(), Violation> {
        let confirms = self.first_sealed.is_some_and(|first| number >= first);
        if confirms && self.opened_previous {
            return Err(Violation("the other side does not change its key"));
        }
        self.acknowledged |= confirms;
        Ok(())
    }

    /// When the key of the phase before is forgotten.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.previous.as_ref().and_then(|previous| previous.until)
    }

    pub(super) fn forget_previous(&mut self, now: Instant) {
        self.previous.take_if(|previous| previous.until.is_some_and(|until| until <= now));
    }

    fn turn(&mut self, now: Instant) {
        let next = self.schedule.next();
        self.next_remote = self.schedule.peek().remote;
        let old = std::mem::replace(&mut self.current, next);
        self.previous = Some(Previous { key: old.remote, until: None });
        self.first_opened = None;
        self.phase = !self.phase;
        self.first_sealed = None;
        self.acknowledged = false;
        self.sealed = 0;
        self.since = now;
        self.updates += 1;
    }
}
