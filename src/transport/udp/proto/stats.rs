//! Counters of a connection: plain fields, read as a snapshot.

use std::time::Duration;

/// What a connection did so far and how the path looks now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Smoothed round trip.
    pub rtt: Duration,
    /// Shortest round trip of late.
    pub min_rtt: Duration,
    /// Mean deviation of the round trip.
    pub rtt_var: Duration,
    /// Bytes that may be in flight.
    pub window: u64,
    /// Bytes in flight.
    pub in_flight: u64,
    /// Bytes of UDP payload that fit the path.
    pub mtu: u16,
    /// Bytes of UDP payload sent.
    pub bytes_sent: u64,
    /// Bytes of UDP payload received.
    pub bytes_received: u64,
    /// Packets sent.
    pub packets_sent: u64,
    /// Packets received and opened.
    pub packets_received: u64,
    /// Packets sent that were declared lost.
    pub packets_lost: u64,
    /// Of those, packets that arrived after all.
    pub spurious: u64,
    /// Pieces of messages sent again because they were thought lost.
    pub retransmits: u64,
    /// Pieces of messages sent again before anything was known of them.
    pub copies: u64,
    /// Probe timeouts.
    pub probe_timeouts: u64,
    /// Packets that came twice.
    pub duplicates: u64,
    /// Packets that were not what the other side sealed.
    pub forged: u64,
    /// Datagrams or packets that made no sense.
    pub malformed: u64,
    /// Times the path changed.
    pub migrations: u64,
    /// Key updates.
    pub key_updates: u64,
}
