#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| sayagain::transport::udp::proto::fuzzing::frames(data));
