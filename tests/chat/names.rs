//! What people are called.

use crate::support::star::Star;

#[test]
fn is_a_new_name_announced_and_used() {
    let star = Star::new();
    let [mut alice, mut bob] = star.join_all(["alice", "bob"]);
    bob.type_line("/name dave");
    bob.says("you are now known as dave");
    alice.says("[lobby] * bob is now known as dave");
    bob.type_line("it is me");
    alice.says("[lobby] dave: it is me");
    alice.type_line("/users");
    alice.says("users in lobby: alice, dave");
    alice.type_line("/name dave");
    alice.complains("error: the name dave is in use");
    alice.type_line("/msg bob are you there?");
    alice.complains("error: nobody here is called bob");
    alice.type_line("/msg dave you are");
    bob.says("[private] alice: you are");
}

#[test]
fn is_a_given_name_that_is_taken_the_end() {
    let star = Star::new();
    let [mut alice] = star.join_all(["alice"]);
    let mut other = star.client("Alice").start();
    other.ends(4);
    let told = "error: the name Alice is in use\n  hint: choose another one: --name Alice2\n";
    assert!(other.complaints().ends_with(told), "{}", other.complaints());
    alice.type_line("/users");
    alice.says("users in lobby: alice");
}

#[test]
fn does_a_login_name_that_is_taken_get_a_number() {
    let star = Star::new();
    let mut first = star.nameless("first").variable("USER", "ann").start();
    first.says("joined lobby as ann (1 here: ann)");
    let mut second = star.nameless("second").variable("USER", "ann").start();
    second.says("joined lobby as ann2 (2 here: ann, ann2)");
    first.says("[lobby] * ann2 joined");
    second.type_line("hello");
    first.says("[lobby] ann2: hello");
}

#[test]
fn is_a_name_free_again_after_its_owner_left() {
    let star = Star::new();
    let [mut alice, mut bob] = star.join_all(["alice", "bob"]);
    alice.end_input();
    bob.says("[lobby] * alice left");
    alice.ends(0);
    let mut other = star.nameless("another").with(&["--name", "alice"]).start();
    other.says("joined lobby as alice (2 here: alice, bob)");
}

#[test]
fn are_users_sorted() {
    let star = Star::new();
    let [mut mike, _zoe, _anna, _bert] = star.join_all(["mike", "zoe", "Anna", "bert"]);
    mike.type_line("/users");
    mike.says("users in lobby: Anna, bert, mike, zoe");
}
