use super::model::{Outcome, Setup, conditions, message, run, start};
use super::*;
use crate::transport::udp::proto::rtt::Mean;

fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn rows(loss: f64) -> Vec<(Setup, Outcome)> {
    let mut rows = Vec::new();
    for rtt in [50, 200] {
        for every in [500, 100] {
            let setup = Setup {
                rtt: millis(rtt),
                loss,
                every: millis(every),
                messages: 20_000,
                connections: 1,
                max_copies: 3,
                bottleneck: None,
            };
            let outcome = run(setup, rtt + every);
            assert_eq!(outcome.latencies.len(), 20_000);
            rows.push((setup, outcome));
        }
    }
    rows
}

#[test]
fn clean_line_carries_no_copies() {
    for (setup, mut outcome) in rows(0.0) {
        assert_eq!((outcome.copies, outcome.rounds, outcome.packets), (0, 0, 20_000));
        assert!(outcome.quantile(1.0) <= setup.rtt / 2 + millis(1));
    }
}

#[test]
fn tenth_lost_delays_few() {
    for (setup, mut outcome) in rows(0.1) {
        assert!(outcome.quantile(0.99) <= setup.rtt / 2 + millis(15));
        assert!(outcome.quantile(0.999) <= setup.rtt * 3 / 2 + millis(15));
        assert!(outcome.cost() < 4.5);
    }
}

#[test]
fn third_lost_costs_one_round_trip_more() {
    for (setup, mut outcome) in rows(0.3) {
        assert!(outcome.quantile(0.99) <= setup.rtt * 3 / 2 + millis(15));
        assert!(outcome.cost() < 4.5);
    }
}

/// 50 chats that need 209 of 256 kbit/s without any copy, before a queue of one second.
fn shared_bottleneck(loss: f64, max_copies: u8, seed: u64) -> Outcome {
    let setup = Setup {
        rtt: millis(50),
        loss,
        every: millis(500),
        messages: 240,
        connections: 50,
        max_copies,
        bottleneck: Some((32_000, 32_000)),
    };
    run(setup, seed)
}

/// Packets sent, packets that the queue had no room for, and mean milliseconds in it, summed over some
/// seeds: one run differs from the next by 4 %.
fn harm(loss: f64, max_copies: u8) -> [f64; 3] {
    (1..=8).map(|seed| shared_bottleneck(loss, max_copies, seed)).fold(
        [0.0; 3],
        |[sent, lost, queue], run| {
            let waited = run.mean_queue().as_secs_f64() * 1000.0;
            [sent + run.packets as f64, lost + run.overflowed as f64, queue + waited]
        },
    )
}

/// Without brakes three to seven times as many packets are sent here.
#[test]
fn shared_bottleneck_is_not_filled_with_copies() {
    let clean = shared_bottleneck(0.0, 3, 1);
    assert_eq!((clean.copies, clean.rounds, clean.overflowed), (0, 0, 0));
    for loss in [0.01, 0.03, 0.1] {
        let (without, with) = (harm(loss, 1), harm(loss, 3));
        assert!(with[0] <= without[0] * 1.05, "sent");
        assert!(with[1] <= without[1] * 1.25, "lost");
        assert!(with[2] <= without[2] * 1.10, "queue");
    }
}

/// A path that lost every `n`th of the last packets; none when `n` is 0.
fn lossy(n: u64) -> LossEstimate {
    let mut estimate = LossEstimate::default();
    for pn in 0..256 {
        if n > 0 && pn % n == 0 {
            estimate.on_lost(pn, start());
        } else {
            estimate.on_acked(pn, start());
        }
    }
    estimate
}

/// What leaves until `end`, with the milliseconds since the start, when timers are served on time.
fn drain(thin: &mut Thin, end: u64, conditions: &Conditions) -> Vec<(u128, Due)> {
    let mut sent = Vec::new();
    while let Some(now) = thin.deadline().filter(|at| *at <= start() + millis(end)) {
        if let Some((_, due)) = thin.next(now, usize::MAX, conditions) {
            sent.push(((now - start()).as_millis(), due));
        }
    }
    sent
}

#[test]
fn copies_follow_the_loss() {
    let target = |n, round, unanswered| conditions(&lossy(n)).target(round, unanswered, 0, 3);
    assert_eq!([0, 250, 50, 10, 3].map(|n| target(n, 0, 0)), [1, 2, 2, 3, 3]);
    assert_eq!([0, 1, 2, 3, 4, 1000].map(|round| target(0, round, 1)), [1, 2, 3, 3, 1, 1]);
    assert_eq!([0, 1, 2, 3, 4].map(|round| target(3, round, 3)), [3, 3, 4, 4, 1]);
    assert_eq!(conditions(&lossy(1)).target(0, 0, 0, 0), 1);
    let behind = |waiting| conditions(&lossy(100)).target(0, 0, waiting, 3);
    assert_eq!([0, 2, 30, 1000, usize::MAX].map(behind), [2, 2, 3, 3, 3]);
}

#[test]
fn silence_that_loss_does_not_explain_is_not_answered_with_copies() {
    let most =
        |n| (0..100).take_while(|unanswered| conditions(&lossy(n)).target(1, *unanswered, 0, 3) > 1).last();
    assert_eq!([0, 50, 10, 3, 1].map(most), [Some(1), Some(2), Some(4), Some(10), Some(99)]);
}

#[test]
fn single_message_keeps_its_schedule() {
    let loss = lossy(10);
    let mut thin = Thin::new(1, 3);
    thin.on_sent(message(0), 206, start(), &conditions(&loss));
    use Due::{Copy, Round};
    // 50 + 4 x 1 ms, and one gap; half a millisecond is not shown.
    let expected = [(4, Copy), (9, Copy), (58, Round), (63, Copy), (67, Copy), (117, Round), (171, Round)];
    assert_eq!(drain(&mut thin, 180, &conditions(&loss)), expected);
    thin.on_acked(message(0));
    assert_eq!((thin.deadline(), thin.unacked(), thin.rounds_failing()), (None, 0, 0));
    assert_eq!((thin.copies(), thin.rounds()), (4, 3));
}

#[test]
fn blackout_is_not_answered_with_a_flood() {
    for (n, srtt) in [(0, 50), (10, 50), (3, 50), (3, 1), (3, 300), (0, 0)] {
        let loss = lossy(n);
        let conditions = Conditions {
            srtt: millis(srtt),
            prompt: Mean { smoothed: millis(srtt), ..conditions(&loss).prompt },
            min_rtt: millis(srtt),
            ..conditions(&loss)
        };
        let mut thin = Thin::new(7, 3);
        thin.on_sent(message(0), 206, start(), &conditions);
        let sent = drain(&mut thin, 60_000, &conditions);
        assert!((20..59).contains(&sent.len()), "{n} {srtt}: {}", sent.len());
        let late = sent.windows(2).map(|pair| pair[1].0 - pair[0].0).max();
        assert!(late <= Some(3300), "{late:?}");
    }
}

#[test]
fn backoff_ends_with_an_acknowledgement() {
    let loss = lossy(0);
    let mut thin = Thin::new(7, 3);
    (0..2).for_each(|seq| thin.on_sent(message(seq), 206, start(), &conditions(&loss)));
    drain(&mut thin, 25_000, &conditions(&loss));
    assert!(thin.rounds_failing() > LINEAR_ROUNDS);
    thin.on_acked(message(0));
    assert_eq!(thin.rounds_failing(), 0);
    let healed = start() + millis(25_000);
    (0..100).for_each(|_| assert!(thin.on_copy_lost(message(1), healed)));
    assert_eq!(thin.next(healed, usize::MAX, &conditions(&loss)), Some((message(1), Due::Round)));
    assert_eq!(thin.deadline(), Some(healed + LEAST_GAP));
}

#[test]
fn sign_of_life_ends_the_wait_of_one() {
    let loss = lossy(0);
    let mut thin = Thin::new(7, 3);
    (0..9).for_each(|seq| thin.on_sent(message(seq), 206, start(), &conditions(&loss)));
    drain(&mut thin, 25_000, &conditions(&loss));
    let healed = start() + millis(25_000);
    thin.on_heard(healed);
    thin.on_heard(healed);
    assert!(thin.next(healed, usize::MAX, &conditions(&loss)).is_some());
    assert_eq!(thin.next(healed, usize::MAX, &conditions(&loss)), None);
    // What is heard says nothing of the way there: no second message for it without an acknowledgement.
    thin.on_heard(healed + millis(1));
    assert_eq!(thin.next(healed + millis(1), usize::MAX, &conditions(&loss)), None);
}

#[test]
fn in_silence_every_packet_is_full_of_what_waits_longest() {
    let loss = lossy(0);
    let conditions = conditions(&loss);
    let mut thin = Thin::new(7, 3);
    (0..9).for_each(|seq| thin.on_sent(message(seq), 206, start() + millis(10 * seq), &conditions));
    let timeout = conditions.timeout().as_millis() as u64;
    let silent = start() + millis(2 * timeout);
    assert!(drain(&mut thin, 2 * timeout - 1, &conditions).len() >= 9);
    assert!(!thin.is_silent(silent - millis(1)) && thin.is_silent(silent));
    let packet: Vec<_> = std::iter::from_fn(|| thin.bundle(silent, 1000, &[])).collect();
    assert!(packet.first() == Some(&message(0)) && packet.is_sorted() && packet.len() > 4, "{packet:?}");
    let later = |at| silent + millis(at);
    assert!(!std::iter::from_fn(|| thin.bundle(later(timeout / 2 - 1), 1000, &[])).any(|r| r == message(0)));
    assert_eq!(thin.bundle(later(timeout / 2 + 1), 1000, &[]), Some(message(0)));
    thin.on_acked(message(8));
    assert!(!thin.is_silent(silent + millis(timeout)));
}

#[test]
fn loss_told_by_acknowledgements_starts_one_round_only() {
    let loss = lossy(10);
    let mut thin = Thin::new(1, 3);
    let r = message(0);
    thin.on_sent(r, 206, start(), &conditions(&loss));
    // A copy is owed still.
    assert!(thin.on_copy_lost(r, start() + millis(1)));
    assert_eq!(thin.next(start() + millis(1), usize::MAX, &conditions(&loss)), None);
    assert_eq!(drain(&mut thin, 20, &conditions(&loss)).len(), 2);
    // One copy is in flight still.
    assert!(thin.on_copy_lost(r, start() + millis(30)));
    assert_eq!(thin.next(start() + millis(30), usize::MAX, &conditions(&loss)), None);
    assert!(thin.on_copy_lost(r, start() + millis(31)));
    assert_eq!(thin.next(start() + millis(31), usize::MAX, &conditions(&loss)), Some((r, Due::Round)));
    // The deadline of the round before is gone.
    assert_eq!(drain(&mut thin, 80, &conditions(&loss)).len(), 2);
    assert_eq!(thin.deadline(), Some(start() + millis(31 + 54) + LEAST_GAP));
}

#[test]
fn copies_ride_in_other_packets() {
    let loss = lossy(10);
    let mut thin = Thin::new(1, 3);
    (0..3).for_each(|seq| thin.on_sent(message(seq), 206, start(), &conditions(&loss)));
    assert_eq!(thin.bundle(start() + millis(1), 1200, &[]), None);
    let now = start() + millis(3);
    assert_eq!(thin.bundle(now, 205, &[]), None);
    assert_eq!(thin.bundle(now, 206, &[message(0), message(1)]), Some(message(2)));
    assert_eq!(thin.bundle(now, 206, &[message(0), message(1)]), None);
    assert_eq!(thin.copies(), 1);
}

#[test]
fn hearsay_is_believed_more_where_many_wait() {
    let hearsay = LossView { is_hearsay: true, ..lossy(100).view() };
    let conditions = Conditions { p: hearsay, ..conditions(&lossy(100)) };
    let copies = |waiting| conditions.target(0, 0, waiting, 3);
    assert_eq!([copies(0), copies(16), copies(17)], [2, 2, 3]);
}

#[test]
fn brakes_stop_copies_and_never_rounds() {
    let loss = lossy(10);
    let marked = Conditions { marked: Some(start()), srtt: millis(50), ..conditions(&loss) };
    let mut thin = Thin::new(1, 3);
    thin.on_sent(message(0), 206, start(), &marked);
    assert_eq!(thin.bundle(start() + millis(4), 1200, &[]), None);
    assert_eq!(drain(&mut thin, 60, &marked), [(58, Due::Round)]);
}

#[test]
fn copies_leave_further_apart_than_bursts_last() {
    let mut bursty = LossEstimate::default();
    for pn in 0..200 {
        let sent = start() + millis(pn * 5);
        if pn % 20 < 3 {
            bursty.on_lost(pn, sent);
        } else {
            bursty.on_acked(pn, sent);
        }
    }
    let gap = |p, srtt| Conditions { srtt: millis(srtt), ..conditions(p) }.gap(0);
    assert!((millis(20)..millis(25)).contains(&gap(&bursty, 200)), "{:?}", gap(&bursty, 200));
    assert_eq!(gap(&bursty, 40), millis(10));
    assert_eq!(gap(&bursty, 4), LEAST_GAP);
    assert_eq!(gap(&lossy(0), 200), LEAST_GAP);
}

#[test]
fn each_copy_in_a_burst_waits_twice_as_long_as_the_one_before() {
    let bursty = LossView { burst: millis(5), ..lossy(10).view() };
    let mut thin = Thin::new(1, 3);
    let conditions = Conditions { p: bursty, ..conditions(&lossy(10)) };
    thin.on_sent(message(0), 206, start(), &conditions);
    assert_eq!(drain(&mut thin, 49, &conditions), [(10, Due::Copy), (30, Due::Copy)]);
}

#[test]
fn learnt_reordering_and_clean_paths_put_the_deadline_off() {
    let wait = |n, reo_wnd| {
        let (loss, reo_wnd) = (lossy(n), millis(reo_wnd));
        Conditions { reo_wnd, ..conditions(&loss) }.wait(0, 1, Duration::ZERO, 0).as_millis()
    };
    assert_eq!([wait(0, 6), wait(10, 6), wait(10, 20)], [56, 54, 70]);
}

#[test]
fn late_and_early_timers_do_no_harm() {
    let loss = lossy(10);
    let mut thin = Thin::new(1, 3);
    thin.on_sent(message(0), 206, start() + millis(10), &conditions(&loss));
    assert_eq!(thin.next(start(), usize::MAX, &conditions(&loss)), None);
    let late = start() + millis(120);
    assert_eq!(thin.next(late, usize::MAX, &conditions(&loss)), Some((message(0), Due::Round)));
    assert_eq!(thin.next(late, usize::MAX, &conditions(&loss)), None);
}

#[test]
fn many_messages_each_have_their_turn() {
    let loss = lossy(0);
    let mut thin = Thin::new(1, 3);
    (0..4096).for_each(|seq| thin.on_sent(message(seq), 206, start(), &conditions(&loss)));
    let now = start() + millis(56);
    let due = std::iter::from_fn(|| thin.next(now, usize::MAX, &conditions(&loss))).count();
    assert_eq!((due, thin.unacked()), (4096, 4096));
    (0..4096).for_each(|seq| thin.on_acked(message(seq)));
    assert_eq!((thin.unacked(), thin.deadline()), (0, None));
}

#[test]
fn senseless_numbers_do_not_panic() {
    let loss = lossy(1);
    let extremes = [Duration::ZERO, Duration::from_nanos(1), Duration::MAX];
    for srtt in extremes {
        for other in extremes {
            let conditions = Conditions {
                srtt,
                prompt: Mean { smoothed: srtt, var: other },
                jitter: Some(other),
                lately: other,
                most_lately: other,
                settled: Some(other),
                min_rtt: other,
                reo_wnd: srtt,
                bandwidth: Some(u64::MAX),
                marked: Some(start()),
                p: loss.view(),
            };
            let mut thin = Thin::new(u64::MAX, u8::MAX);
            thin.on_sent(message(0), usize::MAX, start(), &conditions);
            assert!(thin.on_copy_lost(message(0), start()));
            assert!(!thin.on_copy_lost(message(9), start()));
            (0..100).for_each(|step| _ = thin.next(start() + millis(step), usize::MAX, &conditions));
            thin.on_heard(start());
            thin.on_acked(message(0));
            thin.on_acked(message(0));
        }
    }
}
