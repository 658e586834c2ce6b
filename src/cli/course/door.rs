//! The doors of a server.

use std::{ffi::OsString, net::SocketAddr};

use crate::{
    cli::{
        address,
        args::{DeliveryName, ForwardName, Options, OwnArguments},
        stop::{Status, Stop},
    },
    gateway::dialect::{Delivery, Dialect, ForwardForm, HostConfig, MAX_FILE_BYTES, lums},
    wire::RoomName,
};

use super::{spell, wanted};

/// One door.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DoorSettings {
    /// Which system.
    pub dialect: Dialect,
    /// Where it listens.
    pub listen: SocketAddr,
    /// The room its guests come into.
    pub room: RoomName,
    /// What its machine is made with.
    pub config: HostConfig,
}

/// The doors that are asked for; guests come into `room`.
pub(in crate::cli) fn doors(
    options: &Options,
    own: &OwnArguments,
    room: &RoomName,
) -> Result<Vec<DoorSettings>, Stop> {
    let typed = options.dialect.as_deref().unwrap_or_default();
    let at = own_address(typed.len(), own)?;
    typed.iter().map(|text| door(text, at.as_deref(), options, room)).collect()
}

/// Where the one door is, said as the assignments say it: `--port 5555`, `-a localhost -p 15000`.
fn own_address(doors: usize, own: &OwnArguments) -> Result<Option<String>, Stop> {
    let OwnArguments { port, address, .. } = own;
    let others = OwnArguments { port: None, address: None, ..own.clone() };
    if others != OwnArguments::default() || (doors != 1 && *own != OwnArguments::default()) {
        let hint =
            "a server takes --port and --address, with one --dialect; the other arguments are a client's";
        return Err(Stop::usage("that argument means nothing to a server", hint));
    }
    Ok(match (address, port) {
        (None, None) => None,
        (None, Some(port)) => Some(port.to_string()),
        (Some(address), None) => Some(address.clone()),
        (Some(address), Some(port)) => Some(format!("{address}:{port}")),
    })
}

/// The help that programs of `lums` print for an option they do not know, if that is what is played here (L1,
/// L2).
pub(in crate::cli) fn own_help(arguments: &[OsString], is_asked_for: bool) -> Option<Stop> {
    let words: Vec<_> = arguments.iter().map(|word| word.to_string_lossy()).collect();
    let has = |flag: &str, values: &[&str]| {
        words
            .windows(2)
            .any(|pair| matches!(pair, [name, value] if name == flag && values.contains(&&**value)))
    };
    if !has("--dialect", &["lums", "lums-udp"]) {
        return None;
    }
    match (has("--role", &["client"]), has("--listen", &["none"])) {
        (true, _) => {
            let status = if is_asked_for { Status::Done } else { Status::Failed };
            Some(Stop::Exact(status, lums::CLIENT_HELP.to_owned()))
        }
        (false, true) => Some(Stop::Exact(Status::Done, lums::SERVER_HELP.to_owned())),
        (false, false) => None,
    }
}

fn door(text: &str, own: Option<&str>, options: &Options, room: &RoomName) -> Result<DoorSettings, Stop> {
    let wanted = wanted(text)?;
    let dialect = wanted.dialect;
    let listen = match wanted.address.or(own) {
        Some(at) => address::local("--dialect", &spell(at, dialect.port))?,
        None => dialect.default_listen(),
    };
    let of_all = options.max_clients.and_then(|max| usize::try_from(max).ok());
    let config = host_config(options, listen, wanted.max.or(of_all));
    Ok(DoorSettings { dialect, listen, room: room.clone(), config })
}

/// What the machine of a door is made with, but for its seed.
fn host_config(options: &Options, local: SocketAddr, max_clients: Option<usize>) -> HostConfig {
    HostConfig {
        local,
        max_clients,
        delivery: match options.delivery {
            None | Some(DeliveryName::Auto) => Delivery::Auto,
            Some(DeliveryName::Broadcast) => Delivery::Broadcast,
            Some(DeliveryName::Follow) => Delivery::Follow,
        },
        forward: match options.lums_forward {
            None | Some(ForwardName::Auto) => ForwardForm::Auto,
            Some(ForwardName::Bare) => ForwardForm::Bare,
            Some(ForwardName::Counted) => ForwardForm::Counted,
        },
        ascii_safe: options.ascii_safe.unwrap_or(false),
        max_file_bytes: MAX_FILE_BYTES,
        seed: 0,
    }
}
