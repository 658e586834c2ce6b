//! Terms to follow: a word that brings a line here from any open room.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

/// Bytes of the longest term.
pub const MAX_TERM_BYTES: usize = 64;

/// A word to follow, in lower case: `@name` for what that person says and what is said to them,
/// `#topic` or any other word for lines that hold it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Term(String);

impl Term {
    /// The word, in lower case.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether a line by `author` is followed by this term. Words are compared whole and without
    /// case; punctuation behind a word does not count: `#fire` is in "#fire!", not in "#firewall".
    pub fn matches(&self, author: &str, text: &str) -> bool {
        let said_by = self.0.strip_prefix('@').is_some_and(|name| name.eq_ignore_ascii_case(author));
        said_by || text.split_whitespace().any(|word| self.is_word(word))
    }

    fn is_word(&self, word: &str) -> bool {
        let bare = word.trim_end_matches(|c: char| c.is_ascii_punctuation());
        let same = |word: &str| word.to_lowercase() == self.0;
        same(word) || same(bare)
    }
}

/// The text cannot be a term.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a term is one word of at most {MAX_TERM_BYTES} bytes")]
pub struct BadTerm;

impl FromStr for Term {
    type Err = BadTerm;

    fn from_str(text: &str) -> Result<Self, BadTerm> {
        let fits = (1..=MAX_TERM_BYTES).contains(&text.len());
        let word = !text.chars().any(|c| c.is_whitespace() || c.is_control());
        if fits && word { Ok(Self(text.to_lowercase())) } else { Err(BadTerm) }
    }
}

impl fmt::Display for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for Term {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Term {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn term(text: &str) -> Term {
        text.parse().unwrap()
    }

    #[test]
    fn which_lines_does_a_term_bring() {
        assert!(term("#fire").matches("bob", "a #FIRE!"));
        assert!(!term("#fire").matches("bob", "a #firewall"));
        assert!(term("@Bob").matches("bob", "anything"));
        assert!(term("@bob").matches("carol", "ask @bob, he knows"));
        assert!(!term("@bob").matches("carol", "bob"));
        assert!(term("c++").matches("carol", "I like C++"));
    }

    #[test]
    fn which_texts_are_terms() {
        assert!("x".repeat(MAX_TERM_BYTES).parse::<Term>().is_ok());
        for bad in ["", "a b", "a\u{7}", &"x".repeat(MAX_TERM_BYTES + 1)] {
            assert_eq!(bad.parse::<Term>(), Err(BadTerm), "{bad:?}");
        }
    }
}
