//! Events as the lines of line mode. What others wrote is cleaned here.

use crate::{
    app::{Change, Event, LinkFigures, LinkState, PathFigures, Place, Said, Term},
    wire::{RoomName, Seq},
};

use super::{
    Paint, Printed,
    clean::clean,
    transfer::{self, size},
};

/// How an event reads; `None` where line mode says nothing (a sender's own line is not echoed).
pub(super) fn render(event: &Event, paint: Paint) -> Option<Printed> {
    let data = |line: String| Some(Printed::Data(line));
    match event {
        Event::Listening { transport: way, addr } | Event::Door { dialect: way, addr } => {
            data(format!("listening on {way} {addr}"))
        }
        Event::Joined { room, name, users } => data(joined(room, name, users, paint)),
        Event::Left { room } => data(format!("left {room}")),
        Event::Switched { room } => data(format!("talking in {room}")),
        Event::Message(said) | Event::Private(said) => data(message(said, paint)),
        Event::Presence { room, name, change } => data(presence(room, name, change, paint)),
        Event::Topic { room, from, text, changed } => data(topic(room, from, text, *changed, paint)),
        Event::Users { room, users } => data(format!("users in {room}: {}", names(users, paint))),
        Event::Rooms { rooms, current } => data(joined_rooms(rooms, current.as_ref())),
        Event::Following { terms } => data(following(terms)),
        Event::Renamed { to, .. } => data(format!("you are now known as {}", paint.name(to))),
        Event::Waits { to } => {
            data(format!("{} is not here: it waits for them, 30 days at most", paint.name(to)))
        }
        Event::Sent { .. } => None,
        Event::Gap { place, from, first, last } => data(gap(place, from, *first, *last, paint)),
        Event::Link { peer, transport, state } => Some(Printed::Talk(link(peer, transport, state))),
        Event::Stats { links } => data(stats(links, paint)),
        Event::Error(trouble) => Some(Printed::Trouble(trouble.clone())),
        Event::Closed { reason: "server_shutdown" } => data("server shut down".to_owned()),
        Event::Offered { id, from, room: _, name, bytes } => {
            data(transfer::offered(*id, from, name, *bytes, paint))
        }
        Event::Transfer { figures, peer, state } => transfer::changed(figures, peer, state, None),
        Event::File { id: _, from, name, bytes, path } => {
            data(transfer::saved(from, name, *bytes, path, paint))
        }
        Event::Transfers { transfers } => data(transfer::listed(transfers)),
        Event::Progress(_) | Event::Closed { .. } => None,
    }
}

fn joined(room: &RoomName, name: &str, users: &[String], paint: Paint) -> String {
    format!("joined {room} as {} ({} here: {})", paint.name(name), users.len(), names(users, paint))
}

fn names(names: &[String], paint: Paint) -> String {
    names.iter().map(|name| paint.name(name)).collect::<Vec<_>>().join(", ")
}

fn message(said: &Said, paint: Paint) -> String {
    let place = place(&said.place);
    let text = clean(&said.text);
    if said.historic {
        paint.dim(&format!("[{place}] {}: {text}", clean(&said.from)))
    } else {
        format!("[{place}] {}: {text}", paint.name(&said.from))
    }
}

fn place(place: &Place) -> &str {
    match place {
        Place::Room(room) => room.as_str(),
        Place::Person(_) => "private",
    }
}

fn presence(room: &RoomName, name: &str, change: &Change, paint: Paint) -> String {
    let name = paint.name(name);
    match change {
        Change::Join => format!("[{room}] * {name} joined"),
        Change::Leave => format!("[{room}] * {name} left"),
        Change::Lost { reason } => format!("[{room}] * {name} was disconnected: {}", clean(reason)),
        Change::Rename { to } => format!("[{room}] * {name} is now known as {}", paint.name(to)),
    }
}

fn topic(room: &RoomName, from: &str, text: &str, changed: bool, paint: Paint) -> String {
    match (changed, text.is_empty()) {
        (true, true) => format!("[{room}] * {} removed the topic", paint.name(from)),
        (true, false) => format!("[{room}] * {} set the topic: {}", paint.name(from), clean(text)),
        (false, true) => format!("[{room}] * no topic"),
        (false, false) => format!("[{room}] * topic by {}: {}", paint.name(from), clean(text)),
    }
}

fn joined_rooms(rooms: &[RoomName], current: Option<&RoomName>) -> String {
    let room = |room: &RoomName| match current {
        Some(current) if current == room => format!("{room} (current)"),
        Some(_) | None => room.to_string(),
    };
    format!("rooms: {}", rooms.iter().map(room).collect::<Vec<_>>().join(", "))
}

fn following(terms: &[Term]) -> String {
    let terms: Vec<String> = terms.iter().map(|term| clean(term.as_str()).into_owned()).collect();
    format!("following: {}", terms.join(", "))
}

fn gap(at: &Place, from: &str, first: Seq, last: Seq, paint: Paint) -> String {
    let lines = last.0.saturating_sub(first.0).saturating_add(1);
    let (place, from) = (place(at), paint.name(from));
    match lines {
        1 => format!("[{place}] * 1 line of {from} is lost ({first})"),
        _ => format!("[{place}] * {lines} lines of {from} are lost ({first} to {last})"),
    }
}

fn link(peer: &str, transport: &str, state: &LinkState) -> String {
    let peer = clean(peer);
    match state {
        LinkState::Up => format!("{transport} {peer} is up"),
        LinkState::Down { reason } => format!("{transport} {peer} is down: {}", clean(reason)),
        LinkState::Reconnecting { retry_in_ms } => {
            format!("{transport} {peer} is being redialled, next try in {}", seconds(*retry_in_ms))
        }
    }
}

fn stats(links: &[LinkFigures], paint: Paint) -> String {
    if links.is_empty() {
        return "no links".to_owned();
    }
    links.iter().map(|link| link_figures(link, paint)).collect::<Vec<_>>().join("\n")
}

fn link_figures(link: &LinkFigures, paint: Paint) -> String {
    format!(
        "{} {} ({})  rtt {}{}  sent {} in {} messages  received {} in {}",
        link.transport,
        clean(&link.peer),
        paint.name(&link.name),
        link.rtt_us.map_or_else(|| "unknown".to_owned(), milliseconds),
        link.path.as_ref().map_or_else(String::new, path_figures),
        size(link.bytes_sent),
        link.messages_sent,
        size(link.bytes_received),
        link.messages_received,
    )
}

fn path_figures(path: &PathFigures) -> String {
    format!(
        " (least {}, varies {})  loss {:.1} % ({} only late)  retransmits {}  copies {}  window {} ({} under way)  mtu {}",
        milliseconds(path.min_rtt_us),
        milliseconds(path.rtt_var_us),
        path.loss_percent(),
        path.spurious,
        path.retransmits,
        path.copies,
        size(path.window),
        size(path.in_flight),
        path.mtu,
    )
}

fn milliseconds(us: u64) -> String {
    format!("{:.2} ms", us as f64 / 1000.0)
}

fn seconds(ms: u64) -> String {
    if ms < 1000 { format!("{ms} ms") } else { format!("{} s", ms.div_ceil(1000)) }
}

#[cfg(test)]
mod tests;
