//! Two people who talk while others send files.

use std::{fs, thread::sleep, time::Duration};

use tokio::time::Instant;

use super::star::Star;

/// Between two lines.
const PAUSE: Duration = Duration::from_millis(20);

/// Lines that are said at least, so that a hundredth of them is more than one.
const LINES: usize = 1_000;

/// How late lines are, from typed at one node to read from the other, the least first; beside one file after
/// the other, or beside nothing.
pub(crate) fn beside(star: &mut Star, file: Option<&str>) -> Vec<Duration> {
    let (mut carol, mut dave) = (star.join("carol"), star.join("dave"));
    let mut typed = Vec::new();
    while typed.len() < LINES {
        if let Some(file) = file {
            star.offer(file);
        }
        while file.map_or(typed.len() < LINES, |_| !star.is_sent()) {
            let due = typed.last().map_or_else(Instant::now, |last| *last + PAUSE);
            sleep(due.saturating_duration_since(Instant::now()));
            typed.push(Instant::now());
            carol.type_line("so it goes");
        }
        if file.is_some() {
            let (_, path) = star.is_there();
            fs::remove_file(path).expect("it is there");
        }
    }
    let mut late: Vec<_> = typed.iter().map(|typed| dave.event("message", |_| true).0 - *typed).collect();
    late.sort_unstable();
    late
}
