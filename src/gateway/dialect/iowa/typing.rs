//! What is typed, one line at a time.

use std::{collections::VecDeque, time::Instant};

use bytes::Bytes;

use super::{
    super::{PACE, json::MAX_OBJECT_BYTES},
    wire,
};

/// Lines that wait, should they come before they are asked for.
pub(super) const MAX_TYPED: usize = 256;

/// What is typed, with a pause after each line, since one write is one message.
#[derive(Clone, Debug, Default)]
pub(super) struct Typing {
    lines: VecDeque<String>,
    has_typed: bool,
    is_ending: bool,
    pause_until: Option<Instant>,
}

/// Numbers what a user says: from 0, one more a line, the same to everybody (IOWA-D8).
#[derive(Clone, Debug)]
pub(super) struct Speaker {
    name: String,
    next_seq: u64,
}

impl Speaker {
    pub(super) const fn new(name: String) -> Self {
        Self { name, next_seq: 0 }
    }

    /// The bytes of a line, or why it is not said.
    pub(super) fn say(&mut self, text: &str) -> Result<Bytes, String> {
        let line = wire::message(self.next_seq, &self.name, text);
        if line.len() > MAX_OBJECT_BYTES {
            return Err(format!("not sent: a message has at most {MAX_OBJECT_BYTES} bytes"));
        }
        self.next_seq = self.next_seq.saturating_add(1);
        Ok(line)
    }
}

/// What is to be done next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Typed {
    Line(String),
    Exit,
}

impl Typing {
    /// A line was typed. False if too many wait.
    pub(super) fn push(&mut self, line: String) -> bool {
        self.has_typed = true;
        let fits = self.lines.len() < MAX_TYPED;
        if fits {
            self.lines.push_back(line);
        }
        fits
    }

    /// End of input: after what was typed it is over, unless nothing ever was and nobody sits there (IOWA-D9).
    pub(super) fn end(&mut self, is_interactive: bool) {
        self.is_ending = self.has_typed || is_interactive;
    }

    /// Over as soon as the pause is.
    pub(super) fn interrupt(&mut self) {
        self.lines.clear();
        self.is_ending = true;
    }

    /// Something was written.
    pub(super) fn pause(&mut self, now: Instant) {
        self.pause_until = now.checked_add(PACE);
    }

    /// Ends the pause if its time has come.
    pub(super) fn tick(&mut self, now: Instant) {
        self.pause_until = self.pause_until.filter(|until| now < *until);
    }

    pub(super) const fn pause_until(&self) -> Option<Instant> {
        self.pause_until
    }

    /// The next line; none during the pause. `exit` counts alone on its line (I8).
    pub(super) fn next(&mut self) -> Option<Typed> {
        if self.pause_until.is_some() {
            return None;
        }
        match self.lines.pop_front() {
            Some(line) if line.trim() == "exit" => Some(Typed::Exit),
            Some(line) => Some(Typed::Line(line)),
            None => self.is_ending.then_some(Typed::Exit),
        }
    }

    /// Whether the next line may come.
    pub(super) fn is_ready(&self) -> bool {
        self.pause_until.is_none() && self.lines.is_empty() && !self.is_ending
    }
}
