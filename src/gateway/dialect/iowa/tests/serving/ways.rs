//! On which connection subscribers get what is said.

use super::*;

/// IOWA-D2: a client that waits is called, and then never gets anything on its own connection.
#[test]
fn is_a_client_called_where_it_waits() {
    let mut served = Served::new();
    let bob = served.same(5002);
    let alice = served.connect();
    served.receive(alice, &subscribe("127.0.0.1:5001"));
    assert_eq!(served.dialled[0].1, addr("127.0.0.1:5001"));
    for seq in 0..3 {
        served.receive(bob, &object(seq, "bob", "early"));
    }
    assert_eq!(served.heard(alice), [""; 0], "what is said meanwhile waits");
    let called = served.answer();
    assert_eq!(served.heard(called).len(), 3);
    served.receive(bob, &object(3, "bob", "late"));
    assert_eq!((served.heard(called).len(), served.heard(alice).len()), (1, 0));
    served.receive(called, &object(0, "alice", "also speaks there"));
    assert_eq!((served.heard(bob).len(), served.heard(called).len()), (1, 0), "it is hers (IOWA-D3)");
    served.end(alice);
    served.receive(bob, &object(4, "bob", "still there?"));
    assert_eq!(served.heard(called).len(), 1, "an end without unsubscribe does not end this (IOWA-D5)");
    let other = served.connect();
    served.receive(other, &unsubscribe("127.0.0.1:5001"));
    assert_eq!(served.closed, [called]);
}

/// IOWA-D2, IOWA-D5: the other kind of client in the wild.
#[test]
fn does_a_client_that_cannot_be_called_read_where_it_subscribed() {
    let mut served = Served::new();
    let (alice, bob) = (served.same(5001), served.same(5002));
    served.receive(bob, &object(0, "bob", "hi"));
    assert_eq!(served.heard(alice).len(), 1);
    served.receive(alice, &subscribe("127.0.0.1:5001"));
    assert!(served.dialled.is_empty(), "not called again while it is connected");
    served.receive(bob, &object(1, "bob", "once"));
    assert_eq!(served.heard(alice).len(), 1, "never twice");
    served.end(alice);
    assert_eq!(served.left, ["iowa-5001"]);
    served.wait(REDIAL * 10);
    assert!(served.dialled.is_empty());
}

#[test]
fn is_a_client_that_left_its_connection_called_again() {
    let mut served = Served::new();
    let bob = served.same(5002);
    let alice = served.connect();
    served.receive(alice, &subscribe("127.0.0.1:5001"));
    served.end(alice);
    for _ in 1..MAX_TRIES {
        served.refuse();
        assert!(served.dialled.is_empty());
        served.wait(REDIAL);
        assert_eq!(served.dialled.len(), 1);
    }
    let called = served.answer();
    served.receive(bob, &object(0, "bob", "hi"));
    assert_eq!(served.heard(called).len(), 1);

    let carol = served.connect();
    served.receive(carol, &subscribe("127.0.0.1:5003"));
    served.end(carol);
    for _ in 1..MAX_TRIES {
        served.refuse();
        served.wait(REDIAL);
    }
    served.refuse();
    assert_eq!(served.left, ["iowa-5003"]);
}

/// IOWA-D5: dropped when a delivery fails, and only then.
#[test]
fn when_is_a_client_that_waits_given_up() {
    let mut served = Served::new();
    let bob = served.same(5002);
    let (_alice, called) = served.waiting(5001);
    served.end(called);
    served.wait(REDIAL * 5);
    assert!(served.dialled.is_empty(), "its own connection is still there");
    served.receive(bob, &object(0, "bob", "one"));
    let again = served.answer();
    assert_eq!(served.heard(again), [object(0, "bob", "one")]);
    served.end(again);
    served.receive(bob, &object(1, "bob", "two"));
    served.refuse();
    assert_eq!(served.left, ["iowa-5001"]);

    let (carol, called) = served.waiting(5003);
    served.end(carol);
    served.end(called);
    served.wait(REDIAL);
    served.refuse();
    assert_eq!(served.left, ["iowa-5001", "iowa-5003"], "without any connection it is asked at once");
}

/// IOWA-D1: the pause belongs to the socket, whoever's it is; see also what `drain` asserts.
#[test]
fn does_a_pause_outlast_a_subscription_and_end_with_its_socket() {
    let mut served = Served::new();
    let (alice, bob) = (served.same(5001), served.same(5002));
    served.receive(bob, &object(0, "bob", "one"));
    served.receive(alice, &unsubscribe("127.0.0.1:5001"));
    served.receive(alice, &subscribe("192.0.2.7:5001"));
    served.refuse();
    served.receive(bob, &object(1, "bob", "two"));
    assert_eq!(served.sent.len(), 1);
    assert_eq!(served.heard(alice).len(), 2);

    let (_, called) = served.waiting(5003);
    served.receive(bob, &object(2, "bob", "three"));
    served.end(called);
    served.receive(bob, &object(3, "bob", "four"));
    let again = served.answer();
    assert_eq!(served.heard(again), [object(3, "bob", "four")], "nothing gets stuck");
}

/// IOWA-D2: nobody makes the server call a third party, or itself.
#[test]
fn who_is_called_where() {
    for (peer, client, called) in [
        ("192.0.2.7:1", "192.0.2.7:5001", Some("192.0.2.7:5001")),
        ("192.0.2.7:1", "0.0.0.0:5001", Some("192.0.2.7:5001")),
        ("192.0.2.7:1", "5001", Some("192.0.2.7:5001")),
        ("192.0.2.7:1", "192.0.2.8:5001", None),
        ("192.0.2.7:1", "127.0.0.1:5001", None),
        ("127.0.0.1:1", "127.0.1.1:5001", Some("127.0.1.1:5001")),
        ("127.0.0.1:1", "0.0.0.0:5001", Some("127.0.0.1:5001")),
        ("127.0.0.1:1", "192.168.1.5:5001", Some("127.0.0.1:5001")),
        ("[::1]:1", "[::]:5001", Some("[::1]:5001")),
        ("[::ffff:192.0.2.7]:1", "192.0.2.7:5001", Some("192.0.2.7:5001")),
        ("127.0.0.1:1", "127.0.0.1:5000", None),
        ("127.0.0.1:1", "0.0.0.0:5000", None),
    ] {
        let mut served = Served::new();
        let bob = served.connect_from("127.0.0.1:2");
        let conn = served.connect_from(peer);
        served.receive(conn, &subscribe(client));
        let dialled = served.dialled.first().map(|(_, to)| to.to_string());
        assert_eq!(dialled.as_deref(), called, "{client} from {peer}");
        if called.is_none() {
            served.receive(bob, &object(0, "bob", "hi"));
            assert_eq!(served.heard(conn).len(), 1, "{client} from {peer} reads where it subscribed");
        }
    }
}

#[test]
fn can_somebody_else_undo_a_subscription() {
    let mut served = Served::new();
    let alice = served.connect_from("192.0.2.7:1");
    served.receive(alice, &subscribe("192.0.2.7:5001"));
    served.refuse();
    let mallory = served.connect_from("192.0.2.66:1");
    served.receive(mallory, &unsubscribe("192.0.2.7:5001"));
    served.receive(mallory, &subscribe("192.0.2.7:5001"));
    served.receive(mallory, &object(0, "mallory", "hi"));
    assert_eq!(served.heard(alice).len(), 1);
}

/// IOWA-D2: a connection stands for one subscription, so nothing comes twice.
#[test]
fn does_a_connection_that_subscribes_twice_get_everything_twice() {
    let mut served = Served::new();
    let (alice, bob) = (served.same(5001), served.same(5002));
    served.receive(alice, &subscribe("127.0.0.1:5003"));
    served.refuse();
    served.receive(bob, &object(0, "bob", "hi"));
    assert_eq!(served.heard(alice).len(), 1);
    assert_eq!(served.left, ["iowa-5001"]);
    let again = served.connect();
    served.receive(again, &subscribe("127.0.0.1:5003"));
    served.refuse();
    served.receive(bob, &object(1, "bob", "hi"));
    assert_eq!((served.heard(alice).len(), served.heard(again).len()), (0, 1), "the newer connection counts");
    served.end(alice);
    served.receive(bob, &object(2, "bob", "hi"));
    assert_eq!(served.heard(again).len(), 1);
}

/// One that does not read is dropped alone.
#[test]
fn how_much_waits_for_one_subscriber() {
    let mut served = Served::new();
    let (bob, alice) = (served.same(5002), served.connect());
    served.receive(alice, &subscribe("127.0.0.1:5001"));
    for seq in 0..MAX_QUEUED_MESSAGES as u64 {
        served.receive(bob, &object(seq, "bob", "x"));
    }
    assert!(served.left.is_empty());
    served.receive(bob, &object(9, "bob", "x"));
    assert_eq!(served.left, ["iowa-5001"]);
    let late = served.answer();
    assert_eq!(served.closed, [late], "nobody is meant by it any more");

    let carol = served.same(5003);
    for seq in 0..MAX_QUEUED_MESSAGES as u64 + 2 {
        served.receive(bob, &object(seq, "bob", "x"));
    }
    assert_eq!(served.closed, [late, carol]);
    served.receive(alice, &object(0, "alice", "hi"));
    assert_eq!(served.heard(bob).len(), 1);
}
