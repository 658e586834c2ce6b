//! What is kept on disk: where, how much, and what can be done with it while no node runs.

use std::{
    fmt::Write as _,
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use clap::{Args, Subcommand};
use etcetera::{BaseStrategy, base_strategy::Xdg};

use crate::{
    app::{Outcome, Trouble},
    node::{Node, Store, random_seed},
    store::{self, ExportError, Retention, StoreError},
};

use super::{
    History, Keep, Role, Settings,
    args::Options,
    resolve::in_range,
    stop::{Status, Stop},
};

/// Where in the data directory it is.
const FILE: &str = "history.db";

/// What is kept of each room unless told otherwise.
pub(super) const DEFAULT: Retention = Retention { records: 1_000_000, bytes: 1 << 30, age_ms: u64::MAX };

/// The most days that can be asked for: ten thousand years are as good as for ever.
const MOST_DAYS: u64 = 3_652_425;

const DAY_MS: u64 = 24 * 60 * 60 * 1000;

/// What can be done with a history.
#[derive(Clone, Debug, Subcommand)]
pub(super) enum Task {
    /// Write everything to stdout, one JSON object a line, oldest first in each room; also while a node runs
    Export(Where),
    /// Read all of it and check that it is what was written; also while a node runs
    Verify(Where),
    /// Give the space of what was let go of back to the disk
    Compact(Where),
}

/// Which history.
#[derive(Args, Clone, Debug)]
pub(super) struct Where {
    /// The file [default: history.db of the server's data directory]
    file: Option<PathBuf>,
}

/// What the options come to.
pub(super) fn of(options: &Options, default: History) -> Result<Keep, Stop> {
    let history = match options.history.as_deref() {
        None => default,
        Some("none") => History::None,
        Some("memory") => History::Memory,
        Some("") => return Err(Stop::usage("--history is empty", "none, memory or a file")),
        Some(file) => History::File(file.into()),
    };
    let days = in_range("--retain-days", options.retain_days, 1, MOST_DAYS, MOST_DAYS)?;
    let retention = Retention {
        records: in_range("--retain-records", options.retain_records, 1, u64::MAX >> 1, DEFAULT.records)?,
        bytes: in_range("--retain-bytes", options.retain_bytes, 1, u64::MAX >> 1, DEFAULT.bytes)?,
        age_ms: options.retain_days.map_or(DEFAULT.age_ms, |_| days.saturating_mul(DAY_MS)),
    };
    Ok(Keep { history, retention })
}

/// The node, with its store where it has one.
pub(super) fn stored(node: Node, settings: &Settings) -> Result<Node, Outcome> {
    let keep = match &settings.role {
        Role::Server(server) => &server.keep,
        Role::Peer(peer) => &peer.keep,
        Role::Client(client) => &client.keep,
        Role::Course(_) => return Ok(node),
    };
    let path = match &keep.history {
        History::None | History::Memory => return Ok(node),
        History::DataDirectory => settings.data_dir.join(file_for(&settings.role)),
        History::File(path) => path.clone(),
    };
    let seed = random_seed().map_err(|error| Trouble::new("system", error.to_string(), ""))?;
    let instance = seed.first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes));
    let options = store::Options { instance, relaxed: false };
    let opened = store::open(&path, options).map_err(|error| Outcome::StoreFailed(store_trouble(&error)))?;
    // Its author says it again to a server, a peer offers it again; what a client heard it has shown.
    let lenient = matches!(settings.role, Role::Client(_));
    let store::Opened { writer, reader, .. } = opened;
    Ok(node.store(Store { writer, reader, retention: keep.retention, lenient }))
}

/// A client has one for each server: their rooms are not the same for having one name.
fn file_for(role: &Role) -> String {
    let Role::Client(client) = role else { return FILE.to_owned() };
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-');
    let server = client.server.addrs.first().map_or_else(|| client.server.text.clone(), ToString::to_string);
    let server = server.chars().map(|c| if is_plain(c) { c } else { '_' });
    format!("history-{}.db", server.collect::<String>())
}

/// Why nothing can be kept, and what to do about it.
pub(super) fn store_trouble(error: &StoreError) -> Trouble {
    let (code, hint) = match error {
        StoreError::Full(_) => ("store_full", "make space, or keep it elsewhere with --history FILE"),
        StoreError::Failed { .. } => {
            ("store_failed", "is the disk all right? --history FILE keeps it elsewhere")
        }
        StoreError::InUse(_) => {
            ("store_in_use", "stop the other node, or choose another with --history FILE")
        }
        StoreError::Foreign(_) => ("store_foreign", "choose another file with --history FILE"),
        StoreError::Newer { .. } => {
            ("store_newer", "update this program, or choose another with --history FILE")
        }
        StoreError::Damaged { .. } => (
            "store_damaged",
            "nothing was changed: node history export writes out what can be read; then move the file away, or put \
             a backup in its place",
        ),
    };
    Trouble::new(code, error.to_string(), hint)
}

/// Does what can be done while no node runs.
pub(super) fn look_after(task: &Task) -> Result<Status, Stop> {
    let (Task::Export(at) | Task::Verify(at) | Task::Compact(at)) = task;
    let path = at.file.clone().map_or_else(default_file, Ok)?;
    if !path.exists() {
        let message = format!("there is no history at {}", path.display());
        return Err(Stop::usage(message, "name the file"));
    }
    let done = match task {
        Task::Export(_) => export(&path),
        Task::Verify(_) => verify(&path),
        Task::Compact(_) => compact(&path),
    };
    done.map_err(|error| Stop::Trouble(Status::StoreFailed, store_trouble(&error)))
}

fn default_file() -> Result<PathBuf, Stop> {
    let home = Xdg::new().map_err(|_| Stop::usage("there is no home directory", "name the file"))?;
    Ok(home.data_dir().join("sayagain").join("server").join(FILE))
}

fn export(path: &Path) -> Result<Status, StoreError> {
    let mut out = io::BufWriter::new(io::stdout().lock());
    match store::export(path, &mut out) {
        Ok(_) => {}
        Err(ExportError::Store(error)) => return Err(error),
        // `| head` is no failure.
        Err(ExportError::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => {}
        Err(ExportError::Output(error)) => {
            return Err(StoreError::Failed { path: "stdout".into(), what: error.to_string() });
        }
    }
    let _ = out.flush();
    Ok(Status::Done)
}

fn verify(path: &Path) -> Result<Status, StoreError> {
    let verified = store::verify(path)?;
    let mut lines = String::new();
    for room in &verified.rooms {
        let name = room.id.public().map_or_else(|| "(private)".to_owned(), ToString::to_string);
        let store::VerifiedRoom { records, arrivals, bytes, logs, .. } = room;
        let _ = writeln!(lines, "{name}: {records} of {arrivals} records kept, {bytes} bytes, {logs} logs");
    }
    let _ = write!(lines, "{} is as it was written", path.display());
    Ok(answer(lines))
}

fn compact(path: &Path) -> Result<Status, StoreError> {
    let store::Compacted { before, after } = store::compact(path)?;
    Ok(answer(format!("{}: {before} bytes before, {after} after", path.display())))
}

fn answer(text: String) -> Status {
    Stop::Answer(text).report()
}
