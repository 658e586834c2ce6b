//! Messages in lanes: cut into pieces on one side ([`Outgoing`]), put together again in order on the
//! other ([`Incoming`]), and never more of them than the receiver has room for ([`SendCredit`]).

mod assembly;
mod budget;
mod credit;
mod incoming;
mod message;
mod outgoing;
mod queue;
mod schedule;
mod slots;
mod spans;
#[cfg(test)]
mod tests;

pub(crate) use credit::SendCredit;
pub(crate) use incoming::{Incoming, Placed};
pub(crate) use outgoing::{OutPiece, Outgoing};

use crate::transport::Class;

/// Lanes of one class that the wire can tell apart.
pub(crate) const MAX_SLOTS: u32 = 4096;

/// Bytes of credit that a message costs besides its length: what keeping track of it takes.
pub(crate) const MESSAGE_CHARGE: u64 = 64;

/// Bytes of credit that a receiver starts with at least.
pub(crate) const START_WINDOW: u64 = 64 * 1024;

/// Bytes of credit that a receiver starts with. A file should find the capacity of the path, not that of the
/// credit: where a third is lost its messages wait for each other, and a window that follows by doubling is
/// in the way for seconds.
pub(crate) const fn start_window(class: Class) -> u64 {
    match class {
        Class::Control | Class::Thin => START_WINDOW,
        Class::Bulk => 64 * START_WINDOW,
    }
}

/// The longest message, in bytes, that is not large. Small ones pay their whole charge before their first
/// byte is sent, so a started one never waits for credit. A receiver may hold back up to half a window of
/// updates, so that a small one has to fit into the other half of the smallest window.
pub(crate) const LARGE_MESSAGE: u64 = START_WINDOW / 2 - MESSAGE_CHARGE;

/// The lane number on the wire: the class in the low two bits, the slot above.
const fn wire_lane(class: Class, slot: u32) -> u64 {
    ((slot as u64) << 2) | class.index() as u64
}

/// The reverse of [`wire_lane`]. `None`: no such class, or a slot beyond any limit.
fn class_and_slot(lane: u64) -> Option<(Class, u32)> {
    let class = match lane & 3 {
        0 => Class::Control,
        1 => Class::Thin,
        2 => Class::Bulk,
        _ => return None,
    };
    Some((class, u32::try_from(lane >> 2).ok()?))
}

/// One value for each class.
#[derive(Clone, Debug)]
struct PerClass<T> {
    control: T,
    thin: T,
    bulk: T,
}

impl<T> PerClass<T> {
    fn from_fn(mut value: impl FnMut(Class) -> T) -> Self {
        Self { control: value(Class::Control), thin: value(Class::Thin), bulk: value(Class::Bulk) }
    }

    const fn get(&self, class: Class) -> &T {
        match class {
            Class::Control => &self.control,
            Class::Thin => &self.thin,
            Class::Bulk => &self.bulk,
        }
    }

    const fn get_mut(&mut self, class: Class) -> &mut T {
        match class {
            Class::Control => &mut self.control,
            Class::Thin => &mut self.thin,
            Class::Bulk => &mut self.bulk,
        }
    }
}
