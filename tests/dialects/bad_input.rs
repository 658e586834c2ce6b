//! What no program should send. The answer is the documented one, nobody else is disturbed, and memory stays
//! bounded.

use crate::{hall::Hall, wire::Wire};

const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";
const CLIENT_HELLO: &[u8] = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03aaaaaaaaaaaaaaaaaaaaaaaa";

/// Kilobytes that bad input may cost.
const MEMORY: u64 = 24_000;

/// Two at every door who must hear nothing but each other.
struct Witnesses {
    uwo: [Wire; 2],
    vsb: [Wire; 2],
    lums: [Wire; 2],
}

impl Witnesses {
    fn new(hall: &Hall) -> Self {
        let uwo = ["wanda", "wim"].map(|name| {
            let mut wire = hall.wire("uwo", name);
            wire.sends(format!("REGISTER {name} CHAT/1.0\nFollow: proof\n\n"));
            wire.hears("200 Registration successful\n");
            wire
        });
        let lums = ["lea", "leo"].map(|name| {
            let mut wire = hall.wire("lums", name);
            wire.sends(format!("join {name}"));
            wire.is_quiet();
            wire
        });
        let vsb = ["vera", "vito"].map(|name| {
            let mut wire = hall.wire("vsb", name);
            wire.line();
            wire
        });
        Self { uwo, vsb, lums }
    }

    /// Each door works as before.
    fn are_undisturbed(&mut self) {
        self.uwo[0].sends("@wanda: proof\n");
        self.uwo[1].hears("@wanda: proof\n");
        self.lums[0].sends("send_message 1 leo proof");
        loop {
            // What the others said in public comes as well.
            let line = self.lums[1].read();
            if line == "forward_message lea proof" {
                break;
            }
        }
        self.vsb[0].sends("{\"type\": \"message\", \"data\": \"proof\"}\n");
        for wire in &mut self.vsb {
            while !wire.line().contains("\"message\": \"proof\"") {}
        }
    }
}

/// trust.md T22 of the project's rules: a browser or TLS is shown the door, at every door.
#[test]
fn is_a_browser_turned_away_at_every_door() {
    let hall = Hall::new(&["iowa", "uwo", "vsb", "lums"]);
    for door in ["iowa", "uwo", "vsb", "lums"] {
        for hello in [REQUEST, CLIENT_HELLO] {
            let mut wire = hall.wire(door, door);
            wire.sends(hello);
            wire.comes_to_an_end();
        }
    }
}

/// VSB-D2, VSB-D3, VSB-D8
#[test]
fn is_bad_json_answered_to_its_sender_alone() {
    let hall = Hall::new(&["vsb"]);
    let mut other = hall.wire("vsb", "other");
    other.line();
    let mut wire = hall.wire("vsb", "bad");
    wire.line();
    other.line();
    for bad in [
        "{\"type\": \"message\", \"data\": \"say \"x\"\"}",
        "[1, 2]",
        "\"text\"",
        "{\"data\": \"x\"}",
        "{\"type\": 5, \"data\": \"x\"}",
        "{\"type\": \"message\"}",
        "{\"type\": \"message\", \"data\": {\"a\": 1}}",
        "{\"type\": \"set-name\", \"data\": 5}",
        "{\"type\": \"set-name\", \"data\": \"\"}",
        "{\"type\": \"set-name\", \"data\": \"[Server]\"}",
        "{\"type\": \"set-name\", \"data\": \"a\\nb\"}",
        "{\"type\": \"set-name\", \"data\": \"abcdefghijklmnopqrstuvwxyz0123456\"}",
    ] {
        wire.sends(format!("{bad}\n"));
        let answer = wire.line();
        assert!(
            answer.starts_with("{\"type\": \"message\", \"data\": {\"source\": \"[Server]\""),
            "{bad}: {answer}"
        );
        assert!(!answer.contains("renamed"), "{bad}: {answer}");
    }
    // VSB-D2: an unknown type is ignored.
    wire.sends("{\"type\": \"dance\", \"data\": \"\"}\n");
    wire.is_quiet();
    other.is_quiet();
    wire.sends("{\"type\": \"message\", \"data\": \"fine\"}\n");
    assert!(wire.line().contains("\"fine\"") && other.line().contains("\"fine\""));
}

/// VSB-D3
#[test]
fn are_twenty_bad_lines_in_a_row_the_end() {
    let hall = Hall::new(&["vsb"]);
    let mut wire = hall.wire("vsb", "bad");
    for _ in 0..19 {
        wire.sends("nonsense\n");
    }
    wire.sends("{\"type\": \"message\", \"data\": \"fine\"}\n");
    while !wire.line().contains("\"fine\"") {}
    for _ in 0..20 {
        wire.sends("nonsense\n");
    }
    wire.comes_to_an_end();
}

/// 4.5, VSB-D3, 6.4: a line without an end is cut off, and costs no memory.
#[test]
fn does_an_endless_line_cost_nothing() {
    let hall = Hall::new(&["iowa", "uwo", "vsb", "lums"]);
    let mut witnesses = Witnesses::new(&hall);
    let before = hall.memory();
    let garbage: Vec<u8> = (0..8_000_000_u32).map(|number| (number * 31 % 251) as u8 | 0x40).collect();
    for (door, start) in [
        ("iowa", "{\"seq\": 0, \"user\": \""),
        ("uwo", "REGISTER "),
        ("uwo", "REGISTER endless CHAT/1.0\n@endless: "),
        ("vsb", "{\"type\": \"message\", \"data\": \""),
        ("lums", "join endless"),
        ("lums", "send_message 1 lea "),
        ("lums", ""),
    ] {
        let mut wire = hall.wire(door, door);
        wire.tries_to_send(start.as_bytes());
        wire.tries_to_send(&garbage);
        wire.close();
    }
    witnesses.are_undisturbed();
    let after = hall.memory();
    assert!(after < before + MEMORY, "{after} kB, before {before}");
}

/// Binary where text is expected, at every door, as one write and as many.
#[test]
fn does_binary_disturb_nobody() {
    let hall = Hall::new(&["iowa", "uwo", "vsb", "lums"]);
    let mut witnesses = Witnesses::new(&hall);
    let binary: Vec<u8> =
        (0..20_000_u32).map(|number| (number.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    for door in ["iowa", "uwo", "vsb", "lums"] {
        for size in [1_000, 20_000] {
            let mut wire = hall.wire(door, door);
            binary.chunks(size).for_each(|piece| wire.tries_to_send(piece));
            wire.close();
        }
    }
    witnesses.are_undisturbed();
}

/// UWO-D8: sizes that lie.
#[test]
fn is_a_file_size_that_lies_refused() {
    let hall = Hall::new(&["uwo"]);
    let mut alice = hall.wire("uwo", "alice");
    alice.sends("REGISTER alice CHAT/1.0\n\n");
    alice.hears("200 Registration successful\n");
    let mut bob = hall.wire("uwo", "bob");
    bob.sends("REGISTER bob CHAT/1.0\nFollow: @alice\n\n");
    bob.hears("200 Registration successful\n");
    let before = hall.memory();
    for size in ["-2", "x", "", "99999999999999999999"] {
        alice.sends("@alice: !attach f apple\n");
        alice.hears("ATTACH f CHAT/1.0\n");
        alice.sends(format!("Content-Length: {size}\n"));
        let answer = alice.line();
        assert!(answer.starts_with("Error:  "), "{size}: {answer}");
    }
    // One above the limit is read past, since the bytes are on their way already.
    alice.sends("@alice: !attach f apple\n");
    alice.hears("ATTACH f CHAT/1.0\n");
    alice.sends(format!("Content-Length: {}\n", (64 << 20) + 1));
    let megabyte = vec![b'x'; 1 << 20];
    (0..64).for_each(|_| alice.sends(&megabyte));
    alice.sends("x");
    alice.hears("Error:  Attached file f could not be sent\n");
    bob.is_quiet();
    assert!(hall.memory() < before + MEMORY);
    // More bytes than announced are lines again.
    alice.sends("@alice: !attach f apple\n");
    alice.hears("ATTACH f CHAT/1.0\n");
    alice.sends("Content-Length: 3\nabc@alice: behind it\n");
    bob.hears("ATTACHMENT f CHAT/1.0\nOrigin: alice\nContent-Length: 3\nabc@alice: behind it\n");
}

/// UWO-D8, LUMS-D10: a name of a file is only a name, and names of strangers are not trusted.
#[test]
fn does_no_path_leave_the_folder() {
    let hall = Hall::new(&["uwo", "lums"]);
    let url = hall.url("uwo");
    let mut ours = hall.caller("bob", "uwo", &["-f", "@alice", "bob", &url]);
    ours.comes_to_say("Registration successful.  Ready for messaging!");
    let mut alice = hall.wire("uwo", "alice");
    alice.sends("REGISTER alice CHAT/1.0\n\n");
    alice.hears("200 Registration successful\n");
    alice.sends("@alice: !attach ../../evil.sh x\n");
    let attach = alice.line();
    assert!(attach.starts_with("ATTACH "), "{attach}");
    alice.sends("Content-Length: 4\nrm *");
    ours.says_with("Incoming file: ");
    alice.hears("Attachment ");
    alice.line();
    alice.sends("@alice: done\n");
    ours.comes_to_say("@alice: done");
    assert!(hall.home("bob").join("evil.sh").exists());
    assert!(!hall.folder.path().join("evil.sh").exists());
}

/// LUMS-D6: each of these ends one connection and no other.
#[test]
fn is_a_wrong_count_an_unknown_message() {
    let hall = Hall::new(&["lums"]);
    let mut lea = hall.wire("lums", "lea");
    lea.sends("join lea");
    lea.is_quiet();
    for bad in [
        "send_message",
        "send_message 1",
        "send_message -1 lea x",
        "send_message 99999999999999999999 lea x",
        "send_message 1.5 lea x",
        "send_message 4 lea x",
        "send_file 2 lea",
        "\u{0}\u{1}\u{2}",
    ] {
        let mut wire = hall.wire("lums", "bad");
        wire.sends("join bad");
        wire.is_quiet();
        wire.sends(bad);
        wire.hears("err_unknown_message");
        wire.ends();
    }
    // LUMS-D8: no name, and a name of two words.
    for bad in ["join", "join ", "join two words"] {
        let mut wire = hall.wire("lums", "bad");
        wire.sends(bad);
        wire.comes_to_an_end();
    }
    lea.sends("request_users_list");
    lea.hears("response_users_list 1 lea");
}

/// 3.7 Errors: no answer; twenty in a row end the connection.
#[test]
fn is_bad_json_of_iowa_passed_over() {
    let hall = Hall::new(&["iowa"]);
    let mut other = hall.wire("iowa", "other");
    let port = other.port();
    other.sends(format!(r#"{{"operation": "subscribe", "client": "127.0.0.1:{port}"}}"#));
    let mut wire = hall.wire("iowa", "bad");
    other.is_quiet();
    for bad in [
        r#"{"seq": "zero", "user": "u", "message": "x"}"#,
        r#"{"seq": 0, "user": 5, "message": "x"}"#,
        r#"{"seq": 0, "user": "u"}"#,
        r#"{"operation": 5, "client": "127.0.0.1:5"}"#,
        r#"{"operation": "subscribe", "client": "127.0.0.1"}"#,
        r#"{"operation": "subscribe", "client": 5}"#,
        r#"[[[[[[[[[[[[[[[[[[[[[[[[[[[["#,
        "}}}}",
    ] {
        wire.sends(bad);
        wire.is_quiet();
    }
    wire.sends(r#"{"seq": 1, "user": "u", "message": "fine"}"#);
    loop {
        let read = other.read();
        if read.contains("fine") {
            break;
        }
    }
    for _ in 0..25 {
        wire.tries_to_send(b"{\"operation\": \"subscribe\"}");
    }
    wire.comes_to_an_end();
}
