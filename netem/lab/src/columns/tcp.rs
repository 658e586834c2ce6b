//! Plain TCP: one stream, each message a write.

use std::{net::SocketAddr, sync::Arc};

use anyhow::{Context as _, Result};
use async_trait::async_trait;
use socket2::{Domain, Protocol, SockRef, Socket, Type};
use tokio::net::TcpSocket;

use super::{Column, Connection, Listening, frames};
use crate::arrivals::Arrivals;

pub(super) struct Tcp {
    /// The kernel's name for it.
    pub(super) congestion: &'static str,
    /// Timers that do not double while the stream is thin.
    pub(super) thin: bool,
}

impl Tcp {
    /// What is accepted inherits the options of what listens.
    fn socket(&self) -> Result<TcpSocket> {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP))?;
        socket.set_tcp_congestion(self.congestion.as_bytes()).context(self.congestion)?;
        socket.set_tcp_thin_linear_timeouts(self.thin)?;
        socket.set_tcp_nodelay(true)?;
        socket.set_nonblocking(true)?;
        Ok(TcpSocket::from_std_stream(socket.into()))
    }
}

#[async_trait]
impl Column for Tcp {
    async fn listen(&self, at: SocketAddr, arrivals: Arrivals) -> Result<Listening> {
        let socket = self.socket()?;
        SockRef::from(&socket).set_reuse_address(true)?;
        socket.bind(at)?;
        let listener = socket.listen(1024)?;
        Ok(Box::pin(async move {
            loop {
                let (stream, _) = listener.accept().await?;
                let arrivals = arrivals.clone();
                tokio::spawn(async move { frames::read(stream, &arrivals).await });
            }
        }))
    }

    async fn dial(&self, to: SocketAddr) -> Result<Arc<dyn Connection>> {
        Ok(frames::connection(self.socket()?.connect(to).await?))
    }

    fn bulk_apart(&self) -> bool {
        true
    }
}
