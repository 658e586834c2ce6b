//! Doors for those who do not speak our wire. A course protocol is a pure machine (`dialect`); here are its
//! sockets, and the clients of our server that speak for its guests.

mod caller;
pub mod dialect;
mod door;
mod guest;
mod network;
mod page;
mod save;

pub use caller::{Seen, Sockets, Typed, call};
pub use door::{Door, Indoors, Shown};
pub use network::MAX_CONNECTIONS;
pub use page::Page;
