//! Logs: to stderr, never to stdout, with nothing in them that acts on a terminal.

use std::{
    env,
    io::{self, Write},
};

use tracing::level_filters::LevelFilter;
use tracing_subscriber::{filter::Targets, fmt, layer::SubscriberExt, util::SubscriberInitExt};

use crate::ui::clean;

/// Starts logging. What `RUST_LOG` says beats `-v` and `-q`.
pub(super) fn start(verbose: u8, quiet: bool) {
    let level = match (quiet, verbose) {
        (true, _) => LevelFilter::ERROR,
        (false, 0) => LevelFilter::WARN,
        (false, 1) => LevelFilter::INFO,
        (false, 2) => LevelFilter::DEBUG,
        (false, _) => LevelFilter::TRACE,
    };
    let asked = env::var("RUST_LOG").ok().filter(|asked| !asked.is_empty());
    let targets = asked.and_then(|asked| asked.parse().ok());
    let targets = targets.unwrap_or_else(|| Targets::new().with_default(level));
    let lines = fmt::layer().with_writer(|| Cleaned(io::stderr())).with_ansi(false).without_time();
    // Only a second start in one process can fail, and then there is a log already.
    let _ = tracing_subscriber::registry().with(lines).with(targets).try_init();
}

/// Each write is one event, whose values others may have chosen.
struct Cleaned<W>(W);

impl<W: Write> Write for Cleaned<W> {
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(event);
        let line = clean(text.trim_end_matches('\n'));
        self.0.write_all(format!("{line}\n").as_bytes())?;
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn can_a_logged_value_act_on_the_terminal() {
        let mut log = Cleaned(Vec::new());
        log.write_all(" WARN peer said \x1b[2J\nERROR all is lost\u{202e}\n".as_bytes()).unwrap();
        let written = String::from_utf8(log.0).unwrap();
        assert_eq!(written, " WARN peer said \\x1b[2J\\nERROR all is lost\\u{202e}\n");
    }
}
