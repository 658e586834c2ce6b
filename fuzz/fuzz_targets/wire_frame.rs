#![no_main]

#[allow(dead_code, reason = "the other target uses the rest")]
#[path = "../public.rs"]
mod public;

libfuzzer_sys::fuzz_target!(|data: &[u8]| public::wire_frame(data));
