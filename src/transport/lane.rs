//! Where in a link a message travels: an order of its own, and how urgent it is.

/// How urgent a message is, highest first. A transport serves a higher class before a lower one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// What steers the link and the rooms: small, rare, never waits.
    Control,
    /// Chat: small and sensitive to delay.
    Thin,
    /// Files: long, content with what the others leave.
    Bulk,
}

impl Class {
    /// Every class, highest priority first.
    pub const ALL: [Self; 3] = [Self::Control, Self::Thin, Self::Bulk];

    /// The place of this class in an array of three, 0 for the highest.
    pub const fn index(self) -> usize {
        self as usize
    }
}

/// One order of messages within a link.
///
/// Messages on one lane arrive in the order sent. Between lanes there is no promise: UDP lets them
/// overtake each other, TCP keeps one order within a class.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Lane {
    /// How urgent.
    pub class: Class,
    /// Which of the lanes of that class.
    pub id: u32,
}

impl Lane {
    /// The lane of everything that steers the link.
    pub const CONTROL: Self = Self { class: Class::Control, id: 0 };

    /// A chat lane.
    pub const fn thin(id: u32) -> Self {
        Self { class: Class::Thin, id }
    }

    /// A file lane.
    pub const fn bulk(id: u32) -> Self {
        Self { class: Class::Bulk, id }
    }
}
