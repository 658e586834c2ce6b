//! Every number of a connection that a node may choose, and the faults that tests plant.

use std::time::Duration;

use super::congestion::Algorithm;

/// How a connection behaves.
#[derive(Clone, Debug)]
pub struct Config {
    /// How long a connection may hear nothing before it counts as lost. Both sides say theirs and the
    /// shorter one holds (RFC 9000 §10.1). Longer than the blackouts that people walk through.
    pub idle_timeout: Duration,
    /// How often the dialing side speaks up when nothing is said, so that address translators on the way
    /// keep their mapping: many forget a silent UDP flow after 30 s (RFC 9000 §10.1.2).
    pub keep_alive: Duration,
    /// How long the handshake may take.
    pub handshake_timeout: Duration,
    /// How long the other application may take nothing while something waits for it and the other side
    /// is heard.
    pub stall_timeout: Duration,
    /// Bytes of UDP payload that this side can take, and the most it tries to send.
    pub max_datagram: u16,
    /// Who decides how much may be in flight.
    pub congestion: Algorithm,
    /// Copies of one small message sent in a round before anything is heard of it, at most.
    pub max_copies: u8,
    /// A planted fault.
    #[cfg(test)]
    pub(crate) mutant: Option<Mutant>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            idle_timeout: Duration::from_secs(30),
            keep_alive: Duration::from_secs(15),
            handshake_timeout: Duration::from_secs(10),
            stall_timeout: Duration::from_secs(10),
            max_datagram: 1472,
            congestion: Algorithm::default(),
            max_copies: 3,
            #[cfg(test)]
            mutant: None,
        }
    }
}

/// Faults that the simulation must notice, or it would not notice them in the code either.
#[cfg(test)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mutant {
    /// What is lost is not sent again.
    NoRetransmission,
    /// A packet is taken as often as it comes.
    NoReplayWindow,
    /// Silence is not answered with a probe.
    NoProbeTimeout,
    /// Credit is never renewed.
    NoCreditUpdates,
    /// An acknowledgement of what was never sent is believed.
    AckOfUnsentAccepted,
    /// The attack on that: acknowledges a packet more than arrived.
    AcksAhead,
    /// Packets are not checked for being what was sealed.
    NoAuthentication,
    /// A lane hands out messages as they come.
    NoOrder,
    /// The other side's new key is taken and the own one kept.
    NoKeyUpdate,
    /// New addresses are believed without a look.
    NoPathValidation,
}
