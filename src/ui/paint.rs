//! Colour, where it is wanted: names keep theirs, old lines are dimmed. Never the only sign.

use anstyle::{AnsiColor, Effects, Style};

use super::clean::clean;

/// Black and white vanish on some backgrounds, red means trouble.
const NAME_COLORS: [AnsiColor; 9] = [
    AnsiColor::Green,
    AnsiColor::Yellow,
    AnsiColor::Blue,
    AnsiColor::Magenta,
    AnsiColor::Cyan,
    AnsiColor::BrightGreen,
    AnsiColor::BrightBlue,
    AnsiColor::BrightMagenta,
    AnsiColor::BrightCyan,
];

/// Whether lines are coloured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Paint {
    /// No escape sequence is written.
    Plain,
    /// ANSI colours.
    Colored,
}

impl Paint {
    /// A person's name, always in the same colour, cleaned.
    pub fn name(self, name: &str) -> String {
        let color = Style::new().fg_color(Some(color_of(name).into()));
        self.styled(color, &clean(name))
    }

    /// A line that is there for completeness; already clean.
    pub fn dim(self, line: &str) -> String {
        self.styled(Style::new().effects(Effects::DIMMED), line)
    }

    fn styled(self, style: Style, text: &str) -> String {
        match self {
            Self::Plain => text.to_owned(),
            Self::Colored => format!("{style}{text}{style:#}"),
        }
    }
}

/// FNV-1a over the name without its case, so that a name has one colour on every screen.
fn color_of(name: &str) -> AnsiColor {
    let hash = name.bytes().fold(0x811c_9dc5_u32, |hash, byte| {
        (hash ^ u32::from(byte.to_ascii_lowercase())).wrapping_mul(0x0100_0193)
    });
    let colors = NAME_COLORS.iter().copied();
    let index = hash as usize % NAME_COLORS.len();
    colors.into_iter().nth(index).unwrap_or(AnsiColor::Green)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn does_a_name_keep_its_color() {
        assert_eq!(color_of("Alice"), color_of("alice"));
        assert_eq!(Paint::Plain.name("alice"), "alice");
        assert!(Paint::Colored.name("alice").starts_with("\x1b["));
        assert!(Paint::Colored.name("alice").ends_with("\x1b[0m"));
    }

    #[test]
    fn are_names_cleaned() {
        assert_eq!(Paint::Plain.name("a\x1bb"), "a\\x1bb");
    }
}
