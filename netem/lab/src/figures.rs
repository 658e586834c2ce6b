//! From the tally of a cell to the figures people read.

use crate::{arrivals::Tally, cell::Cell, columns::RAW, plan::Plan};

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

/// No packet is longer, headers included; the hundredth is for counters that are read one after the other.
const LONGEST_PACKET: f64 = 1514.0 * 1.01;

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

    /// Of what nobody exceeds; nothing where there is no rate.
    pub(crate) fn ceiling_share(&self) -> Option<f64> {
        let ceiling = self.link.ceiling_mbit();
        (ceiling > 0.0).then(|| self.goodput_mbit() / ceiling)
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
        let mut figures = Vec::new();
        if self.plan.expected() > 0 {
            figures.push(self.latencies());
        }
        if self.plan.workload.has_bulk() {
            let (goodput, ramp) = (self.goodput_mbit(), self.goodput_with_ramp_mbit());
            figures.push(format!("goodput {goodput:.2} Mbit/s ({ramp:.2} with the ramp)"));
            figures.extend(self.ceiling_share().map(|share| format!("{share:.2} of the ceiling")));
        }
        figures.extend(self.price().map(|price| format!("price {price:.2}")));
        figures.extend(
            self.wire_bytes().map(|wire| format!("wire {wire:.2}, packet {:.0} B", self.packet_bytes())),
        );
        figures.extend(self.cpu_us().map(|cpu| format!("cpu {cpu:.0} us")));
        let Tally { duplicates, disorder, .. } = self.received.tally;
        figures.extend((duplicates > 0).then(|| format!("{duplicates} twice")));
        figures.extend((disorder > 0).then(|| format!("{disorder} out of order")));
        figures.extend(self.is_coalesced().then(|| "COALESCED".to_owned()));
        figures.extend(self.notes.iter().map(|note| format!("[{note}]")));
        let Plan { workload, column, .. } = &self.plan;
        format!("{:<12} {:<7} {column:<16} {}", self.link.name, workload.name(), figures.join(", "))
    }

    fn latencies(&self) -> String {
        let shares = [(0.5, "p50"), (0.9, "p90"), (0.99, "p99"), (0.999, "p99.9"), (1.0, "max")];
        let each = shares.map(|(share, name)| {
            let ms = self.latency_ms(share).map_or_else(|| "∞".to_owned(), |ms| format!("{ms:.1}"));
            format!("{name} {ms}")
        });
        let (delivered, expected) = (100.0 * self.delivered_share(), self.plan.expected());
        format!("{} ms, delivered {delivered:.2} % of {expected}", each.join(" "))
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
