//! One link over one connection: what the application said goes into the connection, what came out of
//! it to the application. The link's bookkeeping is that of every transport; the connection does what a
//! stream does elsewhere.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, PoisonError, atomic::Ordering},
    task::{Wake, Waker},
    time::Instant,
};

use tokio::sync::{Notify, oneshot, watch};

use super::{
    driver::now,
    proto::{Connection, ConnectionKey, End, Event, Stats},
};
use crate::transport::{
    CloseCode, Link, LinkError, PathStats, Peer,
    framing::{Control, Unit},
    halves::{Rx, Tx},
    link::{Meter, Shared},
    outbox::{Order, Out},
};

/// Connections whose link has something for them.
#[derive(Debug)]
pub(super) struct Ready {
    keys: Mutex<BTreeSet<ConnectionKey>>,
    notify: Notify,
    open: Arc<watch::Sender<usize>>,
}

impl Ready {
    /// `open`: how many links there are that have not ended at both sides, counted by them.
    pub(super) fn new(open: Arc<watch::Sender<usize>>) -> Self {
        Self { keys: Mutex::default(), notify: Notify::new(), open }
    }

    fn push(&self, key: ConnectionKey) {
        let first = {
            let mut keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
            let first = keys.is_empty();
            keys.insert(key);
            first
        };
        if first {
            self.notify.notify_one();
        }
    }

    pub(super) fn wake(&self) {
        self.notify.notify_one();
    }

    pub(super) async fn notified(&self) {
        self.notify.notified().await;
    }

    pub(super) fn take(&self) -> BTreeSet<ConnectionKey> {
        std::mem::take(&mut *self.keys.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Wakes the driver for one connection.
struct Bell {
    key: ConnectionKey,
    ready: Arc<Ready>,
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.ready.push(self.key);
    }
}

/// A link that counts as open.
struct Open(Arc<Ready>);

impl Open {
    fn new(ready: Arc<Ready>) -> Self {
        ready.open.send_modify(|open| *open += 1);
        Self(ready)
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.open.send_modify(|open| *open -= 1);
    }
}

/// A connection and whoever waits for it.
pub(super) struct Bridge {
    pub(super) connection: Box<Connection>,
    pub(super) deadline: Option<Instant>,
    ready: Arc<Ready>,
    waker: Waker,
    link: Option<Arc<Shared>>,
    /// Until this side has nothing more to tell the other.
    open: Option<Open>,
    dialer: Option<oneshot::Sender<Result<Link, LinkError>>>,
    /// The connection had no room for something that the application said.
    waits_for_room: bool,
    /// How the connection ended; told once the application has what came before.
    end: Option<End>,
}

/// What came of letting a bridge work.
#[derive(Debug, Default)]
pub(super) struct Worked {
    /// A link that others made, for the listener.
    pub(super) accepted: Option<Link>,
    /// Just now it became a link.
    pub(super) connected: bool,
}

impl Bridge {
    pub(super) fn new(
        key: ConnectionKey,
        connection: Box<Connection>,
        ready: Arc<Ready>,
        dialer: Option<oneshot::Sender<Result<Link, LinkError>>>,
    ) -> Self {
        let waker = Arc::new(Bell { key, ready: ready.clone() }).into();
        Self {
            connection,
            deadline: None,
            ready,
            waker,
            link: None,
            open: None,
            dialer,
            waits_for_room: false,
            end: None,
        }
    }

    /// Nobody is there who could answer.
    pub(super) fn nobody_there(&mut self, now: Instant) {
        if let Some(dialer) = self.dialer.take() {
            let _ = dialer.send(Err(LinkError::NothingListens));
            self.connection.close(0, "", now);
        }
    }

    /// Whether nothing is left to do for it.
    pub(super) fn is_over(&self) -> bool {
        self.connection.is_over() && self.end.is_none()
    }

    /// Carries everything that can be carried between link and connection, both ways.
    pub(super) fn work(&mut self, now: Instant) -> Worked {
        let mut worked = Worked::default();
        self.take_events(&mut worked);
        if let Some(link) = self.link.clone() {
            self.deliver(&link, now);
            self.accept(&link, now);
            self.take_events(&mut worked);
        }
        self.settle(now);
        if !self.connection.is_established() {
            self.open = None;
        }
        worked
    }

    fn take_events(&mut self, worked: &mut Worked) {
        while let Some(event) = self.connection.poll_event() {
            match event {
                Event::Connected => *worked = Worked { accepted: self.connected(), connected: true },
                Event::Finished { code, text } => self.told(Control::Close { code, text }),
                Event::Consumed { messages, last: true } => self.told(Control::Consumed { messages }),
                Event::Consumed { messages, last: false } => self.told(Control::Consuming { messages }),
                Event::Closed(end) => self.end = Some(end),
            }
        }
    }

    /// Makes a link of it, for whoever dialed or for the listener.
    fn connected(&mut self) -> Option<Link> {
        let shared = Shared::new(Arc::new(Meter::default()), Order::ByClass);
        self.link = Some(shared.clone());
        self.open = Some(Open::new(self.ready.clone()));
        let peer = Peer { addr: self.connection.remote(), key: self.connection.peer_key().cloned() };
        let link = Link { peer, tx: Box::new(Tx(shared.clone())), rx: Box::new(Rx(shared)) };
        match self.dialer.take() {
            // Whoever dialed may have gone; dropping the link then ends it.
            Some(dialer) => {
                let _ = dialer.send(Ok(link));
                None
            }
            None => Some(link),
        }
    }

    fn told(&mut self, control: Control) {
        let Some(link) = &self.link else { return };
        let taken = link.arrived(|state| state.take(Unit::Control(control)));
        if let Err(why) = taken {
            link.lose(why);
        }
    }

    /// Hands what arrived to the application, as long as it has room.
    fn deliver(&mut self, link: &Shared, now: Instant) {
        if !link.lock().resume_reading() {
            return;
        }
        let connection = &mut self.connection;
        let taken = link.arrived(|state| {
            while !state.pause_reading()
                && let Some((_, message)) = connection.recv(now)
            {
                state.take(Unit::Message(message))?;
            }
            Ok(())
        });
        if let Err(why) = taken {
            link.lose(why);
        }
    }

    /// Hands over what arrived before the end, however much: nothing more comes, and its bytes are here
    /// already.
    fn deliver_all(&mut self, link: &Shared) {
        let (connection, now) = (&mut self.connection, now());
        // Whatever is wrong with it, the link ends anyway.
        let _ = link.arrived(|state| {
            while let Some((_, message)) = connection.recv(now) {
                state.take(Unit::Message(message))?;
            }
            Ok(())
        });
    }

    /// Gives the connection what the application said, as long as it has room.
    fn accept(&mut self, link: &Shared, now: Instant) {
        let connection = &mut self.connection;
        let mut state = link.lock();
        state.wake_up();
        let mut freed = [0; 3];
        while connection.is_established()
            && let Some(out) = state.outbox.take(|class, len| connection.has_room(class, len))
        {
            match out {
                Out::Message { lane, message, cost } => {
                    if let Some(freed) = freed.get_mut(lane.class.index()) {
                        *freed += cost;
                    }
                    // It has room, is established and not finished: it takes it.
                    let _ = connection.send(lane, message, now);
                }
                Out::Control(Control::Close { code, text }) => connection.finish(code, &text, now),
                Out::Control(Control::Consumed { messages }) => connection.consumed(messages, true, now),
                Out::Control(Control::Consuming { messages }) => connection.consumed(messages, false, now),
            }
        }
        self.waits_for_room = !state.outbox.is_empty();
        let flushed = state.note_flushed();
        drop(state);
        link.free(freed);
        if flushed {
            link.notify_moved();
        }
    }

    /// Lets the application see the connection's counters.
    pub(super) fn note_stats(&self) {
        let Some(link) = &self.link else { return };
        let stats = self.connection.stats();
        link.meter().sent.store(stats.bytes_sent, Ordering::Relaxed);
        link.meter().received.store(stats.bytes_received, Ordering::Relaxed);
        link.set_path(path_stats(&stats));
    }

    /// Ends what is to end, and asks to be woken for the rest.
    fn settle(&mut self, now: Instant) {
        let Some(link) = self.link.clone() else {
            if let Some(end) = self.end.take()
                && let Some(dialer) = self.dialer.take()
            {
                let _ = dialer.send(Err(refusal(end)));
            } else if self.dialer.as_ref().is_some_and(oneshot::Sender::is_closed) {
                self.connection.close(0, "", now);
            }
            return;
        };
        let mut state = link.lock();
        let lost = state.lost().is_some();
        let over = state.is_over() && self.connection.is_settled();
        if over || lost || state.is_abandoned() {
            drop(state);
            self.connection.close(CloseCode::Done as u8, "", now);
        } else {
            // What the connection has no room for now, it takes when room comes; what it has not yet settled, its
            // timers see to. What was said since it was asked waits for neither.
            let writing = self.waits_for_room || state.is_over();
            if !state.sleep(writing, &self.waker) {
                self.waker.wake_by_ref();
            }
            drop(state);
        }
        self.tell_end(&link, over);
    }

    /// Tells the application that the link has ended, after all that arrived before.
    fn tell_end(&mut self, link: &Shared, over: bool) {
        if self.end.is_none() {
            while let Some(event) = self.connection.poll_event() {
                if let Event::Closed(end) = event {
                    self.end = Some(end);
                }
            }
        }
        let Some(end) = self.end.take() else { return };
        self.deliver_all(link);
        link.lose(if over { "the link has ended".to_owned() } else { describe(&end) });
    }
}

fn path_stats(stats: &Stats) -> PathStats {
    PathStats {
        rtt: stats.rtt,
        min_rtt: stats.min_rtt,
        rtt_var: stats.rtt_var,
        packets_sent: stats.packets_sent,
        packets_lost: stats.packets_lost,
        spurious: stats.spurious,
        retransmits: stats.retransmits,
        copies: stats.copies,
        window: stats.window,
        in_flight: stats.in_flight,
        mtu: stats.mtu,
    }
}

/// Why there is no link.
fn refusal(end: End) -> LinkError {
    match end {
        End::NoAnswer => LinkError::Unreachable("no answer".to_owned()),
        End::Version(theirs) if theirs.iter().any(|&version| Connection::is_ours(version)) => {
            LinkError::InsecureMismatch
        }
        End::Version(_) => LinkError::Version,
        End::Handshake(why) => LinkError::Handshake(why),
        end => LinkError::Lost(describe(&end)),
    }
}

/// What happened to a link, in words.
fn describe(end: &End) -> String {
    match end {
        End::Closed { code: _, text } if text.is_empty() => "the other side left without a close".to_owned(),
        End::Closed { code: _, text } => format!("the other side left: {text}"),
        End::Local => "this side left without a close".to_owned(),
        End::Silent(time) => format!("nothing was heard for {} s", time.as_secs()),
        End::NoAnswer => "no answer".to_owned(),
        End::Handshake(why) => why.clone(),
        End::Version(_) => "no version in common".to_owned(),
        End::Reset => "the other side started anew and knows nothing of this link".to_owned(),
        End::Violation(why) => format!("the other side broke the protocol: {why}"),
        End::Stalled(time) => format!("the other side read nothing for {} s", time.as_secs()),
        End::Unconfirmed(time) => format!("the other side confirmed nothing for {} s", time.as_secs()),
        End::WornOut => "the keys of the link are worn out".to_owned(),
    }
}

#[cfg(test)]
mod tests;
