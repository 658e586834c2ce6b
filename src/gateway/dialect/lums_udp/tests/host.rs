//! The server of the UDP editions, packet for packet.

use std::net::SocketAddr;

use bytes::Bytes;
use proptest::prelude::*;

use super::{ack, data, datagram, end, start};
use crate::gateway::dialect::{
    ForwardForm, HostConfig, Input, Machine,
    lums::tests::{Stage, host_config, ms, peer},
    lums_udp::{
        FORGET_AFTER, Host, MAX_FAILURES, MAX_STRANGERS,
        packet::{Kind, Packet},
    },
};

pub(super) fn host() -> Stage<Host> {
    Stage::new(Host::new(host_config()))
}

fn hear(stage: &mut Stage<Host>, port: u16, bytes: Bytes) {
    stage.input(Input::Datagram { from: peer(port), bytes });
}

/// Says a message in part 1.
fn plain(stage: &mut Stage<Host>, port: u16, message: &str) {
    hear(stage, port, data(0, message.as_bytes()));
}

/// Says a message in part 2, with numbers from `first`; takes away the acknowledgements.
fn reliable(stage: &mut Stage<Host>, port: u16, first: u64, message: &str) {
    hear(stage, port, start(first));
    hear(stage, port, data(first + 1, message.as_bytes()));
    hear(stage, port, end(first + 2));
    let acks: Vec<(SocketAddr, Bytes)> = (1..=3).map(|n| (peer(port), ack(first + n))).collect();
    stage.datagrams.retain(|sent| !acks.contains(sent));
}

fn told(stage: &mut Stage<Host>, port: u16) -> Vec<Packet> {
    let (own, rest) = std::mem::take(&mut stage.datagrams).into_iter().partition(|(to, _)| *to == peer(port));
    stage.datagrams = rest;
    own.into_iter().map(|(_, bytes): (_, Bytes)| Packet::parse(&bytes).unwrap()).collect()
}

/// Takes what a client of part 2 is told, acknowledging everything.
fn taken(stage: &mut Stage<Host>, port: u16) -> Vec<String> {
    let (mut messages, mut message) = (Vec::new(), Vec::new());
    loop {
        let packets = told(stage, port);
        if packets.is_empty() {
            return messages;
        }
        for packet in packets {
            match packet.kind {
                Kind::Ack => continue,
                Kind::Start => message.clear(),
                Kind::Data => message.extend_from_slice(&packet.data),
                Kind::End => messages.push(String::from_utf8_lossy(&message).into_owned()),
            }
            hear(stage, port, ack(packet.seq + 1));
        }
    }
}

fn said(stage: &mut Stage<Host>, port: u16) -> Vec<String> {
    let packets = told(stage, port);
    assert!(packets.iter().all(|packet| packet.kind == Kind::Data && packet.seq == 0), "{packets:?}");
    packets.iter().map(|packet| String::from_utf8_lossy(&packet.data).into_owned()).collect()
}

#[test]
fn is_a_session_of_part_1_answered_byte_for_byte() {
    let mut stage = host();
    plain(&mut stage, 1, "join 7 client1");
    plain(&mut stage, 2, "join 7 client2");
    assert!(stage.datagrams.is_empty(), "LUMS-D8");
    plain(&mut stage, 1, "request_users_list 0");
    plain(&mut stage, 1, "send_message 16 1 client2 hello!");
    let bytes: Vec<&Bytes> = stage.datagrams.iter().map(|(_, bytes)| bytes).collect();
    let expected = [
        "data|0|response_users_list 17 2 client1 client2|3324226673",
        "data|0|forward_message 16 1 client1 hello!|620367528",
    ];
    assert_eq!(bytes, expected);
    stage.datagrams.clear();
    plain(&mut stage, 1, "send_file 24 1 client2 abc.txt a|b");
    assert_eq!(said(&mut stage, 2), ["forward_file 21 1 client1 abc.txt a|b"]);
    plain(&mut stage, 3, "join 7 client1");
    assert_eq!(said(&mut stage, 3), ["err_username_unavailable 0"]);
    plain(&mut stage, 1, "disconnect 7 client1");
    plain(&mut stage, 2, "hello 0");
    assert_eq!(said(&mut stage, 2), ["err_unknown_message 0"]);
    let lines = [
        "join: client1",
        "join: client2",
        "request_users_list: client1",
        "msg: client1",
        "file: client1",
        "disconnected: username not available",
        "disconnected: client1",
        "disconnected: client2 sent unknown command",
    ];
    assert_eq!(stage.printed(), lines);
}

#[test]
fn is_a_message_of_part_2_acknowledged_byte_for_byte_and_acted_on_at_its_end() {
    let mut stage = host();
    plain(&mut stage, 2, "join 7 client2");
    reliable(&mut stage, 1, 5, "join 7 client1");
    hear(&mut stage, 1, Bytes::from_static(b"start|9491162||1337246820"));
    hear(&mut stage, 1, Bytes::from_static(b"data|9491163|send_message 16 1 client2 hello!|1234362827"));
    assert_eq!(said(&mut stage, 2), [""; 0]);
    hear(&mut stage, 1, Bytes::from_static(b"end|9491164||270630680"));
    let acks: Vec<Bytes> =
        stage.datagrams.iter().filter(|(to, _)| *to == peer(1)).map(|(_, b)| b.clone()).collect();
    assert_eq!(acks, ["ack|9491163||3632330275", "ack|9491164||3721388198", "ack|9491165||3691874961"]);
    assert_eq!(said(&mut stage, 2), ["forward_message 16 1 client1 hello!"], "each in its own part");
}

#[test]
fn is_each_address_answered_in_the_part_it_speaks() {
    let mut stage = host();
    plain(&mut stage, 1, "join 1 a");
    reliable(&mut stage, 2, 70, "join 1 b");
    plain(&mut stage, 1, "send_message 10 2 a b hi |");
    assert_eq!(said(&mut stage, 1), ["forward_message 8 1 a hi |"], "LUDP-D5");
    assert_eq!(taken(&mut stage, 2), ["forward_message 8 1 a hi |"]);
    reliable(&mut stage, 2, 700, "send_message 10 2 a b hi |");
    assert_eq!(said(&mut stage, 1), ["forward_message 8 1 b hi |"]);
    assert_eq!(taken(&mut stage, 2), ["forward_message 8 1 b hi |"]);
    assert_eq!(stage.printed(), ["join: a", "join: b", "msg: a", "msg: b"]);
}

#[test]
fn may_a_client_of_part_1_go_on_in_part_2() {
    let mut stage = host();
    plain(&mut stage, 1, "join 1 a");
    reliable(&mut stage, 1, 70, "request_users_list 0");
    assert_eq!(taken(&mut stage, 1), ["response_users_list 3 1 a"]);
}

#[test]
fn is_the_number_before_a_sender_left_out_where_it_was_asked_for() {
    let config = HostConfig { forward: ForwardForm::Bare, ..host_config() };
    let mut stage = Stage::new(Host::new(config));
    plain(&mut stage, 1, "join 1 a");
    plain(&mut stage, 1, "send_message 6 1 a hi");
    assert_eq!(said(&mut stage, 1), ["forward_message 4 a hi"], "LUMS-D2");
}

#[test]
fn is_a_wrong_length_logged_and_no_more() {
    let mut stage = host();
    plain(&mut stage, 1, "join 99 a");
    assert_eq!(stage.printed(), ["join: a"]);
    assert!(stage.logged.iter().any(|line| line.contains("wrong length")), "{:?}", stage.logged);
}

#[test]
fn is_what_is_damaged_or_out_of_nowhere_not_answered() {
    let mut stage = host();
    let mut bad = data(0, b"join 1 a").to_vec();
    bad[8] ^= 1;
    for bytes in [
        Bytes::from(bad),
        Bytes::new(),
        Bytes::from_static(b"GET / HTTP/1.1\r\n\r\n"),
        data(0, b"hello"),
        data(77, b"the middle of a file"),
        ack(5),
        end(5),
    ] {
        hear(&mut stage, 1, bytes);
    }
    assert!(stage.datagrams.is_empty() && stage.printed().is_empty());
    assert_eq!(stage.machine.poll_timeout(), None, "nothing is kept of it");
}

#[test]
fn is_a_message_said_once_done_once_however_often_it_comes() {
    let mut stage = host();
    reliable(&mut stage, 1, 10, "join 1 a");
    for _ in 0..5 {
        hear(&mut stage, 1, start(100));
        hear(&mut stage, 1, data(101, b"send_message 6 1 b hi"));
        hear(&mut stage, 1, end(102));
    }
    assert_eq!(stage.datagrams.len(), 15, "LUDP-D1: and acknowledged each time");
    assert_eq!(stage.printed(), ["join: a", "msg: a", "msg: a to non-existent user b"]);
}

#[test]
fn is_one_who_leaves_acknowledged_for_a_while_and_may_come_again() {
    let mut stage = host();
    reliable(&mut stage, 1, 10, "join 1 a");
    reliable(&mut stage, 1, 20, "disconnect 1 a");
    stage.wait(ms(2000));
    hear(&mut stage, 1, end(22));
    assert_eq!(told(&mut stage, 1), [Packet::bare(Kind::Ack, 23)], "LUDP-D2");
    reliable(&mut stage, 1, 30, "request_users_list 0");
    assert_eq!(told(&mut stage, 1), [], "but is not there");
    reliable(&mut stage, 1, 40, "join 1 a");
    reliable(&mut stage, 1, 50, "disconnect 1 a");
    assert_eq!(stage.printed(), ["join: a", "disconnected: a", "join: a", "disconnected: a"]);
    stage.wait(ms(10_000));
    stage.datagrams.clear();
    hear(&mut stage, 1, end(52));
    assert!(stage.datagrams.is_empty(), "forgotten");
    assert_eq!(stage.machine.poll_timeout(), None);
}

#[test]
fn is_one_who_takes_nothing_removed_after_three_messages() {
    let mut stage = host();
    reliable(&mut stage, 1, 10, "join 1 a");
    plain(&mut stage, 2, "join 1 b");
    for n in 1..MAX_FAILURES {
        plain(&mut stage, 2, "send_message 6 1 a hi");
        stage.wait(ms(2000));
        assert_eq!(
            stage.logged.iter().filter(|line| line.contains("is lost")).count(),
            n as usize,
            "LUDP-D4"
        );
    }
    plain(&mut stage, 2, "send_message 7 1 a one");
    assert_eq!(taken(&mut stage, 1).len(), 1, "one that is taken begins the count again");
    stage.printed();
    for _ in 0..MAX_FAILURES {
        assert_eq!(stage.printed(), [""; 0]);
        plain(&mut stage, 2, "send_message 6 1 a hi");
        assert_eq!(stage.printed(), ["msg: b"]);
        stage.wait(ms(2000));
    }
    assert_eq!(stage.printed(), ["disconnected: a"]);
    plain(&mut stage, 2, "request_users_list 0");
    assert_eq!(said(&mut stage, 2), ["response_users_list 3 1 b"]);
}

#[test]
fn are_addresses_that_do_not_join_forgotten() {
    let mut stage = host();
    hear(&mut stage, 1, start(10));
    stage.wait(FORGET_AFTER - ms(1));
    assert!(stage.machine.poll_timeout().is_some());
    stage.wait(ms(1));
    assert_eq!(stage.machine.poll_timeout(), None);
    stage.datagrams.clear();
    hear(&mut stage, 1, data(11, b"join 1 a"));
    assert_eq!(stage.printed(), ["join: a"], "a datagram like the first from there");
}

#[test]
fn are_addresses_that_do_not_join_bounded() {
    let mut stage = host();
    plain(&mut stage, 1, "join 1 a");
    for port in 100..100 + MAX_STRANGERS as u16 {
        hear(&mut stage, port, start(10));
        stage.wait(ms(1));
    }
    hear(&mut stage, 100, data(11, b"jo"));
    hear(&mut stage, 99, start(10));
    stage.datagrams.clear();
    hear(&mut stage, 101, data(11, b"in 1 b"));
    assert!(stage.datagrams.is_empty(), "the one that was silent for longest is forgotten");
    hear(&mut stage, 100, data(12, b"in 1 b"));
    hear(&mut stage, 100, end(13));
    plain(&mut stage, 1, "request_users_list 0");
    assert_eq!(said(&mut stage, 1), ["response_users_list 5 2 a b"]);
}

#[test]
fn is_the_eleventh_turned_away_in_either_part() {
    let mut stage = host();
    for port in 1..=10 {
        plain(&mut stage, port, &format!("join 2 c{port}"));
    }
    plain(&mut stage, 11, "join 3 c11");
    reliable(&mut stage, 12, 10, "join 3 c12");
    assert_eq!(said(&mut stage, 11), ["err_server_full 0"]);
    assert_eq!(taken(&mut stage, 12), ["err_server_full 0"]);
    assert_eq!(stage.printed()[10..], ["disconnected: server full", "disconnected: server full"]);
}

#[test]
fn does_a_file_too_long_for_a_datagram_not_go_to_part_1() {
    let mut stage = host();
    plain(&mut stage, 1, "join 1 a");
    reliable(&mut stage, 2, 10, "join 1 b");
    hear(&mut stage, 2, start(100));
    hear(&mut stage, 2, data(101, b"send_file 70011 2 a b f "));
    for n in 0..50 {
        hear(&mut stage, 2, data(102 + n, &[b'x'; 1400]));
    }
    hear(&mut stage, 2, end(152));
    assert_eq!(said(&mut stage, 1), [""; 0]);
    assert_eq!(taken(&mut stage, 2)[0].len(), "forward_file 70006 1 b f ".len() + 70_000);
}

#[test]
fn does_stopping_leave_nothing() {
    let mut stage = host();
    reliable(&mut stage, 1, 10, "join 1 a");
    reliable(&mut stage, 1, 20, "request_users_list 0");
    stage.input(Input::Stop);
    assert_eq!(stage.machine.poll_timeout(), None);
}

fn any_datagram() -> impl Strategy<Value = Bytes> {
    let kinds = proptest::sample::select(vec![Kind::Start, Kind::Data, Kind::End, Kind::Ack]);
    let texts =
        ["join 1 a", "join 1 b", "send_message 6 2 a b hi", "send_file 9 1 a f x", "disconnect 1 a", "hello"];
    let text = proptest::sample::select(texts.to_vec()).prop_map(|text| text.as_bytes().to_vec());
    let seq = prop_oneof![0..20u64, Just(u64::MAX), Just(u64::MAX - 1)];
    let noise = proptest::collection::vec(any::<u8>(), 0..60);
    let bytes = prop_oneof![text, noise.clone()];
    let packet = (kinds, seq, bytes).prop_map(|(kind, seq, bytes)| datagram(kind, seq, &bytes));
    prop_oneof![4 => packet, 1 => noise.prop_map(Bytes::from)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn do_arbitrary_datagrams_harm_nobody(
        datagrams in proptest::collection::vec((1..9u16, any_datagram(), 0..900u64), 0..80),
    ) {
        let mut stage = host();
        plain(&mut stage, 99, "join 7 witness");
        for (port, bytes, pause) in datagrams {
            hear(&mut stage, port, bytes);
            stage.wait(ms(pause));
        }
        stage.datagrams.clear();
        plain(&mut stage, 99, "request_users_list 0");
        prop_assert_eq!(said(&mut stage, 99).len(), 1);
        plain(&mut stage, 99, "disconnect 0");
        stage.wait(ms(100_000));
    }
}
