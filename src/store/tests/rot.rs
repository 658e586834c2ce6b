//! Bits that flip where they lie.

use super::*;

/// Of SQLite in this program.
const PAGE: usize = 4_096;

/// Some rooms, logs, signatures, a topic, a long body and a deleted beginning.
fn fill(path: &Path) -> (String, Vec<Stored>) {
    let mut opened = open(path, FAST).unwrap();
    let writer = &mut opened.writer;
    for author in 1..5 {
        writer.append(&lines(author, 0..60, 90)).unwrap();
        let nick = Nick::resembling(&format!("user{author}"));
        let key = Some(PublicKey([author; 32]));
        writer.append(&[Entry::Author(Author { node: node(author), nick, key })]).unwrap();
    }
    let pair = RoomId::between(node(1), node(2));
    writer.append(&[entry(record(&pair, 2, 0, &"long ".repeat(3_000)), 5)]).unwrap();
    writer.append(&[entry(Record { kind: Kind::TOPIC, ..record(&pair, 1, 0, "a topic") }, 6)]).unwrap();
    writer.retain(&lobby(), Retention { records: 200, ..EVERYTHING }, 0).unwrap();
    let all = survey_and_rooms(&mut **writer, &mut *opened.reader).unwrap();
    writer.idle().unwrap();
    all
}

enum Fate {
    Noticed,
    Harmless,
}

/// What becomes of a history in which these bytes stand.
fn fate(path: &Path, bytes: &[u8], original: &(String, Vec<Stored>)) -> Fate {
    for suffix in ["-wal", "-shm"] {
        let _ = fs::remove_file(format!("{}{suffix}", path.display()));
    }
    fs::write(path, bytes).unwrap();
    let verified = verify(path);
    let read =
        open(path, FAST).and_then(|mut opened| survey_and_rooms(&mut *opened.writer, &mut *opened.reader));
    match (verified, read) {
        (Ok(_), Ok(found)) => {
            assert!(found == *original, "wrong data and nobody noticed");
            Fate::Harmless
        }
        (_, Ok(found)) => {
            assert!(found == *original, "wrong data and only verify noticed");
            Fate::Noticed
        }
        (_, Err(StoreError::Full(_) | StoreError::InUse(_))) => panic!("it was taken for something else"),
        (_, Err(_)) => Fate::Noticed,
    }
}

#[test]
fn is_a_flipped_bit_noticed_or_harmless() {
    let scratch = Scratch::new("rot");
    let path = scratch.file();
    let original = fill(&path);
    let whole = fs::read(&path).unwrap();
    let (mut noticed, mut flips) = (0, 0);
    // Steps that share no factor with the page, so that each page is hit at other places.
    for at in (0..whole.len() * 8).step_by(8 * 331 + 3) {
        let mut rotten = whole.clone();
        rotten[at / 8] ^= 1 << (at % 8);
        flips += 1;
        noticed += usize::from(matches!(fate(&path, &rotten, &original), Fate::Noticed));
    }
    assert!(flips > 2 * whole.len() / PAGE, "{flips} in {} pages", whole.len() / PAGE);
    assert!(noticed * 2 > flips, "{noticed} of {flips}");
}

#[test]
fn is_a_flipped_bit_in_a_record_always_noticed() {
    let scratch = Scratch::new("rot-record");
    let path = scratch.file();
    let original = fill(&path);
    let whole = fs::read(&path).unwrap();
    let kept = original.1.iter().filter(|stored| stored.record.body.len() < 100);
    for stored in kept.step_by(9) {
        let body = &stored.record.body[..];
        // Where pages were split, what moved may also stand in space that is not used any more.
        let found: Vec<usize> = (0..whole.len()).filter(|at| whole[*at..].starts_with(body)).collect();
        // The signature and the chain stand before the body.
        for within in [-85, -1, 0, body.len() as isize - 1] {
            let mut rotten = whole.clone();
            found.iter().for_each(|at| rotten[at.checked_add_signed(within).unwrap()] ^= 4);
            assert!(matches!(fate(&path, &rotten, &original), Fate::Noticed), "{}", stored.record.text());
        }
    }
}

/// What somebody, or a lost write, might do to the tables without breaking a page.
const CHANGES: [&str; 22] = [
    "DELETE FROM record WHERE room = 1 AND arrival = (SELECT max(arrival) FROM record WHERE room = 1)",
    "DELETE FROM record WHERE room = 1 AND arrival = (SELECT min(arrival) FROM record WHERE room = 1)",
    "DELETE FROM record WHERE room = 1 AND arrival = 100",
    "DELETE FROM record WHERE room = 2",
    "INSERT INTO record SELECT 9, arrival, author, epoch, seq, lamport, sent_at_ms, arrived_ms, kind, chain,
         signature, body FROM record WHERE room = 2",
    "UPDATE record SET arrival = -arrival WHERE room = 1 AND arrival IN (100, 101)",
    "UPDATE record SET arrived_ms = arrived_ms + 1 WHERE room = 1 AND arrival = 100",
    "UPDATE record SET lamport = lamport + 1 WHERE room = 1 AND arrival = 100",
    "UPDATE record SET author = 3 WHERE room = 2 AND arrival = 1",
    "UPDATE record SET kind = 3 WHERE room = 1 AND arrival = 100",
    "UPDATE record SET signature = NULL WHERE room = 1 AND arrival = 100",
    "DELETE FROM log WHERE room = 1 AND author = 4",
    "UPDATE log SET last = last - 1 WHERE room = 1 AND author = 4",
    "DELETE FROM room WHERE id = 2",
    "UPDATE room SET floor = floor + 1 WHERE id = 1",
    "UPDATE room SET topic = NULL WHERE id = 2",
    "UPDATE topic SET record = (SELECT body FROM record WHERE room = 2 LIMIT 1)",
    "DELETE FROM author WHERE id = 4",
    "UPDATE author SET nick = 'eve' WHERE id = 1",
    "UPDATE history SET instance = 9",
    "DROP INDEX once",
    "CREATE TABLE more(a)",
];

#[test]
fn is_a_change_of_the_tables_noticed() {
    let scratch = Scratch::new("rot-tables");
    let path = scratch.file();
    let original = fill(&path);
    let whole = fs::read(&path).unwrap();
    for change in CHANGES {
        fs::write(&path, &whole).unwrap();
        let conn = rusqlite::Connection::open(&path).unwrap();
        conn.pragma_update(None, "foreign_keys", false).unwrap();
        assert!(conn.execute(change, []).is_ok(), "{change}");
        drop(conn);
        let changed = fs::read(&path).unwrap();
        assert!(changed != whole, "{change}");
        assert!(matches!(fate(&path, &changed, &original), Fate::Noticed), "{change}");
    }
}

#[test]
fn is_a_lost_page_noticed() {
    let scratch = Scratch::new("rot-page");
    let path = scratch.file();
    let original = fill(&path);
    let whole = fs::read(&path).unwrap();
    for page in 0..whole.len() / PAGE {
        let mut rotten = whole.clone();
        rotten[page * PAGE..][..PAGE].fill(0);
        let _ = fate(&path, &rotten, &original);
    }
}

#[test]
fn does_a_reader_notice_what_rots_while_it_reads() {
    let scratch = Scratch::new("rot-live");
    let path = scratch.file();
    let mut opened = open(&path, FAST).unwrap();
    opened.writer.append(&lines(1, 0..300, 100)).unwrap();
    opened.writer.idle().unwrap();
    let mut whole = fs::read(&path).unwrap();
    let at = whole.windows(6).position(|window| window == b"1.150 ").unwrap();
    whole[at + 50] ^= 1;
    fs::write(&path, whole).unwrap();
    let survey = opened.writer.survey().unwrap();
    let found = everything(&mut *opened.reader, &survey, &lobby());
    assert!(matches!(found, Err(StoreError::Damaged { .. })), "{found:?}");
    let later = opened
        .reader
        .last_lines(&LinesQuery { room: lobby(), count: 20, cut_ms: u64::MAX, before: None })
        .unwrap();
    assert_eq!(later.len(), 20, "what is whole can be read");
}
