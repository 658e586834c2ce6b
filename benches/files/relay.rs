//! What the nodes are compared with: a sender, a relay and a receiver, each a process of its own, that do what
//! cannot be left out. Two TCP connections under TLS, both ends hash, the receiver writes, syncs and gives the
//! file its name. No chat, no credit, nobody else; blocking calls of one thread.

use std::{
    env,
    fs::{self, File},
    io::{BufRead as _, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use blake3::Hasher;
use tokio::time::Instant;

use super::tls;

const VARIABLE: &str = "SAYAGAIN_BENCH_RELAY";

/// Bytes of a file that are read at a time, about as many as a node puts into a frame.
const PART_BYTES: usize = 64 << 10;

/// What the receiver says when all is on disk.
const SAVED: u8 = 1;

/// Sends a file to a folder through a relay; how long that took.
pub(crate) fn carry(file: &str, folder: &str) -> Duration {
    let mut relay = Peer::start("relay", &[]);
    let addr = relay.line();
    let receiver = Peer::start("receive", &[&addr, folder]);
    let mut sender = Peer::start("send", &[&addr, file]);
    let seconds: f64 = sender.line().parse().expect("seconds");
    drop((sender, receiver, relay));
    Duration::from_secs_f64(seconds)
}

/// Whether this process is one of the three; then it did its part.
pub(crate) fn has_played() -> bool {
    let Ok(part) = env::var(VARIABLE) else { return false };
    let words: Vec<&str> = part.split('\n').collect();
    match *words.as_slice() {
        ["relay"] => relay(),
        ["receive", addr, folder] => receive(addr.parse().expect("an address"), Path::new(folder)),
        ["send", addr, file] => send(addr.parse().expect("an address"), Path::new(file)),
        _ => panic!("{part:?} is no part"),
    }
    true
}

fn relay() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
    println!("{}", listener.local_addr().expect("bound"));
    let accept = || {
        let (mut socket, _) = listener.accept().expect("somebody comes");
        socket.set_nodelay(true).expect("a TCP socket");
        let mut who = [0; 1];
        socket.read_exact(&mut who).expect("it says who it is");
        (who == *b"r", tls::accept(socket))
    };
    let mut ends = [accept(), accept()];
    ends.sort_by_key(|(receives, _)| *receives);
    let [(false, mut sender), (true, mut receiver)] = ends else { panic!("one sends and one receives") };
    let mut header = [0; 8];
    sender.read_exact(&mut header).expect("the sender stays");
    receiver.write_all(&header).expect("the receiver stays");
    let mut left = u64::from_be_bytes(header) + blake3::OUT_LEN as u64;
    let mut buffer = vec![0; PART_BYTES];
    while left > 0 {
        let some = first_of(&mut buffer, left);
        let read = sender.read(some).expect("the sender stays");
        assert!(read > 0, "the sender stays to the end");
        receiver.write_all(buffer.get(..read).unwrap_or_default()).expect("the receiver stays");
        left -= read as u64;
    }
    let mut saved = [0; 1];
    receiver.read_exact(&mut saved).expect("the receiver stays");
    sender.write_all(&saved).expect("the sender stays");
}

fn send(addr: SocketAddr, path: &Path) {
    let mut link = dial(addr, b"s");
    let start = Instant::now();
    let mut file = File::open(path).expect("the file is there");
    let len = file.metadata().expect("a file").len();
    link.write_all(&len.to_be_bytes()).expect("the relay stays");
    let (mut hasher, mut buffer, mut left) = (Hasher::new(), vec![0; PART_BYTES], len);
    while left > 0 {
        let some = first_of(&mut buffer, left);
        file.read_exact(some).expect("the file can be read");
        hasher.update(some);
        link.write_all(some).expect("the relay stays");
        left -= some.len() as u64;
    }
    link.write_all(hasher.finalize().as_bytes()).expect("the relay stays");
    let mut saved = [0; 1];
    link.read_exact(&mut saved).expect("the relay stays");
    assert_eq!(saved, [SAVED], "it was saved");
    println!("{}", start.elapsed().as_secs_f64());
}

fn receive(addr: SocketAddr, folder: &Path) {
    let mut link = dial(addr, b"r");
    let mut header = [0; 8];
    link.read_exact(&mut header).expect("the relay stays");
    let (part, named) = (folder.join("part"), folder.join("file"));
    let mut file = File::create(&part).expect("a folder to write to");
    let (mut hasher, mut buffer, mut left) = (Hasher::new(), vec![0; PART_BYTES], u64::from_be_bytes(header));
    while left > 0 {
        let some = first_of(&mut buffer, left);
        link.read_exact(some).expect("the relay stays");
        file.write_all(some).expect("space on the disk");
        hasher.update(some);
        left -= some.len() as u64;
    }
    let mut digest = [0; blake3::OUT_LEN];
    link.read_exact(&mut digest).expect("the relay stays");
    assert_eq!(hasher.finalize(), digest, "what came is what was sent");
    file.sync_all().expect("the disk");
    fs::hard_link(&part, &named).expect("a name that nothing has");
    File::open(folder).and_then(|folder| folder.sync_all()).expect("the disk");
    fs::remove_file(&part).expect("the part has another name");
    link.write_all(&[SAVED]).expect("the relay stays");
    // The relay closes when the sender knows.
    let _ = link.read(&mut [0; 1]);
}

fn dial(addr: SocketAddr, who: &[u8; 1]) -> impl Read + Write + use<> {
    let mut socket = TcpStream::connect(addr).expect("the relay listens");
    socket.set_nodelay(true).expect("a TCP socket");
    socket.write_all(who).expect("the relay listens");
    tls::dial(socket)
}

fn first_of(buffer: &mut [u8], left: u64) -> &mut [u8] {
    let most = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
    buffer.get_mut(..most).unwrap_or_default()
}

/// One of the three. It ends with this.
struct Peer(Child);

impl Peer {
    fn start(part: &str, words: &[&str]) -> Self {
        let this = env::current_exe().expect("this program has a path");
        let part = [&[part], words].concat().join("\n");
        let started = Command::new(this).env(VARIABLE, part).stdout(Stdio::piped()).spawn();
        Self(started.expect("this program starts"))
    }

    /// The one line it says.
    fn line(&mut self) -> String {
        let mut line = String::new();
        let stdout = self.0.stdout.take().expect("its output is a pipe");
        BufReader::new(stdout).read_line(&mut line).expect("it says a line");
        line.trim().to_owned()
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
