//! The receiving half.

use std::net::SocketAddr;

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt as _, BufReader, stdin};

use crate::{
    arrivals::{Arrivals, Tally},
    clock::{self, Alarm},
    columns,
    plan::Plan,
    send::Begin,
    spent::Spent,
};

/// What the receiver says when it listens.
pub(crate) const READY: &str = "ready";

/// What it says in the end.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Received {
    pub(crate) spent: Spent,
    pub(crate) tally: Tally,
    pub(crate) note: Option<String>,
}

pub(crate) async fn run(plan: Plan, at: SocketAddr) -> Result<()> {
    let column = columns::by_name(&plan.column)?;
    let arrivals = Arrivals::new(&plan);
    let listening = column.listen(at, arrivals.clone()).await.context("listen")?;
    println!("{READY}");
    let watched = watch(&plan, &arrivals);
    let received = tokio::select! {
        received = watched => received?,
        why = listening => Received {
            note: Some(format!("receiver: {:#}", why.err().unwrap_or_else(|| anyhow::anyhow!("it ended")))),
            tally: arrivals.tally(),
            ..Received::default()
        },
    };
    println!("{}", serde_json::to_string(&received)?);
    Ok(())
}

async fn watch(plan: &Plan, arrivals: &Arrivals) -> Result<Received> {
    let mut line = String::new();
    BufReader::new(stdin()).read_line(&mut line).await?;
    let begin: Begin = serde_json::from_str(&line)?;
    arrivals.begin(begin);
    let alarm = Alarm::new()?;
    alarm.wait(begin.counted_from).await?;
    let before = Spent::now();
    alarm.wait(begin.counted_to).await?;
    if plan.expected() > 0 {
        tokio::select! {
            () = arrivals.complete() => {}
            over = alarm.wait(begin.counted_to + clock::nanos(plan.drain)) => over?,
        }
    }
    Ok(Received { spent: Spent::now() - before, tally: arrivals.tally(), note: None })
}
