//! The client of the UDP editions, packet for packet.

use bytes::Bytes;

use super::{ack, data, end, start};
use crate::gateway::dialect::{
    CallerConfig, Input, Machine, Output,
    lums::tests::{Stage, caller_config, ms, peer},
    lums_udp::{
        Client, FORMAT_LINE,
        packet::{Kind, Packet},
    },
};

const SERVER: u16 = 15_000;

fn client(reliable: bool) -> Stage<Client> {
    Stage::new(Client::new(CallerConfig { reliable, ..caller_config("client1") }))
}

fn hear(stage: &mut Stage<Client>, bytes: Bytes) {
    stage.input(Input::Datagram { from: peer(SERVER), bytes });
}

fn sent(stage: &mut Stage<Client>) -> Vec<Packet> {
    let datagrams = std::mem::take(&mut stage.datagrams);
    assert!(datagrams.iter().all(|(to, _)| *to == peer(SERVER)));
    datagrams.iter().map(|(_, bytes)| Packet::parse(bytes).unwrap()).collect()
}

/// Acknowledges everything; returns the messages.
fn taken(stage: &mut Stage<Client>) -> Vec<String> {
    let mut messages = Vec::new();
    loop {
        let packets = sent(stage);
        if packets.is_empty() {
            return messages;
        }
        for packet in packets {
            if packet.kind == Kind::Data {
                messages.push(String::from_utf8_lossy(&packet.data).into_owned());
            }
            if packet.kind != Kind::Ack {
                hear(stage, ack(packet.seq + 1));
            }
        }
    }
}

#[test]
fn is_each_message_of_part_1_one_datagram_byte_for_byte() {
    let mut stage = client(false);
    for line in ["list", "msg 1 client2 hello!", "quit"] {
        assert!(stage.machine.is_ready());
        stage.input(Input::Typed(line.to_owned()));
        hear(&mut stage, data(0, b"response_users_list 17 2 client1 client2"));
    }
    let bytes: Vec<Bytes> =
        std::mem::take(&mut stage.datagrams).into_iter().map(|(_, bytes)| bytes).collect();
    let expected = [
        "data|0|join 7 client1|2705805698",
        "data|0|request_users_list 0|4208477517",
        "data|0|send_message 16 1 client2 hello!|1732591899",
        "data|0|disconnect 7 client1|3278956220",
    ];
    assert_eq!(bytes, expected);
    let list = "list: client1 client2";
    assert_eq!(stage.printed(), [list, list, "quitting"]);
    assert_eq!(stage.wanted, [Output::Exit { status: 0 }]);
}

#[test]
fn is_each_message_of_part_2_a_connection() {
    let mut stage = client(true);
    assert!(!stage.machine.is_ready());
    let first = stage.datagrams[0].1.clone();
    assert_eq!(Packet::parse(&first).unwrap().kind, Kind::Start);
    assert_eq!(taken(&mut stage), ["join 7 client1"]);
    assert!(stage.machine.is_ready());
    stage.input(Input::Typed("msg 1 client2 hello!".into()));
    assert!(!stage.machine.is_ready(), "one after the other");
    assert_eq!(taken(&mut stage), ["send_message 16 1 client2 hello!"]);
    stage.input(Input::Interrupted);
    assert_eq!(stage.printed(), ["quitting"]);
    assert!(stage.wanted.is_empty(), "it ends when the server knows");
    assert_eq!(taken(&mut stage), ["disconnect 7 client1"]);
    assert_eq!(stage.wanted, [Output::Exit { status: 0 }]);
    assert_eq!(stage.machine.poll_timeout(), None);
}

#[test]
fn is_what_comes_in_part_2_acknowledged_and_printed_once() {
    let mut stage = client(true);
    taken(&mut stage);
    for _ in 0..2 {
        hear(&mut stage, start(7));
        hear(&mut stage, data(9, b"t2 hello!"));
        hear(&mut stage, data(8, b"forward_message 16 1 clien"));
        hear(&mut stage, end(10));
    }
    let acks: Vec<u64> = sent(&mut stage).iter().map(|packet| packet.seq).collect();
    assert_eq!(acks, [8, 8, 10, 11, 11, 11, 11, 11]);
    assert_eq!(stage.printed(), ["msg: client2: hello!"]);
}

#[test]
fn does_a_server_that_does_not_answer_end_the_client() {
    let mut stage = client(true);
    stage.wait(ms(1999));
    assert_eq!((stage.datagrams.len(), stage.wanted.len()), (4, 0));
    stage.wait(ms(1));
    assert_eq!(stage.warned, ["the server does not answer"], "LUDP-D4");
    assert_eq!(stage.wanted, [Output::Exit { status: 1 }]);
}

#[test]
fn does_a_good_bye_that_is_not_heard_end_all_the_same() {
    let mut stage = client(true);
    taken(&mut stage);
    stage.input(Input::TypedEnd);
    stage.wait(ms(2000));
    assert_eq!((stage.printed(), stage.warned.len()), (vec!["quitting".to_owned()], 1));
    assert_eq!(stage.wanted, [Output::Exit { status: 0 }]);
}

#[test]
fn does_an_error_end_the_client_in_either_part() {
    let mut stage = client(false);
    hear(&mut stage, Bytes::from_static(b"data|0|err_server_full 0|1100590064"));
    assert_eq!(stage.printed(), ["disconnected: server full"]);
    assert_eq!(stage.wanted, [Output::Exit { status: 1 }]);
    let mut stage = client(true);
    taken(&mut stage);
    hear(&mut stage, start(7));
    hear(&mut stage, data(8, b"err_username_unavailable 0"));
    hear(&mut stage, end(9));
    assert_eq!(stage.printed(), ["disconnected: username not available"]);
    assert_eq!(sent(&mut stage).last(), Some(&Packet::bare(Kind::Ack, 10)), "said before it ends");
    assert_eq!(stage.wanted, [Output::Exit { status: 1 }]);
}

#[test]
fn is_the_format_line_that_of_the_udp_editions() {
    let mut stage = client(false);
    stage.input(Input::Typed("hello".into()));
    assert_eq!(stage.printed(), ["incorrect userinput format"], "LUMS-D11");
    assert_eq!(FORMAT_LINE, "incorrect userinput format");
}

#[test]
fn is_nobody_but_the_server_heard() {
    let mut stage = client(false);
    let bytes = data(0, b"forward_message 10 1 mallory hi");
    stage.input(Input::Datagram { from: peer(666), bytes: bytes.clone() });
    hear(&mut stage, Bytes::from_static(b"data|0|forward_message 10 1 mallory hi|1"));
    assert_eq!(stage.printed(), [""; 0]);
    hear(&mut stage, bytes);
    assert_eq!(stage.printed(), ["msg: mallory: hi"]);
}

#[test]
fn is_a_file_that_does_not_fit_in_a_datagram_not_sent_in_part_1() {
    for (bytes, datagrams, warnings) in [(60_000, 2, 0), (66_000, 1, 1)] {
        let mut stage = client(false);
        stage.input(Input::Typed("file 1 a f".into()));
        stage.input(Input::Read { path: "f".into(), content: Ok(Bytes::from(vec![b'x'; bytes])) });
        assert_eq!((stage.datagrams.len(), stage.warned.len()), (datagrams, warnings));
        assert!(stage.machine.is_ready());
    }
}

#[test]
fn is_a_wider_window_used() {
    let config = CallerConfig { window: 5, ..caller_config("a") };
    let mut stage = Stage::new(Client::new(config));
    taken(&mut stage);
    stage.input(Input::Typed("file 1 a f".into()));
    stage.input(Input::Read { path: "f".into(), content: Ok(Bytes::from(vec![b'x'; 20_000])) });
    let first = sent(&mut stage)[0].seq;
    hear(&mut stage, ack(first + 1));
    assert_eq!(sent(&mut stage).len(), 5);
}
