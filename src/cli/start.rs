//! From settings to a running node, and to its end.

use std::{io, net::SocketAddr, path::Path};

use crate::{
    app::{Outcome, Trouble, limits::HISTORY_ON_JOIN},
    node::{FilePlace, Identity, IdentityError, Node, NodeHandle, StartError, random_seed},
    ui::{self, Console, ConsoleOptions, Shown},
    wire::{Addr, Scheme},
};

use super::{
    History, Keep, Person, Role, Settings,
    course::{Closer, Doors, show_instead},
    keep::{self, store_trouble},
    signals::{Signals, cannot_start},
    stop::Ending,
};

/// Data directories tried when the first is in use and nobody named one: client-ann, client-ann-2 …
const MAX_DIRECTORIES: u32 = 99;

/// Where in the data directory the typed lines are kept.
const TYPED_LINES: &str = "typed";

/// Runs the node until its end.
pub(super) fn run(settings: &Settings, quiet: bool) -> Ending {
    let failed = |outcome| Ending::new(outcome, Shown::default());
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = match runtime.worker_threads(workers(&settings.role)).enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failed(cannot_start(&error).into()),
    };
    runtime.block_on(live(settings, quiet)).unwrap_or_else(failed)
}

/// Threads that carry what is said. A step takes less time than waking another core for the next one, and the kernel's
/// part and the disk's have to run somewhere too: on two cores a server passes on a quarter more lines with one thread.
fn workers(role: &Role) -> usize {
    match role {
        Role::Client(_) => 1,
        _ => std::thread::available_parallelism().map_or(1, |cores| cores.get().div_ceil(2)),
    }
}

async fn live(settings: &Settings, quiet: bool) -> Result<Ending, Outcome> {
    let (settings, identity) = open_identity(settings)?;
    let signals = Signals::catch()?;
    let typed_lines = settings.data_dir.join(TYPED_LINES);
    let prompt = !matches!(settings.role, Role::Server(_));
    let options = ConsoleOptions { quiet, prompt, typed_lines: Some(typed_lines) };
    let doors = Doors::bind(&settings).await?;
    let node = keep::stored(node(&settings, identity), &settings)?;
    let (handle, events, ended) = doors.beside(node).start().await.map_err(|error| unstarted(&error))?;
    let mut doors = doors.open();
    let watch = tokio::spawn(stop_on_signal(signals, handle.clone(), doors.closer()));
    let shown = match doors.only() {
        Some(lines) => show_instead(lines, events, quiet).await?,
        None => {
            let console = Console::standard(settings.face, options)
                .map_err(|error| Trouble::new("system", format!("cannot use the terminal: {error}"), ""))?;
            ui::run(handle, events, console, settings.face, settings.at_end).await
        }
    };
    let outcome = ended.outcome().await;
    watch.abort();
    doors.close().await;
    Ok(Ending::new(outcome, shown))
}

fn node(settings: &Settings, identity: Identity) -> Node {
    let lines = |keep: &Keep| if keep.history == History::None { 0 } else { HISTORY_ON_JOIN };
    let node = match &settings.role {
        Role::Server(server) => {
            let node = Node::server().limits(server.limits).history(lines(&server.keep));
            match server.listen {
                Some(listen) => listening(node, listen, &server.transports),
                None => node,
            }
        }
        // Played without a node.
        Role::Course(_) => Node::peer([]),
        Role::Client(client) => {
            let addrs = || client.server.addrs.iter().copied();
            let preferred = client.transports.iter().take(1);
            let node = Node::client_at(preferred.flat_map(|scheme| addrs().map(|at| Addr::new(*scheme, at))));
            let node = node.fall_back(client.transports.get(1).copied()).reconnect(client.reconnect);
            person(node, &client.person, &settings.data_dir)
        }
        Role::Peer(peer) => {
            let addrs = || peer.peers.iter().flat_map(|remote| remote.addrs.iter().copied());
            let peers = peer.transports.iter().flat_map(|scheme| addrs().map(|at| Addr::new(*scheme, at)));
            let node = listening(Node::peer(peers), peer.listen, &peer.transports);
            person(node.limits(peer.limits).history(lines(&peer.keep)), &peer.person, &settings.data_dir)
        }
    };
    node.identity(identity).insecure(settings.insecure).impaired(settings.impairment.clone())
}

fn listening(node: Node, at: SocketAddr, transports: &[Scheme]) -> Node {
    transports.iter().fold(node, |node, scheme| node.listen(Addr::new(*scheme, at)))
}

fn person(node: Node, person: &Person, data_dir: &Path) -> Node {
    let nick = person.nick.clone();
    let node = if person.name_given { node.insist_on_name(nick) } else { node.suggest_name(nick) };
    let place =
        FilePlace { transfers: data_dir.join("transfers"), downloads: person.files.directory(data_dir) };
    let node = node.files(place, person.files.rules.clone());
    node.rooms(person.rooms.clone()).linger(person.linger)
}

/// The identity of the data directory. Where nobody named one and another node of this login uses it,
/// the next free one beside it.
fn open_identity(settings: &Settings) -> Result<(Settings, Identity), Trouble> {
    let mut settings = settings.clone();
    let base = settings.data_dir.clone();
    for number in 2..=MAX_DIRECTORIES {
        match Identity::open(&settings.data_dir) {
            Ok(identity) => return Ok((settings, identity)),
            Err(IdentityError::InUse(_)) if !settings.data_dir_given => {
                let name = base.file_name().unwrap_or_default().to_string_lossy().into_owned();
                settings.data_dir = base.with_file_name(format!("{name}-{number}"));
            }
            Err(error) => return Err(identity_trouble(&error)),
        }
    }
    Err(identity_trouble(&IdentityError::InUse(base)))
}

/// A number that nobody can guess.
pub(super) fn seed() -> Result<u64, Trouble> {
    let seed = random_seed().map_err(|error| identity_trouble(&error))?;
    Ok(seed.first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes)))
}

/// Why there is no identity, and what to do about it.
pub(super) fn identity_trouble(error: &IdentityError) -> Trouble {
    let message = error.to_string();
    match error {
        IdentityError::InUse(_) => {
            Trouble::new("data_dir_in_use", message, "stop it, or choose another with --data-dir DIR")
        }
        IdentityError::Readable(path) => {
            let hint = format!(
                "chmod 600 {}; if others had access, move it away: a new identity is made at the next start",
                path.display()
            );
            Trouble::new("key_readable", message, hint)
        }
        IdentityError::BadKey(_) => {
            Trouble::new("key_bad", message, "move it away: a new identity is made at the next start")
        }
        IdentityError::Io { .. } => {
            Trouble::new("data_dir", message, "choose another directory with --data-dir DIR")
        }
        IdentityError::NoChance(_) => Trouble::new("system", message, ""),
    }
}

fn unstarted(error: &StartError) -> Outcome {
    let message = error.to_string();
    let trouble = match error {
        StartError::Identity(error) => identity_trouble(error),
        StartError::Listen { addr, error } => listen_trouble(*addr, error, "--listen"),
        StartError::Key(_) => {
            Trouble::new("key_bad", message, "choose another directory with --data-dir DIR")
        }
        StartError::Name(_) => Trouble::new("name_invalid", message, "give another one with --name"),
        StartError::Store(error) => return Outcome::StoreFailed(store_trouble(error)),
        StartError::Files(_) => {
            Trouble::new("files", message, "choose another directory with --data-dir DIR")
        }
    };
    trouble.into()
}

/// Why nothing can be listened on there, and what to do about it. `flag` is where the address was typed.
pub(super) fn listen_trouble(addr: Addr, error: &io::Error, flag: &str) -> Trouble {
    let at = addr.socket;
    let trouble =
        |code, why: &str, hint: String| Trouble::new(code, format!("cannot listen on {at}: {why}"), hint);
    match error.kind() {
        io::ErrorKind::AddrInUse => trouble(
            "port_in_use",
            "the port is in use",
            format!("another node may be running; choose another with {flag} {}:0", host(addr)),
        ),
        io::ErrorKind::PermissionDenied => trouble(
            "port_denied",
            "permission denied",
            format!("ports below 1024 need a right; use {flag} {}:4224", host(addr)),
        ),
        io::ErrorKind::AddrNotAvailable => trouble(
            "no_such_address",
            "no such address on this computer",
            "0.0.0.0 means all of its addresses".into(),
        ),
        _ => trouble("listen", &error.to_string(), format!("choose another with {flag}")),
    }
}

fn host(addr: Addr) -> String {
    match addr.socket {
        SocketAddr::V4(v4) => v4.ip().to_string(),
        SocketAddr::V6(v6) => format!("[{}]", v6.ip()),
    }
}

/// The guests of doors are told first, while there is still a server for their last words.
async fn stop_on_signal(mut signals: Signals, handle: NodeHandle, doors: Closer) {
    signals.next().await;
    doors.close().await;
    handle.stop();
}
