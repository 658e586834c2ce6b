//! Files of strangers, saved under names of strangers: never outside the folder, never over something that
//! is no plain file, never with a name that means a device or an option.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write},
    path::Path,
};

use crate::node::{MAX_SAFE_NAME_BYTES, MAX_SAME_NAMES, numbered};

/// Names that some system gives to a device, whatever stands behind a dot.
const DEVICES: [&str; 6] = ["con", "prn", "aux", "nul", "com", "lpt"];

/// Saves `content` in `folder` under a name like `name`, readable by its owner only, and returns the name it
/// got. `replaces`: a regular file of that name is replaced, else the new one gets a number.
///
/// # Errors
/// Those of the operating system; `AlreadyExists` when there is something else of that name to replace, or
/// too many files of that name.
pub(super) fn save(folder: &Path, name: &str, content: &[u8], replaces: bool) -> io::Result<String> {
    let name = safe_file_name(name);
    if replaces {
        return replace(folder, &name, content).map(|()| name);
    }
    for number in 1..=MAX_SAME_NAMES {
        let name = numbered(&name, number);
        match create(&folder.join(&name)) {
            Ok(mut file) => return file.write_all(content).map(|()| name),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
    Err(io::ErrorKind::AlreadyExists.into())
}

/// A name that is only a name: the last part of a path, without what a system or a terminal takes for
/// something else.
pub(super) fn safe_file_name(name: &str) -> String {
    let base = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let legal = |c: char| if c.is_control() || "<>:\"|?*".contains(c) { '_' } else { c };
    let mut safe: String = base.chars().map(legal).collect();
    while safe.len() > MAX_SAFE_NAME_BYTES {
        safe.pop();
    }
    let safe = safe.trim_end_matches(['.', ' ']).trim_start();
    let stem = safe.split('.').next().unwrap_or_default().to_ascii_lowercase();
    let is_device = DEVICES.iter().any(|device| {
        stem.strip_prefix(device).is_some_and(|rest| rest.is_empty() || rest.parse::<u8>().is_ok())
    });
    if safe.is_empty() || safe.starts_with(['-', '.']) || is_device {
        format!("file_{}", safe.trim_start_matches('.'))
    } else {
        safe.to_owned()
    }
}

/// Through a new file beside it, so that nobody ever sees half of one and no link is followed.
fn replace(folder: &Path, name: &str, content: &[u8]) -> io::Result<()> {
    let path = folder.join(name);
    match fs::symlink_metadata(&path) {
        Ok(there) if !there.is_file() => {
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, "something else has that name"));
        }
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    for number in 1..=MAX_SAME_NAMES {
        let beside = folder.join(format!(".{name}.{number}.part"));
        let mut file = match create(&beside) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
            created => created?,
        };
        let done = file.write_all(content).and_then(|()| fs::rename(&beside, &path));
        return done.inspect_err(|_| drop(fs::remove_file(&beside)));
    }
    Err(io::ErrorKind::AlreadyExists.into())
}

fn create(path: &Path) -> io::Result<fs::File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    /// An empty folder that is gone when the test is over.
    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("sayagain-save-{}-{name}", std::process::id()));
            fs::create_dir_all(&path).unwrap();
            Self(path)
        }

        fn read(&self, name: &str) -> String {
            fs::read_to_string(self.0.join(name)).unwrap()
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            drop(fs::remove_dir_all(&self.0));
        }
    }

    #[test]
    fn does_a_name_of_a_stranger_stay_a_name() {
        for (theirs, ours) in [
            ("notes.txt", "notes.txt"),
            ("../../.ssh/authorized_keys", "authorized_keys"),
            ("/etc/passwd", "passwd"),
            ("C:\\x\\y.exe", "y.exe"),
            ("..", "file_"),
            ("", "file_"),
            (".bashrc", "file_bashrc"),
            ("-rf", "file_-rf"),
            ("CON", "file_CON"),
            ("com1.txt", "file_com1.txt"),
            ("nul.tar.gz", "file_nul.tar.gz"),
            ("console.log", "console.log"),
            ("a\nb\u{1b}[2J", "a_b_[2J"),
            ("x.txt:ads", "x.txt_ads"),
            ("trailing. . ", "trailing"),
        ] {
            assert_eq!(safe_file_name(theirs), ours, "{theirs:?}");
        }
        assert_eq!(safe_file_name(&"ä".repeat(500)).len(), MAX_SAFE_NAME_BYTES);
        assert_eq!(safe_file_name(&"x".repeat(MAX_SAFE_NAME_BYTES)).len(), MAX_SAFE_NAME_BYTES);
    }

    #[test]
    fn is_nothing_overwritten_that_was_there() {
        let folder = Folder::new("number");
        for (expected, content) in [("a.txt", "1"), ("a-2.txt", "2"), ("a-3.txt", "3")] {
            assert_eq!(save(&folder.0, "a.txt", content.as_bytes(), false).unwrap(), expected);
            assert_eq!(folder.read(expected), content);
        }
    }

    #[test]
    fn is_a_regular_file_replaced_where_the_protocol_says_so() {
        let folder = Folder::new("replace");
        for content in ["old and longer", "new"] {
            assert_eq!(save(&folder.0, "a", content.as_bytes(), true).unwrap(), "a");
            assert_eq!(folder.read("a"), content);
        }
        assert_eq!(fs::read_dir(&folder.0).unwrap().count(), 1, "nothing is left beside it");
    }

    #[cfg(unix)]
    #[test]
    fn is_a_link_never_followed() {
        use std::os::unix::fs::{PermissionsExt as _, symlink};
        let folder = Folder::new("link");
        fs::write(folder.0.join("precious"), "keep").unwrap();
        symlink(folder.0.join("precious"), folder.0.join("a")).unwrap();
        assert_eq!(save(&folder.0, "a", b"x", true).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(save(&folder.0, "a", b"x", false).unwrap(), "a-2");
        assert_eq!(folder.read("precious"), "keep");
        let mode = fs::metadata(folder.0.join("a-2")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}
