//! How a connection ends: in order, each side saying that it has no more to say and hearing that all
//! was consumed; or at once.

use std::time::{Duration, Instant};

use super::{Connection, Event, Life};
use crate::transport::MAX_CLOSE_TEXT;

/// Probe timeouts for which a closed connection still answers (RFC 9000 §10.2).
const CLOSING_PROBE_TIMEOUTS: u32 = 3;

/// How a connection ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// The other side closed it.
    Closed {
        /// A number of the application.
        code: u8,
        /// In words.
        text: String,
    },
    /// This side closed it.
    Local,
    /// Nothing was heard for the idle timeout, or nothing that was sent was acknowledged.
    Silent(Duration),
    /// The handshake took too long.
    NoAnswer,
    /// The handshake failed.
    Handshake(String),
    /// The other side speaks other versions: these.
    Version(Vec<u32>),
    /// The other side does not know this connection any more: it started anew.
    Reset,
    /// The other side broke the protocol.
    Violation(&'static str),
    /// The other application took nothing for so long, although something waited for it.
    Stalled(Duration),
    /// The other application confirmed nothing for so long after this side's finish.
    Unconfirmed(Duration),
    /// Too many packets did not open (RFC 9001 §6.6), or there are no packet numbers left.
    WornOut,
}

/// The number that goes with a close for what the application did not cause.
const CLOSE_VIOLATION: u8 = 4;

/// The close that this side sends, again to whatever still comes.
#[derive(Debug)]
pub(super) struct Closing {
    pub(super) code: u8,
    pub(super) text: String,
    pub(super) until: Instant,
    /// A close is to be sent.
    pub(super) due: bool,
    heard: u32,
    answer_at: u32,
}

/// The orderly end of both directions.
#[derive(Debug, Default)]
pub(super) struct Finish {
    /// What this side said: no more messages.
    ours: Option<(u8, String)>,
    ours_told: Told,
    /// What the other side said, and how many messages it sent.
    theirs: Option<(u8, String, u64)>,
    handed_out: u64,
    reported: bool,
    /// The latest count of this application, and whether it is final.
    consumed: (u64, bool),
    consumed_told: Told,
    /// What the other application took, and when it last said more.
    peer_consumed: (u64, bool),
    progress: Option<Instant>,
}

/// Whether the other side knows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Told {
    #[default]
    Nothing,
    Due,
    /// In packets of which none is acknowledged; the latest value went in the latest.
    Sent,
    Known,
}

impl Finish {
    pub(super) fn is_started(&self) -> bool {
        self.ours.is_some()
    }

    pub(super) fn on_handed_out(&mut self) {
        self.handed_out += 1;
    }

    pub(super) fn finish_due(&self) -> Option<(u8, &str)> {
        let ours = self.ours.as_ref()?;
        (self.ours_told == Told::Due).then_some((ours.0, ours.1.as_str()))
    }

    pub(super) fn consumed_due(&self) -> Option<(u64, bool)> {
        (self.consumed_told == Told::Due).then_some(self.consumed)
    }

    /// Some of what was said before arrived.
    pub(super) fn on_progress(&mut self, now: Instant) {
        self.progress = self.progress.map(|_| now);
    }

    /// Time passed that does not count.
    pub(super) fn excuse(&mut self, time: Duration) {
        self.progress = self.progress.map(|since| since + time);
    }

    pub(super) fn on_finish_sent(&mut self) {
        self.ours_told = Told::Sent;
    }

    pub(super) fn on_consumed_sent(&mut self) {
        self.consumed_told = Told::Sent;
    }

    pub(super) fn on_finish_acked(&mut self, now: Instant) {
        self.ours_told = Told::Known;
        self.on_progress(now);
    }

    /// `messages`: the count in the packet that was acknowledged.
    pub(super) fn on_consumed_acked(&mut self, messages: u64, last: bool) {
        if (messages, last) == self.consumed {
            self.consumed_told = Told::Known;
        }
    }

    pub(super) fn on_finish_lost(&mut self) {
        if self.ours_told == Told::Sent {
            self.ours_told = Told::Due;
        }
    }

    pub(super) fn on_consumed_lost(&mut self) {
        if self.consumed_told == Told::Sent {
            self.consumed_told = Told::Due;
        }
    }

    fn is_told(&self) -> bool {
        let known = |told| matches!(told, Told::Nothing | Told::Known);
        known(self.ours_told) && known(self.consumed_told)
    }

    /// When a finish that nobody confirms is given up.
    pub(super) fn deadline(&self, patience: Duration) -> Option<Instant> {
        self.progress.filter(|_| self.is_unconfirmed()).map(|since| since + patience)
    }

    /// Whether the other side heard that there is no more, and did not say that all was consumed.
    pub(super) fn is_unconfirmed(&self) -> bool {
        self.ours_told == Told::Known && !self.peer_consumed.1
    }
}

impl Connection {
    /// Says that this side sends no more messages. Everything accepted before is delivered; how much
    /// the other application took is told by [`Event::Consumed`].
    pub fn finish(&mut self, code: u8, text: &str, now: Instant) {
        let now = self.tell(now);
        if self.finish.ours.is_none() {
            self.finish.ours = Some((code, cut(text).to_owned()));
            self.finish.ours_told = Told::Due;
            self.finish.progress = Some(now);
        }
    }

    /// Tells the other side how many messages this application took, and whether it takes no more.
    pub fn consumed(&mut self, messages: u64, last: bool, now: Instant) {
        self.tell(now);
        if !self.finish.consumed.1 && self.finish.consumed != (messages, last) {
            self.finish.consumed = (messages, last);
            self.finish.consumed_told = Told::Due;
        }
    }

    /// Whether the other side is known to have heard everything this side said, so that ending the
    /// connection takes nothing from anybody.
    pub fn is_settled(&self) -> bool {
        self.finish.is_told() && self.outgoing.is_empty()
    }

    /// Ends the connection at once. What was not delivered is not.
    pub fn close(&mut self, code: u8, text: &str, now: Instant) {
        self.tell(now);
        self.end(End::Local, Some((code, cut(text).to_owned())));
    }

    pub(super) fn take_finish(
        &mut self,
        code: u8,
        total: u64,
        text: &[u8],
    ) -> Result<(), super::super::Violation> {
        let text = String::from_utf8_lossy(text).into_owned();
        match &self.finish.theirs {
            Some(known) if (known.0, known.2) != (code, total) => {
                return Err(super::super::Violation("a second finish differs from the first"));
            }
            Some(_) => {}
            None if total < self.incoming.delivered_total() => {
                return Err(super::super::Violation("a finish counts fewer messages than came"));
            }
            None => self.finish.theirs = Some((code, text, total)),
        }
        self.note_finished();
        Ok(())
    }

    /// Whether the other side keeps to what its finish said, if it said one.
    pub(super) fn check_finished(&self) -> Result<(), super::super::Violation> {
        match &self.finish.theirs {
            Some((_, _, total)) if *total < self.incoming.delivered_total() => {
                Err(super::super::Violation("more messages came than the finish counts"))
            }
            _ => Ok(()),
        }
    }

    pub(super) fn take_consumed(&mut self, messages: u64, last: bool) -> Result<(), super::super::Violation> {
        let (before, was_last) = self.finish.peer_consumed;
        if messages > self.outgoing.total_pushed() {
            return Err(super::super::Violation("more messages consumed than sent"));
        }
        // Packets overtake each other; what is not news is old.
        if was_last || messages < before || (messages, last) == (before, was_last) {
            return Ok(());
        }
        self.finish.peer_consumed = (messages, last);
        self.finish.progress = Some(self.clock);
        self.events.push_back(Event::Consumed { messages, last });
        Ok(())
    }

    pub(super) fn note_finished(&mut self) {
        let Some((code, text, total)) = &self.finish.theirs else { return };
        if !self.finish.reported && self.finish.handed_out == *total {
            self.finish.reported = true;
            self.events.push_back(Event::Finished { code: *code, text: text.clone() });
        }
    }

    /// Ends the connection with words for the other side that go with the reason.
    pub(super) fn abort_with(&mut self, end: End) {
        let told = match &end {
            End::Violation(why) => Some((CLOSE_VIOLATION, (*why).to_owned())),
            End::Handshake(why) => Some((CLOSE_VIOLATION, cut(why).to_owned())),
            End::Stalled(_) | End::Unconfirmed(_) => Some((5, "read too slowly".to_owned())),
            End::WornOut => Some((0, "worn out".to_owned())),
            End::Closed { .. }
            | End::Local
            | End::Silent(_)
            | End::NoAnswer
            | End::Version(_)
            | End::Reset => None,
        };
        self.end(end, told);
    }

    /// The other side closed: nothing is sent any more (RFC 9000 §10.2.2).
    pub(super) fn take_close(&mut self, code: u8, text: &[u8]) {
        let text = String::from_utf8_lossy(text).into_owned();
        self.end(End::Closed { code, text }, None);
    }

    fn end(&mut self, end: End, told: Option<(u8, String)>) {
        if matches!(self.life, Life::Closing | Life::Draining | Life::Over) {
            return;
        }
        let until = self.clock + self.probe_timeout() * CLOSING_PROBE_TIMEOUTS;
        self.life = match (&end, &told) {
            // Who never finished the handshake gets no more of our memory than the time for that.
            (End::NoAnswer, _) => Life::Over,
            (_, Some(_)) => Life::Closing,
            (_, None) => Life::Draining,
        };
        let (code, text) = told.unwrap_or_default();
        let due = self.life == Life::Closing;
        self.closing = Some(Box::new(Closing { code, text, until, due, heard: 0, answer_at: 1 }));
        self.events.push_back(Event::Closed(end));
    }

    /// Something came after the close: it is said again, to every second, fourth, eighth … packet.
    pub(super) fn answer_with_close(&mut self) {
        let Some(closing) = &mut self.closing else { return };
        closing.heard = closing.heard.saturating_add(1);
        if self.life == Life::Closing && closing.heard >= closing.answer_at {
            closing.answer_at = closing.answer_at.saturating_mul(2);
            closing.due = true;
        }
    }
}

/// The longest start of `text` that travels and does not split a character.
fn cut(text: &str) -> &str {
    let end = (0..=MAX_CLOSE_TEXT.min(text.len())).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0);
    text.get(..end).unwrap_or_default()
}
