//! Does everything come out as it went in?

use crate::ends::{Listening, framed};

/// Bytes of which none looks like its neighbour.
fn noise(len: usize, seed: u64) -> Vec<u8> {
    let mut state = seed;
    let step = |_| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    };
    (0..len).map(step).collect()
}

#[test]
fn does_a_message_of_any_length_come_out_as_it_went_in() {
    for flags in [["--class", "thin"].as_slice(), &["--class", "bulk", "--insecure"]] {
        let insecure: &[&str] = if flags.contains(&"--insecure") { &["--insecure"] } else { &[] };
        let listening = Listening::new(insecure);
        let lengths = [0, 1, 64 << 10, 16 << 20, 0, 5];
        let messages: Vec<_> = lengths.iter().zip(1..).map(|(&len, seed)| noise(len, seed)).collect();
        let input = messages.iter().flat_map(|message| framed(0, message)).collect();
        let mut dialing = listening.dialed(flags).fed(input);
        for message in messages {
            assert!(listening.takes() == message, "{} bytes", message.len());
        }
        assert_eq!(dialing.ends(0).contains("plaintext"), !insecure.is_empty());
        dialing.is_ready();
        dialing.said_all();
    }
}

#[test]
fn do_10_000_messages_keep_the_order_of_their_lane() {
    const LANES: u16 = 8;
    let listening = Listening::new(&[]);
    let numbered = |number: u32| {
        let lane = u16::try_from(number * 7 % u32::from(LANES)).unwrap();
        (lane, [lane.to_le_bytes().as_slice(), &number.to_le_bytes()].concat())
    };
    let input = (0..10_000).map(numbered).flat_map(|(lane, message)| framed(lane, &message)).collect();
    let mut dialing = listening.dialed(&["--lanes", "8"]).fed(input);
    let mut arrived = vec![Vec::new(); LANES.into()];
    for _ in 0..10_000 {
        let message = listening.takes();
        arrived[usize::from(message[0])].push(message);
    }
    dialing.ends(0);
    for (lane, arrived) in (0..LANES).zip(arrived) {
        let sent = (0..10_000).map(numbered).filter(|(of, _)| *of == lane).map(|(_, message)| message);
        assert!(arrived.into_iter().eq(sent), "lane {lane}");
    }
}

#[test]
fn does_a_message_come_out_before_the_next_is_there() {
    let listening = Listening::new(&[]);
    let mut dialing = listening.dialed(&[]);
    dialing.is_ready();
    for number in 0..20_u8 {
        let (first, last) = (framed(0, &[number; 3]), framed(0, b""));
        dialing.write(&first[..5]);
        dialing.write(&[&first[5..], &last].concat());
        assert_eq!(listening.takes(), [number; 3]);
        assert_eq!(listening.takes(), b"");
    }
    dialing.end_input();
    dialing.ends(0);
}

#[test]
fn is_one_link_served_after_another() {
    let listening = Listening::new(&[]);
    let mut first = listening.dialed(&[]);
    first.is_ready();
    let mut second = listening.dialed(&[]).fed(framed(0, b"second"));
    second.is_ready();
    first.write(&framed(0, b"first"));
    assert_eq!(listening.takes(), b"first");
    first.end_input();
    first.ends(0);
    assert_eq!(listening.takes(), b"second");
    second.ends(0);
    let mut third = listening.dialed(&[]).fed(Vec::new());
    third.ends(0);
    let mut fourth = listening.dialed(&[]).fed(framed(0, b"fourth"));
    assert_eq!(listening.takes(), b"fourth");
    fourth.ends(0);
}

#[test]
fn does_everything_come_out_of_a_pipe_that_leaks() {
    // A pipe dials once: at 30 % one handshake in some thousands takes longer than it may.
    let impair = ["--impair", "lossy10"];
    let listening = Listening::over("udp", &impair);
    let messages: Vec<_> = (0..200).map(|seed| noise(1000, seed)).chain([noise(64 << 10, 200)]).collect();
    let input = messages.iter().flat_map(|message| framed(0, message)).collect();
    let mut dialing = listening.dialed(&impair).fed(input);
    for (number, message) in messages.iter().enumerate() {
        assert!(listening.takes() == *message, "message {number}");
    }
    let complaints = dialing.ends(0);
    assert!(complaints.contains("(--impair, with seed="), "{complaints}");
}
