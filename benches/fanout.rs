//! What one line in a room costs the server: one sender, 100 or 1,000 receivers over loopback TCP.
//!
//! The server is a process of its own, so that its CPU time can be told from that of its clients. In
//! the same run a process that does nothing but write the same bytes to as many sockets is the floor.
//! Criterion gives deliveries per second; the table at the end CPU seconds per million deliveries and
//! the ratio to the floor.
//!
//! `burst`: as much under way as the window allows, so several lines share a write. `paced`: a line is
//! said when everybody has the one before, so nothing can be shared.

#![expect(clippy::print_stdout, reason = "the figures are its output")]

#[path = "fanout/crowd.rs"]
mod crowd;
#[path = "fanout/floor.rs"]
mod floor;
#[path = "member/join.rs"]
mod member;
#[path = "fanout/process.rs"]
mod process;

use std::{collections::BTreeMap, time::Duration};

use criterion::{BenchmarkId, Criterion, Throughput};
use crowd::{Crowd, Pace};
use process::Cost;

const RECEIVERS: [usize; 2] = [100, 1_000];
const PACES: [Pace; 2] = [Pace::Burst, Pace::Paced];

fn main() {
    if floor::is_asked_for() {
        return floor::serve();
    }
    let mut criterion = Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_secs(1))
        .measurement_time(Duration::from_secs(5))
        .configure_from_args();
    let mut costs = BTreeMap::new();
    for receivers in RECEIVERS {
        bench(&mut criterion, &mut costs, "floor", receivers, || Crowd::around_floor(receivers));
        bench(&mut criterion, &mut costs, "insecure", receivers, || Crowd::around_node(receivers, true));
        bench(&mut criterion, &mut costs, "tls", receivers, || Crowd::around_node(receivers, false));
    }
    criterion.final_summary();
    print_costs(&costs);
}

type Costs = BTreeMap<(usize, &'static str, &'static str), Cost>;

fn bench(
    criterion: &mut Criterion,
    costs: &mut Costs,
    who: &'static str,
    receivers: usize,
    crowd: impl Fn() -> Crowd,
) {
    let mut group = criterion.benchmark_group(format!("fanout/{receivers}"));
    group.throughput(Throughput::Elements(receivers as u64));
    for pace in PACES {
        let mut crowd = crowd();
        let cost = costs.entry((receivers, pace.name(), who)).or_default();
        group.bench_function(BenchmarkId::new(who, pace.name()), |bencher| {
            bencher.iter_custom(|lines| {
                let (passed, spent) = crowd.say(lines, pace);
                cost.add(lines * receivers as u64, spent);
                passed
            });
        });
    }
    group.finish();
}

fn print_costs(costs: &Costs) {
    println!("\nreceivers  pace   server    CPU s per million deliveries  to the floor");
    for ((receivers, pace, who), cost) in costs {
        let Some(spent) = cost.per_million() else { continue };
        let floor = costs.get(&(*receivers, *pace, "floor")).and_then(Cost::per_million);
        let ratio = floor.map_or_else(String::new, |floor| format!("{:.2}", spent / floor));
        println!("{receivers:>9}  {pace:<5}  {who:<8}  {spent:>28.3}  {ratio:>12}");
    }
}
