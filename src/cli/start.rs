//! From settings to a running node, and to its end.

use crate::{
    app::{Outcome, Trouble},
    ui::Shown,
};

use super::{Settings, stop::Ending};

/// Runs the node until its end.
pub(super) fn run(_settings: &Settings, _quiet: bool) -> Ending {
    let trouble = Trouble::new("unfinished", "this node cannot start yet", "");
    Ending::new(Outcome::Failed(trouble), Shown::default())
}
