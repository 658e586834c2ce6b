//! Programs of the `uwo` assignments over TCP.

use std::{fs, path::PathBuf};

use crate::{
    hall::{Hall, caller, free_port, students_server},
    support::{
        folder::Folder,
        process::{Launch, Process},
    },
};

const READY: &str = "Registration successful.  Ready for messaging!";
const CLOSED: &str = "Disconnected from server ... exiting!";

fn student(hall: &Hall, name: &str, flags: &[&str]) -> Process {
    let url = hall.url("uwo");
    let mut client = hall.student(name, "uwo_client.py", &[flags, &[name, &url]].concat());
    client.comes_to_say(READY);
    client
}

fn ours(hall: &Hall, name: &str, flags: &[&str]) -> Process {
    let url = hall.url("uwo");
    let mut client = hall.caller(name, "uwo", &[flags, &[name, &url]].concat());
    client.comes_to_say(READY);
    client
}

/// W2-W11: the A2, with a client that knows no ends of line (UWO-D1) and one of ours among them.
#[test]
fn do_students_of_the_a2_chat_through_our_server() {
    let hall = Hall::new(&["uwo"]);
    let mut alice = student(&hall, "alice", &[]);
    let mut bare = hall.student("carol", "uwo_bare_client.py", &["carol", &hall.url("uwo")]);
    bare.says("Registered");
    let mut dave = ours(&hall, "dave", &[]);

    alice.type_line("@bob, are you there?");
    bare.says("@alice: @bob, are you there?");
    dave.comes_to_say("@alice: @bob, are you there?");
    bare.type_line("Hi");
    alice.comes_to_say("@carol: Hi");
    dave.comes_to_say("@carol: Hi");
    dave.type_line("one");
    dave.type_line("two");
    alice.comes_to_say("@dave: one");
    alice.comes_to_say("@dave: two");
    // One read each, although both came at once.
    bare.says("@dave: one");
    bare.says("@dave: two");

    // W8, W11
    for client in [&mut alice, &mut dave] {
        client.signal("INT");
        assert_eq!(client.status(), 0);
    }
    // A name is free at once.
    let mut alice = student(&hall, "alice", &[]);
    bare.type_line("who is left");
    alice.comes_to_say("@carol: who is left");
    // W9
    hall.server.signal("INT");
    alice.comes_to_say(CLOSED);
    bare.comes_to_say(CLOSED);
    assert_eq!([alice.status(), bare.status()], [0, 0]);
}

/// W14-W22 with a student and one of ours who follow.
#[test]
fn do_students_of_the_a3_get_what_they_follow() {
    let hall = Hall::new(&["uwo"]);
    let mut alice = student(&hall, "alice", &["-f", ""]);
    let mut bob = student(&hall, "bob", &["-f", "apple,news"]);
    let mut carol = ours(&hall, "carol", &["-f", "@alice"]);
    for (typed, answer) in [
        ("!list", "alice, bob, carol"),
        ("!follow?", "apple, news, @bob, @all"),
        ("!follow @carol", "Now following @carol"),
        ("!follow @carol", "Error:  Was already following @carol"),
        ("!unfollow news", "No longer following news"),
        ("!unfollow news", "Error:  Was not following news"),
        ("!unfollow @all", "Error:  All users must follow @all"),
        ("!unfollow @bob", "Error:  Cannot unfollow yourself"),
    ] {
        bob.type_line(typed);
        bob.comes_to_say(answer);
    }
    for line in ["a pineapple", "the news", "an apple?"] {
        alice.type_line(line);
        carol.comes_to_say(&format!("@alice: {line}"));
    }
    bob.comes_to_say("@alice: an apple?");
    carol.type_line("whatever");
    bob.comes_to_say("@carol: whatever");
    let heard = bob.unnoted().join("\n");
    assert!(!heard.contains("news") && !heard.contains("pineapple"), "{heard}");
    for client in [&mut bob, &mut carol] {
        client.type_line("!exit");
        client.comes_to_say(CLOSED);
        assert_eq!(client.status(), 0);
    }
}

/// W23, UWO-D8, UWO-D11: a file both ways between a student and ours.
#[test]
fn does_a_file_pass_unchanged_between_a_student_and_ours() {
    let hall = Hall::new(&["uwo"]);
    let content: Vec<u8> = (0..100_000_u32).map(|number| (number * 7 % 256) as u8).collect();
    let mut alice = student(&hall, "alice", &["-f", "apple"]);
    let mut bob = ours(&hall, "bob", &["-f", "apple"]);
    fs::write(hall.home("alice").join("a.bin"), &content).unwrap();
    fs::write(hall.home("bob").join("b.bin"), &content).unwrap();
    let pass = |sender: &mut Process, taker: &mut Process, name: &str, saved: PathBuf| {
        sender.type_line(&format!("!attach {name} apple"));
        sender.comes_to_say(&format!("Attachment {name} attached and distributed"));
        sender.type_line("that was an apple");
        taker.comes_to_say(&format!("Incoming file: {name}"));
        taker.comes_to_say("Content-Length: 100000");
        taker.says_with(": that was an apple");
        assert!(fs::read(saved).unwrap() == content, "{name} is the same");
    };
    pass(&mut alice, &mut bob, "a.bin", hall.home("bob").join("a.bin"));
    pass(&mut bob, &mut alice, "b.bin", hall.home("alice").join("b.bin"));
    alice.type_line("!attach nothing apple");
    alice.comes_to_say("Error:  Attached file nothing could not be sent");
}

/// UWO-D2, UWO-D3: an A2 server, which a header would irritate, and an A3 server, which waits for one.
#[test]
fn does_our_client_chat_at_a_students_server() {
    for flags in [&[][..], &["--a3"]] {
        let folder = Folder::new();
        let (mut server, port) = students_server(&folder, "uwo_server.py", flags);
        let url = format!("chat://localhost:{port}");
        let mut ours = caller("uwo", &["alice", &url]).in_folder(folder.path()).start();
        ours.says("Connecting to server ...");
        ours.says("Connection to server established. Sending intro message...");
        ours.says("");
        ours.says(READY);
        server.says_something_like("Accepted connection from client address: ('127.0.0.1', ");
        server.says("Connection to client established, waiting to receive messages from user 'alice'...");
        ours.type_line("Hi Bob!");
        server.says("Received message from user alice:  @alice: Hi Bob!");
        // W10: the name is taken.
        let mut again = caller("uwo", &["alice", &url]).start();
        again.comes_to_say("Error:  An error response was received from the server.  Details:");
        again.says("");
        again.says("401 Client already registered");
        again.says("Exiting now ...");
        again.ends(1);
        server.signal("INT");
        ours.comes_to_say(CLOSED);
        assert_eq!(ours.status(), 0);
    }
}

/// 4.4: the errors of the client, to the letter.
#[test]
fn are_errors_of_our_client_those_of_the_assignment() {
    let bad = "Error:  Invalid server.  Enter a URL of the form:  chat://host:port";
    for url in ["http://localhost:5", "chat://localhost", "chat://localhost:x"] {
        let mut ours = caller("uwo", &["alice", url]).start();
        ours.comes_to_say(bad);
        ours.ends(1);
    }
    let mut ours = caller("uwo", &["alice", &format!("chat://localhost:{}", free_port())]).start();
    ours.comes_to_say("Error:  That host or port is not accepting connections.");
    ours.ends(1);
}

/// UWO-D6: a student's program decodes each byte by itself, and ends at one that is not ASCII.
#[test]
fn does_ascii_safe_spare_programs_that_read_bytes() {
    let hall = Hall::with(&["uwo"], &["--ascii-safe"]);
    let mut alice = student(&hall, "alice", &[]);
    let mut bob = student(&hall, "bob", &[]);
    let mut native = hall.native("tcp", "nat");
    native.type_line("kůň");
    alice.comes_to_say("@nat: k??");
    bob.type_line("žluť");
    alice.comes_to_say("@bob: ?lu?");
    native.comes_to_say("[lobby] ~bob: žluť");
}

/// UWO-D4: A2 to the letter, A3 to the letter.
#[test]
fn does_delivery_follow_the_letter_when_told_to() {
    let hall = Hall::with(&["uwo"], &["--delivery", "broadcast"]);
    let mut alice = student(&hall, "alice", &[]);
    let mut bob = student(&hall, "bob", &["-f", "apple"]);
    alice.type_line("anything");
    bob.comes_to_say("@alice: anything");

    let hall = Hall::with(&["uwo"], &["--delivery", "follow"]);
    let mut alice = student(&hall, "alice", &[]);
    let mut bob = student(&hall, "bob", &[]);
    alice.type_line("anything");
    alice.type_line("@bob this");
    bob.comes_to_say("@alice: @bob this");
    assert!(!bob.noted().contains(&"@alice: anything".to_owned()));
}

/// W1, W9, UWO-D10: nothing but the assignment's server, on a port that it picks and tells.
#[test]
fn does_our_server_pick_its_port_as_the_text_asks() {
    let folder = Folder::new();
    let arguments = ["--role", "server", "--listen", "none", "--dialect", "uwo", "--data-dir"];
    let mut server = Launch::new("server", &arguments).with(&[&folder.at("data")]).start();
    let line = server.says_something_like("Will wait for client connections at port ");
    server.says("Waiting for incoming client connections ...");
    let url = format!("chat://127.0.0.1:{}", line.rsplit(' ').next().unwrap());
    let mut alice = Launch::student("uwo_client.py", &["alice", &url]).in_folder(folder.path()).start();
    alice.comes_to_say(READY);
    server.says_something_like("Accepted connection from client address: ('127.0.0.1', ");
    server.says("Connection to client established, waiting to receive messages from user 'alice'...");
    server.signal("INT");
    server.says("Interrupt received, shutting down ...");
    alice.comes_to_say(CLOSED);
    server.ends(0);
}
