//! A group's figures: of the passes their median, of what is rare all of them together.

use super::gathered::Group;
use crate::{cell::Cell, figures::percentile};

/// A latency in milliseconds; `None` is infinite.
pub(super) type Latency = Option<f64>;

/// As many digits as mean something; `none` where there is nothing to write.
pub(super) fn ms(latency: Latency, none: &str) -> String {
    match latency {
        None => none.to_owned(),
        Some(latency) if latency < 99.95 => format!("{latency:.1}"),
        Some(latency) => format!("{latency:.0}"),
    }
}

impl Group {
    /// p50, p90, p99: of each pass, and of those the median.
    pub(super) fn latency(&self, share: f64) -> Latency {
        self.median_of(|cell| cell.latency_ms(share))
    }

    /// p99.9 and the maximum: of all passes together.
    pub(super) fn pooled_latency(&self, share: f64) -> Latency {
        percentile(&self.pooled(), self.cells.iter().map(Cell::owed).sum(), share)
    }

    /// All latencies in microseconds, shortest first.
    pub(super) fn pooled(&self) -> Vec<u32> {
        let mut all: Vec<u32> =
            self.cells.iter().flat_map(|cell| &cell.received.tally.latency_us).copied().collect();
        all.sort_unstable();
        all
    }

    pub(super) fn expected(&self) -> u64 {
        self.cells.iter().map(|cell| cell.plan.expected()).sum()
    }

    pub(super) fn delivered(&self) -> usize {
        self.cells.iter().map(Cell::delivered).sum()
    }

    pub(super) fn delivered_percent(&self) -> f64 {
        100.0 * self.delivered() as f64 / self.expected().max(1) as f64
    }

    /// Of all messages, those that came later or never.
    pub(super) fn later_percent(&self, than_ms: f64) -> f64 {
        let in_time = self.pooled().partition_point(|&us| f64::from(us) / 1000.0 <= than_ms);
        100.0 * (1.0 - in_time as f64 / self.expected().max(1) as f64)
    }

    pub(super) fn goodput_mbit(&self) -> f64 {
        self.mean_median(Cell::goodput_mbit)
    }

    /// 1 is what nobody exceeds.
    pub(super) fn ceiling_share(&self) -> Option<f64> {
        self.median_of(Cell::ceiling_share)
    }

    pub(super) fn goodput_with_ramp_mbit(&self) -> f64 {
        self.mean_median(Cell::goodput_with_ramp_mbit)
    }

    pub(super) fn wire_bytes(&self) -> Option<f64> {
        self.median_of(Cell::wire_bytes)
    }

    pub(super) fn price(&self) -> Option<f64> {
        self.median_of(Cell::price)
    }

    pub(super) fn packet_bytes(&self) -> f64 {
        self.mean_median(Cell::packet_bytes)
    }

    pub(super) fn cpu_us(&self) -> Option<f64> {
        self.median_of(Cell::cpu_us)
    }

    pub(super) fn is_noisy(&self) -> bool {
        self.cells.iter().any(|cell| cell.is_noisy)
    }

    fn mean_median(&self, figure: impl Fn(&Cell) -> f64) -> f64 {
        self.median_of(|cell| Some(figure(cell))).unwrap_or(f64::NAN)
    }

    fn median_of(&self, figure: impl Fn(&Cell) -> Option<f64>) -> Option<f64> {
        median(self.cells.iter().map(figure).collect())
    }
}

/// The middle, nothing being infinite; of an even number the larger of the two.
fn median(mut figures: Vec<Option<f64>>) -> Option<f64> {
    figures.sort_unstable_by(|a, b| a.unwrap_or(f64::INFINITY).total_cmp(&b.unwrap_or(f64::INFINITY)));
    figures.get(figures.len() / 2).copied().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_pass_that_never_ended_is_not_the_middle_of_three() {
        assert_eq!(median(vec![None, Some(3.0), Some(1.0)]), Some(3.0));
        assert_eq!(median(vec![None, None, Some(1.0)]), None);
        assert_eq!(median(vec![]), None);
    }
}
