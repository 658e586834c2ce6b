//! Can questions about paths be turned against whom they pretend to come from?

use super::World;
use crate::transport::{
    Lane,
    impair::Profile,
    udp::proto::{connection::Shape, frame},
};

#[test]
fn does_a_packet_full_of_questions_become_no_more_than_three_times_its_bytes() {
    let mut world = World::new(&Profile::parse(r#"{"delay_ms": 5}"#).unwrap(), 1);
    let [here, _] = world.connected();
    world.send(0, here, Lane::thin(1), "hello");
    world.run(std::time::Duration::from_secs(1));
    let victim = ([10, 9, 9, 9], 4224).into();
    let mut questions = Vec::new();
    (0..8).for_each(|nth| frame::put_path_challenge(&mut questions, [nth; 8]));
    let mut packet = world.connection(0, here).by_hand(100, &questions, Shape::default());
    let to = world.hosts[1].addr;
    world.arrive(victim, to, None, &mut packet);
    world.settle();
    world.run(std::time::Duration::from_secs(10));
    let answers: Vec<usize> =
        world.astray.iter().filter(|(_, to, _)| *to == victim).map(|(.., datagram)| datagram.len()).collect();
    assert!(!answers.is_empty(), "an honest question is answered");
    assert!(answers.iter().sum::<usize>() <= 3 * packet.len(), "{answers:?} for {}", packet.len());
}
