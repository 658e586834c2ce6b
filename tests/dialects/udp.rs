//! The editions over UDP. Students' programs lose, garble, repeat and shuffle some of what they send.

use std::{thread, time::Duration};

use crate::{
    hall::{Hall, caller, students_server},
    support::{
        folder::Folder,
        patience::eventually,
        process::{Launch, Process},
    },
    wire::Wire,
};

const READY: &str = "Registration successful.  Ready for messaging!";

/// A lossy network, as far as one program can be one. Four sends of a packet is all there is in lums, so more
/// than this would end a conversation now and then.
const LOSSY: &[&str] = &["--loss", "0.02", "--seed", "3"];

fn lums(launch: Launch, folder: &Folder, name: &str, port: &str, more: &[&str]) -> Process {
    launch.with(&["-u", name, "-p", port, "-a", "127.0.0.1"]).with(more).in_folder(folder.path()).start()
}

fn student(folder: &Folder, name: &str, port: &str, more: &[&str]) -> Process {
    lums(Launch::student("lums_udp_client.py", &[]), folder, name, port, more)
}

fn ours(folder: &Folder, name: &str, port: &str, more: &[&str]) -> Process {
    lums(caller("lums-udp", &[]), folder, name, port, more)
}

/// Asks who is there until the answer is this.
fn comes_to_list(client: &mut Process, expected: &str) {
    let mut answer = String::new();
    for _ in 0..40 {
        client.type_line("list");
        answer = client.line();
        if answer == expected {
            return;
        }
        thread::sleep(Duration::from_millis(200));
    }
    panic!("{answer}, not {expected}");
}

/// What two clients say to each other, with a file of several windows if there are windows.
fn converse(folder: &Folder, ann: &mut Process, ben: &mut Process, file_bytes: u32) {
    // A join has no answer: it is done when everybody is on the list.
    comes_to_list(ann, "list: ann ben");
    comes_to_list(ben, "list: ann ben");
    for number in 0..5 {
        ann.type_line(&format!("msg 2 ben nobody line  {number}"));
        ben.says(&format!("msg: ann: line  {number}"));
    }
    let content: Vec<u8> = (0..file_bytes).map(|number| (number * 3 % 251) as u8).collect();
    std::fs::write(folder.path().join("a.bin"), &content).unwrap();
    ben.type_line("file 1 ann a.bin");
    ann.says("file: ben: a.bin");
    let saved = folder.path().join("ann_a.bin");
    eventually("the file is saved", || (std::fs::read(&saved).unwrap() == content).then_some(()));
    ann.type_line("dance");
    ann.says("incorrect userinput format");
    ann.type_line("quit");
    ann.says("quitting");
    ann.ends(0);
}

/// 7.2, 7.3, LUDP-D5: students of both parts at our server; each is answered in its form.
#[test]
fn do_students_of_lums_udp_chat_through_our_server() {
    for (parts, bytes) in [(["-w", "0"], 900), (["-w", "3"], 20_000)] {
        let hall = Hall::new(&["lums-udp"]);
        let port = hall.port("lums-udp");
        let mut ann = student(&hall.folder, "ann", &port, &parts);
        let mut ben = student(&hall.folder, "ben", &port, &parts);
        converse(&hall.folder, &mut ann, &mut ben, bytes);
    }
}

/// 7.3: loss, re-ordering, duplication and corruption, ACKs included; ours among them.
#[test]
fn does_lums_udp_bear_a_bad_network() {
    let hall = Hall::new(&["lums-udp"]);
    let port = hall.port("lums-udp");
    let mut ann = student(&hall.folder, "ann", &port, LOSSY);
    let mut ben = ours(&hall.folder, "ben", &port, &[]);
    converse(&hall.folder, &mut ann, &mut ben, 40_000);
}

#[test]
fn does_our_lums_udp_client_chat_at_a_students_server() {
    for (more, bytes) in [(&["-w", "0"][..], 900), (&["-w", "3"], 20_000), (LOSSY, 20_000)] {
        let folder = Folder::new();
        let arguments = [&["-p", "0", "-a", "127.0.0.1"], more].concat();
        let (_server, port) = students_server(&folder, "lums_udp_server.py", &arguments);
        let window = if more[0] == "-w" { more } else { &[] };
        let mut ann = ours(&folder, "ann", &port, window);
        let mut ben = ours(&folder, "ben", &port, window);
        converse(&folder, &mut ann, &mut ben, bytes);
    }
}

/// UUDP-D1, D4: the A3 over stop-and-wait, with and without loss, and one of ours.
#[test]
fn do_students_of_uwo_udp_chat_through_our_server() {
    for flags in [&[][..], &["--loss", "0.05", "--seed", "3"]] {
        let hall = Hall::new(&["uwo-udp"]);
        let url = hall.url("uwo-udp");
        let arguments = |name: &'static str| [flags, &["-f", "apple", name, &url]].concat();
        let mut alice = hall.student("alice", "uwo_udp_client.py", &arguments("alice"));
        alice.comes_to_say(READY);
        let mut bob = hall.caller("bob", "uwo-udp", &["-f", "apple", "bob", &url]);
        bob.comes_to_say(READY);
        talk(&hall.home("alice"), &hall.home("bob"), &mut alice, &mut bob);
    }
}

#[test]
fn does_our_uwo_udp_client_chat_at_a_students_server() {
    for flags in [&[][..], &["--loss", "0.05", "--seed", "3"]] {
        let folder = Folder::new();
        let (_server, port) = students_server(&folder, "uwo_udp_server.py", flags);
        let url = format!("chat://127.0.0.1:{port}");
        let [home_of_alice, home_of_bob] = ["alice", "bob"].map(|name| folder.path().join(name));
        let [mut alice, mut bob] = [(&home_of_alice, "alice"), (&home_of_bob, "bob")].map(|(home, name)| {
            std::fs::create_dir(home).unwrap();
            let mut client = caller("uwo-udp", &["-f", "apple", name, &url]).in_folder(home).start();
            client.comes_to_say(READY);
            client
        });
        talk(&home_of_alice, &home_of_bob, &mut alice, &mut bob);
    }
}

fn talk(
    home_of_alice: &std::path::Path,
    home_of_bob: &std::path::Path,
    alice: &mut Process,
    bob: &mut Process,
) {
    alice.type_line("an apple");
    bob.comes_to_say("@alice: an apple");
    bob.type_line("apple again");
    alice.comes_to_say("@bob: apple again");
    let long = format!("apple {}", "x".repeat(600));
    alice.type_line(&long);
    bob.comes_to_say(&format!("@alice: {long}"));
    let content: Vec<u8> = (0..3_000_u32).map(|number| (number % 251) as u8).collect();
    std::fs::write(home_of_alice.join("f.bin"), &content).unwrap();
    alice.type_line("!attach f.bin apple");
    alice.comes_to_say("Attachment f.bin attached and distributed");
    bob.comes_to_say("Content-Length: 3000");
    let saved = home_of_bob.join("f.bin");
    eventually("the file is saved", || (std::fs::read(&saved).ok()? == content).then_some(()));
    alice.type_line("!list");
    alice.comes_to_say("alice, bob");
    alice.type_line("!exit");
    alice.comes_to_say("Disconnected from server ... exiting!");
    assert_eq!(alice.status(), 0);
}

/// UUDP-D1: the example packets of section 8, bit for bit.
#[test]
fn are_packets_of_uwo_udp_those_of_the_example() {
    let hall = Hall::new(&["uwo-udp"]);
    let mut alice = Wire::datagrams("alice", hall.at("uwo-udp"));
    let mut packet = b"\0\0\0\0\x0b\0\0\0@alice: hi\n".to_vec();
    packet.resize(264, 0);
    let mut garbled = packet.clone();
    garbled.extend(b"25b40f4c38c8d6e33a87991c94f106dc");
    packet.extend(b"25b40f4c38c8d6e33a87991c94f106db");
    alice.sends(&garbled);
    alice.sends(&packet[..295]);
    alice.is_quiet();
    alice.sends(&packet);
    alice.hears_alone(b"\x0b\0\0\0\0\0\0\x009e4a85729f78b2975359db968fd85c01");
}

/// LUDP-D4: who does not answer any more is given up; nobody else waits for it.
#[test]
fn is_a_dead_client_no_hindrance() {
    let hall = Hall::new(&["lums-udp"]);
    let port = hall.port("lums-udp");
    let mut dead = student(&hall.folder, "dead", &port, &[]);
    let mut ann = student(&hall.folder, "ann", &port, &[]);
    let mut ben = student(&hall.folder, "ben", &port, &[]);
    comes_to_list(&mut ann, "list: ann ben dead");
    dead.murder();
    for number in 0..3 {
        ann.type_line(&format!("msg 2 dead ben {number}"));
        ben.says(&format!("msg: ann: {number}"));
    }
    comes_to_list(&mut ann, "list: ann ben");
}
