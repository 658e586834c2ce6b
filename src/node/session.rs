//! One link's life: the hello each way, then frames both ways until an end.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use tokio::{
    sync::mpsc,
    time::{Instant, MissedTickBehavior, interval_at, timeout},
};
use tracing::{debug, trace};

use crate::{
    app::{LinkEnd, LinkId},
    transport::{CloseCode, CloseReason, Lane, Link, LinkError, LinkRx, LinkTx},
    wire::{Addr, ByeReason, DecodeError, ErrorCode, Frame, Hello, PublicKey, decode_message, encode},
};

use super::{
    driver::Post,
    lanes::lane_of,
    outbox::{Line, Next, Outbox, Pushed},
};

/// How long the other side may take to say hello.
pub const HELLO_TIMEOUT: Duration = Duration::from_secs(5);

/// Between two pings.
pub const PING_PERIOD: Duration = Duration::from_secs(30);

/// Pings without a word in return after which a link counts as dead.
pub const MAX_SILENT_PINGS: u32 = 3;

/// What the driver keeps of a link.
#[derive(Clone, Debug)]
pub(super) struct LinkHandle {
    pub(super) outbox: Arc<Outbox>,
    pub(super) tx: Arc<dyn LinkTx>,
    /// Microseconds of the last round trip; 0 before the first.
    pub(super) rtt_us: Arc<AtomicU64>,
    pub(super) peer: SocketAddr,
    pub(super) transport: &'static str,
    pub(super) name: String,
}

impl LinkHandle {
    /// Hands a frame to the transport if nothing waits before it, else puts it in line. Never waits.
    pub(super) fn send(&self, lane: Lane, frame: &Bytes) -> Pushed {
        if self.outbox.is_idle(Line::of(lane.class)) && self.tx.try_send(lane, frame).is_ok_and(|taken| taken)
        {
            return Pushed::Taken;
        }
        self.outbox.push(lane, frame.clone())
    }
}

/// A link before its hello.
#[derive(Debug)]
pub(super) struct Fresh {
    pub(super) id: LinkId,
    pub(super) link: Link,
    pub(super) transport: &'static str,
    pub(super) dialed: Option<Addr>,
    pub(super) hello: Bytes,
}

/// Why a link did not get past its hello.
#[derive(Debug)]
pub(super) enum NoHello {
    /// Another version of the protocol.
    Version,
    /// Anything else.
    Failed(String),
}

/// Says hello and waits for the other side's.
pub(super) async fn greet(fresh: &mut Fresh) -> Result<Hello, NoHello> {
    let failed = |error: LinkError| NoHello::Failed(error.to_string());
    fresh.link.tx.send(Lane::CONTROL, fresh.hello.clone()).await.map_err(failed)?;
    let first = timeout(HELLO_TIMEOUT, fresh.link.rx.recv()).await;
    let first =
        first.map_err(|_| NoHello::Failed(format!("no hello within {} s", HELLO_TIMEOUT.as_secs())))?;
    let message =
        first.map_err(failed)?.ok_or_else(|| NoHello::Failed("it closed before its hello".into()))?;
    match decode_message(&message) {
        Ok(Frame::Hello(hello)) if is_proven(&fresh.link, &hello) => Ok(hello),
        Ok(Frame::Hello(_)) => Err(NoHello::Failed("its hello names another key than it proved".into())),
        Err(DecodeError::Version(_)) => {
            decline(&*fresh.link.tx, ErrorCode::Version).await;
            Err(NoHello::Version)
        }
        Ok(Frame::Error { code: ErrorCode::Version, .. }) => Err(NoHello::Version),
        Ok(_) | Err(_) => {
            decline(&*fresh.link.tx, ErrorCode::Malformed).await;
            Err(NoHello::Failed("its first frame is no hello".into()))
        }
    }
}

fn is_proven(link: &Link, hello: &Hello) -> bool {
    link.peer.key.as_ref().is_none_or(|spki| PublicKey::from_spki(spki) == Some(hello.key))
}

async fn decline(tx: &dyn LinkTx, code: ErrorCode) {
    if let Ok(bytes) = encode(&Frame::Error { code, room: None, detail: String::new() })
        && tx.send(Lane::CONTROL, bytes).await.is_ok()
    {
        let _ = timeout(HELLO_TIMEOUT, tx.close(CloseReason::local(CloseCode::Refused, ""))).await;
    }
}

/// Runs a link after its hello, to its end, and tells the driver of both.
pub(super) async fn run(fresh: Fresh, hello: Hello, posts: mpsc::Sender<Post>) {
    let Fresh { id, link, transport, dialed, .. } = fresh;
    let handle = LinkHandle {
        outbox: Arc::new(Outbox::default()),
        tx: Arc::from(link.tx),
        rtt_us: Arc::default(),
        peer: link.peer.addr,
        transport,
        name: hello.nick.to_string(),
    };
    let up = Post::Up { link: id, handle: handle.clone(), hello, addr: link.peer.addr, dialed };
    if posts.send(up).await.is_err() {
        return;
    }
    let end = carry(id, &handle, link.rx, &posts).await;
    debug!(link = id.0, reason = %end.reason, "link down");
    let _ = posts.send(Post::Down { link: id, end }).await;
}

/// Carries frames both ways until one of the two ends.
async fn carry(id: LinkId, handle: &LinkHandle, rx: Box<dyn LinkRx>, posts: &mpsc::Sender<Post>) -> LinkEnd {
    let mut reader = std::pin::pin!(read(id, handle, rx, posts));
    let mut writer = std::pin::pin!(write(id, handle, posts));
    tokio::select! {
        end = &mut reader => {
            // Both sides close at once: ours is to learn what became of what it sent.
            if handle.outbox.is_closing() {
                return writer.await;
            }
            end
        }
        end = &mut writer => end,
    }
}

async fn write(id: LinkId, handle: &LinkHandle, posts: &mpsc::Sender<Post>) -> LinkEnd {
    // Files wait for the transport beside the rest, and are let go of where that says to close.
    let said = tokio::select! { biased;
        said = write_prompt(id, handle, posts) => said,
        end = write_bulk(id, handle, posts) => Err(end),
    };
    match said {
        Ok((reason, detail)) => close(handle, reason, detail).await,
        Err(end) => end,
    }
}

/// Sends all but files until the link is to be closed.
async fn write_prompt(
    id: LinkId,
    handle: &LinkHandle,
    posts: &mpsc::Sender<Post>,
) -> Result<(ByeReason, String), LinkEnd> {
    loop {
        match handle.outbox.next().await {
            Next::Frames(frames) => {
                for (lane, frame) in frames {
                    handle.tx.send(lane, frame).await.map_err(|error| ended(&error))?;
                }
                tell_of_room(id, handle, Line::Prompt, posts).await?;
            }
            Next::Close(reason, detail) => return Ok((reason, detail)),
        }
    }
}

async fn write_bulk(id: LinkId, handle: &LinkHandle, posts: &mpsc::Sender<Post>) -> LinkEnd {
    loop {
        let (lane, part) = handle.outbox.next_bulk().await;
        match handle.tx.send(lane, part).await {
            Ok(()) => {}
            // The other side left, and what it said before may not be read yet.
            Err(LinkError::Closed(_)) => return std::future::pending().await,
            Err(error) => return ended(&error),
        }
        if let Err(end) = tell_of_room(id, handle, Line::Bulk, posts).await {
            return end;
        }
    }
}

async fn tell_of_room(
    id: LinkId,
    handle: &LinkHandle,
    line: Line,
    posts: &mpsc::Sender<Post>,
) -> Result<(), LinkEnd> {
    if handle.outbox.sent(line) && posts.send(Post::Room { link: id }).await.is_err() {
        return Err(LinkEnd { clean: false, reason: "the node stopped".into() });
    }
    Ok(())
}

async fn close(handle: &LinkHandle, reason: ByeReason, detail: String) -> LinkEnd {
    if let Ok(bye) = encode(&Frame::Bye { reason, detail: detail.clone() }) {
        let _ = handle.tx.send(Lane::CONTROL, bye).await;
    }
    let code = match reason {
        ByeReason::Shutdown => CloseCode::Shutdown,
        ByeReason::Refused => CloseCode::Refused,
        ByeReason::Duplicate | ByeReason::Replaced => CloseCode::Duplicate,
        ByeReason::Violation => CloseCode::Violation,
        ByeReason::Quit | ByeReason::Other => CloseCode::Done,
    };
    match handle.tx.close(CloseReason::local(code, detail)).await {
        Ok(()) => LinkEnd { clean: true, reason: "closed".into() },
        Err(undelivered) => LinkEnd { clean: undelivered.left, reason: undelivered.to_string() },
    }
}

async fn read(
    id: LinkId,
    handle: &LinkHandle,
    mut rx: Box<dyn LinkRx>,
    posts: &mpsc::Sender<Post>,
) -> LinkEnd {
    let mut pulse = Pulse::new();
    let mut ticks = interval_at(Instant::now(), PING_PERIOD);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let received = tokio::select! { biased;
            received = rx.recv() => received,
            _ = ticks.tick() => {
                if let Some(end) = pulse.beat(handle) {
                    return end;
                }
                continue;
            }
        };
        let message = match received {
            Ok(Some(message)) => message,
            Ok(None) => return LinkEnd { clean: true, reason: "the other side left".into() },
            Err(error) => return ended(&error),
        };
        pulse.heard();
        match decode_message(&message) {
            Ok(Frame::Ping { token }) => push(handle, &Frame::Pong { token }),
            Ok(Frame::Pong { token }) => pulse.pong(handle, token),
            Ok(frame) => {
                if posts.send(Post::Frame { link: id, frame }).await.is_err() {
                    return LinkEnd { clean: false, reason: "the node stopped".into() };
                }
            }
            Err(DecodeError::Unknown(variant)) => trace!(link = id.0, variant, "a frame of a newer version"),
            Err(error) => {
                debug!(link = id.0, %error, "the link is closed");
                push(handle, &Frame::Error { code: ErrorCode::Malformed, room: None, detail: String::new() });
                handle.outbox.close(ByeReason::Violation, error.to_string());
            }
        }
    }
}

fn push(handle: &LinkHandle, frame: &Frame) {
    if let Ok(bytes) = encode(frame) {
        handle.send(lane_of(frame), &bytes);
    }
}

fn ended(error: &LinkError) -> LinkEnd {
    match error {
        LinkError::Closed(_) => LinkEnd { clean: true, reason: error.to_string() },
        LinkError::Lost(why) => LinkEnd { clean: false, reason: why.clone() },
        other => LinkEnd { clean: false, reason: other.to_string() },
    }
}

/// Whether the other side is alive, and how far away.
struct Pulse {
    heard: bool,
    silent: u32,
    token: u32,
    pinged_at: Instant,
}

impl Pulse {
    fn new() -> Self {
        Self { heard: true, silent: 0, token: 0, pinged_at: Instant::now() }
    }

    const fn heard(&mut self) {
        self.heard = true;
    }

    /// One period is over: pings, or ends the link after too much silence.
    fn beat(&mut self, handle: &LinkHandle) -> Option<LinkEnd> {
        self.silent = if std::mem::take(&mut self.heard) { 0 } else { self.silent + 1 };
        if self.silent >= MAX_SILENT_PINGS {
            let silence = PING_PERIOD.as_secs() * u64::from(MAX_SILENT_PINGS);
            return Some(LinkEnd { clean: false, reason: format!("no answer for {silence} s") });
        }
        self.token = self.token.wrapping_add(1);
        self.pinged_at = Instant::now();
        push(handle, &Frame::Ping { token: self.token });
        None
    }

    fn pong(&self, handle: &LinkHandle, token: u32) {
        if token == self.token {
            let micros = u64::try_from(self.pinged_at.elapsed().as_micros()).unwrap_or(u64::MAX);
            handle.rtt_us.store(micros.max(1), Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests;
