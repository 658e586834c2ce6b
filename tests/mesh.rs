//! The real program as a mesh: peers without a server.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "what a test cannot do fails it")]

mod support;

use std::{fs, net::TcpListener, thread};

use sayagain::app::limits::AGE_SLACK;
use support::{
    folder::Folder,
    process::{Launch, Process},
};

/// Peers and their folders.
struct Mesh {
    folder: Folder,
}

impl Mesh {
    fn new() -> Self {
        Self { folder: Folder::new() }
    }

    /// A peer that is told of these.
    fn peer(&self, name: &str, peers: &[&str]) -> Launch {
        self.peer_at(name, name, peers)
    }

    fn peer_at(&self, data_dir: &str, name: &str, peers: &[&str]) -> Launch {
        let launch = Launch::new(data_dir, &["--role", "peer", "--transport", "tcp", "--name", name]);
        let launch = launch.with(&["--data-dir", &self.folder.at(data_dir)]);
        if peers.is_empty() { launch } else { launch.with(&["--peers", &peers.join(",")]) }
    }

    /// A peer that is in the lobby, and where it listens.
    fn join(&self, name: &str, peers: &[&str]) -> (Process, String) {
        up(self.peer(name, peers), name)
    }

    /// Each is told only of the one before; all have heard of each other.
    fn chain<const N: usize>(&self, names: [&str; N]) -> [Process; N] {
        let mut here: Vec<Process> = Vec::new();
        let mut last: Option<String> = None;
        for name in names {
            let (mut peer, addr) = self.join(name, last.as_deref().as_slice());
            let others = here.len();
            let mut heard: Vec<String> = (0..others).map(|_| peer.line()).collect();
            heard.sort();
            let mut expected: Vec<String> =
                names.iter().take(others).map(|name| format!("[lobby] * {name} joined")).collect();
            expected.sort();
            assert_eq!(heard, expected, "whom {name} found");
            here.iter_mut().for_each(|other| other.says(&format!("[lobby] * {name} joined")));
            here.push(peer);
            last = Some(addr);
        }
        here.try_into().unwrap()
    }
}

fn up(launch: Launch, name: &str) -> (Process, String) {
    let mut peer = launch.start();
    let addr = peer.says_something_like("listening on tcp ").split_off("listening on tcp ".len());
    peer.says(&format!("joined lobby as {name} (1 here: {name})"));
    (peer, addr)
}

fn say_in_turn(peers: &mut [(&str, &mut Process)]) {
    for speaker in 0..peers.len() {
        let (name, text) = (peers[speaker].0, format!("from {}", peers[speaker].0));
        peers[speaker].1.type_line(&text);
        let others = peers.iter_mut().filter(|(other, _)| *other != name);
        others.for_each(|(_, other)| other.says(&format!("[lobby] {name}: {text}")));
    }
}

#[test]
fn do_three_in_a_chain_all_hear_each_other_and_go_on_without_one() {
    let [mut alice, mut bob, mut carol] = Mesh::new().chain(["alice", "bob", "carol"]);
    say_in_turn(&mut [("alice", &mut alice), ("bob", &mut bob), ("carol", &mut carol)]);
    alice.type_line("/users");
    alice.says("users in lobby: alice, bob, carol");
    // The middle of the chain leaves.
    bob.type_line("/quit");
    bob.ends(0);
    alice.says("[lobby] * bob left");
    carol.says("[lobby] * bob left");
    say_in_turn(&mut [("alice", &mut alice), ("carol", &mut carol)]);
}

#[test]
fn is_a_peer_that_was_killed_said_to_be_disconnected() {
    let [mut alice, mut bob, mut carol] = Mesh::new().chain(["alice", "bob", "carol"]);
    bob.murder();
    alice.says_something_like("[lobby] * bob was disconnected: ");
    carol.says_something_like("[lobby] * bob was disconnected: ");
    say_in_turn(&mut [("alice", &mut alice), ("carol", &mut carol)]);
}

#[test]
fn does_a_latecomer_see_the_past_as_past_and_the_present_live() {
    let mesh = Mesh::new();
    let (mut alice, addr) = mesh.join("alice", &[]);
    for n in 0..5 {
        alice.type_line(&format!("line {n}"));
    }
    alice.type_line("/users");
    alice.says("users in lobby: alice");
    // In a mesh what was said within the slack before somebody came counts as said to them.
    thread::sleep(AGE_SLACK * 2);
    let mut bob = mesh.peer("bob", &[&addr]).with(&["--json"]).start();
    for n in 0..5 {
        let message = bob.event("message");
        assert_eq!((&message["text"], &message["historic"]), (&format!("line {n}").into(), &true.into()));
    }
    alice.says("[lobby] * bob joined");
    alice.type_line("live");
    let message = bob.event("message");
    assert_eq!((&message["text"], &message["historic"]), (&"live".into(), &false.into()));
    alice.end_input();
    assert_eq!(bob.event("presence")["change"], "leave");
    alice.ends(0);
}

#[test]
fn does_a_private_line_reach_only_who_is_named() {
    let [mut alice, mut bob, mut carol] = Mesh::new().chain(["alice", "bob", "carol"]);
    alice.type_line("/msg bob,BOB,bob for you");
    bob.says("[private] alice: for you");
    bob.type_line("/msg alice,nobody back");
    alice.says("[private] bob: back");
    bob.complains("error: nobody here is called nobody");
    alice.type_line("for all");
    bob.says("[lobby] alice: for all");
    carol.says("[lobby] alice: for all");
}

#[test]
fn are_two_of_one_name_told_apart() {
    let mesh = Mesh::new();
    let (mut alice, addr) = mesh.join("alice", &[]);
    let (mut first, _) = up(mesh.peer_at("first", "bob", &[&addr]), "bob");
    alice.says("[lobby] * bob joined");
    first.says("[lobby] * alice joined");
    let (mut second, _) = up(mesh.peer_at("second", "bob", &[&addr]), "bob");
    alice.says_something_like("[lobby] * bob#");
    first.says_something_like("[lobby] * bob#");
    let mut said = Vec::new();
    for bob in [&mut first, &mut second] {
        bob.type_line("it is me");
        said.push(alice.says_something_like("[lobby] bob#"));
    }
    assert!(said.iter().all(|line| line.ends_with(": it is me")), "{said:?}");
    assert_ne!(said[0], said[1]);
    let shown = said[1].strip_prefix("[lobby] ").unwrap().strip_suffix(": it is me").unwrap();
    alice.type_line(&format!("/msg {shown} you, not the other"));
    second.comes_to_say("[private] alice: you, not the other");
}

#[test]
fn does_a_peer_find_one_that_comes_later_and_tell_it_what_it_said() {
    let mesh = Mesh::new();
    // The port of somebody who is not there yet; now and then it is given to alice herself.
    let (addr, mut alice) = loop {
        let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
        let (alice, hers) = mesh.join("alice", &[&free]);
        if hers != free {
            break (free, alice);
        }
    };
    alice.type_line("is there anybody?");
    alice.complains(&format!("tcp {addr} is being redialled, "));
    let (mut bob, _) = up(mesh.peer("bob", &[]).with(&["--listen", &addr]), "bob");
    bob.comes_to_say("[lobby] alice: is there anybody?");
    alice.says("[lobby] * bob joined");
    bob.type_line("there is");
    alice.says("[lobby] bob: there is");
}

#[test]
fn does_a_peer_without_input_stay_until_it_is_told_to_leave() {
    let mesh = Mesh::new();
    let (mut alice, addr) = up(mesh.peer("alice", &[]).without_input(), "alice");
    let (mut bob, _) = mesh.join("bob", &[&addr]);
    bob.says("[lobby] * alice joined");
    alice.says("[lobby] * bob joined");
    bob.type_line("still there?");
    alice.says("[lobby] bob: still there?");
    assert!(alice.is_running());
    alice.signal("TERM");
    bob.says("[lobby] * alice left");
    alice.ends(0);
}

#[test]
fn is_everything_typed_delivered_to_all_before_a_peer_ends() {
    let mesh = Mesh::new();
    let (mut alice, addr) = mesh.join("alice", &[]);
    let (mut bob, _) = mesh.join("bob", &[&addr]);
    alice.says("[lobby] * bob joined");
    bob.says("[lobby] * alice joined");
    let lines: String = (0..500).map(|n| format!("line {n}\n")).collect();
    let file = mesh.folder.path().join("lines");
    fs::write(&file, lines).unwrap();
    let mut carol = mesh.peer("carol", &[&addr]).reading_from(file).start();
    assert_eq!(carol.status(), 0);
    for other in [&mut alice, &mut bob] {
        other.says("[lobby] * carol joined");
        for n in 0..500 {
            other.says(&format!("[lobby] carol: line {n}"));
        }
        other.says("[lobby] * carol left");
    }
}
