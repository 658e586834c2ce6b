use super::*;
use crate::app::limits::{CHUNK_PATIENCE, CREDIT_STEP, LEAST_CREDIT, MAX_OFFERS, MAX_OFFERS_PER_NODE};

const LONG: u64 = 100 * CHUNK;

impl Desk {
    /// What is said when node `from` offers this.
    fn offered(&mut self, offer: Offer) -> Vec<Frame> {
        self.forget();
        self.hears(Frame::Offer(offer));
        self.said()
    }

    /// For which room is to be made.
    fn creates(&mut self) -> Vec<u32> {
        let number = |job| match job {
            FileJob::Create { transfer, .. } => Some(transfer.number),
            _ => None,
        };
        self.jobs().into_iter().filter_map(number).collect()
    }
}

#[test]
fn are_as_many_offers_of_one_sender_open_as_the_limit_says_and_not_one_more() {
    let mut desk = Desk::new(Acceptance::Ask, MAX_FILE_BYTES);
    let most = MAX_OFFERS_PER_NODE as u32;
    for number in 1..=most {
        assert_eq!(desk.offered(offer(transfer(1, number), 1, 1)), [], "{number}");
    }
    let one_more = transfer(1, most + 1);
    let refusal = cancel(one_more, ME, ErrorCode::TooManyFiles, "16");
    assert_eq!(desk.offered(offer(one_more, 1, 1)), [refusal]);
    assert_eq!(desk.offered(offer(transfer(1, 1), 1, 1)), [], "that one is known");
    assert_eq!(desk.offered(offer(transfer(2, 1), 2, 1)), [], "somebody else's");
    desk.transfers.reject(1);
    assert_eq!(desk.offered(offer(one_more, 1, 1)), []);
}

#[test]
fn are_as_many_offers_open_as_the_limit_says_and_not_one_more() {
    let mut desk = Desk::new(Acceptance::Ask, MAX_FILE_BYTES);
    let each = MAX_OFFERS_PER_NODE as u32;
    let senders = (MAX_OFFERS / MAX_OFFERS_PER_NODE) as u32;
    for sender in 1..=senders {
        for number in 1..=each {
            assert_eq!(desk.offered(offer(transfer(sender, number), sender, 1)), []);
        }
    }
    let one_more = desk.offered(offer(transfer(99, 1), 99, 1));
    assert!(matches!(one_more[..], [Frame::Cancel { code: ErrorCode::TooManyFiles, .. }]), "{one_more:?}");
    assert_eq!(desk.events(), [], "people hear nothing of it");
    desk.hears(cancel(transfer(1, 1), ME, ErrorCode::Cancelled, ""));
    assert_eq!(desk.offered(offer(transfer(99, 1), 99, 1)), []);
}

#[test]
fn do_those_past_the_limit_wait_until_one_has_arrived() {
    let mut desk = Desk::open();
    let most = MAX_TRANSFERS as u32;
    for number in 1..=most + 2 {
        desk.hears(Frame::Offer(offer(transfer(1, number), 1, CHUNK)));
    }
    assert_eq!(desk.creates(), (1..=most).collect::<Vec<_>>());
    for number in 1..=most {
        desk.learns(FileNews::Created { transfer: transfer(1, number), held: 0 });
    }
    desk.gets(transfer(1, 3), 0, 1);
    desk.writes();
    desk.hears(Frame::Complete { transfer: transfer(1, 3), digest: [3; 32] });
    assert_eq!(desk.creates(), [0; 0], "it is not saved yet");
    desk.learns(FileNews::Saved { transfer: transfer(1, 3), path: "/tmp/a.bin".into() });
    assert_eq!(desk.creates(), [most + 1]);
    desk.transfers.cancel(1);
    assert_eq!(desk.creates(), [most + 2], "nor do those that came to nothing keep a place");
}

#[test]
fn do_those_whose_sender_is_away_leave_their_place_to_others() {
    let mut desk = Desk::open();
    let most = MAX_TRANSFERS as u32;
    for number in 1..=most {
        desk.hears(Frame::Offer(offer(transfer(1, number), 1, CHUNK)));
        desk.learns(FileNews::Created { transfer: transfer(1, number), held: 0 });
    }
    desk.hears(Frame::Offer(offer(transfer(2, 1), 2, CHUNK)));
    desk.forget();
    (1..=most).for_each(|number| desk.hears(Frame::Away { transfer: transfer(1, number), node: node(1) }));
    assert_eq!(desk.creates(), [1], "of the one who is there");
    desk.learns(FileNews::Created { transfer: transfer(2, 1), held: 0 });
    desk.forget();
    for number in 1..most {
        let goes_on = desk.offered(offer(transfer(1, number), 1, CHUNK));
        assert_eq!(goes_on, [credit(transfer(1, number), ME, 0, CHUNK, true)]);
    }
    assert_eq!(desk.offered(offer(transfer(1, most), 1, CHUNK)), [], "its place was taken");
    assert_eq!(desk.jobs(), [FileJob::Close { transfer: transfer(1, most), discard: false }]);
    desk.hears(cancel(transfer(2, 1), ME, ErrorCode::Cancelled, ""));
    assert_eq!(desk.creates(), [most]);
}

#[test]
fn is_somebody_who_accepts_told_that_the_sender_is_away() {
    let mut desk = Desk::new(Acceptance::Ask, MAX_FILE_BYTES);
    desk.hears(Frame::Offer(offer(transfer(1, 1), 1, CHUNK)));
    desk.hears(Frame::Away { transfer: transfer(1, 1), node: node(1) });
    desk.forget();
    desk.transfers.accept(1);
    let told = desk.events();
    assert!(matches!(states(&told)[..], [TransferState::Waiting { .. }]), "{told:?}");
    assert_eq!(desk.creates(), [0; 0]);
    desk.offered(offer(transfer(1, 1), 1, CHUNK));
    assert_eq!(desk.creates(), [1]);
}

#[test]
fn whose_files_are_taken_without_asking() {
    let names = || [nick(1), "N2".parse().unwrap()].into();
    for (accept, taken) in
        [(Acceptance::Ask, vec![]), (Acceptance::From(names()), vec![1, 2]), (Acceptance::All, vec![1, 2, 3])]
    {
        let mut desk = Desk::new(accept.clone(), MAX_FILE_BYTES);
        for from in 1..=3 {
            desk.hears(Frame::Offer(offer(transfer(from, from), from, 1)));
        }
        assert_eq!(desk.creates(), taken, "{accept:?}");
        assert_eq!(desk.events().len(), 3, "people are told of each");
    }
}

#[test]
fn is_a_file_at_the_limit_taken_and_one_past_it_refused() {
    let mut desk = Desk::new(Acceptance::All, 1_000);
    assert_eq!(desk.offered(offer(transfer(1, 1), 1, 1_000)), []);
    assert_eq!(desk.creates(), [1]);
    let refusal = cancel(transfer(1, 2), ME, ErrorCode::FileTooLong, "1000");
    assert_eq!(desk.offered(offer(transfer(1, 2), 1, 1_001)), [refusal]);
    let refused = desk.offered(offer(transfer(1, 3), 1, u64::MAX));
    assert!(matches!(refused[..], [Frame::Cancel { code: ErrorCode::FileTooLong, .. }]));
}

#[test]
fn how_long_may_the_name_of_a_file_be() {
    let mut desk = Desk::open();
    for (number, len, taken) in [(1, 0, false), (2, 1, true), (3, 255, true), (4, 256, false)] {
        let offer = Offer { name: "x".repeat(len), ..offer(transfer(1, number), 1, 1) };
        let said = desk.offered(offer);
        let malformed = matches!(said[..], [Frame::Cancel { code: ErrorCode::Malformed, .. }]);
        assert_eq!((said.is_empty(), malformed), (taken, !taken), "{len}");
    }
}

#[test]
fn is_what_may_not_come_written() {
    let (mut desk, transfer) = Desk::receiving(LONG);
    desk.hears(Frame::Chunk { transfer, offset: 0, bytes: Bytes::new() });
    desk.gets(transfer, 0, 2);
    assert_eq!(desk.writes(), [0, CHUNK]);
    desk.gets(transfer, 0, 2);
    desk.hears(Frame::Chunk { transfer, offset: CHUNK, bytes: zeros(CHUNK) });
    desk.hears(Frame::Chunk { transfer, offset: 2 * CHUNK - 1, bytes: zeros(CHUNK) });
    desk.hears(Frame::Chunk { transfer, offset: 9 * CHUNK, bytes: zeros(CHUNK) });
    desk.hears(Frame::Chunk { transfer, offset: u64::MAX, bytes: zeros(CHUNK) });
    assert_eq!(desk.jobs(), []);
}

#[test]
fn is_a_chunk_beyond_the_credit_written() {
    let (mut desk, transfer) = Desk::receiving(LONG);
    let covered = CREDIT_BYTES / CHUNK;
    desk.gets(transfer, 0, covered + 1);
    assert_eq!(desk.jobs().len() as u64, covered);
    let rest = CREDIT_BYTES - covered * CHUNK;
    let (offset, bytes) = (covered * CHUNK, zeros(rest));
    desk.hears(Frame::Chunk { transfer, offset, bytes });
    assert_eq!(desk.jobs().len(), 1, "to the last byte of it");
    let (mut desk, transfer) = Desk::receiving(CHUNK - 1);
    desk.gets(transfer, 0, 1);
    assert_eq!(desk.jobs(), [], "longer than the file");
}

#[test]
fn is_a_hole_asked_for_once_and_not_for_each_chunk_behind_it() {
    let (mut desk, transfer) = Desk::receiving(LONG);
    desk.gets(transfer, 0, 1);
    desk.gets(transfer, 2 * CHUNK, 5);
    let again = credit(transfer, ME, CHUNK, CHUNK + CREDIT_BYTES, true);
    assert_eq!(desk.said(), [again]);
    desk.gets(transfer, CHUNK, 1);
    desk.gets(transfer, 3 * CHUNK, 5);
    let another = credit(transfer, ME, 2 * CHUNK, 2 * CHUNK + CREDIT_BYTES, true);
    assert_eq!(desk.said(), [another], "another hole");
    let parts: Vec<FileJob> = desk.jobs();
    assert_eq!(parts.len(), 2);
}

#[test]
fn is_a_silent_sender_asked_again() {
    let (mut desk, transfer) = Desk::receiving(LONG);
    desk.gets(transfer, 0, 1);
    desk.waits(CHUNK_PATIENCE - Duration::from_millis(1));
    assert_eq!(desk.said(), []);
    let at = desk.transfers.deadline().unwrap();
    desk.waits(at - desk.now);
    assert_eq!(desk.said(), [credit(transfer, ME, CHUNK, CHUNK + CREDIT_BYTES, true)]);
    assert_eq!(desk.transfers.deadline(), Some(desk.now + CHUNK_PATIENCE));
    desk.hears(Frame::Away { transfer, node: node(1) });
    assert_eq!(desk.transfers.deadline(), None, "there is nobody to ask");
}

#[test]
fn is_complete_believed_before_all_has_come() {
    let (mut desk, transfer) = Desk::receiving(2 * CHUNK);
    desk.gets(transfer, 0, 1);
    desk.writes();
    desk.forget();
    desk.hears(Frame::Complete { transfer, digest: [7; 32] });
    assert!(desk.transfers.poll().is_none());
    desk.gets(transfer, CHUNK, 1);
    desk.hears(Frame::Complete { transfer, digest: [7; 32] });
    desk.hears(Frame::Complete { transfer, digest: [8; 32] });
    let seal = FileJob::Seal { transfer, name: "a.bin".into(), digest: [7; 32] };
    assert_eq!(desk.jobs().get(1..), Some(&[seal][..]));
}

#[test]
fn is_credit_extended_in_steps_and_at_the_end() {
    let (mut desk, transfer) = Desk::receiving(LONG);
    let (mut upto, mut steps) = (CREDIT_BYTES, 0);
    for part in 0..100 {
        desk.gets(transfer, part * CHUNK, 1);
        desk.writes();
        for frame in desk.said() {
            let Frame::Credit { from, upto: to, again: false, .. } = frame else { panic!("{frame:?}") };
            assert_eq!(from, (part + 1) * CHUNK);
            assert!(to >= upto + CREDIT_STEP || to == LONG, "{to} after {upto}");
            assert!(to <= from + CREDIT_BYTES, "no more than may be under way");
            (upto, steps) = (to, steps + 1);
        }
    }
    assert_eq!(upto, LONG);
    let least = LONG / (CREDIT_STEP + CHUNK);
    assert!((least..least + 4).contains(&steps), "{steps} and {least}");
}

#[test]
fn do_several_transfers_share_what_may_be_under_way() {
    let mut desk = Desk::open();
    let mut windows = Vec::new();
    for number in 1..=MAX_TRANSFERS as u32 {
        let transfer = transfer(1, number);
        desk.hears(Frame::Offer(offer(transfer, 1, LONG)));
        desk.learns(FileNews::Created { transfer, held: 0 });
        let upto = |frame| match frame {
            Frame::Credit { upto, .. } => Some(upto),
            _ => None,
        };
        windows.extend(desk.said().into_iter().filter_map(upto));
    }
    assert_eq!(windows[..4], [1, 2, 3, 4].map(|flowing| CREDIT_BYTES / flowing));
    assert_eq!(windows[4..], [LEAST_CREDIT; 4]);
}

#[test]
fn does_an_offer_made_again_say_how_far_it_is() {
    let (mut desk, transfer) = Desk::receiving(2 * CHUNK);
    desk.gets(transfer, 0, 1);
    desk.writes();
    desk.transfers.server_down(desk.now);
    let told = desk.events();
    assert!(matches!(states(&told)[..], [TransferState::Waiting { .. }]), "{told:?}");
    let again = desk.offered(offer(transfer, 1, 2 * CHUNK));
    assert_eq!(again, [credit(transfer, ME, CHUNK, 2 * CHUNK, true)]);
    let told = desk.events();
    assert!(matches!(states(&told)[..], [TransferState::Resumed]), "{told:?}");
    desk.offered(offer(transfer, 1, 2 * CHUNK));
    assert_eq!(desk.events(), [], "it was not away");
}

#[test]
fn is_what_is_saved_verified_again_when_offered_again() {
    let (mut desk, transfer) = Desk::receiving(CHUNK);
    desk.gets(transfer, 0, 1);
    desk.hears(Frame::Complete { transfer, digest: [7; 32] });
    desk.transfers.server_down(desk.now);
    desk.forget();
    desk.learns(FileNews::Saved { transfer, path: "/tmp/a.bin".into() });
    assert_eq!(desk.said(), [], "nobody is there to hear it");
    assert!(desk.events().iter().any(|event| matches!(event, Event::File { .. })));
    for _ in 0..2 {
        let said = desk.offered(offer(transfer, 1, CHUNK));
        assert_eq!(said, [Frame::Verified { transfer, receiver: node(ME) }]);
        assert_eq!((desk.jobs(), desk.events()), (vec![], vec![]));
    }
    desk.hears(cancel(transfer, ME, ErrorCode::Cancelled, ""));
    assert_eq!((desk.jobs(), desk.events()), (vec![], vec![]), "it is here");
}

#[test]
fn is_a_file_that_was_saved_in_an_earlier_run_taken_twice() {
    let mut desk = Desk::open();
    desk.transfers.restore(vec![kept_incoming(1, Some("/tmp/a.bin")), kept_incoming(2, None)]);
    assert_eq!(desk.creates(), [2], "that one goes on");
    let said = desk.offered(offer(transfer(1, 1), 1, 2 * CHUNK));
    assert_eq!(said, [Frame::Verified { transfer: transfer(1, 1), receiver: node(ME) }]);
    assert_eq!((desk.jobs(), desk.events()), (vec![], vec![]), "nobody is asked again");
    desk.learns(FileNews::Created { transfer: transfer(1, 2), held: CHUNK });
    assert_eq!(desk.said(), [], "its sender is not here");
    let said = desk.offered(offer(transfer(1, 2), 1, 2 * CHUNK));
    assert_eq!(said, [credit(transfer(1, 2), ME, CHUNK, 2 * CHUNK, true)]);
}

#[test]
fn is_a_damaged_file_that_was_partly_here_fetched_once_more_and_not_twice() {
    let mut desk = Desk::open();
    let transfer = transfer(1, 1);
    desk.hears(Frame::Offer(offer(transfer, 1, 2 * CHUNK)));
    desk.learns(FileNews::Created { transfer, held: CHUNK });
    desk.gets(transfer, CHUNK, 1);
    desk.hears(Frame::Complete { transfer, digest: [7; 32] });
    desk.forget();
    desk.learns(failed(transfer, ErrorCode::FileDamaged));
    assert_eq!(desk.jobs(), [FileJob::Create { transfer, len: 2 * CHUNK }]);
    desk.learns(FileNews::Created { transfer, held: 0 });
    assert_eq!(desk.said(), [credit(transfer, ME, 0, 2 * CHUNK, true)]);
    desk.gets(transfer, 0, 2);
    assert_eq!(desk.writes(), [0, CHUNK]);
    desk.hears(Frame::Complete { transfer, digest: [7; 32] });
    desk.forget();
    desk.learns(failed(transfer, ErrorCode::FileDamaged));
    assert_eq!(desk.said(), [cancel(transfer, ME, ErrorCode::FileDamaged, "")]);
    assert_eq!(desk.troubles(), ["file_damaged"]);
    assert!(desk.transfers.is_idle());
}

#[test]
fn does_a_sender_hear_that_its_file_is_not_wanted() {
    let mut desk = Desk::new(Acceptance::Ask, MAX_FILE_BYTES);
    let (first, second) = (transfer(1, 1), transfer(1, 2));
    desk.hears(Frame::Offer(offer(first, 1, CHUNK)));
    desk.hears(Frame::Offer(offer(second, 1, CHUNK)));
    desk.transfers.accept(2);
    desk.forget();
    desk.transfers.reject(1);
    desk.transfers.cancel(2);
    let refused = cancel(first, ME, ErrorCode::FileRefused, "");
    assert_eq!(desk.said(), [refused.clone(), cancel(second, ME, ErrorCode::Cancelled, "")]);
    let close = FileJob::Close { transfer: second, discard: true };
    assert_eq!(desk.jobs(), [close, FileJob::Forget(second)], "of the first there is nothing");
    assert_eq!(desk.offered(offer(first, 1, CHUNK)), [refused], "nor is it asked for again");
    assert_eq!(desk.events(), []);
}

#[test]
fn is_a_file_that_its_sender_takes_back_thrown_away() {
    for receiver in [Some(node(ME)), None] {
        let (mut desk, transfer) = Desk::receiving(2 * CHUNK);
        desk.gets(transfer, 0, 1);
        desk.forget();
        let (code, detail) = (ErrorCode::Cancelled, String::new());
        desk.hears(Frame::Cancel { transfer, receiver, code, detail });
        let close = FileJob::Close { transfer, discard: true };
        assert_eq!(desk.jobs(), [close, FileJob::Forget(transfer)]);
        assert_eq!(desk.troubles(), ["cancelled"]);
        desk.gets(transfer, CHUNK, 1);
        desk.learns(FileNews::Written { transfer, upto: CHUNK });
        assert!(desk.transfers.poll().is_none(), "what was under way comes to nothing");
    }
}
