//! The emulator of bad networks, with the addresses of each datagram.

use std::{net::SocketAddr, time::Instant};

use bytes::Bytes;

use crate::{
    gateway::dialect::lums::tests::start_of_time,
    transport::impair::{Line, Profile},
};

/// Of a hundred datagrams so many are lost, and so on; each takes 1 to 80 ms, so that many overtake others.
#[derive(Clone, Copy)]
pub(super) struct Faults {
    pub(super) lost: u32,
    pub(super) doubled: u32,
    pub(super) damaged: u32,
}

pub(super) struct Channel {
    line: Line<(SocketAddr, SocketAddr)>,
}

impl Channel {
    pub(super) fn new(seed: u64, Faults { lost, doubled, damaged }: Faults) -> Self {
        let profile = format!(
            r#"{{"delay_ms": 40, "jitter_ms": 39, "loss_percent": {lost}, "duplicate_percent": {doubled}, "corrupt_percent": {damaged}}}"#
        );
        Self { line: Line::new(&Profile::parse(&profile).unwrap(), seed, start_of_time()) }
    }

    pub(super) fn send(&mut self, from: SocketAddr, to: SocketAddr, bytes: &Bytes, now: Instant) {
        self.line.send(now, bytes, (from, to));
    }

    /// What has arrived: from, to, what.
    pub(super) fn arrived(&mut self, now: Instant) -> Vec<(SocketAddr, SocketAddr, Bytes)> {
        let arrived = std::iter::from_fn(|| self.line.poll(now));
        arrived.map(|((from, to), bytes)| (from, to, Bytes::from(bytes))).collect()
    }
}
