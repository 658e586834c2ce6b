//! Which names among us are those of a machine's own guests.

use std::{
    collections::{BTreeMap, VecDeque},
    time::{Duration, Instant},
};

use super::{GuestId, plain, safe_nick};

/// How long the name of a guest who left is still known for its own: until every other guest was told.
const REMEMBER: Duration = Duration::from_secs(10);

/// Names that are remembered.
const MAX_FORMER: usize = 1024;

/// Which names among us are those of a machine's own guests, whose lines it has delivered already. Guests
/// are told of each other in no order, so the names that one is about to have and just had count too.
#[derive(Clone, Debug, Default)]
pub(super) struct OwnNames {
    guests: BTreeMap<GuestId, Names>,
    present: BTreeMap<String, GuestId>,
    former: VecDeque<(String, Instant)>,
}

#[derive(Clone, Debug, Default)]
struct Names {
    nick: Option<String>,
    /// To be had, perhaps with a number behind it.
    expected: Option<String>,
}

impl OwnNames {
    /// A guest asks for a name, any text.
    pub(super) fn expect(&mut self, guest: GuestId, name: &str) {
        self.guests.entry(guest).or_default().expected = Some(safe_nick(name).0.as_str().to_owned());
    }

    /// A guest has this name among us now.
    pub(super) fn settle(&mut self, guest: GuestId, nick: &str, now: Instant) {
        let nick = plain(nick).to_owned();
        let names = self.guests.entry(guest).or_default();
        names.expected = None;
        if let Some(before) = names.nick.replace(nick.clone()) {
            self.release(guest, before, now);
        }
        self.present.insert(nick, guest);
    }

    /// A guest keeps the name it had.
    pub(super) fn give_up(&mut self, guest: GuestId) {
        if let Some(names) = self.guests.get_mut(&guest) {
            names.expected = None;
        }
    }

    /// A guest left.
    pub(super) fn remove(&mut self, guest: GuestId, now: Instant) {
        let Some(names) = self.guests.remove(&guest) else { return };
        for name in names.nick.into_iter().chain(names.expected) {
            self.release(guest, name, now);
        }
    }

    /// What a guest is called among us, once it is in.
    pub(super) fn nick(&self, guest: GuestId) -> Option<&str> {
        self.guests.get(&guest)?.nick.as_deref()
    }

    /// Whether a name, as events have it, is one of ours.
    pub(super) fn contains(&self, name: &str, now: Instant) -> bool {
        let nick = plain(name);
        // Users of our own kind bear no mark, so theirs cannot be a name to come or of the past.
        let is_guest = nick.len() < name.len();
        self.present.contains_key(nick) || is_guest && (self.is_expected(nick) || self.is_former(nick, now))
    }

    fn is_expected(&self, nick: &str) -> bool {
        let mut expected = self.guests.values().filter_map(|own| own.expected.as_deref());
        expected.any(|expected| {
            let stem = nick.trim_end_matches(|c: char| c.is_ascii_digit());
            nick == expected || nick.starts_with(expected) && stem.len() <= expected.len()
        })
    }

    fn is_former(&self, nick: &str, now: Instant) -> bool {
        let fresh = |at: &Instant| now.saturating_duration_since(*at) < REMEMBER;
        self.former.iter().any(|(name, at)| name == nick && fresh(at))
    }

    fn release(&mut self, guest: GuestId, name: String, now: Instant) {
        if self.present.get(&name) == Some(&guest) {
            self.present.remove(&name);
        }
        if self.former.len() >= MAX_FORMER {
            self.former.pop_front();
        }
        self.former.push_back((name, now));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALICE: GuestId = GuestId(1);

    #[test]
    fn is_a_guest_known_from_before_it_is_in_until_all_know_that_it_left() {
        let start = tokio::time::Instant::now().into_std();
        let mut own = OwnNames::default();
        own.expect(ALICE, "127.0.0.1:5");
        assert!(own.contains("~127.0.0.1-5", start) && own.contains("~127.0.0.1-52", start));
        assert!(!own.contains("127.0.0.1-5", start), "without the mark it is somebody else");
        own.settle(ALICE, "127.0.0.1-5", start);
        assert!(own.contains("~127.0.0.1-5", start) && !own.contains("~127.0.0.1-52", start));
        own.expect(ALICE, "alice");
        own.settle(ALICE, "alice", start);
        assert!(own.contains("~127.0.0.1-5", start) && own.contains("~alice", start));
        assert_eq!(own.nick(ALICE), Some("alice"));
        own.remove(ALICE, start);
        assert!(own.contains("~alice", start));
        assert!(!own.contains("~alice", start + REMEMBER));
    }

    #[test]
    fn is_a_name_that_was_refused_somebody_elses() {
        let start = tokio::time::Instant::now().into_std();
        let mut own = OwnNames::default();
        own.expect(ALICE, "bob");
        own.give_up(ALICE);
        assert!(!own.contains("~bob", start));
    }

    #[test]
    fn are_former_names_bounded() {
        let start = tokio::time::Instant::now().into_std();
        let mut own = OwnNames::default();
        for number in 0..=MAX_FORMER as u64 {
            own.settle(GuestId(number), &format!("g{number}"), start);
            own.remove(GuestId(number), start);
        }
        assert_eq!(own.former.len(), MAX_FORMER);
        assert!(!own.contains("~g0", start) && own.contains("~g1", start));
    }
}
