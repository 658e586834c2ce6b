//! Our server and our clients with each other, in virtual time.

use super::*;
use crate::gateway::dialect::{
    DialId,
    lums::{Client, Host},
};

/// A host, and clients on connections 1, 2, 3.
struct Net {
    host: Stage<Host>,
    clients: Vec<Stage<Client>>,
}

impl Net {
    fn new(names: &[&str]) -> Self {
        let mut net = Self { host: Stage::new(Host::new(host_config())), clients: Vec::new() };
        for (conn, name) in (1..).zip(names) {
            net.host.accept(conn);
            let mut client = Stage::at(Client::new(caller_config(name)), net.host.now);
            client.input(Input::Connected { dial: DialId(0), conn: ConnId(0) });
            net.clients.push(client);
            net.run(50);
        }
        net
    }

    /// Ten milliseconds at a time, each way.
    fn run(&mut self, time: u64) {
        for _ in 0..time / 10 {
            for (conn, client) in (1..).zip(&mut self.clients) {
                client.wait(ms(10));
                for (_, bytes) in std::mem::take(&mut client.sent) {
                    self.host.receive(conn, &bytes);
                }
                if !client.closed.is_empty() {
                    client.closed.clear();
                    self.host.end(conn);
                }
                let saves = client.wanted.iter().filter_map(|output| match output {
                    Output::Save { name, .. } => Some(name.clone()),
                    _ => None,
                });
                for name in saves.collect::<Vec<_>>() {
                    client.input(Input::Saved { name: name.clone(), result: Ok(name) });
                }
            }
            self.host.wait(ms(10));
            for (conn, bytes) in std::mem::take(&mut self.host.sent) {
                self.clients[conn.0 as usize - 1].input(Input::Received { conn: ConnId(0), bytes });
            }
            for conn in std::mem::take(&mut self.host.closed) {
                self.clients[conn.0 as usize - 1].input(Input::Ended { conn: ConnId(0) });
            }
        }
    }

    fn typed(&mut self, client: usize, line: &str) {
        let stage = &mut self.clients[client - 1];
        assert!(stage.machine.is_ready());
        stage.input(Input::Typed(line.to_owned()));
        self.run(500);
    }
}

#[test]
fn does_the_session_of_the_assignment_print_what_it_prints_there() {
    let mut net = Net::new(&["client1", "client2"]);
    net.typed(1, "list");
    net.typed(1, "msg 1 client2 hello!");
    net.typed(1, "msg 3 client2 client1 client4 hello again!");
    net.typed(2, "list");
    net.typed(2, "file 1 client1 abc.txt");
    net.clients[1].input(Input::Read { path: "abc.txt".into(), content: Ok(Bytes::from_static(b"content")) });
    net.run(1000);
    let Some(Output::Save { name, content, replaces: true }) = net.clients[0].wanted.last() else { panic!() };
    assert_eq!((name.as_str(), &content[..]), ("client1_abc.txt", &b"content"[..]));
    net.typed(1, "quit");
    net.typed(2, "quit");
    let host = [
        "join: client1",
        "join: client2",
        "request_users_list: client1",
        "msg: client1",
        "msg: client1",
        "msg: client1 to non-existent user client4",
        "request_users_list: client2",
        "file: client2",
        "disconnected: client1",
        "disconnected: client2",
    ];
    assert_eq!(net.host.printed(), host);
    let client1 =
        ["list: client1 client2", "msg: client1: hello again!", "file: client2: abc.txt", "quitting"];
    assert_eq!(net.clients[0].printed(), client1);
    let client2 = ["msg: client1: hello!", "msg: client1: hello again!", "list: client1 client2", "quitting"];
    assert_eq!(net.clients[1].printed(), client2);
    for client in &net.clients {
        assert_eq!(client.wanted.last(), Some(&Output::Exit { status: 0 }));
    }
}

#[test]
fn does_a_message_to_two_print_at_both() {
    let mut net = Net::new(&["client_1", "client_2", "client_3"]);
    net.typed(3, "msg 2 client_1 client_2 Hello my friends!");
    assert_eq!(net.clients[0].printed(), ["msg: client_3: Hello my friends!"], "L16");
    assert_eq!(net.clients[1].printed(), ["msg: client_3: Hello my friends!"]);
    assert_eq!(net.clients[2].printed(), [""; 0]);
}

#[test]
fn does_a_second_of_a_name_end_and_say_why() {
    let mut net = Net::new(&["alice", "alice"]);
    assert_eq!(net.clients[1].printed(), ["disconnected: username not available"], "L6");
    assert_eq!(net.clients[1].wanted.last(), Some(&Output::Exit { status: 1 }));
    assert_eq!(net.host.printed(), ["join: alice", "disconnected: username not available"]);
}

#[test]
fn are_clients_told_when_the_server_ends() {
    let mut net = Net::new(&["alice", "bob"]);
    net.host.input(Input::Stop);
    net.run(50);
    for client in &net.clients {
        assert_eq!((client.wanted.last(), client.warned.len()), (Some(&Output::Exit { status: 1 }), 1));
    }
}
