use super::*;
use crate::app::limits::{MAX_WAITING_LINES, WAITING_PATIENCE};

impl Star {
    /// Client 2 was here; now client 1 has a private room with it.
    fn with_one_away() -> Self {
        let mut star = Self::with(2);
        star.goes(2);
        star.joins(1, pair(1, 2));
        star.heard();
        star
    }

    fn whispers(&mut self, seqs: std::ops::Range<u64>) {
        for seq in seqs {
            self.says(1, Frame::Record(record(1, pair(1, 2), seq, format!("line {seq}"))));
        }
    }

    /// Client 2 comes, in a run of its own, and gets what is there for it: the seqs.
    fn reads(&mut self) -> Vec<u64> {
        self.comes(2);
        self.joins(2, pair(1, 2));
        let mut heard = self.heard();
        loop {
            self.hub.handle_input(Input::LinkRoom { link: link(2) }, self.now);
            let more = self.heard();
            if more.is_empty() {
                break;
            }
            heard.extend(more);
        }
        let seq = |(to, frame): (LinkId, Frame)| match frame {
            Frame::Record(record) if to == link(2) => Some(record.seq.0),
            _ => None,
        };
        heard.into_iter().filter_map(seq).collect()
    }

    fn found(&mut self, nick: &str) -> Option<(NodeId, bool)> {
        self.heard();
        let nick: Nick = nick.parse().unwrap();
        self.says(1, Frame::Lookup { nick: nick.clone() });
        match self.heard_only(1).pop() {
            Some(Frame::Found { nick: asked, node, here }) if asked == nick => node.map(|node| (node, here)),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn is_somebody_found_who_is_away() {
    let mut star = Star::with(2);
    assert_eq!(star.found("c2"), Some((node(2), true)));
    star.goes(2);
    assert_eq!(star.found("c2"), Some((node(2), false)));
    assert_eq!(star.found("c3"), None);
    star.links(3, hello(3, "c2"), LOOPBACK);
    assert_eq!(star.found("c2"), Some((node(3), true)), "who is here comes first");
    star.goes(3);
    assert_eq!(star.found("c2"), None, "it could be either");
}

#[test]
fn does_what_was_said_to_one_who_is_away_wait_and_is_it_told_once() {
    let mut star = Star::with_one_away();
    star.whispers(0..2);
    star.waits(Duration::from_secs(3_600));
    star.whispers(2..3);
    star.waits(Duration::from_secs(3_600));
    assert_eq!(star.reads(), [0, 1, 2]);
    star.goes(2);
    star.waits(Duration::from_secs(60));
    assert_eq!(star.reads(), [0; 0], "it has been read");
    star.goes(2);
    star.waits(Duration::from_secs(60));
    star.whispers(3..4);
    star.waits(Duration::from_secs(60));
    assert_eq!(star.reads(), [3]);
}

#[test]
fn is_one_told_again_whose_link_broke() {
    let mut star = Star::with_one_away();
    star.whispers(0..2);
    star.waits(Duration::from_secs(60));
    assert_eq!(star.reads(), [0, 1]);
    let end = LinkEnd { clean: false, reason: "cut".into() };
    star.hub.handle_input(Input::LinkDown { link: link(2), end }, star.now);
    star.waits(Duration::from_secs(60));
    assert_eq!(star.reads(), [0, 1]);
}

#[test]
fn does_an_answer_wait_as_well_while_both_come_and_go() {
    let mut star = Star::with_one_away();
    star.whispers(0..1);
    star.goes(1);
    star.waits(Duration::from_secs(60));
    assert_eq!(star.reads(), [0]);
    star.says(2, Frame::Record(record(2, pair(1, 2), 0, "an answer")));
    star.goes(2);
    star.waits(Duration::from_secs(60));
    star.comes(1);
    star.joins(1, pair(1, 2));
    let heard = star.heard();
    let is_answer = |frame: &Frame| matches!(frame, Frame::Record(record) if record.author == node(2));
    assert_eq!(heard.iter().filter(|(to, frame)| *to == link(1) && is_answer(frame)).count(), 1);
}

#[test]
fn do_as_many_wait_as_the_limit_says_and_not_one_more() {
    let mut star = Star::with_one_away();
    let most = MAX_WAITING_LINES as u64;
    star.whispers(0..most);
    star.heard();
    star.whispers(most..most + 1);
    assert_eq!(codes(&star.heard_only(1)), [ErrorCode::Other]);
    assert_eq!(star.reads().len(), MAX_WAITING_LINES);
    star.whispers(most..most + 1);
    let frames: Vec<Frame> = star.heard().into_iter().map(|(_, frame)| frame).collect();
    assert_eq!(codes(&frames), [], "now it is heard");
}

#[test]
fn does_it_wait_as_long_as_the_limit_says_and_not_longer() {
    let moment = Duration::from_secs(1);
    for (patience, told) in [(WAITING_PATIENCE - moment, vec![0]), (WAITING_PATIENCE + moment, vec![])] {
        let mut star = Star::with_one_away();
        star.waits(Duration::from_secs(60));
        star.whispers(0..1);
        star.waits(patience);
        assert_eq!(star.reads(), told);
    }
}
