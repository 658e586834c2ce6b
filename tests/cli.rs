//! The real binary, called as people and scripts call it.

#![expect(clippy::unwrap_used, reason = "what a test cannot do fails it")]

use std::{
    fs,
    path::PathBuf,
    process::{Command, Stdio},
};

struct Answer {
    status: i32,
    stdout: String,
    stderr: String,
}

/// Runs the program with a home of its own and without the variables of whoever runs the tests.
fn node(arguments: &[&str], variables: &[(&str, &str)]) -> Answer {
    let output = Command::new(env!("CARGO_BIN_EXE_node"))
        .args(arguments)
        .env_clear()
        .env("HOME", env!("CARGO_TARGET_TMPDIR"))
        .envs(variables.iter().copied())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    Answer {
        status: output.status.code().unwrap(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

fn config(name: &str, text: &str) -> PathBuf {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::write(&path, text).unwrap();
    path
}

fn is_refused(arguments: &[&str], message: &str, hint: &str) {
    let answer = node(arguments, &[]);
    assert_eq!(answer.stderr, format!("error: {message}\n  hint: {hint}\n"), "{arguments:?}");
    assert_eq!((answer.status, answer.stdout.as_str()), (2, ""), "{arguments:?}");
}

#[test]
fn what_does_it_say_without_a_role() {
    let answer = node(&[], &[]);
    assert_eq!((answer.status, answer.stdout.as_str()), (2, ""));
    for line in ["  node --role server\n", "  node --role client ", "  node --role peer "] {
        assert!(answer.stderr.contains(line), "{}", answer.stderr);
    }
    assert!(answer.stderr.to_lowercase().contains("this node is sayagain, not node.js"));
}

#[test]
fn which_version_is_it() {
    let answer = node(&["--version"], &[]);
    let version = concat!("sayagain ", env!("CARGO_PKG_VERSION"), " (chat node; not Node.js)\n");
    assert_eq!((answer.status, answer.stdout.as_str()), (0, version));
}

#[test]
fn has_the_help_examples_and_the_name_it_was_called_by() {
    let answer = node(&["--help"], &[]);
    assert_eq!((answer.status, answer.stderr.as_str()), (0, ""));
    assert!(answer.stdout.contains("Usage: node "), "{}", answer.stdout);
    assert!(answer.stdout.contains("\nExamples:\n  node --role server\n"), "{}", answer.stdout);
}

#[test]
fn is_an_unknown_flag_wrong_usage_with_a_hint() {
    is_refused(
        &["--role", "server", "--trasnport", "tcp"],
        "unknown option \"--trasnport\"",
        "did you mean --transport?",
    );
}

#[test]
fn is_somebody_who_wanted_node_js_told() {
    let hint = "put Node.js first on PATH, or remove this node and keep the name sayagain";
    is_refused(&["Cargo.toml"], "\"Cargo.toml\": this node is sayagain, not Node.js", hint);
    is_refused(&["-e", "1"], "\"-e\": this node is sayagain, not Node.js", hint);
}

#[test]
fn is_a_bad_name_wrong_usage() {
    is_refused(
        &["--role", "client", "--name", "al ice"],
        "\"al ice\" cannot be a name",
        "1-32 of a-z 0-9 . _ -, first a letter or digit",
    );
}

#[test]
fn is_a_flag_of_another_role_wrong_usage() {
    is_refused(
        &["--role", "server", "--peers", "10.0.0.5:4224"],
        "--peers means nothing to a server",
        "it is for --role peer",
    );
}

#[test]
fn is_a_mistake_in_the_file_found() {
    let path = config("mistake.toml", "role = \"client\"\ntrasnport = \"tcp\"\n");
    let path = path.to_str().unwrap();
    let message = format!("{path}:2: unknown key \"trasnport\"");
    is_refused(&["--config", path], &message, "did you mean transport?");
}

#[test]
fn which_beats_which() {
    let path = config("name.toml", "role = \"client\"\nname = \"from the file\"\n");
    let by_file = ["--config", path.to_str().unwrap()];
    let refused = |arguments: &[&str], variables: &[(&str, &str)], name: &str| {
        let answer = node(&[&by_file, arguments].concat(), variables);
        assert!(answer.stderr.starts_with(&format!("error: {name:?} cannot be a name")), "{}", answer.stderr);
    };
    refused(&[], &[], "from the file");
    refused(&[], &[("SAYAGAIN_NAME", "a variable")], "a variable");
    refused(&["--name", "a flag"], &[("SAYAGAIN_NAME", "a variable")], "a flag");
}

#[test]
fn do_variables_of_node_js_change_anything() {
    let foreign = [("NODE_ENV", "production"), ("NODE_OPTIONS", "--inspect"), ("NODE_NAME", "al ice")];
    assert_eq!(node(&["--version"], &foreign).status, 0);
    assert_eq!(node(&[], &foreign).stderr, node(&[], &[]).stderr);
}

#[test]
fn are_there_completions_and_a_manual() {
    let completions = node(&["completions", "bash"], &[]);
    assert_eq!(completions.status, 0);
    assert!(completions.stdout.contains("--max-clients"));
    let manual = node(&["man"], &[]);
    assert_eq!(manual.status, 0);
    assert!(manual.stdout.contains(".TH sayagain 1"), "{}", manual.stdout);
}

#[test]
fn is_a_store_that_cannot_be_used_told_with_a_status_of_its_own() {
    let file = config("no-history", "something else");
    let data_dir = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("no-history-server");
    let (file, data_dir) = (file.to_str().unwrap(), data_dir.to_str().unwrap());
    let server = ["--role", "server", "--listen", "127.0.0.1:0", "--history", file, "--data-dir", data_dir];
    let answer = node(&server, &[]);
    assert!(answer.stderr.contains("is not a history of this program"), "{}", answer.stderr);
    assert_eq!((answer.status, answer.stdout.as_str()), (70, ""));
}

#[test]
fn is_it_written_how_files_are_taken() {
    let (help, manual) = (node(&["--help"], &[]), node(&["man"], &[]));
    for flag in ["accept-files", "max-file-bytes", "downloads"] {
        assert!(help.stdout.contains(&format!("--{flag} <")), "{flag}");
        assert!(manual.stdout.contains(&format!("\\-\\-{}", flag.replace('-', "\\-"))), "{flag}");
    }
}

#[test]
fn whose_files_are_taken_is_asked_of_flags_variables_and_the_file() {
    let path = config("files.toml", "role = \"client\"\naccept-files = \"al ice\"\n");
    let by_file = ["--config", path.to_str().unwrap()];
    let refused = |answer: Answer, name: &str| {
        assert!(answer.stderr.starts_with(&format!("error: {name:?} cannot be a name")), "{}", answer.stderr);
    };
    refused(node(&by_file, &[]), "al ice");
    refused(node(&by_file, &[("SAYAGAIN_ACCEPT_FILES", "b ob")]), "b ob");
    refused(node(&["--role", "peer", "--accept-files", "c arl"], &[]), "c arl");
    is_refused(
        &["--role", "server", "--downloads", "here"],
        "--downloads means nothing to a server",
        "it is for --role client and --role peer",
    );
}

/// Ten seconds, which is how long they talk.
#[test]
fn does_the_demonstration_tell_how_the_talk_went_over_udp_and_over_tcp_or_why_not() {
    let answer = node(&["demo", "--impair", "clean"], &[("PATH", &std::env::var("PATH").unwrap())]);
    assert_eq!((answer.status, answer.stderr.as_str()), (0, ""), "{}", answer.stdout);
    let line = |start: &str| answer.stdout.lines().find(|line| line.starts_with(start)).map(str::to_owned);
    let all = "120 of 120 lines arrived, half of them within ";
    assert!(line(&format!("udp: {all}")).is_some(), "{}", answer.stdout);
    match line("not over tcp beside it: ") {
        Some(why) => assert!(why.contains('(') || why.contains(" is missing: "), "{why}"),
        None => assert!(line(&format!("tcp: {all}")).is_some(), "{}", answer.stdout),
    }
}

#[test]
fn is_a_demonstration_where_nothing_is_installed_still_one_over_udp() {
    let answer = node(&["demo", "--impair", "clean"], &[("PATH", "/nowhere")]);
    let told = "not over tcp beside it: unshare is missing: apt-get install util-linux; \
                netem/run.sh has a kernel that can\n";
    assert!(answer.status == 0 && answer.stdout.contains(told), "{}{}", answer.stdout, answer.stderr);
}
