//! What a review of the protocol found: timers that spin, lines that are taken for others, and what one
//! liar can do to somebody else's log.

#![expect(clippy::unwrap_used, reason = "what a test cannot do fails it")]

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use sayagain::{
    app::{
        Action, Client, ClientConfig, Command, DialError, Event, FileRules, Hub, HubConfig, Input, LinkId,
        Mesh, MeshConfig, Now, Topology, Trouble, limits::Limits,
    },
    wire::{
        Addr, Epoch, Frame, HaveLog, Hello, Kind, LogKey, NodeId, PublicKey, Record, Role, RoomId, Scheme,
        Seq, SigningKey, VERSION, Vector,
    },
};

fn begin() -> Now {
    Now { instant: tokio::time::Instant::now().into_std(), unix_ms: 1_700_000_000_000 }
}

fn later(now: Now, by: Duration) -> Now {
    Now { instant: now.instant + by, unix_ms: now.unix_ms }
}

fn addr(port: u16) -> Addr {
    Addr::new(Scheme::Tcp, ([192, 0, 2, 1], port).into())
}

fn lobby() -> RoomId {
    RoomId::Public("lobby".parse().unwrap())
}

fn key(number: u8) -> SigningKey {
    SigningKey::from_seed([number; 32]).unwrap()
}

fn hello(role: Role, key: PublicKey, nick: &str) -> Hello {
    let nick = nick.parse().unwrap();
    Hello { version: VERSION, role, key, nick, epoch: Epoch(1), listen: Vec::new(), capabilities: 0 }
}

fn actions(machine: &mut dyn Topology) -> Vec<Action> {
    std::iter::from_fn(|| machine.poll_action()).collect()
}

fn sent(machine: &mut dyn Topology) -> Vec<Frame> {
    let frame = |action| if let Action::Send { frame, .. } = action { Some(frame) } else { None };
    actions(machine).into_iter().filter_map(frame).collect()
}

fn up(machine: &mut dyn Topology, link: u64, hello: Hello, now: Now) {
    let addr = ([192, 0, 2, 9], 4000).into();
    machine.handle_input(Input::LinkUp { link: LinkId(link), hello, addr, dialed: None }, now);
}

fn tell(machine: &mut dyn Topology, link: u64, frame: Frame, now: Now) {
    machine.handle_input(Input::Frame { link: LinkId(link), frame }, now);
}

fn subscribe() -> Frame {
    Frame::Subscribe { room: lobby(), have: Vector::default(), age_ms: 0, history: 0, more: false }
}

fn record(author: NodeId, seq: u64, body: &str) -> Record {
    let body = Bytes::copy_from_slice(body.as_bytes());
    let (room, epoch, seq) = (lobby(), Epoch(1), Seq(seq));
    Record { room, author, epoch, seq, lamport: 1, sent_at_ms: 0, kind: Kind::TEXT, body, signature: None }
}

fn peer(peers: Vec<Addr>) -> Mesh {
    Mesh::new(MeshConfig {
        key: Arc::new(key(1)),
        nick: "myself".parse().unwrap(),
        epoch: Epoch(1),
        listen: Vec::new(),
        peers,
        rooms: vec!["lobby".parse().unwrap()],
        max_message_bytes: 1_000,
        history: 0,
        files: FileRules::default(),
        linger: Duration::from_secs(60),
        seed: [0; 32],
    })
}

fn client(now: Now) -> Client {
    let mut client = Client::new(ClientConfig {
        key: key(1).public(),
        nick: "myself".parse().unwrap(),
        nick_given: true,
        epoch: Epoch(1),
        servers: vec![addr(1)],
        rooms: vec!["lobby".parse().unwrap()],
        reconnect: true,
        linger: Duration::from_secs(60),
        history: 0,
        files: FileRules::default(),
        seed: [0; 32],
    });
    client.handle_input(Input::Start, now);
    up(&mut client, 1, hello(Role::Server, key(9).public(), "srv"), now);
    let welcome = Frame::Welcome { nick: "myself".parse().unwrap(), max_message_bytes: 1_000 };
    tell(&mut client, 1, welcome, now);
    client
}

fn joined(next: u64) -> Frame {
    Frame::Joined { room: lobby(), next: Seq(next), members: Vec::new(), more: false }
}

/// A timer in the past is served before anything else, so nothing else is served.
#[test]
fn does_a_peer_that_was_woken_wait_for_a_later_time() {
    let mut now = begin();
    let mut peer = peer((1..=9).map(addr).collect());
    peer.handle_input(Input::Start, now);
    for _ in 0..100 {
        let dialed: Vec<Addr> = actions(&mut peer)
            .into_iter()
            .filter_map(|a| if let Action::Dial(to) = a { Some(to) } else { None })
            .collect();
        // The hosts are down: each dial takes five seconds.
        let until = later(now, Duration::from_secs(5));
        while let Some(at) = peer.poll_timeout().filter(|&at| at < until.instant) {
            assert!(at >= now.instant, "{:?} too late", now.instant - at);
            now = Now { instant: at, ..now };
            peer.handle_timeout(now);
            assert!(peer.poll_timeout().is_none_or(|next| next > at), "woken for nothing, again and again");
        }
        now = until;
        for addr in dialed {
            let error = DialError::Unreachable(Trouble::new("unreachable", "", ""));
            peer.handle_input(Input::DialFailed { addr, error }, now);
        }
    }
}

/// The same, when input has ended and a neighbour is in no room.
#[test]
fn does_a_peer_at_the_end_of_input_wait_for_a_later_time() {
    let mut now = begin();
    let mut peer = peer(vec![addr(1)]);
    peer.handle_input(Input::Start, now);
    up(&mut peer, 1, hello(Role::Peer, key(2).public(), "silent"), now);
    up(&mut peer, 2, hello(Role::Peer, key(3).public(), "slow"), now);
    tell(&mut peer, 2, subscribe(), now);
    peer.handle_input(Input::Command(Command::Say("last words".into())), now);
    peer.handle_input(Input::Command(Command::Finish), now);
    now = later(now, Duration::from_millis(2_500));
    peer.handle_timeout(now);
    assert!(peer.poll_timeout().is_none_or(|at| at > now.instant), "woken for nothing, again and again");
}

/// `/leave`, `/join` and a line typed before the server answered: the server has one line of this
/// run already, and takes the new one for it.
#[test]
fn is_a_line_said_while_joining_again_sent() {
    let now = begin();
    let mut client = client(now);
    tell(&mut client, 1, joined(0), now);
    client.handle_input(Input::Command(Command::Say("first".into())), now);
    let log = LogKey { room: lobby(), author: key(1).node(), epoch: Epoch(1) };
    tell(&mut client, 1, Frame::Ack { log, next: Seq(1), level: sayagain::wire::AckLevel::Accepted }, now);
    client.handle_input(Input::Command(Command::Leave(None)), now);
    client.handle_input(Input::Command(Command::Join("lobby".parse().unwrap())), now);
    client.handle_input(Input::Command(Command::Say("second".into())), now);
    sent(&mut client);
    tell(&mut client, 1, joined(1), now);
    let frames = sent(&mut client);
    assert!(frames.iter().any(|f| matches!(f, Frame::Record(r) if r.text() == "second")), "{frames:?}");
}

/// Somebody says that the records of somebody else are gone, up to the end of time.
#[test]
fn does_a_peer_believe_anybody_that_records_are_gone() {
    let now = begin();
    let mut peer = peer(Vec::new());
    peer.handle_input(Input::Start, now);
    let author = key(3);
    up(&mut peer, 1, hello(Role::Peer, key(2).public(), "liar"), now);
    tell(&mut peer, 1, subscribe(), now);
    let log = LogKey { room: lobby(), author: author.node(), epoch: Epoch(1) };
    tell(&mut peer, 1, Frame::Gone { log, floor: Seq(1_000_000) }, now);
    let now = later(now, Duration::from_secs(60));
    peer.handle_timeout(now);
    up(&mut peer, 2, hello(Role::Peer, author.public(), "author"), now);
    tell(&mut peer, 2, subscribe(), now);
    let mut said = record(author.node(), 0, "hear me");
    author.sign(&mut said, [0; 16]);
    actions(&mut peer);
    tell(&mut peer, 2, Frame::Record(said), now);
    let heard = actions(&mut peer).into_iter().any(|a| matches!(a, Action::Notify(Event::Message(_))));
    assert!(heard, "the author was silenced");
}

/// A left, B lacks what A said last, D holds it. C came later and holds only what came after: what C
/// never had is not gone.
#[test]
fn is_what_a_late_joiner_never_had_asked_of_others() {
    let now = begin();
    let mut peer = peer(Vec::new());
    peer.handle_input(Input::Start, now);
    let author = key(3).node();
    for (link, number) in [(1, 4), (2, 5)] {
        up(&mut peer, link, hello(Role::Peer, key(number).public(), "someone"), now);
        tell(&mut peer, link, subscribe(), now);
    }
    let have = |start, next| {
        let (start, next) = (Seq(start), Seq(next));
        let logs = vec![HaveLog { author, epoch: Epoch(1), start, floor: start, next }];
        Frame::Have { room: lobby(), logs }
    };
    tell(&mut peer, 2, have(0, 8), now);
    tell(&mut peer, 1, have(7, 8), now);
    actions(&mut peer);
    let log = LogKey { room: lobby(), author, epoch: Epoch(1) };
    tell(&mut peer, 1, Frame::Gone { log, floor: Seq(7) }, now);
    let gap = actions(&mut peer).into_iter().any(|a| matches!(a, Action::Notify(Event::Gap { .. })));
    assert!(!gap, "D has them");
    let mut first = record(author, 0, "from D");
    key(3).sign(&mut first, [0; 16]);
    let introduced =
        Frame::Author { room: lobby(), node: author, nick: "a".parse().unwrap(), key: Some(key(3).public()) };
    tell(&mut peer, 2, introduced, now);
    tell(&mut peer, 2, Frame::Record(first), now);
    let shown = actions(&mut peer).into_iter().any(|a| matches!(a, Action::Notify(Event::Message(_))));
    assert!(shown, "what D sent is not shown");
}

/// Soon after a server began, one client says that it has more of everybody than there is.
#[test]
fn can_a_client_silence_another_by_hearsay() {
    let now = begin();
    let config = HubConfig {
        key: key(9).public(),
        nick: "srv".parse().unwrap(),
        epoch: Epoch(1),
        limits: Limits::default(),
        history: false,
    };
    let mut hub = Hub::new(config);
    hub.handle_input(Input::Start, now);
    let (alice, liar, bob) = (key(2), key(3), key(4));
    for (link, key, nick) in [(1, &alice, "alice"), (2, &liar, "liar"), (3, &bob, "bob")] {
        up(&mut hub, link, hello(Role::Client, key.public(), nick), now);
        let lie: Vector = [(alice.node(), Epoch(1), Seq(1_000_000))].into_iter().collect();
        let have = if nick == "liar" { lie } else { Vector::default() };
        let frame = Frame::Subscribe { room: lobby(), have, age_ms: 60_000, history: 0, more: false };
        tell(&mut hub, link, frame, now);
    }
    actions(&mut hub);
    let now = later(now, Duration::from_secs(31));
    hub.handle_timeout(now);
    let gone = sent(&mut hub).into_iter().find(
        |f| matches!(f, Frame::Gone { floor: upto, .. } | Frame::Lost { upto, .. } if upto.0 == 1_000_000),
    );
    assert!(gone.is_none(), "alice is there and was never asked: {gone:?}");
}

/// A room has had all the authors it can: the record is refused in a way that ends.
#[test]
fn is_an_author_too_many_told_so() {
    let now = begin();
    let mut room = sayagain::app::room::Room::new(lobby(), sayagain::app::room::Keep::NOTHING);
    let node = |i: u32| {
        let mut id = [0; 32];
        id[..4].copy_from_slice(&i.to_be_bytes());
        NodeId(id)
    };
    let runs = (0..20_000).map(|i| room.insert(record(node(i), 0, "hi"), now.instant));
    assert_eq!(runs.filter(Result::is_err).count(), 0, "runs of which nothing is kept make way");
}
