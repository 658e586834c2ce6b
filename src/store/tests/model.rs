//! The store on disk against the one in memory.

use proptest::{collection::vec, option, prelude::*};

use super::*;

#[derive(Clone, Debug)]
enum Step {
    Append(Vec<Entry>),
    Retain(RoomId, Retention, u64),
    Page(PageQuery),
    LastLines(LinesQuery),
    Idle,
    Reopen,
}

fn any_room() -> impl Strategy<Value = RoomId> {
    prop_oneof![
        3 => Just(lobby()),
        1 => Just(room("attic")),
        1 => Just(RoomId::between(node(1), node(2))),
    ]
}

/// Mostly small, so that they meet, and sometimes at an edge.
fn any_number(small: u64) -> impl Strategy<Value = u64> {
    let edge = prop_oneof![Just((1 << 63) - 1), Just(1_u64 << 63), Just(u64::MAX - 1), Just(u64::MAX)];
    prop_oneof![40 => 0..small, 1 => edge]
}

prop_compose! {
    fn any_record()(
        room in any_room(),
        author in 1_u8..5,
        epoch in any_number(2),
        seq in any_number(30),
        lamport in any_number(9),
        sent_at_ms in any_number(100),
        kind in prop_oneof![6 => Just(Kind::TEXT), 1 => Just(Kind::TOPIC), 1 => Just(Kind(9))],
        bytes in prop_oneof![9 => 0_usize..60, 1 => 900_usize..9_000],
        arrived_ms in any_number(100),
    ) -> Entry {
        let seen = record(&room, author, 0, &"x".repeat(bytes));
        let seq = Seq(seq);
        entry(Record { epoch: Epoch(epoch), seq, lamport, sent_at_ms, kind, ..seen }, arrived_ms)
    }
}

fn any_entry() -> impl Strategy<Value = Entry> {
    let author =
        (1_u8..6, "[a-z]{1,3}", any::<bool>(), any::<bool>()).prop_map(|(number, nick, key, guest)| {
            let nick = Nick::resembling(&nick);
            let nick = if guest { nick.through("vsb") } else { nick };
            Entry::Author(Author { node: node(number), nick, key: key.then_some(PublicKey([number; 32])) })
        });
    prop_oneof![9 => any_record(), 1 => author]
}

prop_compose! {
    fn any_id()(author in 1_u8..6, epoch in any_number(2), seq in any_number(30)) -> RecordId {
        RecordId { author: node(author), epoch: Epoch(epoch), seq: Seq(seq) }
    }
}

prop_compose! {
    fn any_query()(
        room in any_room(),
        logs in vec((1_u8..6, any_number(2), any_number(30), any_number(100)), 0..5),
        after in any_number(40),
        records in 0_usize..20,
        bytes in 0_usize..4_000,
    ) -> PageQuery {
        let wanted = |(author, epoch, from, since_ms)| {
            Wanted { author: node(author), epoch: Epoch(epoch), from: Seq(from), since_ms }
        };
        PageQuery { room, logs: logs.into_iter().map(wanted).collect(), after: Arrival(after), records, bytes }
    }
}

fn any_step() -> impl Strategy<Value = Step> {
    let retention = (any_number(40), any_number(4_000), any_number(100))
        .prop_map(|(records, bytes, age_ms)| Retention { records, bytes, age_ms });
    prop_oneof![
        6 => vec(any_entry(), 0..25).prop_map(Step::Append),
        1 => (any_room(), retention, any_number(150)).prop_map(|(room, keep, now)| Step::Retain(room, keep, now)),
        4 => any_query().prop_map(Step::Page),
        2 => (any_room(), 0_u16..12, any_number(100), option::of(any_id()))
            .prop_map(|(room, count, cut_ms, before)| Step::LastLines(LinesQuery { room, count, cut_ms, before })),
        1 => Just(Step::Idle),
        2 => Just(Step::Reopen),
    ]
}

fn answer(writer: &mut dyn Writer, reader: &mut dyn Reader, step: &Step) -> String {
    match step {
        Step::Append(entries) => format!("{:?}", writer.append(entries)),
        Step::Retain(room, retention, now) => format!("{:?}", writer.retain(room, *retention, *now)),
        Step::Page(query) => format!("{:?}", reader.page(query)),
        Step::LastLines(query) => format!("{:?}", reader.last_lines(query)),
        Step::Idle => format!("{:?}", writer.idle()),
        Step::Reopen => String::new(),
    }
}

fn do_they_agree(name: &str, steps: &[Step], always_reopen: bool) {
    let scratch = Scratch::new(name);
    let path = scratch.file();
    let (mut writer, mut reader) = memory();
    let mut disk = open(&path, FAST).unwrap();
    for step in steps {
        let expected = answer(&mut *writer, &mut *reader, step);
        assert_eq!(answer(&mut *disk.writer, &mut *disk.reader, step), expected, "{step:?}");
        if always_reopen || matches!(step, Step::Reopen) {
            drop(disk);
            disk = open(&path, Options { instance: 8, relaxed: true }).unwrap();
        }
        let found = survey_and_rooms(&mut *disk.writer, &mut *disk.reader);
        assert_eq!(found, survey_and_rooms(&mut *writer, &mut *reader), "{step:?}");
    }
    let kept: u64 = verify(&path).unwrap().rooms.iter().map(|room| room.records).sum();
    assert_eq!(export(&path, std::io::sink()).unwrap(), kept);
    assert_eq!(disk.writer.survey().unwrap().instance, 7);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn do_the_stores_agree(steps in vec(any_step(), 1..30)) {
        do_they_agree("steps", &steps, false);
    }

    #[test]
    fn do_they_agree_when_it_is_opened_again_after_every_step(steps in vec(any_step(), 1..15)) {
        do_they_agree("reopened", &steps, true);
    }
}
