//! The doors of a server.

use std::net::SocketAddr;

use crate::{
    cli::{
        address,
        args::{DeliveryName, ForwardName, Options},
        stop::Stop,
    },
    gateway::dialect::{Delivery, Dialect, ForwardForm, HostConfig, MAX_FILE_BYTES},
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
pub(in crate::cli) fn doors(options: &Options, room: &RoomName) -> Result<Vec<DoorSettings>, Stop> {
    let typed = options.dialect.as_deref().unwrap_or_default();
    typed.iter().map(|text| door(text, options, room)).collect()
}

fn door(text: &str, options: &Options, room: &RoomName) -> Result<DoorSettings, Stop> {
    let wanted = wanted(text)?;
    let dialect = wanted.dialect;
    let listen = match wanted.address {
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
