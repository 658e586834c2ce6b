//! A real terminal: tmux, whose screen is read back.

use std::{
    path::PathBuf,
    process::{Command, Output},
};

use super::{folder::Folder, patience::eventually};

/// Runs a program and keeps the screen. The status is told there, because tmux itself forgets it when
/// the program ends quickly.
const TELL_STATUS: &str = r#"trap : INT; "$@"; echo "ended with $?"; read -r _"#;

const ENDED: &str = "ended with ";

/// A terminal of 100 columns and 24 lines with one program in it.
#[derive(Debug)]
pub(crate) struct Terminal {
    socket: PathBuf,
}

impl Terminal {
    /// Opens it and starts the program with these arguments; variables are `NAME=value`.
    pub(crate) fn start(folder: &Folder, variables: &[&str], arguments: &[&str]) -> Self {
        let terminal = Self { socket: folder.path().join("tmux") };
        let mut command: Vec<&str> = vec!["new-session", "-d", "-x", "100", "-y", "24", "env", "-i"];
        let home = format!("HOME={}", folder.path().display());
        command.extend(["TERM=screen-256color", home.as_str()]);
        command.extend(variables);
        command.extend(["/bin/sh", "-c", TELL_STATUS, "sh", env!("CARGO_BIN_EXE_node")]);
        command.extend(arguments);
        let opened = terminal.tmux(&command);
        assert!(opened.status.success(), "{}", String::from_utf8_lossy(&opened.stderr));
        terminal
    }

    fn tmux(&self, command: &[&str]) -> Output {
        Command::new("tmux")
            .args(["-f", "/dev/null", "-S"])
            .arg(&self.socket)
            .args(command)
            .output()
            .expect("tmux, which these tests need: apt-get install tmux")
    }

    /// Types this, without Enter.
    pub(crate) fn type_text(&self, text: &str) {
        assert!(self.tmux(&["send-keys", "-l", text]).status.success());
    }

    /// Presses a key: `Enter`, `C-d`.
    pub(crate) fn press(&self, key: &str) {
        assert!(self.tmux(&["send-keys", key]).status.success());
    }

    /// The screen without colors.
    pub(crate) fn screen(&self) -> String {
        String::from_utf8(self.tmux(&["capture-pane", "-p"]).stdout).unwrap()
    }

    /// The screen with its escape sequences.
    pub(crate) fn colors(&self) -> String {
        String::from_utf8(self.tmux(&["capture-pane", "-p", "-e"]).stdout).unwrap()
    }

    /// Waits until the lines that are not empty end like this.
    #[track_caller]
    pub(crate) fn shows(&self, last_lines: &[&str]) {
        let mut seen = String::new();
        let shown = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            eventually("the screen", || {
                seen = self.screen();
                let lines: Vec<&str> =
                    seen.lines().map(str::trim_end).filter(|line| !line.is_empty()).collect();
                lines.ends_with(last_lines).then_some(())
            });
        }));
        assert!(shown.is_ok(), "instead of {last_lines:?} the screen shows:\n{seen}");
    }

    /// Waits until the last line that is not empty is such a one.
    #[track_caller]
    pub(crate) fn says_last(&self, is_it: impl Fn(&str) -> bool) {
        eventually("the last line", || {
            let screen = self.screen();
            screen.lines().rfind(|line| !line.trim().is_empty()).filter(|line| is_it(line)).map(drop)
        });
    }

    /// Waits for the end of the program and returns its status.
    pub(crate) fn status(&self) -> i32 {
        eventually("the program ends", || {
            let screen = self.screen();
            screen.lines().find_map(|line| line.strip_prefix(ENDED)?.trim().parse().ok())
        })
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        drop(self.tmux(&["kill-server"]));
    }
}
