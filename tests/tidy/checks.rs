//! The rules. Each is a function over one file, so that each can be shown to catch what it is for.

use super::{
    paths::{inner_paths, paths_from},
    source::{Source, brace_end, words},
};

/// Who may see whom (ARCHITECTURE.md). Whoever is not named on the left is not a room.
const MAY_SEE: [(&str, &[&str]); 10] = [
    ("wire", &[]),
    ("transport", &[]),
    ("store", &["wire"]),
    ("app", &["wire", "store"]),
    ("node", &["wire", "transport", "store", "app"]),
    ("gateway", &["wire", "transport", "app", "node"]),
    ("ui", &["wire", "app", "node"]),
    ("cli", &["wire", "transport", "store", "app", "node", "gateway", "ui"]),
    ("main", &["cli"]),
    ("bin", &["cli"]),
];

/// What is a function of its arguments: no clock, no chance, no sockets, files, threads or locks.
const PURE: [&str; 10] = [
    "wire/",
    "app/",
    "transport/framing.rs",
    "transport/lane.rs",
    "transport/error.rs",
    "transport/impair/",
    "transport/udp/proto/",
    "gateway/dialect/",
    "ui/clean.rs",
    "ui/tui/model.rs",
];

/// Words that no pure file holds.
const IMPURE_WORDS: [&str; 22] = [
    "async",
    ".await",
    "tokio",
    "rustls",
    "Instant::now",
    "SystemTime",
    "rand::rng",
    "rand::random",
    "SysRng",
    "OsRng",
    "ThreadRng",
    "TcpStream",
    "TcpListener",
    "UdpSocket",
    "Mutex",
    "RwLock",
    "Condvar",
    "HashMap",
    "HashSet",
    "RandomState",
    "thread_local",
    "static mut",
];

/// Rooms of the standard library that no pure file enters.
const IMPURE_STD: [&str; 6] = ["fs", "thread", "env", "process", "os", "io"];

/// Names that say nothing.
const NAMELESS: [&str; 9] =
    ["utils", "util", "helpers", "helper", "common", "manager", "misc", "types", "stuff"];

/// Lines of the longest function.
pub(crate) const MAX_FUNCTION_LINES: usize = 70;

/// Lines of the longest file, tests not counted.
pub(crate) const MAX_FILE_LINES: usize = 450;

fn at(source: &Source, line: usize, what: &str) -> String {
    format!("src/{}:{line}: {what}", source.path)
}

/// Paths into rooms that this one may not see.
pub(crate) fn strangers(source: &Source) -> Vec<String> {
    let module = source.module();
    let Some(room) = module.first().cloned() else { return Vec::new() };
    let Some((_, allowed)) = MAY_SEE.iter().find(|(name, _)| *name == room) else {
        return vec![at(source, 1, &format!("`{room}` is no room of the table"))];
    };
    let seen = inner_paths(source).into_iter().filter_map(|path| {
        let to = path.parts.first()?.clone();
        let lawful = to == room || allowed.contains(&to.as_str());
        (!lawful).then(|| at(source, path.line, &format!("`{room}` may not see `{to}`")))
    });
    seen.collect()
}

/// What a pure file may not hold.
pub(crate) fn impurities(source: &Source) -> Vec<String> {
    if !PURE.iter().any(|pure| source.path.starts_with(pure)) {
        return Vec::new();
    }
    let found = IMPURE_WORDS.iter().flat_map(|word| {
        words(&source.code, word).map(move |place| at(source, source.line_of(place), &format!("`{word}`")))
    });
    let errors_are_values = source.path == "transport/error.rs";
    let paths = paths_from(source, "std").into_iter().filter_map(|path| {
        let room = path.parts.get(1)?;
        let impure = IMPURE_STD.contains(&room.as_str()) && !(errors_are_values && room == "io");
        impure.then(|| at(source, path.line, &format!("`std::{room}`")))
    });
    found.chain(paths).collect()
}

/// Functions and files that are too long to be read at once.
pub(crate) fn overlong(source: &Source) -> Vec<String> {
    let mut found = Vec::new();
    if source.lines > MAX_FILE_LINES {
        found.push(at(source, 1, &format!("{} lines, at most {MAX_FILE_LINES}", source.lines)));
    }
    for place in words(&source.code, "fn") {
        let rest: Vec<char> = source.code[place..].chars().collect();
        let Some(open) = rest.iter().position(|c| matches!(c, '{' | ';')) else { continue };
        if rest[open] == ';' {
            continue;
        }
        let lines = 1 + rest[..brace_end(&rest, open)].iter().filter(|c| **c == '\n').count();
        if lines > MAX_FUNCTION_LINES {
            let name: String = rest[3..].iter().take_while(|c| super::source::in_name(**c)).collect();
            let what = format!("`{name}` has {lines} lines, at most {MAX_FUNCTION_LINES}");
            found.push(at(source, source.line_of(place), &what));
        }
    }
    found
}

/// Files and modules whose name says nothing.
pub(crate) fn nameless(source: &Source) -> Vec<String> {
    let stem = source.path.strip_suffix(".rs").unwrap_or(&source.path);
    let files = stem.split('/').filter(|part| NAMELESS.contains(part));
    let files = files.map(|part| at(source, 1, &format!("`{part}` is no name")));
    let modules = words(&source.code, "mod").filter_map(|place| {
        let rest = source.code[place + 3..].trim_start();
        let name = rest.split(|c| !super::source::in_name(c)).next()?;
        NAMELESS.contains(&name).then(|| at(source, source.line_of(place), &format!("`{name}` is no name")))
    });
    files.chain(modules).collect()
}

/// What was to be finished later.
pub(crate) fn unfinished(source: &Source) -> Vec<String> {
    let marks = ["todo!", "unimplemented!", "dbg!"];
    let found = marks.iter().flat_map(|mark| {
        words(&source.code, mark).map(move |place| at(source, source.line_of(place), &format!("`{mark}`")))
    });
    found.collect()
}

/// Rows of a table of promises that name no test, or one that is in none of these texts.
pub(crate) fn promises_without_tests(table: &str, sources: &[String]) -> Vec<String> {
    let is_row =
        |line: &&str| line.starts_with("| ") && !line.starts_with("| ---") && *line != "| promise | tests |";
    let is_there = |test: &str| sources.iter().any(|text| text.contains(&format!("fn {test}(")));
    let mut missing = Vec::new();
    for row in table.lines().filter(is_row) {
        let tests = row.rsplit_once(" | ").map_or("", |(_, tests)| tests);
        let tests: Vec<&str> = tests.split('`').skip(1).step_by(2).collect();
        if tests.is_empty() {
            missing.push(format!("no test: {row}"));
        }
        missing.extend(tests.into_iter().filter(|test| !is_there(test)).map(str::to_owned));
    }
    missing
}

/// Paths of the place where the file was written. Over any text, quotes and comments included.
pub(crate) fn workplaces(path: &str, text: &str) -> Vec<String> {
    let marks = [concat!("/wo", "rk/"), concat!("../sha", "red")];
    let lines = text.lines().enumerate().filter(|(_, line)| marks.iter().any(|mark| line.contains(mark)));
    lines.map(|(i, _)| format!("{path}:{}: a path of somebody's workplace", i + 1)).collect()
}

/// Packages that bring C or assembly of their own where ours does without.
pub(crate) fn unwanted_packages(lock: &str) -> Vec<String> {
    let unwanted = ["aws-lc-sys", "aws-lc-rs", "openssl-sys", "native-tls", "cmake"];
    let names = lock.lines().filter_map(|line| line.strip_prefix("name = \"")?.strip_suffix('"'));
    names.filter(|name| unwanted.contains(name)).map(|name| format!("Cargo.lock: {name}")).collect()
}
