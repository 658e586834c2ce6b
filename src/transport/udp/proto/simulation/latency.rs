//! How long a line of chat takes on a link that loses, against what no protocol without copies can beat.
//!
//! `cargo test --release --lib latency_table -- --ignored --nocapture` prints the tables of
//! `docs/latency.md`; `SAYAGAIN_SEEDS=5` makes that of five times as many lines.

mod bench;
mod gilbert;
mod links;

use std::time::Duration;

use bench::{Case, Outcome};
use links::links;

use crate::transport::impair::Profile;

/// One row of the table.
#[derive(Clone, Copy, Debug)]
struct Independent {
    loss_percent: f64,
    rtt: Duration,
    per_second: u32,
}

impl Independent {
    fn run(self, lines: u32, seed: u64) -> Outcome {
        let one_way = self.rtt.as_millis() / 2;
        let profile = format!(r#"{{"delay_ms": {one_way}, "loss_percent": {}}}"#, self.loss_percent);
        let profile = Profile::parse(&profile).unwrap();
        let name = String::new();
        Case { name, profile, gilbert: None, speakers: 1, per_second: self.per_second }.run(lines, seed)
    }
}

/// The least that any protocol without copies needs for the share `x` of its lines: each loss costs a
/// round trip at least, and `n` transmissions are needed for `1 - p^n >= x`.
fn floor_without_copies(case: Independent, x: f64) -> f64 {
    let d = case.rtt.as_secs_f64() * 500.0;
    let p = case.loss_percent / 100.0;
    let n = if p > 0.0 { ((1.0 - x).ln() / p.ln()).ceil().max(1.0) } else { 1.0 };
    d + (n - 1.0) * case.rtt.as_secs_f64() * 1e3
}

fn cases() -> Vec<Independent> {
    let mut cases = Vec::new();
    for loss_percent in [0.0, 1.0, 5.0, 10.0, 30.0] {
        for rtt in [50, 200] {
            for per_second in [2, 10] {
                cases.push(Independent { loss_percent, rtt: Duration::from_millis(rtt), per_second });
            }
        }
    }
    cases
}

fn assert_aims(case: Independent, outcome: &Outcome) {
    let rtt = case.rtt.as_secs_f64() * 1e3;
    let d = rtt / 2.0;
    let most = match case.loss_percent {
        0.0 => [d + 1.0, d + 1.0, 1.35],
        10.0 => [d + 15.0, 1.5 * rtt + 15.0, 4.5],
        30.0 => [1.5 * rtt + 15.0, f64::INFINITY, 4.5],
        5.0 => [f64::INFINITY, f64::INFINITY, 4.5],
        _ => [f64::INFINITY; 3],
    };
    let found = [outcome.at(0.99), outcome.at(0.999), outcome.price()];
    assert!(outcome.at(0.5) <= d + 1.0, "{case:?} {found:?}");
    assert!(found.iter().zip(most).all(|(found, most)| *found <= most), "{case:?} {found:?} {most:?}");
    assert!(case.loss_percent > 0.0 || outcome.spent.copies == 0, "{case:?}");
}

/// Seeds that the tables are made from.
fn seeds() -> u64 {
    std::env::var("SAYAGAIN_SEEDS").ok().and_then(|seeds| seeds.parse().ok()).unwrap_or(1)
}

/// Runs several seeds into one outcome.
fn over_seeds(seeds: u64, run: impl Fn(u64) -> Outcome) -> Outcome {
    let mut all = Outcome::default();
    (1..=seeds).for_each(|seed| all.add(run(seed)));
    all
}

#[test]
fn is_chat_on_time_on_links_that_lose_a_tenth_and_a_third() {
    for case in cases().into_iter().filter(|case| [0.0, 10.0, 30.0].contains(&case.loss_percent)) {
        // At 30 % the first copy of the second round brings 99.2 % of the lines: few would not tell.
        let lines = if case.loss_percent == 30.0 { 20_000 } else { 4_000 };
        assert_aims(case, &case.run(lines, 1));
    }
}

#[test]
fn is_chat_on_time_on_links_like_those_of_netem() {
    let tested = ["gemodel", "1 %, 40 ms", "30 %", "jitter"];
    let sparse = |case: &Case| case.name == "lossy30" && case.per_second == 2;
    let tested = |case: &Case| {
        sparse(case) || case.speakers == 8 && tested.iter().any(|name| case.name.contains(name))
    };
    for (case, bounds) in links().into_iter().filter(|(case, _)| tested(case)) {
        // Of 8,000 lines eight decide, and by chance.
        let outcome = over_seeds(4, |seed| case.run(8_000, seed));
        let (p99, p999) = (outcome.at(0.99), outcome.at(0.999));
        let found = format!("{}: {p99} {p999} {}", case.name, outcome.price());
        assert!(p99 <= bounds.p99 && p999 <= bounds.p999 && outcome.price() <= bounds.price, "{found}");
    }
}

#[test]
#[ignore = "prints a table; takes a while"]
fn latency_table() {
    println!("| loss | RTT ms | lines/s | p50 | p99 | p99.9 | max | floor p99 | floor p99.9 | bytes |");
    println!("| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |");
    for case in cases() {
        let outcome = over_seeds(seeds(), |seed| case.run(20_000, seed));
        let [p50, p99, p999, max] = [0.5, 0.99, 0.999, 1.0].map(|share| outcome.at(share));
        println!(
            "| {} % | {} | {} | {p50:.0} | {p99:.0} | {p999:.0} | {max:.0} | {:.0} | {:.0} | {:.2}x |",
            case.loss_percent,
            case.rtt.as_millis(),
            case.per_second,
            floor_without_copies(case, 0.99),
            floor_without_copies(case, 0.999),
            outcome.price(),
        );
        assert_aims(case, &outcome);
    }
}

/// What the bytes are spent on, beside the latencies: datagrams there and back for each line, and of the
/// former copies, repetitions and probes.
#[test]
#[ignore = "prints a table; takes a while"]
fn latency_table_of_links() {
    println!(
        "| link | speakers | lines/s | p50 | p90 | p99 | p99.9 | max | bytes | there | back | bytes of one back | copies | repeated | probes |"
    );
    println!("|{}", " --- |".repeat(15));
    let only = std::env::var("SAYAGAIN_LINK").unwrap_or_default();
    for (case, bounds) in links().into_iter().filter(|(case, _)| case.name.contains(&only)) {
        let outcome = over_seeds(seeds(), |seed| case.run(20_000, seed));
        let [p50, p90, p99, p999, max] = [0.5, 0.9, 0.99, 0.999, 1.0].map(|share| outcome.at(share));
        let [there, back, ack, copies, rounds, probes] = outcome.parts();
        let price = outcome.price();
        let mark = |found: f64, most: f64| if found <= most { "" } else { " !" };
        println!(
            "| {} | {} | {} | {p50:.0} | {p90:.0} | {p99:.0}{} | {p999:.0}{} | {max:.0} | {price:.2}x{} | {there:.2} | {back:.2} | {ack:.0} | {copies:.2} | {rounds:.3} | {probes:.3} |",
            case.name,
            case.speakers,
            case.per_second,
            mark(p99, bounds.p99),
            mark(p999, bounds.p999),
            mark(price, bounds.price),
        );
    }
}
