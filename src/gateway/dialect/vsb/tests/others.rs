//! What goes out to those who came through other doors, and what comes in from them.

use super::*;

#[test]
fn do_lines_go_out_to_others_once() {
    let mut served = Served::new();
    let (alice, _) = (served.named(ALICE, "alice"), served.join(BOB));
    served.line(alice, r#"{"type": "message", "data": "a\nb\tč"}"#);
    assert_eq!(served.said, [(GuestId(1), "a\nb\tč".to_owned())]);
    served.line(alice, r#"{"type": "message", "data": ""}"#);
    assert_eq!(served.said.len(), 1, "nothing is nothing to say elsewhere");
    assert_eq!(served.shown(alice).last().unwrap(), "alice: ");
}

#[test]
fn do_lines_of_others_come_in_once() {
    let mut served = Served::new();
    let (alice, bob) = (served.named(ALICE, "alice"), served.join(BOB));
    for guest in [1, 2] {
        served.told(guest, Event::Message(said("carol", 0, "hi\r\nthere\u{1b}[2J č")));
    }
    let hi = message("carol", r#"hi there\\u{1b}[2J \u010d"#);
    assert_eq!([served.heard(alice), served.heard(bob)], [hi.clone(), hi]);
    assert_eq!(served.printed, ["carol: hi there\\u{1b}[2J č"]);
    served.told(2, Event::Message(said("~alice", 0, "of our own")));
    served.told(2, Event::Message(Said { historic: true, ..said("carol", 1, "long ago") }));
    assert_eq!(served.heard(bob), "");
    served.told(1, Event::Message(said("~dave", 1, "from another door")));
    assert_eq!(served.shown(alice), ["dave: from another door"]);
    served.line(bob, r#"{"type": "history"}"#);
    assert_eq!(served.shown(bob), ["[Server]: carol: hi there\\u{1b}[2J č\ndave: from another door"]);
    served.told(1, Event::Private(said("carol", 0, "psst")));
    assert_eq!(served.shown(alice), ["carol (private): psst"]);
    assert_eq!(served.heard(bob), "");
    served.told(
        2,
        Event::Gap {
            place: Place::Room("lobby".parse().unwrap()),
            from: "carol".into(),
            first: Seq(1),
            last: Seq(3),
        },
    );
    assert_eq!(served.shown(bob), ["[Server]: 3 lines of carol were lost"]);
}

#[test]
fn are_lines_heard_before_bounded() {
    let mut served = Served::new();
    served.join(ALICE);
    for seq in 0..=MAX_HEARD as u64 {
        served.told(1, Event::Message(said("carol", seq, "x")));
    }
    served.forget();
    served.told(1, Event::Message(said("carol", MAX_HEARD as u64, "x")));
    assert!(served.printed.is_empty());
    served.told(1, Event::Message(said("carol", 0, "x")));
    assert_eq!(served.printed.len(), 1, "the oldest is forgotten");
}

/// VSB-D5, for people of other doors.
#[test]
fn who_comes_and_goes_elsewhere() {
    let mut served = Served::new();
    served.users = vec!["carol".to_owned(), "~127.0.0.1-37916".to_owned(), "~erin".to_owned()];
    let (alice, bob) = (served.join(ALICE), served.join(BOB));
    for guest in [1, 2] {
        served.told(guest, presence("dave", Change::Join));
        served.told(guest, presence("carol", Change::Rename { to: "caro".into() }));
        served.told(guest, presence("~erin", Change::Lost { reason: "x".into() }));
        // Our own, told by the room as well.
        served.told(guest, presence("~127.0.0.1-37928", Change::Join));
    }
    let notices = [
        "[Server]: dave has entered the chat",
        "[Server]: carol renamed to caro",
        "[Server]: erin has left the chat",
    ];
    assert_eq!(served.shown(alice), notices);
    assert_eq!(served.shown(bob), notices);
    assert_eq!(served.printed, notices, "once");
    served.line(alice, r#"{"type": "users"}"#);
    assert_eq!(served.shown(alice), [format!("[Server]: {ALICE}, {BOB}, caro, dave")]);
    served.end(bob);
    served.shown(alice);
    served.told(1, presence("~127.0.0.1-37928", Change::Leave));
    assert_eq!(served.heard(alice), "", "told already");
    served.told(1, presence("dave", Change::Leave));
    assert_eq!(served.shown(alice), ["[Server]: dave has left the chat"]);
}

#[test]
fn is_a_guest_told_that_others_did_not_get_a_line() {
    let mut served = Served::new();
    let alice = served.join(ALICE);
    served.told(1, Event::Error(Trouble::new("message_too_long", "the message is too long", "")));
    assert_eq!(served.shown(alice), ["[Server]: the message is too long"]);
    served.told(1, Event::Closed { reason: "server_shutdown" });
    assert_eq!(served.closed, [alice]);
}

#[test]
fn is_a_file_left_to_the_line_that_tells_of_it() {
    let mut served = Served::new();
    let bob = served.named(BOB, "bob");
    let (to, name) = (Audience::Names(vec!["~bob".into()]), "a.txt".into());
    served.input(Input::File { from: "~carol".into(), to, name, content: Bytes::new() });
    assert_eq!(served.heard(bob), "");
}
