//! Two flows of bulk on one link, to see what each leaves to the other, and datagrams to see the queue they
//! make.

use std::{fs, path::PathBuf, str::FromStr, time::Duration};

use anyhow::{Context as _, Result, ensure};
use clap::Args;

use crate::{
    clock::{self, Alarm},
    columns::{self, RAW},
    half::{Half, PORT, SLACK, all_gone},
    link::Link,
    plan::{Plan, Workload},
    receive::Received,
    send::{Begin, Sent},
    shares::{Contender, Contest},
};

#[derive(Args, Debug)]
pub(crate) struct Fair {
    /// The link's profile, as given to run.sh
    #[arg(long)]
    link: PathBuf,
    /// Comma separated; each runs twice, as either of them starts first
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "udp+tcp-cubic,udp+tcp-bbr,udp-cubic+tcp-cubic,udp-cubic+tcp-bbr,udp+udp,\
            tcp-cubic+tcp-cubic,tcp-cubic+tcp-bbr"
    )]
    pairs: Vec<Pair>,
    /// How long it counts
    #[arg(long, default_value_t = 60)]
    seconds: u32,
    /// Where the figures go: LINK/fair/FIRST+SECOND.json
    #[arg(long)]
    out: PathBuf,
}

/// When the second flow starts, after the first; and when the counting does.
const SECOND_AFTER: Duration = Duration::from_secs(5);
const COUNTED_AFTER: Duration = Duration::from_secs(15);

/// Datagrams a second that see the queue: too few to be a part of it.
const PROBE_RATE: f64 = 20.0;

/// Two columns.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Pair(String, String);

impl FromStr for Pair {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        let (a, b) = text.split_once('+').context("two columns: A+B")?;
        for name in [a, b] {
            columns::by_name(name)?;
            ensure!(name != RAW, "nothing says how fast {RAW} may send");
        }
        Ok(Self(a.to_owned(), b.to_owned()))
    }
}

impl Pair {
    /// Who starts first, and who second.
    fn orders(&self) -> Vec<[&str; 2]> {
        let Self(a, b) = self;
        if a == b { vec![[a, b]] } else { vec![[a, b], [b, a]] }
    }
}

impl Fair {
    pub(crate) async fn run(&self) -> Result<()> {
        let link = Link::read(&self.link)?;
        let out = self.out.join(&link.name).join("fair");
        fs::create_dir_all(&out).with_context(|| out.display().to_string())?;
        for [first, second] in self.pairs.iter().flat_map(Pair::orders) {
            let contest = self.contest(&link, first, second).await;
            println!("{}", contest.summary());
            let file = out.join(format!("{first}+{second}.json"));
            fs::write(&file, serde_json::to_vec(&contest)?).with_context(|| file.display().to_string())?;
        }
        Ok(())
    }

    async fn contest(&self, link: &Link, first: &str, second: &str) -> Contest {
        let mut contest = Contest {
            link: link.clone(),
            flows: [first, second].map(Contender::new),
            counted_from: COUNTED_AFTER.as_secs() as usize,
            counted: self.seconds as usize,
            probe_us: Vec::new(),
            probes: 0,
            notes: Vec::new(),
        };
        if let Err(why) = self.fill(&mut contest).await {
            contest.notes.push(format!("{why:#}"));
        }
        all_gone().await;
        contest
    }

    async fn fill(&self, contest: &mut Contest) -> Result<()> {
        let [first, second, probe] = self.plans(contest);
        let mut receivers = Vec::new();
        for (plan, port) in [&first, &second, &probe].into_iter().zip(PORT..) {
            receivers.push(Half::receiver(plan, &contest.link, port).await.context(plan.column.clone())?);
        }
        let (first_sender, line) = Half::sender(&first, &contest.link, PORT).await?;
        let begin: Begin = serde_json::from_str(&line)?;
        // All of them count from the start of the first.
        for receiver in &mut receivers {
            receiver.say(&line).await?;
        }
        let (probe_sender, _) = Half::sender(&probe, &contest.link, PORT + 2).await?;
        Alarm::new()?.wait(begin.start + clock::nanos(SECOND_AFTER)).await?;
        let second = Plan { ends: Some(begin.counted_to), ..second };
        let (second_sender, _) = Half::sender(&second, &contest.link, PORT + 1).await?;

        let all = Duration::from_nanos(begin.counted_to.saturating_sub(clock::now())) + probe.drain + SLACK;
        let mut received = Vec::new();
        for receiver in &mut receivers {
            received.push(receiver.json::<Received>(all).await.context("receiver")?);
        }
        contest.notes.extend(received.iter_mut().filter_map(|received| received.note.take()));
        for mut sender in [first_sender, second_sender, probe_sender] {
            sender.say("end").await?;
            contest.notes.extend(sender.json::<Sent>(all).await.context("sender")?.note);
        }
        contest.probes = probe.expected();
        if let Some(probed) = received.pop() {
            contest.probe_us = probed.tally.latency_us;
        }
        for (flow, received) in contest.flows.iter_mut().zip(received) {
            flow.bytes_per_second = received.tally.bulk_per_second;
        }
        Ok(())
    }

    /// Of the first flow, the second one and the datagrams.
    fn plans(&self, contest: &Contest) -> [Plan; 3] {
        let [first, second] = &contest.flows;
        let counted = Duration::from_secs(self.seconds.into());
        let bulk = |column: &str, warm_up| Plan {
            warm_up,
            ..Plan::new(column, Workload::Bulk, &contest.link, counted)
        };
        let probe = Plan {
            flows: 1,
            rate: PROBE_RATE,
            warm_up: COUNTED_AFTER,
            ..Plan::new(RAW, Workload::Steady, &contest.link, counted)
        };
        [bulk(&first.column, COUNTED_AFTER), bulk(&second.column, COUNTED_AFTER - SECOND_AFTER), probe]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn either_starts_first_unless_they_are_the_same() {
        let orders = |text: &str| {
            let pair = Pair::from_str(text).unwrap();
            pair.orders().iter().map(|order| order.join(" ")).collect::<Vec<_>>()
        };
        assert_eq!(orders("udp+tcp-cubic"), ["udp tcp-cubic", "tcp-cubic udp"]);
        assert_eq!(orders("udp+udp"), ["udp udp"]);
        assert!(Pair::from_str("udp").is_err());
        assert!(Pair::from_str("udp+nobody").is_err());
        assert!(Pair::from_str("udp+raw").is_err());
    }
}
