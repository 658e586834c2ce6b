//! This project's transports, as the node uses them.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use anyhow::{Context as _, Result};
use async_trait::async_trait;
use bytes::Bytes;
use sayagain::{
    node::Identity,
    transport::{
        self, Keys, Link, LinkRx, LinkTx, Listener, Security, Transport, UdpTransport, udp::proto::Algorithm,
    },
};

use super::{Column, Connection, Lane, Listening};
use crate::arrivals::Arrivals;

pub(super) struct Ours {
    transport: Result<Arc<dyn Transport>>,
    is_stream: bool,
}

impl Ours {
    pub(super) fn new(column: &str) -> Self {
        Self { transport: make(column), is_stream: column == "tcp" }
    }

    fn transport(&self) -> Result<&Arc<dyn Transport>> {
        self.transport.as_ref().map_err(|why| anyhow::anyhow!("{why:#}"))
    }
}

/// The one place where a column's name becomes a transport with its settings.
fn make(column: &str) -> Result<Arc<dyn Transport>> {
    let key = Identity::ephemeral()?.key;
    let security = Security::Tls(Keys::from_pkcs8(&key.to_pkcs8())?);
    match column {
        "udp-cubic" => Ok(Arc::new(UdpTransport::new(security).congestion(Algorithm::Cubic))),
        name => transport::by_name(name, security, None).with_context(|| format!("no transport {name}")),
    }
}

#[async_trait]
impl Column for Ours {
    async fn listen(&self, at: SocketAddr, arrivals: Arrivals) -> Result<Listening> {
        let mut listener = self.transport()?.listen(at).await?;
        Ok(Box::pin(async move { accept(listener.as_mut(), arrivals).await }))
    }

    async fn dial(&self, to: SocketAddr) -> Result<Arc<dyn Connection>> {
        let Link { tx, rx, .. } = self.transport()?.dial(to).await?;
        Ok(Arc::new(Dialed { tx, _rx: Mutex::new(rx) }))
    }

    fn bulk_apart(&self) -> bool {
        self.is_stream
    }
}

async fn accept(listener: &mut dyn Listener, arrivals: Arrivals) -> Result<()> {
    loop {
        let Link { tx, mut rx, .. } = listener.accept().await?;
        let arrivals = arrivals.clone();
        tokio::spawn(async move {
            while let Ok(Some(message)) = rx.recv().await {
                arrivals.note(&message);
            }
            // Earlier its drop would be the end of the link.
            drop(tx);
        });
    }
}

struct Dialed {
    tx: Box<dyn LinkTx>,
    /// Its drop would tell the other side something.
    _rx: Mutex<Box<dyn LinkRx>>,
}

#[async_trait]
impl Connection for Dialed {
    async fn send(&self, lane: Lane, message: Bytes) -> Result<()> {
        let lane = match lane {
            Lane::Chat(id) => transport::Lane::thin(id),
            Lane::Bulk => transport::Lane::bulk(0),
        };
        Ok(self.tx.send(lane, message).await?)
    }
}
