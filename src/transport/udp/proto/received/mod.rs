//! What arrived in one packet-number space, and when to say so (RFC 9000 §13.2).

mod window;

use std::{
    ops::RangeInclusive,
    time::{Duration, Instant},
};

use smallvec::SmallVec;

#[cfg(test)]
use super::config::Mutant;
use super::{PacketNumber, Space, frame::EcnCounts, range_set::RangeSet};
use window::ReplayWindow;

/// Ranges remembered to be acknowledged. The oldest are forgotten first (RFC 9000 §13.2.3). A path whose
/// packets take more and less time by thousands of them makes as many.
const MAX_RANGES: usize = 1024;

/// Ranges told in one ACK frame: some 100 bytes, so that there is room beside them. The newest, and those with
/// packets that came late.
const MAX_RANGES_SENT: usize = 32;

/// Late packets between two acknowledgements whose ranges are told wherever they are.
const MAX_FRESH: usize = 8;

/// Packets of a connection after which acknowledgements get sparse: until then a congestion window
/// depends on every one of them.
const STARTUP_PACKETS: u32 = 100;

/// How many delayed packets share an acknowledgement at first (RFC 9000 §13.2.2).
const STARTUP_SHARE: u32 = 2;

/// How many delayed packets share an acknowledgement later.
const SHARE: u32 = 8;

/// The longest that an acknowledgement is put off.
pub(crate) const MAX_ACK_DELAY: Duration = Duration::from_millis(10);

/// The longest that an acknowledgement of files is put off when something is missing that may only be late. RFC
/// 9000 §13.2.1 wants it at once; but where packets overtake each other all the time that is one for each, a
/// tenth of all bytes.
const HURRY_DELAY: Duration = Duration::from_millis(1);

/// How many packets share an acknowledgement then.
const HURRY_SHARE: u32 = 4;

/// After so many packets that came in order nothing that is missing is thought late.
const REORDER_MEMORY: u8 = 32;

/// How soon a packet wants to be acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Urgency {
    /// Never by itself: it does not elicit an acknowledgement.
    None,
    /// Together with others.
    Delayed,
    /// At once.
    Now,
}

/// How often everything is told before it may be left out, in frames at least [`TELLING`] apart. Who only
/// listens never hears which of its acknowledgements arrived, and on a link that loses a third of the packets
/// their ranges would fill to what one frame holds: as many bytes again as the frame itself. Of ten frames one
/// arrives there but for six times in a million.
const TELLINGS: u8 = 10;

/// What is lost together must not count as told ten times.
const TELLING: Duration = Duration::from_millis(10);

/// The mark of explicit congestion notification on a datagram (RFC 3168 §5), unless it has none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// ECT(0).
    Ect0,
    /// ECT(1).
    Ect1,
    /// Congestion experienced.
    Ce,
}

/// The receiving half of one packet-number space.
#[derive(Debug)]
pub(crate) struct Received {
    space: Space,
    window: ReplayWindow,
    ranges: RangeSet,
    /// The lowest late arrival, and the largest number when the last of them came.
    late: Option<(PacketNumber, PacketNumber)>,
    /// Late packets that no acknowledgement told of yet.
    fresh: SmallVec<[PacketNumber; MAX_FRESH]>,
    told: Told,
    largest_at: Option<Instant>,
    last_arrival: Option<Instant>,
    ecn: EcnCounts,
    due: Option<Instant>,
    has_news: bool,
    /// Whether something since the last acknowledgement calls for one at once: a gap, or congestion.
    hurry: bool,
    /// How many packets from now on something missing may only be late.
    reordered: u8,
    eliciting: u32,
    unacked: u32,
    /// A planted fault.
    #[cfg(test)]
    pub(crate) mutant: Option<Mutant>,
}

impl Received {
    /// Nothing received yet.
    pub(crate) fn new(space: Space) -> Self {
        Self {
            space,
            window: ReplayWindow::new(),
            ranges: RangeSet::new(),
            late: None,
            fresh: SmallVec::new(),
            told: Told::default(),
            largest_at: None,
            last_arrival: None,
            ecn: EcnCounts { ect0: 0, ect1: 0, ce: 0 },
            due: None,
            has_news: false,
            hurry: false,
            reordered: 0,
            eliciting: 0,
            unacked: 0,
            #[cfg(test)]
            mutant: None,
        }
    }

    /// Whether the packet was received before, or is too old to tell. Such a packet is not to be opened.
    pub(crate) fn is_known(&self, pn: PacketNumber) -> bool {
        #[cfg(test)]
        if self.mutant == Some(Mutant::NoReplayWindow) {
            return false;
        }
        self.window.is_known(pn)
    }

    /// Notes an authentic packet that was not known, and decides when to acknowledge it. `srtt` is the
    /// smoothed round trip time.
    pub(crate) fn on_packet(&mut self, pn: PacketNumber, now: Instant, urgency: Urgency, srtt: Duration) {
        let is_silent = self.last_arrival.is_none_or(|last| now.saturating_duration_since(last) >= srtt);
        self.note(pn, now);
        if urgency == Urgency::None {
            return;
        }
        self.eliciting = self.eliciting.saturating_add(1);
        self.unacked = self.unacked.saturating_add(1);
        let at_once = urgency == Urgency::Now
            || self.space != Space::Data
            || is_silent
            || (self.hurry && self.reordered == 0)
            || self.unacked >= self.share();
        let by = if at_once { now } else { self.latest_by(now, srtt) };
        self.due = Some(self.due.map_or(by, |due| due.min(by)));
    }

    /// Notes an authentic packet for whose contents there was no room: it is never acknowledged, and no
    /// copy of it is looked at. What it held has to come in another one.
    pub(crate) fn on_refused(&mut self, pn: PacketNumber) {
        self.window.insert(pn);
    }

    /// Counts the mark of a datagram. Congestion is reported at once, if at all (RFC 9000 §13.2.1).
    pub(crate) fn on_ecn(&mut self, mark: Mark) {
        let count = match mark {
            Mark::Ect0 => &mut self.ecn.ect0,
            Mark::Ect1 => &mut self.ecn.ect1,
            Mark::Ce => &mut self.ecn.ce,
        };
        *count = count.saturating_add(1);
        if mark == Mark::Ce {
            self.hurry = true;
            self.due = self.due.map(|due| self.last_arrival.map_or(due, |last| due.min(last)));
        }
    }

    /// The marks counted so far, `None` if there were none.
    pub(crate) fn ecn(&self) -> Option<EcnCounts> {
        let EcnCounts { ect0, ect1, ce } = self.ecn;
        (ect0 != 0 || ect1 != 0 || ce != 0).then_some(EcnCounts { ect0, ect1, ce })
    }

    /// When an ACK frame has to leave by itself, `None` if it need not.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.due
    }

    /// Whether something arrived that was not acknowledged: worth an ACK frame in a packet with room.
    pub(crate) fn has_news(&self) -> bool {
        self.has_news
    }

    /// What to acknowledge, in descending order, at most 32 ranges.
    pub(crate) fn ranges(&self) -> impl Iterator<Item = RangeInclusive<PacketNumber>> + Clone + '_ {
        let newest = MAX_RANGES_SENT.saturating_sub(self.fresh.len());
        let has_fresh = |range: &RangeInclusive<PacketNumber>| self.fresh.iter().any(|pn| range.contains(pn));
        let told = self.ranges.iter().rev().enumerate();
        told.filter(move |(at, range)| *at < newest || has_fresh(range))
            .map(|(_, range)| range)
            .take(MAX_RANGES_SENT)
    }

    /// For how long the largest packet has waited to be acknowledged.
    pub(crate) fn delay(&self, now: Instant) -> Duration {
        self.largest_at.map_or(Duration::ZERO, |at| now.saturating_duration_since(at))
    }

    /// Notes that [`ranges`](Self::ranges) were sent at `now`. What was told often enough is not any more.
    pub(crate) fn on_ack_sent(&mut self, now: Instant) {
        if let Some(largest) = self.ranges.max() {
            let keep = self.told.on_ack_sent(largest, now);
            // Whole ranges: a part of one saves nothing.
            while self.ranges.iter().next().is_some_and(|lowest| *lowest.end() < keep.min(largest)) {
                self.ranges.pop_lowest();
            }
        }
        self.due = None;
        self.has_news = false;
        self.hurry = false;
        self.unacked = 0;
        self.fresh.clear();
    }

    /// Notes that an ACK frame arrived of which the largest number was `largest`: what it said need not
    /// be repeated (RFC 9000 §13.2.4). The largest packet is always repeated.
    pub(crate) fn on_ack_acked(&mut self, largest: PacketNumber) {
        let mut keep = largest.saturating_add(1).min(self.ranges.max().unwrap_or(0));
        match self.late {
            // That frame may have left before the late arrival.
            Some((lowest, since)) if largest <= since => keep = keep.min(lowest),
            _ => self.late = None,
        }
        self.ranges.remove_below(keep);
    }

    /// The number after the largest, from which truncated ones are told (RFC 9000 §17.1).
    pub(crate) fn expected(&self) -> PacketNumber {
        self.window.next()
    }

    /// The largest number received.
    pub(crate) fn largest(&self) -> Option<PacketNumber> {
        self.ranges.max()
    }

    fn note(&mut self, pn: PacketNumber, now: Instant) {
        let expected = self.window.next();
        self.window.insert(pn);
        self.ranges.insert(pn..=pn);
        while self.ranges.len() > MAX_RANGES {
            self.ranges.pop_lowest();
        }
        self.reordered = self.reordered.saturating_sub(1);
        if pn >= expected {
            self.largest_at = Some(now);
        } else {
            self.reordered = REORDER_MEMORY;
            let lowest = self.late.map_or(pn, |(lowest, _)| lowest.min(pn));
            self.late = Some((lowest, expected.saturating_sub(1)));
            if self.fresh.len() < MAX_FRESH {
                self.fresh.push(pn);
            }
            self.told.on_late(pn);
        }
        #[cfg(test)]
        if self.mutant == Some(Mutant::AcksAhead) {
            self.ranges.insert(pn..=pn.saturating_add(1));
        }
        self.hurry |= pn != expected;
        self.has_news = true;
        self.last_arrival = Some(now);
    }

    fn share(&self) -> u32 {
        match (self.eliciting <= STARTUP_PACKETS, self.hurry) {
            (true, _) => STARTUP_SHARE,
            (false, true) => HURRY_SHARE,
            (false, false) => SHARE,
        }
    }

    /// When a packet that came at `now` is acknowledged at the latest: soon enough for several
    /// acknowledgements in a round trip.
    fn latest_by(&self, now: Instant, srtt: Duration) -> Instant {
        let delay = (srtt / 4).min(if self.hurry { HURRY_DELAY } else { MAX_ACK_DELAY });
        now.checked_add(delay).unwrap_or(now)
    }
}

/// What was told, in two generations of acknowledgements: so that nothing has to be kept for each packet,
/// each is told between [`TELLINGS`] and twice as many times.
#[derive(Debug, Default)]
struct Told {
    /// The first numbers that the last generation and the present one were too early for.
    from: [PacketNumber; 2],
    /// Frames of the present generation.
    frames: u8,
    last: Option<Instant>,
}

impl Told {
    /// Returns the first number that has to be told again, now that everything up to `largest` was.
    fn on_ack_sent(&mut self, largest: PacketNumber, now: Instant) -> PacketNumber {
        if self.last.is_none_or(|last| now.saturating_duration_since(last) >= TELLING) {
            self.last = Some(now);
            self.frames = self.frames.saturating_add(1);
        }
        if self.frames >= TELLINGS {
            self.frames = 0;
            let [_, young] = self.from;
            self.from = [young, largest.saturating_add(1)];
        }
        let [old, _] = self.from;
        old
    }

    /// A number came that no frame before can have told of.
    fn on_late(&mut self, pn: PacketNumber) {
        self.from = self.from.map(|from| from.min(pn));
    }
}

#[cfg(test)]
mod tests;
