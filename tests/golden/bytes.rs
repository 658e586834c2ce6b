//! Bytes as people write and read them.

/// Reads `'text'`, `11*32` and hex, parts separated by blanks.
pub(crate) fn parse(written: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = written.trim_start();
    while !rest.is_empty() {
        let (part, after) = match rest.strip_prefix('\'') {
            Some(quoted) => quoted.split_once('\'').expect("a quote that closes"),
            None => rest.split_once(' ').unwrap_or((rest, "")),
        };
        if rest.starts_with('\'') {
            bytes.extend_from_slice(part.as_bytes());
        } else {
            bytes.extend(digits(part));
        }
        rest = after.trim_start();
    }
    bytes
}

fn digits(part: &str) -> Vec<u8> {
    let (digits, times) = part.split_once('*').unwrap_or((part, "1"));
    let byte = |i: usize| u8::from_str_radix(&digits[i..i + 2], 16).expect("two hex digits");
    let once: Vec<u8> = (0..digits.len()).step_by(2).map(byte).collect();
    once.repeat(times.parse().expect("a number of times"))
}

/// As hex, in one piece.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
