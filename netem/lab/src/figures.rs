//! From the tally of a cell to the figures people read.

use std::fmt::Write as _;

use crate::{cell::Cell, columns::RAW};

/// The value below which this share of all messages arrived, in milliseconds; nothing where more than the
/// rest never did. `sorted` is what arrived, of `expected`.
pub(crate) fn percentile(sorted: &[u32], expected: u64, share: f64) -> Option<f64> {
    let rank = (expected as f64 * share - 1e-9).ceil().max(1.0) as usize;
    sorted.get(rank - 1).map(|&us| f64::from(us) / 1000.0)
}

/// Bytes a message of 200 takes as a datagram of our own without any repetition, IP header included: the
/// unit of the price.
const UNIT_BYTES: f64 = 261.0;

const ETHERNET_HEADER: u64 = 14;

/// No segment is longer, headers included.
const LONGEST_PACKET: f64 = 1514.0;

impl Cell {
    /// In milliseconds; `None` is infinite.
    pub(crate) fn latency_ms(&self, share: f64) -> Option<f64> {
        percentile(&self.received.tally.latency_us, self.owed(), share)
    }

    /// Of how many messages the latencies are: all that were sent, but of bare datagrams, which promise
    /// nothing, those that arrived.
    pub(crate) fn owed(&self) -> u64 {
        if self.plan.column == RAW { self.delivered() as u64 } else { self.plan.expected() }
    }

    pub(crate) fn delivered(&self) -> usize {
        self.received.tally.latency_us.len()
    }

    pub(crate) fn delivered_share(&self) -> f64 {
        self.delivered() as f64 / self.plan.expected().max(1) as f64
    }

    /// Mbit/s while it counted.
    pub(crate) fn goodput_mbit(&self) -> f64 {
        self.received.tally.bulk_counted_bytes as f64 * 8.0 / self.plan.counted.as_secs_f64() / 1e6
    }

    /// Mbit/s from the first byte on.
    pub(crate) fn goodput_with_ramp_mbit(&self) -> f64 {
        self.received.tally.bulk_bytes as f64 * 8e3 / self.whole_ns.max(1) as f64
    }

    pub(crate) fn payload_bytes(&self) -> f64 {
        self.received.tally.bulk_counted_bytes as f64 + (self.delivered() * self.plan.bytes) as f64
    }

    /// Both ends' bytes, ethernet headers included, for each that was delivered.
    pub(crate) fn wire_bytes(&self) -> Option<f64> {
        let bytes = self.sent.spent.tx_bytes + self.received.spent.tx_bytes;
        (bytes > 0 && self.payload_bytes() > 0.0).then(|| bytes as f64 / self.payload_bytes())
    }

    /// What a delivered chat message cost on the wire, in units of one datagram; nothing beside bulk.
    pub(crate) fn price(&self) -> Option<f64> {
        if self.plan.workload.has_bulk() || self.delivered() == 0 || self.sent.spent.tx_packets == 0 {
            return None;
        }
        let ip =
            |spent: crate::spent::Spent| spent.tx_bytes.saturating_sub(ETHERNET_HEADER * spent.tx_packets);
        let bytes = ip(self.sent.spent) + ip(self.received.spent);
        Some(bytes as f64 / (UNIT_BYTES * self.delivered() as f64))
    }

    /// Mean length of a packet on the way forth.
    pub(crate) fn packet_bytes(&self) -> f64 {
        let spent = self.sent.spent;
        spent.tx_bytes as f64 / spent.tx_packets.max(1) as f64
    }

    /// CPU of both ends, in microseconds: of a chat message, or of 1000 bytes beside bulk.
    pub(crate) fn cpu_us(&self) -> Option<f64> {
        let spent = (self.sent.spent.cpu_us? + self.received.spent.cpu_us?) as f64;
        let has_bulk = self.plan.workload.has_bulk();
        let of = if has_bulk { self.payload_bytes() / 1000.0 } else { self.delivered() as f64 };
        (of > 0.0).then_some(spent / of)
    }

    /// Whether the losses hit something else than packets.
    pub(crate) fn is_coalesced(&self) -> bool {
        self.packet_bytes() > LONGEST_PACKET
    }

    /// A line for who watches.
    pub(crate) fn summary(&self) -> String {
        let mut line =
            format!("{:<12} {:<7} {:<16}", self.link.name, self.plan.workload.name(), self.plan.column);
        let ms = |share| self.latency_ms(share).map_or_else(|| "∞".to_owned(), |ms| format!("{ms:.1}"));
        // A line in memory takes everything.
        if self.plan.expected() > 0 {
            let _ = write!(
                line,
                " p50 {} p90 {} p99 {} p99.9 {} max {} ms, delivered {:.2} % of {},",
                ms(0.5),
                ms(0.9),
                ms(0.99),
                ms(0.999),
                ms(1.0),
                100.0 * self.delivered_share(),
                self.plan.expected(),
            );
        }
        if self.plan.workload.has_bulk() {
            let _ = write!(
                line,
                " goodput {:.2} Mbit/s ({:.2} with the ramp), {:.2} of the ceiling,",
                self.goodput_mbit(),
                self.goodput_with_ramp_mbit(),
                self.goodput_mbit() / self.link.ceiling_mbit(),
            );
        }
        if let Some(price) = self.price() {
            let _ = write!(line, " price {price:.2},");
        }
        if let Some(wire) = self.wire_bytes() {
            let _ = write!(line, " wire {wire:.2}, packet {:.0} B", self.packet_bytes());
        }
        if let Some(cpu) = self.cpu_us() {
            let _ = write!(line, ", cpu {cpu:.0} us");
        }
        let tally = &self.received.tally;
        if tally.duplicates + tally.disorder > 0 {
            let _ = write!(line, ", {} twice, {} out of order", tally.duplicates, tally.disorder);
        }
        if self.is_coalesced() {
            line.push_str(", COALESCED");
        }
        self.notes.iter().for_each(|note| {
            let _ = write!(line, " [{note}]");
        });
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_never_arrived_took_forever() {
        let sorted: Vec<u32> = (1..=99).map(|ms| ms * 1000).collect();
        assert_eq!(percentile(&sorted, 100, 0.5), Some(50.0));
        assert_eq!(percentile(&sorted, 100, 0.99), Some(99.0));
        assert_eq!(percentile(&sorted, 100, 0.999), None);
        assert_eq!(percentile(&[], 100, 0.5), None);
        assert_eq!(percentile(&[7000], 1, 0.0), Some(7.0));
    }
}
