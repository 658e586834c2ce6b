//! What the two halves of a link and its task share, for every transport that carries a stream of
//! [units](super::framing). The bookkeeping of both directions is here, the reading and writing in
//! [`stream`](super::stream).

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll, Waker},
    time::Duration,
};

use bytes::Bytes;
use tokio::{
    sync::{Notify, Semaphore, TryAcquireError},
    time::Instant,
};

use super::{
    LinkError, LinkStats, MAX_MESSAGE_BYTES, Undelivered,
    error::{By, CloseCode, CloseReason},
    framing::{Control, Unit},
    inbox::Inbox,
    lane::{Class, Lane},
    outbox::{CLASS_BYTES, Order, Outbox, cost},
};

/// The least time between two words on how much a slow application consumed.
const CONSUMING_INTERVAL: Duration = Duration::from_secs(1);

/// One link, seen by its halves and its task.
#[derive(Debug)]
pub(super) struct Shared {
    state: Mutex<State>,
    /// Bytes free in each class; whoever waits for them is served in order.
    room: [Semaphore; Class::ALL.len()],
    /// The state changed in a way that may end a close.
    moved: Notify,
    pub(super) meter: Arc<Meter>,
}

/// Bytes that crossed the network.
#[derive(Debug, Default)]
pub(super) struct Meter {
    pub(super) sent: AtomicU64,
    pub(super) received: AtomicU64,
}

/// Both directions of a link, and who waits for what.
#[derive(Debug)]
pub(super) struct State {
    pub(super) outbox: Outbox,
    pub(super) inbox: Inbox,
    /// Messages accepted from this application.
    accepted: u64,
    /// Why this side closes.
    closing: Option<CloseReason>,
    /// Everything accepted and the close have been given to the network.
    flushed: bool,
    /// What the other application is known to have consumed, and whether that is final.
    peer_consumed: u64,
    peer_finished: bool,
    /// Why the other side closed; nothing comes after it.
    closed_by_peer: Option<CloseReason>,
    /// This application's count was reported for the last time.
    reported: bool,
    progress_reported: Option<Instant>,
    sender_gone: bool,
    lost: Option<String>,
    /// The task has what it needs of the outbox for now; it will come back without being woken.
    writing: bool,
    /// The task does not read because the inbox is full.
    read_paused: bool,
    task: Option<Waker>,
    reader: Option<Waker>,
}

impl Shared {
    pub(super) fn new(meter: Arc<Meter>, order: Order) -> Arc<Self> {
        let state = State {
            outbox: Outbox::new(order),
            inbox: Inbox::default(),
            accepted: 0,
            closing: None,
            flushed: false,
            peer_consumed: 0,
            peer_finished: false,
            closed_by_peer: None,
            reported: false,
            progress_reported: None,
            sender_gone: false,
            lost: None,
            writing: false,
            read_paused: false,
            task: None,
            reader: None,
        };
        let room = Class::ALL.map(|_| Semaphore::new(CLASS_BYTES));
        Arc::new(Self { state: Mutex::new(state), room, moved: Notify::new(), meter })
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn room(&self, class: Class) -> &Semaphore {
        let [control, thin, bulk] = &self.room;
        match class {
            Class::Control => control,
            Class::Thin => thin,
            Class::Bulk => bulk,
        }
    }

    pub(super) async fn send(&self, lane: Lane, message: Bytes) -> Result<(), LinkError> {
        let (len, max) = (message.len(), MAX_MESSAGE_BYTES);
        if len > max {
            return Err(LinkError::TooLong { len, max });
        }
        let (room, cost) = (self.room(lane.class), cost(len) as u32);
        let granted = match room.try_acquire_many(cost) {
            Err(TryAcquireError::NoPermits) => room.acquire_many(cost).await.ok(),
            granted => granted.ok(),
        };
        let waker = {
            let mut state = self.lock();
            let Some(granted) = granted.filter(|_| state.is_sending()) else { return Err(state.refusal()) };
            granted.forget();
            state.accepted += 1;
            state.outbox.push(lane, message);
            state.wake_writer()
        };
        waker.into_iter().for_each(Waker::wake);
        Ok(())
    }

    /// Gives room back to those who wait to send.
    pub(super) fn free(&self, freed: [usize; Class::ALL.len()]) {
        for (room, bytes) in self.room.iter().zip(freed) {
            if bytes > 0 {
                room.add_permits(bytes);
            }
        }
    }

    /// Refuses what waits to be sent and what will be.
    fn shut(&self) {
        self.room.iter().for_each(Semaphore::close);
    }

    pub(super) async fn close(&self, reason: CloseReason) -> Result<(), Undelivered> {
        self.start_close(CloseReason { by: By::Local, ..reason });
        loop {
            let mut moved = std::pin::pin!(self.moved.notified());
            moved.as_mut().enable();
            if let Some(outcome) = self.lock().close_outcome() {
                return outcome;
            }
            moved.await;
        }
    }

    fn start_close(&self, reason: CloseReason) {
        self.change(|state| state.start_close(reason));
        self.shut();
    }

    pub(super) fn poll_recv(&self, cx: &Context<'_>) -> Poll<Result<Option<Bytes>, LinkError>> {
        let mut state = self.lock();
        state.inbox.ask();
        let mut wake = state.report_consumed() || state.report_progress();
        let polled = state.poll_next(cx);
        wake |= state.read_paused && state.inbox.has_room();
        let waker = if wake { state.task.take() } else { None };
        drop(state);
        waker.into_iter().for_each(Waker::wake);
        polled
    }

    pub(super) fn drop_sender(&self) {
        self.change(|state| {
            state.sender_gone = true;
            if state.closed_by_peer.is_some() {
                state.start_close(CloseReason::local(CloseCode::Done, ""));
            }
        });
        self.shut();
    }

    pub(super) fn drop_receiver(&self) {
        self.change(|state| {
            state.inbox.abandon();
            state.report_consumed();
        });
    }

    /// Takes what arrived. `Err` when it makes no sense.
    pub(super) fn arrived(&self, units: impl FnOnce(&mut State) -> Result<(), String>) -> Result<(), String> {
        let mut state = self.lock();
        let (closed, finished, consumed) =
            (state.closed_by_peer.is_some(), state.peer_finished, state.peer_consumed);
        let outcome = units(&mut state);
        let closed_now = !closed && state.closed_by_peer.is_some();
        let moved = finished != state.peer_finished || consumed != state.peer_consumed;
        let reader = if closed_now || !state.inbox.is_empty() { state.reader.take() } else { None };
        drop(state);
        if closed_now {
            self.shut();
        }
        if moved {
            self.moved.notify_waiters();
        }
        reader.into_iter().for_each(Waker::wake);
        outcome
    }

    /// Lets whoever closes look again.
    pub(super) fn notify_moved(&self) {
        self.moved.notify_waiters();
    }

    /// Ends the link: whoever waits learns why. The first reason counts.
    pub(super) fn lose(&self, why: impl Into<String>) {
        let reader = {
            let mut state = self.lock();
            state.lost.get_or_insert_with(|| why.into());
            state.task.take().into_iter().chain(state.reader.take()).collect::<Vec<_>>()
        };
        self.shut();
        self.moved.notify_waiters();
        reader.into_iter().for_each(Waker::wake);
    }

    pub(super) fn stats(&self) -> LinkStats {
        let state = self.lock();
        LinkStats {
            messages_sent: state.accepted,
            messages_received: state.inbox.handed(),
            bytes_sent: self.meter.sent.load(Ordering::Relaxed),
            bytes_received: self.meter.received.load(Ordering::Relaxed),
        }
    }

    /// Changes the state and wakes the task.
    fn change(&self, change: impl FnOnce(&mut State)) {
        let waker = {
            let mut state = self.lock();
            change(&mut state);
            state.task.take()
        };
        waker.into_iter().for_each(Waker::wake);
    }
}

impl State {
    fn is_sending(&self) -> bool {
        self.closing.is_none() && self.closed_by_peer.is_none() && self.lost.is_none()
    }

    /// Why `send` takes nothing.
    fn refusal(&self) -> LinkError {
        match (&self.closing, &self.closed_by_peer, &self.lost) {
            (Some(reason), ..) | (None, Some(reason), _) => LinkError::Closed(reason.clone()),
            (None, None, Some(why)) => LinkError::Lost(why.clone()),
            (None, None, None) => LinkError::Lost("this side left".to_owned()),
        }
    }

    fn start_close(&mut self, reason: CloseReason) {
        if self.closing.is_none() {
            let (code, text) = (reason.code as u8, reason.text.clone());
            self.outbox.push_last(&Control::Close { code, text });
            self.closing = Some(reason);
        }
    }

    /// How a close ended, once it did.
    fn close_outcome(&self) -> Option<Result<(), Undelivered>> {
        let messages = self.accepted - self.peer_consumed;
        let why = match &self.lost {
            _ if self.peer_finished && self.flushed => "the other application left before",
            Some(why) => why,
            None => return None,
        };
        Some(if messages == 0 { Ok(()) } else { Err(Undelivered { messages, why: why.to_owned() }) })
    }

    fn poll_next(&mut self, cx: &Context<'_>) -> Poll<Result<Option<Bytes>, LinkError>> {
        if let Some(message) = self.inbox.pop() {
            return Poll::Ready(Ok(Some(message)));
        }
        if self.closed_by_peer.is_some() {
            return Poll::Ready(Ok(None));
        }
        if let Some(why) = &self.lost {
            return Poll::Ready(Err(LinkError::Lost(why.clone())));
        }
        self.reader = Some(cx.waker().clone());
        Poll::Pending
    }

    /// Takes one unit from the other side. `Err` when the other side breaks the rules.
    pub(super) fn take(&mut self, unit: Unit) -> Result<(), String> {
        match unit {
            Unit::Message(_) if self.closed_by_peer.is_some() => {
                return Err("the other side sent a message after its close".to_owned());
            }
            Unit::Message(message) => self.inbox.push(message),
            Unit::Control(Control::Close { .. }) if self.closed_by_peer.is_some() => {
                return Err("the other side closed twice".to_owned());
            }
            Unit::Control(Control::Close { code, text }) => {
                let code = CloseCode::from_wire(code);
                self.closed_by_peer = Some(CloseReason { by: By::Remote, code, text });
                self.report_consumed();
            }
            Unit::Control(Control::Consumed { messages }) => {
                self.count_consumed(messages)?;
                self.peer_finished = true;
            }
            Unit::Control(Control::Consuming { messages }) => self.count_consumed(messages)?,
        }
        Ok(())
    }

    fn count_consumed(&mut self, messages: u64) -> Result<(), String> {
        if self.peer_finished || !(self.peer_consumed..=self.accepted).contains(&messages) {
            return Err(format!("the other side claims to have consumed {messages} messages"));
        }
        self.peer_consumed = messages;
        Ok(())
    }

    /// Reports this application's last count, once it cannot change. Whether there is something to write.
    fn report_consumed(&mut self) -> bool {
        let all = self.closed_by_peer.is_some() && self.inbox.is_consumed();
        let due = !self.reported && (all || self.inbox.is_abandoned());
        if due {
            self.reported = true;
            self.outbox.push_urgent(&Control::Consumed { messages: self.inbox.consumed() });
        }
        due
    }

    /// Tells the other side now and then that a slow application goes on, lest its close give up.
    fn report_progress(&mut self) -> bool {
        if self.reported || !(self.read_paused || self.closed_by_peer.is_some()) {
            return false;
        }
        let now = Instant::now();
        if self.progress_reported.is_some_and(|last| now - last < CONSUMING_INTERVAL) {
            return false;
        }
        self.progress_reported = Some(now);
        self.outbox.push_urgent(&Control::Consuming { messages: self.inbox.consumed() });
        true
    }

    fn wake_writer(&mut self) -> Option<Waker> {
        if self.writing { None } else { self.task.take() }
    }

    /// The task runs, so nobody needs to wake it.
    pub(super) fn wake_up(&mut self) {
        self.task = None;
    }

    /// Lets the task sleep until something here changes, `writing` telling whether it waits for the
    /// network to take more. `false` when there is something to do at once.
    pub(super) fn sleep(&mut self, writing: bool, waker: &Waker) -> bool {
        let ends = self.lost.is_some() || self.is_abandoned();
        let writes = !writing && (!self.outbox.is_empty() || self.is_over());
        let reads = self.read_paused && self.inbox.has_room();
        if ends || writes || reads {
            return false;
        }
        self.writing = writing;
        self.task = Some(waker.clone());
        true
    }

    /// Stops the reading when the inbox is full; whether it did.
    pub(super) fn pause_reading(&mut self) -> bool {
        self.read_paused = self.inbox.is_full();
        self.read_paused
    }

    /// Goes on reading when the inbox has room; whether it did.
    pub(super) fn resume_reading(&mut self) -> bool {
        self.read_paused = !self.inbox.has_room();
        !self.read_paused
    }

    /// The task has nothing left in hand. Whether that completes what a close waits for.
    pub(super) fn note_flushed(&mut self) -> bool {
        let completes = self.closing.is_some() && self.outbox.is_empty() && !self.flushed;
        self.flushed |= completes;
        completes
    }

    pub(super) fn lost(&self) -> Option<&str> {
        self.lost.as_deref()
    }

    /// Whether this side closes and still has something to learn from the other.
    pub(super) fn awaits_peer(&self) -> bool {
        self.closing.is_some() && !self.peer_finished
    }

    /// What the other side confirmed so far.
    pub(super) fn peer_consumed(&self) -> u64 {
        self.peer_consumed
    }

    /// Whether the sending half was dropped without a close.
    pub(super) fn is_abandoned(&self) -> bool {
        self.sender_gone && self.closing.is_none()
    }

    /// Whether both directions are over.
    pub(super) fn is_over(&self) -> bool {
        self.closing.is_some() && self.peer_finished && self.reported && self.outbox.is_empty()
    }
}

/// A way to break a link from outside, without keeping it alive.
#[derive(Clone, Debug)]
pub(super) struct Cutter(Weak<Shared>);

impl Cutter {
    pub(super) fn new(shared: &Arc<Shared>) -> Self {
        Self(Arc::downgrade(shared))
    }

    pub(super) fn is_over(&self) -> bool {
        self.0.strong_count() == 0
    }

    pub(super) fn cut(&self, why: &str) {
        if let Some(shared) = self.0.upgrade() {
            shared.lose(why);
        }
    }
}
