//! The way to the other side, and whether it is known to lead there (RFC 9000 §8, §9).

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use super::PacketNumber;

/// Bytes that may be sent to an unproven address for each byte that came from it (RFC 9000 §8).
pub(crate) const AMPLIFICATION: u64 = 3;

/// The least time between two looks at new addresses of one connection.
pub(crate) const CHALLENGE_INTERVAL: Duration = Duration::from_millis(100);

/// How often a new address is asked before it counts as a dead end.
const MAX_CHALLENGES: u8 = 4;

/// How long an answer may take before the question is asked again, at least.
const MIN_CHALLENGE_TIMEOUT: Duration = Duration::from_millis(300);

/// One address of the other side.
#[derive(Debug)]
pub(crate) struct Path {
    pub(crate) remote: SocketAddr,
    validated: bool,
    sent: u64,
    received: u64,
    challenge: Option<Challenge>,
}

#[derive(Debug)]
struct Challenge {
    token: [u8; 8],
    asked: u8,
    /// When to ask (again).
    due: Instant,
}

/// What became of asking.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Asking {
    /// Not yet, or nothing to ask.
    Wait,
    /// Ask with this.
    Now([u8; 8]),
    /// Nobody answers there.
    Failed,
}

impl Path {
    pub(crate) fn new(remote: SocketAddr, validated: bool) -> Self {
        Self { remote, validated, sent: 0, received: 0, challenge: None }
    }

    pub(crate) fn is_validated(&self) -> bool {
        self.validated
    }

    pub(crate) fn set_validated(&mut self) {
        self.validated = true;
        self.challenge = None;
    }

    pub(crate) fn on_received(&mut self, bytes: usize) {
        self.received = self.received.saturating_add(bytes as u64);
    }

    pub(crate) fn on_sent(&mut self, bytes: usize) {
        self.sent = self.sent.saturating_add(bytes as u64);
    }

    /// Whether `bytes` more may go there.
    pub(crate) fn allows(&self, bytes: usize) -> bool {
        let limit = self.received.saturating_mul(AMPLIFICATION);
        self.validated || self.sent.saturating_add(bytes as u64) <= limit
    }

    /// Starts asking whether the other side is there.
    pub(crate) fn ask(&mut self, token: [u8; 8], now: Instant) {
        self.challenge = Some(Challenge { token, asked: 0, due: now });
    }

    /// When there is something to ask.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.challenge.as_ref().map(|challenge| challenge.due)
    }

    /// What to ask now; counts it as asked. `timeout` is the probe timeout.
    pub(crate) fn asking(&mut self, now: Instant, timeout: Duration) -> Asking {
        let Some(challenge) = self.challenge.as_mut().filter(|challenge| challenge.due <= now) else {
            return Asking::Wait;
        };
        if challenge.asked == MAX_CHALLENGES {
            self.challenge = None;
            return Asking::Failed;
        }
        challenge.asked += 1;
        challenge.due = now + timeout.max(MIN_CHALLENGE_TIMEOUT);
        Asking::Now(challenge.token)
    }

    /// Takes an answer; whether it proves this path.
    pub(crate) fn answer(&mut self, token: &[u8; 8]) -> bool {
        let proves = self.challenge.as_ref().is_some_and(|challenge| challenge.token == *token);
        if proves {
            self.set_validated();
        }
        proves
    }
}

/// An address that the other side seems to have moved to.
#[derive(Debug)]
pub(crate) struct Candidate {
    pub(crate) path: Path,
    /// The packet that came from there first.
    pub(crate) since: PacketNumber,
    /// When silence at the present address means that nobody is there any more.
    pub(crate) settles: Instant,
    /// Whether the present address is still to be asked.
    pub(crate) asks_present: bool,
}

impl Candidate {
    /// An address to be asked with `token`, since it sent packet `since`.
    pub(crate) fn new(
        remote: SocketAddr,
        token: [u8; 8],
        since: PacketNumber,
        now: Instant,
        settles: Instant,
    ) -> Self {
        let mut path = Path::new(remote, false);
        path.ask(token, now);
        Self { path, since, settles, asks_present: true }
    }

    /// Whether everything is to go there from now on.
    pub(crate) fn takes_over(&self, now: Instant) -> bool {
        self.path.is_validated() && self.settles <= now
    }

    /// When there is something to ask or to decide.
    pub(crate) fn deadline(&self, now: Instant) -> Option<Instant> {
        let settles = Some(self.settles).filter(|settles| *settles > now);
        [self.path.deadline(), settles].into_iter().flatten().min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unproven_address_gets_three_times_what_it_sent() {
        let mut path = Path::new(([10, 0, 0, 1], 1).into(), false);
        assert!(!path.allows(1));
        path.on_received(100);
        assert!(path.allows(300) && !path.allows(301));
        path.on_sent(300);
        assert!(!path.allows(1));
        path.set_validated();
        assert!(path.allows(1 << 30));
    }

    #[test]
    fn only_the_right_answer_proves_and_silence_fails() {
        #[expect(clippy::disallowed_methods, reason = "some time to begin with")]
        let start = Instant::now();
        let mut path = Path::new(([10, 0, 0, 1], 1).into(), false);
        path.ask([7; 8], start);
        let timeout = Duration::from_secs(1);
        assert_eq!(path.asking(start, timeout), Asking::Now([7; 8]));
        assert_eq!(path.asking(start, timeout), Asking::Wait);
        assert!(!path.answer(&[8; 8]) && !path.is_validated());
        for again in 1..4 {
            assert_eq!(path.asking(start + timeout * again, timeout), Asking::Now([7; 8]));
        }
        assert_eq!(path.asking(start + timeout * 4, timeout), Asking::Failed);
        assert!(!path.answer(&[7; 8]), "too late");
        path.ask([9; 8], start);
        assert!(path.answer(&[9; 8]) && path.is_validated());
    }
}
