//! From options to settings: what is missing gets its default, what is wrong is refused.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use crate::{
    app::{
        limits::Limits,
        typed::{bad_nick, bad_room},
    },
    ui::{AtEnd, Face, Paint},
    wire::{MAX_BODY_BYTES, Nick, RoomName},
};

use super::{
    ClientSettings, History, PeerSettings, Person, Remote, Role, ServerSettings, Settings,
    address::{self, DEFAULT_PORT},
    args::{OF_ROLES, Options, OwnArguments, RoleName, When},
    carriers, course, files, impair, keep,
    stop::{Status, Stop},
};

/// What the settings take from the computer rather than from the options.
#[derive(Clone, Debug, Default)]
pub(super) struct Surroundings {
    pub(super) login: Option<String>,
    pub(super) data_home: Option<PathBuf>,
    pub(super) is_terminal: bool,
    /// Whether colors are wanted when nobody says so.
    pub(super) is_colorful: bool,
}

const DEFAULT_ROOM: &str = "lobby";
const DEFAULT_LINGER_SECONDS: u64 = 60;
const MOST_LINGER_SECONDS: u64 = 24 * 60 * 60;
const MOST_CLIENTS: usize = 100_000;
const MOST_ROOMS: usize = 100_000;

impl Settings {
    /// Checks the options of a role; `typed` are those that stand on the command line itself.
    pub(super) fn resolve(
        role: RoleName,
        options: &Options,
        own: &OwnArguments,
        typed: &[&str],
        around: &Surroundings,
    ) -> Result<Self, Stop> {
        refuse_foreign(role, typed)?;
        refuse_unavailable(role, options)?;
        // Before the transports: with it there are fewer, and why is the better answer.
        let impairment = impair::resolve(options)?;
        let colors = is_colored(options, around);
        let course = match role {
            RoleName::Server => None,
            RoleName::Client | RoleName::Peer => {
                course::caller(role, options, own, around.login.as_deref().unwrap_or_default(), colors)?
            }
        };
        let (directory, role) = match role {
            _ if let Some(course) = course => (String::new(), Role::Course(course)),
            RoleName::Server => ("server".to_owned(), Role::Server(server(options, own)?)),
            RoleName::Client if typed.contains(&"listen") => {
                let hint = "it is for --role server and --role peer, and for clients of iowa";
                return Err(Stop::usage("--listen means nothing to a client", hint));
            }
            RoleName::Client => {
                let client = client(options, around)?;
                (directory_of("client", &client.person), Role::Client(client))
            }
            RoleName::Peer => {
                let peer = peer(options, around)?;
                (directory_of("peer", &peer.person), Role::Peer(peer))
            }
        };
        Ok(Self {
            at_end: at_end(&role, around.is_terminal),
            role,
            face: face(options, around),
            insecure: options.insecure.unwrap_or(false),
            impairment,
            data_dir: if directory.is_empty() {
                PathBuf::new()
            } else {
                data_dir(options, around, &directory)?
            },
            data_dir_given: options.data_dir.is_some(),
        })
    }
}

/// An option of another role in the file or in a variable is for another start; a typed one is a
/// mistake.
fn refuse_foreign(role: RoleName, typed: &[&str]) -> Result<(), Stop> {
    let foreign = OF_ROLES.iter().find(|(flag, roles)| typed.contains(flag) && !roles.contains(&role));
    let Some((flag, roles)) = foreign else { return Ok(()) };
    let roles: Vec<&str> = roles.iter().map(|role| role.as_str()).collect();
    let message = format!("--{flag} means nothing to a {}", role.as_str());
    Err(Stop::usage(message, format!("it is for --role {}", roles.join(" and --role "))))
}

fn refuse_unavailable(role: RoleName, options: &Options) -> Result<(), Stop> {
    if role == RoleName::Client {
        return Ok(());
    }
    let doors = options.dialect.as_deref().unwrap_or_default();
    if options.listen.as_deref() == Some("none") && (role != RoleName::Server || doors.is_empty()) {
        return Err(Stop::usage(
            "--listen none leaves no way in",
            "give an address: --listen 127.0.0.1:4224; or a server a door: --dialect vsb",
        ));
    }
    let has_page = |text: &String| text.split([',', '=']).next() == Some("vsb");
    let off = options.web.as_deref().is_none_or(|web| web == "off");
    if !off && (role != RoleName::Server || !doors.iter().any(has_page)) {
        let hint = "only the door of vsb has a page for now: --dialect vsb --web 127.0.0.1:4280";
        return Err(Stop::usage("--web has nothing to show", hint));
    }
    Ok(())
}

fn server(options: &Options, own: &OwnArguments) -> Result<ServerSettings, Stop> {
    let listen = match options.listen.as_deref() {
        Some("none") => None,
        Some(listen) => Some(address::local("--listen", listen)?),
        None => Some(SocketAddr::from(([127, 0, 0, 1], DEFAULT_PORT))),
    };
    let web = match options.web.as_deref() {
        None | Some("off") => None,
        Some(web) => Some(address::local("--web", web)?),
    };
    Ok(ServerSettings {
        listen,
        transports: carriers::of_server(options.transport.as_deref(), &impair::carriers(options))?,
        doors: course::doors(options, own, &room(DEFAULT_ROOM)?)?,
        web,
        keep: keep::of(options, History::DataDirectory)?,
        limits: limits(options)?,
    })
}

fn client(options: &Options, around: &Surroundings) -> Result<ClientSettings, Stop> {
    Ok(ClientSettings {
        person: person(options, around)?,
        server: address::remote("--server", options.server.as_deref().unwrap_or("127.0.0.1:4224"))?,
        transports: carriers::of_client(options.transport.as_deref(), &impair::carriers(options))?,
        reconnect: options.reconnect.unwrap_or(false),
        keep: keep::of(options, History::DataDirectory)?,
    })
}

fn peer(options: &Options, around: &Surroundings) -> Result<PeerSettings, Stop> {
    let person = person(options, around)?;
    let (keep, limits) = (keep::of(options, History::Memory)?, limits(options)?);
    let peers = peers(options.peers.as_deref().unwrap_or_default())?;
    let is_local = peers.iter().flat_map(|peer| &peer.addrs).all(|addr| addr.ip().is_loopback());
    let listen = match &options.listen {
        Some(listen) => address::local("--listen", listen)?,
        None if is_local => SocketAddr::from(([127, 0, 0, 1], 0)),
        None => SocketAddr::from(([0, 0, 0, 0], 0)),
    };
    let transports = carriers::of_peer(options.transport.as_deref(), &impair::carriers(options))?;
    Ok(PeerSettings { listen, transports, peers, person, keep, limits })
}

/// One reachable peer is enough, so hosts that are not found are left out as long as one is.
fn peers(typed: &[String]) -> Result<Vec<Remote>, Stop> {
    let mut peers = Vec::new();
    let mut missing = None;
    for text in typed.iter().map(|text| text.trim()).filter(|text| !text.is_empty()) {
        match address::remote("--peers", text) {
            Ok(peer) => peers.push(peer),
            Err(Stop::Trouble(Status::Unreachable, trouble)) => {
                tracing::warn!("{}", trouble.message);
                missing = Some(Stop::Trouble(Status::Unreachable, trouble));
            }
            Err(stop) => return Err(stop),
        }
    }
    match missing {
        Some(stop) if peers.is_empty() => Err(stop),
        Some(_) | None => Ok(peers),
    }
}

fn person(options: &Options, around: &Surroundings) -> Result<Person, Stop> {
    let nick = match &options.name {
        Some(name) => name.parse().map_err(|bad| Stop::Trouble(Status::Usage, bad_nick(&bad)))?,
        None => login_nick(around.login.as_deref().unwrap_or_default()),
    };
    let seconds = options.linger.unwrap_or(DEFAULT_LINGER_SECONDS);
    let seconds = in_range("--linger", Some(seconds), 0, MOST_LINGER_SECONDS, seconds)?;
    Ok(Person {
        nick,
        name_given: options.name.is_some(),
        rooms: rooms(options.room.as_deref().unwrap_or_default())?,
        linger: Duration::from_secs(seconds),
        files: files::of(options)?,
    })
}

/// The login name where it can be one here: `root` cannot.
fn login_nick(login: &str) -> Nick {
    Nick::resembling(login)
}

fn room(name: &str) -> Result<RoomName, Stop> {
    name.parse().map_err(|bad| Stop::Trouble(Status::Usage, bad_room(&bad)))
}

fn rooms(typed: &[String]) -> Result<Vec<RoomName>, Stop> {
    let typed = if typed.is_empty() { &[DEFAULT_ROOM.to_owned()] } else { typed };
    let mut rooms: Vec<RoomName> = Vec::new();
    for name in typed {
        let room = room(name)?;
        if !rooms.contains(&room) {
            rooms.push(room);
        }
    }
    Ok(rooms)
}

fn limits(options: &Options) -> Result<Limits, Stop> {
    let default = Limits::default();
    let limit = |flag, value: Option<u64>, most: usize, default: usize| {
        let limit = in_range(flag, value, 1, most as u64, default as u64)?;
        Ok(usize::try_from(limit).unwrap_or(most))
    };
    Ok(Limits {
        max_clients: limit("--max-clients", options.max_clients, MOST_CLIENTS, default.max_clients)?,
        max_message_bytes: limit(
            "--max-message-bytes",
            options.max_message_bytes,
            MAX_BODY_BYTES,
            default.max_message_bytes,
        )?,
        max_rooms: limit("--max-rooms", options.max_rooms, MOST_ROOMS, default.max_rooms)?,
    })
}

pub(super) fn in_range(
    flag: &str,
    value: Option<u64>,
    least: u64,
    most: u64,
    default: u64,
) -> Result<u64, Stop> {
    match value {
        None => Ok(default),
        Some(value) if (least..=most).contains(&value) => Ok(value),
        Some(value) => {
            Err(Stop::usage(format!("{flag} {value} is out of range"), format!("{least} to {most}")))
        }
    }
}

fn face(options: &Options, around: &Surroundings) -> Face {
    match options.json {
        Some(true) => Face::Json,
        Some(false) | None if is_colored(options, around) => Face::Line(Paint::Colored),
        Some(false) | None => Face::Line(Paint::Plain),
    }
}

fn is_colored(options: &Options, around: &Surroundings) -> bool {
    match options.color.unwrap_or(When::Auto) {
        When::Auto => around.is_colorful,
        When::Always => true,
        When::Never => false,
    }
}

/// Ctrl-D at a prompt means it; the end of a pipe may only mean that there was nothing to type.
const fn at_end(role: &Role, is_terminal: bool) -> AtEnd {
    match role {
        Role::Client(_) | Role::Course(_) => AtEnd::Finish,
        Role::Server(_) | Role::Peer(_) if is_terminal => AtEnd::Finish,
        Role::Server(_) => AtEnd::Stay,
        Role::Peer(_) => AtEnd::FinishIfSpoken,
    }
}

fn data_dir(options: &Options, around: &Surroundings, directory: &str) -> Result<PathBuf, Stop> {
    let home = || around.data_home.as_ref().map(|home| home.join("sayagain").join(directory));
    options.data_dir.clone().or_else(home).ok_or_else(|| {
        Stop::usage("there is no home directory to keep the identity in", "choose one with --data-dir DIR")
    })
}

/// Names that differ in case are one name, so they share a directory.
fn directory_of(role: &str, person: &Person) -> String {
    format!("{role}-{}", person.nick.as_str().to_ascii_lowercase())
}

#[cfg(test)]
mod tests;
