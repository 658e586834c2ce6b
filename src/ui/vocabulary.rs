//! The words that Tab completes: commands, and the people and rooms seen so far.

use std::collections::BTreeSet;

use crate::app::{
    Change, Event,
    typed::{Argument, COMMANDS, find},
};

use super::is_hidden;

/// Names to keep. A room full of people who come and go must not fill the memory.
const MAX_NAMES: usize = 4096;

/// What can be completed, kept up to date from events.
#[derive(Debug, Default)]
pub struct Vocabulary {
    names: BTreeSet<String>,
    rooms: BTreeSet<String>,
}

impl Vocabulary {
    /// Takes note of the names in an event.
    pub fn learn(&mut self, event: &Event) {
        match event {
            Event::Joined { room, users, .. } | Event::Users { room, users } => {
                self.rooms.insert(room.to_string());
                users.iter().for_each(|name| self.met(name));
            }
            Event::Rooms { rooms, .. } => self.rooms.extend(rooms.iter().map(ToString::to_string)),
            Event::Left { room } => drop(self.rooms.remove(room.as_str())),
            Event::Message(said) | Event::Private(said) => self.met(&said.from),
            Event::Offered { from, .. } => self.met(from),
            Event::Presence { name, change, .. } => match change {
                Change::Join => self.met(name),
                Change::Leave | Change::Lost { .. } => drop(self.names.remove(name)),
                Change::Rename { to } => self.renamed(name, to),
            },
            Event::Renamed { from, to } => self.renamed(from, to),
            _ => {}
        }
    }

    /// Where the word under the cursor begins, and what it could become.
    pub fn complete(&self, line: &str, cursor: usize) -> (usize, Vec<String>) {
        let typed = line.get(..cursor).unwrap_or(line);
        let start = typed.rfind([' ', ',', '@']).map_or(0, |index| index + 1);
        let word = typed.get(start..).unwrap_or_default();
        (start, self.candidates(typed, start, word))
    }

    fn candidates(&self, typed: &str, start: usize, word: &str) -> Vec<String> {
        let Some(behind) = typed.strip_prefix('/') else {
            let end = if start == 0 { ": " } else { "" };
            return matching(self.names.iter().map(String::as_str), word, "", end);
        };
        let Some((command, arguments)) = behind.split_once(' ') else {
            let names = COMMANDS.iter().flat_map(|spelling| spelling.names.iter().copied());
            return matching(names, behind, "/", " ");
        };
        let is_first = !arguments.contains(' ');
        match find(command).map(|spelling| spelling.argument) {
            Some(Argument::Room) if is_first => matching(self.rooms.iter().map(String::as_str), word, "", ""),
            // The first word behind it is for `paths.rs`.
            Some(Argument::File) if is_first => Vec::new(),
            Some(Argument::Room | Argument::Free) | None => Vec::new(),
            Some(Argument::People | Argument::File) => {
                matching(self.names.iter().map(String::as_str), word, "", "")
            }
        }
    }

    fn met(&mut self, name: &str) {
        if self.names.len() < MAX_NAMES && !name.contains(is_hidden) {
            self.names.insert(name.to_owned());
        }
    }

    fn renamed(&mut self, from: &str, to: &str) {
        self.names.remove(from);
        self.met(to);
    }
}

fn matching<'a>(
    candidates: impl Iterator<Item = &'a str>,
    word: &str,
    before: &str,
    behind: &str,
) -> Vec<String> {
    let fits =
        |candidate: &&str| candidate.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word));
    candidates.filter(fits).map(|candidate| format!("{before}{candidate}{behind}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vocabulary() -> Vocabulary {
        let mut vocabulary = Vocabulary::default();
        let users = vec!["alice".into(), "Bob".into(), "bert".into()];
        vocabulary.learn(&Event::Joined { room: "lobby".parse().unwrap(), name: "alice".into(), users });
        vocabulary
    }

    fn complete(line: &str) -> (usize, Vec<String>) {
        vocabulary().complete(line, line.len())
    }

    #[test]
    fn what_does_tab_complete() {
        assert_eq!(complete("/jo"), (0, vec!["/join ".into()]));
        assert_eq!(complete("/join lo"), (6, vec!["lobby".into()]));
        assert_eq!(complete("/msg b"), (5, vec!["Bob".into(), "bert".into()]));
        assert_eq!(complete("/msg alice,be"), (11, vec!["bert".into()]));
        assert_eq!(complete("/follow @al"), (9, vec!["alice".into()]));
        assert_eq!(complete("al"), (0, vec!["alice: ".into()]));
        assert_eq!(complete("ask al"), (4, vec!["alice".into()]));
        assert_eq!(complete("/stats x"), (7, vec![]));
        assert_eq!(complete("/send notes.txt b"), (16, vec!["Bob".into(), "bert".into()]));
        assert_eq!(complete("/send al"), (6, vec![]));
    }

    #[test]
    fn whom_does_it_forget_or_never_learn() {
        let mut vocabulary = vocabulary();
        let presence = |name: &str, change| Event::Presence {
            room: "lobby".parse().unwrap(),
            name: name.into(),
            change,
        };
        vocabulary.learn(&presence("alice", Change::Leave));
        vocabulary.learn(&presence("bert", Change::Rename { to: "carol".into() }));
        vocabulary.learn(&presence("a\x1b[2Jb", Change::Join));
        let names = vocabulary.complete("", 0).1;
        assert_eq!(names, ["Bob: ", "carol: "]);
    }
}
