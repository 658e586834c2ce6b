//! The one loop that runs a topology over transports.

use tokio::sync::{mpsc, oneshot};

use crate::app::{Command, Event, Outcome};

/// Commands that wait for the driver.
pub const COMMAND_QUEUE: usize = 64;

/// Events that wait for a front end. When it is full the driver takes no more from the network, so
/// a front end that does not read slows its own node and loses nothing.
pub const EVENT_QUEUE: usize = 1024;

/// The node has stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the node has stopped")]
pub struct NodeStopped;

/// A running node, as its front ends see it.
#[derive(Clone, Debug)]
pub struct NodeHandle {
    commands: mpsc::Sender<Command>,
}

impl NodeHandle {
    /// Asks something of the node; waits while it cannot take more (far behind with sending).
    ///
    /// # Errors
    /// [`NodeStopped`] after its end.
    pub async fn command(&self, command: Command) -> Result<(), NodeStopped> {
        self.commands.send(command).await.map_err(|_| NodeStopped)
    }
}

/// What happens at a node, in order, until [`Events::next`] yields `None`.
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

/// The end of a node's life.
#[derive(Debug)]
pub struct Ended {
    outcome: oneshot::Receiver<Outcome>,
}

/// A handle and its events without a node behind them; the caller plays the node.
#[cfg(test)]
pub(crate) fn unplugged(
    commands: usize,
    events: usize,
) -> (NodeHandle, Events, mpsc::Receiver<Command>, mpsc::Sender<Event>) {
    let (command_sender, command_receiver) = mpsc::channel(commands);
    let (event_sender, receiver) = mpsc::channel(events);
    (NodeHandle { commands: command_sender }, Events { receiver }, command_receiver, event_sender)
}
