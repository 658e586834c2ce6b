//! What an object says (I10, I17 to I19).

use std::{
    fmt,
    net::{IpAddr, SocketAddr},
};

use bytes::Bytes;
use serde_json::Value;

use super::super::json::{self, BadJson, Field, Object};

/// An object with a meaning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Item {
    /// I21.
    Subscribe(Address),
    /// I24.
    Unsubscribe(Address),
    /// I10.
    Message(Message),
}

/// Where a client says it waits for connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Address {
    /// `None`: where it comes from. Programs that listen everywhere say `0.0.0.0`.
    pub(super) host: Option<IpAddr>,
    pub(super) port: u16,
}

/// A line that somebody typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Message {
    pub(super) seq: String,
    pub(super) user: String,
    pub(super) text: String,
    /// As it came, keys in their order (IOWA-D4).
    pub(super) json: String,
}

/// What an object breaks.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum BadItem {
    #[error("{0}")]
    Json(#[from] BadJson),
    #[error("there is no operation {0}: subscribe, unsubscribe and message are (I17)")]
    Operation(String),
    #[error("\"client\" is a text such as 127.0.0.1:5000 with a port from 1 to 65535 (I18)")]
    Client,
    #[error("a message has a number \"seq\" and the texts \"user\" and \"message\" (I10)")]
    Message,
}

impl Item {
    pub(super) fn read(found: Result<Object, BadJson>) -> Result<Self, BadItem> {
        let object = found?;
        let client = || {
            let client = object.fields.get("client").and_then(Value::as_str);
            client.and_then(Address::read).ok_or(BadItem::Client)
        };
        match object.fields.get("operation") {
            None => {}
            Some(Value::String(operation)) if operation == "subscribe" => {
                return client().map(Self::Subscribe);
            }
            Some(Value::String(operation)) if operation == "unsubscribe" => {
                return client().map(Self::Unsubscribe);
            }
            Some(Value::String(operation)) if operation == "message" => {}
            Some(other) => return Err(BadItem::Operation(other.to_string())),
        }
        Message::read(object).map(Self::Message).ok_or(BadItem::Message)
    }
}

impl fmt::Display for Item {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (operation, client) = match self {
            Self::Subscribe(client) => ("subscribe", client),
            Self::Unsubscribe(client) => ("unsubscribe", client),
            Self::Message(Message { seq, user, text, .. }) => {
                return write!(f, "message {seq} of {user:?}: {text:?}");
            }
        };
        match client.host {
            Some(host) => write!(f, "{operation} {}", SocketAddr::new(host, client.port)),
            None => write!(f, "{operation} port {}", client.port),
        }
    }
}

impl Address {
    /// `ip:port`, `localhost:port` or the port alone.
    fn read(text: &str) -> Option<Self> {
        let text = text.trim();
        let (host, port) = text.rsplit_once(':').unwrap_or(("", text));
        let port = port.parse().ok().filter(|port| *port != 0)?;
        let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        let host = match host {
            "" | "localhost" => None,
            named => Some(named.parse::<IpAddr>().ok()?).filter(|ip| !ip.is_unspecified()),
        };
        Some(Self { host, port })
    }
}

impl Message {
    fn read(object: Object) -> Option<Self> {
        let text = |key: &str| object.fields.get(key).and_then(Value::as_str).map(str::to_owned);
        let seq = match object.fields.get("seq")? {
            Value::Number(seq) => seq.to_string(),
            // Made by hand, it may stand in quotes.
            Value::String(seq) => seq.trim().parse::<u64>().ok()?.to_string(),
            _ => return None,
        };
        Some(Self { seq, user: text("user")?, text: text("message")?, json: object.text })
    }
}

/// The bytes of a line.
pub(super) fn message(seq: u64, user: &str, text: &str) -> Bytes {
    json::object(&[("seq", Field::Number(seq)), ("user", Field::Text(user)), ("message", Field::Text(text))])
        .into()
}

/// The bytes of `subscribe` and `unsubscribe`.
pub(super) fn request(operation: &str, client: SocketAddr) -> Bytes {
    let client = client.to_string();
    json::object(&[("operation", Field::Text(operation)), ("client", Field::Text(&client))]).into()
}
