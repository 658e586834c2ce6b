//! The same figures for machines.

use anyhow::Result;
use serde::Serialize;

use super::{
    figures::Latency,
    gathered::{Gathered, Group},
    verdict,
};
use crate::{cell::Cell, link::Link, plan::Workload};

#[derive(Serialize)]
struct All<'a> {
    links: Vec<&'a Link>,
    rows: Vec<Row<'a>>,
    verdicts: Vec<Kept<'a>>,
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

pub(super) fn all(gathered: &Gathered) -> Result<String> {
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
    let all = All { links: gathered.links.values().collect(), rows: rows.collect(), verdicts };
    Ok(serde_json::to_string_pretty(&all)?)
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
        noisy: group.is_noisy(),
        notes: group.cells.iter().flat_map(|cell: &Cell| &cell.notes).collect(),
    }
}
