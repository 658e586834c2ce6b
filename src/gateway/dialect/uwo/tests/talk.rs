//! W3 to W7, W14, W22, UWO-D7, D9.

use super::*;
use crate::gateway::dialect::uwo::MAX_LINE_BYTES;

#[test]
fn does_a_line_go_to_everybody_but_its_sender_unchanged_w6() {
    let mut stage = Stage::new();
    let [alice, bob, carol] = ["alice", "bob", "carol"].map(|name| stage.joins(name));
    let stranger = stage.connects();
    stage.sends(alice, b"@alice: Hi Bob!  \xff\x07 \xc4\x8d\n");
    let line = Bytes::from_static(b"@alice: Hi Bob!  \xff\x07 \xc4\x8d\n");
    assert_eq!(stage.written.get(&bob), Some(&vec![line.clone()]));
    assert_eq!(stage.written.get(&carol), Some(&vec![line]));
    assert_eq!((stage.got(alice), stage.got(stranger)), (String::new(), String::new()));
    assert_eq!(stage.commands, [(GuestId(0), Command::Say("Hi Bob!  \u{fffd}\u{7} č".into()))]);
}

#[test]
fn are_lines_the_same_however_they_are_cut() {
    let lines = "@alice: one\r\n@alice: two\n@alice: \n@alice: three\n";
    let expected = "@alice: one\n@alice: two\n@alice: \n@alice: three\n";
    let run = |chunks: &[&[u8]]| {
        let mut stage = Stage::new();
        let (alice, bob) = (stage.joins("alice"), stage.joins("bob"));
        chunks.iter().for_each(|chunk| stage.sends(alice, chunk));
        stage.got(bob)
    };
    for at in 1..lines.len() {
        assert_eq!(run(&[&lines.as_bytes()[..at], &lines.as_bytes()[at..]]), expected, "cut at {at}");
    }
    for size in [1, 2, 256, 512, 10_000] {
        assert_eq!(run(&lines.as_bytes().chunks(size).collect::<Vec<_>>()), expected);
    }
}

#[test]
fn is_the_connection_trusted_rather_than_the_prefix_d7() {
    let mut stage = Stage::new();
    let (alice, bob) = (stage.joins("alice"), stage.joins("bob"));
    let mut sends = |line: &str| {
        stage.sends(alice, format!("{line}\n"));
        (stage.got(bob), stage.commands.drain(..).map(|(_, command)| command).next())
    };
    let say = |text: &str| Some(Command::Say(text.into()));
    assert_eq!(sends("@mallory: hi"), ("@alice: hi\n".into(), say("hi")));
    assert_eq!(sends("@bob Hello"), ("@alice Hello\n".into(), say("Hello")));
    assert_eq!(sends("@alice Hello"), ("@alice Hello\n".into(), say("Hello")));
    assert_eq!(sends("hello"), (String::new(), None));
    assert_eq!(sends("('127.0.0.1', 42184)"), (String::new(), None));
    assert_eq!(sends(""), (String::new(), None));
}

#[test]
fn is_an_empty_typed_line_a_message_d9() {
    let mut stage = Stage::new();
    let (alice, bob) = (stage.joins("alice"), stage.joins("bob"));
    stage.sends(alice, "@alice: \n");
    assert_eq!(stage.got(bob), "@alice: \n");
    assert_eq!(stage.commands, [], "others have no empty lines");
}

#[test]
fn who_is_listed_and_in_which_order_w14() {
    let mut stage = Stage::new();
    stage.others = vec!["zoe".into(), "~ann".into()];
    let (zed, bob) = (stage.joins("zed"), stage.joins("bob"));
    stage.sends(bob, "@bob: !list\n");
    assert_eq!(stage.got(bob), "zed, bob, zoe, ann\n");
    stage.sees(0, "~bob", Change::Join);
    stage.sees(1, "~bob", Change::Join);
    stage.sees(0, "dave", Change::Join);
    stage.sees(0, "zoe", Change::Rename { to: "yan".into() });
    stage.sees(0, "~ann", Change::Lost { reason: "cut".into() });
    stage.sends(zed, "@zed: !list\n");
    assert_eq!(stage.got(zed), "zed, bob, dave, yan\n");
    assert_eq!(stage.commands, [], "commands are nobody else's business");
}

#[test]
fn is_the_list_right_after_the_first_user_left() {
    let mut stage = Stage::new();
    stage.others = vec!["dave".into()];
    let (alice, bob) = (stage.joins("alice"), stage.joins("bob"));
    stage.sends(alice, "DISCONNECT alice CHAT/1.0\n");
    assert_eq!(stage.commands, [(GuestId(1), Command::Users(None))]);
    stage.sees(1, "erin", Change::Join);
    let users = ["dave", "erin", "~alice", "~bob"].map(String::from).to_vec();
    stage.told(1, Event::Users { room: "lobby".parse().unwrap(), users });
    stage.sends(bob, "@bob: !list\n");
    assert_eq!(stage.got(bob), "bob, dave, erin\n", "alice is still to be seen leaving");
    stage.sees(1, "~alice", Change::Leave);
    stage.sends(bob, "@bob: !list\n");
    assert_eq!(stage.got(bob), "bob, dave, erin\n");
}

#[test]
fn is_who_exits_told_good_bye_w22() {
    let mut stage = Stage::new();
    let (alice, bob) = (stage.joins("alice"), stage.joins("bob"));
    stage.prints();
    stage.sends(bob, "@bob: !exit\n@bob: too late\n");
    assert_eq!(stage.got(bob), "DISCONNECT CHAT/1.0\n");
    assert!(stage.is_closed(bob));
    assert_eq!(stage.got(alice), "");
    assert_eq!(stage.left, [GuestId(1)]);
    assert_eq!(stage.prints(), ["Received message from user bob:  @bob: !exit", "Disconnecting user bob"]);
}

#[test]
fn whose_unknown_command_is_an_error_d7() {
    let mut stage = Stage::new();
    let (plain, modern) = (stage.joins("plain"), stage.follows("modern", "@plain"));
    stage.sends(plain, "@plain: !dance\n");
    assert_eq!(stage.got(modern), "@plain: !dance\n");
    assert_eq!(stage.got(plain), "");
    stage.sends(modern, "@modern: !dance\n@modern: !!!\n");
    assert_eq!(stage.got(modern), "Error:  Unknown command\n");
    assert_eq!(stage.got(plain), "@modern: !!!\n");
}

#[test]
fn are_commands_text_under_broadcast_d7() {
    let mut stage = Stage::delivering(Delivery::Broadcast);
    let (alice, bob) = (stage.joins("alice"), stage.follows("bob", "x"));
    stage.sends(bob, "@bob: !list\n@bob: !exit\n");
    assert_eq!(stage.got(alice), "@bob: !list\n@bob: !exit\n");
    stage.sends(alice, "@alice: nobody follows this\n");
    assert_eq!(stage.got(bob), "@alice: nobody follows this\n");
}

#[test]
fn how_long_may_a_line_be() {
    let mut stage = Stage::new();
    let (alice, bob) = (stage.joins("alice"), stage.joins("bob"));
    let longest = format!("@alice: {}", "x".repeat(MAX_LINE_BYTES - 8));
    stage.sends(alice, format!("{longest}\r\n"));
    assert_eq!(stage.got(bob), format!("{longest}\n"));
    stage.sends(alice, format!("{longest}x\n"));
    assert_eq!(stage.got(alice), "Error:  A line has at most 8192 bytes\nDISCONNECT CHAT/1.0\n");
    assert!(stage.is_closed(alice));
    let endless = stage.joins("endless");
    stage.sends(endless, vec![b'x'; 1 << 20]);
    assert!(stage.is_closed(endless));
    stage.sends(bob, "@bob: hi\n");
    assert!(!stage.is_closed(bob), "nobody else is disturbed");
}

#[test]
fn do_twenty_clients_hear_each_other_once() {
    let mut stage = Stage::new();
    let conns: Vec<ConnId> = (0..20).map(|i| stage.joins(&format!("u{i}"))).collect();
    for round in 0..10 {
        for (i, conn) in conns.iter().enumerate() {
            stage.sends(*conn, format!("@u{i}: {round}\n"));
        }
    }
    for (i, conn) in conns.iter().enumerate() {
        let all = (0..10).flat_map(|round| (0..20).map(move |j| (round, j)));
        let expected: String =
            all.filter(|(_, j)| *j != i).map(|(round, j)| format!("@u{j}: {round}\n")).collect();
        assert_eq!(stage.got(*conn), expected);
    }
}

#[test]
fn does_a_client_that_dies_in_a_line_disturb_nobody() {
    let mut stage = Stage::new();
    let (alice, bob) = (stage.joins("alice"), stage.joins("bob"));
    stage.sends(alice, "@alice: half a li");
    stage.input(Input::Ended { conn: alice });
    stage.input(Input::Ended { conn: alice });
    assert_eq!(stage.got(bob), "");
    assert_eq!(stage.left, [GuestId(0)]);
    stage.sends(bob, "@bob: !list\n");
    assert_eq!(stage.got(bob), "bob\n");
}
