use std::{io::Write as _, os::unix::fs::PermissionsExt as _, time::Duration};

use nix::{sys::stat::Mode, unistd::mkfifo};

use super::{
    super::tests::{Scratch, content},
    *,
};

fn code(opened: Result<Source, FileFault>) -> ErrorCode {
    opened.unwrap_err().code
}

#[test]
fn is_only_a_regular_file_sent_and_nothing_else_waited_for() {
    let scratch = Scratch::new("irregular");
    let fifo = scratch.0.join("fifo");
    mkfifo(&fifo, Mode::S_IRWXU).unwrap();
    let link = scratch.0.join("link-to-fifo");
    std::os::unix::fs::symlink(&fifo, &link).unwrap();
    let missing = scratch.0.join("missing");
    for path in [&fifo, &link, &scratch.0, &missing, Path::new("/dev/null"), Path::new("/dev/tty")] {
        let refused = Source::open(path).unwrap_err();
        assert_eq!(refused.code, ErrorCode::FileFailed);
        assert!(refused.detail.contains(path.to_str().unwrap()), "{}", refused.detail);
    }
}

#[test]
fn is_a_file_found_behind_a_link_and_called_as_the_link_is() {
    let scratch = Scratch::new("link");
    let file = scratch.file("file", b"1234");
    let link = scratch.0.join("link");
    std::os::unix::fs::symlink(&file, &link).unwrap();
    let source = Source::open(&link).unwrap();
    assert_eq!((source.name().as_str(), source.len()), ("link", 4));
}

#[test]
fn is_a_file_that_may_not_be_read_refused() {
    let scratch = Scratch::new("unreadable");
    let path = scratch.file("x", b"x");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o000)).unwrap();
    if File::open(&path).is_ok() {
        println!("skipped: root may read everything");
        return;
    }
    assert_eq!(code(Source::open(&path)), ErrorCode::FileFailed);
}

#[test]
fn is_a_part_read_as_long_as_asked_for_or_the_file_has_changed() {
    let scratch = Scratch::new("part");
    let path = scratch.file("x", b"0123456789");
    let mut source = Source::open(&path).unwrap();
    assert_eq!(source.read(3, 4).unwrap(), &b"3456"[..]);
    assert_eq!(source.read(10, 0).unwrap(), &b""[..]);
    assert_eq!(source.read(7, 4).unwrap_err().code, ErrorCode::FileChanged);
    fs::write(&path, b"012345").unwrap();
    assert_eq!(source.read(3, 4).unwrap_err().code, ErrorCode::FileChanged, "it shrank");
}

#[test]
fn is_a_part_read_as_long_as_the_limit_says_and_not_longer() {
    let scratch = Scratch::new("longest");
    let path = scratch.file("x", &content(MAX_READ_BYTES + 1));
    let mut source = Source::open(&path).unwrap();
    assert_eq!(source.read(0, MAX_READ_BYTES).unwrap().len(), MAX_READ_BYTES);
    assert_eq!(source.read(0, MAX_READ_BYTES + 1).unwrap_err().code, ErrorCode::FileFailed);
}

#[test]
fn is_a_file_that_became_another_given_no_digest() {
    let scratch = Scratch::new("changed");
    type Change = fn(&Path);
    let changes: [(&str, Change); 4] = [
        ("shrank", |path| File::options().write(true).open(path).unwrap().set_len(9).unwrap()),
        ("grew", |path| File::options().append(true).open(path).unwrap().write_all(b"more").unwrap()),
        ("was written over", |path| {
            let mut file = File::options().write(true).open(path).unwrap();
            file.write_all(b"other").unwrap();
            file.set_modified(std::time::UNIX_EPOCH + Duration::from_millis(1_700_000_000_123)).unwrap();
        }),
        ("was emptied", |path| fs::write(path, b"").unwrap()),
    ];
    for (what, change) in changes {
        for has_read in [false, true] {
            let path = scratch.file("x", &content(1_000));
            let mut source = Source::open(&path).unwrap();
            if has_read {
                source.read(0, 1_000).unwrap();
            }
            change(&path);
            assert_eq!(source.digest().unwrap_err().code, ErrorCode::FileChanged, "it {what}");
        }
    }
    let path = scratch.file("x", b"x");
    let modified = std::time::UNIX_EPOCH + Duration::from_millis(1_700_000_000_123);
    File::options().write(true).open(&path).unwrap().set_modified(modified).unwrap();
    assert_eq!(Source::open(&path).unwrap().modified_ms(), 1_700_000_000_123);
}

#[test]
fn is_the_digest_that_of_the_whole_wherever_reading_began() {
    let scratch = Scratch::new("digest");
    for len in [0, 1, HASH_BYTES - 1, HASH_BYTES, HASH_BYTES + 1, 3 * HASH_BYTES + 7] {
        let whole = content(len);
        let path = scratch.file("x", &whole);
        for from in [0, 1, len / 2, len.saturating_sub(1), len] {
            for part in [10_000, 50_000] {
                let mut source = Source::open(&path).unwrap();
                // Several receivers, one of them from the beginning.
                for at in (from..len).step_by(part) {
                    source.read(at as u64, part.min(len - at)).unwrap();
                    source.catch_up((at + part.min(len - at)) as u64).unwrap();
                    source.read((at - from) as u64, part.min(len - at)).unwrap();
                }
                assert_eq!(source.digest().unwrap(), *blake3::hash(&whole).as_bytes(), "{len} from {from}");
                assert_eq!(source.digest().unwrap(), *blake3::hash(&whole).as_bytes(), "and again");
            }
        }
    }
}

#[test]
fn is_what_was_sent_before_hashed_long_before_the_digest_is_asked_for() {
    let scratch = Scratch::new("catch-up");
    let (from, part) = (8 * HASH_BYTES as u64 + 5, 60 << 10);
    let path = scratch.file("x", &content(12 * HASH_BYTES));
    let mut source = Source::open(&path).unwrap();
    let mut at = from;
    while source.hashed < at {
        let before = source.hashed;
        source.read(at, part).unwrap();
        source.catch_up(at + part as u64).unwrap();
        assert!(source.hashed - before <= HASH_BYTES as u64, "no more at a time");
        at += part as u64;
    }
    assert!(at < from + 12 * part as u64, "after {} parts", (at - from) / part as u64);
    source.read(at, part).unwrap();
    assert_eq!(source.hashed, at + part as u64, "from there on with what is read");
}

#[test]
fn is_a_name_that_is_too_long_or_no_text_made_fit() {
    use std::{ffi::OsStr, os::unix::ffi::OsStrExt as _};
    let scratch = Scratch::new("name");
    for (bytes, fit) in [(&[b'x'; 255][..], 255), (&[0xff; 100], 255), (&[b'a', 0xff], 4)] {
        let path = scratch.0.join(OsStr::from_bytes(bytes));
        if fs::write(&path, b"").is_ok() {
            assert_eq!(Source::open(&path).unwrap().name().len(), fit);
        }
    }
}
