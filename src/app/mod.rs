//! Rooms, logs, who hears what. Pure: time and chance come in as arguments, nothing here waits,
//! reads a clock or touches a socket (see ARCHITECTURE.md).

mod command;
mod event;
mod outcome;
pub mod suggest;
mod term;
pub mod typed;

pub use command::Command;
pub use event::{Change, Event, LinkFigures, LinkState, Place, Said, SentState, Trouble};
pub use outcome::Outcome;
pub use term::{BadTerm, MAX_TERM_BYTES, Term};
pub use typed::Typed;
