//! Both ends over a bad link, then each end alone.

mod exchange;
mod receiving;
mod sending;

use std::time::{Duration, Instant};

use bytes::Bytes;

use super::*;
use crate::transport::Lane;

const RTT: Duration = Duration::from_millis(40);

#[expect(clippy::disallowed_methods, reason = "any moment will do")]
fn some_time() -> Instant {
    Instant::now()
}

/// What a message says of itself, so that any mix-up shows: lane, number within it, then a pattern.
fn message(lane: Lane, number: u32, len: usize) -> Bytes {
    let seed = lane.id.wrapping_mul(31).wrapping_add(number.wrapping_mul(7)) as usize;
    let mut data: Vec<u8> = (0..len).map(|at| (seed + at + at / 253) as u8).collect();
    if len >= 8 {
        data[..4].copy_from_slice(&lane.id.to_be_bytes());
        data[4..8].copy_from_slice(&number.to_be_bytes());
    }
    Bytes::from(data)
}
