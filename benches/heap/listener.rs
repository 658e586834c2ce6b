//! A process that accepts links, keeps them, and says on request how much memory it has.

use std::{
    env, fs,
    io::{BufRead, BufReader, Write as _, stdin},
    net::SocketAddr,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    sync::Mutex,
};

use sayagain::transport::{Link, Listener};
use tokio::runtime::Runtime;

use super::carrier::{CARRIERS, Carrier};

const CARRIER: &str = "SAYAGAIN_BENCH_LISTENER";
const COUNTED: &str = "SAYAGAIN_BENCH_COUNTED";

/// Memory.
#[derive(Clone, Copy)]
pub(crate) struct Held {
    /// Bytes of the resident set.
    pub(crate) resident: usize,
    /// Bytes given out by the allocator, if they are counted.
    pub(crate) heap: usize,
    /// In so many pieces.
    pub(crate) blocks: usize,
}

impl Held {
    pub(crate) fn minus(self, before: Self) -> Self {
        Self {
            resident: self.resident.saturating_sub(before.resident),
            heap: self.heap.saturating_sub(before.heap),
            blocks: self.blocks.saturating_sub(before.blocks),
        }
    }

    pub(crate) fn each(self, of: usize) -> Self {
        Self { resident: self.resident / of, heap: self.heap / of, blocks: self.blocks / of }
    }
}

/// A listening process that ends with this.
pub(crate) struct Listening {
    child: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
    pub(crate) addr: SocketAddr,
}

impl Listening {
    pub(crate) fn start(carrier: &Carrier, counted: bool) -> Self {
        let mut command = Command::new(env::current_exe().expect("this program has a path"));
        command.env(CARRIER, carrier.name).stdin(Stdio::piped()).stdout(Stdio::piped());
        if counted {
            command.env(COUNTED, "1");
        }
        let mut child = command.spawn().expect("the listener starts");
        let stdin = child.stdin.take().expect("its input is a pipe");
        let mut stdout = BufReader::new(child.stdout.take().expect("its output is a pipe"));
        let addr = line(&mut stdout).trim().parse().expect("an address");
        Self { child, stdin, stdout, addr }
    }

    pub(crate) fn held(&mut self) -> Held {
        writeln!(self.stdin).expect("the listener reads its input");
        let line = line(&mut self.stdout);
        let mut numbers = line.split_whitespace().map(|word| word.parse().expect("a number"));
        let mut next = || numbers.next().expect("three numbers");
        Held { resident: next(), heap: next(), blocks: next() }
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        // The end of its input lets it write what it counted.
        self.stdin.flush().expect("the listener reads its input");
        let _ = writeln!(self.stdin, "end");
        let _ = self.child.wait();
    }
}

fn line(from: &mut impl BufRead) -> String {
    let mut line = String::new();
    from.read_line(&mut line).expect("the listener speaks");
    line
}

pub(crate) fn is_asked_for() -> bool {
    env::var_os(CARRIER).is_some()
}

/// Keeps every link; each line of input is a question, and "end" the last.
pub(crate) fn serve() {
    rlimit::increase_nofile_limit(u64::MAX).expect("the hard limit is allowed");
    let counted = env::var_os(COUNTED).is_some();
    let profiler = counted.then(|| match env::var_os("SAYAGAIN_BENCH_SITES") {
        Some(_) => dhat::Profiler::builder().trim_backtraces(Some(40)).build(),
        None => dhat::Profiler::builder().testing().build(),
    });
    let name = env::var(CARRIER).expect("asked for");
    let carrier = CARRIERS.iter().find(|carrier| carrier.name == name).expect("one of the list");
    let runtime = Runtime::new().expect("a runtime");
    let listener =
        runtime.block_on(carrier.transport().listen(([127, 0, 0, 1], 0).into())).expect("loopback");
    println!("{}", listener.local_addr());
    // Room for all of them, so that only what the links themselves take grows.
    static LINKS: Mutex<Vec<Link>> = Mutex::new(Vec::new());
    LINKS.lock().expect("no panic").reserve(10_000);
    runtime.spawn(keep(listener, &LINKS));
    for question in stdin().lock().lines() {
        if question.expect("input") == "end" {
            break;
        }
        let (heap, blocks) = if counted {
            let stats = dhat::HeapStats::get();
            (stats.curr_bytes, stats.curr_blocks)
        } else {
            (0, 0)
        };
        println!("{} {heap} {blocks}", resident());
    }
    drop(profiler);
    std::process::exit(0);
}

async fn keep(mut listener: Box<dyn Listener>, links: &Mutex<Vec<Link>>) {
    while let Ok(link) = listener.accept().await {
        links.lock().expect("no panic").push(link);
    }
}

/// Bytes of the resident set.
fn resident() -> usize {
    let status = fs::read_to_string("/proc/self/status").expect("this process lives");
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("a resident set");
    let kibibytes: usize = line.split_whitespace().nth(1).and_then(|n| n.parse().ok()).expect("a number");
    kibibytes << 10
}
