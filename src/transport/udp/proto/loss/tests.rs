#![expect(clippy::disallowed_methods, reason = "a starting point for virtual time")]

use std::collections::{BTreeMap, BTreeSet};

use proptest::{collection::vec, prelude::*};
use smallvec::SmallVec;

use super::*;
use crate::transport::udp::proto::range_set::RangeSet;

const DELAY: Duration = Duration::from_millis(10);

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// A connection whose handshake is confirmed, with a clock and what the last call found out.
struct Rig {
    recovery: Recovery,
    now: Instant,
    next: PacketNumber,
    out: Outcome,
}

impl Rig {
    fn new() -> Self {
        let mut recovery = Recovery::new(Side::Acceptor, 7);
        recovery.set_handshake_confirmed(true);
        Self { recovery, now: Instant::now(), next: 0, out: Outcome::default() }
    }

    /// One with a round trip measured as 100 ms, in steady state.
    fn measured() -> Self {
        let mut rig = Self::new();
        for _ in 0..50 {
            rig.send(1);
            rig.pass(100);
            rig.ack(&[rig.next - 1..=rig.next - 1]).unwrap();
        }
        rig
    }

    /// Such a one of whose last two packets the second arrived, and the first, of that number, counts as lost.
    fn with_one_lost() -> (Self, PacketNumber) {
        let mut rig = Self::measured();
        let first = rig.send(2);
        rig.pass(100);
        rig.ack(&[first + 1..=first + 1]).unwrap();
        rig.expire();
        (rig, first)
    }

    fn send(&mut self, packets: u64) -> PacketNumber {
        let first = self.next;
        for _ in 0..packets {
            self.recovery.on_sent(Space::Data, packet(self.next, self.now));
            self.next += 1;
        }
        first
    }

    fn pass(&mut self, time: u64) {
        self.now += ms(time);
    }

    fn ack(&mut self, ranges: &[RangeInclusive<u64>]) -> Result<(), Violation> {
        self.out = Outcome::default();
        let ranges = ranges.iter().cloned();
        self.recovery.on_ack(Space::Data, ranges, Duration::ZERO, DELAY, self.now, &mut self.out)
    }

    /// Lets time pass until the next deadline, and returns how much.
    fn expire(&mut self) -> Duration {
        let at = self.recovery.deadline().unwrap();
        let passed = at - self.now;
        self.now = at;
        self.out = Outcome::default();
        self.recovery.on_timeout(at, &mut self.out);
        passed
    }

    fn lost(&self) -> Vec<PacketNumber> {
        self.out.lost.iter().map(|packet| packet.pn).collect()
    }

    fn acked(&self) -> Vec<PacketNumber> {
        self.out.acked.iter().map(|packet| packet.pn).collect()
    }
}

fn packet(pn: PacketNumber, sent: Instant) -> SentPacket {
    SentPacket {
        pn,
        sent,
        bytes: 1200,
        eliciting: true,
        probe_mtu: false,
        has_bulk: true,
        carried: SmallVec::new(),
        app_limited: false,
    }
}

#[test]
fn does_an_acknowledgement_of_what_was_never_sent_change_nothing() {
    let mut rig = Rig::new();
    rig.send(3);
    assert!(rig.ack(&[0..=3]).is_err());
    assert!(rig.out.acked.is_empty());
    assert_eq!(rig.recovery.in_flight(), 3600);
    rig.recovery.skip(Space::Data, 3);
    rig.next = 4;
    rig.send(2);
    assert!(rig.ack(&[5..=5, 0..=3]).is_err());
    assert_eq!((rig.recovery.in_flight(), rig.recovery.largest_acked(Space::Data)), (6000, None));
    rig.ack(&[4..=5, 0..=2]).unwrap();
    assert_eq!(rig.acked(), [0, 1, 2, 4, 5]);
}

#[test]
fn is_an_acknowledgement_believed_in_its_own_space_only() {
    let mut rig = Rig::new();
    rig.send(1);
    let ranges = std::iter::once(0..=0);
    let result = rig.recovery.on_ack(Space::Handshake, ranges, Duration::ZERO, DELAY, rig.now, &mut rig.out);
    assert!(result.is_err());
}

#[test]
fn does_the_planted_fault_believe_what_was_never_sent() {
    let mut rig = Rig::new();
    rig.recovery.mutant = Some(Mutant::AckOfUnsentAccepted);
    rig.send(3);
    rig.ack(&[0..=u64::MAX]).unwrap();
    assert_eq!(rig.acked(), [0, 1, 2]);
}

#[test]
fn is_the_round_trip_measured_by_the_largest_and_once() {
    let mut rig = Rig::new();
    rig.send(3);
    rig.pass(40);
    rig.ack(&[1..=1]).unwrap();
    assert!(rig.out.rtt_sample);
    rig.pass(400);
    rig.ack(&[0..=1]).unwrap();
    assert_eq!((rig.acked(), rig.out.rtt_sample), (vec![0], false));
    assert_eq!(rig.recovery.rtt().latest(), ms(40));
}

#[test]
fn does_a_packet_that_elicits_nothing_measure_nothing() {
    let mut rig = Rig::new();
    rig.send(1);
    rig.recovery.on_sent(Space::Data, SentPacket { eliciting: false, ..packet(1, rig.now) });
    rig.pass(40);
    rig.ack(&[0..=1]).unwrap();
    assert_eq!((rig.acked(), rig.out.rtt_sample), (vec![0], false));
}

#[test]
fn are_three_later_packets_a_loss_until_the_path_reorders() {
    let mut rig = Rig::measured();
    let first = rig.send(6);
    rig.pass(100);
    rig.ack(&[first + 1..=first + 2]).unwrap();
    assert!(rig.lost().is_empty());
    rig.ack(&[first + 1..=first + 3]).unwrap();
    assert_eq!(rig.lost(), [first]);
    rig.ack(&[first..=first + 3]).unwrap();
    assert_eq!(rig.out.spurious.iter().map(|spurious| spurious.pn).collect::<Vec<_>>(), [first]);
    rig.send(4);
    rig.ack(&[rig.next - 1..=rig.next - 1, first..=first + 3]).unwrap();
    assert!(rig.lost().is_empty());
}

#[test]
fn is_a_packet_lost_after_a_round_trip_and_the_window() {
    let mut rig = Rig::measured();
    let first = rig.send(2);
    rig.pass(100);
    rig.ack(&[first + 1..=first + 1]).unwrap();
    assert_eq!(rig.expire(), rig.recovery.reo_wnd());
    assert_eq!(rig.lost(), [first]);
    assert_eq!(rig.recovery.reo_wnd(), ms(100) / 8);
    assert_eq!((rig.recovery.in_flight(), rig.recovery.deadline()), (0, None));
}

#[test]
fn does_the_window_grow_with_lateness_and_shrink_again() {
    let (mut rig, first) = Rig::with_one_lost();
    rig.pass(28);
    rig.ack(&[first..=first + 1]).unwrap();
    let late = rig.now.saturating_duration_since(rig.out.spurious[0].sent) - ms(100);
    assert_eq!(rig.recovery.reo_wnd(), late * 5 / 4);
    let grown = rig.recovery.reo_wnd();
    for _ in 0..17 {
        rig.send(1);
        rig.pass(100);
        rig.ack(&[rig.next - 1..=rig.next - 1]).unwrap();
    }
    assert_eq!(rig.recovery.reo_wnd(), grown / 2);
}

#[test]
fn does_the_window_never_pass_a_probe_timeout() {
    let (mut rig, first) = Rig::with_one_lost();
    rig.pass(160);
    rig.ack(&[first + 1..=first + 1]).unwrap();
    rig.pass(20);
    let timeout = rig.recovery.rtt().pto_base();
    rig.ack(&[first..=first + 1]).unwrap();
    assert_eq!(rig.recovery.reo_wnd(), timeout);
}

#[test]
fn is_a_lost_acknowledgement_not_taken_for_a_late_packet() {
    let (mut rig, first) = Rig::with_one_lost();
    let (window, srtt) = (rig.recovery.reo_wnd(), rig.recovery.rtt().smoothed());
    // Whenever it came: who said so at once was not heard.
    rig.pass(400);
    rig.ack(&[first..=first + 1]).unwrap();
    assert_eq!(rig.out.spurious.len(), 1);
    assert_eq!((rig.recovery.reo_wnd(), rig.recovery.rtt().smoothed()), (window, srtt));
}

#[test]
fn is_a_lost_packet_forgotten_after_two_timeouts() {
    let mut rig = Rig::measured();
    let first = rig.send(4);
    rig.pass(100);
    rig.ack(&[first + 1..=first + 3]).unwrap();
    assert_eq!(rig.lost(), [first]);
    rig.pass(1000);
    rig.send(1);
    rig.ack(&[first + 1..=first + 4]).unwrap();
    rig.ack(&[first..=first + 4]).unwrap();
    assert!(rig.out.spurious.is_empty());
}

#[test]
fn do_probes_back_off_late_and_not_without_end() {
    let mut rig = Rig::measured();
    rig.send(1);
    let base = rig.recovery.rtt().pto_base() + DELAY;
    for (factor, probes) in [(1, 2), (1, 2), (2, 1), (4, 1), (8, 1), (16, 1)] {
        let (passed, wanted) = (rig.expire(), base * factor);
        let jitter = if factor == 1 { 0 } else { 1 };
        let (least, most) = (wanted * (10 - jitter) / 10, wanted * (10 + jitter) / 10);
        assert!(passed >= least && passed <= most, "{passed:?} {wanted:?}");
        assert_eq!(rig.out.probes, Some((Space::Data, probes)));
    }
    for _ in 0..100 {
        assert!(rig.expire() <= ms(3300));
    }
    assert_eq!(rig.recovery.pto_count(), 106);
}

#[test]
fn is_a_blackout_of_a_minute_probed_with_less_than_60_packets() {
    let mut rig = Rig::measured();
    rig.send(1);
    let (until, mut packets) = (rig.now + ms(60_000), 0);
    while rig.recovery.deadline().is_some_and(|at| at <= until) {
        rig.expire();
        packets += rig.send(2).min(1) * 2;
    }
    assert!(packets < 60, "{packets}");
}

#[test]
fn does_any_acknowledgement_end_the_backoff() {
    let mut rig = Rig::measured();
    let first = rig.send(1);
    (0..5).for_each(|_| {
        rig.expire();
    });
    rig.send(1);
    rig.ack(&[first + 1..=first + 1]).unwrap();
    assert_eq!(rig.recovery.pto_count(), 0);
}

#[test]
fn is_a_timeout_that_comes_early_or_twice_harmless() {
    let mut rig = Rig::measured();
    rig.send(1);
    rig.recovery.on_timeout(rig.now, &mut rig.out);
    assert_eq!((rig.out.probes, rig.recovery.pto_count()), (None, 0));
    rig.expire();
    rig.out = Outcome::default();
    rig.recovery.on_timeout(rig.now, &mut rig.out);
    assert_eq!((rig.out.probes, rig.recovery.pto_count()), (None, 1));
}

#[test]
fn does_the_planted_fault_never_probe() {
    let mut rig = Rig::measured();
    rig.recovery.mutant = Some(Mutant::NoProbeTimeout);
    rig.send(1);
    assert_eq!(rig.recovery.deadline(), None);
}

#[test]
fn does_a_dialer_probe_with_nothing_in_flight_until_it_is_known() {
    let (mut dialer, now, mut out) = (Recovery::new(Side::Dialer, 1), Instant::now(), Outcome::default());
    assert_eq!(dialer.deadline(), None);
    dialer.on_sent(Space::Initial, packet(0, now));
    let ack = || std::iter::once(0..=0);
    dialer.on_ack(Space::Initial, ack(), Duration::ZERO, DELAY, now + ms(50), &mut out).unwrap();
    let at = dialer.deadline().unwrap();
    out = Outcome::default();
    dialer.on_timeout(at, &mut out);
    assert_eq!(out.probes, Some((Space::Initial, 2)));
    dialer.discard(Space::Initial);
    dialer.on_timeout(dialer.deadline().unwrap(), &mut out);
    assert_eq!(out.probes, Some((Space::Handshake, 2)));
    dialer.set_peer_completed_address_validation(true);
    assert_eq!(dialer.deadline(), None);
}

#[test]
fn is_data_not_probed_for_before_the_handshake_is_confirmed() {
    let (mut acceptor, now) = (Recovery::new(Side::Acceptor, 1), Instant::now());
    acceptor.on_sent(Space::Data, packet(0, now));
    assert_eq!(acceptor.deadline(), None);
    acceptor.set_handshake_confirmed(true);
    assert!(acceptor.deadline().is_some());
}

#[test]
fn does_a_discarded_space_leave_nothing() {
    let mut rig = Rig::new();
    rig.recovery.on_sent(Space::Initial, packet(0, rig.now));
    rig.recovery.discard(Space::Initial);
    assert_eq!((rig.recovery.in_flight(), rig.recovery.deadline()), (0, None));
    let ranges = std::iter::once(0..=0);
    rig.recovery.on_ack(Space::Initial, ranges, ms(0), DELAY, rig.now, &mut rig.out).unwrap();
    assert!(rig.out.acked.is_empty());
}

#[test]
fn is_congestion_persistent_only_when_bulk_says_so() {
    for has_bulk in [true, false] {
        let mut rig = Rig::measured();
        let first = rig.next;
        for pn in first..first + 5 {
            rig.recovery.on_sent(Space::Data, SentPacket { has_bulk, ..packet(pn, rig.now) });
            rig.next = pn + 1;
            rig.pass(200);
        }
        rig.send(1);
        rig.ack(&[first + 5..=first + 5]).unwrap();
        assert_eq!((rig.out.lost.len(), rig.out.persistent_congestion), (5, has_bulk));
    }
}

#[test]
fn is_congestion_not_persistent_if_something_arrived_in_between() {
    let mut rig = Rig::measured();
    let first = rig.next;
    for _ in 0..5 {
        rig.send(1);
        rig.pass(200);
    }
    rig.send(1);
    rig.ack(&[first + 5..=first + 5, first + 2..=first + 2]).unwrap();
    assert_eq!((rig.lost().len(), rig.out.persistent_congestion), (4, false));
}

#[test]
fn is_a_burst_after_silence_a_stall_but_not_after_idleness() {
    let mut rig = Rig::measured();
    rig.pass(5000);
    let first = rig.send(6);
    rig.pass(100);
    rig.ack(&[first..=first + 5]).unwrap();
    assert!(!rig.out.wifi_stall);
    let first = rig.send(6);
    rig.pass(500);
    rig.ack(&[first..=first + 2]).unwrap();
    assert!(!rig.out.wifi_stall);
    rig.ack(&[first..=first + 5]).unwrap();
    assert!(rig.out.wifi_stall);
}

#[test]
fn does_a_new_path_learn_only_from_its_own_packets() {
    let mut rig = Rig::measured();
    rig.send(1);
    rig.recovery.on_path_change(true);
    rig.pass(100);
    rig.ack(&[rig.next - 1..=rig.next - 1]).unwrap();
    assert_eq!((rig.acked().len(), rig.out.rtt_sample), (1, false));
    assert_eq!(rig.recovery.rtt().smoothed(), INITIAL_RTT);
}

#[test]
fn is_every_combination_of_two_losses_resolved() {
    for (a, b) in (0..12).flat_map(|a| (0..12).map(move |b| (a, b))) {
        let mut rig = Rig::new();
        let (mut resolved, mut heard) = (BTreeSet::new(), RangeSet::new());
        for pn in 0..12 {
            rig.send(1);
            rig.pass(20);
            if pn != a && pn != b {
                heard.insert(pn..=pn);
                rig.ack(&heard.iter().rev().collect::<Vec<_>>()).unwrap();
                resolved.extend(rig.acked().into_iter().chain(rig.lost()));
            }
        }
        while rig.recovery.in_flight() > 0 {
            rig.expire();
            resolved.extend(rig.lost());
            if rig.out.probes.is_some() {
                let probe = rig.send(1);
                rig.pass(20);
                heard.insert(probe..=probe);
                rig.ack(&heard.iter().rev().collect::<Vec<_>>()).unwrap();
                resolved.extend(rig.acked().into_iter().chain(rig.lost()));
            }
        }
        assert!(resolved.into_iter().eq(0..rig.next), "{a} {b}");
    }
}

#[derive(Clone, Debug)]
enum Step {
    Send { eliciting: bool, bytes: u16 },
    Skip,
    Ack(Vec<(prop::sample::Index, u64)>),
    Pass(u64),
    Back(u64),
    Timeout,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (prop::bool::weighted(0.8), 30_u16..1500)
            .prop_map(|(eliciting, bytes)| Step::Send { eliciting, bytes }),
        1 => Just(Step::Skip),
        4 => vec((any::<prop::sample::Index>(), 0_u64..8), 1..4).prop_map(Step::Ack),
        4 => (0_u64..120).prop_map(Step::Pass),
        1 => (0_u64..20).prop_map(Step::Back),
        2 => Just(Step::Timeout),
    ]
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Fate {
    Flying(u64),
    Acked,
    Lost,
    Revived,
}

/// Moves the fates on by what was found out; each may only go one way.
fn apply(fates: &mut BTreeMap<PacketNumber, Fate>, out: &Outcome) -> Result<(), TestCaseError> {
    for spurious in &out.spurious {
        prop_assert_eq!(fates.insert(spurious.pn, Fate::Revived), Some(Fate::Lost));
    }
    for packet in &out.acked {
        let before = fates.insert(packet.pn, Fate::Acked);
        prop_assert_eq!(before, Some(Fate::Flying(u64::from(packet.bytes))));
    }
    for packet in &out.lost {
        let before = fates.insert(packet.pn, Fate::Lost);
        prop_assert_eq!(before, Some(Fate::Flying(u64::from(packet.bytes))));
    }
    Ok(())
}

proptest! {
    #[test]
    fn has_every_packet_one_fate(steps in vec(step(), 0..200), seed in any::<u64>()) {
        let (mut recovery, mut now) = (Recovery::new(Side::Acceptor, seed), Instant::now() + ms(100_000));
        recovery.set_handshake_confirmed(true);
        let (mut fates, mut skipped, mut next) = (BTreeMap::new(), BTreeSet::new(), 0);
        for step in steps {
            let mut out = Outcome::default();
            match step {
                Step::Send { eliciting, bytes } => {
                    if eliciting {
                        fates.insert(next, Fate::Flying(u64::from(bytes)));
                    }
                    recovery.on_sent(Space::Data, SentPacket { eliciting, bytes, ..packet(next, now) });
                    next += 1;
                }
                Step::Skip => {
                    recovery.skip(Space::Data, next);
                    skipped.insert(next);
                    next += 1;
                }
                Step::Ack(ranges) => {
                    let first = |which: prop::sample::Index| which.index(usize::try_from(next).unwrap() + 1);
                    let ranges: Vec<_> = ranges
                        .into_iter()
                        .map(|(which, more)| first(which) as u64..=first(which) as u64 + more)
                        .collect();
                    let is_used = |pn: &u64| *pn < next && !skipped.contains(pn);
                    let is_honest = ranges.iter().cloned().flatten().all(|pn| is_used(&pn));
                    let result =
                        recovery.on_ack(Space::Data, ranges.iter().cloned(), ms(3), DELAY, now, &mut out);
                    prop_assert_eq!(result.is_ok(), is_honest);
                    let flying = |pn: &u64| is_honest && matches!(fates.get(pn), Some(Fate::Flying(_)));
                    let wanted: BTreeSet<_> = ranges.into_iter().flatten().filter(flying).collect();
                    let acked: BTreeSet<_> = out.acked.iter().map(|packet| packet.pn).collect();
                    prop_assert_eq!(acked, wanted);
                }
                Step::Pass(time) => now += ms(time),
                Step::Back(time) => now -= ms(time),
                Step::Timeout => {
                    now = recovery.deadline().map_or(now, |at| at.max(now));
                    // What was lost late may be followed by probes at once, but that ends.
                    (0..3).for_each(|_| recovery.on_timeout(now, &mut out));
                    prop_assert!(recovery.deadline().is_none_or(|at| at > now));
                }
            }
            apply(&mut fates, &out)?;
            let largest = recovery.largest_acked(Space::Data);
            prop_assert!(out.lost.iter().all(|packet| Some(packet.pn) < largest));
            let flying = fates.values().map(|fate| if let Fate::Flying(bytes) = fate { *bytes } else { 0 });
            prop_assert_eq!(recovery.in_flight(), flying.sum::<u64>());
            prop_assert_eq!(recovery.deadline().is_some(), recovery.in_flight() > 0);
        }
    }
}
