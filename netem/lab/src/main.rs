//! Chat and bulk over bad links, this project's transports beside those that people would pick instead: one
//! harness, one clock. Runs inside `netem/run.sh`; `netem/lab.sh` does all of it. See README.md.

mod arrivals;
mod cell;
mod clock;
mod columns;
mod fair;
mod figures;
mod half;
mod kernel;
mod link;
mod message;
mod plan;
mod receive;
mod report;
mod send;
mod series;
mod shares;
mod spent;

use std::{fs, net::SocketAddr, path::PathBuf};

use anyhow::{Context as _, Result};
use clap::{Args, Parser, Subcommand};

use self::{cell::Spec, fair::Fair, link::Link, plan::Plan, report::Report, series::Series};

#[derive(Parser)]
#[command(version, about)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// One column, one workload, inside run.sh
    Cell(CellArgs),
    /// All columns and workloads of one link, one after the other, inside run.sh
    Link(Series),
    /// Pairs of flows, each beside the other on one link, inside run.sh
    Fair(Fair),
    /// The sending half of a cell, told what to do by `cell`
    #[command(hide = true)]
    Send(Half),
    /// The receiving half of a cell, told what to do by `cell`
    #[command(hide = true)]
    Receive(Half),
    /// Tables, a picture and one file of what `link` left
    Report(Report),
    /// The columns there are
    Columns,
}

#[derive(Args)]
struct CellArgs {
    #[command(flatten)]
    spec: Spec,
    /// The link's profile, as given to run.sh
    #[arg(long)]
    link: PathBuf,
    /// Where the figures go, as JSON
    #[arg(long)]
    out: Option<PathBuf>,
}

#[derive(Args)]
struct Half {
    #[arg(long)]
    addr: SocketAddr,
    #[arg(long, value_parser = Plan::from_json)]
    plan: Plan,
}

fn main() -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(run(Cli::parse().command))
}

async fn run(command: Command) -> Result<()> {
    match command {
        Command::Cell(CellArgs { spec, link, out }) => {
            let link = Link::read(&link)?;
            let cell = cell::run(&spec.plan(&link), &link).await?;
            println!("{}", cell.summary());
            if let Some(out) = out {
                fs::write(&out, serde_json::to_vec(&cell)?).with_context(|| out.display().to_string())?;
            }
            Ok(())
        }
        Command::Link(series) => series.run().await,
        Command::Fair(fair) => fair.run().await,
        Command::Send(half) => send::run(half.plan, half.addr).await,
        Command::Receive(half) => receive::run(half.plan, half.addr).await,
        Command::Report(report) => report.run(),
        Command::Columns => {
            columns::names().for_each(|name| println!("{name}"));
            Ok(())
        }
    }
}
