//! What the end-to-end tests are told with: processes that are listened to, a server to meet at, a
//! terminal.

#![allow(dead_code, reason = "each test program needs a part of it")]

pub(crate) mod folder;
pub(crate) mod patience;
pub(crate) mod process;
pub(crate) mod star;
pub(crate) mod terminal;
