use super::*;
use crate::{
    app::limits::{CREDIT_STEP, READ_AHEAD, SEND_WINDOW, STRAGGLER_PATIENCE},
    wire::MAX_RECEIVERS,
};

const LONG: u64 = 1_000 * CHUNK;

fn verified(transfer: TransferId, receiver: u32) -> Frame {
    Frame::Verified { transfer, receiver: node(receiver) }
}

impl Desk {
    /// To whom it was offered since the last time, an entry for each offer.
    fn asked(&mut self) -> Vec<Vec<NodeId>> {
        let to = |(to, frame)| match frame {
            Frame::Offer(offer) => {
                assert_eq!(to, offer.to);
                Some(to)
            }
            _ => None,
        };
        self.sent().into_iter().filter_map(to).collect()
    }
}

#[test]
fn are_as_many_files_sent_as_the_limit_says_and_not_one_more() {
    let mut desk = Desk::open();
    for number in 1..=MAX_TRANSFERS {
        desk.sends(&[1]);
        assert_eq!((desk.jobs().len(), desk.troubles()), (1, vec![]), "{number}");
    }
    desk.sends(&[2]);
    assert_eq!((desk.jobs().len(), desk.troubles()), (0, vec!["too_many_files"]));
    desk.transfers.cancel(1);
    desk.forget();
    desk.sends(&[2]);
    assert_eq!((desk.jobs().len(), desk.troubles()), (1, vec![]), "there is a place again");
}

#[test]
fn has_a_file_as_many_receivers_as_the_limit_says_and_not_one_more() {
    let mut desk = Desk::open();
    let most: Vec<u32> = (1..=MAX_RECEIVERS as u32 + 1).collect();
    desk.sends(&most);
    assert_eq!((desk.jobs().len(), desk.troubles()), (0, vec!["too_many_receivers"]));
    let (mut desk, transfer) = Desk::sending(CHUNK, &most[1..]);
    desk.transfers.server_up();
    assert_eq!(desk.asked(), [(2..).take(MAX_RECEIVERS).map(node).collect::<Vec<_>>()]);
    desk.hears(credit(transfer, 2, 0, CHUNK, true));
    assert_eq!(desk.reads(), [0]);
}

#[test]
fn is_a_part_read_and_sent_once_for_all_who_are_as_far() {
    let (mut desk, transfer) = Desk::sending(3 * CHUNK, &[1, 2]);
    desk.hears(credit(transfer, 1, 0, 0, true));
    desk.hears(credit(transfer, 2, 0, 3 * CHUNK, true));
    assert_eq!(desk.reads(), [0; 0], "the other has no credit yet");
    desk.hears(credit(transfer, 1, 0, 3 * CHUNK, false));
    assert_eq!(desk.reads(), [0, CHUNK, 2 * CHUNK]);
    let both = || vec![node(1), node(2)];
    assert_eq!(desk.chunks(), [(both(), 0), (both(), CHUNK), (both(), 2 * CHUNK)]);
    desk.learns(FileNews::Digest { transfer, digest: [7; 32] });
    assert_eq!(desk.sent(), [(both(), Frame::Complete { transfer, digest: [7; 32] })]);
}

#[test]
fn is_the_digest_of_a_file_asked_for_once() {
    let (mut desk, transfer) = Desk::sending(CHUNK, &[1, 2]);
    desk.hears(credit(transfer, 1, 0, CHUNK, true));
    desk.reads();
    desk.hears(credit(transfer, 2, 0, CHUNK, true));
    let jobs = desk.jobs();
    assert_eq!(jobs, [FileJob::Read { transfer, offset: 0, len: CHUNK as usize }]);
    desk.learns(FileNews::Read { transfer, offset: 0, bytes: zeros(CHUNK) });
    desk.forget();
    desk.learns(FileNews::Digest { transfer, digest: [7; 32] });
    assert_eq!(desk.sent().len(), 1);
    desk.hears(credit(transfer, 1, 0, CHUNK, true));
    desk.reads();
    let (to, complete) = desk.sent().pop().unwrap();
    assert_eq!((to, complete), (vec![node(1)], Frame::Complete { transfer, digest: [7; 32] }));
}

#[test]
fn is_an_empty_file_sent() {
    let (mut desk, transfer) = Desk::sending(0, &[1]);
    desk.hears(credit(transfer, 1, 0, 0, true));
    assert_eq!(desk.jobs(), [FileJob::Digest { transfer }]);
    desk.learns(FileNews::Digest { transfer, digest: [7; 32] });
    assert_eq!(desk.said(), [Frame::Complete { transfer, digest: [7; 32] }]);
}

#[test]
fn is_one_who_takes_no_more_waited_for_and_then_not() {
    let (mut desk, transfer) = Desk::sending(LONG, &[1, 2]);
    desk.hears(credit(transfer, 2, 0, 0, true));
    desk.hears(credit(transfer, 1, 0, 2 * CHUNK, true));
    let until = desk.transfers.deadline().unwrap();
    assert_eq!(until, desk.now + STRAGGLER_PATIENCE);
    desk.waits(STRAGGLER_PATIENCE - Duration::from_millis(1));
    assert_eq!(desk.reads(), [0; 0]);
    desk.waits(Duration::from_millis(1));
    assert!(desk.transfers.deadline().is_none_or(|at| at > desk.now), "{:?}", desk.transfers.deadline());
    assert_eq!(desk.reads(), [0, CHUNK]);
    assert_eq!(desk.chunks(), [(vec![node(1)], 0), (vec![node(1)], CHUNK)]);
    desk.hears(credit(transfer, 1, CHUNK, 3 * CHUNK, false));
    assert_eq!(desk.reads(), [2 * CHUNK], "it is waited for once");
    desk.forget();
    desk.hears(credit(transfer, 2, 0, 3 * CHUNK, false));
    assert_eq!(desk.reads(), [0, CHUNK, 2 * CHUNK], "it goes on alone");
    assert!(desk.chunks().iter().all(|(to, _)| *to == [node(2)]));
}

#[test]
fn is_one_who_has_caught_up_waited_for_again() {
    let (mut desk, transfer) = Desk::sending(LONG, &[1, 2]);
    desk.hears(credit(transfer, 2, 0, 0, true));
    desk.hears(credit(transfer, 1, 0, CHUNK, true));
    desk.waits(STRAGGLER_PATIENCE);
    assert_eq!(desk.reads(), [0]);
    desk.hears(credit(transfer, 2, 0, 2 * CHUNK, false));
    assert_eq!(desk.reads(), [0], "then it is the other that has no credit");
    assert_eq!(desk.transfers.deadline(), Some(desk.now + STRAGGLER_PATIENCE));
    desk.forget();
    desk.hears(credit(transfer, 1, CHUNK, 3 * CHUNK, false));
    assert_eq!(desk.reads(), [CHUNK], "they are as far");
    assert_eq!(desk.chunks(), [(vec![node(1), node(2)], CHUNK)]);
    assert_eq!(desk.transfers.deadline(), Some(desk.now + STRAGGLER_PATIENCE));
    desk.hears(credit(transfer, 2, CHUNK, 3 * CHUNK, false));
    assert_eq!(desk.reads(), [2 * CHUNK]);
    assert_eq!(desk.chunks(), [(vec![node(1), node(2)], 2 * CHUNK)]);
}

#[test]
fn how_much_is_under_way_to_who_claims_to_take_everything() {
    let (mut desk, transfer) = Desk::sending(LONG, &[1]);
    desk.hears(credit(transfer, 1, 0, u64::MAX, true));
    let reads = desk.jobs();
    assert_eq!(reads.len(), READ_AHEAD, "as much is read ahead");
    for job in reads {
        let FileJob::Read { offset, len, .. } = job else { panic!("{job:?}") };
        desk.learns(FileNews::Read { transfer, offset, bytes: zeros(len as u64) });
    }
    desk.reads();
    let under_way = |desk: &mut Desk| desk.chunks().len() as u64 * CHUNK;
    let first = under_way(&mut desk);
    assert!(first <= SEND_WINDOW + READ_AHEAD as u64 * CHUNK, "{first}");
    for has in 1..10 {
        desk.hears(credit(transfer, 1, has * CHUNK, u64::MAX, false));
        desk.reads();
        assert_eq!(under_way(&mut desk), CHUNK, "as much as has arrived");
    }
    desk.hears(credit(transfer, 1, LONG + 1, u64::MAX, true));
    assert_eq!(desk.jobs(), [], "there is nothing");
}

#[test]
fn how_much_of_a_file_is_under_way_to_many() {
    let all: Vec<u32> = (1..=20).collect();
    let (mut desk, transfer) = Desk::sending(LONG, &all);
    for &number in &all {
        let from = u64::from(number) * 40 * CHUNK;
        desk.hears(credit(transfer, number, from, u64::MAX, true));
    }
    desk.reads();
    let bytes = desk.chunks().len() as u64 * CHUNK;
    let each = CREDIT_STEP + 2 * CHUNK;
    assert!(bytes <= SEND_WINDOW + all.len() as u64 * each, "{bytes}");
}

#[test]
fn is_what_did_not_arrive_sent_again() {
    let (mut desk, transfer) = Desk::sending(4 * CHUNK, &[1]);
    desk.hears(credit(transfer, 1, 0, 4 * CHUNK, true));
    desk.reads();
    desk.learns(FileNews::Digest { transfer, digest: [7; 32] });
    desk.forget();
    desk.hears(credit(transfer, 1, 2 * CHUNK, 4 * CHUNK, false));
    assert_eq!(desk.jobs(), [], "how far it is, no more");
    desk.hears(credit(transfer, 1, 2 * CHUNK, 4 * CHUNK, true));
    assert_eq!(desk.reads(), [2 * CHUNK, 3 * CHUNK]);
    let sent = desk.said();
    assert_eq!(sent.len(), 3);
    assert_eq!(sent[2], Frame::Complete { transfer, digest: [7; 32] });
}

#[test]
fn are_those_who_lack_it_asked_again_in_one_frame() {
    let (mut desk, transfer) = Desk::sending(4 * CHUNK, &[1, 2, 3]);
    desk.hears(verified(transfer, 2));
    desk.hears(credit(transfer, 1, 0, CHUNK, true));
    desk.reads();
    desk.forget();
    desk.transfers.server_down(desk.now);
    let told = desk.events();
    assert!(matches!(states(&told)[..], [TransferState::Waiting { .. }, TransferState::Waiting { .. }]));
    assert_eq!(desk.said(), []);
    desk.transfers.server_up();
    assert_eq!(desk.asked(), [[node(1), node(3)]]);
    assert_eq!(desk.events(), [], "that was said");
    desk.hears(credit(transfer, 1, CHUNK, 2 * CHUNK, true));
    let told = desk.events();
    assert!(matches!(states(&told)[..], [TransferState::Resumed]), "{told:?}");
    assert_eq!(desk.reads(), [CHUNK], "no byte twice");
    desk.hears(credit(transfer, 3, 0, 0, true));
    let told = desk.events();
    assert!(matches!(states(&told)[..], [TransferState::Accepted]), "{told:?}");
}

#[test]
fn is_who_is_away_spoken_of_once() {
    let (mut desk, transfer) = Desk::sending(CHUNK, &[1, 2]);
    for times in [1, 0] {
        desk.hears(Frame::Away { transfer, node: node(1) });
        desk.hears(Frame::Away { transfer, node: node(1) });
        assert_eq!(desk.events().len(), times);
        desk.transfers.server_up();
        assert_eq!(desk.asked(), [[node(1), node(2)]]);
    }
    desk.hears(credit(transfer, 1, 0, 0, true));
    desk.forget();
    desk.hears(Frame::Away { transfer, node: node(1) });
    assert_eq!(desk.events().len(), 1, "it had been here");
}

#[test]
fn is_a_file_of_an_earlier_run_offered_again() {
    let mut desk = Desk::open();
    desk.transfers.restore(vec![kept_outgoing(7, &[1, 2])]);
    let open = FileJob::Open { transfer: transfer(ME, 1), path: "/home/me/a.bin".into() };
    assert_eq!(desk.jobs(), [open]);
    desk.opened(transfer(ME, 1), CHUNK);
    assert_eq!(desk.said(), []);
    desk.transfers.up(node(2));
    assert_eq!(desk.asked(), [[node(2)]]);
    desk.hears(credit(transfer(ME, 1), 2, 0, CHUNK, true));
    assert_eq!(desk.reads(), [0]);
}

#[test]
fn is_a_file_that_changed_between_runs_cancelled_at_all_when_they_are_there() {
    let mut desk = Desk::open();
    desk.transfers.restore(vec![kept_outgoing(8, &[1, 2])]);
    desk.transfers.up(node(1));
    desk.forget();
    desk.opened(transfer(ME, 1), CHUNK);
    let changed = |number| cancel(transfer(ME, 1), number, ErrorCode::FileChanged, "");
    assert_eq!(desk.sent(), [(vec![node(1)], changed(1))]);
    assert_eq!(desk.troubles(), ["file_changed"]);
    assert!(!desk.transfers.is_idle(), "one does not know yet");
    desk.transfers.up(node(2));
    assert_eq!(desk.sent(), [(vec![node(2)], changed(2))]);
    assert_eq!(desk.troubles(), [""; 0], "that was said");
    assert!(desk.transfers.is_idle());
    let jobs = desk.jobs();
    assert_eq!(jobs.last(), Some(&FileJob::Forget(transfer(ME, 1))));
}

#[test]
fn does_one_who_will_not_have_it_keep_it_from_the_others() {
    let (mut desk, transfer) = Desk::sending(CHUNK, &[1, 2]);
    desk.hears(credit(transfer, 2, 0, 0, true));
    desk.hears(cancel(transfer, 2, ErrorCode::NoSpace, ""));
    assert_eq!(desk.troubles(), ["no_space"]);
    desk.hears(cancel(transfer, 3, ErrorCode::NoSpace, ""));
    desk.hears(verified(transfer, 3));
    assert_eq!(desk.troubles(), [""; 0], "that is no receiver");
    desk.hears(credit(transfer, 1, 0, CHUNK, true));
    assert_eq!(desk.reads(), [0]);
    desk.forget();
    desk.hears(verified(transfer, 1));
    let close = FileJob::Close { transfer, discard: false };
    assert_eq!(desk.jobs(), [close, FileJob::Forget(transfer)]);
    assert!(desk.transfers.is_idle());
}

#[test]
fn do_all_receivers_hear_that_a_file_is_taken_back() {
    let (mut desk, transfer) = Desk::sending(CHUNK, &[1, 2]);
    desk.hears(credit(transfer, 1, 0, CHUNK, true));
    desk.forget();
    desk.transfers.cancel(1);
    let cancelled = |number| (vec![node(number)], cancel(transfer, number, ErrorCode::Cancelled, ""));
    assert_eq!(desk.sent(), [1, 2].map(cancelled));
    assert_eq!(desk.troubles(), ["cancelled"], "once for all of them");
    desk.learns(FileNews::Read { transfer, offset: 0, bytes: zeros(CHUNK) });
    desk.hears(credit(transfer, 1, 0, CHUNK, true));
    assert_eq!(desk.said(), []);
}

#[test]
fn is_a_link_that_is_full_left_alone_until_there_is_room() {
    let (mut desk, transfer) = Desk::sending(LONG, &[1]);
    desk.hears(credit(transfer, 1, 0, 2 * CHUNK, true));
    desk.reads();
    desk.forget();
    let refused = Frame::Chunk { transfer, offset: CHUNK, bytes: zeros(CHUNK) };
    desk.transfers.handle_full(None, &refused);
    desk.hears(credit(transfer, 1, CHUNK, 9 * CHUNK, false));
    assert_eq!(desk.reads(), [0; 0]);
    desk.transfers.handle_room(None);
    assert_eq!(desk.asked(), [[node(1)]], "how far is it?");
    desk.hears(credit(transfer, 1, CHUNK, 3 * CHUNK, true));
    assert_eq!(desk.reads(), [CHUNK, 2 * CHUNK]);
    desk.transfers.handle_room(None);
    assert!(desk.asked().is_empty());
}
