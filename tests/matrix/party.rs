//! People who meet, in either shape, over any transport and any kind of network.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use rand::{TryRng as _, rngs::SysRng};
use sayagain::{
    app::{Change, Command, Event, Outcome, Said},
    node::{Ended, Events, Node, NodeHandle},
    transport::{MemoryNetwork, MemoryTransport, Transport, impair::Impairment},
    wire::{Addr, Scheme},
};
use tokio::time::timeout;

/// Everything is to happen well before this, on the worst of networks too.
const DEADLINE: Duration = Duration::from_secs(60);

#[derive(Clone, Copy, Debug)]
pub(crate) enum Shape {
    Star,
    Mesh,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Carrier {
    Tcp,
    PlainTcp,
    Udp,
    PlainUdp,
    Memory,
    Shuffled,
}

struct Guest {
    node: NodeHandle,
    events: Events,
    /// `None` after it left.
    ended: Option<Ended>,
    /// Heard while something else was waited for.
    waiting: Vec<Event>,
    /// Every line, in a room or private, in the order it was shown.
    heard: Vec<Said>,
}

pub(crate) struct Party {
    shape: Shape,
    venue: Venue,
    /// The address that guests are given.
    known: Option<Addr>,
    guests: Vec<Guest>,
    server: Option<(NodeHandle, Ended)>,
}

/// What nodes are made with.
struct Venue {
    carrier: Carrier,
    network: Option<MemoryNetwork>,
    impairment: Option<Impairment>,
    hosts: u8,
}

impl Venue {
    fn new(carrier: Carrier, impairment: Option<Impairment>) -> Self {
        let network = match carrier {
            Carrier::Tcp | Carrier::PlainTcp | Carrier::Udp | Carrier::PlainUdp => None,
            Carrier::Memory => Some(MemoryNetwork::new()),
            Carrier::Shuffled => Some(MemoryNetwork::shuffled(7)),
        };
        Self { carrier, network, impairment, hosts: 0 }
    }

    const fn scheme(&self) -> Scheme {
        match self.carrier {
            Carrier::Tcp | Carrier::PlainTcp => Scheme::Tcp,
            Carrier::Udp | Carrier::PlainUdp => Scheme::Udp,
            Carrier::Memory | Carrier::Shuffled => Scheme::Memory,
        }
    }

    /// Gives a node its way into the network, and where it listens if it does.
    fn equip(&mut self, node: Node, listens: bool) -> Node {
        self.hosts += 1;
        let host = IpAddr::from([10, 0, 0, self.hosts]);
        let node = match &self.network {
            Some(network) => {
                let transport: Arc<dyn Transport> =
                    Arc::new(MemoryTransport::new(network.clone(), host, None));
                node.transport(Scheme::Memory, transport)
            }
            None => node.insecure(matches!(self.carrier, Carrier::PlainTcp | Carrier::PlainUdp)),
        };
        let seed = |of: u64| of.wrapping_mul(1000).wrapping_add(self.hosts.into());
        let line = self.impairment.clone().map(|line| Impairment { seed: seed(line.seed), ..line });
        let node = node.impaired(line);
        let ip = if self.network.is_some() { host } else { IpAddr::from([127, 0, 0, 1]) };
        if listens { node.listen(Addr::new(self.scheme(), SocketAddr::new(ip, 0))) } else { node }
    }
}

impl Party {
    /// Three guests in the lobby, each aware of the others.
    pub(crate) async fn gather(shape: Shape, carrier: Carrier) -> Self {
        Self::gather_on(shape, carrier, None).await
    }

    /// The same where each sends its datagrams over a line like this.
    pub(crate) async fn gather_on(shape: Shape, carrier: Carrier, line: Option<Impairment>) -> Self {
        let mut party = Self::open(shape, carrier, line).await;
        for number in 0..3 {
            party.admit(&format!("n{number}")).await;
            party.meet(number).await;
        }
        party
    }

    /// Nobody yet.
    pub(crate) async fn open(shape: Shape, carrier: Carrier, line: Option<Impairment>) -> Self {
        let mut venue = Venue::new(carrier, line);
        let (mut known, mut server) = (None, None);
        if matches!(shape, Shape::Star) {
            let (node, mut events, ended) = venue.equip(Node::server(), true).start().await.unwrap();
            known = Some(listening(&mut events, &venue).await);
            server = Some((node, ended));
        }
        Self { shape, venue, known, guests: Vec::new(), server }
    }

    /// Somebody comes to the lobby. The number of the new guest.
    pub(crate) async fn admit(&mut self, name: &str) -> usize {
        let node = match self.shape {
            // On a bad network the first dials may fail, and a client takes a few for an answer.
            Shape::Star => self.venue.equip(Node::client_at(self.known), false).reconnect(true),
            Shape::Mesh => self.venue.equip(Node::peer(self.known), true),
        };
        let node = node.name(name).unwrap().room("lobby").unwrap();
        let (node, mut events, ended) = node.start().await.unwrap();
        if matches!(self.shape, Shape::Mesh) {
            self.known = Some(listening(&mut events, &self.venue).await);
        }
        self.guests.push(Guest { node, events, ended: Some(ended), waiting: Vec::new(), heard: Vec::new() });
        let newest = self.guests.len() - 1;
        self.event(newest, |event| matches!(event, Event::Joined { .. })).await;
        newest
    }

    /// Waits until the newest guest and those before know of each other.
    async fn meet(&mut self, newest: usize) {
        for other in 0..newest {
            let name = format!("n{newest}");
            let came = move |event: &Event| matches!(event, Event::Presence { name: who, change: Change::Join, .. } if *who == name);
            self.event(other, came).await;
            if self.server.is_none() {
                let name = format!("n{other}");
                let there = move |event: &Event| matches!(event, Event::Presence { name: who, change: Change::Join, .. } if *who == name);
                self.event(newest, there).await;
            }
        }
    }

    pub(crate) async fn command(&self, guest: usize, command: Command) {
        self.guests[guest].node.command(command).await.unwrap();
    }

    pub(crate) async fn say(&self, guest: usize, text: &str) {
        self.command(guest, Command::Say(text.to_owned())).await;
    }

    /// The next lines that a guest hears.
    pub(crate) async fn hears(&mut self, guest: usize, count: usize) -> Vec<String> {
        self.hears_of(guest, count, |said| !said.historic).await
    }

    /// The next lines of this kind.
    pub(crate) async fn hears_of(
        &mut self,
        guest: usize,
        count: usize,
        kind: impl Fn(&Said) -> bool,
    ) -> Vec<String> {
        let mut lines = Vec::new();
        while lines.len() < count {
            let event = self.event(guest, |event| matches!(event, Event::Message(said) if kind(said))).await;
            let Event::Message(said) = event else { unreachable!() };
            lines.push(said.text);
        }
        lines
    }

    pub(crate) fn heard_private(&self, guest: usize) -> bool {
        self.guests[guest].waiting.iter().any(|event| matches!(event, Event::Private(_)))
    }

    /// The first event of a kind; what comes before it is kept for later.
    pub(crate) async fn event(&mut self, guest: usize, wanted: impl Fn(&Event) -> bool) -> Event {
        let Guest { events, waiting, heard, .. } = &mut self.guests[guest];
        if let Some(index) = waiting.iter().position(&wanted) {
            return waiting.remove(index);
        }
        loop {
            let next = timeout(DEADLINE, events.next()).await;
            let Ok(Some(event)) = next else { panic!("guest {guest} never heard it; it heard {waiting:#?}") };
            if let Event::Message(said) | Event::Private(said) = &event {
                heard.push(said.clone());
            }
            if wanted(&event) {
                return event;
            }
            waiting.push(event);
        }
    }

    /// One leaves in order, and heard nothing more.
    pub(crate) async fn leave(&mut self, guest: usize) {
        let Guest { node, events, ended, waiting, heard } = &mut self.guests[guest];
        let Some(ended) = ended.take() else { return };
        node.stop();
        while let Some(event) = timeout(DEADLINE, events.next()).await.unwrap() {
            if let Event::Message(said) | Event::Private(said) = &event {
                heard.push(said.clone());
            }
            waiting.push(event);
        }
        assert_eq!(timeout(DEADLINE, ended.outcome()).await.unwrap(), Outcome::Done);
        let live = waiting.iter().filter(|event| matches!(event, Event::Message(said) if !said.historic));
        assert_eq!(live.count(), 0, "guest {guest} heard more: {waiting:#?}");
    }

    /// Everybody leaves in order, and nobody heard anything more. What each heard in all.
    pub(crate) async fn end(mut self) -> Vec<Vec<Said>> {
        for guest in 0..self.guests.len() {
            self.leave(guest).await;
        }
        if let Some((server, ended)) = self.server {
            server.stop();
            assert_eq!(timeout(DEADLINE, ended.outcome()).await.unwrap(), Outcome::Done);
        }
        self.guests.into_iter().map(|guest| guest.heard).collect()
    }
}

/// What a bad network does depends on this alone, but for the moments at which nodes send.
pub(crate) fn seed() -> u64 {
    let told = std::env::var("SAYAGAIN_SEED").ok();
    told.map_or_else(|| SysRng.try_next_u64().unwrap(), |seed| seed.parse().unwrap())
}

async fn listening(events: &mut Events, venue: &Venue) -> Addr {
    match timeout(DEADLINE, events.next()).await.unwrap() {
        Some(Event::Listening { addr, .. }) => Addr::new(venue.scheme(), addr),
        other => panic!("it does not listen: {other:?}"),
    }
}
