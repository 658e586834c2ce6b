//! Is nothing lost at the end, however it comes about?

use super::*;

/// One side of a connection.
#[derive(Clone, Copy)]
struct At(usize, ConnectionKey);

impl World {
    fn finish_at(&mut self, at: At, code: u8) {
        let now = self.now;
        self.connection(at.0, at.1).finish(code, "bye", now);
        self.settle();
    }

    fn consumed_at(&mut self, at: At, messages: u64) {
        let now = self.now;
        self.connection(at.0, at.1).consumed(messages, true, now);
        self.settle();
    }

    fn close_at(&mut self, at: At, code: u8) {
        let now = self.now;
        self.connection(at.0, at.1).close(code, "bye", now);
        self.settle();
    }

    fn finished(&self, at: At) -> bool {
        let mut events = self.hosts[at.0].events.iter();
        events.any(|(key, event)| *key == at.1 && matches!(event, Event::Finished { .. }))
    }

    fn told_consumed(&self, at: At, messages: u64) -> bool {
        self.hosts[at.0].events.contains(&(at.1, Event::Consumed { messages, last: true }))
    }

    fn ended(&self, at: At) -> Option<&End> {
        self.hosts[at.0].events.iter().find_map(|(key, event)| match event {
            Event::Closed(end) if *key == at.1 => Some(end),
            _ => None,
        })
    }
}

fn both([here, there]: [ConnectionKey; 2]) -> [At; 2] {
    [At(0, here), At(1, there)]
}

#[test]
fn does_a_finish_deliver_a_mebibyte_that_waits_on_a_bad_link() {
    for profile in [
        r#"{"delay_ms": 50, "loss_percent": 10}"#,
        // Longer than an application may take to confirm.
        r#"{"delay_ms": 50, "loss_percent": 2, "rate_mbit": 0.4, "queue_ms": 300}"#,
    ] {
        let mut world = world(profile, 1);
        let [us, them] = both(world.connected());
        let message = vec![3; 1 << 15];
        for number in 0..32 {
            world.send(0, us.1, Lane::bulk(number % 3), message.clone());
        }
        world.finish_at(us, 7);
        assert!(world.run_until(seconds(200), |world| world.finished(them) || world.end(0).is_some()));
        assert_eq!(world.end(0), None, "{profile}");
        assert_eq!(world.hosts[1].inbox.len(), 32);
        assert!(world.hosts[1].inbox.iter().all(|arrived| arrived.bytes == message));
        world.consumed_at(them, 32);
        assert!(world.run_until(seconds(10), |world| world.told_consumed(us, 32)));
        assert!(world.connection(0, us.1).is_settled());
    }
}

#[test]
fn does_a_finish_that_nobody_hears_end_unsettled() {
    let mut world = world(r#"{"delay_ms": 50}"#, 1);
    let [us, them] = both(world.connected());
    world.run(seconds(1));
    let died = world.now;
    world.black_out(&[0, 1], died + seconds(1000));
    for _ in 0..32 {
        world.send(0, us.1, Lane::bulk(1), vec![3; 1 << 15]);
    }
    world.finish_at(us, 7);
    assert!(world.run_until(seconds(60), |world| world.end(0).is_some()));
    assert_eq!(world.end(0), Some(&End::Silent(seconds(30))));
    assert!(!world.connection(0, us.1).is_settled());
    assert!(world.now - died <= seconds(31), "{:?}", world.now - died);
    assert!(!world.finished(them));
}

#[test]
fn is_a_finish_given_up_that_the_other_application_does_not_confirm() {
    for talks in [false, true] {
        let mut world = world(r#"{"delay_ms": 50}"#, 1);
        let [us, them] = both(world.connected());
        world.say(0, us.1, 0, 0);
        world.finish_at(us, 7);
        for number in 0..100 {
            if talks && world.end(0).is_none() {
                world.say(1, them.1, 0, number);
            }
            world.run(millis(110));
        }
        assert_eq!(world.end(0), Some(&End::Unconfirmed(seconds(10))), "{talks}");
    }
}

#[test]
fn do_finishes_that_cross_lose_nothing() {
    for seed in 0..10 {
        let mut world = world(r#"{"delay_ms": 50, "loss_percent": 10}"#, seed);
        let sides = both(world.connected());
        for at in sides {
            for number in 0..100 {
                world.say(at.0, at.1, 0, number);
            }
            world.finish_at(at, 7);
        }
        assert!(world.run_until(seconds(20), |world| sides.iter().all(|at| world.finished(*at))));
        for at in sides {
            world.assert_heard(at.0, 0, 100);
            world.consumed_at(at, 100);
        }
        let told = |world: &World| sides.iter().all(|at| world.told_consumed(*at, 100));
        assert!(world.run_until(seconds(20), told));
        let settled =
            |world: &World| sides.iter().all(|at| world.hosts[at.0].connections[&at.1].is_settled());
        assert!(world.run_until(seconds(20), settled));
        for at in sides {
            world.close_at(at, 0);
        }
        world.run(seconds(5));
        assert!(world.hosts.iter().all(|host| host.connections.is_empty()));
    }
}

#[test]
fn do_closes_that_cross_fall_silent() {
    let mut world = world(r#"{"delay_ms": 50}"#, 1);
    let sides = both(world.connected());
    world.run(seconds(1));
    let before = world.hosts[0].sent.0 + world.hosts[1].sent.0;
    for at in sides {
        world.close_at(at, 3);
    }
    world.run(seconds(60));
    for at in sides {
        assert_eq!(world.ended(at), Some(&End::Local));
    }
    assert!(world.hosts.iter().all(|host| host.connections.is_empty()));
    let packets = world.hosts[0].sent.0 + world.hosts[1].sent.0 - before;
    // A close answers the other close, and then every second, fourth, … packet.
    assert!(packets <= 6, "{packets}");
}

#[test]
fn is_a_lost_close_said_again_to_who_still_talks() {
    let mut world = world(r#"{"delay_ms": 50}"#, 1);
    let [us, them] = both(world.connected());
    world.run(seconds(1));
    world.black_out(&[0], world.now + millis(1));
    world.close_at(us, 3);
    world.run(millis(10));
    world.say(1, them.1, 0, 0);
    world.run(millis(101));
    assert_eq!(world.ended(them), Some(&End::Closed { code: 3, text: "bye".to_owned() }));
}

#[test]
fn is_a_lost_close_made_good_by_a_reset_later() {
    let mut world = world(r#"{"delay_ms": 50}"#, 1);
    let [us, them] = both(world.connected());
    world.run(seconds(1));
    world.black_out(&[0], world.now + millis(1));
    world.close_at(us, 3);
    world.run(seconds(5));
    assert!(world.hosts[0].connections.is_empty());
    world.send(1, them.1, Lane::thin(0), "?");
    world.run(millis(101));
    assert_eq!(world.ended(them), Some(&End::Reset));
}

#[test]
fn does_nothing_go_in_or_out_after_a_close() {
    let mut world = world(r#"{"delay_ms": 50}"#, 1);
    let [us, them] = both(world.connected());
    for number in 0..10 {
        world.say(1, them.1, 0, number);
    }
    world.close_at(us, 3);
    let now = world.now;
    let refused = world.connection(0, us.1).send(Lane::thin(0), "late".into(), now);
    assert_eq!(refused, Err(crate::transport::udp::proto::SendError::Closed));
    world.run(seconds(10));
    assert!(world.hosts[0].inbox.is_empty(), "it came after the close");
    assert!(world.hosts.iter().all(|host| host.connections.is_empty()));
}

#[test]
fn can_what_arrived_before_a_close_be_taken_after_it() {
    let mut world = world(r#"{"delay_ms": 50}"#, 1);
    let [us, them] = both(world.connected());
    world.hosts[1].reads = false;
    for number in 0..10 {
        world.say(0, us.1, 0, number);
    }
    world.run(seconds(1));
    world.close_at(us, 3);
    assert!(world.run_until(seconds(1), |world| world.ended(them).is_some()));
    assert!(world.hosts[1].inbox.is_empty());
    world.hosts[1].reads = true;
    world.settle();
    world.assert_heard(1, 0, 10);
}

#[test]
fn can_clients_go_on_where_they_were_when_the_server_starts_anew() {
    let mut world = world(r#"{"delay_ms": 50}"#, 1);
    let clients: Vec<At> = (0..20).map(|_| At(0, world.connected()[0])).collect();
    for (lane, at) in clients.iter().enumerate() {
        for number in 0..5 {
            world.say(0, at.1, lane as u32, number);
        }
    }
    world.run(seconds(1));
    world.restart(1);
    for (lane, at) in clients.iter().enumerate() {
        world.say(0, at.1, lane as u32, 5);
    }
    world.run(millis(100));
    for (lane, at) in clients.iter().enumerate() {
        assert_eq!(world.ended(*at), Some(&End::Reset));
        let [here, _] = world.connected();
        // What the other side has is known from its version vector, one level up.
        let from = world.heard(1, lane as u32).len() as u32;
        for number in from..10 {
            world.say(0, here, lane as u32, number);
        }
    }
    world.run(seconds(1));
    for lane in 0..20 {
        world.assert_heard(1, lane, 10);
    }
}
