//! What one end used: bytes on its device, and CPU.

use std::{fs, ops::Sub, path::Path, time::Duration};

use nix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};

/// The end's only device, before the router loses anything.
const DEVICE: &str = "/sys/class/net/to-r/statistics";

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Spent {
    /// Ethernet headers included.
    pub(crate) tx_bytes: u64,
    pub(crate) tx_packets: u64,
    pub(crate) cpu_us: u64,
}

impl Spent {
    /// So far.
    pub(crate) fn now() -> Self {
        let count = |name: &str| {
            let text = fs::read_to_string(Path::new(DEVICE).join(name)).unwrap_or_default();
            text.trim().parse().unwrap_or(0)
        };
        // Not getrusage: where a kernel counts ticks, who wakes with the tick has them all.
        let cpu = clock_gettime(ClockId::CLOCK_PROCESS_CPUTIME_ID).map_or(Duration::ZERO, Duration::from);
        Self { tx_bytes: count("tx_bytes"), tx_packets: count("tx_packets"), cpu_us: cpu.as_micros() as u64 }
    }
}

impl Sub for Spent {
    type Output = Self;

    fn sub(self, before: Self) -> Self {
        Self {
            tx_bytes: self.tx_bytes.saturating_sub(before.tx_bytes),
            tx_packets: self.tx_packets.saturating_sub(before.tx_packets),
            cpu_us: self.cpu_us.saturating_sub(before.cpu_us),
        }
    }
}
