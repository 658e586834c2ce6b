//! Does a connection live through a path that is dead for a while, and notice one that stays dead?

use super::*;

/// The longest wait for a probe, 3 s and 10 % of jitter.
const LONGEST_WAIT: Duration = Duration::from_millis(3300);

const ROUND_TRIP: Duration = Duration::from_millis(100);

fn clean(configs: [Config; 2]) -> World {
    World::with(&Profile::parse(r#"{"delay_ms": 50}"#).unwrap(), 1, configs)
}

/// Both sides chat and the first sends a file; what the hosts in `of` send is lost for `length`.
fn talk_through(of: &'static [usize], length: Duration) {
    let mut world = world(r#"{"delay_ms": 50, "rate_mbit": 20, "queue_ms": 100}"#, 1);
    let [here, there] = world.connected();
    let file = vec![5; 4 << 20];
    world.send(0, here, Lane::bulk(9), file.clone());
    let mut said = 0;
    let mut talk = |world: &mut World, time: Duration| {
        let until = world.now + time;
        while world.now < until {
            world.say(0, here, 0, said);
            world.say(1, there, 0, said);
            said += 1;
            world.run(millis(500));
        }
    };
    talk(&mut world, seconds(1));
    let healed = world.now + length;
    world.black_out(of, healed);
    talk(&mut world, length);
    let before = [world.hosts[0].inbox.len(), world.hosts[1].inbox.len()];
    let resumed = world.run_until(LONGEST_WAIT + ROUND_TRIP, |world| {
        of.iter().all(|dead| world.hosts[1 - dead].inbox.len() > before[1 - dead])
    });
    assert!(resumed, "{of:?} {length:?}: nothing came after the path healed");
    talk(&mut world, seconds(2));
    let done = world.run_until(seconds(20), |world| {
        world.hosts[1].inbox.iter().any(|message| message.class == Class::Bulk)
            && (0..2).all(|host| world.heard(host, 0).len() == said as usize)
    });
    assert!(done, "{of:?} {length:?}: {:?} {:?}", world.end(0), world.end(1));
    world.assert_heard(0, 0, said);
    world.assert_heard(1, 0, said);
    let files: Vec<_> = world.hosts[1].inbox.iter().filter(|message| message.class == Class::Bulk).collect();
    assert!(files.len() == 1 && files[0].bytes == file);
}

#[test]
fn does_everything_go_on_after_5_s_of_nothing() {
    talk_through(&[0, 1], seconds(5));
}

#[test]
fn does_everything_go_on_after_25_s_of_nothing() {
    talk_through(&[0, 1], seconds(25));
}

#[test]
fn does_everything_go_on_when_only_the_way_there_was_dead() {
    talk_through(&[0], seconds(5));
    talk_through(&[0], seconds(25));
}

#[test]
fn does_everything_go_on_when_only_the_way_back_was_dead() {
    talk_through(&[1], seconds(5));
    talk_through(&[1], seconds(25));
}

#[test]
fn is_a_sender_without_credit_not_called_stalled_for_a_blackout() {
    let mut world = clean([Config::default(), Config::default()]);
    let [here, _] = world.connected();
    world.hosts[1].reads = false;
    world.send(0, here, Lane::bulk(9), vec![5; 30_000]);
    for _ in 0..20 {
        world.send(0, here, Lane::bulk(9), vec![5; 20_000]);
    }
    world.run(seconds(2));
    assert!(world.hosts[1].inbox.is_empty());
    // Now it reads, but nobody learns of it for longer than a reader may stall.
    world.hosts[1].reads = true;
    world.black_out(&[0, 1], world.now + seconds(25));
    world.settle();
    let done = world.run_until(seconds(40), |world| world.hosts[1].inbox.len() == 21);
    assert!(done, "{:?} {:?}", world.end(0), world.end(1));
}

#[test]
fn is_a_finish_not_given_up_in_a_blackout() {
    for dead in [&[0][..], &[1], &[0, 1]] {
        let mut world = clean([Config::default(), Config::default()]);
        let [here, there] = world.connected();
        for number in 0..10 {
            world.say(0, here, 0, number);
        }
        let now = world.now;
        world.black_out(dead, now + seconds(25));
        world.connection(0, here).finish(3, "done", now);
        world.settle();
        let finished = Event::Finished { code: 3, text: "done".to_owned() };
        let heard = |world: &World| world.hosts[1].events.contains(&(there, finished.clone()));
        assert!(world.run_until(seconds(40), heard), "{dead:?} {:?} {:?}", world.end(0), world.end(1));
        let now = world.now;
        world.connection(1, there).consumed(10, true, now);
        world.settle();
        let consumed = Event::Consumed { messages: 10, last: true };
        let told = |world: &World| world.hosts[0].events.contains(&(here, consumed.clone()));
        assert!(world.run_until(seconds(40), told), "{dead:?} {:?} {:?}", world.end(0), world.end(1));
    }
}

#[test]
fn is_a_path_that_stays_dead_given_up_after_the_idle_timeout() {
    for talks in [false, true] {
        let mut world = clean([Config::default(), Config::default()]);
        let [here, there] = world.connected();
        world.run(seconds(1));
        let died = world.now;
        world.black_out(&[0, 1], died + seconds(1000));
        if talks {
            world.say(0, here, 0, 0);
            world.say(1, there, 0, 0);
        }
        let gone = |world: &World| world.end(0).is_some() && world.end(1).is_some();
        // Up to a keep-alive was left when it died; who finds out gets one more chance to be heard.
        assert!(world.run_until(seconds(33), gone), "{talks}");
        assert!(world.now - died >= seconds(14), "{talks} {:?}", world.now - died);
        for host in 0..2 {
            assert!(matches!(world.end(host), Some(End::Silent(_))), "{:?}", world.end(host));
        }
        world.run(seconds(5));
        assert!(world.hosts.iter().all(|host| host.connections.is_empty()));
    }
}

#[test]
fn does_a_blackout_of_a_minute_take_fewer_than_60_packets() {
    let patient = Config { idle_timeout: seconds(300), keep_alive: seconds(200), ..Config::default() };
    for lines in [1, 20] {
        let mut world = clean([patient.clone(), patient.clone()]);
        let [here, _] = world.connected();
        world.run(seconds(1));
        let before = world.hosts[0].sent.0;
        world.black_out(&[0, 1], world.now + seconds(60));
        for number in 0..lines {
            world.say(0, here, 0, number);
            world.run(millis(150));
        }
        world.run(seconds(60) - millis(150) * lines);
        let packets = world.hosts[0].sent.0 - before;
        // What is newly said is said once, dead or not.
        let again = packets - u64::from(lines);
        assert!((15..59).contains(&again), "{lines} lines: {packets} packets");
        assert!(
            world.run_until(LONGEST_WAIT + ROUND_TRIP, |world| world.heard(1, 0).len() == lines as usize)
        );
        // Once something was confirmed, and that was sent again, nothing backs off any more.
        world.run(seconds(1));
        world.black_out(&[0], world.now + millis(1));
        let (said, rtt) = (world.now, world.connection(0, here).stats());
        world.say(0, here, 0, lines);
        assert!(world.run_until(seconds(5), |world| world.heard(1, 0).len() == lines as usize + 1));
        let wait = rtt.rtt + (rtt.rtt_var * 4).max(ROUND_TRIP / 8);
        assert!(world.now - said <= ROUND_TRIP / 2 + wait + millis(1), "{:?}", world.now - said);
    }
}

#[test]
fn is_a_restarted_peer_noticed_in_a_round_trip() {
    for restarted in 0..2 {
        let mut world = clean([Config::default(), Config::default()]);
        let keys = world.connected();
        world.run(seconds(1));
        world.restart(restarted);
        let (other, said) = (1 - restarted, world.now);
        world.send(other, keys[other], Lane::thin(0), "?");
        assert!(world.run_until(seconds(60), |world| world.end(other).is_some()));
        assert_eq!(world.end(other), Some(&End::Reset), "host {restarted} restarted");
        assert_eq!(world.now - said, ROUND_TRIP, "host {restarted} restarted");
    }
}

#[test]
fn is_a_restarted_peer_noticed_by_a_side_that_only_keeps_alive() {
    let mut world = clean([Config::default(), Config::default()]);
    world.connected();
    world.run(seconds(1));
    world.restart(1);
    assert!(world.run_until(seconds(60), |world| world.end(0).is_some()));
    assert_eq!(world.end(0), Some(&End::Reset));
    assert!(world.now - world.start <= seconds(17), "{:?}", world.now - world.start);
}

#[test]
fn is_a_peer_that_is_gone_for_good_given_up_after_the_idle_timeout() {
    let mut world = clean([Config::default(), Config::default()]);
    let [here, _] = world.connected();
    world.run(seconds(1));
    // No reset comes back: whoever is at the address now knows nothing of us.
    world.restart(1);
    world.black_out(&[1], world.now + seconds(1000));
    let died = world.now;
    world.say(0, here, 0, 0);
    assert!(world.run_until(seconds(60), |world| world.end(0).is_some()));
    assert_eq!(world.end(0), Some(&End::Silent(seconds(30))));
    assert!(world.now - died <= seconds(31), "{:?}", world.now - died);
}
