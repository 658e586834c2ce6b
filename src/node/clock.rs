//! The present. Read here and nowhere else in this room, so that a paused runtime clock moves whole
//! nodes.

use std::time::{SystemTime, UNIX_EPOCH};

use tokio::time::Instant;

use crate::app::Now;

/// The wall clock, read once and carried forward by the monotonic one: it cannot jump.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    started: Instant,
    started_unix_ms: u64,
}

impl Clock {
    pub(super) fn start() -> Self {
        Self { started: Instant::now(), started_unix_ms: unix_ms() }
    }

    pub(super) fn now(&self) -> Now {
        let instant = Instant::now();
        let passed = u64::try_from(instant.duration_since(self.started).as_millis()).unwrap_or(u64::MAX);
        Now { instant: instant.into_std(), unix_ms: self.started_unix_ms.saturating_add(passed) }
    }
}

/// Unix milliseconds by the wall clock.
#[expect(clippy::disallowed_methods, reason = "the one place where the wall clock is read")]
pub(super) fn unix_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
