//! What ARCHITECTURE.md says about the shape of the source, held as text. Each rule is shown to catch
//! what was planted before it is believed about the tree.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may fail by panicking")]

#[path = "tidy/checks.rs"]
mod checks;
#[path = "tidy/paths.rs"]
mod paths;
#[path = "tidy/source.rs"]
mod source;

use std::{
    fs,
    path::{Path, PathBuf},
};

use source::Source;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every file below a folder, in order, but not what was built and measured there.
fn files(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| !(path.ends_with("target") || path.ends_with("lab/out")));
    paths.sort();
    let within = |path: PathBuf| if path.is_dir() { files(&path) } else { vec![path] };
    paths.into_iter().flat_map(within).collect()
}

fn relative(path: &Path, to: &Path) -> String {
    path.strip_prefix(to).unwrap().to_string_lossy().replace('\\', "/")
}

fn tree() -> Vec<Source> {
    let src = root().join("src");
    let rust = files(&src).into_iter().filter(|path| path.extension().is_some_and(|e| e == "rs"));
    let read = |path: PathBuf| (relative(&path, &src), fs::read_to_string(&path).unwrap());
    let texts: Vec<(String, String)> = rust.map(read).collect();
    let for_tests: Vec<String> = texts.iter().flat_map(|(path, text)| test_modules(path, text)).collect();
    let is_for_tests = |path: &str| {
        let module = path.strip_suffix(".rs").unwrap_or(path);
        for_tests.iter().any(|test| module == test || module.starts_with(&format!("{test}/")))
    };
    let tree: Vec<Source> = texts
        .iter()
        .filter(|(path, _)| !is_for_tests(path))
        .map(|(path, text)| Source::new(path, text))
        .collect();
    assert!(tree.len() > 50, "the source was found");
    tree
}

/// The modules that a file has for tests and fuzzing alone, each as the path of its file without the end.
fn test_modules(path: &str, text: &str) -> Vec<String> {
    let stem = path.strip_suffix(".rs").unwrap_or(path);
    let folder = stem.strip_suffix("/mod").unwrap_or(stem);
    let mut lines = text.lines().peekable();
    let mut found = Vec::new();
    while let Some(line) = lines.next() {
        if !matches!(line.trim(), "#[cfg(test)]" | "#[cfg(any(test, fuzzing))]") {
            continue;
        }
        while lines.next_if(|next| next.trim().starts_with("#[")).is_some() {}
        let declared = lines.peek().and_then(|next| next.trim().strip_suffix(';'));
        if let Some((_, name)) = declared.and_then(|next| next.split_once("mod ")) {
            found.push(format!("{folder}/{name}"));
        }
    }
    found
}

#[test]
fn are_modules_for_tests_known_by_their_mark() {
    let text = "mod a;\n#[cfg(test)]\nmod b;\n#[cfg(any(test, fuzzing))]\npub(crate) mod c;\n#[cfg(test)]\nfn d() {}";
    assert_eq!(test_modules("app/x/mod.rs", text), ["app/x/b", "app/x/c"]);
    assert_eq!(test_modules("app/x.rs", text), ["app/x/b", "app/x/c"]);
}

fn holds(check: fn(&Source) -> Vec<String>) {
    let violations: Vec<String> = tree().iter().flat_map(check).collect();
    assert!(violations.is_empty(), "\n{}\n", violations.join("\n"));
}

fn caught(check: fn(&Source) -> Vec<String>, path: &str, text: &str) -> usize {
    check(&Source::new(path, text)).len()
}

#[test]
fn does_each_room_see_only_those_it_may() {
    holds(checks::strangers);
}

#[test]
fn is_a_look_into_a_strange_room_caught() {
    let caught = |path, text| caught(checks::strangers, path, text);
    assert_eq!(caught("wire/record.rs", "use super::Seq;\nuse crate::wire::Epoch;"), 0);
    assert_eq!(caught("wire/record.rs", "use crate::app::Room;"), 1);
    assert_eq!(caught("app/hub/rooms.rs", "use crate::{app::Now, wire::{Frame, Seq}};"), 0);
    assert_eq!(caught("app/hub/rooms.rs", "use crate::{app::Now, transport::{Link, Lane}};"), 2);
    assert_eq!(caught("app/hub/rooms.rs", "use crate::{\n    node,\n    wire,\n};"), 1);
    assert_eq!(caught("app/hub/rooms.rs", "fn f() { super::super::super::ui::run(); }"), 1);
    assert_eq!(caught("app/mod.rs", "use super::{wire::Seq, node::Node};"), 1);
    assert_eq!(caught("transport/tcp/greet.rs", "use super::super::super::{transport, wire};"), 1);
    assert_eq!(caught("node/driver.rs", "use crate :: ui :: Console;"), 1);
    assert_eq!(caught("ui/line.rs", "use crate::transport::Link;"), 1);
    assert_eq!(caught("cli/mod.rs", "use crate::{transport, node, ui};"), 0);
    assert_eq!(caught("main.rs", "fn main() { sayagain::app::run() }"), 1);
    assert_eq!(caught("wire/mod.rs", "use crate::*;"), 1);
    assert_eq!(caught("attic/mod.rs", ""), 1);
    assert_eq!(caught("wire/mod.rs", "// crate::app\nconst A: &str = \"crate::app\";"), 0);
    assert_eq!(caught("wire/mod.rs", "#[cfg(test)]\nmod tests { use crate::app::Now; }"), 0);
}

#[test]
fn is_what_is_called_pure_pure() {
    holds(checks::impurities);
}

#[test]
fn is_an_impurity_caught() {
    let caught = |path, text| caught(checks::impurities, path, text);
    for impure in [
        "async fn f() {}",
        "fn f() { g().await }",
        "use tokio::sync::mpsc;",
        "use std::time::{Duration, SystemTime};",
        "fn f() { Instant::now(); }",
        "fn f() { rand::rng(); }",
        "use rand::rngs::SysRng;",
        "use std::{fmt, fs};",
        "use std::{fmt, sync::{Arc, Mutex}};",
        "use std::net::{IpAddr, TcpStream};",
        "use std::collections::{BTreeMap, HashMap};",
        "use std::io;",
        "fn f() { std::thread::spawn(g); }",
        "use rustls::Error;",
    ] {
        assert_eq!(caught("app/room.rs", impure), 1, "{impure}");
        assert_eq!(caught("node/driver.rs", impure), 0, "{impure}");
    }
    assert_eq!(caught("transport/error.rs", "use std::{fmt, io};"), 0);
    assert_eq!(caught("transport/error.rs", "use std::fs;"), 1);
    let lawful = "use std::{net::SocketAddr, time::Instant};\nuse rand::rngs::ChaCha12Rng;";
    assert_eq!(caught("app/room.rs", lawful), 0);
    assert_eq!(caught("app/room.rs", "/// Not async.\nfn f() { g(\"tokio::\") }"), 0);
    assert_eq!(caught("app/room.rs", "#[cfg(test)]\nmod tests { fn f() { Instant::now(); } }"), 0);
    assert_eq!(caught("app/room/tests.rs", "fn f() { Instant::now(); }"), 0);
}

#[test]
fn are_functions_and_files_short_enough_to_be_read() {
    holds(checks::overlong);
}

#[test]
fn is_a_function_or_file_past_the_limit_caught() {
    let function = |lines: usize| format!("fn f() {{\n{}}}\n", "    g();\n".repeat(lines - 2));
    let caught = |text: &str| caught(checks::overlong, "app/room.rs", text);
    assert_eq!(caught(&function(checks::MAX_FUNCTION_LINES)), 0);
    assert_eq!(caught(&function(checks::MAX_FUNCTION_LINES + 1)), 1);
    let tests = format!("#[cfg(test)]\nmod tests {{\n{}}}\n", function(200));
    assert_eq!(caught(&tests), 0);
    let file = |lines: usize| "const A: u8 = 0;\n".repeat(lines);
    assert_eq!(caught(&file(checks::MAX_FILE_LINES)), 0);
    assert_eq!(caught(&file(checks::MAX_FILE_LINES + 1)), 1);
    assert_eq!(caught(&format!("{}{tests}", file(checks::MAX_FILE_LINES))), 0);
    assert_eq!(caught(&format!("{tests}{}", file(checks::MAX_FILE_LINES + 1))), 1);
}

#[test]
fn does_every_file_and_module_have_a_name() {
    holds(checks::nameless);
}

#[test]
fn is_a_nameless_file_or_module_caught() {
    let caught = |path, text| caught(checks::nameless, path, text);
    assert_eq!(caught("app/utils.rs", ""), 1);
    assert_eq!(caught("app/common/room.rs", ""), 1);
    assert_eq!(caught("app/room.rs", "pub mod helpers { }"), 1);
    assert_eq!(caught("app/room.rs", "mod utility;\n// mod utils\n"), 0);
}

#[test]
fn is_nothing_left_to_be_finished_later() {
    holds(checks::unfinished);
}

#[test]
fn is_something_unfinished_caught() {
    let caught = |text| caught(checks::unfinished, "app/room.rs", text);
    assert_eq!(caught("fn f() { todo!() }"), 1);
    assert_eq!(caught("fn f() { unimplemented!(\"later\"); dbg!(1) }"), 2);
    assert_eq!(caught("/// No todo! here.\nfn f() {}"), 0);
}

#[test]
fn is_no_workplace_named() {
    let folders = ["src", "tests", "examples", "benches", "docs", "netem", "fuzz", ".github"];
    let top = fs::read_dir(root()).unwrap().map(|entry| entry.unwrap().path()).filter(|p| p.is_file());
    let text_files = top.filter(|path| path.extension().is_some_and(|e| e == "md" || e == "toml"));
    let all = folders.iter().flat_map(|folder| files(&root().join(folder))).chain(text_files);
    let violations: Vec<String> = all
        .filter_map(|path| Some((relative(&path, root()), fs::read_to_string(&path).ok()?)))
        .flat_map(|(path, text)| checks::workplaces(&path, &text))
        .collect();
    assert!(violations.is_empty(), "\n{}\n", violations.join("\n"));
}

#[test]
fn is_a_workplace_caught() {
    let planted = format!("ok\n// see {}room\n", concat!("/wo", "rk/"));
    assert_eq!(checks::workplaces("README.md", &planted).len(), 1);
    assert_eq!(checks::workplaces("README.md", "net-work/room, framework/\n").len(), 0);
}

#[test]
fn does_cryptography_come_from_one_place_only() {
    let lock = fs::read_to_string(root().join("Cargo.lock")).unwrap();
    assert!(lock.contains("name = \"ring\""), "the lock file was found");
    assert_eq!(checks::unwanted_packages(&lock), Vec::<String>::new());
}

#[test]
fn is_an_unwanted_package_caught() {
    let lock = "[[package]]\nname = \"aws-lc-sys\"\nversion = \"0.1.0\"\n\n[[package]]\nname = \"ring\"\n";
    assert_eq!(checks::unwanted_packages(lock), ["Cargo.lock: aws-lc-sys"]);
}

#[test]
fn has_every_promise_its_tests() {
    let table = fs::read_to_string(root().join("docs/promises.md")).unwrap();
    let rust = ["src", "tests"].map(|folder| files(&root().join(folder))).concat();
    let sources: Vec<String> = rust.iter().filter_map(|path| fs::read_to_string(path).ok()).collect();
    assert!(table.lines().count() > 30, "the table was found");
    assert_eq!(checks::promises_without_tests(&table, &sources), Vec::<String>::new());
}

#[test]
fn is_a_promise_without_a_test_caught() {
    let sources = ["fn is_it_so() {}".to_owned()];
    let table =
        "| promise | tests |\n| --- | --- |\n| it is | `is_it_so` |\n| it was | `was_it_so` |\n| well | |\n";
    assert_eq!(checks::promises_without_tests(table, &sources), ["was_it_so", "no test: | well | |"]);
}
