//! Names and lines across the border: what is legal on one side may not be on the other.

use crate::wire::Nick;

/// The name under which others see somebody called `name` in a course protocol, whose names follow other
/// rules. The second value tells whether it is the same name.
pub fn safe_nick(name: &str) -> (Nick, bool) {
    name.parse().map_or_else(|_| (Nick::resembling(name), false), |nick| (nick, true))
}

/// A name among us without the mark that guests have: the plain word that every course protocol can say.
pub fn plain(name: &str) -> &str {
    name.strip_prefix('~').unwrap_or(name)
}

/// Text of others as it may go out in one line of a protocol that ends lines with `\n`: ends of line become
/// one space, other control characters are shown as escapes.
pub fn clean_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\r' if chars.peek() == Some(&'\n') => {}
            '\r' | '\n' => line.push(' '),
            '\t' => line.push(c),
            c if c.is_control() => line.extend(c.escape_unicode()),
            c => line.push(c),
        }
    }
    line
}

/// Text that is cut, visibly, where it is longer than this many bytes.
pub(super) fn within(text: String, max_bytes: usize) -> String {
    const MORE: &str = " …";
    if text.len() <= max_bytes {
        return text;
    }
    format!("{}{MORE}", head(&text, max_bytes.saturating_sub(MORE.len())))
}

/// As many whole characters as fit.
pub(super) fn head(text: &str, max_bytes: usize) -> &str {
    (0..=max_bytes.min(text.len())).rev().find_map(|end| text.get(..end)).unwrap_or_default()
}

/// A name as one word, whatever it was.
pub(super) fn one_word(name: &str) -> String {
    name.replace(|c: char| c.is_whitespace() || c.is_control(), "_")
}

/// The name of a file without directories, if anything is left of it.
pub(super) fn file_name(path: &str) -> Option<&str> {
    let name = path.rsplit(['/', '\\']).next().unwrap_or_default();
    (!matches!(name, "" | "." | "..")).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_any_name_made_one_that_others_can_see() {
        let seen = |name: &str| safe_nick(name).0.as_str().to_owned();
        assert_eq!(safe_nick("alice"), ("alice".parse().unwrap(), true));
        assert_eq!(seen("127.0.0.1:37916"), "127.0.0.1-37916");
        assert_eq!(seen("[::1]:5"), "1--5");
        assert_eq!(seen("Jürgen K."), "J-rgen-K.");
        assert_eq!([seen(""), seen("  "), seen("čč"), seen("all")], ["guest"; 4]);
        assert_eq!(seen(&"x".repeat(100)).len(), 32);
    }

    #[test]
    fn does_text_of_others_stay_one_line() {
        assert_eq!(clean_line("a\r\nb\nc\rd\te\u{1b}[2J"), "a b c d\te\\u{1b}[2J");
    }
}
