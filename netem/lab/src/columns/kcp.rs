//! KCP, as `tokio_kcp` has it: one stream over datagrams.

use std::{net::SocketAddr, sync::Arc};

use anyhow::Result;
use async_trait::async_trait;
use tokio_kcp::{KcpConfig, KcpListener, KcpNoDelayConfig, KcpStream};

use super::{Column, Connection, Listening, frames};
use crate::arrivals::Arrivals;

pub(super) struct Kcp(KcpConfig);

impl Kcp {
    pub(super) fn normal() -> Self {
        let nodelay = KcpNoDelayConfig::normal();
        Self(KcpConfig { mtu: 1400, wnd_size: (256, 256), stream: true, nodelay, ..KcpConfig::default() })
    }

    /// What everybody who picks KCP for games sets.
    pub(super) fn turbo() -> Self {
        let nodelay = KcpNoDelayConfig { nodelay: true, interval: 10, resend: 2, nc: true };
        Self(KcpConfig { nodelay, ..Self::normal().0 })
    }

    /// Sends when written, not with the next tick.
    pub(super) fn flushing(self) -> Self {
        Self(KcpConfig { flush_write: true, ..self.0 })
    }

    pub(super) fn with_window(self, packets: u16) -> Self {
        Self(KcpConfig { wnd_size: (packets, packets), ..self.0 })
    }
}

#[async_trait]
impl Column for Kcp {
    async fn listen(&self, at: SocketAddr, arrivals: Arrivals) -> Result<Listening> {
        let mut listener = KcpListener::bind(self.0, at).await?;
        Ok(Box::pin(async move {
            loop {
                let (stream, _) = listener.accept().await?;
                let arrivals = arrivals.clone();
                tokio::spawn(async move { frames::read(stream, &arrivals).await });
            }
        }))
    }

    async fn dial(&self, to: SocketAddr) -> Result<Arc<dyn Connection>> {
        Ok(frames::connection(KcpStream::connect(&self.0, to).await?))
    }

    fn bulk_apart(&self) -> bool {
        true
    }
}
