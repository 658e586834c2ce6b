//! What one end used: bytes on its device, and CPU.

use std::{env, fs, ops::Sub, path::Path};

use nix::sys::{
    resource::{Usage, UsageWho, getrusage},
    time::TimeValLike as _,
};
use serde::{Deserialize, Serialize};

/// The end's only device, before the router loses anything.
const DEVICE: &str = "/sys/class/net/to-r/statistics";

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Spent {
    /// Ethernet headers included.
    pub(crate) tx_bytes: u64,
    pub(crate) tx_packets: u64,
    /// `None` where the kernel only guesses.
    pub(crate) cpu_us: Option<u64>,
}

impl Spent {
    /// So far.
    pub(crate) fn now() -> Self {
        let count = |name: &str| {
            let text = fs::read_to_string(Path::new(DEVICE).join(name)).unwrap_or_default();
            text.trim().parse().unwrap_or(0)
        };
        // User-mode-linux counts by its tick of 10 ms: who wakes with the tick has used all of it, who wakes
        // after it nothing.
        let cpu = match env::var_os("NETEM_IN_UML") {
            Some(_) => None,
            None => getrusage(UsageWho::RUSAGE_SELF).ok(),
        };
        let micros =
            |usage: Usage| usage.user_time().num_microseconds() + usage.system_time().num_microseconds();
        Self {
            tx_bytes: count("tx_bytes"),
            tx_packets: count("tx_packets"),
            cpu_us: cpu.map(micros).map(i64::unsigned_abs),
        }
    }
}

impl Sub for Spent {
    type Output = Self;

    fn sub(self, before: Self) -> Self {
        Self {
            tx_bytes: self.tx_bytes.saturating_sub(before.tx_bytes),
            tx_packets: self.tx_packets.saturating_sub(before.tx_packets),
            cpu_us: self.cpu_us.zip(before.cpu_us).map(|(now, before)| now.saturating_sub(before)),
        }
    }
}
