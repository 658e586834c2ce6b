//! Files over a stream that does not mark where they end.

use super::{
    host::{host, host_of},
    *,
};
use crate::gateway::dialect::lums::{Host, MAX_MESSAGE_BYTES, MAX_QUEUED_FILES, QUIET};

fn file_to(stage: &mut Stage<Host>, conn: u64) -> Bytes {
    stage.wait(ms(1000));
    let place = stage.sent.iter().position(|(to, _)| to.0 == conn).expect("a file");
    stage.sent.remove(place).1
}

#[test]
fn is_a_file_the_same_in_reads_of_any_size() {
    let content: Vec<u8> = (0..5000u32).map(|n| (n * 7 % 251) as u8).collect();
    let message = [b"send_file 1 bob a.bin ".as_slice(), &content].concat();
    for size in [256, 512, 1000, 4096, message.len()] {
        let mut stage = host_of(&["alice", "bob"]);
        for chunk in message.chunks(size) {
            stage.receive(1, chunk);
            stage.wait(ms(50));
        }
        assert_eq!(stage.printed(), [""; 0], "it is not quiet yet");
        assert_eq!(file_to(&mut stage, 2), [b"forward_file alice a.bin ".as_slice(), &content].concat());
        assert_eq!(stage.printed(), ["file: alice"]);
    }
}

#[test]
fn may_a_file_be_split_anywhere_behind_its_verb() {
    let message = b"send_file 2 bob alice a.txt one  two\n";
    for at in "send_file".len()..message.len() {
        let mut stage = host_of(&["alice", "bob"]);
        stage.receive(1, &message[..at]);
        stage.wait(QUIET - ms(1));
        stage.receive(1, &message[at..]);
        assert_eq!(file_to(&mut stage, 2), &b"forward_file alice a.txt one  two\n"[..], "split at {at}");
    }
}

#[test]
fn does_silence_end_a_file_and_what_comes_next_is_a_message() {
    let mut stage = host_of(&["alice", "bob"]);
    stage.receive(1, b"send_file 1 bob a.txt one");
    stage.wait(QUIET - ms(1));
    assert_eq!(stage.printed(), [""; 0]);
    stage.wait(ms(1));
    assert_eq!(stage.printed(), ["file: alice"], "LUMS-D1");
    stage.receive(1, b"two");
    assert_eq!(stage.printed(), ["disconnected: alice sent unknown command"]);
}

#[test]
fn does_a_known_verb_end_a_file() {
    for next in ["request_users_list", "REQUEST_USERS_LIST", "send_message 1 x y", "disconnect"] {
        let mut stage = host_of(&["alice", "bob"]);
        stage.receive(1, b"send_file 1 bob a.txt one");
        stage.receive(1, next.as_bytes());
        assert_eq!(stage.printed()[0], "file: alice");
        assert_eq!(file_to(&mut stage, 2), "forward_file alice a.txt one");
    }
}

#[test]
fn may_a_part_of_a_file_look_like_the_later_edition_or_a_longer_word() {
    let mut stage = host_of(&["alice", "bob"]);
    for chunk in ["send_file 1 bob a.txt ", "list of things\n", "msg x\n", "disconnected\n", "Disconnect now"]
    {
        stage.receive(1, chunk.as_bytes());
    }
    let expected = "forward_file alice a.txt list of things\nmsg x\ndisconnected\nDisconnect now";
    assert_eq!(file_to(&mut stage, 2), expected);
    stage.receive(1, b"file 1 bob a.txt one");
    stage.receive(1, b"list");
    assert_eq!(file_to(&mut stage, 2), "forward_file alice a.txt one", "there it is a message");
}

#[test]
fn is_an_empty_file_a_file() {
    for said in ["send_file 1 bob a.txt ", "send_file 1 bob a.txt", "send_file 1 bob a.txt\n"] {
        let mut stage = host_of(&["alice", "bob"]);
        stage.receive(1, said.as_bytes());
        assert_eq!(file_to(&mut stage, 2), "forward_file alice a.txt ", "LUMS-D10");
    }
}

#[test]
fn is_a_file_that_is_there_when_its_sender_ends_passed_on() {
    let mut stage = host_of(&["alice", "bob"]);
    stage.receive(1, b"send_file 1 bob a.txt half of");
    stage.end(1);
    assert_eq!(stage.printed(), ["file: alice", "disconnected: alice"], "LUMS-D1");
    assert_eq!(file_to(&mut stage, 2), "forward_file alice a.txt half of");
}

#[test]
fn does_a_file_of_one_who_is_being_disconnected_ask_for_no_time() {
    let mut stage = host_of(&["alice", "bob"]);
    stage.receive(2, b"send_message 1 alice hi");
    stage.receive(1, b"send_file none");
    stage.receive(1, b"send_file 1 bob a.txt x");
    stage.receive(1, b"more of it");
    assert!(!stage.is_closed(1), "two messages wait for their pauses");
    stage.wait(ms(39));
    assert_eq!(stage.machine.poll_timeout(), Some(stage.now + ms(1)));
    stage.wait(ms(1000));
    assert!(stage.is_closed(1));
    assert_eq!(stage.printed(), ["msg: bob", "disconnected: alice sent unknown command"]);
}

#[test]
fn do_directories_of_a_sender_stay_its_own() {
    for path in ["../../etc/abc.txt", "/abc.txt", "dir\\abc.txt"] {
        let mut stage = host_of(&["alice", "bob"]);
        stage.receive(1, format!("send_file 1 bob {path} x").as_bytes());
        assert_eq!(file_to(&mut stage, 2), "forward_file alice abc.txt x", "LUMS-D10");
    }
    let mut stage = host_of(&["alice", "bob"]);
    stage.receive(1, b"send_file 1 bob .. x");
    stage.wait(ms(1000));
    assert!(stage.sent.is_empty() && !stage.is_closed(1));
}

#[test]
fn is_a_file_past_the_limit_thrown_away_as_it_comes() {
    let most = MAX_FILE_BYTES + MAX_MESSAGE_BYTES;
    let head = b"send_file 1 bob a.txt ";
    let mut stage = host_of(&["alice", "bob"]);
    stage.receive(1, head);
    stage.receive(1, &vec![b'x'; most - head.len()]);
    stage.wait(ms(300));
    assert_eq!(stage.printed(), ["file: alice"]);
    stage.sent.clear();
    stage.receive(1, head);
    stage.receive(1, &vec![b'x'; most - head.len()]);
    stage.receive(1, b"y");
    stage.receive(1, &vec![b'x'; most]);
    stage.wait(ms(300));
    assert_eq!(stage.printed(), [""; 0]);
    assert_eq!(stage.warned.len(), 1);
    assert!(stage.sent.is_empty() && !stage.is_closed(1));
}

#[test]
fn do_more_files_than_may_wait_disconnect_nobody() {
    let mut stage = host_of(&["alice", "bob"]);
    for _ in 0..MAX_QUEUED_FILES + 5 {
        stage.receive(1, b"send_file 1 bob a.txt one");
    }
    stage.receive(1, b"send_message 1 bob that was all");
    stage.wait(ms(60_000));
    assert_eq!(stage.sent.len(), 1 + MAX_QUEUED_FILES + 1, "one was on its way at once");
    assert!(!stage.is_closed(2));
}

#[test]
fn is_it_quiet_behind_a_file_that_is_passed_on() {
    let mut stage = host_of(&["alice", "bob"]);
    stage.receive(1, b"send_file 1 bob a.txt one");
    stage.receive(1, b"send_message 1 bob hi");
    assert_eq!(stage.sent.len(), 1);
    stage.wait(QUIET);
    assert_eq!(stage.sent.len(), 1, "its reader knows by silence that it has all");
    stage.wait(ms(100));
    assert_eq!(stage.sent.len(), 2);
}

#[test]
fn is_a_long_file_worth_a_warning() {
    let mut stage = Stage::new(Host::new(HostConfig { max_file_bytes: 1 << 30, ..host_config() }));
    stage.join(1, "alice");
    for bytes in [10 << 20, (10 << 20) + 1] {
        stage.receive(1, b"send_file 1 alice a.bin ");
        stage.receive(1, &vec![0; bytes]);
        stage.wait(ms(1000));
    }
    assert_eq!(stage.sent.len(), 2);
    assert_eq!(stage.warned.len(), 1);
}

#[test]
fn is_nothing_of_a_file_in_the_log() {
    let mut stage = host();
    stage.join(1, "alice");
    stage.receive(1, b"send_file 1 alice a.txt secret");
    stage.wait(ms(1000));
    assert!(stage.logged.iter().all(|line| !line.contains("secret")), "{:?}", stage.logged);
}
