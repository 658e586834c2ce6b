//! The one clock of both ends: CLOCK_MONOTONIC of the kernel they share.

use std::{
    io,
    os::fd::{AsFd as _, AsRawFd, RawFd},
    time::Duration,
};

use nix::{
    sys::{
        time::TimeSpec,
        timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags},
    },
    time::clock_gettime,
};
use tokio::io::unix::AsyncFd;

/// Nanoseconds since the kernel started.
pub(crate) fn now() -> u64 {
    let now = clock_gettime(nix::time::ClockId::CLOCK_MONOTONIC).map(Duration::from);
    // It exists on every Linux.
    now.map_or(0, nanos)
}

pub(crate) fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// An alarm of that clock. Tokio's timers are whole milliseconds, and the latency of every message would
/// have up to two of them.
pub(crate) struct Alarm(AsyncFd<Fd>);

/// What tokio wants of a file descriptor.
struct Fd(TimerFd);

impl AsRawFd for Fd {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_fd().as_raw_fd()
    }
}

impl Alarm {
    #[expect(deprecated, reason = "sound here: the descriptor is the timer's own and stays what it is")]
    pub(crate) fn new() -> io::Result<Self> {
        let flags = TimerFlags::TFD_NONBLOCK | TimerFlags::TFD_CLOEXEC;
        let timer = TimerFd::new(ClockId::CLOCK_MONOTONIC, flags)?;
        Ok(Self(AsyncFd::new(Fd(timer))?))
    }

    /// Until then.
    pub(crate) async fn wait(&self, until: u64) -> io::Result<()> {
        let at = TimeSpec::from_duration(Duration::from_nanos(until.max(1)));
        self.0.get_ref().0.set(Expiration::OneShot(at), TimerSetTimeFlags::TFD_TIMER_ABSTIME)?;
        loop {
            let mut ready = self.0.readable().await?;
            // An old alarm may still be ready: the read then finds nothing.
            match ready.try_io(|fd| fd.get_ref().0.wait().map_err(io::Error::from)) {
                Ok(rang) => return rang,
                Err(_would_block) => {}
            }
        }
    }
}
