//! What the connections to one address learned of the way there, for the others (RFC 9040 §6, ensemble sharing).
//!
//! Who says little loses its first packet before it knows that the path loses any, and that line is late. Of a
//! hundred people behind one address that happens to one.

use std::{
    collections::BTreeMap,
    net::IpAddr,
    time::{Duration, Instant},
};

use crate::transport::udp::proto::thin::Hearsay;

/// Addresses remembered; the one longest without a word of it goes first.
const MAX_ADDRESSES: usize = 1024;

/// How long what was learned is believed: a link that somebody moves with is another by then.
const MAX_AGE: Duration = Duration::from_secs(300);

/// What is known of losses and since when, by the address of the other side.
#[derive(Debug, Default)]
pub(super) struct Losses {
    known: BTreeMap<IpAddr, (Hearsay, Instant)>,
}

impl Losses {
    /// A connection to `ip` saw packets lost; returns what is known with that.
    pub(super) fn note(&mut self, ip: IpAddr, seen: Hearsay, now: Instant) -> Hearsay {
        if self.known.len() >= MAX_ADDRESSES && !self.known.contains_key(&ip) {
            let oldest = self.known.iter().min_by_key(|(_, (_, at))| *at).map(|(ip, _)| *ip);
            if let Some(oldest) = oldest {
                self.known.remove(&oldest);
            }
        }
        let (known, at) = self.known.entry(ip).or_insert((seen, now));
        (*known, *at) = (known.with(seen), now);
        *known
    }

    /// What another connection to `ip` has to expect too.
    pub(super) fn expected(&self, ip: IpAddr, now: Instant) -> Option<Hearsay> {
        let (known, at) = self.known.get(&ip)?;
        (now.saturating_duration_since(*at) < MAX_AGE).then_some(*known)
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
        let seen = Hearsay { burst: Some(Duration::from_millis(20)), q_close: Some(0.5), share: None };
        losses.note(ip(1), seen, now);
        assert_eq!(losses.expected(ip(1), now + MAX_AGE - Duration::from_millis(1)), Some(seen));
        assert_eq!(losses.expected(ip(1), now + MAX_AGE), None);
        assert_eq!(losses.expected(ip(2), now), None);
        losses.note(ip(1), Hearsay::default(), now + MAX_AGE);
        assert_eq!(losses.expected(ip(1), now + MAX_AGE), Some(seen));
    }

    #[test]
    fn does_the_oldest_go_when_there_are_too_many() {
        let (mut losses, now) = (Losses::default(), Instant::now());
        let mut note = |number: u32, millis: u32| {
            losses.note(ip(number), Hearsay::default(), now + Duration::from_millis(millis.into()));
            let are_expected = [0, 1, 2, 5000].map(|number| losses.expected(ip(number), now).is_some());
            (losses.known.len(), are_expected)
        };
        for number in 0..MAX_ADDRESSES as u32 {
            note(number, number);
        }
        assert_eq!(note(0, 2000), (MAX_ADDRESSES, [true, true, true, false]));
        assert_eq!(note(5000, 2001), (MAX_ADDRESSES, [true, false, true, true]));
    }
}
