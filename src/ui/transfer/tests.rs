use crate::{
    app::Event,
    ui::{Face, is_hidden, line},
};

use super::*;

fn figures() -> TransferFigures {
    TransferFigures {
        id: 7,
        name: "site-survey.zip".into(),
        outgoing: true,
        bytes: 18_400_000,
        held: 0,
        total: 48_200_000,
    }
}

fn incoming() -> TransferFigures {
    TransferFigures { id: 8, outgoing: false, ..figures() }
}

fn trouble() -> Trouble {
    Trouble::new("file_refused", "1.2 GB is over his limit of 1 GB", "split it, or ask him")
}

fn data(event: &Event) -> String {
    match line::render(event, Paint::Plain) {
        Some(Printed::Data(line)) => line,
        other => panic!("{event:?} gave {other:?}"),
    }
}

fn talk(figures: &TransferFigures, state: TransferState) -> String {
    match changed(figures, "dave", &state, None) {
        Some(Printed::Talk(line)) => line,
        other => panic!("{state:?} gave {other:?}"),
    }
}

#[test]
fn are_the_lines_those_of_the_contract() {
    let (from, name, path) = ("bob".into(), "notes.txt".into(), "downloads/notes.txt".into());
    let file = Event::File { id: 3, from, name, bytes: 12_345, path };
    assert_eq!(data(&file), "file from bob: notes.txt (12.3 kB) saved to downloads/notes.txt");
    let offered = |room: Option<&str>| Event::Offered {
        id: 8,
        from: "alice".into(),
        room: room.map(|room| room.parse().unwrap()),
        name: "core-switch.cfg".into(),
        bytes: 18_000,
    };
    let line = "file offered by alice: core-switch.cfg (18.0 kB); /accept 8 or /reject 8";
    assert_eq!(data(&offered(None)), line);
    assert_eq!(data(&offered(Some("lobby"))), line);
}

#[test]
fn what_is_said_of_a_transfer() {
    let gone = TransferState::Waiting { reason: "dave's link is gone; it goes on when he is back".into() };
    assert_eq!(talk(&figures(), TransferState::Offered), "file 7 offered to dave: site-survey.zip (48.2 MB)");
    assert_eq!(talk(&figures(), TransferState::Accepted), "file 7 to dave: taken");
    assert_eq!(talk(&incoming(), TransferState::Accepted), "file 8 from dave: taken");
    assert_eq!(talk(&figures(), TransferState::Resumed), "file 7 goes on at 38 %");
    assert_eq!(talk(&figures(), gone), "file 7 waits: dave's link is gone; it goes on when he is back");
    assert_eq!(talk(&figures(), TransferState::Verifying), "file 7: verifying");
    assert_eq!(
        talk(&figures(), TransferState::Done),
        "file 7 done: site-survey.zip (48.2 MB), verified by dave"
    );
    let took = Some(Duration::from_millis(401_900));
    let done = "file 7 done: site-survey.zip (48.2 MB) in 6:41, verified by dave";
    assert_eq!(changed(&figures(), "dave", &TransferState::Done, took), Some(Printed::Talk(done.to_owned())));
    for silent in [TransferState::Offered, TransferState::Done] {
        assert_eq!(changed(&incoming(), "alice", &silent, None), None, "{silent:?}");
    }
}

#[test]
fn is_a_failure_said_also_when_quiet_with_what_to_do() {
    let failed = |figures: &TransferFigures| {
        let state = TransferState::Failed { reason: trouble() };
        changed(figures, "dave", &state, None)
    };
    let told = |message: &str| Some(Printed::Trouble(Trouble { message: message.to_owned(), ..trouble() }));
    assert_eq!(failed(&figures()), told("file 7 to dave failed: 1.2 GB is over his limit of 1 GB"));
    assert_eq!(failed(&incoming()), told("file 8 from dave failed: 1.2 GB is over his limit of 1 GB"));
}

#[test]
fn how_are_transfers_listed() {
    let small = TransferFigures { id: 12, bytes: 0, total: 999, name: "a".into(), ..incoming() };
    let empty = TransferFigures { id: 13, bytes: 0, total: 0, name: "b".into(), ..figures() };
    let all = vec![(figures(), "dave".into()), (small, "alice".into()), (empty, "bob, carol".into())];
    assert_eq!(
        data(&Event::Transfers { transfers: all }),
        "file 7 to dave   38 %  18.4/48.2 MB  site-survey.zip\n\
         file 12 from alice    0 %  0/999 B  a\n\
         file 13 to bob, carol   100 %  0/0 B  b"
    );
    assert_eq!(data(&Event::Transfers { transfers: Vec::new() }), "no transfers");
}

#[test]
fn is_a_hundred_percent_said_only_when_all_is_there() {
    let percent_of = |bytes, total| percent(&TransferFigures { bytes, total, ..figures() });
    assert_eq!(percent_of(999, 1_000), 99);
    assert_eq!(percent_of(1_000, 1_000), 100);
    assert_eq!(percent_of(u64::MAX - 1, u64::MAX), 99);
    assert_eq!(percent_of(2_000, 1_000), 100);
}

#[test]
fn how_are_sizes_and_times_written() {
    for (bytes, text) in [
        (0, "0 B"),
        (999, "999 B"),
        (1_000, "1.0 kB"),
        (12_345, "12.3 kB"),
        (999_949, "999.9 kB"),
        (999_950, "1.0 MB"),
        (48_200_000, "48.2 MB"),
        (1_288_490_188, "1.3 GB"),
        (5_000_000_000_000, "5.0 TB"),
    ] {
        assert_eq!(size(bytes), text);
    }
    for (seconds, text) in [(0, "0:00"), (59, "0:59"), (401, "6:41"), (4_001, "1:06:41")] {
        assert_eq!(clock(Duration::from_secs(seconds)), text);
    }
}

#[test]
fn can_what_others_wrote_act_on_the_terminal() {
    let evil = "\x1b[2J\u{202e}gnp.exe\nfile from bob: x";
    let hostile = TransferFigures { name: evil.into(), ..figures() };
    let reason = Trouble::new("file_failed", evil, evil);
    let states = [
        TransferState::Offered,
        TransferState::Accepted,
        TransferState::Waiting { reason: evil.into() },
        TransferState::Done,
    ];
    let transfer = |state| Event::Transfer { figures: hostile.clone(), peer: evil.into(), state };
    let mut events: Vec<Event> = states.into_iter().map(transfer).collect();
    events.extend([
        Event::Offered { id: 1, from: evil.into(), room: None, name: evil.into(), bytes: 1 },
        Event::File { id: 1, from: evil.into(), name: evil.into(), bytes: 1, path: evil.into() },
        Event::Transfers { transfers: vec![(hostile.clone(), evil.into())] },
    ]);
    for event in events {
        let Some(Printed::Data(line) | Printed::Talk(line)) = Face::Line(Paint::Plain).render(&event) else {
            panic!("{event:?} is silent")
        };
        assert!(!line.contains(is_hidden), "{line:?}");
        assert!(line.contains("\\x1b[2J\\u{202e}gnp.exe\\nfile"), "{line:?}");
    }
    // A failure is cleaned by the writer, as every trouble is.
    let failed = changed(&hostile, evil, &TransferState::Failed { reason }, None);
    assert!(matches!(failed, Some(Printed::Trouble(_))), "{failed:?}");
}
