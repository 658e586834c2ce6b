//! What a person can ask for; `typed.rs` reads it from a line.

use std::path::PathBuf;

use crate::wire::{Nick, RoomName};

use super::Term;

/// What a front end asks of its node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Say a line in the current room.
    Say(String),
    /// Join a room and make it the current one.
    Join(RoomName),
    /// Leave a room; without a name the current one.
    Leave(Option<RoomName>),
    /// Make a joined room the current one.
    Switch(RoomName),
    /// List the joined rooms.
    Rooms,
    /// List who is in a room; without a name the current one.
    Users(Option<RoomName>),
    /// Say a line to these people only. Names as typed: in a mesh one may carry a tag (`bob#K7QD`).
    Tell {
        /// To whom; each gets it once however often named.
        to: Vec<String>,
        /// The line.
        text: String,
    },
    /// Take another name.
    Rename(Nick),
    /// Show the last lines of the current room.
    History(usize),
    /// Show lines of it from before those that are shown.
    Older(usize),
    /// Set the topic of the current room, or show it.
    Topic(Option<String>),
    /// Get lines with this term from every open room.
    Follow(Term),
    /// No longer.
    Unfollow(Term),
    /// List the terms followed.
    Following,
    /// Show each link's figures.
    Stats,
    /// Send a file.
    Send {
        /// Where it is.
        path: PathBuf,
        /// To whom, names as for `Tell`; to nobody means to the current room.
        to: Vec<String>,
    },
    /// Take the file that was offered under this number.
    Accept(u32),
    /// Do not take it.
    Reject(u32),
    /// Stop a transfer, from either side.
    Cancel(u32),
    /// List the transfers.
    Transfers,
    /// Everything said so far is to be delivered, then leave (end of input).
    Finish,
    /// Leave in order, telling everybody why.
    Quit(Option<String>),
}
