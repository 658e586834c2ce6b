//! The sending and the receiving side of part 2, alone and with each other.

use bytes::Bytes;

use crate::gateway::dialect::{
    MAX_QUEUED_BYTES, MAX_QUEUED_MESSAGES, Overflow,
    lums::{
        MAX_MESSAGE_BYTES, MAX_QUEUED_FILES,
        tests::{ms, start_of_time},
    },
    lums_udp::{
        CHUNK_BYTES, MAX_PAST, MAX_SENDS, REMEMBERED, REPEAT_AFTER, WINDOW,
        packet::{Kind, Packet},
        receiver::{Heard, Receiver},
        sender::{Outcome, Sender},
    },
};

fn sender() -> Sender {
    Sender::new(WINDOW, 3)
}

fn sent(sender: &mut Sender) -> Vec<Packet> {
    std::iter::from_fn(|| sender.poll()).collect()
}

/// A sender whose START was acknowledged, and the number of it.
fn begun(message: Bytes) -> (Sender, u64) {
    let now = start_of_time();
    let mut sender = sender();
    sender.push(message, false, now).unwrap();
    let first = sent(&mut sender)[0].seq;
    sender.handle_ack(first + 1, now);
    (sender, first)
}

fn message(chunks: usize) -> Bytes {
    Bytes::from(vec![b'x'; chunks * CHUNK_BYTES])
}

#[test]
fn does_a_message_go_as_start_data_and_end_each_acknowledged() {
    let now = start_of_time();
    let mut sender = sender();
    sender.push(Bytes::from_static(b"join 1 a"), false, now).unwrap();
    let start = sent(&mut sender);
    let first = start[0].seq;
    assert!(first < 1 << 31, "LUDP-D6");
    assert_eq!(start, [Packet::bare(Kind::Start, first)]);
    sender.handle_ack(first + 1, now);
    assert_eq!(sent(&mut sender), [Packet::data(first + 1, Bytes::from_static(b"join 1 a"))]);
    sender.handle_ack(first + 2, now);
    assert_eq!(sent(&mut sender), [Packet::bare(Kind::End, first + 2)]);
    assert_eq!(sender.poll_outcome(), None);
    sender.handle_ack(first + 3, now);
    assert_eq!((sender.poll_outcome(), sender.is_idle()), (Some(Outcome::Delivered), true));
    assert_eq!(sender.deadline(), None);
}

#[test]
fn are_exactly_three_data_packets_in_flight_while_there_are_three() {
    let now = start_of_time();
    let (mut sender, first) = begun(message(5));
    let numbers =
        |sender: &mut Sender| sent(sender).iter().map(|packet| packet.seq - first).collect::<Vec<_>>();
    assert_eq!(numbers(&mut sender), [1, 2, 3], "7.3: window");
    sender.handle_ack(first + 2, now);
    assert_eq!(numbers(&mut sender), [4]);
    sender.handle_ack(first + 4, now);
    assert_eq!(numbers(&mut sender), [5]);
    for other in [first, first + 1, first + 4, first + 7, 0, u64::MAX] {
        sender.handle_ack(other, now);
        assert_eq!(numbers(&mut sender), [0; 0], "known already, or never sent");
    }
    sender.handle_ack(first + 6, now);
    assert_eq!(numbers(&mut sender), [6], "END goes when all data is there");
}

#[test]
fn is_text_cut_between_characters_and_no_packet_too_long() {
    for (pad, expected) in [(0, 1400), (1, 1399), (2, 1398), (3, 1397)] {
        let text = format!("{}{}", "x".repeat(pad), "\u{1f600}".repeat(1000));
        let (mut sender, _) = begun(Bytes::from(text));
        let packet = &sent(&mut sender)[0];
        assert!(std::str::from_utf8(&packet.data).is_ok());
        assert!(packet.data.len() <= expected + 3 && packet.data.len() > CHUNK_BYTES - 4);
        assert!(packet.to_bytes().len() <= 1500);
    }
    let (mut sender, _) = begun(Bytes::from(vec![0x80; 3000]));
    assert_eq!(sent(&mut sender)[0].data.len(), CHUNK_BYTES, "what is no text is cut anywhere");
    let (mut sender, _) = begun(message(1));
    assert_eq!(sent(&mut sender).len(), 1);
}

#[test]
fn is_the_window_repeated_three_times_and_then_given_up() {
    let mut now = start_of_time();
    let mut sender = sender();
    sender.push(message(2), false, now).unwrap();
    let first = sent(&mut sender)[0].seq;
    now += ms(499);
    sender.handle_timeout(now);
    assert!(sent(&mut sender).is_empty(), "called early");
    sender.handle_ack(first + 1, now);
    assert_eq!(sent(&mut sender).len(), 2);
    assert_eq!(sender.deadline(), Some(now + REPEAT_AFTER), "the window moved");
    for _ in 1..MAX_SENDS {
        now += REPEAT_AFTER;
        sender.handle_timeout(now);
        assert_eq!(sent(&mut sender).len(), 2, "all that is in flight");
    }
    now += REPEAT_AFTER;
    sender.handle_timeout(now);
    assert!(sent(&mut sender).is_empty());
    assert_eq!((sender.poll_outcome(), sender.is_idle()), (Some(Outcome::Failed), true), "LUDP-D4");
}

#[test]
fn is_no_packet_sent_more_than_four_times_whatever_moves() {
    let mut now = start_of_time();
    let (mut sender, first) = begun(message(3));
    let mut sends = [1; 3];
    sent(&mut sender);
    for acked in 0..3 {
        for _ in 0..3 {
            now += REPEAT_AFTER;
            sender.handle_timeout(now);
            sent(&mut sender).iter().for_each(|packet| sends[(packet.seq - first - 1) as usize] += 1);
        }
        sender.handle_ack(first + 2 + acked, now);
        sent(&mut sender);
    }
    assert!(sends.iter().all(|sends| *sends <= MAX_SENDS), "{sends:?}");
}

#[test]
fn does_the_next_message_go_when_the_one_before_is_done_with() {
    let now = start_of_time();
    let mut sender = sender();
    sender.push(Bytes::from_static(b"one"), false, now).unwrap();
    sender.push(Bytes::from_static(b"two"), false, now).unwrap();
    let first = sent(&mut sender);
    assert_eq!(first.len(), 1, "LUDP-D3");
    let mut repeated = Vec::new();
    while let Some(at) = sender.deadline().filter(|at| *at <= now + ms(2000)) {
        sender.handle_timeout(at);
        repeated.append(&mut sent(&mut sender));
    }
    let second = repeated.into_iter().find(|packet| packet.seq != first[0].seq);
    assert_eq!(second.unwrap().kind, Kind::Start);
}

#[test]
fn is_what_waits_bounded() {
    let now = start_of_time();
    let mut of_messages = sender();
    for _ in 0..=MAX_QUEUED_MESSAGES {
        of_messages.push(Bytes::from_static(b"x"), false, now).unwrap();
    }
    assert_eq!(of_messages.push(Bytes::from_static(b"x"), false, now), Err(Overflow));
    let mut of_bytes = sender();
    for _ in 0..=4 {
        of_bytes.push(Bytes::from(vec![0; MAX_QUEUED_BYTES / 4]), false, now).unwrap();
    }
    assert_eq!(of_bytes.push(Bytes::from_static(b"x"), false, now), Err(Overflow));
    let mut of_files = sender();
    for _ in 0..=MAX_QUEUED_FILES {
        of_files.push(Bytes::from(vec![0; MAX_QUEUED_BYTES]), true, now).unwrap();
    }
    assert_eq!(of_files.push(Bytes::from_static(b"x"), true, now), Err(Overflow));
    assert_eq!(of_files.push(Bytes::from_static(b"x"), false, now), Ok(()));
}

fn receiver() -> Receiver {
    Receiver::new(WINDOW as u64)
}

fn take(receiver: &mut Receiver, kind: Kind, seq: u64, data: &'static str) -> Option<(u64, Heard)> {
    let packet = Packet { kind, seq, data: Bytes::from_static(data.as_bytes()) };
    receiver.handle(packet, 100, start_of_time())
}

fn nothing(ack: u64) -> Option<(u64, Heard)> {
    Some((ack, Heard::Nothing))
}

#[test]
fn is_every_intact_packet_acknowledged_with_what_is_expected_next() {
    let mut receiver = receiver();
    assert_eq!(take(&mut receiver, Kind::Start, 10, ""), nothing(11));
    assert_eq!(take(&mut receiver, Kind::Start, 10, ""), nothing(11), "repeated");
    assert_eq!(take(&mut receiver, Kind::Data, 12, "b"), nothing(11), "early");
    assert_eq!(take(&mut receiver, Kind::Data, 13, "c"), nothing(11));
    assert_eq!(take(&mut receiver, Kind::Data, 14, "x"), nothing(11), "beyond the window: dropped");
    assert_eq!(take(&mut receiver, Kind::Data, 11, "a"), nothing(14), "fills the hole");
    assert_eq!(take(&mut receiver, Kind::Data, 12, "b"), nothing(14), "repeated");
    assert_eq!(take(&mut receiver, Kind::Data, 14, "d"), nothing(15));
    let whole = Some((16, Heard::Message(Bytes::from_static(b"abcd"))));
    assert_eq!(take(&mut receiver, Kind::End, 15, ""), whole, "acted on at END");
    assert_eq!(take(&mut receiver, Kind::End, 15, ""), nothing(16), "LUDP-D2: once");
    assert_eq!(take(&mut receiver, Kind::Data, 12, "b"), nothing(16));
    assert_eq!(take(&mut receiver, Kind::Start, 10, ""), nothing(16));
}

#[test]
fn is_a_late_packet_of_one_message_no_part_of_the_next() {
    let mut receiver = receiver();
    take(&mut receiver, Kind::Start, 10, "");
    take(&mut receiver, Kind::Data, 11, "a");
    take(&mut receiver, Kind::End, 12, "");
    take(&mut receiver, Kind::Start, 50, "");
    assert_eq!(take(&mut receiver, Kind::Start, 10, ""), nothing(13));
    assert_eq!(take(&mut receiver, Kind::Data, 11, "a"), nothing(13));
    take(&mut receiver, Kind::Data, 51, "b");
    assert_eq!(take(&mut receiver, Kind::End, 52, ""), Some((53, Heard::Message(Bytes::from_static(b"b")))));
}

#[test]
fn does_a_new_start_take_the_place_of_a_message_that_was_given_up() {
    let mut receiver = receiver();
    take(&mut receiver, Kind::Start, 10, "");
    take(&mut receiver, Kind::Data, 11, "a");
    assert_eq!(take(&mut receiver, Kind::Start, 50, ""), nothing(51));
    assert_eq!(take(&mut receiver, Kind::Start, 10, ""), nothing(12), "an echo, no new message");
    take(&mut receiver, Kind::Data, 51, "b");
    assert_eq!(take(&mut receiver, Kind::End, 52, ""), Some((53, Heard::Message(Bytes::from_static(b"b")))));
}

#[test]
fn is_a_finished_connection_remembered_for_a_while() {
    let now = start_of_time();
    let mut receiver = receiver();
    take(&mut receiver, Kind::Start, 10, "");
    take(&mut receiver, Kind::End, 11, "");
    let end = || Packet::bare(Kind::End, 11);
    assert_eq!(receiver.handle(end(), 100, now + 4 * REPEAT_AFTER), nothing(12));
    assert_eq!(receiver.handle(end(), 100, now + REMEMBERED * 2), None);
    for n in 0..=MAX_PAST as u64 {
        take(&mut receiver, Kind::Start, 100 * n, "");
        take(&mut receiver, Kind::End, 100 * n + 1, "");
    }
    assert_eq!(take(&mut receiver, Kind::End, 1, ""), None, "of at most so many");
    assert_eq!(take(&mut receiver, Kind::End, 101, ""), nothing(102));
}

#[test]
fn is_data_out_of_nowhere_no_connection() {
    let mut receiver = receiver();
    assert_eq!(take(&mut receiver, Kind::Data, 10, "a"), None);
    assert_eq!(take(&mut receiver, Kind::End, 10, ""), None);
    assert_eq!(take(&mut receiver, Kind::Start, u64::MAX, ""), None);
    assert_eq!(take(&mut receiver, Kind::Start, u64::MAX - 1, ""), nothing(u64::MAX));
}

#[test]
fn is_a_message_past_the_limit_thrown_away_as_it_comes() {
    for (head, max, is_file) in
        [("send_file 9 ", MAX_MESSAGE_BYTES + 100, true), ("join 9 ", MAX_MESSAGE_BYTES, false)]
    {
        for over in [0, 1] {
            let mut receiver = receiver();
            take(&mut receiver, Kind::Start, 0, "");
            take(&mut receiver, Kind::Data, 1, head);
            let rest = Bytes::from(vec![b'x'; max - head.len() + over]);
            receiver.handle(Packet::data(2, rest), 100, start_of_time());
            take(&mut receiver, Kind::Data, 3, "");
            let Some((5, heard)) = take(&mut receiver, Kind::End, 4, "") else {
                panic!("still acknowledged")
            };
            match heard {
                Heard::Message(bytes) => assert_eq!((bytes.len(), over), (max, 0)),
                heard => assert_eq!((heard, over), (Heard::Long { is_file }, 1)),
            }
        }
    }
}

#[test]
fn does_all_arrive_where_the_fourth_copy_of_each_packet_and_ack_does() {
    for lost in 0..=MAX_SENDS {
        let mut now = start_of_time();
        let (mut sender, mut receiver) = (sender(), receiver());
        sender.push(message(10), false, now).unwrap();
        let mut copies = std::collections::BTreeMap::new();
        let mut heard = Vec::new();
        let outcome = loop {
            while let Some(packet) = sender.poll() {
                let copy = copies.entry(packet.seq).or_insert(0u32);
                *copy += 1;
                if *copy > lost {
                    let (ack, whole) = receiver.handle(packet, 100_000, now).unwrap();
                    heard.extend((whole != Heard::Nothing).then_some(whole));
                    sender.handle_ack(ack, now);
                }
            }
            if let Some(outcome) = sender.poll_outcome() {
                break outcome;
            }
            now = sender.deadline().unwrap();
            sender.handle_timeout(now);
        };
        if lost < MAX_SENDS {
            assert_eq!(
                (outcome, heard),
                (Outcome::Delivered, vec![Heard::Message(message(10))]),
                "{lost} lost"
            );
        } else {
            assert_eq!((outcome, heard.len()), (Outcome::Failed, 0));
        }
    }
}
