//! What a cell does, agreed between its two halves before the start.

use std::time::Duration;

use anyhow::{Result, anyhow};
use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use crate::{clock::nanos, link::Link};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Workload {
    /// Chat, 50 messages a second on each connection
    Steady,
    /// Chat, a message each 500 ms on each connection
    Sparse,
    /// As much as goes through one connection
    Bulk,
    /// Eight rooms on one connection, 25 messages a second each
    Rooms,
    /// Steady chat beside bulk
    Beside,
}

impl Workload {
    pub(crate) const ALL: [Self; 5] = [Self::Steady, Self::Sparse, Self::Bulk, Self::Rooms, Self::Beside];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Steady => "steady",
            Self::Sparse => "sparse",
            Self::Bulk => "bulk",
            Self::Rooms => "rooms",
            Self::Beside => "beside",
        }
    }

    pub(crate) fn has_bulk(self) -> bool {
        matches!(self, Self::Bulk | Self::Beside)
    }

    /// Messages a second of a flow.
    pub(crate) fn rate(self) -> f64 {
        match self {
            Self::Steady | Self::Beside => 50.0,
            Self::Sparse => 2.0,
            Self::Rooms => 25.0,
            Self::Bulk => 0.0,
        }
    }

    /// So many flows that a kernel in user mode and the link keep up with four copies of each message.
    pub(crate) fn flows(self, link: &Link, bytes: usize) -> u32 {
        let wire_bits = 8.0 * (bytes as f64 + 100.0) * 4.0;
        let rate = if link.rate_mbit > 0.0 { link.rate_mbit } else { 1000.0 };
        let link_takes = rate * 1e6 / 2.0 / wire_bits;
        let fit = |at_most: f64| link_takes.min(at_most) / self.rate();
        let flows = match self {
            Self::Steady => fit(400.0),
            Self::Sparse => fit(200.0),
            Self::Rooms => fit(200.0),
            Self::Beside => 1.0,
            Self::Bulk => return 0,
        };
        flows.max(1.0) as u32
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Plan {
    pub(crate) column: String,
    pub(crate) workload: Workload,
    /// Chat flows: each a connection, or, as rooms, all of them one.
    pub(crate) flows: u32,
    /// Messages a second of a flow.
    pub(crate) rate: f64,
    pub(crate) bytes: usize,
    /// Traffic before the counting, so that everybody knows the link.
    pub(crate) warm_up: Duration,
    pub(crate) counted: Duration,
    /// When the counting ends, if that is another flow's time and not this one's.
    pub(crate) ends: Option<u64>,
    /// How long stragglers are waited for.
    pub(crate) drain: Duration,
}

/// Messages of each flow before the counting: at 5 % loss four connections in five have lost something by then.
const WARM_UP_MESSAGES: f64 = 30.0;

/// How long all connections together may take.
pub(crate) const CONNECT: Duration = Duration::from_secs(40);

impl Plan {
    pub(crate) fn new(column: &str, workload: Workload, link: &Link, counted: Duration) -> Self {
        let rtts = |times: f64| Duration::from_secs_f64(link.rtt_ms() * times / 1000.0);
        let least = Duration::from_secs(3);
        let warm_up = least.max(rtts(if workload.has_bulk() { 50.0 } else { 5.0 }));
        let warm_up = match workload.rate() {
            0.0 => warm_up,
            rate => warm_up.max(Duration::from_secs_f64(WARM_UP_MESSAGES / rate)),
        };
        let bytes = 200;
        Self {
            column: column.to_owned(),
            workload,
            flows: workload.flows(link, bytes),
            rate: workload.rate(),
            bytes,
            warm_up,
            counted,
            ends: None,
            drain: least.max(rtts(20.0)),
        }
    }

    pub(crate) fn from_json(text: &str) -> Result<Self> {
        serde_json::from_str(text).map_err(|why| anyhow!("no plan: {why}"))
    }

    pub(crate) fn interval_ns(&self) -> u64 {
        if self.rate > 0.0 { (1e9 / self.rate) as u64 } else { 0 }
    }

    /// The first message of a flow that counts.
    pub(crate) fn first_counted(&self) -> u32 {
        (self.warm_up.as_secs_f64() * self.rate).ceil() as u32
    }

    /// How many messages of a flow count.
    pub(crate) fn messages(&self) -> u32 {
        (self.counted.as_secs_f64() * self.rate).round() as u32
    }

    pub(crate) fn expected(&self) -> u64 {
        u64::from(self.flows) * u64::from(self.messages())
    }

    /// From the start of the traffic to that of the counting.
    pub(crate) fn warm_up_ns(&self) -> u64 {
        nanos(self.warm_up).max(u64::from(self.first_counted()) * self.interval_ns())
    }

    /// When message `seq` of `flow` is due, after the start of the traffic: the flows are spread evenly
    /// over their interval.
    pub(crate) fn due_ns(&self, flow: u32, seq: u32) -> u64 {
        let phase = self.interval_ns() * u64::from(flow) / u64::from(self.flows.max(1));
        phase + u64::from(seq) * self.interval_ns()
    }

    /// The connection of a flow.
    pub(crate) fn connection(&self, flow: u32) -> usize {
        if self.workload == Workload::Rooms { 0 } else { flow as usize }
    }

    pub(crate) fn connections(&self) -> usize {
        if self.workload == Workload::Rooms { 1 } else { self.flows.max(1) as usize }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link(rate_mbit: f64) -> Link {
        Link { rate_mbit, delay_ms: 50.0, ..Link::default() }
    }

    #[test]
    fn asks_no_link_for_more_than_half_of_its_rate() {
        assert_eq!(Workload::Steady.flows(&link(50.0), 200), 8);
        assert_eq!(Workload::Steady.flows(&link(0.256), 200), 1);
        assert_eq!(Workload::Steady.flows(&link(2.0), 200), 2);
        assert_eq!(Workload::Steady.flows(&link(5.0), 200), 5);
        assert_eq!(Workload::Sparse.flows(&link(50.0), 200), 100);
        assert_eq!(Workload::Sparse.flows(&link(0.256), 200), 6);
        assert_eq!(Workload::Rooms.flows(&link(50.0), 200), 8);
        assert_eq!(Workload::Bulk.flows(&link(50.0), 200), 0);
    }

    #[test]
    fn counts_from_a_whole_message_on() {
        let plan = Plan::new("raw", Workload::Sparse, &link(50.0), Duration::from_secs(10));
        assert_eq!((plan.first_counted(), plan.messages()), (30, 20));
        assert_eq!(plan.warm_up_ns(), 15_000_000_000);
        assert_eq!(plan.due_ns(50, 1), 750_000_000);
        assert_eq!(plan.expected(), 2000);
    }
}
