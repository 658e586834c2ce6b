//! `vsb`: one JSON object a line, `type` and `data`. The server speaks first, and a sender gets its own
//! line back. Numbers such as V13 and VSB-D6 are those of `docs/dialects.md`.

mod client;
mod host;
mod lines;
mod others;
mod past;
mod requests;
#[cfg(test)]
mod tests;
mod wire;

pub use client::Client;
pub use host::Host;

/// Users at the same time unless told otherwise.
pub const MAX_USERS: usize = 100;

/// Messages that `history` tells.
pub const MAX_HISTORY: usize = 1000;

/// Bytes of the longest text of a message.
pub const MAX_TEXT_BYTES: usize = 8 * 1024;

/// Characters of the longest name.
pub const MAX_NAME_CHARS: usize = 32;

/// Whose name stands before what the server itself says.
const SERVER: &str = "[Server]";
