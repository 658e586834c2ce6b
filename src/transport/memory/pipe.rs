//! The two ends of a stream of bytes in memory, with a gate between them that can be shut.

use std::{
    io, mem,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError, atomic::Ordering},
    task::{Context, Poll, Waker, ready},
};

use rand::{RngExt, rngs::ChaCha8Rng};
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf, duplex};

use crate::transport::link::Meter;

/// Bytes that are on their way in one direction.
const PIPE_BYTES: usize = 64 << 10;

/// How often at most a shuffled end lets others run before it writes, so that messages gather to be
/// shuffled.
const MAX_YIELDS: u8 = 4;

/// Makes both ends; those with a chance of their own write at odd times.
pub(super) fn pipe(gate: &Arc<Gate>, chances: [Option<ChaCha8Rng>; 2]) -> [Pipe; 2] {
    let (left, right) = duplex(PIPE_BYTES);
    let [left_chance, right_chance] = chances;
    let end = |io, chance| Pipe { io, gate: gate.clone(), meter: Arc::default(), chance, yields: 0 };
    [end(left, left_chance), end(right, right_chance)]
}

#[derive(Debug)]
pub(super) struct Pipe {
    io: DuplexStream,
    gate: Arc<Gate>,
    meter: Arc<Meter>,
    chance: Option<ChaCha8Rng>,
    yields: u8,
}

impl Pipe {
    pub(super) fn meter(&self) -> Arc<Meter> {
        self.meter.clone()
    }

    fn poll_yield(&mut self, cx: &Context<'_>) -> Poll<()> {
        if self.yields > 0 {
            self.yields -= 1;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        if let Some(chance) = &mut self.chance {
            self.yields = chance.random_range(0..=MAX_YIELDS);
        }
        Poll::Ready(())
    }
}

impl AsyncRead for Pipe {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        ready!(self.gate.poll_pass(cx));
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.io).poll_read(cx, buf))?;
        let count = buf.filled().len() - before;
        self.meter.received.fetch_add(count as u64, Ordering::Relaxed);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Pipe {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        ready!(self.gate.poll_pass(cx));
        ready!(self.poll_yield(cx));
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
}

/// Whether anything passes, and who waits for it. At most both directions of both ends wait.
#[derive(Debug, Default)]
pub(super) struct Gate {
    state: Mutex<GateState>,
}

#[derive(Debug, Default)]
struct GateState {
    shut: bool,
    waiting: Vec<Waker>,
}

impl Gate {
    pub(super) fn shut(&self) {
        self.lock().shut = true;
    }

    pub(super) fn open(&self) {
        let waiting = {
            let mut state = self.lock();
            state.shut = false;
            mem::take(&mut state.waiting)
        };
        waiting.into_iter().for_each(Waker::wake);
    }

    fn poll_pass(&self, cx: &Context<'_>) -> Poll<()> {
        let mut state = self.lock();
        if !state.shut {
            return Poll::Ready(());
        }
        if !state.waiting.iter().any(|waiting| waiting.will_wake(cx.waker())) {
            state.waiting.push(cx.waker().clone());
        }
        Poll::Pending
    }

    fn lock(&self) -> MutexGuard<'_, GateState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
