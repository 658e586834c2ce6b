use std::{
    os::unix::fs::{PermissionsExt as _, symlink},
    process::Command,
};

use super::{
    super::{
        publish::{MAX_SAME_NAMES, copy},
        tests::{Scratch, content, names_in, transfer},
    },
    *,
};

const NAME: &str = "notes.txt";

fn digest(bytes: &[u8]) -> [u8; 32] {
    *blake3::hash(bytes).as_bytes()
}

/// Receives all of it at once.
fn receive(place: &Place, number: u32, name: &str, whole: &[u8]) -> Result<PathBuf, FileFault> {
    let mut sink = Sink::create(place, transfer(number), whole.len() as u64)?;
    let held = usize::try_from(sink.held()).unwrap();
    sink.write(held as u64, &whole[held..])?;
    sink.seal(place, name, digest(whole))
}

fn code<T: std::fmt::Debug>(refused: Result<T, FileFault>) -> ErrorCode {
    refused.unwrap_err().code
}

#[test]
fn is_a_file_saved_under_its_name_for_its_owner_alone_and_nothing_left_of_its_part() {
    let scratch = Scratch::new("saved");
    let place = scratch.place();
    for (number, whole) in [content(100_000), Vec::new()].into_iter().enumerate() {
        let saved = receive(&place, number as u32, &format!("../{number}.txt"), &whole).unwrap();
        assert_eq!(saved, place.downloads.join(format!("{number}.txt")));
        assert_eq!(fs::read(&saved).unwrap(), whole);
        let metadata = fs::metadata(&saved).unwrap();
        assert_eq!((metadata.permissions().mode() & 0o777, metadata.nlink()), (0o600, 1));
        assert!(names_in(&place.parts).is_empty());
    }
}

#[test]
fn is_a_file_that_is_there_written_over() {
    let scratch = Scratch::new("taken");
    let place = scratch.place();
    fs::write(place.downloads.join(NAME), b"mine").unwrap();
    fs::create_dir(place.downloads.join("notes-2.txt")).unwrap();
    for (number, expected) in [(1, "notes-3.txt"), (2, "notes-4.txt")] {
        let saved = receive(&place, number, NAME, b"theirs").unwrap();
        assert_eq!(saved, place.downloads.join(expected));
    }
    assert_eq!(fs::read(place.downloads.join(NAME)).unwrap(), b"mine");
}

#[test]
fn is_a_link_that_somebody_put_there_followed() {
    let scratch = Scratch::new("planted");
    let place = scratch.place();
    let victim = scratch.file("victim", b"mine");
    symlink(&victim, place.downloads.join(NAME)).unwrap();
    symlink(scratch.0.join("nowhere"), place.downloads.join("notes-2.txt")).unwrap();
    let saved = receive(&place, 1, NAME, b"theirs").unwrap();
    assert_eq!(saved, place.downloads.join("notes-3.txt"));
    symlink(&victim, part_path(&place, transfer(2))).unwrap();
    assert_eq!(code(receive(&place, 2, NAME, b"theirs")), ErrorCode::FileFailed, "nor in place of a part");
    assert!(fs::read(&victim).unwrap() == b"mine" && !scratch.0.join("nowhere").exists());
}

#[test]
fn are_as_many_names_tried_as_the_limit_says() {
    let scratch = Scratch::new("names");
    let place = scratch.place();
    for number in 1..MAX_SAME_NAMES {
        fs::write(place.downloads.join(super::super::names::numbered(NAME, number)), b"").unwrap();
    }
    assert_eq!(receive(&place, 1, NAME, b"x").unwrap(), place.downloads.join("notes-999.txt"));
    assert_eq!(code(receive(&place, 2, NAME, b"x")), ErrorCode::FileFailed);
    fs::remove_file(place.downloads.join(NAME)).unwrap();
    assert_eq!(
        receive(&place, 2, NAME, b"x").unwrap(),
        place.downloads.join(NAME),
        "its part is still there"
    );
}

#[test]
fn does_it_go_on_where_it_was_after_a_break_anywhere() {
    let scratch = Scratch::new("resume");
    let place = scratch.place();
    let whole = content(2 * HASH_BYTES + 999);
    for (number, at) in [0, 1, 4_096, HASH_BYTES, 2 * HASH_BYTES - 1, whole.len()].into_iter().enumerate() {
        let (number, len) = (number as u32, whole.len() as u64);
        let mut sink = Sink::create(&place, transfer(number), len).unwrap();
        sink.write(0, &whole[..at]).unwrap();
        drop(sink);
        let mut sink = Sink::create(&place, transfer(number), len).unwrap();
        assert_eq!(sink.held(), at as u64);
        assert_eq!(sink.write(at as u64, &whole[at..]).unwrap(), len);
        let saved = sink.seal(&place, NAME, digest(&whole)).unwrap();
        assert_eq!(fs::read(saved).unwrap(), whole);
    }
}

#[test]
fn is_a_part_that_is_longer_than_its_file_cut() {
    let scratch = Scratch::new("longer");
    let place = scratch.place();
    fs::write(part_path(&place, transfer(1)), b"0123456789").unwrap();
    let sink = Sink::create(&place, transfer(1), 4).unwrap();
    assert_eq!(sink.held(), 4);
    let saved = sink.seal(&place, NAME, digest(b"0123")).unwrap();
    assert_eq!(fs::read(saved).unwrap(), b"0123");
}

#[test]
fn is_only_what_comes_next_written_and_not_past_the_end() {
    let scratch = Scratch::new("order");
    let place = scratch.place();
    let mut sink = Sink::create(&place, transfer(1), 10).unwrap();
    assert_eq!(sink.write(0, b"0123").unwrap(), 4);
    for (offset, bytes) in [(0, &b"0123"[..]), (3, b"3"), (5, b"5"), (4, b"4567890"), (u64::MAX, b"x")] {
        assert_eq!(code(sink.write(offset, bytes)), ErrorCode::FileFailed, "at {offset}");
    }
    assert_eq!(sink.write(4, b"456789").unwrap(), 10, "to the end");
    assert_eq!(sink.write(10, b"").unwrap(), 10);
    assert_eq!(code(sink.write(10, b"0")), ErrorCode::FileFailed);
}

#[test]
fn does_one_wrong_bit_make_a_file_and_is_it_begun_anew() {
    let scratch = Scratch::new("flipped");
    let place = scratch.place();
    let whole = content(70_000);
    let mut wrong = whole.clone();
    wrong[40_000] ^= 4;
    let mut sink = Sink::create(&place, transfer(1), 70_000).unwrap();
    sink.write(0, &wrong).unwrap();
    assert_eq!(code(sink.seal(&place, NAME, digest(&whole))), ErrorCode::FileDamaged);
    let mut short = Sink::create(&place, transfer(1), 70_000).unwrap();
    assert_eq!(short.held(), 0, "nobody knows which part was wrong");
    short.write(0, &whole[..69_999]).unwrap();
    assert_eq!(code(short.seal(&place, NAME, digest(&whole))), ErrorCode::FileDamaged);
    assert!(names_in(&place.downloads).is_empty());
    receive(&place, 1, NAME, &whole).unwrap();
    assert_eq!(names_in(&place.downloads), [NAME]);
}

/// It has its name then, and its part still.
#[test]
fn is_a_file_saved_twice_when_a_crash_came_before_the_end_of_its_part() {
    let scratch = Scratch::new("crash");
    let place = scratch.place();
    let (part, saved) = (part_path(&place, transfer(1)), place.downloads.join(NAME));
    fs::write(&part, b"0123").unwrap();
    fs::hard_link(&part, &saved).unwrap();
    assert_eq!(receive(&place, 1, NAME, b"0123").unwrap(), saved);
    assert!(names_in(&place.parts).is_empty() && names_in(&place.downloads) == [NAME]);
    // Whose it is may have gone on with it meanwhile.
    for theirs in [&b"01234567"[..], b"x", b"abcd"] {
        fs::write(&saved, theirs).unwrap();
        fs::hard_link(&saved, &part).unwrap();
        let _ = receive(&place, 1, NAME, b"0123");
        assert_eq!(fs::read(&saved).unwrap(), theirs);
        let _ = fs::remove_file(&part);
    }
}

#[test]
fn is_too_little_space_told_before_the_first_byte() {
    let scratch = Scratch::new("floor");
    let place = Place { min_free: u64::MAX / 2, ..scratch.place() };
    assert_eq!(code(Sink::create(&place, transfer(1), 1)), ErrorCode::NoSpace);
    assert!(Sink::create(&place, transfer(1), 0).is_ok(), "which takes none");
    fs::write(part_path(&place, transfer(2)), b"whole").unwrap();
    assert!(Sink::create(&place, transfer(2), 5).is_ok(), "nor does this");
    let place = scratch.place();
    assert_eq!(code(Sink::create(&place, transfer(1), u64::MAX)), ErrorCode::NoSpace);
}

struct Mount(PathBuf);

impl Mount {
    /// A disk of this many mebibytes, where the system lets us.
    fn new(dir: PathBuf, mebibytes: usize) -> Option<Self> {
        fs::create_dir_all(&dir).unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &format!("size={mebibytes}m"), "none"]).arg(&dir);
        let mounted = mount.output().is_ok_and(|output| output.status.success());
        if !mounted {
            println!("skipped: mount does not work here");
        }
        mounted.then_some(Self(dir))
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.0).status();
    }
}

#[test]
fn is_a_disk_that_fills_up_told_and_gone_on_with_when_it_has_space_again() {
    let scratch = Scratch::new("full");
    let Some(mount) = Mount::new(scratch.0.join("small"), 1) else { return };
    let place = Place { parts: mount.0.clone(), ..scratch.place() };
    let whole = content(600 << 10);
    assert_eq!(code(Sink::create(&place, transfer(1), 2 << 20)), ErrorCode::NoSpace);
    let mut sink = Sink::create(&place, transfer(2), whole.len() as u64).unwrap();
    let ballast = mount.0.join("ballast");
    fs::write(&ballast, vec![0; 700 << 10]).unwrap();
    let parts = whole.chunks(50_000).enumerate();
    let full = parts.map(|(n, part)| sink.write(n as u64 * 50_000, part)).find_map(Result::err);
    assert_eq!(full.unwrap().code, ErrorCode::NoSpace);
    drop(sink);
    fs::remove_file(&ballast).unwrap();
    let saved = receive(&place, 2, NAME, &whole).unwrap();
    assert_eq!(saved, place.downloads.join(NAME), "on another file system");
    assert_eq!(fs::read(&saved).unwrap(), whole);
    assert_eq!(fs::metadata(&saved).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(names_in(&mount.0).is_empty());
}

#[test]
fn does_a_full_disk_leave_half_a_copy_in_the_downloads() {
    let scratch = Scratch::new("half-copy");
    let Some(mount) = Mount::new(scratch.0.join("small"), 1) else { return };
    let place = Place { downloads: mount.0.clone(), ..scratch.place() };
    assert_eq!(code(Sink::create(&place, transfer(1), 2 << 20)), ErrorCode::NoSpace, "for its copy");
    let whole = content(600 << 10);
    let mut sink = Sink::create(&place, transfer(2), whole.len() as u64).unwrap();
    fs::write(mount.0.join("ballast"), vec![0; 700 << 10]).unwrap();
    sink.write(0, &whole).unwrap();
    assert_eq!(code(sink.seal(&place, NAME, digest(&whole))), ErrorCode::NoSpace);
    assert_eq!(names_in(&mount.0), ["ballast"]);
    fs::remove_file(mount.0.join("ballast")).unwrap();
    assert_eq!(receive(&place, 2, NAME, &whole).unwrap(), mount.0.join(NAME), "its part is still there");
}

#[test]
fn does_a_copy_write_over_anything_or_follow_a_link() {
    let scratch = Scratch::new("copy");
    let from = File::open(scratch.file("from", b"theirs")).unwrap();
    let victim = scratch.file("victim", b"mine");
    let link = scratch.0.join("link");
    symlink(scratch.0.join("nowhere"), &link).unwrap();
    for target in [&victim, &link] {
        assert_eq!(copy(&from, target).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
    }
    assert!(
        fs::read(&victim).unwrap() == b"mine" && link.is_symlink() && !scratch.0.join("nowhere").exists()
    );
    copy(&from, &scratch.0.join("copy")).unwrap();
    assert_eq!(fs::read(scratch.0.join("copy")).unwrap(), b"theirs");
}
