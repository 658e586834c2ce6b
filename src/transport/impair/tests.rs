//! Each field by its figures over [`COUNT`] datagrams. The seeds are fixed, the bounds four standard
//! deviations.

use std::{
    collections::BTreeMap,
    hash::{DefaultHasher, Hash, Hasher},
    time::{Duration, Instant},
};

use super::*;

const COUNT: u32 = 100_000;

/// Between two datagrams, unless a test says otherwise.
const GAP: Duration = Duration::from_millis(1);

#[expect(clippy::disallowed_methods, reason = "some beginning; all that counts is what passed since")]
fn some_start() -> Instant {
    Instant::now()
}

/// One datagram that arrived, times since the beginning.
#[derive(Debug, Hash)]
struct Arrival {
    number: u32,
    took: Duration,
    at: Duration,
    datagram: Vec<u8>,
}

struct Run {
    arrivals: Vec<Arrival>,
    stats: LineStats,
}

impl Run {
    /// Sends datagrams of 100 bytes at even distances.
    fn new(profile: &str, seed: u64, count: u32, gap: Duration) -> Self {
        let start = some_start();
        let mut line = Line::new(&Profile::parse(profile).unwrap(), seed, start);
        let mut run = Self { arrivals: Vec::new(), stats: LineStats::default() };
        for number in 0..count {
            let now = start + gap * number;
            run.receive(&mut line, start, Some(now));
            line.send(now, &original(number), (number, gap * number));
        }
        run.receive(&mut line, start, None);
        run.stats = line.stats();
        let LineStats { sent, delivered, lost, blacked_out, queue_full, too_big, duplicated, .. } = run.stats;
        assert_eq!(sent + duplicated, delivered + lost + blacked_out + queue_full + too_big);
        run
    }

    fn of(profile: &str) -> Self {
        Self::new(profile, 1, COUNT, GAP)
    }

    fn receive(&mut self, line: &mut Line<(u32, Duration)>, start: Instant, upto: Option<Instant>) {
        while let Some(due) = line.deadline().filter(|due| upto.is_none_or(|upto| *due <= upto)) {
            assert!(line.poll(due - Duration::from_nanos(1)).is_none(), "nothing comes early");
            let ((number, sent), datagram) = line.poll(due).unwrap();
            let at = due - start;
            self.arrivals.push(Arrival { number, took: at - sent, at, datagram });
        }
    }

    fn hash(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.arrivals.hash(&mut hasher);
        hasher.finish()
    }

    /// Lengths of the runs of datagrams that did not arrive.
    fn gaps(&self) -> Vec<u32> {
        let steps = self.arrivals.windows(2).map(|pair| pair[1].number - pair[0].number - 1);
        steps.filter(|missing| *missing > 0).collect()
    }

    fn numbers(&self) -> Vec<u32> {
        self.arrivals.iter().map(|arrival| arrival.number).collect()
    }
}

fn original(number: u32) -> [u8; 100] {
    let mut datagram = [0xa5; 100];
    datagram[..4].copy_from_slice(&number.to_be_bytes());
    datagram
}

fn flips(arrival: &Arrival) -> u32 {
    let pairs = arrival.datagram.iter().zip(original(arrival.number));
    pairs.map(|(got, sent)| (got ^ sent).count_ones()).sum()
}

/// That something with this probability happened that often in `of` tries.
#[track_caller]
fn assert_share(times: u64, of: u64, share: f64) {
    let expected = of as f64 * share;
    let bound = 4.0 * (expected * (1.0 - share)).sqrt();
    assert!(
        (times as f64 - expected).abs() <= bound,
        "{times} times of {of}, expected {expected} +- {bound}"
    );
}

#[track_caller]
fn assert_near(value: f64, expected: f64, bound: f64) {
    assert!((value - expected).abs() <= bound, "{value}, expected {expected} +- {bound}");
}

fn mean(values: impl ExactSizeIterator<Item = f64>) -> f64 {
    let count = values.len() as f64;
    values.sum::<f64>() / count
}

fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

#[test]
fn does_a_good_line_change_nothing() {
    let run = Run::of("{}");
    assert_eq!(run.numbers(), (0..COUNT).collect::<Vec<_>>());
    assert!(run.arrivals.iter().all(|a| a.took.is_zero() && a.datagram == original(a.number)));
    let counted = u64::from(COUNT);
    assert_eq!(run.stats, LineStats { sent: counted, delivered: counted, ..LineStats::default() });
}

#[test]
fn how_much_is_lost_each_by_itself() {
    let run = Run::of(r#"{ "loss_percent": 10 }"#);
    assert_share(run.stats.lost, u64::from(COUNT), 0.1);
    let gaps = run.gaps();
    assert_near(mean(gaps.iter().map(|gap| f64::from(*gap))), 1.0 / 0.9, 0.02);
}

#[test]
fn is_nothing_and_everything_lost_at_the_ends() {
    assert_eq!(Run::of(r#"{ "loss_percent": 0, "burst_ms": 20 }"#).stats.lost, 0);
    assert_eq!(Run::of(r#"{ "loss_percent": 100, "burst_ms": 20 }"#).stats.lost, u64::from(COUNT));
}

#[test]
fn how_long_are_bursts_and_how_much_do_they_take() {
    let run = Run::of(r#"{ "loss_percent": 10, "burst_ms": 20 }"#);
    // Bursts come together: the share varies as that of a (1 + e) / (1 - e) times shorter run, e being
    // the weight that is left of a state after 1 ms.
    let left = (-1.0_f64 / 18.0).exp();
    let bound = 4.0 * (0.09 / f64::from(COUNT) * (1.0 + left) / (1.0 - left)).sqrt();
    assert_near(run.stats.lost as f64 / f64::from(COUNT), 0.1, bound);

    // What is seen of a burst of 20 ms, looking each ms.
    let expected = 1.0 / (1.0 - 0.1 - 0.9 * left);
    let gaps = run.gaps();
    let bound = 4.0 * expected / (gaps.len() as f64).sqrt();
    assert_near(mean(gaps.iter().map(|gap| f64::from(*gap))), expected, bound);
    assert_near(expected, 20.0, 0.6);
}

#[test]
fn is_a_burst_as_long_for_a_fast_sender() {
    let tenth = GAP / 10;
    let run = Run::new(r#"{ "loss_percent": 50, "burst_ms": 20 }"#, 1, 10 * COUNT, tenth);
    let gaps = run.gaps();
    let in_ms = mean(gaps.iter().map(|gap| f64::from(*gap))) * ms(tenth);
    assert_near(in_ms, 20.0, 4.0 * 20.0 / (gaps.len() as f64).sqrt() + 0.1);
    let far_apart = Run::new(r#"{ "loss_percent": 50, "burst_ms": 20 }"#, 1, COUNT, GAP * 1000);
    assert_share(far_apart.stats.lost, u64::from(COUNT), 0.5);
    assert_near(mean(far_apart.gaps().iter().map(|gap| f64::from(*gap))), 2.0, 0.04);
}

#[test]
fn how_late_are_datagrams() {
    let run = Run::of(r#"{ "delay_ms": 50, "jitter_ms": 5 }"#);
    let took: Vec<f64> = run.arrivals.iter().map(|arrival| ms(arrival.took)).collect();
    assert!(took.iter().all(|took| (45.0..=55.0).contains(took)));
    let deviation = 5.0 / 3.0_f64.sqrt();
    assert_near(mean(took.iter().copied()), 50.0, 4.0 * deviation / f64::from(COUNT).sqrt());
    for tenth in 0..10 {
        let low = 45.0 + f64::from(tenth);
        let within = took.iter().filter(|took| (low..low + 1.0).contains(*took)).count();
        assert_share(within as u64, u64::from(COUNT), 0.1);
    }
    assert!(run.numbers().windows(2).any(|pair| pair[1] < pair[0]), "close ones overtake each other");
}

#[test]
fn is_the_order_kept_where_the_profile_says_so() {
    let run =
        Run::of(r#"{ "delay_ms": 50, "jitter_ms": 5, "jitter_order": "keep", "duplicate_percent": 5 }"#);
    assert!(run.numbers().is_sorted());
    assert!(run.arrivals.iter().all(|arrival| (45.0..=55.0).contains(&ms(arrival.took))));
}

#[test]
fn how_many_overtake_and_by_how_much() {
    let run = Run::of(r#"{ "delay_ms": 100, "reorder_percent": 25, "reorder_ms": 5 }"#);
    assert_share(run.stats.reordered, u64::from(COUNT), 0.25);
    let early = run.arrivals.iter().filter(|arrival| arrival.took == Duration::from_millis(95)).count();
    assert_eq!(early as u64, run.stats.reordered);
    assert!(run.arrivals.iter().all(|arrival| matches!(arrival.took.as_millis(), 95 | 100)));

    let skipping = Run::of(r#"{ "delay_ms": 100, "reorder_percent": 25 }"#);
    let at_once = skipping.arrivals.iter().filter(|arrival| arrival.took.is_zero()).count();
    assert_eq!(at_once as u64, skipping.stats.reordered);
}

#[test]
fn how_many_come_twice() {
    let run = Run::of(r#"{ "delay_ms": 5, "jitter_ms": 5, "duplicate_percent": 3 }"#);
    assert_share(run.stats.duplicated, u64::from(COUNT), 0.03);
    let mut copies = BTreeMap::<u32, u64>::new();
    run.arrivals.iter().for_each(|arrival| *copies.entry(arrival.number).or_default() += 1);
    assert_eq!(copies.len(), COUNT as usize);
    assert!(copies.values().all(|count| (1..=2).contains(count)));
    assert_eq!(copies.values().filter(|count| **count == 2).count() as u64, run.stats.duplicated);
}

#[test]
fn how_many_are_corrupted_and_how_much_of_them() {
    let run = Run::of(r#"{ "corrupt_percent": 20 }"#);
    assert_share(run.stats.corrupted, u64::from(COUNT), 0.2);
    assert!(run.arrivals.iter().all(|arrival| arrival.datagram.len() == 100));
    let mut by_flips = [0; 9];
    run.arrivals.iter().for_each(|arrival| by_flips[flips(arrival) as usize] += 1);
    assert_eq!(by_flips[1..].iter().sum::<u64>(), run.stats.corrupted);
    by_flips[1..].iter().for_each(|count| assert_share(*count, run.stats.corrupted, 0.125));
}

#[test]
fn how_many_are_cut_and_where() {
    let run = Run::of(r#"{ "truncate_percent": 20 }"#);
    assert_share(run.stats.truncated, u64::from(COUNT), 0.2);
    let cut: Vec<_> = run.arrivals.iter().filter(|arrival| arrival.datagram.len() < 100).collect();
    assert_eq!(cut.len() as u64, run.stats.truncated);
    assert!(cut.iter().all(|arrival| original(arrival.number).starts_with(&arrival.datagram)));
    let deviation = 100.0 / 12.0_f64.sqrt();
    let lengths = cut.iter().map(|arrival| arrival.datagram.len() as f64);
    assert_near(mean(lengths), 49.5, 4.0 * deviation / (cut.len() as f64).sqrt());
}

#[test]
fn is_the_rate_exact() {
    // 100 bytes each ms are 0.8 Mbit/s, twice what passes.
    let run = Run::of(r#"{ "rate_mbit": 0.4, "queue_ms": 100 }"#);
    let apart = run.arrivals.windows(2).map(|pair| pair[1].at - pair[0].at);
    assert!(apart.clone().all(|apart| apart == Duration::from_millis(2)));
    assert!(run.arrivals.iter().all(|arrival| arrival.took <= Duration::from_millis(102)));
    assert_eq!(run.stats.delivered, u64::from(COUNT) / 2 + 50);
    assert_eq!(run.stats.queue_full, u64::from(COUNT) - run.stats.delivered);

    let slower = Run::of(r#"{ "rate_mbit": 3, "delay_ms": 10 }"#);
    let way = Duration::from_millis(10) + Duration::from_nanos(266_666);
    assert!(slower.arrivals.iter().all(|arrival| arrival.took == way), "nothing waits below the rate");
}

#[test]
fn is_a_queue_of_bytes_as_long_as_said() {
    let start = some_start();
    let profile = Profile::parse(r#"{ "rate_mbit": 8, "queue_kbytes": 5 }"#).unwrap();
    let mut line = Line::new(&profile, 1, start);
    (0..100).for_each(|_| line.send(start, &[0; 1000], ()));
    assert_eq!(line.stats().queue_full, 94, "one passes and five wait");
    line.send(start + Duration::from_millis(1), &[0; 1000], ());
    assert_eq!(line.stats().queue_full, 94, "one place became free");
}

#[test]
fn is_what_is_too_long_dropped() {
    let start = some_start();
    let mut line = Line::new(&Profile::parse(r#"{ "mtu": 1200 }"#).unwrap(), 1, start);
    line.send(start, &[0; 1200], "fits");
    line.send(start, &[0; 1201], "does not");
    line.send(start, &[], "empty");
    assert_eq!(line.stats().too_big, 1);
    assert_eq!(line.poll(start), Some(("fits", vec![0; 1200])));
    assert_eq!(line.poll(start), Some(("empty", vec![])));
    assert_eq!((line.poll(start), line.deadline()), (None, None));
}

#[test]
fn does_a_blackout_drop_everything() {
    let blackouts = r#"{ "blackouts": { "every_ms": 1000, "length_ms": 100, "first_ms": 300 } }"#;
    let run = Run::of(blackouts);
    let out = |number: &u32| (300..400).contains(&(number % 1000));
    assert!(!run.numbers().iter().any(out));
    assert_eq!(run.numbers().len(), COUNT as usize / 10 * 9, "and nothing else");
    assert_eq!(run.stats.blacked_out, u64::from(COUNT) / 10);

    let later = Run::new(r#"{ "blackouts": { "every_ms": 1000, "length_ms": 1 } }"#, 1, 1002, GAP);
    assert_eq!(later.stats.blacked_out, 1, "the first comes after a whole period");
}

#[test]
fn does_a_blackout_drop_what_waits_in_the_queue() {
    let profile = r#"{ "rate_mbit": 0.08, "queue_ms": 1000,
        "blackouts": { "every_ms": 5000, "length_ms": 50, "first_ms": 20 } }"#;
    // Ten at once, one each 10 ms leaves: those at 20 to 60 ms are heard by nobody.
    let run = Run::new(profile, 1, 10, Duration::ZERO);
    assert_eq!(run.numbers(), [0, 6, 7, 8, 9]);
}

#[test]
fn when_does_the_port_change() {
    let start = some_start();
    let line = Line::<()>::new(&Profile::parse(r#"{ "rebind_every_ms": 1000 }"#).unwrap(), 1, start);
    let after = |ms| line.rebinds(start + Duration::from_millis(ms));
    assert_eq!([after(0), after(999), after(1000), after(1999), after(10_000)], [0, 0, 1, 1, 10]);
    let steady = Line::<()>::new(&Profile::parse("{}").unwrap(), 1, start);
    assert_eq!(steady.rebinds(start + Duration::from_secs(1 << 30)), 0);
}

#[test]
fn does_a_seed_say_everything() {
    let all = r#"{ "delay_ms": 40, "jitter_ms": 20, "loss_percent": 5, "burst_ms": 10,
        "reorder_percent": 5, "duplicate_percent": 5, "corrupt_percent": 5, "truncate_percent": 5,
        "rate_mbit": 0.81, "blackouts": { "every_ms": 3000, "length_ms": 100 } }"#;
    let trace = |seed| Run::new(all, seed, COUNT, GAP).hash();
    assert_eq!(trace(7), trace(7));
    assert_ne!(trace(7), trace(8));
}

#[test]
fn is_the_memory_of_a_line_bounded() {
    let start = some_start();
    let slow = Profile::parse(r#"{ "delay_ms": 86400000, "duplicate_percent": 50 }"#).unwrap();
    let mut small = Line::new(&slow, 1, start);
    (0..COUNT).for_each(|_| small.send(start, &[], ()));
    let queued = u64::from(COUNT) - small.stats().queue_full + small.stats().duplicated;
    assert_eq!(queued, MAX_QUEUED as u64);

    let mut large = Line::new(&slow, 1, start);
    (0..1000).for_each(|_| large.send(start, &[0; MAX_DATAGRAM], ()));
    let queued = 1000 - large.stats().queue_full + large.stats().duplicated;
    assert_eq!(queued, (MAX_QUEUED_BYTES / MAX_DATAGRAM) as u64);
    let far = start + Duration::from_secs(86_400);
    while large.poll(far).is_some() {}
    large.send(far, &[0; MAX_DATAGRAM], ());
    assert!(large.deadline().is_some(), "what left makes room");
}

#[test]
fn does_every_profile_carry_something_both_ways() {
    for name in Profile::names() {
        let profile = Profile::named(name).unwrap();
        for direction in [profile.forth(), profile.back()] {
            let start = some_start();
            let mut line = Line::new(&direction, 1, start);
            (0..1000).for_each(|number| line.send(start + GAP * 100 * number, &[0; 100], number));
            let arrived = std::iter::from_fn(|| line.deadline().and_then(|due| line.poll(due))).count();
            assert!(arrived > 600, "{name}: {arrived} of 1000");
        }
    }
}
