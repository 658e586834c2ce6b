//! Marks of congestion: whether the path keeps them, and what they say (RFC 9000 §13.4.2).

use std::time::Instant;

use super::super::Connection;
use crate::transport::udp::proto::{PacketNumber, frame::EcnCounts, received::Mark};

/// Packets after which a path that wipes off every mark, or says congestion in every one, is one that lies.
const PROOF: u64 = 10;

/// What is known of the marks on the path.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in super::super) struct Ecn {
    off: bool,
    /// The first packet with a mark; all later ones had one too.
    first: Option<PacketNumber>,
    sent: u64,
    /// Of those, packets that are known to have arrived.
    acked: u64,
    /// The largest packet acknowledged when the counts were last looked at.
    largest: Option<PacketNumber>,
    /// The latest counts: `ECT(0)` and CE.
    seen: (u64, u64),
    /// The counts when the path changed.
    base: (u64, u64),
    /// When congestion was last reported.
    pub(in super::super) marked: Option<Instant>,
}

/// What counts say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Fine,
    Congested,
    Lie,
}

impl Ecn {
    /// The mark for the datagram with packet `pn`, which is counted.
    pub(in super::super) fn mark(&mut self, pn: PacketNumber) -> Option<Mark> {
        if self.off {
            return None;
        }
        self.first.get_or_insert(pn);
        self.sent += 1;
        Some(Mark::Ect0)
    }

    pub(in super::super) fn on_acked(&mut self, pn: PacketNumber) {
        self.acked += u64::from(self.first.is_some_and(|first| pn >= first));
    }

    /// What all packets had on the old path says nothing about the new one.
    pub(in super::super) fn on_path_change(&mut self) {
        self.base = self.seen;
    }

    /// Takes the counts that came with the acknowledgement of `largest`. Of acknowledgements that
    /// overtook each other the older one counts less, and nothing.
    fn on_counts(&mut self, largest: PacketNumber, counts: Option<EcnCounts>) -> Verdict {
        if self.off || self.acked == 0 || self.largest.is_some_and(|known| largest <= known) {
            return Verdict::Fine;
        }
        self.largest = Some(largest);
        let Some(EcnCounts { ect0, ect1, ce }) = counts else {
            return if self.acked >= PROOF { Verdict::Lie } else { Verdict::Fine };
        };
        let (came, before) = (ect0.saturating_add(ce), self.seen.1);
        let all_marked = ect0 == self.base.0 && ce.saturating_sub(self.base.1) >= PROOF;
        if ect1 > 0 || came < self.acked || came > self.sent || all_marked {
            return Verdict::Lie;
        }
        self.seen = (ect0, ce);
        if ce > before { Verdict::Congested } else { Verdict::Fine }
    }
}

impl Connection {
    /// Takes what the other side says of the marks.
    pub(in super::super) fn check_ecn(&mut self, largest: PacketNumber, counts: Option<EcnCounts>) {
        let now = self.clock;
        match self.ecn.on_counts(largest, counts) {
            Verdict::Fine => {}
            Verdict::Lie => self.ecn.off = true,
            Verdict::Congested => {
                let sent = now.checked_sub(self.recovery.rtt().smoothed()).unwrap_or(now);
                self.controller.on_ecn(now, sent);
                self.ecn.marked = Some(now);
            }
        }
    }
}
