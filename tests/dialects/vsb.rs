//! Programs of the `vsb` assignment.

use std::net::TcpStream;

use crate::{
    hall::{Hall, caller, students_server},
    support::{
        folder::Folder,
        patience::eventually,
        process::{Launch, Process},
    },
};

/// The newcomer's own notice, which tells its name.
fn entered(client: &mut Process) -> String {
    let line = client.says_something_like("[Server]: 127.0.0.1:");
    let name = line.strip_prefix("[Server]: ").unwrap().strip_suffix(" has entered the chat");
    name.unwrap_or_else(|| panic!("no notice: {line}")).to_owned()
}

/// V1-V15: whatever a student's recv() takes at a time; our client is one of them.
#[test]
fn do_students_of_vsb_chat_through_our_server() {
    let hall = Hall::new(&["vsb"]);
    let port = hall.port("vsb");
    let mut clients: Vec<Process> = Vec::new();
    let mut names = Vec::new();
    for size in ["1", "2", "256", "512", "65536", ""] {
        let mut client = match size {
            "" => hall.caller("ours", "vsb", &["127.0.0.1", &port]),
            _ => hall.student(size, "vsb_client.py", &["--read", size, "127.0.0.1", &port]),
        };
        let name = entered(&mut client);
        let notice = format!("[Server]: {name} has entered the chat");
        clients.iter_mut().for_each(|other| other.says(&notice));
        clients.push(client);
        names.push(name);
    }
    let all_hear = |clients: &mut [Process], line: &str| clients.iter_mut().for_each(|each| each.says(line));
    for at in 0..clients.len() {
        clients[at].type_line("hello \"q\" \\ čř 😀");
        all_hear(&mut clients, &format!("{}: hello \"q\" \\ čř 😀", names[at]));
    }
    clients[0].type_line("/setname alice");
    all_hear(&mut clients, &format!("[Server]: {} renamed to alice", names[0]));
    clients[0].type_line("hello");
    all_hear(&mut clients, "alice: hello");
    clients[1].type_line("/users");
    let here: Vec<&str> = ["alice"].into_iter().chain(names[1..].iter().map(String::as_str)).collect();
    clients[1].says(&format!("[Server]: {}", here.join(", ")));
    let left = clients.remove(2);
    drop(left);
    all_hear(&mut clients, &format!("[Server]: {} has left the chat", names[2]));
}

/// VSB-D6: history is one message of many lines.
#[test]
fn is_history_one_answer() {
    let hall = Hall::new(&["vsb"]);
    let port = hall.port("vsb");
    let mut student = hall.student("student", "vsb_client.py", &["127.0.0.1", &port]);
    let name = entered(&mut student);
    student.type_line("/history");
    student.says_something_like("[Server]: ");
    for line in ["one", "two"] {
        student.type_line(line);
        student.says(&format!("{name}: {line}"));
    }
    student.type_line("/history");
    student.says(&format!("[Server]: {name}: one"));
    student.says(&format!("{name}: two"));
}

/// V4-V7, V14, VSB-D9
#[test]
fn does_our_client_chat_at_a_students_server() {
    let folder = Folder::new();
    for size in ["1", "512"] {
        let (mut server, port) = students_server(&folder, "vsb_server.py", &["--port", "0", "--read", size]);
        let mut ours = caller("vsb", &["127.0.0.1", &port]).start();
        let name = entered(&mut ours);
        ours.type_line("hello \"q\" č");
        ours.says(&format!("{name}: hello \"q\" č"));
        ours.type_line("/setname alice");
        ours.says(&format!("[Server]: {name} renamed to alice"));
        ours.type_line("/users");
        ours.says("[Server]: alice");
        ours.type_line("/dance");
        ours.complains("");
        server.says(&format!("[Server]: {name} has entered the chat"));
        server.says(&format!("{name}: hello \"q\" č"));
        server.murder();
        ours.says("Server disconnected");
        ours.ends(0);
    }
}

/// V7: whatever ends our server, students notice.
#[test]
fn does_the_end_of_our_server_end_its_clients() {
    for signal in ["INT", "KILL"] {
        let hall = Hall::new(&["vsb"]);
        let port = hall.port("vsb");
        let mut student = hall.student("student", "vsb_client.py", &["127.0.0.1", &port]);
        let mut ours = hall.caller("ours", "vsb", &["127.0.0.1", &port]);
        entered(&mut student);
        entered(&mut ours);
        hall.server.signal(signal);
        for client in [&mut student, &mut ours] {
            client.comes_to_say("Server disconnected");
            client.ends(0);
        }
    }
}

/// VSB-D7, V17
#[test]
fn is_one_too_many_told_so() {
    let hall = Hall::new(&["vsb,max=2"]);
    let port = hall.port("vsb");
    let mut clients = ["a", "b"].map(|called| hall.student(called, "vsb_client.py", &["127.0.0.1", &port]));
    clients.iter_mut().for_each(|client| drop(entered(client)));
    let mut third = hall.student("c", "vsb_client.py", &["127.0.0.1", &port]);
    third.says("[Server]: server full");
    third.says("Server disconnected");
    third.ends(0);
}

/// VSB-D7: 8 KiB of text pass and one byte more does not; of what was said the last 1,000 messages are kept.
#[test]
fn where_do_text_and_history_end() {
    let hall = Hall::new(&["vsb"]);
    let mut ann = hall.wire("vsb", "ann");
    ann.line();
    let say = |text: &str| format!("{{\"type\": \"message\", \"data\": \"{text}\"}}\n");
    let longest = "x".repeat(8 * 1024);
    ann.sends(say(&longest));
    assert!(ann.line().contains(&longest));
    ann.sends(say(&format!("{longest}x")));
    assert!(ann.line().contains("at most 8192 bytes"));
    for number in 0..=1_000 {
        ann.sends(say(&number.to_string()));
        assert!(ann.line().contains(&format!(": \"{number}\"")));
    }
    ann.sends("{\"type\": \"history\"}\n");
    let history = ann.line();
    assert_eq!(history.matches("\\n").count(), 999, "a thousand in one answer");
    assert!(history.contains(": 1\\n") && history.contains(": 1000\"") && !history.contains(": 0\\n"));
}

/// V16: the port as the assignment gives it.
#[test]
fn is_a_server_started_as_the_text_starts_it() {
    let port = crate::hall::free_port().to_string();
    let arguments = ["--role", "server", "--listen", "none", "--dialect", "vsb", "--port", &port];
    let mut server = Launch::new("node", &arguments).start();
    let ann = eventually("it listens", || TcpStream::connect(format!("127.0.0.1:{port}")).ok());
    server.says_something_like("[Server]: 127.0.0.1:");
    drop(ann);
}

/// A student's server that is not there is no crash.
#[test]
fn is_no_server_a_failure() {
    let port = crate::hall::free_port().to_string();
    let mut ours = Launch::new("node", &["--role", "client", "--dialect", "vsb", "127.0.0.1", &port]).start();
    assert_ne!(ours.status(), 0);
}
