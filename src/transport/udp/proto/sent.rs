//! Packets in flight: what was sent, and is neither acknowledged nor lost.

use std::{collections::VecDeque, ops::RangeInclusive, time::Instant};

use smallvec::SmallVec;

use super::PacketNumber;
use crate::transport::Class;

/// Bytes of a message that a packet carried. What they are is looked up when they are lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct PieceRef {
    /// The lane as numbered on the wire.
    pub lane: u64,
    /// The message within the lane.
    pub seq: u64,
    /// The first byte.
    pub offset: u64,
    /// Bytes.
    pub len: u32,
}

/// Something in a packet that somebody wants to know the fate of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Carried {
    /// Bytes of the handshake.
    Crypto {
        /// The first byte.
        offset: u64,
        /// Bytes.
        len: u32,
    },
    /// Bytes of a message.
    Message(PieceRef),
    /// Credit of a class.
    Credit(Class),
    /// Word that a class wants for credit.
    Blocked(Class),
    /// Word that no more messages follow.
    Finish,
    /// The watermark of what the application took.
    Consumed {
        /// Messages.
        messages: u64,
        /// Whether it takes no more.
        last: bool,
    },
    /// A connection id, by its sequence number.
    NewCid(u64),
    /// Word that a connection id is given up, by its sequence number.
    RetireCid(u64),
    /// Word that the handshake is over.
    HandshakeDone,
    /// An acknowledgement.
    Ack {
        /// The largest packet number in it.
        largest: PacketNumber,
    },
    /// Nothing but the wish for an acknowledgement.
    Ping,
}

/// A packet as it was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SentPacket {
    /// Its number.
    pub pn: PacketNumber,
    /// When it left.
    pub sent: Instant,
    /// Its bytes, header and tag included.
    pub bytes: u16,
    /// Whether it elicits an acknowledgement (RFC 9002 §2). If not, it is not kept.
    pub eliciting: bool,
    /// Whether it was padded to find out if datagrams of its size arrive.
    pub probe_mtu: bool,
    /// Whether it carried anything of class [`Class::Bulk`].
    pub has_bulk: bool,
    /// What it carried.
    pub carried: SmallVec<[Carried; 4]>,
    /// Whether there was nothing more to send with it, so that it says little about the path.
    pub app_limited: bool,
}

/// The packets in flight of one packet-number space, in order. What was taken from the middle leaves an
/// empty slot until everything before it is gone too, so that nothing is ever moved.
#[derive(Debug, Default)]
pub(crate) struct SentPackets {
    // The first and the last slot are never empty.
    slots: VecDeque<Slot>,
    len: usize,
    bytes: u64,
}

#[derive(Debug)]
struct Slot {
    pn: PacketNumber,
    packet: Option<SentPacket>,
}

impl SentPackets {
    /// No packets.
    #[cfg(test)]
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Adds a packet. Numbers ascend, gaps are fine; a packet with a number that does not ascend is not
    /// kept.
    pub(crate) fn insert(&mut self, packet: SentPacket) {
        if self.slots.back().is_some_and(|slot| slot.pn >= packet.pn) {
            return;
        }
        self.len += 1;
        self.bytes += u64::from(packet.bytes);
        self.slots.push_back(Slot { pn: packet.pn, packet: Some(packet) });
    }

    /// Takes out a packet.
    pub(crate) fn take(&mut self, pn: PacketNumber) -> Option<SentPacket> {
        let at = self.lower_bound(pn);
        let packet = self.slots.get_mut(at).filter(|slot| slot.pn == pn)?.packet.take()?;
        self.len = self.len.saturating_sub(1);
        self.bytes = self.bytes.saturating_sub(u64::from(packet.bytes));
        self.trim();
        Some(packet)
    }

    /// Moves the packets with numbers in `range` to the end of `out`, the newest first.
    pub(crate) fn take_range(
        &mut self,
        range: &RangeInclusive<PacketNumber>,
        out: &mut impl Extend<SentPacket>,
    ) {
        if range.is_empty() {
            return;
        }
        let from = self.lower_bound(*range.start());
        let to = self.slots.partition_point(|slot| slot.pn <= *range.end());
        let (mut len, mut bytes) = (0, 0);
        let taken = self.slots.range_mut(from..to).rev().filter_map(|slot| slot.packet.take());
        out.extend(taken.inspect(|packet| {
            len += 1;
            bytes += u64::from(packet.bytes);
        }));
        self.len = self.len.saturating_sub(len);
        self.bytes = self.bytes.saturating_sub(bytes);
        self.trim();
    }

    /// Looks at a packet.
    #[cfg(test)]
    pub(crate) fn get(&self, pn: PacketNumber) -> Option<&SentPacket> {
        self.slots.get(self.lower_bound(pn)).filter(|slot| slot.pn == pn)?.packet.as_ref()
    }

    /// The oldest packet.
    pub(crate) fn first(&self) -> Option<&SentPacket> {
        self.slots.front()?.packet.as_ref()
    }

    /// Every packet, oldest first.
    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = &SentPacket> + '_ {
        self.slots.iter().filter_map(|slot| slot.packet.as_ref())
    }

    /// Packets.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    pub(crate) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The bytes of all packets.
    pub(crate) fn bytes_in_flight(&self) -> u64 {
        self.bytes
    }

    /// Gives back memory that is not in use.
    pub(crate) fn shrink_to_fit(&mut self) {
        self.slots.shrink_to_fit();
    }

    fn lower_bound(&self, pn: PacketNumber) -> usize {
        self.slots.partition_point(|slot| slot.pn < pn)
    }

    fn trim(&mut self) {
        while self.slots.front().is_some_and(|slot| slot.packet.is_none()) {
            self.slots.pop_front();
        }
        while self.slots.back().is_some_and(|slot| slot.packet.is_none()) {
            self.slots.pop_back();
        }
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "a starting point for virtual time")]
mod tests {
    use std::collections::BTreeMap;

    use proptest::{collection::vec, prelude::*};

    use super::*;

    fn packet(pn: PacketNumber, sent: Instant) -> SentPacket {
        SentPacket {
            pn,
            sent,
            bytes: 100 + u16::try_from(pn % 7).unwrap(),
            eliciting: true,
            probe_mtu: false,
            has_bulk: false,
            carried: SmallVec::new(),
            app_limited: false,
        }
    }

    #[test]
    fn is_a_number_that_does_not_ascend_refused() {
        let (mut sent, now) = (SentPackets::new(), Instant::now());
        sent.insert(packet(5, now));
        sent.insert(packet(5, now));
        sent.insert(packet(4, now));
        assert_eq!((sent.len(), sent.bytes_in_flight()), (1, 105));
    }

    #[test]
    fn do_gaps_take_no_memory() {
        let (mut sent, now) = (SentPackets::new(), Instant::now());
        sent.insert(packet(0, now));
        sent.insert(packet(1 << 61, now));
        assert!(sent.slots.capacity() < 16);
        assert_eq!(sent.take(1 << 61).map(|packet| packet.pn), Some(1 << 61));
        assert_eq!(sent.slots.len(), 1);
    }

    proptest! {
        #[test]
        fn is_it_a_map(steps in vec((0_u64..3, 0_u64..4, any::<prop::sample::Index>()), 0..120)) {
            let (mut sent, mut model, now) = (SentPackets::new(), BTreeMap::new(), Instant::now());
            let mut next = 0;
            for (what, more, which) in steps {
                if what < 2 {
                    next += 1 + more;
                    sent.insert(packet(next, now));
                    model.insert(next, packet(next, now));
                } else {
                    let first = which.index(usize::try_from(next).unwrap() + 1) as u64;
                    let mut taken = Vec::new();
                    sent.take_range(&(first..=first + more), &mut taken);
                    let wanted: Vec<_> =
                        (first..=first + more).rev().filter_map(|pn| model.remove(&pn)).collect();
                    prop_assert_eq!(taken, wanted);
                    prop_assert_eq!(sent.take(first + more + 1), model.remove(&(first + more + 1)));
                }
                prop_assert!(sent.iter().eq(model.values()));
                prop_assert_eq!(sent.first(), model.values().next());
                prop_assert_eq!((sent.len(), sent.is_empty()), (model.len(), model.is_empty()));
                let bytes: u64 = model.values().map(|packet| u64::from(packet.bytes)).sum();
                prop_assert_eq!(sent.bytes_in_flight(), bytes);
                prop_assert_eq!(sent.get(next), model.get(&next));
            }
        }
    }
}
