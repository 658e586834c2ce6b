//! Links within one process, for tests and embedding. The network can be told to fail, and with a
//! seed it lets lanes overtake each other, as a transport may.

mod pipe;

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use rand::{Rng, SeedableRng, rngs::ChaCha8Rng};
use tokio::{
    sync::mpsc,
    time::{sleep, timeout},
};

use self::pipe::{Gate, pipe};
use super::{Link, LinkError, Listener, Peer, Transport, link::Cutter, outbox::Order, stream};

/// Links that wait to be accepted by one listener; a dial beyond waits.
const BACKLOG: usize = 128;

/// Listeners of one network.
const MAX_LISTENERS: usize = 4096;

/// How long a dial waits for a host that does not answer.
const DIAL_TIMEOUT: Duration = Duration::from_secs(5);

/// The first port given to who asks for any.
const FIRST_FREE_PORT: u16 = 49_152;

/// What transports of one process meet on. Clones are the same network.
#[derive(Clone, Debug, Default)]
pub struct MemoryNetwork {
    shared: Arc<Mutex<Network>>,
}

#[derive(Debug, Default)]
struct Network {
    listeners: BTreeMap<SocketAddr, Listening>,
    wires: Vec<Wire>,
    partitions: BTreeSet<[IpAddr; 2]>,
    ports_given: u16,
    chance: Option<ChaCha8Rng>,
}

/// A link from the outside.
#[derive(Debug)]
struct Wire {
    hosts: [IpAddr; 2],
    ends: [Cutter; 2],
    gate: Arc<Gate>,
}

/// Where the links of one listener go, and the key it shows.
#[derive(Clone, Debug)]
struct Listening {
    links: mpsc::Sender<Link>,
    key: Option<Bytes>,
}

impl MemoryNetwork {
    /// A network that keeps the order of each class, like TCP.
    pub fn new() -> Self {
        Self::default()
    }

    /// A network on which lanes overtake each other, by chance but alike for equal seeds. The order
    /// within a lane stays.
    pub fn shuffled(seed: u64) -> Self {
        let network = Self::default();
        network.lock().chance = Some(ChaCha8Rng::seed_from_u64(seed));
        network
    }

    /// Breaks every link between two hosts, both sides noticing at once. New ones can be made.
    pub fn cut(&self, a: IpAddr, b: IpAddr) {
        let network = self.lock();
        for end in network.between(a, b).flat_map(|wire| &wire.ends) {
            end.cut("cut");
        }
    }

    /// Lets nothing pass between two hosts: links stand still, dials get no answer.
    pub fn partition(&self, a: IpAddr, b: IpAddr) {
        let mut network = self.lock();
        network.partitions.insert(pair(a, b));
        network.between(a, b).for_each(|wire| wire.gate.shut());
    }

    /// Ends a partition; links that did not give up go on.
    pub fn heal(&self, a: IpAddr, b: IpAddr) {
        let mut network = self.lock();
        network.partitions.remove(&pair(a, b));
        network.between(a, b).for_each(|wire| wire.gate.open());
    }

    /// Who listens at `addr`; `None` when nothing from `host` gets there.
    fn listening(&self, host: IpAddr, addr: SocketAddr) -> Result<Option<Listening>, LinkError> {
        let network = self.lock();
        if network.partitions.contains(&pair(host, addr.ip())) {
            return Ok(None);
        }
        network.listeners.get(&addr).cloned().map(Some).ok_or(LinkError::NothingListens)
    }

    fn lock(&self) -> MutexGuard<'_, Network> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Network {
    fn between(&self, a: IpAddr, b: IpAddr) -> impl Iterator<Item = &Wire> {
        self.wires.iter().filter(move |wire| wire.hosts == pair(a, b))
    }

    fn free_port(&mut self, host: IpAddr) -> SocketAddr {
        loop {
            let port = FIRST_FREE_PORT + self.ports_given % (u16::MAX - FIRST_FREE_PORT);
            self.ports_given = self.ports_given.wrapping_add(1);
            let addr = SocketAddr::new(host, port);
            if !self.listeners.contains_key(&addr) {
                return addr;
            }
        }
    }

    fn child(&mut self) -> Option<ChaCha8Rng> {
        self.chance.as_mut().map(|chance| ChaCha8Rng::seed_from_u64(chance.next_u64()))
    }

    fn order(&mut self) -> Order {
        self.child().map_or(Order::ByClass, |chance| Order::Shuffled(Box::new(chance)))
    }

    /// Makes both ends of a link.
    fn connect(&mut self, near: Peer, far: Peer) -> [Link; 2] {
        self.wires.retain(|wire| !wire.ends.iter().all(Cutter::is_over));
        let hosts = pair(near.addr.ip(), far.addr.ip());
        let gate = Arc::<Gate>::default();
        let [left, right] = pipe(&gate, [self.child(), self.child()]);
        let (left_meter, right_meter) = (left.meter(), right.meter());
        let (dialed, left) = stream::spawn(left, left_meter, self.order(), far);
        let (accepted, right) = stream::spawn(right, right_meter, self.order(), near);
        self.wires.push(Wire { hosts, ends: [left, right], gate });
        [dialed, accepted]
    }
}

fn pair(a: IpAddr, b: IpAddr) -> [IpAddr; 2] {
    [a.min(b), a.max(b)]
}

/// One host on a [`MemoryNetwork`].
#[derive(Clone, Debug)]
pub struct MemoryTransport {
    network: MemoryNetwork,
    host: IpAddr,
    key: Option<Bytes>,
}

impl MemoryTransport {
    /// A transport that dials from `host` and listens there, also when asked for the loopback or the
    /// unspecified address. `key` is what the other side finds in [`Peer::key`]; nothing is proven
    /// here.
    pub fn new(network: MemoryNetwork, host: IpAddr, key: Option<Bytes>) -> Self {
        Self { network, host, key }
    }
}

#[async_trait]
impl Transport for MemoryTransport {
    fn name(&self) -> &'static str {
        "memory"
    }

    async fn listen(&self, addr: SocketAddr) -> io::Result<Box<dyn Listener>> {
        if addr.ip() != self.host && !addr.ip().is_loopback() && !addr.ip().is_unspecified() {
            return Err(io::ErrorKind::AddrNotAvailable.into());
        }
        let mut network = self.network.lock();
        let addr = match addr.port() {
            0 => network.free_port(self.host),
            port => SocketAddr::new(self.host, port),
        };
        if network.listeners.len() >= MAX_LISTENERS || network.listeners.contains_key(&addr) {
            return Err(io::ErrorKind::AddrInUse.into());
        }
        let (links, incoming) = mpsc::channel(BACKLOG);
        network.listeners.insert(addr, Listening { links, key: self.key.clone() });
        Ok(Box::new(MemoryLinks { network: self.network.clone(), addr, incoming }))
    }

    async fn dial(&self, addr: SocketAddr) -> Result<Link, LinkError> {
        let late = || LinkError::Unreachable(format!("nothing for {} s", DIAL_TIMEOUT.as_secs()));
        let Some(listener) = self.network.listening(self.host, addr)? else {
            sleep(DIAL_TIMEOUT).await;
            return Err(late());
        };
        // Waiting for a place comes first: a link that is made is already in use.
        let place = timeout(DIAL_TIMEOUT, listener.links.reserve()).await.map_err(|_| late())?;
        let place = place.map_err(|_| LinkError::NothingListens)?;
        let [dialed, accepted] = {
            let mut network = self.network.lock();
            let near = Peer { addr: network.free_port(self.host), key: self.key.clone() };
            network.connect(near, Peer { addr, key: listener.key.clone() })
        };
        place.send(accepted);
        Ok(dialed)
    }
}

/// The accepting side of a [`MemoryTransport`].
#[derive(Debug)]
struct MemoryLinks {
    network: MemoryNetwork,
    addr: SocketAddr,
    incoming: mpsc::Receiver<Link>,
}

#[async_trait]
impl Listener for MemoryLinks {
    fn local_addr(&self) -> SocketAddr {
        self.addr
    }

    async fn accept(&mut self) -> io::Result<Link> {
        self.incoming.recv().await.ok_or_else(|| io::ErrorKind::NotConnected.into())
    }
}

impl Drop for MemoryLinks {
    fn drop(&mut self) {
        self.network.lock().listeners.remove(&self.addr);
    }
}
