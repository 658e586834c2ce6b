//! Questions to the driver's end; in `Scratch` what those to the parts need too.

use std::{fs, time::Duration};

use bytes::Bytes;
use tokio::{
    sync::mpsc::{Receiver, channel},
    time::timeout,
};

use super::*;
use crate::{
    app::KeptIncoming,
    wire::{Epoch, NodeId},
};

/// Far longer than anything but a failure takes.
const PATIENCE: Duration = Duration::from_secs(30);

/// A directory of one test, removed with it.
pub(super) struct Scratch(pub(super) PathBuf);

impl Scratch {
    pub(super) fn new(name: &str) -> Self {
        let dir = std::env::temp_dir().join(format!("sayagain-files-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&dir);
        fs::create_dir_all(&dir).unwrap();
        Self(dir)
    }

    pub(super) fn file(&self, name: &str, content: &[u8]) -> PathBuf {
        let path = self.0.join(name);
        fs::write(&path, content).unwrap();
        path
    }

    pub(super) fn place(&self) -> Place {
        let place = self.begun().place;
        Place { min_free: 0, ..place }
    }

    fn begun(&self) -> Begun {
        let place =
            FilePlace { transfers: self.0.join("data/transfers"), downloads: self.0.join("data/downloads") };
        prepare(&place).unwrap()
    }

    fn files(&self, queue: usize) -> (Files, Receiver<FileNews>) {
        let (told, news) = channel(queue);
        let begun = self.begun();
        let place = Place { min_free: 0, ..begun.place };
        (Files::start(Begun { place, ..begun }, told), news)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

pub(super) fn transfer(number: u32) -> TransferId {
    TransferId { sender: NodeId([7; 32]), epoch: Epoch(9), number }
}

pub(super) fn incoming(number: u32, saved: Option<&str>) -> KeptTransfer {
    KeptTransfer::Incoming(KeptIncoming {
        transfer: transfer(number),
        from: "bob".parse().unwrap(),
        room: Some("lobby".parse().unwrap()),
        name: "notes\u{202e}.txt".into(),
        len: 5,
        saved: saved.map(PathBuf::from),
    })
}

/// Bytes that differ from their neighbours.
pub(super) fn content(len: usize) -> Vec<u8> {
    (0..len).map(|at| (at % 251) as u8 ^ (at >> 12) as u8).collect()
}

/// The names of what is in a folder.
pub(super) fn names_in(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<_> = entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

async fn next(news: &mut Receiver<FileNews>) -> FileNews {
    timeout(PATIENCE, news.recv()).await.expect("an answer").expect("a thread that answers")
}

fn open(number: u32, path: &Path) -> FileJob {
    FileJob::Open { transfer: transfer(number), path: path.into() }
}

fn read(number: u32, offset: u64, len: usize) -> FileJob {
    FileJob::Read { transfer: transfer(number), offset, len }
}

fn create(number: u32, len: u64) -> FileJob {
    FileJob::Create { transfer: transfer(number), len }
}

fn write(number: u32, offset: u64, bytes: &'static [u8]) -> FileJob {
    FileJob::Write { transfer: transfer(number), offset, bytes: Bytes::from_static(bytes) }
}

fn close(number: u32, discard: bool) -> FileJob {
    FileJob::Close { transfer: transfer(number), discard }
}

fn is_failed(news: Option<&FileNews>, number: u32) -> bool {
    matches!(news, Some(FileNews::Failed { transfer: of, fault })
        if *of == transfer(number) && fault.code == ErrorCode::FileFailed)
}

#[tokio::test]
async fn does_a_file_that_is_read_become_one_that_is_saved() {
    let scratch = Scratch::new("whole");
    let whole = content(300_000);
    let path = scratch.file("notes.txt", &whole);
    let (mut files, mut news) = scratch.files(FILE_NEWS_QUEUE);
    assert_eq!(files.perform(open(1, &path)), None);
    let FileNews::Opened { name, len, modified_ms, .. } = next(&mut news).await else { panic!("not opened") };
    assert!((name.as_str(), len) == ("notes.txt", 300_000) && modified_ms > 1_600_000_000_000);
    files.perform(create(2, len));
    assert_eq!(next(&mut news).await, FileNews::Created { transfer: transfer(2), held: 0 });
    for offset in (0..len).step_by(50_000) {
        files.perform(read(1, offset, 50_000));
        let FileNews::Read { bytes, .. } = next(&mut news).await else { panic!("not read") };
        files.perform(FileJob::Write { transfer: transfer(2), offset, bytes });
        let upto = offset + 50_000;
        assert_eq!(next(&mut news).await, FileNews::Written { transfer: transfer(2), upto });
    }
    files.perform(FileJob::Digest { transfer: transfer(1) });
    let FileNews::Digest { digest, .. } = next(&mut news).await else { panic!("no digest") };
    files.perform(FileJob::Seal { transfer: transfer(2), name, digest });
    let FileNews::Saved { path: saved, .. } = next(&mut news).await else { panic!("not saved") };
    assert_eq!(saved, scratch.0.join("data/downloads/notes.txt"));
    assert_eq!(fs::read(&saved).unwrap(), whole);
    files.perform(close(1, false));
    files.perform(close(2, true));
    files.finish().await;
    assert!(saved.exists(), "it is no part any more");
}

#[tokio::test]
async fn does_a_transfer_that_is_not_open_answer_that_it_failed() {
    let scratch = Scratch::new("not-open");
    let (mut files, mut news) = scratch.files(FILE_NEWS_QUEUE);
    let seal = FileJob::Seal { transfer: transfer(1), name: "x".into(), digest: [0; 32] };
    for job in [read(1, 0, 1), FileJob::Digest { transfer: transfer(1) }, write(1, 0, b"x"), seal] {
        assert!(is_failed(files.perform(job).as_ref(), 1));
    }
    assert_eq!(files.perform(close(1, false)), None);
    files.perform(create(1, 1));
    next(&mut news).await;
    files.perform(close(1, false));
    assert!(is_failed(files.perform(write(1, 0, b"x")).as_ref(), 1), "it is closed");
    files.perform(create(2, 1));
    next(&mut news).await;
    files.perform(read(2, 0, 1));
    assert!(is_failed(Some(&next(&mut news).await), 2), "what is received is not read");
}

#[test]
fn does_a_node_without_a_place_for_files_answer_what_wants_an_answer() {
    assert!(is_failed(refuse(&create(3, 1)).as_ref(), 3));
    assert!(is_failed(refuse(&open(3, Path::new("x"))).as_ref(), 3));
    for silent in [close(3, true), FileJob::Forget(transfer(3))] {
        assert_eq!(refuse(&silent), None);
    }
}

#[tokio::test]
async fn is_what_was_asked_for_behind_a_failure_left_until_somebody_begins_anew() {
    let scratch = Scratch::new("behind");
    let path = scratch.file("x", b"0123456789");
    let (mut files, mut news) = scratch.files(FILE_NEWS_QUEUE);
    for job in
        [open(1, &scratch.0.join("missing")), read(1, 0, 1), read(1, 1, 1), open(1, &path), read(1, 0, 2)]
    {
        assert_eq!(files.perform(job), None);
    }
    assert!(is_failed(Some(&next(&mut news).await), 1));
    assert!(matches!(next(&mut news).await, FileNews::Opened { len: 10, .. }));
    assert!(matches!(next(&mut news).await, FileNews::Read { bytes, .. } if *bytes == *b"01"));
}

#[tokio::test]
async fn does_a_transfer_wait_for_the_disk_of_another() {
    let scratch = Scratch::new("beside");
    let long = 1 << 30;
    let (mut files, mut news) = scratch.files(FILE_NEWS_QUEUE);
    let part = fs::File::create(sink::part_path(&files.place, transfer(1))).unwrap();
    part.set_len(long).unwrap();
    files.perform(create(1, long));
    files.perform(create(2, 1));
    files.perform(write(2, 0, b"x"));
    assert_eq!(next(&mut news).await, FileNews::Created { transfer: transfer(2), held: 0 });
    assert_eq!(next(&mut news).await, FileNews::Written { transfer: transfer(2), upto: 1 });
    assert_eq!(next(&mut news).await, FileNews::Created { transfer: transfer(1), held: long });
}

#[tokio::test]
async fn are_as_many_jobs_taken_as_the_limit_says_and_not_one_more() {
    let scratch = Scratch::new("jobs");
    let path = scratch.file("x", b"x");
    let (mut files, mut news) = scratch.files(1);
    // Nobody takes the answers: one is in the queue, with another one the thread waits for its place.
    files.perform(open(1, &path));
    files.perform(open(1, &path));
    while files.threads[&transfer(1)].signs.waiting.load(Ordering::Relaxed) > 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    for n in 0..JOBS_PER_TRANSFER {
        assert_eq!(files.perform(read(1, 0, 1)), None, "job {n}");
    }
    assert!(is_failed(files.perform(read(1, 0, 1)).as_ref(), 1), "one more");
    assert!(is_failed(files.perform(read(1, 0, 1)).as_ref(), 1), "from there on it is not open");
    files.perform(open(1, &path));
    let mut opened = 0;
    while opened < 3 {
        assert!(matches!(next(&mut news).await, FileNews::Opened { .. }), "what waited is not done");
        opened += 1;
    }
}

#[tokio::test]
async fn are_as_many_files_open_as_the_limit_says_and_not_one_more() {
    let scratch = Scratch::new("threads");
    let (mut files, mut news) = scratch.files(FILE_NEWS_QUEUE);
    let most = MAX_FILE_THREADS as u32;
    for n in 0..most {
        assert_eq!(files.perform(create(n, 1)), None, "file {n}");
        next(&mut news).await;
    }
    assert!(is_failed(files.perform(create(most, 1)).as_ref(), most), "one more");
    files.perform(close(0, false));
    while files.perform(create(most, 1)).is_some() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert_eq!(next(&mut news).await, FileNews::Created { transfer: transfer(most), held: 0 });
}

#[tokio::test]
async fn is_what_has_arrived_thrown_away_on_request_also_in_another_run() {
    let scratch = Scratch::new("discard");
    for is_open in [true, false] {
        let (mut files, mut news) = scratch.files(FILE_NEWS_QUEUE);
        for job in [create(1, 9), write(1, 0, b"12345"), close(1, false)] {
            files.perform(job);
        }
        assert!(matches!(next(&mut news).await, FileNews::Created { .. }));
        assert!(matches!(next(&mut news).await, FileNews::Written { upto: 5, .. }));
        files.finish().await;
        let (mut files, mut news) = scratch.files(FILE_NEWS_QUEUE);
        let parts = files.place.parts.clone();
        assert_eq!(names_in(&parts).len(), 1, "what is only closed is there");
        if is_open {
            files.perform(create(1, 9));
            assert_eq!(next(&mut news).await, FileNews::Created { transfer: transfer(1), held: 5 });
        }
        files.perform(close(1, true));
        files.perform(create(1, 9));
        assert_eq!(next(&mut news).await, FileNews::Created { transfer: transfer(1), held: 0 }, "in order");
        files.perform(close(1, true));
        while !names_in(&parts).is_empty() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
}

#[tokio::test]
async fn is_the_job_in_hand_finished_at_the_end_and_its_answer_given() {
    let scratch = Scratch::new("halt");
    let path = scratch.file("x", b"x");
    let (mut files, mut news) = scratch.files(1);
    for _ in 0..9 {
        files.perform(open(1, &path));
    }
    next(&mut news).await;
    files.halt();
    let mut more = 0;
    while let Some(told) = timeout(PATIENCE, news.recv()).await.expect("the thread ends") {
        assert!(matches!(told, FileNews::Opened { .. }));
        more += 1;
    }
    assert!(more <= 3, "{more} more");
    assert_eq!(files.perform(open(1, &path)), None, "nobody would take the answer");
    timeout(PATIENCE, files.finish()).await.unwrap();
}

#[tokio::test]
async fn does_a_node_remember_its_transfers_in_another_run() {
    let scratch = Scratch::new("kept");
    let (mut files, _news) = scratch.files(FILE_NEWS_QUEUE);
    for number in 1..=3 {
        files.perform(FileJob::Keep(incoming(number, None)));
    }
    let saved = incoming(2, Some("there"));
    files.perform(FileJob::Keep(saved.clone()));
    files.perform(FileJob::Forget(transfer(1)));
    files.finish().await;
    assert_eq!(scratch.begun().kept, [saved, incoming(3, None)]);
    let mode = |path: &str| {
        use std::os::unix::fs::PermissionsExt as _;
        fs::metadata(scratch.0.join(path)).unwrap().permissions().mode() & 0o777
    };
    for folder in ["data", "data/transfers", "data/transfers/parts", "data/downloads"] {
        assert_eq!(mode(folder), 0o700, "{folder}");
    }
    assert_eq!(mode(&format!("data/transfers/{}.json", transfer(2))), 0o600);
}
