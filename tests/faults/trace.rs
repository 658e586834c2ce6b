//! Calls that fail: strace answers them in place of the kernel.

use std::{fs, process::Command};

use crate::support::{
    patience::eventually,
    process::{Launch, Process},
};

/// One call of a thread fails, and no other.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fault {
    pub(crate) calls: &'static str,
    pub(crate) error: &'static str,
    pub(crate) nth: u64,
}

/// Says so where there is no strace, or no right to trace.
pub(crate) fn is_possible() -> bool {
    let able = Command::new("strace").args(["-D", "-f", "-qq", "-o", "/dev/null", "true"]).output();
    let able = able.is_ok_and(|output| output.status.success());
    if !able {
        println!("skipped: strace does not work here");
    }
    able
}

impl Fault {
    /// Counts calls on these files, of all where there are none. The node stays a child of this process.
    pub(crate) fn on(&self, launch: Launch, log: &str, files: &[String]) -> Launch {
        let Self { calls, error, nth } = self;
        let (trace, inject) = (format!("trace={calls}"), format!("inject={calls}:error={error}:when={nth}"));
        let mut arguments =
            vec!["-D", "-f", "-qq", "-y", "-o", log, "-e", "signal=none", "-e", &trace, "-e", &inject];
        arguments.extend(files.iter().flat_map(|file| ["-P", file]));
        launch.under("strace", &arguments)
    }
}

/// The call that failed, if one did.
pub(crate) fn failed(log: &str) -> Option<String> {
    let calls = fs::read_to_string(log).unwrap_or_default();
    calls.lines().find(|call| call.contains("(INJECTED)")).map(str::to_owned)
}

/// The status of a server that ends before it listens.
pub(crate) fn ends_unless_it_listens(server: &mut Process) -> Option<i32> {
    let listens = eventually("it listens or ends", || {
        let listens = server.unnoted().iter().any(|line| line.starts_with("listening on "));
        (listens || !server.is_running()).then_some(listens)
    });
    if listens { None } else { Some(server.status()) }
}
