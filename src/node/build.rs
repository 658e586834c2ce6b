//! Putting a node together: a role, an identity, transports; then it runs.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use tokio::sync::{mpsc, oneshot, watch};

use crate::{
    app::{
        Client, ClientConfig, Event, FileRules, Hub, HubConfig, Mesh, MeshConfig, Restored, Topology,
        limits::{HISTORY_ON_JOIN, Limits},
    },
    store::StoreError,
    transport::{KeyError, Keys, Security, Transport, by_name, impair::Impairment},
    wire::{Addr, BadName, MAX_BODY_BYTES, Nick, RoomName, Scheme},
};

use super::{
    COMMAND_QUEUE, EVENT_QUEUE, Ended, Events, Identity, IdentityError, NodeHandle,
    dial::Dialer,
    driver::{Parts, run},
    files::{self, FilePlace, FilePlaceError},
    history::{Store, restore},
    listen::{Bound, bind},
    random_seed,
};

/// How long the end of input waits for delivery, unless told otherwise.
const LINGER: Duration = Duration::from_secs(60);

/// Why a node could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The identity could not be made.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// The key is not one for TLS.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The address could not be listened on.
    #[error("cannot listen on {addr}: {error}")]
    Listen {
        /// Which.
        addr: Addr,
        /// What the operating system said.
        error: io::Error,
    },
    /// The name breaks the rule.
    #[error(transparent)]
    Name(#[from] BadName),
    /// What is kept cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Files cannot be kept where they were to be.
    #[error(transparent)]
    Files(#[from] FilePlaceError),
}

#[derive(Clone, Debug)]
enum Role {
    Server,
    Client { servers: Vec<Addr> },
    Peer { peers: Vec<Addr> },
}

/// A node that is being put together.
///
/// ```no_run
/// # async fn example() -> Result<(), sayagain::node::StartError> {
/// use sayagain::node::Node;
/// let (node, mut events, ended) =
///     Node::client(([127, 0, 0, 1], 4224).into()).name("dice")?.room("games")?.start().await?;
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct Node {
    role: Role,
    identity: Option<Identity>,
    nick: Option<Nick>,
    nick_given: bool,
    rooms: Vec<RoomName>,
    listen: Vec<Addr>,
    transports: BTreeMap<Scheme, Arc<dyn Transport>>,
    fall_back: Option<Scheme>,
    insecure: bool,
    impairment: Option<Impairment>,
    limits: Limits,
    history: u16,
    reconnect: bool,
    linger: Duration,
    indoors: bool,
    announced: Vec<Event>,
    store: Option<Store>,
    file_place: Option<FilePlace>,
    file_rules: FileRules,
}

impl Node {
    /// A server. Listens on a free port of loopback unless told otherwise.
    pub fn server() -> Self {
        Self::new(Role::Server)
    }

    /// A client of the server at this address, over TCP.
    pub fn client(server: SocketAddr) -> Self {
        Self::client_at([Addr::new(Scheme::Tcp, server)])
    }

    /// A client of the server that has these addresses; they are tried in turn.
    pub fn client_at(servers: impl IntoIterator<Item = Addr>) -> Self {
        Self::new(Role::Client { servers: servers.into_iter().collect() })
    }

    /// A member of the mesh that these belong to; one is enough, none begins a mesh.
    pub fn peer(peers: impl IntoIterator<Item = Addr>) -> Self {
        Self::new(Role::Peer { peers: peers.into_iter().collect() })
    }

    fn new(role: Role) -> Self {
        Self {
            role,
            identity: None,
            nick: None,
            nick_given: false,
            rooms: Vec::new(),
            listen: Vec::new(),
            transports: BTreeMap::new(),
            fall_back: None,
            insecure: false,
            impairment: None,
            limits: Limits::default(),
            history: HISTORY_ON_JOIN,
            reconnect: false,
            linger: LINGER,
            indoors: false,
            announced: Vec::new(),
            store: None,
            file_place: None,
            file_rules: FileRules::default(),
        }
    }

    /// The identity; without one the node has a new key that dies with it.
    #[must_use]
    pub fn identity(mut self, identity: Identity) -> Self {
        self.identity = Some(identity);
        self
    }

    /// The name, and nothing else if it is taken.
    ///
    /// # Errors
    /// [`BadName`] if it breaks the rule of names.
    pub fn name(self, name: &str) -> Result<Self, BadName> {
        Ok(self.insist_on_name(name.parse()?))
    }

    /// The name, and nothing else if it is taken.
    #[must_use]
    pub fn insist_on_name(mut self, nick: Nick) -> Self {
        self.nick = Some(nick);
        self.nick_given = true;
        self
    }

    /// A name that may get a number behind it if it is taken.
    #[must_use]
    pub fn suggest_name(mut self, nick: Nick) -> Self {
        self.nick = Some(nick);
        self.nick_given = false;
        self
    }

    /// A room to join at the start; the first is the current one.
    ///
    /// # Errors
    /// [`BadName`] if it breaks the rule of names.
    pub fn room(mut self, room: &str) -> Result<Self, BadName> {
        self.rooms.push(room.parse()?);
        Ok(self)
    }

    /// Rooms to join at the start; the first is the current one.
    #[must_use]
    pub fn rooms(mut self, rooms: impl IntoIterator<Item = RoomName>) -> Self {
        self.rooms.extend(rooms);
        self
    }

    /// Another address to listen on; port 0 picks a free one, the same for transports that listen on the
    /// same IP address.
    #[must_use]
    pub fn listen(mut self, addr: Addr) -> Self {
        self.listen.push(addr);
        self
    }

    /// Uses this transport for addresses of `scheme` instead of our own.
    #[must_use]
    pub fn transport(mut self, scheme: Scheme, transport: Arc<dyn Transport>) -> Self {
        self.transports.insert(scheme, transport);
        self
    }

    /// Dials over `scheme` too, to the same address and port, when a dial over another transport has no link
    /// after a second: for networks that let UDP through, or do not. The other transport wins if it has a
    /// link within five seconds.
    #[must_use]
    pub const fn fall_back(mut self, scheme: Option<Scheme>) -> Self {
        self.fall_back = scheme;
        self
    }

    /// Plaintext instead of TLS; the other end must want the same.
    #[must_use]
    pub const fn insecure(mut self, insecure: bool) -> Self {
        self.insecure = insecure;
        self
    }

    /// Treats the datagrams that the node sends like a bad line, where its transport sends datagrams.
    #[must_use]
    pub fn impaired(mut self, impairment: Option<Impairment>) -> Self {
        self.impairment = impairment;
        self
    }

    /// What the node can take; a message no longer than [`MAX_BODY_BYTES`].
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        let max_message_bytes = limits.max_message_bytes.min(MAX_BODY_BYTES);
        self.limits = Limits { max_message_bytes, ..limits };
        self
    }

    /// How many lines from before are shown on joining; 0 also shows none to others.
    #[must_use]
    pub const fn history(mut self, lines: u16) -> Self {
        self.history = lines;
        self
    }

    /// Keeps what is said, and goes on where the store was left.
    #[must_use]
    pub fn store(mut self, store: Store) -> Self {
        self.store = Some(store);
        self
    }

    /// Sends files, and takes those that `rules` let in. A node without a place for them does neither.
    #[must_use]
    pub fn files(mut self, place: FilePlace, rules: FileRules) -> Self {
        self.file_place = Some(place);
        self.file_rules = rules;
        self
    }

    /// Whether a client also redials a server that cannot be reached at first or that shut down.
    #[must_use]
    pub const fn reconnect(mut self, reconnect: bool) -> Self {
        self.reconnect = reconnect;
        self
    }

    /// How long the end of input waits for delivery.
    #[must_use]
    pub const fn linger(mut self, linger: Duration) -> Self {
        self.linger = linger;
        self
    }

    /// Takes links from within this process at `addr` of `transport`, of which nobody is told: for the
    /// guests of doors.
    #[must_use]
    pub fn indoors(mut self, addr: SocketAddr, transport: Arc<dyn Transport>) -> Self {
        self.indoors = true;
        self.listen(Addr::new(Scheme::Memory, addr)).transport(Scheme::Memory, transport)
    }

    /// Another way in that somebody else holds open: people are told of it after the node's own listeners.
    #[must_use]
    pub fn announce(mut self, event: Event) -> Self {
        self.announced.push(event);
        self
    }

    /// Starts the node on the current runtime. Its listeners are up when this returns.
    ///
    /// # Errors
    /// See [`StartError`].
    pub async fn start(mut self) -> Result<(NodeHandle, Events, Ended), StartError> {
        let identity = match self.identity.take() {
            Some(identity) => identity,
            None => Identity::ephemeral()?,
        };
        let wanted = self.to_listen();
        self.add_transports(&wanted, &identity)?;
        let bound = bind(&self.transports, &wanted).await?;
        let dialer = Dialer {
            transports: self.transports.clone(),
            fall_back: self.fall_back,
            pinned: self.pinned(),
            pins: identity.pins.clone(),
        };
        let store = match self.store.take() {
            Some(store) => Some(begin(store).await?),
            None => None,
        };
        let files = match self.file_place.take() {
            Some(place) => Some(files::begin(place).await?),
            None => None,
        };
        let (indoors, announced) = (self.indoors, std::mem::take(&mut self.announced));
        let topology = self.topology(&identity, bound.iter().map(Bound::addr).collect())?;
        let (commands, command_queue) = mpsc::channel(COMMAND_QUEUE);
        let (stop, stopped) = watch::channel(false);
        let (events, event_queue) = mpsc::channel::<Event>(EVENT_QUEUE);
        let (outcome, ended) = oneshot::channel();
        let parts = Parts {
            topology,
            dialer,
            opened: opened(&bound, indoors, announced),
            listeners: bound.into_iter().map(|bound| (bound.transport, bound.listener)).collect(),
            commands: command_queue,
            stop: stopped,
            events,
            outcome,
            store,
            files,
        };
        // The identity lives as long as the node: with it the lock on its directory.
        tokio::spawn(async move {
            run(parts).await;
            drop(identity);
        });
        Ok((NodeHandle { commands, stop }, Events { receiver: event_queue }, Ended { outcome: ended }))
    }

    /// What is listened on: where nobody said, a free port of loopback.
    fn to_listen(&self) -> Vec<Addr> {
        match (&self.role, self.listen.is_empty()) {
            (Role::Client { .. }, _) => Vec::new(),
            (_, true) => vec![Addr::new(Scheme::Tcp, SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))],
            (_, false) => self.listen.clone(),
        }
    }

    /// Our own transports, where an address needs one and nobody gave another for it.
    fn add_transports(&mut self, listen: &[Addr], identity: &Identity) -> Result<(), KeyError> {
        let dialed = match &self.role {
            Role::Server => [].as_slice(),
            Role::Client { servers: addrs } | Role::Peer { peers: addrs } => addrs,
        };
        let needed = dialed.iter().chain(listen).map(|addr| addr.scheme).chain(self.fall_back);
        let missing: BTreeSet<Scheme> =
            needed.filter(|scheme| !self.transports.contains_key(scheme)).collect();
        let security = if self.insecure {
            Security::Insecure
        } else {
            Security::Tls(Keys::from_pkcs8(&identity.key.to_pkcs8())?)
        };
        for scheme in missing {
            if let Some(transport) = by_name(scheme.as_str(), security.clone(), self.impairment.clone()) {
                self.transports.insert(scheme, transport);
            }
        }
        Ok(())
    }

    /// A server must always be the one that it was. Of peers only those on other machines: on one
    /// machine a port is whoever took it today.
    fn pinned(&self) -> BTreeSet<SocketAddr> {
        match &self.role {
            Role::Server => BTreeSet::new(),
            Role::Client { servers } => servers.iter().map(|server| server.socket).collect(),
            Role::Peer { peers } => {
                peers.iter().map(|peer| peer.socket).filter(|socket| !socket.ip().is_loopback()).collect()
            }
        }
    }

    fn topology(self, identity: &Identity, listen: Vec<Addr>) -> Result<Box<dyn Topology>, StartError> {
        let seed = random_seed()?;
        let nick = match self.nick {
            Some(nick) => nick,
            None => format!("node-{}", identity.node().tag()).parse()?,
        };
        Ok(match self.role {
            Role::Server => Box::new(Hub::new(HubConfig {
                key: identity.key.public(),
                nick,
                epoch: identity.epoch,
                limits: self.limits,
                history: self.history > 0,
            })),
            Role::Client { servers } => Box::new(Client::new(ClientConfig {
                key: identity.key.public(),
                nick,
                nick_given: self.nick_given,
                epoch: identity.epoch,
                servers,
                rooms: self.rooms,
                reconnect: self.reconnect,
                linger: self.linger,
                history: self.history,
                files: self.file_rules.clone(),
                seed,
            })),
            Role::Peer { peers } => Box::new(Mesh::new(MeshConfig {
                key: identity.key.clone(),
                nick,
                epoch: identity.epoch,
                listen,
                peers,
                rooms: self.rooms,
                max_message_bytes: self.limits.max_message_bytes,
                history: self.history,
                files: self.file_rules.clone(),
                linger: self.linger,
                seed,
            })),
        })
    }
}

/// Reads what a store has.
async fn begin(mut store: Store) -> Result<(Store, Restored), StartError> {
    let begun = tokio::task::spawn_blocking(move || {
        let restored = restore(&mut store)?;
        Ok((store, restored))
    });
    begun
        .await
        .map_err(|error| StartError::Store(StoreError::Failed { path: "".into(), what: error.to_string() }))?
}

/// What people are told of the ways in.
fn opened(bound: &[Bound], indoors: bool, announced: Vec<Event>) -> Vec<Event> {
    let open = bound.iter().filter(|bound| !indoors || bound.scheme != Scheme::Memory);
    let listening =
        open.map(|bound| Event::Listening { transport: bound.transport, addr: bound.listener.local_addr() });
    listening.chain(announced).collect()
}
