//! This program as a client: input from a file, and how guests look to scripts.

use std::fs;

use serde_json::json;

use crate::{
    hall::{Hall, caller, free_port},
    support::process::{Launch, Process},
};

const LINES: usize = 20;

/// Our client with this many lines in the file that is its stdin.
fn from_file(hall: &Hall, dialect: &str, arguments: &[&str], line: impl Fn(usize) -> String) -> Process {
    let path = hall.home(dialect).join("input");
    let text: String = (0..LINES).map(|number| format!("{}\n", line(number))).collect();
    fs::write(&path, text).unwrap();
    caller(dialect, arguments).in_folder(&hall.home(dialect)).reading_from(path).start()
}

/// 1.5, 1.6, IOWA-D9, LUMS-D9: stdin may be a file and all of it may be there at once; every line is a
/// message, and the end of the file is the end.
#[test]
fn do_all_lines_of_a_file_arrive() {
    let hall = Hall::new(&["iowa", "uwo", "vsb", "lums", "lums-udp", "uwo-udp"]);
    let mut native = hall.native("tcp", "nat");
    let mut arrive = |place: &str, name: &str| {
        for number in 1..LINES {
            native.comes_to_say(&format!("[{place}] ~{name}: line {number}"));
        }
    };
    let plain = |number| format!("line {number}");
    let addressed = |number| format!("msg 1 nat line {number}");

    let (at, port) = (hall.at("iowa").to_string(), free_port().to_string());
    let mut ida = from_file(&hall, "iowa", &["ida", &port, &at], plain);
    arrive("lobby", "ida");
    ida.ends(0);

    let _uma = from_file(&hall, "uwo", &["uma", &hall.url("uwo")], plain);
    arrive("lobby", "uma");
    let _una = from_file(&hall, "uwo-udp", &["una", &hall.url("uwo-udp")], plain);
    arrive("lobby", "una");

    let rename = |number| if number == 0 { "/setname vic".to_owned() } else { format!("line {number}") };
    let _vic = from_file(&hall, "vsb", &["127.0.0.1", &hall.port("vsb")], rename);
    arrive("lobby", "vic");
    for (dialect, name) in [("lums", "lou"), ("lums-udp", "lud")] {
        let arguments = ["-u", name, "-a", "127.0.0.1", "-p", &hall.port(dialect)];
        let mut client = from_file(&hall, dialect, &arguments, addressed);
        arrive("private", name);
        client.says("quitting");
        client.ends(0);
    }
}

/// Section 10: with `--json` a guest is told apart by the door it came through.
#[test]
fn is_a_guest_known_by_its_door() {
    let hall = Hall::new(&["vsb", "lums"]);
    let mut native =
        Launch::new("nat", &["--role", "client", "--transport", "tcp", "--name", "nat", "--json"])
            .with(&["--server", &hall.at("tcp").to_string(), "--data-dir", &hall.folder.at("nat")])
            .start();
    native.event("joined");
    let mut vic = hall.wire("vsb", "vic");
    vic.line();
    vic.sends("{\"type\": \"set-name\", \"data\": \"vic\"}\n{\"type\": \"message\", \"data\": \"hello\"}\n");
    let message = native.event("message");
    assert_eq!(
        [&message["from"], &message["guest"], &message["text"]],
        [&json!("vic"), &json!("vsb"), &json!("hello")]
    );
    let mut lou = hall.wire("lums", "lou");
    lou.sends("join lou");
    lou.is_quiet();
    lou.sends("send_message 1 nat for you");
    let private = native.event("private");
    assert_eq!(
        [&private["from"], &private["guest"], &private["text"]],
        [&json!("lou"), &json!("lums"), &json!("for you")]
    );
}

/// Section 10: what we say to one person reaches a guest as far as its system can say it.
#[test]
fn does_a_private_line_of_ours_reach_a_guest() {
    let hall = Hall::new(&["uwo", "vsb", "lums"]);
    let mut native = hall.native("tcp", "nat");
    let mut uma = hall.uwo("uma");
    let mut lou = hall.wire("lums", "lou");
    lou.sends("join lou");
    lou.is_quiet();
    native.type_line("/msg ~uma psst");
    uma.hears("@nat: (private) psst\n");
    native.type_line("/msg ~lou psst");
    lou.hears_alone("forward_message nat psst");
    uma.is_quiet();
    lou.is_quiet();
}
