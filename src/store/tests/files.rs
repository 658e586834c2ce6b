//! Files that are not what they should be.

use std::os::unix::fs::PermissionsExt as _;

use rusqlite::Connection;

use super::*;

/// A history of some hundred records that is closed, with everything in its one file.
fn closed(path: &Path, instance: u64) {
    let mut opened = open(path, Options { instance, relaxed: true }).unwrap();
    opened.writer.append(&lines(1, 0..300, 100)).unwrap();
    drop(opened);
    assert!(!PathBuf::from(format!("{}-wal", path.display())).exists());
}

/// A copy of a history in use, the last appends of which are in the write-ahead log alone.
fn with_log(scratch: &Scratch, name: &str, instance: u64) -> PathBuf {
    let (path, copied) = (scratch.0.join(format!("{name}-live")), scratch.0.join(name));
    let mut opened = open(&path, Options { instance, relaxed: true }).unwrap();
    opened.writer.append(&lines(1, 0..300, 100)).unwrap();
    opened.writer.idle().unwrap();
    opened.writer.append(&lines(2, 0..20, 100)).unwrap();
    copy(&path, &copied, &["", "-wal"]);
    copied
}

fn kept(path: &Path) -> usize {
    let mut opened = open(path, FAST).unwrap();
    survey_and_rooms(&mut *opened.writer, &mut *opened.reader).unwrap().1.len()
}

/// Opening and looking at it both refuse, and leave it as it was.
fn refused(path: &Path) -> StoreError {
    let before = fs::read(path).unwrap();
    let error = open(path, FAST).map(drop).unwrap_err();
    assert!(verify(path).is_err());
    assert!(export(path, std::io::sink()).is_err());
    assert!(compact(path).is_err());
    assert_eq!(fs::read(path).unwrap(), before, "{error}");
    error
}

#[test]
fn does_a_history_keep_what_it_was_given_and_its_instance() {
    let scratch = Scratch::new("keeps");
    closed(&scratch.file(), 7);
    let mut opened = open(&scratch.file(), Options { instance: 9, relaxed: false }).unwrap();
    assert_eq!(opened.writer.survey().unwrap().instance, 7);
    let mut further = opened.another_reader().unwrap();
    let (_, all) = survey_and_rooms(&mut *opened.writer, &mut *further).unwrap();
    assert_eq!(all.len(), 300);
}

#[test]
fn can_only_its_owner_read_it() {
    let scratch = Scratch::new("mode");
    let mut opened = open(&scratch.file(), FAST).unwrap();
    opened.writer.append(&lines(1, 0..3, 10)).unwrap();
    for file in fs::read_dir(&scratch.0).unwrap() {
        let file = file.unwrap();
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{file:?}");
    }
}

#[test]
fn is_a_second_process_kept_out_and_a_reader_let_in() {
    let scratch = Scratch::new("twice");
    let path = scratch.file();
    let mut opened = open(&path, FAST).unwrap();
    opened.writer.append(&lines(1, 0..3, 10)).unwrap();
    assert_eq!(open(&path, FAST).map(drop).unwrap_err(), StoreError::InUse(path.clone()));
    assert_eq!(compact(&path).unwrap_err(), StoreError::InUse(path.clone()));
    assert_eq!(verify(&path).unwrap().rooms[0].records, 3);
    assert_eq!(export(&path, std::io::sink()).unwrap(), 3);
    opened.writer.append(&lines(1, 3..5, 10)).unwrap();
    assert_eq!(verify(&path).unwrap().rooms[0].records, 5);
    drop(opened);
    assert_eq!(kept(&path), 5);
}

#[test]
fn is_a_history_one_under_all_its_names() {
    let scratch = Scratch::new("link");
    let (path, link) = (scratch.file(), scratch.0.join("link"));
    let mut opened = open(&path, FAST).unwrap();
    opened.writer.append(&lines(1, 0..3, 10)).unwrap();
    std::os::unix::fs::symlink(&path, &link).unwrap();
    assert_eq!(open(&link, FAST).map(drop).unwrap_err(), StoreError::InUse(path));
    assert_eq!(verify(&link).unwrap().rooms[0].records, 3);
    drop(opened);
    assert_eq!(kept(&link), 3);
}

#[test]
fn is_an_odd_name_of_a_file_no_trouble() {
    let scratch = Scratch::new("odd");
    let path = with_log(&scratch, "a ?mode=memory&b=%41#ü", 7);
    assert_eq!(kept(&path), 320);
}

#[test]
fn is_a_newer_format_left_alone() {
    let scratch = Scratch::new("newer");
    let path = scratch.file();
    closed(&path, 7);
    Connection::open(&path).unwrap().pragma_update(None, "user_version", 2).unwrap();
    assert_eq!(refused(&path), StoreError::Newer { path, found: 2, known: 1 });
}

#[test]
fn is_something_else_left_alone() {
    let scratch = Scratch::new("foreign");
    let path = scratch.file();
    fs::write(&path, "Dear diary, this is no database, though it is quite long.").unwrap();
    assert_eq!(refused(&path), StoreError::Foreign(path.clone()));
    fs::remove_file(&path).unwrap();
    Connection::open(&path).unwrap().execute("CREATE TABLE a(b)", []).unwrap();
    assert_eq!(refused(&path), StoreError::Foreign(path.clone()));
}

#[test]
fn is_a_file_that_is_cut_off_never_started_over() {
    let scratch = Scratch::new("cut");
    let path = scratch.file();
    closed(&path, 7);
    let whole = fs::read(&path).unwrap();
    for cut in [0, 10, 16, 99, 100, 4_096, whole.len() / 2, whole.len() - 4_096, whole.len() - 1] {
        fs::write(&path, &whole[..cut]).unwrap();
        let error = refused(&path);
        assert!(matches!(error, StoreError::Damaged { .. } | StoreError::Foreign(_)), "{cut}: {error}");
    }
}

#[test]
fn is_what_is_not_there_looked_for_and_not_made() {
    let scratch = Scratch::new("absent");
    let path = scratch.file();
    assert!(matches!(verify(&path), Err(StoreError::Failed { .. })));
    assert!(matches!(compact(&path), Err(StoreError::Failed { .. })));
    assert!(!path.exists());
    assert!(matches!(open(&path.join("no/directory"), FAST), Err(StoreError::Failed { .. })));
}

#[test]
fn is_a_history_without_its_log_whole_up_to_where_it_was_settled() {
    let scratch = Scratch::new("no-log");
    let path = with_log(&scratch, "a", 7);
    fs::remove_file(format!("{}-wal", path.display())).unwrap();
    assert_eq!(kept(&path), 300);
    verify(&path).unwrap();
}

#[test]
fn is_a_log_without_its_history_kept() {
    let scratch = Scratch::new("log-alone");
    let path = with_log(&scratch, "a", 7);
    fs::remove_file(&path).unwrap();
    assert!(matches!(open(&path, FAST), Err(StoreError::Damaged { .. })));
    assert!(!path.exists());
}

#[test]
fn is_the_log_of_another_history_refused() {
    let scratch = Scratch::new("strange-log");
    let (a, b) = (with_log(&scratch, "a", 7), with_log(&scratch, "b", 8));
    assert_eq!(kept(&b), 320);
    let c = with_log(&scratch, "c", 8);
    copy(&c, &a, &["-wal"]);
    let what = "its write-ahead log is that of another history".into();
    assert_eq!(refused(&a), StoreError::Damaged { path: a.clone(), what });
    fs::remove_file(format!("{}-wal", a.display())).unwrap();
    let _ = fs::remove_file(format!("{}-shm", a.display()));
    assert_eq!(kept(&a), 300, "and was not copied over it");
}

#[test]
fn does_compacting_give_space_back_and_keep_the_rest() {
    let scratch = Scratch::new("compact");
    let path = scratch.file();
    let mut opened = open(&path, FAST).unwrap();
    opened.writer.append(&lines(1, 0..2_000, 500)).unwrap();
    opened.writer.retain(&lobby(), Retention { records: 100, ..EVERYTHING }, 0).unwrap();
    let before = survey_and_rooms(&mut *opened.writer, &mut *opened.reader);
    drop(opened);
    let compacted = compact(&path).unwrap();
    assert!(compacted.after * 5 < compacted.before, "{compacted:?}");
    let mut opened = open(&path, FAST).unwrap();
    assert_eq!(survey_and_rooms(&mut *opened.writer, &mut *opened.reader), before);
    verify(&path).unwrap();
}

#[test]
fn what_does_an_export_say() {
    let scratch = Scratch::new("export");
    let path = scratch.file();
    let mut opened = open(&path, FAST).unwrap();
    let pair = RoomId::between(node(1), node(2));
    let unknown = Record { kind: Kind(9), ..record(&pair, 2, 0, "??") };
    let author = Entry::Author(Author { node: node(1), nick: "amy".parse().unwrap(), key: None });
    opened
        .writer
        .append(&[entry(unknown, 6), author, entry(record(&lobby(), 1, 4, "hi \"there\""), 5)])
        .unwrap();
    let mut text = Vec::new();
    assert_eq!(export(&path, &mut text).unwrap(), 2);
    let text = String::from_utf8(text).unwrap();
    let lines: Vec<serde_json::Value> =
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let expected = serde_json::json!({
        "room": "lobby", "arrival": 1, "author": node(1).to_string(), "nick": "amy", "epoch": 1, "seq": 4,
        "lamport": 5, "sent_at_ms": 1_004, "arrived_ms": 5, "kind": 0, "text": "hi \"there\"",
    });
    assert_eq!(lines[0], expected);
    assert_eq!(lines[1]["room"], format!("{}:{}", node(1), node(2)));
    assert_eq!((&lines[1]["body_base64"], lines[1].get("text")), (&"Pz8=".into(), None));
    assert!(lines[1]["signature_base64"].is_string());
}

#[test]
fn is_a_reader_told_when_nobody_listens_to_its_export() {
    struct Closed;
    impl std::io::Write for Closed {
        fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
            Err(std::io::ErrorKind::BrokenPipe.into())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let scratch = Scratch::new("pipe");
    closed(&scratch.file(), 7);
    assert!(matches!(export(&scratch.file(), Closed), Err(ExportError::Output(_))));
}
