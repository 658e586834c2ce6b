//! Acknowledgements that lie, come too early, too late, in pieces, or not at all.

use std::time::Duration;

use rand::{RngExt as _, SeedableRng as _, rngs::ChaCha8Rng};

use super::{Siege, World};
use crate::transport::{
    Class, Lane,
    impair::Profile,
    udp::proto::{
        End, SendError, Space,
        connection::Shape,
        frame::{EcnCounts, Frame, put_ack, put_credit, put_message},
        range_set::RangeSet,
    },
};

impl Siege {
    /// The attacked side sends as many lines as it may at the moment.
    fn let_it_talk(&mut self, class: Class, bytes: usize) -> Result<(), SendError> {
        let now = self.world.now;
        let Some(victim) = self.world.hosts[1].connections.get_mut(&self.victim) else { return Ok(()) };
        let sent = victim.send(Lane { class, id: 1 }, vec![7; bytes].into(), now);
        self.world.settle();
        sent
    }

    fn ack(&mut self, ranges: &[std::ops::RangeInclusive<u64>], delay: Duration) {
        let mut numbers = RangeSet::new();
        for range in ranges {
            numbers.insert(range.clone());
        }
        self.peer.ack(&mut self.world, &numbers, delay);
    }
}

/// Begins with all the credit in the world, so that only acknowledgements matter.
fn credited() -> Siege {
    let mut siege = Siege::begin();
    let mut credit = Vec::new();
    Class::ALL.into_iter().for_each(|class| put_credit(&mut credit, class, 1 << 40));
    siege.say(&credit);
    siege
}

/// The lowest number that the attacked side left out, once it did.
fn first_gap(siege: &mut Siege) -> u64 {
    for _ in 0..1000 {
        siege.let_it_talk(Class::Thin, 10).unwrap();
        siege.world.run(Duration::from_millis(20));
        siege.peer.ack_all(&mut siege.world);
        let gap = siege.peer.came.iter().next().map(|run| run.end() + 1).unwrap();
        if siege.peer.came.len() > 1 {
            return gap;
        }
    }
    panic!("no number is ever left out");
}

#[test]
fn is_an_acknowledgement_of_what_was_never_sent_a_violation() {
    let mut siege = credited();
    siege.let_it_talk(Class::Thin, 10).unwrap();
    let newest = siege.peer.hear().last().unwrap().pn;
    siege.ack(&[newest + 1..=newest + 1], Duration::ZERO);
    assert_eq!(siege.violation(), Some("a packet is acknowledged that was not sent yet"));
    siege.spares_the_others();
}

#[test]
fn is_an_acknowledgement_of_a_number_left_out_a_violation() {
    let mut siege = credited();
    let gap = first_gap(&mut siege);
    siege.ack(&[gap - 1..=gap], Duration::ZERO);
    assert_eq!(siege.violation(), Some("a packet is acknowledged that was left out"));
    siege.spares_the_others();
}

#[test]
fn are_numbers_left_out_for_as_long_as_a_connection_lasts() {
    let mut siege = credited();
    for _ in 0..3000 {
        siege.let_it_talk(Class::Thin, 10).unwrap();
        siege.world.run(Duration::from_millis(20));
        siege.peer.ack_all(&mut siege.world);
    }
    assert!(siege.peer.came.max().unwrap() >= 3000);
    // Ever more rarely, but after any number the next is left out before three times that.
    for number in [100, 300, 1000] {
        assert!(siege.peer.came.last_gap(&(number..=number * 3)).is_some(), "after {number}");
    }
    assert_eq!(siege.end(), None);
}

#[test]
fn is_a_number_left_out_though_a_question_to_a_path_comes_first() {
    let mut siege = credited();
    siege.peer.hear();
    let number = siege.world.connection(1, siege.victim).leave_out_next();
    // A line from elsewhere, so that both addresses are asked.
    let mut line = Vec::new();
    put_message(&mut line, 1, 0, None, b"moved", false);
    siege.peer.say_from(&mut siege.world, ([10, 0, 0, 1], 9).into(), &line);
    let heard = siege.peer.hear();
    let asked = heard.iter().flat_map(|heard| heard.frames());
    assert!(asked.into_iter().any(|frame| matches!(frame, Frame::PathChallenge(_))));
    let (low, high) = (heard[0].pn, heard[heard.len() - 1].pn);
    assert!(low > number && high > low, "{number} is used: {low} to {high}");
}

#[test]
fn does_an_acknowledgement_count_only_where_it_belongs() {
    // Twenty packets of data went out, but of the handshake only a few.
    let mut world = World::new(&Profile::parse(r#"{"delay_ms": 10}"#).unwrap(), 1);
    let key = world.connect();
    assert!(
        world.run_until(Duration::from_secs(1), |world| world.hosts[0].connections[&key].is_established())
    );
    let there = world.hosts[1].accepted[0];
    let mut ack = Vec::new();
    put_ack(&mut ack, Duration::ZERO, [20..=20].into_iter(), 1, 100, None);
    let mut packet = world.connection(0, key).by_hand_in(Space::Handshake, 9, &ack);
    world.connection(1, there).leap(21);
    let (from, to) = (world.hosts[0].addr, world.hosts[1].addr);
    world.arrive(from, to, None, &mut packet);
    let why = End::Violation("a packet is acknowledged that was not sent yet");
    assert!(world.hosts[1].events.contains(&(there, super::Event::Closed(why))));
}

#[test]
fn is_who_acknowledges_before_anything_can_have_come_found_out() {
    let mut siege = credited();
    siege.let_it_talk(Class::Bulk, 4 << 20).unwrap();
    let first = siege.peer.hear().first().unwrap().pn;
    // It claims everything as soon as it leaves.
    let mut newest = first;
    for _ in 0..1000 {
        newest = siege.peer.hear().last().map_or(newest, |heard| heard.pn);
        siege.ack(&[first..=newest], Duration::ZERO);
        if siege.end().is_some() {
            break;
        }
        siege.world.run(Duration::from_millis(1));
    }
    assert_eq!(siege.violation(), Some("a packet is acknowledged that was left out"));
    assert!(newest - first <= 192, "after {} packets", newest - first);
    siege.spares_the_others();
}

#[test]
fn does_who_never_acknowledges_run_out_of_patience_and_not_us_of_memory() {
    for class in Class::ALL {
        let mut siege = credited();
        let began = siege.world.now;
        let mut most = 0;
        let mut full = false;
        while siege.end().is_none() && siege.world.now < began + Duration::from_secs(60) {
            while !full || siege.world.now < began + Duration::from_secs(1) {
                match siege.let_it_talk(class, 1000) {
                    Err(SendError::Full) => full = true,
                    other => other.unwrap(),
                }
                if full {
                    break;
                }
            }
            // It is there, and wants answers.
            siege.say(&[1]);
            siege.peer.hear();
            most = most.max(siege.footprint().packets);
            siege.world.run(Duration::from_millis(200));
        }
        assert!(full, "who is not read must not take for ever");
        assert!(most < 300, "{class:?}: {most} packets are remembered");
        let lasted = siege.world.now - began;
        assert!(matches!(siege.end(), Some(End::Silent(_))), "{class:?}: {:?} after {lasted:?}", siege.end());
        assert!((29..34).contains(&lasted.as_secs()), "{class:?}: {lasted:?}");
        siege.spares_the_others();
    }
}

#[test]
fn does_who_acknowledges_one_packet_a_while_keep_no_more_than_a_window_of_them() {
    let mut siege = credited();
    let mut most = 0;
    for second in 0..200 {
        while siege.let_it_talk(Class::Thin, 500).is_ok() && siege.end().is_none() {}
        // Questions that it never confirms the answers of.
        for n in 0..200_u64 {
            siege.say(&[&[0x0a][..], &n.to_be_bytes()].concat());
        }
        let heard = siege.peer.hear();
        if second % 20 == 19
            && let Some(newest) = heard.last()
        {
            siege.ack(&[newest.pn..=newest.pn], Duration::ZERO);
        }
        siege.world.run(Duration::from_secs(1));
        most = most.max(siege.footprint().packets);
    }
    assert_eq!(siege.end(), None, "it keeps to the letter");
    assert!(most < 2000, "{most}");
    siege.spares_the_others();
}

#[test]
fn is_acknowledging_every_third_packet_for_ever_bounded_work() {
    let mut siege = credited();
    let (mut most, mut thirds) = (0, RangeSet::new());
    for round in 0..3000_u64 {
        let _ = siege.let_it_talk(Class::Bulk, 100_000);
        let newest: Vec<u64> = siege.peer.hear().iter().map(|heard| heard.pn).collect();
        for pn in newest.into_iter().filter(|pn| pn % 3 == round / 100 % 3) {
            thirds.insert(pn..=pn);
        }
        if !thirds.is_empty() {
            siege.peer.ack(&mut siege.world, &thirds, Duration::ZERO);
        }
        most = most.max(siege.footprint().packets);
        siege.world.run(Duration::from_millis(5));
    }
    assert_eq!(siege.end(), None);
    assert!(thirds.len() > 1000, "{}", thirds.len());
    assert!(most < 4000, "{most}");
    siege.spares_the_others();
}

#[test]
fn does_the_same_acknowledgement_of_many_ranges_leave_nothing_behind_a_thousand_times() {
    let mut siege = credited();
    for _ in 0..1200 {
        siege.let_it_talk(Class::Thin, 1).unwrap();
        siege.world.run(Duration::from_millis(20));
        siege.peer.ack_all(&mut siege.world);
    }
    let newest = siege.peer.came.max().unwrap();
    // Every second number that was not left out, over and over.
    let mut every_second = RangeSet::new();
    for pn in (newest - 1100..=newest).step_by(2).filter(|pn| siege.peer.came.contains(*pn)) {
        every_second.insert(pn..=pn);
    }
    let mut frames = Vec::new();
    assert!(put_ack(&mut frames, Duration::ZERO, every_second.iter().rev(), 600, 1400, None));
    assert!(frames.len() > 120);
    let before = siege.footprint();
    for _ in 0..1000 {
        siege.say(&frames);
        assert_eq!(siege.footprint().packets, before.packets);
    }
    assert_eq!(siege.end(), None);
}

#[test]
fn do_lies_about_the_delay_leave_the_round_trip_what_it_is() {
    let rtt = Duration::from_millis(20);
    let lies = [Duration::ZERO, rtt / 2, rtt, Duration::from_secs(1), Duration::from_micros((1 << 62) - 1)];
    for lie in lies {
        let mut siege = credited();
        for _ in 0..100 {
            siege.let_it_talk(Class::Thin, 10).unwrap();
            // What it hears at once it confirms when an honest answer would be here.
            siege.world.run(rtt);
            siege.peer.hear();
            let came = siege.peer.came.clone();
            siege.peer.ack(&mut siege.world, &came, lie);
        }
        let stats = siege.world.connection(1, siege.victim).stats();
        assert!(stats.rtt >= stats.min_rtt && stats.min_rtt >= rtt, "{lie:?}: {stats:?}");
        assert!(stats.rtt <= rtt * 2, "{lie:?}: {stats:?}");
        // And a line that gets no answer is asked about soon.
        siege.let_it_talk(Class::Thin, 10).unwrap();
        siege.peer.hear();
        siege.world.run(Duration::from_millis(300));
        assert!(!siege.peer.hear().is_empty(), "{lie:?}");
        assert_eq!(siege.end(), None, "{lie:?}");
    }
}

#[test]
fn does_losing_nine_acknowledgements_of_ten_delay_nothing() {
    let mut world = World::new(&Profile::parse(r#"{"delay_ms": 25}"#).unwrap(), 1);
    let [key, _] = world.connected();
    world.run(Duration::from_secs(1));
    let mut chance = ChaCha8Rng::seed_from_u64(5);
    world.tamper = Some(Box::new(move |from, _, _| from == 0 || chance.random_range(0..10) == 0));
    let mut said = Vec::new();
    for line in 0..300_u32 {
        said.push(world.now);
        world.send(0, key, Lane::thin(1), line.to_be_bytes().to_vec());
        world.run(Duration::from_millis(50));
    }
    world.run(Duration::from_secs(1));
    let lines = &world.hosts[1].inbox;
    let latest = lines.iter().zip(&said).map(|(line, said)| line.at - *said).max();
    assert_eq!((lines.len(), latest), (300, Some(Duration::from_millis(25))));
    let stats = world.connection(0, key).stats();
    assert!(stats.window >= 10_000, "{stats:?}");
    eprintln!("{stats:?}");
    // Once acknowledgements get through they tell that nothing was lost.
    assert!(stats.packets_lost <= stats.spurious + stats.packets_sent / 50, "{stats:?}");
}

#[test]
fn is_an_acknowledgement_without_the_key_dropped_whichever_phase_it_claims() {
    let mut siege = credited();
    siege.let_it_talk(Class::Thin, 10).unwrap();
    let newest = siege.peer.hear().last().unwrap().pn;
    let mut ack = Vec::new();
    put_ack(&mut ack, Duration::ZERO, [newest..=newest].into_iter(), 1, 100, None);
    let before = (siege.world.connection(1, siege.victim).stats(), siege.footprint());
    let pn = siege.peer.next;
    let honest = siege.peer.connection.by_hand(pn, &ack, Shape::default());
    for phase in [0, 0x10] {
        for byte in [10, 13, honest.len() - 1] {
            let mut forged = honest.clone();
            forged[0] ^= phase;
            forged[byte] ^= 1;
            let from = siege.world.hosts[0].addr;
            siege.peer.deliver(&mut siege.world, from, forged);
        }
    }
    // The right key of this phase under the flag of the next.
    let mut flipped = honest;
    flipped[0] ^= 0x10;
    let from = siege.world.hosts[0].addr;
    siege.peer.deliver(&mut siege.world, from, flipped);
    let stats = siege.world.connection(1, siege.victim).stats();
    assert_eq!((stats.forged, stats.key_updates), (before.0.forged + 7, 0));
    assert_eq!((stats.rtt, stats.packets_received), (before.0.rtt, before.0.packets_received));
    assert_eq!(siege.footprint(), before.1);
    // While what has the key of the next phase is believed.
    siege.peer.say_as(&mut siege.world, pn, &ack, Shape { next_phase: true, ..Shape::default() });
    assert_eq!(siege.world.connection(1, siege.victim).stats().key_updates, 1);
    assert_eq!(siege.end(), None);
}

#[test]
fn does_a_flood_of_lies_about_marks_of_congestion_only_turn_them_off() {
    let mut siege = credited();
    for count in [0, 1, (1 << 62) - 1] {
        siege.let_it_talk(Class::Thin, 10).unwrap();
        siege.world.run(Duration::from_millis(20));
        siege.peer.hear();
        let mut frames = Vec::new();
        let marks = EcnCounts { ect0: count, ect1: count, ce: count };
        put_ack(&mut frames, Duration::ZERO, siege.peer.came.clone().iter().rev(), 9, 200, Some(marks));
        siege.say(&frames);
    }
    assert_eq!(siege.end(), None);
    assert!(siege.world.connection(1, siege.victim).stats().window >= 10_000);
    siege.let_it_talk(Class::Thin, 10).unwrap();
    let heard = siege.peer.hear();
    assert!(heard.iter().flat_map(|heard| heard.frames()).any(|frame| matches!(frame, Frame::Message(_))));
}
