//! What people are told when something is refused: one line for what happened, one for what to do.

use crate::wire::{ErrorCode, RoomName};

use super::{
    Trouble,
    limits::{MAX_LOOKUPS, MAX_ROOMS_PER_NODE, MAX_TERMS},
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
        ErrorCode::BadSeq | ErrorCode::Malformed | ErrorCode::Other => {
            Trouble::new("refused", format!("the other side refused: {detail}"), "")
        }
    }
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

pub(super) fn not_connected() -> Trouble {
    Trouble::new("not_connected", "there is no connection now", "it is being dialled again; try then")
}
