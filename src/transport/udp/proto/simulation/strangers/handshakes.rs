//! Does a handshake survive what networks do, and end when somebody lets it hang?

use std::{cell::RefCell, rc::Rc};

use super::{
    super::super::connection::{End, Event},
    *,
};
use crate::transport::Lane;

/// Loses the datagrams that `lost` names by sender and number.
fn lose(world: &mut World, lost: impl Fn(usize, usize) -> bool + 'static) {
    let mut sent = [0; 2];
    world.tamper = Some(Box::new(move |from, _, _| {
        sent[from] += 1;
        !lost(from, sent[from] - 1)
    }));
}

#[test]
fn is_a_handshake_that_hangs_at_any_step_forgotten_after_ten_seconds() {
    for (dialers, words) in [(0, 1), (1500, 1), (3500, 1), (3500, 2), (3500, 3)] {
        let mut world = wordy(dialers, 0, 1);
        lose(&mut world, move |from, number| from == 1 || number >= words);
        world.connect();
        world.run(SECOND);
        assert_eq!(world.hosts[1].endpoint.half_open(), 1, "{dialers} {words}");
        world.run(SECOND * 10);
        assert_eq!(world.hosts[1].endpoint.half_open(), 0, "{dialers} {words}");
        assert!(world.hosts.iter().all(|host| host.connections.is_empty()), "{dialers} {words}");
    }
}

#[test]
fn does_a_dialer_that_says_a_byte_a_second_get_ten_seconds_like_any_other() {
    let mut world = clean(1);
    let from = stranger(1);
    // The head of a hello of 256 bytes, and the first of them.
    for second in 0..10 {
        let mut word = initial(5, second, crypto(second, &[u8::from(second < 2)]));
        world.arrive(from, server(), None, &mut word);
        assert_eq!(world.hosts[1].endpoint.half_open(), 1, "{second}");
        world.run(SECOND);
    }
    assert_eq!(world.hosts[1].endpoint.half_open(), 0);
    assert!(world.hosts[1].connections.is_empty());
}

#[test]
fn is_a_hello_in_a_thousand_pieces_refused_before_it_costs_memory() {
    let mut world = clean(1);
    let mut word = initial(5, 0, |out| {
        for piece in 0..150 {
            frame::put_crypto(out, 2 + piece * 2, &[1]);
        }
    });
    world.arrive(stranger(1), server(), None, &mut word);
    let closed = |world: &World| {
        let events = world.hosts[1].events.iter();
        events.filter(|(_, event)| matches!(event, Event::Closed(End::Violation(_)))).count()
    };
    let kept: usize = world.hosts[1].connections.values().map(|kept| kept.footprint().handshake).sum();
    assert!(kept < 1024, "{kept}");
    let mut far = initial(6, 0, crypto(16 << 10, &[1]));
    world.arrive(stranger(2), server(), None, &mut far);
    assert_eq!(closed(&world), 1, "one that begins far off ends at once");
}

#[test]
fn does_a_hello_of_several_datagrams_survive_the_loss_of_any_two() {
    for first in 0..6 {
        for second in first..6 {
            let mut world = wordy(1500, 1500, 1);
            lose(&mut world, move |from, number| {
                let number = number * 2 + from;
                number == first || number == second
            });
            assert!(connects_within(&mut world, SECOND * 6), "without {first} and {second}");
        }
    }
}

#[test]
fn does_a_hello_of_several_datagrams_survive_disorder_and_doubles() {
    for seed in 0..20 {
        let profile = r#"{"delay_ms": 50, "jitter_ms": 40, "duplicate_percent": 50, "reorder_percent": 30}"#;
        let profile = Profile::parse(profile).unwrap();
        let mut world = wordy(3500, 3500, seed);
        let mut other = World::new(&profile, seed);
        std::mem::swap(&mut world.hosts[0].line, &mut other.hosts[0].line);
        std::mem::swap(&mut world.hosts[1].line, &mut other.hosts[1].line);
        assert!(connects_within(&mut world, SECOND * 3), "{seed}");
        world.run(SECOND * 2);
        assert_eq!(world.hosts[1].accepted.len(), 1, "one connection, however often the hello came");
    }
}

#[test]
fn does_the_answer_to_a_hello_arrive_though_it_is_lost_three_times() {
    let mut world = clean(1);
    lose(&mut world, |from, number| from == 1 && number < 3);
    assert!(connects_within(&mut world, SECOND * 8));
}

#[test]
fn do_lines_bring_the_end_of_the_handshake_along_when_it_was_lost() {
    const LOST: usize = 6;
    let mut world = clean(1);
    let words = Rc::new(RefCell::new(0));
    let count = words.clone();
    world.tamper = Some(Box::new(move |from, _, datagram| {
        // Of the dialer's datagrams with anything of the handshake all but the hello, as often as that.
        let shakes = from == 0 && datagram[0] & 0x80 != 0;
        *count.borrow_mut() += usize::from(shakes);
        !shakes || *count.borrow() == 1 || *count.borrow() > 1 + LOST
    }));
    let here = world.connect();
    assert!(world.run_until(SECOND, |world| is_up(world, 0, here)));
    for line in 0..25 {
        world.send(0, here, Lane::thin(1), format!("line {line}"));
        world.run(Duration::from_millis(20));
    }
    assert!(*words.borrow() > 1 + LOST, "{}", words.borrow());
    assert!(!world.hosts[1].inbox.is_empty(), "half a second is enough for all of them");
}

#[test]
fn does_a_hello_that_comes_late_and_twice_begin_nothing() {
    let mut world = clean(1);
    let first = Rc::new(RefCell::new(Vec::new()));
    let copy = first.clone();
    world.tamper = Some(Box::new(move |from, _, datagram| {
        if from == 0 && copy.borrow().is_empty() {
            copy.borrow_mut().extend_from_slice(datagram);
        }
        true
    }));
    world.connected();
    world.run(SECOND);
    let (from, mut hello) = (world.hosts[0].addr, first.borrow().clone());
    world.arrive(from, server(), None, &mut hello);
    world.run(SECOND);
    assert_eq!((world.hosts[1].accepted.len(), world.hosts[1].endpoint.half_open()), (1, 0));
}

#[test]
fn are_two_connections_of_two_that_dial_each_other_at_once_both_good() {
    let mut world = clean(1);
    world.hosts[0].endpoint.accept(true);
    let here = world.connect();
    let remote = world.hosts[0].addr;
    let (there, connection) = world.hosts[1].endpoint.connect(remote, world.now).unwrap();
    world.hosts[1].connections.insert(there, connection);
    world.settle();
    assert!(world.run_until(SECOND, |world| is_up(world, 0, here) && is_up(world, 1, there)));
    world.send(0, here, Lane::thin(1), "from the one");
    world.send(1, there, Lane::thin(1), "from the other");
    world.run(SECOND);
    assert_eq!(world.hosts[1].inbox[0].bytes, "from the one");
    assert_eq!(world.hosts[0].inbox[0].bytes, "from the other");
    assert!(world.hosts.iter().all(|host| host.connections.len() == 2));
}
