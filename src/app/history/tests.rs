use bytes::Bytes;

use super::*;
use crate::wire::{Epoch, Kind, Seq};

fn lobby() -> RoomId {
    RoomId::Public("lobby".parse().unwrap())
}

fn line(len: usize) -> PastLine {
    let (room, author, epoch, seq) = (lobby(), NodeId([1; 32]), Epoch(1), Seq(0));
    let (kind, body) = (Kind::TEXT, Bytes::from(vec![b'x'; len]));
    let record = Record { room, author, epoch, seq, lamport: 1, sent_at_ms: 0, kind, body, signature: None };
    PastLine { nick: "alice".parse().unwrap(), key: None, record }
}

/// Lines of each page.
fn pages(lens: &[usize]) -> Vec<usize> {
    let frames = page_frames(&lobby(), lens.iter().map(|&len| line(len)).collect());
    let last = frames.len() - 1;
    let count = |(i, frame)| match frame {
        Frame::Page { lines, last: is_last, .. } if is_last == (i == last) => lines.len(),
        other => panic!("{other:?}"),
    };
    frames.into_iter().enumerate().map(count).collect()
}

#[test]
fn are_as_many_bytes_put_into_a_page_as_the_limit_says_and_not_one_more() {
    let half = PAGE_BYTES / 2 - 256;
    assert_eq!(pages(&[half, half]), [2]);
    assert_eq!(pages(&[half, half + 1]), [1, 1]);
    assert_eq!(pages(&[]), [0], "an answer even so");
    assert_eq!(pages(&[10, crate::wire::MAX_BODY_BYTES, 10]), [1, 1, 1], "a long line has its own");
}
