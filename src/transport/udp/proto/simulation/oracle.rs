//! What must hold whatever the network does: every message once, whole, in the order of its lane, in time.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use bytes::Bytes;

use super::scenario::{LABEL, SHORT_LANE, Scenario};
use crate::transport::{Class, Lane, udp::proto::config::Config};

/// Bytes of the smallest congestion window, of which at least one goes through in a round trip.
const LEAST_WINDOW: f64 = 4.0 * 1200.0;

/// Probe timeouts for what is found lost after the first probe that is heard: the packets before it, then
/// the credit or the place in the window that those who wait get by it, and each of these twice.
const REPAIRS: u32 = 6;

/// The longest pause between two probes, jitter included.
const LONGEST_PAUSE: Duration = Duration::from_millis(3_300);

/// Probes in a row of which nothing comes back, at most, on a link that loses 30 % each way in bursts.
const LOST_PROBES: u32 = 8;

/// One direction: what was said and what was heard of it.
#[derive(Debug, Default)]
pub(super) struct Flow {
    seed: u64,
    /// By lane: the numbers and lengths that are still to come.
    awaited: BTreeMap<Lane, VecDeque<(u32, usize)>>,
    numbers: BTreeMap<Lane, u32>,
    pub(super) said: u64,
    pub(super) heard: u64,
    /// Bytes said and not heard.
    pub(super) underway: usize,
}

impl Flow {
    pub(super) fn new(seed: u64) -> Self {
        Self { seed, ..Self::default() }
    }

    /// The next message of `lane`.
    pub(super) fn say(&mut self, lane: Lane, len: usize) -> Bytes {
        let number = self.numbers.entry(lane).or_insert(0);
        let message = message(self.seed, lane, *number, len);
        self.awaited.entry(lane).or_default().push_back((*number, len));
        *number += 1;
        self.said += 1;
        self.underway += len;
        message
    }

    /// Checks a message that arrived.
    pub(super) fn hear(&mut self, class: Class, heard: &Bytes) -> Result<(), String> {
        let word = |at: usize| heard.get(at..at + 4).map(|word| u32::from_be_bytes(word.try_into().unwrap()));
        let id = word(0).filter(|_| heard.len() >= LABEL).unwrap_or(SHORT_LANE);
        let lane = Lane { class, id };
        let next = self.awaited.get_mut(&lane).and_then(VecDeque::pop_front);
        let Some((number, len)) = next else {
            return Err(match self.numbers.contains_key(&lane) {
                true => format!("doubled: {lane:?} has said all and is heard again"),
                false => format!("altered: {lane:?} says {} bytes but does not exist", heard.len()),
            });
        };
        if *heard != message(self.seed, lane, number, len) {
            let claims = word(4).filter(|_| id != SHORT_LANE);
            return Err(match claims {
                Some(claimed) if claimed < number => {
                    format!("doubled: {lane:?} {claimed} again, not {number}")
                }
                Some(claimed) if claimed > number => {
                    format!("out of order: {lane:?} {claimed}, not {number}")
                }
                _ => format!("altered: {lane:?} {number} of {len} bytes"),
            });
        }
        self.heard += 1;
        self.underway -= len;
        Ok(())
    }

    /// Whether nothing is on its way.
    pub(super) fn is_still(&self) -> bool {
        self.heard == self.said
    }
}

/// The longest that nothing new arrives although something is under way, nothing is dark, and the
/// application listens. In terms of the worst round trip R of the network, with its queues full, and the
/// probe timeout P that follows from it:
///
/// * once nothing goes wrong any more: one pause of a timeout that has backed off, [`REPAIRS`] timeouts,
///   and the time that the bytes need;
/// * while packets still get lost: [`LOST_PROBES`] such pauses instead of one;
/// * where a translator forgets ports, host 1 cannot reach host 0 before that speaks, which it does after
///   `keep_alive` at the latest.
///
/// Bytes need the time of a smallest congestion window each round trip, or of half the rate of the
/// bottleneck, whichever is longer; both sides of the flow fill it.
pub(super) struct Patience<'a> {
    pub(super) scenario: &'a Scenario,
    pub(super) healed: bool,
}

impl Patience<'_> {
    pub(super) fn for_bytes(&self, from: usize, bytes: usize) -> Duration {
        let round_trip = self.scenario.round_trip();
        // A mean deviation is at most half of the range.
        let timeout = round_trip * 3 + Duration::from_millis(11);
        let pauses = if self.healed { 1 } else { LOST_PROBES };
        let silence = if self.scenario.forgets_ports && self.scenario.rebinds_every().is_some() {
            Config::default().keep_alive
        } else {
            Duration::ZERO
        };
        let by_window = round_trip.as_secs_f64() / LEAST_WINDOW;
        let by_rate = self.scenario.rate(from).map_or(0.0, |rate| 8.0 / (rate / 2.0));
        let slow = if self.healed { 1.0 } else { 2.0 };
        let transfer = Duration::from_secs_f64(bytes as f64 * by_window.max(by_rate) * slow);
        LONGEST_PAUSE.max(timeout) * pauses + timeout * REPAIRS + silence + transfer
    }
}

/// What the message says: where it belongs, and bytes that follow from that.
fn message(seed: u64, lane: Lane, number: u32, len: usize) -> Bytes {
    let mut bytes = Vec::with_capacity(len + 8);
    let mut state =
        seed ^ (u64::from(lane.id) << 32) ^ u64::from(number) ^ ((lane.class.index() as u64) << 62);
    if len >= LABEL {
        bytes.extend(lane.id.to_be_bytes());
        bytes.extend(number.to_be_bytes());
    }
    while bytes.len() < len {
        state = state.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
        bytes.extend((state ^ (state >> 29)).to_be_bytes());
    }
    bytes.truncate(len);
    bytes.into()
}
