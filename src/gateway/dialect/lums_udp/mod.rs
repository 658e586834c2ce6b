//! `lums-udp`: the UDP editions of [`lums`](super::lums), whose messages mean the same.
//!
//! A message has its length in it and a packet a checksum. In part 1 of the assignment each message is one
//! packet that may be lost; in part 2 (`sender`, `receiver`) a message is a connection of its own: START,
//! data packets in a window of three, END, each acknowledged and repeated.

mod client;
mod host;
mod length;
mod packet;
mod receiver;
mod sender;
#[cfg(test)]
mod tests;

pub use client::Client;
pub use host::Host;

use std::time::Duration;

/// What the client of the UDP editions prints for a line that matches no format (LUMS-D11).
pub const FORMAT_LINE: &str = "incorrect userinput format";

/// Bytes of a message in one packet (7.3 of the assignment: whole packets have at most 1500).
pub const CHUNK_BYTES: usize = 1400;

/// Bytes of the longest datagram, so of the longest message of part 1.
pub const MAX_DATAGRAM_BYTES: usize = 65_507;

/// Data packets in flight, unless set otherwise.
pub const WINDOW: usize = 3;

/// The widest window that can be set.
pub const MAX_WINDOW: usize = 64;

/// How long nothing may move before everything in flight is repeated.
pub const REPEAT_AFTER: Duration = Duration::from_millis(500);

/// How often a packet is sent: once, and three times again.
pub const MAX_SENDS: u32 = 4;

/// How long a finished connection is remembered, so that what is repeated is acknowledged (LUDP-D2): as long
/// as its sender may repeat, and once more.
pub const REMEMBERED: Duration = Duration::from_millis(2500);

/// Finished connections of one address that are remembered.
pub const MAX_PAST: usize = 64;

/// Messages in a row that a user did not take before it is taken for gone (LUDP-D4).
pub const MAX_FAILURES: u32 = 3;

/// Addresses that have not joined. One more takes the place of the one silent for longest.
pub const MAX_STRANGERS: usize = 64;

/// Silence after which an address that has not joined is forgotten.
pub const FORGET_AFTER: Duration = Duration::from_secs(10);
