//! A TCP stream that counts, that remembers what the other side said first, and that takes little
//! from it before it is known.

use std::{
    io,
    pin::Pin,
    sync::{Arc, atomic::Ordering},
    task::{Context, Poll, ready},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};

use super::MAX_UNAUTHENTICATED_BYTES;
use crate::transport::link::Meter;

/// Bytes remembered of what the other side said first.
pub(super) const FIRST_BYTES: usize = 64;

#[derive(Debug)]
pub(super) struct Socket {
    io: TcpStream,
    meter: Arc<Meter>,
    first: Vec<u8>,
    /// Bytes that may still be read, until the other side is known.
    allowance: Option<usize>,
}

impl Socket {
    pub(super) fn new(io: TcpStream) -> Self {
        let (meter, first) = (Arc::default(), Vec::with_capacity(FIRST_BYTES));
        Self { io, meter, first, allowance: Some(MAX_UNAUTHENTICATED_BYTES) }
    }

    pub(super) fn meter(&self) -> Arc<Meter> {
        self.meter.clone()
    }

    /// What the other side said first, at most [`FIRST_BYTES`].
    pub(super) fn first(&self) -> &[u8] {
        &self.first
    }

    /// The other side is known; what it sends is bounded by the link from now on.
    pub(super) fn lift_allowance(&mut self) {
        self.allowance = None;
        self.first = Vec::new();
    }

    /// Reads at most what is still allowed, and remembers the start.
    fn poll_read_stranger(
        &mut self,
        allowance: usize,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if allowance == 0 {
            return Poll::Ready(Err(io::Error::other("too much before the handshake was done")));
        }
        let mut space = [0; MAX_UNAUTHENTICATED_BYTES];
        let space = space.get_mut(..allowance.min(buf.remaining())).unwrap_or_default();
        let mut part = ReadBuf::new(space);
        ready!(Pin::new(&mut self.io).poll_read(cx, &mut part))?;
        let bytes = part.filled();
        buf.put_slice(bytes);
        self.allowance = Some(allowance - bytes.len());
        let missing = FIRST_BYTES - self.first.len();
        self.first.extend(bytes.iter().take(missing));
        Poll::Ready(Ok(()))
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(match self.allowance {
            Some(allowance) => self.poll_read_stranger(allowance, cx, buf),
            None => Pin::new(&mut self.io).poll_read(cx, buf),
        })?;
        let count = buf.filled().len() - before;
        self.meter.received.fetch_add(count as u64, Ordering::Relaxed);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Socket {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let count = ready!(Pin::new(&mut self.io).poll_write(cx, buf))?;
        self.meter.sent.fetch_add(count as u64, Ordering::Relaxed);
        Poll::Ready(Ok(count))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let count = ready!(Pin::new(&mut self.io).poll_write_vectored(cx, bufs))?;
        self.meter.sent.fetch_add(count as u64, Ordering::Relaxed);
        Poll::Ready(Ok(count))
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }
}
