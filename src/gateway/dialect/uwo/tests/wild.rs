//! Programs as they are written: section by section what has to be tolerated.

use super::*;
use crate::gateway::dialect::{MAX_QUEUED_MESSAGES, PACE, uwo::QUIET};

#[test]
fn does_a_program_that_ends_no_lines_get_exactly_what_it_waits_for_d1() {
    let mut stage = Stage::new();
    let alice = stage.joins("alice");
    let carol = stage.connects();
    stage.sends(carol, "REGISTER carol CHAT/1.0");
    stage.passes(QUIET - ms(1));
    assert_eq!(stage.got(carol), "");
    stage.passes(ms(1));
    assert_eq!(stage.writes(carol), ["200 Registration successful"]);
    stage.passes(PACE);
    stage.sends(carol, "@carol: Hi");
    assert_eq!(stage.got(alice), "@carol: Hi\n");
    stage.sends(alice, "@alice: Hi Carol\n");
    assert_eq!(stage.writes(carol), ["@alice: Hi Carol"]);
    stage.sends(carol, "DISCONNECT carol CHAT/1.0");
    assert!(stage.is_closed(carol));
    assert_eq!(stage.got(carol), "");
}

#[test]
fn does_such_a_program_hear_of_the_end_and_of_refusals_in_its_way() {
    let mut stage = Stage::new();
    let carol = stage.joins_bare("carol");
    let rival = stage.connects();
    stage.sends(rival, "REGISTER carol CHAT/1.0");
    let all = stage.connects();
    stage.sends(all, "REGISTER all CHAT/1.0");
    stage.passes(QUIET);
    assert_eq!(stage.writes(rival), ["401 Client already registered"]);
    assert_eq!(stage.writes(all), ["400 Invalid registration"]);
    stage.input(Input::Stop);
    assert_eq!(stage.writes(carol), ["DISCONNECT CHAT/1.0"]);
}

#[test]
fn is_each_write_to_such_a_program_one_message_after_a_pause() {
    let mut stage = Stage::new();
    let carol = stage.joins_bare("carol");
    let alice = stage.joins("alice");
    stage.sends(alice, "@alice: one\n@alice: two\n@alice: three\n");
    assert_eq!(stage.writes(carol), ["@alice: one"]);
    stage.passes(PACE - ms(1));
    assert_eq!(stage.writes(carol).len(), 0);
    stage.passes(ms(1));
    assert_eq!(stage.writes(carol), ["@alice: two"]);
    stage.sends(carol, "@carol: !exit");
    stage.passes(Duration::from_secs(1));
    assert_eq!(stage.writes(carol), ["@alice: three", "DISCONNECT CHAT/1.0"]);
    assert!(stage.is_closed(carol));
}

#[test]
fn does_such_a_program_that_does_not_read_disturb_itself_alone() {
    let mut stage = Stage::new();
    let (carol, dave) = (stage.joins_bare("carol"), stage.joins_bare("dave"));
    let (alice, bob) = (stage.joins("alice"), stage.joins("bob"));
    for _ in 0..=MAX_QUEUED_MESSAGES {
        stage.sends(alice, "@alice: x\n");
    }
    assert!(!stage.is_closed(carol));
    stage.sends(alice, "@alice: x\n");
    assert!(stage.is_closed(carol) && stage.is_closed(dave), "258 within no time: one out, 256 wait");
    assert!(!stage.is_closed(bob));
    assert_eq!(stage.writes(bob).len(), MAX_QUEUED_MESSAGES + 2);
}

#[test]
fn does_a_line_end_within_a_read_of_such_a_program_smuggle_nothing() {
    let mut stage = Stage::new();
    let carol = stage.joins_bare("carol");
    let (alice, bare) = (stage.joins("alice"), stage.joins_bare("bare"));
    stage.sends(carol, "@carol: a\n@bob: b\r\n\n");
    assert_eq!(stage.got(alice), "@carol: a\n@carol: b\n");
    stage.passes(PACE);
    assert_eq!(stage.writes(bare), ["@carol: a", "@carol: b"]);
}

#[test]
fn is_junk_after_the_registration_ignored() {
    let mut stage = Stage::new();
    let alice = stage.joins("alice");
    let bare = stage.connects();
    stage.sends(bare, "REGISTER bare CHAT/1.0");
    stage.sends(bare, "('127.0.0.1', 42184)");
    assert_eq!(
        stage.writes(bare),
        ["200 Registration successful"],
        "a second message shows that the first ended"
    );
    stage.sends(bare, "@bare: hi");
    let lined = stage.joins_with("REGISTER lined CHAT/1.0\n");
    stage.sends(lined, "('127.0.0.1', 42184)\n@lined: hi\n");
    assert_eq!(stage.got(alice), "@bare: hi\n@lined: hi\n");
}

#[test]
fn is_a_slow_end_of_line_still_one() {
    let mut stage = Stage::new();
    let alice = stage.connects();
    stage.sends(alice, "REGISTER alice CHAT/1.0");
    stage.passes(QUIET - ms(1));
    stage.sends(alice, "\n");
    assert_eq!(stage.writes(alice), [REGISTERED]);
}

#[test]
fn does_an_end_of_line_that_comes_too_late_do_no_harm() {
    let mut stage = Stage::new();
    let (alice, bob) = (stage.joins("alice"), stage.joins_bare("bob"));
    stage.sends(bob, "\n");
    stage.sends(alice, "@alice: nobody follows this\n");
    assert_eq!(stage.writes(bob), ["@alice: nobody follows this"], "no header, so everything is delivered");
}

#[test]
fn may_such_a_program_attach_a_file() {
    let mut stage = Stage::new();
    let (carol, alice) = (stage.joins_bare("carol"), stage.joins("alice"));
    stage.sends(carol, "@carol: !attach f.bin");
    assert_eq!(stage.writes(carol), ["ATTACH f.bin CHAT/1.0"]);
    stage.sends(carol, "Content-Length: 6");
    stage.sends(carol, "ab\n");
    stage.sends(carol, "\ncd");
    stage.passes(Duration::from_secs(1));
    assert_eq!(stage.got(alice), "ATTACHMENT f.bin CHAT/1.0\nOrigin: carol\nContent-Length: 6\nab\n\ncd");
    assert_eq!(stage.writes(carol), ["Attachment f.bin attached and distributed"]);
    stage.sends(carol, "@carol: after");
    assert_eq!(stage.got(alice), "@carol: after\n");
}
