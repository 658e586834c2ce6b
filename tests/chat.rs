//! The real program as a star: a server and its clients, as people and scripts use them.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "what a test cannot do fails it")]

mod support;

#[path = "chat/breaks.rs"]
mod breaks;
#[path = "chat/end.rs"]
mod end;
#[path = "chat/json.rs"]
mod json;
#[path = "chat/lossy.rs"]
mod lossy;
#[path = "chat/names.rs"]
mod names;
#[path = "chat/refusals.rs"]
mod refusals;
#[path = "chat/rooms.rs"]
mod rooms;
#[path = "chat/talk.rs"]
mod talk;
