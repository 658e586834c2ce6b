//! What the end-to-end tests are told with: processes that are listened to, a server to meet at, people who
//! are killed and what is left of what they said, a terminal.

#![allow(dead_code, reason = "each test program needs a part of it")]

pub(crate) mod folder;
pub(crate) mod patience;
pub(crate) mod peers;
pub(crate) mod person;
pub(crate) mod process;
pub(crate) mod reckoning;
pub(crate) mod star;
pub(crate) mod terminal;
