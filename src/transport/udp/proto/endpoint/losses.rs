//! What the connections to one address learned of the way there, for the others (RFC 9040 §6, ensemble sharing).
//!
//! Who says little loses its first packet before it knows that the path loses any, and that line is late. Of a
//! hundred people behind one address that happens to one.

use std::{
    collections::BTreeMap,
    net::IpAddr,
    time::{Duration, Instant},
};

/// Addresses remembered; the one longest without a word of it goes first.
const MAX_ADDRESSES: usize = 1024;

/// How long what was learned is believed: a link that somebody moves with is another by then.
const MAX_AGE: Duration = Duration::from_secs(300);

/// When packets were last known to be lost, by the address of the other side.
#[derive(Debug, Default)]
pub(super) struct Losses {
    known: BTreeMap<IpAddr, Instant>,
}

impl Losses {
    /// A connection to `ip` loses packets.
    pub(super) fn note(&mut self, ip: IpAddr, now: Instant) {
        if self.known.len() >= MAX_ADDRESSES && !self.known.contains_key(&ip) {
            let oldest = self.known.iter().min_by_key(|(_, at)| **at).map(|(ip, _)| *ip);
            if let Some(oldest) = oldest {
                self.known.remove(&oldest);
            }
        }
        self.known.insert(ip, now);
    }

    /// Whether another connection to `ip` has to expect it too.
    pub(super) fn are_expected(&self, ip: IpAddr, now: Instant) -> bool {
        self.known.get(&ip).is_some_and(|at| now.saturating_duration_since(*at) < MAX_AGE)
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.known.len()
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "a starting point for virtual time")]
mod tests {
    use super::*;

    fn ip(number: u32) -> IpAddr {
        IpAddr::from(number.to_be_bytes())
    }

    #[test]
    fn are_they_expected_for_five_minutes_at_that_address() {
        let (mut losses, now) = (Losses::default(), Instant::now());
        losses.note(ip(1), now);
        assert!(losses.are_expected(ip(1), now + MAX_AGE - Duration::from_millis(1)));
        assert!(!losses.are_expected(ip(1), now + MAX_AGE));
        assert!(!losses.are_expected(ip(2), now));
        losses.note(ip(1), now + MAX_AGE);
        assert!(losses.are_expected(ip(1), now + MAX_AGE));
    }

    #[test]
    fn does_the_oldest_go_when_there_are_too_many() {
        let (mut losses, now) = (Losses::default(), Instant::now());
        let millis = |number: u32| now + Duration::from_millis(number.into());
        (0..MAX_ADDRESSES as u32).for_each(|number| losses.note(ip(number), millis(number)));
        losses.note(ip(0), millis(2000));
        assert!(losses.len() == MAX_ADDRESSES && losses.are_expected(ip(1), now));
        losses.note(ip(5000), millis(2001));
        assert!(losses.len() == MAX_ADDRESSES && !losses.are_expected(ip(1), now));
        assert!(losses.are_expected(ip(0), now) && losses.are_expected(ip(5000), now));
    }
}
