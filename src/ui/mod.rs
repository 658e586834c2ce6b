//! The faces of a node: line mode for people and pipes, JSON lines for programs. Each is a thin view
//! of the same events; what is typed becomes commands.

mod bars;
mod clean;
mod console;
mod escape;
mod input;
mod json;
mod line;
mod mark;
#[cfg(test)]
mod memory;
mod out;
mod paint;
mod paths;
mod progress;
mod prompt;
mod session;
mod transfer;
mod vocabulary;

pub use bars::Bar;
pub use clean::{clean, is_hidden};
pub use console::{Console, ConsoleOptions, is_terminal};
pub use input::{Input, MAX_LINE_BYTES, read_lines};
pub use out::{Out, OutputClosed, Printed, Streams};
pub use paint::Paint;
pub use prompt::{Prompt, SharedVocabulary};
pub use session::{AtEnd, Shown, run};
pub use vocabulary::Vocabulary;

use crate::app::Event;

/// How events look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Face {
    /// A line an event.
    Line(Paint),
    /// A JSON object an event.
    Json,
}

impl Face {
    /// How this event looks; `None` where the face has nothing to say.
    pub fn render(self, event: &Event) -> Option<Printed> {
        match self {
            Self::Line(paint) => line::render(event, paint),
            Self::Json => Some(Printed::Data(json::render(event))),
        }
    }
}
