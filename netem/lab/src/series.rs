//! All cells of one link, one after the other in one kernel.

use std::{fs, path::PathBuf, time::Duration};

use anyhow::{Context as _, Result};
use clap::Args;

use crate::{
    cell::{self, Cell},
    columns::{self, RAW},
    link::Link,
    plan::{Plan, Workload},
};

#[derive(Args, Debug)]
pub(crate) struct Series {
    /// The link's profile, as given to run.sh
    #[arg(long)]
    link: PathBuf,
    /// Comma separated; else those that mean something for the workload
    #[arg(long, value_delimiter = ',')]
    columns: Vec<String>,
    #[arg(long, value_delimiter = ',', default_value = "steady,sparse,bulk,rooms,beside")]
    workloads: Vec<Workload>,
    #[arg(long, default_value_t = 3)]
    passes: u32,
    /// Messages of a cell, all passes together; from them follows how long it takes
    #[arg(long, default_value_t = 10_000)]
    messages: u32,
    /// Seconds of a cell without enough flows for that, and of bulk
    #[arg(long, default_value_t = 10.0)]
    seconds: f64,
    /// How often a pass is run again in which datagrams came late: then the machine was disturbed
    #[arg(long, default_value_t = 2)]
    retries: u32,
    /// Where the cells go: WORKLOAD-COLUMN-PASS.json in a directory of the link
    #[arg(long)]
    out: PathBuf,
}

/// Above the way's own delay, what only a disturbed machine adds to a datagram.
const NOISE_MS: f64 = 10.0;

/// Round trips that bulk is counted for at least.
const BULK_ROUND_TRIPS: f64 = 100.0;

/// How long datagrams probe before a workload that has no column of them.
const PROBE: Duration = Duration::from_secs(3);

impl Series {
    pub(crate) async fn run(&self) -> Result<()> {
        let link = Link::read(&self.link)?;
        let out = self.out.join(&link.name);
        fs::create_dir_all(&out).with_context(|| out.display().to_string())?;
        for pass in 0..self.passes {
            for &workload in &self.workloads {
                self.pass(&link, workload, pass).await?;
            }
        }
        Ok(())
    }

    /// Every column once, and all of them again where the machine was disturbed.
    async fn pass(&self, link: &Link, workload: Workload, pass: u32) -> Result<()> {
        for again in (0..=self.retries).rev() {
            let mut cells = Vec::new();
            for column in self.columns(workload, pass) {
                let plan = self.plan(&column, workload, link);
                let cell = cell::run(&plan, link).await?;
                println!("{}", cell.summary());
                cells.push(cell);
            }
            let is_noisy = cells.iter().any(|cell| cell.plan.column == RAW && cell.is_disturbed());
            for cell in cells.iter_mut().filter(|cell| cell.plan.workload == workload) {
                cell.is_noisy = is_noisy;
                self.write(cell, pass)?;
            }
            if !is_noisy {
                break;
            }
            let what = if again > 0 { "once more" } else { "and kept" };
            println!("{} {}: noisy, {what}", link.name, workload.name());
        }
        Ok(())
    }

    fn write(&self, cell: &Cell, pass: u32) -> Result<()> {
        let name = |pass| format!("{}-{}-{pass}.json", cell.plan.workload.name(), cell.plan.column);
        let directory = self.out.join(&cell.link.name);
        if pass == 0 {
            // What an earlier run measured in more passes does not belong to this one.
            let stale = (1..).map(|pass| directory.join(name(pass)));
            stale.take_while(|file| file.exists()).try_for_each(fs::remove_file)?;
        }
        let file = directory.join(name(pass));
        fs::write(&file, serde_json::to_vec(cell)?).with_context(|| file.display().to_string())
    }

    fn plan(&self, column: &str, workload: Workload, link: &Link) -> Plan {
        if column == RAW && workload.has_bulk() {
            // Nothing says how fast datagrams may be sent: here they only probe.
            return Plan::new(column, Workload::Steady, link, PROBE);
        }
        Plan::new(column, workload, link, self.counted(link, workload))
    }

    /// Long enough for the messages, and never so long that nobody waits for it.
    fn counted(&self, link: &Link, workload: Workload) -> Duration {
        let plan = Plan::new("", workload, link, Duration::ZERO);
        let per_second = f64::from(plan.flows) * plan.rate * f64::from(self.passes);
        // Rooms are about which share is late, not about the last thousandth.
        let messages = if workload == Workload::Rooms { self.messages / 2 } else { self.messages };
        let enough = if per_second > 0.0 { f64::from(messages) / per_second } else { 0.0 };
        let least = Duration::from_secs_f64(if plan.workload.has_bulk() {
            // What is under way when the counting ends was sent and not delivered.
            self.seconds.max(BULK_ROUND_TRIPS * link.rtt_ms() / 1000.0)
        } else {
            enough.min(6.0 * self.seconds)
        });
        link.whole_periods(least)
    }

    /// Rotated from pass to pass, so that none always runs first.
    fn columns(&self, workload: Workload, pass: u32) -> Vec<String> {
        let mut columns = match self.columns.as_slice() {
            [] => columns::names().map(str::to_owned).filter(|name| workload.means(name)).collect(),
            chosen => chosen.to_vec(),
        };
        let len = columns.len();
        columns.rotate_left((pass as usize * len / self.passes.max(1) as usize).min(len));
        columns
    }
}

impl Workload {
    /// Whether a column says something that its neighbours do not say already.
    fn means(self, column: &str) -> bool {
        match self {
            Self::Steady | Self::Sparse => {
                !matches!(column, "udp-cubic" | "quic-room-bbr" | "kcp-turbo-w1024")
            }
            Self::Bulk => {
                !matches!(column, "tcp-thin") && !column.contains("-room") && !column.contains("-msg")
            }
            Self::Rooms => !matches!(
                column,
                "udp-cubic" | "tcp-thin" | "quic-cubic" | "kcp" | "kcp-turbo" | "kcp-turbo-w1024"
            ),
            Self::Beside => matches!(
                column,
                "udp"
                    | "udp-cubic"
                    | "tcp"
                    | "tcp-cubic"
                    | "tcp-bbr"
                    | "quic-bbr"
                    | "quic-msg-bbr"
                    | "kcp-turbo-flush"
                    | "enet"
            ),
        }
    }
}

impl Cell {
    /// Whether datagrams took longer than the link says. A link with a queue of its own may be slow by
    /// itself.
    fn is_disturbed(&self) -> bool {
        let link = &self.link;
        let p99 = self.latency_ms(0.99);
        let has_queue = link.queue_ms.is_some() || link.queue_kbytes.is_some();
        !has_queue && p99.is_some_and(|p99| p99 > link.floor_ms() + NOISE_MS)
    }
}
