use std::time::Duration;

use bytes::Bytes;

use super::*;
use crate::{
    app::room::Keep,
    wire::{Epoch, Kind, Record},
};

const LINK: LinkId = LinkId(1);

fn lobby() -> RoomId {
    RoomId::Public("lobby".parse().unwrap())
}

fn author(number: u8) -> NodeId {
    NodeId([number; 32])
}

fn log(by: u8) -> LogKey {
    LogKey { room: lobby(), author: author(by), epoch: Epoch(1) }
}

/// One room, whose records come a second apart.
struct Kept {
    room: Room,
    now: Instant,
}

impl Kept {
    fn new(records: usize) -> Self {
        let now = tokio::time::Instant::now().into_std();
        Self { room: Room::new(lobby(), Keep { records, bytes: 1 << 20 }), now }
    }

    fn say(&mut self, by: u8, seq: u64) {
        self.now += Duration::from_secs(1);
        let LogKey { room, author, epoch } = log(by);
        let (seq, kind, body) = (Seq(seq), Kind::TEXT, Bytes::from_static(b"x"));
        let record =
            Record { room, author, epoch, seq, lamport: 0, sent_at_ms: 0, kind, body, signature: None };
        self.room.insert(record, self.now).unwrap();
    }

    fn with(records: usize, said: u64) -> Self {
        let mut kept = Self::new(records);
        (0..said).for_each(|seq| kept.say(1, seq));
        kept
    }
}

impl Source for Kept {
    fn room(&self, id: &RoomId) -> Option<&Room> {
        (*id == lobby()).then_some(&self.room)
    }

    fn author(&self, room: &RoomId, node: NodeId) -> Option<Frame> {
        Some(Frame::Author { room: room.clone(), node, nick: "someone".parse().unwrap(), key: None })
    }
}

/// Frames as short words: `1:4` a record, `+1` an introduction, `start 1:4`, `gone 1:4`.
fn words(frames: &[Frame]) -> Vec<String> {
    let word = |frame: &Frame| match frame {
        Frame::Record(record) => format!("{}:{}", record.author.0[0], record.seq),
        Frame::Author { node, .. } => format!("+{}", node.0[0]),
        Frame::Start { log, seq } => format!("start {}:{seq}", log.author.0[0]),
        Frame::Gone { log, floor } => format!("gone {}:{floor}", log.author.0[0]),
        other => panic!("{other:?}"),
    };
    frames.iter().map(word).collect()
}

#[test]
fn is_a_link_behind_until_it_has_what_it_is_owed() {
    let kept = Kept::with(100, 3);
    let mut feed = Feed::default();
    assert!(!feed.is_behind(LINK));
    feed.owe(LINK, log(1), Seq(1));
    assert!(feed.is_behind(LINK));
    assert_eq!(words(&feed.next_batch(LINK, &kept).frames), ["+1", "1:1", "1:2"]);
    assert!(!feed.is_behind(LINK));
    assert_eq!(feed.next_batch(LINK, &kept).frames, []);
}

#[test]
fn are_logs_merged_in_the_order_in_which_they_came() {
    let mut kept = Kept::new(100);
    for (by, seq) in [(2, 0), (1, 0), (1, 1), (2, 1), (3, 0), (1, 2)] {
        kept.say(by, seq);
    }
    let mut feed = Feed::default();
    for by in [1, 2, 3] {
        feed.owe(LINK, log(by), Seq(0));
    }
    let batch = words(&feed.next_batch(LINK, &kept).frames);
    assert_eq!(batch, ["+2", "2:0", "+1", "1:0", "1:1", "2:1", "+3", "3:0", "1:2"]);
}

#[test]
fn is_a_batch_as_long_as_the_limit_and_not_longer() {
    let most = FEED_BATCH as u64;
    let mut kept = Kept::with(1_000, most);
    let mut feed = Feed::default();
    let records = |frames: &[Frame]| frames.iter().filter(|f| matches!(f, Frame::Record(_))).count();
    feed.owe(LINK, log(1), Seq(0));
    assert_eq!(records(&feed.next_batch(LINK, &kept).frames), FEED_BATCH);
    assert!(!feed.is_behind(LINK));
    kept.say(1, most);
    feed.owe(LINK, log(1), Seq(0));
    assert_eq!(records(&feed.next_batch(LINK, &kept).frames), FEED_BATCH);
    assert!(feed.is_behind(LINK));
    assert_eq!(words(&feed.next_batch(LINK, &kept).frames), ["+1", "1:64"]);
}

#[test]
fn is_the_start_of_a_log_told_once_and_before_its_records() {
    let kept = Kept::with(1_000, 100);
    let mut feed = Feed::default();
    feed.owe_from_start(LINK, log(1), Seq(10), 0);
    let first = words(&feed.next_batch(LINK, &kept).frames);
    assert_eq!(first[..3], ["start 1:10", "+1", "1:10"]);
    let second = words(&feed.next_batch(LINK, &kept).frames);
    assert!(second.iter().all(|word| !word.starts_with("start")), "{second:?}");
    feed.owe_from_start(LINK, log(1), Seq(100), 0);
    assert_eq!(
        words(&feed.next_batch(LINK, &kept).frames),
        ["start 1:100"],
        "even of a log that owes nothing"
    );
}

#[test]
fn is_what_is_no_longer_kept_said_to_be_gone() {
    let kept = Kept::with(4, 10);
    let mut feed = Feed::default();
    feed.owe(LINK, log(1), Seq(3));
    let batch = words(&feed.next_batch(LINK, &kept).frames);
    assert_eq!(batch, ["gone 1:6", "+1", "1:6", "1:7", "1:8", "1:9"]);
    feed.owe(LINK, log(1), Seq(6));
    assert_eq!(words(&feed.next_batch(LINK, &kept).frames)[0], "+1", "nothing is gone from the floor on");
}

#[test]
fn is_only_the_part_sent_that_was_asked_for() {
    let kept = Kept::with(100, 10);
    let mut feed = Feed::default();
    feed.owe_part(LINK, log(1), Seq(2), Seq(4));
    assert_eq!(words(&feed.next_batch(LINK, &kept).frames), ["+1", "1:2", "1:3"]);
    feed.owe_part(LINK, log(1), Seq(8), Seq(1_000));
    assert_eq!(words(&feed.next_batch(LINK, &kept).frames), ["+1", "1:8", "1:9"]);
    assert!(!feed.is_behind(LINK), "what does not exist yet is not owed");
    feed.owe_part(LINK, log(9), Seq(0), Seq(5));
    assert_eq!(feed.next_batch(LINK, &kept).frames, [], "nor is a log that nobody knows");
    assert!(!feed.is_behind(LINK));
}

#[test]
fn does_what_found_no_room_come_again_from_its_place() {
    let kept = Kept::with(100, 10);
    let mut feed = Feed::default();
    feed.owe_from_start(LINK, log(1), Seq(2), 0);
    let batch = feed.next_batch(LINK, &kept).frames;
    for cut in 0..batch.len() {
        feed.take_back(LINK, batch[cut..].to_vec());
        let taken =
            batch[..cut].iter().chain(&feed.next_batch(LINK, &kept).frames).cloned().collect::<Vec<_>>();
        let taken: Vec<String> = words(&taken).into_iter().filter(|word| word != "+1").collect();
        let whole: Vec<String> = words(&batch).into_iter().filter(|word| word != "+1").collect();
        assert_eq!(taken, whole, "cut at {cut}");
        assert!(!feed.is_behind(LINK));
    }
}

#[test]
fn is_a_gap_that_found_no_room_told_again() {
    let kept = Kept::with(4, 10);
    let mut feed = Feed::default();
    feed.owe(LINK, log(1), Seq(0));
    let batch = feed.next_batch(LINK, &kept).frames;
    feed.take_back(LINK, batch.clone());
    assert_eq!(words(&feed.next_batch(LINK, &kept).frames), words(&batch));
}

#[test]
fn is_a_link_or_room_that_went_away_owed_nothing() {
    let kept = Kept::with(100, 3);
    let mut feed = Feed::default();
    feed.owe(LINK, log(1), Seq(0));
    feed.owe(LinkId(2), log(1), Seq(0));
    feed.forget_link(LINK);
    assert!(!feed.is_behind(LINK));
    assert!(feed.is_behind(LinkId(2)));
    feed.forget_room(LinkId(2), &lobby());
    assert_eq!(feed.next_batch(LinkId(2), &kept).frames, []);
}
