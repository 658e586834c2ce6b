//! One column, one workload, one link: both halves, each in its namespace, and their figures together.

use std::time::Duration;

use anyhow::{Context as _, Result};
use clap::Args;
use serde::{Deserialize, Serialize};

use crate::{
    half::{Half, PORT, SLACK, all_gone},
    kernel,
    link::Link,
    plan::{Plan, Workload},
    receive::Received,
    send::{Begin, Sent},
};

/// What to do, from the command line; what is not said follows from the link.
#[derive(Args, Clone, Debug)]
pub(crate) struct Spec {
    #[arg(long)]
    column: String,
    #[arg(long)]
    workload: Workload,
    /// Connections, each with its chat
    #[arg(long)]
    flows: Option<u32>,
    /// Lanes of one connection, for `rooms`
    #[arg(long)]
    rooms: Option<u32>,
    /// Messages a second of a flow
    #[arg(long)]
    rate: Option<f64>,
    /// Bytes of a message
    #[arg(long, default_value_t = 200)]
    bytes: usize,
    /// How long it counts
    #[arg(long, default_value_t = 10.0)]
    seconds: f64,
}

impl Spec {
    pub(crate) fn plan(&self, link: &Link) -> Plan {
        let mut plan = Plan::new(&self.column, self.workload, link, Duration::from_secs_f64(self.seconds));
        plan.bytes = self.bytes;
        plan.rate = self.rate.unwrap_or(plan.rate);
        plan.flows = self.rooms.or(self.flows).unwrap_or(plan.flows);
        plan
    }
}

/// What came out.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Cell {
    pub(crate) link: Link,
    pub(crate) plan: Plan,
    pub(crate) sent: Sent,
    pub(crate) received: Received,
    pub(crate) connected: usize,
    /// From the start of the traffic to the end of the counting.
    pub(crate) whole_ns: u64,
    pub(crate) notes: Vec<String>,
    pub(crate) kernel: String,
    /// The machine was disturbed while it ran.
    pub(crate) is_noisy: bool,
}

pub(crate) async fn run(plan: &Plan, link: &Link) -> Result<Cell> {
    let mut cell = Cell {
        link: link.clone(),
        plan: plan.clone(),
        sent: Sent::default(),
        received: Received::default(),
        connected: 0,
        whole_ns: 0,
        notes: Vec::new(),
        kernel: kernel::described(),
        is_noisy: false,
    };
    if let Err(why) = cell.fill().await {
        cell.notes.push(format!("{why:#}"));
    }
    all_gone().await;
    let notes = [cell.sent.note.take(), cell.received.note.take()];
    cell.notes.extend(notes.into_iter().flatten());
    Ok(cell)
}

impl Cell {
    async fn fill(&mut self) -> Result<()> {
        let mut receiver = Half::receiver(&self.plan, &self.link, PORT).await?;
        let (mut sender, line) = Half::sender(&self.plan, &self.link, PORT).await?;
        let begin: Begin = serde_json::from_str(&line)?;
        self.connected = begin.connected;
        self.whole_ns = begin.counted_to - begin.start;
        receiver.say(&line).await?;
        let all = Duration::from_nanos(self.whole_ns) + self.plan.drain + SLACK;
        self.received = receiver.json(all).await.context("receiver")?;
        sender.say("end").await?;
        self.sent = sender.json(all).await.context("sender")?;
        Ok(())
    }
}
