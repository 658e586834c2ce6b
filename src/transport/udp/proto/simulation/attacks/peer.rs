//! A peer that speaks by hand. It went through an honest handshake, so its packets open; what is in them
//! and which numbers they have is up to the test. What comes to it is overheard as it leaves the other
//! host, half a round trip early: it acknowledges whatever it likes.

use std::{cell::RefCell, net::SocketAddr, rc::Rc, time::Duration};

use super::super::World;
use crate::transport::udp::proto::{
    ConnectionId, PacketNumber,
    connection::{Connection, Shape},
    endpoint::ConnectionKey,
    frame::{Frame, Frames, put_ack},
    packet::{Outer, expand_number, read_outer},
    range_set::RangeSet,
    seal::TAG_BYTES,
};

/// A packet that was said to the peer.
pub(super) struct Heard {
    pub(super) pn: PacketNumber,
    payload: Vec<u8>,
}

impl Heard {
    pub(super) fn frames(&self) -> impl Iterator<Item = Frame<'_>> {
        Frames::new(&self.payload).map(|frame| frame.expect("an honest side writes frames that can be read"))
    }
}

pub(super) struct Peer {
    host: usize,
    pub(super) connection: Box<Connection>,
    /// The number of its next packet: far from those of the handshake.
    pub(super) next: PacketNumber,
    overheard: Rc<RefCell<Vec<Vec<u8>>>>,
    /// Numbers of what it overheard.
    pub(super) came: RangeSet,
}

impl Peer {
    /// Takes a connection out of its host's hands.
    pub(super) fn take_over(world: &mut World, host: usize, key: ConnectionKey) -> Self {
        // Everything honest is said before.
        world.run(Duration::from_secs(1));
        let connection = world.hosts[host].connections.remove(&key).unwrap();
        let cids: Vec<ConnectionId> = connection.local_cids().collect();
        let overheard = Rc::new(RefCell::new(Vec::new()));
        let log = overheard.clone();
        world.tamper = Some(Box::new(move |from, _, datagram| {
            let dst = read_outer(datagram).ok().and_then(|outer| match outer {
                Outer::Short { dst, .. } => Some(dst),
                _ => None,
            });
            if from != host && dst.is_some_and(|dst| cids.contains(&dst)) {
                log.borrow_mut().push(datagram.clone());
            }
            true
        }));
        Self { host, connection, next: 1000, overheard, came: RangeSet::new() }
    }

    fn from(&self, world: &World) -> SocketAddr {
        world.hosts[self.host].addr
    }

    /// One packet with these frames, at once.
    pub(super) fn say(&mut self, world: &mut World, frames: &[u8]) {
        let pn = self.next;
        self.next += 1;
        self.say_as(world, pn, frames, Shape::default());
    }

    /// The same with a number and a shape of choice.
    pub(super) fn say_as(&self, world: &mut World, pn: PacketNumber, frames: &[u8], shape: Shape) {
        self.deliver(world, self.from(world), self.connection.by_hand(pn, frames, shape));
    }

    /// The same from elsewhere.
    pub(super) fn say_from(&mut self, world: &mut World, from: SocketAddr, frames: &[u8]) {
        let packet = self.connection.by_hand(self.next, frames, Shape::default());
        self.next += 1;
        self.deliver(world, from, packet);
    }

    pub(super) fn deliver(&self, world: &mut World, from: SocketAddr, mut packet: Vec<u8>) {
        let to = world.hosts[1 - self.host].addr;
        world.arrive(from, to, None, &mut packet);
    }

    /// What was said to it since it last asked.
    pub(super) fn hear(&mut self) -> Vec<Heard> {
        let datagrams = std::mem::take(&mut *self.overheard.borrow_mut());
        datagrams.iter().map(|datagram| self.open(datagram)).collect()
    }

    fn open(&mut self, datagram: &[u8]) -> Heard {
        let Ok(Outer::Short { pn_at, end, .. }) = read_outer(datagram) else {
            unreachable!("it was read before")
        };
        let len = usize::from(datagram[0] & 3) + 1;
        let payload_at = pn_at + len;
        let number =
            datagram[pn_at..payload_at].iter().fold(0, |number, byte| number << 8 | u32::from(*byte));
        let expected = self.came.max().map_or(0, |largest| largest + 1);
        let pn = expand_number(number, len, expected).unwrap();
        self.came.insert(pn..=pn);
        // Nothing is encrypted, only proven.
        Heard { pn, payload: datagram[payload_at..end - TAG_BYTES].to_vec() }
    }

    /// Acknowledges the runs of `numbers`, the highest first.
    pub(super) fn ack(&mut self, world: &mut World, numbers: &RangeSet, delay: Duration) {
        let mut frames = Vec::new();
        assert!(put_ack(&mut frames, delay, numbers.iter().rev(), 32, 1000, None));
        self.say(world, &frames);
    }

    /// Acknowledges everything it heard of, as an honest one would.
    pub(super) fn ack_all(&mut self, world: &mut World) {
        self.hear();
        if !self.came.is_empty() {
            let came = self.came.clone();
            self.ack(world, &came, Duration::ZERO);
        }
    }
}
