//! The receivers, the sender, and the server between them.

use std::{
    env,
    io::Write as _,
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use sayagain::{
    app::limits::WINDOW,
    transport::{Lane, Link, LinkRx, LinkTx},
    wire::{Epoch, Frame, Kind, Record, RoomId, Seq, SigningKey, encode},
};
use tokio::{io::AsyncReadExt as _, net::TcpStream, runtime::Runtime, sync::Notify, time::Instant};

use super::{
    floor::{self, LINE_BYTES},
    member::{join, receive},
    process::Server,
};

/// How many lines are said before everybody must have the one before.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pace {
    Burst,
    Paced,
}

impl Pace {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Burst => "burst",
            Self::Paced => "paced",
        }
    }
}

/// How many lines all receivers together have.
#[derive(Default)]
struct Tally {
    heard: AtomicU64,
    wanted: AtomicU64,
    reached: Notify,
}

impl Tally {
    fn add(&self, lines: u64) {
        let heard = self.heard.fetch_add(lines, Ordering::AcqRel) + lines;
        if heard >= self.wanted.load(Ordering::Acquire) {
            self.reached.notify_one();
        }
    }

    async fn reach(&self, wanted: u64) {
        self.wanted.store(wanted, Ordering::Release);
        while self.heard.load(Ordering::Acquire) < wanted {
            self.reached.notified().await;
        }
    }
}

enum Sender {
    Floor,
    Node(Box<Speaker>),
}

/// A client that speaks.
struct Speaker {
    tx: Box<dyn LinkTx>,
    rx: Box<dyn LinkRx>,
    line: Record,
    accepted: Seq,
}

/// A server with a room full of receivers and one who speaks.
pub(crate) struct Crowd {
    runtime: Runtime,
    server: Server,
    sender: Sender,
    tally: Arc<Tally>,
    receivers: u64,
    said: u64,
}

impl Crowd {
    pub(crate) fn around_floor(receivers: usize) -> Self {
        let runtime = Runtime::new().expect("a runtime");
        let server = floor::start(receivers);
        let tally = Arc::<Tally>::default();
        for _ in 0..receivers {
            let socket = runtime.block_on(TcpStream::connect(server.addr)).expect("the floor listens");
            runtime.spawn(count_bytes(socket, tally.clone()));
        }
        Self { runtime, server, sender: Sender::Floor, tally, receivers: receivers as u64, said: 0 }
    }

    pub(crate) fn around_node(receivers: usize, insecure: bool) -> Self {
        rlimit::increase_nofile_limit(u64::MAX).expect("the hard limit is allowed");
        let runtime = Runtime::new().expect("a runtime");
        let dir = env::temp_dir().join(format!("sayagain-bench-{}", std::process::id()));
        let mut command = Command::new(env!("CARGO_BIN_EXE_node"));
        command.args([
            "--role",
            "server",
            "--listen",
            "127.0.0.1:0",
            "--max-clients",
            "2000",
            "-q",
            "--data-dir",
        ]);
        command.arg(&dir);
        if insecure {
            command.arg("--insecure");
        }
        let server = Server::start(&mut command);
        let tally = Arc::<Tally>::default();
        for number in 0..receivers {
            let (_, _, link) = runtime.block_on(join(server.addr, number, &lobby(), insecure));
            runtime.spawn(count_records(link, tally.clone()));
        }
        let (key, epoch, link) = runtime.block_on(join(server.addr, receivers, &lobby(), insecure));
        let line = line(&key, epoch);
        let sender = Sender::Node(Box::new(Speaker { tx: link.tx, rx: link.rx, line, accepted: Seq(0) }));
        Self { runtime, server, sender, tally, receivers: receivers as u64, said: 0 }
    }

    /// Says that many lines; returns the time until everybody had them and the CPU time of the server.
    pub(crate) fn say(&mut self, lines: u64, pace: Pace) -> (Duration, Duration) {
        let Self { runtime, server, sender, tally, receivers, said } = self;
        let spent = server.cpu();
        let passed = runtime.block_on(async {
            let start = Instant::now();
            let step = if pace == Pace::Paced { 1 } else { lines };
            let end = *said + lines;
            while *said < end {
                say_some(sender, server, step).await;
                *said += step;
                tally.reach(*said * *receivers).await;
            }
            start.elapsed()
        });
        (passed, server.cpu() - spent)
    }
}

async fn say_some(sender: &mut Sender, server: &mut Server, lines: u64) {
    match sender {
        Sender::Floor => {
            let stdin = server.stdin.as_mut().expect("the floor reads its input");
            writeln!(stdin, "{lines}").expect("the floor reads its input");
        }
        Sender::Node(speaker) => {
            let Speaker { tx, rx, line, accepted } = &mut **speaker;
            let end = line.seq.0 + lines;
            while line.seq.0 < end {
                while line.seq.0 >= accepted.0 + WINDOW {
                    *accepted = next_ack(rx).await;
                }
                let frame = encode(&Frame::Record(line.clone())).expect("a short frame");
                tx.send(Lane::thin(1), frame).await.expect("the server listens");
                line.seq = line.seq.next();
            }
        }
    }
}

async fn next_ack(rx: &mut Box<dyn LinkRx>) -> Seq {
    loop {
        if let Frame::Ack { next, .. } = receive(&mut **rx).await {
            return next;
        }
    }
}

fn line(key: &SigningKey, epoch: Epoch) -> Record {
    Record {
        room: lobby(),
        author: key.node(),
        epoch,
        seq: Seq(0),
        lamport: 1,
        sent_at_ms: 1_763_680_000_000,
        kind: Kind::TEXT,
        body: Bytes::from(vec![b'x'; 200]),
        signature: None,
    }
}

fn lobby() -> RoomId {
    RoomId::Public("lobby".parse().expect("a name"))
}

async fn count_records(mut link: Link, tally: Arc<Tally>) {
    let record = encode(&Frame::Record(line(&SigningKey::from_seed([0; 32]).expect("a key"), Epoch(0))));
    let variant = record.expect("a short frame").first().copied();
    while let Ok(Some(message)) = link.rx.recv().await {
        if message.first().copied() == variant {
            tally.add(1);
        }
    }
}

async fn count_bytes(mut socket: TcpStream, tally: Arc<Tally>) {
    let mut buffer = vec![0; 64 << 10];
    let mut partial = 0;
    while let Ok(read @ 1..) = socket.read(&mut buffer).await {
        let lines = (partial + read) / LINE_BYTES;
        partial = (partial + read) % LINE_BYTES;
        tally.add(lines as u64);
    }
}
