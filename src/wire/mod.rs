//! What nodes say to each other: identifiers, names, records, frames and their bytes. Pure.

mod addr;
mod id;
mod name;

pub use addr::{Addr, Scheme};
pub use id::{BadNodeId, Epoch, NodeId, PublicKey, SPKI_BYTES, Seq};
pub use name::{BadName, MAX_NICK_BYTES, MAX_ROOM_BYTES, Nick, Pair, Room, RoomName};
