//! What is fuzzed through the package's public interface; also replayed by `tests/fuzz_corpus.rs`.

use sayagain::{
    transport::framing::{Decoder, FramingError, Unit, message_header},
    wire::{self, MAX_FRAME_BYTES},
};

/// A frame of the chat: what decodes is encoded again, and the same bytes come out, but for numbers
/// that were longer than they need be. These bytes are final.
pub(crate) fn wire_frame(data: &[u8]) {
    let Ok(frame) = wire::decode(data) else { return };
    let again = wire::encode(&frame).expect("what was read is within the limit");
    assert!(again.len() <= data.len().min(MAX_FRAME_BYTES), "the shortest form is no longer");
    assert_eq!(wire::decode(&again).as_ref(), Ok(&frame), "the same frame");
    assert_eq!(wire::encode(&frame).as_ref(), Ok(&again), "always the same bytes");
}

/// A stream in pieces: the first byte seeds the cuts. However it is cut, the same units come out, and
/// written again they are the stream, as far as it is whole.
pub(crate) fn framing(data: &[u8]) {
    let Some((&seed, stream)) = data.split_first() else { return };
    let (whole, mid) = units(std::iter::once(stream));
    let (pieces, mid_of_pieces) = units(cut(stream, seed));
    assert_eq!(whole, pieces, "cuts make no difference");
    assert_eq!(mid, mid_of_pieces, "nor to where it ends");
    let written = write(&whole.0);
    if whole.0.iter().all(is_exact) {
        assert!(stream.starts_with(&written), "the same bytes again");
        let ends_with_it = written.len() == stream.len();
        assert_eq!(whole.1.is_none() && !mid, ends_with_it, "and nothing was passed over");
    }
}

/// The units of a stream, why they end early, and whether the stream ends within one.
fn units<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> ((Vec<Unit>, Option<FramingError>), bool) {
    let (mut decoder, mut units) = (Decoder::default(), Vec::new());
    for mut piece in pieces {
        loop {
            match decoder.decode(&mut piece) {
                Ok(Some(unit)) => units.push(unit),
                Ok(None) => break,
                Err(error) => return ((units, Some(error)), false),
            }
        }
        assert!(piece.is_empty(), "nothing is left behind");
    }
    ((units, None), decoder.is_mid_unit())
}

fn cut(stream: &[u8], seed: u8) -> impl Iterator<Item = &[u8]> {
    let (mut rest, mut state) = (stream, u32::from(seed) + 1);
    std::iter::from_fn(move || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let (piece, tail) = rest.split_at_checked((state >> 24) as usize % 9 + 1).unwrap_or((rest, &[]));
        rest = tail;
        (!piece.is_empty()).then_some(piece)
    })
}

/// Whether it says byte for byte what was read: a text that is none is mended.
fn is_exact(unit: &Unit) -> bool {
    use sayagain::transport::framing::Control;
    !matches!(unit, Unit::Control(Control::Close { text, .. }) if text.contains('\u{fffd}'))
}

fn write(units: &[Unit]) -> Vec<u8> {
    let mut out = Vec::new();
    for unit in units {
        match unit {
            Unit::Message(message) => {
                out.extend_from_slice(&message_header(message.len()).expect("it was read"));
                out.extend_from_slice(message);
            }
            Unit::Control(control) => control.encode(&mut out),
        }
    }
    out
}
