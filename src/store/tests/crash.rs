//! What is left when power goes in the middle of something.

use super::*;

/// Bytes of the header of the write-ahead log, and of a page with its own header in it.
const LOG_HEADER: usize = 32;
const FRAME: usize = 4_096 + 24;

fn beside(path: &Path, suffix: &str) -> PathBuf {
    PathBuf::from(format!("{}{suffix}", path.display()))
}

/// Records that a copy gives back, or 0 when it is not even a history.
fn kept(path: &Path) -> u64 {
    let mut opened = open(path, FAST).unwrap();
    let (_, all) = survey_and_rooms(&mut *opened.writer, &mut *opened.reader).unwrap();
    let expected: Vec<u64> = (0..all.len() as u64).collect();
    let seqs: Vec<u64> = all.iter().map(|stored| stored.record.seq.0).collect();
    assert_eq!(seqs, expected, "what is there is a beginning");
    drop(opened);
    verify(path).unwrap();
    all.len() as u64
}

#[test]
fn is_every_append_that_returned_there_wherever_the_log_ends() {
    let scratch = Scratch::new("torn");
    let path = scratch.file();
    let mut opened = open(&path, SAFE).unwrap();
    opened.writer.append(&lines(1, 0..10, 100)).unwrap();
    opened.writer.idle().unwrap();
    let log = beside(&path, "-wal");
    let mut acknowledged = vec![(0, 10)];
    for batch in 1..6 {
        opened.writer.append(&lines(1, batch * 10..(batch + 1) * 10, 100)).unwrap();
        acknowledged.push((log_end(&log), (batch + 1) * 10));
    }
    copy(&path, &beside(&path, "-copy"), &["", "-wal"]);
    drop(opened);
    let whole = fs::read(beside(&path, "-copy-wal")).unwrap();
    let main = fs::read(beside(&path, "-copy")).unwrap();
    let torn = scratch.0.join("torn");
    for cut in (0..=whole.len()).step_by(512).chain([whole.len()]) {
        let _ = fs::remove_file(beside(&torn, "-shm"));
        fs::write(&torn, &main).unwrap();
        fs::write(beside(&torn, "-wal"), &whole[..cut]).unwrap();
        let must = acknowledged.iter().filter(|(end, _)| *end <= cut).map(|(_, records)| *records).max();
        assert_eq!(Some(kept(&torn)), must, "cut at {cut}");
    }
}

/// Where the last commit in a log ends: frames of older rounds may stand behind it, told by their salt.
fn log_end(log: &Path) -> usize {
    let bytes = fs::read(log).unwrap();
    let salt = &bytes[16..24];
    let frames = bytes[LOG_HEADER..].chunks_exact(FRAME).take_while(|frame| frame[8..16] == *salt);
    LOG_HEADER + frames.count() * FRAME
}

#[test]
fn is_a_flipped_bit_in_the_log_never_wrong_data() {
    let scratch = Scratch::new("torn-bit");
    let path = scratch.file();
    let mut opened = open(&path, SAFE).unwrap();
    for batch in 0..6 {
        opened.writer.append(&lines(1, batch * 10..(batch + 1) * 10, 100)).unwrap();
    }
    copy(&path, &beside(&path, "-copy"), &["", "-wal"]);
    drop(opened);
    let whole = fs::read(beside(&path, "-copy-wal")).unwrap();
    for at in (0..whole.len()).step_by(997) {
        let torn = scratch.0.join("torn");
        let _ = fs::remove_file(beside(&torn, "-shm"));
        fs::copy(beside(&path, "-copy"), &torn).unwrap();
        let mut rotten = whole.clone();
        rotten[at] ^= 16;
        fs::write(beside(&torn, "-wal"), rotten).unwrap();
        assert_eq!(kept(&torn) % 10, 0, "a batch is whole or absent");
    }
}

#[test]
fn does_a_long_log_begin_anew() {
    let scratch = Scratch::new("wal");
    let path = scratch.file();
    let mut opened = open(&path, FAST).unwrap();
    for batch in 0..60 {
        opened.writer.append(&lines(1, batch * 200..(batch + 1) * 200, 1_000)).unwrap();
    }
    let log = fs::metadata(beside(&path, "-wal")).unwrap().len();
    assert!(log < 6 << 20, "{log}");
    drop(opened);
    assert!(!beside(&path, "-wal").exists(), "closing settles it");
    assert_eq!(kept(&path), 12_000);
}

#[test]
fn is_a_history_whose_making_was_interrupted_made_again() {
    let scratch = Scratch::new("half-made");
    let path = scratch.file();
    for suffix in ["-new", ".new", ".new-wal", ".new-journal"] {
        fs::write(beside(&path, suffix), "half").unwrap();
    }
    let mut opened = open(&path, FAST).unwrap();
    assert_eq!(opened.writer.survey().unwrap(), Survey { instance: 7, ..Survey::default() });
    assert!(!beside(&path, ".new").exists());
}
