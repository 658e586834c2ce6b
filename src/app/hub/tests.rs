mod relay;
mod stored;
mod waiting;

use std::net::{Ipv4Addr, SocketAddr};

use bytes::Bytes;

use super::{people::MAX_KNOWN, *};
use crate::{
    app::limits::{
        ENTRIES_PER_FRAME, HEARSAY_PATIENCE, KEEP_BYTES, KEEP_BYTES_TOTAL, MAX_HISTORY,
        MAX_LINKS_PER_ADDRESS, MAX_MEMBERS, MAX_PAIRS, MAX_PAIRS_PER_NODE, MAX_ROOMS_PER_NODE, MAX_TERMS,
        NAME_PATIENCE,
    },
    wire::{AckLevel, Kind, MAX_BODY_BYTES, Notice, Record, Seq},
};

const LOOPBACK: Ipv4Addr = Ipv4Addr::LOCALHOST;
const ELSEWHERE: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 7);

fn key(number: u32) -> PublicKey {
    let mut key = [0; 32];
    key[..4].copy_from_slice(&number.to_be_bytes());
    PublicKey(key)
}

fn node(number: u32) -> NodeId {
    NodeId::of(&key(number))
}

fn link(number: u32) -> LinkId {
    LinkId(u64::from(number))
}

fn room(name: &str) -> RoomId {
    RoomId::Public(name.parse().unwrap())
}

fn lobby() -> RoomId {
    room("lobby")
}

fn pair(a: u32, b: u32) -> RoomId {
    RoomId::between(node(a), node(b))
}

fn hello(number: u32, nick: &str) -> Hello {
    Hello {
        version: VERSION,
        role: Role::Client,
        key: key(number),
        nick: nick.parse().unwrap(),
        epoch: Epoch(1),
        listen: Vec::new(),
        capabilities: 0,
    }
}

fn record(by: u32, room: RoomId, seq: u64, body: impl Into<Bytes>) -> Record {
    let (epoch, seq, kind, body) = (Epoch(1), Seq(seq), Kind::TEXT, body.into());
    let author = node(by);
    Record { room, author, epoch, seq, lamport: seq.0 + 1, sent_at_ms: 0, kind, body, signature: None }
}

type Sent = Vec<(LinkId, Frame)>;
type Closed = Vec<(LinkId, ByeReason)>;

/// A server whose client `n` has key `n`, and link `n` unless it comes again.
struct Star {
    hub: Hub,
    now: Now,
}

impl Star {
    fn new(change: impl FnOnce(&mut Limits)) -> Self {
        let mut limits = Limits::default();
        change(&mut limits);
        let (key, nick) = (key(0), "srv".parse().unwrap());
        let mut hub = Hub::new(HubConfig { key, nick, epoch: Epoch(1), limits, history: true });
        let now = Now { instant: tokio::time::Instant::now().into_std(), unix_ms: 0 };
        hub.handle_input(Input::Start, now);
        Self { hub, now }
    }

    /// A server with so many clients who are in the lobby.
    fn with(clients: u32) -> Self {
        let mut star = Self::new(|_| {});
        for number in 1..=clients {
            star.comes(number);
            star.joins(number, lobby());
        }
        star.heard();
        star
    }

    fn links(&mut self, number: u32, hello: Hello, from: Ipv4Addr) {
        let addr = SocketAddr::from((from, 4_000));
        self.hub.handle_input(Input::LinkUp { link: link(number), hello, addr, dialed: None }, self.now);
    }

    fn comes(&mut self, number: u32) {
        self.links(number, hello(number, &format!("c{number}")), LOOPBACK);
    }

    fn goes(&mut self, number: u32) {
        let end = LinkEnd { clean: true, reason: String::new() };
        self.hub.handle_input(Input::LinkDown { link: link(number), end }, self.now);
    }

    fn says(&mut self, number: u32, frame: Frame) {
        self.hub.handle_input(Input::Frame { link: link(number), frame }, self.now);
    }

    fn joins(&mut self, number: u32, room: RoomId) {
        let have = Vector::default();
        self.says(number, Frame::Subscribe { room, have, age_ms: 0, history: 0, more: false });
    }

    fn waits(&mut self, time: Duration) {
        self.now.instant += time;
        self.hub.handle_timeout(self.now);
    }

    /// All that was sent since the last time, and which links were closed.
    fn done(&mut self) -> (Sent, Closed) {
        let (mut sent, mut closed) = (Vec::new(), Vec::new());
        while let Some(action) = self.hub.poll_action() {
            match action {
                Action::Send { to, frame } => sent.extend(to.into_iter().map(|link| (link, frame.clone()))),
                Action::Close { link, reason, .. } => closed.push((link, reason)),
                _ => {}
            }
        }
        (sent, closed)
    }

    fn heard(&mut self) -> Sent {
        self.done().0
    }

    /// What one client heard; nobody else is to have heard anything.
    fn heard_only(&mut self, number: u32) -> Vec<Frame> {
        let heard = self.heard();
        assert!(heard.iter().all(|(to, _)| *to == link(number)), "{heard:?}");
        heard.into_iter().map(|(_, frame)| frame).collect()
    }

    /// Asks to join and returns why not.
    fn refusal(&mut self, number: u32, room: RoomId) -> Option<ErrorCode> {
        self.heard();
        self.joins(number, room.clone());
        let heard = self.heard();
        let answer = heard.into_iter().filter(|(to, _)| *to == link(number)).find_map(|(_, f)| match f {
            Frame::Joined { room: joined, .. } if joined == room => Some(None),
            Frame::Error { code, room: Some(of), .. } if of == room => Some(Some(code)),
            _ => None,
        });
        answer.expect("an answer")
    }
}

fn welcome(nick: &str) -> Frame {
    let max_message_bytes = Limits::default().max_message_bytes as u32;
    Frame::Welcome { nick: nick.parse().unwrap(), max_message_bytes }
}

fn ack(record: &Record, next: u64) -> Frame {
    Frame::Ack { log: record.log(), next: Seq(next), level: AckLevel::Accepted }
}

fn codes(frames: &[Frame]) -> Vec<ErrorCode> {
    let code = |frame: &Frame| match frame {
        Frame::Error { code, .. } | Frame::Refused { code, .. } => Some(*code),
        _ => None,
    };
    frames.iter().filter_map(code).collect()
}

#[test]
fn is_a_client_past_the_limit_turned_away_and_nobody_else() {
    let mut star = Star::new(|limits| limits.max_clients = 3);
    for number in 1..=3 {
        star.comes(number);
        assert_eq!(star.heard_only(number), [welcome(&format!("c{number}"))]);
    }
    star.comes(4);
    let (sent, closed) = star.done();
    let full = Frame::Error { code: ErrorCode::Full, room: None, detail: "3 of 3".into() };
    assert_eq!(sent, [(link(4), full)]);
    assert_eq!(closed, [(link(4), ByeReason::Refused)]);
    star.goes(1);
    star.comes(5);
    assert_eq!(star.heard_only(5), [welcome("c5")], "there is a place again");
}

#[test]
fn does_an_empty_room_make_way_for_one_past_the_limit() {
    let mut star = Star::new(|limits| limits.max_rooms = 2);
    star.comes(1);
    assert_eq!(star.refusal(1, room("a")), None);
    assert_eq!(star.refusal(1, room("b")), None);
    assert_eq!(star.refusal(1, room("c")), Some(ErrorCode::RoomLimit));
    assert_eq!(star.refusal(1, room("a")), None, "one that exists");
    for (name, later) in [("b", 1), ("a", 1)] {
        star.now.instant += Duration::from_secs(later);
        star.says(1, Frame::Record(record(1, room(name), 0, "something to remember")));
        star.says(1, Frame::Unsubscribe { room: room(name) });
    }
    assert_eq!(star.refusal(1, room("c")), None);
    let left: Vec<&RoomId> = star.hub.rooms.keys().collect();
    assert_eq!(left, [&room("a"), &room("c")], "the one that was silent longest makes way");
    star.says(1, Frame::Unsubscribe { room: room("c") });
    assert_eq!(star.hub.rooms.len(), 1, "a room without people and past is no room");
}

#[test]
fn is_a_client_in_as_many_rooms_as_the_limit_says_and_not_one_more() {
    let mut star = Star::with(0);
    star.comes(1);
    for n in 0..MAX_ROOMS_PER_NODE {
        assert_eq!(star.refusal(1, room(&format!("r{n}"))), None, "room {n}");
    }
    assert_eq!(star.refusal(1, room("more")), Some(ErrorCode::RoomLimit));
    assert_eq!(star.refusal(1, pair(1, 2)), None, "people are not rooms");
    star.says(1, Frame::Unsubscribe { room: room("r0") });
    assert_eq!(star.refusal(1, room("more")), None);
}

#[test]
fn are_as_many_members_in_a_room_as_the_limit_says_and_not_one_more() {
    let mut star = Star::with(1);
    let members = &mut star.hub.rooms.get_mut(&lobby()).unwrap().members;
    members.extend((10..).take(MAX_MEMBERS - 2).map(|n| (NodeId(key(n).0), link(n))));
    for number in [2, 3] {
        star.comes(number);
    }
    assert_eq!(star.refusal(2, lobby()), None);
    assert_eq!(star.hub.rooms[&lobby()].members.len(), MAX_MEMBERS);
    assert_eq!(star.refusal(3, lobby()), Some(ErrorCode::RoomFull));
    assert_eq!(star.refusal(2, lobby()), None, "it is in it already");
    star.says(1, Frame::Unsubscribe { room: lobby() });
    assert_eq!(star.refusal(3, lobby()), None);
}

#[test]
fn are_members_told_in_frames_of_as_many_as_the_limit_says() {
    let most = ENTRIES_PER_FRAME as u32;
    let mut star = Star::with(most);
    star.joins(1, lobby());
    let lens = |frames: Vec<Frame>| -> Vec<(usize, bool)> {
        let joined = |frame| match frame {
            Frame::Joined { members, more, .. } => Some((members.len(), more)),
            _ => None,
        };
        frames.into_iter().filter_map(joined).collect()
    };
    assert_eq!(lens(star.heard_only(1)), [(ENTRIES_PER_FRAME, false)]);
    star.comes(most + 1);
    star.joins(most + 1, lobby());
    star.heard();
    star.joins(1, lobby());
    assert_eq!(lens(star.heard_only(1)), [(ENTRIES_PER_FRAME, true), (1, false)]);
}

#[test]
fn are_as_many_terms_followed_as_the_limit_says_and_not_one_more() {
    let mut star = Star::with(1);
    star.comes(2);
    star.heard();
    let terms = |count: usize| (0..count).map(|n| format!("word{n}")).collect::<Vec<_>>();
    star.says(2, Frame::Follow { terms: terms(MAX_TERMS) });
    assert!(star.heard().is_empty());
    star.says(2, Frame::Follow { terms: terms(MAX_TERMS + 1) });
    assert_eq!(codes(&star.heard_only(2)), [ErrorCode::Other]);
    let last = format!("word{}", MAX_TERMS - 1);
    star.says(1, Frame::Record(record(1, lobby(), 0, last.clone())));
    let followed = |(to, frame): &(LinkId, Frame)| {
        *to == link(2) && matches!(frame, Frame::Followed { term, .. } if *term == last)
    };
    assert!(star.heard().iter().any(followed), "what was followed before still is");
}

#[test]
fn are_as_many_links_taken_from_one_address_as_the_limit_says_and_not_one_more() {
    let mut star = Star::with(0);
    let most = MAX_LINKS_PER_ADDRESS as u32;
    for number in 1..=most {
        star.links(number, hello(number, &format!("c{number}")), ELSEWHERE);
    }
    assert_eq!(star.heard().len(), MAX_LINKS_PER_ADDRESS, "all are welcome");
    star.links(most + 1, hello(most + 1, "more"), ELSEWHERE);
    let (sent, closed) = star.done();
    let (code, detail) = (ErrorCode::TooManyLinks, MAX_LINKS_PER_ADDRESS.to_string());
    assert_eq!(sent, [(link(most + 1), Frame::Error { code, room: None, detail })]);
    assert_eq!(closed, [(link(most + 1), ByeReason::Refused)]);
    star.links(most + 2, hello(most + 2, "other"), Ipv4Addr::new(192, 0, 2, 8));
    assert_eq!(star.heard_only(most + 2), [welcome("other")], "another address");
    star.goes(1);
    star.links(most + 3, hello(most + 3, "next"), ELSEWHERE);
    assert_eq!(star.heard_only(most + 3), [welcome("next")]);
}

#[test]
fn is_loopback_taken_for_as_many_links_as_there_are() {
    let mut star = Star::with(0);
    for number in 1..=2 * MAX_LINKS_PER_ADDRESS as u32 {
        star.comes(number);
        assert_eq!(star.heard_only(number), [welcome(&format!("c{number}"))]);
    }
}

/// Who comes again from an address that is at its limit replaces the link it had.
#[test]
fn does_a_link_that_is_replaced_count() {
    let mut star = Star::with(0);
    let most = MAX_LINKS_PER_ADDRESS as u32;
    for number in 1..=most {
        star.links(number, hello(number, &format!("c{number}")), ELSEWHERE);
    }
    star.heard();
    star.links(most + 1, hello(1, "c1"), ELSEWHERE);
    let (sent, closed) = star.done();
    assert_eq!(sent, [(link(most + 1), welcome("c1"))]);
    assert_eq!(closed, [(link(1), ByeReason::Replaced)]);
}

#[test]
fn is_a_message_at_the_limit_taken_and_one_past_it_refused() {
    let mut star = Star::with(2);
    let max = Limits::default().max_message_bytes;
    let longest = record(1, lobby(), 0, vec![b'x'; max]);
    star.says(1, Frame::Record(longest.clone()));
    let heard = star.heard();
    assert_eq!(heard, [(link(2), Frame::Record(longest.clone())), (link(1), ack(&longest, 1))]);
    star.says(1, Frame::Record(record(1, lobby(), 1, vec![b'x'; max + 1])));
    let heard = star.heard_only(1);
    assert!(
        matches!(&heard[..], [Frame::Refused { seq: Seq(1), code: ErrorCode::MessageTooLong, detail, .. }]
            if *detail == max.to_string()),
        "{heard:?}"
    );
    let next = record(1, lobby(), 1, "the seq was not used up");
    star.says(1, Frame::Record(next.clone()));
    assert!(star.heard().contains(&(link(1), ack(&next, 2))));
}

#[test]
fn are_as_many_pairs_opened_for_one_as_the_limit_says_and_not_one_more() {
    let mut star = Star::with(1);
    let most = MAX_PAIRS_PER_NODE as u32;
    for other in 0..most {
        assert_eq!(star.refusal(1, pair(1, 100 + other)), None, "pair {other}");
    }
    assert_eq!(star.refusal(1, pair(1, 50)), Some(ErrorCode::RoomLimit));
    assert_eq!(star.refusal(1, pair(1, 100)), None, "one that exists");
    star.comes(2);
    assert_eq!(star.refusal(2, pair(2, 50)), None, "it is the limit of one");
}

#[test]
fn does_a_silent_pair_make_way_when_there_are_as_many_as_the_limit_says() {
    let mut star = Star::with(0);
    let each = MAX_PAIRS_PER_NODE as u32;
    let clients = MAX_PAIRS as u32 / each;
    for number in 1..=clients {
        star.comes(number);
        for other in 0..each {
            star.joins(number, pair(number, 1_000 * number + other));
        }
        star.heard();
    }
    assert_eq!(star.hub.rooms.len(), MAX_PAIRS);
    star.comes(50);
    assert_eq!(star.refusal(50, pair(50, 51)), Some(ErrorCode::RoomLimit), "people are in all of them");
    star.says(1, Frame::Record(record(1, pair(1, 1_000), 0, "for later")));
    star.says(1, Frame::Unsubscribe { room: pair(1, 1_000) });
    assert_eq!(star.hub.rooms.len(), MAX_PAIRS, "it waits for the other one");
    assert_eq!(star.refusal(50, pair(50, 51)), None);
    assert_eq!(star.hub.rooms.len(), MAX_PAIRS);
    assert!(!star.hub.rooms.contains_key(&pair(1, 1_000)));
}

#[test]
fn is_a_pair_open_to_its_two_members_only() {
    let mut star = Star::with(3);
    assert_eq!(star.refusal(1, pair(1, 2)), None);
    assert_eq!(star.refusal(3, pair(1, 2)), Some(ErrorCode::Forbidden));
}

#[test]
fn are_as_many_lines_told_of_the_past_as_the_limit_says_and_not_one_more() {
    let mut star = Star::with(2);
    let said = u64::from(MAX_HISTORY) + 1;
    for seq in 0..said {
        star.says(1, Frame::Record(record(1, lobby(), seq, vec![b'x'; 300])));
    }
    star.heard();
    for (asked, told) in [(MAX_HISTORY - 1, MAX_HISTORY - 1), (u16::MAX, MAX_HISTORY)] {
        star.says(2, Frame::History { room: lobby(), limit: asked, before: None });
        let pages = star.heard_only(2);
        let lines = pages.iter().flat_map(|page| match page {
            Frame::Page { lines, .. } => lines.iter().map(|line| line.record.seq.0).collect::<Vec<_>>(),
            other => panic!("{other:?}"),
        });
        assert_eq!(lines.collect::<Vec<_>>(), (said - u64::from(told)..said).collect::<Vec<_>>());
        assert!(pages.iter().all(|page| crate::wire::encode(page).is_ok()), "each fits a frame");
    }
}

#[test]
fn is_the_past_told_to_those_who_are_in_the_room_only() {
    let mut star = Star::with(1);
    star.comes(2);
    star.heard();
    star.says(2, Frame::History { room: lobby(), limit: 10, before: None });
    assert_eq!(codes(&star.heard_only(2)), [ErrorCode::Forbidden]);
}

#[test]
fn is_a_nameless_client_waited_for_as_long_as_the_limit_says() {
    let mut star = Star::with(0);
    star.comes(1);
    star.heard();
    star.links(2, hello(2, "C1"), LOOPBACK);
    star.links(3, hello(3, "c1"), LOOPBACK);
    assert_eq!(star.heard().len(), 2, "the name is taken");
    star.joins(3, lobby());
    assert_eq!(codes(&star.heard_only(3)), [ErrorCode::Forbidden], "a name first");
    assert_eq!(star.hub.poll_timeout(), Some(star.now.instant + NAME_PATIENCE));
    star.waits(NAME_PATIENCE - Duration::from_millis(1));
    star.says(2, Frame::Nick { nick: "free".parse().unwrap() });
    let (sent, closed) = star.done();
    assert_eq!((sent, closed), (vec![(link(2), welcome("free"))], vec![]));
    star.waits(Duration::from_millis(1));
    assert_eq!(star.done().1, [(link(3), ByeReason::Refused)]);
    assert_eq!(star.hub.poll_timeout(), None);
}

#[test]
fn are_names_remembered_of_as_many_who_left_as_the_limit_says() {
    let mut star = Star::with(1);
    star.comes(2);
    for number in 3..MAX_KNOWN as u32 + 10 {
        star.goes(number - 1);
        star.comes(number);
        star.heard();
    }
    assert_eq!(star.hub.known.len(), MAX_KNOWN + 2, "and of the two who are here");
    assert!(star.hub.known.contains_key(&node(1)), "who is here is not forgotten");
}

#[test]
fn may_one_speak_who_is_not_in_the_room() {
    let mut star = Star::with(1);
    star.comes(2);
    star.heard();
    star.says(2, Frame::Record(record(2, lobby(), 0, "hi")));
    assert_eq!(codes(&star.heard_only(2)), [ErrorCode::Forbidden]);
    star.says(2, Frame::Record(record(2, room("nowhere"), 0, "hi")));
    assert_eq!(codes(&star.heard_only(2)), [ErrorCode::Forbidden]);
    assert!(!star.hub.rooms.contains_key(&room("nowhere")));
}

#[test]
fn may_one_speak_for_another() {
    let mut star = Star::with(2);
    star.says(2, Frame::Record(record(1, lobby(), 0, "I am 1")));
    assert_eq!(codes(&star.heard_only(2)), [ErrorCode::Forbidden]);
    star.says(2, Frame::Start { log: record(1, lobby(), 0, "").log(), seq: Seq(100) });
    star.says(1, Frame::Record(record(1, lobby(), 0, "I am")));
    assert!(star.heard().iter().any(|(_, frame)| matches!(frame, Frame::Ack { next: Seq(1), .. })));
}

#[test]
fn is_a_gap_refused_once_and_then_skipped_until_it_is_filled() {
    let mut star = Star::with(2);
    star.says(1, Frame::Record(record(1, lobby(), 0, "0")));
    star.heard();
    star.says(1, Frame::Record(record(1, lobby(), 2, "2")));
    let heard = star.heard_only(1);
    let refused = |frame: &Frame| matches!(frame, Frame::Refused { seq: Seq(2), code: ErrorCode::BadSeq, detail, .. } if detail == "1");
    assert!(matches!(&heard[..], [frame] if refused(frame)), "{heard:?}");
    for seq in 3..10 {
        star.says(1, Frame::Record(record(1, lobby(), seq, "too early")));
    }
    assert!(star.heard().is_empty(), "without a word");
    for seq in 1..4 {
        let said = record(1, lobby(), seq, "in order");
        star.says(1, Frame::Record(said.clone()));
        let heard = star.heard();
        assert_eq!(heard, [(link(2), Frame::Record(said.clone())), (link(1), ack(&said, seq + 1))]);
    }
    star.says(1, Frame::Record(record(1, lobby(), 9, "another gap")));
    assert_eq!(codes(&star.heard_only(1)), [ErrorCode::BadSeq], "it is said again");
}

#[test]
fn is_a_repeat_acknowledged_again_and_not_passed_on() {
    let mut star = Star::with(2);
    let [first, second] = [0, 1].map(|seq| record(1, lobby(), seq, "hi"));
    star.says(1, Frame::Record(first.clone()));
    star.says(1, Frame::Record(second.clone()));
    star.heard();
    star.says(1, Frame::Record(first.clone()));
    assert_eq!(star.heard_only(1), [ack(&first, 2)]);
}

#[test]
fn is_nothing_echoed_to_its_author() {
    let mut star = Star::with(2);
    let said = record(1, lobby(), 0, "hi");
    star.says(1, Frame::Record(said.clone()));
    assert_eq!(star.heard(), [(link(2), Frame::Record(said.clone())), (link(1), ack(&said, 1))]);
    // Not even when it comes back and has nothing.
    star.goes(1);
    star.heard();
    star.links(9, hello(1, "c1"), LOOPBACK);
    let (room, have) = (lobby(), Vector::default());
    star.says(9, Frame::Subscribe { room, have, age_ms: 60_000, history: 0, more: false });
    let heard = star.heard();
    assert!(!heard.iter().any(|(_, frame)| matches!(frame, Frame::Record(_))), "{heard:?}");
    assert!(heard.iter().any(|(_, frame)| matches!(frame, Frame::Joined { next: Seq(1), .. })), "{heard:?}");
}

#[test]
fn does_a_node_that_comes_again_replace_its_older_link() {
    let mut star = Star::with(2);
    star.links(9, hello(1, "c1"), LOOPBACK);
    let (sent, closed) = star.done();
    assert_eq!(closed, [(link(1), ByeReason::Replaced)]);
    let lost = |frame: &Frame| matches!(frame, Frame::Presence { node: who, notice: Notice::Lost { .. }, .. } if *who == node(1));
    assert!(matches!(&sent[..], [(a, seen), (b, welcomed)]
        if *a == link(2) && lost(seen) && *b == link(9) && *welcomed == welcome("c1")));
    star.says(1, Frame::Record(record(1, lobby(), 0, "from the dead link")));
    assert!(star.heard().is_empty(), "what it says does not count");
    star.joins(9, lobby());
    star.heard();
    star.goes(1);
    assert!(star.heard().is_empty(), "its end is no news");
    star.says(2, Frame::Record(record(2, lobby(), 0, "hi")));
    let heard = star.heard();
    assert_eq!(heard.iter().map(|(to, _)| *to).collect::<Vec<_>>(), [link(9), link(2)]);
}

#[test]
fn are_as_many_bytes_kept_over_all_rooms_as_the_limit_says() {
    let mut star = Star::new(|limits| limits.max_message_bytes = MAX_BODY_BYTES);
    star.comes(1);
    let body = Bytes::from(vec![b'x'; MAX_BODY_BYTES]);
    let rooms = KEEP_BYTES_TOTAL / KEEP_BYTES + 2;
    for n in 0..rooms {
        let id = room(&format!("r{n}"));
        star.joins(1, id.clone());
        for seq in 0..=(KEEP_BYTES / MAX_BODY_BYTES) as u64 {
            star.says(1, Frame::Record(record(1, id.clone(), seq, body.clone())));
            assert!(star.hub.kept_bytes <= KEEP_BYTES_TOTAL);
        }
        star.heard();
    }
    let counted: usize = star.hub.rooms.values().map(|room| room.room.kept_bytes()).sum();
    assert_eq!(counted, star.hub.kept_bytes);
    assert!(counted > KEEP_BYTES_TOTAL - MAX_BODY_BYTES, "and not fewer: {counted}");
}

#[test]
fn is_the_author_of_lost_records_waited_for_as_long_as_the_limit_says() {
    let mut star = Star::with(0);
    for number in 1..=2 {
        star.comes(number);
        let have =
            if number == 1 { [(node(7), Epoch(1), Seq(5))].into_iter().collect() } else { Vector::default() };
        let frame = Frame::Subscribe { room: lobby(), have, age_ms: 60_000, history: 0, more: false };
        star.says(number, frame);
    }
    star.heard();
    star.waits(HEARSAY_PATIENCE - Duration::from_millis(1));
    assert!(star.heard().is_empty());
    star.waits(Duration::from_millis(1));
    let heard = star.heard_only(2);
    assert!(matches!(&heard[..], [Frame::Lost { upto: Seq(5), .. }]), "{heard:?}");
}
