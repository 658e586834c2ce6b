//! `iowa`: bare JSON objects over TCP, one a write and nothing between them. Part 1 is a mesh of directed
//! links, part 2 a server that people subscribe to. Numbers such as I10 and IOWA-D2 are those of
//! `docs/dialects.md`.

mod authors;
mod client;
mod host;
mod inbox;
mod numbers;
mod peer;
mod shown;
mod subscribers;
#[cfg(test)]
mod tests;
mod told;
mod typing;
mod wire;

pub use client::Client;
pub use host::Host;
pub use peer::Peer;

/// Subscribers at the same time unless told otherwise.
pub const MAX_SUBSCRIBERS: usize = 1000;

/// Connections at the same time, of subscribers and of those who only say something.
pub const MAX_CONNECTIONS: usize = 4096;
