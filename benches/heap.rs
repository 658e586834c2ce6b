//! Memory of the listening side: of a link that says nothing, over every transport, and of a flood of
//! strangers that have to prove their addresses.
//!
//! The listener is a process of its own, so that only its half of each link is counted: once by its
//! resident set, once by the bytes its allocator has given out. Both are what 1,000 more links take
//! beside 100, so that tables and code that are there once do not count.
//!
//! With `SAYAGAIN_BENCH_SITES=udp` the listener of that transport writes what each call site holds to
//! `dhat-heap.json` (a viewer is at <https://nnethercote.github.io/dh_view/dh_view.html>); without
//! `--profile dev` the sites have no names.

#![expect(clippy::print_stdout, reason = "the figures are its output")]

#[path = "links/carrier.rs"]
mod carrier;
#[path = "endpoint/flood.rs"]
mod flood;
#[path = "heap/listener.rs"]
mod listener;

use std::{env, time::Duration};

use carrier::{CARRIERS, Carrier};
use flood::{Flood, SECURITIES};
use listener::{Held, Listening};
use sayagain::transport::Link;
use tokio::runtime::Runtime;

#[global_allocator]
static ALLOCATOR: dhat::Alloc = dhat::Alloc;

/// Links that are there before the counting begins.
const BEFORE: usize = 100;
const LINKS: usize = 1_000;
/// Datagrams of a flood.
const STRANGERS: usize = 100_000;

/// How long to wait until handshakes and the search for the path's MTU are over, and the first keep-alive
/// came.
const SETTLED: Duration = Duration::from_secs(20);

fn main() {
    if listener::is_asked_for() {
        return listener::serve();
    }
    // Two descriptors a TCP link, of which one is in the other process.
    rlimit::increase_nofile_limit(u64::MAX).expect("the hard limit is allowed");
    if let Ok(name) = env::var("SAYAGAIN_BENCH_SITES") {
        let carrier = CARRIERS.iter().find(|carrier| carrier.name == name).expect("tcp, udp, …");
        measure(carrier, true);
        return;
    }
    for (security, handshaker) in SECURITIES {
        print_flood("retry", security, Flood::hellos(handshaker));
        print_flood("stolen-token", security, Flood::stolen_tokens(handshaker));
        print_flood("noise", security, Flood::noise(handshaker));
        print_flood("unknown", security, Flood::unknown(handshaker));
    }
    println!("{LINKS} idle links, bytes of the listening side a link");
    println!("{:<14} {:>10} {:>10} {:>14}", "transport", "resident", "heap", "allocations");
    for carrier in &CARRIERS {
        let resident = measure(carrier, false).resident;
        let Held { heap, blocks, .. } = measure(carrier, true);
        println!("{:<14} {resident:>10} {heap:>10} {blocks:>14}", carrier.name);
    }
}

/// What a link takes of the listener.
fn measure(carrier: &'static Carrier, counted: bool) -> Held {
    let runtime = Runtime::new().expect("a runtime");
    let mut listener = Listening::start(carrier, counted);
    let mut links = Vec::new();
    let dialer = carrier.transport();
    let mut dial = |count| {
        for _ in 0..count {
            let link: Link = runtime.block_on(dialer.dial(listener.addr)).expect("it listens");
            links.push(link);
        }
        std::thread::sleep(SETTLED);
        listener.held()
    };
    let before = dial(BEFORE);
    let after = dial(LINKS);
    after.minus(before).each(LINKS)
}

/// What strangers leave behind in an endpoint, and how often they make it allocate.
fn print_flood(name: &str, security: &str, mut flood: Flood) {
    let _profiler = dhat::Profiler::builder().testing().build();
    let mut count = |datagrams| {
        (0..datagrams).for_each(|_| drop(flood.next()));
        dhat::HeapStats::get()
    };
    let before = count(1_000);
    let after = count(STRANGERS);
    let each = (after.total_blocks - before.total_blocks) as f64 / STRANGERS as f64;
    let kept = after.curr_bytes.saturating_sub(before.curr_bytes);
    println!(
        "{STRANGERS} strangers, {name} ({security}): {each:.2} allocations each, {kept} bytes kept in all"
    );
}
