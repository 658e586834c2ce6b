//! A node in a process of its own, its events with the time at which they were read.

use std::{
    fs,
    io::{BufRead as _, BufReader, Write as _},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    sync::{Arc, Condvar, Mutex, MutexGuard},
    thread,
    time::Duration,
};

use serde_json::Value;
use tokio::time::Instant;

/// How long anything may take before it counts as failed.
const PATIENCE: Duration = Duration::from_secs(120);

/// What was read, and when.
type Heard = (Instant, String);

/// A node that ends with this.
pub(crate) struct Node {
    child: Child,
    stdin: Option<ChildStdin>,
    ear: Arc<Ear>,
    /// Lines that were waited for or passed over.
    noted: usize,
}

#[derive(Default)]
struct Ear {
    /// None at the end.
    heard: Mutex<Vec<Option<Heard>>>,
    more: Condvar,
}

impl Node {
    pub(crate) fn start(arguments: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_node"))
            .args(arguments)
            .arg("--json")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the node starts");
        let ear = Arc::<Ear>::default();
        let (stdout, at) = (child.stdout.take().expect("its output is a pipe"), ear.clone());
        thread::spawn(move || at.listen(stdout));
        Self { stdin: child.stdin.take(), child, ear, noted: 0 }
    }

    pub(crate) fn type_line(&mut self, line: &str) {
        let stdin = self.stdin.as_mut().expect("it reads its input");
        stdin.write_all(format!("{line}\n").as_bytes()).expect("it reads its input");
    }

    /// Waits for an event of this name that is wanted.
    pub(crate) fn event(&mut self, name: &str, wanted: impl Fn(&Value) -> bool) -> (Instant, Value) {
        let mut found = None;
        let waited = self.ear.more.wait_timeout_while(self.ear.heard(), PATIENCE, |heard| {
            while found.is_none()
                && let Some(next) = heard.get(self.noted)
            {
                self.noted += 1;
                let (at, line) = next.as_ref().unwrap_or_else(|| panic!("it ended and said no {name}"));
                let object: Value = serde_json::from_str(line).expect("an object");
                let is_it = object.get("event").is_some_and(|event| event == name) && wanted(&object);
                found = is_it.then_some((*at, object));
            }
            found.is_none()
        });
        drop(waited);
        found.unwrap_or_else(|| panic!("no {name} within {PATIENCE:?}"))
    }

    /// Whether it said this, and nobody waited for it yet.
    pub(crate) fn says(&self, words: &str) -> bool {
        self.ear.heard().iter().skip(self.noted).flatten().any(|(_, line)| line.contains(words))
    }

    /// Most memory it ever had, in MiB.
    pub(crate) fn peak_mib(&self) -> f64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).expect("it lives");
        let most = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = most.and_then(|most| most.trim().trim_end_matches(" kB").parse::<f64>().ok());
        kib.expect("what Linux says of a process") / 1024.0
    }

    /// `kill -9`, and gone when this returns.
    pub(crate) fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Ear {
    fn heard(&self) -> MutexGuard<'_, Vec<Option<Heard>>> {
        self.heard.lock().expect("nobody panics with it")
    }

    fn listen(&self, stdout: ChildStdout) {
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            self.heard().push(Some((Instant::now(), line)));
            self.more.notify_all();
        }
        self.heard().push(None);
        self.more.notify_all();
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.kill();
    }
}
