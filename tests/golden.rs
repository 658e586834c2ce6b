//! The exact bytes of every frame, so that `docs/protocol.md`, the code and this break together.
//!
//! Bytes are written as they are read: `'lobby'` is ASCII, `11*32` a byte repeated, anything else hex.
//! Numbers are LEB128 varints, so 300 is `ac02`; see section 5 of the protocol.

#![expect(clippy::unwrap_used, reason = "a test may fail by panicking")]

#[path = "golden/bytes.rs"]
mod bytes;
#[path = "golden/values.rs"]
mod values;

use bytes::{hex, parse};
use sayagain::wire::{
    AckLevel, Addr, ByeReason, DecodeError, Epoch, ErrorCode, Frame, HaveLog, Member, Notice, Offer, RoomId,
    Scheme, Seq, VERSION, decode, encode,
};
use values::{
    ALICE, BOB, LOBBY, alice, bob, hello, key, line, lobby, log, nick, pair, record, signed, transfer, vector,
};

/// Every frame with its bytes, in the order of the list.
fn table() -> Vec<(Frame, String)> {
    let (hello, room) = (Frame::Hello(hello()), lobby());
    let (l, a, b) = (LOBBY, ALICE, BOB);
    let log_bytes = format!("{l} {a} 07");
    let record_bytes = format!("{l} {a} 07 03 09 ac02 00 02 'hi' 00");
    let line_bytes = format!("05 'alice' 00 {record_bytes}");
    let v4 = "00 7f000001 8021";
    let detail = || "why".to_owned();
    let table = vec![
        (hello, format!("00 01 01 01*32 05 'alice' 07 01 00 {v4} 00")),
        (Frame::Welcome { nick: nick("alice"), max_message_bytes: 16_384 }, "01 05 'alice' 808001".into()),
        (Frame::Nick { nick: nick("alice") }, "02 05 'alice'".into()),
        (
            Frame::Peers { peers: vec![(bob(), Addr::new(Scheme::Udp, "[::1]:4224".parse().unwrap()))] },
            format!("03 01 {b} 01 01 00*15 01 8021"),
        ),
        (
            Frame::Author { room: room.clone(), node: alice(), nick: nick("alice"), key: Some(key()) },
            format!("04 {l} {a} 05 'alice' 01 01*32"),
        ),
        (
            Frame::Subscribe { room: room.clone(), have: vector(), age_ms: 300, history: 50, more: false },
            format!("05 {l} 01 {a} 07 03 ac02 32 00"),
        ),
        (Frame::Unsubscribe { room: room.clone() }, format!("06 {l}")),
        (
            Frame::Joined {
                room: room.clone(),
                next: Seq(3),
                members: vec![Member { node: bob(), nick: nick("bob") }],
                more: true,
            },
            format!("07 {l} 03 01 {b} 03 'bob' 01"),
        ),
        (
            Frame::Presence {
                room: room.clone(),
                node: bob(),
                nick: nick("rob"),
                notice: Notice::Rename { from: nick("bob") },
            },
            format!("08 {l} {b} 03 'rob' 03 03 'bob'"),
        ),
        (Frame::Record(record()), format!("09 {record_bytes}")),
        (Frame::Start { log: log(), seq: Seq(3) }, format!("0a {log_bytes} 03")),
        (Frame::Gone { log: log(), floor: Seq(3) }, format!("0b {log_bytes} 03")),
        (
            Frame::Ack { log: log(), next: Seq(4), level: AckLevel::Delivered },
            format!("0c {log_bytes} 04 02"),
        ),
        (
            Frame::Refused {
                log: log(),
                seq: Seq(4),
                lamport: 9,
                code: ErrorCode::MessageTooLong,
                detail: detail(),
            },
            format!("0d {log_bytes} 04 09 08 03 'why'"),
        ),
        (Frame::Have { room: room.clone(), logs: vec![have()] }, format!("0e {l} 01 {a} 07 01 02 04")),
        (Frame::Want { log: log(), from: Seq(1), upto: Seq(4) }, format!("0f {log_bytes} 01 04")),
        (Frame::Digest { room: room.clone(), sum: u64::MAX }, format!("10 {l} ff*9 01")),
        (
            Frame::History { room: room.clone(), limit: 300, before: Some(record().id()) },
            format!("11 {l} ac02 01 {a} 07 03"),
        ),
        (
            Frame::Page { room: room.clone(), lines: vec![line()], last: true },
            format!("12 {l} 01 {line_bytes} 01"),
        ),
        (Frame::Topic { line: line() }, format!("13 {line_bytes}")),
        (Frame::Lookup { nick: nick("bob") }, "14 03 'bob'".into()),
        (Frame::Found { nick: nick("bob"), node: Some(bob()), here: true }, format!("15 03 'bob' 01 {b} 01")),
        (Frame::Pairs { pairs: vec![pair()] }, format!("16 01 {a} {b}")),
        (Frame::Follow { terms: vec!["#fire".into()] }, "17 01 05 '#fire'".into()),
        (Frame::Followed { line: line(), term: "hi".into() }, format!("18 {line_bytes} 02 'hi'")),
        (Frame::Ping { token: 300 }, "19 ac02".into()),
        (Frame::Pong { token: 300 }, "1a ac02".into()),
        (
            Frame::Error { code: ErrorCode::Forbidden, room: Some(room), detail: detail() },
            format!("1b 09 01 {l} 03 'why'"),
        ),
        (Frame::Bye { reason: ByeReason::Shutdown, detail: detail() }, "1c 02 03 'why'".into()),
        (Frame::Lost { log: log(), upto: Seq(4) }, format!("1d {log_bytes} 04")),
        (Frame::Unstored { log: log(), from: Seq(4) }, format!("1e {log_bytes} 04")),
    ];
    [table, transfers()].concat()
}

/// The frames of files.
fn transfers() -> Vec<(Frame, String)> {
    let (transfer, t) = (transfer(), format!("{ALICE} 07 02"));
    let room = Some("lobby".parse().unwrap());
    let offer =
        Offer { transfer, from: nick("alice"), to: vec![bob()], room, name: "a.txt".into(), len: 300 };
    let cancel = |receiver, detail: &str| Frame::Cancel {
        transfer,
        receiver,
        code: ErrorCode::FileTooLong,
        detail: detail.into(),
    };
    vec![
        (Frame::Offer(offer), format!("1f {t} 05 'alice' 01 {BOB} 01 05 'lobby' 05 'a.txt' ac02")),
        (
            Frame::Credit { transfer, receiver: bob(), from: 1, upto: 300, again: true },
            format!("20 {t} {BOB} 01 ac02 01"),
        ),
        (Frame::Chunk { transfer, offset: 300, bytes: "hi".into() }, format!("21 {t} ac02 02 'hi'")),
        (Frame::Complete { transfer, digest: [0xdd; 32] }, format!("22 {t} dd*32")),
        (Frame::Verified { transfer, receiver: bob() }, format!("23 {t} {BOB}")),
        (cancel(Some(bob()), "1"), format!("24 {t} 01 {BOB} 0d 01 '1'")),
        (Frame::Away { transfer, node: bob() }, format!("25 {t} {BOB}")),
    ]
}

fn have() -> HaveLog {
    HaveLog { author: alice(), epoch: Epoch(7), start: Seq(1), floor: Seq(2), next: Seq(4) }
}

#[test]
fn are_the_bytes_of_every_frame_as_written_down() {
    for (frame, written) in table() {
        let expected = parse(&written);
        assert_eq!(hex(&encode(&frame).unwrap()), hex(&expected), "{frame:?}");
        assert_eq!(decode(&expected).as_ref(), Ok(&frame), "{written}");
    }
}

#[test]
fn is_no_frame_missing_from_the_table() {
    let variants: Vec<u32> = table().iter().map(|(_, written)| u32::from(parse(written)[0])).collect();
    assert_eq!(variants, (0..Frame::COUNT).collect::<Vec<_>>());
}

#[test]
fn what_are_the_bytes_of_the_smaller_choices() {
    let notices = [
        (Notice::Join, "00"),
        (Notice::Leave, "01"),
        (Notice::Lost { reason: "why".into() }, "02 03 'why'"),
        (Notice::Rename { from: nick("bob") }, "03 03 'bob'"),
    ];
    for (notice, written) in notices {
        let frame = Frame::Presence { room: lobby(), node: bob(), nick: nick("bob"), notice };
        let expected = parse(&format!("08 {LOBBY} {BOB} 03 'bob' {written}"));
        assert_eq!(hex(&encode(&frame).unwrap()), hex(&expected), "{frame:?}");
    }
    let frame = Frame::Unsubscribe { room: RoomId::Pair(pair()) };
    assert_eq!(hex(&encode(&frame).unwrap()), hex(&parse(&format!("06 01 {ALICE} {BOB}"))));
    let author = Frame::Author { room: lobby(), node: bob(), nick: nick("bob"), key: None };
    assert_eq!(hex(&encode(&author).unwrap()), hex(&parse(&format!("04 {LOBBY} {BOB} 03 'bob' 00"))));
}

#[test]
fn which_bytes_are_signed() {
    let name = "'sayagain record v1' 00";
    let numbers = "0000000000000007 0000000000000003 0000000000000009 000000000000012c";
    let public = format!("{name} 05 'lobby' {ALICE} {numbers} ee*16 00 0000000000000002 'hi'");
    assert_eq!(hex(&record().signed_bytes(&[0xee; 16])), hex(&parse(&public)));
    let mut private = record();
    private.room = RoomId::Pair(pair());
    let pair = format!("{name} 00 {ALICE} {BOB} {ALICE} {numbers} ee*16 00 0000000000000002 'hi'");
    assert_eq!(hex(&private.signed_bytes(&[0xee; 16])), hex(&parse(&pair)));
}

#[test]
fn is_a_signature_the_same_everywhere() {
    let (signed, node) = signed();
    let halves = [
        "9693b9bace934614c0d5790ca8132c0c27be842d4a01dce0476085f3b85e8331",
        "9b84de901d9524f21b6690291256a1607ea62df66be3ddd21b2f56ba66a5ff06",
    ];
    let signature = signed.signature.unwrap();
    assert_eq!(node.to_string(), "RTXQMW327A3GSFILPUZHATJ5HZ24H2NO4DKPM5AFITDI5ANTO6VA");
    assert_eq!([hex(&signature.halves.0), hex(&signature.halves.1)], halves);
    assert_eq!(hex(&signed.hash()), "f94e6e768944e01aa0ed77234fbea014");
    let tail = encode(&Frame::Record(signed)).unwrap();
    let expected = [parse("01 ee*16"), signature.halves.0.to_vec(), signature.halves.1.to_vec()].concat();
    assert_eq!(hex(&tail[tail.len() - expected.len()..]), hex(&expected), "flag, prev, both halves");
}

#[test]
fn is_a_frame_of_a_newer_version_told_apart() {
    assert_eq!(decode(&parse("26 'whatever follows'")), Err(DecodeError::Unknown(38)));
    assert_eq!(decode(&parse("80 01")), Err(DecodeError::Unknown(128)));
}

#[test]
fn is_a_hello_of_another_version_told_apart() {
    assert_eq!(VERSION, 1);
    assert_eq!(decode(&parse("00 02 'whatever follows'")), Err(DecodeError::Version(2)));
    assert_eq!(decode(&parse("00 00")), Err(DecodeError::Version(0)));
}

#[test]
fn what_is_malformed() {
    let bad = [
        ("", "nothing at all"),
        ("19 ac02 00", "bytes left over"),
        ("19 ac", "a number cut short"),
        ("02 05 'ali'", "a name cut short"),
        ("02 05 'al ce'", "no name"),
        ("02 06 'server'", "a reserved name"),
        ("14 00", "an empty name"),
        ("06 02 05 'lobby'", "no kind of room"),
        ("06 00 05 'lo by'", "no name of a room"),
        ("06 01 22*32 11*32", "a pair out of order"),
        ("06 01 11*32 11*32", "a pair of one"),
    ];
    for (written, why) in bad {
        assert_eq!(decode(&parse(written)), Err(DecodeError::Malformed), "{why}");
    }
}

#[test]
fn does_a_number_that_nobody_knows_read_as_other() {
    let frame = Frame::Bye { reason: ByeReason::Other, detail: String::new() };
    assert_eq!(decode(&parse("1c c8 00")), Ok(frame));
    let frame = Frame::Error { code: ErrorCode::Other, room: None, detail: String::new() };
    assert_eq!(decode(&parse("1b c8 00 00")), Ok(frame));
}
