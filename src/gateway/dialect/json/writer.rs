//! JSON as Python's `json.dumps` writes it: ASCII only, `", "` and `": "`. Programs written for the
//! assignments decode a byte at a time, or look for keys by their place.

use std::fmt::Write as _;

/// A value to be written.
#[derive(Clone, Copy, Debug)]
pub(in super::super) enum Field<'a> {
    /// A text.
    Text(&'a str),
    /// A number.
    Number(u64),
    /// Another object.
    Object(&'a [(&'a str, Self)]),
}

/// An object with its keys in this order.
pub(in super::super) fn object(fields: &[(&str, Field<'_>)]) -> String {
    let mut out = String::new();
    write_object(&mut out, fields);
    out
}

/// A text in quotes.
pub(in super::super) fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    write_text(&mut out, text);
    out
}

/// JSON with what is not ASCII as escapes; such characters stand in texts only.
pub(super) fn escape_beyond_ascii(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for c in json.chars() {
        if c.is_ascii() { out.push(c) } else { write_units(&mut out, c) }
    }
    out
}

fn write_object(out: &mut String, fields: &[(&str, Field<'_>)]) {
    out.push('{');
    for (at, (key, value)) in fields.iter().enumerate() {
        if at > 0 {
            out.push_str(", ");
        }
        write_text(out, key);
        out.push_str(": ");
        match value {
            Field::Text(text) => write_text(out, text),
            Field::Number(number) => out.push_str(&number.to_string()),
            Field::Object(fields) => write_object(out, fields),
        }
    }
    out.push('}');
}

fn write_text(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            ' '..='~' => out.push(c),
            _ => write_units(out, c),
        }
    }
    out.push('"');
}

/// A character beyond U+FFFF is two escapes.
fn write_units(out: &mut String, c: char) {
    for unit in c.encode_utf16(&mut [0; 2]) {
        // Writing to a `String` does not fail.
        let _ = write!(out, "\\u{unit:04x}");
    }
}
