//! Do the first steps work?

use std::time::Duration;

use super::World;
use crate::transport::{
    Lane,
    impair::Profile,
    udp::proto::{End, Event},
};

fn clean() -> World {
    World::new(&Profile::parse(r#"{"delay_ms": 50}"#).unwrap(), 1)
}

#[test]
fn does_the_first_line_arrive_one_and_a_half_round_trips_after_the_dial() {
    let mut world = clean();
    let key = world.connect();
    assert!(
        world.run_until(Duration::from_secs(1), |world| world.hosts[0].events == [(key, Event::Connected)])
    );
    world.send(0, key, Lane::thin(1), "hello");
    assert!(world.run_until(Duration::from_secs(1), |world| !world.hosts[1].inbox.is_empty()));
    assert_eq!(world.now - world.start, Duration::from_millis(150));
    assert_eq!(world.hosts[1].inbox[0].bytes, "hello");
}

#[test]
fn does_a_finish_come_after_every_message_and_end_the_connection_in_order() {
    let mut world = clean();
    let [here, there] = world.connected();
    for line in 0..100_u32 {
        world.send(0, here, Lane::thin(line % 7), line.to_be_bytes().to_vec());
    }
    let now = world.now;
    world.connection(0, here).finish(3, "done", now);
    world.settle();
    let finished = Event::Finished { code: 3, text: "done".to_owned() };
    assert!(world.run_until(Duration::from_secs(5), |world| {
        world.hosts[1].events.contains(&(there, finished.clone()))
    }));
    assert_eq!(world.hosts[1].inbox.len(), 100);
    let now = world.now;
    world.connection(1, there).consumed(100, true, now);
    world.settle();
    let consumed = Event::Consumed { messages: 100, last: true };
    assert!(world.run_until(Duration::from_secs(5), |world| {
        world.hosts[0].events.contains(&(here, consumed.clone()))
    }));
    let now = world.now;
    assert!(world.connection(0, here).is_settled());
    world.connection(0, here).close(0, "", now);
    world.settle();
    world.run(Duration::from_secs(5));
    assert!(world.hosts.iter().all(|host| host.connections.is_empty()));
    let closed = Event::Closed(End::Closed { code: 0, text: String::new() });
    assert!(world.hosts[1].events.contains(&(there, closed)));
}

#[test]
fn does_a_message_of_16_mib_arrive_whole() {
    let mut world = clean();
    let [here, _] = world.connected();
    let message: Vec<u8> = (0..16_u32 << 20).map(|byte| (byte % 251) as u8).collect();
    world.send(0, here, Lane::bulk(1), message.clone());
    assert!(world.run_until(Duration::from_secs(60), |world| !world.hosts[1].inbox.is_empty()));
    assert!(world.hosts[1].inbox[0].bytes == message);
    eprintln!("{:?} {:?}", world.now - world.start, world.connection(0, here).stats());
}
