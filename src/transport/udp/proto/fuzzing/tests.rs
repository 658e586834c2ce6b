//! What the fuzzer found, again.

use std::{fs, panic, path::Path, time::Instant};

use super::super::config::{Config, Mutant};

/// The inputs kept for a target. A package without the fuzzer's folder has none.
fn corpus(target: &str) -> Vec<(String, Vec<u8>)> {
    let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz");
    if !fuzz.exists() {
        return Vec::new();
    }
    let entries = fs::read_dir(fuzz.join("corpus").join(target)).unwrap();
    let mut inputs: Vec<(String, Vec<u8>)> = entries
        .map(|entry| entry.unwrap().path())
        .map(|path| (path.display().to_string(), fs::read(&path).unwrap()))
        .collect();
    inputs.sort();
    assert!(inputs.len() > 10, "the corpus was found");
    inputs
}

fn replay(target: &str, act: impl Fn(&[u8])) {
    for (name, input) in corpus(target) {
        eprintln!("{name}");
        act(&input);
    }
}

#[test]
fn does_no_packet_of_the_corpus_break_a_promise() {
    replay("packet", super::packet);
}

#[test]
fn does_no_frame_of_the_corpus_break_a_promise() {
    replay("frames", super::frames);
}

#[test]
#[expect(clippy::disallowed_methods, reason = "a starting point for virtual time")]
fn does_no_script_of_the_corpus_break_a_promise() {
    let start = Instant::now();
    replay("connection", |input| super::connection(input, start));
}

/// Lets everything happen that does.
const RUN: [u8; 2] = [18, 63];

/// Host 0 sends 32 bytes of chat.
const SAY: [u8; 4] = [11, 2, 1, 32];

/// Host 0 sends 4,200 bytes of a file.
const SEND_FILE: [u8; 5] = [11, 6, 1, 212, 200];

/// What host 0 has in the air is lost.
const LOSE: [u8; 2] = [31, 0];

/// The second oldest datagram of host 0 arrives.
const OVERTAKE: [u8; 2] = [0, 2];

/// The oldest datagram of host 0 arrives with byte 40 changed.
const ALTER: [u8; 5] = [5, 0, 0, 40, 2];

/// The oldest datagram of host 0 comes from where nobody is, and then from host 0.
const SPOOF: [u8; 3] = [6, 0, 4];

#[test]
#[expect(clippy::disallowed_methods, reason = "a starting point for virtual time")]
fn would_a_script_notice_a_fault() {
    let start = Instant::now();
    let survives = |mutant, script: &[u8]| {
        let config = Config { mutant, ..Config::default() };
        panic::catch_unwind(|| super::connection::act(script, config, start)).is_ok()
    };
    let lossy = [&RUN[..], &SEND_FILE, &LOSE, &SAY, &RUN].concat();
    let reordered = [&RUN[..], &SAY, &SAY, &OVERTAKE, &RUN].concat();
    let altered = [&RUN[..], &SAY, &ALTER, &RUN].concat();
    let spoofed = [&RUN[..], &SAY, &SPOOF, &RUN, &SAY, &RUN].concat();
    for (mutant, script) in [
        (Mutant::NoRetransmission, &lossy),
        (Mutant::NoOrder, &reordered),
        (Mutant::NoAuthentication, &altered),
        (Mutant::NoPathValidation, &spoofed),
    ] {
        assert!(survives(None, script), "without a fault: {script:?}");
        assert!(!survives(Some(mutant), script), "{mutant:?}");
    }
}
