//! W23, UWO-D8: files asked for, taken and given.

use super::*;
use crate::gateway::dialect::{
    MAX_QUEUED_MESSAGES, PACE,
    announced::MAX_ANNOUNCED,
    uwo::{ATTACH_PATIENCE, FILE_REST, MAX_UPLOADS, STALL_PATIENCE},
};

const NOTICE: &str = "ATTACHMENT f.bin CHAT/1.0\nOrigin: alice\nContent-Length: 20\n";
const CONTENT: &[u8] = b"\0\xff\n\r0123456789abcdef";
const SENT: &str = "Attachment f.bin attached and distributed\n";

fn attaching(stage: &mut Stage) -> ConnId {
    let alice = stage.joins("alice");
    stage.sends(alice, "@alice: !attach f.bin apple\n");
    assert_eq!(stage.got(alice), "ATTACH f.bin CHAT/1.0\n");
    alice
}

fn file() -> Vec<u8> {
    [b"Content-Length: 20\n", CONTENT].concat()
}

#[test]
fn does_a_file_reach_who_follows_its_terms_or_its_sender_w23() {
    let mut stage = Stage::new();
    let [apple, fan, pie] =
        [("b", "apple"), ("c", "@alice"), ("d", "pie")].map(|(name, terms)| stage.follows(name, terms));
    let everything = stage.joins("e");
    let alice = attaching(&mut stage);
    stage.sends(alice, file());
    assert_eq!(stage.got(alice), SENT);
    stage.passes(PACE);
    for conn in [apple, fan, everything] {
        assert_eq!(stage.written.remove(&conn).unwrap(), [NOTICE.as_bytes(), CONTENT]);
    }
    assert_eq!(stage.got(pie), "");
    let to = Audience::Followers(vec!["@alice".into(), "apple".into()]);
    assert_eq!(stage.files, [(GuestId(4), to, "f.bin".into(), Bytes::from_static(CONTENT))]);
    assert_eq!(stage.commands, []);
}

#[test]
fn is_a_file_whole_however_it_is_cut() {
    let all = [b"@alice: !attach f.bin\n".as_slice(), &file(), b"@alice: after\n"].concat();
    let run = |chunks: &[&[u8]]| {
        let mut stage = Stage::new();
        let (alice, bob) = (stage.joins("alice"), stage.joins("bob"));
        chunks.iter().for_each(|chunk| stage.sends(alice, chunk));
        stage.passes(Duration::from_secs(1));
        assert_eq!(stage.got(alice), format!("ATTACH f.bin CHAT/1.0\n{SENT}"));
        stage.written.remove(&bob).unwrap()
    };
    let expected = [NOTICE.as_bytes(), CONTENT, b"@alice: after\n"];
    for at in 1..all.len() {
        assert_eq!(run(&[&all[..at], &all[at..]]), expected, "cut at {at}");
    }
    for size in [1, 2, 256, 512] {
        assert_eq!(run(&all.chunks(size).collect::<Vec<_>>()), expected);
    }
}

#[test]
fn is_there_silence_after_a_file_d8() {
    let mut stage = Stage::new();
    let (bob, carol) = (stage.joins("bob"), stage.follows("carol", "@dave"));
    let (alice, dave) = (attaching(&mut stage), stage.joins("dave"));
    stage.sends(alice, file());
    stage.sends(dave, "@dave: hi\n");
    assert_eq!(stage.writes(bob), [NOTICE]);
    assert_eq!(stage.got(carol), "@dave: hi\n", "who gets no file does not wait");
    stage.passes(PACE - ms(1));
    assert_eq!(stage.writes(bob).len(), 0);
    stage.passes(ms(1));
    assert_eq!(stage.written.remove(&bob).unwrap(), [CONTENT]);
    stage.passes(FILE_REST - ms(1));
    assert_eq!(stage.writes(bob).len(), 0);
    stage.passes(ms(10));
    assert_eq!(stage.writes(bob), ["@dave: hi\n"]);
    stage.sends(dave, "@dave: more\n");
    assert_eq!(stage.writes(bob), ["@dave: more\n"]);
}

#[test]
fn is_a_missing_or_bad_file_reported_to_its_sender_alone() {
    for (header, answer) in [
        ("Content-Length: -1", "Error:  Attached file f.bin could not be sent\n"),
        ("Content-Length: many", "Error:  Invalid attachment header\n"),
        ("Length: 20", "Error:  Invalid attachment header\n"),
        ("", "Error:  Invalid attachment header\n"),
    ] {
        let mut stage = Stage::new();
        let bob = stage.joins("bob");
        let alice = attaching(&mut stage);
        stage.sends(alice, format!("{header}\n@alice: still here\n"));
        assert_eq!(stage.got(alice), answer, "{header}");
        assert_eq!(stage.got(bob), "@alice: still here\n");
        assert!(stage.files.is_empty());
    }
}

#[test]
fn how_large_may_a_file_be() {
    let mut stage = Stage::new();
    let bob = stage.joins("bob");
    let alice = attaching(&mut stage);
    stage.sends(alice, format!("Content-Length: {MAX_FILE}\n"));
    stage.sends(alice, vec![b'x'; MAX_FILE]);
    assert_eq!(stage.got(alice), SENT);
    stage.passes(Duration::from_secs(1));
    stage.got(bob);
    stage.sends(alice, "@alice: !attach f.bin\n");
    stage.sends(alice, format!("Content-Length: {}\n", MAX_FILE + 1));
    stage.sends(alice, vec![b'@'; MAX_FILE]);
    assert_eq!(stage.got(alice), "ATTACH f.bin CHAT/1.0\n");
    stage.sends(alice, "y@alice: after\n");
    assert_eq!(stage.got(alice), "Error:  Attached file f.bin could not be sent\n");
    assert_eq!(stage.got(bob), "@alice: after\n", "what was too long is read past");
    stage.sends(alice, "@alice: !attach f.bin\nContent-Length: 18446744073709551615\n");
    assert!(stage.host.poll_timeout().is_some(), "and not for ever");
}

#[test]
fn is_an_empty_file_a_file() {
    let mut stage = Stage::new();
    let bob = stage.joins("bob");
    let alice = attaching(&mut stage);
    stage.sends(alice, "Content-Length: 0\n@alice: after\n");
    assert_eq!(stage.got(alice), SENT);
    stage.passes(PACE);
    assert_eq!(
        stage.got(bob),
        "ATTACHMENT f.bin CHAT/1.0\nOrigin: alice\nContent-Length: 0\n@alice: after\n"
    );
}

#[test]
fn how_long_is_waited_for_a_file() {
    let mut stage = Stage::new();
    let alice = attaching(&mut stage);
    stage.passes(ATTACH_PATIENCE - ms(1));
    assert_eq!(stage.got(alice), "");
    stage.passes(ms(1));
    assert_eq!(stage.got(alice), "Error:  Invalid attachment header\n");
    stage.sends(alice, "@alice: !attach f.bin\nContent-Length: 20\nhalf");
    stage.passes(STALL_PATIENCE);
    let expected =
        "ATTACH f.bin CHAT/1.0\nError:  Attached file f.bin could not be sent\nDISCONNECT CHAT/1.0\n";
    assert_eq!(stage.got(alice), expected);
    assert!(stage.is_closed(alice));
}

#[test]
fn is_what_was_typed_ahead_not_taken_for_the_header() {
    let mut stage = Stage::new();
    let bob = stage.joins("bob");
    let alice = attaching(&mut stage);
    stage.sends(alice, "@alice: typed ahead\n@alice: !attach g.bin\n");
    assert_eq!(stage.got(bob), "@alice: typed ahead\n");
    assert_eq!(stage.got(alice), "Error:  Attached file g.bin could not be sent\n");
    stage.sends(alice, file());
    assert_eq!(stage.got(alice), SENT);
}

#[test]
fn does_a_sender_who_goes_in_the_middle_of_a_file_disturb_nobody() {
    let mut stage = Stage::new();
    let bob = stage.joins("bob");
    let alice = attaching(&mut stage);
    stage.sends(alice, "Content-Length: 20\nhalf");
    stage.input(Input::Ended { conn: alice });
    stage.passes(Duration::from_secs(60));
    assert_eq!(stage.got(bob), "");
    assert!(stage.files.is_empty());
}

#[test]
fn are_directories_stripped_d8() {
    let mut stage = Stage::new();
    let (alice, bob) = (stage.joins("alice"), stage.joins("bob"));
    stage.sends(alice, "@alice: !attach ../a/f.bin apple\n");
    assert_eq!(stage.got(alice), "ATTACH ../a/f.bin CHAT/1.0\n", "the program knows it by this name");
    stage.sends(alice, file());
    assert_eq!(stage.got(alice), "Attachment ../a/f.bin attached and distributed\n");
    assert_eq!(stage.got(bob), NOTICE);
    stage.sends(alice, "@alice: !attach a/\n");
    assert_eq!(stage.got(alice), "Error:  Attached file a/ could not be sent\n");
}

#[test]
fn how_many_files_are_taken_at_a_time() {
    let mut stage = Stage::new();
    let conns: Vec<ConnId> = (0..=MAX_UPLOADS).map(|i| stage.joins(&format!("u{i}"))).collect();
    for (i, conn) in conns.iter().enumerate() {
        stage.sends(*conn, format!("@u{i}: !attach f\n"));
    }
    assert_eq!(stage.got(conns[MAX_UPLOADS - 1]), "ATTACH f CHAT/1.0\n");
    assert_eq!(stage.got(conns[MAX_UPLOADS]), "Error:  Attached file f could not be sent\n");
}

#[test]
fn what_do_those_get_who_cannot_take_a_file() {
    let mut stage = Stage::new();
    let bare = stage.joins_bare("bare");
    let alice = attaching(&mut stage);
    stage.sends(alice, file());
    assert_eq!(stage.writes(bare), ["@alice: sends the file f.bin (20 bytes)"]);
}

#[test]
fn does_a_file_of_others_come_with_its_line_left_out_once() {
    let mut stage = Stage::new();
    let [apple, pie] = [("b", "apple"), ("c", "pie")].map(|(name, terms)| stage.follows(name, terms));
    let everything = stage.joins("d");
    let to = Audience::Followers(vec!["@carol".into(), "apple".into()]);
    let (from, name, content) = ("~carol".to_owned(), "dir/my file".to_owned(), Bytes::from_static(CONTENT));
    stage.input(Input::File { from, to, name, content });
    stage.passes(Duration::from_secs(1));
    let notice = "ATTACHMENT my_file CHAT/1.0\nOrigin: carol\nContent-Length: 20\n";
    for conn in [apple, everything] {
        assert_eq!(stage.written.remove(&conn).unwrap(), [notice.as_bytes(), CONTENT]);
    }
    assert_eq!(stage.got(pie), "");
    let line = "sends the file dir/my file (20 bytes)";
    for round in [0, 1] {
        for guest in 0..3 {
            stage.hears(guest, "~carol", line);
        }
        let expected = if round == 0 { String::new() } else { format!("@carol: {line}\n") };
        assert_eq!(stage.got(everything), expected);
    }
    assert_eq!(stage.got(pie), "", "it follows none of these words");
}

#[test]
fn does_a_file_for_named_people_go_to_them_alone() {
    let mut stage = Stage::new();
    let (alice, bob) = (stage.joins("alice"), stage.follows("bob", "x"));
    let to = Audience::Names(vec!["~Bob".into(), "zoe".into()]);
    let (from, name, content) = ("~carol".to_owned(), "f.bin".to_owned(), Bytes::from_static(CONTENT));
    stage.input(Input::File { from, to, name, content });
    assert_eq!(stage.got(bob), NOTICE.replace("alice", "carol"));
    assert_eq!(stage.got(alice), "");
    stage.told(1, Event::Private(said("~carol", "sends the file f.bin (20 bytes)")));
    stage.passes(Duration::from_secs(1));
    assert_eq!(stage.written.remove(&bob).unwrap(), [CONTENT]);
}

#[test]
fn does_nobody_get_a_file_under_broadcast() {
    let mut stage = Stage::delivering(Delivery::Broadcast);
    let bob = stage.joins("bob");
    let to = Audience::Followers(vec!["@bob".into()]);
    stage.input(Input::File {
        from: "~c".into(),
        to,
        name: "f".into(),
        content: Bytes::from_static(CONTENT),
    });
    stage.hears(0, "~c", "sends the file f (20 bytes)");
    assert_eq!(stage.got(bob), "@c: sends the file f (20 bytes)\n");
}

#[test]
fn how_many_lines_of_files_are_expected() {
    let mut stage = Stage::new();
    let bob = stage.joins("bob");
    for i in 0..=MAX_ANNOUNCED {
        let to = Audience::Names(vec!["bob".into()]);
        let content = Bytes::from_static(b"x");
        stage.input(Input::File { from: "~c".into(), to, name: format!("f{i}"), content });
    }
    stage.passes(Duration::from_secs(60));
    stage.got(bob);
    stage.hears(0, "~c", "sends the file f1 (1 bytes)");
    assert_eq!(stage.got(bob), "");
    stage.hears(0, "~c", "sends the file f0 (1 bytes)");
    assert_eq!(stage.got(bob), "@c: sends the file f0 (1 bytes)\n");
}

#[test]
fn how_much_may_wait_behind_a_file() {
    let mut stage = Stage::new();
    let bob = stage.joins("bob");
    let (alice, dave) = (attaching(&mut stage), stage.joins("dave"));
    stage.sends(alice, file());
    stage.passes(PACE);
    for _ in 0..MAX_QUEUED_MESSAGES {
        stage.sends(dave, "@dave: x\n");
    }
    assert!(!stage.is_closed(bob));
    stage.sends(dave, "@dave: x\n");
    assert!(stage.is_closed(bob), "it would be disconnected by now");
    assert!(!stage.is_closed(dave));
}
