//! The accepting side: handshakes beside each other, bounded in number, the oldest giving way.

use std::{collections::VecDeque, io, net::SocketAddr, time::Duration};

use async_trait::async_trait;
use tokio::{
    net::{TcpListener, TcpStream},
    task::{AbortHandle, JoinError, JoinSet},
    time::{Instant, sleep_until},
};

use super::{
    MAX_PENDING_HANDSHAKES,
    greet::{End, greet},
};
use crate::transport::{Link, LinkError, Listener};

/// How long to leave the kernel alone after it refused a connection (no file handles, no memory);
/// doubled up to the maximum while it goes on refusing.
const MIN_BACKOFF: Duration = Duration::from_millis(50);
const MAX_BACKOFF: Duration = Duration::from_secs(1);

pub(super) struct TcpLinks {
    listener: TcpListener,
    local_addr: SocketAddr,
    end: End,
    pending: Pending,
    backoff: Backoff,
}

impl TcpLinks {
    pub(super) fn new(listener: TcpListener, end: End) -> io::Result<Self> {
        let local_addr = listener.local_addr()?;
        Ok(Self { listener, local_addr, end, pending: Pending::default(), backoff: Backoff::default() })
    }

    fn accepted(&mut self, accepted: io::Result<(TcpStream, SocketAddr)>) {
        match accepted {
            Ok((io, addr)) => {
                self.backoff = Backoff::default();
                self.pending.start(self.end.clone(), io, addr);
            }
            Err(error) if is_about_one_connection(&error) => {}
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                self.backoff.wait_longer();
            }
        }
    }
}

#[async_trait]
impl Listener for TcpLinks {
    fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    async fn accept(&mut self) -> io::Result<Link> {
        loop {
            let waits = self.backoff.until.is_some();
            tokio::select! {
                biased;
                Some(link) = self.pending.next() => {
                    if let Some(link) = link {
                        return Ok(link);
                    }
                }
                () = self.backoff.over(), if waits => self.backoff.until = None,
                accepted = self.listener.accept(), if !waits => self.accepted(accepted),
            }
        }
    }
}

impl std::fmt::Debug for TcpLinks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TcpLinks").field("local_addr", &self.local_addr).finish_non_exhaustive()
    }
}

/// Handshakes that are not done, at most [`MAX_PENDING_HANDSHAKES`].
#[derive(Default)]
struct Pending {
    tasks: JoinSet<(SocketAddr, Result<Link, LinkError>)>,
    by_age: VecDeque<AbortHandle>,
}

impl Pending {
    fn start(&mut self, end: End, io: TcpStream, addr: SocketAddr) {
        // Strangers who say nothing must not keep out one who would.
        if self.by_age.len() >= MAX_PENDING_HANDSHAKES
            && let Some(oldest) = self.by_age.pop_front()
        {
            oldest.abort();
        }
        let handshake = async move { (addr, greet(end, io, addr).await) };
        self.by_age.push_back(self.tasks.spawn(handshake));
    }

    /// The next handshake to end, with its link if it succeeded; `None` when there are none.
    async fn next(&mut self) -> Option<Option<Link>> {
        let ended = self.tasks.join_next_with_id().await?;
        let id = ended.as_ref().map_or_else(JoinError::id, |(id, _)| *id);
        self.by_age.retain(|task| task.id() != id);
        let Ok((_, (addr, outcome))) = ended else { return Some(None) };
        let refused = |error: &LinkError| tracing::debug!(%addr, %error, "a handshake failed");
        Some(outcome.inspect_err(refused).ok())
    }
}

#[derive(Default)]
struct Backoff {
    last: Option<Duration>,
    until: Option<Instant>,
}

impl Backoff {
    fn wait_longer(&mut self) {
        let wait = self.last.map_or(MIN_BACKOFF, |last| (last * 2).min(MAX_BACKOFF));
        self.last = Some(wait);
        self.until = Some(Instant::now() + wait);
    }

    async fn over(&self) {
        if let Some(until) = self.until {
            sleep_until(until).await;
        }
    }
}

/// Whether an accept failed because of one connection that ended before it was taken.
fn is_about_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind as Kind;
    matches!(
        error.kind(),
        Kind::ConnectionAborted | Kind::ConnectionReset | Kind::ConnectionRefused | Kind::Interrupted
    )
}
