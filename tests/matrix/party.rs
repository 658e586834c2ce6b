//! Three who know each other, in either shape, over any transport.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use sayagain::{
    app::{Change, Command, Event, Outcome},
    node::{Ended, Events, Node, NodeHandle},
    transport::{MemoryNetwork, MemoryTransport, Transport},
    wire::{Addr, Scheme},
};
use tokio::time::timeout;

/// Everything is to happen well before this.
const DEADLINE: Duration = Duration::from_secs(20);

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
    ended: Ended,
    /// Heard while something else was waited for.
    waiting: Vec<Event>,
}

pub(crate) struct Party {
    guests: Vec<Guest>,
    server: Option<(NodeHandle, Ended)>,
}

/// What nodes are made with.
struct Venue {
    carrier: Carrier,
    network: Option<MemoryNetwork>,
    hosts: u8,
}

impl Venue {
    fn new(carrier: Carrier) -> Self {
        let network = match carrier {
            Carrier::Tcp | Carrier::PlainTcp | Carrier::Udp | Carrier::PlainUdp => None,
            Carrier::Memory => Some(MemoryNetwork::new()),
            Carrier::Shuffled => Some(MemoryNetwork::shuffled(7)),
        };
        Self { carrier, network, hosts: 0 }
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
        let ip = if self.network.is_some() { host } else { IpAddr::from([127, 0, 0, 1]) };
        if listens { node.listen(Addr::new(self.scheme(), SocketAddr::new(ip, 0))) } else { node }
    }
}

impl Party {
    /// Three guests in the lobby, each aware of the others.
    pub(crate) async fn gather(shape: Shape, carrier: Carrier) -> Self {
        let mut venue = Venue::new(carrier);
        let mut party = Self { guests: Vec::new(), server: None };
        let mut known = None;
        if matches!(shape, Shape::Star) {
            let (node, mut events, ended) = venue.equip(Node::server(), true).start().await.unwrap();
            known = Some(listening(&mut events, &venue).await);
            party.server = Some((node, ended));
        }
        for number in 0..3 {
            let node = match shape {
                Shape::Star => venue.equip(Node::client_at(known), false),
                Shape::Mesh => venue.equip(Node::peer(known), true),
            };
            let node = node.name(&format!("n{number}")).unwrap().room("lobby").unwrap();
            let (node, mut events, ended) = node.start().await.unwrap();
            if matches!(shape, Shape::Mesh) {
                known = Some(listening(&mut events, &venue).await);
            }
            party.guests.push(Guest { node, events, ended, waiting: Vec::new() });
            party.meet(number).await;
        }
        party
    }

    /// Waits until the newest guest and those before know of each other.
    async fn meet(&mut self, newest: usize) {
        self.event(newest, |event| matches!(event, Event::Joined { .. })).await;
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
        let mut lines = Vec::new();
        while lines.len() < count {
            let event =
                self.event(guest, |event| matches!(event, Event::Message(said) if !said.historic)).await;
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
        let Guest { events, waiting, .. } = &mut self.guests[guest];
        if let Some(index) = waiting.iter().position(&wanted) {
            return waiting.remove(index);
        }
        loop {
            let next = timeout(DEADLINE, events.next()).await;
            let Ok(Some(event)) = next else { panic!("guest {guest} never heard it; it heard {waiting:#?}") };
            if wanted(&event) {
                return event;
            }
            waiting.push(event);
        }
    }

    /// Everybody leaves in order, and nobody heard anything more.
    pub(crate) async fn end(self) {
        for (number, guest) in self.guests.into_iter().enumerate() {
            let Guest { node, mut events, ended, waiting } = guest;
            node.stop();
            let mut rest = waiting;
            while let Some(event) = timeout(DEADLINE, events.next()).await.unwrap() {
                rest.push(event);
            }
            assert_eq!(timeout(DEADLINE, ended.outcome()).await.unwrap(), Outcome::Done);
            let live = rest.iter().filter(|event| matches!(event, Event::Message(said) if !said.historic));
            assert_eq!(live.count(), 0, "guest {number} heard more: {rest:#?}");
        }
        if let Some((server, ended)) = self.server {
            server.stop();
            assert_eq!(timeout(DEADLINE, ended.outcome()).await.unwrap(), Outcome::Done);
        }
    }
}

async fn listening(events: &mut Events, venue: &Venue) -> Addr {
    match timeout(DEADLINE, events.next()).await.unwrap() {
        Some(Event::Listening { addr, .. }) => Addr::new(venue.scheme(), addr),
        other => panic!("it does not listen: {other:?}"),
    }
}
