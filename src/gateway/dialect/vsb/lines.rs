//! Lines out of a stream.

use bytes::BytesMut;

/// A line is longer than allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the line is too long")]
pub(super) struct TooLong;

/// Finds lines in a stream, wherever reads cut it (V14). Of a line that is too long the rest passes unseen.
#[derive(Clone, Debug)]
pub(super) struct Lines {
    max: usize,
    buffer: BytesMut,
    /// Bytes without an end of line.
    searched: usize,
    is_skipping: bool,
}

impl Lines {
    /// Lines of at most `max` bytes, their end not counted.
    pub(super) fn new(max: usize) -> Self {
        Self { max, buffer: BytesMut::new(), searched: 0, is_skipping: false }
    }

    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// Bytes that are held; at most the longest line once [`next`](Self::next) has nothing more.
    pub(super) fn held(&self) -> usize {
        self.buffer.len()
    }

    /// The next line, without its end.
    pub(super) fn next(&mut self) -> Option<Result<BytesMut, TooLong>> {
        loop {
            let unseen = self.buffer.get(self.searched..)?;
            let Some(at) = unseen.iter().position(|byte| *byte == b'\n') else { return self.give_up() };
            let len = self.searched.saturating_add(at);
            self.searched = 0;
            let mut line = self.buffer.split_to(len.saturating_add(1));
            line.truncate(len);
            if !std::mem::take(&mut self.is_skipping) {
                return Some(if len > self.max { Err(TooLong) } else { Ok(line) });
            }
        }
    }

    /// What came last without an end of line, when nothing more will come.
    pub(super) fn take_rest(&mut self) -> BytesMut {
        self.searched = 0;
        let rest = self.buffer.split();
        if self.is_skipping { BytesMut::new() } else { rest }
    }

    fn give_up(&mut self) -> Option<Result<BytesMut, TooLong>> {
        self.searched = self.buffer.len();
        if self.searched <= self.max {
            return None;
        }
        self.buffer = BytesMut::new();
        self.searched = 0;
        let was_skipping = std::mem::replace(&mut self.is_skipping, true);
        (!was_skipping).then_some(Err(TooLong))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(lines: &mut Lines) -> Vec<Result<String, TooLong>> {
        let next = || lines.next().map(|line| line.map(|line| String::from_utf8(line.to_vec()).unwrap()));
        std::iter::from_fn(next).collect()
    }

    #[test]
    fn does_it_matter_where_reads_cut_a_line() {
        let stream = b"one\n\ntwo\r\nthree\nfo";
        for size in 1..=stream.len() {
            let mut lines = Lines::new(8);
            let mut found = Vec::new();
            for chunk in stream.chunks(size) {
                lines.push(chunk);
                found.extend(all(&mut lines));
            }
            assert_eq!(found, ["one", "", "two\r", "three"].map(|line| Ok(line.to_owned())));
            assert_eq!(lines.take_rest(), "fo");
        }
    }

    #[test]
    fn is_a_line_too_long_told_once_and_not_held() {
        for size in [1, 2, 5, 100] {
            let mut lines = Lines::new(8);
            let mut found = Vec::new();
            for chunk in b"12345678\n123456789\n1234567890123456789012345\nok\n".chunks(size) {
                lines.push(chunk);
                found.extend(all(&mut lines));
                assert!(lines.held() <= 8);
            }
            let ok = |text: &str| Ok(text.to_owned());
            assert_eq!(found, [ok("12345678"), Err(TooLong), Err(TooLong), ok("ok")], "reads of {size}");
        }
    }
}
