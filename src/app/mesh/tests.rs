mod lost;
mod recall;

use std::net::Ipv4Addr;

use bytes::Bytes;

use super::{sync::MAX_WANTED, *};
use crate::{
    app::{
        Change, Command, DialError, LinkEnd, LinkState, Said,
        limits::{
            ACK_DELAY, GAP_PATIENCE, MAX_ADDRESSES, MAX_DIALS, MAX_LINKS_PER_ADDRESS, MAX_LISTEN,
            MAX_NEIGHBOURS, MAX_PEERS_PER_FRAME, MAX_ROOMS_PER_NODE, MAX_TERMS, WANT_PATIENCE,
        },
    },
    wire::{AckLevel, ErrorCode, HaveLog, Kind, Record, RecordHash, Scheme, Vector},
};

const LOOPBACK: Ipv4Addr = Ipv4Addr::LOCALHOST;
const ELSEWHERE: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 7);
const MAX_BYTES: usize = 1_000;

fn key(number: u32) -> SigningKey {
    let mut seed = [0; 32];
    seed[..4].copy_from_slice(&number.to_be_bytes());
    SigningKey::from_seed(seed).unwrap()
}

fn node(number: u32) -> NodeId {
    key(number).node()
}

fn addr(number: u16) -> Addr {
    Addr::new(Scheme::Tcp, ([192, 0, 2, 1], number).into())
}

fn room(name: &str) -> RoomName {
    name.parse().unwrap()
}

fn lobby() -> RoomId {
    RoomId::Public(room("lobby"))
}

fn log_of(number: u32) -> LogKey {
    LogKey { room: lobby(), author: node(number), epoch: Epoch(1) }
}

fn subscribe() -> Frame {
    Frame::Subscribe { room: lobby(), have: Vector::default(), age_ms: 0, history: 0, more: false }
}

/// Somebody's word for how far a log goes.
fn have(author: u32, next: u64) -> Frame {
    let (start, floor, next) = (Seq(0), Seq(0), Seq(next));
    let logs = vec![HaveLog { author: node(author), epoch: Epoch(1), start, floor, next }];
    Frame::Have { room: lobby(), logs }
}

/// What a node says, each record after the one before.
fn speech(by: u32, len: u64) -> Vec<Record> {
    let (key, mut prev) = (key(by), RecordHash::default());
    let say = |seq| {
        let (room, author, epoch, seq) = (lobby(), key.node(), Epoch(1), Seq(seq));
        let (lamport, kind, body) = (seq.0 + 1, Kind::TEXT, Bytes::from(seq.0.to_string()));
        let mut record =
            Record { room, author, epoch, seq, lamport, sent_at_ms: 0, kind, body, signature: None };
        key.sign(&mut record, prev);
        prev = record.hash();
        record
    };
    (0..len).map(say).collect()
}

/// One peer and the time; the test plays the others. Link `n` leads to node `n` unless said otherwise.
struct Seat {
    mesh: Mesh,
    now: Now,
}

impl Seat {
    fn of(number: u32, change: impl FnOnce(&mut MeshConfig)) -> Self {
        let mut config = MeshConfig {
            key: Arc::new(key(number)),
            nick: "myself".parse().unwrap(),
            epoch: Epoch(1),
            listen: Vec::new(),
            peers: Vec::new(),
            rooms: vec![room("lobby")],
            max_message_bytes: MAX_BYTES,
            history: 0,
            files: FileRules::default(),
            linger: Duration::from_secs(60),
            seed: [0; 32],
        };
        change(&mut config);
        let now = Now { instant: tokio::time::Instant::now().into_std(), unix_ms: 0 };
        let mut seat = Self { mesh: Mesh::new(config), now };
        seat.mesh.handle_input(Input::Start, now);
        seat
    }

    /// Node 0, with so many neighbours in the lobby.
    fn with(neighbours: u32) -> Self {
        let mut seat = Self::of(0, |_| {});
        for number in 1..=neighbours {
            seat.meets(number);
            seat.hears(number, subscribe());
        }
        seat.done();
        seat
    }

    fn input(&mut self, input: Input) {
        self.mesh.handle_input(input, self.now);
    }

    fn links(&mut self, link: u64, hello: Hello, from: Ipv4Addr, dialed: Option<Addr>) {
        let addr = (from, 4_000).into();
        self.input(Input::LinkUp { link: LinkId(link), hello, addr, dialed });
    }

    fn meets(&mut self, number: u32) {
        self.links(u64::from(number), hello(number), LOOPBACK, None);
    }

    fn loses(&mut self, link: u64) {
        let end = LinkEnd { clean: false, reason: "cut".into() };
        self.input(Input::LinkDown { link: LinkId(link), end });
    }

    fn hears(&mut self, link: u32, frame: Frame) {
        self.input(Input::Frame { link: LinkId(u64::from(link)), frame });
    }

    fn asks(&mut self, command: Command) {
        self.input(Input::Command(command));
    }

    fn waits(&mut self, time: Duration) {
        self.now.instant += time;
        self.mesh.handle_timeout(self.now);
    }

    fn done(&mut self) -> Done {
        let mut done = Done::default();
        while let Some(action) = self.mesh.poll_action() {
            match action {
                Action::Send { to, frame } => {
                    done.sent.extend(to.into_iter().map(|link| (link.0, frame.clone())));
                }
                Action::Close { link, reason, .. } => done.closed.push((link.0, reason)),
                Action::Dial(addr) => done.dialed.push(addr),
                Action::Notify(event) => done.shown.push(event),
                _ => {}
            }
        }
        done
    }
}

/// What a peer did.
#[derive(Debug, Default)]
struct Done {
    sent: Vec<(u64, Frame)>,
    closed: Vec<(u64, ByeReason)>,
    dialed: Vec<Addr>,
    shown: Vec<Event>,
}

impl Done {
    fn to(&self, link: u64) -> Vec<&Frame> {
        self.sent.iter().filter(|(to, _)| *to == link).map(|(_, frame)| frame).collect()
    }

    fn lines(&self) -> Vec<&Said> {
        let said = self.shown.iter().map(|event| match event {
            Event::Message(said) => Some(said),
            _ => None,
        });
        said.flatten().collect()
    }

    fn troubles(&self) -> Vec<&'static str> {
        let code = |event: &Event| if let Event::Error(trouble) = event { Some(trouble.code) } else { None };
        self.shown.iter().filter_map(code).collect()
    }

    fn errors(&self) -> Vec<(u64, ErrorCode)> {
        let code = |(to, frame): &(u64, Frame)| match frame {
            Frame::Error { code, .. } => Some((*to, *code)),
            _ => None,
        };
        self.sent.iter().filter_map(code).collect()
    }

    fn wants(&self) -> Vec<(u64, Seq, Seq)> {
        let want = |(to, frame): &(u64, Frame)| match frame {
            Frame::Want { from, upto, .. } => Some((*to, *from, *upto)),
            _ => None,
        };
        self.sent.iter().filter_map(want).collect()
    }
}

fn hello(number: u32) -> Hello {
    let nick = format!("n{number}").parse().unwrap();
    let (version, role, key, epoch) = (VERSION, Role::Peer, key(number).public(), Epoch(1));
    Hello { version, role, key, nick, epoch, listen: Vec::new(), capabilities: 0 }
}

fn fails(seat: &mut Seat, addr: Addr) {
    let error = DialError::Unreachable(Trouble::new("unreachable", "", ""));
    seat.input(Input::DialFailed { addr, error });
}

#[test]
fn are_as_many_dials_under_way_as_the_limit_says_and_not_one_more() {
    let mut seat = Seat::of(0, |config| config.peers = (1..=12).map(addr).collect());
    let dialed = seat.done().dialed;
    assert_eq!(dialed.len(), MAX_DIALS);
    fails(&mut seat, dialed[0]);
    assert_eq!(seat.done().dialed, [addr(9)]);
    seat.links(1, hello(1), ELSEWHERE, Some(dialed[1]));
    assert_eq!(seat.done().dialed, [addr(10)]);
}

#[test]
fn are_as_many_addresses_remembered_as_the_limit_says_and_is_the_given_one_kept() {
    let mut seat = Seat::of(0, |config| config.peers = vec![addr(1)]);
    seat.meets(1);
    for start in (100_u16..2_100).step_by(MAX_PEERS_PER_FRAME) {
        let peers = (start..).take(MAX_PEERS_PER_FRAME).map(|n| (node(u32::from(n)), addr(n))).collect();
        seat.hears(1, Frame::Peers { peers });
    }
    assert_eq!(seat.mesh.book.len(), MAX_ADDRESSES);
    assert!(seat.mesh.book.is_given(&addr(1)));
}

#[test]
fn are_as_many_of_its_addresses_believed_of_a_peer_as_the_limit_says() {
    for (announced, believed) in [(MAX_LISTEN, MAX_LISTEN), (MAX_LISTEN + 1, MAX_LISTEN)] {
        let mut seat = Seat::of(0, |_| {});
        let mut hello = hello(1);
        hello.listen = (1..).take(announced).map(addr).collect();
        seat.links(1, hello, ELSEWHERE, None);
        seat.meets(2);
        let done = seat.done();
        let told = done.to(2).into_iter().find_map(|frame| match frame {
            Frame::Peers { peers } => Some(peers.clone()),
            _ => None,
        });
        let expected: Vec<_> = (1..).take(believed).map(|port| (node(1), addr(port))).collect();
        assert_eq!(told.unwrap(), expected);
    }
}

#[test]
fn are_as_many_peers_told_in_a_frame_as_the_limit_says() {
    let told = |peers: u32| {
        let mut seat = Seat::of(0, |_| {});
        for number in 1..=peers {
            let mut hello = hello(number);
            hello.listen = vec![addr(number as u16)];
            seat.links(u64::from(number), hello, LOOPBACK, None);
        }
        seat.done();
        seat.meets(peers + 1);
        let done = seat.done();
        let len = |frame: &Frame| match frame {
            Frame::Peers { peers } => Some(peers.len()),
            _ => None,
        };
        done.to(u64::from(peers) + 1).into_iter().filter_map(len).collect::<Vec<_>>()
    };
    let most = MAX_PEERS_PER_FRAME;
    assert_eq!(told(most as u32), [most]);
    assert_eq!(told(most as u32 + 1), [most, 1]);
}

#[test]
fn are_as_many_peers_believed_of_a_frame_as_the_limit_says() {
    let most = MAX_PEERS_PER_FRAME;
    for (told, believed) in [(most, most), (most + 1, most)] {
        let mut seat = Seat::of(0, |_| {});
        seat.meets(1);
        let peers = (100_u16..).take(told).map(|n| (node(u32::from(n)), addr(n))).collect();
        seat.hears(1, Frame::Peers { peers });
        assert_eq!(seat.mesh.book.len(), believed);
    }
}

#[test]
fn are_as_many_neighbours_taken_as_the_limit_says_and_not_one_more() {
    let mut seat = Seat::of(0, |_| {});
    let most = MAX_NEIGHBOURS as u32;
    (1..=most).for_each(|number| seat.meets(number));
    let done = seat.done();
    assert!(done.errors().is_empty() && done.closed.is_empty());
    seat.meets(most + 1);
    let (done, link) = (seat.done(), u64::from(most + 1));
    assert_eq!(done.errors(), [(link, ErrorCode::Full)]);
    assert_eq!(done.closed, [(link, ByeReason::Refused)], "and nobody else");
    seat.loses(1);
    seat.meets(most + 2);
    assert!(seat.done().errors().is_empty(), "there is a place again");
}

#[test]
fn are_as_many_links_taken_from_one_address_as_the_limit_says_and_not_one_more() {
    let mut seat = Seat::of(0, |_| {});
    let most = MAX_LINKS_PER_ADDRESS as u32;
    for number in 1..=most {
        seat.links(u64::from(number), hello(number), ELSEWHERE, None);
    }
    assert!(seat.done().errors().is_empty());
    seat.links(100, hello(100), ELSEWHERE, None);
    let done = seat.done();
    assert_eq!(done.errors(), [(100, ErrorCode::TooManyLinks)]);
    assert_eq!(done.closed, [(100, ByeReason::Refused)]);
    for number in 200..200 + 2 * most {
        seat.meets(number);
    }
    assert!(seat.done().errors().is_empty(), "loopback is exempt");
    seat.loses(1);
    seat.links(101, hello(101), ELSEWHERE, None);
    assert!(seat.done().errors().is_empty(), "there is a place again");
}

#[test]
fn is_the_link_kept_that_the_smaller_id_dialled() {
    let [low, high] = if node(1) < node(2) { [1, 2] } else { [2, 1] };
    // Link 1 was dialled by the smaller id, link 2 by the larger; they come up in either order.
    for (me, other) in [(low, high), (high, low)] {
        for order in [[1, 2], [2, 1]] {
            let mut seat = Seat::of(me, |_| {});
            for link in order {
                let dialed_here = (link == 1) == (me == low);
                seat.links(link, hello(other), ELSEWHERE, dialed_here.then(|| addr(1)));
            }
            let done = seat.done();
            assert_eq!(done.closed, [(2, ByeReason::Duplicate)], "{me} of {low} and {high}, {order:?}");
            assert_eq!(seat.mesh.link_of(node(other)), Some(LinkId(1)));
            let ups = done.shown.iter().filter(|e| matches!(e, Event::Link { state: LinkState::Up, .. }));
            assert_eq!(ups.count(), 1, "one neighbour is one link to people");
        }
    }
}

#[test]
fn is_a_node_that_dials_itself_told_so_once() {
    let own = hello(0);
    let mut seat = Seat::of(0, |config| config.peers = vec![addr(1)]);
    assert_eq!(seat.done().dialed, [addr(1)]);
    seat.links(1, own.clone(), LOOPBACK, Some(addr(1)));
    seat.links(2, own, LOOPBACK, None);
    let done = seat.done();
    assert_eq!(done.closed, [(1, ByeReason::Duplicate), (2, ByeReason::Duplicate)]);
    assert!(done.shown.is_empty(), "nobody came: {:?}", done.shown);
    seat.loses(1);
    seat.loses(2);
    for _ in 0..100 {
        seat.waits(Duration::from_secs(60));
    }
    let done = seat.done();
    assert_eq!(done.dialed, []);
    let went = |event: &Event| matches!(event, Event::Presence { .. } | Event::Error(_));
    assert!(!done.shown.iter().any(went), "nobody went: {:?}", done.shown);
}

#[test]
fn is_a_copied_identity_told_to_who_runs_the_older_one() {
    let later = |number| Hello { epoch: Epoch(2), ..hello(number) };
    // A third node sees the copy come, and the first come again.
    let mut seat = Seat::of(0, |_| {});
    seat.links(1, hello(1), LOOPBACK, None);
    seat.links(2, later(1), LOOPBACK, None);
    assert_eq!(seat.done().closed, [(1, ByeReason::Replaced)]);
    seat.loses(1);
    seat.links(3, hello(1), LOOPBACK, None);
    assert_eq!(seat.done().closed, [(3, ByeReason::Replaced)]);
    // The first one hears of it, once, or meets the copy itself.
    let mut seat = Seat::with(2);
    for link in [1, 2] {
        seat.hears(link, Frame::Bye { reason: ByeReason::Replaced, detail: String::new() });
    }
    assert_eq!(seat.done().troubles(), ["identity_twice"]);
    let mut seat = Seat::of(0, |_| {});
    seat.links(1, later(0), LOOPBACK, None);
    let done = seat.done();
    assert_eq!((done.troubles(), done.closed), (vec!["identity_twice"], vec![(1, ByeReason::Duplicate)]));
}

#[test]
fn is_an_address_that_failed_tried_for_ever() {
    let mut seat = Seat::of(0, |config| config.peers = vec![addr(1)]);
    for n in 0..200 {
        let mut dialed = seat.done().dialed;
        while dialed.is_empty() {
            let wait = seat.mesh.poll_timeout().expect("a next try") - seat.now.instant;
            seat.waits(wait);
            dialed = seat.done().dialed;
        }
        assert_eq!(dialed, [addr(1)], "try {n}");
        fails(&mut seat, addr(1));
    }
}

/// How long after a learned peer was lost, or left, it is dialled, each time in vain, for a quarter of an hour in
/// which people talk.
fn pauses_between_dials(left: bool) -> Vec<Duration> {
    let mut seat = Seat::of(0, |_| {});
    seat.input(Input::LinkUp {
        link: LinkId(1),
        hello: Hello { listen: vec![addr(9)], ..hello(1) },
        addr: addr(9).socket,
        dialed: None,
    });
    seat.links(2, hello(1), LOOPBACK, Some(addr(9)));
    for link in [1, 2] {
        let end = LinkEnd { clean: left, reason: String::new() };
        seat.input(Input::LinkDown { link: LinkId(link), end });
    }
    let (mut pauses, mut last) = (Vec::new(), seat.now.instant);
    for second in 0..900 {
        seat.asks(Command::Say(second.to_string()));
        seat.waits(Duration::from_secs(1));
        if !seat.done().dialed.is_empty() {
            pauses.push(seat.now.instant - last);
            last = seat.now.instant;
            fails(&mut seat, addr(9));
        }
    }
    pauses
}

#[test]
fn is_somebody_who_was_lost_dialled_every_eight_seconds_while_people_talk() {
    let longest = |left| pauses_between_dials(left).into_iter().max().expect("it is dialled");
    assert!(longest(false) <= Duration::from_secs(9), "{:?}, counted in whole seconds", longest(false));
    assert!(longest(true) > Duration::from_secs(60), "who left is not missed: {:?}", longest(true));
}

#[test]
fn does_a_peer_that_is_leaving_wait_for_nothing_but_its_links() {
    let mut seat = Seat::of(0, |config| config.peers = vec![addr(1)]);
    seat.meets(2);
    fails(&mut seat, addr(1));
    seat.asks(Command::Quit(None));
    seat.waits(Duration::from_secs(1));
    let next = seat.mesh.poll_timeout();
    assert!(next.is_none_or(|at| at > seat.now.instant), "a time that has come and never passes");
}

#[test]
fn are_two_of_one_name_told_apart() {
    let mut seat = Seat::with(2);
    for number in [1, 2] {
        seat.hears(number, Frame::Nick { nick: "Bob".parse().unwrap() });
        seat.hears(number, Frame::Record(speech(number, 1).remove(0)));
    }
    let done = seat.done();
    let names: Vec<&str> = done.lines().into_iter().map(|said| said.from.as_str()).collect();
    let tagged = format!("Bob#{}", node(2).tag());
    assert_eq!(names, ["Bob", &tagged], "from when there are two");
    assert!(
        done.shown.iter().any(|event| matches!(
        event, Event::Presence { name, change: Change::Rename { to }, .. } if name == "n2" && *to == tagged))
    );
    seat.asks(Command::Tell { to: vec!["bob".into()], text: "who?".into() });
    assert_eq!(seat.done().troubles(), ["unknown_name"], "nobody is meant by it");
    seat.asks(Command::Tell { to: vec![tagged.to_lowercase()], text: "you".into() });
    let done = seat.done();
    assert!(done.sent.iter().all(|(to, _)| *to == 2) && done.troubles().is_empty());
    seat.loses(1);
    seat.hears(2, Frame::Record(speech(2, 2).remove(1)));
    assert_eq!(seat.done().lines()[0].from, "Bob", "until there is one");
}

#[test]
fn does_a_forged_record_close_the_link_and_stay_unseen() {
    let mut unsigned = speech(2, 1).remove(0);
    unsigned.signature = None;
    let mut changed = speech(2, 1).remove(0);
    changed.body = Bytes::from_static(b"what 2 never said");
    let mut in_the_name = speech(1, 1).remove(0);
    in_the_name.author = node(2);
    for forged in [unsigned, changed, in_the_name] {
        let mut seat = Seat::with(2);
        seat.hears(1, Frame::Record(forged));
        let done = seat.done();
        assert_eq!(done.closed, [(1, ByeReason::Violation)]);
        assert!(done.lines().is_empty());
        seat.hears(1, Frame::Record(speech(1, 1).remove(0)));
        assert!(seat.done().lines().is_empty(), "what it says does not count any more");
        seat.hears(2, Frame::Record(speech(2, 1).remove(0)));
        assert_eq!(seat.done().lines().len(), 1, "who was to be silenced is heard");
    }
}

#[test]
fn are_as_many_rooms_joined_as_the_limit_says_and_not_one_more() {
    let mut seat = Seat::with(0);
    for n in 1..MAX_ROOMS_PER_NODE {
        seat.asks(Command::Join(room(&format!("r{n}"))));
        assert_eq!(seat.done().troubles(), [""; 0], "room {n}");
    }
    seat.asks(Command::Join(room("more")));
    assert_eq!(seat.done().troubles(), ["room_limit"]);
    seat.asks(Command::Join(room("lobby")));
    seat.asks(Command::Leave(None));
    seat.asks(Command::Join(room("more")));
    assert_eq!(seat.done().troubles(), [""; 0], "there is a place again");
}

#[test]
fn are_as_many_terms_followed_as_the_limit_says_and_not_one_more() {
    let mut seat = Seat::with(1);
    let follow = |n: usize| Command::Follow(format!("word{n}").parse().unwrap());
    for n in 0..MAX_TERMS {
        seat.asks(follow(n));
        assert_eq!(seat.done().troubles(), [""; 0], "term {n}");
    }
    seat.asks(follow(MAX_TERMS));
    assert_eq!(seat.done().troubles(), ["too_many_terms"]);
    let terms = (0..=MAX_TERMS).map(|n| format!("word{n}")).collect();
    seat.hears(1, Frame::Follow { terms });
    assert_eq!(seat.mesh.links[&LinkId(1)].terms.len(), MAX_TERMS, "of a neighbour");
}

#[test]
fn is_a_message_past_the_limit_refused_here() {
    let mut seat = Seat::with(1);
    for (len, troubles) in [(MAX_BYTES, vec![]), (MAX_BYTES + 1, vec!["message_too_long"])] {
        let text = "x".repeat(len);
        seat.asks(Command::Say(text.clone()));
        let done = seat.done();
        assert_eq!((done.troubles(), done.sent.len()), (troubles.clone(), 1 - troubles.len()));
        seat.asks(Command::Tell { to: vec!["n1".into()], text });
        assert_eq!(seat.done().troubles(), troubles);
    }
}

#[test]
fn are_commands_taken_until_as_much_waits_as_the_limit_says() {
    let mut seat = Seat::with(1);
    for n in 0..MAX_UNSENT {
        assert!(seat.mesh.is_ready(), "{n} lines wait");
        seat.asks(Command::Say(n.to_string()));
    }
    assert!(!seat.mesh.is_ready());
    seat.hears(1, Frame::Ack { log: log_of(0), next: Seq(1), level: AckLevel::Delivered });
    assert!(seat.mesh.is_ready(), "one was delivered");
}

#[test]
fn are_acknowledgements_gathered_for_as_long_as_the_limit_says() {
    let mut seat = Seat::with(1);
    seat.hears(1, Frame::Start { log: log_of(1), seq: Seq(0) });
    for record in speech(1, 3) {
        seat.hears(1, Frame::Record(record));
    }
    seat.waits(ACK_DELAY - Duration::from_nanos(1));
    assert!(seat.done().sent.is_empty());
    seat.waits(Duration::from_nanos(1));
    let ack = Frame::Ack { log: log_of(1), next: Seq(3), level: AckLevel::Delivered };
    assert_eq!(seat.done().sent, [(1, ack)]);
}

#[test]
fn is_a_record_that_was_asked_for_waited_for_as_long_as_the_limit_says() {
    let mut seat = Seat::with(2);
    seat.hears(1, have(3, 4));
    assert_eq!(seat.done().wants(), [(1, Seq(0), Seq(4))]);
    seat.waits(WANT_PATIENCE - Duration::from_nanos(1));
    seat.hears(2, have(3, 4));
    assert_eq!(seat.done().wants(), [], "it is on its way");
    seat.waits(Duration::from_nanos(1));
    seat.hears(2, have(3, 4));
    assert_eq!(seat.done().wants(), [(2, Seq(0), Seq(4))]);
}

#[test]
fn is_what_its_author_brings_just_now_not_asked_for_as_well() {
    let mut seat = Seat::with(2);
    let mut lines = speech(1, 9).into_iter();
    let mut line = || Frame::Record(lines.next().unwrap());
    seat.hears(1, line());
    seat.hears(1, have(1, 9));
    assert_eq!(seat.done().wants(), [], "the rest is on the same link");
    seat.hears(2, have(1, 3));
    assert_eq!(seat.done().wants(), [(2, Seq(1), Seq(3))], "another link may be faster");
    seat.waits(WANT_PATIENCE - Duration::from_nanos(1));
    seat.hears(1, have(1, 9));
    assert_eq!(seat.done().wants(), []);
    seat.waits(Duration::from_nanos(1));
    seat.hears(1, have(1, 9));
    assert_eq!(seat.done().wants(), [(1, Seq(1), Seq(9))], "nothing came for so long");

    seat.hears(1, line());
    seat.loses(1);
    seat.meets(1);
    seat.hears(1, subscribe());
    seat.waits(WANT_PATIENCE);
    seat.done();
    seat.hears(1, have(1, 9));
    assert_eq!(seat.done().wants(), [(1, Seq(2), Seq(9))], "the new link brought nothing yet");
    seat.hears(1, line());
    seat.asks(Command::Leave(Some(room("lobby"))));
    seat.asks(Command::Join(room("lobby")));
    seat.waits(WANT_PATIENCE / 2);
    seat.done();
    seat.hears(1, have(1, 9));
    assert_eq!(seat.done().wants().len(), 1, "it was not told of what was said meanwhile");
}

#[test]
fn are_as_many_requests_under_way_as_the_limit_says_and_not_one_more() {
    let mut seat = Seat::with(1);
    let ask = |seat: &mut Seat, number: u32| {
        let (epoch, start, floor, next) = (Epoch(1), Seq(0), Seq(0), Seq(1));
        let mut author = [0; 32];
        author[..4].copy_from_slice(&number.to_be_bytes());
        let logs = vec![HaveLog { author: NodeId(author), epoch, start, floor, next }];
        seat.hears(1, Frame::Have { room: lobby(), logs });
        seat.done().wants().len()
    };
    for number in 0..MAX_WANTED as u32 {
        assert_eq!(ask(&mut seat, number), 1, "request {number}");
    }
    assert_eq!(ask(&mut seat, 1_000_000), 0);
    assert_eq!(seat.mesh.wanted.len(), MAX_WANTED);
}

#[test]
fn is_a_gap_shown_after_as_long_as_the_limit_says() {
    let mut seat = Seat::with(1);
    let spoken = speech(3, 1).remove(0);
    let author = Frame::Author {
        room: lobby(),
        node: node(3),
        nick: "n3".parse().unwrap(),
        key: Some(key(3).public()),
    };
    seat.hears(1, author);
    seat.hears(1, Frame::Record(spoken));
    seat.hears(1, Frame::Gone { log: log_of(3), floor: Seq(5) });
    seat.done();
    let gaps = |done: Done| {
        let gap = |event: &Event| match event {
            Event::Gap { first, last, .. } => Some((first.0, last.0)),
            _ => None,
        };
        done.shown.iter().filter_map(gap).collect::<Vec<_>>()
    };
    seat.waits(GAP_PATIENCE - Duration::from_nanos(1));
    assert_eq!(gaps(seat.done()), []);
    seat.waits(Duration::from_nanos(1));
    assert_eq!(gaps(seat.done()), [(1, 4)]);
}

#[test]
fn are_as_many_people_remembered_as_the_limit_says_and_not_one_more() {
    let mut seat = Seat::with(1);
    for n in 0..MAX_PEOPLE as u64 + 10 {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&n.to_be_bytes());
        let (key, nick) = (PublicKey(bytes), format!("p{n}").parse().unwrap());
        seat.hears(1, Frame::Author { room: lobby(), node: NodeId::of(&key), nick, key: Some(key) });
    }
    assert_eq!(seat.mesh.people.len(), MAX_PEOPLE);
    assert!(seat.mesh.people.contains_key(&node(1)), "who is here is not forgotten");
}
