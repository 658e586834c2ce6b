//! What asks the program to leave in order.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::app::Trouble;

/// SIGINT and SIGTERM, caught as long as the process lives.
#[derive(Debug)]
pub(super) struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    /// Begins to catch them.
    pub(super) fn catch() -> Result<Self, Trouble> {
        let caught = |kind| signal(kind).map_err(|error| cannot_start(&error));
        Ok(Self { interrupt: caught(SignalKind::interrupt())?, terminate: caught(SignalKind::terminate())? })
    }

    /// Waits for one of them. Cancel safe.
    pub(super) async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

/// The system has no more of what every start needs.
pub(super) fn cannot_start(error: &io::Error) -> Trouble {
    Trouble::new("system", format!("cannot start: {error}"), "")
}
