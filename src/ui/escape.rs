//! JSON that is inert on a terminal: the same value to every parser, but nothing in it acts.

use std::io;

use serde::Serialize;
use serde_json::ser::{CharEscape, Formatter};

use super::clean::is_hidden;

/// Compact JSON on one line, with every character that acts or hides written as a `\u` escape;
/// serde_json alone escapes only those below U+0020.
pub(super) fn to_json<T: Serialize>(value: &T) -> serde_json::Result<String> {
    let mut bytes = Vec::new();
    let mut serializer = serde_json::Serializer::with_formatter(&mut bytes, Inert);
    value.serialize(&mut serializer)?;
    String::from_utf8(bytes).map_err(serde::ser::Error::custom)
}

struct Inert;

impl Formatter for Inert {
    fn write_string_fragment<W: ?Sized + io::Write>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        for part in fragment.split_inclusive(is_hidden) {
            let hidden = part.chars().next_back().filter(|c| is_hidden(*c));
            let plain = hidden.and_then(|c| part.strip_suffix(c)).unwrap_or(part);
            writer.write_all(plain.as_bytes())?;
            if let Some(hidden) = hidden {
                write_escaped(writer, hidden)?;
            }
        }
        Ok(())
    }

    fn write_char_escape<W: ?Sized + io::Write>(
        &mut self,
        writer: &mut W,
        escape: CharEscape,
    ) -> io::Result<()> {
        serde_json::ser::CompactFormatter.write_char_escape(writer, escape)
    }
}

fn write_escaped<W: ?Sized + io::Write>(writer: &mut W, c: char) -> io::Result<()> {
    c.encode_utf16(&mut [0; 2]).iter().try_for_each(|unit| write!(writer, "\\u{unit:04x}"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn are_characters_that_act_escaped() {
        assert_eq!(to_json(&"\x1b[0m").unwrap(), r#""\u001b[0m""#);
        assert_eq!(to_json(&"a\u{9b}b\x7f").unwrap(), r#""a\u009bb\u007f""#);
        assert_eq!(to_json(&"\u{202e}\u{2028}\u{200b}x").unwrap(), r#""\u202e\u2028\u200bx""#);
        assert_eq!(to_json(&"\u{e0041}").unwrap(), r#""\udb40\udc41""#);
        assert_eq!(to_json(&"q\"\\\n").unwrap(), r#""q\"\\\n""#);
    }

    proptest! {
        #[test]
        fn does_a_parser_read_the_same_value(text in any::<String>()) {
            let json = to_json(&text).unwrap();
            prop_assert!(!json.chars().any(is_hidden));
            prop_assert_eq!(serde_json::from_str::<String>(&json).unwrap(), text);
        }
    }
}
