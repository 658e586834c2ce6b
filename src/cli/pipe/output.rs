//! Messages as another program reads them from our stdout: length, bytes.

use std::io::{self, Write};

use tokio::runtime::Handle;

use crate::transport::{LinkError, LinkRx};

/// Bytes gathered for one write at most, and taken before the other side hears that they are done with.
pub(super) const BATCH_BYTES: usize = 64 << 10;

/// Why the messages of a link did not all get out.
#[derive(Debug, thiserror::Error)]
pub(super) enum Broken {
    /// Nobody takes them.
    #[error("cannot write the output: {0}")]
    Output(#[from] io::Error),
    /// No more will come.
    #[error(transparent)]
    Link(#[from] LinkError),
}

/// Writes every message of a link, to its end. What is here already is written together; nothing waits for
/// what is still to come, and the other side hears that a message is done with only when it is out.
pub(super) fn drain(rx: &mut dyn LinkRx, out: &mut impl Write, runtime: &Handle) -> Result<(), Broken> {
    while let Some(message) = runtime.block_on(rx.recv())? {
        let mut batch = put(&message, out)?;
        while batch < BATCH_BYTES
            && let Some(message) = rx.try_recv()
        {
            batch += put(&message, out)?;
        }
        out.flush()?;
    }
    Ok(())
}

/// The bytes written.
fn put(message: &[u8], out: &mut impl Write) -> io::Result<usize> {
    let len = u32::try_from(message.len()).map_err(io::Error::other)?.to_le_bytes();
    out.write_all(&len)?;
    out.write_all(message)?;
    Ok(len.len() + message.len())
}
