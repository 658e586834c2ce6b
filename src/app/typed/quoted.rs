//! A word that may hold spaces, typed as for a shell: `"my notes.txt"`, `'my notes.txt'`, `my\ notes.txt`.

/// The first word of a text, as far as it is typed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Word {
    /// What it means.
    pub text: String,
    /// Bytes that it takes, with its quotes.
    pub len: usize,
    /// The quote that is not closed.
    pub open: Option<char>,
}

/// The first word of `text`, which begins with it.
pub fn first_word(text: &str) -> Word {
    let mut word = Word { len: text.len(), ..Word::default() };
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        match (word.open, c) {
            (None, c) if c.is_whitespace() => {
                word.len = at;
                break;
            }
            (None, '"' | '\'') => word.open = Some(c),
            (Some(quote), c) if c == quote => word.open = None,
            (None | Some('"'), '\\') => {
                let is_meant = |next: char| word.open.is_none() || matches!(next, '"' | '\\');
                match chars.next_if(|(_, next)| is_meant(*next)) {
                    Some((_, next)) => word.text.push(next),
                    None => word.text.push('\\'),
                }
            }
            (_, c) => word.text.push(c),
        }
    }
    word
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn word(text: &str) -> (String, &str) {
        let word = first_word(text);
        assert_eq!(word.open, None, "{text}");
        (word.text, &text[word.len..])
    }

    #[test]
    fn where_does_a_word_end() {
        for (text, meant, rest) in [
            ("notes.txt", "notes.txt", ""),
            ("notes.txt  bob", "notes.txt", "  bob"),
            ("\"my notes.txt\" bob", "my notes.txt", " bob"),
            ("'my notes.txt'\tbob", "my notes.txt", "\tbob"),
            (r"my\ notes.txt bob", "my notes.txt", " bob"),
            (r"dir/'my notes'.txt bob", "dir/my notes.txt", " bob"),
            (r"bob\'s.txt", "bob's.txt", ""),
            (r#""bob's \"best\" \n""#, r#"bob's "best" \n"#, ""),
            (r"'a\'", r"a\", ""),
            (r"a\", r"a\", ""),
            ("\"\" bob", "", " bob"),
            ("", "", ""),
            ("naïve\u{2003}x", "naïve", "\u{2003}x"),
        ] {
            assert_eq!(word(text), (meant.to_owned(), rest), "{text}");
        }
    }

    #[test]
    fn is_a_quote_that_is_not_closed_told() {
        for (text, quote) in [("\"my notes", '"'), ("bob's.txt to", '\''), (r#""a\""#, '"')] {
            let word = first_word(text);
            assert_eq!((word.open, word.len), (Some(quote), text.len()), "{text}");
        }
    }

    proptest! {
        #[test]
        fn can_every_name_be_typed(name in "[^\0]+") {
            let escaped: String = name.chars().flat_map(|c| ['\\', c]).collect();
            prop_assert_eq!(word(&escaped), (name, ""));
        }
    }
}
