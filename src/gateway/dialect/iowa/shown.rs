//! What a client has shown: a server may deliver on the one connection, on the other or on both.

use std::{
    collections::VecDeque,
    hash::{DefaultHasher, Hash, Hasher},
};

use super::wire::Message;

/// Messages that are remembered.
pub(super) const MAX_SHOWN: usize = 1024;

/// On which way a message came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// The connection to the server.
    Server,
    /// The listening port.
    Listener,
}

/// What was shown lately.
#[derive(Clone, Debug, Default)]
pub(super) struct Shown {
    lately: VecDeque<(Way, u64)>,
}

impl Shown {
    /// Whether a message is to be shown: not if the other way brought it (IOWA-D10). A user who starts again
    /// counts from 0 again, so the number alone is not enough, and each showing outweighs one copy.
    pub(super) fn is_new(&mut self, way: Way, message: &Message) -> bool {
        let mut hasher = DefaultHasher::new();
        (&message.user, &message.seq, &message.text).hash(&mut hasher);
        let key = hasher.finish();
        let copy = self.lately.iter().position(|(other, shown)| *other != way && *shown == key);
        if let Some(at) = copy {
            self.lately.remove(at);
            return false;
        }
        if self.lately.len() >= MAX_SHOWN {
            self.lately.pop_front();
        }
        self.lately.push_back((way, key));
        true
    }
}
