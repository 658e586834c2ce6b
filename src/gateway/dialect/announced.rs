//! Files that guests got as files, of which the room tells everybody else in a line.

use std::collections::VecDeque;

/// Files of one guest whose line is still expected; the oldest makes way.
pub(super) const MAX_ANNOUNCED: usize = 16;

/// What those read who cannot take a file.
pub(in crate::gateway) fn file_line(name: &str, bytes: usize) -> String {
    format!("sends the file {name} ({bytes} bytes)")
}

/// Lines that one guest is not to be shown, since it has the file: sender and text.
#[derive(Clone, Debug, Default)]
pub(super) struct Announced {
    lines: VecDeque<(String, String)>,
}

impl Announced {
    /// The guest got a file, of which the room will tell in this line.
    pub(super) fn expect(&mut self, from: &str, line: String) {
        if self.lines.len() >= MAX_ANNOUNCED {
            self.lines.pop_front();
        }
        self.lines.push_back((from.to_owned(), line));
    }

    /// Whether this line tells of a file that the guest got; each does so once.
    pub(super) fn take(&mut self, from: &str, line: &str) -> bool {
        let found = self.lines.iter().position(|(by, told)| by.eq_ignore_ascii_case(from) && told == line);
        found.is_some_and(|at| self.lines.remove(at).is_some())
    }
}
