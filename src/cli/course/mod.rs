//! Course systems on the command line: doors of a server, and their clients and peers, played by this
//! program with their own arguments.

mod caller;
mod door;
mod open;
mod play;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use crate::gateway::dialect::{DIALECTS, Dialect};

use super::stop::Stop;

pub use caller::CourseSettings;
pub use door::DoorSettings;

pub(super) use caller::caller;
pub(super) use door::{doors, own_help};
pub(super) use open::{Closer, Doors, show_instead};
pub(super) use play::play;

/// A `--dialect` as typed.
struct Wanted<'a> {
    dialect: Dialect,
    address: Option<&'a str>,
    max: Option<usize>,
}

/// Reads `NAME[=ADDR:PORT][,max=N]`.
fn wanted(text: &str) -> Result<Wanted<'_>, Stop> {
    let (what, max) = match text.split_once(",max=") {
        Some((what, max)) => (what, Some(max)),
        None => (text, None),
    };
    let (name, address) = what.split_once('=').map_or((what, None), |(name, at)| (name, Some(at)));
    let dialect = Dialect::find(name).ok_or_else(|| {
        let known: Vec<&str> = DIALECTS.iter().map(|dialect| dialect.name).collect();
        Stop::unavailable("--dialect", name, &known)
    })?;
    let max = max.map(|max| max.parse().ok().filter(|max| *max > 0)).map(|max| {
        max.ok_or_else(|| Stop::usage(format!("--dialect {text:?}: max is no number"), "max=20 takes twenty"))
    });
    Ok(Wanted { dialect, address, max: max.transpose()? })
}

/// `ADDR:PORT`, `ADDR` or `PORT`, as the assignments write it.
fn spell(address: &str, port: u16) -> String {
    if address.parse::<u16>().is_ok() {
        return format!("127.0.0.1:{address}");
    }
    let has_port = address.parse::<SocketAddr>().is_ok()
        || (address.parse::<IpAddr>().is_err() && address.rsplit_once(':').is_some());
    if has_port { address.to_owned() } else { format!("{address}:{port}") }
}

fn loopback(port: u16) -> SocketAddr {
    SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port)
}
