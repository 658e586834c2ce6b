//! The client: W2, W4, W5, W7, W10 to W12, W24, UWO-D3, D8, D11.

use super::*;
use crate::gateway::dialect::{
    PACE,
    uwo::{FILE_REST, MAX_LINE_BYTES, QUIET},
};

/// What a client is made with.
pub(super) fn config(name: &str, follow: &[&str]) -> CallerConfig {
    CallerConfig {
        name: Some(name.into()),
        server: Some(([127, 0, 0, 1], 54307).into()),
        local: None,
        peers: Vec::new(),
        follow: follow.iter().map(|term| (*term).to_owned()).collect(),
        window: 3,
        reliable: true,
        format_line: None,
        interactive: true,
        max_file_bytes: MAX_FILE,
        seed: 1,
    }
}

/// A client and its user; the test plays the server.
pub(super) struct User {
    client: Client,
    now: Instant,
    conn: ConnId,
    seen: Vec<Output>,
}

impl User {
    /// Connected, and its registration is on its way.
    pub(super) fn new(follow: &[&str]) -> Self {
        Self::with(|config| config.follow = follow.iter().map(|term| (*term).to_owned()).collect())
    }

    fn with(change: impl FnOnce(&mut CallerConfig)) -> Self {
        let mut user = Self::dialing(change);
        user.input(Input::Connected { dial: crate::gateway::dialect::DialId(0), conn: user.conn });
        user
    }

    fn dialing(change: impl FnOnce(&mut CallerConfig)) -> Self {
        let mut config = config("alice", &[]);
        change(&mut config);
        let now = tokio::time::Instant::now().into_std();
        let mut user = Self { client: Client::new(config), now, conn: ConnId(3), seen: Vec::new() };
        user.input(Input::Start);
        user
    }

    /// In, with everything so far forgotten.
    fn registered() -> Self {
        let mut user = Self::new(&[]);
        user.hears(REGISTERED);
        user.seen.clear();
        user
    }

    fn input(&mut self, input: Input) {
        self.client.handle(input, self.now);
        self.drain();
    }

    fn drain(&mut self) {
        self.seen.extend(std::iter::from_fn(|| self.client.poll_output()));
    }

    pub(super) fn hears(&mut self, bytes: impl AsRef<[u8]>) {
        let (conn, bytes) = (self.conn, Bytes::copy_from_slice(bytes.as_ref()));
        self.input(Input::Received { conn, bytes });
    }

    pub(super) fn types(&mut self, line: &str) {
        self.input(Input::Typed(line.into()));
    }

    pub(super) fn passes(&mut self, time: Duration) {
        let end = self.now + time;
        let mut turns = 0;
        while let Some(at) = self.client.poll_timeout().filter(|at| *at <= end) {
            self.now = self.now.max(at);
            self.client.handle_timeout(self.now);
            self.drain();
            turns += 1;
            assert!(turns < 10_000, "it spins");
        }
        self.now = end;
    }

    /// Writes since the last time.
    fn sent(&mut self) -> Vec<String> {
        let is_send = |output: &mut Output| matches!(output, Output::Send { .. });
        let sent = self.seen.extract_if(.., is_send).map(|output| match output {
            Output::Send { bytes, .. } => String::from_utf8_lossy(&bytes).into_owned(),
            other => panic!("{other:?}"),
        });
        sent.collect()
    }

    /// Stdout since the last time.
    pub(super) fn shown(&mut self) -> String {
        let is_shown = |output: &mut Output| matches!(output, Output::Print(_) | Output::Prompt(_));
        let shown = self.seen.extract_if(.., is_shown).map(|output| match output {
            Output::Print(line) => format!("{line}\n"),
            Output::Prompt(text) => text,
            other => panic!("{other:?}"),
        });
        shown.collect()
    }

    fn exit(&self) -> Option<u8> {
        self.seen.iter().find_map(|output| match output {
            Output::Exit { status } => Some(*status),
            _ => None,
        })
    }

    fn has_closed(&self) -> bool {
        self.seen.contains(&Output::Close { conn: self.conn })
    }

    pub(super) fn warnings(&self) -> usize {
        self.seen.iter().filter(|output| matches!(output, Output::Warn(_))).count()
    }
}

#[test]
fn what_does_a_user_see_from_start_to_end() {
    let mut user = User::new(&[]);
    let start = "Connecting to server ...\nConnection to server established. Sending intro message...\n\n";
    assert_eq!(user.shown(), start);
    assert_eq!(user.sent(), ["REGISTER alice CHAT/1.0\n"]);
    assert!(!user.client.is_ready());
    user.hears(REGISTERED);
    assert_eq!(user.shown(), "Registration successful.  Ready for messaging!\n> ");
    assert!(user.client.is_ready());
    user.types("@bob, are you there?");
    assert_eq!(user.sent(), ["@alice: @bob, are you there?\n"]);
    assert_eq!(user.shown(), "> ");
    user.hears("@bob: Yes I'm here, @alice ... good to see you!\n");
    assert_eq!(user.shown(), "\n@bob: Yes I'm here, @alice ... good to see you!\n> ");
    user.input(Input::Interrupted);
    assert_eq!(user.shown(), "Interrupt received, shutting down ...\n");
    assert_eq!(user.sent(), ["DISCONNECT alice CHAT/1.0\n"]);
    assert_eq!((user.exit(), user.has_closed()), (Some(0), true));
    assert_eq!(user.client.poll_timeout(), None);
}

#[test]
fn does_a_client_without_a_terminal_show_lines_alone() {
    let mut user = User::with(|config| config.interactive = false);
    user.hears(format!("{REGISTERED}@bob: hi\n"));
    user.types("hello");
    user.hears("@bob: hello\nDISCONNECT CHAT/1.0\n");
    assert!(
        user.shown().ends_with(
            "Ready for messaging!\n@bob: hi\n@bob: hello\nDisconnected from server ... exiting!\n"
        )
    );
}

#[test]
fn does_a_stopping_server_end_the_client_w9_w11() {
    let mut user = User::registered();
    user.hears("DISCONNECT CHAT/1.0\n");
    assert_eq!(user.shown(), "\nDisconnected from server ... exiting!\n");
    assert_eq!((user.exit(), user.has_closed()), (Some(0), true));
    assert_eq!(user.sent(), [""; 0]);
    let mut user = User::registered();
    user.input(Input::Ended { conn: user.conn });
    assert_eq!(user.shown(), "\nDisconnected from server ... exiting!\n");
    assert_eq!(user.exit(), Some(0));
}

#[test]
fn what_is_printed_when_registering_fails_w10() {
    for line in ["400 Invalid registration", "401 Client already registered", "402 Forbidden user name"] {
        let mut user = User::new(&[]);
        user.shown();
        user.hears(format!("{line}\n"));
        let details = "Error:  An error response was received from the server.  Details:";
        assert_eq!(user.shown(), format!("{details}\n\n{line}\nExiting now ...\n"));
        assert_eq!((user.exit(), user.has_closed()), (Some(1), true));
    }
}

#[test]
fn what_is_printed_when_nobody_answers_w2() {
    let closed = "Connecting to server ...\nError:  That host or port is not accepting connections.\n";
    let mut user = User::dialing(|_| {});
    assert!(user.seen.iter().any(|output| matches!(output, Output::Dial { .. })));
    user.input(Input::NotConnected { dial: crate::gateway::dialect::DialId(0), why: "refused".into() });
    assert_eq!((user.shown().as_str(), user.exit()), (closed, Some(1)));
    let mut user = User::dialing(|config| config.server = None);
    assert_eq!((user.shown().as_str(), user.exit()), (closed, Some(1)));
    let mut user = User::new(&[]);
    user.passes(Duration::from_secs(30));
    assert!(user.shown().ends_with("\nError:  That host or port is not accepting connections.\n"));
    assert_eq!((user.exit(), user.has_closed()), (Some(1), true));
    let mut user = User::new(&[]);
    user.input(Input::Ended { conn: user.conn });
    assert_eq!(user.exit(), Some(1));
}

#[test]
fn does_only_the_number_of_the_answer_count_d2() {
    for answer in ["200 Registration succesful\n", "200\n", "200 OK\r\n"] {
        let mut user = User::new(&[]);
        user.hears(answer);
        assert!(user.client.is_ready(), "{answer}");
    }
    let mut user = User::new(&[]);
    user.hears("2000 no\n");
    assert_eq!(user.exit(), Some(1));
}

#[test]
fn when_is_the_end_of_the_header_sent_d3() {
    let mut user = User::new(&[]);
    user.sent();
    user.passes(ms(999));
    assert_eq!(user.sent(), [""; 0]);
    user.passes(ms(1));
    assert_eq!(user.sent(), ["\n"]);
    user.passes(Duration::from_secs(10));
    assert_eq!(user.sent(), [""; 0], "once");
    let mut user = User::new(&[]);
    user.sent();
    user.hears("2");
    user.passes(Duration::from_millis(100));
    user.hears("00 OK\n");
    user.passes(Duration::from_secs(10));
    assert_eq!(user.sent(), [""; 0], "the server was not silent");
    let mut user = User::new(&["apple", "news", "", "two words"]);
    assert_eq!(user.sent(), ["REGISTER alice CHAT/1.0\nFollow: apple,news\n\n"]);
    user.passes(Duration::from_secs(10));
    assert_eq!(user.sent(), [""; 0]);
}

#[test]
fn is_a_server_understood_that_ends_no_lines() {
    let mut user = User::new(&[]);
    user.sent();
    user.hears("200 Registration successful");
    user.passes(QUIET);
    assert!(user.client.is_ready());
    user.types("Hi");
    assert_eq!(user.sent(), ["@alice: Hi"]);
    assert!(!user.client.is_ready());
    user.passes(PACE);
    assert!(user.client.is_ready(), "the pause is over");
    user.shown();
    user.hears("@bob: Hi");
    assert_eq!(user.shown(), "\n@bob: Hi\n> ");
    user.hears("DISCONNECT CHAT/1.0");
    assert_eq!(user.exit(), Some(0));
}

#[test]
fn are_commands_passed_on_as_text_d11() {
    let mut user = User::registered();
    for line in ["!list", "!follow @bob", "!exit", "", "  spaces  ", "!nonsense"] {
        user.types(line);
        assert_eq!(user.sent(), [format!("@alice: {line}\n")]);
    }
    user.shown();
    user.hears("alice, bob\nNow following @bob\nError:  Unknown command\n");
    assert_eq!(user.shown(), "\nalice, bob\n> \nNow following @bob\n> \nError:  Unknown command\n> ");
}

#[test]
fn is_a_line_of_others_shown_without_its_control_characters() {
    let mut user = User::registered();
    user.hears(b"@bob: \x1b[2J \xff\n");
    assert_eq!(user.shown(), "\n@bob: \\u{1b}[2J \u{fffd}\n> ");
}

#[test]
fn how_long_may_a_typed_line_be() {
    let mut user = User::registered();
    user.types(&"x".repeat(MAX_LINE_BYTES - 8));
    assert_eq!((user.sent().len(), user.warnings()), (1, 0));
    user.types(&"x".repeat(MAX_LINE_BYTES - 7));
    assert_eq!((user.sent().len(), user.warnings()), (0, 1));
}

#[test]
fn is_a_file_sent_when_the_server_asks_for_it() {
    let mut user = User::registered();
    user.types("!attach a/f.bin apple");
    assert_eq!(user.sent(), ["@alice: !attach a/f.bin apple\n"]);
    assert!(!user.client.is_ready(), "the next line waits");
    user.hears("ATTACH a/f.bin CHAT/1.0\n");
    assert!(user.seen.contains(&Output::Read { path: "a/f.bin".into(), max_bytes: MAX_FILE }));
    let content = Ok(Bytes::from_static(b"0123\n5678"));
    user.input(Input::Read { path: "a/f.bin".into(), content });
    assert_eq!(user.sent(), ["Content-Length: 9\n"]);
    user.passes(PACE);
    assert_eq!(user.sent(), ["0123\n5678"]);
    user.types("after");
    user.passes(FILE_REST - ms(1));
    assert_eq!(user.sent(), [""; 0], "silence after the bytes");
    user.passes(ms(2));
    assert_eq!(user.sent(), ["@alice: after\n"]);
    user.shown();
    user.hears("Attachment a/f.bin attached and distributed\n");
    assert_eq!(user.shown(), "\nAttachment a/f.bin attached and distributed\n> ");
}

#[test]
fn is_a_missing_file_reported() {
    let mut user = User::registered();
    user.types("!attach f.bin apple");
    user.hears("ATTACH f.bin CHAT/1.0\n");
    user.sent();
    user.input(Input::Read { path: "f.bin".into(), content: Err("no such file".into()) });
    assert_eq!(user.sent(), ["Content-Length: -1\n"]);
    assert_eq!(user.warnings(), 1);
    user.passes(PACE);
    assert!(user.client.is_ready());
}

#[test]
fn does_a_server_get_only_what_was_offered() {
    let mut user = User::registered();
    user.hears("ATTACH /etc/passwd CHAT/1.0\n");
    assert_eq!(user.sent(), ["Content-Length: -1\n"]);
    user.passes(PACE);
    user.types("!attach f.bin apple");
    user.sent();
    user.hears("ATTACH g.bin CHAT/1.0\n");
    assert_eq!(user.sent(), ["Content-Length: -1\n"]);
    assert!(!user.seen.iter().any(|output| matches!(output, Output::Read { .. })));
    user.hears("ATTACH f.bin CHAT/1.0\n");
    user.input(Input::Read { path: "f.bin".into(), content: Ok(Bytes::new()) });
    assert_eq!(user.sent(), ["Content-Length: 0\n"]);
    user.hears("ATTACH f.bin CHAT/1.0\n");
    assert_eq!(user.sent(), ["Content-Length: -1\n"], "once");
}

#[test]
fn does_a_server_without_files_hold_the_user_up_only_shortly() {
    let mut user = User::registered();
    user.types("!attach f.bin apple");
    user.passes(Duration::from_secs(2));
    assert!(user.client.is_ready());
    let mut user = User::registered();
    user.types("!attach f.bin apple");
    user.hears("Error:  Unknown command\n");
    assert!(user.client.is_ready());
}

#[test]
fn is_a_file_saved_however_it_is_cut_d11() {
    let all = b"ATTACHMENT dir/f.bin CHAT/1.0\nOrigin: bob\nContent-Length: 5\n\0\n@b\xff@bob: after\n";
    for size in [1, 2, 7, 256] {
        let mut user = User::registered();
        all.chunks(size).for_each(|chunk| user.hears(chunk));
        let content = Bytes::from_static(b"\0\n@b\xff");
        let save = Output::Save { name: "f.bin".into(), content, replaces: false };
        assert!(user.seen.contains(&save));
        let shown = "\nIncoming file: dir/f.bin\nOrigin: bob\nContent-Length: 5\n> \n@bob: after\n> ";
        assert_eq!(user.shown(), shown);
        user.input(Input::Saved { name: "f.bin".into(), result: Ok("f.bin".into()) });
        assert_eq!(user.warnings(), 0);
        user.input(Input::Saved { name: "f.bin".into(), result: Ok("f-1.bin".into()) });
        user.input(Input::Saved { name: "f.bin".into(), result: Err("disk full".into()) });
        assert_eq!(user.warnings(), 2);
    }
}

#[test]
fn is_a_bad_header_reported_and_a_file_that_is_too_long_left_out() {
    let mut user = User::registered();
    user.hears("ATTACHMENT f CHAT/1.0\nOrigin: bob\nLength: x\n@bob: hi\n");
    let shown =
        "\nIncoming file: f\nOrigin: bob\nLength: x\nError:  Invalid attachment header\n> \n@bob: hi\n> ";
    assert_eq!(user.shown(), shown);
    user.hears(format!("ATTACHMENT f CHAT/1.0\nOrigin: bob\nContent-Length: {}\n", MAX_FILE + 1));
    user.shown();
    user.hears(vec![b'\n'; MAX_FILE]);
    user.hears("x@bob: hi\n");
    assert_eq!(user.shown(), "> \n@bob: hi\n> ");
    assert!(!user.seen.iter().any(|output| matches!(output, Output::Save { .. })));
}

#[test]
fn what_does_the_end_of_input_mean() {
    let mut user = User::registered();
    user.types("!list");
    user.input(Input::TypedEnd);
    user.passes(ms(500));
    user.hears("alice, bob\n");
    assert_eq!(user.exit(), None, "the answer is awaited");
    user.passes(ms(500));
    assert_eq!(user.sent().last().unwrap(), "DISCONNECT alice CHAT/1.0\n");
    assert_eq!(user.exit(), Some(0));
    let mut user = User::registered();
    user.input(Input::TypedEnd);
    user.passes(Duration::from_secs(60));
    assert_eq!(user.exit(), None, "who can type nothing listens");
}

#[test]
fn may_a_user_leave_at_any_time() {
    let mut user = User::dialing(|_| {});
    user.input(Input::Interrupted);
    assert_eq!(user.exit(), Some(0));
    let mut user = User::new(&[]);
    user.sent();
    user.input(Input::Interrupted);
    assert_eq!((user.sent(), user.exit()), (vec!["DISCONNECT alice CHAT/1.0\n".into()], Some(0)));
    user.input(Input::Interrupted);
    user.hears(REGISTERED);
    assert_eq!(user.seen.iter().filter(|output| matches!(output, Output::Exit { .. })).count(), 1);
}
