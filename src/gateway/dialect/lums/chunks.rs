//! Messages out of a stream that does not mark them: what a read gives is a message, and a file goes on
//! until it is quiet (LUMS-D1).

use std::time::Instant;

use bytes::{Bytes, BytesMut};

use super::{
    MAX_MESSAGE_BYTES, QUIET,
    message::{FILE_VERBS, LATER_VERBS, Message},
};

/// A whole message, or what there is instead of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Whole {
    Message(Message),
    /// A message that is no file, longer than [`MAX_MESSAGE_BYTES`].
    LongMessage,
    /// A file that was too long and was thrown away as it came.
    LongFile,
}

/// The messages of one connection.
#[derive(Debug)]
pub(super) struct Chunks {
    /// What the other side may say, in the first edition.
    verbs: &'static [&'static str],
    max_file_bytes: usize,
    file: Option<Arriving>,
}

#[derive(Debug)]
struct Arriving {
    bytes: BytesMut,
    is_long: bool,
    /// It began with a verb of the later edition, so one of those may end it.
    is_later: bool,
    quiet_at: Instant,
}

impl Chunks {
    pub(super) const fn new(verbs: &'static [&'static str], max_file_bytes: usize) -> Self {
        Self { verbs, max_file_bytes, file: None }
    }

    /// Takes what a read gave; at most two messages are complete then.
    pub(super) fn push(&mut self, chunk: &Bytes, now: Instant) -> Vec<Whole> {
        if let Some(file) = &mut self.file
            && !begins_message(chunk, self.verbs, file.is_later)
        {
            file.append(chunk, self.max_file_bytes);
            file.quiet_at = now + QUIET;
            return Vec::new();
        }
        let mut whole: Vec<Whole> = self.end().into_iter().collect();
        let verb = first_word(chunk).to_ascii_lowercase();
        let verb = verb.strip_suffix(b":").unwrap_or(&verb);
        if FILE_VERBS.iter().any(|file| file.as_bytes() == verb) {
            let is_later = verb == b"file";
            let mut file =
                Arriving { bytes: BytesMut::new(), is_long: false, is_later, quiet_at: now + QUIET };
            file.append(chunk, self.max_file_bytes);
            self.file = Some(file);
        } else if chunk.len() > MAX_MESSAGE_BYTES {
            whole.push(Whole::LongMessage);
        } else {
            whole.push(Whole::Message(Message::read(chunk)));
        }
        whole
    }

    /// The file that was quiet for long enough.
    pub(super) fn quiet(&mut self, now: Instant) -> Option<Whole> {
        if self.deadline()? <= now { self.end() } else { None }
    }

    /// The file that is there when nothing more can come.
    pub(super) fn end(&mut self) -> Option<Whole> {
        let file = self.file.take()?;
        let whole = || Whole::Message(Message::read(&file.bytes.freeze()));
        Some(if file.is_long { Whole::LongFile } else { whole() })
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.file.as_ref().map(|file| file.quiet_at)
    }
}

impl Arriving {
    fn append(&mut self, chunk: &[u8], max_file_bytes: usize) {
        let length = self.bytes.len().saturating_add(chunk.len());
        if length > max_file_bytes.saturating_add(MAX_MESSAGE_BYTES) {
            self.is_long = true;
            self.bytes = BytesMut::new();
        }
        if !self.is_long {
            self.bytes.extend_from_slice(chunk);
        }
    }
}

/// Whether a chunk is a new message rather than a part of a file. In one case of letters, since text in a
/// file begins more often with `File ` than any program writes that.
fn begins_message(chunk: &[u8], verbs: &[&str], is_later: bool) -> bool {
    let later: &[&str] = if is_later { &LATER_VERBS } else { &[] };
    let first = first_word(chunk);
    verbs.iter().chain(later).any(|verb| {
        first == verb.as_bytes() || (first.eq_ignore_ascii_case(verb.as_bytes()) && is_upper(first))
    })
}

fn is_upper(word: &[u8]) -> bool {
    !word.iter().any(u8::is_ascii_lowercase)
}

fn first_word(chunk: &[u8]) -> &[u8] {
    chunk.split(|byte| *byte == b' ').next().unwrap_or_default()
}
