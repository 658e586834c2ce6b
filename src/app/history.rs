//! Lines out of the past, as frames.

use std::{collections::BTreeMap, time::Duration};

use crate::wire::{Frame, Nick, NodeId, PastLine, Record, RoomId};

use super::limits::PAGE_BYTES;

/// A record with its author's name, if that is known.
pub(super) fn past_line(record: Record, known: &BTreeMap<NodeId, Nick>) -> Option<PastLine> {
    let nick = known.get(&record.author)?.clone();
    Some(PastLine { nick, key: None, record })
}

/// Lines in as many frames as they need, at least one.
pub(super) fn page_frames(room: &RoomId, lines: Vec<PastLine>) -> Vec<Frame> {
    let mut pages = vec![Vec::new()];
    let mut bytes = 0;
    for line in lines {
        let len = line.record.body.len() + 256;
        if bytes > 0 && bytes + len > PAGE_BYTES {
            pages.push(Vec::new());
            bytes = 0;
        }
        bytes += len;
        if let Some(page) = pages.last_mut() {
            page.push(line);
        }
    }
    let last = pages.len() - 1;
    let frame = |(i, lines)| Frame::Page { room: room.clone(), lines, last: i == last };
    pages.into_iter().enumerate().map(frame).collect()
}

/// An age as it is told, rounded up: only who joins this very moment is 0 old, and owed nothing that
/// is under way.
pub(super) fn age_ms(age: Duration) -> u64 {
    u64::try_from(age.as_micros().div_ceil(1000)).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
