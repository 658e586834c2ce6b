//! The two halves of a [link](super::link) as the application holds them.

use std::{future::poll_fn, sync::Arc};

use async_trait::async_trait;
use bytes::Bytes;

use super::{CloseReason, LinkError, LinkRx, LinkStats, LinkTx, Undelivered, lane::Lane, link::Shared};

#[derive(Debug)]
pub(super) struct Tx(pub(super) Arc<Shared>);

#[async_trait]
impl LinkTx for Tx {
    async fn send(&self, lane: Lane, message: Bytes) -> Result<(), LinkError> {
        self.0.send(lane, message).await
    }

    fn try_send(&self, lane: Lane, message: &Bytes) -> Result<bool, LinkError> {
        self.0.try_send(lane, message)
    }

    async fn close(&self, reason: CloseReason) -> Result<(), Undelivered> {
        self.0.close(reason).await
    }

    fn stats(&self) -> LinkStats {
        self.0.stats()
    }
}

impl Drop for Tx {
    fn drop(&mut self) {
        self.0.drop_sender();
    }
}

#[derive(Debug)]
pub(super) struct Rx(pub(super) Arc<Shared>);

#[async_trait]
impl LinkRx for Rx {
    async fn recv(&mut self) -> Result<Option<Bytes>, LinkError> {
        poll_fn(|cx| self.0.poll_recv(cx)).await
    }

    fn try_recv(&mut self) -> Option<Bytes> {
        self.0.try_recv()
    }
}

impl Drop for Rx {
    fn drop(&mut self) {
        self.0.drop_receiver();
    }
}
