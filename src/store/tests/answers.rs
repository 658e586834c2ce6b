//! What a store answers.

use super::*;

/// The same question to both.
fn both(name: &str, ask: impl Fn(&mut dyn Writer, &mut dyn Reader)) {
    let (mut writer, mut reader) = memory();
    ask(&mut *writer, &mut *reader);
    let scratch = Scratch::new(name);
    let mut opened = open(&scratch.file(), FAST).unwrap();
    ask(&mut *opened.writer, &mut *opened.reader);
}

fn wanted(author: u8, from: u64) -> Wanted {
    Wanted { author: node(author), epoch: Epoch(1), from: Seq(from), since_ms: 0 }
}

fn query(logs: &[Wanted], after: u64, records: usize) -> PageQuery {
    PageQuery { room: lobby(), logs: logs.to_vec(), after: Arrival(after), records, bytes: 1 << 20 }
}

fn arrivals(page: &Page) -> Vec<u64> {
    page.records.iter().map(|stored| stored.arrival.0).collect()
}

#[test]
fn is_a_record_kept_once() {
    both("once", |writer, reader| {
        writer.append(&lines(1, 0..3, 10)).unwrap();
        writer.append(&lines(1, 0..4, 10)).unwrap();
        writer.append(&[lines(1, 9..10, 10), lines(1, 5..10, 10)].concat()).unwrap();
        let survey = writer.survey().unwrap();
        let log = &survey.rooms[0].logs[0];
        assert_eq!((log.first, log.next), (Seq(0), Seq(10)));
        let seqs: Vec<u64> =
            everything(reader, &survey, &lobby()).unwrap().iter().map(|s| s.record.seq.0).collect();
        assert_eq!(seqs, [0, 1, 2, 3, 9], "a hole stays a hole");
    });
}

#[test]
fn does_dedupe_outlive_what_retention_deleted() {
    both("dedupe", |writer, reader| {
        writer.append(&lines(1, 0..5, 10)).unwrap();
        let none = Retention { records: 0, ..EVERYTHING };
        assert_eq!(writer.retain(&lobby(), none, 0).unwrap(), [(node(1), Epoch(1), Seq(5))]);
        assert_eq!(writer.retain(&lobby(), none, 0).unwrap(), []);
        writer.append(&lines(1, 0..5, 10)).unwrap();
        let survey = writer.survey().unwrap();
        assert_eq!(everything(reader, &survey, &lobby()).unwrap(), []);
        writer.append(&lines(1, 5..6, 10)).unwrap();
        let page = reader.page(&query(&[wanted(1, 0)], 0, 10)).unwrap();
        assert_eq!((arrivals(&page), page.complete), (vec![6], true), "an arrival is never given twice");
        let log = &writer.survey().unwrap().rooms[0].logs[0];
        assert_eq!((log.first, log.next, log.arrived_ms), (Seq(5), Seq(6), (10_005, 10_005)));
    });
}

#[test]
fn what_goes_first_when_a_room_is_too_long() {
    both("retain", |writer, _| {
        writer.append(&[lines(1, 0..3, 100), lines(2, 0..3, 100), lines(1, 3..6, 100)].concat()).unwrap();
        let keep = |records, bytes, age_ms| Retention { records, bytes, age_ms };
        let mut retain = |retention, now| writer.retain(&lobby(), retention, now).unwrap();
        assert_eq!(retain(keep(9, 900, u64::MAX), 0), []);
        assert_eq!(retain(keep(8, 900, u64::MAX), 0), [(node(1), Epoch(1), Seq(1))]);
        assert_eq!(retain(keep(8, 650, u64::MAX), 0), [(node(1), Epoch(1), Seq(3))]);
        assert_eq!(retain(keep(9, 900, 5), 10_006), [(node(2), Epoch(1), Seq(1))]);
        assert_eq!(retain(keep(9, 900, 5), 10_006), []);
        assert_eq!(retain(keep(9, 900, 5), 0), [], "a clock that was set back lets nothing go");
        let all = [(node(1), Epoch(1), Seq(6)), (node(2), Epoch(1), Seq(3))];
        assert_eq!(retain(keep(0, 0, 0), 0), all);
    });
}

#[test]
fn is_retention_done_in_bounded_parts() {
    both("parts", |writer, reader| {
        writer.append(&lines(1, 0..5_000, 10)).unwrap();
        let hundred = Retention { records: 100, ..EVERYTHING };
        let mut firsts = Vec::new();
        while let [(_, _, first)] = writer.retain(&lobby(), hundred, 0).unwrap()[..] {
            firsts.push(first.0);
        }
        assert_eq!(firsts, [2_000, 4_000, 4_900]);
        assert_eq!(everything(reader, &writer.survey().unwrap(), &lobby()).unwrap().len(), 100);
    });
}

#[test]
fn does_the_topic_survive_retention_and_the_order_of_arrival() {
    both("topic", |writer, _| {
        let topic = |author: u8, seq: u64, lamport: u64, text: &str| {
            entry(Record { kind: Kind::TOPIC, lamport, ..record(&lobby(), author, seq, text) }, 5)
        };
        let winner = topic(3, 0, 7, "third");
        writer.append(&[topic(1, 0, 7, "first"), winner.clone(), topic(2, 0, 7, "second")]).unwrap();
        writer.append(&[topic(4, 0, 6, "early")]).unwrap();
        writer.retain(&lobby(), Retention { records: 0, ..EVERYTHING }, 0).unwrap();
        let room = writer.survey().unwrap().rooms.remove(0);
        assert_eq!(room.topic.map(|record| entry(record, 5)), Some(winner));
        assert_eq!(room.lamport, 7);
    });
}

#[test]
fn what_does_a_page_hold() {
    both("page", |writer, reader| {
        writer.append(&[lines(1, 0..4, 100), lines(2, 0..4, 100), lines(1, 4..8, 100)].concat()).unwrap();
        let mut page = |query: PageQuery| reader.page(&query).unwrap();
        let first = page(query(&[wanted(1, 2)], 0, 3));
        assert_eq!((arrivals(&first), first.upto, first.complete), (vec![3, 4, 9], Arrival(9), false));
        let rest = page(query(&[wanted(1, 2)], 9, 3));
        assert_eq!((arrivals(&rest), rest.upto, rest.complete), (vec![10, 11, 12], Arrival(12), true));
        let late = Wanted { since_ms: 10_003, ..wanted(2, 0) };
        assert_eq!(arrivals(&page(query(&[late], 0, 10))), [8]);
        let by_bytes = page(PageQuery { bytes: 250, ..query(&[wanted(2, 0)], 0, 10) });
        assert_eq!((arrivals(&by_bytes), by_bytes.complete), (vec![5, 6, 7], false));
        let at_least_one = page(PageQuery { bytes: 0, ..query(&[wanted(2, 0)], 0, 0) });
        assert_eq!(arrivals(&at_least_one), [5]);
        let nothing = page(query(&[wanted(2, 4), wanted(9, 0)], 0, 10));
        assert_eq!((arrivals(&nothing), nothing.upto, nothing.complete), (vec![], Arrival(12), true));
        let beyond = page(query(&[wanted(1, 0)], u64::MAX, 10));
        assert_eq!((beyond.upto, beyond.complete), (Arrival(u64::MAX), true));
        let elsewhere = page(PageQuery { room: room("attic"), ..query(&[wanted(1, 0)], 3, 10) });
        assert_eq!((elsewhere.upto, elsewhere.complete), (Arrival(3), true));
    });
}

#[test]
fn does_a_page_end_when_it_has_looked_long_enough() {
    both("long", |writer, reader| {
        writer.append(&lines(2, 0..1, 10)).unwrap();
        writer.append(&lines(1, 0..9_000, 10)).unwrap();
        writer.append(&lines(2, 1..2, 10)).unwrap();
        let (mut after, mut found, mut pages) = (0, Vec::new(), 0);
        loop {
            let page = reader.page(&query(&[wanted(2, 0)], after, 10)).unwrap();
            found.extend(arrivals(&page));
            pages += 1;
            if page.complete {
                break;
            }
            after = page.upto.0;
        }
        assert_eq!((found, pages), (vec![1, 9_002], 3));
        let newest = reader.page(&query(&[wanted(2, 1), wanted(1, 8_999)], 0, 10)).unwrap();
        assert_eq!(
            (arrivals(&newest), newest.complete),
            (vec![9_001, 9_002], true),
            "begins at the first wanted"
        );
    });
}

#[test]
fn which_lines_are_the_last() {
    both("lines", |writer, reader| {
        let mut entries = lines(1, 0..10, 20);
        if let Entry::Record { record, .. } = &mut entries[8] {
            record.kind = Kind(77);
        }
        writer.append(&entries).unwrap();
        let mut last = |count, cut_ms, before| {
            let lines = reader.last_lines(&LinesQuery { room: lobby(), count, cut_ms, before }).unwrap();
            lines.iter().map(|line| line.arrival.0).collect::<Vec<u64>>()
        };
        let before = |seq| Some(record(&lobby(), 1, seq, "").id());
        assert_eq!(last(3, u64::MAX, None), [7, 8, 10]);
        assert_eq!(last(3, 10_006, None), [5, 6, 7]);
        assert_eq!(last(3, u64::MAX, before(2)), [1, 2]);
        assert_eq!(last(3, u64::MAX, before(9)), [6, 7, 8]);
        assert_eq!(last(3, 10_004, before(9)), [3, 4, 5]);
        assert_eq!(last(3, u64::MAX, before(0)), [0_u64; 0]);
        assert_eq!(last(0, u64::MAX, None), [0_u64; 0]);
        assert_eq!(last(3, 9_999, None), [0_u64; 0]);
        assert_eq!(last(u16::MAX, u64::MAX, before(10)).len(), 9, "it is yet to come");
        let stranger = Some(record(&lobby(), 9, 0, "").id());
        assert_eq!(last(u16::MAX, u64::MAX, stranger).len(), 9, "so is that");
        let few = Retention { records: 4, bytes: u64::MAX, age_ms: u64::MAX };
        writer.retain(&lobby(), few, 20_000).unwrap();
        let mut last =
            |before| reader.last_lines(&LinesQuery { room: lobby(), count: 9, cut_ms: u64::MAX, before });
        assert_eq!(last(before(7)).unwrap().len(), 1);
        assert_eq!(last(before(6)).unwrap(), [], "the first that is left");
        assert_eq!(last(before(5)).unwrap(), [], "it is gone, and so is all before it");
    });
}

#[test]
fn does_a_reader_beside_a_writer_see_each_record_once_and_in_order() {
    let ask = |mut writer: Box<dyn Writer>, mut reader: Box<dyn Reader>| {
        let reading = std::thread::spawn(move || {
            let (mut after, mut seen) = (0, Vec::new());
            while seen.last() != Some(&2_999) {
                let page = reader.page(&query(&[wanted(1, 0)], after, 70)).unwrap();
                seen.extend(page.records.iter().map(|stored| stored.record.seq.0));
                after = page.upto.0;
            }
            seen
        });
        for batch in 0..150 {
            writer.append(&lines(1, batch * 20..(batch + 1) * 20, 50)).unwrap();
            if batch % 30 == 29 {
                writer.idle().unwrap();
            }
        }
        assert_eq!(reading.join().unwrap(), (0..3_000).collect::<Vec<u64>>());
    };
    let (writer, reader) = memory();
    ask(writer, reader);
    let scratch = Scratch::new("beside");
    let Opened { writer, reader, .. } = open(&scratch.file(), FAST).unwrap();
    ask(writer, reader);
}

#[test]
fn do_the_largest_numbers_come_back() {
    both("extremes", |writer, reader| {
        let extreme = |author: u8, number: u64| {
            let mut record = record(&lobby(), author, 0, "x");
            (record.seq, record.epoch) = (Seq(number), Epoch(number));
            (record.lamport, record.sent_at_ms) = (number, number);
            entry(record, number)
        };
        let numbers = [0, 1, (1 << 63) - 1, 1 << 63, u64::MAX - 1, u64::MAX];
        let entries: Vec<Entry> = numbers.iter().map(|number| extreme(2, *number)).collect();
        writer.append(&entries).unwrap();
        writer.append(&entries).unwrap();
        let survey = writer.survey().unwrap();
        assert_eq!(survey.rooms[0].lamport, u64::MAX);
        let epochs: Vec<u64> = survey.rooms[0].logs.iter().map(|log| log.epoch.0).collect();
        assert_eq!(epochs, numbers);
        let all = everything(reader, &survey, &lobby()).unwrap();
        let kept: Vec<Entry> = all.into_iter().map(|s| entry(s.record, s.arrived_ms)).collect();
        assert_eq!(kept, entries);
    });
}

#[test]
fn does_a_log_keep_its_order_across_the_sign() {
    both("sign", |writer, reader| {
        let at = |seq: u64| entry(Record { seq: Seq(seq), ..record(&lobby(), 1, 0, "x") }, 1);
        writer.append(&[at(5), at(1 << 63), at(u64::MAX)]).unwrap();
        let page = reader.page(&query(&[wanted(1, 6)], 0, 10)).unwrap();
        assert_eq!(arrivals(&page), [2, 3]);
        let keep = |records| Retention { records, ..EVERYTHING };
        assert_eq!(writer.retain(&lobby(), keep(2), 0).unwrap(), [(node(1), Epoch(1), Seq(1 << 63))]);
        assert_eq!(writer.retain(&lobby(), keep(1), 0).unwrap(), [(node(1), Epoch(1), Seq(u64::MAX))]);
    });
}

#[test]
fn is_somebody_called_by_the_last_name() {
    both("names", |writer, _| {
        let called = |number: u8, nick: &str, key: Option<PublicKey>| {
            Entry::Author(Author { node: node(number), nick: nick.parse().unwrap(), key })
        };
        writer.append(&lines(3, 0..1, 10)).unwrap();
        writer.append(&[called(2, "bob", Some(PublicKey([5; 32]))), called(1, "amy", None)]).unwrap();
        writer.append(&[called(2, "BOB", None)]).unwrap();
        let guest: Nick = "eve".parse::<Nick>().unwrap().through("vsb");
        writer.append(&[Entry::Author(Author { node: node(3), nick: guest, key: None })]).unwrap();
        let survey = writer.survey().unwrap();
        let names: Vec<String> = survey.authors.iter().map(|author| format!("{:?}", author.nick)).collect();
        assert_eq!(names, ["Nick(amy)", "Nick(BOB)", "Nick(eve~vsb)"]);
        assert_eq!(survey.authors[1].key, None);
    });
}
