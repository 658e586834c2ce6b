//! Who hears what, in which words.

use crate::support::star::Star;

#[test]
fn do_two_people_hear_each_other_and_not_themselves() {
    let star = Star::new();
    let mut alice = star.client("alice").start();
    alice.says("joined lobby as alice (1 here: alice)");
    let mut bob = star.client("bob").start();
    bob.says("joined lobby as bob (2 here: alice, bob)");
    alice.says("[lobby] * bob joined");
    for n in 0..3 {
        alice.type_line(&format!("question {n}"));
        bob.says(&format!("[lobby] alice: question {n}"));
        bob.type_line(&format!("answer {n}"));
        alice.says(&format!("[lobby] bob: answer {n}"));
    }
    bob.type_line("/quit");
    alice.says("[lobby] * bob left");
    bob.ends(0);
}

#[test]
fn does_a_private_line_reach_each_named_person_once_and_nobody_else() {
    let star = Star::new();
    let [mut alice, mut bob, mut carol, mut dave] = star.join_all(["alice", "bob", "carol", "dave"]);
    alice.type_line("/msg bob only for you");
    bob.says("[private] alice: only for you");
    alice.type_line("/msg bob,carol,BOB,bob for the two of you");
    bob.says("[private] alice: for the two of you");
    carol.says("[private] alice: for the two of you");
    bob.type_line("/msg alice and back");
    alice.says("[private] bob: and back");
    alice.type_line("for all");
    for other in [&mut bob, &mut carol, &mut dave] {
        other.says("[lobby] alice: for all");
    }
}

#[test]
fn is_a_private_line_to_nobody_reported_and_to_the_others_sent() {
    let star = Star::new();
    let [mut alice, mut bob] = star.join_all(["alice", "bob"]);
    alice.type_line("/msg nobody,bob hello");
    bob.says("[private] alice: hello");
    alice.complains("error: nobody here is called nobody");
    alice.complains("  hint: nothing was sent to them; /users lists who is here");
    alice.type_line("/msg alice hello me");
    alice.complains("error: that is your own name");
}

#[test]
fn does_a_private_line_wait_for_somebody_who_is_away_and_is_it_told_once() {
    let star = Star::new();
    let [mut alice, mut bob] = star.join_all(["alice", "bob"]);
    bob.type_line("/quit");
    bob.ends(0);
    alice.says_with("bob left");
    alice.type_line("/msg bob call me when you are back");
    alice.says("bob is not here: it waits for them, 30 days at most");
    // Without a history of its own, which it would show.
    let come = || star.client("bob").with(&["--history", "none"]).start();
    let mut bob = come();
    bob.says_with("[private] alice: call me when you are back");
    bob.type_line("/quit");
    bob.ends(0);
    let mut bob = come();
    bob.says("joined lobby as bob (2 here: alice, bob)");
    alice.type_line("for all");
    bob.says("[lobby] alice: for all");
}

#[test]
fn is_a_private_line_heard_by_somebody_in_another_room() {
    let star = Star::new();
    let [mut alice] = star.join_all(["alice"]);
    let mut bob = star.client("bob").with(&["--room", "ops"]).start();
    bob.says("joined ops as bob (1 here: bob)");
    alice.type_line("/msg bob are you there?");
    bob.says("[private] alice: are you there?");
}

#[test]
fn are_commands_that_do_not_exist_refused_and_nothing_sent() {
    let star = Star::new();
    let [mut alice, mut bob] = star.join_all(["alice", "bob"]);
    alice.type_line("/hlep");
    alice.complains("error: /hlep is no command; nothing was sent");
    alice.complains("  hint: did you mean /help? /help lists all; //hlep sends it as text");
    alice.type_line("//hlep is what I typed");
    bob.says("[lobby] alice: /hlep is what I typed");
    alice.type_line("/help");
    alice.complains("/quit [REASON]               leave (also /exit)");
}

#[test]
fn is_a_line_that_is_too_long_refused_here_and_nobody_else_touched() {
    let star = Star::with(&["--max-message-bytes", "100"]);
    let [mut alice, mut bob] = star.join_all(["alice", "bob"]);
    alice.type_line(&"x".repeat(101));
    alice.complains("error: the message has 101 bytes, the limit is 100");
    alice.complains("  hint: nothing was sent; shorten it");
    bob.type_line("still here");
    alice.says("[lobby] bob: still here");
    alice.type_line(&"y".repeat(100));
    bob.says(&format!("[lobby] alice: {}", "y".repeat(100)));
}

#[test]
fn does_text_arrive_as_it_was_typed() {
    let star = Star::new();
    let [mut alice, mut bob] = star.join_all(["alice", "bob"]);
    for text in ["  two spaces  ", "日本語 שלום 👩\u{200d}🚀", "a/b /c", "\"quoted\" \\n"] {
        alice.type_line(text);
        bob.says(&format!("[lobby] alice: {text}"));
    }
    alice.type_line("");
    alice.type_line("   ");
    alice.type_line("after empty ones");
    bob.says("[lobby] alice: after empty ones");
}

#[test]
fn do_followed_words_come_from_rooms_not_joined() {
    let star = Star::new();
    let mut alice = star.client("alice").with(&["--room", "ops"]).start();
    alice.says("joined ops as alice (1 here: alice)");
    let [mut bob] = star.join_all(["bob"]);
    bob.type_line("/follow #deploy");
    bob.says("following: #deploy");
    // The answer to this one shows that the server knows the term.
    bob.type_line("/msg alice go on");
    alice.says("[private] bob: go on");
    alice.type_line("nothing of interest");
    alice.type_line("a #deploy begins");
    bob.says("[ops] alice: a #deploy begins");
    bob.type_line("/unfollow #deploy");
    bob.says("following: ");
    bob.type_line("/msg alice and again");
    alice.says("[private] bob: and again");
    alice.type_line("the #deploy ends");
    alice.type_line("/msg bob done");
    bob.says("[private] alice: done");
}
