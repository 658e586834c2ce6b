//! What two flows made of one link.

use serde::{Deserialize, Serialize};

use crate::{figures::percentile, link::Link};

/// Two flows beside each other.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Contest {
    pub(crate) link: Link,
    /// In the order of starting.
    pub(crate) flows: [Contender; 2],
    /// The second, from the start of the first, from which it counts, and how many of them do.
    pub(crate) counted_from: usize,
    pub(crate) counted: usize,
    /// Microseconds of the datagrams that arrived while it counted, shortest first.
    pub(crate) probe_us: Vec<u32>,
    /// How many were sent.
    pub(crate) probes: u64,
    pub(crate) notes: Vec<String>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Contender {
    pub(crate) column: String,
    /// Delivered, in each second from the start of the first flow.
    pub(crate) bytes_per_second: Vec<u64>,
}

impl Contender {
    pub(crate) fn new(column: &str) -> Self {
        Self { column: column.to_owned(), bytes_per_second: Vec::new() }
    }

    /// Mbit/s of each span of so many seconds.
    pub(crate) fn series_mbit(&self, span: usize) -> Vec<f64> {
        let spans = self.bytes_per_second.chunks(span.max(1));
        spans.map(|bytes| mbit(bytes.iter().sum(), bytes.len())).collect()
    }
}

fn mbit(bytes: u64, seconds: usize) -> f64 {
    bytes as f64 * 8e-6 / seconds.max(1) as f64
}

/// So many seconds are one figure for people.
pub(crate) const SPAN: usize = 5;

impl Contest {
    /// Mbit/s of each flow while it counted.
    pub(crate) fn goodput_mbit(&self) -> [f64; 2] {
        self.flows.each_ref().map(|flow| {
            let counted = flow.bytes_per_second.iter().skip(self.counted_from).take(self.counted);
            mbit(counted.sum(), self.counted)
        })
    }

    pub(crate) fn sum_mbit(&self) -> f64 {
        self.goodput_mbit().iter().sum()
    }

    /// What each flow has of what both have, in percent; nothing where neither has any.
    pub(crate) fn shares(&self) -> Option<[f64; 2]> {
        let sum = self.sum_mbit();
        (sum > 0.0).then(|| self.goodput_mbit().map(|mbit| 100.0 * mbit / sum))
    }

    pub(crate) fn share_of(&self, column: &str) -> Option<f64> {
        let position = self.flows.iter().position(|flow| flow.column == column)?;
        self.shares()?.get(position).copied()
    }

    /// How long datagrams waited, in milliseconds; of those that arrived.
    pub(crate) fn queue_ms(&self, share: f64) -> Option<f64> {
        let latency = percentile(&self.probe_us, self.probe_us.len() as u64, share)?;
        Some((latency - self.link.delay_ms).max(0.0))
    }

    /// Who started first, and who second.
    pub(crate) fn pair(&self) -> String {
        self.flows.each_ref().map(|flow| flow.column.as_str()).join(" + ")
    }

    /// A line of each flow: whether and when they come to terms.
    pub(crate) fn series(&self) -> impl Iterator<Item = String> {
        self.flows.iter().map(|flow| {
            let series: Vec<_> = flow.series_mbit(SPAN).iter().map(|mbit| format!("{mbit:5.1}")).collect();
            format!("    {:<10} {}", flow.column, series.join(" "))
        })
    }

    /// Some lines for who watches.
    pub(crate) fn summary(&self) -> String {
        let shares = self.shares().map_or_else(
            || "nothing arrived".to_owned(),
            |[first, second]| format!("{first:.0} : {second:.0} % of {:.1} Mbit/s", self.sum_mbit()),
        );
        let queue = |share| self.queue_ms(share).map_or_else(|| "-".to_owned(), |ms| format!("{ms:.1}"));
        let (p50, p99) = (queue(0.5), queue(0.99));
        let (arrived, sent) = (self.probe_us.len(), self.probes);
        let figures =
            format!("{shares}, queue p50 {p50} p99 {p99} ms, {arrived} of {sent} datagrams arrived");
        let mut lines = vec![format!("{} {}: {figures}", self.link.name, self.pair())];
        lines.extend(self.series());
        lines.extend(self.notes.iter().map(|note| format!("    [{note}]")));
        lines.join("\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contest() -> Contest {
        let flow = |column: &str, before, counted| Contender {
            bytes_per_second: vec![before, counted, counted, 9_000_000],
            ..Contender::new(column)
        };
        Contest {
            link: Link { delay_ms: 20.0, ..Link::default() },
            flows: [flow("udp", 5_000_000, 1_000_000), flow("tcp-cubic", 0, 3_000_000)],
            counted_from: 1,
            counted: 2,
            probe_us: vec![19_999, 25_000, 30_000],
            probes: 4,
            notes: Vec::new(),
        }
    }

    #[test]
    fn shares_are_those_of_the_seconds_that_count() {
        let contest = contest();
        assert_eq!(contest.goodput_mbit(), [8.0, 24.0]);
        assert_eq!(contest.shares(), Some([25.0, 75.0]));
        assert_eq!(contest.share_of("tcp-cubic"), Some(75.0));
        assert_eq!(contest.share_of("tcp-bbr"), None);
        assert_eq!(Contest { counted_from: 4, ..contest }.shares(), None);
    }

    #[test]
    fn a_queue_is_what_datagrams_wait_beyond_the_way() {
        let contest = contest();
        assert_eq!(contest.queue_ms(0.5), Some(5.0));
        assert_eq!(contest.queue_ms(0.0), Some(0.0));
        assert_eq!(Contest { probe_us: Vec::new(), ..contest }.queue_ms(0.5), None);
    }

    #[test]
    fn a_series_is_an_average_of_each_span() {
        assert_eq!(contest().flows[0].series_mbit(3), [56.0 / 3.0, 72.0]);
    }
}
