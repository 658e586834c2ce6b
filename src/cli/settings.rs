//! What the options come to: checked, complete, and apart by role.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use crate::{
    app::{FileRules, limits::Limits},
    store::Retention,
    transport::impair::Impairment,
    ui::{AtEnd, Face},
    wire::{Nick, RoomName, Scheme},
};

use super::{
    Remote,
    course::{CourseSettings, DoorSettings},
};

/// Everything a node is started with.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// What it is.
    pub role: Role,
    /// How events look.
    pub face: Face,
    /// What the end of the input means.
    pub at_end: AtEnd,
    /// Whether links are plaintext.
    pub insecure: bool,
    /// What is done to the datagrams it sends.
    pub impairment: Option<Impairment>,
    /// Identity, epoch and pins.
    pub data_dir: PathBuf,
    /// Whether a person named that directory: then it is that or nothing.
    pub data_dir_given: bool,
}

/// What a node is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Role {
    /// Everybody's server.
    Server(ServerSettings),
    /// Somebody at a server.
    Client(ClientSettings),
    /// One of a mesh.
    Peer(PeerSettings),
    /// The client or peer of a course system.
    Course(CourseSettings),
}

/// A server's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerSettings {
    /// Where it listens; `None`: only its doors are open.
    pub listen: Option<SocketAddr>,
    /// Over what; never empty.
    pub transports: Vec<Scheme>,
    /// Its doors for course systems.
    pub doors: Vec<DoorSettings>,
    /// Where a browser sees what happens at the door of `vsb`.
    pub web: Option<SocketAddr>,
    /// What it keeps.
    pub keep: Keep,
    /// How much it takes.
    pub limits: Limits,
}

/// A client's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientSettings {
    /// Whose client.
    pub server: Remote,
    /// Over what: the first, and where it gets no answer the second; never empty.
    pub transports: Vec<Scheme>,
    /// Who speaks.
    pub person: Person,
    /// Redial also after an orderly shutdown.
    pub reconnect: bool,
    /// What it keeps.
    pub keep: Keep,
}

/// A peer's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerSettings {
    /// Where it listens.
    pub listen: SocketAddr,
    /// Over what it listens and dials; never empty.
    pub transports: Vec<Scheme>,
    /// Whom it dials.
    pub peers: Vec<Remote>,
    /// Who speaks.
    pub person: Person,
    /// What it keeps.
    pub keep: Keep,
    /// How much it takes.
    pub limits: Limits,
}

/// Who speaks at a client or a peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// Under which name.
    pub nick: Nick,
    /// Whether the person chose it; another one gets a suffix when it is taken.
    pub name_given: bool,
    /// Rooms to join, the current one first; never empty.
    pub rooms: Vec<RoomName>,
    /// How long the end of input waits for delivery.
    pub linger: Duration,
    /// What is done with files that others offer.
    pub files: Files,
}

/// What is done with files that others offer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Files {
    /// Which are taken.
    pub rules: FileRules,
    /// Where they go; `None`: into the data directory.
    pub downloads: Option<PathBuf>,
}

impl Files {
    /// Where they go at a node with this data directory.
    pub fn directory(&self, data_dir: &Path) -> PathBuf {
        self.downloads.clone().unwrap_or_else(|| data_dir.join("downloads"))
    }
}

/// What is kept for those who come later.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keep {
    /// Where.
    pub history: History,
    /// How much of each room, on disk.
    pub retention: Retention,
}

/// Where it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum History {
    /// Nowhere.
    None,
    /// The last lines, until the node ends.
    Memory,
    /// Everything, in a file of the data directory.
    DataDirectory,
    /// Everything, in this file.
    File(PathBuf),
}
