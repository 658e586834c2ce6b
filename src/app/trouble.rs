//! What people are told when something is refused: one line for what happened, one for what to do.

use crate::wire::{ErrorCode, MAX_RECEIVERS, RoomName};

use super::{
    Trouble,
    limits::{MAX_ASKED, MAX_LOOKUPS, MAX_ROOMS_PER_NODE, MAX_TERMS, MAX_TRANSFERS},
};

/// What a code from the other side means. `detail` is the name or limit it came with.
pub(super) fn refusal(code: ErrorCode, detail: &str) -> Trouble {
    match code {
        ErrorCode::NameTaken => {
            let hint = format!("choose another one: --name {detail}2");
            Trouble::new("name_taken", format!("the name {detail} is in use"), hint)
        }
        ErrorCode::Full => {
            let hint = "try again later; its host can raise --max-clients";
            Trouble::new("server_full", format!("the server is full ({detail})"), hint)
        }
        ErrorCode::TooManyLinks => {
            let message = format!("the server takes {detail} connections from one address");
            Trouble::new("too_many_links", message, "close another one first")
        }
        ErrorCode::RoomLimit => Trouble::new(
            "room_limit",
            format!("the limit is {detail}"),
            "/leave a room first, or use one that exists",
        ),
        ErrorCode::RoomFull => {
            Trouble::new("room_full", format!("the room is full ({detail})"), "try another room, or later")
        }
        ErrorCode::MessageTooLong => Trouble::new(
            "message_too_long",
            format!("the message is over the limit of {detail} bytes"),
            "shorten it",
        ),
        ErrorCode::Forbidden => {
            Trouble::new("forbidden", "you may not do that there", "is the room joined? /rooms lists them")
        }
        ErrorCode::Version => Trouble::new(
            "version",
            "the two programs have no protocol version in common",
            "update the older one",
        ),
        ErrorCode::WrongRole => Trouble::new("wrong_role", "the other node has another role", detail),
        ErrorCode::FileRefused
        | ErrorCode::FileTooLong
        | ErrorCode::TooManyFiles
        | ErrorCode::NoSpace
        | ErrorCode::FileChanged
        | ErrorCode::FileDamaged
        | ErrorCode::FileFailed
        | ErrorCode::Cancelled => file_trouble(code, "a file", detail),
        ErrorCode::BadSeq | ErrorCode::Malformed | ErrorCode::Other => {
            Trouble::new("refused", format!("the other side refused: {detail}"), "")
        }
    }
}

/// What ended a transfer. `what` is the file, `detail` the limit or the reason it came with.
pub(super) fn file_trouble(code: ErrorCode, what: &str, detail: &str) -> Trouble {
    let because = if detail.is_empty() { String::new() } else { format!(": {detail}") };
    match code {
        ErrorCode::FileRefused => {
            Trouble::new("file_refused", format!("{what} was not accepted{because}"), "ask them first")
        }
        ErrorCode::FileTooLong => {
            let message = format!("{what} is over the limit of {detail} bytes");
            Trouble::new("file_too_long", message, "split it, or ask them to raise --max-file-bytes")
        }
        ErrorCode::TooManyFiles => {
            let message = format!("{what} is one too many: {detail} wait there already");
            Trouble::new("too_many_files", message, "send it again when some have arrived")
        }
        ErrorCode::NoSpace => {
            Trouble::new("no_space", format!("there is no space for {what}{because}"), "make space first")
        }
        ErrorCode::FileChanged => {
            Trouble::new("file_changed", format!("{what} changed while it was sent"), "send it again")
        }
        ErrorCode::FileDamaged => {
            let message = format!("what arrived of {what} is not what was sent{because}");
            Trouble::new("file_damaged", message, "send it again")
        }
        ErrorCode::Cancelled => Trouble::new("cancelled", format!("{what} was cancelled"), ""),
        _ => Trouble::new("file_failed", format!("{what} failed{because}"), ""),
    }
}

pub(super) fn too_many_files() -> Trouble {
    let message = format!("{MAX_TRANSFERS} files are being sent already");
    Trouble::new("too_many_files", message, "wait for one, or /cancel it; /transfers lists them")
}

pub(super) fn too_many_receivers(count: usize) -> Trouble {
    let message = format!("{count} people are too many for one file, the limit is {MAX_RECEIVERS}");
    Trouble::new("too_many_receivers", message, "name some of them: /send FILE NAME,NAME")
}

pub(super) fn unknown_transfer(id: u32) -> Trouble {
    Trouble::new("unknown_transfer", format!("there is no file {id}"), "/transfers lists them")
}

pub(super) fn nobody_to_send_to() -> Trouble {
    let hint = "wait until somebody comes, or name them: /send FILE NAME";
    Trouble::new("nobody_here", "there is nobody in the room who could take a file", hint)
}

pub(super) fn takes_no_files(name: &str) -> Trouble {
    let hint = "their program is older, or one of a course";
    Trouble::new("file_refused", format!("{name} cannot take files"), hint)
}

pub(super) fn identity_twice() -> Trouble {
    let hint = "give the copy its own --data-dir";
    Trouble::new("identity_twice", "another node connected with this identity", hint)
}

pub(super) fn fork(name: &str) -> Trouble {
    let hint = "two nodes may be using one identity; the first version is shown, the rest is not";
    Trouble::new("fork", format!("{name} said two different things in one place"), hint)
}

pub(super) fn store_full() -> Trouble {
    let hint = "its host has to make space; what you say is kept here and stored then";
    Trouble::new(
        "store_full",
        "the server has no space left: what you said reached others, but is not stored",
        hint,
    )
}

pub(super) fn disk_full() -> Trouble {
    let hint = "make space, or keep it elsewhere with --history FILE";
    Trouble::new("store_full", "no space is left for what is said: it is not stored", hint)
}

pub(super) fn history_rewound(room: &str) -> Trouble {
    let hint = "an old backup was put in its place; what this node said is sent again as far as it has it";
    let message = format!("the server's history of {room} is older than what it confirmed");
    Trouble::new("history_rewound", message, hint)
}

pub(super) fn no_room() -> Trouble {
    Trouble::new("no_room", "you are in no room", "/join ROOM first")
}

pub(super) fn not_joined(room: &RoomName) -> Trouble {
    Trouble::new("not_joined", format!("you are not in {room}"), format!("/join {room} first"))
}

pub(super) fn room_limit(joined: usize) -> Trouble {
    let message = format!("{joined} rooms joined, the limit is {MAX_ROOMS_PER_NODE}");
    Trouble::new("room_limit", message, "/leave one first")
}

pub(super) fn too_long(len: usize, max: usize) -> Option<Trouble> {
    let message = format!("the message has {len} bytes, the limit is {max}");
    (len > max).then(|| Trouble::new("message_too_long", message, "nothing was sent; shorten it"))
}

pub(super) fn unknown_name(name: &str) -> Trouble {
    let message = format!("nobody here is called {name}");
    Trouble::new("unknown_name", message, "nothing was sent to them; /users lists who is here")
}

pub(super) fn yourself() -> Trouble {
    Trouble::new("unknown_name", "that is your own name", "nothing was sent to yourself")
}

pub(super) fn too_many_lookups() -> Trouble {
    let message = format!("{MAX_LOOKUPS} private lines wait for the server already");
    Trouble::new("too_many_lookups", message, "wait until it answers")
}

pub(super) fn too_many_terms() -> Trouble {
    Trouble::new("too_many_terms", format!("the limit is {MAX_TERMS} terms"), "/unfollow one first")
}

pub(super) fn nothing_older() -> Trouble {
    Trouble::new("nothing_older", "there is nothing older in this room", "or nobody here has it any more")
}

pub(super) fn asked_too_much() -> Trouble {
    let message = format!("{MAX_ASKED} requests for lines from before wait for an answer");
    Trouble::new("busy", message, "wait until they are shown")
}

pub(super) fn not_connected() -> Trouble {
    Trouble::new("not_connected", "there is no connection now", "it is being dialled again; try then")
}
