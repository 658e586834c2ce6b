//! Group commit: what a server stores for a hundred who talk at once, and how often it waits for the disk.
//!
//! In the same run and in turns the records that came of it are put into an empty file with the same tables,
//! as many in a transaction as the server had on average, and nothing else: no network, no sums, nobody to be
//! told. Needs strace, which counts what the server really asks of the disk. `TMPDIR` says on which disk.
//!
//! `window`: each has as much under way as it may. `paced`: each says a line when the one before is stored.

#![expect(clippy::print_stdout, reason = "the figures are its output")]

#[path = "store/crowd.rs"]
mod crowd;
#[path = "member/join.rs"]
mod member;
#[path = "store/plain.rs"]
mod plain;
#[path = "store/server.rs"]
mod server;

use std::{env, fs, path::Path, process, thread::sleep, time::Duration};

use crowd::Crowd;
use server::Server;

const SENDERS: usize = 100;

const ROUNDS: usize = 3;

/// How long they talk in a round.
const ROUND: Duration = Duration::from_secs(4);

/// After that the server has nothing more to do for what was said.
const QUIET: Duration = Duration::from_secs(3);

/// Who is in a room together, and how many lines of each are under way.
const WORKLOADS: [(&str, usize, u64); 4] = [
    ("window, a room each", 1, 256),
    ("window, one room", SENDERS, 256),
    ("paced, a room each", 1, 1),
    ("paced, one room", SENDERS, 1),
];

fn main() {
    let work = env::temp_dir().join(format!("sayagain-store-{}", process::id()));
    fs::create_dir_all(&work).expect("space on the disk");
    println!("{SENDERS} senders          stored a second  of plain inserts  records a sync: median, least");
    for (name, share, window) in WORKLOADS {
        let mut rounds: Vec<Round> = (0..ROUNDS).map(|_| Round::run(&work, share, window)).collect();
        let mut median = |of: fn(&Round) -> f64| {
            rounds.sort_by(|a, b| of(a).total_cmp(&of(b)));
            rounds.get(ROUNDS / 2).map_or(f64::NAN, of)
        };
        let (rate, ratio) = (median(|round| round.rate), median(|round| round.rate / round.plain));
        let batch = median(|round| round.batch);
        let least = rounds.first().map_or(f64::NAN, |round| round.batch);
        println!("{name:<20} {rate:>16.0}  {ratio:>16.2}  {batch:>22.0}, {least:>5.0}");
    }
    print_idle(&work);
    fs::remove_dir_all(&work).expect("its own");
}

struct Round {
    /// Stored a second, by the server and by plain inserts.
    rate: f64,
    plain: f64,
    /// Records for each time that the server waited for the disk.
    batch: f64,
}

impl Round {
    fn run(work: &Path, share: usize, window: u64) -> Self {
        let (server, mut crowd) = meet(work, SENDERS, share);
        let syncs = server.syncs();
        let (stored, spent) = crowd.talk(ROUND, window);
        let batch = stored as f64 / (server.syncs() - syncs).max(1) as f64;
        drop(crowd);
        let history = server.end();
        let plain = plain::insert(&history, &work.join("plain.db"), batch as usize);
        Self { rate: stored as f64 / spent.as_secs_f64(), plain, batch }
    }
}

fn meet(work: &Path, senders: usize, share: usize) -> (Server, Crowd) {
    let _ = fs::remove_dir_all(work.join("server"));
    let server = Server::start(work);
    let crowd = Crowd::around(server.addr, senders, share);
    (server, crowd)
}

/// What one line costs when nothing else is said.
fn print_idle(work: &Path) {
    let (server, mut crowd) = meet(work, 1, 1);
    crowd.say();
    sleep(QUIET);
    println!("\none line to an idle server: syncs until it is stored, and after");
    for _ in 0..ROUNDS {
        let before = server.syncs();
        let spent = crowd.say();
        let stored = server.syncs();
        sleep(QUIET);
        println!("{} {} ({:.1} ms)", stored - before, server.syncs() - stored, spent.as_secs_f64() * 1e3);
    }
}
