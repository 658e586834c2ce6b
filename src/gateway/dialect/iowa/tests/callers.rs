//! The peer and the client.

use super::*;

const CONN: ConnId = ConnId(1);

fn config() -> CallerConfig {
    CallerConfig {
        name: Some("user1".to_owned()),
        server: None,
        local: Some(addr("127.0.0.1:5001")),
        peers: vec![addr("127.0.0.1:5002"), addr("127.0.0.1:5003")],
        follow: Vec::new(),
        window: 3,
        reliable: false,
        format_line: None,
        interactive: false,
        max_file_bytes: 0,
        seed: 1,
    }
}

/// A program without a network.
struct Called<M> {
    machine: M,
    now: Instant,
    dialled: Vec<(DialId, SocketAddr)>,
    sent: Vec<(ConnId, String)>,
    shown: Vec<String>,
    warned: Vec<String>,
    logged: Vec<String>,
    closed: Vec<ConnId>,
    exit: Option<u8>,
}

impl<M: Machine> Called<M> {
    fn new(machine: M) -> Self {
        let mut called = Self {
            machine,
            now: tokio::time::Instant::now().into_std(),
            dialled: Vec::new(),
            sent: Vec::new(),
            shown: Vec::new(),
            warned: Vec::new(),
            logged: Vec::new(),
            closed: Vec::new(),
            exit: None,
        };
        called.input(Input::Start);
        called
    }

    fn input(&mut self, input: Input) {
        self.machine.handle(input, self.now);
        self.drain();
    }

    fn drain(&mut self) {
        while let Some(output) = self.machine.poll_output() {
            match output {
                Output::Send { conn, bytes } => {
                    assert!(!self.closed.contains(&conn));
                    self.sent.push((conn, String::from_utf8(bytes.to_vec()).unwrap()));
                }
                Output::Dial { dial, to, .. } => self.dialled.push((dial, to)),
                Output::Print(line) => self.shown.push(line),
                Output::Warn(line) => self.warned.push(line),
                Output::Log(line) => self.logged.push(line),
                Output::Close { conn } => self.closed.push(conn),
                Output::Exit { status } => self.exit = Some(status),
                other => panic!("{other:?}"),
            }
        }
    }

    fn typed(&mut self, line: &str) {
        self.input(Input::Typed(line.to_owned()));
    }

    fn receive(&mut self, conn: ConnId, bytes: &[u8]) {
        self.input(Input::Received { conn, bytes: Bytes::copy_from_slice(bytes) });
    }

    fn accept(&mut self, conn: ConnId) {
        self.input(Input::Accepted { conn, peer: addr("127.0.0.1:40000") });
    }

    fn wait(&mut self) {
        self.now += PACE;
        self.machine.handle_timeout(self.now);
        self.drain();
    }

    /// Answers a dial with the connection of that number, or not at all.
    fn answer(&mut self, conn: Option<u64>) {
        let (dial, _) = self.dialled.remove(0);
        self.input(match conn {
            Some(conn) => Input::Connected { dial, conn: ConnId(conn) },
            None => Input::NotConnected { dial, why: "refused".into() },
        });
    }

    fn sent(&mut self) -> Vec<(ConnId, String)> {
        std::mem::take(&mut self.sent)
    }
}

fn peer() -> Called<Peer> {
    Called::new(Peer::new(config()))
}

fn client() -> Called<Client> {
    let mut called =
        Called::new(Client::new(CallerConfig { server: Some(addr("127.0.0.1:5000")), ..config() }));
    assert_eq!(called.dialled[0].1, addr("127.0.0.1:5000"));
    assert!(!called.machine.is_ready());
    called.answer(Some(1));
    called
}

/// I1 to I11, IOWA-D8: lazily, the same number to everybody, one object a write, nothing after it.
#[test]
fn does_a_peer_dial_when_there_is_something_to_say() {
    let mut peer = peer();
    assert!(peer.dialled.is_empty() && peer.machine.is_ready());
    peer.typed("hello");
    assert_eq!(peer.dialled.iter().map(|(_, to)| to.port()).collect::<Vec<_>>(), [5002, 5003]);
    assert!(!peer.machine.is_ready());
    peer.answer(Some(1));
    peer.answer(Some(2));
    let hello = r#"{"seq": 0, "user": "user1", "message": "hello"}"#.to_owned();
    assert_eq!(peer.sent(), [(ConnId(1), hello.clone()), (ConnId(2), hello)]);
    assert!(!peer.machine.is_ready(), "the pause is part of the line");
    peer.wait();
    assert!(peer.machine.is_ready());
    peer.typed("second");
    let second = r#"{"seq": 1, "user": "user1", "message": "second"}"#.to_owned();
    assert_eq!(peer.sent(), [(ConnId(1), second.clone()), (ConnId(2), second)]);
    peer.wait();
    peer.typed("say \"x\" č");
    assert_eq!(peer.sent()[0].1, r#"{"seq": 2, "user": "user1", "message": "say \"x\" \u010d"}"#);
    assert!(peer.dialled.is_empty(), "one connection each, kept");
    assert!(peer.shown.is_empty(), "nobody hears themselves");
}

/// The transcript of two peers (I7, I8, I23), each with a connection of its own to the other.
#[test]
fn do_two_peers_talk() {
    let named = |name: &str, port: u16| {
        let peers = vec![addr(&format!("127.0.0.1:{port}"))];
        Called::new(Peer::new(CallerConfig { name: Some(name.to_owned()), peers, ..config() }))
    };
    let (mut user1, mut user2) = (named("user1", 5002), named("user2", 5001));
    let say = |from: &mut Called<Peer>, to: &mut Called<Peer>, line: &str| {
        from.typed(line);
        if !from.dialled.is_empty() {
            from.answer(Some(1));
            to.accept(ConnId(2));
        }
        for (_, bytes) in from.sent() {
            to.receive(ConnId(2), bytes.as_bytes());
        }
        from.wait();
    };
    say(&mut user1, &mut user2, "hello");
    assert_eq!(user2.shown, ["user1: hello"]);
    say(&mut user2, &mut user1, "hi there");
    assert_eq!(user1.shown, ["user2: hi there"]);
    say(&mut user1, &mut user2, "exit");
    assert_eq!(user1.exit, Some(0));
    user2.input(Input::Ended { conn: ConnId(2) });
    user2.input(Input::Ended { conn: CONN });
    assert_eq!((user2.exit, user2.shown.len(), user2.warned.len()), (None, 1, 0));
}

/// IOWA-D6.
#[test]
fn does_a_peer_go_on_without_those_it_cannot_reach() {
    let mut peer = peer();
    peer.typed("hello");
    peer.answer(None);
    peer.answer(Some(2));
    assert_eq!(peer.warned, ["127.0.0.1:5002 cannot be reached: refused"]);
    assert_eq!(peer.sent().len(), 1);
    peer.wait();
    peer.typed("again");
    assert_eq!(peer.sent().len(), 1);
    peer.answer(Some(3));
    assert_eq!(peer.sent(), [(ConnId(3), object(1, "user1", "again"))]);
    peer.wait();
    peer.input(Input::Ended { conn: ConnId(2) });
    peer.typed("third");
    assert_eq!(peer.dialled[0].1, addr("127.0.0.1:5003"), "a lost connection is dialled again");
    assert_eq!(peer.warned.len(), 1);
}

/// I7, I23, IOWA-D7; the transcript.
#[test]
fn does_a_peer_show_what_anybody_says_and_answer_nothing() {
    let mut peer = peer();
    for conn in [7, 8] {
        peer.accept(ConnId(conn));
    }
    peer.receive(ConnId(7), object(0, "user2", "hi there").as_bytes());
    peer.receive(ConnId(8), (object(0, "user3", "a") + &object(1, "user3", "b") + "\n").as_bytes());
    peer.receive(
        ConnId(7),
        br#"{"operation": "message", "seq": 1, "user": "user2", "message": "x", "more": {}}"#,
    );
    assert_eq!(peer.shown, ["user2: hi there", "user3: a", "user3: b", "user2: x"]);
    peer.receive(ConnId(7), br#"{"operation": "subscribe", "client": "127.0.0.1:5000"}"#);
    for nonsense in NONSENSE {
        peer.receive(ConnId(8), nonsense.as_bytes());
        peer.receive(ConnId(8), object(9, "user3", "ok").as_bytes());
    }
    assert_eq!(peer.shown.len(), 4 + NONSENSE.len());
    assert!(peer.sent.is_empty() && peer.closed.is_empty() && peer.warned.is_empty());
    peer.receive(ConnId(7), object(2, "user2", "a\\nb\\u001b[2J").as_bytes());
    assert_eq!(peer.shown.last().unwrap(), "user2: a b\\u{1b}[2J", "one line whatever it says");
}

/// I8, IOWA-D9.
#[test]
fn when_does_a_peer_leave() {
    let mut peer1 = peer();
    peer1.accept(ConnId(9));
    peer1.typed("exit now");
    peer1.answer(Some(1));
    peer1.answer(None);
    assert_eq!(peer1.sent(), [(ConnId(1), object(0, "user1", "exit now"))]);
    peer1.wait();
    peer1.typed("exit");
    assert_eq!((peer1.closed.clone(), peer1.exit), (vec![ConnId(1), ConnId(9)], Some(0)));
    assert!(peer1.sent.is_empty());

    let mut silent = peer();
    silent.input(Input::TypedEnd);
    assert_eq!(silent.exit, None, "it was only to listen");

    let mut piped = peer();
    piped.typed("hello");
    piped.input(Input::TypedEnd);
    assert_eq!(piped.exit, None, "the line comes first");
    piped.answer(Some(1));
    piped.answer(Some(2));
    assert_eq!((piped.sent.len(), piped.exit), (2, None));
    piped.wait();
    assert_eq!(piped.exit, Some(0));

    for input in [Input::TypedEnd, Input::Interrupted] {
        let mut typing = Called::new(Peer::new(CallerConfig { interactive: true, ..config() }));
        typing.input(input);
        assert_eq!(typing.exit, Some(0));
    }
}

#[test]
fn do_lines_that_come_too_early_wait() {
    let mut peer = peer();
    for line in 0..=MAX_TYPED + 1 {
        peer.typed(&line.to_string());
    }
    assert_eq!(peer.warned, ["not sent: too many lines wait"], "one is on its way, {MAX_TYPED} wait");
    peer.answer(Some(1));
    peer.answer(Some(2));
    for _ in 0..MAX_TYPED {
        peer.wait();
    }
    let texts: Vec<String> =
        peer.sent.iter().filter(|(conn, _)| *conn == CONN).map(|sent| sent.1.clone()).collect();
    let expected: Vec<String> = (0..=MAX_TYPED as u64).map(|n| object(n, "user1", &n.to_string())).collect();
    assert_eq!(texts, expected);
}

#[test]
fn how_long_may_a_typed_line_be() {
    let mut client = client();
    client.wait();
    client.sent();
    let frame = object(0, "user1", "").len();
    client.typed(&"x".repeat(MAX_OBJECT_BYTES - frame));
    assert_eq!(client.sent().len(), 1);
    client.wait();
    client.typed(&"x".repeat(MAX_OBJECT_BYTES - frame + 1));
    assert_eq!((client.sent().len(), client.warned.len()), (0, 1));
}

#[test]
fn are_connections_to_a_caller_bounded_and_strangers_closed() {
    let mut peer = peer();
    for conn in 1..=MAX_CONNECTIONS as u64 + 1 {
        peer.accept(ConnId(conn));
    }
    assert_eq!(peer.closed, [ConnId(MAX_CONNECTIONS as u64 + 1)]);
    peer.receive(ConnId(1), b"GET / HTTP/1.1\r\n\r\n");
    peer.receive(ConnId(2), b"\x16\x03\x01\x00\x05");
    peer.receive(ConnId(3), "{1}".repeat(MAX_BAD_IN_A_ROW as usize).as_bytes());
    assert_eq!(peer.closed[1..], [ConnId(1), ConnId(2), ConnId(3)]);
    peer.receive(ConnId(3), object(0, "u", "late").as_bytes());
    assert!(peer.shown.is_empty());
}

/// I13 to I20, I22, I27.
#[test]
fn are_the_bytes_of_a_client_those_of_the_assignment() {
    let mut client = client();
    assert_eq!(
        client.sent(),
        [(CONN, r#"{"operation": "subscribe", "client": "127.0.0.1:5001"}"#.to_owned())]
    );
    assert!(!client.machine.is_ready(), "the pause between two writes (IOWA-D1)");
    client.wait();
    for line in ["hello", "", "exit now"] {
        assert!(client.machine.is_ready());
        client.typed(line);
        client.wait();
    }
    let lines = [object(0, "user1", "hello"), object(1, "user1", ""), object(2, "user1", "exit now")];
    assert_eq!(client.sent(), lines.map(|line| (CONN, line)));
    client.typed(" exit ");
    assert_eq!(
        client.sent(),
        [(CONN, r#"{"operation": "unsubscribe", "client": "127.0.0.1:5001"}"#.to_owned())]
    );
    assert_eq!((client.closed, client.exit), (vec![CONN], Some(0)));
}

/// IOWA-D10.
#[test]
fn does_a_client_read_on_both_ways() {
    let mut client = client();
    client.accept(ConnId(2));
    client.receive(CONN, object(0, "user2", "one").as_bytes());
    client.receive(ConnId(2), object(0, "user2", "one").as_bytes());
    client.receive(ConnId(2), object(1, "user2", "two").as_bytes());
    client.receive(CONN, object(1, "user2", "two").as_bytes());
    assert_eq!(client.shown, ["user2: one", "user2: two"]);
    client.input(Input::Ended { conn: ConnId(2) });
    assert_eq!(client.exit, None);
}

#[test]
fn which_address_does_a_client_name() {
    for (local, server, named) in [
        ("0.0.0.0:5001", "127.0.0.1:5000", "127.0.0.1:5001"),
        ("0.0.0.0:5001", "192.0.2.7:5000", "0.0.0.0:5001"),
        ("192.0.2.1:5001", "192.0.2.7:5000", "192.0.2.1:5001"),
        ("[::1]:5001", "[::1]:5000", "[::1]:5001"),
    ] {
        let config = CallerConfig { local: Some(addr(local)), server: Some(addr(server)), ..config() };
        let mut client = Called::new(Client::new(config));
        client.answer(Some(1));
        assert!(client.sent[0].1.contains(&format!("\"client\": \"{named}\"")), "{local} {server}");
    }
}

#[test]
fn when_does_a_client_leave() {
    let mut gone = client();
    gone.input(Input::Ended { conn: CONN });
    assert_eq!((gone.exit, gone.warned.len()), (Some(1), 1));

    let config = || CallerConfig { server: Some(addr("127.0.0.1:5000")), ..config() };
    let mut refused = Called::new(Client::new(config()));
    refused.answer(None);
    assert_eq!(
        (refused.exit, refused.warned),
        (Some(1), vec!["cannot connect to 127.0.0.1:5000: refused".into()])
    );

    let mut hasty = Called::new(Client::new(config()));
    hasty.input(Input::Interrupted);
    assert_eq!(hasty.exit, Some(0));

    let mut interrupted = client();
    interrupted.input(Input::Interrupted);
    assert_eq!(interrupted.exit, None, "the pause after the subscription comes first");
    interrupted.wait();
    assert_eq!(interrupted.exit, Some(0));
    assert!(interrupted.sent[1].1.contains("unsubscribe"));

    let mut piped = client();
    piped.typed("hello");
    piped.input(Input::TypedEnd);
    piped.wait();
    piped.wait();
    assert_eq!((piped.sent.len(), piped.exit), (3, Some(0)));

    let mut listening = client();
    listening.input(Input::TypedEnd);
    listening.wait();
    assert_eq!(listening.exit, None, "it was only to listen");
}

#[test]
fn does_it_matter_to_a_peer_where_reads_cut() {
    let stream =
        object(0, "a", "x{}\\\"\\u010d") + "\r\n" + &object(1, "a", "y") + " {bad" + &object(2, "a", "z");
    for size in [1, 2, 3, 256, 512, stream.len()] {
        let mut peer = peer();
        peer.accept(CONN);
        stream.as_bytes().chunks(size).for_each(|chunk| peer.receive(CONN, chunk));
        assert_eq!(peer.shown, ["a: x{}\"č", "a: y", "a: z"], "reads of {size}");
    }
}
