//! Where an object ends, and the first byte that cannot be part of one.

use super::{BadJson, MAX_DEPTH};

const AFTER_VALUE: &str = "after a value comes , or the end";
const UNESCAPED: &str = "; is a quote in the text without a \\ before it?";

/// What one byte did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// The object goes on.
    More,
    /// This was its last byte.
    Complete,
    /// This byte is wrong.
    Wrong(BadJson),
}

/// The grammar of one object, a byte at a time. A wrong byte is known at once, so that an unescaped quote
/// does not swallow the objects behind it. Numbers, words and escapes are only bounded here; whoever parses
/// the complete text checks them.
#[derive(Clone, Debug, Default)]
pub(super) struct Scanner {
    /// Whether each level is an object; the others are arrays.
    levels: Vec<bool>,
    expects: Expects,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Expects {
    #[default]
    Object,
    KeyOrEnd,
    Key,
    Colon,
    Value,
    ValueOrEnd,
    CommaOrEnd,
    /// Inside a number, `true`, `false` or `null`.
    Word,
    Text {
        is_key: bool,
    },
    Escape {
        is_key: bool,
    },
}

impl Scanner {
    pub(super) fn step(&mut self, byte: u8) -> Step {
        match self.expects {
            Expects::Text { is_key } => self.step_in_text(byte, is_key),
            Expects::Escape { is_key } => self.step_in_escape(byte, is_key),
            Expects::Word if byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.') => Step::More,
            Expects::Word => {
                self.expects = Expects::CommaOrEnd;
                self.step(byte)
            }
            _ if matches!(byte, b' ' | b'\t' | b'\r' | b'\n') => Step::More,
            expects => self.step_between(byte, expects),
        }
    }

    fn step_in_text(&mut self, byte: u8, is_key: bool) -> Step {
        match byte {
            b'"' => self.expects = if is_key { Expects::Colon } else { Expects::CommaOrEnd },
            b'\\' => self.expects = Expects::Escape { is_key },
            0..0x20 => {
                return wrong("control characters in a text are written as escapes such as \\n", byte, "");
            }
            _ => {}
        }
        Step::More
    }

    fn step_in_escape(&mut self, byte: u8, is_key: bool) -> Step {
        if !matches!(byte, b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' | b'u') {
            return wrong("after a \\ comes one of \" \\ / b f n r t u", byte, "");
        }
        self.expects = Expects::Text { is_key };
        Step::More
    }

    fn step_between(&mut self, byte: u8, expects: Expects) -> Step {
        match (expects, byte) {
            (Expects::Object, b'{') => self.open(true),
            (Expects::Object, _) => wrong("an object begins with {", byte, ""),
            (Expects::KeyOrEnd, b'}') => self.close(true, byte),
            (Expects::KeyOrEnd | Expects::Key, b'"') => self.expect(Expects::Text { is_key: true }),
            (Expects::KeyOrEnd | Expects::Key, _) => wrong("a key stands in \"", byte, ""),
            (Expects::Colon, b':') => self.expect(Expects::Value),
            (Expects::Colon, _) => wrong("after a key comes :", byte, UNESCAPED),
            (Expects::ValueOrEnd, b']') => self.close(false, byte),
            (Expects::CommaOrEnd, b',') => {
                let in_object = self.levels.last() == Some(&true);
                self.expect(if in_object { Expects::Key } else { Expects::Value })
            }
            (Expects::CommaOrEnd, b'}') => self.close(true, byte),
            (Expects::CommaOrEnd, b']') => self.close(false, byte),
            (Expects::CommaOrEnd, _) => wrong(AFTER_VALUE, byte, UNESCAPED),
            (_, b'"') => self.expect(Expects::Text { is_key: false }),
            (_, b'{') => self.open(true),
            (_, b'[') => self.open(false),
            (_, b'-' | b'0'..=b'9' | b't' | b'f' | b'n') => self.expect(Expects::Word),
            _ => wrong("a value is a \"text\", a number, true, false, null, {} or []", byte, ""),
        }
    }

    fn expect(&mut self, expects: Expects) -> Step {
        self.expects = expects;
        Step::More
    }

    fn open(&mut self, is_object: bool) -> Step {
        if self.levels.len() >= MAX_DEPTH {
            return Step::Wrong(BadJson::TooDeep);
        }
        self.levels.push(is_object);
        self.expect(if is_object { Expects::KeyOrEnd } else { Expects::ValueOrEnd })
    }

    fn close(&mut self, is_object: bool, byte: u8) -> Step {
        if self.levels.last() != Some(&is_object) {
            return wrong(AFTER_VALUE, byte, "");
        }
        self.levels.pop();
        if self.levels.is_empty() {
            return Step::Complete;
        }
        self.expect(Expects::CommaOrEnd)
    }
}

fn wrong(expected: &'static str, byte: u8, hint: &'static str) -> Step {
    Step::Wrong(BadJson::Misplaced { expected, found: shown(byte), hint })
}

/// A byte as a character; those of longer characters are not told apart.
pub(super) fn shown(byte: u8) -> char {
    if byte.is_ascii() { char::from(byte) } else { char::REPLACEMENT_CHARACTER }
}
