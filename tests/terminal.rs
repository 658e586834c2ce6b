//! The program on a real terminal, which tmux plays.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "what a test cannot do fails it")]

mod support;

use support::{star::Star, terminal::Terminal};

/// A terminal in which alice is in the lobby with bob.
fn alice_at(star: &Star, variables: &[&str], flags: &[&str]) -> Terminal {
    let data_dir = star.folder.at("alice");
    let client = ["--role", "client", "--server", &star.addr, "--name", "alice", "--data-dir", &data_dir];
    let alice = Terminal::start(&star.folder, variables, &[&client, flags].concat());
    alice.shows(&["joined lobby as alice (2 here: alice, bob)", ">"]);
    alice
}

#[test]
fn does_a_half_typed_line_stay_whole_while_lines_come_in() {
    let star = Star::new();
    let mut bob = star.join("bob");
    let alice = alice_at(&star, &[], &[]);
    bob.says("[lobby] * alice joined");
    alice.type_text("half of what");
    alice.shows(&["> half of what"]);
    for n in 0..3 {
        bob.type_line(&format!("line {n}"));
    }
    alice.shows(&["[lobby] bob: line 0", "[lobby] bob: line 1", "[lobby] bob: line 2", "> half of what"]);
    alice.type_text(" I mean");
    alice.press("Enter");
    bob.says("[lobby] alice: half of what I mean");
}

#[test]
fn does_the_prompt_say_that_nobody_hears_and_that_somebody_does_again() {
    let mut star = Star::new();
    let mut bob = star.join("bob");
    let alice = alice_at(&star, &[], &[]);
    bob.says("[lobby] * alice joined");
    star.server.murder();
    let starts_with = |mark: &str| {
        alice.says_last(|line| line.starts_with(mark));
    };
    starts_with("..");
    alice.type_text("into the dark");
    alice.press("Enter");
    starts_with("..");
    star.serve_again("server");
    starts_with(">");
    bob.comes_to_say("[lobby] alice: into the dark");
}

#[test]
fn does_ctrl_d_leave_in_order() {
    let star = Star::new();
    let mut bob = star.join("bob");
    let alice = alice_at(&star, &[], &[]);
    bob.says("[lobby] * alice joined");
    alice.type_text("bye");
    alice.press("Enter");
    bob.says("[lobby] alice: bye");
    // Between two prompts the terminal is not the editor's, and the key would be lost.
    alice.shows(&["> bye", ">"]);
    alice.press("C-d");
    bob.says("[lobby] * alice left");
    assert_eq!(alice.status(), 0);
}

#[test]
fn does_ctrl_c_first_clear_the_line_and_then_leave() {
    let star = Star::new();
    let mut bob = star.join("bob");
    let alice = alice_at(&star, &[], &[]);
    bob.says("[lobby] * alice joined");
    alice.type_text("not this");
    alice.shows(&["> not this"]);
    alice.press("C-c");
    alice.shows(&["Ctrl-C again or /quit leaves", ">"]);
    alice.press("C-c");
    bob.says("[lobby] * alice left");
    assert_eq!(alice.status(), 0);
}

#[test]
fn does_tab_complete_a_file_and_then_a_person() {
    let star = Star::new();
    let mut bob = star.join("bob");
    let alice = alice_at(&star, &[], &[]);
    bob.says("[lobby] * alice joined");
    alice.type_text("/send ARCHI");
    alice.press("Tab");
    alice.shows(&["> /send ARCHITECTURE.md"]);
    alice.type_text("bo");
    alice.press("Tab");
    alice.shows(&["> /send ARCHITECTURE.md bob"]);
}

#[test]
fn is_there_color_on_a_terminal_unless_unwanted() {
    for (variables, flags, is_colored) in [
        (&[][..], &[][..], true),
        (&[][..], &["--color", "never"][..], false),
        (&["NO_COLOR=1"][..], &[][..], false),
        (&["NO_COLOR=1"][..], &["--color", "always"][..], true),
    ] {
        let star = Star::new();
        let mut bob = star.join("bob");
        let alice = alice_at(&star, variables, flags);
        bob.says("[lobby] * alice joined");
        bob.type_line("what color am I?");
        alice.shows(&["[lobby] bob: what color am I?", ">"]);
        let screen = alice.colors();
        assert_eq!(screen.contains("\x1b["), is_colored, "{variables:?} {flags:?}: {screen:?}");
    }
}
