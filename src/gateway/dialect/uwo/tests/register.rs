//! W1 to W3, W8 to W11, UWO-D1, D3, D5, D10.

use super::*;
use crate::gateway::dialect::uwo::{MAX_STRANGERS, REGISTER_PATIENCE};

#[test]
fn what_does_the_server_print_from_start_to_end() {
    let mut stage = Stage::new();
    let alice = stage.joins("alice");
    stage.sends(alice, "@alice: @bob, are you there?\n");
    stage.sends(alice, "DISCONNECT alice CHAT/1.0\n");
    let bob = stage.joins("bob");
    stage.input(Input::Ended { conn: bob });
    stage.input(Input::Stop);
    assert_eq!(
        stage.prints(),
        [
            "Will wait for client connections at port 54307",
            "Waiting for incoming client connections ...",
            "Accepted connection from client address: ('127.0.0.1', 54308)",
            "Connection to client established, waiting to receive messages from user 'alice'...",
            "Received message from user alice:  @alice: @bob, are you there?",
            "Received message from user alice:  DISCONNECT alice CHAT/1.0",
            "Disconnecting user alice",
            "Accepted connection from client address: ('127.0.0.1', 54309)",
            "Connection to client established, waiting to receive messages from user 'bob'...",
            "Closing connection",
            "Interrupt received, shutting down ...",
        ]
    );
}

#[test]
fn is_an_ipv6_client_printed_as_python_would() {
    let mut stage = Stage::new();
    stage.prints();
    stage.input(Input::Accepted { conn: ConnId(5), peer: "[::1]:54308".parse().unwrap() });
    assert_eq!(stage.prints(), ["Accepted connection from client address: ('::1', 54308, 0, 0)"]);
}

#[test]
fn is_a_name_taken_once_and_free_again_at_once_w10() {
    let mut stage = Stage::new();
    let alice = stage.joins("alice");
    let second = stage.connects();
    stage.prints();
    stage.sends(second, "REGISTER alice CHAT/1.0\n");
    assert_eq!(stage.got(second), "401 Client already registered\n");
    assert!(stage.is_closed(second) && !stage.is_closed(alice));
    assert_eq!(stage.prints(), ["Error:  Client already registered.", "Connection closing ..."]);
    stage.sends(alice, "DISCONNECT alice CHAT/1.0\n");
    stage.joins("alice");
}

#[test]
fn is_who_registers_twice_on_one_connection_told_so_and_disconnected() {
    let mut stage = Stage::new();
    let alice = stage.joins("alice");
    stage.sends(alice, "REGISTER alice CHAT/1.0\n");
    assert_eq!(stage.got(alice), "401 Client already registered\n");
    assert!(stage.is_closed(alice));
    assert_eq!(stage.left, [GuestId(0)]);
}

#[test]
fn is_a_bad_registration_answered_and_closed_w10_d5() {
    for line in [
        "REGISTER alice",
        "REGISTER all CHAT/1.0",
        "REGISTER a b CHAT/1.0",
        "REGISTER @a CHAT/1.0",
        "hello",
        "",
        "@alice: hi",
        "DISCONNECT alice CHAT/1.0",
        "SSH-2.0-OpenSSH_9.6",
        "\u{1}\u{2}",
    ] {
        let mut stage = Stage::new();
        let conn = stage.connects();
        stage.prints();
        stage.sends(conn, format!("{line}\n"));
        assert_eq!(stage.got(conn), "400 Invalid registration\n", "{line}");
        assert!(stage.is_closed(conn));
        let received = format!("Received: {line}");
        assert_eq!(
            stage.prints(),
            ["Error:  Invalid registration message.", &received, "Connection closing ..."]
        );
        stage.sends(conn, "REGISTER alice CHAT/1.0\n");
        assert_eq!(stage.got(conn), "");
    }
}

#[test]
fn is_a_browser_or_a_tls_client_closed_without_a_word() {
    for start in
        [&b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"[..], b"POST /x HTTP/1.1\r\n", b"\x16\x03\x01\x02\x00\x01\x00"]
    {
        let mut stage = Stage::new();
        let conn = stage.connects();
        stage.sends(conn, start);
        assert_eq!(stage.got(conn), "");
        assert!(stage.is_closed(conn));
    }
}

#[test]
fn does_a_leaving_client_get_no_answer_w11() {
    let mut stage = Stage::new();
    let (alice, bob) = (stage.joins("alice"), stage.joins("bob"));
    stage.sends(alice, "DISCONNECT alice CHAT/1.0\n");
    assert_eq!((stage.got(alice), stage.got(bob)), (String::new(), String::new()));
    assert!(stage.is_closed(alice) && !stage.is_closed(bob));
    assert_eq!(stage.left, [GuestId(0)]);
}

#[test]
fn does_a_stopping_server_tell_everybody_w9() {
    let mut stage = Stage::new();
    let (alice, bob) = (stage.joins("alice"), stage.follows("bob", "x"));
    let stranger = stage.connects();
    stage.input(Input::Stop);
    assert_eq!([stage.got(alice), stage.got(bob)], ["DISCONNECT CHAT/1.0\n"; 2]);
    assert_eq!(stage.got(stranger), "");
    assert_eq!(stage.closed.len(), 3);
    assert_eq!(stage.left.len(), 2);
    assert_eq!(stage.host.poll_timeout(), None);
}

#[test]
fn is_a_name_of_others_taken_too() {
    let mut stage = Stage::new();
    stage.others = vec!["Dana".into()];
    let conn = stage.connects();
    stage.sends(conn, "REGISTER dana CHAT/1.0\n");
    assert_eq!(stage.got(conn), "401 Client already registered\n");
    assert!(stage.is_closed(conn));
    assert_eq!(stage.left, []);
}

#[test]
fn is_a_name_that_others_cannot_see_unique_here() {
    let mut stage = Stage::new();
    let insists = |stage: &mut Stage, name: &str| {
        stage.answers = false;
        let conn = stage.connects();
        stage.sends(conn, format!("REGISTER {name} CHAT/1.0\n"));
        let insists = stage.entering.last().map(|(_, _, insists)| *insists);
        stage.answer();
        (insists, stage.got(conn))
    };
    assert_eq!(insists(&mut stage, "alice"), (Some(true), REGISTERED.into()));
    assert_eq!(insists(&mut stage, "čeněk"), (Some(false), REGISTERED.into()));
    assert_eq!(insists(&mut stage, "server"), (Some(false), REGISTERED.into()));
    let conn = stage.connects();
    stage.sends(conn, "REGISTER čeněk CHAT/1.0\n");
    assert_eq!(stage.got(conn), "401 Client already registered\n");
}

#[test]
fn does_what_comes_before_the_answer_of_the_room_wait() {
    let mut stage = Stage::new();
    let bob = stage.joins("bob");
    stage.answers = false;
    let alice = stage.connects();
    stage.sends(alice, "REGISTER alice CHAT/1.0\n@alice: early\n");
    stage.sends(alice, "@alice: later\n");
    let rival = stage.connects();
    stage.sends(rival, "REGISTER alice CHAT/1.0\n");
    assert_eq!(stage.got(rival), "401 Client already registered\n", "the name is spoken for");
    assert_eq!((stage.got(alice), stage.got(bob)), (String::new(), String::new()));
    stage.answer();
    assert_eq!(stage.got(alice), REGISTERED);
    assert_eq!(stage.got(bob), "@alice: early\n@alice: later\n");
}

#[test]
fn is_who_goes_before_the_answer_of_the_room_forgotten() {
    let mut stage = Stage::new();
    stage.answers = false;
    let alice = stage.connects();
    stage.sends(alice, "REGISTER alice CHAT/1.0\n");
    stage.input(Input::Ended { conn: alice });
    assert_eq!(stage.left, [GuestId(0)]);
    stage.answer();
    assert_eq!(stage.got(alice), "");
    stage.answers = true;
    stage.joins("alice");
}

#[test]
fn is_a_full_server_full() {
    let mut stage = Stage::with(HostConfig { max_clients: Some(2), ..config() });
    stage.joins("a");
    let b = stage.joins("b");
    let c = stage.connects();
    stage.sends(c, "REGISTER c CHAT/1.0\n");
    assert_eq!(stage.got(c), "400 Invalid registration\n");
    stage.sends(b, "DISCONNECT b CHAT/1.0\n");
    stage.joins("c");
    stage.refusal = Some(Refusal::Full);
    let mut stage = Stage::new();
    stage.refusal = Some(Refusal::Full);
    let d = stage.connects();
    stage.sends(d, "REGISTER d CHAT/1.0\n");
    assert_eq!(stage.got(d), "400 Invalid registration\n");
}

#[test]
fn how_long_may_a_connection_say_nothing() {
    let mut stage = Stage::new();
    let (silent, half) = (stage.connects(), stage.connects());
    stage.sends(half, "REGISTER al");
    stage.passes(REGISTER_PATIENCE - ms(1));
    assert_eq!(stage.closed.len(), 0);
    stage.passes(ms(1));
    assert_eq!(stage.got(silent), "400 Invalid registration\n");
    assert_eq!(stage.got(half), "400 Invalid registration", "it ends no lines, so neither do we");
    assert!(stage.is_closed(silent) && stage.is_closed(half));
    assert_eq!(stage.host.poll_timeout(), None);
}

#[test]
fn how_many_may_be_connected_without_registering() {
    let mut stage = Stage::new();
    stage.joins("alice");
    let strangers: Vec<ConnId> = (0..MAX_STRANGERS).map(|_| stage.connects()).collect();
    assert!(!stage.is_closed(*strangers.last().unwrap()));
    assert!(!stage.is_closed(strangers[0]));
    let more = stage.connects();
    assert!(stage.is_closed(strangers[0]) && !stage.is_closed(more), "the first makes way");
    stage.sends(strangers[1], "REGISTER bob CHAT/1.0\n");
    stage.connects();
    assert!(!stage.is_closed(strangers[2]), "who registers is no stranger");
}

#[test]
fn is_the_header_read_however_it_is_cut_d3() {
    let registration = "REGISTER bob CHAT/1.0\r\nFollow: apple,news\r\n\r\n@bob: !follow?\r\n";
    for at in 1..registration.len() {
        let mut stage = Stage::new();
        let bob = stage.connects();
        stage.sends(bob, &registration[..at]);
        stage.sends(bob, &registration[at..]);
        assert_eq!(stage.got(bob), format!("{REGISTERED}apple, news, @bob, @all\n"), "cut at {at}");
    }
    for size in [1, 2, 256, 512] {
        let mut stage = Stage::new();
        let bob = stage.connects();
        registration.as_bytes().chunks(size).for_each(|chunk| stage.sends(bob, chunk));
        assert_eq!(stage.got(bob), format!("{REGISTERED}apple, news, @bob, @all\n"), "{size} at a time");
    }
}

#[test]
fn is_an_empty_line_a_header_only_right_after_the_registration_d3() {
    let mut stage = Stage::new();
    let header = stage.joins_with("REGISTER a CHAT/1.0\n");
    stage.sends(header, "\n");
    let late = stage.joins("late");
    stage.sends(late, "@late: hello\n\n");
    let sender = stage.joins("c");
    stage.got(header);
    stage.sends(sender, "@c: nobody follows this\n");
    assert_eq!(stage.got(header), "", "it registered with a header");
    assert_eq!(stage.got(late), "@c: nobody follows this\n");
    assert!(!stage.is_closed(late));
}

#[test]
fn does_talk_end_a_header_that_nothing_ended() {
    let mut stage = Stage::new();
    let carol = stage.joins("carol");
    let bob = stage.joins_with("REGISTER bob CHAT/1.0\nFollow: x\nOther: y\n");
    stage.sends(bob, "@bob: hi\n");
    assert_eq!(stage.got(carol), "@bob: hi\n");
    stage.sends(bob, "Follow: z\n@bob: !follow?\n");
    assert_eq!(stage.got(bob), "x, @bob, @all\n");
}
