//! What both directions of a conversation are made of: a verb, and words with single spaces between them.

use std::{borrow::Cow, collections::BTreeSet};

use bytes::{BufMut, Bytes, BytesMut};

use super::{MAX_NAME_BYTES, MAX_RECEIVERS};

/// A message: what it is, and the rest. How the two are put on the wire is the carrier's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Message {
    /// In lower case.
    pub(crate) verb: String,
    /// What is behind the space behind the verb; empty where there is none.
    pub(crate) rest: Bytes,
}

/// The rule that a message breaks.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Malformed {
    /// No such message.
    #[error("there is no message {0:?}")]
    Verb(String),
    /// LUMS-D8.
    #[error("a user name is one word: not empty, without spaces, without control characters, not too long")]
    Name,
    /// L14.
    #[error("a list of users begins with their number, and {0:?} is no number")]
    Count(String),
    /// L14.
    #[error("the list of users announces more names than it has")]
    FewerNames,
    /// More than anybody needs.
    #[error("at most {MAX_RECEIVERS} receivers fit in a message")]
    TooManyNames,
    /// More than anybody's `recv` takes.
    #[error("the message is too long")]
    TooLong,
    /// L15.
    #[error("a file has a name, one word of at most {MAX_NAME_BYTES} bytes")]
    FileName,
}

impl Message {
    /// A message without anything behind the verb (type 2).
    pub(crate) fn bare(verb: &str) -> Self {
        Self { verb: verb.to_owned(), rest: Bytes::new() }
    }

    /// A message of words and, behind them, text or a file that is taken as it is.
    pub(crate) fn of(verb: &str, words: &[&str], body: Option<&[u8]>) -> Self {
        let mut rest = BytesMut::from(words.join(" ").as_bytes());
        if let Some(body) = body {
            rest.reserve(body.len().saturating_add(1));
            rest.put_u8(b' ');
            rest.put_slice(body);
        }
        Self { verb: verb.to_owned(), rest: rest.freeze() }
    }

    /// Takes apart what came over TCP, or what is left of a message over UDP without its length.
    pub(crate) fn read(bytes: &Bytes) -> Self {
        let (verb, rest) = word(bytes);
        let verb = trimmed(&verb).to_ascii_lowercase();
        // `join: alice` is seen.
        let verb = verb.strip_suffix(':').unwrap_or(&verb).to_owned();
        Self { verb, rest }
    }

    /// As it is written over TCP: one write, nothing behind it.
    pub(crate) fn to_bytes(&self) -> Bytes {
        if self.rest.is_empty() {
            return Bytes::copy_from_slice(self.verb.as_bytes());
        }
        let mut bytes =
            BytesMut::with_capacity(self.verb.len().saturating_add(self.rest.len()).saturating_add(1));
        bytes.put_slice(self.verb.as_bytes());
        bytes.put_u8(b' ');
        bytes.put_slice(&self.rest);
        bytes.freeze()
    }

    /// Whether the verb is one of the later edition (LUMS-D3).
    pub(crate) fn is_later(&self) -> bool {
        LATER_VERBS.contains(&self.verb.as_str())
    }

    /// Whether a file is in it.
    pub(crate) fn is_file(&self) -> bool {
        FILE_VERBS.contains(&self.verb.as_str())
    }

    /// For the log: without what is in a file.
    pub(crate) fn shown(&self) -> String {
        let verb = self.verb.get(..MAX_NAME_BYTES).unwrap_or(&self.verb);
        if self.is_file() {
            return format!("{verb} and {} bytes", self.rest.len());
        }
        let rest = lossy(self.rest.get(..MAX_NAME_BYTES).unwrap_or(&self.rest));
        if rest.is_empty() { verb.to_owned() } else { format!("{verb} {rest}") }
    }
}

/// Verbs of the later edition, which are the same in both directions.
pub(crate) const LATER_VERBS: [&str; 3] = ["list", "msg", "file"];

/// Verbs of messages that carry a file.
pub(crate) const FILE_VERBS: [&str; 3] = ["send_file", "forward_file", "file"];

/// What is before the first space, and what is behind it.
pub(crate) fn word(bytes: &Bytes) -> (Bytes, Bytes) {
    let end = bytes.iter().position(|byte| *byte == b' ').unwrap_or(bytes.len());
    let rest = bytes.slice(end.saturating_add(1).min(bytes.len())..);
    (bytes.slice(..end), rest)
}

/// Text of a message or of a name, for those who need text.
pub(crate) fn lossy(bytes: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(bytes)
}

/// A last word, without the end of line of those who try a server by hand.
pub(crate) fn trimmed(bytes: &[u8]) -> Cow<'_, str> {
    lossy(bytes.trim_ascii_end())
}

/// The name of a user, if the text can be one (LUMS-D8).
pub(crate) fn user_name(text: &str) -> Option<String> {
    let is_word = !text.is_empty() && text.len() <= MAX_NAME_BYTES;
    (is_word && !text.contains(|c: char| c.is_whitespace() || c.is_control())).then(|| text.to_owned())
}

/// A number of users, the users, and what is behind them (type 4). Each user is there once, where first
/// named (LUMS-D7).
pub(crate) fn addressed(rest: &Bytes, stray: &str) -> Result<(Vec<String>, Bytes), Malformed> {
    let (mut count, mut rest) = word(rest);
    if count.eq_ignore_ascii_case(stray.as_bytes()) {
        (count, rest) = word(&rest);
    }
    let count = lossy(&count);
    let Ok(count) = count.parse::<usize>() else {
        return Err(Malformed::Count(count.chars().take(MAX_NAME_BYTES).collect()));
    };
    if count > MAX_RECEIVERS {
        return Err(Malformed::TooManyNames);
    }
    let (mut names, mut seen) = (Vec::new(), BTreeSet::new());
    for _ in 0..count {
        let (name, behind) = word(&rest);
        // Behind the last name may be nothing, not even a space, and with it the end of a line.
        let name = if behind.is_empty() { trimmed(&name) } else { lossy(&name) };
        let name = user_name(&name).ok_or(Malformed::FewerNames)?;
        if seen.insert(name.clone()) {
            names.push(name);
        }
        rest = behind;
    }
    Ok((names, rest))
}

/// The name of a file and the file.
pub(crate) fn named_file(rest: &Bytes) -> Result<(String, Bytes), Malformed> {
    let (name, content) = word(rest);
    let name = if content.is_empty() { trimmed(&name) } else { lossy(&name) }.into_owned();
    if name.is_empty() || name.len() > MAX_NAME_BYTES || name.contains(char::is_control) {
        return Err(Malformed::FileName);
    }
    Ok((name, content))
}
