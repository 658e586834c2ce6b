//! `uwo`: clients register by name and say lines that begin with `@name: `; control lines look like HTTP. The
//! follow-up assignment adds lists, follow terms and attached files.
//!
//! Two kinds of programs are about. Most end a line with `\n`; some write a message and take what one read
//! gives for one. Which kind somebody is shows in how it registers (`framing`).

mod client;
mod follow;
mod framing;
mod guest;
mod host;
mod line;
mod url;

#[cfg(test)]
mod tests;

use std::time::Duration;

pub use client::Client;
pub use host::Host;
pub use url::{BadUrl, parse_url};

/// What the assignment's client says when nothing answers at the address it was given.
pub const NOT_ACCEPTING: &str = "Error:  That host or port is not accepting connections.";

/// Bytes of the longest line, its end not counted.
pub const MAX_LINE_BYTES: usize = 8 * 1024;

/// Characters of the longest name.
pub const MAX_NAME_CHARS: usize = 32;

/// Terms that one user may follow, besides `@all` and the user's own name.
pub const MAX_TERMS: usize = 64;

/// Bytes of the longest term.
pub const MAX_TERM_BYTES: usize = 64;

/// Connections that have not registered yet; for one more the first of them is closed.
pub const MAX_STRANGERS: usize = 128;

/// Files that are being taken from users at a time; one more is refused.
pub const MAX_UPLOADS: usize = 8;

/// Bytes that a client may send while it waits to be let in.
pub const MAX_EARLY_BYTES: usize = 64 * 1024;

/// How long a connection has to register.
pub const REGISTER_PATIENCE: Duration = Duration::from_secs(5);

/// After so much silence a message without an end is taken for whole.
pub const QUIET: Duration = Duration::from_millis(200);

/// How long the header of an attached file may take.
pub const ATTACH_PATIENCE: Duration = Duration::from_secs(10);

/// How long a file may stand still while it is taken.
pub const STALL_PATIENCE: Duration = Duration::from_secs(30);

/// The least silence after the bytes of a file (UWO-D8): programs read them into a buffer of fixed size, and
/// what follows too closely is lost in it.
pub const FILE_REST: Duration = Duration::from_millis(100);

/// Bytes that somebody who takes a file is trusted to read in a second; the silence begins after that.
const FILE_RATE: u64 = 8 << 20;

/// The silence after a file of `len` bytes, counted from when its first byte is written.
fn rest_after(len: usize) -> Duration {
    let reading = u64::try_from(len).unwrap_or(u64::MAX).saturating_mul(1_000) / FILE_RATE;
    FILE_REST.saturating_add(Duration::from_millis(reading))
}
