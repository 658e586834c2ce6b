//! The same figures for machines.

use std::collections::BTreeSet;

use anyhow::Result;
use serde::Serialize;

use super::{
    fairness::{self, Contests},
    figures::Latency,
    gathered::{Gathered, Group},
    verdict,
};
use crate::{
    cell::Cell,
    link::Link,
    plan::Workload,
    shares::{Contender, Contest},
};

#[derive(Serialize)]
struct All<'a> {
    links: Vec<&'a Link>,
    rows: Vec<Row<'a>>,
    verdicts: Vec<Kept<'a>>,
    fairness: Vec<Pair<'a>>,
}

/// Milliseconds; `null` is infinite.
#[derive(Serialize)]
struct Row<'a> {
    link: &'a str,
    workload: Workload,
    column: &'a str,
    passes: usize,
    messages: u64,
    delivered_percent: f64,
    p50_ms: Latency,
    p90_ms: Latency,
    p99_ms: Latency,
    p999_ms: Latency,
    max_ms: Latency,
    goodput_mbit: f64,
    goodput_with_ramp_mbit: f64,
    wire_bytes: Option<f64>,
    price: Option<f64>,
    packet_bytes: f64,
    cpu_us: Option<f64>,
    kernels: BTreeSet<&'a str>,
    noisy: bool,
    notes: Vec<&'a String>,
}

#[derive(Serialize)]
struct Kept<'a> {
    link: &'a str,
    workload: Workload,
    what: &'a str,
    is: Option<f64>,
    /// `null` is infinite.
    limit: Option<f64>,
    best_peer: Option<(String, Option<f64>)>,
    kept: bool,
}

/// Two flows on one link, the first to start before the other.
#[derive(Serialize)]
struct Pair<'a> {
    link: &'a Link,
    flows: &'a [Contender; 2],
    counted_from_second: usize,
    counted_seconds: usize,
    goodput_mbit: [f64; 2],
    share_percent: Option<[f64; 2]>,
    queue_p50_ms: Option<f64>,
    queue_p99_ms: Option<f64>,
    kept: bool,
    notes: &'a [String],
}

pub(super) fn all(gathered: &Gathered, contests: &Contests) -> Result<String> {
    let rows = gathered.groups().map(|(link, workload, column, group)| row(link, workload, column, group));
    let mut verdicts = Vec::new();
    for link in gathered.links.values() {
        for workload in Workload::ALL {
            verdicts.extend(verdict::all(gathered, link, workload).into_iter().map(|verdict| Kept {
                link: &link.name,
                workload,
                what: verdict.what,
                is: verdict.is,
                limit: Some(verdict.limit).filter(|limit| limit.is_finite()),
                kept: verdict.is_kept(),
                best_peer: verdict.best,
            }));
        }
    }
    let fairness = contests.iter().map(pair).collect();
    let all = All { links: gathered.links.values().collect(), rows: rows.collect(), verdicts, fairness };
    Ok(serde_json::to_string_pretty(&all)?)
}

fn pair(contest: &Contest) -> Pair<'_> {
    Pair {
        link: &contest.link,
        flows: &contest.flows,
        counted_from_second: contest.counted_from,
        counted_seconds: contest.counted,
        goodput_mbit: contest.goodput_mbit(),
        share_percent: contest.shares(),
        queue_p50_ms: contest.queue_ms(0.5),
        queue_p99_ms: contest.queue_ms(0.99),
        kept: contest.promised().iter().all(|&(_, share)| fairness::is_kept(share)),
        notes: &contest.notes,
    }
}

fn row<'a>(link: &'a str, workload: Workload, column: &'a str, group: &'a Group) -> Row<'a> {
    Row {
        link,
        workload,
        column,
        passes: group.cells.len(),
        messages: group.expected(),
        delivered_percent: group.delivered_percent(),
        p50_ms: group.latency(0.5),
        p90_ms: group.latency(0.9),
        p99_ms: group.latency(0.99),
        p999_ms: group.pooled_latency(0.999),
        max_ms: group.pooled_latency(1.0),
        goodput_mbit: group.goodput_mbit(),
        goodput_with_ramp_mbit: group.goodput_with_ramp_mbit(),
        wire_bytes: group.wire_bytes(),
        price: group.price(),
        packet_bytes: group.packet_bytes(),
        cpu_us: group.cpu_us(),
        kernels: group.cells.iter().map(|cell| cell.kernel.as_str()).collect(),
        noisy: group.is_noisy(),
        notes: group.cells.iter().flat_map(|cell: &Cell| &cell.notes).collect(),
    }
}
