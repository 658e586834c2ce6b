use std::{ops::RangeInclusive, time::Duration};

use proptest::{collection::vec, prelude::*};

use super::*;

#[test]
fn the_bytes_of_acknowledgements() {
    let ranges = [90..=100, 80..=85, 0..=0];
    let ecn = EcnCounts { ect0: 1, ect1: 2, ce: 64 };
    for (ecn, bytes) in [
        (None, &[0x02, 0x40, 0x64, 0x40, 0x7d, 0x02, 0x0a, 0x03, 0x05, 0x40, 0x4e, 0x00][..]),
        (
            Some(ecn),
            &[0x03, 0x40, 0x64, 0x40, 0x7d, 0x02, 0x0a, 0x03, 0x05, 0x40, 0x4e, 0x00, 1, 2, 0x40, 0x40],
        ),
    ] {
        let delay = Duration::from_micros(1007);
        let out = bytes_of(|out| assert!(put_ack(out, delay, ranges.iter().cloned(), 32, 1200, ecn)));
        assert_eq!(out, bytes);
        let Ok(Frame::Ack(ack)) = read_one(bytes) else { panic!("no acknowledgement") };
        assert_eq!((ack.largest, ack.delay, ack.ecn), (100, Duration::from_micros(1000), ecn));
        assert_eq!(ack.ranges().collect::<Vec<_>>(), ranges);
    }
}

#[test]
fn an_acknowledgement_keeps_to_its_room() {
    let ranges: Vec<_> = (0..100_u64).rev().map(|n| 1000 * n..=1000 * n + 500).collect();
    let full = bytes_of(|out| assert!(put_ack(out, Duration::ZERO, ranges.iter().cloned(), 200, 1200, None)));
    let Ok(Frame::Ack(ack)) = read_one(&full) else { panic!("no acknowledgement") };
    assert_eq!(ack.ranges().collect::<Vec<_>>(), ranges[..MAX_ACK_RANGES]);

    for ecn in [None, Some(EcnCounts { ect0: 1 << 40, ect1: 0, ce: 3 })] {
        for room in 0..300 {
            let mut out = vec![7];
            let fits = put_ack(&mut out, Duration::ZERO, ranges.iter().cloned(), 200, room, ecn);
            assert!(out.len() <= 1 + room);
            assert_eq!(fits, out.len() > 1);
            if fits {
                let Ok(Frame::Ack(ack)) = read_one(&out[1..]) else { panic!("no acknowledgement") };
                let told: Vec<_> = ack.ranges().collect();
                assert_eq!(told, ranges[..told.len()]);
                assert!(out.len() + 4 > room || told.len() == MAX_ACK_RANGES);
            }
        }
    }
}

#[test]
fn nothing_is_acknowledged_without_ranges() {
    for (ranges, max) in [(vec![], 32), (vec![1..=2], 0), (vec![RangeInclusive::new(2, 1)], 32)] {
        let out = bytes_of(|out| assert!(!put_ack(out, Duration::ZERO, ranges.into_iter(), max, 1200, None)));
        assert!(out.is_empty());
    }
}

#[test]
fn ranges_out_of_order_are_left_out() {
    for wrong in [8..=9, 9..=10, 20..=30, RangeInclusive::new(5, 4)] {
        let ranges = [10..=12, wrong, 0..=1];
        let out = bytes_of(|out| assert!(put_ack(out, Duration::ZERO, ranges.into_iter(), 32, 99, None)));
        let Ok(Frame::Ack(ack)) = read_one(&out) else { panic!("no acknowledgement") };
        assert_eq!(ack.ranges().next(), Some(10..=12));
        assert!(ack.ranges().count() < 3);
    }
}

#[test]
fn acknowledgements_below_zero_are_malformed() {
    for (bytes, malformed) in [
        // The first range is longer than the largest number is large.
        (&[0x02, 5, 0, 0, 6][..], Malformed::AckRange),
        // A gap reaches below zero, by one and by itself.
        (&[0x02, 5, 0, 1, 2, 2, 0], Malformed::AckRange),
        (&[0x02, 5, 0, 1, 2, 9, 0], Malformed::AckRange),
        // So does a length.
        (&[0x02, 5, 0, 1, 2, 0, 2], Malformed::AckRange),
        // More ranges than bytes.
        (&[0x02, 5, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0], Malformed::Truncated),
        (&[0x02, 5, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0], Malformed::Truncated),
        (&[0x02, 5, 0, 0, 0x40, 1], Malformed::NotMinimal),
    ] {
        assert_eq!(read(bytes), Err(malformed), "{bytes:x?}");
    }
    assert!(read(&[0x02, 5, 0, 1, 2, 0, 1]).is_ok());
}

#[test]
fn the_largest_values_are_held() {
    let bytes = bytes_of(|out| {
        out.push(0x03);
        for value in [MAX_VARINT, MAX_VARINT, 0, MAX_VARINT, MAX_VARINT, MAX_VARINT, MAX_VARINT] {
            put_varint(value, out);
        }
    });
    let Ok(Frame::Ack(ack)) = read_one(&bytes) else { panic!("no acknowledgement") };
    assert_eq!(ack.ranges().collect::<Vec<_>>(), [0..=MAX_VARINT]);
    assert_eq!(ack.delay, Duration::from_micros(!7));
}

#[test]
fn every_truncation_is_noticed() {
    let ranges = [500..=600, 80..=85, 0..=0];
    let ecn = Some(EcnCounts { ect0: 100, ect1: 2, ce: 3 });
    let ack = bytes_of(|out| assert!(put_ack(out, Duration::ZERO, ranges.into_iter(), 32, 1200, ecn)));
    for len in 1..ack.len() {
        assert_eq!(read(&ack[..len]), Err(Malformed::Truncated), "{len}");
    }
}

fn descending_ranges() -> impl Strategy<Value = Vec<RangeInclusive<u64>>> {
    vec((0..1_u64 << 40, 0..1_u64 << 40, 0..40_u32), 1..=MAX_ACK_RANGES).prop_map(|steps| {
        let mut next = 0;
        let mut ranges: Vec<_> = steps
            .into_iter()
            .map(|(gap, len, shift)| {
                let range = next + (gap >> shift)..=next + (gap >> shift) + (len >> shift);
                next = range.end() + 2;
                range
            })
            .collect();
        ranges.reverse();
        ranges
    })
}

proptest! {
    #[test]
    fn acknowledgements_survive(
        ranges in descending_ranges(),
        micros in 0..1_u64 << 50,
        ecn in prop::option::of((varint(), varint(), varint())),
    ) {
        let ecn = ecn.map(|(ect0, ect1, ce)| EcnCounts { ect0, ect1, ce });
        let delay = Duration::from_micros(micros);
        let mut out = Vec::new();
        prop_assert!(put_ack(&mut out, delay, ranges.iter().cloned(), MAX_ACK_RANGES, usize::MAX, ecn));
        let Ok(Frame::Ack(ack)) = read_one(&out) else { panic!("no acknowledgement") };
        prop_assert_eq!(ack.largest, *ranges[0].end());
        prop_assert_eq!(ack.delay, Duration::from_micros(micros & !7));
        prop_assert_eq!(ack.ecn, ecn);
        prop_assert_eq!(ack.ranges().collect::<Vec<_>>(), ranges);
    }
}
