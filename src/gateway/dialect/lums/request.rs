//! What a client says to the server.

use bytes::Bytes;

use super::{
    MAX_TEXT_BYTES,
    message::{Malformed, Message, addressed, named_file, trimmed, user_name},
};

/// What a client says to the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Request {
    /// I am called so.
    Join(String),
    /// Who is there?
    List,
    /// Text to these users, each named once.
    Text { to: Vec<String>, text: Bytes },
    /// A file to these users, each named once.
    File { to: Vec<String>, name: String, content: Bytes },
    /// I leave. The name is not looked at (LUMS-D5).
    Disconnect(String),
}

/// Verbs that a client may say: what ends a file before its silence (LUMS-D1).
pub(crate) const REQUEST_VERBS: [&str; 5] =
    ["join", "request_users_list", "send_message", "send_file", "disconnect"];

impl Request {
    /// Understands a message.
    ///
    /// # Errors
    /// The rule that it breaks.
    pub(crate) fn parse(message: &Message) -> Result<Self, Malformed> {
        let rest = &message.rest;
        match message.verb.as_str() {
            "join" => user_name(&trimmed(rest)).map(Self::Join).ok_or(Malformed::Name),
            "request_users_list" | "list" => Ok(Self::List),
            "send_message" | "msg" => {
                let (to, text) = addressed(rest, "msg")?;
                if text.len() > MAX_TEXT_BYTES {
                    return Err(Malformed::TooLong);
                }
                Ok(Self::Text { to, text })
            }
            "send_file" | "file" => {
                let (to, rest) = addressed(rest, "file")?;
                let (name, content) = named_file(&rest)?;
                Ok(Self::File { to, name, content })
            }
            "disconnect" => Ok(Self::Disconnect(trimmed(rest).into_owned())),
            verb => Err(Malformed::Verb(verb.chars().take(32).collect())),
        }
    }

    /// The message that says it.
    pub(crate) fn to_message(&self) -> Message {
        match self {
            Self::Join(name) => Message::of("join", &[name], None),
            Self::List => Message::bare("request_users_list"),
            Self::Text { to, text } => {
                let count = to.len().to_string();
                Message::of("send_message", &words(&count, to, None), Some(text))
            }
            Self::File { to, name, content } => {
                let count = to.len().to_string();
                Message::of("send_file", &words(&count, to, Some(name)), Some(content))
            }
            Self::Disconnect(name) => Message::of("disconnect", &[name], None),
        }
    }

    /// Bytes that it keeps in memory.
    pub(crate) fn size(&self) -> usize {
        let names = |to: &[String]| to.iter().map(String::len).sum::<usize>();
        match self {
            Self::Join(name) | Self::Disconnect(name) => name.len(),
            Self::List => 0,
            Self::Text { to, text } => names(to).saturating_add(text.len()),
            Self::File { to, name, content } => {
                names(to).saturating_add(name.len()).saturating_add(content.len())
            }
        }
    }
}

fn words<'a>(count: &'a str, to: &'a [String], name: Option<&'a str>) -> Vec<&'a str> {
    [count].into_iter().chain(to.iter().map(String::as_str)).chain(name).collect()
}
