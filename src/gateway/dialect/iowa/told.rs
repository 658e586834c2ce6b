//! What those who came through other doors say.

use std::time::Instant;

use crate::app::{Event, Said};

use super::{
    super::{GuestId, Refusal, clean_line, plain},
    host::Host,
    wire,
};

impl Host {
    /// Coming and going have no words in this protocol.
    pub(super) fn told(&mut self, guest: GuestId, event: Event, now: Instant) {
        match event {
            Event::Message(said) => self.pass_on(guest, &said, now),
            Event::Private(said) => {
                let user = plain(&said.from);
                let seq = self.numbers.next(user);
                self.tell(guest, seq, user, &format!("(private) {}", said.text), now);
            }
            Event::Renamed { to, .. } if self.present.contains(&guest) => {
                self.wanted.remove(&guest);
                self.own.settle(guest, &to, now);
            }
            Event::Error(trouble) if trouble.code == "name_taken" => self.name_taken(guest),
            Event::Error(trouble) => self.log(format!("guest {}: {}", guest.0, trouble.message)),
            Event::Closed { reason } => self.refused(guest, &Refusal::Other(reason.to_owned()), now),
            _ => {}
        }
    }

    /// A protocol without files says at least that there was one.
    fn pass_on(&mut self, guest: GuestId, said: &Said, now: Instant) {
        // Who only speaks is told as well, but has no ears.
        let is_subscriber = self.by_guest.contains_key(&guest);
        if !is_subscriber || said.historic || self.own.contains(&said.from, now) {
            return;
        }
        let user = plain(&said.from);
        let seq = self.numbers.of(user, said);
        self.tell(guest, seq, user, &said.text, now);
    }

    fn tell(&mut self, guest: GuestId, seq: u64, user: &str, text: &str, now: Instant) {
        if let Some(subscriber) = self.by_guest.get(&guest).copied() {
            self.deliver(subscriber, wire::message(seq, user, &clean_line(text)), now);
        }
    }
}
