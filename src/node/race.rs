//! Dialling over two transports at once, for nodes that cannot know which one gets through. The preferred
//! one has a head start, and wins unless the other one is there long before it.

use std::{net::SocketAddr, time::Duration};

use tokio::time::{Instant, timeout, timeout_at};

use crate::{
    transport::{CloseCode, CloseReason, Link, LinkError, Transport},
    wire::Scheme,
};

/// How long the preferred transport is alone.
pub(super) const HEAD_START: Duration = Duration::from_secs(1);

/// How long after its start the preferred transport still wins over a link that is ready. What waits of
/// that is less than the other side waits for our hello.
pub(super) const PREFERENCE: Duration = Duration::from_secs(5);

/// One of the ways to a node.
#[derive(Clone, Copy, Debug)]
pub(super) struct Way<'a> {
    pub(super) scheme: Scheme,
    pub(super) transport: &'a dyn Transport,
}

/// What a dial came to, and over which transport.
pub(super) type Dialed<'a> = Result<(Way<'a>, Link), (Way<'a>, LinkError)>;

impl<'a> Way<'a> {
    pub(super) async fn dial(self, addr: SocketAddr) -> Dialed<'a> {
        let dialed = self.transport.dial(addr).await;
        dialed.map(|link| (self, link)).map_err(|error| (self, error))
    }
}

/// Dials both ways. When neither leads anywhere, says why by the error that tells more.
pub(super) async fn race<'a>(preferred: Way<'a>, other: Way<'a>, addr: SocketAddr) -> Dialed<'a> {
    let deadline = Instant::now() + PREFERENCE;
    let mut first = std::pin::pin!(preferred.dial(addr));
    match timeout(HEAD_START, first.as_mut()).await {
        Ok(Ok(won)) => return Ok(won),
        Ok(Err(lost)) => return other.dial(addr).await.map_err(|also| more_telling(lost, also)),
        Err(_) => {}
    }
    let mut second = std::pin::pin!(other.dial(addr));
    let ready = tokio::select! { biased;
        dialed = first.as_mut() => match dialed {
            Ok(won) => return Ok(won),
            Err(lost) => return second.await.map_err(|also| more_telling(lost, also)),
        },
        dialed = second.as_mut() => match dialed {
            Ok(ready) => ready,
            Err(lost) => return first.await.map_err(|also| more_telling(also, lost)),
        },
    };
    match timeout_at(deadline, first).await {
        Ok(Ok(won)) => {
            retire(ready.1);
            Ok(won)
        }
        Ok(Err(_)) | Err(_) => Ok(ready),
    }
}

/// Closes a link that is not needed after all, so that the other side does not take it for a broken one.
fn retire(link: Link) {
    tokio::spawn(async move {
        // Nothing was said on it, so nothing can be undelivered.
        let _ = link.tx.close(CloseReason::local(CloseCode::Duplicate, "another link is used")).await;
    });
}

/// Of two reasons the one that somebody answered; of equals that of the `other` transport, which is the one
/// that passes through more networks.
fn more_telling<'a>(preferred: (Way<'a>, LinkError), other: (Way<'a>, LinkError)) -> (Way<'a>, LinkError) {
    if answered(&preferred.1) > answered(&other.1) { preferred } else { other }
}

/// How much of an answer there was: none, from the host, from some program, from a node.
const fn answered(error: &LinkError) -> u8 {
    match error {
        LinkError::Unreachable(_) => 0,
        LinkError::NothingListens => 1,
        LinkError::TooLong { .. } | LinkError::Handshake(_) | LinkError::Closed(_) | LinkError::Lost(_) => 2,
        LinkError::NotANode(_) => 3,
        LinkError::Version | LinkError::InsecureMismatch => 4,
    }
}

#[cfg(test)]
mod tests;
