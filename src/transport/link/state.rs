//! Both directions of a link and who waits for what: plain bookkeeping, without reading, writing or
//! waking anybody.

use std::{
    task::{Context, Poll, Waker},
    time::Duration,
};

use bytes::Bytes;
use tokio::time::Instant;

use crate::transport::{
    LinkError, PathStats, Undelivered,
    error::{By, CloseCode, CloseReason},
    framing::{Control, Unit},
    inbox::Inbox,
    lane::Lane,
    outbox::{Order, Outbox},
};

/// The least time between two words on how much a slow application consumed.
const CONSUMING_INTERVAL: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(in crate::transport) struct State {
    pub(in crate::transport) outbox: Outbox,
    pub(super) inbox: Inbox,
    /// Messages accepted from this application.
    pub(super) accepted: u64,
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
    /// The task waits for the network to take more, and comes back without being woken.
    writing: bool,
    /// The task does not read because the inbox is full.
    read_paused: bool,
    pub(super) path: Option<PathStats>,
    task: Option<Waker>,
    reader: Option<Waker>,
}

/// What the other side has said about the link itself: whether it closed, what it consumed, whether
/// that is final.
pub(super) type Told = (bool, u64, bool);

impl State {
    pub(super) fn new(order: Order) -> Self {
        Self {
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
            path: None,
            task: None,
            reader: None,
        }
    }

    /// Takes a message from this application; the caller has reserved its room.
    pub(super) fn accept(&mut self, lane: Lane, message: Bytes) -> Result<(), LinkError> {
        match (&self.closing, &self.closed_by_peer, &self.lost) {
            (None, None, None) => {
                self.accepted += 1;
                self.outbox.push(lane, message);
                Ok(())
            }
            (Some(reason), ..) | (None, Some(reason), _) => Err(LinkError::Closed(reason.clone())),
            (None, None, Some(why)) => Err(LinkError::Lost(why.clone())),
        }
    }

    pub(super) fn start_close(&mut self, reason: CloseReason) {
        if self.closing.is_none() {
            let (code, text) = (reason.code as u8, reason.text.clone());
            self.outbox.push_last(Control::Close { code, text });
            self.closing = Some(reason);
        }
    }

    /// How a close ended, once it did.
    pub(super) fn close_outcome(&self) -> Option<Result<(), Undelivered>> {
        let messages = self.accepted - self.peer_consumed;
        let left = self.peer_finished && self.flushed;
        let why = match &self.lost {
            _ if left => "the other application left before".to_owned(),
            Some(why) => why.clone(),
            None => return None,
        };
        Some(if messages == 0 { Ok(()) } else { Err(Undelivered { messages, left, why }) })
    }

    /// Hands out the next message, which means that this application is done with those before.
    /// Also whether the task has something to do now.
    pub(super) fn recv(&mut self, cx: &Context<'_>) -> (Poll<Result<Option<Bytes>, LinkError>>, bool) {
        self.inbox.ask();
        let reported = self.report_consumed() || self.report_progress();
        let polled = self.poll_next(cx);
        (polled, reported || self.could_read_on())
    }

    /// Hands out the next message if it is here, which says nothing about those before. Also whether the
    /// task has something to do now.
    pub(super) fn try_recv(&mut self) -> (Option<Bytes>, bool) {
        (self.inbox.pop(), self.could_read_on())
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

    /// The sending half is gone. After the other side's close there is nothing left to say, so this
    /// counts as a close too.
    pub(super) fn drop_sender(&mut self) {
        self.sender_gone = true;
        if self.closed_by_peer.is_some() {
            self.start_close(CloseReason::local(CloseCode::Done, ""));
        }
    }

    /// The receiving half is gone.
    pub(super) fn drop_receiver(&mut self) {
        self.inbox.abandon();
        self.report_consumed();
    }

    /// Takes one unit from the other side. `Err` when the other side breaks the rules.
    pub(in crate::transport) fn take(&mut self, unit: Unit) -> Result<(), String> {
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

    /// Reports this application's last count, once it cannot change. Whether it did.
    fn report_consumed(&mut self) -> bool {
        let all = self.closed_by_peer.is_some() && self.inbox.is_consumed();
        let due = !self.reported && (all || self.inbox.is_abandoned());
        if due {
            self.reported = true;
            self.outbox.push_urgent(Control::Consumed { messages: self.inbox.consumed() });
        }
        due
    }

    /// Tells the other side now and then that a slow application goes on, lest its close give up.
    /// Whether it did.
    fn report_progress(&mut self) -> bool {
        if self.reported || !(self.read_paused || self.closed_by_peer.is_some()) {
            return false;
        }
        let now = Instant::now();
        if self.progress_reported.is_some_and(|last| now - last < CONSUMING_INTERVAL) {
            return false;
        }
        self.progress_reported = Some(now);
        self.outbox.push_urgent(Control::Consuming { messages: self.inbox.consumed() });
        true
    }

    /// Ends both directions; the first reason counts. What arrived before can still be taken.
    pub(super) fn lose(&mut self, why: String) {
        self.lost.get_or_insert(why);
        self.outbox.clear();
    }

    pub(super) fn told(&self) -> Told {
        (self.closed_by_peer.is_some(), self.peer_consumed, self.peer_finished)
    }

    /// Who must hear that something arrived.
    pub(super) fn wake_reader(&mut self) -> Option<Waker> {
        let something = !self.inbox.is_empty() || self.closed_by_peer.is_some() || self.lost.is_some();
        if something { self.reader.take() } else { None }
    }

    /// Who must hear that there is something to write.
    pub(super) fn wake_writer(&mut self) -> Option<Waker> {
        if self.writing { None } else { self.task.take() }
    }

    pub(super) fn wake_task(&mut self) -> Option<Waker> {
        self.task.take()
    }
}

/// What the task asks and says.
impl State {
    /// The task runs, so nobody needs to wake it.
    pub(in crate::transport) fn wake_up(&mut self) {
        self.task = None;
    }

    /// Lets the task sleep until something here changes, `writing` telling whether it waits for the
    /// network to take more. `false` when there is something to do at once.
    pub(in crate::transport) fn sleep(&mut self, writing: bool, waker: &Waker) -> bool {
        let ends = self.lost.is_some() || self.is_abandoned();
        let writes = !writing && (!self.outbox.is_empty() || self.is_over());
        if ends || writes || self.could_read_on() {
            return false;
        }
        self.writing = writing;
        self.task = Some(waker.clone());
        true
    }

    /// Stops the reading when the inbox is full; whether it did.
    pub(in crate::transport) fn pause_reading(&mut self) -> bool {
        self.read_paused = self.inbox.is_full();
        self.read_paused
    }

    /// Goes on reading when the inbox has room; whether it did.
    pub(in crate::transport) fn resume_reading(&mut self) -> bool {
        self.read_paused = !self.inbox.has_room();
        !self.read_paused
    }

    fn could_read_on(&self) -> bool {
        self.read_paused && self.inbox.has_room()
    }

    /// The task has nothing left in hand. Whether that completes what a close waits for.
    pub(in crate::transport) fn note_flushed(&mut self) -> bool {
        let completes = self.closing.is_some() && self.outbox.is_empty() && !self.flushed;
        self.flushed |= completes;
        completes
    }

    pub(in crate::transport) fn lost(&self) -> Option<&str> {
        self.lost.as_deref()
    }

    /// Whether this side closes and still has something to learn from the other.
    pub(in crate::transport) fn awaits_peer(&self) -> bool {
        self.closing.is_some() && !self.peer_finished
    }

    /// What the other side confirmed so far.
    pub(in crate::transport) fn peer_consumed(&self) -> u64 {
        self.peer_consumed
    }

    /// Whether the sending half was dropped without a close.
    pub(in crate::transport) fn is_abandoned(&self) -> bool {
        self.sender_gone && self.closing.is_none()
    }

    /// Whether both directions are over.
    pub(in crate::transport) fn is_over(&self) -> bool {
        self.closing.is_some() && self.peer_finished && self.reported && self.outbox.is_empty()
    }
}
