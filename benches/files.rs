//! A file from one client through the server to another, real processes on loopback, over each transport.
//!
//! In the same run and in turns the same file goes through a bare relay: TLS over TCP, hashed at both ends,
//! synced at the receiver, and nothing else. Then people talk beside such files, and everybody is killed while
//! one is on its way.
//!
//! A number is how many MiB the file has (256), other words which parts are wanted: rate, chat, kills.
//! `TMPDIR` says on which disk.

#![expect(clippy::print_stdout, reason = "the figures are its output")]

#[path = "files/chat.rs"]
mod chat;
#[path = "files/kills.rs"]
mod kills;
#[path = "files/node.rs"]
mod node;
#[path = "files/relay.rs"]
mod relay;
#[path = "files/star.rs"]
mod star;
#[path = "files/tls.rs"]
mod tls;

use std::{
    env,
    fs::{self, File},
    io::Write as _,
    path::{Path, PathBuf},
    process,
    time::Duration,
};

use rand::{Rng as _, SeedableRng as _, rngs::ChaCha8Rng};
use star::Star;

const TRANSPORTS: [&str; 2] = ["tcp", "udp"];

const ROUNDS: usize = 5;

const MIB: u64 = 1 << 20;

fn main() {
    if relay::has_played() {
        return;
    }
    let words: Vec<String> = env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    let mib = words.iter().find_map(|word| word.parse().ok()).unwrap_or(256);
    let parts: Vec<&String> = words.iter().filter(|word| word.parse::<u64>().is_err()).collect();
    let is_wanted = |part: &str| parts.is_empty() || parts.iter().any(|word| *word == part);
    let work = env::temp_dir().join(format!("sayagain-files-{}", process::id()));
    fs::create_dir_all(&work).expect("space on the disk");
    let file = make_file(&work, mib);
    println!("a file of {mib} MiB");
    if is_wanted("rate") {
        rates(&work, &file, mib);
    }
    if is_wanted("chat") {
        latencies(&work, &file);
    }
    if is_wanted("kills") {
        kills(&work, &file, mib);
    }
    fs::remove_dir_all(&work).expect("its own");
}

/// Bytes that are not the same anywhere.
fn make_file(work: &Path, mib: u64) -> String {
    let path = work.join("original");
    let mut file = File::create(&path).expect("space on the disk");
    let (mut rng, mut part) = (ChaCha8Rng::seed_from_u64(0), vec![0; MIB as usize]);
    for _ in 0..mib {
        rng.fill_bytes(&mut part);
        file.write_all(&part).expect("space on the disk");
    }
    file.sync_all().expect("the disk");
    path.to_str().expect("a path in words").to_owned()
}

fn rates(work: &Path, file: &str, mib: u64) {
    let mut columns: Vec<(&str, Vec<Duration>, String)> =
        ["relay"].iter().chain(&TRANSPORTS).map(|name| (*name, Vec::new(), String::new())).collect();
    // The first round warms up.
    for round in 0..=ROUNDS {
        for (name, rounds, peaks) in &mut columns {
            let folder = work.join(*name);
            let spent = if *name == "relay" {
                through_relay(file, folder)
            } else {
                let mut star = Star::new(name, &folder);
                let spent = star.carry(file);
                let peak = [&star.alice, &star.server, &star.bob].map(|node| node.peak_mib());
                *peaks = peak.iter().map(|mib| format!("{mib:>10.1}")).collect();
                spent
            };
            if round > 0 {
                rounds.push(spent);
            }
        }
    }
    print_rates(&mut columns, mib);
}

fn through_relay(file: &str, folder: PathBuf) -> Duration {
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).expect("space on the disk");
    relay::carry(file, folder.to_str().expect("a path in words"))
}

fn print_rates(columns: &mut [(&str, Vec<Duration>, String)], mib: u64) {
    println!("\nby      MB/s  least  most  to the relay   peak MiB of sender, server, receiver");
    let mut floor = None;
    for (name, rounds, peaks) in columns {
        rounds.sort_unstable();
        let rate = |spent: Option<&Duration>| {
            spent.map_or(f64::NAN, |spent| (mib * MIB) as f64 / 1e6 / spent.as_secs_f64())
        };
        let (least, most) = (rate(rounds.last()), rate(rounds.first()));
        let rate = rate(rounds.get(rounds.len() / 2));
        let to_relay = rate / *floor.get_or_insert(rate);
        println!("{name:<6} {rate:>5.0}  {least:>5.0} {most:>5.0}  {to_relay:>12.2}   {peaks}");
    }
}

fn latencies(work: &Path, file: &str) {
    println!("\nchat beside       lines  p50 ms  p99 ms  most ms");
    for transport in TRANSPORTS {
        for (what, file) in [("nothing", None), ("files", Some(file))] {
            let late = chat::beside(&mut Star::new(transport, &work.join(transport)), file);
            let at = |share: f64| late.get(((late.len() - 1) as f64 * share).ceil() as usize);
            let [half, most_of, all] =
                [0.5, 0.99, 1.0].map(|share| at(share).map_or(f64::NAN, |late| late.as_secs_f64() * 1e3));
            println!("{transport}, {what:<10} {:>7} {half:>7.1} {most_of:>7.1} {all:>8.1}", late.len());
        }
    }
}

fn kills(work: &Path, file: &str, mib: u64) {
    println!("\nkilled on its way, and whole");
    for transport in TRANSPORTS {
        let mut star = Star::new(transport, &work.join(transport));
        let killed = kills::carry(&mut star, file, mib * MIB, mib);
        println!("{transport}: {}", killed.join(", "));
    }
}
