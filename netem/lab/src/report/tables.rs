//! Markdown: a table for each workload and figure, the links its rows, the columns its columns.

use std::{collections::BTreeSet, fmt::Write as _};

use super::{
    fairness::Contests,
    figures::{Latency, ms},
    gathered::{Gathered, Group},
    verdict::{self, Verdict},
};
use crate::{columns, link::Link, plan::Workload};

/// Of what never came.
const ENDLESS: &str = "∞";

pub(super) fn all(gathered: &Gathered, contests: &Contests) -> String {
    let mut text = String::new();
    for workload in Workload::ALL {
        if gathered.links(workload).next().is_some() {
            let _ = writeln!(text, "## {}\n", title(workload));
            workload_tables(&mut text, gathered, workload);
        }
    }
    if !contests.is_empty() {
        text.push_str(&contests.tables());
    }
    if !gathered.links.is_empty() {
        remarks(&mut text, gathered);
    }
    text
}

fn title(workload: Workload) -> &'static str {
    match workload {
        Workload::Steady => "Steady chat: 200 bytes, 50 a second on each connection",
        Workload::Sparse => "Sparse chat: 200 bytes every 500 ms on each connection",
        Workload::Bulk => "Bulk: one connection, as much as goes through",
        Workload::Rooms => "Eight rooms on one connection, 25 messages a second each",
        Workload::Beside => "Chat beside bulk",
    }
}

fn workload_tables(text: &mut String, gathered: &Gathered, workload: Workload) {
    let mut table = |what: &str, cell: &dyn Fn(&Link, &Group) -> String| {
        write_table(text, gathered, workload, what, cell);
    };
    if workload != Workload::Bulk {
        table("p50 / p99, ms (median of the passes)", &|_, group| pair(group, 0.5, 0.99, Group::latency));
        table("p90, ms (median of the passes)", &|_, group| ms(group.latency(0.9), ENDLESS));
        table("p99.9 / max, ms (all passes together)", &|_, group| {
            pair(group, 0.999, 1.0, Group::pooled_latency)
        });
        table("Delivered, %", &|_, group| format!("{:.2}", group.delivered_percent()));
    }
    if workload == Workload::Rooms {
        table("Later than a datagram's p99 and 2 ms, % of all messages", &|link, group| {
            let after = verdict::late_after(gathered, link);
            after.map_or_else(String::new, |after| format!("{:.2}", group.later_percent(after)))
        });
    }
    if workload.has_bulk() {
        table("Goodput, Mbit/s (share of the ceiling; with the ramp)", &|_, group| {
            let (goodput, ramp) = (group.goodput_mbit(), group.goodput_with_ramp_mbit());
            format!("{goodput:.2} ({}; {ramp:.2})", or_dash(group.ceiling_share()))
        });
    } else {
        table("Price: IP bytes for each delivered message, in datagrams of 261", &|_, group| {
            or_dash(group.price())
        });
    }
    table("Ethernet bytes for each delivered byte, both directions", &|_, group| or_dash(group.wire_bytes()));
    if gathered.groups().any(|(.., group)| group.cpu_us().is_some()) {
        let of = if workload.has_bulk() { "kilobyte" } else { "message" };
        table(&format!("CPU of both ends, µs for each delivered {of}"), &|_, group| or_dash(group.cpu_us()));
    }
    write_verdicts(text, gathered, workload);
}

fn write_table(
    text: &mut String,
    gathered: &Gathered,
    workload: Workload,
    what: &str,
    cell: &dyn Fn(&Link, &Group) -> String,
) {
    let columns = gathered.columns(workload);
    let _ = writeln!(text, "{what}\n");
    let floor = floor_title(workload);
    let _ = writeln!(text, "| link | {floor} | {} |", columns.join(" | "));
    let _ = writeln!(text, "|---|---|{}", "---|".repeat(columns.len()));
    for link in gathered.links(workload) {
        let cells = columns.iter().map(|column| {
            let group = gathered.group(&link.name, workload, column);
            group.map_or_else(String::new, |group| format!("{}{}", cell(link, group), marks(group)))
        });
        let _ = writeln!(
            text,
            "| {} | {} | {} |",
            link.name,
            floor_of(link, workload),
            cells.collect::<Vec<_>>().join(" | ")
        );
    }
    text.push('\n');
}

fn floor_title(workload: Workload) -> &'static str {
    if workload == Workload::Bulk { "ceiling, Mbit/s" } else { "one way; ideal ARQ p99, ms" }
}

fn floor_of(link: &Link, workload: Workload) -> String {
    if workload == Workload::Bulk {
        return format!("{:.1}", link.ceiling_mbit());
    }
    let arq = link.ideal_arq_p99_ms(1000.0 / workload.rate());
    format!("{:.0}; {arq:.0}", link.floor_ms())
}

/// What a reader must know of a cell.
fn marks(group: &Group) -> &'static str {
    let coalesced = group.cells.iter().any(crate::cell::Cell::is_coalesced);
    match (group.is_noisy(), coalesced) {
        (_, true) => " (coalesced!)",
        (true, false) => " ~",
        (false, false) => "",
    }
}

fn write_verdicts(text: &mut String, gathered: &Gathered, workload: Workload) {
    let rows: Vec<_> =
        gathered.links(workload).map(|link| (link, verdict::all(gathered, link, workload))).collect();
    if rows.iter().all(|(_, verdicts)| verdicts.is_empty()) {
        return;
    }
    let _ = writeln!(text, "What `udp` promises\n\n| link | what | measured | limit | best peer | kept |");
    let _ = writeln!(text, "|---|---|---|---|---|---|");
    for (link, verdicts) in rows {
        for verdict in verdicts {
            let _ = writeln!(text, "| {} | {} |", link.name, verdict_cells(&verdict));
        }
    }
    text.push('\n');
}

fn verdict_cells(verdict: &Verdict) -> String {
    let Verdict { what, is, limit, at_most, best } = verdict;
    let precise = !what.starts_with('p') || *what == "price";
    let number = |value: Option<f64>| match value {
        Some(value) if precise && !what.contains("p99") => format!("{value:.2}"),
        value => ms(value, ENDLESS),
    };
    let best = best.as_ref().map_or_else(String::new, |(name, value)| format!("{name} {}", number(*value)));
    let kept = match is {
        _ if verdict.is_kept() => "yes".to_owned(),
        Some(is) => format!("**no**, by {}", number(Some((is - limit).abs()))),
        None => "**no**".to_owned(),
    };
    let limit = number(Some(*limit).filter(|limit| limit.is_finite()));
    format!("{what} | {} | {} {limit} | {best} | {kept}", number(*is), if *at_most { "≤" } else { "≥" })
}

fn remarks(text: &mut String, gathered: &Gathered) {
    let _ = writeln!(text, "## Remarks\n");
    let passes = gathered.groups().map(|(.., group)| group.cells.len()).max().unwrap_or(0);
    let _ = writeln!(
        text,
        "- {passes} passes; ∞: not delivered. Of `raw`: of what arrived. `~`: datagrams came late too, the machine was disturbed."
    );
    let cells = gathered.groups().flat_map(|(.., group)| &group.cells);
    let kernels: BTreeSet<_> = cells.map(|cell| cell.kernel.as_str()).collect();
    let _ = writeln!(text, "- Kernel: {}.", kernels.into_iter().collect::<Vec<_>>().join("; "));
    let apart: Vec<_> = columns::names().filter(|name| columns::bulk_apart(name)).collect();
    let _ = writeln!(text, "- Chat beside bulk has a connection of its own in: {}.", apart.join(", "));
    for (link, workload, column, group) in gathered.groups() {
        let mut notes: Vec<&str> =
            group.cells.iter().flat_map(|cell| &cell.notes).map(String::as_str).collect();
        notes.sort_unstable();
        notes.dedup();
        let tally = |figure: fn(&crate::cell::Cell) -> u64| group.cells.iter().map(figure).sum::<u64>();
        let twice = tally(|cell| cell.received.tally.duplicates);
        let disorder = tally(|cell| cell.received.tally.disorder);
        let mut said: Vec<String> = notes.into_iter().map(str::to_owned).collect();
        said.extend((twice > 0).then(|| format!("{twice} messages came twice")));
        said.extend((disorder > 0).then(|| format!("{disorder} came after a later one of their flow")));
        if !said.is_empty() {
            let _ = writeln!(text, "- {link}, {}, {column}: {}.", workload.name(), said.join("; "));
        }
    }
}

fn pair(group: &Group, a: f64, b: f64, latency: fn(&Group, f64) -> Latency) -> String {
    format!("{} / {}", ms(latency(group, a), ENDLESS), ms(latency(group, b), ENDLESS))
}

fn or_dash(figure: Option<f64>) -> String {
    figure.map_or_else(|| "-".to_owned(), |figure| format!("{figure:.2}"))
}
