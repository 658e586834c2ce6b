//! One column, one workload, one link: both halves, each in its namespace, and their figures together.

use std::{env, process::Stdio, time::Duration};

use anyhow::{Context as _, Result, anyhow};
use clap::Args;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines},
    process::{Child, ChildStdin, ChildStdout, Command},
    time::timeout,
};

use crate::{
    link::Link,
    plan::{CONNECT, Plan, Workload},
    receive::{READY, Received},
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
        is_noisy: false,
    };
    if let Err(why) = cell.fill().await {
        cell.notes.push(format!("{why:#}"));
    }
    let notes = [cell.sent.note.take(), cell.received.note.take()];
    cell.notes.extend(notes.into_iter().flatten());
    Ok(cell)
}

impl Cell {
    async fn fill(&mut self) -> Result<()> {
        let slack = Duration::from_secs(10);
        let mut receiver = Half::new("receive", "NETEM_B", self)?;
        let ready = receiver.line(slack).await.context("receiver")?;
        anyhow::ensure!(ready == READY, "receiver: {ready}");
        let mut sender = Half::new("send", "NETEM_A", self)?;
        let line = sender.line(CONNECT + slack).await.context("sender")?;
        let begin: Begin = serde_json::from_str(&line)?;
        self.connected = begin.connected;
        self.whole_ns = begin.counted_to - begin.start;
        receiver.say(&line).await?;
        let all = Duration::from_nanos(self.whole_ns) + self.plan.drain + slack;
        self.received = receiver.json(all).await.context("receiver")?;
        sender.say("end").await?;
        self.sent = sender.json(all).await.context("sender")?;
        Ok(())
    }
}

/// One of the two processes. It does not outlive this.
struct Half {
    _child: Child,
    stdin: ChildStdin,
    stdout: Lines<BufReader<ChildStdout>>,
}

impl Half {
    fn new(which: &str, namespace: &str, cell: &Cell) -> Result<Self> {
        let var =
            |name: &str| env::var(name).map_err(|_| anyhow!("no {name}: this runs inside netem/run.sh"));
        let lab = env::current_exe()?;
        let (mut command, host) = if cell.link.is_loopback() {
            (Command::new(lab), "127.0.0.1".to_owned())
        } else {
            let mut enter = Command::new("ip");
            enter.args(["netns", "exec", &var(namespace)?]).arg(lab);
            (enter, var("NETEM_ADDR_B")?)
        };
        let mut child = command
            .args([which, "--plan", &serde_json::to_string(&cell.plan)?])
            .args(["--addr", &format!("{host}:4224")])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let stdin = child.stdin.take().context("it is piped")?;
        let stdout = BufReader::new(child.stdout.take().context("it is piped")?).lines();
        Ok(Self { _child: child, stdin, stdout })
    }

    async fn say(&mut self, line: &str) -> Result<()> {
        self.stdin.write_all(format!("{line}\n").as_bytes()).await?;
        Ok(())
    }

    async fn line(&mut self, patience: Duration) -> Result<String> {
        let line = timeout(patience, self.stdout.next_line()).await.context("it hangs")??;
        line.context("it died")
    }

    async fn json<T: DeserializeOwned>(&mut self, patience: Duration) -> Result<T> {
        Ok(serde_json::from_str(&self.line(patience).await?)?)
    }
}
