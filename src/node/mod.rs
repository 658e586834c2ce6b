//! The one loop that runs a topology over transports: links, lanes, keys and clocks on one side, a
//! pure machine on the other. Only this room knows both (see ARCHITECTURE.md).

mod build;
mod clock;
mod dial;
mod driver;
mod figures;
mod files;
mod history;
mod identity;
mod lanes;
mod listen;
mod outbox;
mod pins;
mod race;
mod session;

use tokio::sync::{mpsc, oneshot, watch};

use crate::app::{Command, Event, Outcome};

pub use build::{Node, StartError};
pub use dial::{MAX_GREETING, dial_error};
pub use driver::STOP_TIMEOUT;
pub(crate) use files::numbered;
pub use files::{
    FILE_NEWS_QUEUE, FilePlace, FilePlaceError, JOBS_PER_TRANSFER, MAX_FILE_THREADS, MAX_KEPT_TRANSFERS,
    MAX_SAFE_NAME_BYTES, MAX_SAME_NAMES, MIN_FREE_BYTES, PART_PATIENCE,
};
pub use history::{KEPT_QUEUE, MAX_UNSTORED_BYTES, Store};
pub use identity::{Identity, IdentityError, random_seed};
pub use outbox::OUTBOX_CONTROL_FRAMES;
pub use pins::{MAX_PINS, Pinned, Pins};
pub use session::{HELLO_TIMEOUT, MAX_SILENT_PINGS, PING_PERIOD};

/// Commands that wait for the driver.
pub const COMMAND_QUEUE: usize = 64;

/// Events that wait for a front end, and as many again in the driver. When both are full the driver
/// takes no more from the network, so a front end that does not read slows its own node and loses
/// nothing.
pub const EVENT_QUEUE: usize = 1024;

/// What sessions and dials have to tell the driver; they wait when it is full.
pub const POST_QUEUE: usize = 1024;

/// The node has stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the node has stopped")]
pub struct NodeStopped;

/// A running node, as its front ends see it. The node stops when the last of these is dropped and
/// its topology has nothing left to do by itself, or on [`stop`](Self::stop).
#[derive(Clone, Debug)]
pub struct NodeHandle {
    commands: mpsc::Sender<Command>,
    stop: watch::Sender<bool>,
}

impl NodeHandle {
    /// Asks something of the node; waits while it cannot take more (far behind with sending).
    ///
    /// # Errors
    /// [`NodeStopped`] after its end.
    pub async fn command(&self, command: Command) -> Result<(), NodeStopped> {
        self.commands.send(command).await.map_err(|_| NodeStopped)
    }

    /// Stops the node in order, ahead of any command that waits: everybody is told, and what is queued
    /// is flushed within [`STOP_TIMEOUT`].
    pub fn stop(&self) {
        self.stop.send_replace(true);
    }
}

/// What happens at a node, in order. Read it or drop it: while it is held unread, the node stands
/// still once its queue is full.
#[derive(Debug)]
pub struct Events {
    receiver: mpsc::Receiver<Event>,
}

impl Events {
    /// The next event; `None` after the last. Cancel safe.
    pub async fn next(&mut self) -> Option<Event> {
        self.receiver.recv().await
    }
}

/// The end of a node's life, to be awaited.
#[derive(Debug)]
pub struct Ended {
    outcome: oneshot::Receiver<Outcome>,
}

impl Ended {
    /// Waits for the end of the node.
    pub async fn outcome(self) -> Outcome {
        self.outcome.await.unwrap_or(Outcome::Done)
    }
}

/// A handle and its events without a node behind them; the caller plays the node.
#[cfg(test)]
pub(crate) fn unplugged(
    commands: usize,
    events: usize,
) -> (NodeHandle, Events, mpsc::Receiver<Command>, mpsc::Sender<Event>) {
    let (command_sender, command_receiver) = mpsc::channel(commands);
    let (event_sender, receiver) = mpsc::channel(events);
    let (stop, _) = watch::channel(false);
    (NodeHandle { commands: command_sender, stop }, Events { receiver }, command_receiver, event_sender)
}
