//! A server process and the CPU time it has spent.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    net::SocketAddr,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    time::Duration,
};

/// Ticks a second of the counters in /proc/PID/stat: USER_HZ, 100 on every Linux there is.
const TICKS_PER_SECOND: f64 = 100.0;

/// A server that ends with this.
pub(crate) struct Server {
    child: Child,
    pub(crate) stdin: Option<ChildStdin>,
    pub(crate) addr: SocketAddr,
    /// A server whose output nobody reads any more ends.
    _stdout: BufReader<ChildStdout>,
}

impl Server {
    /// Starts a program whose first line of output ends with its address.
    pub(crate) fn start(command: &mut Command) -> Self {
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("the server starts");
        let mut line = String::new();
        let mut stdout = BufReader::new(child.stdout.take().expect("its output is a pipe"));
        stdout.read_line(&mut line).expect("it says where it listens");
        let addr = line.split_whitespace().last().and_then(|addr| addr.parse().ok()).expect("an address");
        Self { stdin: child.stdin.take(), child, addr, _stdout: stdout }
    }

    /// User and system time so far.
    pub(crate) fn cpu(&self) -> Duration {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id())).expect("the server lives");
        let (_, fields) = stat.rsplit_once(')').expect("a name in parentheses");
        let ticks: f64 = fields
            .split_whitespace()
            .skip(11)
            .take(2)
            .map(|field| field.parse::<f64>().expect("ticks"))
            .sum();
        Duration::from_secs_f64(ticks / TICKS_PER_SECOND)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What deliveries cost.
#[derive(Default)]
pub(crate) struct Cost {
    deliveries: u64,
    spent: Duration,
}

impl Cost {
    pub(crate) fn add(&mut self, deliveries: u64, spent: Duration) {
        self.deliveries += deliveries;
        self.spent += spent;
    }

    /// CPU seconds per million deliveries.
    pub(crate) fn per_million(&self) -> Option<f64> {
        (self.deliveries > 0).then(|| self.spent.as_secs_f64() * 1e6 / self.deliveries as f64)
    }
}
