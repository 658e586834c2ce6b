//! What arrived for the application and was not yet taken, and the count of what was.

use std::collections::VecDeque;

use bytes::Bytes;

use super::outbox::MESSAGE_OVERHEAD;

/// Bytes of messages that may wait for the application before the link stops reading, each counted
/// with [`MESSAGE_OVERHEAD`]. What the last read brought may go beyond it.
pub const INBOX_BYTES: usize = 256 << 10;

#[derive(Debug, Default)]
pub(super) struct Inbox {
    waiting: VecDeque<Bytes>,
    bytes: usize,
    abandoned: bool,
    received: u64,
    handed: u64,
    consumed: u64,
}

impl Inbox {
    /// Keeps a message for the application; one that nobody can take any more is only counted.
    pub(super) fn push(&mut self, message: Bytes) {
        self.received += 1;
        if !self.abandoned {
            self.bytes += message.len() + MESSAGE_OVERHEAD;
            self.waiting.push_back(message);
        }
    }

    /// The application asks for the next message, so it is done with all it was given.
    pub(super) fn ask(&mut self) {
        self.consumed = self.handed;
    }

    pub(super) fn pop(&mut self) -> Option<Bytes> {
        let message = self.waiting.pop_front()?;
        self.bytes -= message.len() + MESSAGE_OVERHEAD;
        self.handed += 1;
        Some(message)
    }

    /// Nobody will take messages any more.
    pub(super) fn abandon(&mut self) {
        self.abandoned = true;
        self.waiting = VecDeque::new();
        self.bytes = 0;
    }

    pub(super) fn is_abandoned(&self) -> bool {
        self.abandoned
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    pub(super) fn is_full(&self) -> bool {
        self.bytes >= INBOX_BYTES
    }

    /// Whether enough is free again that reading on pays.
    pub(super) fn has_room(&self) -> bool {
        self.bytes <= INBOX_BYTES / 2
    }

    /// Whether the application is done with all that arrived.
    pub(super) fn is_consumed(&self) -> bool {
        self.consumed == self.received
    }

    /// Messages handed to the application.
    pub(super) fn handed(&self) -> u64 {
        self.handed
    }

    /// Messages the application is done with.
    pub(super) fn consumed(&self) -> u64 {
        self.consumed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_consumed_when_the_next_is_asked_for() {
        let mut inbox = Inbox::default();
        inbox.push(Bytes::from_static(b"one"));
        inbox.ask();
        assert_eq!((inbox.consumed(), inbox.is_consumed()), (0, false));
        assert_eq!(inbox.pop().unwrap(), "one");
        assert_eq!((inbox.handed(), inbox.consumed()), (1, 0));
        inbox.ask();
        assert!(inbox.is_consumed());
    }

    #[test]
    fn empty_messages_fill_it_too() {
        let mut inbox = Inbox::default();
        let fits = INBOX_BYTES / MESSAGE_OVERHEAD;
        (1..fits).for_each(|_| inbox.push(Bytes::new()));
        assert!(!inbox.is_full());
        inbox.push(Bytes::new());
        assert!(inbox.is_full());
        inbox.abandon();
        inbox.push(Bytes::new());
        assert!(inbox.has_room() && inbox.pop().is_none() && !inbox.is_consumed());
    }
}
