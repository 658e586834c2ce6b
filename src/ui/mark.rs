//! The mark before what is typed: whether what was said has got to where it is safe.

use std::{
    collections::VecDeque,
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
    time::Duration,
};

use tokio::time::Instant;

use crate::{
    app::{Event, LinkState, Place, SentState},
    wire::{Epoch, Seq},
};

/// Lines that are watched on their way to the disk; of more, the later ones are not.
const MAX_WATCHED: usize = 1024;

/// How long a line may take to the disk without a word: nearly all are there before it could be read.
const PATIENCE: Duration = Duration::from_secs(1);

/// What the prompt says; each is as wide as the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mark {
    /// All is well.
    Ready,
    /// The server has it all, but not yet on its disk.
    Unstored,
    /// Nobody is there to hear: what is said waits here.
    Cut,
}

impl Mark {
    const ALL: [Self; 3] = [Self::Ready, Self::Unstored, Self::Cut];

    pub(super) const fn text(self) -> &'static str {
        match self {
            Self::Ready => "> ",
            Self::Unstored => ". ",
            Self::Cut => "..",
        }
    }
}

/// The mark that the editor draws, from another thread.
#[derive(Clone, Debug, Default)]
pub(super) struct SharedMark(Arc<AtomicU8>);

impl SharedMark {
    pub(super) fn get(&self) -> Mark {
        let number = usize::from(self.0.load(Ordering::Relaxed));
        Mark::ALL.get(number).copied().unwrap_or(Mark::Ready)
    }

    fn set(&self, mark: Mark) {
        self.0.store(mark as u8, Ordering::Relaxed);
    }
}

/// Follows what was said.
#[derive(Debug, Default)]
pub(super) struct Marks {
    shown: SharedMark,
    /// How many others have a link that is up; before the first there is nothing to miss.
    linked: Option<usize>,
    /// Somebody puts what is said on a disk.
    stores: bool,
    /// With whom they are and not on the disk, the oldest first, and since when.
    unstored: VecDeque<(Place, Epoch, Seq, Instant)>,
}

impl Marks {
    pub(super) fn new(shown: SharedMark) -> Self {
        Self { shown, ..Self::default() }
    }

    pub(super) fn hear(&mut self, event: &Event, now: Instant) {
        match event {
            // Counted, because a link may go down under another address than it came up: two of one neighbour
            // are one link to people.
            Event::Link { state: LinkState::Up, .. } => {
                self.linked = Some(self.linked.unwrap_or_default().saturating_add(1));
            }
            Event::Link { state: LinkState::Down { .. }, .. } => {
                self.linked = self.linked.map(|linked| linked.saturating_sub(1));
            }
            Event::Sent { place, epoch, seq, state: SentState::Accepted }
                if self.unstored.len() < MAX_WATCHED =>
            {
                self.unstored.push_back((place.clone(), *epoch, *seq, now));
            }
            Event::Sent { place, epoch, seq, state: SentState::Stored } => {
                self.stores = true;
                self.unstored.retain(|(p, e, s, _)| (p, e, s) != (place, epoch, seq));
            }
            _ => {}
        }
    }

    /// When the mark changes if nothing happens.
    pub(super) fn due(&self) -> Option<Instant> {
        let (.., since) = self.unstored.front().filter(|_| self.stores)?;
        (self.shown.get() == Mark::Ready).then(|| *since + PATIENCE)
    }

    /// Whether the mark has changed, so that it is to be drawn again.
    pub(super) fn settle(&mut self, now: Instant) -> bool {
        let mark = self.mark(now);
        let changed = mark != self.shown.get();
        self.shown.set(mark);
        changed
    }

    fn mark(&self, now: Instant) -> Mark {
        let waits = self.unstored.front().is_some_and(|(.., since)| *since + PATIENCE <= now);
        if self.linked == Some(0) {
            Mark::Cut
        } else if self.stores && waits {
            Mark::Unstored
        } else {
            Mark::Ready
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link(state: LinkState) -> Event {
        Event::Link { peer: "server".to_owned(), transport: "tcp", state }
    }

    fn sent(seq: u64, state: SentState) -> Event {
        let place = Place::Room("lobby".parse().unwrap());
        Event::Sent { place, epoch: Epoch(1), seq: Seq(seq), state }
    }

    fn marks() -> (Marks, Instant) {
        let (mut marks, now) = (Marks::default(), Instant::now());
        marks.hear(&link(LinkState::Up), now);
        (marks, now)
    }

    #[test]
    fn is_it_said_that_nobody_hears_until_somebody_does() {
        let (mut marks, now) = (Marks::default(), Instant::now());
        assert!(!marks.settle(now), "there was nobody yet");
        marks.hear(&link(LinkState::Up), now);
        marks.hear(&link(LinkState::Down { reason: String::new() }), now);
        assert!(marks.settle(now) && !marks.settle(now));
        assert_eq!(marks.shown.get(), Mark::Cut);
        marks.hear(&link(LinkState::Up), now);
        assert!(marks.settle(now));
        assert_eq!(marks.shown.get(), Mark::Ready);
    }

    #[test]
    fn is_it_said_though_a_link_goes_down_under_another_address_than_it_came_up() {
        let (mut marks, now) = marks();
        let (peer, state) = ("another".to_owned(), LinkState::Down { reason: String::new() });
        marks.hear(&Event::Link { peer, transport: "tcp", state }, now);
        assert!(marks.settle(now));
        assert_eq!(marks.shown.get(), Mark::Cut);
    }

    #[test]
    fn is_it_said_that_a_line_is_not_on_the_disk_after_a_second_and_no_earlier() {
        let (mut marks, now) = marks();
        for state in [SentState::Accepted, SentState::Stored] {
            marks.hear(&sent(0, state), now);
        }
        assert_eq!((marks.settle(now), marks.due()), (false, None));
        marks.hear(&sent(1, SentState::Accepted), now);
        assert_eq!((marks.settle(now), marks.due()), (false, Some(now + PATIENCE)));
        assert!(marks.settle(now + PATIENCE));
        assert_eq!((marks.shown.get(), marks.due()), (Mark::Unstored, None));
        marks.hear(&sent(1, SentState::Stored), now + PATIENCE);
        assert!(marks.settle(now + PATIENCE));
        assert_eq!(marks.shown.get(), Mark::Ready);
    }

    #[test]
    fn is_nothing_said_of_a_disk_where_there_is_none() {
        let (mut marks, now) = marks();
        marks.hear(&sent(0, SentState::Accepted), now);
        assert_eq!((marks.due(), marks.settle(now + PATIENCE)), (None, false));
    }

    #[test]
    fn are_as_many_lines_watched_as_the_limit_says_and_not_one_more() {
        let (mut marks, now) = marks();
        (0..=MAX_WATCHED as u64).for_each(|seq| marks.hear(&sent(seq, SentState::Accepted), now));
        assert_eq!(marks.unstored.len(), MAX_WATCHED);
        (0..MAX_WATCHED as u64).for_each(|seq| marks.hear(&sent(seq, SentState::Stored), now));
        assert!(marks.unstored.is_empty());
    }
}
