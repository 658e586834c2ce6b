#![no_main]

use std::{
    alloc::{GlobalAlloc, Layout, System},
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
    time::Instant,
};

use sayagain::transport::udp::proto::fuzzing;

/// Bytes that the two hosts of one script may hold at once, with everything that flies between them. A
/// script sends 1 MiB of messages at most.
const MAX_HELD: usize = 16 << 20;

/// Counts what is allocated.
struct Counting;

static HELD: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call is the system allocator's, with what it was called with.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let held = HELD.fetch_add(layout.size(), Relaxed) + layout.size();
        PEAK.fetch_max(held, Relaxed);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        HELD.fetch_sub(layout.size(), Relaxed);
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let before = HELD.load(Relaxed);
    PEAK.store(before, Relaxed);
    fuzzing::connection(data, Instant::now());
    let peak = PEAK.load(Relaxed).saturating_sub(before);
    assert!(peak <= MAX_HELD, "{peak} bytes were held");
});
