//! `uwo-udp`: the lines and files of [`uwo`](super::uwo) over stop-and-wait, one packet in flight each way.
//!
//! The machines of `uwo` do not know of it: an address is one of their connections, what they send becomes
//! packets, what arrives once and in order is what they receive.

mod client;
mod host;
mod link;
mod packet;

#[cfg(test)]
mod tests;

use std::time::Duration;

pub use client::Client;
pub use host::Host;

/// Without an acknowledgement for so long, a packet is sent again.
pub const RETRANSMIT_AFTER: Duration = Duration::from_secs(1);

/// How often a packet is sent again before the peer is taken for gone.
pub const MAX_RETRANSMISSIONS: u32 = 8;

/// Addresses that a server knows at a time, those included that only finish; one more is not answered.
pub const MAX_ADDRESSES: usize = 1_200;

/// An address that does not register is forgotten after so long.
pub const REGISTER_PATIENCE: Duration = super::uwo::REGISTER_PATIENCE;

/// How long the last packets of somebody who left are still acknowledged: as long as they may be repeated.
pub const LINGER: Duration = RETRANSMIT_AFTER.saturating_mul(MAX_RETRANSMISSIONS + 1);
