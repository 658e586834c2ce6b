//! A profile as it is written, and the checks between that and [`Figures`].

use std::time::Duration;

use serde::Deserialize;

use super::{Blackouts, Bottleneck, Figures, MAX_DATAGRAM, ProfileError};

/// Milliseconds of the longest time: a day.
const MAX_MS: f64 = 86_400_000.0;

/// Mbit/s: 1 kbit/s.
const LEAST_RATE: f64 = 0.001;

/// Mbit/s: 100 Gbit/s.
const MAX_RATE: f64 = 100_000.0;

/// kB of the longest queue: 1 GB.
const MAX_QUEUE: f64 = 1_000_000.0;

/// Bytes of the shortest queue, unless the profile names one: 100 packets.
const LEAST_QUEUE: u64 = 150_000;

/// `null` and a field that is not there are the same.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Fields {
    delay_ms: Option<f64>,
    jitter_ms: Option<f64>,
    jitter_order: Option<JitterOrder>,
    pub(super) loss_percent: Option<f64>,
    burst_ms: Option<f64>,
    reorder_percent: Option<f64>,
    reorder_ms: Option<f64>,
    duplicate_percent: Option<f64>,
    corrupt_percent: Option<f64>,
    truncate_percent: Option<f64>,
    rate_mbit: Option<f64>,
    queue_ms: Option<f64>,
    queue_kbytes: Option<f64>,
    mtu: Option<u32>,
    blackouts: Option<WrittenBlackouts>,
    rebind_every_ms: Option<f64>,
    pub(super) back: Option<Box<Self>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum JitterOrder {
    Keep,
    Reorder,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenBlackouts {
    every_ms: f64,
    length_ms: f64,
    first_ms: Option<f64>,
}

impl Fields {
    /// One direction, checked.
    pub(super) fn figures(&self) -> Result<Figures, ProfileError> {
        let delay = ms("delay_ms", self.delay_ms)?;
        let mtu = self.mtu.map_or(MAX_DATAGRAM, |mtu| mtu as usize);
        in_range("mtu", mtu as f64, 1.0, MAX_DATAGRAM as f64)?;
        let figures = Figures {
            delay,
            jitter: ms("jitter_ms", self.jitter_ms)?,
            keeps_order: self.jitter_order == Some(JitterOrder::Keep),
            loss: share("loss_percent", self.loss_percent)?,
            burst: ms("burst_ms", self.burst_ms)?,
            reorder: share("reorder_percent", self.reorder_percent)?,
            lead: ms("reorder_ms", self.reorder_ms.or(self.delay_ms))?,
            duplicate: share("duplicate_percent", self.duplicate_percent)?,
            corrupt: share("corrupt_percent", self.corrupt_percent)?,
            truncate: share("truncate_percent", self.truncate_percent)?,
            bottleneck: self.bottleneck(delay)?,
            mtu,
            blackouts: self.blackouts.map_or(Ok(None), WrittenBlackouts::checked)?,
            rebind_every: Some(ms("rebind_every_ms", self.rebind_every_ms)?).filter(|every| !every.is_zero()),
        };
        self.agree()?;
        Ok(figures)
    }

    /// Checks fields against each other.
    fn agree(&self) -> Result<(), ProfileError> {
        let delay = self.delay_ms.unwrap_or(0.0);
        not_above("jitter_ms", self.jitter_ms.unwrap_or(0.0), "delay_ms", delay)?;
        not_above("reorder_ms", self.reorder_ms.unwrap_or(0.0), "delay_ms", delay)?;
        if delay == 0.0 && self.reorder_percent.is_some_and(|percent| percent > 0.0) {
            return Err(ProfileError::Needs("reorder_percent", "delay_ms"));
        }
        Ok(())
    }

    fn bottleneck(&self, delay: Duration) -> Result<Option<Bottleneck>, ProfileError> {
        let queue_ms = ms("queue_ms", self.queue_ms)?;
        let kbytes = in_range("queue_kbytes", self.queue_kbytes.unwrap_or(0.0), 0.0, MAX_QUEUE)?;
        if self.queue_ms.is_some() && self.queue_kbytes.is_some() {
            return Err(ProfileError::Both("queue_ms", "queue_kbytes"));
        }
        let rate = self.rate_mbit.unwrap_or(0.0);
        if rate == 0.0 {
            return Ok(None);
        }
        let rate = in_range("rate_mbit", rate, LEAST_RATE, MAX_RATE)?;
        let whole = Bottleneck { bits_per_second: (rate * 1e6).round() as u64, queue: queue_ms };
        let queue = match (self.queue_ms, self.queue_kbytes) {
            (Some(_), _) => queue_ms,
            (None, Some(_)) => whole.time_for((kbytes * 1e3) as u64),
            (None, None) => whole.time_for(LEAST_QUEUE).max(delay * 2),
        };
        Ok(Some(Bottleneck { queue, ..whole }))
    }

    /// These fields, and where they say nothing those of `other`. The two that size a queue count as
    /// one: to name either replaces both.
    pub(super) fn over(&self, other: &Self) -> Self {
        let own_queue = self.queue_ms.is_some() || self.queue_kbytes.is_some();
        let queue = if own_queue { self } else { other };
        Self {
            delay_ms: self.delay_ms.or(other.delay_ms),
            jitter_ms: self.jitter_ms.or(other.jitter_ms),
            jitter_order: self.jitter_order.or(other.jitter_order),
            loss_percent: self.loss_percent.or(other.loss_percent),
            burst_ms: self.burst_ms.or(other.burst_ms),
            reorder_percent: self.reorder_percent.or(other.reorder_percent),
            reorder_ms: self.reorder_ms.or(other.reorder_ms),
            duplicate_percent: self.duplicate_percent.or(other.duplicate_percent),
            corrupt_percent: self.corrupt_percent.or(other.corrupt_percent),
            truncate_percent: self.truncate_percent.or(other.truncate_percent),
            rate_mbit: self.rate_mbit.or(other.rate_mbit),
            queue_ms: queue.queue_ms,
            queue_kbytes: queue.queue_kbytes,
            mtu: self.mtu.or(other.mtu),
            blackouts: self.blackouts.or(other.blackouts),
            rebind_every_ms: self.rebind_every_ms.or(other.rebind_every_ms),
            back: None,
        }
    }
}

impl WrittenBlackouts {
    fn checked(self) -> Result<Option<Blackouts>, ProfileError> {
        let every = ms("blackouts.every_ms", Some(self.every_ms))?;
        let length = ms("blackouts.length_ms", Some(self.length_ms))?;
        let first = ms("blackouts.first_ms", self.first_ms.or(Some(self.every_ms)))?;
        not_above("blackouts.length_ms", self.length_ms, "blackouts.every_ms", self.every_ms)?;
        Ok((!length.is_zero()).then_some(Blackouts { every, length, first }))
    }
}

fn ms(field: &'static str, value: Option<f64>) -> Result<Duration, ProfileError> {
    let value = in_range(field, value.unwrap_or(0.0), 0.0, MAX_MS)?;
    Ok(Duration::from_secs_f64(value / 1e3))
}

fn share(field: &'static str, percent: Option<f64>) -> Result<f64, ProfileError> {
    Ok(in_range(field, percent.unwrap_or(0.0), 0.0, 100.0)? / 100.0)
}

/// A NaN is in no range.
fn in_range(field: &'static str, value: f64, least: f64, most: f64) -> Result<f64, ProfileError> {
    if (least..=most).contains(&value) {
        return Ok(value);
    }
    Err(ProfileError::OutOfRange { field, value, least, most })
}

fn not_above(field: &'static str, value: f64, bound: &'static str, most: f64) -> Result<(), ProfileError> {
    if value <= most {
        return Ok(());
    }
    Err(ProfileError::Above { field, value, bound, most })
}
