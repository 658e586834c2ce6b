use bytes::Bytes;
use proptest::{collection::vec, prelude::*};

use super::*;
use crate::wire::{Epoch, Kind, NodeId, RoomId};

const ME: NodeId = NodeId([1; 32]);

fn key() -> LogKey {
    LogKey { room: RoomId::Public("lobby".parse().unwrap()), author: ME, epoch: Epoch(1) }
}

fn empty() -> Outgoing {
    Outgoing::new(key())
}

/// Says a line that names itself.
fn say(outgoing: &mut Outgoing, text: &str) {
    let LogKey { room, author, epoch } = key();
    let (seq, kind, body) = (outgoing.next(), Kind::TEXT, Bytes::copy_from_slice(text.as_bytes()));
    outgoing.append(Record {
        room,
        author,
        epoch,
        seq,
        lamport: text.parse().unwrap_or(u64::MAX),
        sent_at_ms: 0,
        kind,
        body,
        signature: None,
    });
}

fn with(lines: u64) -> Outgoing {
    let mut outgoing = empty();
    (0..lines).for_each(|line| say(&mut outgoing, &line.to_string()));
    outgoing
}

fn seqs(records: &[Record]) -> Vec<u64> {
    records.iter().map(|record| record.seq.0).collect()
}

fn texts<'a>(records: impl IntoIterator<Item = &'a Record>) -> Vec<String> {
    records.into_iter().map(Record::text).collect()
}

#[test]
fn is_the_window_sent_and_not_one_record_more() {
    let mut outgoing = with(WINDOW);
    assert_eq!(seqs(&outgoing.due()), (0..WINDOW).collect::<Vec<_>>());
    say(&mut outgoing, "one more");
    assert_eq!(outgoing.due(), []);
    assert_eq!(outgoing.accept(Seq(1)), 0..1);
    assert_eq!(seqs(&outgoing.due()), [WINDOW]);
    assert_eq!(outgoing.due(), [], "nothing is sent twice");
}

#[test]
fn is_nothing_reported_twice() {
    let mut outgoing = with(5);
    outgoing.due();
    assert_eq!(outgoing.accept(Seq(3)), 0..3);
    assert_eq!(outgoing.accept(Seq(3)), 3..3);
    assert_eq!(outgoing.accept(Seq(1)), 3..3, "an old word");
    assert_eq!(outgoing.resume(Seq(0)), None, "the server lost everything");
    assert_eq!(seqs(&outgoing.due()), [0, 1, 2, 3, 4]);
    assert_eq!(outgoing.accept(Seq(4)), 3..4);
    assert_eq!(outgoing.accept(Seq(99)), 4..5, "a server cannot take what was not said");
}

#[test]
fn is_a_refused_record_taken_out_and_what_follows_moved_up() {
    let mut outgoing = with(5);
    outgoing.due();
    outgoing.accept(Seq(1));
    assert_eq!(outgoing.refuse(Seq(2), 2).unwrap().text(), "2");
    let due = outgoing.due();
    assert_eq!(seqs(&due), [2, 3]);
    assert_eq!(texts(&due), ["3", "4"]);
    assert_eq!(outgoing.waiting(), 3);
    assert_eq!(outgoing.refuse(Seq(0), 0), None, "it was taken");
    assert_eq!(outgoing.refuse(Seq(9), 9), None, "it was not said");
}

#[test]
fn is_all_sent_again_from_where_a_server_fell_back_to() {
    let mut outgoing = with(5);
    outgoing.due();
    outgoing.accept(Seq(4));
    assert_eq!(outgoing.resume(Seq(2)), None);
    assert_eq!(seqs(&outgoing.due()), [2, 3, 4]);
    outgoing.rewind();
    assert_eq!(seqs(&outgoing.due()), [2, 3, 4]);
}

#[test]
fn is_the_floor_named_to_a_server_that_lost_more_than_is_held() {
    let most = KEEP_RECORDS as u64;
    let mut outgoing = with(most + 10);
    while outgoing.waiting() > 0 {
        let upto = outgoing.due().last().unwrap().seq.next();
        outgoing.accept(upto);
    }
    outgoing.trim(false);
    assert_eq!(outgoing.resume(Seq(10)), None, "all of that is held");
    outgoing.trim(false);
    assert_eq!(outgoing.resume(Seq(9)), Some(Seq(10)));
    assert_eq!(outgoing.resume(Seq(0)), Some(Seq(10)));
    assert_eq!(outgoing.due().first().unwrap().seq, Seq(10));
}

#[test]
fn does_a_log_go_on_where_it_ended_after_leaving_and_coming_back() {
    let mut outgoing = with(2);
    assert_eq!(outgoing.resume(Seq(7)), None);
    let due = outgoing.due();
    assert_eq!(seqs(&due), [7, 8]);
    assert_eq!(texts(&due), ["0", "1"]);
    assert_eq!(outgoing.accept(Seq(7)), 7..7, "the old lines are no news");
    assert_eq!(outgoing.accept(Seq(9)), 7..9);
    assert_eq!(outgoing.resume(Seq(0)), Some(Seq(7)), "what was before it left is not held");
}

#[test]
fn does_a_log_go_on_where_it_ended_however_much_is_said_meanwhile() {
    for said in 1..4 {
        let mut outgoing = with(said);
        outgoing.resume(Seq(2));
        assert_eq!(outgoing.due().len() as u64, said, "{said} lines said before the answer");
    }
}

#[test]
fn is_what_the_link_had_no_room_for_sent_again_and_what_it_had_room_for_not() {
    let mut outgoing = with(6);
    outgoing.due();
    outgoing.accept(Seq(1));
    for seq in [Seq(4), Seq(3), Seq(5)] {
        outgoing.take_back(seq);
    }
    assert_eq!(seqs(&outgoing.due()), [3, 4, 5]);
    assert_eq!(outgoing.due(), [], "nothing is sent twice");
}

#[test]
fn is_what_found_no_space_said_again_whatever_was_accepted_meanwhile() {
    let mut outgoing = with(6);
    outgoing.due();
    outgoing.accept(Seq(4));
    outgoing.found_no_space(Seq(1));
    outgoing.say_again();
    assert_eq!(seqs(&outgoing.due()), [1, 2, 3, 4, 5]);
    outgoing.take_back(Seq(2));
    outgoing.accept(Seq(6));
    assert_eq!(seqs(&outgoing.due()), [2, 3, 4, 5], "accepted is not stored");
}

/// The window was sent twice (the server skipped over something), the server refuses the same record twice: the
/// second word is about a record that is no longer there.
#[test]
fn does_a_second_refusal_of_one_record_cost_another() {
    let mut outgoing = with(3);
    outgoing.due();
    outgoing.rewind();
    outgoing.due();
    assert_eq!(outgoing.refuse(Seq(0), 0).unwrap().text(), "0");
    outgoing.due();
    assert_eq!(outgoing.refuse(Seq(0), 0), None);
    assert_eq!(texts(outgoing.untaken(false)), ["1", "2"]);
}

/// What can happen between a client and its server, on one link after another.
#[derive(Clone, Copy, Debug)]
enum Step {
    Say,
    Take(u64),
    Refuse,
    Rewind,
    /// There is room for so many lines.
    Full(usize),
    Reconnect,
    Restart,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => Just(Step::Say),
        4 => (1_u64..5).prop_map(Step::Take),
        1 => Just(Step::Refuse),
        1 => Just(Step::Rewind),
        1 => (0_usize..4).prop_map(Step::Full),
        1 => Just(Step::Reconnect),
        1 => Just(Step::Restart),
    ]
}

/// A server that takes what comes next and nothing else.
#[derive(Default)]
struct Server {
    log: Vec<String>,
    inbox: Vec<Record>,
}

impl Server {
    fn take(&mut self, most: u64) {
        for record in self.inbox.drain(..).take(usize::try_from(most).unwrap()) {
            if record.seq.0 == self.log.len() as u64 {
                self.log.push(record.text());
            }
        }
    }

    fn next(&self) -> Seq {
        Seq(self.log.len() as u64)
    }
}

proptest! {
    #[test]
    fn does_a_server_get_every_line_once_in_order(steps in vec(step(), 0..120)) {
        let (mut outgoing, mut server) = (empty(), Server::default());
        let (mut said, mut refused, mut reported) = (Vec::new(), Vec::new(), Vec::new());
        for step in steps.into_iter().chain([Step::Reconnect, Step::Take(u64::MAX)]) {
            match step {
                Step::Say => {
                    say(&mut outgoing, &said.len().to_string());
                    said.push(said.len().to_string());
                }
                Step::Take(most) => {
                    server.take(most);
                    reported.extend(outgoing.accept(server.next()));
                    outgoing.rewind();
                }
                Step::Refuse => {
                    server.inbox.clear();
                    outgoing.resume(server.next());
                    outgoing.due();
                    let lamport = outgoing.untaken(false).next().map_or(0, |record| record.lamport);
                    refused.extend(outgoing.refuse(server.next(), lamport).map(|record| record.text()));
                }
                Step::Rewind => outgoing.rewind(),
                Step::Full(room) => {
                    for _ in 0..4 {
                        say(&mut outgoing, &said.len().to_string());
                        said.push(said.len().to_string());
                    }
                    let mut due = outgoing.due();
                    for record in due.split_off(room.min(due.len())) {
                        outgoing.take_back(record.seq);
                    }
                    server.inbox.extend(due);
                }
                Step::Reconnect | Step::Restart => {
                    if matches!(step, Step::Restart) {
                        server.log.clear();
                    }
                    server.inbox.clear();
                    prop_assert_eq!(outgoing.resume(server.next()), None);
                    reported.extend(outgoing.accept(server.next()));
                }
            }
            server.inbox.extend(outgoing.due());
        }
        said.retain(|line| !refused.contains(line));
        prop_assert_eq!(&server.log, &said);
        prop_assert_eq!(outgoing.waiting(), 0);
        prop_assert!(reported.windows(2).all(|pair| pair[0] + 1 == pair[1]), "{:?}", reported);
    }
}
