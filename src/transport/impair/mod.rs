//! A bad network as a function: which datagrams get lost, damaged, late or doubled, from a seed and the
//! times that the caller gives. No sockets and no clock, so a run can be played again.
//!
//! A [`Profile`] says what a network is like, a [`Line`] is one direction of one. A datagram passes these
//! in turn:
//!
//! 1. the MTU: what is longer is dropped;
//! 2. the bottleneck: a queue with a byte rate, which drops what arrives when it is full;
//! 3. the air: blackouts and loss, met when the datagram leaves the bottleneck;
//! 4. the way: duplicates, each copy corrupted, truncated, delayed and reordered by itself.
//!
//! ```
//! # use std::time::{Duration, Instant};
//! use sayagain::transport::impair::{Line, Profile};
//!
//! # fn example(now: Instant) -> Option<()> {
//! let ship = Profile::named("ship")?;
//! let mut forth = Line::new(&ship.forth(), 1, now);
//! forth.send(now, b"ahoy", "to the shore");
//! let due = forth.deadline()?;
//! assert!(due > now + Duration::from_millis(250));
//! assert_eq!(forth.poll(due), Some(("to the shore", b"ahoy".to_vec())));
//! # Some(())
//! # }
//! # example(Instant::now()).expect("the profile is there and loses nothing at this seed");
//! ```

mod line;
mod loss;
mod netem;
mod profile;
#[cfg(test)]
mod tests;

pub use line::{Line, LineStats, MAX_QUEUED, MAX_QUEUED_BYTES};
pub use netem::Qdiscs;
pub use profile::{MAX_DATAGRAM, Profile, ProfileError};

/// A bad network for one node: what it is like, and the seed of what it does.
#[derive(Clone, Debug, PartialEq)]
pub struct Impairment {
    /// What it is like.
    pub profile: Profile,
    /// Equal seeds do alike.
    pub seed: u64,
}
