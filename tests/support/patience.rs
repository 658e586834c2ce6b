//! Waiting for what must come, but not for ever.

use std::{thread, time::Duration};

/// How long anything may take before the test fails. Far longer than it takes: a slow machine is no
/// failure.
pub(crate) const PATIENCE: Duration = Duration::from_secs(25);

const STEP: Duration = Duration::from_millis(10);

/// Asks until there is an answer.
pub(crate) fn eventually<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    for _ in 0..PATIENCE.as_millis() / STEP.as_millis() {
        if let Some(answer) = ask() {
            return answer;
        }
        thread::sleep(STEP);
    }
    panic!("not within {PATIENCE:?}: {what}");
}
