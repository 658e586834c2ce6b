//! One peer: a packet in flight, those behind it, and what has come from there.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use bytes::Bytes;

use crate::gateway::dialect::{MAX_QUEUED_BYTES, MAX_QUEUED_MESSAGES, Overflow};

use super::{
    MAX_RETRANSMISSIONS, RETRANSMIT_AFTER,
    packet::{MAX_DATA, ack_packet, data_packet},
};

/// How long a copy of a packet, or of its acknowledgement, may be under way behind others. One bit of number
/// cannot tell it from the packet after the next, so that one waits where copies are known to be about.
const QUARANTINE: Duration = Duration::from_millis(250);

/// Packets that are sent with care at the start, before anything is known of the way.
const WARY_AT_FIRST: u32 = 16;

/// Packets that are sent with care after a copy was seen.
const WARY_AFTER_COPY: u32 = 64;

/// Copies of the last words, which nobody will repeat.
const LAST_COPIES: usize = 3;

/// The peer answers nothing any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Silent;

/// Both directions of one peer.
#[derive(Debug)]
pub(super) struct Link {
    /// Messages, the first without what was sent of it already.
    waiting: VecDeque<Bytes>,
    waiting_bytes: usize,
    max_waiting_bytes: usize,
    in_flight: Option<Flight>,
    next: u32,
    /// When the numbers 0 and 1 may be used again.
    usable_at: [Option<Instant>; 2],
    /// Packets still to be sent with care.
    wary: u32,
    /// Whether the way is known to lose packets of a peer who is there.
    lossy: bool,
    expected: u32,
    last: Option<Bytes>,
    /// Whether the peer has ever used the number 1.
    flips: bool,
}

#[derive(Debug)]
struct Flight {
    packet: Bytes,
    seq: u32,
    again: u32,
    sent_at: Instant,
}

impl Link {
    /// A peer nothing was exchanged with. Files of up to `max_file_bytes` fit beside the messages that wait.
    pub(super) fn new(max_file_bytes: usize) -> Self {
        Self {
            waiting: VecDeque::new(),
            waiting_bytes: 0,
            max_waiting_bytes: max_file_bytes.saturating_mul(2).saturating_add(MAX_QUEUED_BYTES),
            in_flight: None,
            next: 0,
            usable_at: [None; 2],
            wary: WARY_AT_FIRST,
            lossy: false,
            expected: 0,
            last: None,
            flips: false,
        }
    }

    /// Queues a message.
    pub(super) fn push(&mut self, message: Bytes) -> Result<(), Overflow> {
        let bytes = self.waiting_bytes.saturating_add(message.len());
        if self.waiting.len() >= MAX_QUEUED_MESSAGES || bytes > self.max_waiting_bytes {
            return Err(Overflow);
        }
        if !message.is_empty() {
            self.waiting_bytes = bytes;
            self.waiting.push_back(message);
        }
        Ok(())
    }

    /// The next packet, if none is in flight and its number is free.
    pub(super) fn transmit(&mut self, now: Instant) -> Option<Bytes> {
        if self.in_flight.is_some() || self.usable_at(self.next).is_some_and(|at| now < at) {
            return None;
        }
        let message = self.waiting.front_mut()?;
        let data = message.split_to(message.len().min(MAX_DATA));
        if message.is_empty() {
            self.waiting.pop_front();
        }
        self.waiting_bytes = self.waiting_bytes.saturating_sub(data.len());
        let (packet, seq) = (data_packet(self.next, &data), self.next);
        self.in_flight = Some(Flight { packet: packet.clone(), seq, again: 0, sent_at: now });
        Some(packet)
    }

    fn usable_at(&self, seq: u32) -> Option<Instant> {
        let [zero, one] = self.usable_at;
        if seq == 0 { zero } else { one }
    }

    /// Takes an acknowledgement.
    pub(super) fn acked(&mut self, seq: u32) {
        let Some(flight) = self.in_flight.take_if(|flight| flight.seq == seq) else {
            self.wary = WARY_AFTER_COPY;
            return;
        };
        let careful = self.wary > 0 || flight.again > 0;
        let usable = if careful { flight.sent_at.checked_add(QUARANTINE) } else { None };
        let [zero, one] = &mut self.usable_at;
        *(if seq == 0 { zero } else { one }) = usable;
        self.wary = self.wary.saturating_sub(1);
        self.lossy |= flight.again > 0;
        self.next = 1_u32.saturating_sub(seq);
    }

    /// Takes a data packet. Gives what is new in it, and the acknowledgement to send; nothing for a number
    /// that does not exist.
    pub(super) fn receive(&mut self, seq: u32, data: &Bytes) -> Option<(Option<Bytes>, Bytes)> {
        if seq > 1 {
            return None;
        }
        let is_new = self.is_new(seq, data);
        // Whoever repeats a packet did not get the acknowledgement.
        self.lossy |= !is_new;
        if is_new {
            self.expected = 1_u32.saturating_sub(seq);
            self.flips |= seq == 1;
            self.last = Some(data.clone());
        }
        Some((is_new.then(|| data.clone()), ack_packet(seq)))
    }

    /// Something arrived from there that was damaged on the way.
    pub(super) fn damaged(&mut self) {
        self.lossy = true;
    }

    /// Whether a packet is not a copy of the last one. Some programs never change the number (UUDP-D2).
    pub(super) fn is_new(&self, seq: u32, data: &Bytes) -> bool {
        let never_flips = seq == 0 && !self.flips;
        seq == self.expected || (never_flips && self.differs(data))
    }

    /// Whether this is something else than what the last new packet held.
    pub(super) fn differs(&self, data: &Bytes) -> bool {
        self.last.as_ref() != Some(data)
    }

    /// Packets to send now, copies among them.
    ///
    /// # Errors
    /// [`Silent`] when a packet was sent for the last time long enough ago.
    pub(super) fn handle_timeout(&mut self, now: Instant) -> Result<Vec<Bytes>, Silent> {
        let lossy = self.lossy;
        let Some(flight) = &mut self.in_flight else { return Ok(self.transmit(now).into_iter().collect()) };
        if resend_at(flight).is_none_or(|at| now < at) {
            return Ok(Vec::new());
        }
        if flight.again >= MAX_RETRANSMISSIONS {
            return Err(Silent);
        }
        flight.again = flight.again.saturating_add(1);
        flight.sent_at = now;
        Ok(vec![flight.packet.clone(); copies(lossy, flight.again)])
    }

    /// When to call [`handle_timeout`](Self::handle_timeout).
    pub(super) fn deadline(&self) -> Option<Instant> {
        match &self.in_flight {
            Some(flight) => resend_at(flight),
            None if self.waiting.is_empty() => None,
            None => self.usable_at(self.next),
        }
    }

    /// Whether everything was acknowledged.
    pub(super) fn is_idle(&self) -> bool {
        self.in_flight.is_none() && self.waiting.is_empty()
    }

    /// What to send when there is no time to wait for acknowledgements: what is in flight, and the last
    /// message of those that wait.
    pub(super) fn last_words(&mut self, now: Instant) -> Vec<Bytes> {
        let in_flight = self.in_flight.as_ref().map(|flight| (flight.packet.clone(), flight.seq));
        let Some(last) = self.waiting.pop_back() else {
            let again = in_flight.map(|(packet, _)| packet);
            return again.into_iter().cycle().take(LAST_COPIES).collect();
        };
        let next = in_flight.as_ref().map_or(self.next, |(_, seq)| 1_u32.saturating_sub(*seq));
        let goodbye = data_packet(next, &last);
        self.waiting_bytes = last.len();
        self.waiting = [last].into();
        if in_flight.is_none() {
            self.usable_at = [None; 2];
            drop(self.transmit(now));
        }
        let before = in_flight.into_iter().map(|(packet, _)| packet);
        before.chain([goodbye].into_iter().cycle().take(LAST_COPIES)).collect()
    }
}

fn resend_at(flight: &Flight) -> Option<Instant> {
    flight.sent_at.checked_add(RETRANSMIT_AFTER)
}

/// How many copies the n-th retransmission goes in. Where one of two tries fails, eight in a row do so for one
/// packet of a thousand, and a file has a thousand packets: so where packets are known to be lost, the later
/// tries are several. A peer who never answered gets one packet a second.
fn copies(lossy: bool, again: u32) -> usize {
    match again {
        0 | 1 => 1,
        _ if !lossy => 1,
        2 => 2,
        _ => 3,
    }
}

#[cfg(test)]
mod tests {
    use super::{super::packet::Packet, super::packet::parse, *};

    const FILE: usize = 1_000;

    fn now() -> Instant {
        tokio::time::Instant::now().into_std()
    }

    fn seq_and_data(packet: &Bytes) -> (u32, Vec<u8>) {
        match parse(packet) {
            Ok(Packet::Data { seq, data }) => (seq, data.to_vec()),
            other => panic!("{other:?}"),
        }
    }

    fn sent(link: &mut Link, now: Instant) -> Option<(u32, Vec<u8>)> {
        link.transmit(now).as_ref().map(seq_and_data)
    }

    fn seconds(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    #[test]
    fn is_one_packet_in_flight_and_does_its_number_alternate_d1() {
        let (mut link, t) = (Link::new(FILE), now());
        for message in ["a\n", "b\n", "c\n"] {
            link.push(message.into()).unwrap();
        }
        assert_eq!(sent(&mut link, t), Some((0, b"a\n".to_vec())));
        assert_eq!(sent(&mut link, t), None);
        link.acked(1);
        assert_eq!(sent(&mut link, t), None, "that was an acknowledgement of something else");
        link.acked(0);
        assert_eq!(sent(&mut link, t), Some((1, b"b\n".to_vec())));
        link.acked(1);
        assert_eq!(sent(&mut link, t + QUARANTINE), Some((0, b"c\n".to_vec())));
        link.acked(0);
        assert!(link.is_idle());
    }

    #[test]
    fn does_a_long_message_continue_in_the_next_packet() {
        let (mut link, t) = (Link::new(FILE), now());
        let message: Vec<u8> = (0..600_u32).map(|i| i as u8).collect();
        link.push(message.clone().into()).unwrap();
        link.push("next\n".into()).unwrap();
        let mut got = Vec::new();
        let mut sizes = Vec::new();
        for i in 0..4 {
            let (seq, data) = sent(&mut link, t + seconds(i)).unwrap();
            assert_eq!(u64::from(seq), i % 2);
            sizes.push(data.len());
            got.extend(data);
            link.acked(seq);
        }
        assert_eq!(sizes, [256, 256, 88, 5], "a message begins in a packet of its own");
        assert_eq!(got, [message.as_slice(), b"next\n"].concat());
    }

    #[test]
    fn when_is_a_packet_repeated_and_when_is_its_peer_gone_d1_d4() {
        let (mut link, t) = (Link::new(FILE), now());
        link.push("a\n".into()).unwrap();
        let first = link.transmit(t).unwrap();
        for i in 1..=u64::from(MAX_RETRANSMISSIONS) {
            assert_eq!(link.deadline(), Some(t + seconds(i)));
            assert_eq!(link.handle_timeout(t + seconds(i) - Duration::from_millis(1)), Ok(Vec::new()));
            assert_eq!(link.handle_timeout(t + seconds(i)), Ok(vec![first.clone()]));
        }
        assert_eq!(link.handle_timeout(t + seconds(9)), Err(Silent));
    }

    #[test]
    fn are_later_tries_more_where_packets_are_known_to_be_lost() {
        let (mut link, t) = (Link::new(FILE), now());
        link.push("a\n".into()).unwrap();
        link.push("b\n".into()).unwrap();
        link.transmit(t).unwrap();
        assert_eq!(link.handle_timeout(t + seconds(1)).unwrap().len(), 1);
        link.acked(0);
        link.transmit(t + seconds(1)).unwrap();
        let copies: Vec<usize> =
            (2..=9).map(|i| link.handle_timeout(t + seconds(i)).unwrap().len()).collect();
        assert_eq!(copies, [1, 2, 3, 3, 3, 3, 3, 3]);
        assert_eq!(link.handle_timeout(t + seconds(10)), Err(Silent));
    }

    #[test]
    fn is_each_packet_taken_once_and_every_copy_acknowledged() {
        let mut link = Link::new(FILE);
        let (a, b) = (Bytes::from("a\n"), Bytes::from("b\n"));
        assert_eq!(link.receive(0, &a), Some((Some(a.clone()), ack_packet(0))));
        assert_eq!(link.receive(0, &a), Some((None, ack_packet(0))));
        assert_eq!(link.receive(1, &b), Some((Some(b.clone()), ack_packet(1))));
        assert_eq!(link.receive(1, &b), Some((None, ack_packet(1))));
        assert_eq!(link.receive(0, &b), Some((Some(b.clone()), ack_packet(0))), "the same words again");
        assert_eq!(link.receive(1, &b), Some((Some(b.clone()), ack_packet(1))));
        assert_eq!(link.receive(2, &b), None);
        assert_eq!(link.receive(u32::MAX, &b), None);
    }

    #[test]
    fn is_a_peer_heard_whose_number_never_changes_d2() {
        let mut link = Link::new(FILE);
        let got =
            |link: &mut Link, text: &str| link.receive(0, &Bytes::from(text.to_owned())).unwrap().0.is_some();
        assert!(got(&mut link, "a") && got(&mut link, "b") && !got(&mut link, "b") && got(&mut link, "a"));
        // One who does change it is not one of these.
        let mut link = Link::new(FILE);
        assert!(got(&mut link, "a") && link.receive(1, &Bytes::from("b")).unwrap().0.is_some());
        assert!(got(&mut link, "c") && !got(&mut link, "d"));
    }

    #[test]
    fn is_a_number_not_used_again_while_a_copy_of_it_may_be_under_way() {
        let (mut link, t) = (Link::new(FILE), now());
        for _ in 0..100 {
            link.push("x\n".into()).unwrap();
        }
        let mut at = t;
        for i in 0..WARY_AT_FIRST {
            at += QUARANTINE;
            link.transmit(at).unwrap();
            link.acked(i % 2);
        }
        at += QUARANTINE;
        for i in 0..10 {
            link.transmit(at).expect("nothing was ever doubled, so nothing waits");
            link.acked(i % 2);
        }
        link.acked(1);
        for seq in [0, 1] {
            assert!(link.transmit(at).is_some());
            link.acked(seq);
        }
        assert_eq!(link.transmit(at), None);
        assert_eq!(link.deadline(), Some(at + QUARANTINE));
        assert!(link.transmit(at + QUARANTINE).is_some());
    }

    #[test]
    fn how_much_waits() {
        let mut link = Link::new(FILE);
        for _ in 0..MAX_QUEUED_MESSAGES {
            link.push("x".into()).unwrap();
        }
        assert_eq!(link.push("x".into()), Err(Overflow));
        let mut link = Link::new(FILE);
        link.push(vec![0; 2 * FILE + MAX_QUEUED_BYTES].into()).unwrap();
        assert_eq!(link.push("x".into()), Err(Overflow));
    }

    #[test]
    fn what_is_said_when_there_is_no_time_left() {
        let (mut link, t) = (Link::new(FILE), now());
        link.push("bye\n".into()).unwrap();
        let words = link.last_words(t);
        assert_eq!(words.iter().map(seq_and_data).collect::<Vec<_>>(), vec![(0, b"bye\n".to_vec()); 3]);
        assert_eq!(link.handle_timeout(t + seconds(1)).unwrap().len(), 1, "should there be time after all");

        let mut link = Link::new(FILE);
        for message in ["a\n", "b\n", "bye\n"] {
            link.push(message.into()).unwrap();
        }
        link.transmit(t).unwrap();
        let words: Vec<_> = link.last_words(t).iter().map(seq_and_data).collect();
        assert_eq!(words[0], (0, b"a\n".to_vec()));
        assert_eq!(words[1..], vec![(1, b"bye\n".to_vec()); 3]);
        link.acked(0);
        assert_eq!(sent(&mut link, t), Some((1, b"bye\n".to_vec())));
    }
}
