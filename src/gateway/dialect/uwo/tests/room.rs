//! What others say, as users of this protocol see it.

use super::*;
use crate::{app::Trouble, gateway::dialect::uwo::MAX_LINE_BYTES};

#[test]
fn does_a_line_of_others_become_one_line_here() {
    let mut stage = Stage::new();
    let alice = stage.joins("alice");
    stage.hears(0, "dave", "one\r\n@bob: two\u{1b}[2J");
    stage.hears(0, "~carol", "hi");
    assert_eq!(stage.got(alice), "@dave: one @bob: two\\u{1b}[2J\n@carol: hi\n");
}

#[test]
fn are_lines_of_others_filtered_too() {
    let mut stage = Stage::new();
    let bob = stage.follows("bob", "apple,@dave");
    for (from, text) in [("dave", "hi"), ("~erin", "an apple!"), ("erin", "a pear"), ("~dave2", "x")] {
        stage.hears(0, from, text);
    }
    assert_eq!(stage.got(bob), "@dave: hi\n@erin: an apple!\n");
}

#[test]
fn are_lines_of_our_own_users_not_delivered_again() {
    let mut stage = Stage::new();
    let (alice, bob) = (stage.joins("alice"), stage.joins("bob"));
    stage.sends(alice, "@alice: hi\n");
    stage.hears(1, "~alice", "hi");
    stage.sends(alice, "@alice: bye\nDISCONNECT alice CHAT/1.0\n");
    stage.hears(1, "~alice", "bye");
    assert_eq!(stage.got(bob), "@alice: hi\n@alice: bye\n");
    stage.sees(1, "~alice", Change::Leave);
    stage.sees(1, "~alice", Change::Join);
    stage.hears(1, "~alice", "another alice, at another door");
    assert_eq!(stage.got(bob), "@alice: another alice, at another door\n");
}

#[test]
fn do_echoes_of_who_left_end_even_unseen() {
    let mut stage = Stage::new();
    let (alice, bob) = (stage.joins("alice"), stage.joins("bob"));
    stage.input(Input::Ended { conn: alice });
    stage.hears(1, "~alice", "late");
    assert_eq!(stage.got(bob), "");
    stage.passes(Duration::from_secs(30));
    stage.hears(1, "~alice", "another");
    assert_eq!(stage.got(bob), "@alice: another\n");
}

#[test]
fn is_the_past_left_out() {
    let mut stage = Stage::new();
    let alice = stage.joins("alice");
    stage.told(0, Event::Message(Said { historic: true, ..said("dave", "yesterday") }));
    assert_eq!(stage.got(alice), "");
}

#[test]
fn does_a_private_line_reach_its_user_whatever_it_follows() {
    let mut stage = Stage::new();
    let (bob, carol) = (stage.follows("bob", "x"), stage.joins("carol"));
    stage.told(0, Event::Private(said("dave", "psst\nhey")));
    assert_eq!(stage.got(bob), "@dave: (private) psst hey\n");
    assert_eq!(stage.got(carol), "");
}

#[test]
fn is_a_long_line_of_others_cut() {
    let mut stage = Stage::new();
    let alice = stage.joins("alice");
    stage.hears(0, "dave", &"č".repeat(8_192));
    let line = stage.got(alice);
    assert!(line.len() <= MAX_LINE_BYTES + 1 && line.ends_with("č …\n"));
}

#[test]
fn who_is_told_that_something_went_wrong() {
    let mut stage = Stage::new();
    let (alice, bob) = (stage.joins("alice"), stage.follows("bob", "x"));
    for guest in [0, 1] {
        stage.told(guest, Event::Error(Trouble::new("too_long", "the line is too long", "")));
    }
    assert_eq!((stage.got(alice), stage.got(bob)), (String::new(), "Error:  the line is too long\n".into()));
}

#[test]
fn is_who_has_to_leave_the_room_disconnected() {
    let mut stage = Stage::new();
    let (alice, bob) = (stage.joins("alice"), stage.joins("bob"));
    stage.told(0, Event::Closed { reason: "server_shutdown" });
    stage.input(Input::Refused { guest: GuestId(1), why: Refusal::Other("kicked".into()) });
    assert_eq!([stage.got(alice), stage.got(bob)], ["DISCONNECT CHAT/1.0\n"; 2]);
    assert!(stage.is_closed(alice) && stage.is_closed(bob));
}

#[test]
fn is_a_character_beyond_ascii_a_question_mark_with_ascii_safe_d6() {
    let mut stage = Stage::with(HostConfig { ascii_safe: true, ..config() });
    let (alice, bob) = (stage.joins("alice"), stage.joins("bob"));
    stage.sends(alice, "@alice: čau 🎉\n");
    stage.hears(1, "dave", "žluť");
    assert_eq!(stage.got(bob), "@alice: ?au ?\n@dave: ?lu?\n");
    let mut stage = Stage::new();
    let (alice, bob) = (stage.joins("alice"), stage.joins("bob"));
    stage.sends(alice, "@alice: čau 🎉\n");
    assert_eq!(stage.got(bob), "@alice: čau 🎉\n");
}

#[test]
fn do_events_for_who_is_gone_come_to_nothing() {
    let mut stage = Stage::new();
    stage.hears(9, "dave", "hi");
    stage.input(Input::Refused { guest: GuestId(9), why: Refusal::NameTaken });
    stage.input(Input::Entered { guest: GuestId(9), nick: "x".into(), users: Vec::new() });
    assert!(stage.written.is_empty());
}
