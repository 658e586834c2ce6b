use std::time::Duration;

use super::*;

#[test]
fn a_loss_that_was_none_is_undone() {
    let mut bench = Bench::reduced_to(70);
    bench.ack();
    let before = bench.cubic.state;
    let sent = bench.now;
    bench.wait(RTT);
    bench.lose(sent, 2);
    assert_ne!(bench.cubic.state.window, before.window);
    bench.cubic.on_spurious(bench.now, sent);
    assert_ne!(bench.cubic.state.window, before.window, "one is still missing");
    bench.cubic.on_spurious(bench.now, sent);
    let after = bench.cubic.state;
    assert_eq!((after.window, after.threshold), (before.window, before.threshold));
    assert_eq!((after.epoch, after.w_max), (before.epoch, before.w_max));
    assert_eq!(after.recovery_start, before.recovery_start);
}

#[test]
fn an_undone_reduction_returns_to_slow_start() {
    let mut bench = Bench::new();
    bench.lose(bench.now, 1);
    bench.cubic.on_spurious(bench.now, bench.now);
    assert!(bench.cubic.in_slow_start());
    assert_eq!(bench.window(), 12_000);
}

#[test]
fn undoing_never_shrinks_the_window() {
    let mut bench = Bench::reduced_to(70);
    let sent = bench.now;
    bench.lose(sent, 1);
    bench.cubic.state.window = 200_000.0;
    bench.cubic.on_spurious(bench.now, sent);
    assert_eq!(bench.window(), 200_000);
}

#[test]
fn later_losses_of_a_round_must_turn_up_as_well() {
    let mut bench = Bench::new();
    let sent = bench.now;
    bench.wait(RTT);
    bench.lose(sent, 1);
    bench.lose(sent, 1);
    bench.cubic.on_spurious(bench.now, sent);
    assert_eq!(bench.window(), 8_400);
    bench.cubic.on_spurious(bench.now, sent);
    assert_eq!(bench.window(), 12_000);
}

#[test]
fn only_what_caused_the_last_reduction_undoes_it() {
    let mut bench = Bench::reduced_to(70);
    let old = bench.cubic.state.recovery_start.unwrap();
    bench.lose(bench.now, 1);
    let reduced = bench.now;
    bench.wait(RTT);
    bench.cubic.on_spurious(bench.now, old);
    bench.cubic.on_spurious(bench.now, reduced + Duration::from_nanos(1));
    assert_eq!(bench.window(), 49 * MTU);
    bench.cubic.on_spurious(bench.now, reduced);
    assert_eq!(bench.window(), 70 * MTU);
}

#[test]
fn a_mark_reduces_for_good() {
    let mut bench = Bench::new();
    let sent = bench.now;
    bench.wait(RTT);
    bench.cubic.on_ecn(bench.now, sent);
    bench.cubic.on_spurious(bench.now, sent);
    bench.cubic.on_stall();
    assert_eq!(bench.window(), 8_400);

    let mut bench = Bench::new();
    bench.lose(bench.now, 1);
    bench.cubic.on_ecn(bench.now, bench.now);
    bench.cubic.on_spurious(bench.now, bench.now);
    assert_eq!(bench.window(), 8_400, "a loss that came with a mark was congestion");
}

#[test]
fn a_stall_is_forgiven_as_long_as_it_lasts() {
    let mut bench = Bench::new();
    let loss = LossSample { now: bench.now, bytes: 9 * MTU, sent: bench.now, persistent: true };
    bench.cubic.on_loss(&loss);
    bench.cubic.on_stall();
    assert_eq!(bench.window(), 12_000);
    bench.cubic.on_stall();
    assert_eq!(bench.window(), 12_000);

    bench.lose(bench.now, 1);
    bench.wait(RTT);
    bench.ack();
    let before = bench.window();
    bench.cubic.on_stall();
    assert_eq!(bench.window(), before, "that loss was another matter");
}

#[test]
fn steps_of_the_round_trip_and_stalls_leave_no_permanent_damage() {
    // Every second round a stall makes the whole window look lost, and all of it turns up.
    let mut bench = Bench::reduced_to(70);
    for _ in 0..200 {
        let (sent, window) = (bench.now, bench.window());
        bench.wait(5 * RTT);
        bench.lose(sent, window / MTU);
        for _ in 0..=window / MTU {
            bench.cubic.on_spurious(bench.now, sent);
        }
        assert_eq!(bench.window(), window);
        bench.ack();
    }
    assert!(bench.window() > 70 * MTU);
}
