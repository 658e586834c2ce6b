//! An axis that is divided where its reader looks.

use std::ops::Range;

use plotters::coord::ranged1d::{DefaultFormatting, KeyPointHint, Ranged};

pub(super) struct Axis {
    range: Range<f64>,
    ticks: Vec<f64>,
    is_log: bool,
}

impl Axis {
    pub(super) fn linear(range: Range<f64>, ticks: Vec<f64>) -> Self {
        Self { range, ticks, is_log: false }
    }

    /// Divided at 1, 2, 5, 10, ...
    pub(super) fn log(range: Range<f64>) -> Self {
        let of = |times: f64| [1.0, 2.0, 5.0].map(|of| of * times);
        let ticks =
            [1.0, 10.0, 100.0, 1e3, 1e4, 1e5].into_iter().flat_map(of).filter(|tick| range.contains(tick));
        Self { ticks: ticks.collect(), range, is_log: true }
    }

    fn share(&self, value: f64) -> f64 {
        let on = |value: f64| if self.is_log { value.ln() } else { value };
        let Range { start, end } = self.range;
        (on(value.max(start)) - on(start)) / (on(end) - on(start))
    }
}

impl Ranged for Axis {
    type FormatOption = DefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, (from, to): (i32, i32)) -> i32 {
        from + (f64::from(to - from) * self.share(*value)).round() as i32
    }

    fn key_points<Hint: KeyPointHint>(&self, _: Hint) -> Vec<f64> {
        self.ticks.clone()
    }

    fn range(&self) -> Range<f64> {
        self.range.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_times_as_much_is_the_same_way_further() {
        let axis = Axis::log(1.0..100.0);
        assert_eq!([0.5, 1.0, 10.0, 100.0].map(|value| axis.map(&value, (0, 200))), [0, 0, 100, 200]);
        assert_eq!(axis.ticks, [1.0, 2.0, 5.0, 10.0, 20.0, 50.0]);
        assert_eq!(Axis::linear(0.0..4.0, vec![]).map(&1.0, (200, 0)), 150);
    }
}
