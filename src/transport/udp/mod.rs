//! Links over reliable UDP of our own: sealed datagrams, our own acknowledgement and retransmission.
//! What the bytes mean is the pure protocol's, in [`proto`]; here are its socket, its keys and its task.

mod bridge;
mod crypto;
mod driver;
mod impaired;
pub mod proto;
mod socket;

use std::{
    fmt, io,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::{Arc, Mutex, PoisonError},
};

use async_trait::async_trait;
use rand::{TryRng as _, rngs::SysRng};
use tokio::sync::{mpsc, oneshot, watch};

pub use self::crypto::TlsHandshaker;
use self::{
    bridge::Ready,
    driver::{Call, Driver, now},
    impaired::Impaired,
    proto::{Algorithm, Config, Endpoint, Handshaker, PlainHandshaker},
    socket::{MAX_DATAGRAM, Socket},
};
use super::{Link, LinkError, Listener, Security, Transport, impair::Impairment};

/// Links of one listener that wait to be accepted; one more is ended.
const BACKLOG: usize = 1024;

/// Dials that wait for the socket's task.
const CALL_QUEUE: usize = 64;

/// What is derived from the node's key for a socket that listens; the address follows.
const RESET_PURPOSE: &[u8] = b"sayagain/1 resets of ";

/// Links over UDP.
pub struct UdpTransport {
    security: Security,
    config: Arc<Config>,
    /// What is done to the datagrams this node sends.
    impairment: Option<Impairment>,
    /// The tasks that dial, one for each family of addresses.
    dialing: Mutex<[Option<mpsc::Sender<Call>>; 2]>,
    /// Links that have not ended at both sides.
    open: Arc<watch::Sender<usize>>,
}

impl UdpTransport {
    /// A transport that dials and listens with one kind of security.
    pub fn new(security: Security) -> Self {
        Self {
            security,
            config: Arc::new(Config { max_datagram: MAX_DATAGRAM, ..Config::default() }),
            impairment: None,
            dialing: Mutex::default(),
            open: Arc::default(),
        }
    }

    /// Treats the datagrams that this node sends like a bad line, alike for equal seeds. What it dials goes
    /// the profile's way forth, what it listens for the way back.
    #[must_use]
    pub fn impaired(mut self, impairment: Option<Impairment>) -> Self {
        self.impairment = impairment;
        self
    }

    /// Decides otherwise than by default how much may be in flight.
    #[must_use]
    pub fn congestion(mut self, algorithm: Algorithm) -> Self {
        Arc::make_mut(&mut self.config).congestion = algorithm;
        self
    }

    fn handshaker(&self) -> Result<Arc<dyn Handshaker>, String> {
        match &self.security {
            Security::Insecure => Ok(Arc::new(PlainHandshaker)),
            Security::Tls(keys) => Ok(Arc::new(TlsHandshaker::new(keys).map_err(|error| error.to_string())?)),
        }
    }

    /// Opens a socket and starts its task.
    fn start(
        &self,
        addr: SocketAddr,
        links: Option<mpsc::Sender<Link>>,
    ) -> io::Result<(SocketAddr, mpsc::Sender<Call>, Arc<Ready>)> {
        let handshaker = self.handshaker().map_err(io::Error::other)?;
        self.start_shaking_by(handshaker, addr, links)
    }

    fn start_shaking_by(
        &self,
        handshaker: Arc<dyn Handshaker>,
        addr: SocketAddr,
        links: Option<mpsc::Sender<Link>>,
    ) -> io::Result<(SocketAddr, mpsc::Sender<Call>, Arc<Ready>)> {
        let socket = Socket::bind(addr)?;
        let local = socket.local_addr();
        let secret = self.reset_secret(links.is_some().then_some(local))?;
        let seed = random()?;
        let mut endpoint = Endpoint::new(self.config.clone(), handshaker, &secret, seed, now());
        endpoint.accept(links.is_some());
        let (calls, call_queue) = mpsc::channel(CALL_QUEUE);
        let ready = Arc::new(Ready::new(self.open.clone()));
        let impaired = self.impairment.as_ref().map(|Impairment { profile, seed }| {
            let listens = links.is_some();
            let way = if listens { profile.back() } else { profile.forth() };
            Impaired::new(&way, seed.wrapping_add(u64::from(listens)), now())
        });
        let driver = Driver::new(socket, endpoint, impaired, call_queue, links, ready.clone());
        tokio::spawn(driver.run());
        Ok((local, calls, ready))
    }

    /// What a socket makes its connection ids and resets of. One that listens has it from the node's key, so
    /// that a node that crashed can still end the connections it forgot (RFC 9000 §10.3.2). No other socket
    /// of the node has the same, or it could be asked to reset connections of this one (§21.11). One that
    /// dials has another port after a restart, and nobody looks for it there.
    fn reset_secret(&self, listens: Option<SocketAddr>) -> io::Result<[u8; 32]> {
        match (&self.security, listens) {
            (Security::Tls(keys), Some(local)) => keys
                .derive(&[RESET_PURPOSE, local.to_string().as_bytes()])
                .map_err(|_| io::Error::other("no secret can be derived from this node's key")),
            (Security::Insecure, _) | (_, None) => random(),
        }
    }

    /// The task that dials addresses of this family, started when it is first needed.
    fn caller(&self, remote: SocketAddr) -> io::Result<mpsc::Sender<Call>> {
        let mut dialing = self.dialing.lock().unwrap_or_else(PoisonError::into_inner);
        let [v4, v6] = &mut *dialing;
        let (slot, any) = if remote.is_ipv4() {
            (v4, SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)))
        } else {
            (v6, SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0)))
        };
        if let Some(calls) = slot.as_ref().filter(|calls| !calls.is_closed()) {
            return Ok(calls.clone());
        }
        let (_, calls, _) = self.start(any, None)?;
        *slot = Some(calls.clone());
        Ok(calls)
    }
}

fn random() -> io::Result<[u8; 32]> {
    let mut bytes = [0; 32];
    SysRng.try_fill_bytes(&mut bytes).map_err(io::Error::other)?;
    Ok(bytes)
}

impl fmt::Debug for UdpTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UdpTransport").field("security", &self.security).finish_non_exhaustive()
    }
}

#[async_trait]
impl Transport for UdpTransport {
    fn name(&self) -> &'static str {
        "udp"
    }

    async fn listen(&self, addr: SocketAddr) -> io::Result<Box<dyn Listener>> {
        let (sender, links) = mpsc::channel(BACKLOG);
        let (local, calls, ready) = self.start(addr, Some(sender))?;
        Ok(Box::new(UdpListener { local, links, ready, _calls: calls }))
    }

    async fn dial(&self, addr: SocketAddr) -> Result<Link, LinkError> {
        let (answer, answered) = oneshot::channel();
        let calls = self.caller(addr)?;
        let ended = || LinkError::Lost("the socket's task has ended".to_owned());
        calls.send(Call { remote: addr, answer }).await.map_err(|_| ended())?;
        answered.await.unwrap_or_else(|_| Err(ended()))
    }

    async fn settled(&self) {
        // It cannot be closed: this transport holds it.
        let _ = self.open.subscribe().wait_for(|open| *open == 0).await;
    }
}

/// The accepting side of a UDP socket.
#[derive(Debug)]
struct UdpListener {
    local: SocketAddr,
    links: mpsc::Receiver<Link>,
    ready: Arc<Ready>,
    /// While it is held, the task runs.
    _calls: mpsc::Sender<Call>,
}

#[async_trait]
impl Listener for UdpListener {
    fn local_addr(&self) -> SocketAddr {
        self.local
    }

    async fn accept(&mut self) -> io::Result<Link> {
        self.links.recv().await.ok_or_else(|| io::Error::other("the socket's task has ended"))
    }
}

impl Drop for UdpListener {
    fn drop(&mut self) {
        self.links.close();
        self.ready.wake();
    }
}

#[cfg(test)]
mod tests;
