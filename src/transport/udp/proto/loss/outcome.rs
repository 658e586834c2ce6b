//! What loss detection has to tell.

use std::time::Instant;

use smallvec::SmallVec;

use crate::transport::udp::proto::{PacketNumber, Space, sent::SentPacket};

/// What one call of [`Recovery`](super::Recovery) found out. Lives on the stack: idle connections keep none,
/// and what one acknowledgement of a few packets tells needs no allocation.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    /// The space of `acked`, `lost` and `spurious`; one call concerns one.
    pub space: Option<Space>,
    /// Packets newly acknowledged, oldest first.
    pub acked: SmallVec<[SentPacket; 2]>,
    /// Packets newly declared lost, oldest first.
    pub lost: Vec<SentPacket>,
    /// Packets declared lost earlier that were acknowledged now.
    pub spurious: Vec<Spurious>,
    /// Whether the round trip time was measured.
    pub rtt_sample: bool,
    /// Whether that of every packet acknowledged was.
    pub all_measured: bool,
    /// Whether the losses span so long that nothing known of the path holds (RFC 9002 §7.6).
    pub persistent_congestion: bool,
    /// Where to send how many packets that elicit an acknowledgement, whatever the congestion window.
    pub probes: Option<(Space, u8)>,
    /// When the newest packet of `acked` was sent.
    pub newest_acked_sent: Option<Instant>,
    /// Whether the acknowledgements look like those of a radio that was suspended for a while and lost
    /// nothing.
    pub wifi_stall: bool,
}

/// A packet that was declared lost too early.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Spurious {
    /// Its number.
    pub pn: PacketNumber,
    /// When it was sent.
    pub sent: Instant,
    /// Its size.
    pub bytes: u16,
}
