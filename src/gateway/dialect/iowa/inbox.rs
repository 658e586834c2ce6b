//! What comes in on one connection.

use super::{
    super::{
        json::{MAX_BAD_IN_A_ROW, ObjectReader},
        stranger::Stranger,
    },
    wire::Item,
};

/// What was heard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Heard {
    Item(Item),
    /// Which rule was broken. The protocol has no answer to that.
    Bad(String),
    /// Why nothing more is to be heard: the connection is to be closed.
    Enough(String),
}

/// What comes in on one connection.
#[derive(Clone, Debug, Default)]
pub(super) struct Inbox {
    reader: ObjectReader,
    stranger: Stranger,
    bad: u32,
}

impl Inbox {
    /// What these bytes complete, in order; [`Heard::Enough`] is the last.
    pub(super) fn read(&mut self, bytes: &[u8]) -> Vec<Heard> {
        if self.stranger.is_known_by(bytes) {
            return vec![Heard::Enough("this is a browser or speaks TLS".to_owned())];
        }
        let mut heard = Vec::new();
        for found in self.reader.read(bytes) {
            match Item::read(found) {
                Ok(item) => {
                    self.bad = 0;
                    heard.push(Heard::Item(item));
                }
                Err(why) => {
                    self.bad = self.bad.saturating_add(1);
                    heard.push(Heard::Bad(why.to_string()));
                }
            }
            if self.bad >= MAX_BAD_IN_A_ROW {
                heard.push(Heard::Enough(format!("{MAX_BAD_IN_A_ROW} mistakes in a row")));
                break;
            }
        }
        heard
    }
}
