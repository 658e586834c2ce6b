//! `lums`: `join`, `list`, `msg` and `file` as words with single spaces between them, over TCP.
//!
//! Nothing ends a message: what one `send` gave is what one `recv` takes. So the carrier of the TCP edition
//! ([`Host`], [`Client`]) writes one message at a time with a pause behind it, and takes what a read gives
//! for a message. What messages mean is in `server` and `user`, which the UDP editions share.

mod chunks;
mod client;
mod host;
pub(super) mod message;
mod outbox;
pub(super) mod people;
pub(super) mod reply;
pub(super) mod request;
mod room;
pub(super) mod server;
#[cfg(test)]
pub(super) mod tests;
pub(super) mod user;

pub use client::Client;
pub use host::Host;

use std::time::Duration;

/// What the server prints for `-h` and for an option it does not know (L1).
pub const SERVER_HELP: &str = "\
Server
-p PORT | --port=PORT The server port, defaults to 15000
-a ADDRESS | --address=ADDRESS The server ip or hostname, defaults to localhost
-h | --help Print this help";

/// What the client prints for `-h` and for an option it does not know (L2).
pub const CLIENT_HELP: &str = "\
Client
-u username | --user=username The username of Client
-p PORT | --port=PORT The server port, defaults to 15000
-a ADDRESS | --address=ADDRESS The server ip or hostname, defaults to localhost
-h | --help Print this help";

/// What the client prints before its help where `-u` is missing (L2).
pub const MISSING_USERNAME: &str = "Missing Username.";

/// What the client of the TCP edition prints for a line that matches no format (L8).
pub const FORMAT_LINE: &str = "incorrect user input format";

/// Users at the same time, `MAX_NUM_CLIENTS` of the assignment (L3).
pub const MAX_CLIENTS: usize = 10;

/// Bytes of the longest text of a message.
pub const MAX_TEXT_BYTES: usize = 8 * 1024;

/// Bytes of the longest message that is no file, the list of its receivers included.
pub const MAX_MESSAGE_BYTES: usize = 64 * 1024;

/// Bytes of the longest name of a user or a file.
pub const MAX_NAME_BYTES: usize = 255;

/// Names in one message.
pub const MAX_RECEIVERS: usize = 1024;

/// Files that wait for one user; of one more the user gets nothing.
pub const MAX_QUEUED_FILES: usize = 16;

/// Longer files are passed on with a warning, since programs of the assignment hold them in memory.
pub const LONG_FILE_BYTES: usize = 10 * 1024 * 1024;

/// Silence that ends a file over TCP (LUMS-D1).
pub const QUIET: Duration = Duration::from_millis(200);

/// Silence that is kept behind a file that is sent: what [`QUIET`] asks for, and some for slow readers.
const FILE_REST: Duration = Duration::from_millis(250);
