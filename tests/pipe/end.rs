//! What ends a pipe, and what does either end say then?

use crate::ends::{Listening, framed};

#[test]
fn does_a_signal_end_either_end_in_order() {
    for signal in ["INT", "TERM"] {
        let mut listening = Listening::new(&[]);
        let mut first = listening.dialed(&[]);
        first.is_ready();
        first.write(&framed(0, b"hello"));
        assert_eq!(listening.takes(), b"hello");
        first.end.signal(signal);
        assert_eq!(first.ends(0), "");

        let mut second = listening.dialed(&[]);
        second.is_ready();
        let mut third = listening.dialed(&[]);
        third.is_ready();
        listening.end.signal(signal);
        assert_eq!(listening.end.outcome(), (0, String::new()));
        for told in [&mut second, &mut third] {
            let complaints = told.ends(1);
            let error = "error: the other side left before the end of the input\n";
            assert!(complaints.starts_with(error), "{complaints}");
        }
        listening.took_all();
    }
}

#[test]
fn does_an_end_say_what_may_not_have_arrived() {
    let mut listening = Listening::new(&[]);
    let mut dialing = listening.dialed(&[]);
    dialing.is_ready();
    dialing.write(&framed(0, b"hello"));
    assert_eq!(listening.takes(), b"hello");
    listening.end.murder();
    let complaints = dialing.ends(1);
    assert!(complaints.contains(" messages may not have been consumed by the other side: "), "{complaints}");
}

#[test]
fn does_a_link_that_breaks_end_nothing_but_itself() {
    let mut listening = Listening::new(&[]);
    let mut dialing = listening.dialed(&[]);
    dialing.is_ready();
    dialing.write(&framed(0, b"hello"));
    assert_eq!(listening.takes(), b"hello");
    dialing.end.murder();
    let mut next = listening.dialed(&[]).fed(framed(0, b"again"));
    assert_eq!(listening.takes(), b"again");
    next.ends(0);
    listening.end.signal("INT");
    let (status, complaints) = listening.end.outcome();
    assert_eq!(status, 0);
    assert!(complaints.starts_with("127.0.0.1:") && complaints.contains("lost"), "{complaints}");
}

#[test]
fn is_what_nobody_reads_not_called_consumed() {
    let listening = Listening::new(&[]);
    let mut dialing = listening.dialed(&[]).fed(framed(0, &[7; 1 << 20]).repeat(3));
    dialing.is_ready();
    let mut end = listening.left_unread();
    let (status, complaints) = end.outcome();
    assert_eq!(status, 1);
    assert!(complaints.starts_with("error: cannot write the messages to stdout: "), "{complaints}");
    dialing.ends(1);
}
