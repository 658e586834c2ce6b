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

#[cfg(test)]
mod tests {
    use super::*;

    async fn links() -> TcpLinks {
        TcpLinks::new(TcpListener::bind("127.0.0.1:0").await.unwrap(), End::Plain).unwrap()
    }

    fn no_file_handles() -> io::Error {
        const EMFILE: i32 = 24;
        io::Error::from_raw_os_error(EMFILE)
    }

    #[tokio::test(start_paused = true)]
    async fn a_kernel_that_refuses_is_asked_less_and_less_often() {
        let mut links = links().await;
        let mut waits = Vec::new();
        for _ in 0..7 {
            links.accepted(Err(no_file_handles()));
            let refused = Instant::now();
            links.backoff.over().await;
            waits.push(refused.elapsed().as_millis());
        }
        assert!(
            waits.iter().zip([50, 100, 200, 400, 800, 1000, 1000]).all(|(wait, due)| wait.abs_diff(due) <= 1)
        );
    }

    #[tokio::test(start_paused = true)]
    async fn it_accepts_again_when_the_kernel_does() {
        let mut links = links().await;
        links.accepted(Err(no_file_handles()));
        let addr = links.local_addr();
        let dialing =
            tokio::spawn(
                async move { greet(End::Plain, TcpStream::connect(addr).await.unwrap(), addr).await },
            );
        let refused = Instant::now();
        links.accept().await.unwrap();
        dialing.await.unwrap().unwrap();
        assert!(refused.elapsed() >= MIN_BACKOFF);
        assert!(links.backoff.last.is_none(), "the next time is a first time again");
    }

    #[tokio::test]
    async fn one_that_left_early_delays_nobody() {
        let mut links = links().await;
        links.accepted(Err(io::ErrorKind::ConnectionAborted.into()));
        assert!(links.backoff.until.is_none());
    }
}
