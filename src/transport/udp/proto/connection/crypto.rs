//! The bytes of a handshake, between the packets that carry them and the one who reads and writes them.

use std::collections::VecDeque;

use crate::transport::udp::proto::{Violation, range_set::RangeSet, sent::Carried};

/// Bytes of handshake that may wait for bytes before them (RFC 9000 §7.5).
pub(crate) const MAX_CRYPTO_BYTES: u64 = 16 << 10;

/// Separate stretches of them: a flight is a few packets, each of which may go missing.
const MAX_STRETCHES: usize = 32;

/// Handshake bytes on their way out.
#[derive(Default)]
pub(super) struct CryptoOut {
    bytes: Vec<u8>,
    /// Ranges to be sent, first or again.
    waiting: VecDeque<(u64, u64)>,
}

/// Handshake bytes on their way in, put back in order.
#[derive(Default)]
pub(super) struct CryptoIn {
    next: u64,
    /// The bytes from `next` on, up to the last that came; what did not come is 0.
    ahead: Vec<u8>,
    /// Which of them came, counted from the first of all.
    came: RangeSet,
}

impl CryptoOut {
    pub(super) fn push(&mut self, bytes: &[u8]) {
        if !bytes.is_empty() {
            self.waiting.push_back((self.bytes.len() as u64, bytes.len() as u64));
            self.bytes.extend_from_slice(bytes);
        }
    }

    pub(super) fn is_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// The next bytes to send, at most `max`, and where they belong.
    pub(super) fn next(&mut self, max: usize) -> Option<(u64, &[u8])> {
        let (offset, len) = self.waiting.front_mut()?;
        let at = *offset;
        let taken = (*len).min(max as u64);
        *offset += taken;
        *len -= taken;
        if *len == 0 {
            self.waiting.pop_front();
        }
        let bytes = self.bytes.get(at as usize..(at + taken) as usize)?;
        (!bytes.is_empty()).then_some((at, bytes))
    }

    /// Says again what packets carried that nobody confirmed, the oldest first.
    pub(super) fn ask_again<'a>(&mut self, carried: impl DoubleEndedIterator<Item = &'a Carried>) {
        for carried in carried.rev() {
            if let Carried::Crypto { offset, len } = *carried {
                self.again(offset, u64::from(len));
            }
        }
    }

    pub(super) fn again(&mut self, offset: u64, len: u64) {
        let covers = |&(at, there): &(u64, u64)| at <= offset && offset + len <= at + there;
        if !self.waiting.iter().any(covers) {
            self.waiting.push_front((offset, len));
        }
    }

    /// Everything again from the start.
    pub(super) fn all_again(&mut self) {
        self.waiting = VecDeque::from([(0, self.bytes.len() as u64)]);
    }
}

impl CryptoIn {
    /// Takes bytes of anywhere; gives back those that are next in order. `None`: there is no room for
    /// them, and they have to come again.
    ///
    /// # Errors
    /// They are further ahead than anybody honest is.
    pub(super) fn take(&mut self, offset: u64, data: &[u8]) -> Result<Option<Vec<u8>>, Violation> {
        let end = offset.saturating_add(data.len() as u64);
        if end > self.next.saturating_add(MAX_CRYPTO_BYTES) {
            return Err(Violation("too much handshake out of order"));
        }
        let start = offset.max(self.next);
        let news = data.get((start - offset) as usize..).unwrap_or_default();
        if news.is_empty() {
            return Ok(Some(Vec::new()));
        }
        let joins = self.came.intersects(&(start.saturating_sub(1)..=end)) || start == self.next;
        if !joins && self.came.len() >= MAX_STRETCHES {
            return Ok(None);
        }
        self.store(start, news);
        Ok(Some(self.take_ready()))
    }

    /// Bytes of storage.
    #[cfg(test)]
    pub(super) fn stored(&self) -> usize {
        self.ahead.capacity() + self.came.len() * size_of::<(u64, u64)>()
    }

    fn store(&mut self, start: u64, news: &[u8]) {
        let at = (start - self.next) as usize;
        let end = at + news.len();
        if self.ahead.len() < end {
            self.ahead.resize(end, 0);
        }
        if let Some(place) = self.ahead.get_mut(at..end) {
            place.copy_from_slice(news);
        }
        self.came.insert(start..=start + (news.len() as u64 - 1));
    }

    fn take_ready(&mut self) -> Vec<u8> {
        let first = self.came.iter().next().filter(|first| *first.start() == self.next);
        let Some(first) = first else { return Vec::new() };
        let after = first.end() + 1;
        let rest = self.ahead.split_off((after - self.next) as usize);
        self.came.remove_below(after);
        self.next = after;
        std::mem::replace(&mut self.ahead, rest)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn do_pieces_that_overlap_everywhere_take_no_more_room_than_the_window() {
        let mut input = CryptoIn::default();
        for offset in 1..MAX_CRYPTO_BYTES - 1000 {
            assert_eq!(input.take(offset, &[1; 1000]), Ok(Some(Vec::new())));
        }
        assert!(input.stored() < 3 * MAX_CRYPTO_BYTES as usize, "{}", input.stored());
    }

    #[test]
    fn is_a_handshake_of_crumbs_refused_until_its_gaps_close() {
        let mut input = CryptoIn::default();
        let crumbs = (1..).step_by(2).take(200).map(|offset| (offset, input.take(offset, b"x")));
        let refused = crumbs.filter(|(_, placed)| *placed == Ok(None)).count();
        assert_eq!(refused, 200 - MAX_STRETCHES);
        assert_eq!(input.take(0, b"x"), Ok(Some(b"xx".to_vec())));
        assert_eq!(input.take(399, b"x"), Ok(Some(Vec::new())));
    }

    #[test]
    fn is_what_lies_too_far_ahead_a_violation() {
        let mut input = CryptoIn::default();
        assert!(input.take(MAX_CRYPTO_BYTES, b"x").is_err());
        assert!(input.take(u64::MAX, b"xx").is_err());
        assert_eq!(input.take(MAX_CRYPTO_BYTES - 1, b"x"), Ok(Some(Vec::new())));
    }

    proptest! {
        #[test]
        fn does_a_handshake_come_out_whole_whatever_the_order(
            len in 1_usize..3000,
            steps in proptest::collection::vec((0_usize..3000, 1_usize..900), 0..40),
        ) {
            let bytes: Vec<u8> = (0..len).map(|at| (at * 7 + at / 251) as u8).collect();
            let (mut input, mut out) = (CryptoIn::default(), Vec::new());
            for (at, more) in steps.into_iter().chain([(0, len)]) {
                let at = at % len;
                let piece = &bytes[at..(at + more).min(len)];
                out.extend(input.take(at as u64, piece).unwrap().unwrap_or_default());
            }
            prop_assert_eq!(out, bytes);
        }
    }
}
