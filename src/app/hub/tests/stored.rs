use super::*;
use crate::{
    app::{Restored, limits::MAX_RECALLS},
    store::{Arrival, Author, Entry, LinesQuery, Page, PageQuery, Stored, StoredLog, StoredRoom, Wanted},
};

/// Client 1 said so many lines in the lobby long ago; the last of them are in memory.
fn restored(lines: u64, tail: u64) -> Restored {
    let log = StoredLog {
        author: node(1),
        epoch: Epoch(1),
        first: Seq(0),
        next: Seq(lines),
        last_hash: None,
        arrived_ms: (0, lines - 1),
    };
    let room = StoredRoom {
        id: lobby(),
        logs: vec![log],
        topic: None,
        lamport: lines,
        member_since_ms: None,
        last: Arrival(lines),
    };
    let author = Author { node: node(1), nick: "c1".parse().unwrap(), key: None };
    Restored { rooms: vec![(room, (lines - tail..lines).map(kept).collect())], authors: vec![author] }
}

fn kept(seq: u64) -> Stored {
    let record = record(1, lobby(), seq, format!("line {seq}"));
    Stored { arrival: Arrival(seq + 1), arrived_ms: seq, record }
}

impl Star {
    fn durable(restored: Restored) -> Self {
        Self::durable_at(1_000_000, restored)
    }

    fn durable_at(unix_ms: u64, restored: Restored) -> Self {
        let mut star = Self::new(|_| {});
        star.now.unix_ms = unix_ms;
        star.hub.handle_input(Input::Restore(restored), star.now);
        star
    }

    fn input(&mut self, input: Input) {
        self.hub.handle_input(input, self.now);
    }

    fn actions(&mut self) -> Vec<Action> {
        std::iter::from_fn(|| self.hub.poll_action()).collect()
    }

    /// What is to be put on disk, as seqs; what was sent is let go of.
    fn keeps(&mut self) -> Vec<u64> {
        let seq = |action| match action {
            Action::Keep(Entry::Record { record, .. }) => Some(record.seq.0),
            _ => None,
        };
        self.actions().into_iter().filter_map(seq).collect()
    }

    fn asked(&mut self) -> (Vec<Frame>, Option<PageQuery>) {
        let (mut frames, mut asked) = (Vec::new(), None);
        for action in self.actions() {
            match action {
                Action::Send { frame, .. } => frames.push(frame),
                Action::Read { query, .. } => asked = Some(query),
                _ => {}
            }
        }
        (frames, asked)
    }
}

fn log_of(by: u32) -> LogKey {
    LogKey { room: lobby(), author: node(by), epoch: Epoch(1) }
}

fn ack(next: u64, level: AckLevel) -> Frame {
    Frame::Ack { log: log_of(1), next: Seq(next), level }
}

fn subscribe(have: &[(u32, u64)], age_ms: u64, history: u16) -> Frame {
    let have = have.iter().map(|(by, next)| (node(*by), Epoch(1), Seq(*next))).collect();
    Frame::Subscribe { room: lobby(), have, age_ms, history, more: false }
}

fn seqs(frames: &[Frame]) -> Vec<u64> {
    let seq = |frame: &Frame| match frame {
        Frame::Record(record) => Some(record.seq.0),
        _ => None,
    };
    frames.iter().filter_map(seq).collect()
}

#[test]
fn is_a_line_heard_at_once_and_called_stored_when_the_disk_has_it() {
    let mut star = Star::durable(Restored::default());
    for number in [1, 2] {
        star.comes(number);
        star.joins(number, lobby());
    }
    assert_eq!(star.hub.hello().capabilities & CAN_STORE, CAN_STORE);
    star.heard();
    star.says(1, Frame::Record(record(1, lobby(), 0, "hi")));
    let actions = star.actions();
    let sent = |wanted: &Frame| {
        actions.iter().any(|action| matches!(action, Action::Send { frame, .. } if frame == wanted))
    };
    assert!(sent(&Frame::Record(record(1, lobby(), 0, "hi"))) && sent(&ack(1, AckLevel::Accepted)));
    assert!(!sent(&ack(1, AckLevel::Stored)));
    let to_keep = |action: &&Action| matches!(action, Action::Keep(_));
    assert_eq!(actions.iter().filter(to_keep).count(), 2, "the name of the author, and the line");
    star.input(Input::Stored { logs: vec![(log_of(1), Seq(1))] });
    assert_eq!(star.heard(), [(link(1), ack(1, AckLevel::Stored))]);
    star.input(Input::Stored { logs: vec![(log_of(1), Seq(1))] });
    assert_eq!(star.heard(), []);
}

#[test]
fn does_a_server_go_on_after_a_restart_where_each_log_was() {
    let mut star = Star::durable(restored(10, 0));
    star.comes(1);
    star.joins(1, lobby());
    let heard: Vec<Frame> = star.heard().into_iter().map(|(_, frame)| frame).collect();
    assert!(heard.iter().any(|frame| matches!(frame, Frame::Joined { next: Seq(10), .. })), "{heard:?}");
    assert!(heard.contains(&ack(10, AckLevel::Stored)), "{heard:?}");
    star.says(1, Frame::Record(record(1, lobby(), 9, "line 9")));
    assert_eq!(star.keeps(), [] as [u64; 0]);
    star.says(1, Frame::Record(record(1, lobby(), 10, "line 10")));
    assert_eq!(star.keeps(), [10]);
}

#[test]
fn does_one_who_was_away_get_what_is_on_disk_alone_and_then_the_rest() {
    let mut star = Star::durable(restored(10, 3));
    star.comes(1);
    star.joins(1, lobby());
    star.comes(2);
    star.heard();
    star.says(2, subscribe(&[(1, 4)], 5_000, 0));
    let (frames, asked) = star.asked();
    assert_eq!(seqs(&frames), [] as [u64; 0], "nothing overtakes what is on disk");
    let asked = asked.unwrap();
    let wanted = Wanted { author: node(1), epoch: Epoch(1), from: Seq(4), since_ms: 0 };
    assert_eq!((asked.room, asked.logs), (lobby(), vec![wanted]));
    // Said meanwhile: it waits for its turn.
    star.says(1, Frame::Record(record(1, lobby(), 10, "live")));
    assert_eq!(seqs(&star.asked().0), [] as [u64; 0]);
    let page = Page { records: (4..6).map(kept).collect(), upto: Arrival(6), complete: false };
    star.input(Input::Page { link: link(2), page });
    assert_eq!(seqs(&star.asked().0), [4, 5]);
    star.input(Input::LinkRoom { link: link(2) });
    let (_, asked) = star.asked();
    assert_eq!(asked.unwrap().after, Arrival(6));
    let page = Page { records: (6..10).map(kept).collect(), upto: Arrival(10), complete: true };
    star.input(Input::Page { link: link(2), page });
    star.input(Input::LinkRoom { link: link(2) });
    assert_eq!(seqs(&star.asked().0), [6, 7, 8, 9, 10]);
    star.says(1, Frame::Record(record(1, lobby(), 11, "direct")));
    assert_eq!(seqs(&star.asked().0), [11]);
}

#[test]
fn is_a_newcomer_told_where_its_time_begins_and_not_more() {
    // In the room since line 7 came; a second is allowed for.
    let mut star = Star::durable_at(3_007, restored(10, 0));
    star.comes(2);
    star.heard();
    star.says(2, subscribe(&[], 2_000, 0));
    let (_, asked) = star.asked();
    assert_eq!(asked.unwrap().logs.iter().map(|log| log.since_ms).collect::<Vec<_>>(), [7]);
    let page = Page { records: (7..10).map(kept).collect(), upto: Arrival(10), complete: true };
    star.input(Input::Page { link: link(2), page });
    let (frames, _) = star.asked();
    assert!(frames.contains(&Frame::Start { log: log_of(1), seq: Seq(7) }), "{frames:?}");
    assert_eq!(seqs(&frames), [7, 8, 9]);
}

#[test]
fn is_what_retention_took_a_gap_and_not_silence() {
    let mut star = Star::durable(restored(10, 0));
    star.comes(2);
    star.says(2, subscribe(&[(1, 2)], 5_000, 0));
    star.actions();
    star.input(Input::Retained { logs: vec![(log_of(1), Seq(6))] });
    let page = Page { records: (6..10).map(kept).collect(), upto: Arrival(10), complete: true };
    star.input(Input::Page { link: link(2), page });
    let (frames, _) = star.asked();
    assert!(frames.contains(&Frame::Gone { log: log_of(1), floor: Seq(6) }), "{frames:?}");
    assert_eq!(seqs(&frames), [6, 7, 8, 9]);
    // All of it went while it was read.
    star.says(2, subscribe(&[(1, 2)], 5_000, 0));
    star.actions();
    star.input(Input::Page { link: link(2), page: Page { complete: true, ..Page::default() } });
    let (frames, _) = star.asked();
    assert!(frames.contains(&Frame::Gone { log: log_of(1), floor: Seq(10) }), "{frames:?}");
}

#[test]
fn is_what_found_no_space_kept_when_its_author_says_it_again() {
    let mut star = Star::durable(Restored::default());
    star.comes(1);
    star.joins(1, lobby());
    for seq in 0..3 {
        star.says(1, Frame::Record(record(1, lobby(), seq, "x")));
    }
    assert_eq!(star.keeps(), [0, 1, 2]);
    star.input(Input::Stored { logs: vec![(log_of(1), Seq(1))] });
    star.input(Input::Unstored { logs: vec![(log_of(1), Seq(1))] });
    let heard: Vec<Frame> = star.heard().into_iter().map(|(_, frame)| frame).collect();
    assert!(heard.contains(&Frame::Unstored { log: log_of(1), from: Seq(1) }));
    for seq in 0..3 {
        star.says(1, Frame::Record(record(1, lobby(), seq, "x")));
    }
    assert_eq!(star.keeps(), [1, 2]);
    star.input(Input::Stored { logs: vec![(log_of(1), Seq(3))] });
    star.says(1, Frame::Record(record(1, lobby(), 2, "x")));
    assert_eq!(star.keeps(), [] as [u64; 0]);
}

/// The seqs of the lines in the pages among these frames.
fn paged(heard: &Sent) -> Vec<u64> {
    let lines = heard.iter().flat_map(|(_, frame)| match frame {
        Frame::Page { lines, .. } => lines.as_slice(),
        _ => &[],
    });
    lines.map(|line| line.record.seq.0).collect()
}

fn history(limit: u16, before: Option<u64>) -> Frame {
    let before = before.map(|seq| record(1, lobby(), seq, "").id());
    Frame::History { room: lobby(), limit, before }
}

/// What it asks of the disk.
fn asked(actions: &[Action]) -> Vec<LinesQuery> {
    let query = |action: &Action| match action {
        Action::Recall { query, .. } => Some(query.clone()),
        _ => None,
    };
    actions.iter().filter_map(query).collect()
}

fn answer(query: LinesQuery, seqs: std::ops::Range<u64>) -> Input {
    Input::Lines { link: Some(link(2)), query, lines: seqs.map(kept).collect() }
}

#[test]
fn are_lines_from_before_read_from_disk_where_memory_has_too_few() {
    let mut star = Star::durable(restored(10, 3));
    star.comes(2);
    star.says(2, subscribe(&[], 0, 2));
    assert_eq!(paged(&star.heard()), [8, 9]);
    star.says(2, history(5, None));
    let [query] = asked(&star.actions()).try_into().unwrap();
    assert_eq!((query.count, query.before), (5, None));
    star.input(answer(query, 5..10));
    assert_eq!(paged(&star.heard()), [5, 6, 7, 8, 9]);
}

#[test]
fn do_pages_of_the_past_go_back_from_memory_to_the_disk_and_to_its_beginning() {
    let mut star = Star::durable(restored(10, 3));
    star.comes(2);
    star.says(2, subscribe(&[], 0, 1));
    assert_eq!(paged(&star.heard()), [9]);
    star.says(2, history(2, Some(9)));
    assert_eq!(paged(&star.heard()), [7, 8], "out of memory");
    star.says(2, history(4, Some(7)));
    let [query] = asked(&star.actions()).try_into().unwrap();
    assert_eq!((query.count, query.before.map(|id| id.seq)), (4, Some(Seq(7))));
    star.input(answer(query, 3..7));
    assert_eq!(paged(&star.heard()), [3, 4, 5, 6]);
    star.says(2, history(4, Some(0)));
    let [query] = asked(&star.actions()).try_into().unwrap();
    star.input(answer(query, 0..0));
    let heard = star.heard();
    assert!(matches!(heard.as_slice(), [(_, Frame::Page { last: true, .. })]), "{heard:?}");
}

#[test]
fn are_questions_about_the_past_answered_in_their_order_and_no_more_of_them_taken_than_the_limit_says() {
    let mut star = Star::durable(restored(10, 3));
    star.comes(2);
    star.says(2, subscribe(&[], 0, 0));
    star.heard();
    star.says(2, history(5, None));
    let [query] = asked(&star.actions()).try_into().unwrap();
    for _ in 1..MAX_RECALLS {
        star.says(2, history(1, None));
    }
    assert_eq!(star.heard(), [], "memory would have it, but the disk has yet to answer");
    star.says(2, history(1, None));
    assert_eq!(codes(&star.heard_only(2)), [ErrorCode::Other]);
    star.input(answer(query, 5..10));
    let expected: Vec<u64> = (5..10).chain(std::iter::repeat_n(9, MAX_RECALLS - 1)).collect();
    assert_eq!(paged(&star.heard()), expected);
}

#[test]
fn is_what_the_disk_does_not_have_yet_told_behind_what_it_has() {
    let mut star = Star::durable(restored(10, 3));
    [1, 2].into_iter().for_each(|node| star.comes(node));
    star.says(1, subscribe(&[], 0, 0));
    star.says(2, subscribe(&[], 0, 0));
    star.heard();
    star.says(2, history(5, None));
    let [query] = asked(&star.actions()).try_into().unwrap();
    star.says(1, Frame::Record(record(1, lobby(), 10, "just now")));
    star.heard();
    star.input(answer(query, 5..10));
    assert_eq!(paged(&star.heard()), [6, 7, 8, 9, 10]);
}

#[test]
fn is_nothing_let_go_of_before_it_is_on_disk() {
    let mut star = Star::durable(Restored::default());
    star.comes(1);
    star.joins(1, lobby());
    star.comes(2);
    let records = KEEP_BYTES as u64 / 60_000 + 20;
    for seq in 0..records {
        star.says(1, Frame::Record(record(1, lobby(), seq, vec![0; 60_000])));
    }
    star.says(2, subscribe(&[(1, 0)], 60_000, 0));
    assert_eq!(star.asked().1, None, "all of it is in memory");
    star.input(Input::Stored { logs: vec![(log_of(1), Seq(records))] });
}
