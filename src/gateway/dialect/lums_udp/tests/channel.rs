//! A network that loses, delays, doubles, reorders and damages datagrams, the same for the same seed.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    time::{Duration, Instant},
};

use bytes::Bytes;
use rand::{Rng, SeedableRng, rngs::ChaCha12Rng};

/// Of a hundred datagrams so many are lost, and so on.
#[derive(Clone, Copy)]
pub(super) struct Faults {
    pub(super) lost: u32,
    pub(super) doubled: u32,
    pub(super) damaged: u32,
}

pub(super) struct Channel {
    rng: ChaCha12Rng,
    faults: Faults,
    /// By arrival; the second number keeps them apart.
    on_the_way: BTreeMap<(Instant, u64), (SocketAddr, SocketAddr, Bytes)>,
    count: u64,
}

impl Channel {
    pub(super) fn new(seed: u64, faults: Faults) -> Self {
        Self { rng: ChaCha12Rng::seed_from_u64(seed), faults, on_the_way: BTreeMap::new(), count: 0 }
    }

    fn happens(&mut self, percent: u32) -> bool {
        self.rng.next_u32() % 100 < percent
    }

    pub(super) fn send(&mut self, from: SocketAddr, to: SocketAddr, bytes: &Bytes, now: Instant) {
        for _ in 0..1 + u32::from(self.happens(self.faults.doubled)) {
            if self.happens(self.faults.lost) {
                continue;
            }
            let mut bytes = bytes.to_vec();
            if self.happens(self.faults.damaged) {
                let place = self.rng.next_u32() as usize % bytes.len();
                bytes[place] ^= 1 << (self.rng.next_u32() % 8);
            }
            let delay = Duration::from_millis(u64::from(1 + self.rng.next_u32() % 80));
            self.count += 1;
            self.on_the_way.insert((now + delay, self.count), (from, to, Bytes::from(bytes)));
        }
    }

    /// What has arrived: from, to, what.
    pub(super) fn arrived(&mut self, now: Instant) -> Vec<(SocketAddr, SocketAddr, Bytes)> {
        let later = self.on_the_way.split_off(&(now, u64::MAX));
        std::mem::replace(&mut self.on_the_way, later).into_values().collect()
    }
}
