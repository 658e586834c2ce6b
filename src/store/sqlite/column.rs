//! Values as they stand in a column.

use rusqlite::Row;
use serde::{
    Deserialize as _,
    de::value::{Error as ValueError, StrDeserializer},
};

use crate::wire::{Nick, NodeId, RoomId, RoomName, Signature};

use super::error::{Outcome, Trouble, damaged};

/// Opens the name of a room between two; no public name has it.
const PAIR: u8 = 0;

/// Of [`Signature`]: `prev` and the two halves.
const SIGNATURE_BYTES: usize = 16 + 32 + 32;

/// A number whose order no statement asks for; small ones stay short.
pub(super) const fn plain(number: u64) -> i64 {
    number.cast_signed()
}

/// A number that sorts in SQL as it does here.
pub(super) const fn ordered(number: u64) -> i64 {
    (number ^ (1 << 63)).cast_signed()
}

pub(super) fn read_plain(row: &Row<'_>, column: usize) -> Outcome<u64> {
    Ok(row.get::<_, i64>(column)?.cast_unsigned())
}

pub(super) fn read_ordered(row: &Row<'_>, column: usize) -> Outcome<u64> {
    Ok(row.get::<_, i64>(column)?.cast_unsigned() ^ (1 << 63))
}

pub(super) fn read_blob<'r>(row: &'r Row<'_>, column: usize) -> Outcome<&'r [u8]> {
    row.get_ref(column)?.as_blob().map_err(|error| Trouble::Damaged(format!("column {column}: {error}")))
}

pub(super) fn room(id: &RoomId) -> Vec<u8> {
    match id {
        RoomId::Public(name) => name.as_str().as_bytes().to_vec(),
        RoomId::Pair(pair) => {
            let [low, high] = pair.members();
            [&[PAIR], &low.0[..], &high.0[..]].concat()
        }
    }
}

pub(super) fn read_room(bytes: &[u8]) -> Outcome<RoomId> {
    let found = match bytes.split_first() {
        Some((&PAIR, pair)) => pair
            .split_first_chunk::<32>()
            .and_then(|(low, high)| Some(RoomId::between(NodeId(*low), NodeId(high.try_into().ok()?)))),
        _ => str::from_utf8(bytes).ok().and_then(|name| name.parse::<RoomName>().ok()).map(RoomId::Public),
    };
    match found {
        Some(id) if room(&id) == bytes => Ok(id),
        _ => damaged("a room has no name that could be one"),
    }
}

/// As in frames: `bob`, and `bob~door` for a guest.
pub(super) fn nick(nick: &Nick) -> String {
    nick.door().map_or_else(|| nick.as_str().to_owned(), |door| format!("{}~{door}", nick.as_str()))
}

pub(super) fn read_nick(text: &str) -> Outcome<Nick> {
    let text: StrDeserializer<'_, ValueError> = StrDeserializer::new(text);
    Nick::deserialize(text).map_err(|_| Trouble::Damaged("a name is none".into()))
}

pub(super) fn signature(signature: &Signature) -> Vec<u8> {
    [&signature.prev[..], &signature.halves.0, &signature.halves.1].concat()
}

pub(super) fn read_signature(bytes: &[u8]) -> Outcome<Signature> {
    let parts = bytes.split_first_chunk::<16>().and_then(|(prev, rest)| {
        let (first, second) = rest.split_first_chunk::<32>()?;
        Some(Signature { prev: *prev, halves: (*first, second.try_into().ok()?) })
    });
    parts.map_or_else(|| damaged(format!("a signature has not {SIGNATURE_BYTES} bytes")), Ok)
}
