//! A link as its profile describes it, and what nobody can beat on it.

use std::{fs, path::Path, time::Duration};

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};

/// Those fields of a profile that matter here. run.sh refuses a wrong one, so this need not.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Link {
    pub(crate) name: String,
    pub(crate) delay_ms: f64,
    pub(crate) jitter_ms: f64,
    pub(crate) loss_percent: f64,
    pub(crate) burst_ms: f64,
    pub(crate) reorder_percent: f64,
    pub(crate) rate_mbit: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) queue_ms: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) queue_kbytes: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) blackouts: Option<Blackouts>,
}

/// How often nothing gets through.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Blackouts {
    pub(crate) every_ms: f64,
    pub(crate) length_ms: f64,
}

/// A segment's payload in a frame without its checksum, as on the wire here: 1448 of 1514 bytes.
const PAYLOAD_SHARE: f64 = 1448.0 / 1514.0;

impl Link {
    pub(crate) fn read(file: &Path) -> Result<Self> {
        let text = fs::read_to_string(file).with_context(|| file.display().to_string())?;
        let mut link: Self = serde_json::from_str(&text).with_context(|| file.display().to_string())?;
        link.name = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        Ok(link)
    }

    /// How long all but `share` of what is said, at any time, wait at most for the end of a blackout.
    pub(crate) fn blackout_ms(&self, share: f64) -> f64 {
        let Blackouts { every_ms, length_ms } = self.blackouts.unwrap_or_default();
        (length_ms - (1.0 - share) * every_ms).max(0.0)
    }

    /// A time of at least `least` in which as much of it is blacked out as at any other time.
    pub(crate) fn whole_periods(&self, least: Duration) -> Duration {
        let period = self.blackouts.map_or(0.0, |blackouts| blackouts.every_ms / 1000.0);
        if period > 0.0 {
            Duration::from_secs_f64((least.as_secs_f64() / period).ceil() * period)
        } else {
            least
        }
    }

    /// No link at all, both ends on the kernel that runs: for what a message costs.
    pub(crate) fn is_loopback(&self) -> bool {
        self.name == "loopback"
    }

    pub(crate) fn rtt_ms(&self) -> f64 {
        2.0 * self.delay_ms
    }

    /// What a message takes at most where nothing is lost and nothing waits. Not the time of its bits: the
    /// bucket that makes the rate lets a short packet through at once.
    pub(crate) fn floor_ms(&self) -> f64 {
        self.delay_ms + self.jitter_ms
    }

    /// Goodput nobody exceeds, in Mbit/s: what the losses leave of the rate, less the headers.
    pub(crate) fn ceiling_mbit(&self) -> f64 {
        self.rate_mbit * PAYLOAD_SHARE * (1.0 - self.loss())
    }

    pub(crate) fn loss(&self) -> f64 {
        self.loss_percent / 100.0
    }

    /// p99 of messages every `interval_ms`, were acknowledgements and timers perfect and nothing ever sent
    /// before it is known to be lost: another try each round trip, or with the message after it.
    pub(crate) fn ideal_arq_p99_ms(&self, interval_ms: f64) -> f64 {
        let (mut tries, mut left) = (0.0, self.loss());
        while left > 0.01 + 1e-9 && tries < 100.0 {
            tries += 1.0;
            left *= self.loss();
        }
        // Who sends seldom has a timer that knows the round trip.
        let notices = if interval_ms > self.rtt_ms() { 0.0 } else { interval_ms };
        let first = if tries > 0.0 { notices } else { 0.0 };
        self.delay_ms + first + tries * self.rtt_ms()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link(delay_ms: f64, loss_percent: f64) -> Link {
        Link { delay_ms, loss_percent, rate_mbit: 50.0, ..Link::default() }
    }

    #[test]
    fn a_link_with_blackouts_is_looked_at_for_as_long_as_it_takes_to_see_one_of_each() {
        let seconds = Duration::from_secs;
        let link =
            Link { blackouts: Some(Blackouts { every_ms: 60_000.0, length_ms: 3000.0 }), ..link(300.0, 2.0) };
        assert_eq!([1, 60, 61].map(|least| link.whole_periods(seconds(least))), [60, 60, 120].map(seconds));
        assert_eq!(Link::default().whole_periods(seconds(7)), seconds(7));
    }

    #[test]
    fn who_speaks_in_a_blackout_waits_for_its_end() {
        let blackouts = Some(Blackouts { every_ms: 60_000.0, length_ms: 3000.0 });
        let link = Link { blackouts, ..link(300.0, 2.0) };
        let waits = [0.5, 0.95, 0.99, 0.999].map(|share| link.blackout_ms(share).round());
        assert_eq!(waits, [0.0, 0.0, 2400.0, 2940.0]);
    }

    #[test]
    fn agrees_with_what_was_computed_by_hand() {
        for (delay, loss, steady, sparse) in [
            (20.0, 1.0, 20.0, 20.0),
            (20.0, 5.0, 80.0, 60.0),
            (50.0, 10.0, 170.0, 150.0),
            (50.0, 20.0, 270.0, 250.0),
            (100.0, 30.0, 720.0, 700.0),
        ] {
            assert_eq!(link(delay, loss).ideal_arq_p99_ms(20.0), steady, "{loss} %");
            assert_eq!(link(delay, loss).ideal_arq_p99_ms(500.0), sparse, "{loss} %");
        }
        assert!((link(50.0, 10.0).ceiling_mbit() - 43.0).abs() < 0.1);
    }
}
