//! One of the two processes of a flow, each in its namespace.

use std::{env, process::Stdio, time::Duration};

use anyhow::{Context as _, Result, anyhow, ensure};
use serde::de::DeserializeOwned;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines},
    process::{Child, ChildStdin, ChildStdout, Command},
    time::{sleep, timeout},
};

use crate::{
    link::Link,
    plan::{CONNECT, Plan},
    receive::READY,
};

/// What a process may take for what takes no time.
pub(crate) const SLACK: Duration = Duration::from_secs(10);

/// The port of a flow that has the link to itself.
pub(crate) const PORT: u16 = 4224;

/// It does not outlive this.
pub(crate) struct Half {
    /// Killed when this is dropped, see [`all_gone`].
    _child: Child,
    stdin: ChildStdin,
    stdout: Lines<BufReader<ChildStdout>>,
}

/// Waits until those that were dropped are gone, and their ports free: to be killed takes them no time, but a
/// moment.
pub(crate) async fn all_gone() {
    sleep(Duration::from_secs(1)).await;
}

impl Half {
    /// At the far end, once it listens.
    pub(crate) async fn receiver(plan: &Plan, link: &Link, port: u16) -> Result<Self> {
        let mut receiver = Self::new("receive", "NETEM_B", plan, link, port)?;
        let ready = receiver.line(SLACK).await.context("receiver")?;
        ensure!(ready == READY, "receiver: {ready}");
        Ok(receiver)
    }

    /// At the near end, and what it says once it is connected and sends: a `Begin`.
    pub(crate) async fn sender(plan: &Plan, link: &Link, port: u16) -> Result<(Self, String)> {
        let mut sender = Self::new("send", "NETEM_A", plan, link, port)?;
        let begin = sender.line(CONNECT + SLACK).await.context("sender")?;
        Ok((sender, begin))
    }

    fn new(which: &str, namespace: &str, plan: &Plan, link: &Link, port: u16) -> Result<Self> {
        let var =
            |name: &str| env::var(name).map_err(|_| anyhow!("no {name}: this runs inside netem/run.sh"));
        let lab = env::current_exe()?;
        let (mut command, host) = if link.is_loopback() {
            (Command::new(lab), "127.0.0.1".to_owned())
        } else {
            let mut enter = Command::new("ip");
            enter.args(["netns", "exec", &var(namespace)?]).arg(lab);
            (enter, var("NETEM_ADDR_B")?)
        };
        let mut child = command
            .args([which, "--plan", &serde_json::to_string(plan)?])
            .args(["--addr", &format!("{host}:{port}")])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let stdin = child.stdin.take().context("it is piped")?;
        let stdout = BufReader::new(child.stdout.take().context("it is piped")?).lines();
        Ok(Self { _child: child, stdin, stdout })
    }

    pub(crate) async fn say(&mut self, line: &str) -> Result<()> {
        self.stdin.write_all(format!("{line}\n").as_bytes()).await?;
        Ok(())
    }

    async fn line(&mut self, patience: Duration) -> Result<String> {
        let line = timeout(patience, self.stdout.next_line()).await.context("it hangs")??;
        line.context("it died")
    }

    pub(crate) async fn json<T: DeserializeOwned>(&mut self, patience: Duration) -> Result<T> {
        Ok(serde_json::from_str(&self.line(patience).await?)?)
    }
}
