//! Where a node can be reached: a transport and a socket address.

use std::{fmt, net::SocketAddr};

use serde::{Deserialize, Serialize};

/// Which transport an address belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Scheme {
    /// Streams of the operating system.
    Tcp,
    /// Our reliable datagrams.
    Udp,
    /// Within this process.
    Memory,
}

impl Scheme {
    /// The transport's name, as on the command line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
            Self::Memory => "memory",
        }
    }
}

impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Where a node can be reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Addr {
    /// By which transport.
    pub scheme: Scheme,
    /// At which address and port.
    pub socket: SocketAddr,
}

impl Addr {
    /// `socket` over `scheme`.
    pub const fn new(scheme: Scheme, socket: SocketAddr) -> Self {
        Self { scheme, socket }
    }

    /// The address to dial when a node that we see at `observed` says it listens here: a listener on
    /// every address does not know which one others see.
    #[must_use]
    pub fn seen_from(self, observed: SocketAddr) -> Self {
        if self.socket.ip().is_unspecified() {
            Self { socket: SocketAddr::new(observed.ip(), self.socket.port()), ..self }
        } else {
            self
        }
    }
}

impl fmt::Display for Addr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.scheme, self.socket)
    }
}
