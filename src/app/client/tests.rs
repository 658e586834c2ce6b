mod recall;
mod stored;

use bytes::Bytes;

use super::{session::MAX_TRIES, *};
use crate::{
    app::{
        Command, DialError, LinkEnd, LinkState, Said, SentState,
        limits::{MAX_LOOKUPS, MAX_ROOMS_PER_NODE, MAX_TERMS, WINDOW},
    },
    wire::{AckLevel, ErrorCode, Kind, LogKey, MAX_BODY_BYTES, Record, Scheme, Seq},
};

const KEY: PublicKey = PublicKey([1; 32]);
const MAX_BYTES: usize = 1_000;

fn room(name: &str) -> RoomName {
    name.parse().unwrap()
}

fn lobby() -> RoomId {
    RoomId::Public(room("lobby"))
}

fn own_log() -> LogKey {
    LogKey { room: lobby(), author: NodeId::of(&KEY), epoch: Epoch(1) }
}

fn nick(name: &str) -> Nick {
    name.parse().unwrap()
}

/// A client and the time; the test plays its server.
struct Desk {
    client: Client,
    now: Now,
    link: u64,
    /// What the server says that it can do.
    capabilities: u32,
}

impl Desk {
    /// A client that dials.
    fn dialing(change: impl FnOnce(&mut ClientConfig)) -> Self {
        let mut config = ClientConfig {
            key: KEY,
            nick: nick("alice"),
            nick_given: true,
            epoch: Epoch(1),
            servers: vec![Addr::new(Scheme::Tcp, ([192, 0, 2, 1], 1).into())],
            rooms: vec![room("lobby")],
            reconnect: true,
            linger: Duration::from_secs(60),
            history: 0,
            files: FileRules::default(),
            seed: [0; 32],
        };
        change(&mut config);
        let now = Now { instant: tokio::time::Instant::now().into_std(), unix_ms: 0 };
        let mut desk = Self { client: Client::new(config), now, link: 0, capabilities: 0 };
        desk.client.handle_input(Input::Start, now);
        desk
    }

    /// A client that is in the lobby.
    fn joined() -> Self {
        let mut desk = Self::dialing(|_| {});
        desk.links_up();
        desk.welcomes("alice");
        desk.hears(joined(0));
        desk.done();
        desk
    }

    fn input(&mut self, input: Input) {
        self.client.handle_input(input, self.now);
    }

    fn links_up(&mut self) {
        self.links_up_over(None);
    }

    fn links_up_over(&mut self, dialed: Option<Addr>) {
        self.link += 1;
        let (version, role, key, epoch) = (VERSION, Role::Server, PublicKey([9; 32]), Epoch(1));
        let nick = nick("srv");
        let capabilities = self.capabilities;
        let hello = Hello { version, role, key, nick, epoch, listen: Vec::new(), capabilities };
        let addr = ([192, 0, 2, 1], 1).into();
        self.input(Input::LinkUp { link: LinkId(self.link), hello, addr, dialed });
    }

    fn link_breaks(&mut self) {
        let end = LinkEnd { clean: false, reason: "cut".into() };
        self.input(Input::LinkDown { link: LinkId(self.link), end });
    }

    fn dial_fails(&mut self) {
        let addr = self.client.config.servers[0];
        let error = DialError::Unreachable(Trouble::new("unreachable", "", ""));
        self.input(Input::DialFailed { addr, error });
    }

    fn welcomes(&mut self, name: &str) {
        self.hears(Frame::Welcome { nick: nick(name), max_message_bytes: MAX_BYTES as u32 });
    }

    fn hears(&mut self, frame: Frame) {
        self.input(Input::Frame { link: LinkId(self.link), frame });
    }

    fn asks(&mut self, command: Command) {
        self.input(Input::Command(command));
    }

    fn done(&mut self) -> Vec<Action> {
        std::iter::from_fn(|| self.client.poll_action()).collect()
    }

    /// What was sent and what was shown since the last time.
    fn sent_and_shown(&mut self) -> (Vec<Frame>, Vec<Event>) {
        let (mut sent, mut shown) = (Vec::new(), Vec::new());
        for action in self.done() {
            match action {
                Action::Send { frame, .. } => sent.push(frame),
                Action::Notify(event) => shown.push(event),
                _ => {}
            }
        }
        (sent, shown)
    }

    /// The codes of the errors shown, and how many frames were sent.
    fn refusals(&mut self) -> (Vec<&'static str>, usize) {
        let (sent, shown) = self.sent_and_shown();
        let code = |event| if let Event::Error(trouble) = event { Some(trouble.code) } else { None };
        (shown.into_iter().filter_map(code).collect(), sent.len())
    }

    /// The pause until the next dial, after one that came to nothing.
    fn pause(&mut self) -> Duration {
        let shown = self.sent_and_shown().1;
        let told = shown.iter().find_map(|event| match event {
            Event::Link { state: LinkState::Reconnecting { retry_in_ms }, .. } => Some(*retry_in_ms),
            _ => None,
        });
        let until = self.client.poll_timeout().expect("a next try");
        let pause = until - self.now.instant;
        assert_eq!(u128::from(told.expect("the pause is told")), pause.as_millis());
        pause
    }

    /// Whether it dials now.
    fn dials(&mut self) -> bool {
        self.client.handle_timeout(self.now);
        self.done().iter().any(|action| matches!(action, Action::Dial(_)))
    }
}

fn joined(next: u64) -> Frame {
    Frame::Joined { room: lobby(), next: Seq(next), members: Vec::new(), more: false }
}

fn ack(next: u64) -> Frame {
    Frame::Ack { log: own_log(), next: Seq(next), level: AckLevel::Accepted }
}

fn texts(frames: &[Frame]) -> Vec<String> {
    let text = |frame: &Frame| if let Frame::Record(record) = frame { Some(record.text()) } else { None };
    frames.iter().filter_map(text).collect()
}

fn numbers(range: std::ops::Range<u64>) -> Vec<String> {
    range.map(|n| n.to_string()).collect()
}

#[test]
fn do_as_many_private_lines_wait_for_the_server_as_the_limit_says_and_not_one_more() {
    let mut desk = Desk::joined();
    let tell = |n: usize| Command::Tell { to: vec![format!("n{}", n % 40)], text: n.to_string() };
    for n in 0..MAX_LOOKUPS {
        desk.asks(tell(n));
        assert_eq!(desk.refusals(), (vec![], 1), "line {n}");
    }
    desk.asks(tell(MAX_LOOKUPS));
    assert_eq!(desk.refusals(), (vec!["too_many_lookups"], 0));
    desk.hears(Frame::Found { nick: nick("n39"), node: None, here: false });
    assert_eq!(desk.refusals().0, ["unknown_name"]);
    desk.asks(tell(MAX_LOOKUPS));
    assert_eq!(desk.refusals(), (vec![], 1), "there is a place again");
}

#[test]
fn is_what_the_link_has_no_room_for_tried_again_when_it_has_and_not_before() {
    let mut desk = Desk::joined();
    for n in 0..6 {
        desk.asks(Command::Say(n.to_string()));
    }
    let sent = desk.sent_and_shown().0;
    let refused = sent[2..].to_vec();
    desk.input(Input::LinkFull { link: LinkId(1), refused });
    desk.asks(Command::Say("6".into()));
    desk.hears(ack(1));
    assert_eq!(desk.sent_and_shown().0, [], "there is still no room");
    desk.input(Input::LinkRoom { link: LinkId(1) });
    assert_eq!(texts(&desk.sent_and_shown().0), numbers(2..7), "and the first two are not said again");
}

#[test]
fn does_a_new_link_have_room_whatever_the_old_one_had() {
    let mut desk = Desk::joined();
    desk.asks(Command::Say("0".into()));
    let refused = desk.sent_and_shown().0;
    desk.input(Input::LinkFull { link: LinkId(1), refused });
    desk.link_breaks();
    desk.links_up();
    desk.welcomes("alice");
    desk.hears(joined(0));
    assert_eq!(texts(&desk.sent_and_shown().0), ["0"]);
}

#[test]
fn is_the_start_of_a_log_named_again_when_there_is_room() {
    let mut desk = Desk::dialing(|_| {});
    desk.links_up();
    desk.welcomes("alice");
    desk.asks(Command::Say("back again".into()));
    desk.hears(joined(7));
    desk.link_breaks();
    desk.links_up();
    desk.welcomes("alice");
    desk.done();
    desk.hears(joined(0));
    let sent = desk.sent_and_shown().0;
    let [Frame::Start { seq: Seq(7), .. }, Frame::Record(_)] = &sent[..] else { panic!("{sent:?}") };
    desk.input(Input::LinkFull { link: LinkId(2), refused: sent.clone() });
    assert_eq!(desk.sent_and_shown().0, []);
    desk.input(Input::LinkRoom { link: LinkId(2) });
    assert_eq!(desk.sent_and_shown().0, sent);
}

#[test]
fn are_as_many_rooms_joined_as_the_limit_says_and_not_one_more() {
    let mut desk = Desk::joined();
    for n in 1..MAX_ROOMS_PER_NODE {
        desk.asks(Command::Join(room(&format!("r{n}"))));
        assert_eq!(desk.refusals(), (vec![], 1), "room {n}");
    }
    desk.asks(Command::Join(room("more")));
    assert_eq!(desk.refusals(), (vec!["room_limit"], 0));
    desk.asks(Command::Say("still in the room before".into()));
    desk.asks(Command::Join(room("lobby")));
    assert_eq!(desk.refusals().0, Vec::<&str>::new(), "one that it is in");
}

#[test]
fn are_as_many_terms_followed_as_the_limit_says_and_not_one_more() {
    let mut desk = Desk::joined();
    let follow = |n: usize| Command::Follow(format!("word{n}").parse().unwrap());
    for n in 0..MAX_TERMS {
        desk.asks(follow(n));
        assert_eq!(desk.refusals(), (vec![], 1), "term {n}");
    }
    desk.asks(follow(MAX_TERMS));
    assert_eq!(desk.refusals(), (vec!["too_many_terms"], 0));
    desk.asks(follow(0));
    assert_eq!(desk.refusals().0, Vec::<&str>::new(), "one that is followed");
    desk.asks(Command::Unfollow("word0".parse().unwrap()));
    desk.asks(follow(MAX_TERMS));
    assert_eq!(desk.refusals().0, Vec::<&str>::new(), "there is a place again");
}

#[test]
fn is_a_message_past_the_limit_of_the_server_refused_here() {
    let text = |len: usize| "x".repeat(len);
    let to = vec!["bob".to_owned()];
    for command in [Command::Say, |text| Command::Topic(Some(text))] {
        let mut desk = Desk::joined();
        desk.asks(command(text(MAX_BYTES)));
        assert_eq!(desk.refusals(), (vec![], 1));
        desk.asks(command(text(MAX_BYTES + 1)));
        assert_eq!(desk.refusals(), (vec!["message_too_long"], 0));
    }
    let mut desk = Desk::joined();
    desk.asks(Command::Tell { to: to.clone(), text: text(MAX_BYTES) });
    assert_eq!(desk.refusals(), (vec![], 1));
    desk.asks(Command::Tell { to, text: text(MAX_BYTES + 1) });
    assert_eq!(desk.refusals(), (vec!["message_too_long"], 0));
}

/// A line that fits no record could never be sent, and would be in the way of all that follow.
#[test]
fn is_a_server_believed_that_takes_more_than_a_record_holds() {
    let mut desk = Desk::joined();
    desk.hears(Frame::Welcome { nick: nick("alice"), max_message_bytes: u32::MAX });
    desk.hears(joined(0));
    desk.done();
    desk.asks(Command::Say("x".repeat(MAX_BODY_BYTES)));
    assert_eq!(desk.refusals(), (vec![], 1));
    desk.asks(Command::Say("x".repeat(MAX_BODY_BYTES + 1)));
    assert_eq!(desk.refusals(), (vec!["message_too_long"], 0));
}

#[test]
fn are_commands_taken_until_as_much_waits_as_the_limit_says() {
    for mut desk in [Desk::dialing(|_| {}), Desk::joined()] {
        for n in 0..MAX_UNSENT {
            assert!(desk.client.is_ready(), "{n} lines wait");
            desk.asks(Command::Say(n.to_string()));
        }
        assert!(!desk.client.is_ready());
        if desk.client.link().is_none() {
            desk.links_up();
            desk.welcomes("alice");
            desk.hears(joined(0));
        }
        desk.hears(ack(1));
        assert!(desk.client.is_ready(), "one was taken");
    }
}

#[test]
fn is_no_more_sent_than_the_window_allows() {
    let mut desk = Desk::joined();
    for n in 0..2 * WINDOW {
        desk.asks(Command::Say(n.to_string()));
    }
    assert_eq!(texts(&desk.sent_and_shown().0), numbers(0..WINDOW));
    desk.hears(ack(3));
    assert_eq!(texts(&desk.sent_and_shown().0), numbers(WINDOW..WINDOW + 3));
}

#[test]
fn are_pauses_between_dials_within_their_bounds() {
    let mut desk = Desk::dialing(|_| {});
    desk.done();
    let mut longest = Duration::ZERO;
    for _ in 0..200 {
        desk.dial_fails();
        let pause = desk.pause();
        assert!((RETRY_BASE..=RETRY_CAP).contains(&pause), "{pause:?}");
        longest = longest.max(pause);
        desk.now.instant += pause - Duration::from_nanos(1);
        assert!(!desk.dials(), "before its time");
        desk.now.instant += Duration::from_nanos(1);
        assert!(desk.dials());
    }
    assert!(longest > RETRY_CAP / 2, "they grow: {longest:?}");
    desk.links_up();
    desk.welcomes("alice");
    desk.done();
    desk.link_breaks();
    assert!(desk.pause() <= 3 * RETRY_BASE, "after a success they begin anew");
}

#[test]
fn does_a_client_dial_the_addresses_of_its_server_in_turn() {
    let addrs = [1, 2].map(|port| Addr::new(Scheme::Tcp, ([192, 0, 2, 1], port).into()));
    let mut desk = Desk::dialing(|config| config.servers = addrs.to_vec());
    for _ in 0..3 {
        for addr in addrs {
            let dialed = desk.done().into_iter().find_map(|action| match action {
                Action::Dial(addr) => Some(addr),
                _ => None,
            });
            assert_eq!(dialed, Some(addr));
            desk.dial_fails();
        }
        let pause = desk.pause();
        desk.now.instant += pause;
        desk.client.handle_timeout(desk.now);
    }
}

#[test]
fn is_the_transport_told_that_got_there() {
    let [udp, tcp] = [Scheme::Udp, Scheme::Tcp].map(|by| Addr::new(by, ([192, 0, 2, 1], 1).into()));
    let transports = |desk: &mut Desk| -> Vec<&str> {
        let (_, shown) = desk.sent_and_shown();
        let links = shown.into_iter().filter_map(|event| match event {
            Event::Link { transport, .. } => Some(transport),
            _ => None,
        });
        links.collect()
    };
    let mut desk = Desk::dialing(|config| config.servers = vec![udp]);
    for (reached, told) in [(tcp, "tcp"), (udp, "udp")] {
        desk.links_up_over(Some(reached));
        desk.welcomes("alice");
        assert_eq!(transports(&mut desk), [told]);
        desk.link_breaks();
        assert_eq!(transports(&mut desk), [told, told], "down, and dialled again");
        desk.now.instant = desk.client.poll_timeout().expect("a next try");
        assert!(desk.dials());
    }
}

#[test]
fn is_a_name_that_nobody_chose_numbered_until_one_is_free() {
    let taken = |desk: &mut Desk| {
        desk.hears(Frame::Error { code: ErrorCode::NameTaken, room: None, detail: String::new() });
    };
    let mut desk = Desk::dialing(|config| config.nick_given = false);
    desk.links_up();
    for number in 2..=MAX_TRIES {
        desk.done();
        taken(&mut desk);
        assert_eq!(desk.sent_and_shown().0, [Frame::Nick { nick: nick(&format!("alice{number}")) }]);
    }
    taken(&mut desk);
    let refused = |action: &Action| matches!(action, Action::Close { reason: ByeReason::Refused, .. });
    assert!(matches!(&desk.done()[..], [action] if refused(action)), "one try more");

    let mut desk = Desk::dialing(|_| {});
    desk.links_up();
    desk.done();
    taken(&mut desk);
    assert!(matches!(&desk.done()[..], [action] if refused(action)), "a person chose that name");
}

#[test]
fn are_lines_said_without_a_link_kept_and_sent_once() {
    let mut desk = Desk::joined();
    desk.asks(Command::Say("0".into()));
    assert_eq!(texts(&desk.sent_and_shown().0), ["0"]);
    desk.link_breaks();
    for n in 1..5 {
        desk.asks(Command::Say(n.to_string()));
    }
    assert!(desk.sent_and_shown().0.is_empty(), "nobody is there");
    desk.links_up();
    desk.welcomes("alice");
    assert_eq!(texts(&desk.sent_and_shown().0), [""; 0], "not before the server says how far it is");
    // It had taken the first; its word of that was lost.
    desk.hears(joined(1));
    let (sent, shown) = desk.sent_and_shown();
    assert_eq!(texts(&sent), numbers(1..5));
    let taken = |event: &Event| match event {
        Event::Sent { seq, state: SentState::Accepted, .. } => Some(seq.0),
        _ => None,
    };
    assert_eq!(shown.iter().filter_map(taken).collect::<Vec<_>>(), [0]);
    desk.hears(ack(5));
    let (sent, shown) = desk.sent_and_shown();
    assert_eq!(texts(&sent), [""; 0]);
    assert_eq!(shown.iter().filter_map(taken).collect::<Vec<_>>(), [1, 2, 3, 4]);
    desk.link_breaks();
    desk.links_up();
    desk.welcomes("alice");
    desk.hears(joined(5));
    assert_eq!(texts(&desk.sent_and_shown().0), [""; 0], "never again");
}

#[test]
fn is_a_line_heard_twice_shown_once() {
    let mut desk = Desk::joined();
    let author = NodeId([7; 32]);
    desk.hears(Frame::Author { room: lobby(), node: author, nick: nick("bob"), key: None });
    let record = |seq| {
        let (seq, kind, body) = (Seq(seq), Kind::TEXT, Bytes::from_static(b"hi"));
        let (room, epoch) = (lobby(), Epoch(1));
        Record { room, author, epoch, seq, lamport: 1, sent_at_ms: 0, kind, body, signature: None }
    };
    for seq in [0, 0, 1, 0, 1] {
        desk.hears(Frame::Record(record(seq)));
    }
    let shown = desk.sent_and_shown().1;
    let seqs = shown.iter().map(|event| match event {
        Event::Message(Said { seq, .. }) => seq.0,
        other => panic!("{other:?}"),
    });
    assert_eq!(seqs.collect::<Vec<_>>(), [0, 1]);
}

#[test]
fn are_as_many_people_remembered_as_the_limit_says_and_not_one_more() {
    let mut desk = Desk::joined();
    for n in 0..=MAX_PEOPLE {
        let mut id = [0; 32];
        id[..8].copy_from_slice(&n.to_be_bytes());
        let frame =
            Frame::Author { room: lobby(), node: NodeId(id), nick: nick(&format!("n{n}")), key: None };
        desk.hears(frame);
    }
    assert_eq!(desk.client.people.len(), MAX_PEOPLE);
    let renamed = Frame::Author { room: lobby(), node: NodeId([0; 32]), nick: nick("new"), key: None };
    desk.hears(renamed);
    assert_eq!(desk.client.name_of(NodeId([0; 32])), "new", "who is known can change names");
}
