//! Names are one namespace, whatever one came with.

use std::thread;

use crate::{
    hall::Hall,
    support::{patience::eventually, process::Launch},
    wire::QUIET,
};

/// Section 10: each system says "taken" in its own words.
#[test]
fn is_a_name_of_ours_taken_for_guests() {
    let hall = Hall::new(&["iowa", "uwo", "vsb", "lums"]);
    let mut bob = hall.native("tcp", "bob");
    bob.type_line("I am bob");

    let mut uwo = hall.wire("uwo", "uwo");
    uwo.sends("REGISTER bob CHAT/1.0\n");
    uwo.hears("401 Client already registered\n");
    uwo.ends();

    let mut lums = hall.wire("lums", "lums");
    lums.sends("join bob");
    lums.hears("err_username_unavailable");
    lums.ends();

    let mut vsb = hall.wire("vsb", "vsb");
    let entered = vsb.line();
    assert!(entered.contains("has entered the chat"), "{entered}");
    vsb.sends("{\"type\": \"set-name\", \"data\": \"bob\"}\n");
    let notice = vsb.line();
    assert!(notice.contains("\"source\": \"[Server]\"") && !notice.contains("renamed"), "{notice}");
    vsb.sends("{\"type\": \"message\", \"data\": \"who am I\"}\n");
    let port = vsb.port();
    bob.comes_to_say(&format!("[lobby] ~127.0.0.1-{port}: who am I"));

    // iowa has no word for it: the name gets a number.
    let mut iowa = hall.wire("iowa", "iowa");
    iowa.sends(r#"{"seq": 0, "user": "bob", "message": "no, I am bob"}"#);
    let line = bob.says_with("no, I am bob");
    assert!(line.starts_with("[lobby] ~bob") && line != "[lobby] ~bob: no, I am bob", "{line}");
}

#[test]
fn is_a_name_of_a_guest_taken_for_us_and_for_other_guests() {
    let hall = Hall::new(&["uwo", "lums", "vsb"]);
    let mut uma = hall.uwo("uma");

    let mut lums = hall.wire("lums", "lums");
    lums.sends("join uma");
    lums.hears("err_username_unavailable");
    lums.ends();

    let mut native = Launch::new("uma", &["--role", "client", "--transport", "tcp", "--name", "uma"])
        .with(&["--server", &hall.at("tcp").to_string(), "--data-dir", &hall.folder.at("native")])
        .start();
    native.complains("error: ");
    assert_ne!(native.status(), 0);

    // When its owner has left the room, the name is free at every door.
    uma.sends("DISCONNECT uma CHAT/1.0\n");
    uma.ends();
    eventually("the name is free", || {
        let mut lums = hall.wire("lums", "lums");
        lums.sends("join uma");
        thread::sleep(QUIET);
        lums.tries_to_send(b"request_users_list");
        (lums.read() == "response_users_list 1 uma").then_some(())
    });
}

/// What a name may not be among us is kept where it is legal and shown to others in a safe form.
#[test]
fn is_a_strange_name_kept_at_home_and_safe_abroad() {
    let hall = Hall::new(&["vsb", "lums"]);
    let mut native = hall.native("tcp", "nat");
    let mut ann = hall.wire("vsb", "ann");
    ann.line();
    let mut ben = hall.wire("vsb", "ben");
    ann.line();
    ben.line();
    ann.sends("{\"type\": \"set-name\", \"data\": \"J\\u00fcrgen K.\"}\n");
    for wire in [&mut ann, &mut ben] {
        let line = wire.line();
        assert!(line.ends_with("renamed to J\\u00fcrgen K.\"}}"), "{line}");
    }
    ann.sends("{\"type\": \"message\", \"data\": \"servus\"}\n");
    ben.hears(
        "{\"type\": \"message\", \"data\": {\"source\": \"J\\u00fcrgen K.\", \"message\": \"servus\"}}\n",
    );
    let line = native.says_with(": servus");
    assert!(line.starts_with("[lobby] ~J") && line.is_ascii(), "{line}");
}
