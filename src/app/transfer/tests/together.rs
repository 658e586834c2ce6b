//! Several receivers at different places, and who speaks for whom.

use super::*;

/// Honest receivers who hold a different part of a file each; the first `silent` of them take nothing any
/// more once their first credit went out. Who was allowed to have all before ten seconds passed in silence.
fn runs(receivers: u32, silent: u32) -> Vec<bool> {
    let len = 1000 * CHUNK;
    let all: Vec<u32> = (1..=receivers).collect();
    let (mut sender, transfer) = Desk::sending(len, &all);
    let mut desks: Vec<Desk> = Vec::new();
    for &number in &all {
        let mut desk = Desk::open();
        desk.transfers.me = node(number);
        desk.hears(Frame::Offer(Offer { to: vec![node(number)], ..offer(transfer, ME, len) }));
        desk.forget();
        desk.learns(FileNews::Created { transfer, held: u64::from(number - 1) * (20 * CHUNK + 1) });
        desks.push(desk);
    }
    let (mut done, mut quiet) = (vec![false; receivers as usize], 0);
    while quiet < 40 {
        let mut moved = false;
        for (desk, done) in desks.iter_mut().zip(&mut done) {
            desk.writes();
            for frame in desk.said() {
                *done |= matches!(frame, Frame::Credit { upto, .. } if upto == len);
                moved = true;
                sender.hears(frame);
            }
        }
        sender.reads();
        for (to, frame) in sender.sent() {
            for to in to {
                let index = desks.iter().position(|desk| desk.transfers.me == to).unwrap();
                if index as u32 >= silent {
                    desks[index].hears(frame.clone());
                }
                moved = true;
            }
        }
        quiet = if moved { 0 } else { quiet + 1 };
        if !moved {
            sender.waits(Duration::from_millis(250));
        }
    }
    done
}

#[test]
fn do_receivers_at_different_places_all_get_it() {
    assert_eq!(runs(10, 0), vec![true; 10]);
}

#[test]
fn do_two_who_take_nothing_any_more_keep_it_from_a_third_elsewhere() {
    assert!(runs(3, 2)[2]);
}

#[test]
fn does_one_elsewhere_make_others_wait_for_ever() {
    let (mut desk, transfer) = Desk::sending(1000 * CHUNK, &[1, 2, 3]);
    desk.hears(credit(transfer, 2, 0, 0, true));
    desk.hears(credit(transfer, 1, 0, 2 * CHUNK, true));
    desk.hears(credit(transfer, 3, 500 * CHUNK, 501 * CHUNK, true));
    for at in 501..550 {
        desk.waits(Duration::from_millis(100));
        desk.hears(credit(transfer, 3, at * CHUNK, (at + 1) * CHUNK, false));
        desk.reads();
        if desk.chunks().iter().any(|(to, _)| to.contains(&node(1))) {
            return;
        }
    }
    panic!("five seconds and nothing");
}

#[test]
fn does_a_receiver_speak_for_another() {
    let (mut desk, transfer) = Desk::receiving(2 * CHUNK);
    desk.hears(cancel(transfer, 2, ErrorCode::Cancelled, ""));
    assert_eq!(desk.jobs(), []);
}
