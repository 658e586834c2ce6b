//! Text that others wrote, made harmless where it leaves: on a screen, in a log, in a file name.
//!
//! Escape sequences are never parsed, because one without an end would swallow what follows it;
//! each character that could act on a terminal, or lie about the order of the others, is shown.

use std::{borrow::Cow, fmt::Write as _};

/// Marks that may stand on one base character; more of them would climb over the lines above.
const MAX_MARKS: usize = 8;

/// The text on one line with nothing in it that acts or hides: a line break is shown as `\n`, a tab
/// as a space, any other such character as `\x1b` or `\u{202e}`.
pub fn clean(text: &str) -> Cow<'_, str> {
    if text.chars().all(is_plain) {
        return Cow::Borrowed(text);
    }
    let mut cleaned = String::with_capacity(text.len() + 16);
    let mut marks = 0;
    for c in text.chars() {
        marks = if is_mark(c) { marks + 1 } else { 0 };
        if marks <= MAX_MARKS {
            push(&mut cleaned, c);
        }
    }
    Cow::Owned(cleaned)
}

/// Whether a character does not show itself but acts on what shows the others. The zero-width joiner
/// and the variation selectors are not among them: emoji and several scripts need them.
pub fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

fn is_plain(c: char) -> bool {
    !is_hidden(c) && !is_mark(c)
}

fn push(cleaned: &mut String, c: char) {
    match c {
        '\n' => cleaned.push_str("\\n"),
        '\t' => cleaned.push(' '),
        c if !is_hidden(c) => cleaned.push(c),
        // Writing to a String cannot fail.
        c if u32::from(c) <= 0xff => drop(write!(cleaned, "\\x{:02x}", u32::from(c))),
        c => drop(write!(cleaned, "\\u{{{:x}}}", u32::from(c))),
    }
}

/// The blocks of marks that go over, under or through the character before them.
fn is_mark(c: char) -> bool {
    matches!(c,
        '\u{300}'..='\u{36f}' | '\u{483}'..='\u{489}' | '\u{591}'..='\u{5bd}' | '\u{610}'..='\u{61a}'
        | '\u{64b}'..='\u{65f}' | '\u{e31}' | '\u{e34}'..='\u{e3a}' | '\u{e47}'..='\u{e4e}'
        | '\u{1ab0}'..='\u{1aff}' | '\u{1dc0}'..='\u{1dff}' | '\u{20d0}'..='\u{20ff}'
        | '\u{fe00}'..='\u{fe0f}' | '\u{fe20}'..='\u{fe2f}' | '\u{e0100}'..='\u{e01ef}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn do_control_characters_become_visible() {
        assert_eq!(clean("\x1b[2J\x1b[Hcleared"), "\\x1b[2J\\x1b[Hcleared");
        assert_eq!(clean("\u{9b}31m"), "\\x9b31m");
        assert_eq!(clean("\x1b]0;oops and the rest"), "\\x1b]0;oops and the rest");
        assert_eq!(clean("del\x7f nul\0 bell\x07 cr\r"), "del\\x7f nul\\x00 bell\\x07 cr\\x0d");
    }

    #[test]
    fn do_marks_of_order_and_width_become_visible() {
        assert_eq!(clean("\u{202e}gnp.exe"), "\\u{202e}gnp.exe");
        assert_eq!(clean("a\u{200b}b\u{2066}c\u{feff}"), "a\\u{200b}b\\u{2066}c\\u{feff}");
        assert_eq!(clean("a\u{2028}b\u{e0041}"), "a\\u{2028}b\\u{e0041}");
    }

    #[test]
    fn does_a_line_stay_one_line() {
        assert_eq!(clean("two\nlines\tand a tab"), "two\\nlines and a tab");
    }

    #[test]
    fn does_ordinary_text_stay_as_it_is() {
        for text in ["hello", "naïve café", "日本語", "שלום", "👩\u{200d}🚀 ❤\u{fe0f}", "e\u{301}"]
        {
            assert_eq!(clean(text), text);
        }
        assert!(matches!(clean("hello"), Cow::Borrowed(_)));
    }

    #[test]
    fn can_marks_climb_over_other_lines() {
        let tower = format!("a{}b", "\u{301}".repeat(100));
        assert_eq!(clean(&tower), format!("a{}b", "\u{301}".repeat(MAX_MARKS)));
    }

    proptest! {
        #[test]
        fn is_anything_hidden_left(text in any::<String>()) {
            prop_assert!(!clean(&text).chars().any(is_hidden));
        }

        #[test]
        fn does_cleaning_twice_change_nothing(text in any::<String>()) {
            let once = clean(&text).into_owned();
            prop_assert_eq!(clean(&once), once.as_str());
        }

        #[test]
        fn is_the_length_bounded(text in any::<String>()) {
            prop_assert!(clean(&text).len() <= 4 * text.len().max(1));
        }
    }
}
