//! Objects out of a stream.

use super::{
    BadJson, Fields, MAX_OBJECT_BYTES,
    scanner::{Scanner, Step, shown},
    writer::escape_beyond_ascii,
};

/// One object as it came.
#[derive(Clone, Debug, PartialEq)]
pub(in super::super) struct Object {
    /// The text as sent, to be passed on: keys in their order and spaces where they were. Only characters
    /// beyond ASCII are written as escapes.
    pub(in super::super) text: String,
    /// What it says; of a key that came twice the last.
    pub(in super::super) fields: Fields,
}

/// Finds objects in a stream, wherever reads cut it. Holds at most [`MAX_OBJECT_BYTES`]. After a mistake it
/// goes on at the next `{`.
#[derive(Clone, Debug, Default)]
pub(in super::super) struct ObjectReader {
    text: Vec<u8>,
    scanner: Option<Scanner>,
    /// Whether it was told already that what passes now is no object.
    told: bool,
}

impl ObjectReader {
    /// What these bytes complete, in order: at most one entry for each of them.
    pub(in super::super) fn read(&mut self, bytes: &[u8]) -> Vec<Result<Object, BadJson>> {
        bytes.iter().filter_map(|byte| self.step(*byte)).collect()
    }

    fn step(&mut self, byte: u8) -> Option<Result<Object, BadJson>> {
        let Some(scanner) = &mut self.scanner else { return self.step_outside(byte).map(Err) };
        let step = scanner.step(byte);
        if let Step::Wrong(why) = step {
            self.give_up();
            // It may be the start of the next object where only the end of this one is missing.
            if why != BadJson::TooDeep && byte == b'{' {
                self.step_outside(byte);
            }
            return Some(Err(why));
        }
        if self.text.len() >= MAX_OBJECT_BYTES {
            self.give_up();
            return Some(Err(BadJson::TooLong));
        }
        self.text.push(byte);
        if step == Step::More {
            return None;
        }
        self.scanner = None;
        self.told = false;
        Some(parsed(&std::mem::take(&mut self.text)))
    }

    fn step_outside(&mut self, byte: u8) -> Option<BadJson> {
        if byte == b'{' {
            let mut scanner = Scanner::default();
            scanner.step(byte);
            self.scanner = Some(scanner);
            self.text.push(byte);
            return None;
        }
        if self.told || byte.is_ascii_whitespace() {
            return None;
        }
        self.told = true;
        Some(BadJson::Outside(shown(byte)))
    }

    fn give_up(&mut self) {
        self.scanner = None;
        self.text = Vec::new();
        self.told = true;
    }

    /// Bytes of an object that is not complete.
    #[cfg(test)]
    pub(super) fn held(&self) -> usize {
        self.text.len()
    }
}

/// The object that a text is, with nothing but white space around it. Its length is the caller's to bound.
///
/// # Errors
/// [`BadJson`] says which rule it breaks.
pub(in super::super) fn parse(text: &[u8]) -> Result<Object, BadJson> {
    let text = text.trim_ascii();
    let mut scanner = Scanner::default();
    for (at, byte) in text.iter().enumerate() {
        match scanner.step(*byte) {
            Step::More => {}
            Step::Wrong(why) => return Err(why),
            Step::Complete => {
                return text.get(at + 1).map_or_else(|| parsed(text), |rest| Err(after_end(*rest)));
            }
        }
    }
    Err(BadJson::Incomplete)
}

fn after_end(byte: u8) -> BadJson {
    BadJson::Misplaced { expected: "nothing follows the object in its line", found: shown(byte), hint: "" }
}

fn parsed(text: &[u8]) -> Result<Object, BadJson> {
    let text = escape_beyond_ascii(&String::from_utf8_lossy(text));
    let fields = serde_json::from_str(&without_lone_surrogates(&text));
    fields.map(|fields| Object { text, fields }).map_err(|why| BadJson::Invalid(why.to_string()))
}

/// Python reads and writes halves of surrogate pairs (that is how it carries input that is no UTF-8); we read
/// them as U+FFFD. The text is ASCII.
fn without_lone_surrogates(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        let (before, escape) = rest.split_at(at);
        clean.push_str(before);
        let (kept, len) = match (unit(escape), escape.get(6..).and_then(unit)) {
            (Some(0xd800..0xdc00), Some(0xdc00..0xe000)) => (escape.get(..12), 12),
            (Some(0xd800..0xe000), _) => (Some("\\ufffd"), 6),
            (Some(_), _) => (escape.get(..6), 6),
            (None, _) => (escape.get(..2), 2),
        };
        clean.push_str(kept.unwrap_or(escape));
        rest = escape.get(len..).unwrap_or("");
    }
    clean.push_str(rest);
    clean
}

/// The UTF-16 unit that an escape at the start of `text` stands for.
fn unit(text: &str) -> Option<u16> {
    let digits = text.strip_prefix("\\u")?.get(..4)?;
    digits.bytes().all(|byte| byte.is_ascii_hexdigit()).then(|| u16::from_str_radix(digits, 16).ok())?
}
