//! Many at once, and some that die.

use crate::{hall::Hall, support::patience::eventually, wire::Wire};

const CROWD: usize = 20;

/// W3, V2, L4: each of twenty says ten lines at once; each hears all others, in the order of each.
#[test]
fn do_twenty_at_once_hear_each_other() {
    let hall = Hall::new(&["uwo", "vsb"]);
    let mut uwo: Vec<Wire> = (0..CROWD).map(|number| hall.uwo(&format!("u{number}"))).collect();
    for line in 0..10 {
        for (number, wire) in uwo.iter_mut().enumerate() {
            wire.sends(format!("@u{number}: line {line}\n"));
        }
    }
    for (at, wire) in uwo.iter_mut().enumerate() {
        let mut next = [0; CROWD];
        for _ in 0..(CROWD - 1) * 10 {
            let line = wire.line();
            let (who, number) = line.strip_prefix("@u").unwrap().split_once(": line ").unwrap();
            let who: usize = who.parse().unwrap();
            assert_eq!(number.parse(), Ok(next[who]), "{line}");
            next[who] += 1;
        }
        assert_eq!(next[at], 0, "nobody hears itself");
    }
    uwo.iter_mut().for_each(Wire::is_quiet);
}

/// L3 with a higher limit; every message is a read of its own (LUMS-D1).
#[test]
fn do_twenty_of_lums_get_each_message_by_itself() {
    let hall = Hall::new(&["lums,max=20"]);
    let mut all: Vec<Wire> = (0..CROWD).map(|number| hall.wire("lums", &format!("l{number}"))).collect();
    all.iter_mut().enumerate().for_each(|(number, wire)| wire.sends(format!("join l{number}")));
    for wire in &mut all[1..] {
        wire.is_quiet();
        wire.sends("send_message 1 l0 hello");
    }
    let mut senders: Vec<String> = (1..CROWD).map(|_| all[0].read()).collect();
    senders.sort();
    let mut expected: Vec<String> =
        (1..CROWD).map(|number| format!("forward_message l{number} hello")).collect();
    expected.sort();
    assert_eq!(senders, expected);
}

/// V3, 1.8: who dies in the middle of a message is gone, and nobody else notices but by the notice.
#[test]
fn is_death_in_the_middle_of_a_message_only_the_dead_ones() {
    let hall = Hall::new(&["uwo", "vsb", "lums", "iowa"]);
    let mut alice = hall.uwo("alice");
    let mut lou = hall.wire("lums", "lou");
    lou.sends("join lou");
    lou.is_quiet();
    let mut vic = hall.wire("vsb", "vic");
    vic.line();
    for (door, half) in [
        ("uwo", "REGISTER dead CHAT/1.0\n@dead: half a li"),
        ("vsb", "{\"type\": \"message\", \"da"),
        ("lums", "join dead"),
        ("iowa", "{\"seq\": 0, \"user\": \"dead\", \"mess"),
    ] {
        let mut dead = hall.wire(door, "dead");
        dead.sends(half);
        dead.close();
    }
    // Its notice of who came and went is all that anybody hears of it.
    while !vic.line().contains("has left the chat") {}
    alice.sends("@alice: still here\n");
    lou.hears_alone("forward_message alice still here");
    while !vic.line().contains("still here") {}
    alice.is_quiet();
}

/// UWO-D8, LUMS-D1: who dies in the middle of a file gives nobody half of one.
#[test]
fn is_death_in_the_middle_of_a_file_the_end_of_the_file() {
    let hall = Hall::new(&["uwo", "lums"]);
    let mut alice = hall.uwo("alice");
    let mut dead = hall.uwo("dead");
    dead.sends("@dead: !attach f.bin @alice\n");
    dead.hears("ATTACH f.bin CHAT/1.0\n");
    dead.sends("Content-Length: 1000000\n");
    dead.sends(vec![7; 300_000]);
    dead.close();
    let mut bob = hall.uwo("bob");
    bob.sends("@bob: are you there?\n");
    alice.hears("@bob: are you there?\n");
    alice.is_quiet();
    // The name of the dead is free.
    let mut again = hall.uwo("dead");
    again.is_quiet();

    // A receiver that dies while it is being sent a file.
    bob.sends("@bob: !follow @alice\n");
    bob.hears("Now following @alice\n");
    alice.sends("@alice: !attach big.bin x\n");
    alice.hears("ATTACH big.bin CHAT/1.0\n");
    alice.sends("Content-Length: 4000000\n");
    bob.close();
    alice.sends(vec![1; 4_000_000]);
    alice.hears("Attachment big.bin attached and distributed\n");
    alice.sends("@alice: !list\n");
    let list = alice.line();
    assert!(list.starts_with("alice, dead"), "{list}");
}

/// 1.8: one that never reads is disconnected, and holds up nobody meanwhile.
#[test]
fn is_one_that_never_reads_no_hindrance() {
    let hall = Hall::new(&["uwo"]);
    let mut alice = hall.uwo("alice");
    let mut bob = hall.uwo("bob");
    let deaf = std::net::TcpStream::connect(hall.at("uwo")).unwrap();
    std::io::Write::write_all(&mut &deaf, b"REGISTER deaf CHAT/1.0\n").unwrap();
    let text = "x".repeat(8_000);
    let before = hall.memory();
    for number in 0..2_000 {
        alice.sends(format!("@alice: {number} {text}\n"));
        bob.hears(format!("@alice: {number} {text}\n"));
    }
    // The room keeps 16 MiB of what was said; nothing else grows.
    assert!(hall.memory() < before + 64_000, "{} kB, before {before}", hall.memory());
    bob.sends("@bob: !list\n");
    bob.hears("alice, bob\n");
}

/// 4.5: who connects and says nothing has five seconds, and keeps nobody out meanwhile.
#[test]
fn do_silent_strangers_keep_nobody_out() {
    let hall = Hall::new(&["uwo", "lums"]);
    let mut early = hall.wire("uwo", "early");
    let strangers: Vec<Wire> = [("uwo", 200), ("lums", 200)]
        .into_iter()
        .flat_map(|(door, many)| (0..many).map(move |_| door))
        .map(|door| hall.wire(door, "stranger"))
        .collect();
    let mut alice = hall.uwo("alice");
    let mut lou = hall.wire("lums", "lou");
    lou.sends("join lou");
    eventually("lou is in", || {
        alice.sends("@alice: !list\n");
        (alice.line() == "alice, lou").then_some(())
    });
    lou.sends("request_users_list");
    lou.hears("response_users_list 2 alice lou");
    early.comes_to_an_end();
    drop(strangers);
    alice.is_quiet();
}
