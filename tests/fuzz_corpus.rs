//! What the fuzzer found through the public interface, again. See `fuzz/README.md`.

#![expect(clippy::unwrap_used, clippy::print_stderr, reason = "a test may fail by panicking, and says where")]

#[allow(unreachable_pub, reason = "the fuzz package has it in another crate")]
#[path = "../fuzz/public.rs"]
mod public;

use std::{fs, path::Path};

fn replay(target: &str, act: impl Fn(&[u8])) {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let mut paths: Vec<_> = fs::read_dir(corpus).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    assert!(paths.len() > 10, "the corpus was found");
    for path in paths {
        eprintln!("{}", path.display());
        act(&fs::read(path).unwrap());
    }
}

#[test]
fn does_no_frame_of_the_fuzz_corpus_break_a_promise() {
    replay("wire_frame", public::wire_frame);
}

#[test]
fn does_no_stream_of_the_fuzz_corpus_break_a_promise() {
    replay("framing", public::framing);
}
