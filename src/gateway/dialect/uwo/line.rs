//! The lines of the protocol: what they say and how they are built.

use std::borrow::Cow;

use bytes::Bytes;

use crate::gateway::dialect::names::{file_name, head, one_word, within};

use super::{MAX_LINE_BYTES, MAX_NAME_CHARS};

pub(super) const REGISTERED: &str = "200 Registration successful";
pub(super) const INVALID: &str = "400 Invalid registration";
pub(super) const TAKEN: &str = "401 Client already registered";
pub(super) const GOODBYE: &str = "DISCONNECT CHAT/1.0";
pub(super) const BAD_HEADER: &str = "Error:  Invalid attachment header";

/// The name in `REGISTER name CHAT/1.0`, if the line is exactly that and somebody may be called so (UWO-D5).
pub(super) fn registration(line: &[u8]) -> Option<&str> {
    let line = std::str::from_utf8(line).ok()?;
    let name = line.strip_prefix("REGISTER ")?.strip_suffix(" CHAT/1.0")?;
    is_name(name).then_some(name)
}

fn is_name(name: &str) -> bool {
    let is_illegal = |c: char| c == '@' || c.is_whitespace() || c.is_control();
    let chars = name.chars().count();
    (1..=MAX_NAME_CHARS).contains(&chars) && !name.chars().any(is_illegal) && name != "all"
}

/// Whether this is a registration in three words, of any name, to which nothing is missing but its end.
pub(super) fn is_registration(text: &[u8]) -> bool {
    let word = text.strip_prefix(b"REGISTER ").and_then(|rest| rest.strip_suffix(b" CHAT/1.0"));
    word.is_some_and(|word| !word.is_empty() && !word.contains(&b' ') && !word.contains(&b'\n'))
}

/// Whether the first word of a line is this one.
pub(super) fn begins(line: &[u8], word: &str) -> bool {
    line.split(|byte| *byte == b' ').next() == Some(word.as_bytes())
}

/// A line of chat, as it is passed on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Message {
    /// With the name of who is known to have sent it (UWO-D7).
    pub(super) line: Bytes,
    /// What is said, as text.
    pub(super) text: String,
    /// Whether the line named somebody else.
    pub(super) rewritten: bool,
}

/// A line that begins with `@`, as said by `name`.
pub(super) fn message(line: &Bytes, name: &str) -> Option<Message> {
    let rest = line.strip_prefix(b"@")?;
    let ends_name = |byte: &u8| matches!(byte, b':' | b' ');
    let own = rest.strip_prefix(name.as_bytes()).filter(|after| after.first().is_none_or(ends_name));
    let said = own.unwrap_or_else(|| {
        let end = rest.iter().position(ends_name).unwrap_or(rest.len());
        rest.get(end..).unwrap_or_default()
    });
    let text = said.strip_prefix(b":").unwrap_or(said);
    let text = text.strip_prefix(b" ").unwrap_or(text);
    let line = match own {
        Some(_) => line.clone(),
        None => [b"@", name.as_bytes(), said].concat().into(),
    };
    Some(Message { line, text: String::from_utf8_lossy(text).into_owned(), rewritten: own.is_none() })
}

/// What a user asks of the server in a line of chat.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Order {
    List,
    Follows,
    Follow(String),
    Unfollow(String),
    Exit,
    Attach { path: String, terms: Vec<String> },
    Unknown,
}

/// The command in what somebody says, if it is one. A known word with too many or too few words behind it is
/// no known command: people also say "!list is my favourite".
pub(super) fn order(text: &str) -> Option<Order> {
    if !text.strip_prefix('!')?.starts_with(|c: char| c.is_ascii_alphabetic()) {
        return None;
    }
    let words: Vec<&str> = text.split(' ').filter(|word| !word.is_empty()).collect();
    Some(match words.as_slice() {
        ["!list"] => Order::List,
        ["!follow?"] => Order::Follows,
        ["!follow", term] => Order::Follow((*term).to_owned()),
        ["!unfollow", term] => Order::Unfollow((*term).to_owned()),
        ["!exit"] => Order::Exit,
        ["!attach", path, terms @ ..] => Order::Attach {
            path: (*path).to_owned(),
            terms: terms.iter().map(|term| (*term).to_owned()).collect(),
        },
        _ => Order::Unknown,
    })
}

/// What the header of a file says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Length {
    Bytes(u64),
    /// There is no such file.
    Missing,
}

/// The value of `Content-Length: N`; nothing for any other line.
pub(super) fn content_length(line: &[u8]) -> Option<Length> {
    let value = std::str::from_utf8(line).ok()?.strip_prefix("Content-Length:")?.trim_matches(' ');
    let is_number = |digits: &str| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    match value.strip_prefix('-') {
        Some(digits) => is_number(digits).then_some(Length::Missing),
        None if is_number(value) => value.parse().ok().map(Length::Bytes),
        None => None,
    }
}

/// The word between `before` and `CHAT/1.0`.
pub(super) fn control_word<'a>(line: &'a str, before: &str) -> Option<&'a str> {
    let word = line.strip_prefix(before)?.strip_prefix(' ')?.strip_suffix(" CHAT/1.0")?;
    (!word.is_empty() && !word.contains(' ')).then_some(word)
}

/// The name of a file without its directories, as one word; nothing where no name is left.
pub(super) fn base_name(path: &str) -> Option<String> {
    const MAX_FILE_NAME_BYTES: usize = 200;
    file_name(path).map(|name| head(&one_word(name), MAX_FILE_NAME_BYTES).to_owned())
}

/// A line of others, short enough for programs of this protocol.
pub(super) fn shortened(line: String) -> String {
    within(line, MAX_LINE_BYTES)
}

/// What is written to who ends lines; who does not gets all but the last byte.
pub(super) fn ended(line: &[u8], ascii_safe: bool) -> Bytes {
    let line = if ascii_safe { ascii(line) } else { Cow::Borrowed(line) };
    [line.as_ref(), b"\n"].concat().into()
}

/// Each character beyond ASCII as `?`, for programs that decode byte by byte (UWO-D6).
fn ascii(line: &[u8]) -> Cow<'_, [u8]> {
    if line.is_ascii() {
        return Cow::Borrowed(line);
    }
    let text = String::from_utf8_lossy(line);
    text.chars().map(|c| u8::try_from(c).ok().filter(u8::is_ascii).unwrap_or(b'?')).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(line: &str, name: &str) -> Option<(String, String, bool)> {
        let message = message(&Bytes::copy_from_slice(line.as_bytes()), name)?;
        let line = String::from_utf8(message.line.to_vec()).unwrap();
        Some((line, message.text, message.rewritten))
    }

    #[test]
    fn which_registrations_are_valid_d5() {
        let long = "x".repeat(MAX_NAME_CHARS);
        for name in ["alice", "a", "čeněk", "bob!", "Alice", &long] {
            assert_eq!(registration(format!("REGISTER {name} CHAT/1.0").as_bytes()), Some(name));
        }
        for line in [
            "REGISTER alice",
            "REGISTER  CHAT/1.0",
            "REGISTER CHAT/1.0",
            "REGISTER a b CHAT/1.0",
            "REGISTER all CHAT/1.0",
            "REGISTER @bob CHAT/1.0",
            "REGISTER b@b CHAT/1.0",
            "REGISTER bob CHAT/1.1",
            "REGISTER bob chat/1.0",
            "register bob CHAT/1.0",
            "REGISTER bob CHAT/1.0 ",
            " REGISTER bob CHAT/1.0",
            "REGISTER  bob CHAT/1.0",
            "REGISTER b\tb CHAT/1.0",
            "REGISTER b\u{7}b CHAT/1.0",
            "",
            "@alice: hi",
            &format!("REGISTER {long}x CHAT/1.0"),
        ] {
            assert_eq!(registration(line.as_bytes()), None, "{line:?}");
        }
        assert_eq!(registration(b"REGISTER b\xffb CHAT/1.0"), None);
    }

    #[test]
    fn who_said_what_d7() {
        let same =
            |line: &str, text: &str| assert_eq!(said(line, "bob"), Some((line.into(), text.into(), false)));
        same("@bob: hi", "hi");
        same("@bob Hello", "Hello");
        same("@bob:hi", "hi");
        same("@bob: ", "");
        same("@bob", "");
        same("@bob:  two", " two");
        let other = |line: &str, rewritten: &str| {
            assert_eq!(said(line, "bob").map(|(line, _, was)| (line, was)), Some((rewritten.into(), true)));
        };
        other("@mallory: hi", "@bob: hi");
        other("@bobby: hi", "@bob: hi");
        other("@mallory hi", "@bob hi");
        other("@:hi", "@bob:hi");
        other("@", "@bob");
        assert_eq!(said("hi", "bob"), None);
        assert_eq!(said("@a:b: hi", "a:b"), Some(("@a:b: hi".into(), "hi".into(), false)));
    }

    #[test]
    fn which_texts_are_commands() {
        assert_eq!(order("!list"), Some(Order::List));
        assert_eq!(order("!list "), Some(Order::List));
        assert_eq!(order("!follow?"), Some(Order::Follows));
        assert_eq!(order("!follow @al"), Some(Order::Follow("@al".into())));
        assert_eq!(order("!unfollow x"), Some(Order::Unfollow("x".into())));
        assert_eq!(order("!exit"), Some(Order::Exit));
        let attach = |terms: &[&str]| Order::Attach {
            path: "f.bin".into(),
            terms: terms.iter().map(|term| (*term).to_owned()).collect(),
        };
        assert_eq!(order("!attach f.bin apple pie"), Some(attach(&["apple", "pie"])));
        assert_eq!(order("!attach f.bin"), Some(attach(&[])));
        for unknown in ["!dance", "!list me", "!follow", "!follow a b", "!attach", "!LIST", "!exit now"] {
            assert_eq!(order(unknown), Some(Order::Unknown), "{unknown}");
        }
        for text in ["", "list", "!", "!!!", "! list", " !list", "!1"] {
            assert_eq!(order(text), None, "{text}");
        }
    }

    #[test]
    fn which_lengths_are_understood() {
        assert_eq!(content_length(b"Content-Length: 20"), Some(Length::Bytes(20)));
        assert_eq!(content_length(b"Content-Length: 0"), Some(Length::Bytes(0)));
        assert_eq!(content_length(b"Content-Length: -1"), Some(Length::Missing));
        for line in [
            "",
            "Content-Length",
            "Content-Length:",
            "Content-Length: ",
            "Content-Length: x",
            "Content-Length: +5",
            "Content-Length: 1 2",
            "Content-Length: 99999999999999999999999",
            "Length: 5",
            "Content-Length: -",
            "content-length: 5",
            "Content-Length: 0x10",
        ] {
            assert_eq!(content_length(line.as_bytes()), None, "{line}");
        }
    }

    #[test]
    fn does_a_file_keep_only_the_last_part_of_its_name_d8() {
        let names = [("f.bin", "f.bin"), ("/etc/passwd", "passwd"), ("a\\b.txt", "b.txt"), ("a b", "a_b")];
        for (path, name) in names {
            assert_eq!(base_name(path).as_deref(), Some(name));
        }
        assert!(["", "a/", "..", "../..", ".", "a\\"].iter().all(|path| base_name(path).is_none()));
        assert_eq!(base_name(&"č".repeat(150)).unwrap().len(), 200);
    }

    #[test]
    fn is_a_line_of_others_cut_between_characters() {
        assert_eq!(shortened("x".repeat(MAX_LINE_BYTES)).len(), MAX_LINE_BYTES);
        let cut = shortened("č".repeat(MAX_LINE_BYTES / 2 + 1));
        assert!(cut.ends_with("č …") && (MAX_LINE_BYTES - 2..=MAX_LINE_BYTES).contains(&cut.len()));
    }

    #[test]
    fn does_ascii_safe_send_a_question_mark_for_each_other_character_d6() {
        assert_eq!(ended("@al: čau 🎉".as_bytes(), true), "@al: ?au ?\n");
        assert_eq!(ended("@al: čau".as_bytes(), false), "@al: čau\n");
        assert_eq!(ended(b"\xff", false), &b"\xff\n"[..]);
        assert_eq!(ended(b"\xffa", true), "?a\n");
    }
}
