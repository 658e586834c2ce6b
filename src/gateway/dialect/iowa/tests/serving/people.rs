//! Who people are to those behind other doors, and those to them.

use super::*;

#[test]
fn what_are_people_called_among_us() {
    let mut served = Served::new();
    served.taken.insert("bob".to_owned());
    let (alice, bob) = (served.same(5001), served.same(5002));
    assert_eq!(served.names(), ["iowa-5001", "iowa-5002"]);
    served.receive(alice, &object(0, "alice", "hi"));
    served.receive(bob, &object(0, "bob", "ho"));
    served.receive(alice, &object(1, "alice", ""));
    assert_eq!(served.said, [("alice".into(), "hi".into()), ("iowa-5002".into(), "ho".into())]);
    assert_eq!(served.names(), ["alice", "bob2"], "taken: a number behind it");
    assert_eq!(served.heard(alice), [object(0, "bob", "ho")], "here as it was sent");
    let carol = served.same(5003);
    served.receive(carol, &object(0, "alice", "I am she as well"));
    served.receive(carol, &object(1, "Jürgen K.", "and he"));
    assert_eq!(served.names(), ["J-rgen-K.", "alice", "alice2", "bob2"]);
}

/// Programs that open a connection for each message do not come and go all the time.
#[test]
fn how_long_does_somebody_stay_who_never_subscribed() {
    let mut served = Served::new();
    for seq in 0..3 {
        let fresh = served.connect();
        served.receive(fresh, &object(seq, "dave", "hi"));
        served.end(fresh);
        served.wait(LINGER - PACE);
    }
    assert_eq!((served.names(), served.said.len()), (vec!["dave"], 3));
    let held = served.connect();
    served.receive(held, &object(3, "dave", "hi"));
    served.wait(LINGER * 3);
    assert_eq!(served.names(), ["dave"], "the connection is still there");
    served.end(held);
    served.wait(LINGER);
    assert_eq!(served.left, ["dave"]);
    assert_eq!(served.host.poll_timeout(), None);

    let fresh = served.connect();
    served.receive(fresh, &object(0, "erin", "hi"));
    served.end(fresh);
    let erin = served.same(5001);
    served.receive(erin, &object(1, "erin", "now I read as well"));
    assert_eq!(served.names(), ["erin"]);
}

#[test]
fn how_many_may_speak_without_a_subscription() {
    let mut served = Served::new();
    let bob = served.same(5002);
    let relay = served.connect();
    for user in 0..=MAX_AUTHORS_PER_CONN {
        served.receive(relay, &object(0, &format!("u{user}"), "hi"));
    }
    assert_eq!(served.said.len(), MAX_AUTHORS_PER_CONN);
    assert_eq!(served.heard(bob).len(), MAX_AUTHORS_PER_CONN + 1, "within the protocol all are heard");
    for user in MAX_AUTHORS_PER_CONN..MAX_AUTHORS {
        let conn = served.connect();
        served.receive(conn, &object(0, &format!("u{user}"), "hi"));
        served.wait(PACE);
    }
    assert_eq!(served.said.len(), MAX_AUTHORS);
    let late = served.connect();
    served.receive(late, &object(0, "late", "hi"));
    assert_eq!(served.said.len(), MAX_AUTHORS);
    served.end(relay);
    served.receive(late, &object(1, "late", "hi"));
    assert_eq!(served.said.len(), MAX_AUTHORS + 1, "who is gone makes room");
    assert_eq!(served.left, ["u0"]);
}

#[test]
fn do_lines_of_others_come_in_once_and_numbered() {
    let mut served = Served::new();
    let (alice, bob) = (served.same(5001), served.same(5002));
    served.receive(alice, &object(0, "alice", "hi"));
    served.heard(bob);
    for nick in ["alice", "iowa-5002"] {
        served.told(nick, Event::Message(said("carol", 40, "one\ntwo č")));
        served.told(nick, Event::Message(said("~dave", 41, "from another door")));
        served.told(nick, Event::Message(said("~alice", 0, "our own")));
        served.told(nick, Event::Message(Said { historic: true, ..said("carol", 39, "long ago") }));
        served.told(nick, Event::Message(said("carol", 42, "three")));
    }
    let lines = [
        object(0, "carol", r"one two \u010d"),
        object(0, "dave", "from another door"),
        object(1, "carol", "three"),
    ];
    assert_eq!(served.heard(alice), lines);
    assert_eq!(served.heard(bob), lines);
    served.told("alice", Event::Private(said("carol", 0, "psst")));
    assert_eq!(served.heard(alice), [object(2, "carol", "(private) psst")]);
    assert_eq!(served.heard(bob), [""; 0]);
    let change = Change::Join;
    served.told("alice", Event::Presence { room: "lobby".parse().unwrap(), name: "x".into(), change });
    assert_eq!(served.heard(alice), [""; 0], "there are no words for it");
    assert!(served.said.iter().all(|(_, text)| text == "hi"), "nothing goes back out");
}

#[test]
fn is_a_file_left_to_the_line_that_tells_of_it() {
    let mut served = Served::new();
    let bob = served.same(5002);
    let (to, name) = (Audience::Followers(vec!["@carol".into()]), "a.txt".into());
    served.input(Input::File { from: "~carol".into(), to, name, content: Bytes::new() });
    assert_eq!(served.heard(bob), [""; 0]);
}

#[test]
fn how_long_is_a_text_for_others() {
    let mut served = Served::new();
    let (alice, bob) = (served.same(5001), served.same(5002));
    for (text, shown) in [
        ("x".repeat(MAX_TEXT_BYTES), "x".repeat(MAX_TEXT_BYTES)),
        ("x".repeat(MAX_TEXT_BYTES + 1), "x".repeat(MAX_TEXT_BYTES - 4) + " …"),
        (
            "x".to_owned() + &"č".repeat(MAX_TEXT_BYTES),
            "x".to_owned() + &"č".repeat((MAX_TEXT_BYTES - 4) / 2 - 1) + " …",
        ),
    ] {
        served.receive(alice, &object(0, "alice", &text));
        assert_eq!(served.said.last().unwrap().1, shown);
        assert!(served.heard(bob)[0].len() > text.len(), "whole within the protocol");
    }
}
