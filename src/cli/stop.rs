//! Why the program ends, and what it tells the shell.

use std::process::ExitCode;

use crate::{
    app::{Event, Outcome, Trouble},
    ui::{Face, Printed, Shown, Streams, clean},
};

/// The exit statuses that scripts depend on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Status {
    Done = 0,
    Failed = 1,
    Usage = 2,
    IdentityChanged = 3,
    Refused = 4,
    Unreachable = 5,
    StoreFailed = 70,
}

/// Ends the program before there is a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// What was asked for is text.
    Answer(String),
    /// Nothing was asked for; this is how to ask.
    Page(String),
    /// What the program of a course system says here, to the letter.
    Exact(Status, String),
    /// Something is wrong.
    Trouble(Status, Trouble),
}

/// The end of a node, and what its face has shown of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Ending {
    outcome: Outcome,
    /// The last trouble that a face has shown.
    shown: Option<Trouble>,
}

impl From<Status> for ExitCode {
    fn from(status: Status) -> Self {
        Self::from(status as u8)
    }
}

impl Stop {
    /// Wrong usage.
    pub(super) fn usage(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::Trouble(Status::Usage, Trouble::new("usage", message, hint))
    }

    /// Something went wrong while running.
    pub(super) const fn failed(trouble: Trouble) -> Self {
        Self::Trouble(Status::Failed, trouble)
    }

    /// A value that this program does not have, or not yet.
    pub(super) fn unavailable(flag: &str, value: &str, available: &[&str]) -> Self {
        let hint = format!("available: {}", available.join(", "));
        Self::usage(format!("{flag} {value:?} is not available"), hint)
    }

    /// Tells it.
    pub(super) fn report(self) -> Status {
        let (status, printed) = match self {
            Self::Answer(text) => (Status::Done, Printed::Data(text)),
            Self::Exact(status, text) => (status, Printed::Data(text)),
            Self::Page(text) => (Status::Usage, Printed::Answer(text)),
            Self::Trouble(status, trouble) => (status, Printed::Trouble(trouble)),
        };
        // `--help | head -1` is no failure.
        drop(Streams::standard(false).write(&printed));
        status
    }
}

impl Ending {
    /// A node's outcome and what its face left behind: an output that cannot be written is a failure,
    /// however well the node ended.
    pub(super) fn new(outcome: Outcome, shown: Shown) -> Self {
        match (outcome, shown.output_failed) {
            (Outcome::Done, Some(trouble)) => Self { outcome: Outcome::Failed(trouble), shown: None },
            (outcome, _) => Self { outcome, shown: shown.trouble },
        }
    }

    /// Tells what no face has told yet.
    pub(super) fn report(self, face: Face, quiet: bool) -> Status {
        let mut streams = Streams::standard(quiet);
        let status = status(&self.outcome);
        if let Some(trouble) = trouble(&self.outcome)
            && self.shown.as_ref() != Some(&trouble)
            && let Some(printed) = face.render(&Event::Error(trouble))
        {
            // There is nobody else to tell.
            drop(streams.write(&printed));
        }
        if let Outcome::Undelivered(lines) = self.outcome {
            for line in lines {
                drop(streams.write(&Printed::Answer(clean(&line).into_owned())));
            }
        }
        status
    }
}

const fn status(outcome: &Outcome) -> Status {
    match outcome {
        Outcome::Done => Status::Done,
        Outcome::Undelivered(_) | Outcome::Failed(_) => Status::Failed,
        Outcome::Refused(_) => Status::Refused,
        Outcome::IdentityChanged(_) => Status::IdentityChanged,
        Outcome::Unreachable(_) => Status::Unreachable,
        Outcome::StoreFailed(_) => Status::StoreFailed,
    }
}

fn trouble(outcome: &Outcome) -> Option<Trouble> {
    match outcome {
        Outcome::Done => None,
        Outcome::Undelivered(lines) => Some(undelivered(lines.len())),
        Outcome::Refused(trouble)
        | Outcome::IdentityChanged(trouble)
        | Outcome::Unreachable(trouble)
        | Outcome::StoreFailed(trouble)
        | Outcome::Failed(trouble) => Some(trouble.clone()),
    }
}

fn undelivered(lines: usize) -> Trouble {
    let message = match lines {
        1 => "1 line was not delivered".to_owned(),
        _ => format!("{lines} lines were not delivered"),
    };
    Trouble::new("undelivered", message, "they follow; --linger SECONDS waits longer")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn which_status_has_an_outcome() {
        let trouble = || Trouble::new("x", "x", "");
        let of = |outcome| status(&outcome) as u8;
        assert_eq!(of(Outcome::Done), 0);
        assert_eq!(of(Outcome::Failed(trouble())), 1);
        assert_eq!(of(Outcome::Undelivered(vec!["hello".into()])), 1);
        assert_eq!(of(Outcome::IdentityChanged(trouble())), 3);
        assert_eq!(of(Outcome::Refused(trouble())), 4);
        assert_eq!(of(Outcome::Unreachable(trouble())), 5);
    }

    #[test]
    fn is_a_full_disk_a_failure() {
        let shown = Shown { output_failed: Some(Trouble::new("output", "full", "")), ..Shown::default() };
        assert_eq!(status(&Ending::new(Outcome::Done, shown).outcome), Status::Failed);
        assert_eq!(status(&Ending::new(Outcome::Done, Shown::default()).outcome), Status::Done);
    }

    #[test]
    fn how_many_lines_were_not_delivered() {
        assert_eq!(undelivered(1).message, "1 line was not delivered");
        assert_eq!(undelivered(3).message, "3 lines were not delivered");
    }
}
