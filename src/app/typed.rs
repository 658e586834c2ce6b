//! How a typed line becomes a [`Command`]. One table, [`COMMANDS`], is the source of the parser, of
//! `/help`, of completion and of the manual.

mod quoted;

use std::str::FromStr;

use crate::wire::{BadName, MAX_NICK_BYTES, MAX_ROOM_BYTES, Nick, RoomName};

use super::{BadTerm, Command, MAX_TERM_BYTES, Trouble, suggest};

pub use quoted::{Word, first_word};

/// Lines that `/history` and `/older` show when they are not told how many.
pub const DEFAULT_HISTORY: usize = 20;

/// What a typed line asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Typed {
    /// Nothing: the line is empty.
    Nothing,
    /// The list of commands.
    Help,
    /// Something of the node.
    Command(Command),
}

/// What the word behind a command is, for completion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Argument {
    /// Nothing that could be completed.
    Free,
    /// A room.
    Room,
    /// People, separated by commas.
    People,
    /// A file; the word behind it is people.
    File,
}

/// One command, as a person may type it.
#[derive(Debug)]
pub struct Spelling {
    /// All names, the usual one first, without the slash.
    pub names: &'static [&'static str],
    /// What stands behind it.
    pub arguments: &'static str,
    /// What the first word behind it is.
    pub argument: Argument,
    /// What it does.
    pub help: &'static str,
    parse: fn(&str) -> Result<Typed, Wrong>,
}

/// What is wrong with the words behind a command.
enum Wrong {
    Usage,
    Name(BadName),
    Room(BadName),
    Term(BadTerm),
    Quote(char),
}

const fn spelling(
    names: &'static [&'static str],
    arguments: &'static str,
    argument: Argument,
    help: &'static str,
    parse: fn(&str) -> Result<Typed, Wrong>,
) -> Spelling {
    Spelling { names, arguments, argument, help, parse }
}

/// Every command there is.
pub const COMMANDS: &[Spelling] = &[
    spelling(&["join", "subscribe"], "ROOM", Argument::Room, "join a room and talk there", join),
    spelling(&["leave", "unsubscribe", "part"], "[ROOM]", Argument::Room, "leave a room", leave),
    spelling(&["room"], "ROOM", Argument::Room, "talk in a room joined before", switch),
    spelling(&["rooms"], "", Argument::Free, "list the rooms joined", |rest| bare(rest, Command::Rooms)),
    spelling(&["users", "list"], "[ROOM]", Argument::Room, "list who is in a room", users),
    spelling(&["msg"], "NAME[,NAME...] TEXT", Argument::People, "say a line to these people only", tell),
    spelling(&["name", "nick", "setname"], "NEW", Argument::Free, "take another name", rename),
    spelling(&["history"], "[N]", Argument::Free, "show the last N lines of the room", |rest| {
        lines(rest, Command::History)
    }),
    spelling(&["older"], "[N]", Argument::Free, "show the N lines before those", |rest| {
        lines(rest, Command::Older)
    }),
    spelling(
        &["send"],
        "FILE [NAME[,NAME...]]",
        Argument::File,
        "offer a file to people, or to the room",
        send,
    ),
    spelling(&["accept"], "ID", Argument::Free, "take the file offered under this number", |rest| {
        transfer(rest, Command::Accept)
    }),
    spelling(&["reject"], "ID", Argument::Free, "do not take it", |rest| transfer(rest, Command::Reject)),
    spelling(&["cancel"], "ID", Argument::Free, "stop sending or receiving a file", |rest| {
        transfer(rest, Command::Cancel)
    }),
    spelling(&["transfers"], "", Argument::Free, "list the files under way", |rest| {
        bare(rest, Command::Transfers)
    }),
    spelling(&["follow"], "TERM", Argument::People, "get lines with @name or #topic from every room", follow),
    spelling(&["unfollow"], "TERM", Argument::People, "no longer", unfollow),
    spelling(&["following"], "", Argument::Free, "list the terms followed", |rest| {
        bare(rest, Command::Following)
    }),
    spelling(&["stats"], "", Argument::Free, "show each link's figures", |rest| bare(rest, Command::Stats)),
    spelling(&["topic"], "[TEXT]", Argument::Free, "show or set the topic of the room", |rest| {
        command(Command::Topic(optional(rest)))
    }),
    spelling(&["help"], "", Argument::Free, "show this list", |_| Ok(Typed::Help)),
    spelling(&["quit", "exit"], "[REASON]", Argument::Free, "leave", |rest| {
        command(Command::Quit(optional(rest)))
    }),
];

/// What a typed line asks for.
///
/// # Errors
/// What is wrong with it; nothing is to be sent then.
pub fn parse(line: &str) -> Result<Typed, Trouble> {
    if line.trim().is_empty() {
        return Ok(Typed::Nothing);
    }
    let Some(behind) = line.strip_prefix('/') else { return Ok(say(line)) };
    if behind.starts_with('/') {
        return Ok(say(behind));
    }
    let (word, rest) = split_word(behind);
    let Some(spelling) = find(word) else { return Err(unknown(word)) };
    (spelling.parse)(rest).map_err(|wrong| wrong.trouble(spelling))
}

/// The command of this name, without the slash.
pub fn find(word: &str) -> Option<&'static Spelling> {
    COMMANDS.iter().find(|spelling| spelling.names.iter().any(|name| name.eq_ignore_ascii_case(word)))
}

/// What `/help` shows, a line each.
pub fn help() -> Vec<String> {
    let usages: Vec<String> = COMMANDS.iter().map(Spelling::usage).collect();
    let width = usages.iter().map(String::len).max().unwrap_or_default();
    let line = |(usage, spelling): (String, &Spelling)| match spelling.names {
        [_] | [] => format!("{usage:width$}  {}", spelling.help),
        [_, others @ ..] => format!("{usage:width$}  {} (also /{})", spelling.help, others.join(", /")),
    };
    let mut lines: Vec<String> = usages.into_iter().zip(COMMANDS).map(line).collect();
    lines.push(format!("{:width$}  says /TEXT; any other line is said in the current room", "//TEXT"));
    lines
}

impl Spelling {
    /// How to type it: `/join ROOM`.
    pub fn usage(&self) -> String {
        let name = self.names.first().copied().unwrap_or_default();
        format!("/{name} {}", self.arguments).trim_end().to_owned()
    }
}

impl Wrong {
    fn trouble(self, spelling: &Spelling) -> Trouble {
        match self {
            Self::Usage => {
                let name = spelling.names.first().copied().unwrap_or_default();
                let usage = spelling.usage();
                Trouble::new("usage", format!("/{name} is not used like that"), format!("type {usage}"))
            }
            Self::Name(bad) => bad_nick(&bad),
            Self::Room(bad) => bad_room(&bad),
            Self::Term(bad) => {
                let hint = format!("@name or #topic, up to {MAX_TERM_BYTES} bytes without spaces");
                Trouble::new("term_invalid", bad.to_string(), hint)
            }
            Self::Quote(quote) => {
                let hint =
                    format!("put another {quote} behind the name, or \\ before a {quote} that belongs to it");
                Trouble::new("usage", format!("a {quote} is not closed; nothing was sent"), hint)
            }
        }
    }
}

/// How the refusal of a person's name is told.
pub fn bad_nick(bad: &BadName) -> Trouble {
    let hint = match bad {
        BadName::Rule(_) => format!("1-{MAX_NICK_BYTES} of a-z 0-9 . _ -, first a letter or digit"),
        BadName::Reserved(_) => "people would believe the program is speaking; take another one".into(),
    };
    Trouble::new("name_invalid", bad.to_string(), hint)
}

/// How the refusal of a room's name is told.
pub fn bad_room(bad: &BadName) -> Trouble {
    let hint = format!("1-{MAX_ROOM_BYTES} of a-z 0-9 . _ -, first a letter or digit");
    Trouble::new("name_invalid", format!("{bad} of a room"), hint)
}

fn unknown(word: &str) -> Trouble {
    let shown: String = word.chars().take(MAX_ROOM_BYTES).collect();
    let names = COMMANDS.iter().flat_map(|spelling| spelling.names.iter().copied());
    let meant = suggest::nearest(&word.to_ascii_lowercase(), names);
    let meant = meant.map(|name| format!("did you mean /{name}? ")).unwrap_or_default();
    Trouble::new(
        "unknown_command",
        format!("/{shown} is no command; nothing was sent"),
        format!("{meant}/help lists all; //{shown} sends it as text"),
    )
}

fn say(text: &str) -> Typed {
    Typed::Command(Command::Say(text.to_owned()))
}

fn command(command: Command) -> Result<Typed, Wrong> {
    Ok(Typed::Command(command))
}

fn bare(rest: &str, asked: Command) -> Result<Typed, Wrong> {
    if rest.is_empty() { command(asked) } else { Err(Wrong::Usage) }
}

fn join(rest: &str) -> Result<Typed, Wrong> {
    command(Command::Join(room(rest)?))
}

fn leave(rest: &str) -> Result<Typed, Wrong> {
    command(Command::Leave(optional_room(rest)?))
}

fn switch(rest: &str) -> Result<Typed, Wrong> {
    command(Command::Switch(room(rest)?))
}

fn users(rest: &str) -> Result<Typed, Wrong> {
    command(Command::Users(optional_room(rest)?))
}

fn rename(rest: &str) -> Result<Typed, Wrong> {
    command(Command::Rename(required(rest)?.parse::<Nick>().map_err(Wrong::Name)?))
}

fn follow(rest: &str) -> Result<Typed, Wrong> {
    command(Command::Follow(required(rest)?.parse().map_err(Wrong::Term)?))
}

fn unfollow(rest: &str) -> Result<Typed, Wrong> {
    command(Command::Unfollow(required(rest)?.parse().map_err(Wrong::Term)?))
}

fn lines(rest: &str, show: fn(usize) -> Command) -> Result<Typed, Wrong> {
    let lines = if rest.is_empty() { Ok(DEFAULT_HISTORY) } else { usize::from_str(rest) };
    match lines {
        Ok(lines @ 1..) => command(show(lines)),
        Ok(0) | Err(_) => Err(Wrong::Usage),
    }
}

fn tell(rest: &str) -> Result<Typed, Wrong> {
    let (to, text) = people(rest);
    if to.is_empty() || text.trim().is_empty() {
        return Err(Wrong::Usage);
    }
    command(Command::Tell { to, text: text.to_owned() })
}

fn send(rest: &str) -> Result<Typed, Wrong> {
    let file = first_word(rest);
    if let Some(quote) = file.open {
        return Err(Wrong::Quote(quote));
    }
    let named = rest.get(file.len..).unwrap_or_default().trim();
    let (to, behind) = people(named);
    if file.text.is_empty() || !behind.is_empty() || to.is_empty() != named.is_empty() {
        return Err(Wrong::Usage);
    }
    command(Command::Send { path: file.text.into(), to })
}

fn transfer(rest: &str, asked: fn(u32) -> Command) -> Result<Typed, Wrong> {
    let number = rest.strip_prefix('#').unwrap_or(rest);
    let is_plain = number.bytes().all(|byte| byte.is_ascii_digit());
    match number.parse() {
        Ok(id) if is_plain => command(asked(id)),
        Ok(_) | Err(_) => Err(Wrong::Usage),
    }
}

/// The people named at the start, each once, and what stands behind them.
fn people(rest: &str) -> (Vec<String>, &str) {
    let (mut named, mut behind) = split_word(rest);
    let mut people: Vec<String> = Vec::new();
    loop {
        for name in named.split(',').filter(|name| !name.is_empty()) {
            if !people.iter().any(|known| known.eq_ignore_ascii_case(name)) {
                people.push(name.to_owned());
            }
        }
        // "/msg bob, carol hi" must not tell bob alone "carol hi".
        if !named.ends_with(',') {
            return (people, behind);
        }
        (named, behind) = split_word(behind);
    }
}

fn room(rest: &str) -> Result<RoomName, Wrong> {
    required(rest)?.parse().map_err(Wrong::Room)
}

fn optional_room(rest: &str) -> Result<Option<RoomName>, Wrong> {
    if rest.is_empty() { Ok(None) } else { room(rest).map(Some) }
}

fn required(rest: &str) -> Result<&str, Wrong> {
    if rest.is_empty() { Err(Wrong::Usage) } else { Ok(rest) }
}

fn optional(rest: &str) -> Option<String> {
    (!rest.is_empty()).then(|| rest.to_owned())
}

/// The first word, and the rest without the white space around it.
fn split_word(text: &str) -> (&str, &str) {
    let (word, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    (word, rest.trim())
}

#[cfg(test)]
mod tests;
