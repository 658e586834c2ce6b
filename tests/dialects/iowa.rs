//! Programs of the `iowa` assignment.

use std::{thread, time::Duration};

use crate::{
    hall::{Hall, caller, free_port, students_server},
    support::{
        folder::Folder,
        process::{Launch, Process},
    },
};

fn peer(folder: &Folder, name: &str, port: u16, peers: &[u16]) -> Launch {
    let mut launch = Launch::new(name, &["--role", "peer", "--dialect", "iowa", name, &port.to_string()]);
    for peer in peers {
        launch = launch.with(&[&format!("127.0.0.1:{peer}")]);
    }
    launch.in_folder(folder.path())
}

fn students_peer(folder: &Folder, name: &str, port: u16, peers: &[u16], flags: &[&str]) -> Process {
    let mut launch = Launch::student("iowa_peer.py", &[name, &port.to_string()]).with(flags);
    for peer in peers {
        launch = launch.with(&[&format!("127.0.0.1:{peer}")]);
    }
    let mut peer = launch.in_folder(folder.path()).start();
    peer.complains("ready");
    peer
}

/// I1-I11, the example of I6: user1 reaches 2 and 3, user2 reaches 1 and 3, user3 only 1.
#[test]
fn does_our_peer_chat_with_students_as_in_the_example() {
    let folder = Folder::new();
    let ports = [free_port(), free_port(), free_port()];
    let mut user2 = students_peer(&folder, "user2", ports[1], &[ports[0], ports[2]], &[]);
    // 3.6: one that knows its newest inbound connection only.
    let mut user3 = students_peer(&folder, "user3", ports[2], &[ports[0]], &["--latest"]);
    let mut user1 = peer(&folder, "user1", ports[0], &[ports[1], ports[2]]).start();

    user1.type_line("hello");
    user1.type_line("say \"x\" č");
    for student in [&mut user2, &mut user3] {
        student.says("user1: hello");
        student.says("user1: say \"x\" č");
    }
    user3.type_line("only for the first");
    user1.says("user3: only for the first");
    user2.type_line("hi there");
    user1.says("user2: hi there");
    user2.type_line("exit");
    user2.ends(0);
    user1.type_line("who is left");
    user3.comes_to_say("user1: who is left");
    user1.complains("");
    user1.type_line("exit");
    user1.ends(0);
}

/// I9, IOWA-D6: whoever is not there yet is dialled again for the next line; one warning a line.
#[test]
fn does_our_peer_reach_those_who_start_later() {
    let folder = Folder::new();
    let ports = [free_port(), free_port()];
    let mut user1 = peer(&folder, "user1", ports[0], &[ports[1]]).start();
    user1.type_line("anybody?");
    user1.complains("");
    let mut user2 = students_peer(&folder, "user2", ports[1], &[], &[]);
    user1.type_line("hello");
    user2.says("user1: hello");
}

/// I12-I25, IOWA-D2, IOWA-D3: both kinds of client at our server, and one of ours.
#[test]
fn do_students_of_iowa_chat_through_our_server() {
    let hall = Hall::new(&["iowa"]);
    let at = hall.at("iowa").to_string();
    let [mine, theirs] = [free_port(), free_port()].map(|port| port.to_string());
    let mut dialed = hall.student("dialed", "iowa_client.py", &["user1", &mine, &at]);
    let mut same = hall.student("same", "iowa_client.py", &["user2", &theirs, &at, "--same"]);
    let mut ours = hall.caller("ours", "iowa", &["user3", &free_port().to_string(), &at]);
    let mut native = hall.native("tcp", "nat");
    dialed.complains("ready");
    same.complains("ready");
    settle();

    dialed.type_line("hello");
    same.says("user1: hello");
    ours.says("user1: hello");
    native.comes_to_say("[lobby] ~user1: hello");
    same.type_line("two");
    same.type_line("at once č");
    for other in [&mut dialed, &mut ours] {
        other.says("user2: two");
        other.says("user2: at once č");
    }
    ours.type_line("hi");
    dialed.says("user3: hi");
    same.says("user3: hi");
    native.type_line("from elsewhere");
    for guest in [&mut dialed, &mut same, &mut ours] {
        guest.says("nat: from elsewhere");
    }
    for client in [&mut dialed, &mut same, &mut ours] {
        client.type_line("exit");
        client.ends(0);
    }
}

/// IOWA-D10, I13-I15: a server that dials back, and one that does not.
#[test]
fn does_our_client_chat_at_a_students_server() {
    for kind in [&[][..], &["--same"]] {
        let folder = Folder::new();
        let (mut server, port) = students_server(&folder, "iowa_server.py", &[&["0"], kind].concat());
        let at = format!("127.0.0.1:{port}");
        let my_port = free_port().to_string();
        let mut ours = caller("iowa", &["user1", &my_port, &at]).in_folder(folder.path()).start();
        server.says(&format!(r#"received {{"operation": "subscribe", "client": "127.0.0.1:{my_port}"}}"#));
        let theirs = free_port().to_string();
        let mut student = Launch::student("iowa_client.py", &["user2", &theirs, &at, "--same"]).start();
        server.says_something_like("received {\"operation\": \"subscribe\"");
        settle();
        student.type_line("hello");
        ours.says("user2: hello");
        ours.type_line("hi \"there\"");
        student.says("user1: hi \"there\"");
        ours.type_line("exit");
        ours.ends(0);
        server.comes_to_say(&format!(
            r#"received {{"operation": "unsubscribe", "client": "127.0.0.1:{my_port}"}}"#
        ));
    }
}

/// The protocol does not say that a subscription is done, so nobody can wait for it.
fn settle() {
    thread::sleep(Duration::from_millis(300));
}
