//! The client.

use super::*;

/// A client on a terminal that is none.
pub(super) struct Called {
    client: Client,
    now: Instant,
    sent: Vec<String>,
    shown: Vec<String>,
    warned: Vec<String>,
    exit: Option<u8>,
    is_closed: bool,
}

const SERVER_CONN: ConnId = ConnId(1);

impl Called {
    pub(super) fn new() -> Self {
        Self::with(|_| {})
    }

    fn with(change: impl Fn(&mut CallerConfig)) -> Self {
        let mut called = Self::dialling(change);
        called.input(Input::Connected { dial: DialId(0), conn: SERVER_CONN });
        assert!(called.client.is_ready());
        called
    }

    fn dialling(change: impl Fn(&mut CallerConfig)) -> Self {
        let mut config = CallerConfig {
            name: None,
            server: Some(addr("127.0.0.1:5555")),
            local: None,
            peers: Vec::new(),
            follow: Vec::new(),
            window: 3,
            reliable: false,
            format_line: None,
            interactive: false,
            max_file_bytes: 0,
            seed: 1,
        };
        change(&mut config);
        let mut called = Self {
            client: Client::new(config),
            now: tokio::time::Instant::now().into_std(),
            sent: Vec::new(),
            shown: Vec::new(),
            warned: Vec::new(),
            exit: None,
            is_closed: false,
        };
        called.input(Input::Start);
        assert!(!called.client.is_ready());
        called
    }

    fn input(&mut self, input: Input) {
        self.client.handle(input, self.now);
        self.drain();
    }

    fn drain(&mut self) {
        while let Some(output) = self.client.poll_output() {
            match output {
                Output::Send { bytes, .. } => self.sent.push(String::from_utf8(bytes.to_vec()).unwrap()),
                Output::Dial { to, .. } => assert_eq!(to, addr("127.0.0.1:5555"), "V4"),
                Output::Print(line) => self.shown.push(line),
                Output::Warn(line) => self.warned.push(line),
                Output::Close { .. } => self.is_closed = true,
                Output::Exit { status } => self.exit = Some(status),
                Output::Log(_) => {}
                other => panic!("{other:?}"),
            }
        }
    }

    fn typed(&mut self, line: &str) {
        self.input(Input::Typed(line.to_owned()));
    }

    pub(super) fn receive(&mut self, bytes: &[u8]) {
        self.input(Input::Received { conn: SERVER_CONN, bytes: Bytes::copy_from_slice(bytes) });
    }

    fn wait(&mut self, time: Duration) {
        self.now += time;
        self.client.handle_timeout(self.now);
        self.drain();
    }
}

/// V5, V8 to V12.
#[test]
fn what_does_a_client_send_for_what_is_typed() {
    let mut called = Called::new();
    for line in [
        "hello",
        "hello \"q\" čř",
        "/setname alice",
        "/setname  bob  builder",
        "/history",
        "/users",
        " /users",
        "",
    ] {
        called.typed(line);
    }
    assert_eq!(
        called.sent,
        [
            "{\"type\": \"message\", \"data\": \"hello\"}\n",
            "{\"type\": \"message\", \"data\": \"hello \\\"q\\\" \\u010d\\u0159\"}\n",
            "{\"type\": \"set-name\", \"data\": \"alice\"}\n",
            "{\"type\": \"set-name\", \"data\": \"bob\"}\n",
            "{\"type\": \"history\", \"data\": \"\"}\n",
            "{\"type\": \"users\", \"data\": \"\"}\n",
            "{\"type\": \"message\", \"data\": \" /users\"}\n",
            "{\"type\": \"message\", \"data\": \"\"}\n",
        ]
    );
    assert!(called.warned.is_empty());
}

/// VSB-D9.
#[test]
fn which_lines_does_a_client_not_send() {
    let mut called = Called::new();
    for line in ["/dance", "/", "/ users", "/setname", "/setname  ", "/usersx"] {
        called.typed(line);
    }
    called.typed(&"x".repeat(MAX_TEXT_BYTES + 1));
    assert_eq!(called.warned.len(), 7);
    assert_eq!(called.warned[3], "usage: /setname NAME");
    assert_eq!((called.sent.len(), called.shown.len()), (0, 0));
    called.typed(&"x".repeat(MAX_TEXT_BYTES));
    assert_eq!(called.sent.len(), 1);
}

/// V6, V15: the transcript, with the server at the other end.
#[test]
fn does_a_session_look_like_that_of_the_assignment() {
    let (mut served, mut called) = (Served::new(), Called::new());
    let conn = served.connect("127.0.0.1:57354");
    for line in ["hello", "/setname alice", "hello"] {
        called.typed(line);
        for sent in called.sent.drain(..) {
            served.bytes(conn, sent.as_bytes());
        }
    }
    let transcript = [
        "[Server]: 127.0.0.1:57354 has entered the chat",
        "127.0.0.1:57354: hello",
        "[Server]: 127.0.0.1:57354 renamed to alice",
        "alice: hello",
    ];
    let bytes = served.heard(conn);
    for size in [1, 2, 256, 512, bytes.len()] {
        called.shown.clear();
        bytes.as_bytes().chunks(size).for_each(|chunk| called.receive(chunk));
        assert_eq!(called.shown, transcript, "reads of {size}");
    }
    assert_eq!(served.printed, transcript);
}

/// V7, VSB-D9.
#[test]
fn what_happens_when_the_server_is_gone() {
    let mut called = Called::new();
    called.receive(&message("[Server]", "server full").into_bytes());
    called.input(Input::Ended { conn: SERVER_CONN });
    assert_eq!(called.shown, ["[Server]: server full", "Server disconnected"]);
    assert_eq!(called.exit, Some(0));
    called.typed("late");
    assert!(called.sent.is_empty());

    let mut called = Called::dialling(|_| {});
    called.input(Input::NotConnected { dial: DialId(0), why: "refused".into() });
    assert_eq!(called.warned, ["cannot connect to 127.0.0.1:5555: refused"]);
    assert_eq!((called.exit, called.shown.len()), (Some(1), 0));
}

/// Servers in the wild.
#[test]
fn what_does_a_client_make_of_odd_answers() {
    let mut called = Called::new();
    called.receive(message("[Server]", "alice: hi\\nbob: ho").as_bytes());
    called.receive(message("bob", "x\\n[Server]: alice has left the chat\\u001b[2J").as_bytes());
    called.receive(
        b"{\"type\": \"message\", \"data\": {\"source\": \"[Server]\", \"message\": [[\"a\", 1]]}}\r\n\n",
    );
    called.receive(b"{\"type\":\"message\",\"data\":{\"message\":\"('a', 'b')\",\"source\":\"[Server]\"}}\n");
    called.receive("{\"type\": \"message\", \"data\": {\"source\": \"č\", \"message\": 5}}\n".as_bytes());
    assert_eq!(
        called.shown,
        [
            "[Server]: alice: hi",
            "bob: ho",
            "bob: x [Server]: alice has left the chat\\u{1b}[2J",
            "[Server]: [[\"a\",1]]",
            "[Server]: ('a', 'b')",
            "č: 5",
        ]
    );
    for odd in [
        "junk",
        "{\"type\": \"users\"}",
        "{\"type\": \"message\"}",
        "{\"data\": {}}",
        "{\"type\": \"message\", \"data\": {\"source\": null, \"message\": 1}}",
    ] {
        called.receive(format!("{odd}\n").as_bytes());
    }
    assert_eq!((called.shown.len(), called.warned.len(), called.exit), (6, 5, None));
}

#[test]
fn how_long_may_a_line_of_a_server_be() {
    let mut called = Called::new();
    let frame = message("a", "").len() - 1;
    called.receive(message("a", &"x".repeat(MAX_SERVER_LINE_BYTES - frame)).as_bytes());
    assert_eq!((called.shown.len(), called.warned.len()), (1, 0));
    called.receive(message("a", &"x".repeat(MAX_SERVER_LINE_BYTES - frame + 1)).as_bytes());
    called.receive(message("a", "ok").as_bytes());
    assert_eq!((called.shown.len(), called.warned.len()), (2, 1));
}

#[test]
fn when_does_a_client_leave_after_the_end_of_input() {
    let mut called = Called::new();
    called.input(Input::TypedEnd);
    assert_eq!(called.client.poll_timeout(), None, "it was only to listen");

    let mut called = Called::new();
    called.typed("hello");
    called.input(Input::TypedEnd);
    called.wait(QUIET / 2);
    called.receive(message("a", "hello").as_bytes());
    called.wait(QUIET / 2);
    assert_eq!(called.exit, None);
    called.wait(QUIET / 2);
    assert_eq!((called.exit, called.is_closed, called.shown.len()), (Some(0), true, 1));

    let mut called = Called::new();
    called.typed("hello");
    called.input(Input::TypedEnd);
    let end = called.now + LINGER;
    while called.exit.is_none() {
        called.receive(message("a", "and on").as_bytes());
        called.wait(QUIET / 5);
        assert!(called.now <= end);
    }

    for input in [Input::TypedEnd, Input::Interrupted] {
        let mut called = Called::with(|config| config.interactive = true);
        called.input(input);
        assert_eq!((called.exit, called.is_closed), (Some(0), true));
    }
}
