//! The real program as a pipe: what other programs write to one end comes out at the other.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "what a test cannot do fails it")]

mod support;

#[path = "pipe/carry.rs"]
mod carry;
#[path = "pipe/end.rs"]
mod end;
#[path = "pipe/ends.rs"]
mod ends;
#[path = "pipe/refusals.rs"]
mod refusals;
