//! What stands in a line (V8 to V13).

use bytes::Bytes;
use serde_json::Value;

use super::super::json::{self, BadJson, Field, Fields};

/// What a client asks of the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Request {
    /// V9.
    Say(String),
    /// V10.
    SetName(String),
    /// V11.
    History,
    /// V12.
    Users,
}

/// What a line from a client breaks.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum BadLine {
    /// V8.
    #[error("this line is no JSON object: {0}")]
    Json(#[from] BadJson),
    /// V8.
    #[error("a line needs a \"type\", which is a text")]
    NoType,
    /// Not one of the four.
    #[error("there is no type {0:?}")]
    UnknownType(String),
    /// V9.
    #[error("the \"data\" of a message is a text")]
    NoText,
    /// V10, VSB-D8.
    #[error("the \"data\" of set-name is a text")]
    NoName,
}

/// What a line from a client asks. Numbers are texts too, and `history` and `users` need no `data` (VSB-D2).
pub(super) fn request(line: &[u8]) -> Result<Request, BadLine> {
    let fields = json::parse(line)?.fields;
    let kind = fields.get("type").and_then(Value::as_str).ok_or(BadLine::NoType)?;
    match kind {
        "message" => fields.get("data").and_then(text).map(Request::Say).ok_or(BadLine::NoText),
        "set-name" => {
            let name = fields.get("data").and_then(Value::as_str);
            name.map(|name| Request::SetName(name.to_owned())).ok_or(BadLine::NoName)
        }
        "history" => Ok(Request::History),
        "users" => Ok(Request::Users),
        unknown => Err(BadLine::UnknownType(unknown.to_owned())),
    }
}

impl Request {
    /// The line that asks it.
    pub(super) fn line(&self) -> Bytes {
        let (kind, data) = match self {
            Self::Say(text) => ("message", text.as_str()),
            Self::SetName(name) => ("set-name", name.as_str()),
            Self::History => ("history", ""),
            Self::Users => ("users", ""),
        };
        line(&[("type", Field::Text(kind)), ("data", Field::Text(data))])
    }
}

/// The one line that a server sends (V13).
pub(super) fn message(source: &str, text: &str) -> Bytes {
    let data = [("source", Field::Text(source)), ("message", Field::Text(text))];
    line(&[("type", Field::Text("message")), ("data", Field::Object(&data))])
}

/// Who says what in a line of a server, as far as it can be understood; servers that send lists or numbers
/// where a text is due exist.
pub(super) fn said(line: &[u8]) -> Result<(String, String), String> {
    let fields = json::parse(line).map_err(|why| why.to_string())?.fields;
    match fields.get("type").and_then(Value::as_str) {
        Some("message") => {}
        Some(kind) => return Err(format!("there is no type {kind:?} from a server")),
        None => return Err(BadLine::NoType.to_string()),
    }
    let data: Option<&Fields> = fields.get("data").and_then(Value::as_object);
    let found = data.and_then(|data| Some((data.get("source").and_then(text)?, data.get("message")?)));
    let (source, message) = found.ok_or("the \"data\" of a server has a \"source\" and a \"message\"")?;
    Ok((source, text(message).unwrap_or_else(|| message.to_string())))
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

fn line(fields: &[(&str, Field<'_>)]) -> Bytes {
    let mut line = json::object(fields);
    line.push('\n');
    line.into()
}
