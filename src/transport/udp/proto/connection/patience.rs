//! How long the other application may take nothing, or confirm nothing, before that ends the
//! connection. Time in which the other side could not be reached, or in which this side slept, does not
//! count: whether a dead path is given up is a matter of the idle timeout alone.

use std::time::{Duration, Instant};

use super::{Connection, End, Life};
use crate::transport::{Class, udp::proto::sent::PieceRef};

/// Probe timeouts within which an answer shows that the other side is there.
const ANSWER_PROBE_TIMEOUTS: u32 = 3;

/// A shorter gap is a late timer, not a sleep; longer than the longest probe timeout.
const LEAST_SLEEP: Duration = Duration::from_secs(4);

/// Whether the other side answers.
#[derive(Debug)]
pub(super) struct Answers {
    /// When something was last acknowledged that was not before.
    last: Instant,
    /// When the first packet left since that asks for an acknowledgement, or that if some were left then.
    asked: Option<Instant>,
}

impl Answers {
    pub(super) fn new(now: Instant) -> Self {
        Self { last: now, asked: None }
    }

    pub(super) fn on_asked(&mut self, now: Instant) {
        self.asked.get_or_insert(now);
    }

    /// Returns for how long there was no answer. `waiting`: there are more to come.
    fn on_answered(&mut self, now: Instant, waiting: bool) -> Duration {
        self.last = now;
        let asked = std::mem::replace(&mut self.asked, waiting.then_some(now));
        asked.map_or(Duration::ZERO, |asked| now.saturating_duration_since(asked))
    }
}

impl Connection {
    /// Something of this side's was acknowledged.
    pub(super) fn note_answered(&mut self) {
        let waiting = self.recovery.oldest_unacked(super::Space::Data).is_some();
        let silence = self.answers.on_answered(self.clock, waiting);
        if silence > self.answer_time() {
            self.excuse(silence);
        }
    }

    /// A piece of a message arrived. What waits for credit in its class waits behind it, so it was not the
    /// other application's turn yet.
    pub(super) fn note_moving(&mut self, piece: PieceRef) {
        let class = Class::ALL.into_iter().find(|class| *class as u64 == piece.lane & 3);
        if class.is_some_and(|class| self.outgoing.is_blocked(class, &self.credit)) {
            self.blocked_since = self.blocked_since.map(|_| self.clock);
        }
    }

    /// So much time passed since the last input. Nothing in flight is left alone for that long by one
    /// who is awake: a machine slept, and its sleep is neither a long round trip nor the other side's
    /// silence, which gets the time of three probes to answer.
    pub(super) fn note_sleep(&mut self, slept: Duration) {
        if slept < LEAST_SLEEP {
            return;
        }
        if slept > self.answer_time() * 2 {
            self.recovery.on_sleep();
        }
        let idle = self.idle_timeout();
        if slept > idle / 2 && self.life == Life::Established {
            let answer = self.answer_time().min(idle);
            let heard = self.clock.checked_sub(idle - answer);
            // Where both keep to their time there is nothing to ask.
            self.due.ping |= heard.is_some_and(|heard| heard > self.silent_since());
            self.heard = heard.map_or(self.heard, |heard| self.heard.max(heard));
            self.unanswered = self.unanswered.map(|since| heard.map_or(since, |heard| since.max(heard)));
            self.excuse(slept);
            self.answers.asked = self.answers.asked.map(|_| self.clock);
        }
    }

    fn excuse(&mut self, time: Duration) {
        self.blocked_since = self.blocked_since.map(|since| since + time);
        self.finish.excuse(time);
    }

    /// When patience ends, or when it would, and the other side has to be asked whether it is there.
    /// `None` also while it does not answer.
    pub(super) fn patience_deadline(&self) -> Option<Instant> {
        let (due, _) = self.patience_ends()?;
        let asks = self.answers.asked.is_none() && !self.due.ping;
        (self.answers_by(due) || asks).then_some(due)
    }

    /// Why it ends here, if patience is over. Asks first, where nothing was heard of late.
    pub(super) fn lose_patience(&mut self, now: Instant) -> Option<End> {
        let (due, end) = self.patience_ends().filter(|(due, _)| *due <= now)?;
        if self.answers_by(due) {
            return Some(end);
        }
        self.due.ping |= self.answers.asked.is_none();
        None
    }

    fn patience_ends(&self) -> Option<(Instant, End)> {
        let patience = self.config.stall_timeout;
        let stalled = self.blocked_since.map(|since| (since + patience, End::Stalled(patience)));
        // What is not even delivered cannot be confirmed.
        let waits = self.outgoing.is_empty();
        let confirmed = self.finish.deadline(patience).filter(|_| waits);
        let unconfirmed = confirmed.map(|due| (due, End::Unconfirmed(patience)));
        stalled.into_iter().chain(unconfirmed).min_by_key(|(due, _)| *due)
    }

    /// Whether the other side was there when the time was up, or later.
    fn answers_by(&self, due: Instant) -> bool {
        self.answers.last + self.answer_time() >= due
    }

    fn answer_time(&self) -> Duration {
        self.probe_timeout() * ANSWER_PROBE_TIMEOUTS
    }
}
