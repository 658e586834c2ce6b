//! Does a connection bear clocks and timers that are wrong?

use super::*;
use crate::transport::udp::proto::Retry;

/// Both sides say `lines` lines, `pause` apart.
fn chat(world: &mut World, keys: [ConnectionKey; 2], lines: std::ops::Range<u32>, pause: Duration) {
    for number in lines {
        for (host, key) in keys.into_iter().enumerate() {
            world.say(host, key, 0, number);
        }
        world.run(pause);
    }
}

#[track_caller]
fn assert_all_heard(world: &mut World, count: u32) {
    let all = |world: &World| (0..2).all(|host| world.heard(host, 0).len() == count as usize);
    world.run_until(seconds(20), all);
    for host in 0..2 {
        world.assert_heard(host, 0, count);
    }
}

const LOSSY: &str = r#"{"delay_ms": 50, "loss_percent": 10}"#;

#[test]
fn does_a_timer_that_is_late_cost_no_more_than_it_is_late() {
    let late = millis(50);
    let mut world = world(r#"{"delay_ms": 50}"#, 1);
    let keys @ [here, _] = world.connected();
    world.hosts.iter_mut().for_each(|host| host.timers = Timers::Late(late));
    chat(&mut world, keys, 0..20, millis(200));
    let stats = world.connection(0, here).stats();
    let said = world.now;
    world.black_out(&[0], said + millis(1));
    world.say(0, here, 0, 20);
    assert!(world.run_until(seconds(5), |world| world.heard(1, 0).len() == 21));
    let wait = stats.rtt + (stats.rtt_var * 4).max(stats.min_rtt / 8);
    let took = world.now - said;
    assert!(took <= millis(50) + wait + late + millis(1), "{took:?} {stats:?}");
}

#[test]
fn does_everything_arrive_when_all_timers_are_late() {
    for late in [1, 20, 50, 500] {
        let mut world = world(LOSSY, 3);
        let keys = world.connected();
        world.hosts.iter_mut().for_each(|host| host.timers = Timers::Late(millis(late)));
        chat(&mut world, keys, 0..100, millis(100));
        assert_all_heard(&mut world, 100);
    }
}

#[test]
fn does_asking_too_early_and_too_often_change_nothing() {
    let run = |timers| {
        let mut world = world(LOSSY, 4);
        world.hosts.iter_mut().for_each(|host| host.timers = timers);
        let keys = world.connected();
        chat(&mut world, keys, 0..100, millis(100));
        assert_all_heard(&mut world, 100);
        let start = world.start;
        let arrivals = world
            .hosts
            .each_ref()
            .map(|host| host.inbox.iter().map(|message| message.at - start).collect::<Vec<_>>());
        (arrivals, world.hosts.each_ref().map(|host| host.sent))
    };
    let exact = run(Timers::Exact);
    let often = run(Timers::Often(millis(1)));
    assert_eq!(exact.0, often.0);
    assert_eq!(exact.1, often.1);
}

#[test]
fn do_datagrams_that_come_in_do_the_work_of_a_timer_that_never_comes() {
    let mut world = world(LOSSY, 5);
    let keys = world.connected();
    world.hosts[0].timers = Timers::Never;
    chat(&mut world, keys, 0..300, millis(50));
    // The other side goes on, and with it everything else.
    for number in 300..400 {
        world.say(1, keys[1], 0, number);
        world.run(millis(50));
    }
    // Its last lines may be lost too; its own timers see to them.
    world.run(seconds(3));
    world.assert_heard(1, 0, 300);
    world.assert_heard(0, 0, 400);
    assert_eq!((world.end(0), world.end(1)), (None, None));
}

#[test]
fn does_everything_arrive_when_the_clock_runs_backwards_now_and_then() {
    let mut world = world(LOSSY, 6);
    world.hosts.iter_mut().for_each(|host| host.wobble = seconds(2));
    let keys @ [here, _] = world.connected();
    world.send(0, here, Lane::bulk(9), vec![9; 100_000]);
    chat(&mut world, keys, 0..100, millis(100));
    assert_all_heard(&mut world, 100);
    world.run(seconds(60));
    assert_eq!((world.end(0), world.end(1)), (None, None));
}

/// What a connection was in the middle of when the machine fell asleep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Busy {
    Not,
    WithALine,
    WithAFile,
    WithoutCredit,
    Finishing,
}

/// What happens first when it wakes up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum First {
    ATimer,
    ALine,
    Noise,
}

/// Both hosts sleep for `slept`, then go on. All `keys` must be there and work.
fn sleep(busy: Busy, first: First, slept: Duration) {
    let mut world = world(r#"{"delay_ms": 50, "rate_mbit": 20, "queue_ms": 100}"#, 7);
    let pairs: Vec<[ConnectionKey; 2]> = (0..5).map(|_| world.connected()).collect();
    world.run(seconds(3));
    world.hosts[1].reads = busy != Busy::WithoutCredit;
    for [here, _] in pairs.clone() {
        match busy {
            Busy::Not => {}
            Busy::WithALine => world.send(0, here, Lane::thin(1), line(1, 0)),
            Busy::WithAFile => world.send(0, here, Lane::bulk(9), vec![9; 1 << 20]),
            Busy::WithoutCredit => (0..10).for_each(|_| world.send(0, here, Lane::bulk(9), vec![9; 30_000])),
            Busy::Finishing => {
                let now = world.now;
                world.connection(0, here).finish(1, "", now);
            }
        }
    }
    world.run(if busy == Busy::WithoutCredit { seconds(1) } else { millis(20) });
    world.now += slept;
    for [here, there] in pairs.clone() {
        match first {
            First::ATimer => {}
            First::ALine if busy == Busy::Finishing => world.say(1, there, 2, 0),
            First::ALine => world.say(0, here, 2, 0),
            First::Noise => {
                let cid = world.connection(0, here).local_cids().next().unwrap();
                let mut noise = [&[0x40][..], cid.as_bytes(), &[1; 60]].concat();
                let (from, to) = (world.hosts[1].addr, world.hosts[0].addr);
                world.arrive(from, to, None, &mut noise);
            }
        }
    }
    world.run(seconds(9));
    world.hosts[1].reads = true;
    for [_, there] in pairs.clone().into_iter().filter(|_| busy == Busy::Finishing) {
        let now = world.now;
        world.connection(1, there).consumed(0, true, now);
    }
    world.settle();
    for [_, there] in pairs.clone() {
        world.say(1, there, 3, 0);
    }
    world.run(seconds(9));
    assert_eq!((world.end(0), world.end(1)), (None, None), "{busy:?} {first:?} {slept:?}");
    assert_eq!(world.heard(0, 3).len(), pairs.len(), "{busy:?} {first:?} {slept:?}");
    let bulk = world.hosts[1].inbox.iter().filter(|message| message.class == Class::Bulk).count();
    let expected = match busy {
        Busy::WithAFile => pairs.len(),
        Busy::WithoutCredit => pairs.len() * 10,
        _ => 0,
    };
    assert_eq!(bulk, expected, "{busy:?} {first:?} {slept:?}");
}

#[test]
fn do_connections_live_through_an_hour_of_sleep() {
    for busy in [Busy::Not, Busy::WithALine, Busy::WithAFile, Busy::WithoutCredit, Busy::Finishing] {
        for first in [First::ATimer, First::ALine, First::Noise] {
            sleep(busy, first, seconds(3600));
            sleep(busy, first, seconds(20));
        }
    }
}

#[test]
fn does_who_slept_alone_ask_before_it_gives_up() {
    let mut world = world(r#"{"delay_ms": 50}"#, 8);
    world.connected();
    world.run(seconds(1));
    world.hosts[0].timers = Timers::Never;
    world.black_out(&[0, 1], world.now + seconds(3600));
    world.run(seconds(3600));
    assert!(matches!(world.end(1), Some(End::Silent(_))), "{:?}", world.end(1));
    let (before, woke) = (world.hosts[0].sent.0, world.now);
    world.hosts[0].timers = Timers::Exact;
    assert!(world.run_until(seconds(5), |world| world.end(0).is_some()));
    assert!(world.hosts[0].sent.0 > before, "it asked");
    assert_eq!(world.end(0), Some(&End::Reset), "and was told that nobody there knows it");
    assert_eq!(world.now - woke, millis(100));
}

#[test]
fn does_everything_work_after_60_days() {
    let hour = seconds(3600);
    let config = Config { idle_timeout: 3 * hour, keep_alive: hour, ..Config::default() };
    let profile = Profile::parse(r#"{"delay_ms": 50, "loss_percent": 5}"#).unwrap();
    let mut world = World::with(&profile, 9, [config.clone(), config]);
    let keys @ [here, there] = world.connected();
    let hours = 60 * 24;
    chat(&mut world, keys, 0..hours, hour);
    for (host, key) in keys.into_iter().enumerate() {
        world.assert_heard(host, 0, hours);
        let stats = world.connection(host, key).stats();
        assert!(stats.rtt >= millis(100) && stats.rtt < millis(120), "{stats:?}");
        assert!(stats.key_updates > u64::from(hours) / 2, "{stats:?}");
        assert_eq!((stats.forged, stats.malformed), (0, 0));
    }
    let said = world.now;
    world.tamper = None;
    world.say(0, here, 1, 0);
    world.say(1, there, 1, 0);
    assert!(world.run_until(seconds(2), |world| (0..2).all(|host| !world.heard(host, 1).is_empty())));
    assert!(world.now - said < seconds(1));
    // Strangers are let in as ever, with and without a proof of their address.
    world.connected();
    world.hosts[1].endpoint.set_retry(Retry::Always);
    world.connected();
}
