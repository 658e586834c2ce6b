use super::*;
use crate::{
    app::limits::{CREDIT_BYTES, MAX_OFFERS_PER_NODE, MAX_RELAYS},
    wire::{CAN_TRANSFER, MAX_CHUNK_BYTES, MAX_RECEIVERS, Offer},
};

const CHUNK: u64 = MAX_CHUNK_BYTES as u64;
const LEN: u64 = 100 * CHUNK;

fn transfer(number: u32) -> TransferId {
    TransferId { sender: node(1), epoch: Epoch(1), number }
}

/// What client 1 would send, under another's name.
fn offer(number: u32, to: &[u32]) -> Offer {
    let (transfer, from) = (transfer(number), "mallory".parse().unwrap());
    let to = to.iter().map(|&number| node(number)).collect();
    Offer { transfer, from, to, room: None, name: "a.bin".into(), len: LEN }
}

/// What the server makes of it for one of them.
fn offered(number: u32, to: u32) -> (LinkId, Frame) {
    (link(to), Frame::Offer(Offer { from: "c1".parse().unwrap(), ..offer(number, &[to]) }))
}

fn credit(receiver: u32, from: u64, upto: u64, again: bool) -> Frame {
    Frame::Credit { transfer: transfer(1), receiver: node(receiver), from, upto, again }
}

fn chunk(offset: u64) -> Frame {
    Frame::Chunk { transfer: transfer(1), offset, bytes: vec![0; MAX_CHUNK_BYTES].into() }
}

fn complete() -> Frame {
    Frame::Complete { transfer: transfer(1), digest: [7; 32] }
}

fn verified(receiver: u32) -> Frame {
    Frame::Verified { transfer: transfer(1), receiver: node(receiver) }
}

fn cancel(number: u32, receiver: Option<u32>, code: ErrorCode, detail: &str) -> Frame {
    Frame::Cancel { transfer: transfer(number), receiver: receiver.map(node), code, detail: detail.into() }
}

fn away(number: u32) -> Frame {
    Frame::Away { transfer: transfer(1), node: node(number) }
}

impl Star {
    /// A server with so many clients who take files, of whom the first sends one to these.
    fn relaying(clients: u32, to: &[u32]) -> Self {
        let mut star = Self::new(|_| {});
        (1..=clients).for_each(|number| star.comes_for_files(number));
        star.says(1, Frame::Offer(offer(1, to)));
        star.heard();
        star
    }

    fn comes_for_files(&mut self, number: u32) {
        let hello = Hello { capabilities: CAN_TRANSFER, ..hello(number, &format!("c{number}")) };
        self.links(number, hello, LOOPBACK);
    }

    /// What comes of this frame.
    fn answer(&mut self, number: u32, frame: Frame) -> Sent {
        self.heard();
        self.says(number, frame);
        self.heard()
    }

    /// To whom this part goes.
    fn chunk_goes_to(&mut self, offset: u64) -> Vec<LinkId> {
        let sent = self.answer(1, chunk(offset));
        assert!(sent.iter().all(|(_, frame)| *frame == chunk(offset)), "{sent:?}");
        let mut to: Vec<LinkId> = sent.into_iter().map(|(to, _)| to).collect();
        to.sort_unstable();
        to
    }
}

#[test]
fn to_whom_does_an_offer_go() {
    let mut star = Star::relaying(3, &[9]);
    star.comes(4);
    let sent = star.answer(1, Frame::Offer(offer(2, &[2, 4, 5])));
    let refused = cancel(2, Some(4), ErrorCode::FileRefused, "their program takes no files");
    let gone = Frame::Away { transfer: transfer(2), node: node(5) };
    assert_eq!(sent, [offered(2, 2), (link(1), refused), (link(1), gone)]);
}

#[test]
fn is_an_offer_that_nobody_could_take_passed_on() {
    let mut star = Star::relaying(2, &[2]);
    let many: Vec<u32> = (2..).take(MAX_RECEIVERS + 1).collect();
    let named = |len| Offer { name: "x".repeat(len), ..offer(2, &[2]) };
    for offer in [named(0), named(256), offer(2, &[]), offer(2, &many)] {
        let sent = star.answer(1, Frame::Offer(offer));
        let [(to, Frame::Error { code: ErrorCode::Malformed, .. })] = &sent[..] else { panic!("{sent:?}") };
        assert_eq!(*to, link(1));
    }
    assert_eq!(star.answer(1, Frame::Offer(named(255))).len(), 1);
    let sent = star.answer(1, Frame::Offer(Offer { transfer: transfer(3), ..offer(3, &many[1..]) }));
    assert_eq!(sent.len(), MAX_RECEIVERS, "away, each of them");
}

#[test]
fn does_anybody_speak_for_another() {
    let mut star = Star::relaying(4, &[2, 3]);
    let cancelled = |receiver| cancel(1, receiver, ErrorCode::Cancelled, "");
    for (by, frame) in [
        (3, credit(2, 0, CHUNK, true)),
        (1, credit(2, 0, CHUNK, true)),
        (3, verified(2)),
        (1, verified(2)),
        (2, chunk(0)),
        (2, complete()),
        (2, Frame::Offer(offer(2, &[3]))),
        (4, cancelled(None)),
        (2, cancelled(None)),
        (3, cancelled(Some(2))),
    ] {
        let sent = star.answer(by, frame.clone());
        let [(to, Frame::Error { code: ErrorCode::Forbidden, .. })] = &sent[..] else {
            panic!("{frame:?}: {sent:?}")
        };
        assert_eq!(*to, link(by));
    }
    for frame in [credit(4, 0, CHUNK, true), verified(4), cancelled(Some(4))] {
        assert_eq!(star.answer(4, frame), [], "it is no receiver");
    }
    assert_eq!(star.answer(1, away(2)).len(), 1, "that is a server's to say");
    assert_eq!(star.answer(1, cancelled(None)).len(), 2, "both are still to get it");
}

#[test]
fn does_a_part_go_once_to_all_whose_turn_it_is() {
    let mut star = Star::relaying(5, &[2, 3, 4, 5]);
    for (receiver, from) in [(2, 0), (3, 0), (4, CHUNK)] {
        let frame = credit(receiver, from, from + 3 * CHUNK, true);
        assert_eq!(star.answer(receiver, frame.clone()), [(link(1), frame)]);
    }
    assert_eq!(star.chunk_goes_to(0), [link(2), link(3)]);
    assert_eq!(star.chunk_goes_to(0), [], "all have it");
    assert_eq!(star.chunk_goes_to(CHUNK), [link(2), link(3), link(4)]);
    assert_eq!(star.chunk_goes_to(3 * CHUNK), [], "that is nobody's next");
    assert_eq!(star.chunk_goes_to(2 * CHUNK), [link(2), link(3), link(4)]);
    assert_eq!(star.chunk_goes_to(3 * CHUNK), [link(4)], "the others have no credit for it");
    star.says(2, credit(2, CHUNK, 4 * CHUNK, true));
    assert_eq!(star.chunk_goes_to(CHUNK), [link(2)], "asked for again");
}

#[test]
fn how_far_does_the_server_let_a_receiver_be_ahead() {
    let mut star = Star::relaying(2, &[2]);
    let cut = credit(2, CHUNK, CHUNK + CREDIT_BYTES, true);
    assert_eq!(star.answer(2, credit(2, CHUNK, u64::MAX, true)), [(link(1), cut)]);
    let taken = (1..).take_while(|part| star.chunk_goes_to(part * CHUNK) == [link(2)]).count() as u64;
    assert_eq!(taken, CREDIT_BYTES / CHUNK);
    let more = credit(2, 2 * CHUNK, 2 * CHUNK + CREDIT_BYTES, false);
    assert_eq!(star.answer(2, credit(2, 2 * CHUNK, u64::MAX, false)), [(link(1), more)]);
    assert_eq!(star.chunk_goes_to((taken + 1) * CHUNK), [link(2)]);
}

#[test]
fn is_a_part_passed_on_that_is_too_long_or_empty_or_beyond_the_end() {
    let mut star = Star::relaying(2, &[2]);
    star.says(2, credit(2, 0, CREDIT_BYTES, true));
    for (offset, len) in [(0, MAX_CHUNK_BYTES + 1), (0, 0), (u64::MAX, 1)] {
        let bytes = vec![0; len].into();
        assert_eq!(star.answer(1, Frame::Chunk { transfer: transfer(1), offset, bytes }), []);
    }
    star.says(2, credit(2, LEN - 1, LEN + CREDIT_BYTES, true));
    assert_eq!(star.chunk_goes_to(LEN - 1), []);
    let last = Frame::Chunk { transfer: transfer(1), offset: LEN - 1, bytes: vec![0].into() };
    assert_eq!(star.answer(1, last.clone()), [(link(2), last)]);
}

#[test]
fn does_the_end_go_to_those_who_have_all_and_once() {
    let mut star = Star::relaying(3, &[2, 3]);
    star.says(2, credit(2, LEN - CHUNK, LEN, true));
    star.says(3, credit(3, LEN - 2 * CHUNK, LEN, true));
    assert_eq!(star.answer(1, complete()), []);
    assert_eq!(star.chunk_goes_to(LEN - CHUNK), [link(2)]);
    assert_eq!(star.answer(1, complete()), [(link(2), complete())]);
    assert_eq!(star.answer(1, complete()), []);
    star.says(3, credit(3, LEN, LEN, true));
    assert_eq!(star.answer(1, complete()), [(link(3), complete())]);
}

#[test]
fn is_what_found_no_room_asked_for_again() {
    let mut star = Star::relaying(3, &[2, 3]);
    star.says(2, credit(2, 0, 5 * CHUNK, true));
    star.says(3, credit(3, 0, 5 * CHUNK, true));
    for part in 0..3 {
        star.chunk_goes_to(part * CHUNK);
    }
    let full = |frame| Input::LinkFull { link: link(2), refused: vec![frame] };
    star.hub.handle_input(full(chunk(2 * CHUNK)), star.now);
    star.hub.handle_input(full(chunk(CHUNK)), star.now);
    assert_eq!(star.chunk_goes_to(3 * CHUNK), [link(3)], "nothing more until there is room");
    star.hub.handle_input(Input::LinkRoom { link: link(2) }, star.now);
    assert_eq!(star.heard(), [(link(1), credit(2, CHUNK, 5 * CHUNK, true))]);
    assert_eq!(star.chunk_goes_to(CHUNK), [link(2)]);
    star.hub.handle_input(Input::LinkRoom { link: link(2) }, star.now);
    assert_eq!(star.heard(), []);
}

#[test]
fn is_an_end_that_found_no_room_asked_for_again() {
    let mut star = Star::relaying(2, &[2]);
    star.says(2, credit(2, LEN, LEN, true));
    star.answer(1, complete());
    let refused = vec![complete()];
    star.hub.handle_input(Input::LinkFull { link: link(2), refused }, star.now);
    star.hub.handle_input(Input::LinkRoom { link: link(2) }, star.now);
    assert_eq!(star.heard(), [(link(1), credit(2, LEN, LEN, true))]);
    assert_eq!(star.answer(1, complete()), [(link(2), complete())]);
}

#[test]
fn is_a_receiver_who_comes_back_asked_again() {
    let mut star = Star::relaying(3, &[2, 3]);
    star.says(2, credit(2, 0, 5 * CHUNK, true));
    star.chunk_goes_to(0);
    star.goes(2);
    assert_eq!(star.heard(), [(link(1), away(2))]);
    assert_eq!(star.chunk_goes_to(CHUNK), []);
    star.comes_for_files(2);
    assert_eq!(star.heard_only(2), [welcome("c2"), offered(1, 2).1]);
    assert_eq!(star.chunk_goes_to(CHUNK), [], "it has not said how far it is");
    let again = credit(2, CHUNK, 5 * CHUNK, true);
    assert_eq!(star.answer(2, again.clone()), [(link(1), again)]);
    assert_eq!(star.chunk_goes_to(CHUNK), [link(2)]);
}

#[test]
fn is_a_receiver_on_another_link_asked_again() {
    let mut star = Star::relaying(2, &[2]);
    star.says(2, credit(2, 0, 5 * CHUNK, true));
    star.heard();
    let hello = Hello { capabilities: CAN_TRANSFER, ..hello(2, "c2") };
    star.links(7, hello, LOOPBACK);
    let (_, offer) = offered(1, 2);
    assert_eq!(star.heard(), [(link(1), away(2)), (link(7), welcome("c2")), (link(7), offer)]);
    star.goes(2);
    assert_eq!(star.heard(), [], "the link before is nobody's");
}

#[test]
fn is_a_transfer_forgotten_whose_sender_left() {
    let mut star = Star::relaying(3, &[2, 3, 4]);
    star.says(2, credit(2, 0, 5 * CHUNK, true));
    star.heard();
    star.goes(1);
    let mut heard = star.heard();
    heard.sort_unstable_by_key(|(to, _)| *to);
    assert_eq!(heard, [(link(2), away(1)), (link(3), away(1))]);
    assert!(star.hub.relays.is_empty());
    star.comes_for_files(1);
    assert_eq!(star.heard_only(1), [welcome("c1")], "it will offer again by itself");
    assert_eq!(star.answer(2, credit(2, CHUNK, 5 * CHUNK, false)), []);
    assert_eq!(star.answer(1, Frame::Offer(offer(1, &[2]))), [offered(1, 2)]);
}

#[test]
fn are_as_many_files_of_one_sender_passed_on_as_the_limit_says_and_not_one_more() {
    let mut star = Star::relaying(3, &[2]);
    let most = MAX_OFFERS_PER_NODE as u32;
    for number in 2..=most {
        assert_eq!(star.answer(1, Frame::Offer(offer(number, &[2]))), [offered(number, 2)]);
    }
    let refused = |receiver| (link(1), cancel(most + 1, Some(receiver), ErrorCode::TooManyFiles, "16"));
    let one_more = || Frame::Offer(offer(most + 1, &[2, 3]));
    assert_eq!(star.answer(1, one_more()), [refused(2), refused(3)]);
    assert_eq!(star.answer(1, Frame::Offer(offer(1, &[2]))), [offered(1, 2)], "one that is known");
    let others = TransferId { sender: node(3), ..transfer(1) };
    let theirs = Frame::Offer(Offer { transfer: others, ..offer(1, &[2]) });
    assert_eq!(star.answer(3, theirs).len(), 1, "somebody else's");
    star.says(2, verified(2));
    assert_eq!(star.answer(1, one_more()).len(), 2);
}

#[test]
fn are_as_many_files_passed_on_as_the_limit_says_and_not_one_more() {
    let senders = (MAX_RELAYS / MAX_OFFERS_PER_NODE) as u32;
    let last = senders + 2;
    let mut star = Star::new(|limits| limits.max_clients = last as usize);
    (1..=last).for_each(|number| star.comes_for_files(number));
    let offer_of = |sender: u32, number: u32| {
        let transfer = TransferId { sender: node(sender), ..transfer(number) };
        Frame::Offer(Offer { transfer, ..offer(number, &[1]) })
    };
    for sender in 2..last {
        for number in 0..MAX_OFFERS_PER_NODE as u32 {
            assert_eq!(star.answer(sender, offer_of(sender, number)).len(), 1);
        }
    }
    assert_eq!(star.hub.relays.len(), MAX_RELAYS);
    let is_refused = |star: &mut Star| {
        let sent = star.answer(last, offer_of(last, 1));
        matches!(sent[..], [(to, Frame::Cancel { code: ErrorCode::TooManyFiles, .. })] if to == link(last))
    };
    assert!(is_refused(&mut star));
    star.goes(2);
    assert!(!is_refused(&mut star));
}

#[test]
fn is_a_transfer_over_when_all_have_it() {
    let mut star = Star::relaying(3, &[2, 3]);
    assert_eq!(star.answer(2, verified(2)), [(link(1), verified(2))]);
    assert_eq!(star.answer(2, verified(2)), [], "once");
    assert_eq!(star.answer(2, credit(2, 0, CHUNK, true)), [], "it has it");
    assert_eq!(star.answer(3, verified(3)), [(link(1), verified(3))]);
    assert!(star.hub.relays.is_empty());
    assert_eq!(star.answer(3, credit(3, 0, CHUNK, true)), []);
    assert_eq!(star.chunk_goes_to(0), []);
}

#[test]
fn who_hears_that_a_transfer_is_cancelled() {
    let mut star = Star::relaying(4, &[2, 3, 4]);
    let refused = cancel(1, Some(2), ErrorCode::FileRefused, "");
    assert_eq!(star.answer(2, refused.clone()), [(link(1), refused)]);
    let back = cancel(1, Some(3), ErrorCode::FileChanged, "");
    assert_eq!(star.answer(1, back.clone()), [(link(3), back)]);
    let all = cancel(1, None, ErrorCode::Cancelled, "");
    let last = cancel(1, Some(4), ErrorCode::Cancelled, "");
    assert_eq!(star.answer(1, all), [(link(4), last)], "the only one left");
    assert!(star.hub.relays.is_empty());
}
