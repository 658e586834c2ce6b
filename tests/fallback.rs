//! Clients that do not know whether UDP gets through, played over memory.

#![expect(clippy::unwrap_used, reason = "what a test cannot do fails it")]

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use sayagain::{
    app::{Event, LinkState, Outcome},
    node::{Ended, Events, Node, NodeHandle},
    transport::{MemoryNetwork, MemoryTransport, Transport},
    wire::{Addr, Scheme},
};
use tokio::time::Instant;

const SERVER: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
const CLIENT: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 2);
const AT: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(SERVER), 4224);

/// A network each for what is called UDP and TCP here.
struct Venue {
    udp: MemoryNetwork,
    tcp: MemoryNetwork,
}

impl Venue {
    fn new() -> Self {
        Self { udp: MemoryNetwork::new(), tcp: MemoryNetwork::new() }
    }

    fn equip(&self, node: Node, host: Ipv4Addr) -> Node {
        let on = |network: &MemoryNetwork| -> Arc<dyn Transport> {
            Arc::new(MemoryTransport::new(network.clone(), host.into(), None))
        };
        node.transport(Scheme::Udp, on(&self.udp)).transport(Scheme::Tcp, on(&self.tcp))
    }

    async fn server(&self, schemes: &[Scheme]) -> (NodeHandle, Events, Ended) {
        let listening = |node: Node, scheme: &Scheme| node.listen(Addr::new(*scheme, AT));
        let node = schemes.iter().fold(self.equip(Node::server(), SERVER), listening);
        node.start().await.unwrap()
    }

    async fn client(&self) -> (NodeHandle, Events, Ended) {
        let node = Node::client_at([Addr::new(Scheme::Udp, AT)]).fall_back(Some(Scheme::Tcp));
        self.equip(node, CLIENT).start().await.unwrap()
    }
}

/// The transport of the link, and how long it took.
async fn linked(events: &mut Events) -> (&'static str, Duration) {
    let began = Instant::now();
    loop {
        if let Event::Link { transport, state: LinkState::Up, .. } = events.next().await.unwrap() {
            return (transport, began.elapsed());
        }
    }
}

#[tokio::test(start_paused = true)]
async fn does_a_client_reach_its_server_over_udp_where_it_can() {
    let venue = Venue::new();
    let _server = venue.server(&[Scheme::Tcp, Scheme::Udp]).await;
    let (_node, mut events, _ended) = venue.client().await;
    let (transport, after) = linked(&mut events).await;
    assert_eq!(transport, "udp");
    assert!(after < Duration::from_secs(1), "{after:?}");
}

#[tokio::test(start_paused = true)]
async fn does_a_client_reach_its_server_over_tcp_where_udp_is_blocked() {
    let venue = Venue::new();
    let _server = venue.server(&[Scheme::Tcp, Scheme::Udp]).await;
    venue.udp.partition(SERVER.into(), CLIENT.into());
    let (_node, mut events, _ended) = venue.client().await;
    let (transport, after) = linked(&mut events).await;
    assert_eq!(transport, "tcp");
    assert!(after < Duration::from_secs(6), "{after:?}");
}

#[tokio::test(start_paused = true)]
async fn does_a_client_reach_a_server_that_has_only_one_of_them() {
    for (scheme, name) in [(Scheme::Tcp, "tcp"), (Scheme::Udp, "udp")] {
        let venue = Venue::new();
        let _server = venue.server(&[scheme]).await;
        let (_node, mut events, _ended) = venue.client().await;
        let (transport, after) = linked(&mut events).await;
        assert_eq!(transport, name);
        assert!(after < Duration::from_secs(1), "{after:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn is_a_server_that_has_neither_unreachable() {
    let venue = Venue::new();
    let (_node, _events, ended) = venue.client().await;
    let Outcome::Unreachable(trouble) = ended.outcome().await else { panic!("it was reached") };
    assert_eq!(trouble.message, format!("nothing listens on tcp {AT}"));
}
