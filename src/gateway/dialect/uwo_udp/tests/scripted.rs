//! Each side against packets as other programs send them.

use proptest::prelude::*;

use super::*;
use crate::{
    app::Command,
    gateway::dialect::{
        GuestId,
        uwo::MAX_STRANGERS,
        uwo_udp::{LINGER, MAX_ADDRESSES, REGISTER_PATIENCE, packet::ack_packet},
    },
};

fn to(peer: usize, packets: impl IntoIterator<Item = Bytes>) -> Vec<(SocketAddr, Bytes)> {
    packets.into_iter().map(|packet| (user_addr(peer), packet)).collect()
}

fn registered(peer: usize, seq: u32) -> Vec<(SocketAddr, Bytes)> {
    to(peer, [ack_packet(seq), data_packet(0, b"200 Registration successful\n")])
}

#[test]
fn does_a_program_of_the_assignment_register_talk_and_leave() {
    let mut stage = Stage::new();
    assert_eq!(stage.hears(0, 0, "REGISTER alice CHAT/1.0\n\n"), registered(0, 0));
    assert_eq!(stage.gets(0, ack_packet(0)), []);
    assert_eq!(stage.hears(1, 0, "REGISTER bob CHAT/1.0\nFollow: @alice\n\n"), registered(1, 0));
    stage.gets(1, ack_packet(0));
    let hi = "@alice: hi\n";
    let heard = stage.hears(0, 1, hi);
    let mut expected = to(0, [ack_packet(1)]);
    expected.extend(to(1, [data_packet(1, hi.as_bytes())]));
    assert_eq!(heard, expected);
    stage.gets(1, ack_packet(1));
    assert_eq!(stage.hears(0, 0, "DISCONNECT alice CHAT/1.0\n"), to(0, [ack_packet(0)]));
    assert_eq!(stage.hears(0, 0, "DISCONNECT alice CHAT/1.0\n"), to(0, [ack_packet(0)]), "repeated");
    assert_eq!(
        stage.prints(),
        [
            "Accepted connection from client address: ('127.0.0.1', 40000)",
            "Connection to client established, waiting to receive messages from user 'alice'...",
            "Accepted connection from client address: ('127.0.0.1', 40001)",
            "Connection to client established, waiting to receive messages from user 'bob'...",
            "Received message from user alice:  @alice: hi",
            "Received message from user alice:  DISCONNECT alice CHAT/1.0",
            "Disconnecting user alice",
        ]
    );
}

#[test]
fn is_a_program_heard_that_never_changes_its_number_d2() {
    let mut stage = Stage::new();
    stage.hears(0, 0, "REGISTER alice CHAT/1.0\n\n");
    stage.gets(0, ack_packet(0));
    for text in ["@alice: one\n", "@alice: one\n", "@alice: two\n"] {
        assert_eq!(stage.hears(0, 0, text), to(0, [ack_packet(0)]));
    }
    let says: Vec<&Output> =
        stage.others.iter().filter(|output| matches!(output, Output::Command { .. })).collect();
    let say = |text: &str| Output::Command { guest: GuestId(0), command: Command::Say(text.into()) };
    assert_eq!(says, [&say("one"), &say("two")]);
}

#[test]
fn is_an_address_that_does_not_register_forgotten_d4() {
    let mut stage = Stage::new();
    assert_eq!(stage.hears(0, 0, "REGIS"), to(0, [ack_packet(0)]));
    stage.hears(1, 0, "hello\n");
    assert_eq!(stage.host.poll_timeout(), Some(stage.now + Duration::from_secs(1)));
    let sent = stage.passes(REGISTER_PATIENCE);
    assert!(sent.iter().all(|(to, bytes)| *to == user_addr(1) && bytes.len() == 296));
    assert_eq!(sent.len(), 4, "the refusal is repeated until then, and to the silent nothing is said");
    assert_eq!(stage.host.poll_timeout(), None);
    assert_eq!(stage.passes(Duration::from_secs(60)), []);
    assert_eq!(stage.hears(0, 0, "REGISTER alice CHAT/1.0\n\n"), registered(0, 0));
}

#[test]
fn is_a_peer_silent_through_eight_retransmissions_removed_d4() {
    let mut stage = Stage::new();
    stage.hears(0, 0, "REGISTER alice CHAT/1.0\n\n");
    stage.prints();
    let sent = stage.passes(Duration::from_secs(9) - ms(1));
    assert_eq!(sent, to(0, vec![data_packet(0, b"200 Registration successful\n"); 8]));
    assert!(!stage.others.iter().any(|output| matches!(output, Output::Leave { .. })));
    assert_eq!(stage.passes(ms(1)), []);
    assert!(stage.others.contains(&Output::Leave { guest: GuestId(0) }));
    assert_eq!(stage.prints(), ["Closing connection"]);
    assert_eq!(stage.host.poll_timeout(), None);
}

#[test]
fn how_many_addresses_are_known() {
    let mut stage = Stage::new();
    for i in 0..MAX_ADDRESSES {
        assert_eq!(stage.hears(i, 0, &format!("REGISTER u{i} CHAT/1.0\n\n")), registered(i, 0));
        stage.gets(i, ack_packet(0));
    }
    let late = "REGISTER late CHAT/1.0\n\n";
    assert_eq!(stage.hears(MAX_ADDRESSES, 0, late), [], "one too many");
    assert_eq!(stage.hears(0, 1, "DISCONNECT u0 CHAT/1.0\n").len(), 1);
    assert_eq!(stage.hears(MAX_ADDRESSES, 0, late), registered(MAX_ADDRESSES, 0), "who left makes way");
}

#[test]
fn how_many_addresses_may_be_known_that_do_not_register() {
    let mut stage = Stage::new();
    stage.hears(0, 0, "REGISTER alice CHAT/1.0\n\n");
    stage.gets(0, ack_packet(0));
    for i in 1..=MAX_STRANGERS {
        assert_eq!(stage.hears(i, 0, "x").len(), 1, "address {i}");
    }
    assert_eq!(stage.hears(MAX_STRANGERS + 1, 0, "x"), []);
    stage.passes(REGISTER_PATIENCE);
    assert_eq!(stage.hears(MAX_STRANGERS + 1, 0, "x").len(), 1);
}

#[test]
fn may_the_same_program_come_back_at_once() {
    let mut stage = Stage::new();
    // One that goes on counting.
    stage.hears(0, 0, "REGISTER all CHAT/1.0\n\n");
    stage.gets(0, ack_packet(0));
    let again = stage.hears(0, 1, "REGISTER alice CHAT/1.0\n\n");
    assert_eq!(again, to(0, [ack_packet(1), data_packet(1, b"200 Registration successful\n")]));
    stage.gets(0, ack_packet(1));
    stage.hears(0, 0, "@alice: !exit\n");
    stage.passes(ms(250));
    stage.gets(0, ack_packet(0));
    // One that was started anew.
    assert_eq!(stage.hears(0, 0, "REGISTER alice CHAT/1.0\n\n"), registered(0, 0));
}

#[test]
fn is_what_is_repeated_after_the_end_acknowledged_for_a_while() {
    let mut stage = Stage::new();
    stage.hears(0, 0, "REGISTER alice CHAT/1.0\n\n");
    stage.gets(0, ack_packet(0));
    stage.hears(0, 1, "DISCONNECT alice CHAT/1.0\n");
    stage.passes(LINGER - ms(1));
    assert_eq!(stage.hears(0, 1, "DISCONNECT alice CHAT/1.0\n"), to(0, [ack_packet(1)]));
    stage.passes(ms(1));
    assert_eq!(stage.hears(0, 1, "DISCONNECT alice CHAT/1.0\n"), []);
    assert_eq!(stage.host.poll_timeout(), None);
}

#[test]
fn does_a_stopping_server_say_so_more_than_once() {
    let mut stage = Stage::new();
    stage.hears(0, 0, "REGISTER alice CHAT/1.0\n\n");
    stage.gets(0, ack_packet(0));
    stage.hears(1, 0, "REGISTER bob CHAT/1.0\n\n");
    let sent = stage.input(Input::Stop);
    let goodbye = data_packet(1, b"DISCONNECT CHAT/1.0\n");
    let to_alice: Vec<_> = sent.iter().filter(|(to, _)| *to == user_addr(0)).collect();
    assert!(to_alice.len() >= 3 && to_alice.iter().all(|(_, bytes)| *bytes == goodbye));
    let to_bob: Vec<_> = sent.iter().filter(|(to, _)| *to == user_addr(1)).map(|(_, bytes)| bytes).collect();
    let welcome = data_packet(0, b"200 Registration successful\n");
    assert_eq!(to_bob, [&welcome, &goodbye, &goodbye, &goodbye]);
}

#[test]
fn is_what_is_no_packet_explained_and_dropped() {
    let mut stage = Stage::new();
    let mut damaged = data_packet(0, b"REGISTER alice CHAT/1.0\n").to_vec();
    damaged[10] ^= 1;
    for bytes in
        [b"REGISTER alice CHAT/1.0\n".to_vec(), damaged, b"GET / HTTP/1.1\r\n\r\n".to_vec(), vec![0; 296]]
    {
        stage.others.clear();
        assert_eq!(stage.gets(0, bytes.into()), []);
        assert!(matches!(stage.others.as_slice(), [Output::Log(_)]));
    }
    assert_eq!(stage.gets(0, ack_packet(0)), [], "of a stranger");
    assert_eq!(stage.hears(0, 1, "REGISTER alice CHAT/1.0\n"), [], "the first number is 0");
    assert_eq!(stage.host.poll_timeout(), None);
}

/// A client started at `now`, and what it says first.
fn started(now: Instant) -> (Client, Vec<(SocketAddr, Bytes)>, Vec<Output>) {
    let (mut client, mut others) = (client("alice", &[]), Vec::new());
    client.handle(Input::Start, now);
    let sent = pump(&mut client, now, &mut others);
    (client, sent, others)
}

#[test]
fn does_the_client_register_with_a_header() {
    let now = tokio::time::Instant::now().into_std();
    let (_, sent, _) = started(now);
    assert_eq!(sent, [(server(), data_packet(0, b"REGISTER alice CHAT/1.0\n\n"))]);
}

#[test]
fn what_does_the_client_say_when_nobody_is_there() {
    let start = tokio::time::Instant::now().into_std();
    let (mut client, sent, mut others) = started(start);
    let mut all = sent.len();
    while let Some(at) = client.poll_timeout() {
        client.handle_timeout(at);
        all += pump(&mut client, at, &mut others).len();
        assert!(at <= start + Duration::from_secs(9));
    }
    assert_eq!(all, 9);
    let last = [
        Output::Print("Error:  That host or port is not accepting connections.".into()),
        Output::Exit { status: 1 },
    ];
    assert_eq!(others[others.len() - 2..], last);
}

#[test]
fn does_the_client_wait_for_its_last_acknowledgement_unless_it_is_pressed() {
    let now = tokio::time::Instant::now().into_std();
    let datagram = |bytes| Input::Datagram { from: server(), bytes };
    for pressed in [false, true] {
        let (mut client, _, mut others) = started(now);
        client.handle(datagram(ack_packet(0)), now);
        client.handle(datagram(data_packet(0, b"200 OK\n")), now);
        assert!(client.is_ready());
        client.handle(Input::Interrupted, now);
        let sent = pump(&mut client, now, &mut others);
        assert_eq!(sent.last(), Some(&(server(), data_packet(1, b"DISCONNECT alice CHAT/1.0\n"))));
        assert!(!others.contains(&Output::Exit { status: 0 }));
        client.handle(if pressed { Input::Interrupted } else { datagram(ack_packet(1)) }, now);
        pump(&mut client, now, &mut others);
        assert_eq!(others.last(), Some(&Output::Exit { status: 0 }));
        assert_eq!(client.poll_timeout(), None);
    }
}

#[test]
fn does_the_client_hear_its_server_alone() {
    let now = tokio::time::Instant::now().into_std();
    let (mut client, _, mut others) = started(now);
    client.handle(Input::Datagram { from: user_addr(9), bytes: data_packet(0, b"200 OK\n") }, now);
    assert_eq!(pump(&mut client, now, &mut others), []);
    assert!(!client.is_ready());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn do_both_sides_survive_anything(
        steps in prop::collection::vec((0..3_usize, any::<bool>(), 0..3_u32, prop::collection::vec(any::<u8>(), 0..300), 0..3_000_u64), 1..40)
    ) {
        let mut stage = Stage::new();
        stage.hears(7, 0, "REGISTER alice CHAT/1.0\n\n");
        let (mut client, _, mut others) = started(stage.now);
        for (who, ack, seq, data, pause) in steps {
            let bytes = match who {
                0 => data.into(),
                _ if ack => ack_packet(seq),
                _ => data_packet(seq, &data),
            };
            stage.gets(who, bytes.clone());
            client.handle(Input::Datagram { from: server(), bytes }, stage.now);
            stage.passes(ms(pause));
            client.handle_timeout(stage.now);
            pump(&mut client, stage.now, &mut others);
        }
        stage.passes(Duration::from_secs(120));
        let now = stage.now;
        prop_assert!(stage.host.poll_timeout().is_none_or(|at| at > now));
    }
}
