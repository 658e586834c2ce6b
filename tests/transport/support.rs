//! Two nodes on each transport, and what the questions need to ask.

use std::{
    future::Future,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    task::Poll,
    time::Duration,
};

use bytes::Bytes;
use sayagain::transport::{
    CloseCode, CloseReason, Keys, Lane, Link, LinkRx, LinkTx, Listener, MemoryNetwork, MemoryTransport,
    Security, TcpTransport, Transport, UdpTransport,
};

pub(crate) const LOOPBACK: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// Longer than anything but a failure takes.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Two nodes that can reach each other.
pub(crate) struct Net {
    pub(crate) dialer: Box<dyn Transport>,
    pub(crate) listener: Box<dyn Transport>,
    /// The keys of dialer and listener, where links prove them.
    pub(crate) keys: Option<[Bytes; 2]>,
    /// Whether a higher class overtakes a lower one.
    pub(crate) keeps_priority: bool,
}

impl Net {
    pub(crate) fn tcp() -> Self {
        let (ours, theirs) = (keys(1), keys(2));
        let spki = [ours.spki().clone(), theirs.spki().clone()];
        let [dialer, listener] = [ours, theirs].map(|keys| tcp(Security::Tls(keys)));
        Self { dialer, listener, keys: Some(spki), keeps_priority: true }
    }

    pub(crate) fn tcp_insecure() -> Self {
        let (dialer, listener) = (tcp(Security::Insecure), tcp(Security::Insecure));
        Self { dialer, listener, keys: None, keeps_priority: true }
    }

    pub(crate) fn udp() -> Self {
        let (ours, theirs) = (keys(1), keys(2));
        let spki = [ours.spki().clone(), theirs.spki().clone()];
        let [dialer, listener] = [ours, theirs].map(|keys| udp(Security::Tls(keys)));
        Self { dialer, listener, keys: Some(spki), keeps_priority: true }
    }

    pub(crate) fn udp_insecure() -> Self {
        let (dialer, listener) = (udp(Security::Insecure), udp(Security::Insecure));
        Self { dialer, listener, keys: None, keeps_priority: true }
    }

    pub(crate) fn memory() -> Self {
        Self { keeps_priority: true, ..Self::on(MemoryNetwork::new()) }
    }

    pub(crate) fn memory_shuffled(seed: u64) -> Self {
        Self::on(MemoryNetwork::shuffled(seed))
    }

    fn on(network: MemoryNetwork) -> Self {
        let spki = [keys(1).spki().clone(), keys(2).spki().clone()];
        let host = |key: &Bytes| -> Box<dyn Transport> {
            Box::new(MemoryTransport::new(network.clone(), LOOPBACK.ip(), Some(key.clone())))
        };
        let (dialer, listener) = (host(&spki[0]), host(&spki[1]));
        Self { dialer, listener, keys: Some(spki), keeps_priority: false }
    }

    /// Two ends of one link, and the listener it came by.
    pub(crate) async fn link(&self) -> (Link, Link, Box<dyn Listener>) {
        let mut listener = self.listener.listen(LOOPBACK).await.unwrap();
        let (dialed, accepted) = self.link_to(listener.as_mut()).await;
        (dialed, accepted, listener)
    }

    pub(crate) async fn link_to(&self, listener: &mut dyn Listener) -> (Link, Link) {
        let addr = listener.local_addr();
        let (dialed, accepted) = tokio::join!(self.dialer.dial(addr), listener.accept());
        (dialed.unwrap(), accepted.unwrap())
    }
}

fn tcp(security: Security) -> Box<dyn Transport> {
    Box::new(TcpTransport::new(security))
}

fn udp(security: Security) -> Box<dyn Transport> {
    Box::new(UdpTransport::new(security))
}

/// A key that is the same in every run.
pub(crate) fn keys(seed: u8) -> Keys {
    const PKCS8: [u8; 16] =
        [0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];
    Keys::from_pkcs8(&[PKCS8.as_slice(), &[seed; 32]].concat()).unwrap()
}

/// A message that starts with its number.
pub(crate) fn numbered(number: u32, len: usize) -> Bytes {
    let mut message = number.to_be_bytes().to_vec();
    message.resize(len.max(4), number as u8);
    message.into()
}

pub(crate) fn number(message: &Bytes) -> u32 {
    u32::from_be_bytes(message[..4].try_into().unwrap())
}

pub(crate) fn done() -> CloseReason {
    CloseReason::local(CloseCode::Done, "")
}

/// Sends numbered messages of one lane.
pub(crate) async fn send_all(tx: &dyn LinkTx, lane: Lane, numbers: std::ops::Range<u32>, len: usize) {
    for next in numbers {
        tx.send(lane, numbered(next, len)).await.unwrap();
    }
}

/// Everything until the other side's close.
pub(crate) async fn recv_all(rx: &mut dyn LinkRx) -> Vec<Bytes> {
    let mut messages = Vec::new();
    while let Some(message) = within(rx.recv()).await.unwrap() {
        messages.push(message);
    }
    messages
}

/// Fails instead of hanging.
pub(crate) async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future).await.expect("it hangs")
}

/// Sends numbered messages until one has to wait for a good while, which only a full link makes it.
/// Returns how many were accepted.
pub(crate) async fn send_until_full(tx: &dyn LinkTx, lane: Lane, len: usize) -> u32 {
    for next in 0.. {
        let send = tx.send(lane, numbered(next, len));
        if tokio::time::timeout(Duration::from_millis(300), send).await.is_err() {
            return next;
        }
    }
    unreachable!("a link has bounds")
}

/// Whether `future` is still waiting after everything else had time to go on. Too short a time could
/// hide a failure, never cause one.
pub(crate) async fn still_waits<F: Future + Unpin>(future: &mut F) -> bool {
    tokio::time::timeout(Duration::from_millis(50), future).await.is_err()
}

/// Polls once.
pub(crate) async fn poll_once<F: Future + Unpin>(future: &mut F) -> Poll<F::Output> {
    std::future::poll_fn(|cx| Poll::Ready(std::pin::Pin::new(&mut *future).poll(cx))).await
}
