//! A bad line between this node and its socket, for demonstrations and tests without root.

use std::{net::SocketAddr, time::Instant};

use super::proto::Mark;
use crate::transport::impair::{Line, Profile};

/// Where a datagram goes, and its mark.
type Towards = (SocketAddr, Option<Mark>);

/// The line that everything this node sends has to take.
#[derive(Debug)]
pub(super) struct Impaired(Line<Towards>);

impl Impaired {
    pub(super) fn new(profile: &Profile, seed: u64, now: Instant) -> Self {
        Self(Line::new(profile, seed, now))
    }

    pub(super) fn send(&mut self, now: Instant, datagram: &[u8], towards: Towards) {
        self.0.send(now, datagram, towards);
    }

    pub(super) fn poll(&mut self, now: Instant) -> Option<(Towards, Vec<u8>)> {
        self.0.poll(now)
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.0.deadline()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.deadline().is_none()
    }
}
