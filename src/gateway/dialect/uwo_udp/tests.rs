//! Both sides against each other over a bad way in virtual time, and each against scripted packets.

mod scripted;
mod weather;

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use bytes::Bytes;

use crate::gateway::dialect::{
    CallerConfig, Delivery, HostConfig, Input, Machine, Output, safe_nick, uwo_udp::packet::data_packet,
};

use super::{Client, Host, MAX_ADDRESSES};

const MAX_FILE: usize = 1 << 20;

fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

fn server() -> SocketAddr {
    ([127, 0, 0, 1], 54307).into()
}

fn user_addr(i: usize) -> SocketAddr {
    ([127, 0, 0, 1], 40_000 + i as u16).into()
}

fn host() -> Host {
    Host::new(HostConfig {
        local: server(),
        max_clients: Some(MAX_ADDRESSES + 10),
        delivery: Delivery::Auto,
        forward: <_>::default(),
        ascii_safe: false,
        max_file_bytes: MAX_FILE,
        seed: 1,
    })
}

fn client(name: &str, follow: &[&str]) -> Client {
    Client::new(CallerConfig {
        name: Some(name.into()),
        server: Some(server()),
        local: None,
        peers: Vec::new(),
        follow: follow.iter().map(|term| (*term).to_owned()).collect(),
        window: 3,
        reliable: true,
        format_line: None,
        interactive: false,
        max_file_bytes: MAX_FILE,
        seed: 1,
    })
}

/// What a machine wants of others than the network; for a server the room answers at once.
fn pump(machine: &mut dyn Machine, now: Instant, others: &mut Vec<Output>) -> Vec<(SocketAddr, Bytes)> {
    let mut datagrams = Vec::new();
    while let Some(output) = machine.poll_output() {
        match output {
            Output::Datagram { to, bytes } => datagrams.push((to, bytes)),
            Output::Enter { guest, name, .. } => {
                let nick = safe_nick(&name).0.as_str().to_owned();
                machine.handle(Input::Entered { guest, nick, users: Vec::new() }, now);
            }
            Output::Send { .. } | Output::Close { .. } | Output::Dial { .. } => {
                panic!("not over UDP: {output:?}")
            }
            other => others.push(other),
        }
    }
    datagrams
}

/// The server and scripted peers.
struct Stage {
    host: Host,
    now: Instant,
    others: Vec<Output>,
}

impl Stage {
    fn new() -> Self {
        let mut host = host();
        let now = tokio::time::Instant::now().into_std();
        host.handle(Input::Start, now);
        pump(&mut host, now, &mut Vec::new());
        Self { host, now, others: Vec::new() }
    }

    fn input(&mut self, input: Input) -> Vec<(SocketAddr, Bytes)> {
        self.host.handle(input, self.now);
        pump(&mut self.host, self.now, &mut self.others)
    }

    /// A datagram from a peer, and what goes out because of it.
    fn gets(&mut self, from: usize, bytes: Bytes) -> Vec<(SocketAddr, Bytes)> {
        self.input(Input::Datagram { from: user_addr(from), bytes })
    }

    fn hears(&mut self, from: usize, seq: u32, text: &str) -> Vec<(SocketAddr, Bytes)> {
        self.gets(from, data_packet(seq, text.as_bytes()))
    }

    fn passes(&mut self, time: Duration) -> Vec<(SocketAddr, Bytes)> {
        let end = self.now + time;
        let mut datagrams = Vec::new();
        let mut turns = 0;
        while let Some(at) = self.host.poll_timeout().filter(|at| *at <= end) {
            self.now = self.now.max(at);
            self.host.handle_timeout(self.now);
            datagrams.extend(pump(&mut self.host, self.now, &mut self.others));
            turns += 1;
            assert!(turns < 100_000, "it spins");
        }
        self.now = end;
        datagrams
    }

    /// Printed since the last time.
    fn prints(&mut self) -> Vec<String> {
        let lines = self.others.drain(..).filter_map(|output| match output {
            Output::Print(line) => Some(line),
            _ => None,
        });
        lines.collect()
    }
}
