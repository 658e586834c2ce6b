//! Disks that are full or fail, and how often they are asked to be sure. Needs `strace` and the right to
//! mount; says so and passes where they are missing.

use std::{env, process::Command};

use super::*;

/// Where the child finds its history.
const CHILD: &str = "SAYAGAIN_STORE_CHILD";

const BATCHES: u64 = 6;
const BATCH: u64 = 100;

fn can(program: &str, arguments: &[&str]) -> bool {
    let able = Command::new(program).args(arguments).output().is_ok_and(|output| output.status.success());
    if !able {
        println!("skipped: {program} {} does not work here", arguments.join(" "));
    }
    able
}

/// What a child that was traced left behind.
struct Traced {
    scratch: Scratch,
    /// What it was told: each `ok`, `full` or `failed`.
    told: Vec<String>,
    /// Its calls, those of the store between marks.
    calls: Vec<String>,
}

/// Runs [`as_a_child`] under strace, `expressions` as to its `-e`.
fn traced(name: &str, expressions: &[&str]) -> Traced {
    let scratch = Scratch::new(name);
    let log = scratch.0.join("calls");
    let (_, module) = module_path!().split_once("::").unwrap();
    let status = Command::new("strace")
        .args(["-f", "-qq", "-y", "-o"])
        .arg(&log)
        .args(expressions.iter().flat_map(|expression| ["-e", expression]))
        .arg(env::current_exe().unwrap())
        .args([&format!("{module}::as_a_child"), "--exact", "--ignored", "--test-threads=1"])
        .env(CHILD, scratch.file())
        .output()
        .unwrap();
    assert!(status.status.success(), "{}", String::from_utf8_lossy(&status.stdout));
    let read = |path| fs::read_to_string(path).unwrap().lines().map(str::to_owned).collect();
    Traced { told: read(scratch.0.join("told")), calls: read(log), scratch }
}

/// A call that a trace shows.
fn mark(name: &str) {
    let _ = Path::new("/mark").join(name).exists();
}

#[test]
#[ignore = "a part of other tests, which run it under strace"]
fn as_a_child() {
    let Ok(path) = env::var(CHILD) else { return };
    let mut told = Vec::new();
    if let Ok(mut opened) = open(Path::new(&path), SAFE) {
        told.push("opened");
        live(&mut *opened.writer, &mut told);
    }
    fs::write(Path::new(&path).with_file_name("told"), told.join("\n")).unwrap();
}

fn live(writer: &mut dyn Writer, told: &mut Vec<&'static str>) {
    for batch in 0..BATCHES {
        let entries = lines(1, batch * BATCH..(batch + 1) * BATCH, 100);
        let mut outcome;
        loop {
            mark("append");
            outcome = writer.append(&entries);
            mark("appended");
            if !matches!(outcome, Err(StoreError::Full(_))) {
                break;
            }
            told.push("full");
        }
        if outcome.is_ok() {
            told.push("ok");
            if batch % 3 == 2 {
                mark("idle");
                outcome = writer.idle();
                mark("idled");
            }
        }
        if let Err(error) = outcome
            && !matches!(error, StoreError::Full(_))
        {
            assert!(matches!(error, StoreError::Failed { .. }), "{error}");
            told.push("failed");
            assert_eq!(writer.append(&entries), Err(error.clone()));
            assert_eq!(writer.append(&[]), Err(error.clone()));
            assert_eq!(writer.retain(&lobby(), EVERYTHING, 0), Err(error.clone()));
            assert_eq!(writer.survey(), Err(error.clone()));
            assert_eq!(writer.idle(), Err(error));
            return;
        }
    }
    mark("nothing");
    writer.idle().unwrap();
    mark("done");
}

fn between<'a>(calls: &'a [String], from: &str, to: &str) -> Vec<&'a String> {
    let is_at = |call: &String, name: &str| call.contains(&format!("\"/mark/{name}\""));
    let after = calls.iter().skip_while(|call| !is_at(call, from)).skip(1);
    after.take_while(|call| !is_at(call, to)).collect()
}

/// What is in the history is what was acknowledged, and perhaps the one batch that failed.
fn assert_kept(traced: &Traced, what: &str) {
    let path = traced.scratch.file();
    let acknowledged = traced.told.iter().filter(|word| *word == "ok").count() as u64 * BATCH;
    let mut opened = open(&path, FAST).unwrap_or_else(|error| panic!("{what}: {error}"));
    let (_, all) = survey_and_rooms(&mut *opened.writer, &mut *opened.reader).unwrap();
    let kept = all.len() as u64;
    assert!(kept == acknowledged || kept == acknowledged + BATCH, "{what}: {kept} of {acknowledged}");
    verify(&path).unwrap();
}

#[test]
fn how_often_is_the_disk_asked_to_be_sure() {
    if !can("strace", &["-qq", "true"]) {
        return;
    }
    let traced = traced("syncs", &["trace=fsync,fdatasync,statx,write,pwrite64,pread64,fcntl"]);
    let syncs = |calls: Vec<&String>| calls.iter().filter(|call| call.contains("sync(")).count();
    let appends: Vec<usize> = traced
        .calls
        .split(|call| call.contains("\"/mark/append\""))
        .skip(1)
        .map(|calls| syncs(calls.iter().take_while(|call| !call.contains("appended\"")).collect()))
        .collect();
    // Before the first page of a log that begins anew its header is made sure of, and the directory of a new one.
    assert_eq!(appends, [3, 1, 1, 2, 1, 1], "one for each batch");
    assert_eq!(syncs(between(&traced.calls, "idle", "idled")), 2, "the log before the file, then the file");
    let idle = between(&traced.calls, "nothing", "done");
    assert!(idle.is_empty(), "{idle:?}");
}

#[test]
fn is_nothing_tried_again_after_a_failed_sync() {
    if !can("strace", &["-qq", "true"]) {
        return;
    }
    let mut failures = 0;
    for nth in 1..=20 {
        let inject = format!("inject=fsync,fdatasync:error=EIO:when={nth}");
        let traced = traced("sync-fails", &["trace=fsync,fdatasync", &inject]);
        let injected = traced.calls.iter().position(|call| call.contains("INJECTED"));
        if traced.told.first().is_some_and(|word| word == "opened") {
            let failed = traced.told.last().is_some_and(|word| word == "failed");
            // SQLite says nothing about a directory, which was synced before.
            let injected = injected.filter(|at| traced.calls[*at].contains("/history"));
            assert_eq!(failed, injected.is_some(), "{nth}: {:?}", traced.calls);
            assert!(injected.is_none_or(|at| at + 1 == traced.calls.len()), "{nth}: {:?}", traced.calls);
            assert_kept(&traced, &format!("sync {nth} failed"));
            failures += usize::from(failed);
        }
    }
    assert!(failures > 8, "{failures}");
}

#[test]
fn is_a_failed_write_the_end_and_a_full_disk_not() {
    if !can("strace", &["-qq", "true"]) {
        return;
    }
    let (mut failures, mut fulls) = (0, 0);
    for nth in (1..=150).step_by(11) {
        let inject = format!("inject=pwrite64:error=EIO:when={nth}");
        let failed = traced("write-fails", &["trace=pwrite64", &inject]);
        if !failed.told.is_empty() {
            assert_kept(&failed, &format!("write {nth} failed"));
        }
        failures += failed.told.iter().filter(|word| *word == "failed").count();
        let inject = format!("inject=pwrite64:error=ENOSPC:when={nth}");
        let full = traced("write-full", &["trace=pwrite64", &inject]);
        if !full.told.is_empty() {
            let kept = full.told.iter().filter(|word| *word == "ok").count() as u64;
            assert_eq!(kept, BATCHES, "{nth}: {:?}", full.told);
            assert_kept(&full, &format!("no space for write {nth}"));
        }
        fulls += full.told.iter().filter(|word| *word == "full").count();
    }
    assert!(failures > 5 && fulls > 5, "{failures} failures, {fulls} times full");
}

struct Mount(PathBuf);

impl Drop for Mount {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.0).status();
    }
}

#[test]
fn does_a_node_outlive_a_full_disk() {
    let scratch = Scratch::new("full");
    let dir = scratch.0.join("small");
    fs::create_dir_all(&dir).unwrap();
    if !can("mount", &["-t", "tmpfs", "-o", "size=1m", "none", dir.to_str().unwrap()]) {
        return;
    }
    let _mount = Mount(dir.clone());
    let (path, ballast) = (dir.join("history"), dir.join("ballast"));
    let mut opened = open(&path, SAFE).unwrap();
    fs::write(&ballast, vec![0; 200 << 10]).unwrap();
    let mut acknowledged = 0;
    // Each with somebody new and for a room that may be new.
    let batch = |from: u64| {
        let stranger = record(&room("attic"), (from / 20) as u8 + 2, 0, "hello");
        [lines(1, from..from + 19, 500), vec![entry(stranger, 5)]].concat()
    };
    while let Ok(()) = opened.writer.append(&batch(acknowledged)) {
        acknowledged += 20;
        if acknowledged % 200 == 0 {
            let _ = opened.writer.idle();
        }
    }
    assert!(acknowledged > 100, "{acknowledged}");
    let before = survey_and_rooms(&mut *opened.writer, &mut *opened.reader).unwrap();
    assert_eq!(before.1.len() as u64, acknowledged, "nothing of the batch is there");
    for _ in 0..3 {
        assert_eq!(opened.writer.append(&batch(acknowledged)), Err(StoreError::Full(path.clone())));
    }
    assert_eq!(survey_and_rooms(&mut *opened.writer, &mut *opened.reader).unwrap(), before);
    fs::remove_file(&ballast).unwrap();
    opened.writer.append(&batch(acknowledged)).unwrap();
    drop(opened);
    let kept: u64 = verify(&path).unwrap().rooms.iter().map(|room| room.records).sum();
    assert_eq!(kept, acknowledged + 20);
}
