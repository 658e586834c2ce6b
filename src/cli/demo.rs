//! `demo`: a server and three people who talk over udp on a bad link, all in this process but over real
//! sockets. What each hears, and at the end how long it took and what it cost; beside it the same over tcp,
//! where the kernel can make such a link.

mod kernel;

use std::{collections::BTreeMap, time::Duration};

use tokio::{
    runtime,
    sync::mpsc,
    time::{Instant, timeout},
};

use crate::{
    app::{Change, Command, Event, LinkFigures},
    node::{Events, Node, NodeHandle},
    transport::impair::Impairment,
    ui::{Printed, Streams},
    wire::{Addr, Scheme},
};

use self::kernel::Twin;

use super::{
    impair,
    signals::{Signals, cannot_start},
    stop::{Status, Stop},
};

const PEOPLE: [&str; 3] = ["alice", "bob", "carol"];

/// The link of whoever names none.
const DEFAULT_PROFILE: &str = "lossy30";

/// Lines that each says.
const LINES: usize = 20;

/// Between two lines of one person: a lively talk.
const PAUSE: Duration = Duration::from_millis(500);

/// After the last line, for what was lost.
const PATIENCE: Duration = Duration::from_secs(30);

/// Somebody heard something.
struct Heard {
    who: usize,
    event: Event,
    at: Instant,
}

/// What came of a conversation.
struct Talk {
    latency: String,
    is_complete: bool,
    /// A line for each person's link.
    figures: Vec<String>,
}

/// Runs the demonstration; `over_tcp` is its own half of it, on a link that is bad already.
pub(super) fn run(profile: Option<&str>, over_tcp: bool) -> Result<Status, Stop> {
    let typed = profile.unwrap_or(DEFAULT_PROFILE);
    let impairment = impair::parse(typed)?;
    let runtime = runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Stop::Trouble(Status::Failed, cannot_start(&error)))?;
    runtime.block_on(async {
        let mut signals = Signals::catch().map_err(|trouble| Stop::Trouble(Status::Failed, trouble))?;
        let show = async { if over_tcp { show_tcp().await } else { show(typed, &impairment).await } };
        tokio::select! {
            status = show => status,
            () = signals.next() => Ok(Status::Done),
        }
    })
}

fn say(line: &str) {
    drop(Streams::standard(false).write(&Printed::Data(line.to_owned())));
}

async fn show(typed: &str, impairment: &Impairment) -> Result<Status, Stop> {
    say(&format!("a server and {} over udp, every datagram through {typed}", PEOPLE.join(", ")));
    let twin = Twin::start(&impairment.profile);
    say(&match &twin {
        Ok(_) => "beside it the same over tcp, where the kernel does that to every packet".to_owned(),
        Err(missing) => format!("not over tcp beside it: {missing}; netem/run.sh has a kernel that can"),
    });
    let talk = converse(Scheme::Udp, Some(impairment), say).await?;
    say("");
    talk.figures.iter().for_each(|line| say(line));
    say(&format!("udp: {}", talk.latency));
    if let Ok(twin) = twin {
        let left_out = twin.left_out.clone();
        match twin.outcome().await {
            Ok(outcome) => say(&format!("tcp: {outcome}")),
            Err(error) => say(&format!("tcp: nothing is known of it: {error}")),
        }
        if !left_out.is_empty() {
            say(&format!("     without {}, which is beyond netem", left_out.join(", ")));
        }
    }
    Ok(if talk.is_complete { Status::Done } else { Status::Failed })
}

/// Only how long it took.
async fn show_tcp() -> Result<Status, Stop> {
    let talk = converse(Scheme::Tcp, None, |_| {}).await?;
    say(&talk.latency);
    Ok(Status::Done)
}

async fn converse(
    scheme: Scheme,
    impairment: Option<&Impairment>,
    mut say: impl FnMut(&str),
) -> Result<Talk, Stop> {
    let (server, people, mut heard) = gather(scheme, impairment).await?;
    let (mut said, mut latencies, mut expected) = (BTreeMap::new(), Vec::new(), 0);
    for line in 0..LINES {
        for (who, person) in people.iter().enumerate() {
            let text = format!("line {} of {}", line + 1, PEOPLE.get(who).unwrap_or(&""));
            said.insert(text.clone(), Instant::now());
            expected += PEOPLE.len() - 1;
            // A node that is gone is missed in the count.
            let _ = person.command(Command::Say(text)).await;
            listen(&mut heard, PAUSE / PEOPLE.len() as u32, &said, &mut latencies, &mut say).await;
        }
    }
    let end = Instant::now() + PATIENCE;
    while latencies.len() < expected && Instant::now() < end {
        listen(&mut heard, PAUSE, &said, &mut latencies, &mut say).await;
    }
    let mut lines = Vec::new();
    for (who, person) in PEOPLE.iter().zip(&people) {
        let _ = person.command(Command::Stats).await;
        lines.push(format!("{who}: {}", figures(&mut heard).await));
    }
    people.iter().for_each(NodeHandle::stop);
    server.stop();
    let is_complete = latencies.len() == expected;
    Ok(Talk { latency: latency(&mut latencies, expected), is_complete, figures: lines })
}

/// The server and its people, all of them in the lobby and aware of each other.
async fn gather(
    scheme: Scheme,
    impairment: Option<&Impairment>,
) -> Result<(NodeHandle, Vec<NodeHandle>, mpsc::Receiver<Heard>), Stop> {
    let here = |port| Addr::new(scheme, ([127, 0, 0, 1], port).into());
    let (server, mut events, _) =
        Node::server().listen(here(0)).impaired(impairment.cloned()).start().await.map_err(refused)?;
    let addr = loop {
        match events.next().await {
            Some(Event::Listening { addr, .. }) => break addr,
            Some(_) => {}
            None => return Err(Stop::usage("the server of the demonstration ended", "")),
        }
    };
    tokio::spawn(async move { while events.next().await.is_some() {} });
    let (sender, mut heard) = mpsc::channel(1024);
    let mut people = Vec::new();
    for (who, name) in (0..).zip(PEOPLE) {
        let seed = |seed: u64| seed.wrapping_add(1 + who as u64);
        let line = impairment.map(|line| Impairment { seed: seed(line.seed), ..line.clone() });
        let node = Node::client_at([here(addr.port())]).impaired(line).reconnect(true);
        let named = node.name(name).and_then(|node| node.room("lobby"));
        let node = named.map_err(|bad| Stop::usage(bad.to_string(), ""))?;
        let (person, events, _) = node.start().await.map_err(refused)?;
        tokio::spawn(relay(who, events, sender.clone()));
        people.push(person);
    }
    let mut aware = 0;
    let complete = async {
        while aware < PEOPLE.len() * (PEOPLE.len() - 1) {
            match heard.recv().await {
                Some(Heard { event: Event::Joined { users, .. }, .. }) => aware += users.len() - 1,
                Some(Heard { event: Event::Presence { change: Change::Join, .. }, .. }) => aware += 1,
                Some(_) => {}
                None => break,
            }
        }
    };
    let nobody = || {
        Stop::usage(
            format!("not everybody got in within {} s", PATIENCE.as_secs()),
            "try a milder profile: node demo --impair lossy10",
        )
    };
    timeout(PATIENCE, complete).await.map_err(|_| nobody())?;
    Ok((server, people, heard))
}

fn refused(error: crate::node::StartError) -> Stop {
    Stop::usage(error.to_string(), "the demonstration needs a free port on loopback")
}

async fn relay(who: usize, mut events: Events, heard: mpsc::Sender<Heard>) {
    while let Some(event) = events.next().await {
        if heard.send(Heard { who, event, at: Instant::now() }).await.is_err() {
            return;
        }
    }
}

/// Tells for a while what is heard.
async fn listen(
    heard: &mut mpsc::Receiver<Heard>,
    time: Duration,
    said: &BTreeMap<String, Instant>,
    latencies: &mut Vec<Duration>,
    say: &mut impl FnMut(&str),
) {
    let end = Instant::now() + time;
    while let Ok(Some(Heard { who, event, at })) = tokio::time::timeout_at(end, heard.recv()).await {
        let Event::Message(message) = event else { continue };
        let Some(began) = said.get(&message.text) else { continue };
        let took = at.saturating_duration_since(*began);
        latencies.push(took);
        let who = PEOPLE.get(who).unwrap_or(&"");
        say(&format!("{who:>5} heard {:<20} after {:>4} ms", message.text, took.as_millis()));
    }
}

fn latency(latencies: &mut [Duration], expected: usize) -> String {
    latencies.sort_unstable();
    let at = |percent: usize| latencies.get((latencies.len().saturating_sub(1)) * percent / 100);
    let ms = |percent| at(percent).map_or(0, |time| time.as_millis());
    format!(
        "{} of {expected} lines arrived, half of them within {} ms, 99 of 100 within {} ms, all within {} ms",
        latencies.len(),
        ms(50),
        ms(99),
        ms(100)
    )
}

/// What a person's link to the server went through.
async fn figures(heard: &mut mpsc::Receiver<Heard>) -> String {
    let stats = async {
        loop {
            if let Heard { event: Event::Stats { links }, .. } = heard.recv().await? {
                return links.into_iter().next();
            }
        }
    };
    match timeout(Duration::from_secs(5), stats).await {
        Ok(Some(LinkFigures { path: Some(path), rtt_us, bytes_sent, .. })) => format!(
            "round trip {:.0} ms, {} packets sent ({} kB), {:.0} % lost, {} copies, {} sent again",
            rtt_us.unwrap_or(0) as f64 / 1000.0,
            path.packets_sent,
            bytes_sent / 1000,
            path.loss_percent(),
            path.copies,
            path.retransmits
        ),
        _ => "no figures".to_owned(),
    }
}
