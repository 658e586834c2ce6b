//! How much may be in flight, and how fast it leaves: the seam between a connection and the algorithm
//! that decides.

mod bbr;
mod cubic;
mod epoch;
mod hystart;

use std::{
    fmt,
    time::{Duration, Instant},
};

use super::mtu::BASE_MTU;

/// Packets that may always be in flight, so that a chat message leaves at once whatever was lost before.
/// RFC 9002 §7.2 asks for at least two.
const MINIMUM_PACKETS: u64 = 4;

/// Round trips shorter than this are not paced: timers are too coarse to help, and the queue that pacing
/// would spare holds next to nothing.
const UNPACED_RTT: Duration = Duration::from_millis(2);

/// An algorithm that decides how much may be in flight.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Algorithm {
    /// CUBIC (RFC 9438) with `HyStart++` (RFC 9406): takes loss for congestion, shares fairly with TCP.
    Cubic,
    /// Models the path, after BBR: fills links that lose packets at random, and keeps their queue short.
    #[default]
    Bbr,
}

/// The fresh controller of an algorithm, for a path that carries datagrams of `mtu` bytes.
pub(crate) fn controller(algorithm: Algorithm, mtu: u16) -> Box<dyn Controller> {
    match algorithm {
        Algorithm::Cubic => Box::new(cubic::Cubic::new(mtu)),
        Algorithm::Bbr => Box::new(bbr::Bbr::new(mtu)),
    }
}

/// Decides how many bytes one path may have in flight. Times are the connection's own: the `sent` of a
/// packet is the `now` with which [`on_sent`](Self::on_sent) told of it.
pub(crate) trait Controller: Send + fmt::Debug {
    /// `bytes` that count as in flight were sent.
    fn on_sent(&mut self, now: Instant, bytes: u64);

    /// One packet was acknowledged for the first time.
    fn on_ack(&mut self, ack: &AckSample);

    /// Packets were declared lost, all those of one acknowledgement or timer together. Probes for the
    /// MTU are not reported.
    fn on_loss(&mut self, loss: &LossSample);

    /// A packet reported lost had arrived after all; `sent` is when it was sent. Once this holds for all
    /// that caused a reduction, the reduction is undone.
    fn on_spurious(&mut self, now: Instant, sent: Instant);

    /// The network marked a packet instead of dropping it; `sent` is when the newest packet acknowledged
    /// together with the mark was sent.
    fn on_ecn(&mut self, now: Instant, sent: Instant);

    /// The silence and the losses just reported were an interface that slept: undoes their reduction, if
    /// nothing sent after it has been acknowledged.
    fn on_stall(&mut self);

    /// Datagrams have another size from now on, in bytes of UDP payload.
    fn on_mtu(&mut self, mtu: u16);

    /// Bytes that may be in flight.
    fn window(&self) -> u64;

    /// Bytes a second to send at, so that a window leaves spread over its round trip (RFC 9002 §7.7).
    /// `None`: as fast as the window allows.
    fn pacing_rate(&self, rtt: RttView) -> Option<u64>;

    /// Whether the window still looks for the capacity of the path.
    fn in_slow_start(&self) -> bool;

    /// A fresh controller of the same algorithm, for a path of which nothing is known.
    fn boxed_reset(&self) -> Box<dyn Controller>;
}

/// What is known of a path's round trip when something happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RttView {
    /// The newest sample; zero before the first.
    pub latest: Duration,
    /// The shortest of late.
    pub min: Duration,
    /// The moving average.
    pub smoothed: Duration,
}

impl RttView {
    /// Whether packets on such a path should be spread.
    fn is_paced(self) -> bool {
        !self.latest.is_zero() && self.smoothed >= UNPACED_RTT
    }
}

/// One packet that arrived.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AckSample {
    /// When the acknowledgement was taken in.
    pub now: Instant,
    /// The size of the packet.
    pub bytes: u64,
    /// When the packet was sent.
    pub sent: Instant,
    /// The round trip, this acknowledgement's sample included.
    pub rtt: RttView,
    /// How long this packet and its acknowledgement took, less what the other side says it waited; only where
    /// that is known.
    pub latency: Option<Duration>,
    /// Whether the window had room that nothing was there to fill when the packet was sent.
    pub app_limited: bool,
    /// Bytes in flight after this acknowledgement.
    pub in_flight: u64,
}

/// Packets declared lost at one instant.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LossSample {
    /// When they were declared lost.
    pub now: Instant,
    /// Their size together.
    pub bytes: u64,
    /// When the newest of them was sent.
    pub sent: Instant,
    /// Whether everything was lost for so long that the path must have changed (RFC 9002 §7.6).
    pub persistent: bool,
}

/// The window of a path of which nothing is known, in bytes (RFC 9002 §7.2).
fn initial_window(mtu: u16) -> u64 {
    let mtu = u64::from(mtu);
    (10 * mtu).min(14_720.max(2 * mtu))
}

/// The window below which no loss takes a path, in bytes.
fn minimum_window(mtu: u16) -> u64 {
    MINIMUM_PACKETS * u64::from(mtu)
}

/// The size of datagrams to reckon with: no path of ours takes less than [`BASE_MTU`].
fn sane_mtu(mtu: u16) -> u16 {
    mtu.max(BASE_MTU)
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "a starting point for virtual time")]
mod simulation;
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_window_is_that_of_the_rfc() {
        assert_eq!(controller(Algorithm::Cubic, 1200).window(), 12_000);
        assert_eq!(controller(Algorithm::Cubic, 1472).window(), 14_720);
        assert_eq!(controller(Algorithm::Cubic, 8952).window(), 17_904);
        assert_eq!(controller(Algorithm::Cubic, 0).window(), 12_000);
    }

    #[test]
    fn pacing_needs_a_known_round_trip_that_is_worth_it() {
        let controller = controller(Algorithm::default(), 1200);
        let rtt = |latest, smoothed| {
            let (latest, smoothed) = (Duration::from_millis(latest), Duration::from_millis(smoothed));
            RttView { latest, min: smoothed, smoothed }
        };
        assert_eq!(controller.pacing_rate(rtt(0, 333)), None);
        assert_eq!(controller.pacing_rate(rtt(1, 1)), None);
        assert_eq!(controller.pacing_rate(rtt(50, 100)), Some(240_000), "two windows a round trip");
    }
}
