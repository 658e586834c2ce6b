//! How links come about: dialling out, with the pin checked before a word is said, and accepting.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use bytes::Bytes;
use tokio::{
    sync::{Semaphore, mpsc, watch},
    task::JoinSet,
};
use tracing::{debug, warn};

use crate::{
    app::{DialError, LinkId, Trouble},
    transport::{Link, LinkError, Listener, Transport},
    wire::{Addr, NodeId, PublicKey, Scheme},
};

use super::{
    driver::Post,
    pins::{Pinned, Pins},
    race::{Way, race},
    session::{Fresh, NoHello, greet, run},
};

/// Accepted links that have not said hello.
pub const MAX_GREETING: usize = 256;

/// Makes links.
#[derive(Clone, Debug)]
pub(super) struct Dialer {
    pub(super) transports: BTreeMap<Scheme, Arc<dyn Transport>>,
    /// What is dialled too where another transport gets no answer.
    pub(super) fall_back: Option<Scheme>,
    /// Addresses that must always lead to the same key.
    pub(super) pinned: BTreeSet<SocketAddr>,
    pub(super) pins: Arc<Pins>,
}

impl Dialer {
    /// Dials, says hello and carries the link to its end.
    pub(super) async fn dial(self, addr: Addr, id: LinkId, hello: Bytes, posts: mpsc::Sender<Post>) {
        match self.connect(addr, id, hello).await {
            Ok((fresh, hello)) => run(fresh, hello, posts).await,
            Err(error) => {
                debug!(%addr, ?error, "the dial failed");
                let _ = posts.send(Post::DialFailed { addr, error }).await;
            }
        }
    }

    async fn connect(
        &self,
        addr: Addr,
        id: LinkId,
        hello: Bytes,
    ) -> Result<(Fresh, crate::wire::Hello), DialError> {
        let (way, link) = self.reach(addr).await?;
        let addr = Addr::new(way.scheme, addr.socket);
        self.check_pin(addr.socket, &link)?;
        let mut fresh = Fresh { id, link, transport: way.transport.name(), dialed: Some(addr), hello };
        match greet(&mut fresh).await {
            Ok(hello) => Ok((fresh, hello)),
            Err(NoHello::Version) => Err(dial_error(addr, &LinkError::Version)),
            Err(NoHello::Failed(why)) => Err(dial_error(addr, &LinkError::Lost(why))),
        }
    }

    /// A link to that address, over its transport or over the one to fall back on.
    async fn reach(&self, addr: Addr) -> Result<(Way<'_>, Link), DialError> {
        let Some(way) = self.way(addr.scheme) else {
            let message = format!("this node has no {} transport", addr.scheme);
            return Err(DialError::Unreachable(Trouble::new("usage", message, "")));
        };
        let other =
            self.fall_back.filter(|scheme| *scheme != addr.scheme).and_then(|scheme| self.way(scheme));
        let dialed = match other {
            Some(other) => race(way, other, addr.socket).await,
            None => way.dial(addr.socket).await,
        };
        dialed.map_err(|(way, error)| dial_error(Addr::new(way.scheme, addr.socket), &error))
    }

    fn way(&self, scheme: Scheme) -> Option<Way<'_>> {
        self.transports.get(&scheme).map(|transport| Way { scheme, transport: &**transport })
    }

    fn check_pin(&self, addr: SocketAddr, link: &Link) -> Result<(), DialError> {
        let key = link.peer.key.as_ref().and_then(|spki| PublicKey::from_spki(spki));
        let Some(node) = key.map(|key| NodeId::of(&key)).filter(|_| self.pinned.contains(&addr)) else {
            return Ok(());
        };
        match self.pins.check(addr, node) {
            Pinned::Same | Pinned::New => Ok(()),
            Pinned::Other(was) => {
                let (was, is) = (was.fingerprint(), node.fingerprint());
                let message = format!("the key of {addr} changed: was {was}, is {is}");
                let hint = "reinstalled, or someone in between; ask its host. Nothing was sent. \
                            If it is right, remove the line of that address from the file `pins` in the data directory";
                Err(DialError::IdentityChanged(Trouble::new("identity_changed", message, hint)))
            }
        }
    }
}

/// What people are told when a dial came to nothing.
pub fn dial_error(addr: Addr, error: &LinkError) -> DialError {
    let at = addr.socket;
    let unreachable =
        |code, message: String, hint: &str| DialError::Unreachable(Trouble::new(code, message, hint));
    let no_answer =
        |code, message: String, hint: &str| DialError::NoAnswer(Trouble::new(code, message, hint));
    match error {
        LinkError::NothingListens => unreachable(
            "nothing_listens",
            format!("nothing listens on {addr}"),
            "the server is not running or uses another port; its first line says which",
        ),
        LinkError::Unreachable(_) => no_answer(
            "unreachable",
            format!("no answer from {at}"),
            "wrong address, machine off, or a firewall that drops",
        ),
        LinkError::NotANode(answer) => unreachable(
            "not_a_node",
            format!("{at} is no sayagain node: it answered {answer:?}"),
            "that is another program; the port of the server is in its first line",
        ),
        LinkError::InsecureMismatch => DialError::Refused(Trouble::new(
            "insecure_mismatch",
            format!("one side of the link to {at} speaks plaintext and the other does not"),
            "give --insecure on both sides, on a network you trust, or on neither",
        )),
        LinkError::Version => DialError::Refused(Trouble::new(
            "version",
            format!("{at} speaks another version of the protocol"),
            "update the older of the two programs",
        )),
        LinkError::TooLong { .. } | LinkError::Handshake(_) | LinkError::Closed(_) | LinkError::Lost(_) => {
            no_answer(
                "unreachable",
                format!("the link to {at} broke before it was up: {error}"),
                "is that a sayagain node? its log (-v) may say more",
            )
        }
    }
}

/// Takes every link of a listener to its end. Strangers are bounded in number and time.
pub(super) async fn accept_all(
    mut listener: Box<dyn Listener>,
    transport: &'static str,
    hello: watch::Receiver<Bytes>,
    ids: Arc<AtomicU64>,
    posts: mpsc::Sender<Post>,
) {
    let places = Arc::new(Semaphore::new(MAX_GREETING));
    let mut sessions = JoinSet::new();
    loop {
        let Ok(place) = places.clone().acquire_owned().await else { return };
        let link = match listener.accept().await {
            Ok(link) => link,
            Err(error) => return warn!(%error, transport, "the listener failed"),
        };
        let id = LinkId(ids.fetch_add(1, Ordering::Relaxed));
        let hello = hello.borrow().clone();
        let posts = posts.clone();
        sessions.spawn(async move {
            let mut fresh = Fresh { id, link, transport, dialed: None, hello };
            let greeted = greet(&mut fresh).await;
            drop(place);
            match greeted {
                Ok(hello) => run(fresh, hello, posts).await,
                Err(error) => debug!(link = id.0, ?error, "a stranger was turned away"),
            }
        });
        while sessions.try_join_next().is_some() {}
    }
}
