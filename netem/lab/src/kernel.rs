//! What kind of time it was, and whose TCP.

use std::{env, fs};

/// The kernel that runs, and whether its time is the world's.
pub(crate) fn described() -> String {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let is_set = |name| env::var_os(name).is_some_and(|value| !value.is_empty());
    let kind = if is_set("NETEM_VIRTUAL_TIME") {
        " in user mode, in virtual time: what a program computes takes none"
    } else if is_set("NETEM_IN_UML") {
        " in user mode"
    } else {
        ""
    };
    format!("Linux {}{kind}", release.trim())
}
