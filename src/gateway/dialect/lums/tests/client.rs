//! The client alone: what is typed, said, heard, printed and saved.

use super::*;
use crate::gateway::dialect::{
    DialId, PACE,
    lums::{
        CLIENT_HELP, Client, FORMAT_LINE, MAX_TEXT_BYTES, MISSING_USERNAME, SERVER_HELP, user::HELP,
        user::MAX_SAVING,
    },
};

const CONN: u64 = 5;

/// A client that is in, ready for the first line.
fn client() -> Stage<Client> {
    let mut stage = Stage::new(Client::new(caller_config("client1")));
    let to = "127.0.0.1:15000".parse().unwrap();
    assert!(
        matches!(stage.wanted.pop(), Some(Output::Dial { dial: DialId(0), to: server, .. }) if server == to)
    );
    assert!(!stage.machine.is_ready());
    stage.input(Input::Connected { dial: DialId(0), conn: ConnId(CONN) });
    assert_eq!(stage.heard(CONN), ["join client1"]);
    assert!(stage.machine.is_ready());
    stage
}

fn typed(stage: &mut Stage<Client>, line: &str) {
    stage.input(Input::Typed(line.to_owned()));
}

fn exit(stage: &Stage<Client>) -> Option<u8> {
    let status = |output: &Output| match output {
        Output::Exit { status } => Some(*status),
        _ => None,
    };
    stage.wanted.last().and_then(status)
}

fn saved(stage: &mut Stage<Client>) -> (String, Bytes) {
    let Some(Output::Save { name, content, replaces: true }) = stage.wanted.pop() else {
        panic!("nothing saved")
    };
    stage.input(Input::Saved { name: name.clone(), result: Ok(name.clone()) });
    (name, content)
}

#[test]
fn are_the_helps_those_of_the_assignment() {
    let server = "Server\n-p PORT | --port=PORT The server port, defaults to 15000\n\
        -a ADDRESS | --address=ADDRESS The server ip or hostname, defaults to localhost\n\
        -h | --help Print this help";
    assert_eq!(SERVER_HELP, server, "L1");
    let client = server.replace("Server\n", "Client\n-u username | --user=username The username of Client\n");
    assert_eq!(CLIENT_HELP, client, "L2");
}

#[test]
fn is_a_client_without_a_user_told_so() {
    let mut stage = Stage::new(Client::new(caller_config("")));
    let lines: Vec<&str> = [MISSING_USERNAME].into_iter().chain(CLIENT_HELP.lines()).collect();
    assert_eq!(stage.printed(), lines, "L2");
    assert_eq!(stage.wanted, [Output::Exit { status: 1 }]);
    let stage = Stage::new(Client::new(caller_config("two words")));
    assert_eq!((stage.wanted, stage.warned.len()), (vec![Output::Exit { status: 1 }], 1));
}

#[test]
fn does_each_typed_line_say_its_message_byte_for_byte() {
    for (line, message) in [
        ("list", "request_users_list"),
        ("msg 1 client2 hello!", "send_message 1 client2 hello!"),
        ("msg 3 client2 client1 client4 hello again!", "send_message 3 client2 client1 client4 hello again!"),
        ("msg 2 a a  two  spaces ", "send_message 1 a  two  spaces "),
        ("msg 1 a č", "send_message 1 a č"),
        ("quit", "disconnect client1"),
    ] {
        let mut stage = client();
        typed(&mut stage, line);
        assert_eq!(stage.heard(CONN), [message]);
    }
}

#[test]
fn does_a_line_of_no_format_print_the_format_line_only() {
    let long = format!("msg 1 a {}", "x".repeat(MAX_TEXT_BYTES + 1));
    for line in [
        "",
        " ",
        "hello",
        "list all",
        "msg",
        "msg 1",
        "msg 1 a",
        "msg 1 a ",
        "msg 0 hello",
        "msg -1 a hi",
        "msg two a b hi",
        "msg 3 a b",
        "msg 1  a hi",
        "file",
        "file 1 a",
        "file 0 f",
        "file 1 a ",
        "file 1 a two words",
        "file 1 a dir/",
        "Quit",
        "quit now",
        &long,
    ] {
        let mut stage = client();
        typed(&mut stage, line);
        assert_eq!(stage.printed(), [FORMAT_LINE], "L8, LUMS-D9, {line:?}");
        assert_eq!(stage.heard(CONN), [""; 0], "{line:?}");
    }
    let mut stage = client();
    typed(&mut stage, &format!("msg 1 a {}", "x".repeat(MAX_TEXT_BYTES)));
    assert_eq!((stage.printed().len(), stage.heard(CONN).len()), (0, 1));
}

#[test]
fn is_the_format_line_the_one_that_was_set() {
    let config = CallerConfig { format_line: Some("what?".into()), ..caller_config("a") };
    let mut stage = Stage::new(Client::new(config));
    stage.input(Input::Connected { dial: DialId(0), conn: ConnId(CONN) });
    typed(&mut stage, "hello");
    assert_eq!(stage.printed(), ["what?"], "LUMS-D11");
}

#[test]
fn does_help_name_every_input() {
    let mut stage = client();
    typed(&mut stage, "help");
    assert_eq!(stage.printed(), HELP, "L12");
    for word in ["msg", "list", "file", "help", "quit"] {
        assert!(HELP.iter().any(|line| line.starts_with(word)));
    }
}

#[test]
fn is_what_the_server_says_printed_as_asked_for() {
    for (message, line) in [
        ("response_users_list 2 client2 client1", "list: client1 client2"),
        ("response_users_list client1", "list: client1"),
        ("forward_message client3 Hello my friends!", "msg: client3: Hello my friends!"),
        ("forward_message 1 client3 Hello my friends!", "msg: client3: Hello my friends!"),
        ("forward_message client3  a  b\nc\n", "msg: client3:  a  b c"),
        ("FORWARD_MESSAGE client3 \u{1b}[2J", "msg: client3: \\u{1b}[2J"),
    ] {
        let mut stage = client();
        stage.receive(CONN, message.as_bytes());
        assert_eq!(stage.printed(), [line], "L15");
    }
}

#[test]
fn does_an_error_of_the_server_end_the_client() {
    for (message, line) in [
        ("err_unknown_message", "disconnected: server received an unknown command"),
        ("err_server_full", "disconnected: server full"),
        ("ERR_USERNAME_UNAVAILABLE", "disconnected: username not available"),
    ] {
        let mut stage = client();
        stage.receive(CONN, message.as_bytes());
        assert_eq!(stage.printed(), [line], "L6");
        assert!(stage.is_closed(CONN));
        assert_eq!(exit(&stage), Some(1));
        assert_eq!(stage.machine.poll_timeout(), None);
        stage.receive(CONN, b"forward_message a hi");
        typed(&mut stage, "list");
        assert_eq!(stage.printed(), [""; 0]);
    }
}

#[test]
fn does_quit_say_so_and_end() {
    for input in [Input::Typed("quit".into()), Input::TypedEnd, Input::Interrupted] {
        let mut stage = client();
        stage.input(input);
        assert_eq!(stage.printed(), ["quitting"], "L13, LUMS-D9");
        assert_eq!(stage.sent, [(ConnId(CONN), Bytes::from_static(b"disconnect client1"))]);
        assert!(stage.is_closed(CONN));
        assert_eq!(exit(&stage), Some(0));
    }
}

#[test]
fn is_the_last_message_out_a_pause_before_the_good_bye() {
    let mut stage = client();
    typed(&mut stage, "msg 1 a hi");
    assert!(!stage.machine.is_ready());
    stage.input(Input::Interrupted);
    assert_eq!((stage.sent.len(), exit(&stage)), (1, None));
    stage.wait(PACE);
    assert_eq!(stage.sent[1].1, "disconnect client1");
    assert_eq!(exit(&stage), Some(0));
}

#[test]
fn does_a_client_that_is_interrupted_before_it_is_in_just_end() {
    let mut stage = Stage::new(Client::new(caller_config("a")));
    stage.input(Input::Interrupted);
    assert_eq!((stage.printed(), exit(&stage)), (vec!["quitting".to_owned()], Some(0)));
}

#[test]
fn does_the_end_of_input_wait_for_what_was_typed_before() {
    let mut stage = Stage::new(Client::new(caller_config("a")));
    stage.input(Input::TypedEnd);
    assert_eq!(exit(&stage), None);
    stage.input(Input::Connected { dial: DialId(0), conn: ConnId(CONN) });
    assert_eq!(stage.heard(CONN), ["join a", "disconnect a"]);
    assert_eq!((stage.printed(), exit(&stage)), (vec!["quitting".to_owned()], Some(0)));
    for is_answered in [true, false] {
        let mut stage = client();
        typed(&mut stage, "list");
        stage.input(Input::TypedEnd);
        assert_eq!(exit(&stage), None);
        if is_answered {
            stage.receive(CONN, b"response_users_list 1 client1");
        }
        assert_eq!(stage.heard(CONN), ["request_users_list", "disconnect client1"]);
        assert_eq!(stage.printed().len(), 1 + usize::from(is_answered));
        assert_eq!(exit(&stage), Some(0));
    }
}

#[test]
fn does_a_client_without_a_server_say_why_and_end() {
    let mut stage = Stage::new(Client::new(caller_config("a")));
    stage.input(Input::NotConnected { dial: DialId(0), why: "connection refused".into() });
    assert_eq!(
        (stage.warned.as_slice(), exit(&stage)),
        (["connection refused".to_owned()].as_slice(), Some(1))
    );
    let mut stage = client();
    stage.end(CONN);
    assert_eq!((stage.warned.len(), exit(&stage)), (1, Some(1)));
    assert_eq!(stage.printed(), [""; 0]);
}

#[test]
fn does_a_typed_line_wait_for_the_pause_and_behind_list_for_the_answer() {
    let mut stage = client();
    typed(&mut stage, "msg 1 a hi");
    stage.wait(PACE - ms(1));
    assert!(!stage.machine.is_ready());
    stage.wait(ms(1));
    assert!(stage.machine.is_ready());
    typed(&mut stage, "list");
    stage.wait(ms(500));
    assert!(!stage.machine.is_ready());
    stage.receive(CONN, b"response_users_list 1 a");
    assert!(stage.machine.is_ready());
    typed(&mut stage, "list");
    stage.wait(ms(999));
    assert!(!stage.machine.is_ready());
    stage.wait(ms(1));
    assert!(stage.machine.is_ready(), "a silent server holds up nobody for ever");
}

#[test]
fn is_a_typed_file_read_and_sent_under_its_name() {
    let mut stage = client();
    typed(&mut stage, "file 2 b a dir/abc.txt");
    let path = "dir/abc.txt".to_owned();
    assert_eq!(stage.wanted, [Output::Read { path: path.clone(), max_bytes: MAX_FILE_BYTES }]);
    assert!(!stage.machine.is_ready());
    stage.input(Input::TypedEnd);
    assert_eq!(stage.printed(), [""; 0], "the file goes first");
    stage.input(Input::Read { path, content: Ok(Bytes::from_static(b"one\n\xff")) });
    stage.wait(ms(300));
    let bytes: Vec<&[u8]> = stage.sent.iter().map(|(_, bytes)| &bytes[..]).collect();
    assert_eq!(bytes, [&b"send_file 2 b a abc.txt one\n\xff"[..], b"disconnect client1"]);
    assert_eq!(exit(&stage), Some(0));
}

#[test]
fn is_a_file_that_cannot_be_read_bad_input() {
    let mut stage = client();
    typed(&mut stage, "file 1 b abc.txt");
    stage.input(Input::Read { path: "abc.txt".into(), content: Err("no such file".into()) });
    assert_eq!(stage.warned, ["abc.txt: no such file"]);
    assert_eq!(stage.printed(), [FORMAT_LINE], "LUMS-D9");
    assert!(stage.machine.is_ready() && stage.sent.is_empty());
}

#[test]
fn is_an_empty_file_sent_with_the_space_behind_its_name() {
    let mut stage = client();
    typed(&mut stage, "file 1 client1 a.txt");
    stage.input(Input::Read { path: "a.txt".into(), content: Ok(Bytes::new()) });
    assert_eq!(stage.heard(CONN), ["send_file 1 client1 a.txt "], "LUMS-D10");
}

#[test]
fn is_a_file_saved_under_the_own_name_and_its_then_printed() {
    for message in [
        "forward_file client2 abc.txt one  two\n",
        "forward_file 1 client2 abc.txt one  two\n",
        "file client2 abc.txt one  two\n",
    ] {
        for at in "forward_file".len()..message.len() {
            let mut stage = client();
            stage.receive(CONN, &message.as_bytes()[..at]);
            stage.wait(ms(100));
            stage.receive(CONN, &message.as_bytes()[at..]);
            stage.wait(ms(200));
            assert_eq!(stage.printed(), [""; 0]);
            assert_eq!(
                saved(&mut stage),
                ("client1_abc.txt".into(), Bytes::from_static(b"one  two\n")),
                "L11"
            );
            assert_eq!(stage.printed(), ["file: client2: abc.txt"]);
        }
    }
}

#[test]
fn is_an_empty_file_saved() {
    let mut stage = client();
    stage.receive(CONN, b"forward_file client2 a.txt ");
    stage.wait(ms(200));
    assert_eq!(saved(&mut stage), ("client1_a.txt".into(), Bytes::new()));
}

#[test]
fn does_the_next_message_or_the_end_complete_a_file() {
    let mut stage = client();
    stage.receive(CONN, b"forward_file client2 a.txt one");
    stage.receive(CONN, b"forward_message client2 hi");
    assert_eq!(stage.printed(), ["msg: client2: hi"]);
    assert_eq!(saved(&mut stage).0, "client1_a.txt");
    stage.receive(CONN, b"forward_file client2 b.txt two");
    stage.end(CONN);
    assert!(
        stage
            .wanted
            .iter()
            .any(|output| matches!(output, Output::Save { name, .. } if name == "client1_b.txt"))
    );
}

#[test]
fn is_a_path_of_a_sender_refused() {
    for name in ["../x", "/etc/passwd", "a/b", "..", "a\\b"] {
        let mut stage = client();
        stage.receive(CONN, format!("forward_file client2 {name} x").as_bytes());
        stage.wait(ms(200));
        assert!(stage.wanted.is_empty(), "LUMS-D10, {name}");
        assert_eq!((stage.warned.len(), stage.printed().len()), (1, 0));
    }
}

#[test]
fn is_a_file_not_printed_that_could_not_be_saved() {
    let mut stage = client();
    stage.receive(CONN, b"forward_file client2 a.txt one");
    stage.wait(ms(200));
    stage.input(Input::Saved { name: "client1_a.txt".into(), result: Err("it is a link".into()) });
    assert_eq!((stage.warned.len(), stage.printed().len()), (1, 0));
}

#[test]
fn is_a_file_past_the_limit_not_taken() {
    for (bytes, taken) in [(MAX_FILE_BYTES, 1), (MAX_FILE_BYTES + 1, 0), (3 * MAX_FILE_BYTES, 0)] {
        let mut stage = client();
        stage.receive(CONN, b"forward_file client2 a.txt ");
        stage.receive(CONN, &vec![b'x'; bytes]);
        stage.wait(ms(200));
        assert_eq!((stage.wanted.len(), stage.warned.len()), (taken, 1 - taken), "{bytes}");
    }
}

#[test]
fn are_files_on_their_way_to_the_disk_bounded() {
    let mut stage = client();
    for _ in 0..=MAX_SAVING {
        stage.receive(CONN, b"forward_file client2 a.txt x");
    }
    assert_eq!((stage.wanted.len(), stage.warned.len()), (MAX_SAVING, 0));
    stage.wait(ms(200));
    assert_eq!((stage.wanted.len(), stage.warned.len()), (MAX_SAVING, 1));
}

#[test]
fn is_what_a_server_says_wrongly_logged_and_passed_over() {
    let mut stage = client();
    for bytes in [&b"hello"[..], b"forward_message", b"forward_file a", &[0xff; 70_000]] {
        stage.receive(CONN, bytes);
        stage.wait(ms(300));
    }
    assert_eq!((stage.printed().len(), exit(&stage)), (0, None));
    stage.receive(CONN, b"forward_message a hi");
    assert_eq!(stage.printed(), ["msg: a: hi"]);
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(300))]

    #[test]
    fn do_arbitrary_bytes_leave_the_client_sound(
        chunks in proptest::collection::vec(proptest::collection::vec(proptest::prelude::any::<u8>(), 1..300), 0..40),
        lines in proptest::collection::vec("(msg|file|list|)[ a-z0-9\\PC]{0,30}", 0..10),
    ) {
        let mut stage = client();
        chunks.iter().for_each(|chunk| stage.receive(CONN, chunk));
        lines.iter().for_each(|line| typed(&mut stage, line));
        stage.wait(ms(10_000));
        proptest::prop_assert!(stage.machine.poll_timeout().is_none());
    }
}
