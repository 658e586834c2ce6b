#![expect(clippy::disallowed_methods, reason = "a starting point for virtual time")]

use std::collections::{BTreeMap, BTreeSet};

use proptest::{collection::vec, prelude::*};

use super::*;

const SRTT: Duration = Duration::from_millis(100);

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// A space in which `packets` delayed packets were received and acknowledged, and the time of the last.
fn warm(packets: u64) -> (Received, Instant) {
    let (mut received, now) = (Received::new(Space::Data), Instant::now());
    (0..packets).for_each(|pn| received.on_packet(pn, now, Urgency::Delayed, SRTT));
    received.on_ack_sent(now);
    (received, now)
}

#[test]
fn is_an_urgent_packet_acknowledged_at_once() {
    let (mut received, now) = warm(200);
    received.on_packet(200, now + ms(1), Urgency::Now, SRTT);
    assert_eq!(received.due(), Some(now + ms(1)));
}

#[test]
fn is_the_first_packet_after_silence_acknowledged_at_once() {
    let (mut received, now) = warm(200);
    received.on_packet(200, now + SRTT, Urgency::Delayed, SRTT);
    assert_eq!(received.due(), Some(now + SRTT));
}

#[test]
fn is_every_packet_of_a_handshake_acknowledged_at_once() {
    let (mut received, now) = (Received::new(Space::Handshake), Instant::now());
    for pn in 0..3 {
        received.on_packet(pn, now, Urgency::Delayed, SRTT);
        assert_eq!(received.due(), Some(now));
        received.on_ack_sent(now);
    }
}

#[test]
fn do_delayed_packets_share_an_acknowledgement() {
    for (packets, share) in [(10, 2), (200, 8)] {
        let (mut received, now) = warm(packets);
        for more in 1..share {
            received.on_packet(packets + more - 1, now + ms(more), Urgency::Delayed, SRTT);
            assert_eq!(received.due(), Some(now + ms(1) + MAX_ACK_DELAY));
        }
        received.on_packet(packets + share - 1, now + ms(share), Urgency::Delayed, SRTT);
        assert_eq!(received.due(), Some(now + ms(share)));
    }
}

#[test]
fn is_a_delay_a_part_of_a_short_round_trip() {
    let (mut received, now) = warm(200);
    received.on_packet(200, now + ms(1), Urgency::Delayed, ms(8));
    assert_eq!(received.due(), Some(now + ms(3)));
}

#[test]
fn is_a_packet_out_of_order_acknowledged_at_once() {
    let (mut received, now) = warm(200);
    received.on_packet(201, now + ms(1), Urgency::Delayed, SRTT);
    assert_eq!(received.due(), Some(now + ms(1)));
    received.on_ack_sent(now);
    received.on_packet(202, now + ms(2), Urgency::Delayed, SRTT);
    assert_eq!(received.due(), Some(now + ms(12)));
    received.on_packet(200, now + ms(3), Urgency::Delayed, SRTT);
    assert_eq!(received.due(), Some(now + ms(4)), "others may come late, too");
}

#[test]
fn do_late_packets_share_an_acknowledgement_until_order_is_back() {
    let (mut received, now) = warm(200);
    received.on_packet(205, now, Urgency::Delayed, SRTT);
    received.on_ack_sent(now);
    for (pn, due) in
        [(200, now + HURRY_DELAY), (201, now + HURRY_DELAY), (202, now + HURRY_DELAY), (203, now)]
    {
        received.on_packet(pn, now, Urgency::Delayed, SRTT);
        assert_eq!(received.due(), Some(due), "{pn}");
    }
    received.on_ack_sent(now);
    (206..206 + u64::from(REORDER_MEMORY)).for_each(|pn| received.on_packet(pn, now, Urgency::None, SRTT));
    received.on_packet(250, now, Urgency::Delayed, SRTT);
    assert_eq!(received.due(), Some(now), "a gap is a loss again");
}

#[test]
fn is_a_gap_before_an_acknowledgement_reported_with_the_next_packet() {
    let (mut received, now) = warm(200);
    received.on_packet(201, now, Urgency::None, SRTT);
    assert_eq!(received.due(), None);
    received.on_packet(202, now + ms(1), Urgency::Delayed, SRTT);
    assert_eq!(received.due(), Some(now + ms(1)));
}

#[test]
fn is_an_acknowledgement_never_answered_by_one() {
    let mut received = Received::new(Space::Data);
    received.on_packet(7, Instant::now(), Urgency::None, SRTT);
    assert_eq!(received.due(), None);
    assert!(received.has_news());
}

#[test]
fn is_congestion_reported_at_once_whichever_comes_first() {
    let (mut received, now) = warm(200);
    received.on_ecn(Mark::Ce);
    received.on_packet(200, now + ms(1), Urgency::Delayed, SRTT);
    assert_eq!(received.due(), Some(now + ms(1)));
    received.on_ack_sent(now);
    received.on_packet(201, now + ms(2), Urgency::Delayed, SRTT);
    received.on_ecn(Mark::Ce);
    assert_eq!(received.due(), Some(now + ms(2)));
    assert_eq!(received.ecn().map(|counts| counts.ce), Some(2));
}

#[test]
fn is_the_delay_that_of_the_largest() {
    let (mut received, now) = warm(2);
    received.on_packet(5, now + ms(10), Urgency::Delayed, SRTT);
    received.on_packet(3, now + ms(15), Urgency::Delayed, SRTT);
    assert_eq!(received.delay(now + ms(17)), ms(7));
    assert_eq!((received.largest(), received.expected()), (Some(5), 6));
}

#[test]
fn are_many_ranges_forgotten_oldest_first() {
    let (mut received, now) = warm(0);
    let packets = MAX_RANGES as u64 + 10;
    (0..packets).for_each(|n| received.on_packet(2 * n, now, Urgency::Now, SRTT));
    assert_eq!(received.ranges.len(), MAX_RANGES);
    assert_eq!(received.ranges().count(), MAX_RANGES_SENT);
    let newest = 2 * packets - 2;
    assert_eq!(received.ranges().next(), Some(newest..=newest));
    assert!(received.is_known(0) && !received.is_known(1));
}

#[test]
fn is_what_the_other_side_knows_not_repeated() {
    let (mut received, now) = warm(10);
    received.on_packet(11, now, Urgency::Now, SRTT);
    received.on_ack_sent(now);
    received.on_ack_acked(9);
    assert_eq!(received.ranges().collect::<Vec<_>>(), [11..=11]);
    received.on_ack_acked(11);
    assert_eq!(received.ranges().collect::<Vec<_>>(), [11..=11]);
}

#[test]
fn is_a_late_packet_told_although_an_older_acknowledgement_arrived() {
    let (mut received, now) = warm(10);
    received.on_packet(12, now, Urgency::Now, SRTT);
    received.on_ack_sent(now);
    received.on_packet(11, now, Urgency::Now, SRTT);
    received.on_ack_acked(12);
    assert_eq!(received.ranges().collect::<Vec<_>>(), [11..=12]);
    received.on_packet(13, now, Urgency::Now, SRTT);
    received.on_ack_sent(now);
    received.on_ack_acked(13);
    assert_eq!(received.ranges().collect::<Vec<_>>(), [13..=13]);
}

#[test]
fn is_everything_told_ten_times_and_not_for_ever() {
    let (mut received, mut now) = (Received::new(Space::Data), Instant::now());
    let mut told = BTreeMap::new();
    for pn in (0..600).filter(|pn| pn % 3 != 0).chain([3, 300]).chain((600..900).filter(|pn| pn % 3 != 0)) {
        now += ms(10);
        received.on_packet(pn, now, Urgency::Now, SRTT);
        received.ranges().flatten().for_each(|pn| *told.entry(pn).or_insert(0_u32) += 1);
        received.on_ack_sent(now);
        assert!(received.ranges().count() <= usize::from(2 * TELLINGS));
    }
    let found = told.iter().filter(|(pn, _)| **pn < 850);
    let least = u32::from(TELLINGS);
    assert!(found.map(|(_, times)| times).all(|times| (least..=3 * least).contains(times)));
}

#[test]
fn are_many_acknowledgements_in_an_instant_told_but_once() {
    let (mut received, now) = warm(10);
    received.on_packet(11, now, Urgency::Now, SRTT);
    (0..100).for_each(|_| received.on_ack_sent(now));
    received.on_packet(13, now, Urgency::Now, SRTT);
    assert_eq!(received.ranges().count(), 3);
}

#[test]
fn does_the_planted_fault_take_everything() {
    let (mut received, _) = warm(10);
    received.mutant = Some(Mutant::NoReplayWindow);
    assert!(!received.is_known(3));
}

proptest! {
    #[test]
    fn is_every_packet_known_once_and_acknowledged_if_received(
        steps in vec((0_u64..12, 0_u64..40, 0_u64..20, any::<bool>()), 1..300)
    ) {
        let (mut received, mut now) = (Received::new(Space::Data), Instant::now());
        let mut seen = BTreeSet::new();
        for (back, pause, ack, eliciting) in steps {
            now += ms(pause);
            let pn = (received.expected() + 3).saturating_sub(back);
            prop_assert_eq!(received.is_known(pn), seen.contains(&pn));
            if seen.insert(pn) {
                let urgency = if eliciting { Urgency::Delayed } else { Urgency::None };
                received.on_packet(pn, now, urgency, SRTT);
                prop_assert!(received.has_news());
                prop_assert!(!eliciting || received.due().is_some_and(|due| due <= now + MAX_ACK_DELAY));
                prop_assert!(received.ranges.contains(pn) || received.ranges.len() == MAX_RANGES);
            }
            prop_assert!(received.ranges().flatten().all(|pn| seen.contains(&pn)));
            if received.due().is_some_and(|due| due <= now) {
                received.on_ack_sent(now);
                prop_assert_eq!((received.due(), received.has_news()), (None, false));
            }
            if ack == 0 {
                received.on_ack_acked(pn);
            }
            prop_assert_eq!(received.largest(), seen.last().copied());
        }
    }
}
