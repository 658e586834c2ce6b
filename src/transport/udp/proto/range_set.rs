//! Sets of numbers that come mostly in runs: packet numbers seen or acknowledged, bytes of a message.

use std::ops::RangeInclusive;

use smallvec::SmallVec;

/// Numbers, kept as ascending ranges that neither overlap nor touch. One range needs no allocation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct RangeSet {
    spans: SmallVec<[Span; 1]>,
}

/// An inclusive range; half the size of a [`RangeInclusive`] in a list, and [`Copy`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Span {
    first: u64,
    last: u64,
}

impl RangeSet {
    /// The empty set.
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Adds every number of `range` and returns how many of them are new, saturating.
    pub(crate) fn insert(&mut self, range: RangeInclusive<u64>) -> u64 {
        let (first, last) = range.into_inner();
        if first > last {
            return 0;
        }
        let from = self.spans.partition_point(|span| span.last.saturating_add(1) < first);
        let to = self.spans.partition_point(|span| span.first <= last.saturating_add(1));
        let touched = self.spans.get(from..to).unwrap_or_default();
        let known = touched.iter().fold(0, |sum: u64, span| sum.saturating_add(span.len()));
        let merged = Span {
            first: touched.first().map_or(first, |span| span.first.min(first)),
            last: touched.last().map_or(last, |span| span.last.max(last)),
        };
        match self.spans.get_mut(from..to).and_then(<[Span]>::first_mut) {
            Some(span) => {
                *span = merged;
                self.spans.drain(from + 1..to);
            }
            None => self.spans.insert(from, merged),
        }
        merged.len().saturating_sub(known)
    }

    /// Takes out every number less than `least`.
    pub(crate) fn remove_below(&mut self, least: u64) {
        let gone = self.spans.partition_point(|span| span.last < least);
        self.spans.drain(..gone);
        if let Some(span) = self.spans.first_mut() {
            span.first = span.first.max(least);
        }
    }

    /// Takes out the lowest range.
    pub(crate) fn pop_lowest(&mut self) -> Option<RangeInclusive<u64>> {
        (!self.spans.is_empty()).then(|| self.spans.remove(0).range())
    }

    /// Whether `value` is in the set.
    #[cfg(test)]
    pub(crate) fn contains(&self, value: u64) -> bool {
        self.intersects(&(value..=value))
    }

    /// Whether any number of `range` is in the set.
    pub(crate) fn intersects(&self, range: &RangeInclusive<u64>) -> bool {
        let next = self.spans.partition_point(|span| span.last < *range.start());
        !range.is_empty() && self.spans.get(next).is_some_and(|span| span.first <= *range.end())
    }

    /// The highest run of numbers within `range` that are not in the set.
    pub(crate) fn last_gap(&self, range: &RangeInclusive<u64>) -> Option<RangeInclusive<u64>> {
        let (first, mut last) = (*range.start(), *range.end());
        let mut below = self.spans.partition_point(|span| span.first <= last);
        if let Some(span) = self.spans.get(below.wrapping_sub(1)).filter(|span| span.last >= last) {
            last = span.first.checked_sub(1)?;
            below = below.saturating_sub(1);
        }
        let floor = self.spans.get(below.wrapping_sub(1)).map_or(first, |span| span.last.saturating_add(1));
        let gap = first.max(floor)..=last;
        (!gap.is_empty()).then_some(gap)
    }

    /// The ranges in ascending order; in descending order with [`Iterator::rev`].
    pub(crate) fn iter(
        &self,
    ) -> impl DoubleEndedIterator<Item = RangeInclusive<u64>> + ExactSizeIterator + Clone + '_ {
        self.spans.iter().map(|span| span.range())
    }

    /// How many ranges there are.
    pub(crate) fn len(&self) -> usize {
        self.spans.len()
    }

    /// Whether no number is in the set.
    #[cfg(test)]
    pub(crate) fn is_empty(&self) -> bool {
        self.spans.is_empty()
    }

    /// The lowest number.
    #[cfg(test)]
    pub(crate) fn min(&self) -> Option<u64> {
        self.spans.first().map(|span| span.first)
    }

    /// The highest number.
    pub(crate) fn max(&self) -> Option<u64> {
        self.spans.last().map(|span| span.last)
    }

    /// How many numbers there are, saturating. Counts the ranges, not the numbers.
    #[cfg(test)]
    pub(crate) fn total(&self) -> u64 {
        self.spans.iter().fold(0, |sum: u64, span| sum.saturating_add(span.len()))
    }

    /// Gives back memory that is not in use.
    pub(crate) fn shrink_to_fit(&mut self) {
        self.spans.shrink_to_fit();
    }
}

impl Span {
    fn len(self) -> u64 {
        (self.last - self.first).saturating_add(1)
    }

    fn range(self) -> RangeInclusive<u64> {
        self.first..=self.last
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::{collection::vec, prelude::*};

    use super::*;

    fn set(ranges: &[RangeInclusive<u64>]) -> RangeSet {
        let mut set = RangeSet::new();
        ranges.iter().for_each(|range| {
            set.insert(range.clone());
        });
        set
    }

    #[test]
    fn do_ranges_that_touch_become_one() {
        let mut set = set(&[0..=3, 8..=9]);
        assert_eq!(set.insert(4..=7), 4);
        assert_eq!(set.iter().collect::<Vec<_>>(), [0..=9]);
        assert_eq!(set.insert(2..=11), 2);
        assert_eq!(set.total(), 12);
    }

    #[test]
    fn do_the_ends_of_the_number_line_hold() {
        let mut set = set(&[0..=0, u64::MAX..=u64::MAX]);
        assert_eq!(set.len(), 2);
        assert_eq!(set.last_gap(&(0..=u64::MAX)), Some(1..=u64::MAX - 1));
        assert_eq!(set.insert(0..=u64::MAX), u64::MAX - 2);
        assert_eq!((set.len(), set.total()), (1, u64::MAX));
        assert_eq!(set.last_gap(&(0..=u64::MAX)), None);
    }

    #[test]
    #[expect(clippy::reversed_empty_ranges, reason = "what a careless caller may pass")]
    fn is_an_empty_range_nothing() {
        let mut set = set(&[5..=6]);
        assert_eq!(set.insert(9..=8), 0);
        assert!(!set.intersects(&(6..=5)));
        assert_eq!(set.last_gap(&(9..=8)), None);
    }

    #[derive(Clone, Debug)]
    enum Step {
        Insert(u64, u64),
        RemoveBelow(u64),
        PopLowest,
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            8 => (0_u64..200, 0_u64..20).prop_map(|(first, more)| Step::Insert(first, first + more)),
            1 => (0_u64..200).prop_map(Step::RemoveBelow),
            1 => Just(Step::PopLowest),
        ]
    }

    fn runs(model: &BTreeSet<u64>) -> Vec<RangeInclusive<u64>> {
        let mut runs: Vec<RangeInclusive<u64>> = Vec::new();
        for &value in model {
            match runs.last_mut() {
                Some(run) if *run.end() + 1 == value => *run = *run.start()..=value,
                _ => runs.push(value..=value),
            }
        }
        runs
    }

    proptest! {
        #[test]
        fn is_it_a_set(steps in vec(step(), 0..60), first in 0_u64..220, more in 0_u64..40) {
            let (mut set, mut model) = (RangeSet::new(), BTreeSet::new());
            for step in steps {
                match step {
                    Step::Insert(first, last) => {
                        let before = model.len();
                        model.extend(first..=last);
                        prop_assert_eq!(set.insert(first..=last), (model.len() - before) as u64);
                    }
                    Step::RemoveBelow(least) => {
                        set.remove_below(least);
                        model.retain(|&value| value >= least);
                    }
                    Step::PopLowest => {
                        let lowest = runs(&model).first().cloned();
                        prop_assert_eq!(set.pop_lowest(), lowest.clone());
                        model.retain(|value| !lowest.as_ref().is_some_and(|run| run.contains(value)));
                    }
                }
                prop_assert_eq!(set.iter().collect::<Vec<_>>(), runs(&model));
            }
            prop_assert_eq!((set.min(), set.max()), (model.first().copied(), model.last().copied()));
            prop_assert_eq!(set.total(), model.len() as u64);
            let range = first..=first + more;
            prop_assert_eq!(set.intersects(&range), range.clone().any(|value| model.contains(&value)));
            let absent: BTreeSet<u64> = range.clone().filter(|value| !model.contains(value)).collect();
            prop_assert_eq!(set.last_gap(&range), runs(&absent).last().cloned());
            prop_assert!(range.clone().all(|value| set.contains(value) == model.contains(&value)));
        }
    }
}
