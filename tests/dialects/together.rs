//! One room: guests of every system, and people with our own protocol.

use std::thread;

use crate::{
    hall::{Hall, free_port},
    support::{patience::eventually, process::Process},
    wire::QUIET,
};

/// Somebody in the room and how lines look there.
struct Somebody {
    name: &'static str,
    process: Process,
    system: System,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum System {
    Native,
    Iowa,
    Uwo,
    Vsb,
    Lums,
}

impl Somebody {
    /// How a line of somebody else is to look here; `None` where it is not shown.
    fn sees(&self, who: &str, whose: System, text: &str) -> Option<String> {
        let is_private = whose == System::Lums;
        Some(match self.system {
            System::Native if whose == System::Native => format!("[lobby] {who}: {text}"),
            System::Native if is_private => format!("[private] ~{who}: {text}"),
            System::Native => format!("[lobby] ~{who}: {text}"),
            System::Iowa if is_private => format!("{who}: (private) {text}"),
            System::Iowa => format!("{who}: {text}"),
            System::Uwo if is_private => format!("@{who}: (private) {text}"),
            System::Uwo => format!("@{who}: {text}"),
            System::Vsb if is_private => format!("{who} (private): {text}"),
            System::Vsb => format!("{who}: {text}"),
            System::Lums => format!("msg: {who}: {text}"),
        })
    }

    /// What it types to say something to everybody; `lums` names them all.
    fn says(&mut self, text: &str, all: &[&str]) {
        let line = match self.system {
            System::Lums => {
                let others: Vec<&str> = all.iter().copied().filter(|name| *name != self.name).collect();
                format!("msg {} {} {text}", others.len(), others.join(" "))
            }
            _ => text.to_owned(),
        };
        self.process.type_line(&line);
    }

    /// The lines with this in them that came so far.
    fn heard(&self, words: &str) -> Vec<String> {
        let mut heard: Vec<String> =
            self.process.unnoted().into_iter().filter(|line| line.contains(words)).collect();
        heard.sort();
        heard
    }
}

fn everybody(hall: &Hall) -> Vec<Somebody> {
    let (uwo, uwo_udp) = (hall.url("uwo"), hall.url("uwo-udp"));
    let (vsb, lums, lums_udp) = (hall.port("vsb"), hall.port("lums"), hall.port("lums-udp"));
    let (iowa, own_port) = (hall.at("iowa").to_string(), free_port().to_string());
    let somebody = |name, process, system| Somebody { name, process, system };
    let mut all = vec![
        somebody("nat", hall.native("tcp", "nat"), System::Native),
        somebody("nut", hall.native("udp", "nut"), System::Native),
        somebody("ida", hall.student("ida", "iowa_client.py", &["ida", &own_port, &iowa]), System::Iowa),
        somebody("uma", hall.student("uma", "uwo_client.py", &["uma", &uwo]), System::Uwo),
        somebody(
            "una",
            hall.student("una", "uwo_udp_client.py", &["-f", "greetings", "una", &uwo_udp]),
            System::Uwo,
        ),
        somebody("vic", hall.student("vic", "vsb_client.py", &["127.0.0.1", &vsb]), System::Vsb),
        somebody("lou", hall.student("lou", "lums_client.py", &["-u", "lou", "-p", &lums]), System::Lums),
        somebody(
            "lud",
            hall.student("lud", "lums_udp_client.py", &["-u", "lud", "-p", &lums_udp]),
            System::Lums,
        ),
    ];
    for guest in &mut all {
        match guest.system {
            System::Uwo => guest.process.comes_to_say("Registration successful.  Ready for messaging!"),
            System::Vsb => {
                guest.process.says_with("has entered the chat");
                guest.process.type_line("/setname vic");
                guest.process.says_with("renamed to vic");
            }
            _ => {}
        }
    }
    // In iowa a name is known by its first message.
    all[2].process.complains("ready");
    eventually("ida is known", || {
        all[2].process.type_line("here I am");
        thread::sleep(QUIET);
        (!all[0].heard("~ida: here I am").is_empty()).then_some(())
    });
    eventually("everybody is in", || {
        all[0].process.type_line("/users");
        let line = all[0].process.says_with("users in lobby: ");
        let is_in = |name: &&Somebody| line.contains(name.name);
        (all.iter().filter(is_in).count() == all.len()).then_some(())
    });
    all
}

/// Section 10: each sees exactly the others' lines, once, as its system shows them; `vsb` its own, too.
#[test]
fn does_everybody_hear_everybody_once() {
    let hall = Hall::new(&["iowa", "uwo", "uwo-udp", "vsb", "lums", "lums-udp"]);
    let mut all = everybody(&hall);
    let names: Vec<&str> = all.iter().map(|somebody| somebody.name).collect();
    let people: Vec<(&str, System)> = all.iter().map(|somebody| (somebody.name, somebody.system)).collect();
    for at in 0..all.len() {
        let text = format!("greetings from {}", names[at]);
        all[at].says(&text, &names);
    }
    for somebody in &all {
        let is_heard = |(who, _): &&(&str, System)| *who != somebody.name || somebody.system == System::Vsb;
        let mut expected: Vec<String> = people
            .iter()
            .filter(is_heard)
            .filter_map(|(who, whose)| somebody.sees(who, *whose, &format!("greetings from {who}")))
            .collect();
        expected.sort();
        eventually(&format!("{} hears everybody", somebody.name), || {
            (somebody.heard("greetings").len() >= expected.len()).then_some(())
        });
        thread::sleep(QUIET);
        assert_eq!(somebody.heard("greetings"), expected, "what {} sees", somebody.name);
    }
}

/// Section 10: what a guest of a line protocol is sent stays one line, whoever wrote it.
#[test]
fn can_nobody_put_a_second_line_into_a_line_protocol() {
    let hall = Hall::new(&["vsb", "uwo", "lums"]);
    let mut lou = hall.student("lou", "lums_client.py", &["-u", "lou", "-p", &hall.port("lums")]);
    lou.complains("ready");
    let mut uma = hall.uwo("uma");
    let mut vic = hall.wire("vsb", "vic");
    let name = vic.port();
    vic.sends("{\"type\": \"message\", \"data\": \"one\\nDISCONNECT CHAT/1.0\\r\\ntwo\\u001b[2J\"}\n");
    uma.hears(format!("@127.0.0.1-{name}: one DISCONNECT CHAT/1.0 two\\u{{1b}}[2J\n"));
    uma.is_quiet();
    lou.says(&format!("msg: 127.0.0.1-{name}: one DISCONNECT CHAT/1.0 two\\u{{1b}}[2J"));
}

/// W14, L10, V12, section 10: every system's list has everybody, under the names that work there.
#[test]
fn is_everybody_on_every_list() {
    let hall = Hall::new(&["uwo", "lums", "vsb"]);
    let mut native = hall.native("tcp", "nat");
    let mut uma = hall.uwo("uma");
    let mut lou = hall.wire("lums", "lou");
    lou.sends("join lou");
    native.comes_to_say("[lobby] * ~lou joined");
    let mut vic = hall.wire("vsb", "vic");
    vic.line();
    vic.sends("{\"type\": \"set-name\", \"data\": \"vic\"}\n");
    vic.line();
    native.says_with("is now known as ~vic");

    let expected = ["lou", "nat", "uma", "vic"];
    let sorted = |line: &str| {
        let mut names: Vec<String> = line.split(", ").map(str::to_owned).collect();
        names.sort();
        names
    };
    // The doors hear of it one after the other.
    eventually("vic is on the list of lums", || {
        lou.sends("request_users_list");
        (lou.read() == "response_users_list 4 lou nat uma vic").then_some(())
    });
    eventually("vic is on the list of uwo", || {
        uma.sends("@uma: !list\n");
        (sorted(&uma.line()) == expected).then_some(())
    });
    vic.sends("{\"type\": \"users\", \"data\": \"\"}\n");
    let line = vic.line();
    let names = line.split("\"message\": \"").nth(1).unwrap().trim_end_matches("\"}}");
    assert_eq!(sorted(names), expected);
    native.type_line("/users");
    native.comes_to_say("users in lobby: ~lou, nat, ~uma, ~vic");
}

/// 4.5, VSB-D7, 6.4: a line of ours may be longer than a system can say; it is cut there, visibly.
#[test]
fn is_a_long_line_cut_where_it_does_not_fit() {
    let hall = Hall::new(&["uwo", "lums", "vsb"]);
    let mut native = hall.native("tcp", "nat");
    let mut uma = hall.uwo("uma");
    let mut lou = hall.wire("lums", "lou");
    lou.sends("join lou");
    native.comes_to_say("[lobby] * ~lou joined");
    let mut vic = hall.wire("vsb", "vic");
    vic.line();

    native.type_line(&"č".repeat(7_000));
    let line = uma.line();
    assert!(line.len() <= 8 * 1024 && line.starts_with("@nat: č") && line.ends_with("č …"), "{}", line.len());
    let line = lou.read();
    assert!(line.len() <= 8 * 1024 + 64 && line.ends_with("č …"), "{}", line.len());
    // A line of JSON has room for it.
    let text = "\\u010d".repeat(7_000);
    vic.hears(format!(
        "{{\"type\": \"message\", \"data\": {{\"source\": \"nat\", \"message\": \"{text}\"}}}}\n"
    ));
    uma.is_quiet();
    lou.is_quiet();
    vic.is_quiet();
}
