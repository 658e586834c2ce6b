//! A link over any stream of bytes: one task that reads, writes and watches the time.

use std::{
    io,
    mem::MaybeUninit,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf},
    time::{Instant, Sleep, sleep_until, timeout},
};

use super::{
    CLOSE_TIMEOUT, Link, Peer, STALL_TIMEOUT,
    framing::Decoder,
    halves::{Rx, Tx},
    link::{Cutter, Meter, Shared},
    outbox::Order,
};

/// Bytes gathered for one write: small messages travel together, long ones in pieces. What is said meanwhile waits
/// for it, so it begins with a TLS record and is doubled as long as the network takes each at once.
const BATCH_BYTES: usize = 16 << 10;
const MAX_BATCH_BYTES: usize = 64 << 10;

/// Bytes of the gathering buffer that an idle link keeps.
const IDLE_BATCH_BYTES: usize = 4 << 10;

/// Bytes asked of one read; a whole TLS record.
const READ_BYTES: usize = 16 << 10;

/// Reads and writes before the task lets others run, so that a link takes at most 256 KiB at a time.
const TURNS_PER_WAKE: usize = 16;

/// How long an ended link waits for the other side to hang up too. Without it, what the other side
/// still sends would make the kernel reset the connection and take back our last words.
const LINGER_TIMEOUT: Duration = Duration::from_secs(1);

const HUNG_UP: &str = "the other side hung up";

/// Makes a link of an authenticated stream and starts its task.
pub(super) fn spawn<S>(io: S, meter: Arc<Meter>, order: Order, peer: Peer) -> (Link, Cutter)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let shared = Shared::new(meter, order);
    let cutter = Cutter::new(&shared);
    let link = Link { peer, tx: Box::new(Tx(shared.clone())), rx: Box::new(Rx(shared.clone())) };
    tokio::spawn(StreamTask::new(io, shared).run());
    (link, cutter)
}

struct StreamTask<S> {
    io: S,
    shared: Arc<Shared>,
    decoder: Decoder,
    batch: Vec<u8>,
    /// What it may hold.
    batch_limit: usize,
    written: usize,
    unflushed: bool,
    read_paused: bool,
    patience: Patience,
}

/// Why the task ends: both directions are over, or the link broke.
type End = Result<(), String>;

impl<S: AsyncRead + AsyncWrite + Unpin> StreamTask<S> {
    fn new(io: S, shared: Arc<Shared>) -> Self {
        Self {
            io,
            shared,
            decoder: Decoder::default(),
            batch: Vec::new(),
            batch_limit: BATCH_BYTES,
            written: 0,
            unflushed: false,
            read_paused: false,
            patience: Patience::default(),
        }
    }

    async fn run(mut self) {
        let end = std::future::poll_fn(|cx| self.poll(cx)).await;
        match end {
            Ok(()) => {
                self.shared.lose("the link has ended");
                hang_up(&mut self.io).await;
            }
            Err(why) => self.shared.lose(why),
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<End> {
        for _ in 0..TURNS_PER_WAKE {
            if let Some(end) = self.refill() {
                return Poll::Ready(end);
            }
            let read = self.poll_read(cx)?;
            let wrote = match self.poll_write(cx) {
                Poll::Ready(Err(error)) => {
                    self.read_rest(cx);
                    return Poll::Ready(Err(broken(error)));
                }
                polled => polled.is_ready(),
            };
            if read.is_pending() && !wrote && self.sleep(cx) {
                return self.poll_patience(cx).map(Err);
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Gathers the next batch when the last is out. `Some` at the end of the link.
    fn refill(&mut self) -> Option<End> {
        let idle = self.is_idle();
        let mut state = self.shared.lock();
        state.wake_up();
        if let Some(why) = state.lost() {
            return Some(Err(why.to_owned()));
        }
        if state.is_abandoned() {
            return Some(Err("this side left without a close".to_owned()));
        }
        if !idle {
            return None;
        }
        self.batch.clear();
        self.written = 0;
        let freed = state.outbox.fill(&mut self.batch, self.batch_limit);
        self.batch_limit = (2 * self.batch_limit).min(MAX_BATCH_BYTES);
        let flushed = self.batch.is_empty() && state.note_flushed();
        let over = self.batch.is_empty() && state.is_over();
        drop(state);
        self.shared.free(freed);
        if flushed {
            self.shared.notify_moved();
        }
        over.then_some(Ok(()))
    }

    /// Whether everything handed over so far is with the network.
    fn is_idle(&self) -> bool {
        self.written == self.batch.len() && !self.unflushed
    }

    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<End> {
        if self.read_paused {
            self.read_paused = !self.shared.lock().resume_reading();
            if self.read_paused {
                return Poll::Pending;
            }
        }
        let mut space = [const { MaybeUninit::uninit() }; READ_BYTES];
        let mut read = ReadBuf::uninit(&mut space);
        ready!(Pin::new(&mut self.io).poll_read(cx, &mut read)).map_err(broken)?;
        let mut input = read.filled();
        if input.is_empty() {
            return Poll::Ready(Err(HUNG_UP.to_owned()));
        }
        let (decoder, read_paused) = (&mut self.decoder, &mut self.read_paused);
        Poll::Ready(self.shared.arrived(|state| {
            while let Some(unit) = decoder.decode(&mut input).map_err(|error| error.to_string())? {
                state.take(unit)?;
            }
            *read_paused = state.pause_reading();
            Ok(())
        }))
    }

    fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let waiting = self.batch.get(self.written..).unwrap_or_default();
        if !waiting.is_empty() {
            let count = ready!(Pin::new(&mut self.io).poll_write(cx, waiting))?;
            if count == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.written += count;
            self.unflushed = true;
            return Poll::Ready(Ok(()));
        }
        if self.unflushed {
            ready!(Pin::new(&mut self.io).poll_flush(cx))?;
            self.unflushed = false;
            return Poll::Ready(Ok(()));
        }
        Poll::Pending
    }

    /// Takes what the other side said before the connection broke; often it is why it left.
    fn read_rest(&mut self, cx: &mut Context<'_>) {
        for _ in 0..TURNS_PER_WAKE {
            if !matches!(self.poll_read(cx), Poll::Ready(Ok(()))) {
                return;
            }
        }
    }

    /// Whether there is nothing to do before something changes; then that will wake the task.
    fn sleep(&mut self, cx: &Context<'_>) -> bool {
        let idle = self.is_idle();
        if !idle {
            self.batch_limit = BATCH_BYTES;
        }
        if idle && self.batch.capacity() > IDLE_BATCH_BYTES {
            (self.batch, self.written) = (Vec::new(), 0);
        }
        self.shared.lock().sleep(!idle, cx.waker())
    }

    fn poll_patience(&mut self, cx: &mut Context<'_>) -> Poll<String> {
        let idle = self.is_idle();
        let (awaits_peer, confirmed) = {
            let state = self.shared.lock();
            (state.awaits_peer(), state.peer_consumed())
        };
        let waits_for = match (idle, awaits_peer) {
            (false, _) => Some((STALL_TIMEOUT, "read")),
            (true, true) => Some((CLOSE_TIMEOUT, "confirmed")),
            (true, false) => None,
        };
        let sent = self.shared.bytes_sent();
        let (patience, did) = ready!(self.patience.poll(cx, waits_for, (sent, confirmed)));
        Poll::Ready(format!("the other side {did} nothing for {} s", patience.as_secs()))
    }
}

/// Why a link broke, in words.
fn broken(error: io::Error) -> String {
    match error.kind() {
        // What TLS makes of a connection that ended without its goodbye.
        io::ErrorKind::UnexpectedEof => HUNG_UP.to_owned(),
        io::ErrorKind::TimedOut => format!("nothing got through for {} s", STALL_TIMEOUT.as_secs()),
        _ => error.to_string(),
    }
}

impl<S> Drop for StreamTask<S> {
    /// However the task ends, with its runtime or in a panic too, nobody waits for it forever.
    fn drop(&mut self) {
        self.shared.lose("the link's task has ended");
    }
}

/// What must go on while the task waits for the other side: bytes written, messages confirmed.
type Progress = (u64, u64);

/// Notices when nothing goes on.
#[derive(Default)]
struct Patience {
    last: Option<(Instant, Progress)>,
    /// Goes off at or before the deadline; set anew only then, since progress is frequent.
    timer: Option<Pin<Box<Sleep>>>,
}

impl Patience {
    fn poll<T>(
        &mut self,
        cx: &mut Context<'_>,
        waits_for: Option<(Duration, T)>,
        progress: Progress,
    ) -> Poll<(Duration, T)> {
        let Some((patience, what)) = waits_for else {
            self.last = None;
            self.timer.take_if(|timer| timer.is_elapsed());
            return Poll::Pending;
        };
        let since = match self.last {
            Some((since, last)) if last == progress => since,
            _ => Instant::now(),
        };
        self.last = Some((since, progress));
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(since + patience)));
        while timer.as_mut().poll(cx).is_ready() {
            if Instant::now() >= since + patience {
                return Poll::Ready((patience, what));
            }
            timer.as_mut().reset(since + patience);
        }
        Poll::Pending
    }
}

async fn hang_up<S: AsyncRead + AsyncWrite + Unpin>(io: &mut S) {
    let farewell = async {
        io.shutdown().await?;
        let mut rest = [0; 1 << 10];
        while io.read(&mut rest).await? > 0 {}
        io::Result::Ok(())
    };
    // Both ends know all they need; how the connection goes down changes nothing.
    let _ = timeout(LINGER_TIMEOUT, farewell).await;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transport::{By, CloseCode, CloseReason, LinkError, framing::Control, lane::Lane};

    /// A connection whose other end said goodbye and left: writing fails, and only then is there
    /// something to read.
    struct Left {
        words: Vec<u8>,
        write_failed: bool,
    }

    impl AsyncRead for Left {
        fn poll_read(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
            buf: &mut ReadBuf<'_>,
        ) -> Poll<io::Result<()>> {
            if !self.write_failed {
                return Poll::Pending;
            }
            buf.put_slice(&std::mem::take(&mut self.words));
            Poll::Ready(Ok(()))
        }
    }

    impl AsyncWrite for Left {
        fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, _: &[u8]) -> Poll<io::Result<usize>> {
            self.write_failed = true;
            Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()))
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    #[tokio::test]
    async fn last_words_are_heard_though_the_answer_fails() {
        let mut words = Vec::new();
        Control::Close { code: 5, text: "too slow".to_owned() }.encode(&mut words);
        let peer = Peer { addr: ([127, 0, 0, 1], 1).into(), key: None };
        let left = Left { words, write_failed: false };
        let (mut link, _) = spawn(left, Arc::default(), Order::ByClass, peer);
        link.tx.send(Lane::thin(1), "hello".into()).await.unwrap();
        assert_eq!(link.rx.recv().await.unwrap(), None);
        let refused = link.tx.send(Lane::thin(1), "hello".into()).await.unwrap_err();
        let LinkError::Closed(CloseReason { by: By::Remote, text, .. }) = refused else {
            panic!("{refused}")
        };
        assert_eq!(text, "too slow");
        assert_eq!(link.tx.close(CloseReason::local(CloseCode::Done, "")).await.unwrap_err().messages, 1);
    }
}
