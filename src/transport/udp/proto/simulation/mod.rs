//! Two endpoints over an emulated network in virtual time: hours in seconds, every run the same from
//! its seed.

mod application;
mod attacks;
mod basics;
mod bulk;
mod faults;
mod latency;
mod mutants;
mod naps;
mod oracle;
mod questions;
mod run;
mod runs;
mod scenario;
mod strangers;
mod world;

pub(super) use world::{Message, Timers, World};
