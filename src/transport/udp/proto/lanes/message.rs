//! One message at the sender: which of its bytes were sent, lost and acknowledged.

use std::ops::Range;

use bytes::Bytes;

use super::spans::Spans;
use crate::transport::udp::proto::frame::message_overhead;

/// A fragment carries at least this many bytes, unless it is the last: below, headers outweigh it.
pub(super) const MIN_FRAGMENT: usize = 64;

/// A message from being pushed until it and all before it in its slot are acknowledged.
#[derive(Debug)]
pub(super) struct Message {
    data: Bytes,
    /// The application's lane.
    pub(super) lane_id: u32,
    /// Bytes sent at least once.
    sent: u32,
    progress: Progress,
}

#[derive(Debug)]
enum Progress {
    /// Only ever sent in one piece, or not at all.
    Whole { lost: bool },
    /// Cut up.
    Parts(Box<Parts>),
    /// Acknowledged completely.
    Acked,
}

#[derive(Debug, Default)]
struct Parts {
    acked: Spans,
    lost: Spans,
    /// Whether the queue of what to send again knows of this message.
    queued: bool,
}

/// Where a frame for a piece goes, and how long it may be.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub(super) lane: u64,
    pub(super) seq: u64,
    pub(super) max_frame_bytes: usize,
}

impl Message {
    /// Of application lane `lane_id`; at most `MAX_MESSAGE_BYTES` long.
    pub(super) const fn new(data: Bytes, lane_id: u32) -> Self {
        Self { data, lane_id, sent: 0, progress: Progress::Whole { lost: false } }
    }

    /// Length in bytes; 0 once acknowledged.
    pub(super) fn total(&self) -> u32 {
        u32::try_from(self.data.len()).unwrap_or(u32::MAX)
    }

    /// Bytes never sent.
    pub(super) fn unsent(&self) -> u32 {
        self.total().saturating_sub(self.sent)
    }

    /// Whether any byte was sent.
    pub(super) const fn is_started(&self) -> bool {
        self.sent > 0
    }

    /// Whether all of it was acknowledged.
    pub(super) const fn is_acked(&self) -> bool {
        matches!(self.progress, Progress::Acked)
    }

    /// The next stretch never sent, of at most `allowance` bytes. `None`: it does not fit.
    pub(super) fn next_unsent(&self, place: Place, allowance: u64) -> Option<Range<u32>> {
        let allowance = u32::try_from(allowance).unwrap_or(u32::MAX);
        let end = self.sent.saturating_add(self.unsent().min(allowance));
        self.fit(place, self.sent..end)
    }

    /// `range` of [`next_unsent`](Self::next_unsent) is on its way.
    pub(super) fn on_sent(&mut self, range: &Range<u32>) {
        self.sent = self.sent.max(range.end);
        if !self.is_whole(range) {
            self.cut();
        }
    }

    /// `range` arrived. `true`: with it, everything has.
    pub(super) fn on_acked(&mut self, range: Range<u32>) -> bool {
        let whole = 0..self.total();
        let done = match &mut self.progress {
            Progress::Whole { .. } => range == whole,
            Progress::Parts(parts) => {
                parts.acked.insert(range.clone());
                parts.lost.remove(range);
                parts.acked.covers(&whole)
            }
            Progress::Acked => false,
        };
        if done {
            self.progress = Progress::Acked;
            self.data = Bytes::new();
        }
        done
    }

    /// A packet with `range` was lost. `true`: the message has to be queued for sending again.
    pub(super) fn on_lost(&mut self, range: Range<u32>) -> bool {
        match &mut self.progress {
            Progress::Whole { lost } => !std::mem::replace(lost, true),
            Progress::Parts(parts) => {
                let Parts { acked, lost, queued } = &mut **parts;
                for gap in acked.missing(range) {
                    lost.insert(gap);
                }
                !lost.is_empty() && !std::mem::replace(queued, true)
            }
            Progress::Acked => false,
        }
    }

    /// Whether something lost waits to be sent again. If not, the message has left the queue.
    pub(super) fn has_lost(&mut self) -> bool {
        match &mut self.progress {
            Progress::Whole { lost } => *lost,
            Progress::Parts(parts) => {
                parts.queued = !parts.lost.is_empty();
                parts.queued
            }
            Progress::Acked => false,
        }
    }

    /// Takes a lost stretch that fits.
    pub(super) fn take_lost(&mut self, place: Place) -> Option<Range<u32>> {
        let lost = match &self.progress {
            Progress::Whole { lost: true } => 0..self.total(),
            Progress::Parts(parts) => parts.lost.first()?,
            Progress::Whole { lost: false } | Progress::Acked => return None,
        };
        let range = self.fit(place, lost)?;
        if !self.is_whole(&range) {
            self.cut();
        }
        match &mut self.progress {
            Progress::Whole { lost } => *lost = false,
            Progress::Parts(parts) => parts.lost.remove(range.clone()),
            Progress::Acked => {}
        }
        Some(range)
    }

    /// The bytes of `range`, unless they have arrived.
    pub(super) fn bytes(&self, range: &Range<u32>) -> Option<Bytes> {
        let arrived = match &self.progress {
            Progress::Whole { .. } => false,
            Progress::Parts(parts) => parts.acked.covers(range),
            Progress::Acked => true,
        };
        let sensible = range.start <= range.end && range.end <= self.total();
        (sensible && !arrived).then(|| self.data.slice(range.start as usize..range.end as usize))
    }

    /// What a frame says of `range`: nothing if it is all, else the length of all and the offset.
    pub(super) fn part(&self, range: &Range<u32>) -> Option<(u64, u64)> {
        (!self.is_whole(range)).then(|| (self.total().into(), range.start.into()))
    }

    /// As much of the beginning of `wanted` as goes into a frame.
    fn fit(&self, place: Place, wanted: Range<u32>) -> Option<Range<u32>> {
        let Place { lane, seq, max_frame_bytes } = place;
        let len = (wanted.end - wanted.start) as usize;
        if self.is_whole(&wanted) {
            let bytes = message_overhead(lane, seq, None, len).saturating_add(len);
            if bytes <= max_frame_bytes {
                return Some(wanted);
            }
        }
        let part = Some((self.total().into(), wanted.start.into()));
        let room = max_frame_bytes.checked_sub(message_overhead(lane, seq, part, max_frame_bytes))?;
        let taken = room.min(len);
        let enough = taken > 0 && (taken == len || taken >= MIN_FRAGMENT);
        let end = wanted.start.checked_add(u32::try_from(taken).ok()?)?;
        enough.then_some(wanted.start..end)
    }

    fn is_whole(&self, range: &Range<u32>) -> bool {
        *range == (0..self.total())
    }

    /// From now on keeps account of stretches.
    fn cut(&mut self) {
        if let Progress::Whole { lost } = self.progress {
            let spans = if lost { Spans::of(0..self.total()) } else { Spans::default() };
            self.progress =
                Progress::Parts(Box::new(Parts { acked: Spans::default(), lost: spans, queued: lost }));
        }
    }
}
