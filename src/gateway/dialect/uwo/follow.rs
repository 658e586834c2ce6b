//! What a user follows, and which words of a line are looked at for it (W15 to W21).

use crate::gateway::dialect::Delivery;

use super::{MAX_TERM_BYTES, MAX_TERMS};

/// The words of a line as they are compared: split at single spaces, without the punctuation behind them.
pub(super) fn words(line: &str) -> impl Iterator<Item = &str> {
    line.split(' ').map(bare_word)
}

/// A word without the punctuation behind it: `apple?` is `apple`, `@alice:` is `@alice`.
pub(super) fn bare_word(word: &str) -> &str {
    word.trim_end_matches(|c: char| c.is_ascii_punctuation())
}

/// Why terms stay as they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unchanged {
    Already,
    NotFollowed,
    All,
    Oneself,
    TooLong,
    TooMany,
}

impl Unchanged {
    /// As the user is told.
    pub(super) fn words(self, term: &str) -> String {
        match self {
            Self::Already => format!("Error:  Was already following {term}"),
            Self::NotFollowed => format!("Error:  Was not following {term}"),
            Self::All => "Error:  All users must follow @all".into(),
            Self::Oneself => "Error:  Cannot unfollow yourself".into(),
            Self::TooLong => format!("Error:  A term has at most {MAX_TERM_BYTES} bytes"),
            Self::TooMany => format!("Error:  Cannot follow more than {MAX_TERMS} terms"),
        }
    }
}

/// The terms of one user.
#[derive(Clone, Debug)]
pub(super) struct Follows {
    /// `@name`.
    own: String,
    /// In the order in which they are listed: from the header, the two that everybody has, later ones.
    terms: Vec<String>,
    from_header: usize,
    /// Whether the user knows of following at all (UWO-D4).
    knows: bool,
}

const ALL: &str = "@all";

impl Follows {
    /// What everybody follows.
    pub(super) fn new(name: &str) -> Self {
        let own = format!("@{name}");
        Self { terms: vec![own.clone(), ALL.into()], own, from_header: 0, knows: false }
    }

    /// The user registered with a header.
    pub(super) fn know(&mut self) {
        self.knows = true;
    }

    /// Takes terms, separated by commas, from the header. Returns how many could not be taken.
    pub(super) fn take_header(&mut self, terms: &str) -> usize {
        self.know();
        let terms = terms.split(',').map(str::trim).filter(|term| !term.is_empty());
        terms.filter(|term| !self.take_first(term)).count()
    }

    fn take_first(&mut self, term: &str) -> bool {
        if self.addable(term).is_err() || term.contains(' ') {
            return false;
        }
        self.terms.insert(self.from_header, term.to_owned());
        self.from_header = self.from_header.saturating_add(1);
        true
    }

    /// Starts to follow.
    pub(super) fn follow(&mut self, term: &str) -> Result<(), Unchanged> {
        self.know();
        self.addable(term)?;
        self.terms.push(term.to_owned());
        Ok(())
    }

    fn addable(&self, term: &str) -> Result<(), Unchanged> {
        let most = MAX_TERMS.saturating_add(2);
        match () {
            () if self.has(term) => Err(Unchanged::Already),
            () if term.len() > MAX_TERM_BYTES => Err(Unchanged::TooLong),
            () if self.terms.len() >= most => Err(Unchanged::TooMany),
            () => Ok(()),
        }
    }

    /// Stops to follow.
    pub(super) fn unfollow(&mut self, term: &str) -> Result<(), Unchanged> {
        self.know();
        if term == ALL {
            return Err(Unchanged::All);
        }
        if term == self.own {
            return Err(Unchanged::Oneself);
        }
        let at = self.terms.iter().position(|followed| followed == term).ok_or(Unchanged::NotFollowed)?;
        self.terms.remove(at);
        if at < self.from_header {
            self.from_header = self.from_header.saturating_sub(1);
        }
        Ok(())
    }

    /// As `!follow?` answers.
    pub(super) fn list(&self) -> String {
        self.terms.join(", ")
    }

    /// Whether the user registered with a header, or ever followed or unfollowed something.
    pub(super) fn knows(&self) -> bool {
        self.knows
    }

    /// Whether a line with these words goes to the user (UWO-D4).
    pub(super) fn wants<'a>(&self, delivery: Delivery, mut words: impl Iterator<Item = &'a str>) -> bool {
        let filtered = match delivery {
            Delivery::Auto => self.knows,
            Delivery::Broadcast => false,
            Delivery::Follow => true,
        };
        !filtered || words.any(|word| self.has(word))
    }

    fn has(&self, term: &str) -> bool {
        self.terms.iter().any(|followed| followed == term)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wants(follows: &Follows, line: &str) -> bool {
        follows.wants(Delivery::Follow, words(line))
    }

    #[test]
    fn which_lines_does_a_term_bring_w15() {
        let mut bob = Follows::new("bob");
        bob.follow("apple").unwrap();
        for line in ["@al: an apple?", "@al: apple", "@al: (see) apple!?...", "@al apple,", "@al:  apple"] {
            assert!(wants(&bob, line), "{line}");
        }
        for line in
            ["@al: pineapple", "@al: apples", "@al: Apple", "@al: (apple)", "@al: ap ple", "@al:\tapple"]
        {
            assert!(!wants(&bob, line), "{line}");
        }
    }

    #[test]
    fn does_everybody_follow_all_and_oneself_w16_w17() {
        let mut bob = Follows::new("bob");
        assert!(wants(&bob, "@al: @bob, are you there?"));
        assert!(wants(&bob, "@al: @all: lunch"));
        assert!(!wants(&bob, "@al: @bobby"));
        assert!(!wants(&bob, "@al: hello"));
        bob.follow("@al").unwrap();
        assert!(wants(&bob, "@al: hello") && wants(&bob, "@al hello"));
    }

    #[test]
    fn in_which_order_are_terms_listed() {
        let mut bob = Follows::new("bob");
        assert_eq!(bob.take_header("apple,news"), 0);
        bob.follow("later").unwrap();
        assert_eq!(bob.list(), "apple, news, @bob, @all, later");
        assert_eq!(bob.take_header(" pie , ,apple,@all,two words"), 3);
        assert_eq!(bob.list(), "apple, news, pie, @bob, @all, later");
        bob.unfollow("news").unwrap();
        assert_eq!(bob.take_header("x"), 0);
        assert_eq!(bob.list(), "apple, pie, x, @bob, @all, later");
    }

    #[test]
    fn what_is_refused_and_in_which_words_w21() {
        let mut bob = Follows::new("bob");
        bob.follow("x").unwrap();
        assert_eq!(bob.follow("x").unwrap_err().words("x"), "Error:  Was already following x");
        assert_eq!(bob.follow("@bob").unwrap_err(), Unchanged::Already);
        assert_eq!(bob.unfollow("y").unwrap_err().words("y"), "Error:  Was not following y");
        assert_eq!(bob.unfollow("@all").unwrap_err().words(""), "Error:  All users must follow @all");
        assert_eq!(bob.unfollow("@bob").unwrap_err().words(""), "Error:  Cannot unfollow yourself");
        assert_eq!(bob.unfollow("x"), Ok(()));
    }

    #[test]
    fn how_many_terms_and_how_long() {
        let mut bob = Follows::new("bob");
        bob.follow(&"t".repeat(MAX_TERM_BYTES)).unwrap();
        assert_eq!(bob.follow(&"t".repeat(MAX_TERM_BYTES + 1)), Err(Unchanged::TooLong));
        for i in 1..MAX_TERMS {
            bob.follow(&format!("t{i}")).unwrap();
        }
        assert_eq!(bob.follow("more"), Err(Unchanged::TooMany));
        assert_eq!(bob.take_header("a,b"), 2);
    }

    #[test]
    fn who_is_filtered_under_which_delivery_d4() {
        let mut bob = Follows::new("bob");
        let gets = |bob: &Follows, delivery| bob.wants(delivery, words("@al: hi"));
        assert!(gets(&bob, Delivery::Auto) && gets(&bob, Delivery::Broadcast));
        assert!(!gets(&bob, Delivery::Follow));
        assert_eq!(bob.unfollow("x"), Err(Unchanged::NotFollowed));
        assert!(!gets(&bob, Delivery::Auto) && gets(&bob, Delivery::Broadcast));
    }
}
