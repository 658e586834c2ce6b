//! Does a machine that dozes off now and then still notice what ends?

use std::time::Duration;

use super::World;
use crate::transport::{Lane, impair::Profile};

#[test]
fn do_naps_of_growing_length_make_a_closed_connection_linger() {
    let mut world = World::new(&Profile::parse(r#"{"delay_ms": 5}"#).unwrap(), 1);
    let here = world.connect();
    // Before anything is known of the path, a nap looks like a slow one; and then a longer nap does, too.
    world.advance_to(world.now + Duration::from_secs(4));
    assert!(world.run_until(Duration::from_secs(5), |world| {
        world.hosts[0].connections.get(&here).is_some_and(|connection| connection.is_established())
    }));
    for seconds in [29, 134, 300] {
        world.send(0, here, Lane::thin(1), "are you still there?");
        world.advance_to(world.now + Duration::from_secs(seconds));
        world.run(Duration::from_secs(1));
    }
    assert_eq!(world.hosts[1].inbox.len(), 3, "nobody was given up");
    let now = world.now;
    world.connection(0, here).close(0, "", now);
    world.settle();
    world.run(Duration::from_secs(60));
    assert!(world.hosts.iter().all(|host| host.connections.is_empty()), "closed, but not gone");
}
