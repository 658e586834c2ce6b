//! Everything that is kept, as text.

use std::{
    collections::HashMap,
    io::{self, Write},
    ops::ControlFlow,
    path::Path,
};

use data_encoding::BASE64;
use rusqlite::Connection;
use serde::Serialize;

use crate::{
    store::{StoreError, Stored},
    wire::{Kind, NodeId, RoomId},
};

use super::{chain::Seal, column, error::Outcome, ledger::read_authors, row, verify::read_only};

/// Why not everything was written out.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// It could not be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// It could not be written.
    #[error("cannot write what is exported: {0}")]
    Output(#[from] io::Error),
}

/// One record as a line of JSON; what is not there has no field.
#[derive(Serialize)]
struct Line<'a> {
    room: &'a str,
    arrival: u64,
    author: NodeId,
    #[serde(skip_serializing_if = "Option::is_none")]
    nick: Option<&'a str>,
    epoch: u64,
    seq: u64,
    lamport: u64,
    sent_at_ms: u64,
    arrived_ms: u64,
    kind: u8,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    body_base64: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    prev_base64: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    signature_base64: Option<String>,
}

/// Writes every record of the history at `path` as one JSON object a line, by room and in the order of
/// arrival, also while a node writes into it. A private room is called by its two members with a colon
/// between them. Returns how many there are.
///
/// # Errors
/// [`ExportError`]; what was written before it holds.
pub fn export(path: &Path, mut out: impl Write) -> Result<u64, ExportError> {
    let mut output = Ok(());
    let written = read_only(path, |conn, seal, ledger| {
        let nicks = nicks(conn, seal)?;
        let mut lines = 0;
        for room in ledger.rooms.values().map(|room| &room.row) {
            let name = name(&room.name);
            let stopped = row::scan(conn, seal, room, (room.floor, room.arrivals), |stored| {
                let nick = nicks.get(&stored.record.author).map(String::as_str);
                output = write_line(&mut out, &line(&name, nick, &stored));
                lines += 1;
                if output.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
            })?;
            if stopped.is_break() {
                break;
            }
        }
        Ok(lines)
    })?;
    output?;
    out.flush()?;
    Ok(written)
}

fn nicks(conn: &Connection, seal: &Seal) -> Outcome<HashMap<NodeId, String>> {
    let authors = read_authors(conn, seal)?;
    Ok(authors.into_iter().filter_map(|row| Some((row.node, column::nick(row.nick.as_ref()?)))).collect())
}

fn name(room: &RoomId) -> String {
    match room {
        RoomId::Public(name) => name.to_string(),
        RoomId::Pair(pair) => pair.members().map(|member| member.to_string()).join(":"),
    }
}

fn line<'a>(room: &'a str, nick: Option<&'a str>, stored: &'a Stored) -> Line<'a> {
    let record = &stored.record;
    let is_text = matches!(record.kind, Kind::TEXT | Kind::TOPIC);
    let text = str::from_utf8(&record.body).ok().filter(|_| is_text);
    let halves = |(first, second): ([u8; 32], [u8; 32])| BASE64.encode(&[first, second].concat());
    Line {
        room,
        arrival: stored.arrival.0,
        author: record.author,
        nick,
        epoch: record.epoch.0,
        seq: record.seq.0,
        lamport: record.lamport,
        sent_at_ms: record.sent_at_ms,
        arrived_ms: stored.arrived_ms,
        kind: record.kind.0,
        text,
        body_base64: text.is_none().then(|| BASE64.encode(&record.body)),
        prev_base64: record.signature.map(|signature| BASE64.encode(&signature.prev)),
        signature_base64: record.signature.map(|signature| halves(signature.halves)),
    }
}

fn write_line(out: &mut impl Write, line: &Line<'_>) -> io::Result<()> {
    serde_json::to_writer(&mut *out, line)?;
    out.write_all(b"\n")
}
