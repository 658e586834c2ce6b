//! The client or peer of a course system: our flags, or the arguments of its assignment.

use std::net::SocketAddr;

use crate::{
    cli::{
        address,
        args::{Options, OwnArguments, RoleName},
        stop::{Status, Stop},
    },
    gateway::dialect::{Dialect, lums, uwo},
};

use super::{loopback, spell, wanted};

/// Packets in flight of `lums-udp`, unless told otherwise.
const WINDOW: usize = 3;

/// Packets in flight at most.
const MAX_WINDOW: usize = 1_000;

/// A client or peer of a course system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CourseSettings {
    /// Which system.
    pub dialect: Dialect,
    /// Whether it is a peer (of `iowa`) and no client.
    pub is_peer: bool,
    /// The user.
    pub name: Option<String>,
    /// The server of a client.
    pub server: Option<SocketAddr>,
    /// Where an `iowa` program is connected to.
    pub listen: Option<SocketAddr>,
    /// Whom an `iowa` peer speaks to.
    pub peers: Vec<SocketAddr>,
    /// What a `uwo` user follows from the start.
    pub follow: Vec<String>,
    /// Packets in flight of `lums-udp`.
    pub window: usize,
    /// Whether `lums-udp` repeats what is lost.
    pub reliable: bool,
    /// What `lums` prints for input that fits no format.
    pub format_line: Option<String>,
    /// Whether what is printed is coloured.
    pub colors: bool,
}

/// The settings for `--dialect` at a client or peer; `None` without it.
pub(in crate::cli) fn caller(
    role: RoleName,
    options: &Options,
    own: &OwnArguments,
    login: &str,
    colors: bool,
) -> Result<Option<CourseSettings>, Stop> {
    let text = match options.dialect.as_deref() {
        None | Some([]) => return no_dialect(own),
        Some([text]) => text,
        Some(_) => return Err(Stop::usage("a client or peer speaks one dialect", "give --dialect once")),
    };
    let wanted = wanted(text)?;
    let (dialect, is_peer) = (wanted.dialect, role == RoleName::Peer);
    if wanted.address.is_some() || wanted.max.is_some() {
        let hint = "a client's server is --server, where a peer listens is --listen";
        return Err(Stop::usage(format!("--dialect {text:?}: an address is for servers"), hint));
    }
    if is_peer && !dialect.has_peers() {
        let message = format!("{} has no peers, only a server and clients", dialect.name);
        return Err(Stop::usage(message, "use --role client or --role server; iowa has peers"));
    }
    let words = words(dialect, is_peer, own)?;
    let server = words.server.or_else(|| options.server.clone());
    let window = own.window.unwrap_or(WINDOW).min(MAX_WINDOW);
    let settings = CourseSettings {
        dialect,
        is_peer,
        name: name(dialect, words.name.or_else(|| options.name.clone()), login)?,
        server: if is_peer { None } else { Some(server_at(dialect, server.as_deref())?) },
        listen: listen(dialect, words.port, options)?,
        peers: peers(words.peers.or_else(|| options.peers.clone()).unwrap_or_default())?,
        follow: own.follow.clone(),
        window: window.max(1),
        reliable: window > 0,
        format_line: own.lums_format_line.clone(),
        colors,
    };
    Ok(Some(settings))
}

fn no_dialect(own: &OwnArguments) -> Result<Option<CourseSettings>, Stop> {
    if *own == OwnArguments::default() {
        return Ok(None);
    }
    let what = own.words.first().map_or_else(|| "that option".to_owned(), |word| format!("{word:?}"));
    Err(Stop::usage(format!("{what} means nothing here"), "it is for the course systems: see --dialect"))
}

/// What the arguments of the assignment say.
#[derive(Default)]
struct Words {
    name: Option<String>,
    port: Option<u16>,
    server: Option<String>,
    peers: Option<Vec<String>>,
}

fn words(dialect: Dialect, is_peer: bool, own: &OwnArguments) -> Result<Words, Stop> {
    let words: Vec<&str> = own.words.iter().map(String::as_str).collect();
    let number = |text: &str| text.parse::<u16>().ok();
    let owned = |text: &str| Some(text.to_owned());
    Ok(match (dialect.name, words.as_slice()) {
        ("lums" | "lums-udp", []) => Words {
            name: own.user.clone(),
            server: match (&own.address, own.port) {
                (None, None) => None,
                (address, port) => {
                    let address = address.as_deref().unwrap_or("127.0.0.1");
                    Some(format!("{address}:{}", port.unwrap_or(dialect.port)))
                }
            },
            ..Words::default()
        },
        (_, []) => Words::default(),
        ("iowa", [name, port, peers @ ..]) if number(port).is_some() && is_peer => Words {
            name: owned(name),
            port: number(port),
            peers: Some(peers.iter().map(|peer| (*peer).to_owned()).collect()),
            ..Words::default()
        },
        ("iowa", [name, port, server]) if number(port).is_some() => {
            Words { name: owned(name), port: number(port), server: owned(server), ..Words::default() }
        }
        ("uwo" | "uwo-udp", [name, url]) => {
            Words { name: owned(name), server: owned(url), ..Words::default() }
        }
        ("vsb", [host, port]) if number(port).is_some() => {
            Words { server: Some(format!("{host}:{port}")), ..Words::default() }
        }
        ("vsb", [host]) => Words { server: owned(host), ..Words::default() },
        (name, words) => {
            let hint = "iowa: NAME PORT IP:PORT...; uwo: NAME chat://HOST:PORT; vsb: HOST PORT; lums: -u NAME -a ADDRESS -p PORT";
            return Err(Stop::usage(format!("{name} takes other arguments than {}", words.join(" ")), hint));
        }
    })
}

fn name(dialect: Dialect, given: Option<String>, login: &str) -> Result<Option<String>, Stop> {
    let name = match (dialect.name, given) {
        ("vsb", given) => return Ok(given),
        ("lums" | "lums-udp", None) => {
            return Err(Stop::Exact(
                Status::Failed,
                format!("{}\n{}", lums::MISSING_USERNAME, lums::CLIENT_HELP),
            ));
        }
        (_, given) => given.unwrap_or_else(|| if login.is_empty() { "user".into() } else { login.into() }),
    };
    let is_word = !name.is_empty() && !name.contains(|c: char| c.is_whitespace() || c.is_control());
    if is_word {
        return Ok(Some(name));
    }
    Err(Stop::usage(format!("{name:?} cannot be a name in {}", dialect.name), "a name is one word"))
}

fn server_at(dialect: Dialect, given: Option<&str>) -> Result<SocketAddr, Stop> {
    let (text, not_there) = match (dialect.name, given) {
        ("uwo" | "uwo-udp", Some(url)) if url.contains("://") => {
            let (host, port) =
                uwo::parse_url(url).map_err(|why| Stop::Exact(Status::Failed, why.to_string()))?;
            (format!("{host}:{port}"), Some(uwo::NOT_ACCEPTING))
        }
        ("uwo" | "uwo-udp", None) => {
            let hint = "--server ADDR:PORT, or as in the assignment: NAME chat://HOST:PORT";
            return Err(Stop::usage("where is the server? uwo has no usual port", hint));
        }
        (_, given) => (spell(given.unwrap_or("127.0.0.1"), dialect.port), None),
    };
    match (address::remote("--server", &text), not_there) {
        (Ok(remote), _) => {
            // The assignments' programs try one address; of a name with several, IPv4 is what they expect.
            let addrs = remote.addrs;
            let first = addrs.iter().find(|addr| addr.is_ipv4()).or_else(|| addrs.first());
            Ok(first.copied().unwrap_or_else(|| loopback(dialect.port)))
        }
        (Err(Stop::Trouble(Status::Unreachable, _)), Some(exactly)) => {
            Err(Stop::Exact(Status::Failed, exactly.to_owned()))
        }
        (Err(stop), _) => Err(stop),
    }
}

fn listen(dialect: Dialect, port: Option<u16>, options: &Options) -> Result<Option<SocketAddr>, Stop> {
    match (dialect.name, port, options.listen.as_deref()) {
        ("iowa", Some(port), _) => Ok(Some(SocketAddr::from(([0, 0, 0, 0], port)))),
        ("iowa", None, Some(listen)) => address::local("--listen", &spell(listen, 0)).map(Some),
        ("iowa", None, None) => Ok(Some(loopback(0))),
        (_, None, Some(_)) => {
            Err(Stop::usage(format!("--listen means nothing to a client of {}", dialect.name), ""))
        }
        _ => Ok(None),
    }
}

fn peers(typed: Vec<String>) -> Result<Vec<SocketAddr>, Stop> {
    let mut peers = Vec::new();
    for text in typed {
        let remote = address::remote("--peers", &text)?;
        peers.extend(remote.addrs.first());
    }
    Ok(peers)
}
