//! The server: a room behind it, and what it passes on.

use super::*;

mod people;
mod ways;

const LOCAL: &str = "127.0.0.1:40001";

fn config() -> HostConfig {
    HostConfig {
        local: addr("127.0.0.1:5000"),
        max_clients: None,
        delivery: Delivery::Auto,
        forward: ForwardForm::Auto,
        ascii_safe: false,
        max_file_bytes: 0,
        seed: 1,
    }
}

fn subscribe(client: &str) -> String {
    format!("{{\"operation\": \"subscribe\", \"client\": \"{client}\"}}")
}

fn unsubscribe(client: &str) -> String {
    format!("{{\"operation\": \"unsubscribe\", \"client\": \"{client}\"}}")
}

/// A server with a room behind it and clients that answer the phone or do not.
struct Served {
    host: Host,
    now: Instant,
    taken: BTreeSet<String>,
    nicks: BTreeMap<GuestId, String>,
    dialled: Vec<(DialId, SocketAddr)>,
    sent: Vec<(Instant, ConnId, String)>,
    closed: Vec<ConnId>,
    logged: Vec<String>,
    /// Names of who said what among us.
    said: Vec<(String, String)>,
    left: Vec<String>,
    conns: u64,
}

impl Served {
    fn new() -> Self {
        Self::with(config())
    }

    fn with(config: HostConfig) -> Self {
        Self {
            host: Host::new(config),
            now: tokio::time::Instant::now().into_std(),
            taken: BTreeSet::new(),
            nicks: BTreeMap::new(),
            dialled: Vec::new(),
            sent: Vec::new(),
            closed: Vec::new(),
            logged: Vec::new(),
            said: Vec::new(),
            left: Vec::new(),
            conns: 0,
        }
    }

    fn input(&mut self, input: Input) {
        self.host.handle(input, self.now);
        self.drain();
    }

    fn drain(&mut self) {
        let mut answers = Vec::new();
        while let Some(output) = self.host.poll_output() {
            match output {
                Output::Send { conn, bytes } => {
                    assert!(!self.closed.contains(&conn), "nothing is sent after the end");
                    assert!(bytes.is_ascii());
                    let before = self.sent.iter().rev().find(|(_, to, _)| *to == conn);
                    assert!(before.is_none_or(|(at, ..)| *at + PACE <= self.now), "the pause (IOWA-D1)");
                    self.sent.push((self.now, conn, String::from_utf8(bytes.to_vec()).unwrap()));
                }
                Output::Close { conn } => self.closed.push(conn),
                Output::Dial { dial, to, timeout } => {
                    assert_eq!(timeout, DIAL_PATIENCE);
                    self.dialled.push((dial, to));
                }
                Output::Enter { guest, name, insists } => {
                    assert!(!insists);
                    let nick = self.free(safe_nick(&name).0.as_str());
                    self.nicks.insert(guest, nick.clone());
                    answers.push(Input::Entered { guest, nick, users: Vec::new() });
                }
                Output::Command { guest, command: Command::Say(text) } => {
                    self.said.push((self.nicks[&guest].clone(), text));
                }
                Output::Command { guest, command: Command::Rename(nick) } => {
                    answers.push(Input::Told { guest, event: self.rename(guest, nick.as_str()) });
                }
                Output::Leave { guest } => self.left.push(self.nicks.remove(&guest).unwrap()),
                Output::Log(line) => self.logged.push(line),
                other => panic!("{other:?}"),
            }
        }
        answers.into_iter().for_each(|answer| self.input(answer));
    }

    fn is_free(&self, nick: &str) -> bool {
        !self.taken.contains(nick) && !self.nicks.values().any(|had| had == nick)
    }

    fn free(&self, nick: &str) -> String {
        let numbered = (2..).map(|number| format!("{nick}{number}"));
        [nick.to_owned()].into_iter().chain(numbered).find(|nick| self.is_free(nick)).unwrap()
    }

    fn rename(&mut self, guest: GuestId, nick: &str) -> Event {
        if !self.is_free(nick) {
            return Event::Error(Trouble::new("name_taken", "", ""));
        }
        let from = self.nicks.insert(guest, nick.to_owned()).unwrap();
        Event::Renamed { from, to: nick.to_owned() }
    }

    fn connect_from(&mut self, peer: &str) -> ConnId {
        self.conns += 1;
        let conn = ConnId(self.conns);
        self.input(Input::Accepted { conn, peer: addr(peer) });
        conn
    }

    fn connect(&mut self) -> ConnId {
        self.connect_from(LOCAL)
    }

    fn receive(&mut self, conn: ConnId, text: &str) {
        self.input(Input::Received { conn, bytes: Bytes::copy_from_slice(text.as_bytes()) });
    }

    fn end(&mut self, conn: ConnId) {
        self.input(Input::Ended { conn });
    }

    /// The client that was called first answers with a connection, which is told.
    fn answer(&mut self) -> ConnId {
        self.conns += 1;
        let (conn, (dial, _)) = (ConnId(self.conns), self.dialled.remove(0));
        self.input(Input::Connected { dial, conn });
        conn
    }

    fn refuse(&mut self) {
        let (dial, _) = self.dialled.remove(0);
        self.input(Input::NotConnected { dial, why: "refused".into() });
    }

    /// A client that reads where it subscribed.
    fn same(&mut self, port: u16) -> ConnId {
        let conn = self.connect();
        self.receive(conn, &subscribe(&format!("127.0.0.1:{port}")));
        self.refuse();
        conn
    }

    /// A client that waits for connections: the one it opened and the one it was called on.
    fn waiting(&mut self, port: u16) -> (ConnId, ConnId) {
        let conn = self.connect();
        self.receive(conn, &subscribe(&format!("127.0.0.1:{port}")));
        (conn, self.answer())
    }

    fn wait(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(at) = self.host.poll_timeout().filter(|at| *at <= end) {
            let before = (self.now, self.host.poll_timeout());
            self.now = self.now.max(at);
            self.host.handle_timeout(self.now);
            self.drain();
            assert_ne!((self.now, self.host.poll_timeout()), before, "time goes on");
        }
        self.now = end;
    }

    /// What was sent since asked last, by connection.
    fn heard(&mut self, conn: ConnId) -> Vec<String> {
        self.wait(PACE * 30);
        let (heard, rest) = std::mem::take(&mut self.sent).into_iter().partition(|(_, to, _)| *to == conn);
        self.sent = rest;
        let heard: Vec<(Instant, ConnId, String)> = heard;
        heard.into_iter().map(|(.., text)| text).collect()
    }

    fn guest(&self, nick: &str) -> GuestId {
        *self.nicks.iter().find(|(_, had)| *had == nick).unwrap().0
    }

    fn told(&mut self, nick: &str, event: Event) {
        let guest = self.guest(nick);
        self.input(Input::Told { guest, event });
    }

    fn names(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self.nicks.values().map(String::as_str).collect();
        names.sort_unstable();
        names
    }
}

/// I12, I14, I20, I21, I24: the bytes of the assignment.
#[test]
fn do_registered_clients_get_what_others_say() {
    let mut served = Served::new();
    let (alice, bob) = (served.same(5001), served.same(5002));
    let stranger = served.connect();
    let hello = r#"{"seq": 0, "user": "user1", "message": "hello"}"#;
    served.receive(alice, hello);
    assert_eq!(served.heard(bob), [hello]);
    assert_eq!(served.heard(alice), [""; 0], "not back to the sender (IOWA-D3)");
    assert_eq!(served.heard(stranger), [""; 0], "who never subscribed gets nothing");
    served.receive(bob, r#"{"operation": "unsubscribe", "client": "127.0.0.1:5002"}"#);
    served.receive(alice, &object(1, "user1", "anybody?"));
    assert_eq!(served.heard(bob), [""; 0]);
    served.end(bob);
    assert_eq!(served.left, ["iowa-5002"]);
}

/// IOWA-D4: keys in their order, numbers as they are; ASCII only.
#[test]
fn is_a_message_passed_on_as_it_came() {
    let mut served = Served::new();
    let (alice, bob) = (served.same(5001), served.same(5002));
    for odd in [
        r#"{"operation": "message", "seq": 7, "user": "a", "message": "m"}"#,
        r#"{"user":"a","extra":[1,{"x":null}],"message":"m","seq":3}"#,
        r#"{"seq": "4", "user": "a", "message": "\u010d"}"#,
        "{ \"seq\" : 5,\n\"user\": \"a\", \"message\": \"\" }",
    ] {
        served.receive(alice, odd);
        assert_eq!(served.heard(bob), [odd]);
    }
    served.receive(alice, &object(8, "a", "čř 😀"));
    assert_eq!(served.heard(bob), [object(8, "a", r"\u010d\u0159 \ud83d\ude00")]);
    assert_eq!(served.said.last().unwrap().1, "čř 😀");
}

/// IOWA-D1, I25.
#[test]
fn does_it_matter_where_reads_cut() {
    let script = subscribe("127.0.0.1:5001")
        + "\n"
        + &object(0, "a", "x {} \\\" \\u010d")
        + &object(1, "a", "say \"x\"")
        + " \r\n"
        + &object(2, "a", "z")
        + "junk"
        + &unsubscribe("127.0.0.1:5001");
    let run = |sizes: &[usize]| {
        let mut served = Served::new();
        let (bob, alice) = (served.same(5002), served.connect());
        let (mut rest, mut sizes) = (script.as_bytes(), sizes.iter().cycle());
        while !rest.is_empty() {
            let (chunk, after) = rest.split_at((*sizes.next().unwrap()).min(rest.len()));
            served.input(Input::Received { conn: alice, bytes: Bytes::copy_from_slice(chunk) });
            rest = after;
        }
        assert_eq!(served.names(), ["iowa-5002"]);
        (served.heard(bob), served.said, served.logged)
    };
    let whole = run(&[script.len()]);
    assert_eq!(whole.0, [object(0, "a", "x {} \\\" \\u010d"), object(2, "a", "z")]);
    for size in [1, 2, 256, 512] {
        assert_eq!(run(&[size]), whole, "reads of {size}");
    }
    for at in 1..script.len() {
        assert_eq!(run(&[at, script.len() - at]), whole, "cut at {at}");
    }
}

/// IOWA-D3, and clients that open a connection for each message.
#[test]
fn who_is_the_sender_on_a_fresh_connection() {
    let mut served = Served::new();
    let (alice, bob) = (served.same(5001), served.same(5002));
    let fresh = served.connect();
    served.receive(fresh, &object(0, "alice", "not seen before"));
    assert_eq!((served.heard(alice).len(), served.heard(bob).len()), (1, 1));
    served.receive(alice, &object(1, "alice", "here I am"));
    served.heard(bob);
    let fresh = served.connect();
    served.receive(fresh, &object(2, "alice", "and here"));
    assert_eq!((served.heard(alice).len(), served.heard(bob).len()), (0, 1));
    served.receive(bob, &object(0, "alice", "so am I"));
    served.heard(alice);
    let fresh = served.connect();
    served.receive(fresh, &object(3, "alice", "last seen"));
    assert_eq!((served.heard(alice).len(), served.heard(bob).len()), (1, 0));
}

/// Errors have no answer; 20 in a row end the connection.
#[test]
fn is_nonsense_logged_and_read_past() {
    let mut served = Served::new();
    let bob = served.same(5002);
    let alice = served.connect();
    for nonsense in NONSENSE {
        let logged = served.logged.len();
        served.receive(alice, nonsense);
        assert!(served.logged.len() > logged, "{nonsense}");
        served.receive(alice, &object(0, "alice", "ok"));
        assert_eq!(served.heard(bob).len(), 1, "{nonsense}");
    }
    for _ in 1..MAX_BAD_IN_A_ROW {
        served.receive(alice, "{}");
    }
    assert!(served.closed.is_empty());
    served.receive(alice, "{}");
    assert_eq!(served.closed, [alice]);
    assert!(served.sent.is_empty() && served.dialled.is_empty());
}

#[test]
fn are_strangers_closed() {
    for hello in ["GET / HTTP/1.1\r\nHost: x\r\n\r\n", "\u{16}\u{3}\u{1}"] {
        let mut served = Served::new();
        let stranger = served.connect();
        served.receive(stranger, hello);
        assert_eq!(served.closed, [stranger]);
    }
}

#[test]
fn how_many_subscribers_fit() {
    let mut served = Served::with(HostConfig { max_clients: Some(2), ..config() });
    let (alice, _) = (served.same(5001), served.same(5002));
    let late = served.connect();
    served.receive(late, &subscribe("127.0.0.1:5003"));
    assert!(served.dialled.is_empty() && served.closed.is_empty(), "there is no answer for it");
    served.receive(alice, &object(0, "alice", "hi"));
    assert_eq!(served.heard(late), [""; 0]);
    served.end(alice);
    served.receive(late, &subscribe("127.0.0.1:5003"));
    assert_eq!(served.dialled.len(), 1);

    let mut served = Served::new();
    for port in 0..=MAX_SUBSCRIBERS as u16 {
        let conn = served.connect();
        served.receive(conn, &subscribe(&format!("127.0.0.1:{}", 6000 + port)));
    }
    assert_eq!(served.dialled.len(), MAX_SUBSCRIBERS);
    for _ in MAX_SUBSCRIBERS + 1..MAX_CONNECTIONS {
        served.connect();
    }
    assert!(served.closed.is_empty());
    let late = served.connect();
    assert_eq!(served.closed, [late]);
}

#[test]
fn is_a_guest_whom_the_room_refuses_heard_here() {
    let mut served = Served::new();
    let (alice, bob) = (served.same(5001), served.same(5002));
    let guest = served.guest("iowa-5001");
    served.input(Input::Refused { guest, why: Refusal::Full });
    served.receive(alice, &object(0, "alice", "hi"));
    assert_eq!((served.heard(bob).len(), served.said.len()), (1, 0));
    served.told("iowa-5002", Event::Closed { reason: "server_shutdown" });
    served.receive(bob, &object(0, "bob", "hi"));
    assert_eq!((served.heard(alice).len(), served.said.len()), (1, 0));
}

#[test]
fn does_a_client_that_dies_within_a_message_disturb_anybody() {
    let mut served = Served::new();
    let (alice, bob, carol) = (served.same(5001), served.same(5002), served.same(5003));
    served.receive(alice, r#"{"seq": 0, "user": "al"#);
    served.end(alice);
    served.receive(bob, &object(0, "bob", "hi"));
    assert_eq!(served.heard(carol), [object(0, "bob", "hi")]);
}

#[test]
fn do_twenty_clients_hear_each_other() {
    let mut served = Served::new();
    let conns: Vec<ConnId> = (1..=20).map(|port| served.same(6000 + port)).collect();
    for (number, conn) in conns.iter().enumerate() {
        served.receive(*conn, &object(0, &format!("u{number}"), "hi"));
    }
    for (number, conn) in conns.iter().enumerate() {
        let others = (0..20).filter(|other| *other != number);
        let expected: Vec<String> = others.map(|other| object(0, &format!("u{other}"), "hi")).collect();
        assert_eq!(served.heard(*conn), expected);
    }
}

#[test]
fn what_happens_when_the_server_stops() {
    let mut served = Served::new();
    let alice = served.same(5001);
    let (bob, called) = served.waiting(5002);
    served.input(Input::Stop);
    assert_eq!(served.closed, [alice, bob, called]);
    let late = served.connect();
    assert_eq!(served.closed.last(), Some(&late));
    assert_eq!(served.host.poll_timeout(), None);
}

proptest! {
    #[test]
    fn can_anything_harm_the_server(steps in prop::collection::vec((0..4_u64, prop_oneof![
        4 => prop::collection::vec(any::<u8>(), 1..40),
        8 => prop::sample::select(vec![
            object(0, "a", "x"), object(1, "b", "y"), subscribe("127.0.0.1:5001"), subscribe("127.0.0.1:5002"),
            subscribe("10.0.0.1:1"), unsubscribe("127.0.0.1:5001"), "{\"seq\": 0,".to_owned(), "\"".to_owned(),
        ]).prop_map(String::into_bytes),
        1 => Just(Vec::new()),
    ], 0..4_u8), 0..80)) {
        let mut served = Served::new();
        let mut conns: Vec<ConnId> = (0..4).map(|_| served.connect()).collect();
        for (who, bytes, then) in steps {
            let conn = &mut conns[who as usize];
            if bytes.is_empty() || served.closed.contains(conn) {
                let ended = std::mem::replace(conn, served.connect());
                served.end(ended);
            } else {
                served.input(Input::Received { conn: *conn, bytes: bytes.into() });
            }
            match then {
                0 if !served.dialled.is_empty() => served.refuse(),
                1 if !served.dialled.is_empty() => drop(served.answer()),
                2 => served.wait(PACE / 2),
                _ => {}
            }
            let (subscribers, due) = (served.host.subscribers.len(), served.host.due.len());
            prop_assert!(subscribers <= 16 && due <= subscribers);
            prop_assert_eq!(served.host.by_key.len(), subscribers);
            prop_assert_eq!(served.host.by_guest.len(), subscribers);
        }
        served.wait(LINGER * 2);
    }
}
