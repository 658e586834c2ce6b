//! Files as they are typed: what Tab makes of the beginning of a path, and `~`.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::app::{
    Command,
    typed::{Argument, Word, find, first_word},
};

use super::is_hidden;

/// Entries of a directory that are looked at. Tab must answer at once.
const MAX_ENTRIES: usize = 10_000;

/// Files that are offered at a time.
const MAX_OFFERED: usize = 200;

/// The command with the whole path of the file it names: a later run, somewhere else, may go on sending it.
pub(super) fn from_here(command: Command) -> Command {
    match command {
        Command::Send { path, to } => {
            let path = expanded(path, home());
            Command::Send { path: std::path::absolute(&path).unwrap_or(path), to }
        }
        other => other,
    }
}

/// Where the part of a file's path under the cursor begins, and what it could become; `None` where no
/// file is being typed.
pub(super) fn complete(line: &str, cursor: usize) -> Option<(usize, Vec<String>)> {
    complete_with(line.get(..cursor)?, home())
}

fn home() -> Option<PathBuf> {
    etcetera::home_dir().ok()
}

fn expanded(path: PathBuf, home: Option<PathBuf>) -> PathBuf {
    match (path.strip_prefix("~"), home) {
        (Ok(rest), Some(home)) => home.join(rest),
        (Ok(_) | Err(_), _) => path,
    }
}

fn complete_with(typed: &str, home: Option<PathBuf>) -> Option<(usize, Vec<String>)> {
    let (command, arguments) = typed.strip_prefix('/')?.split_once(' ')?;
    let is_file = find(command).is_some_and(|spelling| spelling.argument == Argument::File);
    let arguments = arguments.trim_start();
    let word = first_word(arguments);
    if !is_file || word.len < arguments.len() {
        return None;
    }
    let begin = typed.len() - arguments.len();
    let part = arguments.rfind('/').map_or(0, |slash| slash + 1);
    let part = part.max(word.open.filter(|quote| arguments.starts_with(*quote)).map_or(0, char::len_utf8));
    // A quote that was opened or closed within the part: what is typed is not what would be replaced.
    if arguments.get(part..).is_some_and(|raw| raw.contains(['"', '\''])) {
        return Some((begin + part, Vec::new()));
    }
    let (directory, start) = match word.text.rfind('/') {
        Some(slash) => word.text.split_at(slash + 1),
        None => ("", word.text.as_str()),
    };
    let place = if directory.is_empty() { PathBuf::from(".") } else { expanded(directory.into(), home) };
    let files = entries(&place, start).into_iter().filter_map(|(name, is_directory)| {
        let name = escaped(&name, &word)?;
        let end = word.open.map_or_else(|| " ".to_owned(), |quote| format!("{quote} "));
        Some(if is_directory { format!("{name}/") } else { format!("{name}{end}") })
    });
    Some((begin + part, files.collect()))
}

/// The names in a directory that begin like this and whether each is a directory, sorted.
fn entries(directory: &Path, start: &str) -> Vec<(String, bool)> {
    let Ok(entries) = fs::read_dir(directory) else { return Vec::new() };
    let fits = |name: &String| {
        // The editor writes them to the terminal as they are.
        name.starts_with(start)
            && !name.contains(is_hidden)
            && (start.starts_with('.') || !name.starts_with('.'))
    };
    let names = entries.take(MAX_ENTRIES).filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let mut names: Vec<String> = names.filter(fits).collect();
    names.sort_unstable();
    names.truncate(MAX_OFFERED);
    names.into_iter().map(|name| (name.clone(), directory.join(name).is_dir())).collect()
}

/// The name as it is typed behind this beginning of a word; `None` where it cannot be.
fn escaped(name: &str, word: &Word) -> Option<String> {
    let needs_escape = |c: char| match word.open {
        Some('"') => matches!(c, '"' | '\\'),
        Some(_) => false,
        None => c.is_whitespace() || matches!(c, '"' | '\'' | '\\'),
    };
    if word.open == Some('\'') && name.contains('\'') {
        return None;
    }
    Some(name.chars().flat_map(|c| needs_escape(c).then_some('\\').into_iter().chain([c])).collect())
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    /// A directory that is gone when the test is over.
    struct Folder(PathBuf);

    impl Folder {
        fn with(files: &[&str]) -> Self {
            static COUNT: AtomicU32 = AtomicU32::new(0);
            let number = COUNT.fetch_add(1, Ordering::Relaxed);
            let path = std::env::temp_dir().join(format!("sayagain-paths-{}-{number}", std::process::id()));
            fs::create_dir_all(path.join("a folder")).unwrap();
            files.iter().for_each(|file| fs::write(path.join(file), "").unwrap());
            Self(path)
        }

        fn complete(&self, typed: &str) -> Vec<String> {
            complete_with(typed, Some(self.0.clone())).unwrap().1
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            drop(fs::remove_dir_all(&self.0));
        }
    }

    #[test]
    fn which_files_are_offered() {
        let folder =
            Folder::with(&["notes.txt", "my notes.txt", "bob's", ".secret", "n\x1b[2J", "a folder/x"]);
        assert_eq!(folder.complete("/send ~/no"), ["notes.txt "]);
        assert_eq!(folder.complete("/send ~/"), [r"a\ folder/", r"bob\'s ", r"my\ notes.txt ", "notes.txt "]);
        assert_eq!(folder.complete("/send ~/."), [".secret "]);
        assert_eq!(folder.complete("/send \"~/my n"), ["my notes.txt\" "]);
        assert_eq!(folder.complete("/send '~/"), ["a folder/", "my notes.txt' ", "notes.txt' "]);
        assert_eq!(folder.complete(r"/send ~/a\ folder/"), ["x "]);
        assert_eq!(folder.complete("/send '~/a folder'/"), ["x "]);
        assert_eq!(folder.complete("/send ~/a\"b"), [""; 0]);
        assert_eq!(folder.complete("/send ~/nothing/here"), [""; 0]);
    }

    #[test]
    fn what_does_a_candidate_replace() {
        let folder = Folder::with(&["notes.txt"]);
        let start = |typed| complete_with(typed, Some(folder.0.clone())).map(|(start, _)| start);
        assert_eq!(start("/send ~/no"), Some("/send ~/".len()));
        assert_eq!(start("/send  no"), Some("/send  ".len()));
        assert_eq!(start("/send \"no"), Some("/send \"".len()));
        for elsewhere in ["/send", "no", "/msg no", "/send notes.txt ", "/send notes.txt b", "/zzz no"] {
            assert_eq!(start(elsewhere), None, "{elsewhere}");
        }
    }

    #[test]
    fn is_a_full_directory_bounded() {
        let names: Vec<String> = (0..MAX_OFFERED + 50).map(|n| format!("file-{n}")).collect();
        let folder = Folder::with(&names.iter().map(String::as_str).collect::<Vec<_>>());
        assert_eq!(folder.complete("/send ~/file").len(), MAX_OFFERED);
    }

    #[test]
    fn what_is_at_home() {
        let at = |path: &str, home: Option<&str>| expanded(path.into(), home.map(PathBuf::from));
        assert_eq!(at("~/notes.txt", Some("/home/ann")), Path::new("/home/ann/notes.txt"));
        assert_eq!(at("~", Some("/home/ann")), Path::new("/home/ann"));
        assert_eq!(at("./~/notes.txt", Some("/home/ann")), Path::new("./~/notes.txt"));
        assert_eq!(at("~bob/notes.txt", Some("/home/ann")), Path::new("~bob/notes.txt"));
        assert_eq!(at("~/notes.txt", None), Path::new("~/notes.txt"));
    }
}
