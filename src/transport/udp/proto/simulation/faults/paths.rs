//! Does a connection get along with paths that change, stall, reorder and lose in bursts?

use std::{cell::RefCell, collections::BTreeMap, rc::Rc};

use super::*;
use crate::transport::udp::proto::Stats;

/// Bytes of file that host 1 got within `time`, while host 0 always has more.
fn throughput(world: &mut World, key: ConnectionKey, time: Duration) -> usize {
    const CHUNK: usize = 64 << 10;
    let until = world.now + time;
    let before = world.hosts[1].inbox.len();
    while world.now < until {
        while world.connection(0, key).has_room(Class::Bulk, CHUNK) {
            world.send(0, key, Lane::bulk(9), vec![9; CHUNK]);
        }
        world.run(millis(20));
    }
    let bytes = world.hosts[1].inbox[before..].iter().map(|message| message.bytes.len()).sum();
    world.hosts[1].inbox.clear();
    bytes
}

fn profile(text: &str) -> Profile {
    Profile::parse(text).unwrap()
}

/// Bytes that a link carries, framing aside.
fn capacity(megabits: usize, time: Duration) -> usize {
    megabits * 1_000_000 / 8 * time.as_secs() as usize
}

#[test]
fn does_a_file_keep_its_rate_when_the_round_trip_steps_up_and_down() {
    let near = profile(r#"{"delay_ms": 10, "rate_mbit": 10, "queue_ms": 200}"#);
    let far = profile(r#"{"delay_ms": 150, "rate_mbit": 10, "queue_ms": 200}"#);
    let mut world = World::new(&near, 1);
    let [here, _] = world.connected();
    throughput(&mut world, here, seconds(5));
    for (step, path) in [&far, &near, &far, &near].into_iter().enumerate() {
        world.reroute(path, step as u64);
        throughput(&mut world, here, seconds(8));
        let got = throughput(&mut world, here, seconds(4));
        assert!(got > capacity(10, seconds(4)) * 7 / 10, "step {step}: {got} {:?}", stats(&mut world, here));
    }
}

#[test]
fn does_a_file_keep_its_rate_when_the_radio_stalls_again_and_again() {
    let mut world = World::new(&profile(r#"{"delay_ms": 20, "rate_mbit": 10, "queue_ms": 600}"#), 1);
    let [here, _] = world.connected();
    throughput(&mut world, here, seconds(5));
    let mut got = 0;
    for _ in 0..4 {
        world.held_until = Some(world.now + millis(500));
        got += throughput(&mut world, here, seconds(5));
    }
    assert!(got > capacity(10, seconds(20)) * 7 / 10, "{got} {:?}", stats(&mut world, here));
}

#[test]
fn does_a_file_get_through_where_each_packet_takes_another_time() {
    let mut world =
        World::new(&profile(r#"{"delay_ms": 100, "jitter_ms": 100, "rate_mbit": 10, "queue_ms": 200}"#), 1);
    let [here, _] = world.connected();
    throughput(&mut world, here, seconds(10));
    let before = stats(&mut world, here);
    let got = throughput(&mut world, here, seconds(10));
    let after = stats(&mut world, here);
    assert!(before.spurious > 0, "what was late was taken for lost at first: {before:?}");
    // A twentieth of the link: the window stays above the first one, though each loss that is none is
    // only noticed a round trip later.
    assert!(after.window >= 12_000 && got > capacity(10, seconds(10)) / 20, "{got} {after:?}");
}

fn stats(world: &mut World, key: ConnectionKey) -> Stats {
    world.connection(0, key).stats()
}

#[test]
fn are_packets_that_are_overtaken_by_5_ms_hardly_ever_taken_for_lost() {
    // The path of quinn issue 2711, where 65 % were.
    let path =
        r#"{"delay_ms": 100, "reorder_percent": 25, "reorder_ms": 5, "rate_mbit": 20, "queue_ms": 200}"#;
    let mut world = World::new(&profile(path), 1);
    let [here, _] = world.connected();
    throughput(&mut world, here, seconds(5));
    let before = stats(&mut world, here);
    let got = throughput(&mut world, here, seconds(10));
    let after = stats(&mut world, here);
    let (spurious, sent) = (after.spurious - before.spurious, after.packets_sent - before.packets_sent);
    assert!(sent > 10_000 && spurious * 100 < sent, "{spurious} of {sent}");
    assert!(got > capacity(20, seconds(10)) * 7 / 10, "{got} {after:?}");
}

/// What is lost of the only line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lost {
    TheLine,
    ItsAck,
    Both,
}

#[test]
fn is_a_lone_line_late_by_the_formula_and_silence_silent() {
    for lost in [Lost::TheLine, Lost::ItsAck, Lost::Both] {
        let mut world = world(r#"{"delay_ms": 50}"#, 1);
        let keys @ [here, _] = world.connected();
        // Enough to know the path well, and then nothing for a while.
        for number in 0..30 {
            world.say(0, keys[0], 0, number);
            world.run(millis(200));
        }
        world.run(seconds(2));
        let known = stats(&mut world, here);
        let wait = known.rtt + (known.rtt_var * 4).max(millis(1)).max(known.min_rtt / 8);
        let mut left = match lost {
            Lost::TheLine => [1, 0],
            Lost::ItsAck => [0, 1],
            Lost::Both => [1, 1],
        };
        world.tamper = Some(Box::new(move |host, _, _| {
            let passes = left[host] == 0;
            left[host] -= usize::from(!passes);
            passes
        }));
        let (said, before) = (world.now, [world.hosts[0].sent.0, world.hosts[1].sent.0]);
        world.say(0, here, 0, 30);
        assert!(world.run_until(seconds(5), |world| world.heard(1, 0).len() == 31));
        let took = world.now - said;
        let formula = millis(50) + if lost == Lost::ItsAck { Duration::ZERO } else { wait };
        assert!(took <= formula + millis(1), "{lost:?}: {took:?}, by the formula {formula:?}");
        world.run(seconds(3));
        let sent = [0, 1].map(|host| world.hosts[host].sent.0 - before[host]);
        assert!(sent[0] <= 6 && sent[1] <= 6, "{lost:?}: {sent:?}");
        // Nobody asks after something for ever.
        world.run(seconds(7));
        assert_eq!([0, 1].map(|host| world.hosts[host].sent.0 - before[host]), sent, "{lost:?}");
        world.assert_heard(1, 0, 31);
    }
}

/// When each packet with line `number` left host 0.
fn departures(burst_ms: u32, loss_percent: u32) -> BTreeMap<u32, Vec<Instant>> {
    let mut world = world(
        &format!(r#"{{"delay_ms": 100, "loss_percent": {loss_percent}, "burst_ms": {burst_ms}}}"#),
        u64::from(burst_ms + loss_percent),
    );
    let [here, _] = world.connected();
    let left: Rc<RefCell<BTreeMap<u32, Vec<Instant>>>> = Rc::default();
    let log = left.clone();
    world.tamper = Some(Box::new(move |host, now, datagram| {
        // Lines are marked, and without secrets they can be read on the way.
        let marks = datagram.windows(12).filter(|window| window.starts_with(b"a line: "));
        let numbers: Vec<u32> = marks.map(|mark| u32::from_be_bytes(mark[8..].try_into().unwrap())).collect();
        for number in numbers.iter().filter(|_| host == 0) {
            let mut log = log.borrow_mut();
            let times = log.entry(*number).or_default();
            assert_ne!(times.last(), Some(&now), "line {number} left twice at once");
            times.push(now);
        }
        true
    }));
    for number in 0..600_u32 {
        let mut line = [&b"a line: "[..], &number.to_be_bytes()].concat();
        line.resize(200, 7);
        world.send(0, here, Lane::thin(0), line);
        world.run(millis(100));
    }
    world.run(seconds(10));
    assert_eq!(world.hosts[1].inbox.len(), 600, "{burst_ms} ms, {loss_percent} %");
    world.tamper = None;
    left.take()
}

#[test]
fn do_copies_leave_apart_from_each_other_so_that_a_burst_takes_one() {
    for loss_percent in [1, 10, 30] {
        let mut means = Vec::new();
        for burst_ms in [2, 20, 100] {
            let left = departures(burst_ms, loss_percent);
            // The first lines are how the bursts become known. A copy may ride along up to half its gap
            // early, and a gap is 5 ms at least.
            let gaps: Vec<Duration> = left
                .range(200..)
                .flat_map(|(_, times)| times.windows(2).map(|pair| pair[1] - pair[0]))
                .collect();
            let least = gaps.iter().min().copied().unwrap_or(Duration::MAX);
            assert!(least >= Duration::from_micros(2500), "{burst_ms} ms, {loss_percent} %: {least:?}");
            // Later ones are rounds.
            let copies: Vec<Duration> = gaps.into_iter().filter(|gap| *gap < millis(100)).collect();
            assert!(
                loss_percent < 10 || copies.len() > 300,
                "{burst_ms} ms, {loss_percent} %: {}",
                copies.len()
            );
            means.push(copies.iter().sum::<Duration>() / copies.len().max(1) as u32);
        }
        if loss_percent >= 10 {
            assert!(means[1] > means[0] * 3 / 2, "{loss_percent} %: {means:?}");
        }
    }
}
