use proptest::{collection::vec, prelude::*};

use super::*;
use crate::transport::{
    MAX_CLOSE_TEXT,
    udp::proto::{
        fuzzing::put,
        varint::{MAX_VARINT, Malformed, put_varint},
    },
};

mod ack;

const CID: ConnectionId = ConnectionId::new([0xc0, 0xc1, 0xc2, 0xc3, 0xc4, 0xc5, 0xc6, 0xc7]);

fn bytes_of(put: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut out = Vec::new();
    put(&mut out);
    out
}

fn read(payload: &[u8]) -> Result<Vec<Frame<'_>>, Malformed> {
    Frames::new(payload).collect()
}

/// The one frame in `payload`.
fn read_one(payload: &[u8]) -> Result<Frame<'_>, Malformed> {
    let mut frames = read(payload)?;
    assert_eq!(frames.len(), 1);
    Ok(frames.remove(0))
}

/// One frame of every form but acknowledgements, with its bytes.
fn golden() -> Vec<(Frame<'static>, &'static [u8])> {
    let piece = |part, data| Frame::Message(Piece { lane: 0x41, seq: 5, part, data });
    vec![
        (Frame::Padding, &[0x00]),
        (Frame::Ping, &[0x01]),
        (Frame::Crypto { offset: 0x123, data: b"tls" }, b"\x04\x41\x23\x03tls"),
        (Frame::ImmediateAck, &[0x05]),
        (Frame::Credit { class: Class::Bulk, limit: 0x1_0000 }, &[0x06, 0x02, 0x80, 0x01, 0x00, 0x00]),
        (Frame::Blocked { class: Class::Thin, limit: 0x40 }, &[0x07, 0x01, 0x40, 0x40]),
        (Frame::Finish { code: 1, total: 300, text: b"bye" }, b"\x08\x01\x41\x2c\x03bye"),
        (Frame::Consumed { messages: 300, last: true }, &[0x09, 0x41, 0x2c, 0x01]),
        (Frame::PathChallenge(*b"12345678"), b"\x0a12345678"),
        (Frame::PathResponse(*b"12345678"), b"\x0b12345678"),
        (
            Frame::NewCid { seq: 2, retire_prior: 1, cid: CID, reset: *b"0123456789abcdef" },
            b"\x0c\x02\x01\xc0\xc1\xc2\xc3\xc4\xc5\xc6\xc70123456789abcdef",
        ),
        (Frame::RetireCid { seq: 1 }, &[0x0d, 0x01]),
        (Frame::HandshakeDone, &[0x0e]),
        (Frame::Close { code: 4, text: b"no" }, b"\x0f\x04\x02no"),
        (piece(None, b"hi"), b"\x21\x40\x41\x05\x02hi"),
        (piece(Some((1000, 64)), b"hi"), b"\x23\x40\x41\x05\x43\xe8\x40\x40\x02hi"),
    ]
}

#[test]
fn the_bytes_of_every_frame() {
    for (frame, bytes) in golden() {
        assert_eq!(bytes_of(|out| put(out, &frame).unwrap()), bytes, "{frame:?}");
        assert_eq!(read_one(bytes), Ok(frame));
    }
}

#[test]
fn the_bytes_of_messages_to_the_end_of_the_packet() {
    let whole = bytes_of(|out| put_message(out, 0, 1, None, b"hi", true));
    assert_eq!(whole, b"\x20\x00\x01hi");
    let piece = Piece { lane: 0, seq: 1, part: None, data: b"hi" };
    assert_eq!(read_one(&whole), Ok(Frame::Message(piece)));

    let part = bytes_of(|out| put_message(out, 0, 1, Some((4, 2)), b"hi", true));
    assert_eq!(part, b"\x22\x00\x01\x04\x02hi");
    let piece = Piece { part: Some((4, 2)), ..piece };
    assert_eq!(read_one(&part), Ok(Frame::Message(piece)));
}

#[test]
fn crypto_ends_below_two_to_the_62() {
    let out = bytes_of(|out| put_crypto(out, MAX_VARINT - 1, &[1]));
    assert!(read_one(&out).is_ok());
    let out = bytes_of(|out| put_crypto(out, MAX_VARINT, &[1]));
    assert_eq!(read_one(&out), Err(Malformed::PastEnd));
}

#[test]
fn what_a_field_may_not_be_is_malformed() {
    for (bytes, malformed) in [
        (&[0x06, 3, 0][..], Malformed::Class),
        (&[0x07, 255, 0], Malformed::Class),
        (&[0x09, 0, 2], Malformed::Flag),
        (&[0x21, 3, 0, 0], Malformed::Class),
        (&[0x20, 7, 0], Malformed::Class),
        (&[0x23, 0, 0, 4, 3, 2, 9, 9], Malformed::PastEnd),
        (&[0x22, 0, 0, 4, 5], Malformed::PastEnd),
        (&[0x04, 0, 2, 1], Malformed::Truncated),
        (&[0x21, 0, 0, 2, 1], Malformed::Truncated),
        (&[0x40, 0x01], Malformed::NotMinimal),
    ] {
        assert_eq!(read(bytes), Err(malformed), "{bytes:x?}");
    }
    let out = bytes_of(|out| put_new_cid(out, 4, 5, CID, [0; 16]));
    assert_eq!(read(&out), Err(Malformed::Retired));
    for head in [&[0x0f, 0][..], &[0x08, 0, 0]] {
        let mut out = [head, &[0x41, 0x01]].concat();
        out.resize(out.len() + MAX_CLOSE_TEXT + 1, b'x');
        assert_eq!(read(&out), Err(Malformed::Text));
    }
}

#[test]
fn types_that_are_unknown_end_or_are_skipped() {
    for kind in (0x10..0x20).chain(0x24..0x40).chain([0x40, 0x3fff]) {
        let out = bytes_of(|out| put_varint(kind, out));
        assert_eq!(read(&out), Err(Malformed::FrameType), "{kind:x}");
    }
    for kind in [0x4000, 0x1234_5678, MAX_VARINT] {
        let out = bytes_of(|out| {
            put_varint(kind, out);
            out.extend_from_slice(&[2, 0xff, 0xff]);
            put_ping(out);
        });
        assert_eq!(read(&out), Ok(vec![Frame::Unknown, Frame::Ping]));
        assert_eq!(read(&out[..out.len() - 2]), Err(Malformed::Truncated));
    }
}

#[test]
fn padding_in_a_row_is_one_frame() {
    assert_eq!(read(&[0; 1200]), Ok(vec![Frame::Padding]));
    assert_eq!(read(&[0, 0, 1, 0, 1]), Ok(vec![Frame::Padding, Frame::Ping, Frame::Padding, Frame::Ping]));
    assert_eq!(read(&[]), Ok(vec![]));
}

#[test]
fn nothing_comes_after_an_error() {
    let mut frames = Frames::new(&[0x01, 0x1f, 0x01]);
    assert_eq!(frames.next(), Some(Ok(Frame::Ping)));
    assert_eq!(frames.next(), Some(Err(Malformed::FrameType)));
    assert_eq!(frames.next(), None);
}

#[test]
fn long_words_are_cut_between_characters() {
    let words = "é".repeat(200);
    let out = bytes_of(|out| put_finish(out, 0, MAX_VARINT, &format!("x{words}")));
    assert_eq!(out.len(), MAX_TEXT_FRAME_BYTES - 1);
    let Ok(Frame::Finish { text, .. }) = read_one(&out) else { panic!("no finish") };
    assert_eq!(std::str::from_utf8(text).unwrap().chars().count(), 128);
    let out = bytes_of(|out| put_close(out, 0, &words));
    let Ok(Frame::Close { text, .. }) = read_one(&out) else { panic!("no close") };
    assert_eq!(text.len(), MAX_CLOSE_TEXT);
}

#[test]
fn the_overheads_are_exact() {
    for value in [0, 0x3f, 0x40, 0x3fff, 0x4000, 0x4000_0000, MAX_VARINT] {
        for len in [0, 63, 64, 1400] {
            let data = vec![1; len];
            let crypto = bytes_of(|out| put_crypto(out, value, &data));
            assert_eq!(crypto.len(), crypto_overhead(value, len) + len);
            for part in [None, Some((value, value / 2))] {
                let message = bytes_of(|out| put_message(out, value, value, part, &data, false));
                assert_eq!(message.len(), message_overhead(value, value, part, len) + len);
            }
        }
    }
    let longest = bytes_of(|out| put_new_cid(out, MAX_VARINT, MAX_VARINT, CID, [0; 16]));
    assert_eq!(longest.len(), MAX_FIXED_FRAME_BYTES);
}

#[test]
fn what_each_frame_does_to_its_packet() {
    let every = golden().into_iter().map(|(frame, _)| frame).chain([Frame::Unknown]);
    let names = |wanted: &dyn Fn(&Frame<'_>) -> bool| -> Vec<String> {
        let ack = read_one(&[0x02, 0, 0, 0, 0]).unwrap();
        let name = |frame: Frame<'_>| format!("{frame:?}").split([' ', '(', '{']).next().unwrap().to_owned();
        every.clone().chain([ack]).filter(|frame| wanted(frame)).map(name).collect()
    };
    assert_eq!(names(&|frame| !frame.elicits_ack()), ["Padding", "Close", "Ack"]);
    assert_eq!(names(&|frame| frame.is_probing()), ["Padding", "PathChallenge", "PathResponse", "NewCid"]);
    for space in [Space::Initial, Space::Handshake] {
        let allowed = ["Padding", "Ping", "Crypto", "ImmediateAck", "Close", "Ack"];
        assert_eq!(names(&|frame| frame.allowed_in(space)), allowed);
    }
    assert!(names(&|frame| !frame.allowed_in(Space::Data)).is_empty());
}

#[test]
fn every_truncation_is_noticed() {
    for (frame, bytes) in golden() {
        for len in 1..bytes.len() {
            assert_eq!(read(&bytes[..len]), Err(Malformed::Truncated), "{frame:?} at {len}");
        }
    }
}

fn varint() -> impl Strategy<Value = u64> {
    (0..=MAX_VARINT, 0..62_u32).prop_map(|(value, shift)| value >> shift)
}

proptest! {
    #[test]
    fn messages_survive(
        slot in 0..4096_u64,
        class in 0..3_u64,
        seq in varint(),
        room in prop::option::of((varint(), varint())),
        data in vec(any::<u8>(), 0..300),
        to_end: bool,
    ) {
        let part = room.map(|(offset, more)| {
            let offset = offset.min(MAX_VARINT - 300);
            (offset.saturating_add(data.len() as u64).saturating_add(more).min(MAX_VARINT), offset)
        });
        let mut out = Vec::new();
        put_message(&mut out, slot * 4 + class, seq, part, &data, to_end);
        if !to_end {
            put_ping(&mut out);
        }
        let piece = Frame::Message(Piece { lane: slot * 4 + class, seq, part, data: &data });
        let expected = if to_end { vec![piece] } else { vec![piece, Frame::Ping] };
        prop_assert_eq!(read(&out), Ok(expected));
    }

    #[test]
    fn what_is_read_is_written_the_same(picks in vec((0..16_usize, varint(), varint(), any::<u8>()), 0..20)) {
        let mut out = Vec::new();
        for (kind, a, b, byte) in picks {
            let frame = match kind {
                0 => Frame::Credit { class: Class::ALL[usize::from(byte % 3)], limit: a },
                1 => Frame::Blocked { class: Class::ALL[usize::from(byte % 3)], limit: a },
                2 => Frame::Finish { code: byte, total: a, text: b"why" },
                3 => Frame::Consumed { messages: a, last: byte > 99 },
                4 => Frame::NewCid { seq: a.max(b), retire_prior: a.min(b), cid: CID, reset: [byte; 16] },
                5 => Frame::RetireCid { seq: a },
                6 => Frame::Crypto { offset: a.min(MAX_VARINT - 99), data: b"tls" },
                7 => Frame::PathResponse(b.to_be_bytes()),
                _ => golden()[kind].0.clone(),
            };
            put(&mut out, &frame).unwrap();
        }
        let frames = read(&out).unwrap();
        let mut again = Vec::new();
        for frame in &frames {
            put(&mut again, frame).unwrap();
        }
        prop_assert_eq!(read(&again), Ok(frames));
    }

    #[test]
    fn random_bytes_are_read_without_a_panic(kind in 0..0x28_u8, mut bytes in vec(any::<u8>(), 1..200)) {
        let _ = read(&bytes);
        bytes[0] = kind;
        for frame in Frames::new(&bytes).flatten() {
            if let Frame::Ack(ack) = &frame {
                prop_assert_eq!(ack.ranges().next().map(|range| *range.end()), Some(ack.largest));
            }
            let is_all_told = !matches!(&frame, Frame::Ack(ack) if ack.ranges().count() > MAX_ACK_RANGES);
            let mut again = Vec::new();
            if is_all_told && put(&mut again, &frame).is_some() {
                prop_assert_eq!(Frames::new(&again).next(), Some(Ok(frame)));
            }
        }
    }
}
