//! Everything over a bad network, in virtual time.

use super::{
    channel::{Channel, Faults},
    course::Course,
    host::host,
};
use crate::gateway::dialect::{
    CallerConfig, Input, Machine, Output,
    lums::tests::{Stage, caller_config, ms, peer, start_of_time},
    lums_udp::{Client, Host},
};

const BAD: Faults = Faults { lost: 20, doubled: 10, damaged: 5 };
const SERVER: u16 = 15_000;
const MESSAGES: usize = 10;

/// Our server, clients of ours on ports 1, 2, … and programs of the course on ports 101, 102, ….
struct Net {
    channel: Channel,
    host: Stage<Host>,
    clients: Vec<Stage<Client>>,
    courses: Vec<Course>,
}

impl Net {
    fn new(seed: u64, faults: Faults) -> Self {
        Self { channel: Channel::new(seed, faults), host: host(), clients: Vec::new(), courses: Vec::new() }
    }

    fn client(&mut self, name: &str, seed: u64) {
        let client = Client::new(CallerConfig { seed, ..caller_config(name) });
        self.clients.push(Stage::at(client, self.host.now));
    }

    fn step(&mut self) {
        let now = self.host.now;
        let server = peer(SERVER);
        for (from, to, bytes) in self.channel.arrived(now) {
            match usize::from(to.port()) {
                _ if to == server => self.host.input(Input::Datagram { from, bytes }),
                port if port > 100 => self.courses[port - 101].hear(&bytes),
                port => self.clients[port - 1].input(Input::Datagram { from, bytes }),
            }
        }
        for (to, bytes) in std::mem::take(&mut self.host.datagrams) {
            self.channel.send(server, to, &bytes, now);
        }
        for (port, client) in (1..).zip(&mut self.clients) {
            for (to, bytes) in std::mem::take(&mut client.datagrams) {
                self.channel.send(peer(port), to, &bytes, now);
            }
            client.wait(ms(5));
        }
        for (port, course) in (101..).zip(&mut self.courses) {
            course.tick(now);
            for bytes in std::mem::take(&mut course.out) {
                self.channel.send(peer(port), server, &bytes, now);
            }
        }
        self.host.wait(ms(5));
    }

    fn steps(&mut self, seconds: u64) {
        (0..seconds * 200).for_each(|_| self.step());
    }

    /// Messages that the server gave up on.
    fn lost_by_host(&self) -> usize {
        self.host.logged.iter().filter(|line| line.contains("a message for it is lost")).count()
    }
}

fn status(client: &Stage<Client>) -> Option<u8> {
    client.wanted.iter().find_map(|output| match output {
        Output::Exit { status } => Some(*status),
        _ => None,
    })
}

/// Lines `n` of a sender, each at most once and in order.
fn assert_in_order(heard: &[String]) {
    let numbers: Vec<usize> =
        heard.iter().map(|line| line.rsplit(' ').next().unwrap().parse().unwrap()).collect();
    assert!(numbers.windows(2).all(|pair| pair[0] < pair[1]), "{heard:?}");
}

#[test]
fn is_nothing_lost_between_ours_without_somebody_saying_so() {
    let (mut failures, mut whole) = (0, 0);
    for seed in 0..40 {
        let mut net = Net::new(seed, BAD);
        net.client("bob", seed);
        net.steps(12);
        net.client("alice", seed + 1000);
        let mut typed = 0;
        for _ in 0..120 * 200 {
            net.step();
            if net.clients[1].machine.is_ready() && typed < MESSAGES {
                typed += 1;
                net.clients[1].input(Input::Typed(format!("msg 1 bob {typed}")));
            }
        }
        net.steps(12);
        let (host, heard) = (net.host.printed(), net.clients[0].printed());
        let said = host.iter().filter(|line| *line == "msg: alice").count();
        // What alice got rid of without a word is at the server; she ends with the first that is in doubt.
        let delivered = if status(&net.clients[1]).is_some() { typed.saturating_sub(1) } else { typed };
        assert!(said >= delivered, "seed {seed}: {said} of {delivered}");
        assert!(typed == MESSAGES || status(&net.clients[1]) == Some(1), "seed {seed}");
        assert_in_order(&heard);
        if host.first().is_some_and(|line| line == "join: bob") && status(&net.clients[0]).is_none() {
            assert!(heard.len() + net.lost_by_host() >= said, "seed {seed}: {heard:?}");
            whole += usize::from(heard.len() == MESSAGES);
        }
        failures += net.lost_by_host() + net.clients.iter().filter(|client| status(client).is_some()).count();
    }
    assert!(failures > 0, "the network is bad enough for some to be out of reach");
    assert!(whole > 8, "and good enough for most: {whole}");
}

#[test]
fn is_nothing_lost_on_a_network_within_reach() {
    for seed in 0..20 {
        let mut net = Net::new(seed, Faults { lost: 5, doubled: 30, damaged: 2 });
        net.client("bob", seed);
        net.client("alice", seed + 1000);
        let content = bytes::Bytes::from(vec![b'|'; 30_000]);
        let mut lines = (1..=MESSAGES).map(|n| format!("msg 2 bob alice {n}"));
        net.steps(3);
        net.clients[1].input(Input::Typed("file 2 alice bob f".into()));
        net.clients[1].input(Input::Read { path: "f".into(), content: Ok(content.clone()) });
        for _ in 0..120 * 200 {
            net.step();
            if net.clients[1].machine.is_ready()
                && let Some(line) = lines.next()
            {
                net.clients[1].input(Input::Typed(line));
            }
        }
        for (client, name) in net.clients.iter_mut().zip(["bob_f", "alice_f"]) {
            let save = Output::Save { name: name.into(), content: content.clone(), replaces: true };
            assert!(client.wanted.contains(&save), "seed {seed}");
            let lines: Vec<String> = (1..=MESSAGES).map(|n| format!("msg: alice: {n}")).collect();
            assert_eq!(client.printed(), lines, "seed {seed}");
        }
    }
}

#[test]
fn do_programs_of_the_course_and_our_server_get_on_over_a_bad_network() {
    let (mut failures, mut whole) = (0, 0);
    for seed in 0..40 {
        let mut net = Net::new(seed, BAD);
        net.courses = vec![Course::new(seed), Course::new(seed + 500)];
        net.courses[0].say("join", "bob");
        net.steps(12);
        net.courses[1].say("join", "alice");
        for n in 1..=MESSAGES {
            net.courses[1]
                .say("send_message", &format!("1 bob {}{n}", "x".repeat(n * 700)).replace("x1", "x 1"));
        }
        net.steps(150);
        let host = net.host.printed();
        let course = &net.courses[1];
        assert!(course.is_done());
        assert_eq!(course.delivered + course.failed, MESSAGES + 1);
        let done = host.iter().filter(|line| *line == "msg: alice" || *line == "join: alice").count();
        if host.contains(&"join: alice".to_owned()) {
            assert!(done >= course.delivered, "seed {seed}");
        }
        let failed = course.failed + net.courses[0].failed + net.lost_by_host();
        failures += failed;
        if failed == 0 {
            assert_eq!(net.courses[0].heard.len(), MESSAGES, "seed {seed}");
            whole += 1;
        }
    }
    assert!(failures > 0 && whole > 5, "{failures}, {whole}");
}

#[test]
fn does_a_file_come_through_a_bad_network_whole_or_not_at_all() {
    let mut whole = 0;
    for seed in 0..40 {
        let mut net = Net::new(seed, BAD);
        net.client("alice", seed);
        net.steps(12);
        let content = bytes::Bytes::from((0..20_000u32).map(|n| (n * 31 % 253) as u8).collect::<Vec<_>>());
        if !net.clients[0].machine.is_ready() {
            continue;
        }
        net.clients[0].input(Input::Typed("file 1 alice f".into()));
        net.clients[0].input(Input::Read { path: "f".into(), content: Ok(content.clone()) });
        net.steps(120);
        let saved = net.clients[0].wanted.iter().filter_map(|output| match output {
            Output::Save { content, .. } => Some(content),
            _ => None,
        });
        let saved: Vec<_> = saved.collect();
        assert!(saved.len() <= 1 && saved.iter().all(|saved| **saved == content), "seed {seed}");
        let is_told = status(&net.clients[0]) == Some(1) || net.lost_by_host() > 0;
        assert!(saved.len() == 1 || is_told, "seed {seed}: lost, and nobody says so");
        whole += saved.len();
    }
    assert!(whole > 10, "{whole}");
}

#[test]
fn do_our_client_and_a_server_of_the_course_get_on_over_a_bad_network() {
    let mut whole = 0;
    for seed in 0..40 {
        let mut channel = Channel::new(seed, BAD);
        let client = Client::new(CallerConfig { seed, ..caller_config("alice") });
        let mut client = Stage::at(client, start_of_time());
        let mut course = Course::new(seed + 77);
        (1..=MESSAGES).for_each(|n| course.say("forward_message", &format!("1 bob {n}")));
        for _ in 0..100 * 200 {
            for (_, to, bytes) in channel.arrived(client.now) {
                if to == peer(SERVER) {
                    course.hear(&bytes);
                } else {
                    client.input(Input::Datagram { from: peer(SERVER), bytes });
                }
            }
            course.tick(client.now);
            for bytes in std::mem::take(&mut course.out) {
                channel.send(peer(SERVER), peer(1), &bytes, client.now);
            }
            for (to, bytes) in std::mem::take(&mut client.datagrams) {
                channel.send(peer(1), to, &bytes, client.now);
            }
            client.wait(ms(5));
        }
        assert!(course.is_done());
        let printed = client.printed();
        assert_in_order(&printed);
        if status(&client).is_none() {
            assert_eq!(course.heard, ["join 5 alice"], "seed {seed}");
            assert!(printed.len() >= course.delivered, "seed {seed}");
            whole += usize::from(course.failed == 0 && printed.len() == MESSAGES);
        }
    }
    assert!(whole > 8, "{whole}");
}
