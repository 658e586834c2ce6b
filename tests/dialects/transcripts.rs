//! Conversations byte for byte. Where the protocol has framing it must not matter how bytes are cut.

use crate::script::play_all;

#[test]
fn is_iowa_spoken_byte_for_byte() {
    play_all("iowa", usize::MAX);
}

#[test]
fn is_uwo_spoken_byte_for_byte() {
    play_all("uwo", usize::MAX);
}

#[test]
fn is_uwo_the_same_in_pieces_of_any_size() {
    [1, 2, 256, 512].into_iter().for_each(|size| play_all("uwo", size));
}

#[test]
fn is_vsb_spoken_byte_for_byte() {
    play_all("vsb", usize::MAX);
}

/// V14
#[test]
fn is_vsb_the_same_in_pieces_of_any_size() {
    [1, 2, 256, 512].into_iter().for_each(|size| play_all("vsb", size));
}

#[test]
fn is_lums_spoken_byte_for_byte() {
    play_all("lums", usize::MAX);
}

#[test]
fn is_lums_udp_spoken_byte_for_byte() {
    play_all("lums-udp", usize::MAX);
}
