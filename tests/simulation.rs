//! Whole topologies in virtual time over links that are late, cut, partitioned and full, with nodes
//! that crash: nothing is heard twice or out of order, nothing is missing in the end.
//!
//! A failure prints its seed; `SAYAGAIN_SEED=N cargo test --test simulation` replays it alone,
//! and with `SAYAGAIN_TRACE=1` prints every input.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "what a test cannot do fails it; a trace goes to stderr"
)]

#[path = "simulation/disk.rs"]
mod disk;
#[path = "simulation/oracle.rs"]
mod oracle;
#[path = "simulation/scenario.rs"]
mod scenario;
#[path = "simulation/shelf.rs"]
mod shelf;
#[path = "simulation/world.rs"]
mod world;

use scenario::{Scenario, Shape};

/// Seeds of each question. With 0 failures in n seeds the failure rate is below 3/n at 95 %.
/// `SAYAGAIN_SEEDS=N` asks for more.
const SEEDS: u64 = 300;

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().and_then(|number| number.parse().ok())
}

fn for_each_seed(shape: Shape, nodes: usize) {
    for_some_seeds(shape, nodes, SEEDS / nodes.max(5) as u64 * 5);
}

fn for_some_seeds(shape: Shape, nodes: usize, many: u64) {
    let many = number("SAYAGAIN_SEEDS").unwrap_or(many);
    let seeds = number("SAYAGAIN_SEED").map_or(0..many, |seed| seed..seed + 1);
    for seed in seeds {
        if let Err(why) = Scenario::new(shape, nodes, seed).run() {
            panic!("seed={seed} shape={shape:?} nodes={nodes}: {why}");
        }
    }
}

#[test]
fn does_a_star_lose_double_or_reorder_anything_when_links_break() {
    for_each_seed(Shape::Star { hub_crashes: false }, 6);
}

#[test]
fn does_a_star_recover_what_its_authors_hold_when_the_server_crashes() {
    for_each_seed(Shape::Star { hub_crashes: true }, 5);
}

#[test]
fn is_anything_lost_or_doubled_that_a_server_called_stored_when_anybody_crashes() {
    for_each_seed(Shape::StoredStar, 5);
}

#[test]
fn does_a_mesh_of_peers_with_stores_agree_after_splits_and_crashes() {
    for_each_seed(Shape::StoredMesh, 4);
}

#[test]
fn does_a_mesh_of_two_agree_after_every_break() {
    for_each_seed(Shape::Mesh, 2);
}

#[test]
fn does_a_mesh_of_three_agree_after_every_break() {
    for_each_seed(Shape::Mesh, 3);
}

#[test]
fn does_a_mesh_of_eight_agree_after_splits_and_crashes() {
    for_each_seed(Shape::Mesh, 8);
}

#[test]
fn does_every_file_arrive_once_through_a_server_when_anybody_crashes() {
    for_some_seeds(Shape::FileStar, 5, SEEDS / 3);
}

#[test]
fn does_every_file_arrive_once_in_a_mesh_when_anybody_crashes() {
    for_some_seeds(Shape::FileMesh, 4, SEEDS / 3);
}

#[test]
fn is_a_seed_the_same_run_every_time() {
    for seed in 0..20 {
        let trace = |_| Scenario::new(Shape::Mesh, 5, seed).run().expect("a good run");
        assert_eq!(trace(0), trace(1), "seed={seed}");
    }
}
