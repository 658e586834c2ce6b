//! Which lane a frame travels on. One thin lane per live log, so that over UDP no author and no room
//! waits for another; everything that steers is on the control lane, in order.

use std::hash::{Hash as _, Hasher as _};

use crate::{
    transport::Lane,
    wire::{Frame, NodeId, RoomId, TransferId},
};

/// Thin lanes of one link: logs beyond share them.
const THIN_LANES: u32 = 4_096;

/// Bulk lanes of one link: transfers beyond share them.
const BULK_LANES: u32 = 64;

/// The lane of a frame.
pub(super) fn lane_of(frame: &Frame) -> Lane {
    match frame {
        Frame::Record(record) => log_lane(&record.room, record.author),
        Frame::Start { log, .. } | Frame::Gone { log, .. } => log_lane(&log.room, log.author),
        Frame::Author { room, node, .. } => log_lane(room, *node),
        // Behind what the member said: nobody is to leave before their last words.
        Frame::Presence { room, node, .. } => log_lane(room, *node),
        Frame::Chunk { transfer, .. } | Frame::Complete { transfer, .. } => bulk_lane(transfer),
        _ => Lane::CONTROL,
    }
}

fn log_lane(room: &RoomId, author: NodeId) -> Lane {
    let mut hasher = Fnv(0xcbf2_9ce4_8422_2325);
    room.hash(&mut hasher);
    author.hash(&mut hasher);
    let lane = u32::try_from(hasher.finish() % u64::from(THIN_LANES)).unwrap_or(0);
    Lane::thin(1 + lane)
}

/// Numbered behind the thin ones.
fn bulk_lane(transfer: &TransferId) -> Lane {
    let mut hasher = Fnv(0xcbf2_9ce4_8422_2325);
    transfer.hash(&mut hasher);
    let lane = u32::try_from(hasher.finish() % u64::from(BULK_LANES)).unwrap_or(0);
    Lane::bulk(1 + THIN_LANES + lane)
}

/// FNV-1a, 64 bits: the same in every run, unlike the standard hasher, so that a seed replays.
struct Fnv(u64);

impl std::hash::Hasher for Fnv {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
}
