//! Acknowledgements: descending ranges of packet numbers, each told by its distance from the one before
//! (RFC 9000 §19.3.1).

use std::{iter, ops::RangeInclusive, time::Duration};

use super::{
    super::varint::{Malformed, Reader, put_varint, varint_len},
    kind,
};

/// Ranges in one acknowledgement at most, when writing: so that their count takes one byte.
pub(crate) const MAX_ACK_RANGES: usize = 64;

/// The delay travels in units of 2³ microseconds.
const DELAY_EXPONENT: u32 = 3;

/// Packets that came with each mark of explicit congestion notification (RFC 9000 §19.3.2), from the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct EcnCounts {
    /// Marked ECT(0).
    pub ect0: u64,
    /// Marked ECT(1).
    pub ect1: u64,
    /// Marked as having met congestion.
    pub ce: u64,
}

impl EcnCounts {
    const fn encoded_len(&self) -> usize {
        varint_len(self.ect0) + varint_len(self.ect1) + varint_len(self.ce)
    }
}

/// Which packets arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AckFrame<'a> {
    /// The largest number that arrived.
    pub largest: u64,
    /// How long ago that was when the frame was sent, as the sender tells.
    pub delay: Duration,
    /// What marks the packets had; `None` if the sender does not know.
    pub ecn: Option<EcnCounts>,
    /// The smallest number of the first range.
    smallest: u64,
    /// Ranges after the first.
    count: u64,
    /// These ranges, as they came.
    further: &'a [u8],
}

impl<'a> AckFrame<'a> {
    /// The fields behind the type, checked to the last range.
    pub(super) fn read(reader: &mut Reader<'a>, with_ecn: bool) -> Result<Self, Malformed> {
        let largest = reader.varint()?;
        let delay = reader.varint()?.min(u64::MAX >> DELAY_EXPONENT) << DELAY_EXPONENT;
        let count = reader.varint()?;
        let smallest = below(largest, reader.varint()?)?;
        let mut ranges = Further { smallest, count, reader: reader.clone() };
        for range in ranges.by_ref() {
            range?;
        }
        let further = reader.bytes(reader.remaining().saturating_sub(ranges.reader.remaining()))?;
        let ecn = if with_ecn {
            Some(EcnCounts { ect0: reader.varint()?, ect1: reader.varint()?, ce: reader.varint()? })
        } else {
            None
        };
        Ok(Self { largest, delay: Duration::from_micros(delay), ecn, smallest, count, further })
    }

    /// The numbers that arrived, in descending ranges that neither overlap nor touch.
    pub(crate) fn ranges(&self) -> impl Iterator<Item = RangeInclusive<u64>> + Clone + use<'a> {
        let further =
            Further { smallest: self.smallest, count: self.count, reader: Reader::new(self.further) };
        iter::once(self.smallest..=self.largest).chain(further.map_while(Result::ok))
    }
}

/// Reads the ranges after the first; ends after an error.
#[derive(Clone, Debug)]
struct Further<'a> {
    /// The smallest number of the range before.
    smallest: u64,
    /// Ranges still to come.
    count: u64,
    reader: Reader<'a>,
}

impl Further<'_> {
    fn read(&mut self) -> Result<RangeInclusive<u64>, Malformed> {
        let gap = self.reader.varint()?;
        let largest = below(below(self.smallest, gap)?, 2)?;
        self.smallest = below(largest, self.reader.varint()?)?;
        Ok(self.smallest..=largest)
    }
}

impl Iterator for Further<'_> {
    type Item = Result<RangeInclusive<u64>, Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        self.count = self.count.checked_sub(1)?;
        let range = self.read();
        if range.is_err() {
            self.count = 0;
        }
        Some(range)
    }
}

/// The number `distance` below `number`.
fn below(number: u64, distance: u64) -> Result<u64, Malformed> {
    number.checked_sub(distance).ok_or(Malformed::AckRange)
}

/// Appends an acknowledgement of `ranges`, which descend and neither overlap nor touch: the largest ones,
/// at most `max_ranges` and [`MAX_ACK_RANGES`] and as many as fit in `max_bytes`. `delay` is the time since
/// the largest number arrived; it loses what is below 8 µs.
///
/// False: there is no range or not even the first fits, and nothing was appended.
pub(crate) fn put_ack(
    out: &mut Vec<u8>,
    delay: Duration,
    ranges: impl Iterator<Item = RangeInclusive<u64>>,
    max_ranges: usize,
    max_bytes: usize,
    ecn: Option<EcnCounts>,
) -> bool {
    let mut ranges = ranges.take(max_ranges.min(MAX_ACK_RANGES));
    let Some(first) = ranges.next() else { return false };
    let Some(first_len) = first.end().checked_sub(*first.start()) else { return false };
    let max_bytes = max_bytes.saturating_sub(ecn.map_or(0, |counts| counts.encoded_len()));
    let start = out.len();
    put_varint(if ecn.is_some() { kind::ACK_ECN } else { kind::ACK }, out);
    put_varint(*first.end(), out);
    put_varint(u64::try_from(delay.as_micros() >> DELAY_EXPONENT).unwrap_or(u64::MAX), out);
    let count_at = out.len();
    out.push(0);
    put_varint(first_len, out);
    if out.len() - start > max_bytes {
        out.truncate(start);
        return false;
    }
    let further = put_further(out, *first.start(), ranges, start.saturating_add(max_bytes));
    if let Some(count) = out.get_mut(count_at) {
        *count = further;
    }
    if let Some(EcnCounts { ect0, ect1, ce }) = ecn {
        [ect0, ect1, ce].into_iter().for_each(|count| put_varint(count, out));
    }
    true
}

/// Appends the ranges below `smallest` until `out` would exceed `max_len`, and counts them.
fn put_further(
    out: &mut Vec<u8>,
    mut smallest: u64,
    ranges: impl Iterator<Item = RangeInclusive<u64>>,
    max_len: usize,
) -> u8 {
    let mut count = 0;
    for range in ranges {
        let gap = smallest.checked_sub(*range.end()).and_then(|distance| distance.checked_sub(2));
        let (Some(gap), Some(len)) = (gap, range.end().checked_sub(*range.start())) else { break };
        if out.len() + varint_len(gap) + varint_len(len) > max_len {
            break;
        }
        put_varint(gap, out);
        put_varint(len, out);
        smallest = *range.start();
        count += 1;
    }
    count
}
