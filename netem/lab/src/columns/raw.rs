//! Datagrams and nothing else: the link itself, with its losses.

use std::{net::SocketAddr, sync::Arc};

use anyhow::{Result, bail};
use async_trait::async_trait;
use bytes::Bytes;
use tokio::net::UdpSocket;

use super::{Column, Connection, Lane, Listening};
use crate::arrivals::Arrivals;

pub(super) struct Raw;

#[async_trait]
impl Column for Raw {
    async fn listen(&self, at: SocketAddr, arrivals: Arrivals) -> Result<Listening> {
        let socket = UdpSocket::bind(at).await?;
        Ok(Box::pin(async move {
            let mut datagram = vec![0; 65536];
            loop {
                let len = socket.recv(&mut datagram).await?;
                arrivals.note(datagram.get(..len).unwrap_or_default());
            }
        }))
    }

    async fn dial(&self, to: SocketAddr) -> Result<Arc<dyn Connection>> {
        let socket = UdpSocket::bind("0.0.0.0:0").await?;
        socket.connect(to).await?;
        Ok(Arc::new(Socket(socket)))
    }
}

struct Socket(UdpSocket);

#[async_trait]
impl Connection for Socket {
    async fn send(&self, lane: Lane, message: Bytes) -> Result<()> {
        if lane == Lane::Bulk {
            bail!("nothing says how fast");
        }
        self.0.send(&message).await?;
        Ok(())
    }
}
