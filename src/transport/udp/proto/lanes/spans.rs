//! Which bytes of one message: a sorted list of stretches.

use std::{iter, ops::Range};

/// Ascending, disjoint, non-adjacent, non-empty half-open ranges of byte offsets.
#[derive(Clone, Debug, Default)]
pub(super) struct Spans(Vec<Range<u32>>);

impl Spans {
    /// Just `range`.
    pub(super) fn of(range: Range<u32>) -> Self {
        let mut spans = Self::default();
        spans.insert(range);
        spans
    }

    /// Adds `range`; says how many of its bytes were not here before.
    pub(super) fn insert(&mut self, range: Range<u32>) -> u32 {
        if range.is_empty() {
            return 0;
        }
        let new = self.missing(range.clone()).map(|gap| gap.end - gap.start).sum();
        let (from, to) = self.touching(&range);
        let touched = self.0.get(from..to).unwrap_or_default();
        let start = touched.first().map_or(range.start, |first| first.start.min(range.start));
        let end = touched.last().map_or(range.end, |last| last.end.max(range.end));
        match self.0.get_mut(from) {
            // The usual case: one stretch grows.
            Some(only) if to == from + 1 => *only = start..end,
            _ => drop(self.0.splice(from..to, iter::once(start..end))),
        }
        new
    }

    /// Takes every byte of `range` out.
    pub(super) fn remove(&mut self, range: Range<u32>) {
        if range.is_empty() {
            return;
        }
        let (from, to) = self.overlapping(&range);
        let cut = self.0.get(from..to).unwrap_or_default();
        let left = cut.first().map(|first| first.start..range.start).filter(|rest| !rest.is_empty());
        let right = cut.last().map(|last| range.end..last.end).filter(|rest| !rest.is_empty());
        self.0.splice(from..to, left.into_iter().chain(right));
    }

    /// The stretches of `range` that are not here, ascending.
    pub(super) fn missing(&self, range: Range<u32>) -> impl Iterator<Item = Range<u32>> {
        let (from, to) = self.overlapping(&range);
        let here = self.0.get(from..to).unwrap_or_default();
        let starts = iter::once(range.start).chain(here.iter().map(|span| span.end));
        let ends = here.iter().map(|span| span.start).chain(iter::once(range.end));
        starts.zip(ends).map(|(start, end)| start..end).filter(|gap| !gap.is_empty())
    }

    /// Whether every byte of `range` is here. Nothing covers an empty range but a stretch around it.
    pub(super) fn covers(&self, range: &Range<u32>) -> bool {
        let at = self.0.partition_point(|span| span.end < range.end);
        self.0.get(at).is_some_and(|span| span.start <= range.start)
    }

    /// Whether inserting `range` makes one more stretch.
    pub(super) fn is_apart(&self, range: &Range<u32>) -> bool {
        let (from, to) = self.touching(range);
        from == to
    }

    /// The lowest stretch.
    pub(super) fn first(&self) -> Option<Range<u32>> {
        self.0.first().cloned()
    }

    /// How many stretches.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is no byte.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The places of the stretches that share a byte with `range`.
    fn overlapping(&self, range: &Range<u32>) -> (usize, usize) {
        let from = self.0.partition_point(|span| span.end <= range.start);
        let to = self.0.partition_point(|span| span.start < range.end);
        (from, to.max(from))
    }

    /// The places of the stretches that share a byte with `range` or border on it.
    fn touching(&self, range: &Range<u32>) -> (usize, usize) {
        let from = self.0.partition_point(|span| span.end < range.start);
        let to = self.0.partition_point(|span| span.start <= range.end);
        (from, to.max(from))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn behaves_like_a_set_of_numbers(
            steps in prop::collection::vec((any::<bool>(), 0_u32..60, 0_u32..20), 1..60),
        ) {
            let (mut spans, mut model) = (Spans::default(), BTreeSet::new());
            for (insert, start, len) in steps {
                let range = start..start + len;
                let missing: Vec<u32> = spans.missing(range.clone()).flatten().collect();
                let expected: Vec<u32> = range.clone().filter(|n| !model.contains(n)).collect();
                prop_assert_eq!(&missing, &expected);
                if len > 0 {
                    prop_assert_eq!(spans.covers(&range), expected.is_empty());
                }
                if insert {
                    prop_assert_eq!(spans.insert(range.clone()) as usize, expected.len());
                    model.extend(range);
                } else {
                    spans.remove(range.clone());
                    model.retain(|n| !range.contains(n));
                }
                prop_assert!(spans.0.iter().cloned().flatten().eq(model.iter().copied()));
                prop_assert!(spans.0.windows(2).all(|pair| pair[0].end < pair[1].start));
                prop_assert!(spans.0.iter().all(|span| !span.is_empty()));
            }
        }
    }
}
