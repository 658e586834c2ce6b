//! What the two halves of a link and its task share, for every transport that carries a stream of
//! [units](super::framing). Reading and writing are in [`stream`](super::stream).

mod state;

use std::{
    pin::pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll, Waker},
};

use bytes::Bytes;
use tokio::sync::{Notify, Semaphore, SemaphorePermit, TryAcquireError};

use self::state::State;
use super::{
    LinkError, LinkStats, MAX_MESSAGE_BYTES, PathStats, Undelivered,
    error::{By, CloseReason},
    lane::{Class, Lane},
    outbox::{CLASS_BYTES, Order, cost},
};

/// One link, seen by its halves and its task. The lock is held for bookkeeping only, never across an
/// await; whoever must be woken is woken after it.
#[derive(Debug)]
pub(super) struct Shared {
    state: Mutex<State>,
    /// Bytes free in each class; whoever waits for them is served in order.
    room: [Semaphore; Class::ALL.len()],
    /// Something changed that may end a close.
    moved: Notify,
    meter: Arc<Meter>,
}

/// Bytes that crossed the network.
#[derive(Debug, Default)]
pub(super) struct Meter {
    pub(super) sent: AtomicU64,
    pub(super) received: AtomicU64,
}

impl Shared {
    pub(super) fn new(meter: Arc<Meter>, order: Order) -> Arc<Self> {
        let room = Class::ALL.map(|_| Semaphore::new(CLASS_BYTES));
        Arc::new(Self { state: Mutex::new(State::new(order)), room, moved: Notify::new(), meter })
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
        self.accept(lane, message, granted)
    }

    pub(super) fn try_send(&self, lane: Lane, message: &Bytes) -> Result<bool, LinkError> {
        let (len, max) = (message.len(), MAX_MESSAGE_BYTES);
        if len > max {
            return Err(LinkError::TooLong { len, max });
        }
        match self.room(lane.class).try_acquire_many(cost(len) as u32) {
            Err(TryAcquireError::NoPermits) => Ok(false),
            granted => self.accept(lane, message.clone(), granted.ok()).map(|()| true),
        }
    }

    fn accept(
        &self,
        lane: Lane,
        message: Bytes,
        granted: Option<SemaphorePermit<'_>>,
    ) -> Result<(), LinkError> {
        let waker = {
            let mut state = self.lock();
            // Without a grant the link has ended, which `accept` knows too.
            state.accept(lane, message)?;
            granted.into_iter().for_each(|granted| granted.forget());
            state.wake_writer()
        };
        wake(waker);
        Ok(())
    }

    pub(super) async fn close(&self, reason: CloseReason) -> Result<(), Undelivered> {
        self.change(|state| state.start_close(CloseReason { by: By::Local, ..reason }));
        self.shut();
        loop {
            let mut moved = pin!(self.moved.notified());
            moved.as_mut().enable();
            if let Some(outcome) = self.lock().close_outcome() {
                return outcome;
            }
            moved.await;
        }
    }

    pub(super) fn poll_recv(&self, cx: &Context<'_>) -> Poll<Result<Option<Bytes>, LinkError>> {
        let (polled, waker) = {
            let mut state = self.lock();
            let (polled, wakes_task) = state.recv(cx);
            (polled, if wakes_task { state.wake_task() } else { None })
        };
        wake(waker);
        polled
    }

    pub(super) fn try_recv(&self) -> Option<Bytes> {
        let (message, waker) = {
            let mut state = self.lock();
            let (message, wakes_task) = state.try_recv();
            (message, if wakes_task { state.wake_task() } else { None })
        };
        wake(waker);
        message
    }

    pub(super) fn drop_sender(&self) {
        self.change(State::drop_sender);
        self.shut();
    }

    pub(super) fn drop_receiver(&self) {
        self.change(State::drop_receiver);
    }

    /// Gives room back to those who wait to send.
    pub(super) fn free(&self, freed: [usize; Class::ALL.len()]) {
        for (room, bytes) in self.room.iter().zip(freed) {
            if bytes > 0 {
                room.add_permits(bytes);
            }
        }
    }

    /// Lets the task note what arrived, and wakes whoever that concerns.
    pub(super) fn arrived(&self, note: impl FnOnce(&mut State) -> Result<(), String>) -> Result<(), String> {
        let (before, after, outcome, reader) = {
            let mut state = self.lock();
            let before = state.told();
            let outcome = note(&mut state);
            (before, state.told(), outcome, state.wake_reader())
        };
        if before != after {
            let (closed, ..) = after;
            if closed {
                self.shut();
            }
            self.notify_moved();
        }
        wake(reader);
        outcome
    }

    /// Lets whoever closes look again.
    pub(super) fn notify_moved(&self) {
        self.moved.notify_waiters();
    }

    /// Ends the link: whoever waits learns why. The first reason counts.
    pub(super) fn lose(&self, why: impl Into<String>) {
        let (task, reader) = {
            let mut state = self.lock();
            state.lose(why.into());
            (state.wake_task(), state.wake_reader())
        };
        self.shut();
        self.notify_moved();
        wake(task);
        wake(reader);
    }

    pub(super) fn stats(&self) -> LinkStats {
        let state = self.lock();
        LinkStats {
            messages_sent: state.accepted,
            messages_received: state.inbox.handed(),
            bytes_sent: self.bytes_sent(),
            bytes_received: self.meter.received.load(Ordering::Relaxed),
            path: state.path,
        }
    }

    pub(super) fn set_path(&self, path: PathStats) {
        self.lock().path = Some(path);
    }

    pub(super) fn meter(&self) -> &Meter {
        &self.meter
    }

    pub(super) fn bytes_sent(&self) -> u64 {
        self.meter.sent.load(Ordering::Relaxed)
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the state and wakes the task.
    fn change(&self, change: impl FnOnce(&mut State)) {
        let waker = {
            let mut state = self.lock();
            change(&mut state);
            state.wake_task()
        };
        wake(waker);
    }

    /// Refuses what waits to be sent and what will be.
    fn shut(&self) {
        self.room.iter().for_each(Semaphore::close);
    }

    fn room(&self, class: Class) -> &Semaphore {
        let [control, thin, bulk] = &self.room;
        match class {
            Class::Control => control,
            Class::Thin => thin,
            Class::Bulk => bulk,
        }
    }
}

fn wake(waker: Option<Waker>) {
    if let Some(waker) = waker {
        waker.wake();
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
