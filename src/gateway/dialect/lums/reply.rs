//! What the server says to a client.

use bytes::Bytes;

use super::message::{Malformed, Message, lossy, named_file, trimmed, user_name, word};

/// What the server says to a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Reply {
    /// Who is there, sorted.
    Users(Vec<String>),
    /// Text of somebody.
    Text { from: String, text: Bytes },
    /// A file of somebody.
    File { from: String, name: String, content: Bytes },
    /// What you said is no message; the connection ends.
    UnknownMessage,
    /// No room for you; the connection ends.
    ServerFull,
    /// Somebody is called so; the connection ends.
    UsernameUnavailable,
}

/// Verbs that a server may say: what ends a file before its silence (LUMS-D1).
pub(crate) const REPLY_VERBS: [&str; 6] = [
    "response_users_list",
    "forward_message",
    "forward_file",
    "err_unknown_message",
    "err_server_full",
    "err_username_unavailable",
];

/// How one client wants to be spoken to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Style {
    /// The sender of what is forwarded is a list of one user, with its number (LUMS-D2).
    pub(crate) counted: bool,
    /// In the verbs of the later edition, whose lists of users have a number only where senders have (LUMS-D3).
    pub(crate) later: bool,
}

/// The reply that was said last, as it was written: a file for ten is in memory once.
#[derive(Debug, Default)]
pub(crate) struct Written {
    last: Option<(Reply, Style, Bytes)>,
}

impl Written {
    /// The reply as `write` writes it.
    pub(crate) fn bytes(&mut self, reply: &Reply, style: Style, write: impl Fn(&Message) -> Bytes) -> Bytes {
        if let Some((last, last_style, bytes)) = &self.last
            && *last_style == style
            && last == reply
        {
            return bytes.clone();
        }
        let bytes = write(&reply.to_message(style));
        self.last = Some((reply.clone(), style, bytes.clone()));
        bytes
    }

    pub(crate) fn forget(&mut self) {
        self.last = None;
    }
}

impl Reply {
    /// Whether a file is in it.
    pub(crate) const fn is_file(&self) -> bool {
        matches!(self, Self::File { .. })
    }

    /// For the log: without what is in a file.
    pub(crate) fn shown(&self) -> String {
        match self {
            Self::Users(users) => format!("who is there: {}", users.join(" ")),
            Self::Text { from, text } => format!("by {from}: {}", lossy(text)),
            Self::File { from, name, content } => format!("{name} of {from}, {} bytes", content.len()),
            error => error.to_message(Style::default()).verb,
        }
    }

    /// Understands a message.
    ///
    /// # Errors
    /// The rule that it breaks.
    pub(crate) fn parse(message: &Message) -> Result<Self, Malformed> {
        let rest = &message.rest;
        match message.verb.as_str() {
            "response_users_list" | "list" => Ok(Self::Users(users(rest))),
            "forward_message" | "msg" => {
                let (from, text) = sender(rest)?;
                Ok(Self::Text { from, text })
            }
            "forward_file" | "file" => {
                let (from, rest) = sender(rest)?;
                let (name, content) = named_file(&rest)?;
                Ok(Self::File { from, name, content })
            }
            "err_unknown_message" => Ok(Self::UnknownMessage),
            "err_server_full" => Ok(Self::ServerFull),
            "err_username_unavailable" => Ok(Self::UsernameUnavailable),
            verb => Err(Malformed::Verb(verb.chars().take(32).collect())),
        }
    }

    /// The message that says it to a client of that style.
    pub(crate) fn to_message(&self, style: Style) -> Message {
        let verb = |first, later| if style.later { later } else { first };
        let count = style.counted.then_some("1");
        match self {
            Self::Users(users) => {
                let number = users.len().to_string();
                let number = (style.counted || !style.later).then_some(number.as_str());
                let words: Vec<&str> = number.into_iter().chain(users.iter().map(String::as_str)).collect();
                Message::of(verb("response_users_list", "list"), &words, None)
            }
            Self::Text { from, text } => {
                let words: Vec<&str> = count.into_iter().chain([from.as_str()]).collect();
                Message::of(verb("forward_message", "msg"), &words, Some(text))
            }
            Self::File { from, name, content } => {
                let words: Vec<&str> = count.into_iter().chain([from.as_str(), name]).collect();
                Message::of(verb("forward_file", "file"), &words, Some(content))
            }
            Self::UnknownMessage => Message::bare("err_unknown_message"),
            Self::ServerFull => Message::bare("err_server_full"),
            Self::UsernameUnavailable => Message::bare("err_username_unavailable"),
        }
    }
}

/// Users with or without their number before them: a number is one if it is right (LUMS-D2).
fn users(rest: &Bytes) -> Vec<String> {
    let text = trimmed(rest);
    let mut words: Vec<&str> = text.split(' ').filter(|word| !word.is_empty()).collect();
    let behind = words.len().saturating_sub(1);
    if words.first().and_then(|word| word.parse().ok()) == Some(behind) {
        words.remove(0);
    }
    words.into_iter().map(str::to_owned).collect()
}

/// The sender, and what is behind it. A `1` before at least two more words is a number (LUMS-D2).
fn sender(rest: &Bytes) -> Result<(String, Bytes), Malformed> {
    let (first, behind) = word(rest);
    let is_count = first == "1" && behind.contains(&b' ');
    let (name, rest) = if is_count { word(&behind) } else { (first, behind) };
    Ok((user_name(&lossy(&name)).ok_or(Malformed::Name)?, rest))
}
