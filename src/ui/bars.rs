//! Bars of transfers at the foot of a terminal that has no prompt.

use std::collections::BTreeMap;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Drawn again at most so many times a second.
const DRAWS_A_SECOND: u8 = 5;

const TEMPLATE: &str = "{prefix}   [{bar:24}] {msg}";

/// How far a transfer is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bar {
    /// Which transfer; a later bar of the same takes the place of this one.
    pub id: u32,
    /// What stands before it.
    pub before: String,
    /// How much of it is full.
    pub bytes: u64,
    /// How much that can be.
    pub total: u64,
    /// What stands behind it.
    pub behind: String,
}

/// The bars that are drawn.
pub(super) struct Bars {
    all: MultiProgress,
    shown: BTreeMap<u32, ProgressBar>,
    style: ProgressStyle,
}

impl Bars {
    /// On stderr; `None` where that is no terminal on which a line can be drawn again.
    pub(super) fn open() -> Option<Self> {
        let target = ProgressDrawTarget::stderr_with_hz(DRAWS_A_SECOND);
        (!target.is_hidden()).then(|| Self::on(target))
    }

    fn on(target: ProgressDrawTarget) -> Self {
        let style = ProgressStyle::with_template(TEMPLATE).unwrap_or_else(|_| ProgressStyle::default_bar());
        let style = style.progress_chars("#--");
        Self { all: MultiProgress::with_draw_target(target), shown: BTreeMap::new(), style }
    }

    pub(super) fn draw(&mut self, bar: &Bar) {
        let shown = self.shown.entry(bar.id).or_insert_with(|| {
            let new = ProgressBar::hidden().with_style(self.style.clone());
            self.all.add(new)
        });
        shown.set_length(bar.total);
        shown.set_prefix(bar.before.clone());
        shown.set_message(bar.behind.clone());
        shown.set_position(bar.bytes);
        shown.tick();
    }

    pub(super) fn remove(&mut self, id: u32) {
        if let Some(shown) = self.shown.remove(&id) {
            shown.finish_and_clear();
            self.all.remove(&shown);
        }
    }

    /// Writes something else: the bars stand below it again afterwards.
    pub(super) fn aside<T>(&self, write: impl FnOnce() -> T) -> T {
        if self.shown.is_empty() { write() } else { self.all.suspend(write) }
    }
}

impl Drop for Bars {
    fn drop(&mut self) {
        let ids: Vec<u32> = self.shown.keys().copied().collect();
        ids.into_iter().for_each(|id| self.remove(id));
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io,
        sync::{Arc, Mutex},
    };

    use indicatif::TermLike;

    use super::*;

    /// What a terminal of 60 columns is told.
    #[derive(Clone, Debug, Default)]
    struct Screen(Arc<Mutex<Vec<String>>>);

    impl Screen {
        fn text(&self) -> String {
            self.0.lock().unwrap().drain(..).collect()
        }

        fn told(&self, text: &str) -> io::Result<()> {
            self.0.lock().unwrap().push(text.to_owned());
            Ok(())
        }
    }

    impl TermLike for Screen {
        fn width(&self) -> u16 {
            60
        }

        fn move_cursor_up(&self, _: usize) -> io::Result<()> {
            Ok(())
        }

        fn move_cursor_down(&self, _: usize) -> io::Result<()> {
            Ok(())
        }

        fn move_cursor_right(&self, _: usize) -> io::Result<()> {
            Ok(())
        }

        fn move_cursor_left(&self, _: usize) -> io::Result<()> {
            Ok(())
        }

        fn write_line(&self, text: &str) -> io::Result<()> {
            self.told(&format!("{text}\n"))
        }

        fn write_str(&self, text: &str) -> io::Result<()> {
            self.told(text)
        }

        fn clear_line(&self) -> io::Result<()> {
            self.told("<cleared>")
        }

        fn flush(&self) -> io::Result<()> {
            Ok(())
        }
    }

    fn bar(id: u32, bytes: u64, behind: &str) -> Bar {
        Bar { id, before: format!("file {id} to dave"), bytes, total: 100, behind: behind.to_owned() }
    }

    #[test]
    fn is_a_bar_drawn_and_set_aside_for_lines() {
        let screen = Screen::default();
        let mut bars = Bars::on(ProgressDrawTarget::term_like(Box::new(screen.clone())));
        bars.aside(|| screen.told("above")).unwrap();
        assert_eq!(screen.text(), "above");
        bars.draw(&bar(7, 38, "38 %"));
        let drawn = screen.text();
        assert!(drawn.contains("file 7 to dave   [#########---------------] 38 %"), "{drawn}");
        bars.aside(|| screen.told("[lobby] bob: hello\n")).unwrap();
        let aside = screen.text();
        assert!(aside.contains("<cleared>[lobby] bob: hello\n"), "{aside:?}");
        assert!(aside.contains("file 7 to dave   [####"), "{aside:?}");
        bars.draw(&bar(9, 0, &"x".repeat(100)));
        let drawn = screen.text();
        assert!(drawn.contains("file 7") && drawn.contains("file 9"), "{drawn:?}");
        bars.remove(7);
        screen.text();
        bars.draw(&bar(9, 1, ""));
        let drawn = screen.text();
        assert!(!drawn.contains("file 7") && drawn.contains("file 9"), "{drawn:?}");
        bars.remove(9);
        bars.remove(9);
        screen.text();
        bars.aside(|| screen.told("below")).unwrap();
        assert_eq!(screen.text(), "below");
    }

    #[test]
    fn is_a_terminal_needed() {
        let mut bars = Bars::on(ProgressDrawTarget::hidden());
        bars.draw(&bar(7, 38, "38 %"));
        assert_eq!(bars.aside(|| 5), 5);
    }
}
