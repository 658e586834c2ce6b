//! Who gets what is said, and on which connection.

use std::{
    net::{IpAddr, SocketAddr},
    time::{Duration, Instant},
};

use bytes::Bytes;

use super::{
    super::{ConnId, DialId, GuestId, Output, PACE, Pacer},
    MAX_SUBSCRIBERS,
    host::Host,
    wire::Address,
};

/// How long a client may take to answer the phone (IOWA-D2).
pub(super) const DIAL_PATIENCE: Duration = Duration::from_secs(1);

/// The pause before a client is called again that has no connection left.
pub(super) const REDIAL: Duration = Duration::from_secs(1);

/// How often a client is called that never answered and has no connection.
pub(super) const MAX_TRIES: u32 = 3;

/// Never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct SubscriberId(u64);

/// Where a subscription came from, and the address it names: nobody can undo that of another computer.
pub(super) type Key = (IpAddr, SocketAddr);

/// Somebody who gets what is said.
#[derive(Debug)]
pub(super) struct Subscriber {
    pub(super) guest: GuestId,
    /// What it called itself first: its name among us.
    pub(super) named: Option<String>,
    /// What it called itself last, and when in the order of everybody's messages.
    seen: Option<(String, u64)>,
    key: Key,
    /// Where it may be called.
    dial_to: Option<SocketAddr>,
    /// The connection that the subscription came in on, while it lasts.
    inbound: Option<ConnId>,
    way: Way,
    has_answered: bool,
    tries: u32,
    queue: Pacer,
    due: Option<Instant>,
}

/// On which connection it gets what is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// To be known when it answered or did not.
    Dialling,
    /// One that was dialled.
    Dialled(ConnId),
    /// The one the subscription came in on.
    Inbound,
    /// None, until called again: at that time, or when there is something to deliver.
    Gone { redial_at: Option<Instant> },
}

impl Host {
    /// I21, IOWA-D2. A connection stands for one subscription.
    pub(super) fn subscribe(&mut self, conn: ConnId, peer: SocketAddr, client: Address, now: Instant) {
        let key = key(peer, client);
        let known = self.by_key.get(&key).copied();
        let bound = self.conns.get(&conn).and_then(|conn| conn.subscriber);
        if let Some(other) = bound.filter(|bound| Some(*bound) != known) {
            self.drop_subscriber(other, "it subscribed as another one", now);
        }
        if !self.conns.contains_key(&conn) {
            return;
        }
        let Some(id) = known.or_else(|| self.add_subscriber(key, now)) else {
            let max = self.config.max_clients.unwrap_or(MAX_SUBSCRIBERS);
            return self.log(format!("{peer}: not subscribed, {max} are the limit"));
        };
        let Some(subscriber) = self.subscribers.get_mut(&id) else { return };
        let before = if bound == Some(id) { None } else { subscriber.inbound.replace(conn) };
        let needs_call = match subscriber.way {
            Way::Dialling | Way::Dialled(_) => false,
            Way::Inbound => before.is_some(),
            Way::Gone { .. } => true,
        };
        if let Some(before) = before.and_then(|before| self.conns.get_mut(&before)) {
            before.subscriber = None;
        }
        if let Some(open) = self.conns.get_mut(&conn) {
            open.subscriber = Some(id);
        }
        if needs_call {
            self.call(id, now);
        }
    }

    fn add_subscriber(&mut self, key: Key, now: Instant) -> Option<SubscriberId> {
        if self.subscribers.len() >= self.config.max_clients.unwrap_or(MAX_SUBSCRIBERS) {
            return None;
        }
        let id = SubscriberId(self.fresh());
        let guest = self.enter(&format!("iowa-{}", key.1.port()));
        let subscriber = Subscriber {
            guest,
            named: None,
            seen: None,
            key,
            dial_to: self.may_dial(key),
            inbound: None,
            way: Way::Gone { redial_at: None },
            has_answered: false,
            tries: 0,
            queue: Pacer::default(),
            due: None,
        };
        self.subscribers.insert(id, subscriber);
        self.by_key.insert(key, id);
        self.by_guest.insert(guest, id);
        self.plan(id, now);
        Some(id)
    }

    /// Only who subscribes is called, never a third party (IOWA-D2). A local client may name any address of
    /// this computer; one that we do not know for local is looked for on loopback.
    fn may_dial(&self, (from, client): Key) -> Option<SocketAddr> {
        let is_local = |ip: IpAddr| ip.is_loopback() || ip == self.config.local.ip();
        let named = client.ip();
        let host = match from.is_loopback() {
            true if is_local(named) => named,
            true => from,
            false => Some(named).filter(|named| *named == from)?,
        };
        // A server that subscribes to itself hears everything for ever.
        let is_this = is_local(host) && client.port() == self.config.local.port();
        (!is_this).then(|| SocketAddr::new(host, client.port()))
    }

    /// I24.
    pub(super) fn unsubscribe(&mut self, peer: SocketAddr, client: Address, now: Instant) {
        match self.by_key.get(&key(peer, client)).copied() {
            Some(id) => self.drop_subscriber(id, "it unsubscribed", now),
            None => self.log(format!("{peer}: nobody subscribed with this address from there")),
        }
    }

    pub(super) fn drop_subscriber(&mut self, id: SubscriberId, why: &str, now: Instant) {
        let Some(gone) = self.subscribers.remove(&id) else { return };
        self.log(format!("{}: no subscriber any more, {why}", gone.key.1));
        self.by_key.remove(&gone.key);
        self.by_guest.remove(&gone.guest);
        gone.due.map(|at| self.due.remove(&(at, id)));
        if let Some(inbound) = gone.inbound.and_then(|conn| self.conns.get_mut(&conn)) {
            inbound.subscriber = None;
        }
        self.leave(gone.guest, now);
        if let Way::Dialled(conn) = gone.way {
            self.close(conn, now);
        }
    }

    /// Calls a client where it waits, if it may be called.
    fn call(&mut self, id: SubscriberId, now: Instant) {
        let dial = DialId(self.fresh());
        let Some(subscriber) = self.subscribers.get_mut(&id) else { return };
        match subscriber.dial_to {
            Some(to) => {
                subscriber.way = Way::Dialling;
                self.dials.insert(dial, id);
                self.output(Output::Dial { dial, to, timeout: DIAL_PATIENCE });
                self.plan(id, now);
            }
            None => self.no_answer(id, "it may not be called there", now),
        }
    }

    pub(super) fn connected(&mut self, dial: DialId, conn: ConnId, now: Instant) {
        let id = self.dials.remove(&dial);
        let found = id.and_then(|id| Some((id, self.subscribers.get_mut(&id)?)));
        let Some((id, subscriber)) = found else { return self.output(Output::Close { conn }) };
        subscriber.way = Way::Dialled(conn);
        subscriber.has_answered = true;
        subscriber.tries = 0;
        let peer = subscriber.dial_to.unwrap_or(subscriber.key.1);
        self.open(conn, peer, Some(id));
        self.flush(id, now);
    }

    pub(super) fn not_connected(&mut self, dial: DialId, why: &str, now: Instant) {
        if let Some(id) = self.dials.remove(&dial) {
            self.no_answer(id, why, now);
        }
    }

    /// A client that waits nowhere reads where it subscribed; one that did answer once is gone (IOWA-D5).
    fn no_answer(&mut self, id: SubscriberId, why: &str, now: Instant) {
        let Some(subscriber) = self.subscribers.get_mut(&id) else { return };
        subscriber.tries = subscriber.tries.saturating_add(1);
        let can_be_called = subscriber.dial_to.is_some() && subscriber.tries < MAX_TRIES;
        if subscriber.has_answered {
            self.drop_subscriber(id, &format!("it cannot be reached: {why}"), now);
        } else if subscriber.inbound.is_some() {
            subscriber.way = Way::Inbound;
            let what = format!("{}: gets lines where it subscribed ({why})", subscriber.key.1);
            self.log(what);
            self.flush(id, now);
        } else if can_be_called {
            subscriber.way = Way::Gone { redial_at: now.checked_add(REDIAL) };
            self.plan(id, now);
        } else {
            self.drop_subscriber(id, &format!("it has no connection and cannot be reached: {why}"), now);
        }
    }

    /// One of a subscriber's connections ended.
    pub(super) fn lose(&mut self, id: SubscriberId, conn: ConnId, now: Instant) {
        let Some(subscriber) = self.subscribers.get_mut(&id) else { return };
        let soon = now.checked_add(REDIAL);
        if subscriber.inbound == Some(conn) {
            subscriber.inbound = None;
            match subscriber.way {
                Way::Inbound => return self.drop_subscriber(id, "its connection ended (IOWA-D5)", now),
                Way::Gone { .. } => subscriber.way = Way::Gone { redial_at: soon },
                Way::Dialling | Way::Dialled(_) => {}
            }
        } else if subscriber.way == Way::Dialled(conn) {
            // It may take one message a connection. Without any other sign of life it is asked at once.
            let redial_at = soon.filter(|_| subscriber.inbound.is_none());
            subscriber.way = Way::Gone { redial_at };
        }
        self.plan(id, now);
    }

    /// Queues a message for a subscriber. Who does not take what it is sent is no subscriber any more.
    pub(super) fn deliver(&mut self, id: SubscriberId, bytes: Bytes, now: Instant) {
        let Some(subscriber) = self.subscribers.get_mut(&id) else { return };
        if subscriber.queue.push(bytes).is_err() {
            let conn = subscriber.conn();
            self.drop_subscriber(id, "too much waits for it", now);
            return conn.into_iter().for_each(|conn| self.close(conn, now));
        }
        if matches!(subscriber.way, Way::Gone { .. }) {
            return self.call(id, now);
        }
        self.flush(id, now);
    }

    fn flush(&mut self, id: SubscriberId, now: Instant) {
        let Some(subscriber) = self.subscribers.get_mut(&id) else { return };
        let open = subscriber.conn().and_then(|conn| Some((conn, self.conns.get_mut(&conn)?)));
        if let Some((conn, open)) = open.filter(|(_, open)| open.free_at.is_none_or(|at| at <= now))
            && let Some(bytes) = subscriber.queue.pop(now)
        {
            open.free_at = now.checked_add(PACE);
            self.output(Output::Send { conn, bytes });
        }
        self.plan(id, now);
    }

    /// Notes when something is to be done next for a subscriber.
    fn plan(&mut self, id: SubscriberId, now: Instant) {
        let Some(subscriber) = self.subscribers.get_mut(&id) else { return };
        let next = match subscriber.way {
            Way::Dialling => None,
            Way::Gone { redial_at } => redial_at,
            Way::Dialled(_) | Way::Inbound => {
                let open = subscriber.conn().and_then(|conn| self.conns.get(&conn));
                open.and_then(|open| Some(subscriber.queue.deadline(now)?.max(open.free_at.unwrap_or(now))))
            }
        };
        let before = std::mem::replace(&mut subscriber.due, next);
        before.map(|at| self.due.remove(&(at, id)));
        next.map(|at| self.due.insert((at, id)));
    }

    pub(super) fn serve_due(&mut self, now: Instant) {
        let late: Vec<SubscriberId> =
            self.due.iter().take_while(|(at, _)| *at <= now).map(|(_, id)| *id).collect();
        for id in late {
            match self.subscribers.get(&id).map(|subscriber| subscriber.way) {
                Some(Way::Gone { .. }) => self.call(id, now),
                _ => self.flush(id, now),
            }
        }
    }

    /// The subscriber that called itself so last (IOWA-D3).
    pub(super) fn last_seen_as(&self, user: &str) -> Option<SubscriberId> {
        let seen = self.subscribers.iter().filter_map(|(id, subscriber)| {
            let (name, at) = subscriber.seen.as_ref()?;
            (name == user).then_some((*at, *id))
        });
        seen.max().map(|(_, id)| id)
    }

    /// A subscriber said something, and what it calls itself.
    pub(super) fn see(&mut self, id: SubscriberId, user: &str, now: Instant) {
        let at = self.fresh();
        let Some(subscriber) = self.subscribers.get_mut(&id) else { return };
        subscriber.seen = Some((user.to_owned(), at));
        if subscriber.named.is_none() {
            subscriber.named = Some(user.to_owned());
            let guest = subscriber.guest;
            self.introduce(guest, user, now);
        }
    }
}

impl Subscriber {
    const fn conn(&self) -> Option<ConnId> {
        match self.way {
            Way::Dialled(conn) => Some(conn),
            Way::Inbound => self.inbound,
            Way::Dialling | Way::Gone { .. } => None,
        }
    }
}

/// A wildcard is where the subscription comes from.
fn key(peer: SocketAddr, client: Address) -> Key {
    let from = peer.ip().to_canonical();
    (from, SocketAddr::new(client.host.unwrap_or(from), client.port))
}
