use super::*;
use crate::{
    app::Restored,
    store::{Arrival, Entry, Page, Stored, StoredLog, StoredRoom},
    wire::CAN_STORE,
};

const OTHER: NodeId = NodeId([7; 32]);

fn line(author: NodeId, epoch: u64, seq: u64) -> Record {
    let (kind, body) = (Kind::TEXT, Bytes::from(format!("line {seq}")));
    let (epoch, seq) = (Epoch(epoch), Seq(seq));
    let (room, lamport) = (lobby(), seq.0 + 1);
    Record { room, author, epoch, seq, lamport, sent_at_ms: 0, kind, body, signature: None }
}

fn kept(record: Record) -> Stored {
    Stored { arrival: Arrival(record.seq.0 + 1), arrived_ms: 0, record }
}

/// Three own lines of run 1, five of somebody else; a member since a minute after midnight of 1970.
fn restored() -> Restored {
    let log = |author, next| StoredLog {
        author,
        epoch: Epoch(1),
        first: Seq(0),
        next: Seq(next),
        last_hash: None,
        arrived_ms: (60_000, 61_000),
    };
    let room = StoredRoom {
        id: lobby(),
        logs: vec![log(NodeId::of(&KEY), 3), log(OTHER, 5)],
        topic: None,
        lamport: 8,
        member_since_ms: Some(60_000),
        last: Arrival(8),
    };
    Restored { rooms: vec![(room, vec![kept(line(OTHER, 1, 4))])], authors: Vec::new() }
}

impl Desk {
    /// A client in its second run, at a server with a store.
    fn back(restored: Restored) -> Self {
        let mut desk = Self::dialing(|config| config.epoch = Epoch(2));
        desk.client = Client::new(ClientConfig { history: 10, ..desk.client.config.clone() });
        desk.now.unix_ms = 100_000;
        desk.capabilities = CAN_STORE;
        desk.input(Input::Restore(restored));
        desk.input(Input::Start);
        desk.links_up();
        desk.welcomes("alice");
        desk
    }

    fn says(&mut self, text: &str) {
        self.asks(Command::Say(text.into()));
    }
}

fn of_run(epoch: u64) -> LogKey {
    LogKey { epoch: Epoch(epoch), ..own_log() }
}

fn acked(epoch: u64, next: u64, level: AckLevel) -> Frame {
    Frame::Ack { log: of_run(epoch), next: Seq(next), level }
}

fn seqs(sent: &[Frame]) -> Vec<(u64, u64)> {
    let seq = |frame: &Frame| match frame {
        Frame::Record(record) => Some((record.epoch.0, record.seq.0)),
        _ => None,
    };
    sent.iter().filter_map(seq).collect()
}

fn states(shown: &[Event]) -> Vec<(u64, u64, SentState)> {
    let state = |event: &Event| match event {
        Event::Sent { epoch, seq, state, .. } => Some((epoch.0, seq.0, *state)),
        _ => None,
    };
    shown.iter().filter_map(state).collect()
}

fn codes(shown: &[Event]) -> Vec<&'static str> {
    let code = |event: &Event| if let Event::Error(trouble) = event { Some(trouble.code) } else { None };
    shown.iter().filter_map(code).collect()
}

#[test]
fn does_one_who_comes_back_say_what_it_has_and_since_when_it_is_a_member() {
    let mut desk = Desk::back(restored());
    let (sent, _) = desk.sent_and_shown();
    let subscribed = sent.iter().find_map(|frame| match frame {
        Frame::Subscribe { have, age_ms, history, .. } => Some((have.clone(), *age_ms, *history)),
        _ => None,
    });
    let have = [(OTHER, Epoch(1), Seq(5))].into_iter().collect();
    assert_eq!(subscribed, Some((have, 40_000, 0)), "not its own lines, and no past that it has itself");
    desk.hears(joined(0));
    let shown = desk.sent_and_shown().1;
    let past = |event: &&Event| matches!(event, Event::Message(Said { historic: true, .. }));
    assert_eq!(shown.iter().filter(past).count(), 1, "the end of what it has is shown");
}

#[test]
fn is_what_the_server_lacks_of_an_earlier_run_read_from_disk_and_said_again() {
    let mut desk = Desk::back(restored());
    desk.hears(acked(1, 1, AckLevel::Accepted));
    desk.hears(acked(1, 1, AckLevel::Stored));
    desk.done();
    desk.hears(joined(0));
    let asked = desk.done().into_iter().find_map(|action| match action {
        Action::Read { query, .. } => Some(query),
        _ => None,
    });
    let asked = asked.unwrap();
    assert_eq!(asked.logs.iter().map(|log| (log.epoch.0, log.from.0)).collect::<Vec<_>>(), [(1, 1)]);
    let own = NodeId::of(&KEY);
    let records = vec![kept(line(own, 1, 1)), kept(line(own, 1, 2))];
    let page = Page { records, upto: Arrival(3), complete: true };
    desk.input(Input::Page { link: LinkId(desk.link), page });
    assert_eq!(seqs(&desk.sent_and_shown().0), [(1, 1), (1, 2)]);
    // The end of input waits for them.
    desk.asks(Command::Finish);
    assert!(!desk.done().iter().any(|action| matches!(action, Action::Close { .. })));
    desk.hears(acked(1, 3, AckLevel::Accepted));
    desk.hears(acked(1, 3, AckLevel::Stored));
    let actions = desk.done();
    let shown: Vec<Event> = actions
        .iter()
        .filter_map(|action| if let Action::Notify(event) = action { Some(event.clone()) } else { None })
        .collect();
    use SentState::{Accepted, Stored};
    assert_eq!(states(&shown), [(1, 1, Accepted), (1, 2, Accepted), (1, 1, Stored), (1, 2, Stored)]);
    assert!(actions.iter().any(|action| matches!(action, Action::Close { .. })));
}

#[test]
fn is_nothing_of_an_earlier_run_said_to_a_server_that_has_it_or_keeps_nothing() {
    let mut desk = Desk::back(restored());
    desk.hears(acked(1, 3, AckLevel::Accepted));
    desk.hears(joined(0));
    assert!(!desk.done().iter().any(|action| matches!(action, Action::Read { .. })));
    desk.link_breaks();
    desk.capabilities = 0;
    desk.now.instant += Duration::from_secs(5);
    desk.client.handle_timeout(desk.now);
    desk.links_up();
    desk.welcomes("alice");
    desk.hears(joined(0));
    assert!(!desk.done().iter().any(|action| matches!(action, Action::Read { .. })));
}

#[test]
fn is_what_a_client_says_and_hears_kept() {
    let mut desk = Desk::back(Restored::default());
    desk.hears(joined(0));
    desk.hears(Frame::Record(line(OTHER, 1, 0)));
    desk.says("hi");
    let mut kept = Vec::new();
    for action in desk.done() {
        if let Action::Keep(entry) = action {
            kept.push(match entry {
                Entry::Record { record, .. } => record.text(),
                Entry::Author(author) => author.nick.to_string(),
                Entry::Member { since_ms, .. } => format!("member since {since_ms:?}"),
            });
        }
    }
    assert_eq!(kept, ["member since Some(100000)", "line 0", "alice", "hi"]);
}

#[test]
fn is_what_found_no_space_said_again_after_a_while() {
    let mut desk = Desk::back(Restored::default());
    desk.hears(joined(0));
    desk.says("a");
    desk.says("b");
    desk.hears(acked(2, 2, AckLevel::Accepted));
    desk.done();
    desk.hears(Frame::Unstored { log: of_run(2), from: Seq(0) });
    desk.hears(Frame::Unstored { log: of_run(2), from: Seq(1) });
    let (sent, shown) = desk.sent_and_shown();
    assert_eq!((seqs(&sent), codes(&shown)), (vec![], vec!["store_full"]), "told once");
    desk.says("c");
    assert_eq!(seqs(&desk.sent_and_shown().0), [(2, 2)], "others hear it meanwhile");
    desk.now.instant += SPACE_PAUSE;
    desk.client.handle_timeout(desk.now);
    assert_eq!(seqs(&desk.sent_and_shown().0), [(2, 0), (2, 1), (2, 2)]);
}

#[test]
fn is_a_server_that_forgot_what_it_called_stored_found_out() {
    let mut desk = Desk::back(Restored::default());
    desk.hears(joined(0));
    desk.says("a");
    desk.says("b");
    desk.hears(acked(2, 2, AckLevel::Accepted));
    desk.hears(acked(2, 2, AckLevel::Stored));
    desk.done();
    desk.link_breaks();
    desk.now.instant += Duration::from_secs(5);
    desk.client.handle_timeout(desk.now);
    desk.links_up();
    desk.welcomes("alice");
    desk.done();
    desk.hears(joined(1));
    let (sent, shown) = desk.sent_and_shown();
    assert_eq!((seqs(&sent), codes(&shown)), (vec![(2, 1)], vec!["history_rewound"]));
}

#[test]
fn is_it_told_once_a_minute_that_there_is_no_space_here() {
    let mut desk = Desk::back(Restored::default());
    desk.hears(joined(0));
    let log = LogKey { author: OTHER, ..of_run(1) };
    let told = |desk: &mut Desk, seq: u64| {
        desk.hears(Frame::Record(line(OTHER, 1, seq)));
        desk.done();
        desk.input(Input::Unstored { logs: vec![(log.clone(), Seq(seq))] });
        codes(&desk.sent_and_shown().1)
    };
    assert_eq!([told(&mut desk, 0), told(&mut desk, 1)], [vec!["store_full"], vec![]]);
    desk.now.instant += FULL_AGAIN;
    assert_eq!(told(&mut desk, 2), ["store_full"]);
}
