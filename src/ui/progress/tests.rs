use super::*;
use crate::app::Trouble;

const MB: u64 = 1_000_000;

fn at(bytes: u64, held: u64) -> TransferFigures {
    TransferFigures { id: 7, name: "site-survey.zip".into(), outgoing: true, bytes, held, total: 10 * MB }
}

struct World {
    progress: Progress,
    start: Instant,
}

impl World {
    fn new(pace: Pace) -> Self {
        Self { progress: Progress::new(pace), start: Instant::now() }
    }

    fn at(&self, seconds: f64) -> Instant {
        self.start + Duration::from_secs_f64(seconds)
    }

    fn state(
        &mut self,
        seconds: f64,
        figures: &TransferFigures,
        peer: &str,
        state: TransferState,
    ) -> Vec<String> {
        let event = Event::Transfer { figures: figures.clone(), peer: peer.into(), state };
        self.progress.hear(&event, self.at(seconds)).unwrap().into_iter().map(text).collect()
    }

    fn go(&mut self, seconds: f64, figures: &TransferFigures) -> Vec<String> {
        let event = Event::Progress(figures.clone());
        self.progress.hear(&event, self.at(seconds)).unwrap().into_iter().map(text).collect()
    }

    /// All that is said of its own accord until then.
    fn pass(&mut self, seconds: f64) -> Vec<String> {
        let mut told = Vec::new();
        while let Some(due) = self.progress.due().filter(|due| *due <= self.at(seconds)) {
            told.extend(self.progress.tick(due).into_iter().map(text));
            assert!(told.len() < 1_000, "it comes to rest");
        }
        told
    }
}

fn text(printed: Printed) -> String {
    match printed {
        Printed::Talk(line) => line,
        Printed::Trouble(trouble) => trouble.message,
        Printed::Bar(Bar { before, behind, .. }) => format!("[{before}] {behind}"),
        Printed::BarEnd(id) => format!("[{id}]"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn where_nobody_sits_there_is_a_line_for_each_tenth() {
    let mut world = World::new(Pace::Tenths);
    assert_eq!(world.state(0.0, &at(0, 0), "dave", TransferState::Accepted), ["file 7 to dave: taken"]);
    let lines: Vec<String> =
        (1..=100_i32).flat_map(|n| world.go(f64::from(n) / 10.0, &at(n as u64 * MB / 10, 0))).collect();
    assert_eq!(lines.len(), 9, "{lines:?}");
    assert_eq!(lines[0], "file 7 to dave   10 %  1.0/10.0 MB   1.0 MB/s");
    assert_eq!(lines[8], "file 7 to dave   90 %  9.0/10.0 MB   1.0 MB/s   eta 0:01");
    assert_eq!(world.state(10.0, &at(10 * MB, 0), "dave", TransferState::Verifying), ["file 7: verifying"]);
    assert_eq!(
        world.state(11.0, &at(10 * MB, 0), "dave", TransferState::Done),
        ["file 7 done: site-survey.zip (10.0 MB) in 0:11, verified by dave"]
    );
    assert_eq!(world.progress.due(), None);
}

#[test]
fn does_what_was_there_before_count_for_the_rate() {
    let mut world = World::new(Pace::Tenths);
    let resumed = world.state(0.0, &at(6 * MB, 6 * MB), "dave", TransferState::Resumed);
    assert_eq!(resumed, ["file 7 goes on at 60 %"]);
    assert_eq!(world.go(1.0, &at(7 * MB, 6 * MB)), ["file 7 to dave   70 %  7.0/10.0 MB   1.0 MB/s"]);
    // A break that was not told: what was held grew with it.
    assert_eq!(world.go(2.0, &at(9 * MB, 9 * MB)), ["file 7 to dave   90 %  9.0/10.0 MB   0 B/s"]);
}

#[test]
fn is_the_rate_that_of_late() {
    let mut world = World::new(Pace::Tenths);
    world.state(0.0, &at(0, 0), "dave", TransferState::Accepted);
    (1..=20).for_each(|n| drop(world.go(f64::from(n), &at(n as u64 * 100_000, 0))));
    let lines: Vec<String> =
        (1..=6).flat_map(|n| world.go(20.0 + f64::from(n), &at((2 + n as u64) * MB, 0))).collect();
    assert_eq!(lines.last().unwrap(), "file 7 to dave   80 %  8.0/10.0 MB   1.0 MB/s   eta 0:02");
}

#[test]
fn is_one_that_stands_still_said_to_be_stalled_once() {
    let mut world = World::new(Pace::Tenths);
    world.state(0.0, &at(0, 0), "dave", TransferState::Accepted);
    world.go(1.0, &at(100_000, 0));
    assert_eq!(world.pass(10.9), [""; 0]);
    let stalled = "file 7 to dave    1 %  0.1/10.0 MB   stalled 10 s   /cancel 7";
    assert_eq!(world.pass(60.0), [stalled]);
    world.go(61.0, &at(200_000, 0));
    assert_eq!(world.pass(80.0).len(), 1);
    let waiting = TransferState::Waiting { reason: "the link is gone".into() };
    assert_eq!(world.state(81.0, &at(200_000, 0), "dave", waiting), ["file 7 waits: the link is gone"]);
    assert_eq!(world.pass(200.0), [""; 0]);
}

#[test]
fn is_there_above_a_prompt_one_line_in_five_seconds_whatever_is_under_way() {
    let mut world = World::new(Pace::Seldom);
    let other = |bytes| TransferFigures { id: 9, outgoing: false, ..at(bytes, 0) };
    world.state(0.0, &at(0, 0), "dave", TransferState::Accepted);
    world.state(0.5, &other(0), "alice", TransferState::Accepted);
    let mut lines = Vec::new();
    for n in 1..=200 {
        let seconds = f64::from(n) / 10.0;
        assert_eq!(world.go(seconds, &at(n as u64 * 20_000, 0)), [""; 0]);
        assert_eq!(world.go(seconds, &other(n as u64 * 10_000)), [""; 0]);
        lines.extend(world.pass(seconds));
    }
    assert_eq!(lines.len(), 4, "{lines:?}");
    assert!(lines[0].starts_with("file 7 to dave   "), "{lines:?}");
    assert!(lines[1].starts_with("file 9 from alice   "), "{lines:?}");
    assert!(lines[2].starts_with("file 7 to dave   30 %  3.0/10.0 MB   2"), "{lines:?}");
    assert!(lines[2].ends_with("kB/s   eta 0:35"), "{lines:?}");
}

#[test]
fn is_a_bar_drawn_while_bytes_flow_and_gone_at_the_end() {
    let mut world = World::new(Pace::Bars);
    let taken = world.state(0.0, &at(0, 0), "dave", TransferState::Accepted);
    assert_eq!(taken, ["file 7 to dave: taken", "[file 7 to dave]  0 %  0.0/10.0 MB   0 B/s"]);
    assert_eq!(world.go(1.0, &at(MB, 0)), ["[file 7 to dave] 10 %  1.0/10.0 MB   1.0 MB/s"]);
    let drawn = world.pass(13.0);
    assert_eq!(drawn.len(), 13);
    assert_eq!(drawn[12], "[file 7 to dave] 10 %  1.0/10.0 MB   stalled 12 s   /cancel 7");
    let verifying = world.state(14.0, &at(10 * MB, 0), "dave", TransferState::Verifying);
    assert_eq!(verifying[1], "[file 7 to dave] 100 %  10.0/10.0 MB   verifying");
    assert_eq!(world.progress.due(), None);
    let failed = TransferState::Failed { reason: Trouble::new("file_damaged", "it is damaged", "again") };
    let failed = world.state(15.0, &at(10 * MB, 0), "dave", failed);
    assert_eq!(failed, ["file 7 to dave failed: it is damaged", "[7]"]);
}

#[test]
fn are_several_receivers_one_transfer() {
    let mut world = World::new(Pace::Tenths);
    world.state(0.0, &at(0, 0), "dave", TransferState::Accepted);
    world.state(4.0, &at(0, 0), "carol", TransferState::Accepted);
    assert!(world.go(5.0, &at(MB, 0))[0].starts_with("file 7 to 2 people   10 %"));
    let done = world.state(9.0, &at(9 * MB, 0), "carol", TransferState::Done);
    assert_eq!(done, ["file 7 done: site-survey.zip (10.0 MB) in 0:05, verified by carol"]);
    assert!(world.go(10.0, &at(5 * MB, 0))[0].starts_with("file 7 to dave   50 %"));
    let done = world.state(12.0, &at(10 * MB, 0), "dave", TransferState::Done);
    assert_eq!(done, ["file 7 done: site-survey.zip (10.0 MB) in 0:12, verified by dave"]);
    assert!(world.progress.tracks.is_empty());
}

#[test]
fn is_a_transfer_that_never_began_remembered() {
    let mut world = World::new(Pace::Bars);
    world.state(0.0, &at(0, 0), "dave", TransferState::Offered);
    let refused = TransferState::Failed { reason: Trouble::new("file_refused", "no", "") };
    world.state(1.0, &at(0, 0), "dave", refused);
    assert!(world.progress.tracks.is_empty());
    assert_eq!(world.progress.hear(&Event::Closed { reason: "quit" }, world.start), None);
}
