//! Markdown: what two flows leave to each other, the links its rows, the pairs its columns.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    fs,
    path::Path,
};

use anyhow::{Context as _, Result};

use super::figures::ms;
use crate::{
    columns,
    link::Link,
    shares::{Contest, SPAN},
};

/// All contests, by the name of the link and the pair.
#[derive(Debug, Default)]
pub(super) struct Contests(BTreeMap<(String, Column), Contest>);

/// Where the two of a pair stand in the list of columns.
type Column = [usize; 2];

/// In percent, what a flow of ours must leave to TCP with CUBIC, and have itself beside any.
const LEAST_SHARE: f64 = 25.0;

/// Below a queue of so many products CUBIC itself cannot fill the link.
const PROMISED_FROM_BDP: f64 = 0.99;

impl Contests {
    /// Those of every link in `dir`.
    pub(super) fn read(dir: &Path) -> Result<Self> {
        let mut contests = Self::default();
        for link in fs::read_dir(dir).with_context(|| dir.display().to_string())? {
            let fair = link?.path().join("fair");
            if !fair.is_dir() {
                continue;
            }
            for file in fs::read_dir(&fair)? {
                let file = file?.path();
                let text = fs::read(&file)?;
                contests.add(serde_json::from_slice(&text).with_context(|| file.display().to_string())?);
            }
        }
        Ok(contests)
    }

    fn add(&mut self, contest: Contest) {
        let place = |name: &str| columns::names().position(|known| known == name).unwrap_or(usize::MAX);
        let column = contest.flows.each_ref().map(|flow| place(&flow.column));
        self.0.insert((contest.link.name.clone(), column), contest);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Contest> {
        self.0.values()
    }

    /// A contest of each pair, with both orders of it side by side.
    fn columns(&self) -> BTreeMap<(Column, Column), &Contest> {
        let sorted = |[a, b]: Column| [a.min(b), a.max(b)];
        self.0.iter().map(|((_, column), contest)| ((sorted(*column), *column), contest)).collect()
    }

    pub(super) fn tables(&self) -> String {
        let mut text = "## Fairness: two flows of bulk on one link\n\n".to_owned();
        self.table(&mut text, "Shares, % (first : second to start)", &|contest| {
            let shares = contest.shares();
            shares.map_or_else(|| "nothing".to_owned(), |[a, b]| format!("{a:.0} : {b:.0}{}", mark(contest)))
        });
        self.table(&mut text, "What datagrams wait, p50 / p99, ms", &|contest| {
            format!("{} / {}", ms(contest.queue_ms(0.5), "-"), ms(contest.queue_ms(0.99), "-"))
        });
        self.table(&mut text, "Sum, Mbit/s (share of the ceiling)", &|contest| {
            let sum = contest.sum_mbit();
            format!("{sum:.1} ({:.2})", sum / contest.link.ceiling_mbit())
        });
        self.verdicts(&mut text);
        self.series(&mut text);
        text
    }

    fn table(&self, text: &mut String, what: &str, cell: &dyn Fn(&Contest) -> String) {
        let columns = self.columns();
        let titles: Vec<_> = columns.values().map(|contest| contest.pair()).collect();
        let _ = writeln!(text, "{what}\n\n| link | {} |", titles.join(" | "));
        let _ = writeln!(text, "|---|{}", "---|".repeat(columns.len()));
        let links: BTreeSet<_> = self.0.keys().map(|(link, _)| link).collect();
        for link in links {
            let contests = columns.keys().map(|(_, column)| self.0.get(&(link.clone(), *column)));
            let cells: Vec<_> = contests.map(|contest| contest.map_or_else(String::new, cell)).collect();
            let _ = writeln!(text, "| {link} | {} |", cells.join(" | "));
        }
        text.push('\n');
    }

    fn verdicts(&self, text: &mut String) {
        let _ = writeln!(text, "What `udp` promises, from a queue of 1 BDP on\n");
        let _ =
            writeln!(text, "| link | pair | whose | share, % | at least | kept |\n|---|---|---|---|---|---|");
        for contest in self.iter() {
            for (whose, share) in contest.promised() {
                let kept = if is_kept(share) { "yes" } else { "**no**" };
                let _ = writeln!(
                    text,
                    "| {} | {} | {whose} | {share:.0} | {LEAST_SHARE} | {kept} |",
                    contest.link.name,
                    contest.pair()
                );
            }
        }
        text.push('\n');
    }

    /// Whether and when the flows come to terms.
    fn series(&self, text: &mut String) {
        let _ = writeln!(text, "Mbit/s, a figure for each {SPAN} s from the start of the first\n\n```text");
        for contest in self.iter() {
            let (from, to) = (contest.counted_from, contest.counted_from + contest.counted);
            let _ = writeln!(text, "{} {}, counted from {from} to {to} s", contest.link.name, contest.pair());
            contest.series().for_each(|line| {
                let _ = writeln!(text, "{line}");
            });
        }
        text.push_str("```\n\n");
        for contest in self.iter() {
            for note in &contest.notes {
                let _ = writeln!(text, "- {} {}: {note}", contest.link.name, contest.pair());
            }
        }
    }
}

const OURS: &str = "udp";

impl Contest {
    /// Whose share is promised, and what it is.
    pub(super) fn promised(&self) -> Vec<(&str, f64)> {
        let [first, second] = self.flows.each_ref().map(|flow| flow.column.as_str());
        let is_long = queue_bdp(&self.link).is_some_and(|bdp| bdp >= PROMISED_FROM_BDP);
        if !is_long || (first == OURS) == (second == OURS) {
            return Vec::new();
        }
        let whose: &[&str] = match if first == OURS { second } else { first } {
            "tcp-cubic" => &[OURS, "tcp-cubic"],
            name if name.starts_with("tcp-") => &[OURS],
            _ => &[],
        };
        // Who got nothing at all has no share.
        whose.iter().map(|&name| (name, self.share_of(name).unwrap_or(0.0))).collect()
    }
}

pub(super) fn is_kept(share: f64) -> bool {
    share >= LEAST_SHARE
}

/// The queue, in products of rate and round trip.
pub(super) fn queue_bdp(link: &Link) -> Option<f64> {
    let product_kbytes = link.rate_mbit * link.rtt_ms() / 8.0;
    (product_kbytes > 0.0).then_some(link.queue_kbytes? / product_kbytes)
}

/// Where nobody filled the link, nobody had to leave anything.
fn mark(contest: &Contest) -> &'static str {
    if contest.sum_mbit() < 0.8 * contest.link.ceiling_mbit() { " (idle!)" } else { "" }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shares::Contender;

    /// 250 kB are one product.
    fn contest(queue_kbytes: f64, flows: [(&str, u64); 2]) -> Contest {
        let queue_kbytes = Some(queue_kbytes);
        let link = Link {
            name: "link".to_owned(),
            rate_mbit: 50.0,
            delay_ms: 20.0,
            queue_kbytes,
            ..Link::default()
        };
        let flows = flows.map(|(column, bytes)| Contender {
            column: column.to_owned(),
            bytes_per_second: vec![bytes * 62_500],
        });
        Contest {
            link,
            flows,
            counted_from: 0,
            counted: 1,
            probe_us: vec![30_000],
            probes: 1,
            notes: Vec::new(),
        }
    }

    #[test]
    fn cubic_beside_ours_is_promised_a_quarter_and_so_are_we() {
        let promised = |queue, a, b| {
            let contest = contest(queue, [a, b]);
            contest.promised().into_iter().map(|(name, share)| (name.to_owned(), share)).collect::<Vec<_>>()
        };
        let of = |name: &str, share| (name.to_owned(), share);
        assert_eq!(promised(250.0, ("tcp-cubic", 80), ("udp", 20)), [of("udp", 20.0), of("tcp-cubic", 80.0)]);
        assert_eq!(promised(1000.0, ("udp", 50), ("tcp-bbr", 50)), [of("udp", 50.0)]);
        assert_eq!(promised(250.0, ("udp", 0), ("tcp-bbr", 0)), [of("udp", 0.0)]);
        assert_eq!(promised(125.0, ("udp", 50), ("tcp-cubic", 50)), []);
        assert_eq!(promised(250.0, ("udp", 50), ("udp", 50)), []);
        assert_eq!(promised(250.0, ("udp-cubic", 50), ("tcp-cubic", 50)), []);
    }

    #[test]
    fn both_orders_of_a_pair_are_beside_each_other() {
        let mut contests = Contests::default();
        for flows in
            [[("tcp-cubic", 20), ("udp", 80)], [("udp", 60), ("udp", 20)], [("udp", 90), ("tcp-cubic", 10)]]
        {
            contests.add(contest(250.0, flows));
        }
        let tables = contests.tables();
        assert!(tables.contains("| link | udp + udp | udp + tcp-cubic | tcp-cubic + udp |"), "{tables}");
        assert!(tables.contains("| link | 75 : 25 | 90 : 10 | 20 : 80 |"), "{tables}");
        assert!(tables.contains("| link | tcp-cubic + udp | tcp-cubic | 20 | 25 | **no** |"), "{tables}");
        assert!(tables.contains("| link | 10.0 / 10.0 |"), "{tables}");
    }
}
