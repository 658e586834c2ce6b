//! Events as JSON lines: stable keys, one object an event. Keys are only ever added.

mod transfer;

use std::net::SocketAddr;

use serde::Serialize;

use crate::{
    app::{Change, Event, LinkFigures, LinkState, PathFigures, Place, Said, SentState, Term, Trouble},
    wire::{Epoch, NodeId, RoomName, Seq},
};

use super::escape::to_json;

use transfer::{Changed, Offer, Progress, Saved, Transfer};

/// The object of an event.
pub(super) fn render(event: &Event) -> String {
    // Nothing in an object can fail to serialize: no map with foreign keys, no error of its own.
    to_json(&Object::from(event)).unwrap_or_default()
}

#[derive(Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
enum Object<'a> {
    Listening {
        #[serde(skip_serializing_if = "Option::is_none")]
        transport: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        dialect: Option<&'a str>,
        addr: SocketAddr,
    },
    Joined {
        room: &'a RoomName,
        name: &'a str,
        users: &'a [String],
    },
    Left {
        room: &'a RoomName,
    },
    Switched {
        room: &'a RoomName,
    },
    Message(Message<'a>),
    Private(Private<'a>),
    Presence(Presence<'a>),
    Topic {
        room: &'a RoomName,
        from: &'a str,
        text: &'a str,
        changed: bool,
    },
    Users {
        room: &'a RoomName,
        users: &'a [String],
    },
    Rooms {
        rooms: &'a [RoomName],
        current: Option<&'a RoomName>,
    },
    Following {
        terms: &'a [Term],
    },
    Renamed {
        from: &'a str,
        to: &'a str,
    },
    Waits {
        to: &'a str,
    },
    Sent(Sent<'a>),
    Gap {
        #[serde(flatten)]
        place: At<'a>,
        from: &'a str,
        first: Seq,
        last: Seq,
    },
    Link(Link<'a>),
    Stats {
        links: Vec<Figures<'a>>,
    },
    Offer(Offer<'a>),
    Transfer(Changed<'a>),
    Progress(Progress),
    File(Saved<'a>),
    Transfers {
        transfers: Vec<Transfer<'a>>,
    },
    Error {
        code: &'a str,
        message: &'a str,
        hint: &'a str,
    },
    Closed {
        reason: &'a str,
    },
}

/// `"room"` or `"person"`, the one that a private line is exchanged with.
#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum At<'a> {
    Room(&'a RoomName),
    Person(&'a str),
}

#[derive(Serialize)]
struct Message<'a> {
    #[serde(flatten)]
    place: At<'a>,
    from: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    guest: Option<&'a str>,
    id: NodeId,
    epoch: Epoch,
    seq: Seq,
    sent_at_ms: u64,
    text: &'a str,
    historic: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    followed: Option<&'a Term>,
}

#[derive(Serialize)]
struct Private<'a> {
    from: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    guest: Option<&'a str>,
    to: Vec<&'a str>,
    id: NodeId,
    epoch: Epoch,
    seq: Seq,
    text: &'a str,
    sent_at_ms: u64,
    historic: bool,
}

#[derive(Serialize)]
struct Presence<'a> {
    room: &'a RoomName,
    name: &'a str,
    change: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    to: Option<&'a str>,
}

#[derive(Serialize)]
struct Sent<'a> {
    #[serde(flatten)]
    place: At<'a>,
    epoch: Epoch,
    seq: Seq,
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    to: Option<usize>,
}

#[derive(Serialize)]
struct Link<'a> {
    peer: &'a str,
    transport: &'a str,
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_in_ms: Option<u64>,
}

#[derive(Serialize)]
struct Figures<'a> {
    peer: &'a str,
    name: &'a str,
    transport: &'a str,
    rtt_us: Option<u64>,
    bytes_sent: u64,
    bytes_received: u64,
    messages_sent: u64,
    messages_received: u64,
    #[serde(flatten)]
    path: Option<Path>,
}

/// Keys that only a link has whose transport tells them.
#[derive(Serialize)]
struct Path {
    min_rtt_us: u64,
    rtt_var_us: u64,
    packets_sent: u64,
    packets_lost: u64,
    retransmits: u64,
    spurious: u64,
    copies: u64,
    window: u64,
    in_flight: u64,
    mtu: u16,
}

impl<'a> From<&'a Event> for Object<'a> {
    fn from(event: &'a Event) -> Self {
        match event {
            Event::Listening { transport, addr } => {
                Self::Listening { transport: Some(transport), dialect: None, addr: *addr }
            }
            Event::Door { dialect, addr } => {
                Self::Listening { transport: None, dialect: Some(dialect), addr: *addr }
            }
            Event::Joined { room, name, users } => Self::Joined { room, name, users },
            Event::Left { room } => Self::Left { room },
            Event::Switched { room } => Self::Switched { room },
            Event::Message(said) => Self::Message(said.into()),
            Event::Private(said) => Self::Private(said.into()),
            Event::Presence { room, name, change } => Self::Presence(presence(room, name, change)),
            Event::Topic { room, from, text, changed } => Self::Topic { room, from, text, changed: *changed },
            Event::Users { room, users } => Self::Users { room, users },
            Event::Rooms { rooms, current } => Self::Rooms { rooms, current: current.as_ref() },
            Event::Following { terms } => Self::Following { terms },
            Event::Renamed { from, to } => Self::Renamed { from, to },
            Event::Waits { to } => Self::Waits { to },
            Event::Sent { place, epoch, seq, state } => Self::Sent(sent(place, *epoch, *seq, *state)),
            Event::Gap { place, from, first, last } => {
                Self::Gap { place: place.into(), from, first: *first, last: *last }
            }
            Event::Link { peer, transport, state } => Self::Link(link(peer, transport, state)),
            Event::Stats { links } => Self::Stats { links: links.iter().map(Figures::from).collect() },
            Event::Offered { id, from, room, name, bytes } => {
                let (transfer, room) = (id.to_string(), room.as_ref());
                Self::Offer(Offer { transfer, from, room, name, bytes: *bytes })
            }
            Event::Transfer { figures, peer, state } => Self::Transfer(Changed::new(figures, peer, state)),
            Event::Progress(figures) => Self::Progress(figures.into()),
            Event::File { id, from, name, bytes, path } => {
                let (transfer, path) = (id.to_string(), path.to_string_lossy());
                Self::File(Saved { transfer, from, name, bytes: *bytes, path })
            }
            Event::Transfers { transfers } => {
                let transfers = transfers.iter().map(|(figures, peer)| Transfer::new(figures, peer));
                Self::Transfers { transfers: transfers.collect() }
            }
            Event::Error(Trouble { code, message, hint }) => Self::Error { code, message, hint },
            Event::Closed { reason } => Self::Closed { reason },
        }
    }
}

impl<'a> From<&'a Place> for At<'a> {
    fn from(place: &'a Place) -> Self {
        match place {
            Place::Room(room) => Self::Room(room),
            Place::Person(name) => Self::Person(name),
        }
    }
}

impl<'a> From<&'a Said> for Message<'a> {
    fn from(said: &'a Said) -> Self {
        Self {
            place: (&said.place).into(),
            from: name(said),
            guest: said.door.as_deref(),
            id: said.id,
            epoch: said.epoch,
            seq: said.seq,
            sent_at_ms: said.sent_at_ms,
            text: &said.text,
            historic: said.historic,
            followed: said.followed.as_ref(),
        }
    }
}

/// Who said it, without the mark of a guest: `guest` says that.
fn name(said: &Said) -> &str {
    let guest = said.door.as_ref().and_then(|_| said.from.strip_prefix('~'));
    guest.unwrap_or(&said.from)
}

impl<'a> From<&'a Said> for Private<'a> {
    fn from(said: &'a Said) -> Self {
        let to = match &said.place {
            Place::Room(room) => room.as_str(),
            Place::Person(name) => name,
        };
        Self {
            from: name(said),
            guest: said.door.as_deref(),
            to: vec![to],
            id: said.id,
            epoch: said.epoch,
            seq: said.seq,
            text: &said.text,
            sent_at_ms: said.sent_at_ms,
            historic: said.historic,
        }
    }
}

impl<'a> From<&'a LinkFigures> for Figures<'a> {
    fn from(link: &'a LinkFigures) -> Self {
        Self {
            peer: &link.peer,
            name: &link.name,
            transport: link.transport,
            rtt_us: link.rtt_us,
            bytes_sent: link.bytes_sent,
            bytes_received: link.bytes_received,
            messages_sent: link.messages_sent,
            messages_received: link.messages_received,
            path: link.path.as_ref().map(Path::from),
        }
    }
}

impl From<&PathFigures> for Path {
    fn from(path: &PathFigures) -> Self {
        Self {
            min_rtt_us: path.min_rtt_us,
            rtt_var_us: path.rtt_var_us,
            packets_sent: path.packets_sent,
            packets_lost: path.packets_lost,
            retransmits: path.retransmits,
            spurious: path.spurious,
            copies: path.copies,
            window: path.window,
            in_flight: path.in_flight,
            mtu: path.mtu,
        }
    }
}

fn presence<'a>(room: &'a RoomName, name: &'a str, change: &'a Change) -> Presence<'a> {
    let (change, reason, to) = match change {
        Change::Join => ("join", None, None),
        Change::Leave => ("leave", None, None),
        Change::Lost { reason } => ("lost", Some(reason.as_str()), None),
        Change::Rename { to } => ("rename", None, Some(to.as_str())),
    };
    Presence { room, name, change, reason, to }
}

fn sent(place: &Place, epoch: Epoch, seq: Seq, state: SentState) -> Sent<'_> {
    let (state, to) = match state {
        SentState::Accepted => ("accepted", None),
        SentState::Stored => ("stored", None),
        SentState::Delivered { to } => ("delivered", Some(to)),
    };
    Sent { place: place.into(), epoch, seq, state, to }
}

fn link<'a>(peer: &'a str, transport: &'a str, state: &'a LinkState) -> Link<'a> {
    let (state, reason, retry_in_ms) = match state {
        LinkState::Up => ("up", None, None),
        LinkState::Down { reason } => ("down", Some(reason.as_str()), None),
        LinkState::Reconnecting { retry_in_ms } => ("reconnecting", None, Some(*retry_in_ms)),
    };
    Link { peer, transport, state, reason, retry_in_ms }
}

#[cfg(test)]
mod tests;
