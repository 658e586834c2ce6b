//! What nodes say to each other: identifiers, names, records, frames and their bytes. Pure.

mod addr;
mod codec;
mod codes;
mod frame;
mod id;
mod name;
mod record;
mod sign;
mod transfer;
mod vector;

pub use addr::{Addr, Scheme};
pub use codec::{DecodeError, MAX_FRAME_BYTES, TooLong, decode, decode_message, encode};
pub use codes::{ByeReason, ErrorCode};
pub use frame::{
    AckLevel, CAN_STORE, CAN_TRANSFER, Frame, HaveLog, Hello, Member, Notice, PastLine, Role, VERSION,
};
pub use id::{BadNodeId, Epoch, NodeId, PublicKey, SPKI_BYTES, Seq};
pub use name::{BadName, MAX_NICK_BYTES, MAX_ROOM_BYTES, Nick, Pair, RoomId, RoomName};
pub use record::{Kind, MAX_BODY_BYTES, Record, RecordHash, RecordId, Signature};
pub use sign::{BadKey, PKCS8_BYTES, SigningKey, is_signed_by};
pub use transfer::{MAX_CHUNK_BYTES, MAX_FILE_NAME_BYTES, MAX_RECEIVERS, Offer, TransferId};
pub use vector::{LogKey, Vector};
