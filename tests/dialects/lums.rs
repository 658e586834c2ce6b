//! Programs of the `lums` assignment over TCP.

use std::net::TcpStream;

use crate::{
    hall::{caller, free_port, students_server},
    support::{
        folder::Folder,
        patience::eventually,
        process::{Launch, Process},
    },
    wire::Wire,
};

const HELP: [&str; 5] = [
    "Client",
    "-u username | --user=username The username of Client",
    "-p PORT | --port=PORT The server port, defaults to 15000",
    "-a ADDRESS | --address=ADDRESS The server ip or hostname, defaults to localhost",
    "-h | --help Print this help",
];

/// Only the assignment's server, whose lines are on stdout.
fn server(folder: &Folder, more: &[&str]) -> (Process, String) {
    let port = free_port().to_string();
    let door = format!("lums=127.0.0.1:{port}");
    let server = Launch::new("server", &["--role", "server", "--listen", "none", "--dialect", &door])
        .with(&["--data-dir", &folder.at("data")])
        .with(more)
        .start();
    Wire::connect_eventually("nobody", format!("127.0.0.1:{port}").parse().unwrap()).close();
    (server, port)
}

fn client(folder: &Folder, is_ours: bool, name: &str, port: &str) -> Process {
    let arguments = ["-u", name, "-p", port, "-a", "127.0.0.1"];
    let launch =
        if is_ours { caller("lums", &arguments) } else { Launch::student("lums_client.py", &arguments) };
    launch.in_folder(folder.path()).start()
}

/// 6.2, the transcript of the text: a student and ours, at ours and at a student's server.
#[test]
fn is_the_transcript_of_the_text_what_everybody_prints() {
    for (our_server, our_first) in [(true, false), (true, true), (false, true)] {
        let folder = Folder::new();
        let (mut server, port) = if our_server {
            server(&folder, &[])
        } else {
            students_server(&folder, "lums_server.py", &["-p", "0", "-a", "127.0.0.1"])
        };
        std::fs::write(folder.path().join("abc.txt"), "line one\nline two\n").unwrap();
        let mut client1 = client(&folder, our_first, "client1", &port);
        server.says("join: client1");
        let mut client2 = client(&folder, !our_first, "client2", &port);
        server.says("join: client2");

        client1.type_line("list");
        client1.says("list: client1 client2");
        client1.type_line("msg 1 client2 hello!");
        client2.says("msg: client1: hello!");
        client1.type_line("msg 3 client2 client1 client4 hello again!");
        client1.says("msg: client1: hello again!");
        client2.says("msg: client1: hello again!");
        client2.type_line("list");
        client2.says("list: client1 client2");
        client2.type_line("file 1 client1 abc.txt");
        client1.says("file: client2: abc.txt");
        client1.type_line("quit");
        client1.says("quitting");
        client1.ends(0);
        server.comes_to_say("disconnected: client1");
        client2.type_line("quit");
        client2.says("quitting");
        client2.ends(0);
        server.says("disconnected: client2");
        let said = server.noted();
        let expected = [
            "request_users_list: client1",
            "msg: client1",
            "msg: client1",
            "msg: client1 to non-existent user client4",
            "request_users_list: client2",
            "file: client2",
            "disconnected: client1",
            "disconnected: client2",
        ];
        assert_eq!(said[2..], expected);
        let saved = std::fs::read_to_string(folder.path().join("client1_abc.txt")).unwrap();
        assert_eq!(saved, "line one\nline two\n");
    }
}

/// L11, LUMS-D1: nothing says where a file ends but silence.
#[test]
fn does_a_long_file_pass_whole() {
    let content: Vec<u8> = (0..300_000_u32).map(|number| (number % 251) as u8).collect();
    for our_first in [true, false] {
        let folder = Folder::new();
        let (mut server, port) = server(&folder, &[]);
        std::fs::write(folder.path().join("long.bin"), &content).unwrap();
        let mut sender = client(&folder, our_first, "ann", &port);
        let mut taker = client(&folder, !our_first, "ben", &port);
        ["join: ", "join: "].iter().for_each(|start| drop(server.says_something_like(start)));
        sender.type_line("file 1 ben long.bin");
        server.says("file: ann");
        taker.says("file: ann: long.bin");
        let path = folder.path().join("ben_long.bin");
        eventually("the file is saved", || (std::fs::read(&path).unwrap() == content).then_some(()));
    }
}

/// L5, L6, LUMS-D7
#[test]
fn is_a_second_of_the_same_name_refused() {
    for is_ours in [true, false] {
        let folder = Folder::new();
        let (mut server, port) = server(&folder, &[]);
        let _first = client(&folder, !is_ours, "ann", &port);
        server.says("join: ann");
        let mut second = client(&folder, is_ours, "ann", &port);
        second.says("disconnected: username not available");
        second.ends(1);
        server.says("disconnected: username not available");
    }
}

/// L3
#[test]
fn is_the_eleventh_client_refused() {
    let folder = Folder::new();
    let (mut server, port) = server(&folder, &[]);
    let mut clients = Vec::new();
    for number in 0..10 {
        let mut wire = Wire::connect("early", format!("127.0.0.1:{port}").parse().unwrap());
        wire.sends(format!("join client{number}"));
        server.says(&format!("join: client{number}"));
        clients.push(wire);
    }
    let mut late = client(&folder, false, "late", &port);
    late.says("disconnected: server full");
    late.ends(1);
    server.says("disconnected: server full");
}

/// L1, L2: the help, and what happens without a name.
#[test]
fn is_the_help_that_of_the_assignment() {
    let mut ours = caller("lums", &[]).start();
    ours.says("Missing Username.");
    HELP.iter().for_each(|line| ours.says(line));
    ours.ends(1);
}

/// L1, L2: an option that is none, and `-h`.
#[test]
fn is_a_wrong_option_answered_with_the_help() {
    let server = ["--role", "server", "--listen", "none", "--dialect", "lums"];
    for (option, status) in [("-h", 0), ("-x", 0)] {
        let mut ours = Launch::new("node", &[&server[..], &[option]].concat()).start();
        ours.says("Server");
        ours.says("-p PORT | --port=PORT The server port, defaults to 15000");
        ours.says("-a ADDRESS | --address=ADDRESS The server ip or hostname, defaults to localhost");
        ours.says("-h | --help Print this help");
        ours.ends(status);
    }
    for (option, status) in [("-h", 0), ("-x", 1)] {
        let mut ours = caller("lums", &[option]).start();
        HELP.iter().for_each(|line| ours.says(line));
        ours.ends(status);
    }
}

/// L1: the server's own arguments.
#[test]
fn is_a_server_started_with_its_own_arguments() {
    let port = free_port().to_string();
    let server =
        ["--role", "server", "--listen", "none", "--dialect", "lums", "-a", "localhost", "-p", &port];
    let mut ours = Launch::new("node", &server).start();
    drop(eventually("it listens", || TcpStream::connect(format!("127.0.0.1:{port}")).ok()));
    let mut ann = caller("lums", &["-u", "ann", "-p", &port]).start();
    ours.says("join: ann");
    ann.type_line("quit");
    ours.says("disconnected: ann");
}

/// L8, L12, L13, LUMS-D9: what is typed wrong, what ends.
#[test]
fn is_wrong_input_answered_with_the_format_line() {
    let folder = Folder::new();
    let (_server, port) = server(&folder, &[]);
    for is_ours in [true, false] {
        let mut ann = client(&folder, is_ours, "ann", &port);
        for line in [
            "",
            "dance",
            "msg",
            "msg 1",
            "msg 1 ben",
            "msg x ben hi",
            "msg 0 hi",
            "file 1 ben nothing.txt",
            "list all",
        ] {
            ann.type_line(line);
            ann.says("incorrect user input format");
        }
        ann.type_line("help");
        ann.says_with("msg");
        ann.type_line("quit");
        ann.comes_to_say("quitting");
        ann.ends(0);
    }
}
