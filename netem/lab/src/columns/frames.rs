//! Messages in a stream of bytes: two bytes of length before each.

use std::sync::Arc;

use anyhow::{Context as _, Result};
use async_trait::async_trait;
use bytes::{BufMut as _, Bytes, BytesMut};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, BufReader},
    sync::Mutex,
};

use super::{Connection, Lane};
use crate::arrivals::Arrivals;

const BUFFER_BYTES: usize = 64 << 10;

/// A connection that is one stream: all lanes share it.
pub(super) fn connection(stream: impl AsyncWrite + Unpin + Send + 'static) -> Arc<dyn Connection> {
    Arc::new(Stream(Mutex::new(stream)))
}

struct Stream<S>(Mutex<S>);

#[async_trait]
impl<S: AsyncWrite + Unpin + Send> Connection for Stream<S> {
    async fn send(&self, _: Lane, message: Bytes) -> Result<()> {
        Ok(self.0.lock().await.write_all(&frame(&message)?).await?)
    }
}

/// One piece, so that it is one write.
pub(super) fn frame(message: &[u8]) -> Result<Bytes> {
    let len = u16::try_from(message.len()).context("a message of over 65535 bytes")?;
    let mut framed = BytesMut::with_capacity(2 + message.len());
    framed.put_u16(len);
    framed.put_slice(message);
    Ok(framed.freeze())
}

/// Until the stream ends.
pub(super) async fn read(stream: impl AsyncRead + Unpin, arrivals: &Arrivals) -> Result<()> {
    let mut stream = BufReader::with_capacity(BUFFER_BYTES, stream);
    let mut message = Vec::new();
    loop {
        let len = match stream.read_u16().await {
            Err(why) if why.kind() == std::io::ErrorKind::UnexpectedEof => return Ok(()),
            len => len?,
        };
        message.resize(usize::from(len), 0);
        stream.read_exact(&mut message).await?;
        arrivals.note(&message);
    }
}
