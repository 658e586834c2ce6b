//! Who does not read what it is sent: does it cost anybody else, and what does it cost itself?

#![expect(clippy::unwrap_used, reason = "what a test cannot do fails it")]

use std::{net::SocketAddr, time::Duration};

use sayagain::{
    app::{Change, Command, Event, limits::KEEP_BYTES},
    node::{Events, Node, NodeHandle},
    transport::{Lane, Link, STALL_TIMEOUT, Security, TcpTransport, Transport},
    wire::{Epoch, Frame, Hello, PublicKey, Record, Role, RoomId, Seq, VERSION, Vector, decode, encode},
};
use tokio::time::{Instant, timeout};

/// Far longer than anything but a failure takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// More bytes than the buffers of two hosts and both nodes take together, less than a room keeps.
const LINES: u64 = 1_500;
const LINE_BYTES: usize = 10_000;

const _: () = assert!((LINES as usize) * LINE_BYTES < KEEP_BYTES, "nothing is forgotten meanwhile");

fn lobby() -> RoomId {
    RoomId::Public("lobby".parse().unwrap())
}

fn line(number: u64) -> String {
    let mut text = format!("{number} ");
    text.push_str(&"x".repeat(LINE_BYTES - text.len()));
    text
}

/// A client that reads only when it is told to.
struct Dawdler {
    link: Link,
}

impl Dawdler {
    async fn joins(server: SocketAddr, name: &str, key: u8) -> Self {
        let link = TcpTransport::new(Security::Insecure).dial(server).await.unwrap();
        let mut dawdler = Self { link };
        let (version, role, key, nick) = (VERSION, Role::Client, PublicKey([key; 32]), name.parse().unwrap());
        let (epoch, listen) = (Epoch(1), Vec::new());
        dawdler.says(&Frame::Hello(Hello { version, role, key, nick, epoch, listen, capabilities: 0 })).await;
        while !matches!(dawdler.hears().await, Some(Frame::Welcome { .. })) {}
        let (room, have) = (lobby(), Vector::default());
        dawdler.says(&Frame::Subscribe { room, have, age_ms: 0, history: 0, more: false }).await;
        while !matches!(dawdler.hears().await, Some(Frame::Joined { .. })) {}
        dawdler
    }

    async fn says(&self, frame: &Frame) {
        self.link.tx.send(Lane::CONTROL, encode(frame).unwrap()).await.unwrap();
    }

    /// The next frame; none at the end of the link, whichever it is.
    async fn hears(&mut self) -> Option<Frame> {
        let message = timeout(PATIENCE, self.link.rx.recv()).await.expect("a word or an end");
        Some(decode(&message.ok().flatten()?).unwrap())
    }

    async fn next_record(&mut self) -> Option<Record> {
        loop {
            if let Frame::Record(record) = self.hears().await? {
                return Some(record);
            }
        }
    }
}

/// A client with a front end that reads all there is.
async fn client(server: SocketAddr, name: &str) -> (NodeHandle, Events) {
    let node = Node::client(server).insecure(true).name(name).unwrap().room("lobby").unwrap();
    let (handle, mut events, _) = node.start().await.unwrap();
    while !matches!(next(&mut events).await, Event::Joined { .. }) {}
    (handle, events)
}

async fn next(events: &mut Events) -> Event {
    timeout(PATIENCE, events.next()).await.expect("another event").expect("a node that still runs")
}

/// Hears every line, in order and once.
async fn hears_all(events: &mut Events) {
    for number in 0..LINES {
        let said = loop {
            match next(events).await {
                Event::Message(said) => break said,
                Event::Presence { change: Change::Lost { reason }, .. } => {
                    panic!("nobody waits for those who do not read, but line {number} did: {reason}")
                }
                Event::Presence { .. } | Event::Link { .. } => {}
                other => panic!("{other:?} before line {number}"),
            }
        };
        assert_eq!((said.seq, said.text), (Seq(number), line(number)));
    }
}

async fn speak(handle: NodeHandle) {
    for number in 0..LINES {
        handle.command(Command::Say(line(number))).await.unwrap();
    }
}

/// Two do not read while another one talks. One begins to before the server gives up, the other never.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn does_a_slow_reader_harm_anybody_and_is_a_dead_one_cut_off() {
    let (_server, mut server_events, _) = Node::server().insecure(true).start().await.unwrap();
    let server = loop {
        if let Event::Listening { addr, .. } = next(&mut server_events).await {
            break addr;
        }
    };
    let mut slow = Dawdler::joins(server, "slow", 1).await;
    let mut dead = Dawdler::joins(server, "dead", 2).await;
    let (_listener, mut heard) = client(server, "listener").await;
    let (speaker, mut spoken) = client(server, "speaker").await;
    let speaker_reads = tokio::spawn(async move { while spoken.next().await.is_some() {} });

    let began = Instant::now();
    let speaking = tokio::spawn(speak(speaker.clone()));
    hears_all(&mut heard).await;
    speaking.await.unwrap();
    let took = began.elapsed();

    for number in 0..LINES {
        let record = slow.next_record().await.expect("the slow one is not cut off");
        assert_eq!((record.seq, record.text()), (Seq(number), line(number)));
    }

    // Nobody else reads on behalf of the dead one, so its link stands still since about the beginning.
    let reason = loop {
        match next(&mut heard).await {
            Event::Presence { name, change: Change::Lost { reason }, .. } => {
                assert_eq!(name, "dead");
                break reason;
            }
            Event::Message(said) => panic!("{said:?} twice"),
            _ => {}
        }
    };
    let after = began.elapsed();
    let most = took + STALL_TIMEOUT + Duration::from_secs(5);
    assert!(after >= STALL_TIMEOUT && after < most, "cut off after {after:?}: {reason}");

    let mut got = 0;
    while let Some(record) = dead.next_record().await {
        assert_eq!(record.seq, Seq(got), "what did arrive is in order");
        got += 1;
    }
    assert!(got < LINES, "its link ended before it had all");

    // Who reads again is a member like any other.
    speaker.command(Command::Say("the last".into())).await.unwrap();
    assert_eq!(slow.next_record().await.unwrap().text(), "the last");
    speaker_reads.abort();
}
