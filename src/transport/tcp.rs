//! Links over TCP, secured with TLS or, where both sides ask for it, not at all.

mod accept;
mod greet;
mod socket;

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use async_trait::async_trait;
use tokio::{
    net::{TcpListener, TcpStream},
    time::timeout,
};

use self::{
    accept::TcpLinks,
    greet::{End, greet},
};
use super::{Keys, Link, LinkError, Listener, Transport};

/// What both sides must name in the TLS handshake: the protocol and its version.
const PROTOCOL: &[u8] = b"sayagain/1";

/// Connections of one listener whose handshake is not done. One more drops the oldest of them.
pub const MAX_PENDING_HANDSHAKES: usize = 256;

/// Bytes taken from the other side before it has proven its key.
pub const MAX_UNAUTHENTICATED_BYTES: usize = 4 << 10;

/// How long a dial waits for the host to answer at all.
const DIAL_TIMEOUT: Duration = Duration::from_secs(5);

/// Whether links are authenticated and sealed. Both sides must agree; neither falls back.
#[derive(Clone, Debug)]
pub enum Security {
    /// TLS 1.3, each side proving its key.
    Tls(Keys),
    /// Plaintext without authentication, for closed networks and for looking at the wire.
    Insecure,
}

/// Links over TCP.
#[derive(Clone, Debug)]
pub struct TcpTransport {
    security: Security,
}

impl TcpTransport {
    /// A transport that dials and listens with one kind of security.
    pub fn new(security: Security) -> Self {
        Self { security }
    }

    fn dialing(&self) -> Result<End, rustls::Error> {
        match &self.security {
            Security::Insecure => Ok(End::Plain),
            Security::Tls(keys) => Ok(End::DialTls(Arc::new(keys.client_config(PROTOCOL)?).into())),
        }
    }

    fn listening(&self) -> Result<End, rustls::Error> {
        match &self.security {
            Security::Insecure => Ok(End::Plain),
            Security::Tls(keys) => Ok(End::AcceptTls(Arc::new(keys.server_config(PROTOCOL)?).into())),
        }
    }
}

#[async_trait]
impl Transport for TcpTransport {
    fn name(&self) -> &'static str {
        "tcp"
    }

    async fn listen(&self, addr: SocketAddr) -> io::Result<Box<dyn Listener>> {
        let end = self.listening().map_err(io::Error::other)?;
        Ok(Box::new(TcpLinks::new(TcpListener::bind(addr).await?, end)?))
    }

    async fn dial(&self, addr: SocketAddr) -> Result<Link, LinkError> {
        let end = self.dialing().map_err(|error| LinkError::Handshake(error.to_string()))?;
        greet(end, connect(addr).await?, addr).await
    }
}

async fn connect(addr: SocketAddr) -> Result<TcpStream, LinkError> {
    match timeout(DIAL_TIMEOUT, TcpStream::connect(addr)).await {
        Ok(Ok(io)) => Ok(io),
        Ok(Err(error)) if error.kind() == io::ErrorKind::ConnectionRefused => Err(LinkError::NothingListens),
        Ok(Err(error)) => Err(LinkError::Unreachable(error.to_string())),
        Err(_) => Err(LinkError::Unreachable(format!("nothing for {} s", DIAL_TIMEOUT.as_secs()))),
    }
}
