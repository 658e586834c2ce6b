//! Many nodes that all talk at once, over real sockets with TLS: does everybody hear everything, in
//! order, once?

#![expect(clippy::unwrap_used, reason = "what a test cannot do fails it")]

use std::{collections::BTreeMap, net::SocketAddr, time::Duration};

use sayagain::{
    app::{Change, Command, Event, Said},
    node::{Ended, Events, Node, NodeHandle},
    wire::{Addr, NodeId, Scheme},
};
use tokio::{task::JoinSet, time::timeout};

/// Far longer than it takes.
const PATIENCE: Duration = Duration::from_secs(120);

/// A node that runs, and what it has heard.
struct Talker {
    handle: NodeHandle,
    events: Events,
    ended: Ended,
    /// The seq expected next of each author, who is heard in order or not at all.
    next: BTreeMap<NodeId, u64>,
    met: usize,
}

impl Talker {
    async fn start(node: Node) -> Self {
        let (handle, events, ended) = node.start().await.unwrap();
        Self { handle, events, ended, next: BTreeMap::new(), met: 0 }
    }

    async fn next(&mut self) -> Event {
        let event = timeout(PATIENCE, self.events.next()).await;
        event.expect("another event").expect("a node that still runs")
    }

    async fn addr(&mut self) -> SocketAddr {
        loop {
            if let Event::Listening { addr, .. } = self.next().await {
                return addr;
            }
        }
    }

    /// Waits until this many others were seen to be here.
    async fn meets(&mut self, others: usize) {
        while self.met < others {
            match self.next().await {
                Event::Joined { users, .. } => self.met = users.len() - 1,
                Event::Presence { change: Change::Join, .. } => self.met += 1,
                Event::Link { .. } | Event::Listening { .. } => {}
                other => panic!("{other:?} while all gather"),
            }
        }
    }

    /// Says so many lines and hears as many of each of the others.
    async fn talks(mut self, others: usize, lines: u64) -> Self {
        let handle = self.handle.clone();
        let saying = tokio::spawn(async move {
            for n in 0..lines {
                handle.command(Command::Say(format!("line {n}"))).await.unwrap();
            }
        });
        let mut missing = others as u64 * lines;
        while missing > 0 {
            match self.next().await {
                Event::Message(said) => {
                    self.hears(&said);
                    missing -= 1;
                }
                Event::Sent { .. } | Event::Link { .. } => {}
                other => panic!("{other:?} while all talk"),
            }
        }
        saying.await.unwrap();
        assert_eq!(self.next.len(), others);
        assert!(self.next.values().all(|&next| next == lines), "{:?}", self.next);
        self
    }

    fn hears(&mut self, said: &Said) {
        let next = self.next.entry(said.id).or_default();
        assert_eq!(
            (said.seq.0, said.text.as_str()),
            (*next, format!("line {next}").as_str()),
            "{}",
            said.from
        );
        assert!(!said.historic, "{said:?}");
        *next += 1;
    }

    /// Leaves, and has heard nothing more until then.
    async fn leaves(mut self) {
        self.handle.stop();
        while let Some(event) = timeout(PATIENCE, self.events.next()).await.expect("an end") {
            assert!(!matches!(event, Event::Message(_) | Event::Gap { .. } | Event::Error(_)), "{event:?}");
        }
        self.ended.outcome().await;
    }
}

async fn all_talk(talkers: Vec<Talker>, lines: u64) {
    let others = talkers.len() - 1;
    let mut talking = JoinSet::new();
    for talker in talkers {
        talking.spawn(talker.talks(others, lines));
    }
    let mut leaving = JoinSet::new();
    for talker in talking.join_all().await {
        leaving.spawn(talker.leaves());
    }
    leaving.join_all().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn do_50_clients_hear_each_other_in_order_and_once() {
    let mut server = Talker::start(Node::server()).await;
    let addr = server.addr().await;
    let mut talkers: Vec<Talker> = Vec::new();
    for n in 0..50 {
        let client = Node::client(addr).name(&format!("c{n}")).unwrap().room("lobby").unwrap();
        talkers.push(Talker::start(client).await);
    }
    for talker in &mut talkers {
        talker.meets(49).await;
    }
    all_talk(talkers, 200).await;
    server.leaves().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn do_12_peers_hear_each_other_in_order_and_once() {
    let mut talkers: Vec<Talker> = Vec::new();
    let mut given: Option<Addr> = None;
    for n in 0..12 {
        let peer = Node::peer(given).name(&format!("p{n}")).unwrap().room("lobby").unwrap();
        let mut peer = Talker::start(peer).await;
        given = Some(Addr::new(Scheme::Tcp, peer.addr().await));
        talkers.push(peer);
    }
    for talker in &mut talkers {
        talker.meets(11).await;
    }
    all_talk(talkers, 100).await;
}
