//! The floor: writes the same bytes to every socket, one blocking write each, and nothing else.

use std::{
    env,
    io::{BufRead as _, Write as _, stdin},
    net::TcpListener,
    process::Command,
};

use super::process::Server;

/// Bytes of a line on the wire, as a node sends one of 200 characters: header, frame, record.
pub(crate) const LINE_BYTES: usize = 4 + 260;

const VARIABLE: &str = "SAYAGAIN_BENCH_FLOOR";

pub(crate) fn is_asked_for() -> bool {
    env::var_os(VARIABLE).is_some()
}

pub(crate) fn start(receivers: usize) -> Server {
    let this = env::current_exe().expect("this program has a path");
    Server::start(Command::new(this).env(VARIABLE, receivers.to_string()))
}

/// Accepts that many sockets; then each line of input is a number of lines to write to all of them.
pub(crate) fn serve() {
    let receivers: usize =
        env::var(VARIABLE).ok().and_then(|n| n.parse().ok()).expect("a number of receivers");
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
    println!("listening on tcp {}", listener.local_addr().expect("bound"));
    let accept = |_| {
        let (socket, _) = listener.accept().expect("a receiver");
        socket.set_nodelay(true).expect("a TCP socket");
        socket
    };
    let mut sockets: Vec<_> = (0..receivers).map(accept).collect();
    let line = [b'x'; LINE_BYTES];
    for count in stdin().lock().lines() {
        let count: u64 = count.expect("input").trim().parse().expect("a number of lines");
        for _ in 0..count {
            for socket in &mut sockets {
                socket.write_all(&line).expect("the receiver reads");
            }
        }
    }
}
