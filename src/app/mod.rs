//! Rooms, logs, who hears what. Pure: time and chance come in as arguments, nothing here waits,
//! reads a clock or touches a socket (see ARCHITECTURE.md).

mod backoff;
mod client;
mod command;
mod event;
mod feed;
mod history;
mod hub;
mod keeping;
pub mod limits;
pub mod log;
mod mesh;
mod outcome;
mod outgoing;
pub mod room;
pub mod suggest;
mod term;
mod topology;
mod transfer;
mod trouble;
pub mod typed;

pub use backoff::Backoff;
pub use client::{Client, ClientConfig};
pub use command::Command;
pub use event::{
    Change, Event, LinkFigures, LinkState, PathFigures, Place, Said, SentState, TransferFigures,
    TransferState, Trouble,
};
pub use hub::{Hub, HubConfig};
pub use mesh::{Mesh, MeshConfig};
pub use outcome::Outcome;
pub use term::{BadTerm, MAX_TERM_BYTES, Term};
pub use topology::{Action, DialError, Input, LinkEnd, LinkId, Now, Restored, Topology};
pub use transfer::{
    Acceptance, FileFault, FileJob, FileNews, FileRules, KeptIncoming, KeptOutgoing, KeptTransfer,
    MAX_FILE_BYTES,
};
pub use typed::Typed;
